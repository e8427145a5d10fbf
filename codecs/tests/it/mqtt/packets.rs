//! The examples of the standards, and faults of single packets.

use super::{CONNECT_HEADER, connect_bytes, fixtures, old_fixtures, raw, streams::run, view, wire};
use crate::common::{WIDE, mangle, poke, refuses_other_lengths, torture};
use proptest::prelude::*;
use tickwire_codecs::{
    Codec, DecodeError, Encode, EncodeError, Limits,
    mqtt::{
        Ack, Connect, Mqtt5, Mqtt5Stream, Mqtt311, Packet, Properties, Property, PropertyValue,
        Publish, Qos, Reasons, Subscription, Version, Will, id, write_filters, write_properties,
        write_subscriptions,
    },
};

#[test]
fn every_packet_comes_back_and_stands_damage() {
    for bytes in fixtures() {
        torture::<Mqtt5>(&bytes);
        refuses_other_lengths::<Mqtt5>(&bytes);
    }
    for bytes in old_fixtures() {
        torture::<Mqtt311>(&bytes);
        refuses_other_lengths::<Mqtt311>(&bytes);
    }
}

#[test]
fn examples_of_the_standard() {
    // Figure 3-6, with the flags 0xce of section 3.1.2.
    let bytes = connect_bytes();
    let Packet::Connect(connect) = view(&bytes).unwrap() else {
        panic!("not a CONNECT")
    };
    let expiry = Property {
        id: id::SESSION_EXPIRY_INTERVAL,
        value: PropertyValue::Four(10),
    };
    assert!(connect.properties.iter().eq([expiry]));
    let Some(will) = connect.will else {
        panic!("no will")
    };
    assert_eq!(
        connect,
        Connect {
            clean_start: true,
            keep_alive_s: 10,
            properties: connect.properties,
            client_id: "c",
            will: Some(Will {
                qos: Qos::AtLeastOnce,
                retain: false,
                properties: will.properties,
                topic: "w",
                payload: b"hi",
            }),
            username: Some("u"),
            password: Some(b"p"),
        }
    );
    // Section 3.3.2, figure 3-9: topic a/b, packet identifier 10, no properties.
    let bytes = raw(0x32, &[b"\x00\x03a/b\x00\x0a\x00", b"x"]);
    let Packet::Publish(publish) = view(&bytes).unwrap() else {
        panic!("not a PUBLISH")
    };
    assert_eq!(
        (publish.topic, publish.packet_id, publish.payload),
        ("a/b", Some(10), &b"x"[..])
    );
    // Section 3.8.3, figure 3-22: a/b at least once, c/d exactly once.
    let bytes = raw(0x82, &[b"\x00\x0a\x00", b"\x00\x03a/b\x01\x00\x03c/d\x02"]);
    let Packet::Subscribe { subscriptions, .. } = view(&bytes).unwrap() else {
        panic!("no SUBSCRIBE")
    };
    let read: Vec<_> = subscriptions
        .iter()
        .map(|s| (s.filter, s.options))
        .collect();
    assert_eq!(read, [("a/b", 1), ("c/d", 2)]);
    // Section 1.5.4, figure 1-2: "A" and U+2A6D4.
    let bytes = raw(0x30, &[b"\x00\x05A\xf0\xaa\x9b\x94\x00"]);
    let Packet::Publish(publish) = view(&bytes).unwrap() else {
        panic!("not a PUBLISH")
    };
    assert_eq!(publish.topic, "A\u{2a6d4}");
}

