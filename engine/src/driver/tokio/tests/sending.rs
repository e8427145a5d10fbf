//! Every send method, to the byte: halves, sinks, and a stream that accepts nothing.

use futures_util::{Sink, SinkExt, StreamExt};
use tokio::io::AsyncReadExt;

use super::*;
use crate::{CloseCode, Error, Kind, PreparedMessage};

#[tokio::test]
async fn messages_of_every_send_method_of_a_writer_are_echoed() {
    let (client, mut server) = ends(1 << 16, |_| {});
    let (reader, mut writer) = client.split();
    let serving = tokio::spawn(async move { echo(&mut server).await });
    let reading = tokio::spawn(reader.map(Result::unwrap).collect::<Vec<_>>());
    let large = vec![7; 300_000];
    writer.send_bytes(large.clone().into()).await.unwrap();
    let prepared = PreparedMessage::text("prepared");
    writer.send_prepared(&prepared).await.unwrap();
    writer.send_part(Kind::Binary, b"pa", false).await.unwrap();
    writer.send_part(Kind::Binary, b"rts", true).await.unwrap();
    writer.send_owned("owned").await.unwrap();
    writer.send_owned(vec![9; 300_000]).await.unwrap();
    let both = |out: &mut crate::Outbox| out.send(b"1").is_ok() && out.send(b"2").is_ok();
    assert!(writer.with_outbox(both).await.unwrap());
    writer.close(CloseCode::NORMAL, "").await.unwrap();
    serving.await.unwrap().unwrap();
    let mut got = reading.await.unwrap();
    assert!(matches!(got.pop(), Some(OwnedMessage::Close(_))));
    let text = OwnedMessage::Text("prepared".into());
    let expected = [
        binary(&large),
        text,
        binary("parts"),
        "owned".into(),
        vec![9; 300_000].into(),
        binary("1"),
        binary("2"),
    ];
    assert_eq!(got, expected);
}

/// The same calls on a connection and on its writer send the same bytes.
#[tokio::test]
async fn a_connection_and_its_writer_send_the_same() {
    macro_rules! send_all {
        ($to:expr) => {{
            $to.feed(b"fed").await.unwrap();
            $to.send_text("text").await.unwrap();
            $to.send_owned(OwnedMessage::Ping("ping".into()))
                .await
                .unwrap();
            $to.pong(b"pong").await.unwrap();
            $to.send_owned(OwnedMessage::Close(None)).await.unwrap();
            let refused = $to.send_owned("after").await;
            assert!(
                matches!(refused, Err(Error::Send(crate::SendError::Closed))),
                "{refused:?}"
            );
            $to.flush().await.unwrap();
        }};
    }
    let expected = [
        server_frame(2, b"fed"),
        server_frame(1, b"text"),
        server_frame(9, b"ping"),
        server_frame(10, b"pong"),
        server_frame(8, &1000_u16.to_be_bytes()),
    ]
    .concat();
    let (mut ws, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    send_all!(ws);
    let mut got = vec![0; expected.len()];
    peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got, expected);
    let (ws, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    let (_reader, mut writer) = ws.split();
    send_all!(writer);
    peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got, expected);
}

fn part(data: &'static [u8], first: bool, last: bool) -> OwnedMessage {
    let (kind, data) = (Kind::Binary, data.into());
    OwnedMessage::Part {
        kind,
        data,
        first,
        last,
    }
}

/// Sends a message of every kind, and compares the messages that the peer receives.
async fn one_of_each(
    mut sink: impl Sink<OwnedMessage, Error = Error> + Unpin,
    mut peer: DuplexStream,
    close: OwnedMessage,
) {
    let mut expected = server_frame(1, b"text");
    expected.extend(server_frame(2, b"binary"));
    expected.extend([0x02, 2, b'p', b'a']);
    expected.extend([0x80, 3, b'r', b't', b's']);
    expected.extend(server_frame(9, b"ping"));
    expected.extend(server_frame(10, b"pong"));
    expected.extend(server_frame(8, &1000_u16.to_be_bytes()));
    for message in [
        OwnedMessage::Text("text".into()),
        binary("binary"),
        part(b"pa", true, false),
        part(b"rts", false, true),
        OwnedMessage::Ping(b"ping"[..].into()),
        OwnedMessage::Pong(b"pong"[..].into()),
        close,
    ] {
        sink.send(message).await.unwrap();
    }
    let mut got = vec![0; expected.len()];
    peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got, expected);
}

/// A Close without a code is sent with code 1000.
#[tokio::test]
async fn a_sink_sends_every_kind_of_message() {
    let normal = Some((CloseCode::NORMAL, "".into()));
    for close in [None, normal].map(OwnedMessage::Close) {
        let (server, peer) = against_bytes(Role::Server, &config(|_| {}));
        one_of_each(server, peer, close.clone()).await;
        let (server, peer) = against_bytes(Role::Server, &config(|_| {}));
        let (_reader, writer) = server.split();
        one_of_each(writer, peer, close).await;
    }
}

/// An invalid call loses no message of valid ones.
#[tokio::test]
async fn a_sink_refuses_a_message_without_poll_ready() {
    let (server, mut peer) = against_bytes(Role::Server, &config(|_| {}));
    let (_reader, mut writer) = server.split();
    let mut sink = Pin::new(&mut writer);
    sink.as_mut().start_send(binary("one")).unwrap();
    let refused = sink.as_mut().start_send(binary("two"));
    assert!(
        matches!(&refused, Err(Error::Io(e)) if e.to_string().contains("poll_ready")),
        "{refused:?}"
    );
    sink.send(binary("three")).await.unwrap();
    let expected = [server_frame(2, b"one"), server_frame(2, b"three")].concat();
    let mut got = vec![0; expected.len()];
    peer.read_exact(&mut got).await.unwrap();
    assert_eq!(got, expected);
}

/// A stream that is writable and accepts no byte.
#[derive(Debug)]
struct Stopped;

impl AsyncRead for Stopped {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Stopped {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Without an error, the stream would be polled endlessly.
#[tokio::test]
async fn a_stream_that_accepts_no_byte_is_an_error() {
    let mut server = end(Stopped, Role::Server, &config(|_| {}));
    let sent = server.send(b"x").await;
    let zero = std::io::ErrorKind::WriteZero;
    assert!(
        matches!(&sent, Err(Error::Io(e)) if e.kind() == zero),
        "{sent:?}"
    );
}
