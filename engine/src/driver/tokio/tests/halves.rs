//! The reader and the writer in two tasks, on two threads.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::halves::ReadHalf;
use super::*;
use crate::{CloseCode, Error, Failure, SendError};

async fn tcp_ends(config: &Config) -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(addr), listener.accept());
    (
        end(client.unwrap(), Role::Client, config),
        end(server.unwrap().0, Role::Server, config),
    )
}

/// Both ends send and receive 100,000 messages at the same time, with Pings between them from both
/// ends, and a queue that is often full.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_four_halves_send_and_receive_at_once() {
    const COUNT: u32 = 100_000;
    let config = config(|c| {
        c.send_queue_bytes_max = 16 * 1024;
        c.ping_interval = Some(Duration::from_millis(1));
    });
    let (client, server) = tcp_ends(&config).await;
    let mut tasks = Vec::new();
    let mut readers = Vec::new();
    for ws in [client, server] {
        let (mut reader, mut writer) = ws.split();
        tasks.push(tokio::spawn(async move {
            for i in 0..COUNT {
                let len = 4 + (i % 97) as usize;
                let mut message = vec![0; len];
                message[..4].copy_from_slice(&i.to_be_bytes());
                if i % 16 == 0 {
                    writer.send(&message).await.unwrap();
                } else {
                    writer.feed(&message).await.unwrap();
                }
                if i % 1000 == 0 {
                    writer.ping(&i.to_be_bytes()).await.unwrap();
                }
            }
            writer.flush().await.unwrap();
            writer
        }));
        readers.push(tokio::spawn(async move {
            let (mut next, mut pongs) = (0_u32, 0);
            while next < COUNT {
                let messages = reader.recv_batch().await.unwrap().unwrap();
                for message in messages {
                    match message {
                        Message::Binary(data) => {
                            assert_eq!(data[..4], next.to_be_bytes());
                            assert_eq!(data.len(), 4 + (next % 97) as usize);
                            next += 1;
                        }
                        Message::Pong(_) => pongs += 1,
                        Message::Ping(_) => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert!(pongs > 0);
            reader
        }));
    }
    let mut united = Vec::new();
    for (task, reader) in tasks.into_iter().zip(readers) {
        let (writer, reader) = (task.await.unwrap(), reader.await.unwrap());
        united.push(WebSocket::<TcpStream>::unite(reader, writer).unwrap());
    }
    let mut server = united.pop().unwrap();
    let mut client = united.pop().unwrap();
    let closing = client.close(CloseCode::NORMAL, "");
    let (closed, served) = tokio::join!(closing, echo(&mut server));
    closed.unwrap();
    served.unwrap();
}

/// An idle writer, then a dropped one: the reader answers Pings.
#[tokio::test]
async fn a_reader_answers_pings_without_the_writer() {
    for drop_writer in [false, true] {
        let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
        let (mut reader, writer) = server.split();
        let mut writer = Some(writer);
        if drop_writer {
            writer = None;
        }
        let reading = tokio::spawn(async move {
            while reader.recv().await?.is_some() {}
            Ok::<_, Error>(())
        });
        peer.write_all(&client_frame(9, b"there?")).await.unwrap();
        let mut pong = [0; 8];
        peer.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong[..], server_frame(10, b"there?"));
        peer.write_all(&client_frame(8, &1000_u16.to_be_bytes()))
            .await
            .unwrap();
        let mut close = [0; 4];
        peer.read_exact(&mut close).await.unwrap();
        assert_eq!(close[..], server_frame(8, &1000_u16.to_be_bytes()));
        reading.await.unwrap().unwrap();
        if let Some(writer) = &mut writer {
            let late = writer.send(b"late").await;
            assert!(matches!(late, Err(Error::Send(SendError::Closed))));
        }
    }
}

/// The reader writes what the writer has queued, even if the writer is dropped.
#[tokio::test]
async fn a_reader_writes_the_queue_of_a_dropped_writer() {
    for feeds in [false, true] {
        let (client, server) = ends(64, |c| c.ping_interval = None);
        let mut stream = client.into_parts().stream;
        let (mut reader, mut writer) = server.split();
        let reading = tokio::spawn(async move { reader.recv().await });
        tokio::task::yield_now().await;
        if feeds {
            writer.feed(&[5; 1000]).await.unwrap();
        } else {
            writer.send(&[5; 1000]).await.unwrap();
        }
        drop(writer);
        let mut got = [0; 1004];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(got[..4], [0x82, 126, 3, 232]);
        assert_eq!(got[4..], [5; 1000]);
        reading.abort();
    }
}

/// A writer waits for a full pipe: the Pong is sent between its frames.
#[tokio::test]
async fn a_pong_overtakes_a_waiting_writer() {
    let (a, mut peer) = duplex(64);
    let server = end(a, Role::Server, &config(|c| c.send_queue_bytes_max = 8192));
    let (mut reader, mut writer) = server.split();
    let reading = tokio::spawn(async move { (reader.recv().await, reader) });
    let writing = tokio::spawn(async move {
        for i in 0..40 {
            writer.send(&[i; 1000]).await.unwrap();
        }
        writer.flush().await.unwrap();
        writer
    });
    tokio::task::yield_now().await; // the writer fills the pipe
    peer.write_all(&client_frame(9, b"now")).await.unwrap();
    let mut got = vec![0; 40 * 1004 + 5];
    peer.read_exact(&mut got).await.unwrap();
    let pong = server_frame(10, b"now");
    let at = got.windows(5).position(|w| w == pong).unwrap();
    assert!(at <= 10 * 1004, "Pong behind {at} bytes");
    writing.await.unwrap();
    let (received, _reader) = reading.await.unwrap();
    assert!(matches!(received.unwrap(), Some(OwnedMessage::Ping(_))));
}

#[tokio::test]
async fn the_writer_returns_the_end_of_the_connection() {
    let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    let (mut reader, mut writer) = server.split();
    peer.write_all(&[0x82, 0]).await.unwrap();
    let reading = tokio::spawn(async move { reader.recv().await.unwrap_err() });
    let mut close = Vec::new();
    peer.read_to_end(&mut close).await.unwrap();
    drop(peer);
    assert!(matches!(
        reading.await.unwrap(),
        Error::Failed(Failure::Violation(_))
    ));
    for _ in 0..2 {
        let sent = writer.send(b"x").await;
        assert!(
            matches!(sent, Err(Error::Failed(Failure::Violation(_)))),
            "{sent:?}"
        );
    }
}

#[tokio::test]
async fn a_writer_begins_the_close_and_the_reader_ends_it() {
    let (client, mut server) = ends(1 << 10, |_| {});
    let (mut reader, mut writer) = client.split();
    let reading = tokio::spawn(async move {
        let mut got = Vec::new();
        while let Some(message) = reader.recv().await.unwrap() {
            got.push(message);
        }
        (got, reader.end())
    });
    tokio::task::yield_now().await;
    writer.send(b"last").await.unwrap();
    writer.close(CloseCode::NORMAL, "bye").await.unwrap();
    echo(&mut server).await.unwrap();
    let (got, ended) = reading.await.unwrap();
    assert_eq!(got[0], binary("last"));
    assert!(matches!(
        ended,
        Some(crate::End::Closed { by_peer: false, .. })
    ));
}

#[tokio::test]
async fn halves_of_two_connections_do_not_unite() {
    let (a, b) = ends(64, |_| {});
    let ((ar, aw), (br, bw)) = (a.split(), b.split());
    let error = WebSocket::<DuplexStream>::unite(ar, bw).unwrap_err();
    assert!(!error.to_string().is_empty());
    let (ar, bw) = error.into_halves();
    let a = WebSocket::<DuplexStream>::unite(ar, aw).unwrap();
    let b = WebSocket::<DuplexStream>::unite(br, bw).unwrap();
    assert_eq!((a.role(), b.role()), (Role::Client, Role::Server));
}

/// What has come to the halves is received and answered by the whole connection.
#[tokio::test]
async fn the_whole_goes_on_where_the_halves_stopped() {
    for received in 0..4 {
        let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
        let frames = [
            client_frame(1, b"one"),
            client_frame(1, b"two"),
            client_frame(9, b"there?"),
            client_frame(1, b"three"),
        ];
        peer.write_all(&frames.concat()).await.unwrap();
        let (mut reader, mut writer) = server.split();
        let mut got = Vec::new();
        for _ in 0..received {
            got.push(reader.recv().await.unwrap().unwrap());
        }
        writer.feed(b"queued").await.unwrap();
        let mut ws = WebSocket::unite(reader, writer).unwrap();
        while got.len() < 4 {
            got.push(ws.recv().await.unwrap().unwrap());
        }
        ws.flush().await.unwrap();
        let ping = OwnedMessage::Ping(b"there?"[..].into());
        assert_eq!(got, ["one".into(), "two".into(), ping, "three".into()]);
        let mut answers = [0; 16];
        peer.read_exact(&mut answers).await.unwrap();
        let (pong, queued) = (server_frame(10, b"there?"), server_frame(2, b"queued"));
        let orders = [
            [pong.clone(), queued.clone()].concat(),
            [queued, pong].concat(),
        ];
        assert!(orders.iter().any(|o| o[..] == answers), "{answers:?}");
    }
}

/// The stream is closed when both halves are gone, whichever goes first, and what was queued before is
/// in it.
#[tokio::test]
async fn the_last_half_closes_the_stream() {
    for reader_first in [false, true] {
        let (client, server) = tcp_ends(&config(|_| {})).await;
        let mut stream = client.into_parts().stream;
        let (reader, mut writer) = server.split();
        writer.send(b"last").await.unwrap();
        if reader_first {
            drop(reader);
            assert!(matches!(writer.send(b"more").await, Err(Error::NoReader)));
            drop(writer);
        } else {
            drop(writer);
            drop(reader);
        }
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, server_frame(2, b"last"));
    }
}

