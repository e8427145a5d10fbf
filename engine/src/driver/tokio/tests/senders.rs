//! Tasks that only send: they answer the peer, and detect that it is gone.

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{CloseCode, Deadline, End, Error, Failure, SendError};

const SECOND: Duration = Duration::from_secs(1);
/// Longest time between two reads on behalf of a sender.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Sends after every `pause` until a send fails.
async fn publish(ws: &mut WebSocket<DuplexStream>, pause: Duration, sink: bool) -> Error {
    loop {
        let sent = if sink {
            SinkExt::send(ws, binary("tick")).await
        } else {
            ws.send(b"tick").await
        };
        if let Err(error) = sent {
            return error;
        }
        sleep(pause).await;
    }
}

/// The control frames that a server has sent; data frames are skipped.
fn control_frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        let (payload, next) = rest.split_at(usize::from(*len));
        if first & 8 != 0 {
            frames.push((first & 15, payload.to_vec()));
        }
        bytes = next;
    }
    frames
}

async fn drain(peer: &mut DuplexStream, got: &mut Vec<u8>) {
    let mut bytes = vec![0; 1 << 16];
    let mut buf = ReadBuf::new(&mut bytes);
    poll_fn(|cx| {
        let _ = Pin::new(&mut *peer).poll_read(cx, &mut buf);
        Poll::Ready(())
    })
    .await;
    got.extend_from_slice(buf.filled());
}

#[tokio::test(start_paused = true)]
async fn a_close_of_the_peer_ends_sends_and_is_answered() {
    for sink in [false, true] {
        let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
        let began = Instant::now();
        let closing = tokio::spawn(async move {
            sleep(SECOND).await;
            let code = 1001_u16.to_be_bytes();
            peer.write_all(&[client_frame(9, b"?"), client_frame(8, &code)].concat())
                .await
                .unwrap();
            let mut got = Vec::new();
            peer.read_to_end(&mut got).await.unwrap();
            got
        });
        let error = publish(&mut server, Duration::from_millis(7), sink).await;
        assert!(matches!(error, Error::Send(SendError::Closed)), "{error}");
        assert!(
            began.elapsed() <= SECOND + 2 * WATCH_INTERVAL,
            "{:?}",
            began.elapsed()
        );
        let code = Some(CloseCode::GOING_AWAY);
        let by_peer = true;
        assert_eq!(server.end(), Some(End::Closed { code, by_peer }));
        drop(server);
        let answers = control_frames(&closing.await.unwrap());
        let close = (8, 1001_u16.to_be_bytes().to_vec());
        assert_eq!(answers, [(10, b"?".to_vec()), close]);
    }
}

/// The stream accepts everything, and the peer is gone.
#[tokio::test(start_paused = true)]
async fn a_vanished_peer_is_detected_within_the_deadlines() {
    for idle in [false, true] {
        let (mut server, peer) = against_bytes(
            Role::Server,
            &config(|c| {
                c.ping_interval = (!idle).then_some(20 * SECOND);
                c.pong_timeout = 10 * SECOND;
                c.idle_timeout = idle.then_some(30 * SECOND);
            }),
        );
        let began = Instant::now();
        let pause = Duration::from_millis(10);
        let error = publish(&mut server, pause, false).await;
        let missed = if idle { Deadline::Idle } else { Deadline::Pong };
        assert!(
            matches!(error, Error::Failed(Failure::Deadline(d)) if d == missed),
            "{error}"
        );
        let took = began.elapsed();
        assert!(
            took >= 30 * SECOND && took <= 30 * SECOND + 3 * pause,
            "{took:?}"
        );
        assert_eq!(server.end(), Some(End::Failed(Failure::Deadline(missed))));
        drop(peer);
    }
}

