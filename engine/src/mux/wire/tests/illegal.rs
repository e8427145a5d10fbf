//! Every rule, one row each at least: what is wrong, its bytes, its name.

use super::WireError::*;
use super::*;

/// The tag of a varint of 8 bytes whose number is `v`.
fn eight(v: u64) -> [u8; 8] {
    ((v << 2) | 3).to_le_bytes()
}

fn check(what: &str, record: &[u8], error: WireError) {
    let mut frames = Frames::new(record);
    assert_eq!(frames.next(), Some(Err(error)), "{what}: {record:02x?}");
    // Nothing comes after an error.
    assert_eq!(frames.next(), None, "{what}");
    assert!(frames.message().is_none(), "{what}");
    let mut frames = Frames::new(record);
    assert!(
        frames.message().is_none(),
        "{what}: message gives what is legal"
    );
    assert_eq!(frames.next(), Some(Err(error)), "{what}: after message");
    // Behind a legal frame, too, which is given first.
    let mut behind = vec![0x11, 0x14, 0x04, 0xee];
    behind.extend(record);
    let mut frames = Frames::new(&behind);
    assert!(matches!(frames.next(), Some(Ok(Frame::Data(_)))), "{what}");
    assert_eq!(frames.next(), Some(Err(error)), "{what}: second");
    assert_eq!(frames.next(), None, "{what}: second");
}

#[test]
fn types_that_are_reserved() {
    for kind in 0xC..=0xE {
        for flags in 0..16 {
            check("type", &[flags << 4 | kind, 0, 0, 0], ReservedType);
        }
    }
}

/// All 16 flags of all types, compared with a second table.
#[test]
fn flags_that_a_type_does_not_have() {
    let known = [
        (0x0, 0b0000),
        (0x1, 0b1111),
        (0x2, 0b1001),
        (0x3, 0b1111),
        (0x4, 0),
        (0x5, 0),
        (0x6, 0b0001),
        (0x7, 0b0011),
        (0x8, 0),
        (0x9, 0b0001),
        (0xA, 0),
        (0xB, 0),
        (0xF, 0b0001),
    ];
    for (kind, known) in known {
        for flags in 0..16_u8 {
            let mut record = vec![flags << 4 | kind];
            record.resize(32, 4);
            if flags & !known != 0 {
                check("flags", &record, UnknownFlags);
            } else {
                let error = Frames::new(&record).find_map(Result::err);
                assert_ne!(error, Some(UnknownFlags), "{kind} with {flags}");
            }
        }
    }
}

#[test]
fn pad() {
    check("64 bytes of PAD", &[0; 64], TooMuchPad);
    check("a page of PAD", &[0; 4096], TooMuchPad);
    let mut record = vec![0; 64];
    record.extend([0x01, 0x14, 1, 2, 3, 4, 5, 6, 7, 8]);
    check("64 bytes of PAD before DATA", &record, TooMuchPad);
}

#[test]
fn numbers_that_are_too_large() {
    let million = u64::from(ALIAS_MAX);
    let aliases = [
        eight(million).to_vec(),
        ((million as u32) << 2 | 2).to_le_bytes().to_vec(),
        eight(VARINT_MAX).to_vec(),
        eight(1 << 32).to_vec(),
        // Too large by its last byte alone.
        eight(5 | 1 << 58).to_vec(),
        vec![0xFE, 0xFF, 0xFF, 0xFF],
    ];
    for alias in &aliases {
        for byte0 in [
            0x01, 0x11, 0x31, 0x51, 0x81, 0x02, 0x12, 0x03, 0x43, 0x04, 0x06, 0x17, 0x08,
        ] {
            let record = [&[byte0], &alias[..], &[4; 20]].concat();
            check("alias", &record, AliasTooLarge);
        }
        let record = [&[0x05], &alias[..], &[4; 20]].concat();
        check("peer alias of ACCEPT", &record, AliasTooLarge);
        let record = [&[0x05, 4], &alias[..], &[4; 20]].concat();
        check("own alias of ACCEPT", &record, AliasTooLarge);
    }
    for code in [eight(1 << 32), eight(VARINT_MAX)] {
        for byte0 in [0x06, 0x17, 0x0A] {
            let record = [&[byte0, 4], &code[..], &[0]].concat();
            check("code", &record, CodeTooLarge);
        }
    }
}

