//! How a connection ended: one cause, whichever call is asked, and told when it is known.

use std::string::ToString;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::*;
use crate::{CloseCode, Deadline, End, Error, Failure, SendError, Violation};

const SECOND: Duration = Duration::from_secs(1);

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    /// The peer takes no output; a send finds out.
    Stuck,
    /// The peer is gone; a send finds out.
    Broken,
    /// The peer ends the stream.
    Ended,
    /// The peer breaks a rule.
    Violated,
    /// The peer says nothing.
    Silent,
}

const ALL: [Wrong; 5] = [
    Wrong::Stuck,
    Wrong::Broken,
    Wrong::Ended,
    Wrong::Violated,
    Wrong::Silent,
];

impl Wrong {
    fn cause(self) -> Failure {
        match self {
            Self::Stuck => Failure::Deadline(Deadline::Write),
            Self::Broken => Failure::Io,
            Self::Ended => Failure::Eof,
            Self::Violated => Failure::Violation(Violation::UnmaskedFromClient),
            Self::Silent => Failure::Deadline(Deadline::Idle),
        }
    }

    /// Whether it is a send that fails first.
    fn is_of_sending(self) -> bool {
        matches!(self, Self::Stuck | Self::Broken)
    }

    /// A connection to which it has happened, and the peer, where it is not gone.
    async fn happen(self) -> (WebSocket<DuplexStream>, Option<DuplexStream>) {
        let (ours, mut peer) = duplex(64);
        let config = config(|c| {
            c.ping_interval = None;
            c.idle_timeout = Some(60 * SECOND);
            c.write_timeout = 5 * SECOND;
            c.close_timeout = 3 * SECOND;
            c.send_queue_bytes_max = 1024;
        });
        let ws = end(ours, Role::Server, &config);
        match self {
            Self::Broken | Self::Ended => return (ws, None),
            Self::Violated => peer.write_all(&[0x82, 0]).await.unwrap(),
            Self::Stuck | Self::Silent => {}
        }
        (ws, Some(peer))
    }
}

/// What a call told, and the end, are of one cause.
#[track_caller]
fn assert_cause(error: &Error, end: Option<End>, wrong: Wrong) {
    assert_eq!(end, Some(End::Failed(wrong.cause())), "{wrong:?}");
    match error {
        Error::Failed(told) => assert_eq!(*told, wrong.cause(), "{wrong:?}"),
        Error::Io(_) => assert_eq!(wrong.cause(), Failure::Io, "{error}"),
        other => panic!("{wrong:?}: {other:?}"),
    }
}

async fn first_of_whole(ws: &mut WebSocket<DuplexStream>, wrong: Wrong, way: usize) -> Error {
    if wrong.is_of_sending() {
        loop {
            if let Err(error) = ws.send(&[1; 500]).await {
                return error;
            }
        }
    }
    match way {
        0 => ws.recv().await.unwrap_err(),
        1 => loop {
            // A batch may end with the failure.
            match ws.recv_batch().await {
                Ok(batch) => batch.expect("no clean end").0.for_each(drop),
                Err(error) => break error,
            }
        },
        _ => ws.next().await.expect("an item").unwrap_err(),
    }
}

