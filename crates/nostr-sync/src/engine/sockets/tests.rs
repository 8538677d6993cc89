use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio_tungstenite::accept_async;

use super::*;

/// What one socket tells, and the sockets that it is one of.
struct Client {
    sockets: Sockets,
    arrived: mpsc::Receiver<Arrival>,
}

impl Client {
    fn open(url: &str) -> Self {
        let (arrivals, arrived) = mpsc::channel(4);
        let sockets = Sockets::new(arrivals, Rc::default());
        sockets.open(1.0, url.into());
        Self { sockets, arrived }
    }

    async fn next(&mut self) -> SocketEvent {
        match timeout(Duration::from_secs(15), self.arrived.recv()).await {
            Ok(Some(Arrival::Socket { event, .. })) => event,
            other => panic!("nothing was told: {}", other.is_ok()),
        }
    }

    async fn opened(&mut self) {
        assert!(matches!(self.next().await, SocketEvent::Opened));
    }

    async fn closed(&mut self) -> String {
        match self.next().await {
            SocketEvent::Closed(reason) => reason,
            SocketEvent::Message(text) => panic!("a message of {} bytes", text.len()),
            _ => panic!("something else"),
        }
    }
}

fn on_runtime<F: Future<Output = ()>>(work: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, work);
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://127.0.0.1:{}", listener.local_addr().unwrap().port());
    (listener, url)
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    accept_async(listener.accept().await.unwrap().0).await.unwrap()
}

#[test]
fn frames_go_both_ways_and_a_ping_is_answered() {
    on_runtime(async {
        let (listener, url) = listen().await;
        let mut client = Client::open(&url);
        let mut server = accept(&listener).await;
        client.opened().await;
        client.sockets.send(1.0, "of the client, ü".into());
        assert_eq!(server.next().await.unwrap().unwrap().to_text().unwrap(), "of the client, ü");
        server.send(Message::text("of the server")).await.unwrap();
        assert!(matches!(client.next().await, SocketEvent::Message(text) if text == "of the server"));
        client.sockets.ping(1.0);
        assert!(server.next().await.unwrap().unwrap().is_ping());
        // Its answer goes out with the next frame.
        server.flush().await.unwrap();
        assert!(matches!(client.next().await, SocketEvent::Pong));
        server.send(Message::Ping(vec![1].into())).await.unwrap();
        assert!(server.next().await.unwrap().unwrap().is_pong());
        assert_eq!(client.sockets.queued(1.0), 0.0);
    });
}

#[test]
fn a_frame_above_the_limit_ends_the_connection() {
    on_runtime(async {
        for is_split in [false, true] {
            let (listener, url) = listen().await;
            let mut client = Client::open(&url);
            let mut server = accept(&listener).await;
            client.opened().await;
            server.send(Message::text("x".repeat(MAX_FRAME_BYTES))).await.unwrap();
            assert!(
                matches!(client.next().await, SocketEvent::Message(text) if text.len() == MAX_FRAME_BYTES)
            );
            if is_split {
                use tungstenite::protocol::frame::{
                    Frame,
                    coding::{Data, OpCode},
                };
                let part = |opcode, is_last| {
                    Message::Frame(Frame::message(vec![b'x'; 200_000], OpCode::Data(opcode), is_last))
                };
                let _ = server.send(part(Data::Text, false)).await;
                let _ = server.send(part(Data::Continue, true)).await;
            } else {
                let _ = server.send(Message::text("x".repeat(MAX_FRAME_BYTES + 1))).await;
            }
            let reason = client.closed().await;
            assert!(reason.contains("too long") || reason.contains("Space limit"), "{reason}");
        }
    });
}

