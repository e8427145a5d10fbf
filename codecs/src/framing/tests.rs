use super::*;
use crate::Batch;
use std::vec::Vec;

/// The messages of a buffer, and the error at its end.
fn split(framing: LengthField, bytes: &[u8]) -> (Vec<Vec<u8>>, Option<DecodeError>) {
    let (mut messages, mut failed) = (Vec::new(), None);
    for framed in Batch::new(bytes, framing, &Limits::FEED) {
        match framed {
            Ok(framed) => messages.push(framed.bytes.to_vec()),
            Err(error) => failed = Some(error),
        }
    }
    (messages, failed)
}

/// Two frames of `abc` and of nothing, byte by byte: the length of the first is 3, or 3 and what it
/// counts of the header.
fn layouts() -> [(LengthField, &'static [u8], &'static [u8]); 12] {
    let little = LengthField::u16(ByteOrder::Little);
    let wide = LengthField::u32(ByteOrder::Big);
    [
        (little, b"\x03\0abc", b"\0\0"),
        (LengthField::u16(ByteOrder::Big), b"\0\x03abc", b"\0\0"),
        (little.counting_itself(), b"\x05\0abc", b"\x02\0"),
        (
            LengthField::u16(ByteOrder::Big).counting_itself(),
            b"\0\x05abc",
            b"\0\x02",
        ),
        (
            LengthField::u32(ByteOrder::Little),
            b"\x03\0\0\0abc",
            b"\0\0\0\0",
        ),
        (wide, b"\0\0\0\x03abc", b"\0\0\0\0"),
        (wide.counting_itself(), b"\0\0\0\x07abc", b"\0\0\0\x04"),
        // 4 + 2 + 3.
        (
            LengthField::SOFH,
            b"\0\0\0\x09\xeb\x50abc",
            b"\0\0\0\x06\x5b\xe0",
        ),
        (
            LengthField::SOFH_LITTLE,
            b"\x09\0\0\0\x50\xebabc",
            b"\x06\0\0\0\xe0\x5b",
        ),
        (
            LengthField::SOFH_SHORT,
            b"\x07\0\x50\xebabc",
            b"\x04\0\xfe\xca",
        ),
        (LengthField::MEMX_TCP, b"\x0b\0\x03abc", b"\x68\0\0"),
        // 24 bytes of header: 27 and 24.
        (
            LengthField::COINBASE_ORDERS,
            b"\xf1\0\x1b\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0abc",
            b"\xf1\0\x18\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0",
        ),
    ]
}

#[test]
fn layouts_by_hand() {
    for (framing, first, second) in layouts() {
        let both = [first, second].concat();
        assert_eq!(split(framing, &both), (vec(&[b"abc", b""]), None));
        let whole = framing.keeping_header();
        assert_eq!(split(whole, &both), (vec(&[first, second]), None));
        // Every cut: what is whole is given out, and the rest named as short.
        for len in 0..both.len() {
            let (messages, failed) = split(framing, &both[..len]);
            let is_whole = len >= first.len();
            assert_eq!(
                messages.len(),
                usize::from(is_whole),
                "{framing:?} cut to {len}"
            );
            let at_edge = len == 0 || len == first.len();
            match failed {
                None => assert!(at_edge),
                Some(DecodeError::Short { at, need, have }) => {
                    assert!(!at_edge);
                    assert!(u64::from(at) + need > len as u64 && have < need);
                }
                Some(other) => panic!("{other}"),
            }
        }
        // What is written is what is read.
        let mut frame = first.to_vec();
        let at = usize::from(framing.at);
        frame[at..at + framing.width_bytes()].fill(0xaa);
        framing.write_length(&mut frame).unwrap();
        assert_eq!(frame, first);
    }
}

fn vec(messages: &[&[u8]]) -> Vec<Vec<u8>> {
    messages.iter().map(|m| m.to_vec()).collect()
}

#[test]
fn lengths_that_cannot_be() {
    let wrong = |framing, bytes: &[u8]| split(framing, bytes).1.unwrap();
    let at = |at, got| DecodeError::wrong(at, "frame length", got);
    assert_eq!(wrong(LengthField::SOFH, b"\0\0\0\x05\xeb\x50"), at(0, 5));
    assert_eq!(wrong(LengthField::SOFH_SHORT, b"\x03\0\x50\xeb"), at(0, 3));
    let orders = LengthField::COINBASE_ORDERS;
    assert_eq!(wrong(orders, &[0xf1, 0, 23, 0]), at(2, 23));
    // A length beyond the limit is refused before its bytes are waited for.
    let long = u32::MAX.to_le_bytes();
    for framing in [
        LengthField::u32(ByteOrder::Little),
        LengthField::u32(ByteOrder::Little).keeping_header(),
    ] {
        assert!(matches!(wrong(framing, &long), DecodeError::Limit { .. }));
    }
    let mut short = [0; 5];
    let room = EncodeError::Room { need: 6, have: 5 };
    assert_eq!(LengthField::SOFH.write_length(&mut short), Err(room));
    let mut long = std::vec![0; 1 << 16];
    let range = EncodeError::Range {
        what: "frame length",
        got: 1 << 16,
    };
    let short = LengthField::SOFH_SHORT;
    assert_eq!(short.write_length(&mut long), Err(range));
    assert_eq!(short.write_length(&mut long[1..]), Ok(()));
}

