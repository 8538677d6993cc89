//! The key is in no block of memory that is given back while a signer is set, works, and is cleared: an allocator looks at each of them. Nor is it
//! anywhere in memory that can be written after that, QuickJS's and the stacks among it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nostr_sync::nostr::nips::nip44::v2::ConversationKey;
use nostr_sync::nostr::{self, Keys};
use nostr_sync::{Builder, NostrSync, SecretKey};
use serde_json::json;

const SECRET: &str = "3f0c7c1e9d5a48b2a6e1d4f7b9830c5d6e2f1a4b7c8d9e0f1a2b3c4d5e6f7081";

/// What must not be found: the secret key, and NIP-44's key for itself. As their complements, so that the needles themselves are not.
static NEEDLES: OnceLock<[[u8; 32]; 2]> = OnceLock::new();
static FOUND: AtomicUsize = AtomicUsize::new(0);

fn is_key(window: &[u8], needle: &[u8; 32]) -> bool {
    window.iter().zip(needle).all(|(byte, other)| *byte == !other)
}

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
            if needles.iter().any(|needle| bytes.windows(32).any(|window| is_key(window, needle))) {
                FOUND.fetch_add(1, Ordering::SeqCst);
            }
        }
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// How many blocks with a key in them `work` gives back.
fn found_in(work: impl FnOnce()) -> usize {
    let before = FOUND.load(Ordering::SeqCst);
    work();
    FOUND.load(Ordering::SeqCst) - before
}

/// In a frame of its own.
#[inline(never)]
fn needles() -> [[u8; 32]; 2] {
    let secret = nostr::SecretKey::parse(SECRET).unwrap();
    let conversation = ConversationKey::derive(&secret, &Keys::new(secret.clone()).public_key()).unwrap();
    [secret.to_secret_bytes(), conversation.as_bytes().try_into().unwrap()].map(|key| key.map(|byte| !byte))
}

fn key() -> SecretKey {
    SecretKey::parse(SECRET).unwrap()
}

async fn work_with(sync: &NostrSync) {
    sync.publish("notes", &json!("text"), None).await.unwrap();
    assert_eq!(sync.fetch("notes").await.unwrap().unwrap().payload, json!("text"));
}

/// One test, so that no other one's memory is looked at.
#[test]
fn the_key_is_wiped_when_it_is_cleared_replaced_or_refused() {
    NEEDLES.get_or_init(needles);
    for needle in NEEDLES.get().unwrap() {
        let seen = found_in(|| drop(black_box(Box::new(needle.map(|byte| !byte)))));
        assert_eq!(seen, 1, "this test would see nothing");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    // As an app's command does: the future is on the heap.
    let run = |work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        runtime.block_on(runtime.spawn(work)).unwrap()
    };
    let sync = Builder::new().start().unwrap();

    let cleared = found_in(|| {
        let sync = sync.clone();
        run(Box::pin(async move {
            sync.set_signer(key()).await.unwrap();
            work_with(&sync).await;
            sync.clear_signer().await;
        }));
    });
    assert_eq!(cleared, 0, "cleared");
    let replaced = found_in(|| {
        let sync = sync.clone();
        run(Box::pin(async move {
            sync.set_signer(key()).await.unwrap();
            work_with(&sync).await;
            sync.set_signer(SecretKey::generate().unwrap()).await.unwrap();
            sync.clear_signer().await;
        }));
    });
    assert_eq!(replaced, 0, "replaced");
    // Dropped before it was polled: set all the same, and cleared then.
    let refused = found_in(|| {
        drop(Box::pin(sync.set_signer(key())));
        let sync = sync.clone();
        run(Box::pin(async move { sync.clear_signer().await }));
    });
    assert_eq!(refused, 0, "refused");
    let closed = found_in(|| {
        let sync = sync.clone();
        run(Box::pin(async move {
            sync.set_signer(key()).await.unwrap();
            work_with(&sync).await;
            sync.close().await.unwrap();
        }));
    });
    assert_eq!(closed, 0, "closed");
    drop(sync);
    drop(runtime);
    #[cfg(target_os = "linux")]
    assert_eq!(places_in_memory(), Vec::<String>::new());
}

/// The stretches of this process's memory that can be written and have a key in them.
#[cfg(target_os = "linux")]
fn places_in_memory() -> Vec<String> {
    use std::os::unix::fs::FileExt;
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut block = vec![0; 1 << 20];
    let mut places = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (mut at, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        let own = block.as_ptr() as u64;
        if (at..end).contains(&own) && end - at <= 2 << 20 {
            continue;
        }
        while at < end {
            let size = usize::try_from(end - at).unwrap().min(block.len());
            // What is mapped and not there reads as an error.
            if memory.read_exact_at(&mut block[..size], at).is_ok() {
                for needle in NEEDLES.get().unwrap() {
                    if block[..size].windows(32).any(|window| is_key(window, needle)) {
                        places.push(line.to_owned());
                    }
                }
            }
            if at + size as u64 == end {
                break;
            }
            at += size as u64 - 31;
        }
    }
    places
}
