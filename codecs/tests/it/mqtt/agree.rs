//! The reader and the writer agree: packets that a seeded generator makes of legal and illegal parts are
//! written by a writer of these tests that checks nothing, and by the real one; what the real one
//! writes is what the reader takes.

use crate::common::WIDE;
use std::collections::BTreeMap;
use tickwire_codecs::{
    EncodeError,
    mqtt::{
        Ack, Connect, Packet, Properties, Property, PropertyValue, Publish, Qos, Reasons,
        Subscription, Version, Will, id, write_properties,
    },
};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    fn flag(&mut self) -> bool {
        self.number() & 1 == 1
    }

    /// The first, most often: it is the legal one.
    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        let index = if self.below(4) > 0 {
            0
        } else {
            self.below(all.len())
        };
        all[index]
    }

    fn packet_id(&mut self) -> u16 {
        self.pick(&[1, 0xffff, 0])
    }

    fn topic(&mut self) -> &'static str {
        self.pick(&["a/b", "$SYS", "", "a/+", "#", "a\0", "/", "é"])
    }

    fn filter(&mut self) -> &'static str {
        const FILTERS: &[&str] = &[
            "a/b",
            "#",
            "+",
            "a/+/#",
            "$share/g/#",
            "$share",
            "",
            "a#",
            "#/a",
            "+a",
            "a+/b",
            "\0",
            "$share/",
            "$share/g",
            "$share/g/",
            "$share//a",
            "$share/+/a",
            "$share/g/a#",
        ];
        self.pick(FILTERS)
    }

    fn reason(&mut self) -> u8 {
        let any = self.number() as u8;
        self.pick(&[
            0, any, 0x80, 1, 2, 4, 5, 0x10, 0x11, 0x18, 0x19, 0x87, 0x92, 0x97, 0x9d,
        ])
    }

    fn property(&mut self) -> Property<'static> {
        let identifier = 1 + self.below(0x2b) as u8;
        let value = match identifier {
            0x13 | 0x21..=0x23 => PropertyValue::Two(self.pick(&[1, 0])),
            0x02 | 0x11 | 0x18 | 0x27 => PropertyValue::Four(self.pick(&[1, 0])),
            0x0b => PropertyValue::Varint(self.pick(&[300, 0])),
            0x03 | 0x08 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f => PropertyValue::Text(self.topic()),
            0x09 | 0x16 => PropertyValue::Binary(b"\x00\xff"),
            0x26 => PropertyValue::Pair("k", self.topic()),
            _ => PropertyValue::Byte(self.pick(&[1, 0, 2])),
        };
        let id = identifier;
        Property { id, value }
    }

    /// Up to three; one that the packet may have is drawn from `liked`, more often than any.
    fn properties(&mut self, version: Version, liked: &[Property<'static>]) -> List {
        if version == Version::V311 || liked.is_empty() {
            return Vec::new();
        }
        let count = self.below(4);
        let draw = |_| match self.below(4) {
            0 => self.property(),
            _ => liked[self.below(liked.len())],
        };
        (0..count).map(draw).collect()
    }
}

type List = Vec<Property<'static>>;

const USER: Property<'_> = Property {
    id: id::USER_PROPERTY,
    value: PropertyValue::Pair("a", "b"),
};
const METHOD: Property<'_> = Property {
    id: id::AUTHENTICATION_METHOD,
    value: PropertyValue::Text("m"),
};
const DATA: Property<'_> = Property {
    id: id::AUTHENTICATION_DATA,
    value: PropertyValue::Binary(b"d"),
};
const ALIAS: Property<'_> = Property {
    id: id::TOPIC_ALIAS,
    value: PropertyValue::Two(1),
};
const IDENTIFIER: Property<'_> = Property {
    id: id::SUBSCRIPTION_IDENTIFIER,
    value: PropertyValue::Varint(1),
};
const DELAY: Property<'_> = Property {
    id: id::WILL_DELAY_INTERVAL,
    value: PropertyValue::Four(1),
};

