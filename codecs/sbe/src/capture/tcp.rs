//! Tests of TCP streams: the order of segments, and messages across segments.

use std::collections::BTreeMap;

use super::tests::pcapng;
use super::walks::{schema_with, short};
use super::*;

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const RST: u8 = 4;

/// Ethernet, IPv4, TCP from port `port`, with options of four bytes.
fn segment(port: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet.extend([0x08, 0x00, 0x45, 0]);
    packet.extend((20 + 24 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    packet.extend(port.to_be_bytes());
    packet.extend(80u16.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0x60, flags, 0xff, 0xff, 0, 0, 0, 0, 1, 1, 1, 1]);
    packet.extend(payload);
    packet.resize(packet.len().max(60), 0);
    packet
}

/// The bytes of each stream with gaps as `<n>` and ends as `.`, by the sender's port.
fn streams(packets: &[Vec<u8>]) -> (BTreeMap<u16, String>, Packets) {
    let mut all = BTreeMap::<u16, String>::new();
    let packets = payloads(pcapng(packets).as_slice(), |payload| match payload {
        Payload::Stream { flow, bytes } => {
            let text = std::str::from_utf8(bytes).unwrap();
            all.entry(flow.from.port()).or_default().push_str(text);
        }
        Payload::Gap { flow, bytes } => {
            all.entry(flow.from.port())
                .or_default()
                .push_str(&format!("<{bytes}>"));
        }
        Payload::End { flow } => all.entry(flow.from.port()).or_default().push('.'),
        Payload::Datagram(_) => panic!("no datagram"),
    });
    (all, packets.unwrap())
}

fn one(packets: &[Vec<u8>]) -> String {
    streams(packets).0.remove(&1).unwrap_or_default()
}

/// Every order of five segments of a stream, across the end of the sequence numbers.
#[test]
fn segments_in_any_order() {
    let start = u32::MAX - 4;
    let parts = ["ab", "cde", "f", "ghi", "jk"];
    let mut at = start.wrapping_add(1);
    let mut packets = Vec::new();
    for part in parts {
        packets.push(segment(1, at, ACK, part.as_bytes()));
        at = at.wrapping_add(part.len() as u32);
    }
    let syn = segment(1, start, SYN, b"");
    let mut orders = vec![Vec::new()];
    for _ in 0..5 {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                let left = (0..5).filter(|i| !order.contains(i));
                left.map(|i| [&order[..], &[i]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    assert_eq!(orders.len(), 120);
    for order in orders {
        let mut file = vec![syn.clone()];
        file.extend(order.iter().map(|i| packets[*i].clone()));
        assert_eq!(one(&file), "abcdefghijk.", "{order:?}");
    }
}

#[test]
fn what_is_sent_again_is_dropped() {
    let file = [
        segment(1, 9, SYN, b""),
        segment(1, 9, SYN, b""),
        segment(1, 10, ACK, b"abc"),
        segment(1, 10, ACK, b"abc"),
        // Two old bytes and two new ones.
        segment(1, 11, ACK, b"bcde"),
        // The keep-alive of a byte that was acknowledged.
        segment(1, 14, ACK, b"e"),
        segment(1, 17, ACK, b"hi"),
        segment(1, 17, ACK, b"hij"),
        segment(1, 17, ACK, b"h"),
        segment(1, 15, ACK, b"fghi"),
    ];
    let (all, packets) = streams(&file);
    assert_eq!(all[&1], "abcdefghij.");
    // 3 + 2 + 1, then 2 and 1 among those that wait, then 2 that were in the last.
    assert_eq!((packets.retransmitted, packets.gaps), (11, 0));
    assert_eq!((packets.segments, packets.all()), (10, 10));
}

#[test]
fn what_never_comes_is_a_gap() {
    let file = [
        segment(1, 9, SYN, b""),
        segment(1, 10, ACK, b"ab"),
        segment(1, 15, ACK, b"fg"),
        segment(1, 20, ACK, b"k"),
    ];
    let (all, packets) = streams(&file);
    assert_eq!((all[&1].as_str(), packets.gaps), ("ab<3>fg<3>k.", 2));
    // Beyond the bound on what waits, the capture goes on.
    let kib = "x".repeat(1024);
    let mut file = vec![segment(1, 0, ACK, b"a")];
    file.extend((0..1100).map(|i| segment(1, 5 + i * 1024, ACK, kib.as_bytes())));
    file.push(segment(1, 1, ACK, b"late"));
    let (all, packets) = streams(&file);
    assert_eq!(all[&1], format!("a<4>{}.", kib.repeat(1100)));
    assert_eq!((packets.gaps, packets.retransmitted), (1, 4));
    // So many waiting segments of a byte each are too many, too.
    let mut file = vec![segment(1, 0, ACK, b"a")];
    file.extend((0..5000).map(|i| segment(1, 5 + 2 * i, ACK, b"b")));
    assert!(one(&file).starts_with("a<4>b<1>b<1>b"));
}

#[test]
fn streams_are_told_apart() {
    let file = [
        segment(1, 5, ACK, b"a"),
        segment(2, 5, SYN, b""),
        segment(1, 6, ACK, b"b"),
        segment(2, 6, ACK, b"x"),
        // The same ports in a new connection, and one whose beginning the capture does not have.
        segment(1, 900, SYN, b""),
        segment(1, 901, ACK, b"c"),
        segment(2, 3_000_000_000, ACK, b"y"),
    ];
    let (all, packets) = streams(&file);
    assert_eq!((all[&1].as_str(), all[&2].as_str()), ("ab.c.", "x.y."));
    assert_eq!(packets.skipped, 0);
    let many: Vec<_> = (1..=5000).map(|port| segment(port, 5, ACK, b"a")).collect();
    let (all, packets) = streams(&many);
    assert_eq!(
        (all.len(), packets.segments, packets.unfollowed),
        (4096, 4096, 904)
    );
    assert_eq!(packets.all(), 5000);
}

/// The SYN comes again behind what it begins, or late: it is the same stream.
#[test]
fn a_beginning_that_is_sent_again() {
    let (syn, first, second) = (
        segment(1, 9, SYN, b""),
        segment(1, 10, ACK, b"abc"),
        segment(1, 13, ACK, b"de"),
    );
    for file in [
        [&syn, &first, &syn, &second],
        [&first, &syn, &second, &syn],
        [&syn, &second, &syn, &first],
    ] {
        let (all, packets) = streams(&file.map(Clone::clone));
        assert_eq!((all[&1].as_str(), packets.gaps), ("abcde.", 0));
    }
}

/// A capture of a day has more connections than are followed at a time.
#[test]
fn streams_that_are_closed_make_room() {
    for last in [FIN | ACK, RST] {
        let connection = |port| {
            [
                segment(port, 9, SYN, b""),
                segment(port, 10, ACK, b"a"),
                // The end comes before what it ends.
                segment(port, 12, last, b""),
                segment(port, 11, ACK, b"b"),
                segment(port, 11, ACK, b"b"),
            ]
        };
        let (all, packets) = streams(&(1..=5000).flat_map(connection).collect::<Vec<_>>());
        assert_eq!((all.len(), packets.unfollowed), (5000, 0));
        assert!(all.values().all(|bytes| bytes == "ab."));
    }
    // The ports again: another stream.
    let file = [
        segment(1, 9, SYN, b""),
        segment(1, 10, FIN, b"a"),
        segment(1, 700, SYN, b""),
        segment(1, 701, ACK, b"b"),
    ];
    assert_eq!(one(&file), "a.b.");
    // Bytes behind the end are bytes all the same, and have an end of their own.
    let file = [segment(1, 10, FIN, b"a"), segment(1, 11, ACK, b"b")];
    assert_eq!(one(&file), "a.b.");
    let file = [segment(1, 10, FIN, b"a"), segment(1, 13, ACK, b"b")];
    assert_eq!(one(&file), "a.<2>b.");
}

/// The events of one stream with these segments.
fn walked(framing: &str, parts: &[Payload<'_>]) -> Vec<String> {
    let schema = schema_with("");
    let mut seen = Vec::new();
    let mut walker = Walker::new(&schema, framing.parse().unwrap());
    for part in parts {
        walker.payload(*part, &mut |event| seen.push(short(&event)));
    }
    seen
}

fn flow() -> Flow {
    let at = SocketAddr::from(([1, 2, 3, 4], 5));
    Flow { from: at, to: at }
}

/// Messages across every pair of cuts, by every framing of streams.
#[test]
fn messages_across_segments() {
    let (a, b): (&[u8], &[u8]) = (&[1, 7, 1, 0, 42], &[0, 9, 1, 0, 3, 1, 2, 3]);
    let (flow, end) = (flow(), Payload::End { flow: flow() });
    let prefixes: [(&str, &[u8], &[u8]); 5] = [
        ("raw", b"", b""),
        ("u16-be", b"\0\x05", b"\0\x08"),
        ("sofh", b"\0\0\0\x0b\xeb\x50", b"\0\0\0\x0e\xeb\x50"),
        ("sofh-short", b"\x09\0\x50\xeb", b"\x0c\0\x50\xeb"),
        ("memx-tcp", b"\x0b\0\x05", b"\x0b\0\x08"),
    ];
    for (name, before_a, before_b) in prefixes {
        let all = [before_a, a, before_b, b, before_a, a].concat();
        for first in 0..=all.len() {
            for second in first..=all.len() {
                let part = |bytes| Payload::Stream { flow, bytes };
                let parts = [
                    part(&all[..first]),
                    part(&all[first..second]),
                    part(&all[second..]),
                    end,
                ];
                assert_eq!(
                    walked(name, &parts),
                    ["42", "n", "42"],
                    "{name} {first} {second}"
                );
            }
        }
    }
    // Padding, in whatever segment it comes.
    let padded = [a, &[0; 3], a, &[0; 3], b, &[0; 2]].concat();
    for first in 0..=padded.len() {
        let part = |bytes| Payload::Stream { flow, bytes };
        let parts = [part(&padded[..first]), part(&padded[first..]), end];
        let mut seen = walked("raw", &parts);
        seen.iter_mut()
            .for_each(|s| s.truncate(s.find('+').unwrap_or(s.len())));
        assert_eq!(seen, ["42", "42", "n"], "{first}");
    }
}

#[test]
fn streams_that_end_or_cannot_be_told_apart() {
    let flow = flow();
    let part = |bytes| Payload::Stream { flow, bytes };
    let (end, gap) = (Payload::End { flow }, Payload::Gap { flow, bytes: 7 });
    let message: &[u8] = &[5, 0, 1, 7, 1, 0, 42];
    // The end of a stream inside a frame.
    assert_eq!(
        walked("u16-le", &[part(message), part(&message[..3]), end]),
        [
            "42",
            "refused byte 0: frame length: 7 bytes needed, 3 available",
            "lost 3"
        ]
    );
    // Behind a gap a frame begins; what was before it is lost.
    assert_eq!(
        walked("u16-le", &[part(&message[..3]), gap, part(message), end]),
        [
            "refused byte 0: frame length: 7 bytes needed, 3 available",
            "lost 3",
            "gap 7",
            "42"
        ]
    );
    // A length that cannot be ends all of it, up to the next gap.
    assert_eq!(
        walked(
            "u16-le-self",
            &[
                part(&[1, 0, 9]),
                part(b"more"),
                gap,
                part(&[7, 0, 1, 7, 1, 0, 42]),
                end
            ]
        ),
        [
            "refused byte 0: frame length: invalid frame length: 1 (0x1)",
            "lost 3",
            "lost 4",
            "gap 7",
            "42"
        ]
    );
    let long = u32::MAX.to_le_bytes();
    let seen = walked("u32-le", &[part(&long), end]);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].contains("exceed the limit of 1048576"), "{seen:?}");
    assert_eq!(
        walked("raw", &[part(&[1, 8, 1, 0, 42]), part(&[1]), end]),
        ["?", "lost 5", "lost 1"]
    );
    // Packet headers are of datagrams.
    assert_eq!(walked("cme", &[part(message), end]), ["lost 7"]);
}

/// No capture makes it panic, and whatever is handed on is counted.
#[test]
fn damaged_captures_of_streams() {
    let message: &[u8] = &[5, 0, 1, 7, 1, 0, 42];
    let file = pcapng(&[
        segment(1, 9, SYN, b""),
        segment(1, 17, ACK, message),
        segment(1, 10, ACK, message),
        super::tests::udp_packet(message, 17, 0),
    ]);
    let schema = schema_with("");
    let walk = |file: &[u8]| {
        let mut messages = 0;
        let mut walker = Walker::new(&schema, "u16-le".parse().unwrap());
        let _ = payloads(file, |payload| {
            walker.payload(payload, &mut |event| {
                messages += usize::from(matches!(event, Event::Message(_)));
            });
        });
        messages
    };
    assert_eq!(walk(&file), 3);
    for len in 0..file.len() {
        assert!(walk(&file[..len]) <= 3);
    }
    let mut flipped = file.clone();
    for at in 0..file.len() {
        for bit in 0..8 {
            flipped[at] ^= 1 << bit;
            walk(&flipped);
            flipped[at] ^= 1 << bit;
        }
    }
}
