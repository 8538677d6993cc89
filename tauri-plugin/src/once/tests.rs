use std::cell::Cell;

use tokio::sync::oneshot;

use super::*;
use nostr_sync::Error;

fn ok(answer: impl ToString) -> Answer {
    Ok(answer.to_string().into())
}

#[tokio::test]
async fn a_copy_gets_the_answer_of_the_first_while_it_is_under_way_and_after() {
    let once = Once::default();
    let (answer, wait) = oneshot::channel();
    let first = once.call("main", Some("a"), || async { wait.await.unwrap() });
    let copy = once.call("main", Some("a"), || async { unreachable!("carried out twice") });
    let both = tokio::join!(first, copy, async { answer.send(ok(1)).unwrap() });
    assert_eq!((both.0, both.1), (ok(1), ok(1)));
    let late = once.call("main", Some("a"), || async { unreachable!("carried out twice") });
    assert_eq!(late.await, ok(1));
}

#[tokio::test]
async fn a_copy_of_what_failed_fails_alike() {
    let once = Once::default();
    let failed = || async { Err(Error::SignerNotSet) };
    assert_eq!(once.call("main", Some("a"), failed).await, Err(Error::SignerNotSet));
    assert_eq!(once.call("main", Some("a"), || async { ok(2) }).await, Err(Error::SignerNotSet));
}

#[tokio::test]
async fn other_calls_are_carried_out_each() {
    let once = Once::default();
    let carried = Cell::new(0);
    let count = || async {
        carried.set(carried.get() + 1);
        ok(carried.get())
    };
    let long = "x".repeat(MAX_ID_BYTES + 1);
    // Another id, the same one in another webview, none at all, and one that is not remembered.
    let calls = [
        ("main", Some("a")),
        ("main", Some("b")),
        ("second", Some("a")),
        ("main", None),
        ("main", None),
        ("main", Some(long.as_str())),
        ("main", Some(long.as_str())),
    ];
    for (number, (webview, id)) in calls.into_iter().enumerate() {
        assert_eq!(once.call(webview, id, count).await, ok(number + 1));
    }
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    let once = Once::default();
    for number in 0..=MAX_CALLS {
        once.call("main", Some(&number.to_string()), || async { ok(number) }).await.unwrap();
    }
    assert_eq!(once.calls.lock().unwrap().len(), MAX_CALLS);
    // The oldest is forgotten, the one after it is not.
    assert_eq!(once.call("main", Some("1"), || async { ok("again") }).await, ok(1));
    assert_eq!(once.call("main", Some("0"), || async { ok("again") }).await, ok("again"));
}
