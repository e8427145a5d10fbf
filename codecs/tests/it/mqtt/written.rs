//! The writer's side of the tables of statements: for each row a value that breaks the rule, and the same
//! value mended.

use tickwire_codecs::{
    EncodeError,
    mqtt::{
        Ack, Connect, Packet, Properties, Property, PropertyValue, Publish, Qos, Reasons,
        Subscription, Version, Will, id, write_properties,
    },
};

type Written = Result<usize, EncodeError>;
/// The row, and a function that writes the invalid value (`true`) or the valid one.
pub(super) type Case = (&'static str, fn(bool) -> Written);

pub(super) fn cases(version: Version) -> impl Iterator<Item = Case> {
    let all: &[&[Case]] = match version {
        Version::V5 => &[TEXT5, REASONS5, PROPERTIES5, FIELDS5, TOPICS5],
        Version::V311 => &[V311],
    };
    all.iter().copied().flatten().copied()
}

fn write(version: Version, packet: &Packet<'_>) -> Written {
    packet.write(version, &mut [0; 128])
}

const NONE: Properties<'_> = Properties::EMPTY;

fn publish(version: Version, change: impl Fn(&mut Publish<'_>)) -> Written {
    let mut publish = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: "a",
        packet_id: None,
        properties: NONE,
        payload: b"",
    };
    change(&mut publish);
    write(version, &Packet::Publish(publish))
}

fn topic(version: Version, topic: &str) -> Written {
    let publish = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        properties: NONE,
        payload: b"",
    };
    write(version, &Packet::Publish(publish))
}

fn numbered(version: Version, qos: Qos, packet_id: Option<u16>) -> Written {
    publish(version, |publish| {
        publish.qos = qos;
        publish.packet_id = packet_id;
    })
}

const CONNECT: Connect<'_> = Connect {
    clean_start: true,
    keep_alive_s: 60,
    properties: NONE,
    client_id: "c",
    will: None,
    username: None,
    password: None,
};

fn will(version: Version, properties: Properties<'_>, topic: &str) -> Written {
    let will = Will {
        qos: Qos::AtMostOnce,
        retain: false,
        properties,
        topic,
        payload: b"m",
    };
    let connect = Connect {
        will: Some(will),
        ..CONNECT
    };
    write(version, &Packet::Connect(connect))
}

fn subscribe(version: Version, packet_id: u16, filter: &str, options: u8) -> Written {
    let mut out = [0; 64];
    let list = [Subscription { filter, options }];
    let subscriptions = version.write_subscriptions(&mut out, &list)?;
    let packet = Packet::Subscribe {
        packet_id,
        properties: NONE,
        subscriptions,
    };
    write(version, &packet)
}

fn unsubscribe(version: Version, filter: &str) -> Written {
    let mut out = [0; 64];
    let packet = Packet::Unsubscribe {
        packet_id: 1,
        properties: NONE,
        filters: version.write_filters(&mut out, &[filter])?,
    };
    write(version, &packet)
}

fn filter(version: Version, filter: &str) -> Written {
    subscribe(version, 1, filter, 0)
}

fn conn_ack(version: Version, session_present: bool, reason: u8) -> Written {
    let packet = Packet::ConnAck {
        session_present,
        reason,
        properties: NONE,
    };
    write(version, &packet)
}

fn ack(packet_id: u16, reason: u8) -> Ack<'static> {
    Ack {
        packet_id,
        reason,
        properties: NONE,
    }
}

fn reasons(packet_id: u16, reasons: &[u8]) -> Reasons<'_> {
    Reasons {
        packet_id,
        properties: NONE,
        reasons,
    }
}

fn disconnect(version: Version, reason: u8) -> Written {
    let packet = Packet::Disconnect {
        reason,
        properties: NONE,
    };
    write(version, &packet)
}

