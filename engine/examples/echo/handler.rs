use std::io;

use tickwire::handshake::HandshakeError;
use tickwire::net::{PeerAddr, TuneReport};
use tickwire::reactor::{Cx, Handler, Opened};
use tickwire::{Kind, Message, SendError};

/// Sends every message back, on both drivers.
pub(crate) struct Echo;

/// A message that the full send queue has refused. Nothing is read until it is sent. Boxed, because
/// few connections have such a message.
#[derive(Default)]
pub(crate) struct Refused(Option<Box<(Kind, Vec<u8>)>>);

impl Handler for Echo {
    type Conn = Refused;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _cx: &mut Cx<'_>, _opened: Opened<'_>) -> Refused {
        Refused::default()
    }

    fn message(&mut self, refused: &mut Refused, cx: &mut Cx<'_>, message: Message<'_>) {
        let (kind, payload) = match message {
            Message::Binary(payload) => (Kind::Binary, payload),
            Message::Text(text) => (Kind::Text, text.as_bytes()),
            _ => return,
        };
        let sent = match message {
            Message::Text(text) => cx.outbox().send_text(text),
            _ => cx.send(payload),
        };
        if let Err(SendError::QueueFull { .. }) = sent {
            refused.0 = Some(Box::new((kind, payload.to_vec())));
            cx.pause();
        }
    }

    fn drained(&mut self, refused: &mut Refused, cx: &mut Cx<'_>) {
        if let Some(unsent) = refused.0.take() {
            let (kind, payload) = &*unsent;
            let sent = match kind {
                Kind::Binary => cx.outbox().send(payload),
                Kind::Text => cx
                    .outbox()
                    .send_text(std::str::from_utf8(payload).unwrap_or_default()),
            };
            if let Err(SendError::QueueFull { .. }) = sent {
                refused.0 = Some(unsent);
                return; // `drained` will be called again
            }
        }
        cx.resume();
    }

    fn rejected(&mut self, peer: Option<PeerAddr>, error: &HandshakeError) {
        eprintln!("echo: {peer:?}: {error}");
    }

    fn tune_refused(&mut self, _peer: Option<PeerAddr>, report: &TuneReport) {
        eprintln!("echo: {report}");
    }

    fn accept_failed(&mut self, error: io::Error) {
        eprintln!("echo: accept: {error}");
    }
}
