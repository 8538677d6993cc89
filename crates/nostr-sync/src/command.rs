//! What the program asks of the engine's thread.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::Result;
use crate::signer::Signer;

/// What comes of a call: JSON.
pub(crate) type Answer = oneshot::Sender<Result<String>>;

pub(crate) enum Command {
    Call {
        id: u64,
        origin: Arc<str>,
        method: &'static str,
        args: String,
        answer: Answer,
    },
    Cancel {
        id: u64,
    },
    /// Asks a signer who it is, and sets it.
    SetSigner {
        turn: u64,
        signer: Box<dyn Signer>,
        answer: Answer,
    },
    /// A signer was set, or cleared.
    Signer {
        info: Option<String>,
        answer: Answer,
    },
    Wake {
        is_online: bool,
    },
    /// Answered when that time is over.
    Sleep {
        limit: Duration,
        answer: Answer,
    },
}
