//! Who holds the key, and the place where it is held: in Rust, never in a window, and gone when it is cleared.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nostr::PublicKey;
use tokio::sync::{RwLock, watch};

use crate::error::{Error, Result};
use crate::models::{EventTemplate, SignedEvent};
use crate::traces::{burn_stack, without_traces};

/// What a signer may take, as in the engine: it may have to ask a person.
const SIGNER_TIMEOUT: Duration = Duration::from_secs(300);

/// What a signer's call returns: a future that may take as long as a person takes.
pub type SignerFuture<'a, T> = Pin<Box<dyn Future<Output = std::result::Result<T, SignerError>> + Send + 'a>>;

/// Why a signer failed. Its text reaches the app, and what it shows or logs: it must hold no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignerError(pub String);

/// Holds a key and works with it. Everything that is a [`nostr::NostrSigner`] is one, [`nostr::Keys`] among them.
///
/// A signer is dropped as soon as it is cleared or replaced, its calls under way with it: it must wipe its key on drop.
pub trait Signer: Send + Sync + 'static {
    /// The public key.
    fn public_key(&self) -> SignerFuture<'_, PublicKey>;
    /// Adds `pubkey`, `id` and `sig` (NIP-01).
    fn sign_event(&self, template: EventTemplate) -> SignerFuture<'_, SignedEvent>;
    /// NIP-44 version 2 from this key to `peer`. Returns base64.
    fn nip44_encrypt<'a>(&'a self, peer: &'a PublicKey, plaintext: &'a str) -> SignerFuture<'a, String>;
    /// The reverse.
    fn nip44_decrypt<'a>(&'a self, peer: &'a PublicKey, ciphertext: &'a str) -> SignerFuture<'a, String>;
    /// Whether it holds one key for good and asks no person. What devices wrote apart is then merged at once; otherwise
    /// with the next write of the category, so that no person is asked out of nowhere.
    fn is_local(&self) -> bool {
        false
    }
}

impl<T: nostr::NostrSigner> Signer for T {
    fn public_key(&self) -> SignerFuture<'_, PublicKey> {
        Box::pin(async { self.get_public_key().await.map_err(from_nostr) })
    }

    fn sign_event(&self, template: EventTemplate) -> SignerFuture<'_, SignedEvent> {
        Box::pin(async move {
            let pubkey = self.get_public_key().await.map_err(from_nostr)?;
            let tags =
                template.tags.into_iter().map(nostr::Tag::parse).collect::<std::result::Result<Vec<_>, _>>();
            let unsigned = nostr::UnsignedEvent::new(
                pubkey,
                nostr::Timestamp::from_secs(template.created_at),
                nostr::Kind::from(template.kind),
                tags.map_err(from_nostr)?,
                template.content,
            );
            let event = nostr::NostrSigner::sign_event(self, unsigned).await.map_err(from_nostr)?;
            Ok(SignedEvent {
                id: event.id.to_hex(),
                pubkey: event.pubkey.to_hex(),
                created_at: event.created_at.as_secs(),
                kind: event.kind.as_u16(),
                tags: event.tags.into_iter().map(nostr::Tag::to_vec).collect(),
                content: event.content,
                sig: event.sig.to_string(),
            })
        })
    }

    fn nip44_encrypt<'a>(&'a self, peer: &'a PublicKey, plaintext: &'a str) -> SignerFuture<'a, String> {
        Box::pin(
            async move { nostr::NostrSigner::nip44_encrypt(self, peer, plaintext).await.map_err(from_nostr) },
        )
    }

    fn nip44_decrypt<'a>(&'a self, peer: &'a PublicKey, ciphertext: &'a str) -> SignerFuture<'a, String> {
        Box::pin(async move {
            nostr::NostrSigner::nip44_decrypt(self, peer, ciphertext).await.map_err(from_nostr)
        })
    }

    fn is_local(&self) -> bool {
        matches!(self.backend(), nostr::signer::SignerBackend::Keys)
    }
}

fn from_nostr(error: impl std::fmt::Display) -> SignerError {
    SignerError(error.to_string())
}

/// A signer that is set, and who it is.
pub struct Held {
    pub pubkey: PublicKey,
    /// 64 hex digits.
    pub pubkey_hex: String,
    /// See [`Signer::is_local`].
    pub is_local: bool,
    /// Calls read it; clearing takes it out, and so waits until none of them has it any more.
    signer: RwLock<Option<Box<dyn Signer>>>,
    cleared: watch::Sender<bool>,
}

impl Held {
    /// What the engine is told of it; JSON.
    pub fn info(&self) -> String {
        serde_json::json!({ "pubkey": self.pubkey_hex, "isLocal": self.is_local }).to_string()
    }