#[test]
fn encoding_types() {
    let of = |framing: LengthField, frame: &[u8]| framing.encoding_type(frame);
    assert_eq!(
        of(LengthField::SOFH, b"\0\0\0\x06\x5b\xe0"),
        Some(sofh::SBE_1_BIG)
    );
    assert_eq!(
        of(LengthField::SOFH_LITTLE, b"\x06\0\0\0\x50\xeb"),
        Some(sofh::SBE_1_LITTLE)
    );
    assert_eq!(
        of(LengthField::SOFH_SHORT, b"\x04\0\xfe\xca"),
        Some(sofh::CME)
    );
    assert_eq!(of(LengthField::SOFH, b"\0\0\0\x06\x5b"), None);
    assert_eq!(of(LengthField::u16(ByteOrder::Big), b"\0\0\x5b\xe0"), None);
}

/// A datagram's header, its sequence number and what is behind it.
fn read<P: Packet>(datagram: &[u8]) -> Result<(u64, Vec<Vec<u8>>), DecodeError> {
    let (packet, messages) = P::read(datagram)?;
    let messages = match P::MESSAGES {
        Some(framing) => {
            let (messages, failed) = split(framing, messages);
            assert_eq!(failed, None);
            messages
        }
        None => std::vec![messages.to_vec()],
    };
    Ok((packet.sequence(), messages))
}

/// Each header byte by byte, with the sequence number 7 and the messages `abc` and `d`.
#[test]
fn packets_by_hand() {
    let two = || vec(&[b"abc", b"d"]);
    let cme = b"\x07\0\0\0\x09\0\0\0\0\0\0\0\x05\0abc\x03\0d";
    assert_eq!(read::<CmePacket>(cme), Ok((7, two())));
    // Channel 84, version 1.
    let b3 = b"\x54\0\x01\0\x07\0\0\0\x09\0\0\0\0\0\0\0\x07\0\x50\xebabc\x05\0\x50\xebd";
    assert_eq!(read::<B3Packet>(b3), Ok((7, two())));
    // Channel 3, incremental, two messages, no instrument.
    let coinbase = b"\x09\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x03\0\x01\x02\0\0\0\0\x05\0abc\x03\0d";
    assert_eq!(read::<CoinbasePacket>(coinbase), Ok((7, two())));
    // Four bytes on channel 10; Ethernet's padding is none of them.
    let deribit = b"\x04\0\x0a\0\x07\0\0\0abcd\0\0";
    assert_eq!(read::<DeribitPacket>(deribit), Ok((7, vec(&[b"abcd"]))));
    let memx = b"\x02\x12\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x07\0\x02\0\x03abc\0\x01d";
    assert_eq!(read::<MemxPacket>(memx), Ok((7, two())));
    let heartbeat = b"\0\x12\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x07";
    assert_eq!(read::<MemxPacket>(heartbeat), Ok((7, Vec::new())));
    let sizes = [
        size_of::<CmePacket>(),
        size_of::<B3Packet>(),
        size_of::<CoinbasePacket>(),
        size_of::<DeribitPacket>(),
        size_of::<MemxPacket>(),
    ];
    assert_eq!(sizes, [12, 16, 24, 8, 18]);
    let short = |at, need, have| Err(DecodeError::short(at, need, have));
    assert_eq!(read::<CmePacket>(&cme[..11]), short(0, 12, 11));
    assert_eq!(read::<DeribitPacket>(&deribit[..11]), short(8, 4, 3));
    assert_eq!(read::<MemxPacket>(&memx[..19]), short(18, 2, 1));
}

/// A message of `abc`.
struct Abc;

impl Encode<()> for Abc {
    fn encoded_len(&self) -> usize {
        3
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        crate::encode_bytes(b"abc", out)
    }
}

impl Codec for () {
    const ID: crate::WireId = crate::WireId::new(crate::family::ENVELOPE, 0xFFFF);
    const VERSION: u16 = 0;
    type View<'a> = ();

    fn view(_: &[u8], _: &Limits) -> Result<(), DecodeError> {
        Ok(())
    }
}

#[test]
fn encode_writes_the_length_and_the_message() {
    for (framing, frame, _) in layouts() {
        let mut out = [0xaa; 32];
        // The length is written, whatever was there; the rest of the header is the caller's.
        out[..frame.len() - 3].copy_from_slice(&frame[..frame.len() - 3]);
        let at = usize::from(framing.at);
        out[at..at + framing.width_bytes()].fill(0xaa);
        assert_eq!(framing.encode::<()>(&Abc, &mut out), Ok(frame.len()));
        assert_eq!(&out[..frame.len()], frame, "{framing:?}");
        assert!(out[frame.len()..].iter().all(|byte| *byte == 0xaa));
        let room = EncodeError::Room {
            need: frame.len(),
            have: frame.len() - 1,
        };
        let short = &mut out[..frame.len() - 1];
        assert_eq!(framing.encode::<()>(&Abc, short), Err(room));
    }
}
