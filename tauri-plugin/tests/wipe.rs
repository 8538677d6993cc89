//! The key is in no block of memory that is given back after the signer was cleared: an allocator looks at each of them.
//!
//! What is passed by value is copied by the compiler, and a copy that was moved on is not wiped by the drop of its last
//! place. The stack cannot be looked at from here.

#[allow(dead_code, reason = "it is for several tests")]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tauri_plugin_nostr_sync::TauriPluginNostrSyncExt;
use tauri_plugin_nostr_sync::nostr::nips::nip44::v2::ConversationKey;
use tauri_plugin_nostr_sync::nostr::{Keys, SecretKey};

use support::{block_on, invoke_of, test_app};

const SECRET: &str = "3f0c7c1e9d5a48b2a6e1d4f7b9830c5d6e2f1a4b7c8d9e0f1a2b3c4d5e6f7081";

/// What must not be found: the secret key, and NIP-44's key for itself.
static NEEDLES: OnceLock<[[u8; 32]; 2]> = OnceLock::new();
static FOUND: AtomicUsize = AtomicUsize::new(0);

struct Watching;

// SAFETY: all that it does, `System` does; it reads a block before that is given back.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    // `realloc` is left as it is by default: `alloc`, copy, `dealloc` of the former block.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(needles) = NEEDLES.get() {
            // SAFETY: the block is the caller's until it is given back. Its bytes may never have been written; they are
            // compared, and nothing is concluded from those that match no needle.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            if needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle)) {
                FOUND.fetch_add(1, Ordering::SeqCst);
            }
        }
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Now and then (in some of a hundred runs) a thread's future takes along what its stack held before, and one block with a key in it is given
/// back. That is known, and not mended; what each of so many rounds gives back is a fault of ours.
const ROUNDS: usize = 5;

/// How many blocks with a key in them `work` gives back, in the round that gives back the fewest.
fn found_in(work: impl Fn()) -> usize {
    let round = || {
        let before = FOUND.load(Ordering::SeqCst);
        work();
        FOUND.load(Ordering::SeqCst) - before
    };
    (0..ROUNDS).map(|_| round()).min().unwrap()
}

/// One test, so that no other one's memory is looked at.
#[test]
fn the_key_is_wiped_when_it_is_cleared_replaced_or_refused() {
    let secret = SecretKey::parse(SECRET).unwrap();
    let keys = || Keys::parse(SECRET).unwrap();
    let conversation = ConversationKey::derive(&secret, &keys().public_key()).unwrap();
    NEEDLES.get_or_init(|| [secret.to_secret_bytes(), conversation.as_bytes().try_into().unwrap()]);
    for needle in NEEDLES.get().unwrap() {
        assert_eq!(found_in(|| drop(black_box(Box::new(*needle)))), 1, "this test would see nothing");
    }

    let test = test_app(|builder| builder);
    let sync = test.app.nostr_sync();
    let generation = test.attach()["generation"].clone();
    let peer = keys().public_key().to_hex();
    let work = || {
        let plaintext = json!({ "peer": peer, "plaintext": "text" });
        let ciphertext = invoke_of(&test.main, &generation, "nip44_encrypt", plaintext).unwrap();
        let template = json!({ "kind": 30_078, "created_at": 1, "tags": [["d", "sage/notes/v1"]], "content": ciphertext });
        invoke_of(&test.main, &generation, "sign_event", json!({ "template": template })).unwrap();
        let text = invoke_of(
            &test.main,
            &generation,
            "nip44_decrypt",
            json!({ "peer": peer, "ciphertext": ciphertext }),
        )
        .unwrap();
        assert_eq!(text, "text");
    };

    assert_eq!(
        found_in(|| {
            // As an app's command does: the future is on the heap.
            block_on(Box::pin(sync.set_signer(keys()))).unwrap();
            work();
            block_on(sync.clear_signer());
        }),
        0,
        "cleared"
    );
    assert_eq!(
        found_in(|| {
            block_on(Box::pin(sync.set_signer(keys()))).unwrap();
            work();
            block_on(Box::pin(sync.set_signer(Keys::generate()))).unwrap();
            block_on(sync.clear_signer());
        }),
        0,
        "replaced"
    );
    // Dropped before it was polled: never set.
    assert_eq!(found_in(|| drop(Box::pin(sync.set_signer(keys())))), 0, "refused");
}
