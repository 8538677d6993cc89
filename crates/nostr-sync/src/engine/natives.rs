//! What the engine is given in place of a platform: the functions of `native`. None of them calls back into the script.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use hmac::{Hmac, Mac};
use nostr::secp256k1::schnorr::Signature;
use nostr::secp256k1::{Message, Secp256k1, VerifyOnly, XOnlyPublicKey};
use rquickjs::{Ctx, Exception, Function, IntoJs, Object, TypedArray, Value};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use url::Url;

use super::clock::{Timers, now_ms};
use super::sockets::{Sockets, Tls};
use super::storage::{Question, Storage};
use super::{Arrival, SharedSigner};
use crate::command::{Answer, Command};
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::signer::{Held, Signer};

/// Bytes of one request for random numbers: more than the engine ever asks for at once.
const MAX_RANDOM_BYTES: usize = 65_536;

pub(crate) struct Natives {
    pub timers: Timers,
    pub sockets: Sockets,
    replies: mpsc::UnboundedSender<Arrival>,
    storage: Storage,
    registry: Arc<Registry>,
    signer: Arc<SharedSigner>,
    secp: Secp256k1<VerifyOnly>,
    calls: RefCell<Calls>,
    is_closed: Cell<bool>,
}

/// Calls of the program that the engine has not answered. Its numbers are the engine's: the program's 0 stands for many.
#[derive(Default)]
struct Calls {
    last: u64,
    by_number: HashMap<u64, Pending>,
    number_by_id: HashMap<u64, u64>,
}

struct Pending {
    id: u64,
    method: &'static str,
    answer: Answer,
}

