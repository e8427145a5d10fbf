//! Decimals, 48-bit integers, short text, limits and errors.

use proptest::prelude::*;
use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};
use tickwire_codecs::{
    Chars, DEPTH_LEVELS_MAX, Decimal, DecodeError, FixedLe, Limits, U48Be, U48Le,
};

fn parse(text: &str) -> Decimal {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn decimals_read_and_show() {
    for text in [
        "0",
        "1",
        "-1",
        "0.05",
        "-0.05",
        "543.2100",
        "9223372036854775807",
        "-9223372036854775808",
        "0.000000001",
    ] {
        assert_eq!(parse(text).to_string(), text);
    }
    assert_eq!(Decimal::new(5, 3).to_string(), "5000");
    assert_eq!(Decimal::new(0, 3).to_string(), "0");
    assert_eq!(
        Decimal::new(-7, -25).to_string(),
        "-0.0000000000000000000000007"
    );
    assert_eq!(parse("+2.50"), parse("2.5"));
    for (text, at) in [
        ("", 0),
        ("-", 1),
        (".5", 0),
        ("1.", 2),
        ("1.2.3", 3),
        ("1e5", 1),
        ("9223372036854775808", 19),
    ] {
        assert_eq!(text.parse::<Decimal>().unwrap_err().at, at, "{text}");
    }
}

#[test]
fn decimals_rescale_without_loss_or_not_at_all() {
    assert_eq!(parse("1.5").rescaled(-3).map(|d| d.mantissa), Some(1500));
    assert_eq!(parse("1.50").rescaled(-1).map(|d| d.mantissa), Some(15));
    assert_eq!(parse("1.55").rescaled(-1), None);
    assert_eq!(Decimal::new(i64::MAX, 0).rescaled(-1), None);
    assert_eq!(Decimal::new(1, 127).rescaled(-128), None);
    assert_eq!(
        Decimal::new(0, 127).rescaled(-128),
        Some(Decimal::new(0, -128))
    );
    assert_eq!(
        FixedLe::<-2>::exact(parse("1.5")).map(FixedLe::decimal),
        Some(parse("1.5"))
    );
    assert_eq!(FixedLe::<-2>::exact(parse("1.555")), None);
}

/// What ordering must say: compare as big integers over the smaller exponent.
fn model(a: Decimal, b: Decimal) -> std::cmp::Ordering {
    let low = a.exponent.min(b.exponent);
    let big = |d: Decimal| {
        i128::from(d.mantissa) * 10i128.pow((i16::from(d.exponent) - i16::from(low)) as u32)
    };
    big(a).cmp(&big(b))
}

fn hash(value: Decimal) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

proptest! {
    #[test]
    fn decimals_order_like_numbers(
        a in any::<i64>(), b in prop_oneof![any::<i64>(), -1000..1000i64],
        x in -9..9i8, y in -9..9i8,
    ) {
        let (a, b) = (Decimal::new(a, x), Decimal::new(b, y));
        prop_assert_eq!(a.cmp(&b), model(a, b));
        prop_assert_eq!(a == b, model(a, b).is_eq());
        if let Some(same) = a.rescaled(a.exponent - 1) {
            prop_assert_eq!(same, a);
            prop_assert_eq!(hash(same), hash(a));
        }
        // Above exponent 0 the text has more digits than a mantissa holds.
        prop_assert!(a.exponent > 0 || parse(&a.to_string()) == a);
    }

    #[test]
    fn decimals_of_any_exponent_have_a_total_order(
        (a, b, c) in any::<((i64, i8), (i64, i8), (i64, i8))>(),
    ) {
        let mut three = [a, b, c].map(|(mantissa, exponent)| Decimal::new(mantissa, exponent));
        three.sort();
        prop_assert!(three[0] <= three[1] && three[1] <= three[2] && three[0] <= three[2]);
        prop_assert!(!three[0].to_f64_lossy().is_nan());
        let _ = three[0].to_string();
    }

    #[test]
    fn wide_integers_keep_48_bits(value in any::<u64>()) {
        let fits = value <= U48Be::MAX;
        prop_assert_eq!(U48Be::new(value).map(U48Be::value), fits.then_some(value));
        prop_assert_eq!(U48Le::new(value).map(U48Le::value), fits.then_some(value));
        let low = value & U48Be::MAX;
        let bytes = zerocopy_bytes(&U48Be::new(low).unwrap());
        prop_assert_eq!(&bytes[..], &low.to_be_bytes()[2..]);
        let bytes = zerocopy_bytes(&U48Le::new(low).unwrap());
        prop_assert_eq!(&bytes[..], &low.to_le_bytes()[..6]);
    }
}

fn zerocopy_bytes<
    T: tickwire_codecs::zerocopy::IntoBytes + tickwire_codecs::zerocopy::Immutable,
>(
    value: &T,
) -> Vec<u8> {
    tickwire_codecs::zerocopy::IntoBytes::as_bytes(value).to_vec()
}

#[test]
fn text_is_trimmed_on_the_right_only() {
    for (bytes, text) in [
        (*b"AB  ", "AB"),
        (*b"A B ", "A B"),
        (*b"AB\0\0", "AB"),
        (*b"    ", ""),
        (*b" AB ", " AB"),
    ] {
        assert_eq!(Chars::new(bytes).text(), Some(text));
    }
    assert_eq!(Chars::new(*b"\xff\xfe  ").text(), None);
    assert_eq!(Chars::<4>::nul_padded("ab").unwrap().bytes(), b"ab\0\0");
    assert_eq!(format!("{:?}", Chars::new(*b"a\"b ")), r#""a\"b""#);
}

#[test]
fn a_group_is_checked_before_it_is_touched() {
    let limits = Limits {
        max_items: 10,
        ..Limits::FEED
    };
    assert_eq!(limits.check_group(8, 10, 4, 40), Ok(40));
    assert_eq!(
        limits.check_group(8, 10, 4, 39),
        Err(DecodeError::Short {
            at: 8,
            need: 40,
            have: 39
        })
    );
    assert!(matches!(
        limits.check_group(8, 11, 4, 44),
        Err(DecodeError::Limit { at: 8, got: 11, .. })
    ));
    let all = Limits {
        max_items: u32::MAX,
        ..limits
    };
    let need = u64::from(u32::MAX) * u64::from(u32::MAX);
    assert_eq!(
        all.check_group(0, u32::MAX, u32::MAX, usize::MAX >> 1),
        if need > (usize::MAX >> 1) as u64 {
            Err(DecodeError::Short {
                at: 0,
                need,
                have: (usize::MAX >> 1) as u64,
            })
        } else {
            Ok(need as usize)
        }
    );
    let deep = Limits {
        max_depth: u16::MAX,
        ..limits
    };
    assert!(deep.check_depth(0, DEPTH_LEVELS_MAX.into()).is_ok());
    assert!(
        deep.check_depth(0, u32::from(DEPTH_LEVELS_MAX) + 1)
            .is_err()
    );
}

#[test]
fn errors_are_small_copies_that_move_with_their_message() {
    assert!(size_of::<DecodeError>() <= 40);
    let error = DecodeError::short(3, 8, 2);
    assert_eq!(error.shifted(10), DecodeError::short(13, 8, 2));
    assert_eq!(error.shifted(usize::MAX).at(), u32::MAX);
    assert_eq!(error.to_string(), "byte 3: 8 bytes needed, 2 available");
    assert_eq!(
        DecodeError::trailing(4, 1).to_string(),
        "byte 4: the message ends here, but 1 bytes follow"
    );
}
