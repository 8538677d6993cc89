//! What a program hears of the engine: streams that hold back a bounded number of things for a reader that is slow.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::models::{Event, FetchResult};

/// Events that wait for one reader. What comes after is counted, not kept.
const MAX_WAITING: usize = 1_024;

/// What waits for one reader, and the reader.
pub(crate) struct Queue<T>(Mutex<T>);

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub(crate) struct WaitingEvents {
    events: VecDeque<(Box<str>, Arc<str>)>,
    missed: u64,
    is_over: bool,
    reader: Option<Waker>,
}

#[derive(Default)]
pub(crate) struct WaitingValues {
    /// Categories in the order in which they became due.
    due: VecDeque<Box<str>>,
    /// By category, the newest value that the reader was not given.
    newest: HashMap<Box<str>, Arc<str>>,
    is_over: bool,
    reader: Option<Waker>,
}

fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Queue<WaitingEvents> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    pub fn push(&self, name: &str, json: Arc<str>) {
        let mut waiting = self.lock();
        if waiting.events.len() < MAX_WAITING {
            waiting.events.push_back((name.into(), json));
        } else {
            waiting.missed += 1;
        }
        wake(waiting.reader.take());
    }

    pub fn end(&self) {
        let mut waiting = self.lock();
        waiting.is_over = true;
        wake(waiting.reader.take());
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<(Box<str>, Arc<str>)>> {
        let mut waiting = self.lock();
        if let Some(next) = waiting.events.pop_front() {
            return Poll::Ready(Some(next));
        }
        if waiting.missed > 0 {
            let missed = std::mem::take(&mut waiting.missed);
            return Poll::Ready(Some(("missed".into(), missed.to_string().into())));
        }
        if waiting.is_over {
            return Poll::Ready(None);
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Queue<WaitingValues> {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// Of several values of a category that wait, the newest alone counts.
    pub fn push(&self, category: &str, json: Arc<str>) {
        let mut waiting = self.lock();
        if waiting.newest.insert(category.into(), json).is_none() {
            waiting.due.push_back(category.into());
        }
        wake(waiting.reader.take());
    }

    pub fn end(&self) {
        let mut waiting = self.lock();
        waiting.is_over = true;
        wake(waiting.reader.take());
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Arc<str>>> {
        let mut waiting = self.lock();
        while let Some(category) = waiting.due.pop_front() {
            if let Some(json) = waiting.newest.remove(&category) {
                return Poll::Ready(Some(json));
            }
        }
        if waiting.is_over {
            return Poll::Ready(None);
        }
        waiting.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The events of the engine, in their order: see [`NostrSync::events`](crate::NostrSync::events). It ends when the engine is closed. For a reader that is slow 1,024 of them wait; those after are counted: [`Event::Missed`].
pub struct Events {
    pub(crate) queue: Arc<Queue<WaitingEvents>>,
    pub(crate) registry: Arc<crate::registry::Registry>,
}

impl Events {
    /// The next event; `None` after the engine was closed.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The next event by its name in TypeScript, and as JSON.
    #[doc(hidden)]
    pub async fn next_json(&mut self) -> Option<(Box<str>, Arc<str>)> {
        poll_fn(|context| self.queue.poll(context)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            match self.queue.poll(context) {
                Poll::Ready(Some((name, json))) => match Event::from_json(&name, &json) {
                    Some(event) => return Poll::Ready(Some(event)),
                    // Of a kind that this version does not know.
                    None => continue,
                },
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.registry.forget_events(&self.queue);
    }
}

/// The values of a subscription: see [`NostrSync::subscribe`](crate::NostrSync::subscribe). Dropping it ends the subscription. Of
/// several values of a category that wait for a slow reader, it gives the newest.
pub struct Values {
    pub(crate) id: u64,
    pub(crate) queue: Arc<Queue<WaitingValues>>,
    pub(crate) registry: Arc<crate::registry::Registry>,
}

impl Values {
    /// The next value; `None` after the engine was closed.
    pub async fn next(&mut self) -> Option<FetchResult> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The next value as JSON.
    #[doc(hidden)]
    pub async fn next_json(&mut self) -> Option<Arc<str>> {
        poll_fn(|context| self.queue.poll(context)).await
    }
}

impl Stream for Values {
    type Item = FetchResult;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<FetchResult>> {
        loop {
            match self.queue.poll(context) {
                Poll::Ready(Some(json)) => {
                    if let Ok(value) = serde_json::from_str(&json) {
                        return Poll::Ready(Some(value));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        self.registry.forget_values(self.id);
    }
}