#[allow(clippy::cast_precision_loss, reason = "no program makes 2^53 calls")]
fn to_number(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was made by `to_number`")]
fn from_number(number: f64) -> u64 {
    number as u64
}

impl Natives {
    pub fn new(
        replies: mpsc::UnboundedSender<Arrival>,
        arrivals: mpsc::Sender<Arrival>,
        storage: Storage,
        registry: Arc<Registry>,
        signer: Arc<SharedSigner>,
        tls: Rc<Tls>,
    ) -> Rc<Self> {
        Rc::new(Self {
            timers: Timers::default(),
            sockets: Sockets::new(arrivals, tls),
            replies,
            storage,
            registry,
            signer,
            secp: Secp256k1::verification_only(),
            calls: RefCell::default(),
            is_closed: Cell::new(false),
        })
    }

    /// The program's call `id` is about to be made; returns its number in the engine.
    pub fn expect_answer(&self, id: u64, method: &'static str, answer: Answer) -> f64 {
        let mut calls = self.calls.borrow_mut();
        calls.last += 1;
        let number = calls.last;
        calls.by_number.insert(number, Pending { id, method, answer });
        if id != 0 {
            calls.number_by_id.insert(id, number);
        }
        to_number(number)
    }

    /// Nobody waits for the call any more; `None`: it was answered.
    pub fn forget_answer(&self, id: u64) -> Option<f64> {
        self.calls.borrow().number_by_id.get(&id).copied().map(to_number)
    }

    fn answer(&self, number: f64, result: Result<String>) {
        let pending = {
            let mut calls = self.calls.borrow_mut();
            let pending = calls.by_number.remove(&from_number(number));
            if let Some(pending) = &pending {
                calls.number_by_id.remove(&pending.id);
            }
            pending
        };
        if let Some(Pending { method, answer, .. }) = pending {
            if method == "close" {
                self.is_closed.set(true);
            }
            // Who has gone needs no answer.
            let _ = answer.send(result);
        }
    }

    /// The engine is closed: there is nothing left to carry to it.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// The engine has died, and answers nothing any more.
    pub fn fail_all(&self, error: &Error) {
        for (_, pending) in self.calls.borrow_mut().by_number.drain() {
            let _ = pending.answer.send(Err(error.clone()));
        }
        self.sockets.drop_all();
    }

    /// `native`.
    pub fn object<'js>(self: &Rc<Self>, ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
        let native = Object::new(ctx.clone())?;
        self.add_clock(ctx, &native)?;
        self.add_sockets(ctx, &native)?;
        self.add_store_and_signer(ctx, &native)?;
        self.add_answers(ctx, &native)?;
        self.add_cryptography(ctx, &native)?;
        add_encodings(ctx, &native)?;
        Ok(native)
    }

    fn add_clock<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, native: &Object<'js>) -> rquickjs::Result<()> {
        native.set("now", Function::new(ctx.clone(), now_ms)?)?;
        let own = self.clone();
        native.set(
            "setTimer",
            Function::new(ctx.clone(), move |id: f64, delay: f64| own.timers.set(id, delay))?,
        )?;
        let own = self.clone();
        native.set("clearTimer", Function::new(ctx.clone(), move |id: f64| own.timers.clear(id))?)
    }

    fn add_sockets<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, native: &Object<'js>) -> rquickjs::Result<()> {
        let own = self.clone();
        native.set(
            "openSocket",
            Function::new(ctx.clone(), move |id: f64, url: String| own.sockets.open(id, url))?,
        )?;
        let own = self.clone();
        native.set(
            "send",
            Function::new(ctx.clone(), move |id: f64, text: String| own.sockets.send(id, text))?,
        )?;
        let own = self.clone();
        native.set("ping", Function::new(ctx.clone(), move |id: f64| own.sockets.ping(id))?)?;
        let own = self.clone();
        native.set("bufferedAmount", Function::new(ctx.clone(), move |id: f64| own.sockets.queued(id))?)?;
        let own = self.clone();
        native.set("closeSocket", Function::new(ctx.clone(), move |id: f64| own.sockets.close(id))?)
    }

    fn add_store_and_signer<'js>(
        self: &Rc<Self>,
        ctx: &Ctx<'js>,
        native: &Object<'js>,
    ) -> rquickjs::Result<()> {
        for (name, question) in [
            ("storeGet", Question::Get as fn(String) -> Question),
            ("storeRead", Question::Read),
            ("storeList", Question::List),
            ("storeUpdate", Question::Update),
        ] {
            let own = self.clone();
            let ask = move |id: f64, text: String| own.storage.ask(id, question(text), own.replies.clone());
            native.set(name, Function::new(ctx.clone(), ask)?)?;
        }
        let own = self.clone();
        let close = move |id: f64| own.storage.ask(id, Question::Close, own.replies.clone());
        native.set("storeClose", Function::new(ctx.clone(), close)?)?;
        let own = self.clone();
        let sign = move |id: f64, template: String| {
            own.with_signer(id, async move |held| {
                let template = serde_json::from_str(&template)
                    .map_err(|error| Error::SigningFailed(format!("Cannot sign: {error}")))?;
                let event = held.sign(template).await?;
                serde_json::to_string(&event).map_err(|error| Error::SigningFailed(error.to_string()))
            });
        };
        native.set("signEvent", Function::new(ctx.clone(), sign)?)?;
        let own = self.clone();
        let encrypt = move |id: f64, peer: String, plaintext: String| {
            own.with_signer(id, async move |held| {
                held.check_peer(&peer)?;
                held.encrypt(&plaintext).await
            });
        };
        native.set("encrypt", Function::new(ctx.clone(), encrypt)?)?;
        let own = self.clone();
        let decrypt = move |id: f64, peer: String, ciphertext: String| {
            own.with_signer(id, async move |held| held.decrypt(&peer, &ciphertext).await);
        };
        native.set("decrypt", Function::new(ctx.clone(), decrypt)?)
    }

    /// Asks the signer who it is, in a task, and has the engine told in the order of the changes.
    pub fn set_signer(&self, turn: u64, signer: Box<dyn Signer>, answer: Answer) {
        let (slot, registry) = (self.signer.clone(), self.registry.clone());
        spawn_local(async move {
            let mut answer = Some(answer);
            let changed = |held: &Held| {
                // By the way of all commands: an engine that is started again meanwhile hears it as well.
                if let Some(answer) = answer.take() {
                    registry.command(Command::Signer { info: Some(held.info()), answer });
                }
            };
            let outcome = slot.slot.set(turn, signer, changed).await;
            if let (Err(error), Some(answer)) = (outcome, answer) {
                let _ = answer.send(Err(error));
            }
        });
    }

    /// Asks the signer that is set now, in a task: it may take as long as a person takes.
    fn with_signer(&self, id: f64, work: impl AsyncFnOnce(&Held) -> Result<String> + 'static) {
        let held = self.signer.slot.held();
        let replies = self.replies.clone();
        spawn_local(async move {
            let result = match held {
                Ok(held) => work(&held).await,
                Err(error) => Err(error),
            };
            let result = result.map(Some).map_err(|error| serde_json::to_string(&error).unwrap_or_default());
            let _ = replies.send(Arrival::Reply { id, result });
        });
    }

    fn add_answers<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, native: &Object<'js>) -> rquickjs::Result<()> {
        let own = self.clone();
        let answer = move |call: f64, error: Option<String>, value: Option<String>| {
            own.answer(
                call,
                match error {
                    Some(error) => Err(Error::from(
                        serde_json::from_str::<serde_json::Value>(&error).unwrap_or_default(),
                    )),
                    None => Ok(value.unwrap_or_else(|| "null".into())),
                },
            );
        };
        native.set("answer", Function::new(ctx.clone(), answer)?)?;
        let own = self.clone();
        let event = move |name: String, json: String| own.registry.event(&name, &json);
        native.set("event", Function::new(ctx.clone(), event)?)?;
        let own = self.clone();
        let value = move |subscription: f64, category: String, json: String| {
            own.registry.value(from_number(subscription), &category, &json);
        };
        native.set("value", Function::new(ctx.clone(), value)?)
    }

    fn add_cryptography<'js>(self: &Rc<Self>, ctx: &Ctx<'js>, native: &Object<'js>) -> rquickjs::Result<()> {
        native.set("randomBytes", Function::new(ctx.clone(), random_bytes)?)?;
        let sha256 = |text: String| hex(&Sha256::digest(text.as_bytes()));
        native.set("sha256Hex", Function::new(ctx.clone(), sha256)?)?;
        native.set("sha256", Function::new(ctx.clone(), sha256_of_bytes)?)?;
        native.set("hmacSha256", Function::new(ctx.clone(), hmac_sha256)?)?;
        native.set("chacha20", Function::new(ctx.clone(), chacha20)?)?;
        let own = self.clone();
        let verify = move |signature: String, message: String, public_key: String| {
            own.verify(&signature, &message, &public_key).unwrap_or(false)
        };
        native.set("verify", Function::new(ctx.clone(), verify)?)
    }

    /// `None`: something is malformed.
    fn verify(&self, signature: &str, message: &str, public_key: &str) -> Option<bool> {
        let signature = Signature::from_slice(&unhex::<64>(signature)?).ok()?;
        let key = XOnlyPublicKey::from_slice(&unhex::<32>(public_key)?).ok()?;
        let message = Message::from_digest(unhex(message)?);
        Some(self.secp.verify_schnorr(&signature, &message, &key).is_ok())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower-case hex of exactly so many bytes.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes?.try_into().ok()
}

