//! ITCH 5.0: every message against the standard's table of offsets, and under damage.

use crate::common::{WIDE, encode, json, refuses_other_lengths, torture};
use proptest::prelude::*;
use tickwire_codecs::framing::{ByteOrder, LengthField};
use tickwire_codecs::{
    Batch, Chars, Code, Codec, Decimal, DecodeError, Dyn, DynCodec, Known, Limits, Progress,
    Reassembler, StreamCodec, itch::*,
};

/// One message of each type with a different byte in every field; the lengths are those of "Nasdaq
/// TotalView-ITCH 5.0", sections 4.1 to 4.10.
pub(crate) fn fixtures() -> Vec<Vec<u8>> {
    const LENGTHS: [(u8, usize); 23] = [
        (b'S', 12),
        (b'R', 39),
        (b'H', 25),
        (b'Y', 20),
        (b'L', 26),
        (b'V', 35),
        (b'W', 12),
        (b'K', 28),
        (b'J', 35),
        (b'h', 21),
        (b'A', 36),
        (b'F', 40),
        (b'E', 31),
        (b'C', 36),
        (b'X', 23),
        (b'D', 19),
        (b'U', 35),
        (b'P', 44),
        (b'Q', 40),
        (b'B', 19),
        (b'I', 50),
        (b'N', 20),
        (b'O', 48),
    ];
    LENGTHS
        .iter()
        .map(|&(kind, len)| {
            let mut wire = vec![kind];
            wire.extend((1..len).map(|at| b'0' + at as u8));
            wire
        })
        .collect()
}

#[test]
fn every_type_stands_damage_and_comes_back_the_same() {
    for wire in fixtures() {
        torture::<Itch50>(&wire);
        refuses_other_lengths::<Itch50>(&wire);
    }
}

#[test]
fn the_table_of_types_is_the_standards() {
    let kinds: Vec<u8> = fixtures().iter().map(|wire| wire[0]).collect();
    assert_eq!(kinds, KINDS);
    for kind in 0..=255 {
        let len = fixtures().iter().find(|wire| wire[0] == kind).map(Vec::len);
        assert_eq!(message_len(kind), len);
        if len.is_none() {
            assert_eq!(
                Itch50::view(&[kind; 50], &WIDE).unwrap_err(),
                DecodeError::Wrong {
                    at: 0,
                    what: "ITCH message type",
                    got: kind.into()
                }
            );
        }
    }
}

