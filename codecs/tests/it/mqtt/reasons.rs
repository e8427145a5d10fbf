//! Reason codes: each code with each packet of each version, both ways, and which end may send which.

use crate::common::WIDE;
use tickwire_codecs::{
    DecodeError, EncodeError,
    mqtt::{
        Ack, Packet, Properties, Property, PropertyValue, Reasons, Sender, Version, id,
        write_properties,
    },
};

/// "MQTT Version 5.0", table 2-6: a code, and the types of packets that have it. SUBACK has the three
/// grants, and the table's row 0x00 names them apart.
const CODES: &[(u8, &[u8])] = &[
    (0x00, &[2, 4, 5, 6, 7, 9, 11, 14, 15]),
    (0x01, &[9]),
    (0x02, &[9]),
    (0x04, &[14]),
    (0x10, &[4, 5]),
    (0x11, &[11]),
    (0x18, &[15]),
    (0x19, &[15]),
    (0x80, &[2, 4, 5, 9, 11, 14]),
    (0x81, &[2, 14]),
    (0x82, &[2, 14]),
    (0x83, &[2, 4, 5, 9, 11, 14]),
    (0x84, &[2]),
    (0x85, &[2]),
    (0x86, &[2]),
    (0x87, &[2, 4, 5, 9, 11, 14]),
    (0x88, &[2]),
    (0x89, &[2, 14]),
    (0x8a, &[2]),
    (0x8b, &[14]),
    (0x8c, &[2, 14]),
    (0x8d, &[14]),
    (0x8e, &[14]),
    (0x8f, &[9, 11, 14]),
    (0x90, &[2, 4, 5, 14]),
    (0x91, &[4, 5, 9, 11]),
    (0x92, &[6, 7]),
    (0x93, &[14]),
    (0x94, &[14]),
    (0x95, &[2, 14]),
    (0x96, &[14]),
    (0x97, &[2, 4, 5, 9, 14]),
    (0x98, &[14]),
    (0x99, &[2, 4, 5, 14]),
    (0x9a, &[2, 14]),
    (0x9b, &[2, 14]),
    (0x9c, &[2, 14]),
    (0x9d, &[2, 14]),
    (0x9e, &[9, 14]),
    (0x9f, &[2, 14]),
    (0xa0, &[14]),
    (0xa1, &[9, 14]),
    (0xa2, &[9, 14]),
];

/// Whether this version has this code in this packet; MQTT 3.1.1 has codes in CONNACK (table 3.1) and
/// SUBACK (section 3.9.3), and 0 stands for none.
fn has(version: Version, kind: u8, code: u8) -> bool {
    match (version, kind) {
        (Version::V5, _) => CODES
            .iter()
            .any(|(it, kinds)| *it == code && kinds.contains(&kind)),
        (Version::V311, 2) => code < 6,
        (Version::V311, 9) => [0, 1, 2, 0x80].contains(&code),
        (Version::V311, 11 | 15) => false,
        (Version::V311, _) => code == 0,
    }
}

fn method(out: &mut [u8]) -> Properties<'_> {
    let method = Property {
        id: id::AUTHENTICATION_METHOD,
        value: PropertyValue::Text("m"),
    };
    write_properties(out, &[method]).unwrap()
}

fn packet<'a>(kind: u8, codes: &'a [u8; 1], method: Properties<'a>) -> Packet<'a> {
    let properties = Properties::EMPTY;
    let [reason] = *codes;
    let ack = Ack {
        packet_id: 1,
        reason,
        properties,
    };
    let reasons = Reasons {
        packet_id: 1,
        properties,
        reasons: codes,
    };
    match kind {
        2 => Packet::ConnAck {
            session_present: false,
            reason,
            properties,
        },
        4 => Packet::PubAck(ack),
        5 => Packet::PubRec(ack),
        6 => Packet::PubRel(ack),
        7 => Packet::PubComp(ack),
        9 => Packet::SubAck(reasons),
        11 => Packet::UnsubAck(reasons),
        14 => Packet::Disconnect { reason, properties },
        _ => Packet::Auth {
            reason,
            properties: method,
        },
    }
}

/// The packet with this code, as bytes that nothing has checked.
fn raw(version: Version, kind: u8, code: u8) -> Vec<u8> {
    let body: &[u8] = match (version, kind) {
        (Version::V311, 2) => &[0, code],
        (Version::V311, 9 | 11) => &[0, 1, code],
        (Version::V311, 14) if code == 0 => &[],
        (Version::V311, 4..=7) if code == 0 => &[0, 1],
        (Version::V5, 2) => &[0, code, 0],
        (_, 4..=7) => &[0, 1, code],
        (_, 9 | 11) => &[0, 1, 0, code],
        (_, 14) => &[code],
        _ => &[code, 4, 0x15, 0, 1, b'm'],
    };
    let flags = if kind == 6 { 2 } else { 0 };
    [&[kind << 4 | flags, body.len() as u8], body].concat()
}

const KINDS: [u8; 9] = [2, 4, 5, 6, 7, 9, 11, 14, 15];

#[test]
fn every_packet_has_the_codes_of_the_tables() {
    let (mut out, mut wire) = ([0; 8], [0; 16]);
    let method = method(&mut out);
    for version in [Version::V311, Version::V5] {
        for (kind, code) in KINDS
            .iter()
            .flat_map(|kind| (0..=255).map(|code| (*kind, code)))
        {
            let codes = [code];
            let packet = packet(kind, &codes, method);
            let written = packet.write(version, &mut wire);
            let bytes = raw(version, kind, code);
            let read = Packet::read(version, &bytes, &WIDE);
            if has(version, kind, code) {
                assert_eq!(read, Ok(packet), "{version:?} {code:#x}");
                let len = written.unwrap_or_else(|error| panic!("{version:?} {packet:?}: {error}"));
                assert_eq!(Packet::read(version, &wire[..len], &WIDE), Ok(packet));
                continue;
            }
            assert!(
                matches!(written, Err(EncodeError::Range { .. })),
                "{version:?} {packet:?}: {written:?}"
            );
            assert!(
                matches!(
                    read,
                    Err(DecodeError::Wrong { .. } | DecodeError::Trailing { .. })
                ),
                "{version:?} {bytes:02x?}: {read:?}"
            );
        }
    }
}

/// "MQTT Version 5.0", tables of sections 3.14.2.1 and 3.15.2.1: codes that one end only sends.
#[test]
fn codes_of_one_end_are_refused_of_the_other() {
    const SERVER: &[u8] = &[
        0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1,
        0xa2,
    ];
    let mut out = [0; 8];
    let method = method(&mut out);
    let ends = |kind, code: u8| {
        let (client, server) = (Some(Sender::Client), Some(Sender::Server));
        match kind {
            2 | 9 | 11 => server,
            14 if code == 0x04 => client,
            14 if SERVER.contains(&code) => server,
            15 if code == 0x00 => server,
            15 if code == 0x19 => client,
            _ => None,
        }
    };
    for (code, kinds) in CODES {
        for kind in *kinds {
            let codes = [*code];
            let packet = packet(*kind, &codes, method);
            for sender in [Sender::Client, Sender::Server] {
                let fine = ends(*kind, *code).is_none_or(|end| end == sender);
                let checked = packet.check_sender(sender, Version::V5);
                assert_eq!(checked.is_ok(), fine, "{sender:?}: {packet:?}");
            }
        }
    }
}
