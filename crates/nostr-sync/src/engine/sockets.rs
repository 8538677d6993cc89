//! The engine's WebSockets, with the bounds of `src/relay/node-socket.ts` of the project: frames of 262,144 bytes, no redirects, ten seconds
//! to connect. What comes in waits in the socket while the engine is busy.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::{Arrival, SocketEvent};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_FRAME_BYTES: usize = 262_144;
/// From one address of a host to the next (RFC 8305): the first may be one that nobody answers at.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// How long a peer has to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What TLS needs, made once, with the first `wss:`: the roots of the system are read then.
#[derive(Default)]
pub(crate) struct Tls(OnceCell<Arc<ClientConfig>>);

impl Tls {
    fn connector(&self) -> Result<TlsConnector, String> {
        if let Some(config) = self.0.get() {
            return Ok(TlsConnector::from(config.clone()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|error| error.to_string())?
            .with_no_client_auth();
        Ok(TlsConnector::from(self.0.get_or_init(|| Arc::new(config)).clone()))
    }
}

/// What the engine asks of an open socket.
enum Order {
    Send(String),
    Ping,
    Close,
}

struct Open {
    orders: mpsc::UnboundedSender<Order>,
    /// Bytes that wait to be sent.
    queued: Rc<Cell<usize>>,
    is_closing: bool,
    task: AbortHandle,
}

/// The sockets of one engine, by the number that it gave them.
pub(crate) struct Sockets {
    arrivals: mpsc::Sender<Arrival>,
    tls: Rc<Tls>,
    open: RefCell<HashMap<u64, Open>>,
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ids count from 1")]
fn key(id: f64) -> u64 {
    id as u64
}

impl Sockets {
    pub fn new(arrivals: mpsc::Sender<Arrival>, tls: Rc<Tls>) -> Self {
        Self { arrivals, tls, open: RefCell::default() }
    }

    /// Returns at once; all else is told by arrivals.
    pub fn open(&self, id: f64, url: String) {
        let (orders, ordered) = mpsc::unbounded_channel();
        let queued: Rc<Cell<usize>> = Rc::default();
        let teller = Teller { id, arrivals: self.arrivals.clone() };
        let task = spawn_local(live(url, self.tls.clone(), teller, ordered, queued.clone())).abort_handle();
        self.open.borrow_mut().insert(key(id), Open { orders, queued, is_closing: false, task });
    }

    pub fn send(&self, id: f64, text: String) {
        if let Some(open) = self.open.borrow().get(&key(id)).filter(|open| !open.is_closing) {
            open.queued.set(open.queued.get() + text.len());
            // A socket that has just ended tells so itself.
            let _ = open.orders.send(Order::Send(text));
        }
    }

    pub fn ping(&self, id: f64) {
        if let Some(open) = self.open.borrow().get(&key(id)) {
            let _ = open.orders.send(Order::Ping);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "bytes in memory")]
    pub fn queued(&self, id: f64) -> f64 {
        self.open.borrow().get(&key(id)).map_or(0.0, |open| open.queued.get() as f64)
    }

    pub fn close(&self, id: f64) {
        if let Some(open) = self.open.borrow_mut().get_mut(&key(id)) {
            open.is_closing = true;
            let _ = open.orders.send(Order::Close);
        }
    }

    /// Whether the engine is done with it.
    pub fn is_closing(&self, id: f64) -> bool {
        self.open.borrow().get(&key(id)).is_none_or(|open| open.is_closing)
    }

    pub fn forget(&self, id: f64) {
        self.open.borrow_mut().remove(&key(id));
    }

    /// The engine has died.
    pub fn drop_all(&self) {
        for (_, open) in self.open.borrow_mut().drain() {
            open.task.abort();
        }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.drop_all();
    }
}

/// Tells the engine of one socket.
struct Teller {
    id: f64,
    arrivals: mpsc::Sender<Arrival>,
}

impl Teller {
    /// Waits while the engine has enough to do.
    async fn tell(&self, event: SocketEvent) {
        // An engine that is gone hears nothing.
        let _ = self.arrivals.send(Arrival::Socket { id: self.id, event }).await;
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// The life of one socket, from connecting to the word that it is closed.
async fn live(
    url: String,
    tls: Rc<Tls>,
    teller: Teller,
    mut orders: mpsc::UnboundedReceiver<Order>,
    queued: Rc<Cell<usize>>,
) {
    let connected = tokio::select! {
        connected = timeout(CONNECT_TIMEOUT, connect(&url, &tls)) => {
            connected.unwrap_or_else(|_| Err(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())))
        }
        // Before it is open, the engine asks for nothing else.
        () = closed_by_engine(&mut orders) => Err("closed before it was open".into()),
    };
    let reason = match connected {
        Ok(socket) => {
            teller.tell(SocketEvent::Opened).await;
            talk(socket, &teller, orders, &queued).await
        }
        Err(reason) => reason,
    };
    teller.tell(SocketEvent::Closed(reason)).await;
}

async fn closed_by_engine(orders: &mut mpsc::UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        if matches!(order, Order::Close) {
            return;
        }
    }
}

async fn connect(url: &str, tls: &Tls) -> Result<Socket, String> {
    let parsed = Url::parse(url).map_err(|error| error.to_string())?;
    let host = parsed.host_str().unwrap_or_default();
    let port = parsed.port_or_known_default().unwrap_or_default();
    let stream = connect_tcp(host, port).await.map_err(|error| error.to_string())?;
    // Small frames go out at once.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream: Box<dyn Stream> = if parsed.scheme() == "wss" {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| error.to_string())?;
        Box::new(tls.connector()?.connect(name, stream).await.map_err(|error| error.to_string())?)
    } else {
        Box::new(stream)
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let (socket, _) =
        client_async_with_config(url, stream, Some(config)).await.map_err(|error| match error {
            tungstenite::Error::Http(response) => format!("the server answered {}", response.status()),
            other => other.to_string(),
        })?;
    Ok(socket)
}

/// Tries the addresses of a host one after the other, and begins with the next while one does not answer.
async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?.collect();
    let (winner, mut won) = mpsc::channel::<TcpStream>(1);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut attempts = tokio::task::JoinSet::new();
    for address in interleaved(addresses) {
        let winner = winner.clone();
        attempts.spawn_local(async move {
            let stream = TcpStream::connect(address).await?;
            // A second one that comes through is closed.
            let _ = winner.try_send(stream);
            io::Result::Ok(())
        });
        tokio::select! {
            biased;
            Some(stream) = won.recv() => return Ok(stream),
            Some(Ok(Err(error))) = attempts.join_next() => last = error,
            () = sleep(NEXT_ADDRESS) => {}
        }
    }
    drop(winner);
    loop {
        tokio::select! {
            biased;
            Some(stream) = won.recv() => return Ok(stream),
            attempt = attempts.join_next() => match attempt {
                Some(Ok(Err(error))) => last = error,
                Some(_) => {}
                None => return won.recv().await.ok_or(last),
            },
        }
    }
}

/// Addresses of both families in turn, in the order of the system otherwise.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first = addresses.first().map(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| Some(address.is_ipv6()) == is_first);
    let longest = first.len().max(second.len());
    let at = |list: &[SocketAddr], i: usize| list.get(i).copied();
    (0..longest).flat_map(|i| [at(&first, i), at(&second, i)]).flatten().collect()
}

/// Reads and writes until one of both ends; says why.
async fn talk(
    socket: Socket,
    teller: &Teller,
    orders: mpsc::UnboundedReceiver<Order>,
    queued: &Cell<usize>,
) -> String {
    let (sink, stream) = socket.split();
    let (hang_up, hung_up) = oneshot::channel();
    let reading = read(stream, teller, hang_up);
    let writing = write(sink, orders, hung_up, queued);
    tokio::pin!(reading, writing);
    tokio::select! {
        reason = &mut reading => reason,
        failed = &mut writing => match failed {
            Some(reason) => reason,
            // The close is on its way: the peer may answer it, for a while.
            None => match timeout(CLOSE_TIMEOUT, reading).await {
                Ok(reason) => reason,
                Err(_) => "closed, and the peer did not answer".into(),
            },
        },
    }
}

async fn read(mut stream: SplitStream<Socket>, teller: &Teller, hang_up: oneshot::Sender<()>) -> String {
    let mut hang_up = Some(hang_up);
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                teller.tell(SocketEvent::Message(text.as_str().to_owned())).await
            }
            Some(Ok(Message::Pong(_))) => teller.tell(SocketEvent::Pong).await,
            // No relay sends any: it is closed, and what follows is not looked at.
            Some(Ok(Message::Binary(_))) => {
                if let Some(hang_up) = hang_up.take() {
                    let _ = hang_up.send(());
                }
            }
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => return reason_of(frame.as_ref()),
            Some(Err(error)) => return error.to_string(),
            None => return "the connection ended".into(),
        }
    }
}

