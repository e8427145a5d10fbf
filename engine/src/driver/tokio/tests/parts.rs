//! A connection handed over without losing a byte.

use tokio::io::AsyncReadExt;

use super::*;
use crate::CloseCode;

/// The bytes are cut at every position: one owner receives those before the cut and takes itself
/// apart, the next owner receives the rest.
#[tokio::test]
async fn received_bytes_survive_a_handover_at_every_byte() {
    let mut bytes = client_frame(2, b"one");
    bytes.extend_from_slice(&client_frame(9, b"ping"));
    bytes.extend_from_slice(&[0x01, 0x82, 1, 2, 3, 4, b't' ^ 1, b'e' ^ 2]); // fragments
    bytes.extend_from_slice(&[0x80, 0x82, 5, 6, 7, 8, b'x' ^ 5, b't' ^ 6]);
    bytes.extend_from_slice(&client_frame(2, &[9; 100]));
    let expected = [
        binary("one"),
        OwnedMessage::Ping(b"ping"[..].into()),
        OwnedMessage::Text("text".into()),
        binary([9; 100]),
    ];
    let config = config(|_| {});
    for cut in 0..=bytes.len() {
        let (mut first, mut peer) = against_bytes(Role::Server, &config);
        use tokio::io::AsyncWriteExt as _;
        peer.write_all(&bytes[..cut]).await.unwrap();
        let mut got = Vec::new();
        // One poll reads all bytes.
        while let Some(message) = once(first.recv()).await {
            got.push(message.unwrap().unwrap());
        }
        let mut second = WebSocket::from_parts(first.into_parts(), config.clone()).unwrap();
        peer.write_all(&bytes[cut..]).await.unwrap();
        while got.len() < expected.len() {
            got.push(second.recv().await.unwrap().unwrap());
        }
        assert_eq!(got, expected, "cut at {cut}");
    }
}

/// The pipe accepts `cut` bytes of the first owner; the next owner continues.
#[tokio::test]
async fn unsent_bytes_survive_a_handover_at_every_byte() {
    let config = config(|_| {});
    let mut expected = server_frame(2, b"one");
    expected.extend_from_slice(&server_frame(1, b"two"));
    expected.extend_from_slice(&[0x82, 126, 7, 208]);
    expected.extend_from_slice(&[3; 2000]);
    let first_bytes = expected.len();
    expected.extend_from_slice(&server_frame(9, b"ping"));
    expected.extend_from_slice(&server_frame(2, b"next"));
    for cut in (1..40).chain([500, first_bytes - 1, first_bytes, first_bytes + 1]) {
        let (a, mut peer) = duplex(cut);
        let mut first = end(a, Role::Server, &config);
        first.send(b"one").await.unwrap();
        first.send_text("two").await.unwrap();
        first.send_bytes(vec![3; 2000].into()).await.unwrap();
        let parts = first.into_parts();
        // The pipe is full.
        assert_eq!(parts.unsent.len(), first_bytes.saturating_sub(cut));
        let mut second = WebSocket::from_parts(parts, config.clone()).unwrap();
        second.outbox().send(b"next").unwrap();
        // A control frame overtakes messages, but not a frame that the first owner began.
        second.outbox().ping(b"ping").unwrap();
        let mut got = vec![0; expected.len()];
        let (flushed, read) = tokio::join!(second.flush(), peer.read_exact(&mut got));
        flushed.unwrap();
        read.unwrap();
        assert_eq!(got, expected, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_client_hands_over_in_the_middle_of_a_frame() {
    for cut in 1..200 {
        let config = config(|_| {});
        let (a, b) = duplex(cut);
        let mut client = end(a, Role::Client, &config);
        let mut server = end(b, Role::Server, &config);
        client.send(&[7; 150]).await.unwrap();
        let mut parts = client.into_parts();
        parts.agreed = parts.agreed.with_subprotocol("p");
        let mut client = WebSocket::from_parts(parts, config).unwrap();
        assert_eq!(
            (client.subprotocol(), client.role()),
            (Some("p"), Role::Client)
        );
        client.send(b"next").await.unwrap();
        let talk = async {
            client.flush().await.unwrap();
            client.close(CloseCode::NORMAL, "").await.unwrap();
        };
        let serve = async {
            assert_eq!(server.recv().await.unwrap(), Some(binary([7; 150])));
            assert_eq!(server.recv().await.unwrap(), Some(binary("next")));
            while server.recv().await.unwrap().is_some() {}
        };
        tokio::join!(talk, serve);
    }
}

/// The next owner of an ended connection reports the same end, and writes the unsent bytes.
#[tokio::test(start_paused = true)]
async fn parts_keep_the_end_of_the_connection() {
    use tokio::io::AsyncWriteExt as _;
    let config = config(|c| c.ping_interval = None);
    for clean in [false, true] {
        // The pipe is too small for the whole Close.
        let (a, mut peer) = duplex(if clean { 64 } else { 9 });
        let mut first = end(a, Role::Server, &config);
        if clean {
            let code = 1000_u16.to_be_bytes();
            peer.write_all(&client_frame(8, &code)).await.unwrap();
            while first.recv().await.unwrap().is_some() {}
        } else {
            peer.write_all(&[0x82, 0]).await.unwrap();
            first.recv().await.unwrap_err();
        }
        let (ended, parts) = (first.end(), first.into_parts());
        assert!(ended.is_some());
        assert_eq!(parts.end, ended);
        assert_eq!(parts.unsent.is_empty(), clean);
        let mut second = WebSocket::from_parts(parts, config.clone()).unwrap();
        assert_eq!(second.end(), ended);
        let (received, sent) = (second.recv().await, second.send(b"x").await);
        assert_eq!(received.is_ok_and(|m| m.is_none()), clean);
        assert!(sent.is_err());
        let mut got = Vec::new();
        let (closed, read) = tokio::join!(second.close(CloseCode(1001), ""), async {
            while got.last_chunk() != Some(b"frames") && !clean {
                got.push(peer.read_u8().await.unwrap());
            }
            drop(peer);
        });
        assert_eq!((closed.is_ok(), read), (clean, ()));
        assert_eq!(second.end(), ended);
        if !clean {
            assert_eq!(got[..4], [0x88, got.len() as u8 - 2, 3, 234]);
        }
    }
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
