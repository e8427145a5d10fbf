//! What messages are made of, and what they give back.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use harness::drive::{Driven, Mode, config};
use harness::event::Event;
use tickwire::{BinaryPayload, Delivery, Kind, Message, OwnedMessage, Role, Utf8Bytes};

/// What the peer gets of one send.
fn sent(payload: impl BinaryPayload) -> Vec<Event> {
    let mut d = Driven::new(Role::Server, &config(Delivery::Whole), Mode::PLAIN);
    assert_eq!(d.session().outbox().send(payload), Ok(()));
    d.turn();
    d.sent().events.clone()
}

#[test]
fn whatever_is_bytes_is_sent_as_a_binary_message() {
    struct Order([u8; 3]);
    impl AsRef<[u8]> for Order {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl BinaryPayload for Order {}

    let (array, mut vec) = (*b"abc", b"abc".to_vec());
    let (shared, own) = (Bytes::from_static(b"abc"), BytesMut::from(&b"abc"[..]));
    let all = [
        sent(b"abc"),
        sent(array),
        sent(&array[..]),
        sent([97, 98, 99]),
        sent(&mut vec),
        sent(&vec),
        sent(&vec),
        sent(vec.clone()),
        sent(vec.into_boxed_slice()),
        sent(&shared),
        sent(shared),
        sent(&own),
        sent(own),
        sent(Arc::<[u8]>::from(&array[..])),
        sent(Rc::<[u8]>::from(&array[..])),
        sent(Cow::Borrowed(&array[..])),
        sent(Order(array)),
        sent(Order(array)),
    ];
    for (at, events) in all.iter().enumerate() {
        assert_eq!(*events, [Event::binary(b"abc")], "payload {at}");
    }
}

#[test]
fn text_becomes_a_text_message_and_bytes_a_binary_one() {
    let texts: [OwnedMessage; 4] = [
        "κόσμε".into(),
        String::from("κόσμε").into(),
        Utf8Bytes::from("κόσμε").into(),
        Message::Text("κόσμε").into(),
    ];
    for text in texts {
        assert_eq!(text, OwnedMessage::Text(Utf8Bytes::from_static("κόσμε")));
    }
    let binaries: [OwnedMessage; 6] = [
        b"bytes".into(),
        b"bytes".as_slice().into(),
        b"bytes".to_vec().into(),
        Bytes::from_static(b"bytes").into(),
        BytesMut::from(&b"bytes"[..]).into(),
        Message::Binary(b"bytes").into(),
    ];
    for binary in binaries {
        assert_eq!(binary, OwnedMessage::Binary(Bytes::from_static(b"bytes")));
    }
}

#[test]
fn what_is_owned_is_taken_over_without_a_copy() {
    let (text, bytes) = (String::from("text"), vec![1, 2, 3]);
    let (text_at, bytes_at) = (text.as_ptr(), bytes.as_ptr());
    let text = OwnedMessage::from(text).into_text().expect("text");
    assert_eq!(text.into_bytes().as_ptr(), text_at);
    let bytes = OwnedMessage::from(bytes).into_bytes().expect("data");
    assert_eq!(bytes.as_ptr(), bytes_at);
}

#[test]
fn a_message_gives_its_payload_and_a_control_frame_none() {
    let part = |kind| OwnedMessage::Part {
        kind,
        data: Bytes::from_static(b"part"),
        first: true,
        last: false,
    };
    let data = [
        (OwnedMessage::from("text"), "text"),
        (OwnedMessage::from(b"binary"), "binary"),
        (part(Kind::Text), "part"),
        (part(Kind::Binary), "part"),
    ];
    for (message, payload) in data {
        assert_eq!(message.data(), Some(payload.as_bytes()));
        assert_eq!(message.into_bytes(), Ok(Bytes::from(payload)));
    }
    let control = [
        OwnedMessage::Ping(Bytes::from_static(b"ping")),
        OwnedMessage::Pong(Bytes::from_static(b"pong")),
        OwnedMessage::Close(None),
    ];
    for message in control {
        assert_eq!((message.data(), message.as_text()), (None, None));
        assert_eq!(message.clone().into_bytes(), Err(message.clone()));
        assert_eq!(message.clone().into_text(), Err(message));
    }
}

#[test]
fn only_a_text_message_is_text() {
    let text = OwnedMessage::from("text");
    assert_eq!(text.as_text(), Some("text"));
    assert_eq!(text.into_text(), Ok(Utf8Bytes::from("text")));
    assert_eq!(Message::Text("text").as_text(), Some("text"));
    let binary = OwnedMessage::from(b"text");
    assert_eq!(binary.as_text(), None);
    assert_eq!(binary.clone().into_text(), Err(binary));
    assert_eq!(Message::Binary(b"text").as_text(), None);
}

#[test]
fn shared_text_is_made_of_text_and_of_bytes_that_are_checked() {
    let text = Utf8Bytes::from(String::from("κόσμε"));
    assert_eq!(text, "κόσμε");
    assert_eq!(text, *"κόσμε");
    assert_eq!(AsRef::<str>::as_ref(&text), "κόσμε");
    let bytes = Bytes::from(text.clone());
    assert_eq!(Utf8Bytes::try_from(bytes), Ok(text));
    assert!(Utf8Bytes::try_from(Bytes::from_static(b"\xff")).is_err());
}
