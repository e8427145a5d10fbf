//! Whole connections: messages, batches, writes, closing.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;

use super::*;
use crate::PreparedMessage;
use crate::{CloseCode, Delivery, End, Error, Failure, Flush, Kind, SendError, Violation};

#[tokio::test]
async fn messages_of_every_send_method_are_echoed() {
    let (mut client, mut server) = ends(1 << 16, |_| {});
    let large = vec![7; 300_000];
    let prepared = PreparedMessage::text("prepared");
    let talk = async {
        client.send(b"binary").await.unwrap();
        client.send_text("text").await.unwrap();
        client.send_bytes(large.clone().into()).await.unwrap();
        client.send_prepared(&prepared).await.unwrap();
        client.send_part(Kind::Binary, b"pa", false).await.unwrap();
        client.ping(b"between").await.unwrap();
        client.send_part(Kind::Binary, b"rts", true).await.unwrap();
        client.send(&large).await.unwrap();
        client.feed(b"").await.unwrap();
        let mut got = Vec::new();
        while got.len() < 7 {
            match client.recv().await.unwrap().unwrap() {
                OwnedMessage::Pong(data) => assert_eq!(data, b"between"[..]),
                message => got.push(message),
            }
        }
        client.close(CloseCode::NORMAL, "done").await.unwrap();
        got
    };
    let (got, served) = join!(talk, echo(&mut server));
    served.unwrap();
    let text = |t: &str| OwnedMessage::Text(t.into());
    let expected = [
        binary("binary"),
        text("text"),
        binary(&large),
        text("prepared"),
        binary("parts"),
        binary(&large),
        binary(""),
    ];
    assert_eq!(got, expected);
    let closed = |by_peer| {
        let code = Some(CloseCode::NORMAL);
        Some(End::Closed { code, by_peer })
    };
    assert_eq!((client.end(), server.end()), (closed(false), closed(true)));
    let stats = server.stats();
    assert_eq!((stats.messages_in, stats.messages_out), (7, 7));
    // A clean close stays one.
    assert!(server.recv().await.unwrap().is_none());
    assert!(server.recv_batch().await.unwrap().is_none());
    let late = server.send(b"late").await;
    assert!(matches!(late, Err(Error::Send(SendError::Closed))));
}

