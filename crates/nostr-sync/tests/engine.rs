//! The engine by its public calls, without a relay. What needs one is in `test/rust` of the project, against `nostr-sync relay`.

use std::time::Duration;

use nostr_sync::{Builder, Error, Event, NostrSync, Preload, SecretKey, Source, Stage};
use serde_json::{Value, json};
use tokio::time::timeout;

const KEY: &str = "6b911fd37cdf5c81d4c0adb1ab7fa822ed253ab0ad9aa18d77257c88b29b718e";

fn builder() -> Builder {
    Builder::new().namespace("test").device_id("here")
}

async fn unlocked(builder: Builder) -> NostrSync {
    let sync = builder.start().unwrap();
    sync.set_signer(SecretKey::parse(KEY).unwrap()).await.unwrap();
    sync
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), work).await.expect("nothing came in time")
}

#[tokio::test]
async fn a_value_is_saved_and_read_without_a_relay() {
    let sync = unlocked(builder()).await;
    let payload = json!({ "b": 1.5e300, "a": ["ü🦩", null, -0.0], "__proto__": { "x": 1 } });
    let receipt = sync.publish("notes", &payload, None).await.unwrap();
    assert_eq!((receipt.stage, receipt.category.as_str()), (Stage::Saved, "notes"));
    let found = sync.fetch("notes").await.unwrap().unwrap();
    assert_eq!(found.payload, json!({ "b": 1.5e300, "a": ["ü🦩", null, 0], "__proto__": { "x": 1 } }));
    assert_eq!((found.source, found.pending, found.device_id.as_str()), (Source::Local, true, "here"));
    assert_eq!(found.event_id, receipt.event_id);
    let all = sync.sync_all(&["notes", "other"]).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(sync.poll(&["notes"]).await.unwrap(), []);
    let status = sync.status().await;
    assert_eq!((status.ready, status.pending_changes, status.device_id.as_str()), (false, 1, "here"));
    assert_eq!(status.pubkey, sync.pubkey().await.map(|key| key.to_hex()));
}

#[tokio::test]
async fn an_engine_that_was_read_ahead_is_as_any_other() {
    let sync = builder().start_on(Preload::begin().unwrap()).unwrap();
    sync.set_signer(SecretKey::parse(KEY).unwrap()).await.unwrap();
    sync.publish("notes", &json!(1), None).await.unwrap();
    assert_eq!(sync.fetch("notes").await.unwrap().unwrap().payload, json!(1));
    let refused = Builder::new().namespace("").start_on(Preload::begin().unwrap()).err();
    assert!(matches!(refused, Some(Error::InvalidNamespace(_))), "{refused:?}");
    // What the builder says of its limits counts, though it comes later.
    let small = builder().memory_limit(1_000_000).start_on(Preload::begin().unwrap()).err();
    assert!(matches!(small, Some(Error::EngineFailed(_))), "{small:?}");
    drop(Preload::begin().unwrap());
}

#[tokio::test]
async fn every_call_reaches_the_engine() {
    let sync = unlocked(builder()).await;
    sync.publish("notes", &json!(1), None).await.unwrap();
    let second = sync.update("notes", |now| json!([now, 2]), None).await.unwrap();
    assert_eq!(sync.fetch("notes").await.unwrap().unwrap().payload, json!([1, 2]));
    // What no relay has seen is not kept as a former value.
    let history = sync.history("notes").await.unwrap();
    assert_eq!((history.len(), &history[0].event_id), (1, &second.event_id));
    assert_eq!(sync.read_version("notes", &second.event_id).await.unwrap().payload, json!([1, 2]));
    sync.restore("notes", &second.event_id).await.unwrap();
    assert_eq!(sync.fetch("notes").await.unwrap().unwrap().payload, json!([1, 2]));
    assert_eq!(sync.reset("notes").await.unwrap(), None);
    assert_eq!(sync.inspect().await.unwrap().len(), 1);
    sync.remove("notes").await.unwrap();
    assert_eq!(sync.fetch("notes").await.unwrap(), None);
    sync.add_relay("ws://LOCALHOST:1/").await.unwrap();
    let relays = sync.relays().await;
    assert_eq!((relays[0].url.as_str(), relays[0].connected), ("ws://localhost:1", false));
    sync.remove_relay("ws://localhost:1").await.unwrap();
    assert_eq!(sync.relays().await, []);
    sync.flush().await.unwrap();
    sync.set_online(false);
    assert!(!sync.status().await.online);
    sync.wake();
    assert!(sync.status().await.online);
}

