//! What work with a key leaves on the stack. A drop wipes the place where the key is, not those that it was moved from; and a future that
//! is boxed later takes what lies there along to the heap.

use std::future::poll_fn;
use std::pin::pin;

/// More than signing and NIP-44 take, also unoptimised.
const BURNT_BYTES: usize = 64 * 1_024;

/// Overwrites what calls that were made from the same place as this one have left on the stack.
#[inline(never)]
pub(crate) fn burn_stack() {
    std::hint::black_box(&mut [0_u8; BURNT_BYTES]);
}

/// The same work, with the stack overwritten each time that it rests.
pub(crate) async fn without_traces<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        burn_stack();
        polled
    })
    .await
}
