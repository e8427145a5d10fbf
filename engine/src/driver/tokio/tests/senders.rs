//! Tasks that only send: they answer the peer, and notice when it is gone.

use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{CloseCode, Deadline, End, Error, Failure, SendError};

const SECOND: Duration = Duration::from_secs(1);
/// As often as a sender looks, at the latest.
const LOOKS: Duration = Duration::from_millis(100);

/// Sends every `pause` until that fails.
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

/// What a server has sent, by opcode; data is left out.
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
            peer.write_all(&[frame(9, b"?"), frame(8, &code)].concat())
                .await
                .unwrap();
            let mut got = Vec::new();
            peer.read_to_end(&mut got).await.unwrap();
            got
        });
        let error = publish(&mut server, Duration::from_millis(7), sink).await;
        assert!(matches!(error, Error::Send(SendError::Closed)), "{error}");
        assert!(
            began.elapsed() <= SECOND + 2 * LOOKS,
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

/// The stream takes everything, and nobody is there.
#[tokio::test(start_paused = true)]
async fn a_peer_that_vanished_is_found_within_the_deadlines() {
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

/// What the peer had sent before it vanished is there after the failure of a send, and the peer is
/// told.
#[tokio::test(start_paused = true)]
async fn what_a_vanished_peer_had_sent_is_received() {
    for (idle, eof) in [(false, false), (true, false), (false, true)] {
        let (mut server, mut peer) = against_bytes(
            Role::Server,
            &config(|c| {
                c.ping_interval = (!idle).then_some(20 * SECOND);
                c.idle_timeout = idle.then_some(30 * SECOND);
            }),
        );
        let sent = [frame(2, b"one"), frame(2, b"two")].concat();
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
    peer.write_all(&frame(9, b"?")).await.unwrap();
    peer.shutdown().await.unwrap();
    let began = Instant::now();
    let error = publish(&mut server, Duration::from_millis(10), false).await;
    assert!(matches!(error, Error::Failed(Failure::Eof)), "{error}");
    assert!(began.elapsed() <= 2 * LOOKS, "{:?}", began.elapsed());
}

/// A day of Pings in both directions, which nobody receives.
#[tokio::test(start_paused = true)]
async fn pings_are_answered_and_cost_a_constant() {
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
                    peer.write_all(&frame(10, &payload)).await.unwrap();
                }
                10 => {
                    assert_eq!(payload, ponged.to_be_bytes());
                    ponged += 1;
                }
                other => panic!("{other}"),
            }
        }
        if second % 15 == 0 {
            peer.write_all(&frame(9, &sent.to_be_bytes()))
                .await
                .unwrap();
            sent += 1;
        }
    }
    assert_eq!((sent, ponged), (5760, 5760));
    assert!(pinged >= 3600, "{pinged}");
    assert!(server.rtt().is_some());
    // What was not dropped is still there: some hundreds.
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

/// Messages that nobody receives are kept, as many as the receive buffer holds; then the peer is
/// held back.
#[tokio::test(start_paused = true)]
async fn what_nobody_receives_is_kept_and_holds_the_peer_back() {
    let (a, peer) = duplex(1 << 10);
    let mut server = end(a, Role::Server, &config(|_| {}));
    let (mut their_read, mut their_write) = tokio::io::split(peer);
    let count = 5000_u32;
    let flood = tokio::spawn(async move {
        for i in 0..count {
            let mut payload = [0; 100];
            payload[..4].copy_from_slice(&i.to_be_bytes());
            their_write.write_all(&frame(2, &payload)).await.unwrap();
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
    // Five minutes, in which nobody could hear the peer: it is not held against it.
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

/// A send that waits for room sees to the peer meanwhile.
#[tokio::test(start_paused = true)]
async fn a_send_that_waits_notices_a_close_and_answers_pings() {
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
        their_write.write_all(&frame(9, b"now")).await.unwrap();
        sleep(SECOND).await;
        let code = 1000_u16.to_be_bytes();
        their_write.write_all(&frame(8, &code)).await.unwrap();
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
    assert!(got.ends_with(&bare(8, &1000_u16.to_be_bytes())));
    assert!(got.windows(5).any(|w| w == bare(10, b"now")), "its Pong");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_finds_a_vanished_peer() {
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
    // It takes a little now and then, and says nothing.
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

/// `Stream` and `Sink` in two tasks with a lock, as `futures` splits them: the looks of the one that sends do
/// not keep the other from being woken.
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
        their_write.write_all(&frame(2, b"hello")).await.unwrap();
        let received = receiving.await.unwrap().unwrap().unwrap();
        assert_eq!(received, binary("hello"));
        assert!(began.elapsed() <= LOOKS, "{:?}", began.elapsed());
        sending.abort();
        reading.abort();
    }
}

/// Nobody looks after a split connection whose reader is gone.
#[tokio::test]
async fn a_writer_without_its_reader_is_told_so() {
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
    // It can still say that it goes.
    writer.close(CloseCode::GOING_AWAY, "").await.unwrap();
    let mut got = vec![0; 9 + 4];
    peer.read_exact(&mut got).await.unwrap();
    let close = bare(8, &1001_u16.to_be_bytes());
    assert_eq!(got, [bare(2, b"with it"), close].concat());

    // One that has seen the end may go: its cause is told.
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
