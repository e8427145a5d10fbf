//! The steps of one poll of a half, and their order.

use std::task::Waker;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;
use crate::{CloseCode, Deadline, Error, Failure};

const SECOND: Duration = Duration::from_secs(1);

/// A stream without vectored writes that keeps the bytes of a pending write, like TLS libraries
/// that encrypt first: it writes the kept bytes later, and counts them then.
#[derive(Debug, Default)]
struct KeepingStream {
    incoming: Vec<u8>,
    kept: Option<Vec<u8>>,
    sent: Vec<u8>,
    blocked: bool,
    /// Wakes the task of a pending call at once, like tokio's streams when the task's budget is
    /// spent.
    wakes: bool,
    calls: usize,
}

impl AsyncRead for KeepingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.incoming.is_empty() {
            return Poll::Pending;
        }
        let n = buf.remaining().min(self.incoming.len());
        buf.put_slice(&self.incoming[..n]);
        self.incoming.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for KeepingStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.calls += 1;
        assert!(self.calls < 100, "the stream is polled endlessly");
        if self.blocked {
            if self.wakes {
                cx.waker().wake_by_ref();
            }
            self.kept.get_or_insert_with(|| bytes.to_vec());
            return Poll::Pending;
        }
        let sent = self.kept.take().unwrap_or_else(|| bytes.to_vec());
        assert!(bytes.len() >= sent.len(), "fewer bytes than it keeps");
        self.sent.extend_from_slice(&sent);
        Poll::Ready(Ok(sent.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// No timeouts, except 10 s for writes.
fn write_timeout_only() -> Config {
    config(|c| {
        c.ping_interval = None;
        c.write_timeout = 10 * SECOND;
    })
}

fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Pings arrive while a blocked stream keeps data, or Pongs, or a part of both.
#[tokio::test]
async fn a_stream_that_keeps_pending_bytes_sends_them_once_and_in_order() {
    let big: &[u8] = &[7; 40_000];
    let config = config(|c| c.ping_interval = None);
    for first in [Some(&b"data"[..]), Some(big), None] {
        for second in [None, Some(&b"more"[..]), Some(big)] {
            let stream = KeepingStream {
                blocked: true,
                ..KeepingStream::default()
            };
            let mut server = end(stream, Role::Server, &config);
            let ping = |server: &mut WebSocket<KeepingStream>, payload: &[u8]| {
                server.io.incoming.extend(client_frame(9, payload));
                let batch = poll_once(server.recv_batch());
                let Poll::Ready(Ok(Some((messages, _)))) = batch else {
                    panic!("no batch")
                };
                assert!(messages.count() > 0);
                assert!(poll_once(server.recv()).is_pending());
            };
            let mut expected = Vec::new();
            if let Some(payload) = first {
                server.send(payload).await.unwrap();
                expected.push(binary(payload));
            }
            // Two Pings in one read: if writing is blocked, only the newer Pong is sent.
            server.io.incoming = client_frame(9, &[b'0'; 10]);
            ping(&mut server, &[b'1'; 100]);
            ping(&mut server, b"2");
            if let Some(payload) = second {
                server.send(payload).await.unwrap();
                expected.push(binary(payload));
            }
            ping(&mut server, b"3");
            server.io.blocked = false;
            server.flush().await.unwrap();

            let (mut client, mut raw) = against_bytes(Role::Client, &config);
            raw.write_all(&server.io.sent).await.unwrap();
            drop(raw);
            let (mut data, mut newest) = (Vec::new(), None);
            while let Ok(Some(message)) = client.recv().await {
                match message {
                    OwnedMessage::Pong(payload) => newest = Some(payload),
                    message => data.push(message),
                }
            }
            let sizes = (first.map(<[u8]>::len), second.map(<[u8]>::len));
            assert!(data == expected, "{sizes:?}");
            assert_eq!(newest.as_deref(), Some(&b"3"[..]), "{sizes:?}");
            let failed = matches!(client.end(), Some(crate::End::Failed(Failure::Eof)));
            assert!(failed, "{sizes:?}: {:?}", client.end());
        }
    }
}

/// A Ping or Pong waits for at most one TLS record of data.
#[tokio::test]
async fn a_blocked_stream_delays_a_pong_by_one_record_at_most() {
    let stream = KeepingStream {
        blocked: true,
        ..KeepingStream::default()
    };
    let mut server = end(stream, Role::Server, &config(|_| {}));
    for _ in 0..40 {
        server.send(&[7; 1000]).await.unwrap();
    }
    server.io.incoming = client_frame(9, b"?");
    assert!(matches!(poll_once(server.recv()), Poll::Ready(Ok(Some(_)))));
    server.io.blocked = false;
    server.flush().await.unwrap();
    let pong = server.io.sent.windows(3).position(|w| w == [0x8a, 1, b'?']);
    assert!(pong.is_some_and(|at| at <= 17 * 1024), "{pong:?}");
}

/// If the stream wakes the task at once on another thread, the reader would loop within one poll.
#[test]
fn a_stream_that_wakes_pending_tasks_is_polled_again_in_a_new_poll() {
    let stream = KeepingStream {
        blocked: true,
        wakes: true,
        incoming: client_frame(9, b"?"),
        ..KeepingStream::default()
    };
    let (mut reader, _writer) = end(stream, Role::Server, &config(|_| {})).split();
    // There is no runtime and no timer: the deadlines are far away.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    assert!(matches!(poll_once(reader.recv()), Poll::Ready(Ok(Some(_)))));
    for _ in 0..5 {
        assert!(poll_once(reader.recv()).is_pending());
    }
}

/// The peer has sent bytes in time, and the application has not read them.
#[tokio::test(start_paused = true)]
async fn a_reader_reads_before_it_checks_the_idle_deadline() {
    let config = config(|c| {
        c.ping_interval = None;
        c.idle_timeout = Some(10 * SECOND);
    });
    let (server, mut peer) = against_bytes(Role::Server, &config);
    let (mut reader, _writer) = server.split();
    let glued = [
        client_frame(2, b"one"),
        client_frame(9, b"?"),
        client_frame(2, b"two"),
    ]
    .concat();
    peer.write_all(&glued).await.unwrap();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(reader.recv().await.unwrap(), Some(binary("one")));
    tokio::time::sleep(60 * SECOND).await;
    let ping = OwnedMessage::Ping(b"?"[..].to_vec().into());
    assert_eq!(reader.recv().await.unwrap(), Some(ping));
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(reader.recv().await.unwrap(), Some(binary("two")));
    let again = [client_frame(9, b"!"), client_frame(2, b"three")];
    peer.write_all(&again[0]).await.unwrap();
    let pinged = reader.recv_batch().await.unwrap().map(Iterator::count);
    assert_eq!(pinged, Some(1));
    peer.write_all(&again[1]).await.unwrap();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(reader.recv().await.unwrap(), Some(binary("three")));
    let began = Instant::now();
    let silent = reader.recv().await.unwrap_err();
    let idle = Error::Failed(Failure::Deadline(Deadline::Idle));
    assert_eq!(silent.to_string(), idle.to_string());
    assert!(began.elapsed() >= 10 * SECOND, "{:?}", began.elapsed());
}

/// The peer has accepted everything in time, and the application has not written.
#[tokio::test(start_paused = true)]
async fn a_reader_writes_before_it_checks_the_write_deadline() {
    let (a, mut peer) = duplex(64);
    let (mut reader, mut writer) = end(a, Role::Server, &write_timeout_only()).split();
    writer.send(&[0; 100]).await.unwrap();
    peer.read_exact(&mut [0; 64]).await.unwrap();
    tokio::time::sleep(60 * SECOND).await;
    peer.write_all(&client_frame(2, b"fine")).await.unwrap();
    assert_eq!(reader.recv().await.unwrap(), Some(binary("fine")));
    peer.read_exact(&mut [0; 38]).await.unwrap();
    writer.send(b"and on").await.unwrap();
}

/// A task that waits for a flush may be woken by other events than the stream's.
#[tokio::test(start_paused = true)]
async fn a_flush_that_is_polled_often_times_out_as_soon() {
    let (mut ws, mut peer) = buffering(&write_timeout_only());
    ws.feed(&[0; 1000]).await.unwrap();
    let began = Instant::now();
    let ticks = async {
        loop {
            tokio::time::sleep(3 * SECOND).await;
        }
    };
    let flushed = tokio::select! {
        flushed = ws.flush() => flushed,
        () = ticks => unreachable!("it ticks for ever"),
        // Some bytes are accepted, so that the stream wakes the task, too.
        () = async {
            peer.read_exact(&mut [0; 64]).await.unwrap();
            std::future::pending().await
        } => unreachable!("the peer waits for ever"),
    };
    let late = Error::Failed(Failure::Deadline(Deadline::Write));
    assert_eq!(flushed.unwrap_err().to_string(), late.to_string());
    let took = began.elapsed();
    assert!(took >= 10 * SECOND && took < 11 * SECOND, "{took:?}");
}

/// A dropped flush does not count against the peer, which may have accepted everything since.
#[tokio::test(start_paused = true)]
async fn a_dropped_flush_is_forgotten() {
    let (mut ws, mut peer) = buffering(&write_timeout_only());
    ws.feed(&[0; 1000]).await.unwrap();
    assert!(poll_once(ws.flush()).is_pending());
    tokio::time::sleep(60 * SECOND).await;
    let mut took = vec![0; 1004];
    let (flushed, read) = tokio::join!(ws.flush(), peer.read_exact(&mut took));
    flushed.unwrap();
    read.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_writer_of_a_failed_connection_returns_the_failure() {
    let config = config(|c| {
        c.ping_interval = None;
        c.idle_timeout = Some(10 * SECOND);
    });
    let (server, _peer) = against_bytes(Role::Server, &config);
    let (mut reader, mut writer) = server.split();
    reader.recv().await.unwrap_err();
    let returned = writer.with_outbox(|_| ()).await;
    let idle = Error::Failed(Failure::Deadline(Deadline::Idle));
    assert_eq!(returned.unwrap_err().to_string(), idle.to_string());
    let returned = writer.close(CloseCode::NORMAL, "").await;
    assert_eq!(returned.unwrap_err().to_string(), idle.to_string());
}

/// Bytes that arrive at the deadline do not extend it.
#[tokio::test(start_paused = true)]
async fn bytes_that_arrive_at_the_deadline_do_not_extend_it() {
    for closing in [false, true] {
        let config = config(|c| {
            c.ping_interval = None;
            c.close_timeout = 5 * SECOND;
            c.write_timeout = 10 * SECOND;
        });
        let (a, mut peer) = duplex(64);
        let (mut reader, mut writer) = end(a, Role::Server, &config).split();
        let deadline = if closing {
            writer.close(CloseCode::NORMAL, "").await.unwrap();
            Deadline::Close
        } else {
            writer.send(&[0; 100]).await.unwrap();
            Deadline::Write
        };
        assert!(poll_once(reader.recv()).is_pending());
        tokio::time::sleep(20 * SECOND).await;
        peer.write_all(&client_frame(2, b"more")).await.unwrap();
        assert_eq!(reader.recv().await.unwrap(), Some(binary("more")));
        let ended = tokio::time::timeout(60 * SECOND, reader.recv()).await;
        let late = Error::Failed(Failure::Deadline(deadline));
        let ended = ended.expect("an end").unwrap_err();
        assert_eq!(ended.to_string(), late.to_string());
    }
}

/// A Ping that the stream only keeps is not sent: `write_timeout` ends the wait, not the deadline
/// of its Pong.
#[tokio::test(start_paused = true)]
async fn a_ping_that_the_stream_keeps_is_not_sent() {
    let stream = KeepingStream {
        blocked: true,
        ..KeepingStream::default()
    };
    let config = config(|c| {
        c.ping_interval = Some(20 * SECOND);
        c.pong_timeout = 2 * SECOND;
        c.write_timeout = 10 * SECOND;
    });
    let mut server = end(stream, Role::Server, &config);
    let began = Instant::now();
    let ended = server.recv().await.unwrap_err();
    let late = Error::Failed(Failure::Deadline(Deadline::Write));
    assert_eq!(ended.to_string(), late.to_string());
    assert!(began.elapsed() >= 30 * SECOND, "{:?}", began.elapsed());
}

/// The failed wait of a sink is forgotten as soon as the stream accepts more.
#[tokio::test(start_paused = true)]
async fn a_sink_continues_after_a_dropped_wait() {
    use futures_util::SinkExt;

    let (mut ws, mut peer) = buffering(&write_timeout_only());
    assert!(poll_once(SinkExt::send(&mut ws, binary([0; 1000]))).is_pending());
    tokio::time::sleep(60 * SECOND).await;
    let mut took = vec![0; 1004 + 502];
    let (sent, read) = tokio::join!(
        SinkExt::send(&mut ws, binary([1; 498])),
        peer.read_exact(&mut took)
    );
    sent.unwrap();
    read.unwrap();
}

/// A batch whose messages are not taken is returned again at once. Such a loop still lets the
/// runtime run: a timer fires.
#[tokio::test]
async fn a_loop_that_takes_no_message_lets_timers_fire() {
    let timer = || {
        let (tell, fired) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tell.send(()).unwrap();
        });
        fired
    };
    // More rounds than a loop needs that lets others run.
    const ROUNDS_MAX: usize = 10_000_000;
    let (a, b) = duplex(1 << 16);
    let mut client = end(a, Role::Client, &Config::default());
    let mut server = end(b, Role::Server, &Config::default());
    client.send(b"unread").await.unwrap();
    let mut fired = timer();
    let mut rounds = 0;
    while fired.try_recv().is_err() {
        assert!(server.recv_batch().await.unwrap().is_some());
        rounds += 1;
        assert!(rounds < ROUNDS_MAX, "no timer fires");
    }
    let (mut reader, _writer) = server.split();
    let mut fired = timer();
    let mut rounds = 0;
    while fired.try_recv().is_err() {
        assert!(reader.recv_batch().await.unwrap().is_some());
        rounds += 1;
        assert!(rounds < ROUNDS_MAX, "no timer fires");
    }
    // The message is still there.
    let message = reader.recv().await.unwrap().unwrap();
    assert!(matches!(message, crate::OwnedMessage::Binary(m) if &m[..] == b"unread"));
}
