//! The end of a connection: every call returns the same cause, as soon as it is known.

use std::string::ToString;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::*;
use crate::{CloseCode, Deadline, End, Error, Failure, SendError, Violation};

const SECOND: Duration = Duration::from_secs(1);

/// A way in which the connection fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// The peer reads nothing; a send times out.
    Stuck,
    /// The peer is gone; a send fails.
    Broken,
    /// The peer ends the stream.
    Ended,
    /// The peer breaks a rule.
    Violated,
    /// The peer is silent.
    Silent,
}

const ALL: [Fault; 5] = [
    Fault::Stuck,
    Fault::Broken,
    Fault::Ended,
    Fault::Violated,
    Fault::Silent,
];

impl Fault {
    fn cause(self) -> Failure {
        match self {
            Self::Stuck => Failure::Deadline(Deadline::Write),
            Self::Broken => Failure::Io,
            Self::Ended => Failure::Eof,
            Self::Violated => Failure::Violation(Violation::UnmaskedFromClient),
            Self::Silent => Failure::Deadline(Deadline::Idle),
        }
    }

    /// Whether a send fails first.
    fn is_of_sending(self) -> bool {
        matches!(self, Self::Stuck | Self::Broken)
    }

    /// A connection with this failure, and the peer unless it is gone.
    async fn happen(self) -> (WebSocket<DuplexStream>, Option<DuplexStream>) {
        let (local, mut peer) = duplex(64);
        let config = config(|c| {
            c.ping_interval = None;
            c.idle_timeout = Some(60 * SECOND);
            c.write_timeout = 5 * SECOND;
            c.close_timeout = 3 * SECOND;
            c.send_queue_bytes_max = 1024;
        });
        let ws = end(local, Role::Server, &config);
        match self {
            Self::Broken | Self::Ended => return (ws, None),
            Self::Violated => peer.write_all(&[0x82, 0]).await.unwrap(),
            Self::Stuck | Self::Silent => {}
        }
        (ws, Some(peer))
    }
}

/// Checks that the error of a call and the end have the same cause.
#[track_caller]
fn assert_cause(error: &Error, end: Option<End>, fault: Fault) {
    assert_eq!(end, Some(End::Failed(fault.cause())), "{fault:?}");
    match error {
        Error::Failed(returned) => assert_eq!(*returned, fault.cause(), "{fault:?}"),
        Error::Io(_) => assert_eq!(fault.cause(), Failure::Io, "{error}"),
        other => panic!("{fault:?}: {other:?}"),
    }
}

async fn first_of_whole(ws: &mut WebSocket<DuplexStream>, fault: Fault, way: usize) -> Error {
    if fault.is_of_sending() {
        loop {
            if let Err(error) = ws.send(&[1; 500]).await {
                return error;
            }
        }
    }
    match way {
        0 => ws.recv().await.unwrap_err(),
        1 => loop {
            // The failure may end a batch.
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
    for fault in ALL {
        for way in 0..3 {
            let (mut ws, _peer) = fault.happen().await;
            let first = first_of_whole(&mut ws, fault, way).await;
            // The cause that a send has returned is the end, once everything has been received.
            let received = ws.recv().await.unwrap_err();
            assert_cause(&received, ws.end(), fault);
            assert_eq!(first.to_string(), received.to_string(), "{fault:?}");
            let returned = [
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
            for (call, returned) in returned.iter().enumerate() {
                // The message is too large for the queue, in every state.
                if !matches!(returned, Error::Send(SendError::TooLarge { .. })) {
                    assert_eq!(returned.to_string(), first.to_string(), "{fault:?}, {call}");
                }
            }
            assert_cause(&first, ws.end(), fault);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn halves_name_one_cause() {
    for fault in ALL {
        for way in 0..2 {
            let (ws, _peer) = fault.happen().await;
            let (mut reader, mut writer) = ws.split();
            if fault.is_of_sending() && way == 1 {
                while writer.send(&[1; 500]).await.is_ok() {}
            } else if fault == Fault::Stuck {
                // The reader writes the queue.
                writer.send(&[1; 500]).await.unwrap();
            } else if fault == Fault::Broken {
                writer.send(b"x").await.unwrap_err();
            }
            let first = reader.recv().await.unwrap_err();
            assert_cause(&first, reader.end(), fault);
            let returned = [
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
            for (call, returned) in returned.iter().enumerate() {
                assert_eq!(returned.to_string(), first.to_string(), "{fault:?}, {call}");
            }
            assert!(reader.next().await.is_none());
            // The same after the halves are united.
            let mut ws = WebSocket::<DuplexStream>::unite(reader, writer).unwrap();
            assert_cause(&ws.recv().await.unwrap_err(), ws.end(), fault);
        }
    }
}

/// A clean close is one for both directions, even if the stream fails after it.
#[tokio::test]
async fn a_clean_close_stays_one() {
    let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    peer.write_all(&client_frame(8, &1000_u16.to_be_bytes()))
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

/// The Close is written; the application need not wait for a silent peer.
#[tokio::test(start_paused = true)]
async fn a_failure_is_returned_at_once() {
    for fault in [Fault::Violated, Fault::Silent] {
        for halves in [false, true] {
            let (ws, peer) = fault.happen().await;
            let began = Instant::now();
            let expected = match fault {
                Fault::Silent => 60 * SECOND,
                _ => Duration::ZERO,
            };
            let returned = if halves {
                let (mut reader, _writer) = ws.split();
                reader.recv().await.unwrap_err()
            } else {
                let mut ws = ws;
                ws.recv().await.unwrap_err()
            };
            assert_eq!(began.elapsed(), expected, "{fault:?}");
            assert!(matches!(returned, Error::Failed(f) if f == fault.cause()));
            // The connection has been dropped.
            let close = read_all(peer.unwrap()).await;
            let code = fault.cause().close_code().unwrap().0;
            assert_eq!(close[0], 0x88, "{fault:?}");
            assert_eq!(close[2..4], code.to_be_bytes(), "{fault:?}");
        }
    }
}

/// `close` reads what the peer still sends, and waits for the peer.
#[tokio::test(start_paused = true)]
async fn close_finishes_the_closing_after_a_failure() {
    for answers in [false, true] {
        let (mut ws, peer) = Fault::Violated.happen().await;
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
        assert_cause(&closed, ws.end(), Fault::Violated);
        let waited = if answers { SECOND } else { 3 * SECOND };
        assert_eq!(began.elapsed(), waited);
        talk.abort();
    }
}

/// A peer that floods while this end closes is dropped before the deadline.
#[tokio::test(start_paused = true)]
async fn bytes_read_after_a_failure_are_bounded() {
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
