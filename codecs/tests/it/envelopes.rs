//! MoldUDP64 and SoupBinTCP, with bytes written out by hand from the field tables of "MoldUDP64
//! Protocol Specification 1.00" section 3 and "SoupBinTCP 4.1" section 2 (Nasdaq).

use crate::common::{WIDE, encode, json, refuses_other_lengths, torture};
use tickwire_codecs::{
    Batch, Chars, Code, Codec, DecodeError, LenPrefix16, Limits,
    itch::{
        LoginAccepted, LoginRequest, MoldHeader, MoldUdp64, RejectReason, SoupBinTcp, SoupPacket,
    },
};

fn mold(sequence: u64, count: u16, blocks: &[&[u8]]) -> Vec<u8> {
    let mut wire = b"SESSION001".to_vec();
    wire.extend(sequence.to_be_bytes());
    wire.extend(count.to_be_bytes());
    for block in blocks {
        wire.extend((block.len() as u16).to_be_bytes());
        wire.extend(*block);
    }
    wire
}

#[test]
fn a_datagram_numbers_its_messages() {
    let wire = mold(500, 3, &[b"one", b"", b"three"]);
    let packet = MoldUdp64::view(&wire, &Limits::FEED).unwrap();
    let messages: Vec<_> = packet.messages().map(|(seq, m)| (seq, m.bytes)).collect();
    assert_eq!(messages, [(500, &b"one"[..]), (501, b""), (502, b"three")]);
    assert_eq!(packet.header.session.text(), Some("SESSION001"));
    torture::<MoldUdp64>(&wire);
    refuses_other_lengths::<MoldUdp64>(&wire);
}

#[test]
fn heartbeat_and_end_of_session_have_no_messages() {
    for (count, end) in [(0, false), (MoldHeader::END_OF_SESSION, true)] {
        let wire = mold(7, count, &[]);
        let packet = MoldUdp64::view(&wire, &Limits::FEED).unwrap();
        assert_eq!(
            (packet.is_end_of_session(), packet.is_heartbeat()),
            (end, !end)
        );
        assert_eq!(packet.messages().count(), 0);
        torture::<MoldUdp64>(&wire);
        refuses_other_lengths::<MoldUdp64>(&wire);
    }
}

#[test]
fn a_count_above_the_blocks_is_short_and_below_is_trailing() {
    let wire = mold(1, 2, &[b"x"]);
    assert_eq!(
        MoldUdp64::view(&wire, &WIDE).unwrap_err(),
        DecodeError::Short {
            at: 23,
            need: 2,
            have: 0
        }
    );
    let wire = mold(1, 1, &[b"x", b"y"]);
    assert_eq!(
        MoldUdp64::view(&wire, &WIDE).unwrap_err(),
        DecodeError::Trailing { at: 23, extra: 3 }
    );
    let few = Limits {
        max_items: 1,
        ..WIDE
    };
    let wire = mold(1, 2, &[b"x", b"y"]);
    assert!(matches!(
        MoldUdp64::view(&wire, &few),
        Err(DecodeError::Limit { got: 2, max: 1, .. })
    ));
}

#[test]
fn every_packet_type_reads_and_writes() {
    let accepted = LoginAccepted {
        session: Chars::new(*b"       ABC"),
        sequence: Chars::new(*b"                  42"),
    };
    assert_eq!(accepted.sequence_number(), Some(42));
    let request = LoginRequest {
        username: Chars::spaced("trader").unwrap(),
        password: Chars::spaced("secret").unwrap(),
        session: Chars::spaced("").unwrap(),
        sequence: Chars::new(*b"                   0"),
    };
    assert_eq!(request.sequence_number(), Some(0));
    let packets = [
        (SoupPacket::Debug(b"hello"), b'+', 6),
        (SoupPacket::LoginAccepted(&accepted), b'A', 31),
        (
            SoupPacket::LoginRejected(Code::new(RejectReason::NotAuthorized)),
            b'J',
            2,
        ),
        (SoupPacket::Sequenced(b"msg"), b'S', 4),
        (SoupPacket::ServerHeartbeat, b'H', 1),
        (SoupPacket::EndOfSession, b'Z', 1),
        (SoupPacket::LoginRequest(&request), b'L', 47),
        (SoupPacket::Unsequenced(b"order"), b'U', 6),
        (SoupPacket::ClientHeartbeat, b'R', 1),
        (SoupPacket::LogoutRequest, b'O', 1),
    ];
    let mut stream = Vec::new();
    for (packet, kind, len) in &packets {
        let wire = encode::<SoupBinTcp>(packet);
        assert_eq!((wire[0], wire.len()), (*kind, *len));
        assert_eq!(SoupBinTcp::view(&wire, &Limits::FEED).as_ref(), Ok(packet));
        torture::<SoupBinTcp>(&wire);
        assert!(json(packet).contains("payload"));
        let mut framed = vec![0; len + 2];
        assert_eq!(
            LenPrefix16::Big.encode::<SoupBinTcp>(packet, &mut framed),
            Ok(len + 2)
        );
        stream.extend(framed);
    }
    let read: Result<Vec<_>, _> = Batch::new(&stream, LenPrefix16::Big, &Limits::FEED)
        .views::<SoupBinTcp>()
        .collect();
    assert!(
        read.unwrap()
            .iter()
            .eq(packets.iter().map(|(packet, ..)| packet))
    );
}

#[test]
fn fixed_packets_refuse_other_lengths() {
    for (wire, error) in [
        (&b"H!"[..], DecodeError::Trailing { at: 1, extra: 1 }),
        (
            b"J",
            DecodeError::Short {
                at: 1,
                need: 1,
                have: 0,
            },
        ),
        (b"J??", DecodeError::Trailing { at: 2, extra: 1 }),
        (
            b"A123",
            DecodeError::Short {
                at: 1,
                need: 30,
                have: 3,
            },
        ),
        (
            b"",
            DecodeError::Short {
                at: 0,
                need: 1,
                have: 0,
            },
        ),
        (
            b"x",
            DecodeError::Wrong {
                at: 0,
                what: "SoupBinTCP packet type",
                got: 0x78,
            },
        ),
    ] {
        assert_eq!(SoupBinTcp::view(wire, &WIDE), Err(error));
    }
}