#[tokio::test]
async fn errors_have_their_codes() {
    let code = |builder: Builder| builder.start().err().map(|error| error.code().to_owned());
    assert_eq!(code(builder().namespace("a/b")).as_deref(), Some("INVALID_NAMESPACE"));
    assert_eq!(code(builder().relays(["http://a.example"])).as_deref(), Some("INVALID_RELAY_URL"));
    assert_eq!(code(builder().relays(["ws://a.example"])).as_deref(), Some("INVALID_RELAY_URL"));
    assert_eq!(code(builder().relays(["ws://a.example"]).allow_insecure_relays()), None);
    assert_eq!(code(builder().max_payload_size(409_601)).as_deref(), Some("INVALID_PAYLOAD_LIMIT"));
    assert_eq!(code(builder().device_id("")).as_deref(), Some("INVALID_ARGUMENT"));

    let sync = builder().max_payload_size(10).start().unwrap();
    assert_eq!(sync.publish("notes", &json!(1), None).await, Err(Error::SignerNotSet));
    sync.set_signer(SecretKey::parse(KEY).unwrap()).await.unwrap();
    assert!(matches!(sync.publish("a/b", &json!(1), None).await, Err(Error::InvalidCategory(_))));
    let large = sync.publish("notes", &json!("0123456789"), None).await;
    assert_eq!(large, Err(Error::PayloadTooLarge { size: 12, limit: 10 }));
    assert!(matches!(sync.publish("notes", &json!(1), Some(1)).await, Err(Error::InvalidExpiration(_))));
    assert!(matches!(sync.add_relay("nonsense").await, Err(Error::InvalidRelayUrl(_))));
    assert!(matches!(sync.subscribe(&[""]).await, Err(Error::InvalidCategory(_))));
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert!(matches!(
        sync.publish("n", &deep, None).await,
        Err(Error::PayloadTooLarge { .. } | Error::InvalidPayload(_))
    ));
    sync.clear_signer().await;
    assert_eq!(sync.publish("notes", &json!(1), None).await, Err(Error::SignerNotSet));
    assert_eq!(SecretKey::parse("nsec1wrong").unwrap_err().code(), "INVALID_KEY");
    assert_eq!(SecretKey::from_bytes(&[0; 32]).unwrap_err().code(), "INVALID_KEY");
}