#[test]
fn a_binary_frame_and_text_that_is_none_end_the_connection() {
    on_runtime(async {
        let (listener, url) = listen().await;
        let mut client = Client::open(&url);
        let mut server = accept(&listener).await;
        client.opened().await;
        server.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        let close = server.next().await.unwrap().unwrap();
        assert!(
            matches!(close, Message::Close(Some(CloseFrame { code: CloseCode::Unsupported, .. }))),
            "{close:?}"
        );
        let _ = server.next().await;
        client.closed().await;

        let mut client = Client::open(&url);
        let mut server = accept(&listener).await;
        client.opened().await;
        use tungstenite::protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        };
        server
            .send(Message::Frame(Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true)))
            .await
            .unwrap();
        client.closed().await;
    });
}

#[test]
fn a_server_that_sends_elsewhere_is_not_followed() {
    on_runtime(async {
        let (elsewhere, target) = listen().await;
        let (listener, url) = listen().await;
        let mut client = Client::open(&url);
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 2_000];
        let _ = stream.read(&mut request).await.unwrap();
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {target}/\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        assert!(client.closed().await.contains("302"));
        assert!(timeout(Duration::from_millis(50), elsewhere.accept()).await.is_err());
    });
}

#[test]
fn a_host_that_refuses_or_is_none_is_told_as_closed() {
    on_runtime(async {
        let (listener, url) = listen().await;
        drop(listener);
        assert!(!Client::open(&url).closed().await.is_empty());
        assert!(!Client::open("ws://no-such-host.invalid").closed().await.is_empty());
        assert!(!Client::open("wss://localhost:1").closed().await.is_empty());
    });
}

#[test]
fn close_ends_it_and_what_comes_after_is_not_told() {
    on_runtime(async {
        let (listener, url) = listen().await;
        let mut client = Client::open(&url);
        let mut server = accept(&listener).await;
        client.opened().await;
        client.sockets.close(1.0);
        client.sockets.close(1.0);
        assert!(client.sockets.is_closing(1.0));
        client.sockets.send(1.0, "after the close".into());
        assert!(server.next().await.unwrap().unwrap().is_close());
        let _ = server.flush().await;
        client.closed().await;
    });
}

#[test]
fn close_does_not_wait_for_a_peer_that_is_silent_nor_for_one_that_does_not_open() {
    on_runtime(async {
        let (listener, url) = listen().await;
        let mut client = Client::open(&url);
        let _silent = accept(&listener).await;
        client.opened().await;
        client.sockets.close(1.0);
        client.closed().await;

        let mut client = Client::open(&url);
        let _unopened = listener.accept().await.unwrap();
        client.sockets.close(1.0);
        client.closed().await;
    });
}

#[test]
fn a_peer_that_sends_faster_than_it_is_heard_waits() {
    on_runtime(async {
        let (listener, url) = listen().await;
        let mut client = Client::open(&url);
        let mut server = accept(&listener).await;
        client.opened().await;
        let flood = async {
            let mut sent = 0_u32;
            while timeout(Duration::from_millis(300), server.send(Message::text("x".repeat(100_000))))
                .await
                .is_ok()
            {
                sent += 1;
                assert!(sent < 2_000, "200 MB were taken that nobody has read");
            }
        };
        flood.await;
        assert!(matches!(client.next().await, SocketEvent::Message(_)));
    });
}

#[test]
fn what_the_peer_does_not_read_is_counted() {
    on_runtime(async {
        let (listener, url) = listen().await;
        let mut client = Client::open(&url);
        let server = accept(&listener).await;
        client.opened().await;
        for _ in 0..300 {
            client.sockets.send(1.0, "x".repeat(100_000));
        }
        assert_eq!(client.sockets.queued(1.0), 30_000_000.0);
        sleep(Duration::from_millis(100)).await;
        assert!(client.sockets.queued(1.0) > 1_000_000.0, "the system takes some of it");
        drop(server);
        client.closed().await;
    });
}

#[test]
fn addresses_of_both_families_are_tried_in_turn() {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let [a, b, c] = ["[::1]:1", "[::2]:1", "127.0.0.1:1"].map(address);
    assert_eq!(interleaved(vec![a, b, c]), [a, c, b]);
    assert_eq!(interleaved(Vec::new()), []);
}