#[test]
fn lengths_take_the_bytes_of_table_1_1() {
    for (len, bytes) in [
        (0u32, &[0x00][..]),
        (127, &[0x7f]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 0x01]),
        (2_097_151, &[0xff, 0xff, 0x7f]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
        (268_435_455, &[0xff, 0xff, 0xff, 0x7f]),
    ] {
        let head = [&[0x30][..], bytes].concat();
        let error = view(&head).unwrap_err();
        let at = head.len() as u32;
        if len == 0 {
            assert_eq!(
                error,
                DecodeError::Short {
                    at: 2,
                    need: 2,
                    have: 0
                }
            );
        } else {
            assert_eq!(
                error,
                DecodeError::Short {
                    at,
                    need: len.into(),
                    have: 0
                }
            );
        }
    }
    for wrong in [
        &[0x30, 0x80, 0x80, 0x80, 0x80, 0x01][..],
        &[0xc0, 0x80, 0x00],
    ] {
        assert!(matches!(view(wrong), Err(DecodeError::Wrong { at: 1, .. })));
    }
}

/// A PUBLISH that may be written.
const PUBLISH: Publish<'_> = Publish {
    dup: false,
    qos: Qos::AtMostOnce,
    retain: false,
    topic: "t",
    packet_id: None,
    properties: Properties::EMPTY,
    payload: b"",
};

#[test]
fn no_packet_exceeds_the_largest_remaining_length() {
    let payload = vec![7; 20_000];
    let publish = Publish {
        payload: &payload,
        ..PUBLISH
    };
    let mut bytes = vec![0; Packet::Publish(publish).encoded_len()];
    assert_eq!(
        Packet::Publish(publish).encode(&mut bytes),
        Ok(1 + 3 + 4 + 20_000)
    );
    assert_eq!(view(&bytes), Ok(Packet::Publish(publish)));
    // One byte more than the largest remaining length; 3 bytes of the body are the topic, 1 the properties.
    for (len, whole) in [(268_435_455 - 4, 5 + 268_435_455), (268_435_456 - 4, 0)] {
        let payload = vec![0; len];
        let packet = Packet::Publish(Publish {
            payload: &payload,
            ..publish
        });
        assert_eq!(packet.encoded_len(), whole);
        let refused = packet.encode(&mut [0; 64]);
        match whole {
            0 => assert_eq!(
                refused,
                Err(EncodeError::Range {
                    what: "length",
                    got: 268_435_456
                })
            ),
            _ => assert!(matches!(refused, Err(EncodeError::Room { .. }))),
        }
    }
}

#[test]
fn short_forms_are_read_and_written_short() {
    // Section 3.4.2.1: reason 0 and no properties may be left off; longer forms mean the same.
    for bytes in [
        &[0x40, 3, 0, 1, 0][..],
        &[0x40, 4, 0, 1, 0, 0],
        &[0x40, 2, 0, 1],
    ] {
        mangle::<Mqtt5>(bytes);
        assert_eq!(wire(&view(bytes).unwrap()), [0x40, 2, 0, 1]);
    }
    assert_eq!(wire(&view(&[0xe0, 2, 0x81, 0]).unwrap()), [0xe0, 1, 0x81]);
    // MQTT 3.1.1, section 2.2.3, does not ask for the shortest form of a length; MQTT 5 does.
    let padded = [0x40, 0x82, 0x80, 0x00, 0, 1];
    mangle::<Mqtt311>(&padded);
    let packet = Mqtt311::view(&padded, &WIDE).unwrap();
    assert_eq!(crate::common::encode::<Mqtt311>(&packet), [0x40, 2, 0, 1]);
    assert!(matches!(
        view(&padded),
        Err(DecodeError::Wrong { at: 1, .. })
    ));
}

