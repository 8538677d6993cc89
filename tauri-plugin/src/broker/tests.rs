//! The broker on a paused clock: nothing here sleeps.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::advance;

use super::*;

/// A page that hosts: remembers what it was sent.
#[derive(Clone, Default)]
struct Page {
    messages: Arc<Mutex<Vec<Value>>>,
    is_gone: Arc<Mutex<bool>>,
}

impl Page {
    fn host(&self, label: &str) -> Host {
        let page = self.clone();
        let send = move |message: String| {
            if *page.is_gone.lock().unwrap() {
                return Err(());
            }
            page.messages.lock().unwrap().push(serde_json::from_str(&message).unwrap());
            Ok(())
        };
        Host { webview: label.into(), window: label.into(), send: Box::new(send) }
    }

    fn of_type(&self, kind: &str) -> Vec<Value> {
        self.messages.lock().unwrap().iter().filter(|message| message["type"] == kind).cloned().collect()
    }

    fn requests(&self) -> Vec<Value> {
        self.of_type("request")
    }

    /// The id of its only request.
    fn id(&self) -> String {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0]["id"].as_str().unwrap().to_owned()
    }
}

fn broker() -> Arc<Broker> {
    Arc::new(Broker::new("run".into()))
}

fn attach(broker: &Broker, page: &Page, label: &str) -> u64 {
    broker.attach(page.host(label), |generation, _| generation)
}

fn call(broker: &Arc<Broker>, method: &'static str, args: Value) -> JoinHandle<Result<Value>> {
    let broker = Arc::clone(broker);
    tokio::spawn(async move { broker.call(method, &args).await })
}

