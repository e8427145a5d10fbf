use super::header::{self, Header, Rsv, Rules};
use super::utf8::{self, Utf8};
use super::{Opcode, close, mask};
use crate::error::{CloseCode, SendError, Violation};
use crate::role::Role;

const KEYS: [[u8; 4]; 4] = [
    [0x37, 0xfa, 0x21, 0x3d],
    [0; 4],
    [1, 0, 0, 0],
    [0xff, 0x80, 0x7f, 0x01],
];

fn bytewise(data: &[u8], key: [u8; 4], offset: usize) -> Vec<u8> {
    let masked = |(i, b): (usize, &u8)| b ^ key[(i + offset) % 4];
    data.iter().enumerate().map(masked).collect()
}

#[test]
fn mask_of_every_length_offset_and_alignment() {
    let bytes: Vec<u8> = (0..200).map(|i| i as u8 ^ 0x5a).collect();
    // Miri gets one case for each path through the loops.
    let (lens, aligns, offsets) = if cfg!(miri) { (29, 9, 3) } else { (1, 1, 1) };
    for key in KEYS {
        for len in (0..=130).step_by(lens).chain([160]) {
            for align in (0..32).step_by(aligns) {
                let plain = &bytes[align..align + len];
                for offset in (0..=7).step_by(offsets) {
                    let mut all = bytes.clone();
                    mask::apply(&mut all[align..align + len], key, offset);
                    let (before, rest) = all.split_at(align);
                    let (masked, after) = rest.split_at(len);
                    assert_eq!(
                        masked,
                        bytewise(plain, key, offset),
                        "{len}+{offset} at {align}"
                    );
                    assert_eq!((before, after), (&bytes[..align], &bytes[align + len..]));
                }
                let mut out = [0xee; 200];
                mask::copy(&mut out[align..align + len], plain, key);
                assert_eq!(out[align..align + len], bytewise(plain, key, 0));
                assert!(out[..align].iter().all(|&b| b == 0xee));
                assert!(out[align + len..].iter().all(|&b| b == 0xee));
            }
        }
    }
}

#[test]
fn masking_in_pieces_equals_masking_the_whole() {
    let plain: Vec<u8> = (0..70).collect();
    let whole = bytewise(&plain, KEYS[0], 0);
    // Miri runs about a hundred cases in a second.
    let step = if cfg!(miri) { 9 } else { 1 };
    for a in (0..=plain.len()).step_by(step) {
        for b in (a..=plain.len()).step_by(step) {
            let mut pieces = plain.clone();
            mask::apply(&mut pieces[..a], KEYS[0], 0);
            mask::apply(&mut pieces[a..b], KEYS[0], a);
            mask::apply(&mut pieces[b..], KEYS[0], b);
            assert_eq!(pieces, whole, "cut at {a} and {b}");
        }
    }
}

/// Every lead byte with every kind of continuation byte, also followed by more text.
fn sequences() -> Vec<Vec<u8>> {
    let next = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff,
    ];
    let mut all = Vec::new();
    // Miri gets one lead byte of each length and the lead bytes at the limits.
    let leads = match cfg!(miri) {
        true => vec![0x41, 0xc1, 0xc2, 0xe0, 0xed, 0xf0, 0xf4],
        false => (0..=0xff).collect(),
    };
    for lead in leads {
        all.push(vec![lead]);
        for a in next {
            all.push(vec![lead, a]);
            for b in [0x7f, 0x80, 0xbf, 0xc0] {
                all.push(vec![lead, a, b]);
                all.push(vec![b'x', lead, a, b, 0x80]);
                all.push(vec![lead, a, b, 0xbf, b'x', 0xce]);
            }
        }
    }
    all
}

fn fed(utf8: &mut Utf8, pieces: &[&[u8]]) -> bool {
    pieces.iter().all(|p| utf8.feed(p).is_ok())
}