/// Messages that the peer sent before it vanished are received after a send has failed, and the
/// peer gets the Close.
#[tokio::test(start_paused = true)]
async fn messages_of_a_vanished_peer_are_received() {
    for (idle, eof) in [(false, false), (true, false), (false, true)] {
        let (mut server, mut peer) = against_bytes(
            Role::Server,
            &config(|c| {
                c.ping_interval = (!idle).then_some(20 * SECOND);
                c.idle_timeout = idle.then_some(30 * SECOND);
            }),
        );
        let sent = [client_frame(2, b"one"), client_frame(2, b"two")].concat();
        peer.write_all(&sent).await.unwrap();
        if eof {
            peer.shutdown().await.unwrap();
        }
        let error = publish(&mut server, SECOND, false).await;
        let missed = if idle { Deadline::Idle } else { Deadline::Pong };
        let failure = Failure::Deadline(missed);
        assert!(matches!(error, Error::Failed(f) if f == failure), "{error}");
        for message in [b"one", b"two"] {
            assert_eq!(server.recv().await.unwrap(), Some(binary(message)));
        }
        let error = server.recv().await.unwrap_err();
        assert!(matches!(error, Error::Failed(f) if f == failure), "{error}");
        assert_eq!(server.end(), Some(End::Failed(failure)));
        let mut got = Vec::new();
        drain(&mut peer, &mut got).await;
        let last = control_frames(&got).pop().unwrap();
        assert_eq!((last.0, &last.1[..2]), (8, &1001_u16.to_be_bytes()[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_ends_sends() {
    let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    peer.write_all(&client_frame(9, b"?")).await.unwrap();
    peer.shutdown().await.unwrap();
    let began = Instant::now();
    let error = publish(&mut server, Duration::from_millis(10), false).await;
    assert!(matches!(error, Error::Failed(Failure::Eof)), "{error}");
    assert!(
        began.elapsed() <= 2 * WATCH_INTERVAL,
        "{:?}",
        began.elapsed()
    );
}

/// A day of Pings in both directions, without a receive.
#[tokio::test(start_paused = true)]
async fn pings_are_answered_in_constant_memory() {
    let (mut server, mut peer) = against_bytes(
        Role::Server,
        &config(|c| c.ping_interval = Some(20 * SECOND)),
    );
    let mut got = Vec::new();
    let (mut sent, mut ponged, mut pinged) = (0_u32, 0_u32, 0);
    for second in 0..86_400_u32 {
        sleep(SECOND).await;
        server.send(b"tick").await.unwrap();
        got.clear();
        drain(&mut peer, &mut got).await;
        for (opcode, payload) in control_frames(&got) {
            match opcode {
                9 => {
                    pinged += 1;
                    peer.write_all(&client_frame(10, &payload)).await.unwrap();
                }
                10 => {
                    assert_eq!(payload, ponged.to_be_bytes());
                    ponged += 1;
                }
                other => panic!("{other}"),
            }
        }
        if second % 15 == 0 {
            peer.write_all(&client_frame(9, &sent.to_be_bytes()))
                .await
                .unwrap();
            sent += 1;
        }
    }
    assert_eq!((sent, ponged), (5760, 5760));
    assert!(pinged >= 3600, "{pinged}");
    assert!(server.rtt().is_some());
    // The newest Pings are kept: a few hundred.
    let mut left = 0;
    while let Some(message) = once(server.recv()).await {
        assert!(matches!(
            message.unwrap().unwrap(),
            OwnedMessage::Ping(_) | OwnedMessage::Pong(_)
        ));
        left += 1;
    }
    assert!((200..600).contains(&left), "{left}");
}

/// Unreceived messages are kept, as many as the receive buffer holds; after that this end stops
/// reading.
#[tokio::test(start_paused = true)]
async fn unreceived_messages_are_kept_and_apply_backpressure() {
    let (a, peer) = duplex(1 << 10);
    let mut server = end(a, Role::Server, &config(|_| {}));
    let (mut their_read, mut their_write) = tokio::io::split(peer);
    let count = 5000_u32;
    let flood = tokio::spawn(async move {
        for i in 0..count {
            let mut payload = [0; 100];
            payload[..4].copy_from_slice(&i.to_be_bytes());
            their_write
                .write_all(&client_frame(2, &payload))
                .await
                .unwrap();
        }
        their_write
    });
    let took = tokio::spawn(async move {
        let mut got = vec![0; 6 * 600];
        their_read.read_exact(&mut got).await.unwrap();
        their_read
    });
    for _ in 0..600 {
        server.send(b"tick").await.unwrap();
        sleep(SECOND / 2).await;
    }
    assert!(!flood.is_finished(), "530,000 bytes found room");
    // For five minutes nothing is read, and the peer's silence is no failure.
    for i in 0..count {
        let message = server.recv().await.unwrap();
        let Some(OwnedMessage::Binary(data)) = message else {
            panic!("{message:?}")
        };
        assert_eq!(data[..4], i.to_be_bytes());
    }
    took.await.unwrap();
    flood.await.unwrap();
}

/// A send that waits for room also reads from the peer.
#[tokio::test(start_paused = true)]
async fn a_waiting_send_sees_a_close_and_answers_pings() {
    let (a, peer) = duplex(64);
    let mut server = end(
        a,
        Role::Server,
        &config(|c| {
            c.send_queue_bytes_max = 1024;
            c.write_timeout = 60 * SECOND;
        }),
    );
    server.send(&[0; 1000]).await.unwrap();
    let (mut their_read, mut their_write) = tokio::io::split(peer);
    let began = Instant::now();
    let closing = async {
        sleep(SECOND).await;
        their_write
            .write_all(&client_frame(9, b"now"))
            .await
            .unwrap();
        sleep(SECOND).await;
        let code = 1000_u16.to_be_bytes();
        their_write
            .write_all(&client_frame(8, &code))
            .await
            .unwrap();
    };
    let (sent, ()) = tokio::join!(server.send(&[0; 1000]), closing);
    assert!(
        matches!(sent, Err(Error::Send(SendError::Closed))),
        "{sent:?}"
    );
    assert_eq!(began.elapsed(), 2 * SECOND);
    let mut got = vec![0; 1004 + 5 + 4];
    let (flushed, read) = tokio::join!(server.flush(), their_read.read_exact(&mut got));
    flushed.unwrap();
    read.unwrap();
    assert!(got.ends_with(&server_frame(8, &1000_u16.to_be_bytes())));
    assert!(
        got.windows(5).any(|w| w == server_frame(10, b"now")),
        "no Pong was sent"
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiting_send_detects_a_vanished_peer() {
    let (a, mut peer) = duplex(64);
    let mut server = end(
        a,
        Role::Server,
        &config(|c| {
            c.ping_interval = None;
            c.idle_timeout = Some(30 * SECOND);
            c.send_queue_bytes_max = 1024;
        }),
    );
    // The pipe accepts a few bytes now and then, and the peer stays silent.
    let sip = tokio::spawn(async move {
        while peer.read_exact(&mut [0; 8]).await.is_ok() {
            sleep(SECOND).await;
        }
    });
    server.send(&[0; 1000]).await.unwrap();
    let began = Instant::now();
    let error = server.send(&[0; 1000]).await.unwrap_err();
    let idle = Failure::Deadline(Deadline::Idle);
    assert!(matches!(error, Error::Failed(f) if f == idle), "{error}");
    assert_eq!(began.elapsed(), 30 * SECOND);
    sip.abort();
}

/// `Stream` and `Sink` in two tasks under a lock, as `futures` splits them: the reads on behalf of
/// the sender do not take the receiver's wake-ups.
#[tokio::test(start_paused = true)]
async fn a_sink_in_another_task_does_not_take_the_streams_wake_ups() {
    use futures_util::StreamExt;
    for blocked in [false, true] {
        let (a, peer) = duplex(64);
        let ws = end(
            a,
            Role::Server,
            &config(|c| {
                c.ping_interval = None;
                c.send_queue_bytes_max = 1024;
                c.write_timeout = 60 * SECOND;
            }),
        );
        let (mut their_read, mut their_write) = tokio::io::split(peer);
        let stream = Arc::new(std::sync::Mutex::new(ws));
        let sink = Arc::clone(&stream);
        let receiving = tokio::spawn(poll_fn(move |cx| {
            stream.lock().unwrap().poll_next_unpin(cx)
        }));
        tokio::task::yield_now().await;
        let sending = tokio::spawn(async move {
            loop {
                let mut ready = poll_fn(|cx| sink.lock().unwrap().poll_ready_unpin(cx)).await;
                ready = ready.and(sink.lock().unwrap().start_send_unpin(binary([0; 40])));
                ready = ready.and(poll_fn(|cx| sink.lock().unwrap().poll_flush_unpin(cx)).await);
                ready.unwrap();
                sleep(Duration::from_millis(10)).await;
            }
        });
        let reading = tokio::spawn(async move {
            while !blocked && matches!(their_read.read(&mut [0; 64]).await, Ok(1..)) {}
            sleep(10 * SECOND).await;
        });
        sleep(SECOND).await;
        let began = Instant::now();
        their_write
            .write_all(&client_frame(2, b"hello"))
            .await
            .unwrap();
        let received = receiving.await.unwrap().unwrap().unwrap();
        assert_eq!(received, binary("hello"));
        assert!(began.elapsed() <= WATCH_INTERVAL, "{:?}", began.elapsed());
        sending.abort();
        reading.abort();
    }
}

/// No task drives a split connection whose reader is dropped.
#[tokio::test]
async fn a_writer_without_its_reader_fails() {
    let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    let (reader, mut writer) = server.split();
    writer.send(b"with it").await.unwrap();
    drop(reader);
    for sent in [
        writer.send(b"without").await,
        writer.feed(b"without").await,
        SinkExt::send(&mut writer, binary("without")).await,
    ] {
        assert!(matches!(sent, Err(Error::NoReader)), "{sent:?}");
    }
    // The writer can still send a Close.
    writer.close(CloseCode::GOING_AWAY, "").await.unwrap();
    let mut got = vec![0; 9 + 4];
    peer.read_exact(&mut got).await.unwrap();
    let close = server_frame(8, &1001_u16.to_be_bytes());
    assert_eq!(got, [server_frame(2, b"with it"), close].concat());

    // A reader may be dropped after the end: the writer then returns its cause.
    let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    let (mut reader, mut writer) = server.split();
    peer.write_all(&[0x82, 0]).await.unwrap();
    reader.recv().await.unwrap_err();
    drop(reader);
    let sent = writer.send(b"x").await;
    assert!(
        matches!(sent, Err(Error::Failed(Failure::Violation(_)))),
        "{sent:?}"
    );
}

/// Polls once.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(given) => Poll::Ready(Some(given)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
