//! The ports, by the suites of TypeScript: `test/rust` of the project bundles them.

use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::{NostrSync, SecretKey};

fn start_script(text: Arc<str>, plan: Plan) -> Result<NostrSync> {
    Preload::of(Source::Text(text), true)?.start(plan)
}

/// Runs `work` to its end.
fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
#[ignore = "scripts/test-rust.mjs bundles what it runs"]
fn the_ports_pass_the_suites_of_typescript() {
    let file = std::env::var("NOSTR_SYNC_TEST_BUNDLE").unwrap();
    let source: Arc<str> = std::fs::read_to_string(file).unwrap().into();
    wait(async {
        let first = start_script(source.clone(), Plan::default()).unwrap();
        let names = first.call_text("names", "{}".into()).await.unwrap();
        let names: Vec<String> = serde_json::from_str(&names).unwrap();
        assert!(names.len() > 35, "{names:?}");
        let mut failures = Vec::new();
        for name in &names {
            for is_durable in [true, false] {
                // A process of its own, as far as it can tell.
                let folder = tempfile::tempdir().unwrap();
                let data_dir = is_durable.then(|| folder.path().join("store"));
                let mut settings = Map::new();
                let key = SecretKey::generate().unwrap();
                settings.insert("signer".into(), json!({ "pubkey": key.public_key().to_hex() }));
                let sync =
                    start_script(source.clone(), Plan { settings, data_dir, ..Plan::default() }).unwrap();
                sync.set_signer(key).await.unwrap();
                let outcome = sync.call_text("run", json!({ "name": name }).to_string()).await;
                if let Err(error) = outcome {
                    failures.push(format!("{name} (durable: {is_durable}): {error}"));
                }
                sync.close().await.unwrap();
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
        println!("{} checks", names.len());
    });
}

/// Histories that QuickJS runs in one call.
const HISTORIES_AT_ONCE: usize = 5;

/// `count` histories from the seed `first` on, by an engine of their own.
async fn traces(source: &Arc<str>, first: usize, count: usize) -> Vec<String> {
    let limits = Limits { memory: 1 << 30, run_time: Duration::from_secs(600) };
    let sync = start_script(source.clone(), Plan { limits, ..Plan::default() }).unwrap();
    let args = json!({ "from": first, "count": count }).to_string();
    let found = sync.call_text("traces", args).await.unwrap();
    serde_json::from_str(&found).unwrap()
}

#[test]
#[ignore = "scripts/test-rust.mjs bundles what it runs"]
fn the_simulator_has_the_traces_of_node() {
    let folder = PathBuf::from(std::env::var("NOSTR_SYNC_SIM").unwrap());
    let source: Arc<str> = std::fs::read_to_string(folder.join("sim.js")).unwrap().into();
    let expected = std::fs::read_to_string(folder.join("traces.json")).unwrap();
    let expected: Vec<String> = serde_json::from_str(&expected).unwrap();
    let first = expected[0].split(' ').next().unwrap().parse::<usize>().unwrap();
    // A new engine now and then, so that one history owes nothing to those before it.
    let parts = Mutex::new(expected.chunks(HISTORIES_AT_ONCE).enumerate());
    let next = || parts.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((n, in_node)) = next() {
                    let from = first + n * HISTORIES_AT_ONCE;
                    let in_quickjs = wait(traces(&source, from, in_node.len()));
                    assert_eq!(in_quickjs, in_node);
                }
            });
        }
    });
}