#[test]
fn utf8_at_every_split_of_every_kind_of_sequence() {
    for bytes in sequences() {
        let whole = core::str::from_utf8(&bytes);
        let broken = matches!(whole, Err(e) if e.error_len().is_some());
        for a in 0..=bytes.len() {
            for b in a..=bytes.len() {
                let pieces = [&bytes[..a], &bytes[a..b], &bytes[b..]];
                let mut utf8 = Utf8::default();
                assert_eq!(fed(&mut utf8, &pieces), !broken, "{pieces:x?}");
                if !broken {
                    assert_eq!(
                        utf8.finish().is_ok(),
                        whole.is_ok(),
                        "{pieces:x?} at the end"
                    );
                    assert!(
                        utf8.feed(b"\x80").is_err(),
                        "the next text starts without state"
                    );
                }
            }
        }
    }
}

#[test]
fn utf8_is_rejected_at_the_first_invalid_byte() {
    for bytes in sequences() {
        // The longest prefix that some continuation makes valid.
        let good = |n: &usize| match core::str::from_utf8(&bytes[..*n]) {
            Ok(_) => true,
            Err(e) => e.error_len().is_none(),
        };
        let prefix = (0..=bytes.len()).take_while(good).last().unwrap_or(0);
        let mut utf8 = Utf8::default();
        let byte_by_byte = bytes.iter().position(|b| utf8.feed(&[*b]).is_err());
        assert_eq!(byte_by_byte.unwrap_or(bytes.len()), prefix, "{bytes:x?}");
    }
}

/// Texts long enough for vector code, with an invalid sequence at every position, cut at every
/// position: the result equals that of the standard library.
#[test]
fn utf8_of_long_texts_agrees_with_the_standard_library() {
    let (ats, cuts) = if cfg!(miri) { (41, 37) } else { (1, 1) };
    let wrong: [&[u8]; 10] = [
        b"x",
        b"\x80",
        b"\xc3",
        b"\xc0\x80",
        b"\xe2\x82",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x93",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
    ];
    for text in ["a".repeat(150), "x\u{e9}\u{20ac}\u{1f4c8}".repeat(15)] {
        for sequence in wrong {
            for at in (0..=text.len()).step_by(ats) {
                let (before, behind) = text.as_bytes().split_at(at);
                let bytes = [before, sequence, behind].concat();
                let expected = str::from_utf8(&bytes);
                assert_eq!(
                    utf8::check(&bytes).ok(),
                    expected.ok(),
                    "{sequence:x?} at {at}"
                );
                for cut in (0..=bytes.len()).step_by(cuts) {
                    let (first, rest) = bytes.split_at(cut);
                    let is_wrong = |e: core::str::Utf8Error| e.error_len().is_some();
                    let mut utf8 = Utf8::default();
                    let first_part = utf8.feed(first);
                    assert_eq!(
                        first_part.is_err(),
                        str::from_utf8(first).is_err_and(is_wrong)
                    );
                    if first_part.is_ok() {
                        let complete = utf8.feed(rest).and_then(|()| utf8.finish());
                        assert_eq!(complete.is_ok(), expected.is_ok(), "cut at {cut}");
                    }
                }
            }
        }
    }
}

#[test]
fn headers_round_trip_at_every_length_boundary() {
    let lens = [
        0,
        1,
        124,
        125,
        126,
        127,
        255,
        256,
        65_535,
        65_536,
        1 << 31,
        1 << 40,
    ];
    for len in lens {
        for (role, key) in [(Role::Client, None), (Role::Server, Some(KEYS[0]))] {
            let first = [
                (Opcode::Text, true, Rsv::NONE),
                (Opcode::Continuation, false, Rsv::NONE),
                (Opcode::Binary, false, Rsv::RSV1),
            ];
            for (opcode, fin, rsv) in first {
                let rules = Rules { role, rsv };
                let mut out = [0xee; header::HEADER_BYTES_MAX + 1];
                let size = header::write(&mut out, opcode, fin, rsv, len, key);
                assert_eq!(size, header::size(len, key.is_some()));
                assert_eq!(out[size], 0xee, "wrote past the header");
                let expected = Header {
                    len: len as u64,
                    key: key.unwrap_or_default(),
                    size: size as u8,
                    opcode,
                    fin,
                    rsv,
                };
                assert_eq!(header::parse(&out, rules), Ok(Some(expected)));
                assert_eq!(expected.frame_len(), Some(size + len));
                assert_eq!(header::measure(&out[..size]), (size, len));
                for short in 0..size {
                    assert_eq!(
                        header::parse(&out[..short], rules),
                        Ok(None),
                        "{short} bytes"
                    );
                    assert_eq!(
                        header::write(&mut out[..short].to_vec(), opcode, fin, rsv, len, key),
                        0
                    );
                }
            }
        }
    }
}