/// A packet in parts, which nothing has checked.
#[derive(Clone, Debug)]
struct Model {
    kind: u8,
    flag: bool,
    other_flag: bool,
    qos: u8,
    packet_id: u16,
    text: &'static str,
    properties: List,
    will: Option<(List, &'static str)>,
    username: Option<&'static str>,
    password: bool,
    reason: u8,
    filters: Vec<(&'static str, u8)>,
    reasons: Vec<u8>,
}

fn model(random: &mut Random, version: Version) -> Model {
    let kind = 1 + random.below(15) as u8;
    let liked: &[Property<'_>] = match kind {
        1 | 2 | 15 => &[METHOD, DATA, USER],
        3 => &[ALIAS, IDENTIFIER, USER],
        8 => &[IDENTIFIER, USER],
        12 | 13 => &[],
        _ => &[USER],
    };
    let count = random.below(3);
    Model {
        kind,
        flag: random.pick(&[false, true]),
        other_flag: random.flag(),
        qos: random.below(3) as u8,
        packet_id: random.packet_id(),
        text: random.topic(),
        properties: random.properties(version, liked),
        will: random
            .flag()
            .then(|| (random.properties(version, &[DELAY, USER]), random.topic())),
        username: random.flag().then(|| random.topic()),
        password: random.flag(),
        reason: random.reason(),
        filters: (0..1 + count)
            .map(|_| {
                (
                    random.filter(),
                    random.pick(&[1, 0, 2, 3, 4, 0x2c, 0x30, 0x40]),
                )
            })
            .collect(),
        reasons: (0..count).map(|_| random.reason()).collect(),
    }
}

/// Writes every value without a check.
struct Unchecked(Vec<u8>);

impl Unchecked {
    fn text(&mut self, text: &[u8]) {
        self.0.extend((text.len() as u16).to_be_bytes());
        self.0.extend(text);
    }

    fn varint(&mut self, value: u32) {
        match value {
            0..0x80 => self.0.push(value as u8),
            _ => self.0.extend([value as u8 | 0x80, (value >> 7) as u8]),
        }
    }

    fn properties(&mut self, version: Version, list: &[Property<'_>]) {
        if version == Version::V311 {
            return;
        }
        let mut inside = Self(Vec::new());
        for property in list {
            inside.0.push(property.id);
            match property.value {
                PropertyValue::Byte(value) => inside.0.push(value),
                PropertyValue::Two(value) => inside.0.extend(value.to_be_bytes()),
                PropertyValue::Four(value) => inside.0.extend(value.to_be_bytes()),
                PropertyValue::Varint(value) => inside.varint(value),
                PropertyValue::Text(value) => inside.text(value.as_bytes()),
                PropertyValue::Binary(value) => inside.text(value),
                PropertyValue::Pair(name, value) => {
                    inside.text(name.as_bytes());
                    inside.text(value.as_bytes());
                }
            }
        }
        self.varint(inside.0.len() as u32);
        self.0.extend(inside.0);
    }

    fn connect(&mut self, m: &Model, version: Version) {
        self.text(b"MQTT");
        let mut flags = u8::from(m.flag) << 1;
        if m.will.is_some() {
            flags |= 0x04 | m.qos << 3 | u8::from(m.other_flag) << 5;
        }
        flags |= u8::from(m.username.is_some()) << 7 | u8::from(m.password) << 6;
        self.0.extend([version.level(), flags, 0, 60]);
        self.properties(version, &m.properties);
        self.text(m.text.as_bytes());
        if let Some((properties, topic)) = &m.will {
            self.properties(version, properties);
            self.text(topic.as_bytes());
            self.text(b"m");
        }
        if let Some(name) = m.username {
            self.text(name.as_bytes());
        }
        if m.password {
            self.text(b"p");
        }
    }

    fn packet(m: &Model, version: Version) -> Vec<u8> {
        let mut out = Self(Vec::new());
        match m.kind {
            1 => out.connect(m, version),
            2 => {
                out.0.extend([u8::from(m.flag), m.reason]);
                out.properties(version, &m.properties);
            }
            3 => {
                out.text(m.text.as_bytes());
                if m.qos > 0 {
                    out.0.extend(m.packet_id.to_be_bytes());
                }
                out.properties(version, &m.properties);
                out.0.extend(b"payload");
            }
            4..=7 => {
                out.0.extend(m.packet_id.to_be_bytes());
                out.tail(m, version);
            }
            8..=11 => {
                out.0.extend(m.packet_id.to_be_bytes());
                out.properties(version, &m.properties);
                out.list(m);
            }
            12 | 13 => {}
            _ => out.tail(m, version),
        }
        let flags = match m.kind {
            3 => u8::from(m.flag) << 3 | m.qos << 1 | u8::from(m.other_flag),
            6 | 8 | 10 => 2,
            _ => 0,
        };
        let mut whole = Self(vec![m.kind << 4 | flags]);
        whole.varint(out.0.len() as u32);
        whole.0.extend(out.0);
        whole.0
    }

    fn tail(&mut self, m: &Model, version: Version) {
        if version == Version::V5 || m.reason != 0 {
            self.0.push(m.reason);
        }
        self.properties(version, &m.properties);
    }

    fn list(&mut self, m: &Model) {
        for (filter, options) in &m.filters {
            match m.kind {
                8 => {
                    self.text(filter.as_bytes());
                    self.0.push(*options);
                }
                10 => self.text(filter.as_bytes()),
                _ => {}
            }
        }
        if matches!(m.kind, 9 | 11) {
            self.0.extend(&m.reasons);
        }
    }
}

/// Buffers for what a packet borrows.
struct Buffers {
    properties: [u8; 512],
    will: [u8; 512],
    list: [u8; 512],
    out: [u8; 2048],
}

fn write(m: &Model, version: Version, buffers: &mut Buffers) -> Result<Vec<u8>, EncodeError> {
    let properties = write_properties(&mut buffers.properties, &m.properties)?;
    let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][usize::from(m.qos)];
    let (packet_id, reason) = (m.packet_id, m.reason);
    let ack = Ack {
        packet_id,
        reason,
        properties,
    };
    let reasons = Reasons {
        packet_id,
        properties,
        reasons: &m.reasons,
    };
    let packet = match m.kind {
        1 => Packet::Connect(connect(m, qos, properties, &mut buffers.will)?),
        2 => Packet::ConnAck {
            session_present: m.flag,
            reason,
            properties,
        },
        3 => Packet::Publish(Publish {
            dup: m.flag,
            qos,
            retain: m.other_flag,
            topic: m.text,
            packet_id: (m.qos > 0).then_some(packet_id),
            properties,
            payload: b"payload",
        }),
        4 => Packet::PubAck(ack),
        5 => Packet::PubRec(ack),
        6 => Packet::PubRel(ack),
        7 => Packet::PubComp(ack),
        8 => {
            let list = m.filters.iter();
            let list: Vec<_> = list
                .map(|&(filter, options)| Subscription { filter, options })
                .collect();
            Packet::Subscribe {
                packet_id,
                properties,
                subscriptions: version.write_subscriptions(&mut buffers.list, &list)?,
            }
        }
        9 => Packet::SubAck(reasons),
        10 => {
            let list: Vec<_> = m.filters.iter().map(|(filter, _)| *filter).collect();
            Packet::Unsubscribe {
                packet_id,
                properties,
                filters: version.write_filters(&mut buffers.list, &list)?,
            }
        }
        11 => Packet::UnsubAck(reasons),
        12 => Packet::PingReq,
        13 => Packet::PingResp,
        14 => Packet::Disconnect { reason, properties },
        _ => Packet::Auth { reason, properties },
    };
    let len = packet.write(version, &mut buffers.out)?;
    assert_eq!(
        Packet::read(version, &buffers.out[..len], &WIDE),
        Ok(packet)
    );
    Ok(buffers.out[..len].to_vec())
}

fn connect<'o>(
    m: &Model,
    qos: Qos,
    properties: Properties<'o>,
    out: &'o mut [u8],
) -> Result<Connect<'o>, EncodeError> {
    let will = match &m.will {
        Some((list, topic)) => Some(Will {
            qos,
            retain: m.other_flag,
            properties: write_properties(out, list)?,
            topic,
            payload: b"m",
        }),
        None => None,
    };
    Ok(Connect {
        clean_start: m.flag,
        keep_alive_s: 60,
        properties,
        client_id: m.text,
        will,
        username: m.username,
        password: m.password.then_some(&b"p"[..]),
    })
}