/// Properties of the MQTT 5 packet that `with` makes of them.
fn with(
    list: &[(u8, PropertyValue<'_>)],
    packet: impl for<'a> Fn(Properties<'a>) -> Packet<'a>,
) -> Written {
    let list: Vec<_> = list
        .iter()
        .map(|&(id, value)| Property { id, value })
        .collect();
    let mut out = [0; 64];
    write(Version::V5, &packet(write_properties(&mut out, &list)?))
}

fn publish_with(list: &[(u8, PropertyValue<'_>)]) -> Written {
    with(list, |properties| {
        Packet::Publish(Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: false,
            topic: "a",
            packet_id: None,
            properties,
            payload: b"",
        })
    })
}

fn connect_with(list: &[(u8, PropertyValue<'_>)]) -> Written {
    with(list, |properties| {
        Packet::Connect(Connect {
            properties,
            ..CONNECT
        })
    })
}

fn conn_ack_with(list: &[(u8, PropertyValue<'_>)]) -> Written {
    with(list, |properties| Packet::ConnAck {
        session_present: false,
        reason: 0,
        properties,
    })
}

fn subscribe_with(list: &[(u8, PropertyValue<'_>)]) -> Written {
    let mut out = [0; 64];
    let one = [Subscription {
        filter: "a",
        options: 0,
    }];
    let subscriptions = Version::V5.write_subscriptions(&mut out, &one)?;
    let list: Vec<_> = list
        .iter()
        .map(|&(id, value)| Property { id, value })
        .collect();
    let mut out = [0; 64];
    let packet = Packet::Subscribe {
        packet_id: 1,
        properties: write_properties(&mut out, &list)?,
        subscriptions,
    };
    write(Version::V5, &packet)
}

fn auth(reason: u8, has_method: bool) -> Written {
    let method = [(id::AUTHENTICATION_METHOD, PropertyValue::Text("m"))];
    let list = if has_method { &method[..] } else { &[] };
    with(list, |properties| Packet::Auth { reason, properties })
}

/// `wrong` where the wrong value is asked for.
fn pick<T>(bad: bool, wrong: T, right: T) -> T {
    if bad { wrong } else { right }
}

use PropertyValue::{Binary, Byte, Four, Text, Two, Varint};
use Version::{V5, V311 as OLD};

const TEXT5: &[Case] = &[
    ("1.5.4-2", |bad| topic(V5, pick(bad, "a\0b", "a0b"))),
    ("4.7.3-2", |bad| filter(V5, pick(bad, "\0", "0"))),
    ("4.7.3-3", |bad| long_topic(V5, bad)),
];

fn long_topic(version: Version, bad: bool) -> Written {
    let name = "a".repeat(65_535 + usize::from(bad));
    let publish = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: &name,
        packet_id: None,
        properties: NONE,
        payload: b"",
    };
    Packet::Publish(publish).write(version, &mut [0; 65_600])
}

const REASONS5: &[Case] = &[
    ("3.2.2-6", |bad| conn_ack(V5, bad, 0x80)),
    ("3.2.2-8", |bad| conn_ack(V5, false, pick(bad, 1, 0x81))),
    ("3.4.2-1", |bad| {
        write(V5, &Packet::PubAck(ack(1, pick(bad, 0x92, 0x10))))
    }),
    ("3.5.2-1", |bad| {
        write(V5, &Packet::PubRec(ack(1, pick(bad, 0x92, 0x10))))
    }),
    ("3.6.2-1", |bad| {
        write(V5, &Packet::PubRel(ack(1, pick(bad, 0x10, 0x92))))
    }),
    ("3.7.2-1", |bad| {
        write(V5, &Packet::PubComp(ack(1, pick(bad, 0x10, 0x92))))
    }),
    ("3.8.4-7", |bad| {
        write(V5, &Packet::SubAck(reasons(1, &[pick(bad, 3, 2)])))
    }),
    ("3.9.3-2", |bad| {
        write(V5, &Packet::SubAck(reasons(1, &[0, pick(bad, 0x11, 0x80)])))
    }),
    ("sec 3.9.3", |bad| {
        write(V5, &Packet::SubAck(reasons(1, pick(bad, &[], &[0]))))
    }),
    ("3.11.3-2", |bad| {
        write(V5, &Packet::UnsubAck(reasons(1, &[0, pick(bad, 1, 0x11)])))
    }),
    ("sec 3.11.3", |bad| {
        write(V5, &Packet::UnsubAck(reasons(1, pick(bad, &[], &[0]))))
    }),
    ("3.14.2-1", |bad| disconnect(V5, pick(bad, 1, 4))),
    ("3.15.2-1", |bad| auth(pick(bad, 1, 0x19), true)),
    ("4.12.0-5", |bad| auth(0x18, !bad)),
    ("sec 3.15.2.1", |bad| auth(0, !bad)),
];

const PROPERTIES5: &[Case] = &[
    ("3.3.2-8", |bad| {
        publish_with(&[(id::TOPIC_ALIAS, Two(pick(bad, 0, 1)))])
    }),
    ("3.3.2-14", |bad| {
        publish_with(&[(id::RESPONSE_TOPIC, Text(pick(bad, "#", "b")))])
    }),
    ("sec 3.3.2.3.5", |bad| {
        publish_with(&[(id::RESPONSE_TOPIC, Text(pick(bad, "", "b")))])
    }),
    ("sec 2.2.2.2 none", |bad| {
        publish_with(&[(pick(bad, 0x7f, 1), Byte(1))])
    }),
    ("sec 2.2.2.2 other", |bad| {
        publish_with(&[(pick(bad, id::REQUEST_PROBLEM_INFORMATION, 1), Byte(1))])
    }),
    ("sec 2.2.2.2 twice", |bad| {
        publish_with(&[(1, Byte(1)); 2][..pick(bad, 2, 1)])
    }),
    ("sec 3.1.2.11.3", |bad| {
        connect_with(&[(id::RECEIVE_MAXIMUM, Two(pick(bad, 0, 1)))])
    }),
    ("sec 3.1.2.11.4", |bad| {
        connect_with(&[(id::MAXIMUM_PACKET_SIZE, Four(pick(bad, 0, 1)))])
    }),
    ("sec 3.1.2.11.6", |bad| {
        connect_with(&[(id::REQUEST_RESPONSE_INFORMATION, Byte(pick(bad, 2, 1)))])
    }),
    ("sec 3.1.2.11.7", |bad| {
        connect_with(&[(id::REQUEST_PROBLEM_INFORMATION, Byte(pick(bad, 2, 1)))])
    }),
    ("sec 3.1.2.11.10", |bad| connect_with(authentication(bad))),
    ("sec 3.1.3.2", |bad| {
        let delay = (id::WILL_DELAY_INTERVAL, Four(1));
        if bad {
            return connect_with(&[delay]);
        }
        with(&[delay], |properties| {
            Packet::Connect(Connect {
                will: Some(Will {
                    qos: Qos::AtMostOnce,
                    retain: false,
                    properties,
                    topic: "w",
                    payload: b"m",
                }),
                ..CONNECT
            })
        })
    }),
    ("sec 3.1.3.2.3", |bad| {
        let mut out = [0; 8];
        let list = [Property {
            id: id::PAYLOAD_FORMAT_INDICATOR,
            value: Byte(pick(bad, 2, 1)),
        }];
        will(V5, write_properties(&mut out, &list)?, "w")
    }),
    ("sec 3.2.2.3.3", |bad| {
        conn_ack_with(&[(id::RECEIVE_MAXIMUM, Two(pick(bad, 0, 1)))])
    }),
    ("sec 3.2.2.3.4", |bad| flag(id::MAXIMUM_QOS, bad)),
    ("sec 3.2.2.3.5", |bad| flag(id::RETAIN_AVAILABLE, bad)),
    ("sec 3.2.2.3.6", |bad| {
        conn_ack_with(&[(id::MAXIMUM_PACKET_SIZE, Four(pick(bad, 0, 1)))])
    }),
    ("sec 3.2.2.3.11", |bad| {
        flag(id::WILDCARD_SUBSCRIPTION_AVAILABLE, bad)
    }),
    ("sec 3.2.2.3.12", |bad| {
        flag(id::SUBSCRIPTION_IDENTIFIER_AVAILABLE, bad)
    }),
    ("sec 3.2.2.3.13", |bad| {
        flag(id::SHARED_SUBSCRIPTION_AVAILABLE, bad)
    }),
    ("sec 3.2.2.3.18", |bad| conn_ack_with(authentication(bad))),
    ("sec 3.3.2.3.2", |bad| {
        publish_with(&[(id::PAYLOAD_FORMAT_INDICATOR, Byte(pick(bad, 2, 1)))])
    }),
    ("sec 3.3.2.3.8", |bad| {
        publish_with(&[(id::SUBSCRIPTION_IDENTIFIER, Varint(pick(bad, 0, 1)))])
    }),
    ("sec 3.8.2.1.2 zero", |bad| {
        subscribe_with(&[(id::SUBSCRIPTION_IDENTIFIER, Varint(pick(bad, 0, 1)))])
    }),
    ("sec 3.8.2.1.2 twice", |bad| {
        subscribe_with(&[(id::SUBSCRIPTION_IDENTIFIER, Varint(1)); 2][..pick(bad, 2, 1)])
    }),
];

fn flag(id: u8, bad: bool) -> Written {
    conn_ack_with(&[(id, Byte(pick(bad, 2, 1)))])
}

fn authentication(bad: bool) -> &'static [(u8, PropertyValue<'static>)] {
    const BOTH: &[(u8, PropertyValue<'_>)] = &[
        (id::AUTHENTICATION_METHOD, Text("m")),
        (id::AUTHENTICATION_DATA, Binary(b"ab")),
    ];
    pick(bad, &BOTH[1..], BOTH)
}

const FIELDS5: &[Case] = &[
    ("2.2.1-2", |bad| {
        numbered(V5, Qos::AtMostOnce, pick(bad, Some(1), None))
    }),
    ("2.2.1-3", |bad| {
        numbered(V5, Qos::AtLeastOnce, pick(bad, None, Some(1)))
    }),
    ("2.2.1-4", |bad| {
        numbered(V5, Qos::ExactlyOnce, Some(pick(bad, 0, 1)))
    }),
    ("sec 2.2.1", |bad| {
        write(V5, &Packet::PubAck(ack(pick(bad, 0, 1), 0)))
    }),
    ("sec 2.2.1 sub", |bad| {
        subscribe(V5, pick(bad, 0, 1), "a", 0)
    }),
    ("sec 2.2.1 suback", |bad| {
        write(V5, &Packet::SubAck(reasons(pick(bad, 0, 1), &[0])))
    }),
    ("3.3.1-2", |bad| publish(V5, |publish| publish.dup = bad)),
    ("4.3.1-1", |bad| {
        publish(V5, |publish| {
            publish.dup = bad;
            publish.retain = true;
        })
    }),
    ("3.8.3-4", |bad| {
        subscribe(V5, 1, "$share/g/x", pick(bad, 4, 8))
    }),
    ("3.8.3-5", |bad| {
        subscribe(V5, 1, "a", pick(bad, 0x40, 0x20))
    }),
    ("sec 3.8.3.1 qos", |bad| {
        subscribe(V5, 1, "a", pick(bad, 3, 2))
    }),
    ("sec 3.8.3.1 retain", |bad| {
        subscribe(V5, 1, "a", pick(bad, 0x30, 0x20))
    }),
];

const TOPICS5: &[Case] = &[
    ("3.3.2-2", |bad| topic(V5, pick(bad, "a+", "ab"))),
    ("4.7.0-1", |bad| topic(V5, pick(bad, "#", "b"))),
    ("sec 3.3.2.1", |bad| topic(V5, pick(bad, "", "a"))),
    ("sec 3.1.3.3 empty", |bad| {
        will(V5, NONE, pick(bad, "", "w"))
    }),
    ("sec 3.1.3.3 wild", |bad| {
        will(V5, NONE, pick(bad, "+", "w"))
    }),
    ("3.8.3-2", |bad| {
        let one = [Subscription {
            filter: "a",
            options: 0,
        }];
        V5.write_subscriptions(&mut [0; 8], &one[usize::from(bad)..])
            .map(|_| 0)
    }),
    ("3.10.3-2", |bad| {
        V5.write_filters(&mut [0; 8], &["a"][usize::from(bad)..])
            .map(|_| 0)
    }),
    ("4.7.1-1", |bad| filter(V5, pick(bad, "a#", "a/#"))),
    ("4.7.1-2", |bad| filter(V5, pick(bad, "a+", "a/+"))),
    ("4.7.3-1", |bad| filter(V5, pick(bad, "", "a"))),
    ("4.8.2-1", |bad| {
        filter(V5, pick(bad, "$share//x", "$share/g/x"))
    }),
    ("4.8.2-2", |bad| {
        filter(V5, pick(bad, "$share/g", "$share/g/x"))
    }),
    ("sec 3.10.3", |bad| {
        unsubscribe(V5, pick(bad, "$share/g/a#", "$share/g/a/#"))
    }),
    ("sec 4.7.1 #", |bad| filter(V5, pick(bad, "#/a", "+/a"))),
    ("sec 4.7.1 +", |bad| filter(V5, pick(bad, "+a/b", "+/a/b"))),
    ("sec 4.8.2 wild", |bad| {
        filter(V5, pick(bad, "$share/a+/x", "$share/a/+"))
    }),
    ("sec 4.8.2 empty", |bad| {
        filter(V5, pick(bad, "$share/g/", "$share/g//"))
    }),
];

const V311: &[Case] = &[
    ("1.5.3-2", |bad| topic(OLD, pick(bad, "a\0b", "a0b"))),
    ("2.3.1-1", |bad| subscribe(OLD, pick(bad, 0, 1), "a", 0)),
    ("2.3.1-4", |bad| {
        numbered(OLD, Qos::AtLeastOnce, Some(pick(bad, 0, 1)))
    }),
    ("2.3.1-5", |bad| {
        numbered(OLD, Qos::AtMostOnce, pick(bad, Some(1), None))
    }),
    ("3.1.2-22", |bad| {
        let connect = Connect {
            username: pick(bad, None, Some("u")),
            password: Some(b"p"),
            ..CONNECT
        };
        write(OLD, &Packet::Connect(connect))
    }),
    ("3.1.3-7", |bad| {
        let connect = Connect {
            clean_start: !bad,
            client_id: "",
            ..CONNECT
        };
        write(OLD, &Packet::Connect(connect))
    }),
    ("3.2.2-4", |bad| conn_ack(OLD, bad, 5)),
    ("3.2.2-6", |bad| conn_ack(OLD, false, pick(bad, 6, 5))),
    ("3.3.1-2", |bad| publish(OLD, |publish| publish.dup = bad)),
    ("4.3.1-1", |bad| {
        publish(OLD, |publish| {
            publish.dup = bad;
            publish.retain = true;
        })
    }),
    ("3.3.2-2", |bad| topic(OLD, pick(bad, "a+", "ab"))),
    ("3.8.3-3", |bad| {
        let one = [Subscription {
            filter: "a",
            options: 0,
        }];
        OLD.write_subscriptions(&mut [0; 8], &one[usize::from(bad)..])
            .map(|_| 0)
    }),
    ("3.8.3-4", |bad| subscribe(OLD, 1, "a", pick(bad, 4, 2))),
    ("sec 3.8.3 qos", |bad| {
        subscribe(OLD, 1, "a", pick(bad, 3, 1))
    }),
    ("3.9.3-2", |bad| {
        write(OLD, &Packet::SubAck(reasons(1, &[0, pick(bad, 3, 0x80)])))
    }),
    ("3.10.3-2", |bad| {
        OLD.write_filters(&mut [0; 8], &["a"][usize::from(bad)..])
            .map(|_| 0)
    }),
    ("4.7.1-1", |bad| topic(OLD, pick(bad, "#", "b"))),
    ("4.7.1-2", |bad| filter(OLD, pick(bad, "a#", "a/#"))),
    ("4.7.1-3", |bad| filter(OLD, pick(bad, "a+", "a/+"))),
    ("4.7.3-1", |bad| filter(OLD, pick(bad, "", "a"))),
    ("4.7.3-2", |bad| filter(OLD, pick(bad, "\0", "0"))),
    ("4.7.3-3", |bad| long_topic(OLD, bad)),
    ("sec 2.2.1", |bad| {
        let auth = Packet::Auth {
            reason: 0,
            properties: NONE,
        };
        write(OLD, &pick(bad, auth, Packet::PingReq))
    }),
    ("sec 3.1.3.2", |bad| will(OLD, NONE, pick(bad, "", "w"))),
    ("sec 3.3.2.1", |bad| topic(OLD, pick(bad, "", "a"))),
    ("sec 3.4.2", |bad| {
        write(OLD, &Packet::PubAck(ack(1, pick(bad, 0x10, 0))))
    }),
    ("sec 3.7.2", |bad| {
        write(OLD, &Packet::PubComp(ack(pick(bad, 0, 1), 0)))
    }),
    ("sec 3.9.3", |bad| {
        write(OLD, &Packet::SubAck(reasons(1, pick(bad, &[], &[0]))))
    }),
    ("sec 3.11.3", |bad| {
        write(OLD, &Packet::UnsubAck(reasons(1, pick(bad, &[0], &[]))))
    }),
    ("sec 3.14", |bad| disconnect(OLD, pick(bad, 4, 0))),
    ("sec 4.7.1 #", |bad| {
        unsubscribe(OLD, pick(bad, "#/a", "+/a"))
    }),
];