/// Bytes `from..to` of a message as a number: what the standard's offset and length columns say.
fn number(wire: &[u8], from: usize, len: usize) -> u64 {
    wire[from..from + len]
        .iter()
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// Offset and length of every number behind the head, from the standard's tables (sections 4.1 to
/// 4.10), by the field's name.
const NUMBERS: &str = "
    R round_lot_size 21 4 etp_leverage 34 4
    V level1 11 8 level2 19 8 level3 27 8
    K release_time_s 19 4 price 24 4
    J reference 19 4 upper 23 4 lower 27 4 extension 31 4
    A order_reference 11 8 shares 20 4 price 32 4
    F order_reference 11 8 shares 20 4 price 32 4
    E order_reference 11 8 shares 19 4 match_number 23 8
    C order_reference 11 8 shares 19 4 match_number 23 8 price 32 4
    X order_reference 11 8 shares 19 4
    D order_reference 11 8
    U original_reference 11 8 order_reference 19 8 shares 27 4 price 31 4
    P order_reference 11 8 shares 20 4 price 32 4 match_number 36 8
    Q shares 11 8 price 27 4 match_number 31 8
    B match_number 11 8
    I paired_shares 11 8 imbalance_shares 19 8 far_price 36 4 near_price 40 4 reference_price 44 4
    O minimum_price 20 4 maximum_price 24 4 near_price 28 4 near_time_ns 32 8 lower_collar 40 4
      upper_collar 44 4
";

#[test]
fn numbers_lie_where_the_standard_puts_them() {
    let fixtures = fixtures();
    for wire in &fixtures {
        let message = Itch50::view(wire, &WIDE).unwrap();
        let head = message.head();
        assert_eq!(head.kind(), wire[0]);
        assert_eq!(u64::from(head.stock_locate.get()), number(wire, 1, 2));
        assert_eq!(u64::from(head.tracking_number.get()), number(wire, 3, 2));
        assert_eq!(head.timestamp.value(), number(wire, 5, 6));
    }
    let mut words = NUMBERS.split_whitespace().peekable();
    let (mut kind, mut checked) = (0, 0);
    while let Some(word) = words.next() {
        if let [letter] = word.as_bytes() {
            kind = *letter;
            continue;
        }
        let mut next = || words.next().and_then(|word| word.parse().ok()).unwrap();
        let (from, len) = (next(), next());
        let wire = fixtures.iter().find(|wire| wire[0] == kind).unwrap();
        let shown = json(&Itch50::view(wire, &WIDE).unwrap());
        let fields: serde_json::Value = serde_json::from_str(&shown).unwrap();
        // A price is text with a point in it.
        let digits = fields[word].to_string().replace(['"', '.'], "");
        assert_eq!(
            digits.parse(),
            Ok(number(wire, from, len)),
            "{word} of {shown}"
        );
        checked += 1;
    }
    assert_eq!(checked, 50);
}

#[test]
fn built_messages_read_back() {
    let head = Head::new(13, 2, 34_200_123_456_789).unwrap();
    assert!(Head::new(0, 0, 1 << 48).is_none());
    let add = AddOrderMpid {
        head,
        order_reference: 99.into(),
        side: Side::Sell.into(),
        shares: 700.into(),
        stock: Chars::spaced("MSFT").unwrap(),
        price: Price4::new(4_012_300),
        attribution: Chars::spaced("NSDQ").unwrap(),
    };
    let wire = encode::<Itch50>(&add);
    let Message::AddOrderMpid(view) = Itch50::view(&wire, &Limits::FEED).unwrap() else {
        panic!("not an F")
    };
    assert_eq!(view.side.known(), Some(Side::Sell));
    assert_eq!(view.price.decimal(), Decimal::new(40_123, -2));
    assert_eq!(
        json(&view),
        r#"{"type":"AddOrderMpid","stock_locate":13,"tracking_number":2,"timestamp":34200123456789,"order_reference":99,"side":"S","shares":700,"stock":"MSFT","price":"401.2300","attribution":"NSDQ"}"#
    );
}

/// The head of a built message has no type, or that of the message it was copied from.
#[test]
fn a_message_is_written_as_the_type_it_is() {
    let head = Head::new(13, 2, 34_200_123_456_789).unwrap();
    let delete = OrderDelete {
        head,
        order_reference: 99.into(),
    };
    let wire = encode::<Itch50>(&Message::OrderDelete(&delete));
    let read = Itch50::view(&wire, &Limits::FEED).unwrap();
    let Message::OrderDelete(deleted) = read else {
        panic!("not a D: {read:?}")
    };
    assert_eq!(deleted.order_reference.get(), 99);
    assert_eq!(read.bytes(), wire);
    let broken = BrokenTrade {
        head: deleted.head,
        match_number: 5.into(),
    };
    let wire = encode::<Itch50>(&Message::BrokenTrade(&broken));
    let read = Itch50::view(&wire, &Limits::FEED).unwrap();
    assert!(
        matches!(read, Message::BrokenTrade(trade) if trade.match_number.get() == 5),
        "{read:?}"
    );
}

/// A code keeps every byte, and a known value writes the byte it was read from.
fn check_codes<E: Known>() {
    let known = (0..=255).filter_map(|byte| {
        let code = Code::<E>::raw(byte);
        assert_eq!(code.byte(), byte);
        code.known()
            .inspect(|value| assert_eq!(value.to_byte(), byte))
    });
    assert!(known.count() >= 2);
}

#[test]
fn codes_write_the_byte_they_read() {
    check_codes::<Side>();
    check_codes::<Flag>();
    check_codes::<EventCode>();
    check_codes::<MarketCategory>();
    check_codes::<FinancialStatus>();
    check_codes::<IssueClassification>();
    check_codes::<Authenticity>();
    check_codes::<LuldTier>();
    check_codes::<TradingState>();
    check_codes::<RegShoAction>();
    check_codes::<MarketMakerMode>();
    check_codes::<ParticipantState>();
    check_codes::<BreakerLevel>();
    check_codes::<IpoReleaseQualifier>();
    check_codes::<MarketCode>();
    check_codes::<HaltAction>();
    check_codes::<CrossType>();
    check_codes::<ImbalanceDirection>();
    check_codes::<InterestFlag>();
    check_codes::<RejectReason>();
}

#[test]
fn files_with_and_without_lengths_read_the_same() {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for wire in fixtures() {
        with.extend((wire.len() as u16).to_be_bytes());
        with.extend(&wire);
        without.extend([0, 0]);
        without.extend(&wire);
    }
    for file in [&with, &without] {
        let views: Result<Vec<_>, _> = Batch::new(file, ItchFile, &WIDE)
            .views::<Itch50>()
            .collect();
        let kinds: Vec<u8> = views
            .unwrap()
            .iter()
            .map(|view| view.head().kind())
            .collect();
        assert_eq!(kinds, KINDS);
        // Cut anywhere, all messages before the cut come out, then one error at the cut message.
        for cut in 0..file.len() {
            let mut ends = vec![0];
            let mut batch = Batch::new(&file[..cut], ItchFile, &WIDE);
            let error = loop {
                match batch.next() {
                    Some(Ok(framed)) => ends.push(framed.at + framed.bytes.len()),
                    Some(Err(error)) => break Some(error),
                    None => break None,
                }
            };
            assert!(batch.next().is_none(), "goes on after an error");
            // The two bytes of a length left at 0 are also the end of the session.
            let end = *ends.last().unwrap();
            let at_boundary = end == cut || file[end..cut] == [0, 0];
            match error {
                None => assert!(at_boundary),
                Some(error) => {
                    assert!(
                        !at_boundary && matches!(error, DecodeError::Short { .. }),
                        "{error:?}"
                    );
                    assert!(error.at() as usize >= *ends.last().unwrap());
                }
            }
        }
    }
}

/// "BinaryFILE Version 1.00": a length of 0 ends the session.
#[test]
fn a_file_ends_with_the_end_of_the_session() {
    let message = &fixtures()[0];
    let mut file = Vec::new();
    for _ in 0..2 {
        file.extend((message.len() as u16).to_be_bytes());
        file.extend(message);
    }
    let whole = file.len();
    file.extend([0, 0]);
    let mut batch = Batch::new(&file, ItchFile, &WIDE);
    let read: Result<Vec<_>, _> = batch.by_ref().collect();
    assert!(read.unwrap().iter().all(|framed| framed.bytes == message));
    assert_eq!(batch.at(), whole);
    let mut stream = Reassembler::new(ItchFile, WIDE);
    let mut seen = 0;
    for piece in file.chunks(5) {
        let mut rest = piece;
        while let Progress::Item { consumed, item } = stream.next(rest) {
            assert_eq!(item, message);
            seen += 1;
            rest = &rest[consumed..];
        }
    }
    assert_eq!((seen, stream.is_mid_message()), (2, false));
    // One byte of it is a cut file.
    let cut = Batch::new(&file[..=whole], ItchFile, &WIDE).last();
    assert!(
        matches!(cut, Some(Err(DecodeError::Short { .. }))),
        "{cut:?}"
    );
}

#[test]
fn a_batch_stops_at_its_item_limit() {
    let file = b"\x00\x01a".repeat(5);
    let limits = Limits {
        max_items: 3,
        ..WIDE
    };
    let results: Vec<_> = Batch::new(&file, LengthField::u16(ByteOrder::Big), &limits).collect();
    assert_eq!(results.len(), 4);
    assert_eq!(
        results[3],
        Err(DecodeError::Limit {
            at: 9,
            what: "items",
            got: 4,
            max: 3
        })
    );
}

#[test]
fn a_refused_message_does_not_end_the_batch() {
    let file = b"\x00\x01?\x00\x0cS\0\0\0\0\0\0\0\0\0\0O";
    let mut views = Batch::new(file, LengthField::u16(ByteOrder::Big), &WIDE).views::<Itch50>();
    assert_eq!(views.next().unwrap().unwrap_err().at(), 2);
    assert_eq!(views.next().unwrap().unwrap().head().kind(), b'S');
    assert!(views.next().is_none());
}

#[test]
fn tools_see_the_codec_through_one_face() {
    let codec: &dyn DynCodec = &Dyn::<Itch50>::new("itch50");
    assert_eq!((codec.name(), codec.version()), ("itch50", 0x0500));
    let wire = &fixtures()[0];
    assert!(codec.check(wire, &WIDE).is_ok());
    let mut out = String::new();
    codec.to_json(wire, &WIDE, &mut out).unwrap();
    assert!(out.starts_with(r#"{"type":"SystemEvent","#), "{out}");
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        crate::common::poke::<Itch50>(&bytes);
        for framed in Batch::new(&bytes, ItchFile, &WIDE).flatten() {
            prop_assert!(framed.at + framed.bytes.len() <= bytes.len());
        }
    }
}