#[test]
fn malformed_packets_are_refused_where_they_are() {
    let publish = |first: u8, parts: &[&[u8]]| raw(first, parts);
    for (bytes, at) in [
        (vec![0x00, 0], 0),                                      // no such type
        (vec![0xc1, 0], 0),                                      // flags of PINGREQ
        (vec![0x60, 2, 0, 1], 0),                                // flags of PUBREL
        (publish(0x36, &[b"\x00\x01a\x00\x01\x00"]), 0),         // quality of service 3
        (publish(0x38, &[b"\x00\x01a\x00"]), 0),                 // DUP without an answer
        (publish(0x30, &[b"\x00\x02a+\x00"]), 5),                // wildcard in a topic
        (publish(0x30, &[b"\x00\x02a\0\x00"]), 5),               // NUL
        (publish(0x30, &[b"\x00\x00\x00"]), 2),                  // no topic, no alias
        (publish(0x32, &[b"\x00\x01a\x00\x00\x00"]), 5),         // packet identifier 0
        (publish(0x30, &[b"\x00\x01a\x03\x23\x00\x00"]), 6),     // topic alias 0
        (publish(0x30, &[b"\x00\x01a\x02\x01\x02"]), 6),         // payload format 2
        (publish(0x30, &[b"\x00\x01a\x04\x01\x01\x01\x00"]), 8), // a property twice
        (publish(0x30, &[b"\x00\x01a\x02\x17\x01"]), 6),         // a property of CONNECT
        (publish(0x30, &[b"\x00\x01a\x02\x7f\x01"]), 6),         // no such property
        (raw(0x20, &[b"\x02\x00\x00"]), 2),                      // CONNACK flags
        (raw(0x82, &[b"\x00\x01\x00\x00\x00\x00"]), 5),          // empty filter
        (raw(0x82, &[b"\x00\x01\x00\x00\x01a\x03"]), 8),         // options
        (
            raw(0x10, &[CONNECT_HEADER, b"\x00\x01c\x00\x00\x00\x00\x00"]),
            22,
        ), // a will without a topic
        (raw(0x10, &[b"\x00\x04MQTX\x05\x02\x00\x00\x00\x00\x00"]), 2),
        (raw(0x10, &[b"\x00\x04MQTT\x05\x03\x00\x00\x00\x00\x00"]), 9),
        (raw(0x10, &[b"\x00\x04MQTT\x05\x0a\x00\x00\x00\x00\x00"]), 9),
    ] {
        let error = view(&bytes).expect_err("a malformed packet");
        assert!(
            matches!(error, DecodeError::Wrong { at: found, .. } if found == at),
            "{error:?} of {bytes:02x?}"
        );
    }
    assert_eq!(
        view(b"\x30\x04\x00\x01\xff\x00"),
        Err(DecodeError::Utf8 { at: 4 })
    );
    assert_eq!(
        view(b"\xc0\x01\x00"),
        Err(DecodeError::Trailing { at: 2, extra: 1 })
    );
    // A string that runs past the packet, inside a longer buffer of properties.
    assert!(matches!(
        view(b"\x30\x06\x00\x01a\x02\x03\x09"),
        Err(DecodeError::Short { .. })
    ));
}

/// A packet that its own reader would refuse is not written.
fn refused(packet: &Packet<'_>) {
    let written = packet.encode(&mut [0; 64]);
    assert!(
        matches!(written, Err(EncodeError::Range { .. })),
        "{written:?}: {packet:?}"
    );
    assert_eq!(packet.encoded_len(), 0);
}

#[test]
fn packets_without_a_form_are_not_written() {
    let mut out = [0; 64];
    // What our own reader refuses: an id or DUP without an acknowledgement, no topic, a wildcard.
    let right = PUBLISH;
    assert!(view(&wire(&Packet::Publish(right))).is_ok());
    for wrong in [
        Publish {
            packet_id: Some(1),
            ..right
        },
        Publish { dup: true, ..right },
        Publish { topic: "", ..right },
        Publish {
            topic: "a/+",
            ..right
        },
        Publish {
            topic: "#",
            ..right
        },
    ] {
        refused(&Packet::Publish(wrong));
    }
    let ack = Ack {
        packet_id: 0,
        reason: 0,
        properties: Properties::EMPTY,
    };
    assert!(matches!(
        Packet::PubAck(ack).encode(&mut out),
        Err(EncodeError::Range { .. })
    ));
    for topic in ["", "a/+", "#"] {
        let connect = Connect {
            clean_start: true,
            keep_alive_s: 0,
            properties: Properties::EMPTY,
            client_id: "c",
            will: Some(Will {
                qos: Qos::AtMostOnce,
                retain: false,
                properties: Properties::EMPTY,
                topic,
                payload: b"",
            }),
            username: None,
            password: None,
        };
        refused(&Packet::Connect(connect));
    }
    let none = Reasons {
        packet_id: 1,
        properties: Properties::EMPTY,
        reasons: &[],
    };
    refused(&Packet::SubAck(none));
    refused(&Packet::UnsubAck(none));
}