/// The bytes of a text of `toBinary`.
fn from_binary(ctx: &Ctx<'_>, text: &str) -> rquickjs::Result<Vec<u8>> {
    let bytes: std::result::Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.map_err(|_| Exception::throw_type(ctx, "Not a text of bytes"))
}

fn typed<'js>(ctx: &Ctx<'js>, bytes: Vec<u8>) -> rquickjs::Result<Value<'js>> {
    TypedArray::new(ctx.clone(), bytes)?.into_js(ctx)
}

/// Bytes, or `undefined`.
fn typed_or_none<'js>(ctx: &Ctx<'js>, bytes: Option<Vec<u8>>) -> rquickjs::Result<Value<'js>> {
    bytes.map_or_else(|| Ok(Value::new_undefined(ctx.clone())), |bytes| typed(ctx, bytes))
}

fn random_bytes(ctx: Ctx<'_>, length: f64) -> rquickjs::Result<Value<'_>> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let length = (length as usize).min(MAX_RANDOM_BYTES);
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|error| Exception::throw_message(&ctx, &error.to_string()))?;
    typed(&ctx, bytes)
}

fn sha256_of_bytes(ctx: Ctx<'_>, data: String) -> rquickjs::Result<Value<'_>> {
    typed(&ctx, Sha256::digest(from_binary(&ctx, &data)?).to_vec())
}

fn hmac_sha256(ctx: Ctx<'_>, key: String, data: String) -> rquickjs::Result<Value<'_>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&from_binary(&ctx, &key)?)
        .map_err(|error| Exception::throw_message(&ctx, &error.to_string()))?;
    mac.update(&from_binary(&ctx, &data)?);
    typed(&ctx, mac.finalize().into_bytes().to_vec())
}

