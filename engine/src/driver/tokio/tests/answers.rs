//! Answers to Pings and Closes are written before the application gets the messages that they
//! answer.

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A way of receiving messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Recv,
    Batch,
    Stream,
    ReaderRecv,
    ReaderBatch,
    ReaderStream,
}

const WAYS: [Way; 6] = [
    Way::Recv,
    Way::Batch,
    Way::Stream,
    Way::ReaderRecv,
    Way::ReaderBatch,
    Way::ReaderStream,
];

/// Receives until `last` has been seen, then drops the connection without another call.
async fn receive_until(
    ws: WebSocket<DuplexStream>,
    way: Way,
    last: impl Fn(&OwnedMessage) -> bool,
    mut seen: impl FnMut(&OwnedMessage),
) {
    let mut look = |message: &OwnedMessage| {
        seen(message);
        last(message)
    };
    let (mut ws, mut halves) = match way {
        Way::Recv | Way::Batch | Way::Stream => (Some(ws), None),
        _ => (None, Some(ws.split())),
    };
    loop {
        let messages: Vec<OwnedMessage> = match (&mut ws, &mut halves) {
            (Some(ws), _) => match way {
                Way::Batch => {
                    let (messages, _) = ws.recv_batch().await.unwrap().unwrap();
                    if messages.map(OwnedMessage::from).any(|m| look(&m)) {
                        return;
                    }
                    continue;
                }
                Way::Stream => vec![ws.next().await.unwrap().unwrap()],
                _ => vec![ws.recv().await.unwrap().unwrap()],
            },
            (None, Some((reader, _))) => match way {
                Way::ReaderBatch => {
                    let messages = reader.recv_batch().await.unwrap().unwrap();
                    if messages.map(OwnedMessage::from).any(|m| look(&m)) {
                        return;
                    }
                    continue;
                }
                Way::ReaderStream => vec![reader.next().await.unwrap().unwrap()],
                _ => vec![reader.recv().await.unwrap().unwrap()],
            },
            (None, None) => unreachable!("one of them"),
        };
        if messages.iter().any(&mut look) {
            return;
        }
    }
}

/// The bytes that the peer can read now.
fn readable(peer: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let mut buf = ReadBuf::new(&mut bytes);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let _ = Pin::new(peer).poll_read(&mut cx, &mut buf);
    let n = buf.filled().len();
    bytes.truncate(n);
    bytes
}

