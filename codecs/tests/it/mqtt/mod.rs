//! MQTT 5 and MQTT 3.1.1: the standards' examples and statements, every packet under damage, streams cut
//! everywhere, and a reader and a writer that agree.

mod agree;
mod packets;
mod peer;
mod reasons;
mod statements;
mod streams;
mod written;

use tickwire_codecs::{
    Codec, DecodeError,
    mqtt::{
        Ack, Mqtt5, Packet, Properties, Property, PropertyValue, Publish, Qos, Reasons,
        Subscription, id, write_filters, write_properties, write_subscriptions,
    },
};

use crate::common::WIDE;

fn wire(packet: &Packet<'_>) -> Vec<u8> {
    crate::common::encode::<Mqtt5>(packet)
}

/// A fixed header in front of `parts`.
fn raw(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    assert!(body.len() < 128, "one byte of length");
    [&[first, body.len() as u8], &body[..]].concat()
}

fn view(bytes: &[u8]) -> Result<Packet<'_>, DecodeError> {
    Mqtt5::view(bytes, &WIDE)
}

/// "MQTT Version 5.0", figure 3-6: CONNECT's variable header; the payload after it is ours.
const CONNECT_HEADER: &[u8] = b"\x00\x04MQTT\x05\xce\x00\x0a\x05\x11\x00\x00\x00\x0a";

fn connect_bytes() -> Vec<u8> {
    raw(
        0x10,
        &[
            CONNECT_HEADER,
            b"\x00\x01c",
            b"\x05\x18\x00\x00\x00\x03",
            b"\x00\x01w",
            b"\x00\x02hi",
            b"\x00\x01u",
            b"\x00\x01p",
        ],
    )
}

fn properties<'o>(out: &'o mut [u8], list: &[(u8, PropertyValue<'_>)]) -> Properties<'o> {
    let list: Vec<_> = list
        .iter()
        .map(|&(id, value)| Property { id, value })
        .collect();
    write_properties(out, &list).unwrap()
}

/// Packets with a subject of their own.
fn messages() -> Vec<Vec<u8>> {
    let (mut a, mut b, mut c) = ([0; 64], [0; 64], [0; 64]);
    let alias = [
        (id::TOPIC_ALIAS, PropertyValue::Two(7)),
        (id::SUBSCRIPTION_IDENTIFIER, PropertyValue::Varint(300)),
        (id::SUBSCRIPTION_IDENTIFIER, PropertyValue::Varint(1)),
        (id::CORRELATION_DATA, PropertyValue::Binary(b"\x00\xff")),
    ];
    let publish = Publish {
        dup: true,
        qos: Qos::ExactlyOnce,
        retain: true,
        topic: "",
        packet_id: Some(3),
        properties: properties(&mut a, &alias),
        payload: b"21.5",
    };
    let two = [("a/b", 1), ("c/d", 2)].map(|(filter, options)| Subscription { filter, options });
    let subscriptions = write_subscriptions(&mut b, &two).unwrap();
    let filters = write_filters(&mut c, &["a/+", "#"]).unwrap();
    let (packet_id, properties) = (10, Properties::EMPTY);
    vec![
        connect_bytes(),
        wire(&Packet::Publish(publish)),
        wire(&Packet::Subscribe {
            packet_id,
            properties,
            subscriptions,
        }),
        wire(&Packet::Unsubscribe {
            packet_id,
            properties,
            filters,
        }),
        wire(&Packet::PingReq),
        wire(&Packet::PingResp),
    ]
}

/// Packets that answer or end, with properties and without.
fn answers() -> Vec<Vec<u8>> {
    let (mut out, mut other) = ([0; 64], [0; 64]);
    let user = [
        (id::USER_PROPERTY, PropertyValue::Pair("a", "1")),
        (id::USER_PROPERTY, PropertyValue::Pair("a", "2")),
        (id::REASON_STRING, PropertyValue::Text("no")),
    ];
    let (some, none) = (properties(&mut out, &user), Properties::EMPTY);
    let method = [(id::AUTHENTICATION_METHOD, PropertyValue::Text("m"))];
    let method = properties(&mut other, &method);
    let ack = |reason, properties| Ack {
        packet_id: 10,
        reason,
        properties,
    };
    let reasons = Reasons {
        packet_id: 10,
        properties: some,
        reasons: &[0, 1, 0x87],
    };
    let packets = [
        Packet::ConnAck {
            session_present: true,
            reason: 0,
            properties: some,
        },
        Packet::PubAck(ack(0, none)),
        Packet::PubRec(ack(0x10, none)),
        Packet::PubRel(ack(0x92, some)),
        Packet::PubComp(ack(0, some)),
        Packet::SubAck(reasons),
        Packet::UnsubAck(Reasons {
            reasons: &[0, 0x11, 0x87],
            ..reasons
        }),
        Packet::Disconnect {
            reason: 0,
            properties: none,
        },
        Packet::Disconnect {
            reason: 0x8e,
            properties: some,
        },
        Packet::Auth {
            reason: 0x18,
            properties: method,
        },
    ];
    packets.iter().map(wire).collect()
}

/// One packet of every type, most with properties.
fn fixtures() -> Vec<Vec<u8>> {
    [messages(), answers()].concat()
}

/// Packets of every type of MQTT 3.1.1; the topics and identifiers are those of the standard's
/// examples.
fn old_fixtures() -> Vec<Vec<u8>> {
    vec![
        raw(
            0x10,
            &[
                b"\x00\x04MQTT\x04\xce\x00\x0a",
                b"\x00\x01c\x00\x01w\x00\x02hi\x00\x01u\x00\x01p",
            ],
        ),
        raw(0x10, &[b"\x00\x04MQTT\x04\x02\x00\x00", b"\x00\x00"]),
        raw(0x20, &[b"\x01\x00"]),
        raw(0x20, &[b"\x00\x05"]),
        raw(0x32, &[b"\x00\x03a/b\x00\x0a", b"x"]),
        raw(0x3d, &[b"\x00\x03a/b\x00\x0a"]),
        raw(0x40, &[b"\x00\x0a"]),
        raw(0x50, &[b"\x00\x0a"]),
        raw(0x62, &[b"\x00\x0a"]),
        raw(0x70, &[b"\x00\x0a"]),
        raw(0x82, &[b"\x00\x0a", b"\x00\x03a/b\x01\x00\x03c/d\x02"]),
        raw(0x90, &[b"\x00\x0a", b"\x00\x02\x80"]),
        raw(0xa2, &[b"\x00\x0a", b"\x00\x03a/b\x00\x03c/d"]),
        raw(0xb0, &[b"\x00\x0a"]),
        raw(0xc0, &[]),
        raw(0xd0, &[]),
        raw(0xe0, &[]),
    ]
}
