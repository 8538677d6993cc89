use std::sync::atomic::{AtomicUsize, Ordering};

use nostr::{Event, JsonUtil, Keys};
use tokio::sync::oneshot;

use super::*;

fn template() -> EventTemplate {
    EventTemplate {
        kind: 30_078,
        created_at: 1_700_000_000,
        // A tag's values must come back as they were, whatever they look like.
        tags: vec![
            vec!["d".into(), "sage/notes/v1".into()],
            vec!["vv".into(), "01234567:1".into(), String::new()],
            vec!["expiration".into(), "0001800000000".into()],
            vec!["deleted".into(), String::new()],
        ],
        content: "\"quotes\", \\ and \u{2028}\u{1f469}".into(),
    }
}

async fn slot_with(signer: impl Signer) -> SignerSlot {
    let slot = SignerSlot::default();
    slot.set(slot.take_turn(), Box::new(signer), |_| ()).await.unwrap();
    slot
}

#[tokio::test]
async fn keys_of_nostr_sign_exactly_the_template() {
    let keys = Keys::generate();
    let pubkey = keys.public_key().to_hex();
    let signed = slot_with(keys).await.held().unwrap().sign(template()).await.unwrap();
    let EventTemplate { kind, created_at, tags, content } = template();
    assert_eq!(
        (signed.kind, signed.created_at, &signed.tags, &signed.content),
        (kind, created_at, &tags, &content)
    );
    assert_eq!(signed.pubkey, pubkey);
    let event = Event::from_json(serde_json::to_string(&signed).unwrap()).unwrap();
    event.verify().unwrap();
}

#[tokio::test]
async fn keys_of_nostr_encrypt_to_themselves() {
    let held = slot_with(Keys::generate()).await.held().unwrap();
    let own = held.pubkey_hex.clone();
    for text in ["{}", "\u{1f469}\u{200d}\u{1f467} \0", &"x".repeat(65_408)] {
        let ciphertext = held.encrypt(text).await.unwrap();
        assert!(ciphertext.starts_with('A') && !ciphertext.contains(text));
        assert_eq!(held.decrypt(&own, &ciphertext).await.unwrap(), text);
    }
    assert_eq!(held.decrypt(&own, "no ciphertext").await.unwrap_err().code(), "DECRYPTION_FAILED");
    let other = slot_with(Keys::generate()).await.held().unwrap();
    let ciphertext = other.encrypt("{}").await.unwrap();
    for peer in [&*own, &other.pubkey_hex, "no key"] {
        assert_eq!(held.decrypt(peer, &ciphertext).await.unwrap_err().code(), "DECRYPTION_FAILED");
    }
}

#[tokio::test]
async fn what_was_encrypted_to_the_key_while_it_was_away_is_read_and_nothing_is_encrypted_to_another() {
    let held = slot_with(crate::SecretKey::from_bytes(&[7; 32]).unwrap()).await.held().unwrap();
    let once = Keys::generate();
    let ciphertext = nostr::NostrSigner::nip44_encrypt(&once, &held.pubkey, "an edit").await.unwrap();
    let peer = once.public_key().to_hex();
    assert_eq!(held.decrypt(&peer, &ciphertext).await.unwrap(), "an edit");
    assert_eq!(held.check_peer(&peer).unwrap_err().code(), "ENCRYPTION_FAILED");
    held.check_peer(&held.pubkey_hex).unwrap();
}

/// A signer of an app's own: hangs where it is told to, and counts its calls and its end.
struct Slow {
    keys: Keys,
    answers: Mutex<Option<oneshot::Receiver<()>>>,
    calls: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
struct Counts {
    calls: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Counts {
    fn slow(&self, answers: Option<oneshot::Receiver<()>>) -> Slow {
        Slow {
            keys: Keys::generate(),
            answers: Mutex::new(answers),
            calls: Arc::clone(&self.calls),
            drops: Arc::clone(&self.drops),
        }
    }

    fn get(&self) -> (usize, usize) {
        (self.calls.load(Ordering::SeqCst), self.drops.load(Ordering::SeqCst))
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

impl Slow {
    fn wait<T: Send + 'static>(&self, value: impl FnOnce() -> T + Send + 'static) -> SignerFuture<'_, T> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let answers = self.answers.lock().unwrap().take();
        Box::pin(async move {
            match answers {
                Some(answers) => answers.await.map_err(|_| SignerError("gone".into()))?,
                None => std::future::pending().await,
            }
            Ok(value())
        })
    }
}

impl Signer for Slow {
    fn public_key(&self) -> SignerFuture<'_, PublicKey> {
        Box::pin(async { Ok(self.keys.public_key()) })
    }
    fn sign_event(&self, _: EventTemplate) -> SignerFuture<'_, SignedEvent> {
        self.wait(|| unreachable!())
    }
    fn nip44_encrypt<'a>(&'a self, _: &'a PublicKey, _: &'a str) -> SignerFuture<'a, String> {
        self.wait(|| "late".into())
    }
    fn nip44_decrypt<'a>(&'a self, _: &'a PublicKey, _: &'a str) -> SignerFuture<'a, String> {
        self.wait(|| "late".into())
    }
}