fn reason_of(frame: Option<&CloseFrame>) -> String {
    match frame {
        Some(CloseFrame { reason, .. }) if !reason.is_empty() => reason.as_str().to_owned(),
        Some(CloseFrame { code, .. }) => format!("closed with code {}", u16::from(*code)),
        None => "closed with code 1005".into(),
    }
}

/// Ends with `None` when a close was sent, otherwise with what failed.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    mut hung_up: oneshot::Receiver<()>,
    queued: &Cell<usize>,
) -> Option<String> {
    loop {
        let order = tokio::select! {
            order = orders.recv() => order.unwrap_or(Order::Close),
            Ok(()) = &mut hung_up => {
                let frame = CloseFrame { code: CloseCode::Unsupported, reason: "".into() };
                return sink.send(Message::Close(Some(frame))).await.err().map(|error| error.to_string());
            }
        };
        let sent = match order {
            Order::Send(text) => {
                let bytes = text.len();
                let sent = sink.send(Message::text(text)).await;
                queued.set(queued.get().saturating_sub(bytes));
                sent
            }
            Order::Ping => sink.send(Message::Ping(Vec::new().into())).await,
            Order::Close => {
                return sink.send(Message::Close(None)).await.err().map(|error| error.to_string());
            }
        };
        if let Err(error) = sent {
            return Some(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