#[tokio::test]
async fn a_batch_dropped_early_continues_at_the_next_call() {
    let (mut client, mut server) = ends(1 << 16, |_| {});
    for i in 0..10_u8 {
        client.feed(&[i]).await.unwrap();
    }
    client.flush().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 10 {
        let (mut messages, _) = server.recv_batch().await.unwrap().unwrap();
        if let Some(Message::Binary(data)) = messages.next() {
            got.extend_from_slice(data);
        }
    }
    assert_eq!(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn a_batch_of_answers_takes_one_write() {
    let (a, b) = duplex(1 << 20);
    let config = config(|_| {});
    let mut client = end(a, Role::Client, &config);
    let (b, writes) = Counted::new(b);
    let mut server = end(b, Role::Server, &config);

    for _ in 0..1000 {
        client.feed(b"small").await.unwrap();
    }
    client.flush().await.unwrap();
    client.outbox().close(CloseCode::NORMAL, "").unwrap();
    client.flush().await.unwrap();
    echo(&mut server).await.unwrap();
    // One write for all answers, one for the Close.
    assert_eq!(writes.load(Ordering::SeqCst), 1);
    assert_eq!(server.stats().messages_out, 1000);
}

#[tokio::test]
async fn sends_follow_the_flush_policy() {
    for (flush, expected) in [
        (Flush::Now, [1, 2, 3]),
        (Flush::EndOfBatch, [1, 2, 3]),
        (Flush::Bytes(20), [0, 1, 1]),
    ] {
        let (a, _b) = duplex(1 << 20);
        let (a, writes) = Counted::new(a);
        let mut server = end(a, Role::Server, &config(|c| c.flush = flush));
        for expected in expected {
            server.send(b"8 bytes.").await.unwrap();
            assert_eq!(writes.load(Ordering::SeqCst), expected, "{flush:?}");
        }
        server.feed(b"").await.unwrap();
        assert_eq!(writes.load(Ordering::SeqCst), expected[2], "{flush:?}");
        server.flush().await.unwrap();
        assert_eq!(writes.load(Ordering::SeqCst), expected[2] + 1, "{flush:?}");
    }
}

/// An echo over a pipe of 64 bytes, whose client sends far more than the send queue holds before it
/// reads: the server stops reading, and never finds its queue full.
#[tokio::test]
async fn a_full_queue_applies_backpressure() {
    let (client, mut server) = ends(64, |c| c.send_queue_bytes_max = 300 * 1024);
    let (mut reader, mut writer) = client.split();
    let message = vec![1; 1000];
    let sending = async {
        for _ in 0..2000 {
            writer.send(&message).await.unwrap();
        }
        writer.close(CloseCode::NORMAL, "").await.unwrap();
    };
    let receiving = async {
        let mut count = 0;
        while let Some(messages) = reader.recv_batch().await.unwrap() {
            count += messages.filter(|m| m.data().is_some()).count();
        }
        count
    };
    let (_, count, served) = join!(sending, receiving, echo(&mut server));
    served.unwrap();
    assert_eq!(count, 2000);
}

#[tokio::test]
async fn a_violation_is_closed_before_it_is_returned() {
    let bad = [0x82, 0x00]; // not masked
    for batches in [false, true] {
        let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
        let mut sent = client_frame(2, b"good");
        sent.extend_from_slice(&bad);
        sent.extend_from_slice(&client_frame(2, b"never"));
        peer.write_all(&sent).await.unwrap();
        let watch = async {
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).await.unwrap();
            drop(peer);
            answer
        };
        let serve = async {
            let mut got = Vec::new();
            let error = loop {
                if batches {
                    match server.recv_batch().await {
                        Ok(Some((messages, _))) => got.extend(messages.map(OwnedMessage::from)),
                        Ok(None) => panic!("not a clean end"),
                        Err(e) => break e,
                    }
                } else {
                    match server.recv().await {
                        Ok(Some(message)) => got.push(message),
                        Ok(None) => panic!("not a clean end"),
                        Err(e) => break e,
                    }
                }
            };
            assert_eq!(got, [binary("good")]);
            error
        };
        let (answer, error) = join!(watch, serve);
        assert_eq!(answer[..2], [0x88, answer.len() as u8 - 2]);
        assert_eq!(answer[2..4], 1002_u16.to_be_bytes());
        let failure = Failure::Violation(Violation::UnmaskedFromClient);
        assert!(matches!(error, Error::Failed(f) if f == failure), "{error}");
        // The failure is permanent.
        for _ in 0..2 {
            assert!(matches!(server.recv().await, Err(Error::Failed(f)) if f == failure));
            let sent = server.send(b"x").await;
            assert!(matches!(sent, Err(Error::Failed(f)) if f == failure));
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_is_a_failure() {
    for sent in [&[][..], &[0x82], &client_frame(2, b"whole")] {
        let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
        peer.write_all(sent).await.unwrap();
        drop(peer);
        if sent.len() > 2 {
            assert_eq!(server.recv().await.unwrap(), Some(binary("whole")));
        }
        for _ in 0..2 {
            let error = server.recv().await.unwrap_err();
            assert!(!error.to_string().is_empty());
            match error {
                Error::Failed(Failure::Eof) => {}
                Error::Io(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The peer's Close is in the receive buffer when a write of this end fails: that is a clean close.
#[tokio::test]
async fn a_failed_write_does_not_hide_a_close() {
    let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    let mut sent = client_frame(2, b"last words");
    sent.extend_from_slice(&client_frame(8, &1001_u16.to_be_bytes()));
    peer.write_all(&sent).await.unwrap();
    drop(peer);
    assert!(matches!(server.send(b"x").await, Err(Error::Io(_))));
    assert_eq!(server.recv().await.unwrap(), Some(binary("last words")));
    let close = server.recv().await.unwrap();
    assert_eq!(
        close,
        Some(OwnedMessage::Close(Some((
            CloseCode::GOING_AWAY,
            String::new()
        ))))
    );
    assert_eq!(server.recv().await.unwrap(), None);
}

/// The peer is gone while this end closes: messages received before are delivered.
#[tokio::test]
async fn messages_before_the_end_are_delivered() {
    for batches in [false, true] {
        let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
        for i in 0..9 {
            peer.write_all(&client_frame(2, &[i])).await.unwrap();
        }
        peer.shutdown().await.unwrap();
        let mut got = vec![server.recv().await.unwrap().unwrap()];
        server.outbox().close(CloseCode::NORMAL, "").unwrap();
        while got.len() < 9 {
            if batches {
                let (mut messages, _) = server.recv_batch().await.unwrap().unwrap();
                got.extend(messages.next().map(OwnedMessage::from));
            } else {
                got.push(server.recv().await.unwrap().unwrap());
            }
        }
        assert_eq!(got, (0..9_u8).map(|i| binary([i])).collect::<Vec<_>>());
        assert!(matches!(
            server.recv().await,
            Err(Error::Failed(Failure::Eof))
        ));
    }
}

#[tokio::test]
async fn parts_are_delivered_as_they_arrive() {
    let (mut client, server) = ends(100, |c| c.delivery = Delivery::Parts);
    let data: Vec<u8> = (0..10_000_u32).map(|i| i as u8).collect();
    let collect = async move {
        let (mut server, mut got, mut last) = (server, Vec::new(), false);
        while !last {
            let (messages, _) = server.recv_batch().await.unwrap().unwrap();
            for message in messages {
                if let Message::Part(part) = message {
                    got.extend_from_slice(part.data);
                    last = part.last;
                }
            }
        }
        got
    };
    let send = async {
        client.send(&data).await.unwrap();
        client.flush().await.unwrap();
    };
    let (got, ()) = join!(collect, send);
    assert_eq!(got, data);
}

#[tokio::test]
async fn stream_and_sink() {
    let (mut client, mut server) = ends(1 << 12, |_| {});
    let talk = async {
        let message = |i: u32| binary(i.to_be_bytes());
        for i in 0..1000 {
            SinkExt::feed(&mut client, message(i)).await.unwrap();
        }
        SinkExt::flush(&mut client).await.unwrap();
        for i in 0..1000 {
            assert_eq!(client.next().await.unwrap().unwrap(), message(i));
        }
        SinkExt::close(&mut client).await.unwrap();
        assert!(client.next().await.is_none());
    };
    join!(talk, async { echo(&mut server).await.unwrap() });

    // A failure is the last item of the stream.
    let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    peer.write_all(&[0x82, 0]).await.unwrap();
    let mut peer = Box::pin(async move {
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.unwrap();
    });
    let items = async {
        assert!(matches!(server.next().await, Some(Err(Error::Failed(_)))));
        assert!(server.next().await.is_none());
        assert!(server.next().await.is_none());
    };
    join!(&mut peer, items);
}

#[tokio::test]
async fn invalid_calls_are_refused_and_send_nothing() {
    let (mut client, mut server) = ends(1 << 16, |c| c.send_queue_bytes_max = 1024);
    let too_large = client.send(&[0; 2000]).await;
    assert!(matches!(
        too_large,
        Err(Error::Send(SendError::TooLarge { .. }))
    ));
    let long = client.ping(&[0; 126]).await;
    assert!(matches!(
        long,
        Err(Error::Send(SendError::ControlTooLong { .. }))
    ));
    let code = client.close(CloseCode(1005), "").await;
    assert!(matches!(
        code,
        Err(Error::Send(SendError::InvalidCloseCode(1005)))
    ));
    client.send(b"fine").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(binary("fine")));
}

/// Bytes that a buffering stream has taken from the caller's slice are flushed, too.
#[tokio::test]
async fn a_large_message_is_flushed_from_a_buffering_stream() {
    let config = config(|_| {});
    let (a, b) = duplex(1 << 20);
    let a = tokio::io::BufWriter::with_capacity(1 << 18, a);
    let (mut server, mut client) = (end(a, Role::Server, &config), end(b, Role::Client, &config));
    let large = vec![7; 100_000];
    server.send(&large).await.unwrap();
    let got = tokio::time::timeout(Duration::from_secs(10), client.recv()).await;
    assert_eq!(got.expect("a message").unwrap(), Some(binary(&large)));
}
