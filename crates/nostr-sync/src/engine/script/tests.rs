use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::*;
use crate::engine::SharedSigner;
use crate::engine::sockets::Tls;
use crate::engine::storage::Storage;
use crate::registry::Registry;

/// A script with `native` and nothing else, in a runtime of tokio as it is used.
fn with_script(limits: Limits, work: impl FnOnce(&Script)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (replies, _replied) = mpsc::unbounded_channel();
        let (arrivals, _arrived) = mpsc::channel(1);
        let natives = Natives::new(
            replies,
            arrivals,
            Storage::start(None),
            std::sync::Arc::new(Registry::default()),
            std::sync::Arc::new(SharedSigner::default()),
            Rc::new(Tls::default()),
        );
        let script = Script::empty(limits).unwrap();
        script.give(&natives).unwrap();
        work(&script);
    });
}

fn run(script: &Script, source: &str) -> Result<(), Death> {
    script.turn(|ctx| ctx.eval::<(), _>(source))
}

const SHORT: Limits = Limits { memory: 32 * 1_024 * 1_024, run_time: Duration::from_millis(100) };

#[test]
fn what_runs_away_is_ended() {
    for source in [
        "for (;;) {}",
        // A chain of jobs has no single one that is long.
        "const again = () => queueMicrotask(again); again()",
        "(async () => { for (;;) await 0; })()",
        "/^(a+)+$/.test('a'.repeat(60) + 'b')",
        // It cannot be caught.
        "try { for (;;) {} } catch {} finally { for (;;) {} }",
    ] {
        with_script(SHORT, |script| {
            assert!(matches!(run(script, source), Err(Death::RanAway)), "{source}");
        });
    }
}

#[test]
fn memory_has_an_end() {
    for source in [
        "const all = []; for (;;) all.push(new Uint8Array(1e6))",
        "let text = 'x'; for (;;) text += text",
        "native.utf8Encode('x'.repeat(3e7)); 'y'.repeat(1e9)",
    ] {
        with_script(Limits { run_time: Duration::from_secs(20), ..SHORT }, |script| {
            let death = run(script, source).unwrap_err();
            // A text that is too long for QuickJS is refused before memory is asked for.
            let is_end = matches!(&death, Death::OutOfMemory)
                || matches!(&death, Death::Threw(what) if what.contains("too long"));
            assert!(is_end, "{source}: {death:?}");
        });
    }
}

#[test]
fn an_engine_that_takes_half_of_its_memory_ends_between_two_turns() {
    with_script(Limits { run_time: Duration::from_secs(20), ..SHORT }, |script| {
        run(script, "var running = { message: () => {} }; var all = []").unwrap();
        let message = || SocketEvent::Message("x".repeat(8 * 1_024 * 1_024));
        assert!(script.socket(1.0, message()).is_ok(), "what is let go of does not count");
        run(script, "for (let i = 0; i < 20; i++) all.push(new Uint8Array(1e6))").unwrap();
        assert!(matches!(script.socket(1.0, message()), Err(Death::OutOfMemory)));
        // What only refers to itself is collected first.
        run(script, "all = all.map((bytes) => { const ring = { bytes }; ring.self = ring; return ring; }); all = null").unwrap();
        assert!(script.socket(1.0, message()).is_ok());
    });
}

#[test]
fn the_stack_has_an_end() {
    for source in [
        "const deep = () => deep(); deep()",
        "JSON.parse('['.repeat(1e6))",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)",
    ] {
        with_script(Limits { run_time: Duration::from_secs(20), ..SHORT }, |script| {
            // An exception of the script, and the process is still there.
            assert!(matches!(run(script, source), Err(Death::Threw(_) | Death::OutOfMemory)), "{source}");
            assert!(run(script, "1 + 1").is_ok());
        });
    }
}

#[test]
fn what_is_thrown_where_nobody_waits_is_the_end() {
    with_script(SHORT, |script| {
        let death =
            run(script, "queueMicrotask(() => { throw new TypeError('what no one foresaw'); })").unwrap_err();
        assert!(matches!(&death, Death::Threw(what) if what == "what no one foresaw"), "{death:?}");
    });
}

#[test]
fn the_script_has_no_platform() {
    with_script(SHORT, |script| {
        for name in [
            "setTimeout",
            "fetch",
            "WebSocket",
            "crypto",
            "console",
            "process",
            "require",
            "std",
            "os",
            "load",
            "Worker",
        ] {
            let found = format!("if (typeof {name} !== 'undefined') throw new Error('found')");
            assert!(run(script, &found).is_ok(), "{name}");
        }
    });
}