/// What a bridge between the versions does: a packet of one is refused in the other, or read there as
/// the same.
#[test]
fn a_packet_of_the_other_version_is_refused_or_the_same() {
    let mut random = Random(11);
    let mut out = [0; 2048];
    let mut counts = [[0; 2]; 2];
    for turn in 0..40_000 {
        let (from, to) = match turn % 2 {
            0 => (Version::V311, Version::V5),
            _ => (Version::V5, Version::V311),
        };
        let raw = Unchecked::packet(&model(&mut random, from), from);
        let Ok(packet) = Packet::read(from, &raw, &WIDE) else {
            continue;
        };
        let written = packet.write(to, &mut out);
        if let Ok(len) = written {
            assert_eq!(Packet::read(to, &out[..len], &WIDE), Ok(packet));
        }
        counts[turn % 2][usize::from(written.is_ok())] += 1;
    }
    assert!(
        counts.iter().flatten().all(|count| *count > 500),
        "{counts:?}"
    );
}

#[test]
fn the_writer_and_the_reader_agree() {
    let mut random = Random(7);
    let mut counts: BTreeMap<_, [u32; 2]> = BTreeMap::new();
    let mut buffers = Buffers {
        properties: [0; 512],
        will: [0; 512],
        list: [0; 512],
        out: [0; 2048],
    };
    for turn in 0..60_000 {
        let version = [Version::V311, Version::V5][turn % 2];
        let m = model(&mut random, version);
        let raw = Unchecked::packet(&m, version);
        let read = Packet::read(version, &raw, &WIDE);
        let written = write(&m, version, &mut buffers);
        assert_eq!(
            read.is_ok(),
            written.is_ok(),
            "{read:?}, {written:?}: {m:?}"
        );
        if let (Ok(read), Ok(written)) = (read, written) {
            assert_eq!(Packet::read(version, &written, &WIDE), Ok(read));
        }
        counts.entry((version, m.kind)).or_default()[usize::from(read.is_ok())] += 1;
    }
    for ((version, kind), [refused, read]) in counts {
        // A ping has nothing that could be wrong, and MQTT 3.1.1 no AUTH that could be right.
        let never_refused = matches!(kind, 12 | 13);
        let never_read = (version, kind) == (Version::V311, 15);
        assert!(
            refused > 50 || never_refused,
            "{version:?} {kind}: {refused} refused"
        );
        assert!(read > 50 || never_read, "{version:?} {kind}: {read} read");
    }
}
