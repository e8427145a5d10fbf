//! Hand-over without loss.

use tokio::io::AsyncReadExt;

use super::*;
use crate::CloseCode;

/// The bytes of the messages are cut at every position: what came before goes through one
/// owner, which takes itself apart, the rest through the next.
#[tokio::test]
async fn what_was_received_survives_at_every_byte() {
    let mut bytes = frame(2, b"one");
    bytes.extend_from_slice(&frame(9, b"ping"));
    bytes.extend_from_slice(&[0x01, 0x82, 1, 2, 3, 4, b't' ^ 1, b'e' ^ 2]); // fragments
    bytes.extend_from_slice(&[0x80, 0x82, 5, 6, 7, 8, b'x' ^ 5, b't' ^ 6]);
    bytes.extend_from_slice(&frame(2, &[9; 100]));
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
        // One poll takes all that is there.
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

/// The pipe takes `cut` bytes of what the first owner sends; the next one goes on.
#[tokio::test]
async fn what_was_not_sent_survives_at_every_byte() {
    let config = config(|_| {});
    let mut expected = bare(2, b"one");
    expected.extend_from_slice(&bare(1, b"two"));
    expected.extend_from_slice(&[0x82, 126, 7, 208]);
    expected.extend_from_slice(&[3; 2000]);
    let first_bytes = expected.len();
    expected.extend_from_slice(&bare(9, b"ping"));
    expected.extend_from_slice(&bare(2, b"next"));
    for cut in (1..40).chain([500, first_bytes - 1, first_bytes, first_bytes + 1]) {
        let (a, mut peer) = duplex(cut);
        let mut first = end(a, Role::Server, &config);
        first.send(b"one").await.unwrap();
        first.send_text("two").await.unwrap();
        first.send_bytes(vec![3; 2000].into()).await.unwrap();
        let parts = first.into_parts();
        // It has written all that fits.
        assert_eq!(parts.unsent.len(), first_bytes.saturating_sub(cut));
        let mut second = WebSocket::from_parts(parts, config.clone()).unwrap();
        second.outbox().send(b"next").unwrap();
        // A control frame overtakes messages, but not what was begun by another.
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

/// A connection that has ended ends the same way for the next owner, who writes what was left.
#[tokio::test(start_paused = true)]
async fn an_end_goes_with_the_parts() {
    use tokio::io::AsyncWriteExt as _;
    let config = config(|c| c.ping_interval = None);
    for clean in [false, true] {
        // A pipe that does not take the whole Close.
        let (a, mut peer) = duplex(if clean { 64 } else { 9 });
        let mut first = end(a, Role::Server, &config);
        if clean {
            let code = 1000_u16.to_be_bytes();
            peer.write_all(&frame(8, &code)).await.unwrap();
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