#[tokio::test]
async fn a_close_is_answered_before_it_is_delivered() {
    let code = 1001_u16.to_be_bytes();
    for way in WAYS {
        for before in [
            None,
            Some(client_frame(2, b"last")),
            Some(client_frame(9, b"?")),
        ] {
            let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
            let pong = match &before {
                Some(bytes) if bytes[0] == 0x89 => server_frame(10, b"?"),
                _ => vec![],
            };
            let sent = [before.unwrap_or_default(), client_frame(8, &code)].concat();
            peer.write_all(&sent).await.unwrap();
            let is_close = |m: &OwnedMessage| matches!(m, OwnedMessage::Close(_));
            receive_until(server, way, is_close, |_| {}).await;
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, [pong, server_frame(8, &code)].concat(), "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_ping_is_answered_before_it_is_delivered() {
    for way in WAYS {
        for before in [vec![], client_frame(2, b"data")] {
            let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
            peer.write_all(&[before, client_frame(9, b"?")].concat())
                .await
                .unwrap();
            let mut answer = None;
            receive_until(
                server,
                way,
                |m| matches!(m, OwnedMessage::Ping(_)),
                |m| {
                    if matches!(m, OwnedMessage::Ping(_)) {
                        answer = Some(readable(&mut peer));
                    }
                },
            )
            .await;
            assert_eq!(answer, Some(server_frame(10, b"?")), "{way:?}");
        }
    }
}

/// The application's answers to messages before a Close are accepted, and sent before the Close.
#[tokio::test]
async fn answers_to_messages_before_a_close_are_sent_before_it() {
    let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    let code = 1000_u16.to_be_bytes();
    let sent = [
        client_frame(2, b"one"),
        client_frame(2, b"two"),
        client_frame(8, &code),
    ]
    .concat();
    peer.write_all(&sent).await.unwrap();
    echo(&mut server).await.unwrap();
    let mut got = Vec::new();
    peer.read_to_end(&mut got).await.unwrap();
    let expected = [
        server_frame(2, b"one"),
        server_frame(2, b"two"),
        server_frame(8, &code),
    ]
    .concat();
    assert_eq!(got, expected);
}

/// Pings between messages: all Pongs take one write, not one each.
#[tokio::test]
async fn pings_between_messages_are_answered_together() {
    let (a, mut peer) = duplex(1 << 20);
    let (a, writes) = Counted::new(a);
    let mut server = end(a, Role::Server, &config(|_| {}));
    let mut sent = Vec::new();
    for i in 0..1000_u16 {
        sent.extend(client_frame(2, b"data"));
        sent.extend(client_frame(9, &i.to_be_bytes()));
    }
    peer.write_all(&sent).await.unwrap();
    let (mut data, mut pings) = (0, 0);
    while pings < 1000 {
        let (messages, outbox) = server.recv_batch().await.unwrap().unwrap();
        for message in messages {
            match message {
                Message::Binary(bytes) => {
                    data += 1;
                    outbox.send(bytes).unwrap();
                }
                Message::Ping(_) => pings += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!((data, pings), (1000, 1000));
    assert_eq!(
        writes.load(Ordering::SeqCst),
        1,
        "with the answer to the first message"
    );
    server.flush().await.unwrap();
    assert_eq!(writes.load(Ordering::SeqCst), 2);
    // Sixteen Pongs, the last one for the newest Ping.
    let got = readable(&mut peer);
    let newest = server_frame(10, &999_u16.to_be_bytes());
    assert_eq!(got.windows(4).filter(|w| *w == newest).count(), 1);
}

/// Without `auto_pong` the application answers Pings, and the engine does not.
#[tokio::test]
async fn without_auto_pong_the_application_answers_pings() {
    let (mut server, mut peer) = against_bytes(Role::Server, &config(|c| c.auto_pong = false));
    let code = 1000_u16.to_be_bytes();
    peer.write_all(&[client_frame(9, b"?"), client_frame(8, &code)].concat())
        .await
        .unwrap();
    let (messages, outbox) = server.recv_batch().await.unwrap().unwrap();
    for message in messages {
        match message {
            Message::Ping(payload) => outbox.pong(payload).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(readable(&mut peer), b"");
    while server.recv().await.unwrap().is_some() {}
    let mut got = Vec::new();
    drop(server);
    peer.read_to_end(&mut got).await.unwrap();
    assert_eq!(
        got,
        [server_frame(10, b"?"), server_frame(8, &code)].concat()
    );
}

/// A Close that breaks a rule is a failure, and is not echoed.
#[tokio::test]
async fn a_close_that_breaks_a_rule_is_not_echoed() {
    for way in [Way::Recv, Way::Batch] {
        let (mut server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
        peer.write_all(
            &[
                client_frame(2, b"good"),
                client_frame(8, &999_u16.to_be_bytes()),
            ]
            .concat(),
        )
        .await
        .unwrap();
        let mut got = Vec::new();
        loop {
            match way {
                Way::Batch => match server.recv_batch().await {
                    Ok(batch) => got.extend(batch.unwrap().0.map(OwnedMessage::from)),
                    Err(_) => break,
                },
                _ => match server.recv().await {
                    Ok(message) => got.extend(message),
                    Err(_) => break,
                },
            }
        }
        assert_eq!(got, [binary("good")]);
        drop(server);
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer[0], 0x88);
        assert_eq!(answer[2..4], 1002_u16.to_be_bytes());
    }
}