#[tokio::test]
async fn stream_and_sink_of_halves() {
    let (client, mut server) = ends(100, |c| c.send_queue_bytes_max = 2000);
    let (reader, mut writer) = client.split();
    let serving = tokio::spawn(async move { echo(&mut server).await });
    let reading = tokio::spawn(reader.map(Result::unwrap).collect::<Vec<_>>());
    for i in 0..500_u32 {
        SinkExt::feed(&mut writer, binary(i.to_be_bytes()))
            .await
            .unwrap();
    }
    SinkExt::close(&mut writer).await.unwrap();
    serving.await.unwrap().unwrap();
    let got = reading.await.unwrap();
    assert_eq!(got.len(), 501);
    assert_eq!(got[499], binary(499_u32.to_be_bytes()));
}

/// A stream that implements `AsyncRead` and `AsyncWrite` only, without vectored writes.
struct Plain(DuplexStream);

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Exchanges messages in halves, in two tasks, and then united. `own`: the stream type has halves
/// of its own, without a lock.
async fn splits_and_unites<S>(client: S, server: S, own: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = config(|_| {});
    let client = end(client, Role::Client, &config);
    let mut server = end(server, Role::Server, &config);
    let serving = tokio::spawn(async move { echo(&mut server).await });
    let (mut reader, mut writer) = client.split();
    assert_eq!(!matches!(reader.io, ReadHalf::Any(_)), own);
    let receiving = tokio::spawn(async move {
        let mut got = Vec::new();
        while got.len() < 100 {
            got.push(reader.recv().await.unwrap().unwrap());
        }
        (reader, got)
    });
    for i in 0..100_u32 {
        writer.send(vec![7; 1000 * i as usize]).await.unwrap();
    }
    let (reader, got) = receiving.await.unwrap();
    assert_eq!(got[99], binary([7; 99_000]));
    let mut ws = WebSocket::unite(reader, writer).unwrap();
    ws.send_text("whole").await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some("whole".into()));
    ws.close(CloseCode::NORMAL, "").await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn every_stream_splits_and_unites() {
    let (a, b) = duplex(4096);
    splits_and_unites(a, b, false).await;
    let (a, b) = duplex(4096);
    splits_and_unites(Plain(a), Plain(b), false).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (a, b) = tokio::join!(TcpStream::connect(addr), listener.accept());
    splits_and_unites(a.unwrap(), b.unwrap().0, true).await;
    #[cfg(unix)]
    {
        let (a, b) = tokio::net::UnixStream::pair().unwrap();
        splits_and_unites(a, b, true).await;
    }
}

#[test]
fn halves_are_send() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Reader<TcpStream>>();
    is_send::<Writer<TcpStream>>();
    is_send::<WebSocket<TcpStream>>();
    is_send::<Reader<Plain>>();
    is_send::<Writer<Plain>>();
}