#[tokio::test]
async fn what_was_saved_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let builder =
        || Builder::new().namespace("test").data_dir(folder.path().join("sync")).max_payload_size(400_000);
    let large = Value::String("large ".repeat(50_000));
    let first = unlocked(builder()).await;
    first.publish("small", &json!(1), None).await.unwrap();
    first.publish("large", &large, None).await.unwrap();
    let device_id = first.status().await.device_id;
    first.close().await.unwrap();
    let second = unlocked(builder()).await;
    assert_eq!(second.fetch("small").await.unwrap().unwrap().payload, json!(1));
    assert_eq!(second.fetch("large").await.unwrap().unwrap().payload, large);
    assert_eq!(second.status().await.device_id, device_id);
    // The last handle ends the engine, and frees the folder.
    drop(second);
    soon(async {
        loop {
            let third = builder().start().unwrap();
            match third.history("small").await {
                Ok(history) => break assert_eq!(history.len(), 1),
                Err(error) => assert_eq!(error.code(), "STORE_FAILED"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_second_engine_on_the_folder_is_told_so_and_goes_on_when_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || Builder::new().namespace("test").data_dir(folder.path());
    let first = unlocked(builder().data_dir(folder.path().join("sync"))).await;
    first.publish("notes", &json!(1), None).await.unwrap();
    let second = builder().data_dir(folder.path().join("sync")).start().unwrap();
    let refused = second.set_signer(SecretKey::parse(KEY).unwrap()).await;
    assert!(
        matches!(&refused, Err(Error::StoreFailed(why)) if why.contains("another process is using it")),
        "{refused:?}"
    );
    let refused = second.publish("notes", &json!(2), None).await;
    assert!(
        matches!(&refused, Err(Error::StoreFailed(why)) if why.contains("another process")),
        "{refused:?}"
    );
    assert!(!second.status().await.ready);
    assert!(first.publish("notes", &json!(3), None).await.is_ok(), "the first one notices nothing");
    first.close().await.unwrap();
    assert_eq!(second.fetch("notes").await.unwrap().unwrap().payload, json!(3));
}

#[tokio::test]
async fn parts_of_a_program_hear_each_other_and_not_themselves() {
    let sync = unlocked(builder()).await;
    let [left, right] = [sync.part("left"), sync.part("right")];
    let mut of_left = left.subscribe(&["notes"]).await.unwrap();
    let mut of_right = right.subscribe(&["notes"]).await.unwrap();
    left.publish("notes", &json!("of left"), None).await.unwrap();
    assert_eq!(soon(of_right.next()).await.unwrap().payload, json!("of left"));
    right.publish("notes", &json!("of right"), None).await.unwrap();
    assert_eq!(soon(of_left.next()).await.unwrap().payload, json!("of right"));
    // Nothing of its own was in between. Who comes later is given the newest.
    let mut late = left.subscribe(&["notes"]).await.unwrap();
    assert_eq!(soon(late.next()).await.unwrap().payload, json!("of right"));
    sync.publish("notes", &json!("of neither"), None).await.unwrap();
    for values in [&mut of_left, &mut of_right, &mut late] {
        assert_eq!(soon(values.next()).await.unwrap().payload, json!("of neither"));
    }
    sync.remove("notes").await.unwrap();
    let removed = soon(of_left.next()).await.unwrap();
    assert!(removed.deleted && removed.payload.is_null());
    drop(of_right);
    left.publish("notes", &json!("again"), None).await.unwrap();
}

#[tokio::test]
async fn of_what_a_slow_reader_has_not_read_the_newest_is_given() {
    let sync = unlocked(builder()).await;
    let mut values = sync.part("slow").subscribe(&["a", "b"]).await.unwrap();
    for n in 0..20 {
        sync.publish("a", &json!(n), None).await.unwrap();
    }
    sync.publish("b", &json!("b"), None).await.unwrap();
    let [first, second] = [soon(values.next()).await.unwrap(), soon(values.next()).await.unwrap()];
    assert_eq!((first.payload, second.payload), (json!(19), json!("b")));
}

#[tokio::test]
async fn who_asks_first_hears_what_has_happened_since_the_start() {
    let sync = builder().relays(["ws://localhost:1"]).start().unwrap();
    soon(async {
        while sync.relays().await.first().is_none_or(|relay| relay.last_error.is_none()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let mut events = sync.events();
    soon(async { while !matches!(events.next().await, Some(Event::RelayStatus(_))) {} }).await;
}

#[tokio::test]
async fn close_is_for_good_and_for_all_handles() {
    let sync = unlocked(builder()).await;
    let other = sync.clone();
    let mut events = sync.events();
    let mut values = sync.subscribe(&["notes"]).await.unwrap();
    sync.close().await.unwrap();
    other.close().await.unwrap();
    assert!(matches!(other.publish("notes", &json!(1), None).await, Err(Error::Closed(_))));
    assert!(matches!(other.subscribe(&["notes"]).await.err(), Some(Error::Closed(_))));
    assert!(!other.status().await.ready);
    assert_eq!(other.relays().await, []);
    assert!(soon(values.next()).await.is_none());
    while soon(events.next()).await.is_some() {}
    assert!(soon(other.events().next()).await.is_none());
}

#[tokio::test]
async fn calls_at_once_are_all_answered_and_one_that_is_dropped_is_taken_back() {
    let sync = unlocked(builder()).await;
    let calls: Vec<_> = (0..200)
        .map(|n| {
            let sync = sync.clone();
            tokio::spawn(async move { sync.publish(&format!("c{n}"), &json!(n), None).await.unwrap() })
        })
        .collect();
    for call in calls {
        soon(call).await.unwrap();
    }
    assert_eq!(sync.inspect().await.unwrap().len(), 200);
    sync.add_relay("ws://localhost:1").await.unwrap();
    // Nothing will ever be delivered there.
    assert!(timeout(Duration::from_millis(50), sync.flush()).await.is_err());
    assert!(sync.fetch("c1").await.unwrap().is_some());
}

/// More than an engine can check in the time that it is given.
async fn kill(sync: &NostrSync) -> Error {
    let categories: Vec<String> = (0..300_000).map(|n| format!("c{n}")).collect();
    soon(sync.sync_all(&categories)).await.unwrap_err()
}

#[tokio::test]
async fn an_engine_that_dies_is_started_again_with_all_that_was_saved() {
    let sync = unlocked(builder().run_time_limit(Duration::from_millis(400))).await;
    let mut events = sync.events();
    let mut values = sync.part("listener").subscribe(&["notes"]).await.unwrap();
    sync.publish("notes", &json!("before"), None).await.unwrap();
    assert_eq!(soon(values.next()).await.unwrap().payload, json!("before"));
    assert!(matches!(kill(&sync).await, Error::EngineFailed(_)));
    let told = soon(async {
        loop {
            if let Event::Error(error) = events.next().await.unwrap() {
                break error;
            }
        }
    });
    assert!(matches!(told.await, Error::EngineFailed(_)));
    // Until it is there again, calls fail; the signer needs not be set again.
    let found = soon(async {
        loop {
            match sync.fetch("notes").await {
                Ok(found) => break found,
                Err(error) => assert_eq!(error.code(), "ENGINE_FAILED"),
            }
        }
    });
    assert_eq!(found.await.unwrap().payload, json!("before"));
    sync.publish("notes", &json!("after"), None).await.unwrap();
    // The subscription is still there, and the value that it had was not told again.
    assert_eq!(soon(values.next()).await.unwrap().payload, json!("after"));
    sync.close().await.unwrap();
}

#[tokio::test]
async fn an_engine_that_waits_to_be_started_again_can_be_closed() {
    let folder = tempfile::tempdir().unwrap();
    let builder = builder().data_dir(folder.path().join("sync")).run_time_limit(Duration::from_millis(400));
    let sync = unlocked(builder).await;
    kill(&sync).await;
    soon(sync.close()).await.unwrap();
    let next = unlocked(Builder::new().namespace("test").data_dir(folder.path().join("sync"))).await;
    assert!(next.publish("notes", &json!(1), None).await.is_ok(), "the folder is free");
}

#[test]
fn it_works_without_a_runtime_of_tokio() {
    let sync = builder().start().unwrap();
    wait(sync.set_signer(SecretKey::generate().unwrap())).unwrap();
    wait(sync.publish("notes", &json!(1), None)).unwrap();
    wait(sync.close()).unwrap();
}

/// The smallest executor there is.
fn wait<T>(work: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Wake, Waker};
    struct Thread(std::thread::Thread);
    impl Wake for Thread {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Thread(std::thread::current())));
    let mut work = std::pin::pin!(work);
    loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
