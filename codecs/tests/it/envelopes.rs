//! MoldUDP64 and SoupBinTCP, with bytes written out by hand from the field tables of "MoldUDP64
//! Protocol Specification 1.00" section 3 and "SoupBinTCP Version 4.10" section 2 (Nasdaq).

use crate::common::{WIDE, encode, json, refuses_other_lengths, torture};
use proptest::prelude::*;
use tickwire_codecs::framing::{ByteOrder, LengthField};
use tickwire_codecs::{
    Batch, Chars, Code, Codec, DecodeError, Encode, EncodeError, Limits,
    itch::{
        Digits, HeartbeatTimeout, LoginAccepted, LoginRequest, MoldHeader, MoldRequest, MoldUdp64,
        MoldWriter, RejectReason, SoupBinTcp, SoupPacket,
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
fn a_written_datagram_has_the_bytes_of_the_standard() {
    let session = Chars::new(*b"SESSION001");
    let mut wire = [0xaa; 64];
    let mut out = MoldWriter::begin(&mut wire, session, 500).unwrap();
    for message in [&b"one"[..], b"", b"three"] {
        out.push(message).unwrap();
    }
    let len = out.finish();
    assert_eq!(wire[..len], mold(500, 3, &[b"one", b"", b"three"]));
    let heartbeat = MoldWriter::begin(&mut wire, session, 7).unwrap().finish();
    assert_eq!(wire[..heartbeat], mold(7, 0, &[]));
    let out = MoldWriter::begin(&mut wire, session, 7).unwrap();
    let end = out.end_of_session().unwrap();
    assert_eq!(wire[..end], mold(7, 0xFFFF, &[]));
}

#[test]
fn a_datagram_is_not_written_past_its_bounds() {
    let session = Chars::new(*b"SESSION001");
    let mut wire = [0; 25];
    assert!(matches!(
        MoldWriter::begin(&mut wire[..19], session, 1),
        Err(EncodeError::Room { need: 20, have: 19 })
    ));
    let mut out = MoldWriter::begin(&mut wire, session, 1).unwrap();
    let full = EncodeError::Room { need: 26, have: 25 };
    assert_eq!(out.push(b"1234"), Err(full));
    out.push(b"123").unwrap();
    assert_eq!(out.finish(), 25);
    assert_eq!(wire[..], mold(1, 1, &[b"123"]));

    let mut out = MoldWriter::begin(&mut wire, session, 1).unwrap();
    out.push(b"").unwrap();
    assert!(matches!(
        out.end_of_session(),
        Err(EncodeError::Order { .. })
    ));

    // 65,535 as a count is the end of the session, so it is no count of messages.
    let mut wide = vec![0; 200_000];
    let mut out = MoldWriter::begin(&mut wide, session, 1).unwrap();
    assert!(matches!(
        out.push(&[0; 65_536]),
        Err(EncodeError::Range { got: 65_536, .. })
    ));
    (0..65_534).for_each(|_| out.push(b"").unwrap());
    assert!(matches!(
        out.push(b""),
        Err(EncodeError::Range { got: 65_535, .. })
    ));
    let len = out.finish();
    assert_eq!(
        MoldUdp64::view(&wide[..len], &WIDE)
            .unwrap()
            .messages()
            .count(),
        65_534
    );
}

/// Every message has a number, also the last one.
#[test]
fn sequence_numbers_do_not_run_over() {
    let wire = mold(u64::MAX, 1, &[b"x"]);
    let packet = MoldUdp64::view(&wire, &WIDE).unwrap();
    assert_eq!(packet.messages().next().map(|(seq, _)| seq), Some(u64::MAX));
    let wire = mold(u64::MAX, 2, &[b"x", b"y"]);
    assert_eq!(
        MoldUdp64::view(&wire, &WIDE).unwrap_err(),
        DecodeError::wrong(10, "sequence number", u64::MAX)
    );
    let mut out = [0; 64];
    let mut out = MoldWriter::begin(&mut out, Chars::new(*b"SESSION001"), u64::MAX).unwrap();
    out.push(b"x").unwrap();
    assert!(matches!(
        out.push(b"y"),
        Err(EncodeError::Range {
            what: "sequence number",
            ..
        })
    ));
    for count in [0, MoldHeader::END_OF_SESSION] {
        assert!(MoldUdp64::view(&mold(u64::MAX, count, &[]), &WIDE).is_ok());
    }
}

#[test]
fn a_request_names_a_run_of_messages() {
    let request = MoldRequest {
        session: Chars::new(*b"SESSION001"),
        sequence: 500.into(),
        count: 3.into(),
    };
    let wire = encode::<MoldRequest>(&request);
    assert_eq!(wire, mold(500, 3, &[]));
    assert_eq!(MoldRequest::view(&wire, &WIDE), Ok(&request));
    torture::<MoldRequest>(&wire);
    refuses_other_lengths::<MoldRequest>(&wire);
}

/// The login request of version 4.10, field by field.
const LOGIN_410: &[u8] = b"Ltraderpassword..     SESS1                  4215000";

#[test]
fn a_login_of_4_10_ends_with_the_heartbeat_timeout() {
    assert_eq!((SoupBinTcp::VERSION, LOGIN_410.len()), (0x0401, 52));
    let packet = SoupBinTcp::view(LOGIN_410, &Limits::FEED).unwrap();
    let SoupPacket::LoginRequest {
        login,
        heartbeat_timeout,
    } = packet
    else {
        panic!("not a login: {packet:?}")
    };
    assert_eq!(login.username.text(), Some("trader"));
    assert_eq!(login.password.text(), Some("password.."));
    assert_eq!(login.session_text(), Some("SESS1"));
    assert_eq!(login.sequence.value(), Some(42));
    assert_eq!(heartbeat_timeout.and_then(Digits::value), Some(15_000));
    torture::<SoupBinTcp>(LOGIN_410);
    let built = LoginRequest::new("trader", "password..", "SESS1", 42).unwrap();
    assert_eq!(login, &built);
    assert!(!format!("{packet:?} {}", json(&packet)).contains("password.."));
}

/// Versions 3.00 and 4.00 end with the sequence number.
#[test]
fn a_login_of_3_00_and_4_00_has_no_timeout() {
    let wire = &LOGIN_410[..47];
    let packet = SoupBinTcp::view(wire, &Limits::FEED).unwrap();
    assert!(matches!(
        packet,
        SoupPacket::LoginRequest {
            heartbeat_timeout: None,
            ..
        }
    ));
    torture::<SoupBinTcp>(wire);
}

#[test]
fn a_login_of_another_length_is_refused() {
    for len in (1..LOGIN_410.len()).filter(|len| *len != 47) {
        let at = if len < 47 { 1 } else { 47 };
        let error = SoupBinTcp::view(&LOGIN_410[..len], &WIDE).unwrap_err();
        assert!(
            matches!(error, DecodeError::Short { at: from, need, have }
                if from == at && need > have && u64::from(at) + have == len as u64),
            "{error:?} at {len}"
        );
    }
    let longer = [LOGIN_410, b"0"].concat();
    assert_eq!(
        SoupBinTcp::view(&longer, &WIDE),
        Err(DecodeError::Trailing { at: 52, extra: 1 })
    );
}

/// Numbers are digits with spaces around them, on reading and on writing.
#[test]
fn invalid_number_fields_are_refused_at_their_offset() {
    let put = |at: usize, field: &[u8]| {
        let mut wire = LOGIN_410.to_vec();
        wire[at..at + field.len()].copy_from_slice(field);
        wire
    };
    for (field, value) in [
        (b"                   0", 0),
        (b"42                  ", 42),
        (b"         7          ", 7),
        (b"00000000000000000042", 42),
        (b"18446744073709551615", u64::MAX),
    ] {
        let wire = put(27, field);
        let packet = SoupBinTcp::view(&wire, &WIDE).unwrap();
        let SoupPacket::LoginRequest { login, .. } = packet else {
            panic!("not a login: {packet:?}")
        };
        assert_eq!(login.sequence.value(), Some(value));
        assert_eq!(encode::<SoupBinTcp>(&packet), wire);
    }
    let wrong = |at, what, got: u8| DecodeError::wrong(at, what, got.into());
    for (field, at, got) in [
        (b"                    ", 27, b' '),
        (b"                  +1", 45, b'+'),
        (b"                  -1", 45, b'-'),
        (b"                 1 2", 45, b' '),
        (b"\t                  1", 27, b'\t'),
        (b"1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 28, 0),
        (b"18446744073709551616", 46, b'6'),
    ] {
        let wire = put(27, field);
        let error = wrong(at, "sequence number", got);
        assert_eq!(SoupBinTcp::view(&wire, &WIDE), Err(error));
        assert_eq!(SoupBinTcp::view(&wire[..47], &WIDE), Err(error));
        let mut accepted = b"A SESSION01".to_vec();
        accepted.extend(field);
        let error = wrong(at - 27 + 11, "sequence number", got);
        assert_eq!(SoupBinTcp::view(&accepted, &WIDE), Err(error));
        let login = SoupPacket::LoginAccepted(zerocopy_of(&accepted[1..]));
        assert!(matches!(
            login.encode(&mut [0; 64]),
            Err(EncodeError::Range {
                what: "sequence number",
                ..
            })
        ));
    }
    assert_eq!(
        SoupBinTcp::view(&put(47, b"1.5  "), &WIDE),
        Err(wrong(48, "heartbeat timeout", b'.'))
    );
}

/// Bytes as an unchecked payload.
fn zerocopy_of(bytes: &[u8]) -> &LoginAccepted {
    tickwire_codecs::slice::whole(bytes).unwrap()
}

#[test]
fn payloads_that_do_not_fit_are_not_built() {
    assert!(LoginRequest::new("traders", "", "", 0).is_none());
    assert!(LoginRequest::new("", "12345678901", "", 0).is_none());
    assert!(LoginRequest::new("", "", "12345678901", 0).is_none());
    assert!(LoginAccepted::new("12345678901", 0).is_none());
    assert_eq!(
        HeartbeatTimeout::new(99_999).map(|t| *t.bytes()),
        Some(*b"99999")
    );
    assert!(HeartbeatTimeout::new(100_000).is_none());
    let most = Digits::<20>::new(u64::MAX).unwrap();
    assert_eq!(most.bytes(), b"18446744073709551615");
}

proptest! {
    #[test]
    fn numbers_come_back(value in any::<u64>(), timeout in 0..100_000u64) {
        let accepted = LoginAccepted::new("S", value).unwrap();
        let wire = encode::<SoupBinTcp>(&SoupPacket::LoginAccepted(&accepted));
        prop_assert_eq!(wire, format!("A         S{value:>20}").into_bytes());
        prop_assert_eq!(accepted.sequence.value(), Some(value));
        let timeout_field = HeartbeatTimeout::new(timeout).unwrap();
        prop_assert_eq!(timeout_field.bytes().to_vec(), format!("{timeout:>5}").into_bytes());
        prop_assert_eq!(timeout_field.value(), Some(timeout));
    }
}

#[test]
fn every_packet_type_reads_and_writes() {
    let accepted = LoginAccepted::new("ABC", 42).unwrap();
    assert_eq!(accepted.session, Chars::new(*b"       ABC"));
    assert_eq!(accepted.sequence.bytes(), b"                  42");
    assert_eq!(accepted.session_text(), Some("ABC"));
    let login = LoginRequest::new("trader", "secret", "", 0).unwrap();
    assert_eq!(login.session_text(), Some(""));
    let timeout = HeartbeatTimeout::new(1_000).unwrap();
    let login_of = |heartbeat_timeout| SoupPacket::LoginRequest {
        login: &login,
        heartbeat_timeout,
    };
    let packets = [
        (SoupPacket::Debug(b"hello"), b'+', 6),
        (SoupPacket::LoginAccepted(&accepted), b'A', 31),
        (
            SoupPacket::LoginRejected(Code::new(RejectReason::NotAuthorized)),
            b'J',
            2,
        ),
        (
            SoupPacket::LoginRejected(Code::new(RejectReason::SessionNotAvailable)),
            b'J',
            2,
        ),
        (SoupPacket::Sequenced(b"msg"), b'S', 4),
        (SoupPacket::ServerHeartbeat, b'H', 1),
        (SoupPacket::EndOfSession, b'Z', 1),
        (login_of(None), b'L', 47),
        (login_of(Some(&timeout)), b'L', 52),
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
        let kind = char::from(*kind);
        assert!(json(packet).starts_with(&format!(r#"{{"type":"{kind}""#)));
        let mut framed = vec![0; len + 2];
        assert_eq!(
            LengthField::u16(ByteOrder::Big).encode::<SoupBinTcp>(packet, &mut framed),
            Ok(len + 2)
        );
        stream.extend(framed);
    }
    let read: Result<Vec<_>, _> =
        Batch::new(&stream, LengthField::u16(ByteOrder::Big), &Limits::FEED)
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
