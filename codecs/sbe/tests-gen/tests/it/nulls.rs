//! Null values, in every place where a schema may declare them.

use tickwire_codecs::{Codec, Limits};
use tickwire_sbe_tests::features::*;

use crate::fixtures;

#[test]
fn values_are_not_null() {
    let bytes = fixtures::nulls();
    let view = Nulls::view(&bytes, &Limits::FEED).unwrap();
    let pair = |d: Decimal| (d.mantissa(), d.exponent());
    assert_eq!(view.price().map(pair), Some((0, -2)));
    let bound = view.bound().unwrap();
    assert_eq!((pair(bound.limit()), bound.side()), ((-1, -2), Side::ASK));
    assert_eq!(view.span().map(|it| it.from()), Some(0.5));
    assert!(view.label().is_some_and(|it| it.text().trimmed() == b"x"));
    let leaning = view.leaning().map(|it| (it.side(), it.lots()));
    assert_eq!(leaning, Some((ZeroSide::UP, 0)));
    assert_eq!(view.stop().map(|it| it.mantissa()), Some(Some(3)));
    assert_eq!((view.seven(), view.zero()), (Some(255), Some(255)));
    assert_eq!(
        (view.zero_side(), view.tenth()),
        (Some(ZeroSide::UP), Some(0.2))
    );
    assert_eq!(view.added_price().map(pair), Some((i64::MAX, -2)));
    let rows: Vec<_> = view
        .rows()
        .iter()
        .map(|row| row.price().map(pair))
        .collect();
    assert_eq!(rows, [Some((7, -2)), None]);
}

/// Defaults are the null values of the schema, byte for byte.
#[test]
fn defaults_are_null() {
    let bytes = fixtures::encode::<Nulls>(&NullsBuilder::default());
    let least = [0, 0, 0, 0, 0, 0, 0, 0x80];
    let tenth = 0.1f32.to_le_bytes();
    #[rustfmt::skip]
    let block = [
        &least[..], &[0], // price
        &[0], &least, &[0, 0], // bound: a gap, limit, side
        &f32::NAN.to_le_bytes(), &[0; 6], // span, label
        &[0, 0, 0], // leaning
        &least, &[0], // stop
        &[7, 0, 0], &tenth, // seven, zero, zeroSide, tenth
        &least, &[0], // addedPrice
        &[9, 0, 0, 0], // no rows
    ];
    assert_eq!(bytes[8..], block.concat());
    let view = Nulls::view(&bytes, &Limits::FEED).unwrap();
    assert!(view.price().is_none() && view.bound().is_none() && view.span().is_none());
    assert!(view.label().is_none() && view.leaning().is_none() && view.stop().is_none());
    assert!(view.seven().is_none() && view.zero().is_none());
    assert!(view.zero_side().is_none() && view.tenth().is_none() && view.added_price().is_none());
    // A composite by itself is not null: its own default is zero.
    assert_eq!(Decimal::default().mantissa(), 0);
}