#[tokio::test]
async fn clearing_ends_the_calls_under_way_and_drops_the_signer_before_it_returns() {
    let counts = Counts::default();
    let slot = Arc::new(slot_with(counts.slow(None)).await);
    let held = slot.held().unwrap();
    let waiting = tokio::spawn(async move { held.encrypt("text").await });
    while counts.get().0 == 0 {
        tokio::task::yield_now().await;
    }
    // Someone who got hold of it before: nothing is left to be called.
    let kept = slot.held().unwrap();
    let mut told = 0;
    slot.clear(|| told += 1).await;
    assert_eq!((told, counts.get()), (1, (1, 1)));
    assert_eq!(waiting.await.unwrap().unwrap_err(), Error::SignerNotSet);
    assert_eq!(kept.decrypt(&kept.pubkey_hex, "text").await.unwrap_err(), Error::SignerNotSet);
    assert_eq!(kept.sign(template()).await.unwrap_err(), Error::SignerNotSet);
    assert_eq!(counts.get(), (1, 1));
    assert!(slot.held().is_err() && slot.pubkey().is_none());
}

#[tokio::test]
async fn a_new_signer_drops_the_former_one() {
    let counts = Counts::default();
    let slot = slot_with(counts.slow(None)).await;
    let keys = Keys::generate();
    let pubkey = keys.public_key();
    slot.set(slot.take_turn(), Box::new(keys), |told| {
        assert_eq!((&told.pubkey_hex, told.is_local), (&pubkey.to_hex(), true))
    })
    .await
    .unwrap();
    assert_eq!(counts.get(), (0, 1));
    assert_eq!(slot.pubkey(), Some(pubkey));
    assert_eq!(slot.with_held(|told| told.map(|held| held.pubkey_hex.clone())), Some(pubkey.to_hex()));
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_hangs_is_given_up() {
    let held = slot_with(Counts::default().slow(None)).await.held().unwrap();
    assert_eq!(held.encrypt("text").await.unwrap_err().code(), "ENCRYPTION_FAILED");
    assert_eq!(held.decrypt(&held.pubkey_hex, "text").await.unwrap_err().code(), "DECRYPTION_FAILED");
    assert_eq!(held.sign(template()).await.unwrap_err().code(), "SIGNING_FAILED");
}

/// Its public key comes when it is told to.
struct Late(Mutex<Option<oneshot::Receiver<PublicKey>>>);

impl Signer for Late {
    fn public_key(&self) -> SignerFuture<'_, PublicKey> {
        let answer = self.0.lock().unwrap().take().unwrap();
        Box::pin(async { answer.await.map_err(|_| SignerError("no key".into())) })
    }
    fn sign_event(&self, _: EventTemplate) -> SignerFuture<'_, SignedEvent> {
        unreachable!()
    }
    fn nip44_encrypt<'a>(&'a self, _: &'a PublicKey, _: &'a str) -> SignerFuture<'a, String> {
        unreachable!()
    }
    fn nip44_decrypt<'a>(&'a self, _: &'a PublicKey, _: &'a str) -> SignerFuture<'a, String> {
        unreachable!()
    }
}

#[tokio::test]
async fn what_was_asked_last_holds_however_long_a_signer_takes() {
    let slot = Arc::new(SignerSlot::default());
    for last_is_set in [false, true] {
        let (answer, late) = oneshot::channel();
        let setting = {
            let slot = Arc::clone(&slot);
            tokio::spawn(async move {
                slot.set(slot.take_turn(), Box::new(Late(Mutex::new(Some(late)))), |_| unreachable!()).await
            })
        };
        while setting_not_begun(&slot, u64::from(last_is_set) * 2 + 1) {
            tokio::task::yield_now().await;
        }
        let keys = Keys::generate();
        let last = last_is_set.then(|| keys.public_key());
        if last_is_set {
            slot.set(slot.take_turn(), Box::new(keys), |_| ()).await.unwrap();
        } else {
            slot.clear(|| ()).await;
        }
        answer.send(Keys::generate().public_key()).unwrap();
        assert_eq!(setting.await.unwrap().unwrap_err(), Error::SignerNotSet);
        assert_eq!(slot.pubkey(), last);
    }
}

fn setting_not_begun(slot: &SignerSlot, turn: u64) -> bool {
    slot.lock().turn < turn
}

#[tokio::test]
async fn a_signer_without_a_public_key_is_not_set() {
    let slot = slot_with(Keys::generate()).await;
    let before = slot.pubkey();
    let (answer, late) = oneshot::channel();
    drop(answer);
    let result = slot.set(slot.take_turn(), Box::new(Late(Mutex::new(Some(late)))), |_| unreachable!()).await;
    assert_eq!(result.unwrap_err().code(), "SIGNING_FAILED");
    assert_eq!(slot.pubkey(), before);
}