/// Lets every other task go as far as it can.
async fn settle_tasks() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn code(result: Result<Value>) -> String {
    result.unwrap_err().code().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_by_the_host() {
    let (broker, page) = (broker(), Page::default());
    let generation = attach(&broker, &page, "main");
    let answer = call(&broker, "fetch", json!({ "category": "notes", "__proto__": 1 }));
    settle_tasks().await;
    let request = &page.requests()[0];
    assert_eq!((&request["method"], &request["attempt"]), (&json!("fetch"), &json!(1)));
    assert_eq!(request["args"], r#"{"category":"notes","__proto__":1}"#);
    broker.reply(generation, "main", &page.id(), Ok(json!({ "payload": 1.1e-7 })));
    assert_eq!(answer.await.unwrap(), Ok(json!({ "payload": 1.1e-7 })));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_engine_reaches_the_caller() {
    let (broker, page) = (broker(), Page::default());
    let generation = attach(&broker, &page, "main");
    let answer = call(&broker, "publish", json!({}));
    settle_tasks().await;
    broker.reply(generation, "main", &page.id(), Err(Error::PayloadTooLarge { size: 3, limit: 2 }));
    assert_eq!(answer.await.unwrap(), Err(Error::PayloadTooLarge { size: 3, limit: 2 }));
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_host_are_sent_in_their_order_when_one_comes() {
    let (broker, page) = (broker(), Page::default());
    let calls: Vec<_> = (0..12).map(|n| call(&broker, "publish", json!({ "payload": n }))).collect();
    settle_tasks().await;
    advance(HOST_TIMEOUT - Duration::from_millis(1)).await;
    attach(&broker, &page, "main");
    let sent: Vec<_> =
        page.requests().iter().map(|request| request["args"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<_> = (0..12).map(|n| format!(r#"{{"payload":{n}}}"#)).collect();
    assert_eq!(sent, expected);
    assert!(calls.iter().all(|call| !call.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_host_is_told_when_one_comes_and_that_none_did() {
    let (broker, page) = (broker(), Page::default());
    assert!(!broker.wait_for_host().await);
    let waiting = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { broker.wait_for_host().await }
    });
    settle_tasks().await;
    assert!(!waiting.is_finished());
    attach(&broker, &page, "main");
    assert!(waiting.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn without_a_host_a_call_fails_when_its_time_is_over() {
    let broker = broker();
    let answer = call(&broker, "fetch", json!({}));
    settle_tasks().await;
    advance(HOST_TIMEOUT - Duration::from_millis(1)).await;
    settle_tasks().await;
    assert!(!answer.is_finished());
    advance(Duration::from_millis(2)).await;
    assert_eq!(code(answer.await.unwrap()), "ENGINE_NOT_RUNNING");
    assert_eq!(broker.lock().call_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reload_sends_what_was_not_answered_again_with_the_same_id() {
    let (broker, first, second) = (broker(), Page::default(), Page::default());
    let old = attach(&broker, &first, "main");
    let answer = call(&broker, "publish", json!({ "payload": 1 }));
    settle_tasks().await;
    broker.detach(|_, host| host.webview == "main");
    assert_eq!(first.of_type("detached").len(), 1);
    let new = attach(&broker, &second, "main");
    assert!(new > old);
    let request = &second.requests()[0];
    assert_eq!((&request["id"], &request["attempt"]), (&json!(first.id()), &json!(2)));
    broker.reply(new, "main", &second.id(), Ok(json!("saved")));
    assert_eq!(answer.await.unwrap(), Ok(json!("saved")));
}

#[tokio::test(start_paused = true)]
async fn a_window_that_takes_over_gets_the_calls_and_the_old_one_is_told() {
    let (broker, first, second) = (broker(), Page::default(), Page::default());
    let old = attach(&broker, &first, "main");
    let answer = call(&broker, "fetch", json!({}));
    settle_tasks().await;
    let new = attach(&broker, &second, "other");
    assert_eq!(first.of_type("detached").len(), 1);
    // The old window's answer comes too late, whatever generation it claims.
    broker.reply(old, "main", &first.id(), Ok(json!("stale")));
    broker.reply(new, "main", &first.id(), Ok(json!("forged")));
    settle_tasks().await;
    assert!(!answer.is_finished());
    broker.reply(new, "other", &second.id(), Ok(json!("fresh")));
    assert_eq!(answer.await.unwrap(), Ok(json!("fresh")));
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_of_the_same_window_is_ignored() {
    let (broker, first, second) = (broker(), Page::default(), Page::default());
    let old = attach(&broker, &first, "main");
    let answer = call(&broker, "fetch", json!({}));
    settle_tasks().await;
    attach(&broker, &second, "main");
    broker.reply(old, "main", &first.id(), Ok(json!("stale")));
    settle_tasks().await;
    assert!(!answer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_once_and_only_to_a_call_that_was_made() {
    let (broker, page) = (broker(), Page::default());
    let generation = attach(&broker, &page, "main");
    let answer = call(&broker, "fetch", json!({}));
    settle_tasks().await;
    for id in ["", "run", "run-", "run-2", "run-18446744073709551616", "other-1", "run--1", "run-1 "] {
        broker.reply(generation, "main", id, Ok(json!("wrong")));
    }
    broker.reply(generation, "main", "run-1", Ok(json!("right")));
    broker.reply(generation, "main", "run-1", Ok(json!("again")));
    assert_eq!(answer.await.unwrap(), Ok(json!("right")));
}

#[tokio::test(start_paused = true)]
async fn when_the_host_goes_for_good_the_outcome_is_unknown_and_said_to_be() {
    let (broker, page) = (broker(), Page::default());
    attach(&broker, &page, "main");
    let answer = call(&broker, "publish", json!({}));
    settle_tasks().await;
    broker.detach(|_, host| host.window == "main");
    settle_tasks().await;
    advance(HOST_TIMEOUT + Duration::from_millis(1)).await;
    assert_eq!(code(answer.await.unwrap()), "ENGINE_GONE");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_costs_a_bounded_time() {
    let (broker, page) = (broker(), Page::default());
    attach(&broker, &page, "main");
    let (status, publish) = (call(&broker, "get_status", json!({})), call(&broker, "publish", json!({})));
    let flush = call(&broker, "flush", json!({}));
    settle_tasks().await;
    advance(CALL_TIMEOUT + Duration::from_millis(1)).await;
    assert_eq!(code(status.await.unwrap()), "ENGINE_GONE");
    assert!(!publish.is_finished());
    advance(SIGNER_CALL_TIMEOUT).await;
    assert_eq!(code(publish.await.unwrap()), "ENGINE_GONE");
    advance(Duration::from_secs(86_400)).await;
    settle_tasks().await;
    assert!(!flush.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_every_host_is_given_up() {
    let broker = broker();
    let answer = call(&broker, "publish", json!({}));
    settle_tasks().await;
    let pages: Vec<_> = (0..=MAX_ATTEMPTS).map(|_| Page::default()).collect();
    for page in &pages {
        attach(&broker, page, "main");
        settle_tasks().await;
    }
    let sent: Vec<_> = pages.iter().map(|page| page.requests().len()).collect();
    assert_eq!(sent, [1, 1, 1, 1, 0]);
    assert_eq!(code(answer.await.unwrap()), "ENGINE_GONE");
}

#[tokio::test(start_paused = true)]
async fn a_window_that_cannot_be_reached_no_longer_hosts() {
    let (broker, page) = (broker(), Page::default());
    attach(&broker, &page, "main");
    *page.is_gone.lock().unwrap() = true;
    let answer = call(&broker, "fetch", json!({}));
    settle_tasks().await;
    assert!(!broker.is_hosted());
    let next = Page::default();
    let generation = attach(&broker, &next, "main");
    broker.reply(generation, "main", &next.id(), Ok(json!(1)));
    assert_eq!(answer.await.unwrap(), Ok(json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_takes_its_call_back() {
    let (broker, page) = (broker(), Page::default());
    let unsent = call(&broker, "publish", json!({ "payload": "x" }));
    settle_tasks().await;
    unsent.abort();
    settle_tasks().await;
    let generation = attach(&broker, &page, "main");
    assert_eq!(page.requests().len(), 0);
    let sent = call(&broker, "flush", json!({}));
    settle_tasks().await;
    sent.abort();
    settle_tasks().await;
    assert_eq!(page.of_type("cancel"), [json!({ "type": "cancel", "id": page.id() })]);
    broker.reply(generation, "main", &page.id(), Ok(Value::Null));
    let state = broker.lock();
    assert_eq!((state.calls.len(), state.call_bytes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_in_calls() {
    let broker = broker();
    let waiting: Vec<_> = (0..MAX_CALLS).map(|_| call(&broker, "fetch", json!({}))).collect();
    while broker.lock().calls.len() < MAX_CALLS {
        tokio::task::yield_now().await;
    }
    assert_eq!(code(broker.call("fetch", &json!({})).await), "ENGINE_BUSY");
    waiting[0].abort();
    settle_tasks().await;
    let next = call(&broker, "fetch", json!({}));
    settle_tasks().await;
    assert!(!next.is_finished());
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_in_bytes() {
    let broker = broker();
    let large = json!("x".repeat(MAX_CALL_BYTES / 2));
    let _waiting = call(&broker, "publish", large.clone());
    settle_tasks().await;
    assert_eq!(code(broker.call("publish", &large).await), "ENGINE_BUSY");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_grow_are_bounded_and_greet_every_host() {
    let (broker, page) = (broker(), Page::default());
    broker.subscribe(["b".into(), "a".into(), "b".into()]).unwrap();
    assert_eq!(broker.attach(page.host("main"), |_, subscriptions| subscriptions), ["a", "b"]);
    broker.subscribe((0..MAX_SUBSCRIPTIONS - 2).map(|n| n.to_string())).unwrap();
    assert_eq!(broker.subscribe(["new".into()]).unwrap_err().code(), "ENGINE_BUSY");
    broker.subscribe(["a".into()]).unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_the_page_that_hosts_counts_as_host() {
    let (broker, page) = (broker(), Page::default());
    let gone = |generation: u64, webview: &str| {
        assert_eq!(broker.check_host(generation, webview).unwrap_err().code(), "ENGINE_GONE");
    };
    gone(0, "main");
    let generation = attach(&broker, &page, "main");
    broker.check_host(generation, "main").unwrap();
    gone(generation, "other");
    gone(generation + 1, "main");
    broker.detach(|_, host| host.webview == "other");
    broker.check_host(generation, "main").unwrap();
    // Reloaded: the label is the same.
    let next = attach(&broker, &page, "main");
    gone(generation, "main");
    broker.check_host(next, "main").unwrap();
    broker.detach(|current, host| current == next && host.webview == "main");
    gone(next, "main");
}

/// What can happen to a broker.
#[derive(Debug, Clone)]
enum Step {
    Call,
    Attach,
    Detach,
    /// Answers the newest request of the page that attached as the n-th last.
    Reply(usize),
    Abort(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Call),
        2 => Just(Step::Attach),
        1 => Just(Step::Detach),
        4 => (0usize..3).prop_map(Step::Reply),
        1 => (0usize..8).prop_map(Step::Abort),
        1 => (0u64..20).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn whatever_happens_each_call_ends_once_with_its_own_answer_or_a_failure(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let broker = broker();
            let mut pages: Vec<(u64, Page)> = Vec::new();
            let mut calls = Vec::new();
            for step in steps {
                match step {
                    Step::Call => calls.push((calls.len() + 1, call(&broker, "fetch", json!({ "n": calls.len() + 1 })))),
                    Step::Attach => {
                        let page = Page::default();
                        pages.push((attach(&broker, &page, "main"), page));
                    }
                    Step::Detach => broker.detach(|_, _| true),
                    Step::Reply(nth) => {
                        if let Some((generation, page)) = pages.iter().rev().nth(nth) {
                            for request in page.requests() {
                                // Marked with its generation: a stale answer would show.
                                let answer = json!({ "args": request["args"], "generation": generation });
                                broker.reply(*generation, "main", request["id"].as_str().unwrap(), Ok(answer));
                            }
                        }
                    }
                    Step::Abort(nth) => if let Some((_, call)) = calls.get(nth) { call.abort() },
                    Step::Wait(seconds) => advance(Duration::from_secs(seconds)).await,
                }
                settle_tasks().await;
                for (_, page) in &pages {
                    let mut numbers: Vec<_> = page.requests().iter().map(|request| request["id"].to_string()).collect();
                    let all = numbers.len();
                    numbers.sort();
                    numbers.dedup();
                    assert_eq!(numbers.len(), all, "a page was sent a call twice");
                }
            }
            broker.detach(|_, _| true);
            advance(HOST_TIMEOUT + Duration::from_millis(1)).await;
            settle_tasks().await;
            for (n, call) in calls {
                assert!(call.is_finished(), "a call waits for ever");
                match call.await {
                    Ok(Ok(answer)) => assert_eq!(answer["args"], json!({ "n": n }).to_string()),
                    Ok(Err(error)) => assert!(["ENGINE_GONE", "ENGINE_NOT_RUNNING"].contains(&error.code())),
                    Err(error) => assert!(error.is_cancelled()),
                }
            }
            let state = broker.lock();
            assert_eq!((state.calls.len(), state.call_bytes), (0, 0));
        });
    }

    #[test]
    fn no_reply_whatever_its_id_panics(generation in any::<u64>(), webview in ".*", id in ".*") {
        broker().reply(generation, &webview, &id, Ok(Value::Null));
    }
}
