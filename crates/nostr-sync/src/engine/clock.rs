//! The engine's clock: its timers, and the sleep of the machine.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep_until};

/// As in every JavaScript runtime: what is longer is as good as never.
const MAX_DELAY_MS: f64 = 2_147_483_647.0;
/// How often it is looked for a gap, and what counts as one.
const TICK: Duration = Duration::from_secs(5);
const GAP: Duration = Duration::from_secs(5);

/// Unix time in ms.
pub(crate) fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Whole milliseconds, as `Date.now()`.
    #[allow(clippy::cast_precision_loss, reason = "a double holds the milliseconds of 285,000 years")]
    let ms = now.as_millis() as f64;
    ms
}

/// Timers in the order in which they are due. A number of JavaScript names each.
#[derive(Default)]
pub(crate) struct Timers(RefCell<State>);

#[derive(Default)]
struct State {
    due: BTreeSet<(Instant, u64)>,
    by_id: HashMap<u64, Instant>,
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ids count from 1")]
fn id_of(number: f64) -> u64 {
    number as u64
}

impl Timers {
    pub fn set(&self, id: f64, delay_ms: f64) {
        // What is no number is 0, as `setTimeout` has it.
        let ms = if delay_ms.is_nan() { 0.0 } else { delay_ms.clamp(0.0, MAX_DELAY_MS) };
        let at = Instant::now() + Duration::from_secs_f64(ms / 1_000.0);
        let id = id_of(id);
        self.clear_id(id);
        let mut state = self.0.borrow_mut();
        state.due.insert((at, id));
        state.by_id.insert(id, at);
    }

    pub fn clear(&self, id: f64) {
        self.clear_id(id_of(id));
    }

    fn clear_id(&self, id: u64) {
        let mut state = self.0.borrow_mut();
        if let Some(at) = state.by_id.remove(&id) {
            state.due.remove(&(at, id));
        }
    }

    /// The next one, when it is due. May be dropped at any moment, and asked again.
    pub async fn due(&self) -> f64 {
        let next = self.0.borrow().due.first().copied();
        let Some((at, id)) = next else {
            return std::future::pending().await;
        };
        sleep_until(at).await;
        self.clear_id(id);
        #[allow(clippy::cast_precision_loss, reason = "it was one")]
        let number = id as f64;
        number
    }
}

/// Time that has passed without this process: connections may have died unnoticed.
pub(crate) struct Gap {
    tick: Instant,
    wall: SystemTime,
}

impl Default for Gap {
    fn default() -> Self {
        Self { tick: Instant::now(), wall: SystemTime::now() }
    }
}

impl Gap {
    /// Resolves when a gap was found. May be dropped at any moment, and asked again.
    pub async fn found(&mut self) {
        loop {
            sleep_until(self.tick + TICK).await;
            // The steady clock stands still while the machine sleeps, on most systems. Where it does not, it is late.
            let late = Instant::now().duration_since(self.tick).saturating_sub(TICK);
            let wall = SystemTime::now().duration_since(self.wall).unwrap_or_default();
            let is_gap = late > GAP || wall > TICK + late + GAP;
            *self = Self::default();
            if is_gap {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