#[test]
fn every_first_two_bytes() {
    let both = [Role::Client, Role::Server];
    let cases = both.map(|role| [Rsv::NONE, Rsv::RSV1].map(|rsv| (role, rsv)));
    for first in 0..=255_u8 {
        for second in 0..=255_u8 {
            for &(role, rsv) in cases.as_flattened() {
                let rules = Rules { role, rsv };
                let bytes = [first, second, 0, 200, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
                let (opcode, len7) = (first & 15, second & 0x7f);
                let masked = second >= 0x80;
                // RSV1 is valid with an extension that uses it, on the first frame of a message.
                let agreed = rsv == Rsv::RSV1 && first & 0x70 == 0x40 && matches!(opcode, 1 | 2);
                let expected = if first & 0x70 != 0 && !agreed {
                    Err(Violation::ReservedBits)
                } else if matches!(opcode, 3..=7 | 11..=15) {
                    Err(Violation::ReservedOpcode(opcode))
                } else if opcode >= 8 && first < 0x80 {
                    Err(Violation::ControlFragmented)
                } else if role == Role::Server && !masked {
                    Err(Violation::UnmaskedFromClient)
                } else if role == Role::Client && masked {
                    Err(Violation::MaskedFromServer)
                } else if opcode >= 8 && len7 > 125 {
                    Err(Violation::ControlTooLong)
                } else {
                    Ok(match len7 {
                        126 => 200,
                        127 => 0x00c8_0102_0304_0506,
                        len => u64::from(len),
                    })
                };
                let parsed = header::parse(&bytes, rules);
                if expected == Err(Violation::ReservedBits) {
                    assert_eq!(header::parse(&[first], rules), Err(Violation::ReservedBits));
                }
                if let Ok(Some(header)) = parsed {
                    assert_eq!(header.rsv == Rsv::RSV1, agreed);
                }
                let len = parsed.map(|h| h.map_or(u64::MAX, |h| h.len));
                assert_eq!(len, expected, "{first:08b} {second:08b} under {rules:?}");
            }
        }
    }
}

#[test]
fn close_body_parses_and_encodes() {
    assert_eq!(close::parse(b""), Ok(None));
    assert_eq!(close::parse(b"\x03"), Err(Violation::CloseBodyOfOneByte));
    let bad = close::parse(b"\x03\xe8\xff");
    assert_eq!(bad, Err(Violation::InvalidUtf8));
    let reason: String = "r".repeat(123);
    let body = close::Body::new(CloseCode::NORMAL, &reason).expect("fits");
    assert_eq!(
        (body.as_slice().len(), body.code()),
        (125, Some(CloseCode::NORMAL))
    );
    let read = close::parse(body.as_slice())
        .expect("right")
        .expect("a code");
    assert_eq!((read.code, read.reason), (CloseCode::NORMAL, &reason[..]));
    let long = close::Body::new(CloseCode::NORMAL, &"r".repeat(124));
    assert_eq!(long, Err(SendError::ControlTooLong { len: 124, max: 123 }));
    let reserved = close::Body::new(CloseCode(1005), "");
    assert_eq!(reserved, Err(SendError::InvalidCloseCode(1005)));
    assert_eq!(close::Body::EMPTY.code(), None);
}

/// Every reason that this endpoint sends fits a Close frame.
#[test]
fn violation_rules_fit_a_close_frame() {
    let violations = [
        Violation::UnmaskedFromClient,
        Violation::MaskedFromServer,
        Violation::LengthNotMinimal,
        Violation::LengthTopBit,
        Violation::ReservedBits,
        Violation::ReservedOpcode(3),
        Violation::ControlTooLong,
        Violation::ControlFragmented,
        Violation::DataInsideMessage,
        Violation::OrphanContinuation,
        Violation::InvalidUtf8,
        Violation::CloseBodyOfOneByte,
        Violation::InvalidCloseCode(0),
    ];
    for v in violations {
        assert!(close::Body::new(v.close_code(), v.rule()).is_ok(), "{v}");
    }
}