    /// The engine encrypts to itself alone.
    pub fn check_peer(&self, peer: &str) -> Result<()> {
        if peer == self.pubkey_hex {
            Ok(())
        } else {
            Err(Error::EncryptionFailed("The signer encrypts to its own key alone".into()))
        }
    }

    pub async fn sign(&self, template: EventTemplate) -> Result<SignedEvent> {
        let work = async { Some(self.signer.read().await.as_deref()?.sign_event(template).await) };
        self.bounded(Error::SigningFailed, work).await
    }

    /// To itself.
    pub async fn encrypt(&self, plaintext: &str) -> Result<String> {
        let work =
            async { Some(self.signer.read().await.as_deref()?.nip44_encrypt(&self.pubkey, plaintext).await) };
        self.bounded(Error::EncryptionFailed, work).await
    }

    /// What `peer` has encrypted to it: itself, or a key that was made to close one box while the app was locked.
    pub async fn decrypt(&self, peer: &str, ciphertext: &str) -> Result<String> {
        let peer = PublicKey::from_hex(peer)
            .map_err(|error| Error::DecryptionFailed(format!("Cannot decrypt: {error}")))?;
        let work =
            async { Some(self.signer.read().await.as_deref()?.nip44_decrypt(&peer, ciphertext).await) };
        self.bounded(Error::DecryptionFailed, work).await
    }

    /// One call of the signer: bounded in time, and given up the moment the signer is cleared.
    async fn bounded<T>(
        &self,
        failed: fn(String) -> Error,
        work: impl Future<Output = Option<std::result::Result<T, SignerError>>>,
    ) -> Result<T> {
        let mut cleared = self.cleared.subscribe();
        tokio::select! {
            biased;
            _ = cleared.wait_for(|cleared| *cleared) => Err(Error::SignerNotSet),
            result = tokio::time::timeout(SIGNER_TIMEOUT, without_traces(work)) => match result {
                Ok(Some(Ok(value))) => Ok(value),
                Ok(Some(Err(error))) => Err(failed(format!("The signer failed: {error}"))),
                Ok(None) => Err(Error::SignerNotSet),
                Err(_) => Err(failed("The signer did not answer in time".into())),
            },
        }
    }

    async fn wipe(&self) {
        self.cleared.send_replace(true);
        drop(self.signer.write().await.take());
        burn_stack();
    }
}

/// The place of the signer: empty until the app unlocks, and after it locks.
#[derive(Default)]
pub struct SignerSlot(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    held: Option<Arc<Held>>,
    /// Grows with each `set` and `clear`: the one that was called last wins, however long a signer takes.
    turn: u64,
}

impl SignerSlot {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signer that is set now. Fails with `SIGNER_NOT_SET`.
    pub fn held(&self) -> Result<Arc<Held>> {
        self.lock().held.clone().ok_or(Error::SignerNotSet)
    }

    pub fn pubkey(&self) -> Option<PublicKey> {
        self.lock().held.as_ref().map(|held| held.pubkey)
    }

    /// Runs `work` with what is set, while the signer can neither be set nor cleared.
    pub fn with_held<T>(&self, work: impl FnOnce(Option<&Held>) -> T) -> T {
        work(self.lock().held.as_deref())
    }

    /// Sets the signer for a call that took its turn before: of several, the last one counts. Then wipes the one before. `changed` is
    /// called in the order of the changes.
    pub async fn set(&self, turn: u64, signer: Box<dyn Signer>, changed: impl FnOnce(&Held)) -> Result<()> {
        let asked = without_traces(signer.public_key());
        let pubkey = match tokio::time::timeout(SIGNER_TIMEOUT, asked).await {
            Ok(Ok(pubkey)) => pubkey,
            Ok(Err(error)) => {
                return Err(Error::SigningFailed(format!("The signer gave no public key: {error}")));
            }
            Err(_) => return Err(Error::SigningFailed("The signer gave no public key in time".into())),
        };
        let held = Arc::new(Held {
            pubkey,
            pubkey_hex: pubkey.to_hex(),
            is_local: signer.is_local(),
            signer: RwLock::new(Some(signer)),
            cleared: watch::Sender::new(false),
        });
        let former = {
            let mut slot = self.lock();
            if slot.turn != turn {
                return Err(Error::SignerNotSet);
            }
            changed(&held);
            slot.held.replace(held)
        };
        if let Some(former) = former {
            former.wipe().await;
        }
        Ok(())
    }

    /// Drops the signer. When this returns it is gone, and no call to it is under way. `changed` as in `set`.
    pub async fn clear(&self, changed: impl FnOnce()) {
        let former = {
            let mut slot = self.lock();
            slot.turn += 1;
            changed();
            slot.held.take()
        };
        if let Some(former) = former {
            former.wipe().await;
        }
    }

    pub fn take_turn(&self) -> u64 {
        let mut slot = self.lock();
        slot.turn += 1;
        slot.turn
    }
}

#[cfg(test)]
mod tests;
