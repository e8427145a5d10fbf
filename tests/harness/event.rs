//! What an endpoint tells its application, owned and comparable.

use tickwire::{Failure, Kind, Message, OwnedMessage, Part};

/// One entry of a transcript.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A data message, whole.
    Data(Kind, Vec<u8>),
    /// A Ping.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
    /// The peer's Close, with code and reason where it had them.
    Close(Option<(u16, String)>),
    /// The connection was failed.
    Fail(Failure),
}

impl Event {
    /// A binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self::Data(Kind::Binary, data.to_vec())
    }

    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Data(Kind::Text, text.as_bytes().to_vec())
    }
}

/// Writes down events, and puts parts together on the way.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The message whose parts are coming.
    pub open: Option<(Kind, Vec<u8>)>,
}

impl Transcript {
    /// A lent message.
    pub fn lent(&mut self, message: Result<Message<'_>, Failure>) {
        match message {
            Ok(Message::Binary(data)) => self.data(Kind::Binary, data),
            Ok(Message::Text(text)) => self.data(Kind::Text, text.as_bytes()),
            Ok(Message::Part(part)) => self.part(part),
            Ok(Message::Ping(data)) => self.events.push(Event::Ping(data.to_vec())),
            Ok(Message::Pong(data)) => self.events.push(Event::Pong(data.to_vec())),
            Ok(Message::Close(close)) => self
                .events
                .push(Event::Close(close.map(|c| (c.code.0, c.reason.to_owned())))),
            Err(failure) => self.events.push(Event::Fail(failure)),
        }
    }

    /// An owned message.
    pub fn owned(&mut self, message: Result<OwnedMessage, Failure>) {
        match message {
            Ok(OwnedMessage::Binary(data)) => self.data(Kind::Binary, &data),
            Ok(OwnedMessage::Text(text)) => self.data(Kind::Text, text.as_bytes()),
            Ok(OwnedMessage::Part {
                kind,
                data,
                first,
                last,
            }) => self.part(Part {
                kind,
                data: &data,
                first,
                last,
            }),
            Ok(OwnedMessage::Ping(data)) => self.events.push(Event::Ping(data.to_vec())),
            Ok(OwnedMessage::Pong(data)) => self.events.push(Event::Pong(data.to_vec())),
            Ok(OwnedMessage::Close(close)) => self
                .events
                .push(Event::Close(close.map(|(code, reason)| (code.0, reason)))),
            Err(failure) => self.events.push(Event::Fail(failure)),
        }
    }

    fn data(&mut self, kind: Kind, data: &[u8]) {
        assert!(self.open.is_none(), "whole message inside parts");
        self.events.push(Event::Data(kind, data.to_vec()));
    }

    fn part(&mut self, part: Part<'_>) {
        assert_eq!(
            part.first,
            self.open.is_none(),
            "first part flagged wrongly"
        );
        let (kind, mut data) = self.open.take().unwrap_or((part.kind, Vec::new()));
        assert_eq!(kind, part.kind, "kind changed inside a message");
        assert!(
            part.first || part.last || !part.data.is_empty(),
            "a part that says nothing"
        );
        data.extend_from_slice(part.data);
        if part.last {
            self.events.push(Event::Data(kind, data));
        } else {
            self.open = Some((kind, data));
        }
    }
}
