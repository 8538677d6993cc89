//! A signer that holds the secret key itself.

use std::fmt;

use nostr::{Keys, PublicKey};

use crate::error::{Error, Result};
use crate::models::{EventTemplate, SignedEvent};
use crate::signer::{Signer, SignerFuture};
use crate::traces::burn_stack;

/// A secret key in memory, which is wiped when this is dropped. Use a key for syncing alone: with it everything can be read and
/// written, and without it nothing can be read.
///
/// Give it on as it is: what is passed on is where the key is, not the key.
pub struct SecretKey(Box<Keys>);

impl SecretKey {
    /// 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        Self::of(|| nostr::SecretKey::from_slice(bytes).ok().map(Keys::new))
    }

    /// 64 hex digits, or an `nsec` (NIP-19).
    pub fn parse(text: &str) -> Result<Self> {
        Self::of(|| Keys::parse(text).ok())
    }

    fn of(read: impl FnOnce() -> Option<Keys>) -> Result<Self> {
        let boxed = boxed(read);
        burn_stack();
        boxed.map(Self).ok_or_else(invalid)
    }

    /// A new one, of the system's random numbers. Keep it in a place that only the user can read.
    pub fn generate() -> Result<Self> {
        // What is no key is as rare as 2^-128.
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::SigningFailed(format!("The system gave no random bytes: {error}")))?;
        let key = Self::from_bytes(&bytes);
        bytes = [0; 32];
        std::hint::black_box(&mut bytes);
        key
    }

    /// Its public key.
    pub fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    /// 64 hex digits, to be kept.
    pub fn to_secret_hex(&self) -> String {
        self.0.secret_key().to_secret_hex()
    }
}

/// On a stretch of the stack of its own, which is overwritten then.
#[inline(never)]
fn boxed(read: impl FnOnce() -> Option<Keys>) -> Option<Box<Keys>> {
    read().map(Box::new)
}

/// Says nothing of the text: it may be a key with a typing error.
fn invalid() -> Error {
    let message =
        "Invalid key: expected 32 bytes, 64 hex digits or an nsec, above 0 and below the order of secp256k1";
    Error::Other { code: "INVALID_KEY".into(), message: message.into() }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey(<redacted>)")
    }
}

impl Signer for SecretKey {
    fn public_key(&self) -> SignerFuture<'_, PublicKey> {
        Signer::public_key(&*self.0)
    }

    fn sign_event(&self, template: EventTemplate) -> SignerFuture<'_, SignedEvent> {
        Signer::sign_event(&*self.0, template)
    }

    fn nip44_encrypt<'a>(&'a self, peer: &'a PublicKey, plaintext: &'a str) -> SignerFuture<'a, String> {
        Signer::nip44_encrypt(&*self.0, peer, plaintext)
    }

    fn nip44_decrypt<'a>(&'a self, peer: &'a PublicKey, ciphertext: &'a str) -> SignerFuture<'a, String> {
        Signer::nip44_decrypt(&*self.0, peer, ciphertext)
    }

    fn is_local(&self) -> bool {
        true
    }
}