fn chacha20(ctx: Ctx<'_>, key: String, nonce: String, data: String) -> rquickjs::Result<Value<'_>> {
    let mut bytes = from_binary(&ctx, &data)?;
    let (key, nonce) = (from_binary(&ctx, &key)?, from_binary(&ctx, &nonce)?);
    let mut cipher = chacha20::ChaCha20::new_from_slices(&key, &nonce)
        .map_err(|error| Exception::throw_message(&ctx, &error.to_string()))?;
    cipher.apply_keystream(&mut bytes);
    typed(&ctx, bytes)
}

fn add_encodings<'js>(ctx: &Ctx<'js>, native: &Object<'js>) -> rquickjs::Result<()> {
    native.set("base64Decode", Function::new(ctx.clone(), base64_decode)?)?;
    native.set("utf8Encode", Function::new(ctx.clone(), utf8_encode)?)?;
    native.set("utf8Decode", Function::new(ctx.clone(), utf8_decode)?)?;
    native.set("deflate", Function::new(ctx.clone(), deflate)?)?;
    native.set("inflate", Function::new(ctx.clone(), inflate)?)?;
    native.set("parseUrl", Function::new(ctx.clone(), parse_url)?)
}

fn base64_decode(ctx: Ctx<'_>, text: String) -> rquickjs::Result<Value<'_>> {
    typed_or_none(&ctx, STANDARD.decode(text).ok())
}

fn utf8_encode(ctx: Ctx<'_>, text: String) -> rquickjs::Result<Value<'_>> {
    typed(&ctx, text.into_bytes())
}

fn utf8_decode(ctx: Ctx<'_>, binary: String) -> rquickjs::Result<Option<String>> {
    Ok(String::from_utf8(from_binary(&ctx, &binary)?).ok())
}

fn deflate(ctx: Ctx<'_>, binary: String) -> rquickjs::Result<Value<'_>> {
    let bytes = from_binary(&ctx, &binary)?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder.write_all(&bytes).and_then(|()| encoder.finish());
    typed(&ctx, deflated.map_err(|error| Exception::throw_message(&ctx, &error.to_string()))?)
}

fn inflate(ctx: Ctx<'_>, binary: String, max_bytes: f64) -> rquickjs::Result<Value<'_>> {
    let bytes = from_binary(&ctx, &binary)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let max_bytes = max_bytes as u64;
    typed_or_none(&ctx, inflate_bounded(&bytes, max_bytes))
}

/// `None`: no deflate stream, one that is cut short or followed by something, or more than so many bytes.
fn inflate_bounded(bytes: &[u8], max_bytes: u64) -> Option<Vec<u8>> {
    let mut decoder = DeflateDecoder::new(bytes);
    let mut inflated = Vec::new();
    decoder.by_ref().take(max_bytes.saturating_add(1)).read_to_end(&mut inflated).ok()?;
    let is_whole = decoder.total_in() == bytes.len() as u64;
    (inflated.len() as u64 <= max_bytes && is_whole).then_some(inflated)
}

fn parse_url(text: String) -> Option<String> {
    let url = Url::parse(&text).ok()?;
    let query = url.query().filter(|query| !query.is_empty()).map(|query| format!("?{query}"));
    let fragment =
        url.fragment().filter(|fragment| !fragment.is_empty()).map(|fragment| format!("#{fragment}"));
    let parts = json!({
        "href": url.as_str(),
        "origin": origin_of(&url),
        "protocol": format!("{}:", url.scheme()),
        "username": url.username(),
        "password": url.password().unwrap_or_default(),
        "hostname": url.host_str().unwrap_or_default(),
        "pathname": url.path(),
        "search": query.unwrap_or_default(),
        "hash": fragment.unwrap_or_default(),
    });
    Some(parts.to_string())
}

fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests;