#[tokio::test(start_paused = true)]
async fn whole_connections_name_one_cause() {
    for wrong in ALL {
        for way in 0..3 {
            let (mut ws, _peer) = wrong.happen().await;
            let first = first_of_whole(&mut ws, wrong, way).await;
            // The cause that a send was told is the end when all has been received.
            let received = ws.recv().await.unwrap_err();
            assert_cause(&received, ws.end(), wrong);
            assert_eq!(first.to_string(), received.to_string(), "{wrong:?}");
            let told = [
                ws.send(b"x").await.unwrap_err(),
                ws.send(&[0; 20_000]).await.unwrap_err(),
                ws.feed(b"x").await.unwrap_err(),
                ws.send_text("x").await.unwrap_err(),
                ws.ping(b"").await.unwrap_err(),
                ws.flush().await.unwrap_err(),
                SinkExt::send(&mut ws, binary("x")).await.unwrap_err(),
                SinkExt::flush(&mut ws).await.unwrap_err(),
                ws.recv_batch().await.unwrap_err(),
                ws.recv().await.unwrap_err(),
                ws.close(CloseCode::NORMAL, "").await.unwrap_err(),
                SinkExt::close(&mut ws).await.unwrap_err(),
                ws.send(b"x").await.unwrap_err(),
                ws.recv().await.unwrap_err(),
            ];
            for (call, told) in told.iter().enumerate() {
                // Too large for the queue, however it ended.
                if !matches!(told, Error::Send(SendError::TooLarge { .. })) {
                    assert_eq!(told.to_string(), first.to_string(), "{wrong:?}, {call}");
                }
            }
            assert_cause(&first, ws.end(), wrong);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn halves_name_one_cause() {
    for wrong in ALL {
        for way in 0..2 {
            let (ws, _peer) = wrong.happen().await;
            let (mut reader, mut writer) = ws.split();
            if wrong.is_of_sending() && way == 1 {
                while writer.send(&[1; 500]).await.is_ok() {}
            } else if wrong == Wrong::Stuck {
                // The queue is left to the reader.
                writer.send(&[1; 500]).await.unwrap();
            } else if wrong == Wrong::Broken {
                writer.send(b"x").await.unwrap_err();
            }
            let first = reader.recv().await.unwrap_err();
            assert_cause(&first, reader.end(), wrong);
            let told = [
                writer.send(b"x").await.unwrap_err(),
                writer.feed(b"x").await.unwrap_err(),
                writer.with_outbox(|_| ()).await.unwrap_err(),
                writer.flush().await.unwrap_err(),
                SinkExt::send(&mut writer, binary("x")).await.unwrap_err(),
                writer.close(CloseCode::NORMAL, "").await.unwrap_err(),
                reader.recv_batch().await.unwrap_err(),
                reader.next().await.expect("an item").unwrap_err(),
                writer.send(b"x").await.unwrap_err(),
            ];
            for (call, told) in told.iter().enumerate() {
                assert_eq!(told.to_string(), first.to_string(), "{wrong:?}, {call}");
            }
            assert!(reader.next().await.is_none());
            // And in one piece again.
            let mut ws = WebSocket::<DuplexStream>::unite(reader, writer).unwrap();
            assert_cause(&ws.recv().await.unwrap_err(), ws.end(), wrong);
        }
    }
}

/// A clean end is one for both directions, also where the stream fails behind it.
#[tokio::test]
async fn a_clean_end_stays_one() {
    let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    peer.write_all(&frame(8, &1000_u16.to_be_bytes()))
        .await
        .unwrap();
    drop(peer);
    while server.recv().await.unwrap().is_some() {}
    let closed = Some(End::Closed {
        code: Some(CloseCode::NORMAL),
        by_peer: true,
    });
    assert_eq!(server.end(), closed);
    for sent in [server.send(b"x").await, server.ping(b"").await] {
        assert!(
            matches!(sent, Err(Error::Send(SendError::Closed))),
            "{sent:?}"
        );
    }
    server.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(server.end(), closed);
}

/// The Close is out, and the application need not wait for a peer that does nothing.
#[tokio::test(start_paused = true)]
async fn a_failure_is_told_at_once() {
    for wrong in [Wrong::Violated, Wrong::Silent] {
        for halves in [false, true] {
            let (ws, peer) = wrong.happen().await;
            let began = Instant::now();
            let expected = match wrong {
                Wrong::Silent => 60 * SECOND,
                _ => Duration::ZERO,
            };
            let told = if halves {
                let (mut reader, _writer) = ws.split();
                reader.recv().await.unwrap_err()
            } else {
                let mut ws = ws;
                ws.recv().await.unwrap_err()
            };
            assert_eq!(began.elapsed(), expected, "{wrong:?}");
            assert!(matches!(told, Error::Failed(f) if f == wrong.cause()));
            // The connection is dropped by now.
            let close = read_all(peer.unwrap()).await;
            let code = wrong.cause().close_code().unwrap().0;
            assert_eq!(close[0], 0x88, "{wrong:?}");
            assert_eq!(close[2..4], code.to_be_bytes(), "{wrong:?}");
        }
    }
}

/// What the peer goes on sending is read away, and the peer is waited for: by who asks for it.
#[tokio::test(start_paused = true)]
async fn the_closing_behind_a_failure_is_seen_through_by_close() {
    for answers in [false, true] {
        let (mut ws, peer) = Wrong::Violated.happen().await;
        let mut peer = peer.unwrap();
        ws.recv().await.unwrap_err();
        let began = Instant::now();
        let talk = tokio::spawn(async move {
            peer.write_all(&[0; 4096]).await.unwrap();
            tokio::time::sleep(SECOND).await;
            if answers {
                drop(peer);
            } else {
                std::future::pending::<()>().await;
            }
        });
        let closed = ws.close(CloseCode::NORMAL, "").await.unwrap_err();
        assert_cause(&closed, ws.end(), Wrong::Violated);
        let waited = if answers { SECOND } else { 3 * SECOND };
        assert_eq!(began.elapsed(), waited);
        talk.abort();
    }
}

/// A peer that floods while it is closed is left before the time is over.
#[tokio::test(start_paused = true)]
async fn what_is_read_behind_a_failure_is_bounded() {
    let (a, mut peer) = duplex(64 << 10);
    let mut ws = end(a, Role::Server, &config(|_| {}));
    peer.write_all(&[0x82, 0]).await.unwrap();
    let flood = tokio::spawn(async move {
        let mut sent = 0;
        while let Ok(n) = peer.write(&[0; 32 << 10]).await {
            sent += n;
        }
        sent
    });
    let began = Instant::now();
    ws.recv().await.unwrap_err();
    ws.close(CloseCode::NORMAL, "").await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::ZERO);
    drop(ws);
    let (sent, limit) = (
        flood.await.unwrap(),
        crate::sans_io::LINGER_BYTES_MAX as usize,
    );
    assert!((limit..limit + (256 << 10)).contains(&sent), "{sent}");
}

async fn read_all(mut peer: DuplexStream) -> Vec<u8> {
    use tokio::io::AsyncReadExt as _;
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).await.unwrap();
    bytes
}