#[test]
fn data() {
    let rows: &[(&str, &[u8], WireError)] = &[
        ("FIN with MORE", &[0x61, 4, 1], FinWithMore),
        (
            "FIN with MORE, long",
            &[0x71, 4, 4, 1, 2, 3, 4, 5, 6],
            FinWithMore,
        ),
        (
            "FIN with MORE and SKIP",
            &[0xF1, 4, 4, 4, 2, 3],
            FinWithMore,
        ),
        ("skip 0", &[0x81, 4, 0, 1], SkipZero),
        ("skip 0 in two bytes", &[0x81, 4, 1, 0, 1], SkipZero),
        ("skip 0 with LEN", &[0x91, 4, 4, 0, 1], SkipZero),
        ("skip 0 of a RUN", &[0x82, 4, 4, 0, 1], SkipZero),
        (
            "DATA longer than its record",
            &[0x11, 4, 8, 1],
            WireError::Truncated,
        ),
        (
            "DATA one byte longer",
            &[0x11, 4, 0x24, 1, 2, 3, 4, 5, 6, 7, 8],
            Truncated,
        ),
        (
            "DATA of 2^62-1 bytes",
            &[0x11, 4, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            Truncated,
        ),
    ];
    for (what, record, error) in rows {
        check(what, record, *error);
    }
}

#[test]
fn runs() {
    let rows: &[(&str, &[u8], WireError)] = &[
        ("elem 0", &[0x02, 4, 0, 1], RunElementEmpty),
        ("elem 0 with LEN", &[0x12, 4, 0, 4, 1], RunElementEmpty),
        ("RUN of nothing", &[0x02, 4, 4], RunEmpty),
        ("count 0", &[0x12, 4, 4, 0], RunEmpty),
        (
            "count 0 with bytes behind",
            &[0x12, 4, 4, 0, 0x11, 4, 0],
            RunEmpty,
        ),
        ("half an element", &[0x02, 4, 8, 1], RunNotWhole),
        ("an element and a half", &[0x02, 4, 8, 1, 2, 3], RunNotWhole),
        (
            "RUN longer than its record",
            &[0x12, 4, 8, 8, 1, 2, 3],
            Truncated,
        ),
    ];
    for (what, record, error) in rows {
        check(what, record, *error);
    }
    let large = eight(1 << 32);
    check(
        "elem 2^32",
        &[&[0x02, 4], &large[..], &[1]].concat(),
        RunTooLarge,
    );
    check(
        "count 2^32",
        &[&[0x12, 4, 4], &large[..], &[1]].concat(),
        RunTooLarge,
    );
    // The product does not wrap around to something short.
    let half = eight(u64::from(u32::MAX));
    let record = [&[0x12, 4], &half[..], &half, &[1; 16]].concat();
    check("2^64 bytes", &record, Truncated);
    let half = eight(1 << 31);
    let record = [&[0x12, 4], &half[..], &half, &[1; 16]].concat();
    check("2^62 bytes", &record, Truncated);
}

#[test]
fn control_frames() {
    let rows: &[(&str, &[u8], WireError)] = &[
        ("NARROW and BLOCKED", &[0x33, 4, 4], CreditOfTwoKinds),
        ("NARROW and RETURN", &[0x93, 4, 4], CreditOfTwoKinds),
        ("BLOCKED and RETURN", &[0xA3, 4, 4], CreditOfTwoKinds),
        ("all three, and ACK", &[0xF3, 4, 4, 4], CreditOfTwoKinds),
        ("neither ABORT nor STOP", &[0x07, 4, 4], ResetOfNothing),
        (
            "direction 3",
            &[0x04, 4, 0x18, 0, 4, 4, 0],
            ReservedDirection,
        ),
        ("mode bit 4", &[0x04, 4, 0, 0x10, 4, 4, 0], ReservedMode),
        ("mode bit 7", &[0x04, 4, 0, 0x83, 4, 4, 0], ReservedMode),
        ("align 2^7", &[0x04, 4, 0, 7, 4, 4, 0], AlignTooLarge),
        ("align 2^15", &[0x04, 4, 0, 15, 4, 4, 0], AlignTooLarge),
        ("reason of 2 bytes", &[0x0A, 4, 4, 2, b'x'], Truncated),
        ("half a settings", &[0x0A, 4, 4, 1, 0xC3], ReasonNotUtf8),
        ("EXT longer than its record", &[0x0F, 4, 8, 1], Truncated),
        ("PING of 7 bytes", &[0x09, 1, 2, 3, 4, 5, 6, 7], Truncated),
    ];
    for (what, record, error) in rows {
        check(what, record, *error);
    }
    for len in [124, 255] {
        let mut record = vec![0x0A, 4, 4, len];
        record.resize(4 + usize::from(len), b'x');
        check("reason", &record, ReasonTooLong);
        check("reason that is not there", &record[..4], ReasonTooLong);
    }
}

/// An OPEN and an ACCEPT with these options, both wrong.
fn check_options(what: &str, options: &[u8], error: WireError) {
    let mut record = vec![0x05, 4, 4, 4, 4];
    put_varint(&mut record, options.len() as u64);
    record.extend(options);
    check(what, &record, error);
    let mut record = vec![0x04, 4, 0, 0, 4, 4];
    put_varint(&mut record, options.len() as u64);
    record.extend(options);
    check(what, &record, error);
}

#[test]
fn bad_options() {
    let rows: &[(&str, &[u8], WireError)] = &[
        ("id alone", &[4], OptionTruncated),
        ("half an id", &[1], OptionTruncated),
        ("half a length", &[4, 1], OptionTruncated),
        ("no value", &[4, 4], OptionTruncated),
        ("unknown, no value", &[36, 4], OptionTruncated),
        (
            "longer than everything",
            &[12, 255, 255, 255, 255, 255, 255, 255, 255],
            OptionTruncated,
        ),
        ("empty ttl", &[4, 0], OptionMalformed),
        ("half a ttl", &[4, 4, 1], OptionMalformed),
        ("ttl and a byte", &[4, 8, 4, 0], OptionMalformed),
        ("RESUME of one number", &[8, 4, 4], OptionMalformed),
        (
            "RESUME of three numbers",
            &[8, 12, 4, 4, 4],
            OptionMalformed,
        ),
        ("REPLAY of nothing", &[20, 0], OptionMalformed),
        ("REPLAY of two numbers", &[20, 8, 4, 4], OptionMalformed),
        ("SNAPSHOT of nothing", &[24, 0], OptionMalformed),
        ("SNAPSHOT of two numbers", &[24, 8, 4, 4], OptionMalformed),
        ("FRESH of one number", &[28, 4, 4], OptionMalformed),
        (
            "FRESH of three numbers",
            &[28, 12, 4, 4, 4],
            OptionMalformed,
        ),
        ("WANTS of nothing", &[32, 0], OptionMalformed),
        ("WANTS of two numbers", &[32, 8, 4, 4], OptionMalformed),
        ("ttl twice", &[4, 4, 4, 4, 4, 4], OptionTwice),
        ("RESUME twice", &[8, 8, 4, 4, 8, 8, 4, 4], OptionTwice),
        ("topic twice", &[12, 4, 1, 12, 4, 1], OptionTwice),
        ("an empty topic twice", &[12, 0, 12, 0], OptionTwice),
        ("metadata twice", &[16, 0, 16, 0], OptionTwice),
        ("REPLAY twice", &[20, 4, 4, 20, 4, 4], OptionTwice),
        ("SNAPSHOT twice", &[24, 4, 4, 24, 4, 4], OptionTwice),
        ("FRESH twice", &[28, 8, 4, 4, 28, 8, 4, 4], OptionTwice),
        ("WANTS twice", &[32, 4, 4, 32, 4, 4], OptionTwice),
        ("ttl, topic, ttl", &[4, 4, 4, 12, 0, 4, 4, 4], OptionTwice),
        ("REPLAY, SNAPSHOT", &[20, 4, 4, 24, 4, 4], TwoAnswers),
        ("SNAPSHOT, FRESH", &[24, 4, 4, 28, 8, 4, 4], TwoAnswers),
        ("FRESH, REPLAY", &[28, 8, 4, 4, 20, 4, 4], TwoAnswers),
    ];
    for (what, options, error) in rows {
        check_options(what, options, *error);
    }
    let open = [0x04, 4, 0, 0, 4, 4, 12, 32, 4, 4];
    check("WANTS in OPEN", &open, WantsInOpen);
}

#[test]
fn options_that_are_too_long() {
    let mut topic = Vec::new();
    put_varint(&mut topic, 3);
    put_varint(&mut topic, (OPTIONS_BYTES_MAX - 2) as u64);
    topic.resize(topic.len() + OPTIONS_BYTES_MAX - 2, b't');
    assert_eq!(topic.len(), OPTIONS_BYTES_MAX + 1);
    check_options("4,097 bytes", &topic, OptionsTooLong);
    let record = [&[0x05, 4, 4, 4, 4], &eight(VARINT_MAX)[..]].concat();
    check("2^62 - 1 bytes", &record, OptionsTooLong);
    // One byte less is legal.
    let options = Options {
        topic: &topic[3..OPTIONS_BYTES_MAX],
        ..Options::default()
    };
    assert_eq!(options.encoded_len(), OPTIONS_BYTES_MAX);
    let accept = Frame::Accept(Accept {
        peer_alias: 1,
        alias: 1,
        limit: 1,
        max_msg: 1,
        options,
    });
    assert_eq!(parse_one(&encoded(&accept, true)), Ok(accept));
}

fn hello_of(body: &[u8]) -> Vec<u8> {
    let mut record = vec![0x0B];
    put_varint(&mut record, body.len() as u64);
    record.extend(body);
    record
}

#[test]
fn bad_hellos() {
    let rows: &[(&str, &[u8], WireError)] = &[
        ("id alone", &[4], ParameterTruncated),
        ("half an id", &[1], ParameterTruncated),
        ("half a length", &[4, 1], ParameterTruncated),
        ("no value", &[32, 4], ParameterTruncated),
        ("half a value", &[32, 8, 64], ParameterTruncated),
        ("empty value", &[32, 0], ParameterMalformed),
        (
            "nine bytes",
            &[32, 36, 64, 0, 0, 0, 0, 0, 0, 0, 0],
            ParameterMalformed,
        ),
        ("K twice", &[32, 4, 64, 32, 4, 64], ParameterTwice),
        (
            "K, features, K",
            &[32, 4, 64, 40, 4, 1, 32, 4, 64],
            ParameterTwice,
        ),
        ("features twice", &[40, 4, 1, 40, 4, 1], ParameterTwice),
    ];
    for (what, body, error) in rows {
        check(what, &hello_of(body), *error);
    }
    check("1,025 bytes", &hello_of(&[0; 1025]), HelloTooLong);
    check("1,025 bytes, not there", &[0x0B, 0x05, 0x10], HelloTooLong);
    // 1,024 bytes are legal: an unknown id and its value.
    let mut body = vec![0xFC, 0xF5, 0x0F];
    body.resize(HELLO_BYTES_MAX, 0xee);
    let legal = hello_of(&body);
    assert_eq!(parse_one(&legal), Ok(Frame::Hello(Hello::default())));
}

/// Both ends of the bounds of every parameter, and one beyond.
#[test]
fn bounds_of_hello() {
    let bounds = [
        (1, 1 << 10, 1 << 20),
        (2, 1, VARINT_MAX),
        (3, 0, 1 << 20),
        (4, 0, 1 << 20),
        (5, 1, 1 << 20),
        (7, 0, VARINT_MAX),
        (8, 16, 1024),
        (9, 1, VARINT_MAX),
        (10, 0, u64::MAX),
    ];
    let of = |id: u8, value: u64| {
        let mut body = vec![id << 2, 8 << 2];
        body.extend(value.to_le_bytes());
        hello_of(&body)
    };
    for (id, low, high) in bounds {
        for legal in [low, high] {
            let record = of(id, legal);
            assert!(
                matches!(parse_one(&record), Ok(Frame::Hello(_))),
                "{id}: {legal}"
            );
        }
        let (below, above) = (low.checked_sub(1), high.checked_add(1));
        for illegal in [below, above, above.map(|_| u64::MAX)]
            .into_iter()
            .flatten()
        {
            check("bounds", &of(id, illegal), ParameterOutOfBounds);
        }
    }
    let legal = Hello::default();
    assert!(legal.is_legal());
    let illegal = [
        Hello {
            record_bytes_max: 1023,
            ..legal
        },
        Hello {
            overhead: 1025,
            ..legal
        },
        Hello {
            channel_limit: VARINT_MAX + 1,
            ..legal
        },
    ];
    assert!(!illegal.iter().any(|hello| hello.is_legal()));
}

/// The texts of the rules fit a GOAWAY and differ.
#[test]
fn rules_have_distinct_short_texts() {
    let all = [
        Truncated,
        ReservedType,
        UnknownFlags,
        TooMuchPad,
        AliasTooLarge,
        CodeTooLarge,
        FinWithMore,
        SkipZero,
        RunElementEmpty,
        RunEmpty,
        RunNotWhole,
        RunTooLarge,
        CreditOfTwoKinds,
        ResetOfNothing,
        ReservedDirection,
        ReservedMode,
        AlignTooLarge,
        OptionsTooLong,
        OptionTruncated,
        OptionMalformed,
        OptionTwice,
        TwoAnswers,
        WantsInOpen,
        ReasonTooLong,
        ReasonNotUtf8,
        HelloTooLong,
        ParameterTruncated,
        ParameterMalformed,
        ParameterTwice,
        ParameterOutOfBounds,
    ];
    let rules: std::collections::BTreeSet<_> = all.iter().map(|e| e.rule()).collect();
    assert_eq!(rules.len(), all.len());
    for error in all {
        assert!(error.rule().len() <= GOAWAY_REASON_BYTES_MAX);
        assert_eq!(std::format!("{error}"), error.rule());
    }
}