/// Section 2.2.2.2.
#[test]
fn a_property_is_written_once_but_for_those_that_repeat() {
    let mut out = [0; 64];
    let user = Property {
        id: id::USER_PROPERTY,
        value: PropertyValue::Pair("a", "b"),
    };
    let alias = Property {
        id: id::TOPIC_ALIAS,
        value: PropertyValue::Two(1),
    };
    assert!(write_properties(&mut out, &[user, alias, user]).is_ok());
    assert_eq!(
        write_properties(&mut out, &[alias, user, alias]),
        Err(EncodeError::Range {
            what: "property given twice",
            got: id::TOPIC_ALIAS.into()
        })
    );
    let foreign = Property { id: 200, ..alias };
    assert!(write_properties(&mut out, &[foreign]).is_err());
}

#[test]
fn properties_and_filters_without_a_form_are_not_written() {
    let mut out = [0; 64];
    let wrong = Property {
        id: id::TOPIC_ALIAS,
        value: PropertyValue::Byte(1),
    };
    assert!(write_properties(&mut out, &[wrong]).is_err());
    for (id, value) in [
        (id::TOPIC_ALIAS, PropertyValue::Two(0)),
        (id::SUBSCRIPTION_IDENTIFIER, PropertyValue::Varint(0)),
        (id::MAXIMUM_PACKET_SIZE, PropertyValue::Four(0)),
        (id::PAYLOAD_FORMAT_INDICATOR, PropertyValue::Byte(2)),
        (id::RESPONSE_TOPIC, PropertyValue::Text("a/#")),
    ] {
        assert_eq!(
            write_properties(&mut out, &[Property { id, value }]),
            Err(EncodeError::Range {
                what: "value of the property",
                got: id.into()
            })
        );
    }
    assert!(write_subscriptions(&mut out, &[]).is_err());
    assert!(write_filters(&mut out, &["a\0"]).is_err());
    for (filter, options, what) in [
        ("", 0, "length of a topic filter"),
        ("a", 0x40, "subscription options"),
        ("a", 0x80, "subscription options"),
        ("a", 0x30, "subscription options"),
        ("a", 0x03, "subscription options"),
    ] {
        let right = Subscription {
            filter: "b",
            options: 0x2e,
        };
        let wrong = Subscription { filter, options };
        let got = options.into();
        assert_eq!(
            write_subscriptions(&mut out, &[right, wrong]),
            Err(EncodeError::Range { what, got })
        );
    }
    assert_eq!(
        write_filters(&mut out, &["a", ""]),
        Err(EncodeError::Range {
            what: "length of a topic filter",
            got: 0
        })
    );
    assert!(matches!(
        write_filters(&mut out[..3], &["ab"]),
        Err(EncodeError::Room { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        poke::<Mqtt5>(&bytes);
        poke::<Mqtt311>(&bytes);
        let _ = Version::of_connect(&bytes);
        let _ = run(&mut Mqtt5Stream::new(Limits::DEVICE), &[&bytes]);
    }

    #[test]
    fn any_body_never_panics(first in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..60)) {
        poke::<Mqtt5>(&raw(first, &[&body]));
        poke::<Mqtt311>(&raw(first, &[&body]));
    }
}
