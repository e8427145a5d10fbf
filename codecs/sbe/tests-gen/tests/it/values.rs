//! Decimals and instants: read beside the wire's own values, written without a loss or not at all.

use proptest::prelude::*;
use tickwire_codecs::sbe::ValueError;
use tickwire_codecs::{Chars, Codec, Decimal, EncodeError, Limits, UnixTime};
use tickwire_sbe_tests::values::*;

use crate::fixtures;

fn instant(text: &str) -> UnixTime {
    text.parse().unwrap()
}

pub(crate) fn root() -> OrderRoot {
    let mut root = OrderRoot {
        price: Fixed::from_decimal(Decimal::new(-12_345, -2)).unwrap(),
        stop: FixedNull::from_decimal("0.5".parse().unwrap()).unwrap(),
        limit: Floating::from_decimal(Decimal::new(7, 3)).unwrap(),
        small: Small::from_decimal(Decimal::new(-7, -1)).unwrap(),
        large: Large::from_decimal(Decimal::new(i64::MAX, -9)).unwrap(),
        sent: Nanos::from_timestamp(instant("2026-12-01T07:30:00.123456789Z")).unwrap(),
        expires: MillisNull::from_timestamp(instant("1969-12-31T23:59:59.999Z")).unwrap(),
        seconds: Seconds::from_timestamp(UnixTime::from_seconds(5)).unwrap(),
        any_unit: AnyUnit::from_timestamp(UnixTime::from_seconds(2_000)).unwrap(),
        numbered: Numbered::from_timestamp(UnixTime::from_micros(1)).unwrap(),
        own_units: OwnUnits::from_timestamp(UnixTime::from_millis(1)).unwrap(),
        opens: 1.into(),
        ..Default::default()
    };
    root.set_received_timestamp(UnixTime::from_micros(3))
        .unwrap();
    root.set_matched_timestamp(UnixTime::from_micros(-1))
        .unwrap();
    root.set_cancelled_timestamp(Some(UnixTime::from_millis(4)))
        .unwrap();
    root.set_booked_timestamp(UnixTime::from_seconds(6))
        .unwrap();
    root.set_quantity_decimal(Decimal::new(-30, -1)).unwrap();
    root.set_shown_decimal(Some(Decimal::new(2, 2))).unwrap();
    root.set_rest_decimal(None).unwrap();
    root.set_settled_timestamp(UnixTime::from_micros(8))
        .unwrap();
    root
}

pub(crate) fn order() -> Vec<u8> {
    let mut fill = OrderFillsEntry {
        price: Fixed::from_decimal(Decimal::new(1, 0)).unwrap(),
        ..Default::default()
    };
    fill.set_time_timestamp(UnixTime::from_micros(9)).unwrap();
    fill.set_quantity_decimal(Some(Decimal::new(5, 0))).unwrap();
    let order = OrderBuilder {
        root: root(),
        fills: &[fill, OrderFillsEntry::default()],
    };
    fixtures::encode::<Order>(&order)
}

/// All messages, by name.
pub(crate) fn messages() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("Order", order()),
        ("Bounds", fixtures::encode::<Bounds>(&BoundsRoot::default())),
    ]
}

#[test]
fn decimals_come_back() {
    let bytes = order();
    let view = Order::view(&bytes, &Limits::FEED).unwrap();
    // The wire's own number beside it.
    assert_eq!(
        (view.price().mantissa(), view.price().exponent()),
        (-12_345_000_000, -8)
    );
    assert_eq!(view.price().decimal(), Decimal::new(-12_345, -2));
    assert_eq!(view.stop().decimal(), Some(Decimal::new(5, -1)));
    assert_eq!(view.limit().map(|l| l.decimal()), Some(Decimal::new(7, 3)));
    assert_eq!(view.small().decimal(), Some(Decimal::new(-7, -1)));
    assert_eq!(view.large().decimal(), Ok(Decimal::new(i64::MAX, -9)));
    assert_eq!(view.quantity_decimal(), Decimal::new(-3, 0));
    assert_eq!(view.shown_decimal(), Ok(Some(Decimal::new(200, 0))));
    assert_eq!((view.rest(), view.rest_decimal()), (None, None));
    let fills: Vec<_> = view
        .fills()
        .iter()
        .map(|f| {
            (
                f.price().decimal(),
                f.time_timestamp(),
                f.quantity_decimal(),
            )
        })
        .collect();
    let one = Decimal::new(1, 0);
    let none = (Decimal::default(), UnixTime::EPOCH, None);
    assert_eq!(
        fills,
        [
            (one, UnixTime::from_micros(9), Some(Decimal::new(5, 0))),
            none
        ]
    );
}

#[test]
fn instants_come_back() {
    let bytes = order();
    let view = Order::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!(
        view.sent().timestamp(),
        instant("2026-12-01T07:30:00.123456789Z")
    );
    assert_eq!(view.expires().timestamp(), Some(UnixTime::from_millis(-1)));
    assert_eq!(view.seconds().timestamp(), Ok(UnixTime::from_seconds(5)));
    assert_eq!(
        view.any_unit().timestamp(),
        Ok(Some(UnixTime::from_seconds(2_000)))
    );
    // 32 bits hold it in microseconds, which is the finest unit that they hold it in.
    assert_eq!(
        (view.any_unit().unit(), view.any_unit().time()),
        (TimeUnit::MICROSECOND, Some(2_000_000_000))
    );
    assert_eq!(view.numbered().timestamp(), Ok(UnixTime::from_micros(1)));
    assert_eq!((view.numbered().time(), view.numbered().unit()), (1_000, 9));
    assert_eq!(view.own_units().timestamp(), Ok(UnixTime::from_millis(1)));
    assert_eq!(view.own_units().unit(), OwnUnit::MILLISECOND);
    // The default unit is the nanosecond.
    assert_eq!(
        (view.received(), view.received_timestamp()),
        (3_000, UnixTime::from_micros(3))
    );
    assert_eq!(
        (view.matched(), view.matched_timestamp()),
        (-1, UnixTime::from_micros(-1))
    );
    assert_eq!(view.cancelled_timestamp(), Some(UnixTime::from_millis(4)));
    assert_eq!(view.booked_timestamp(), Ok(UnixTime::from_seconds(6)));
    assert_eq!(view.settled_timestamp(), Some(UnixTime::from_micros(8)));
    assert_eq!(view.opens(), 1, "a time of the day is no instant");
}

/// Of a sender that is older than the field.
#[test]
fn fields_that_an_older_sender_lacks_are_none() {
    let mut bytes = order();
    bytes[6] = 0;
    let view = Order::view(&bytes, &Limits::FEED).unwrap();
    assert_eq!((view.settled(), view.settled_timestamp()), (None, None));
}

#[test]
fn values_without_an_exact_form_are_errors_and_raw_values_remain() {
    let mut root = root();
    root.large = Large {
        mantissa: u64::MAX.into(),
        exponent: 3.into(),
    };
    root.seconds = Seconds {
        time: u64::MAX.into(),
    };
    root.any_unit = AnyUnit {
        time: 1.into(),
        unit: TimeUnit::new(4),
    };
    root.numbered = Numbered {
        time: 1.into(),
        unit: 255,
    };
    root.own_units = OwnUnits {
        time: 1.into(),
        unit: OwnUnit::new(3),
    };
    root.booked = u64::MAX.into();
    root.set_shown(Some(u64::MAX - 1)).unwrap();
    let bytes = fixtures::encode::<Order>(&OrderBuilder { root, fills: &[] });
    let view = Order::view(&bytes, &Limits::FEED).unwrap();
    let fail = |what, got| ValueError { what, got };
    let max = i128::from(u64::MAX);
    assert_eq!(view.large().decimal(), Err(fail("mantissa", max)));
    assert_eq!(view.seconds().timestamp(), Err(fail("time", max)));
    assert_eq!(view.any_unit().timestamp(), Err(fail("time unit", 4)));
    assert_eq!(view.numbered().timestamp(), Err(fail("time unit", 255)));
    assert_eq!(view.own_units().timestamp(), Err(fail("time unit", 3)));
    assert_eq!(view.booked_timestamp(), Err(fail("time", max)));
    assert_eq!(view.shown_decimal(), Err(fail("mantissa", max - 1)));
    assert_eq!(
        (
            view.large().mantissa(),
            view.booked(),
            view.numbered().unit()
        ),
        (u64::MAX, u64::MAX, 255)
    );
    let wide = Large {
        mantissa: 1.into(),
        exponent: 128.into(),
    };
    assert_eq!(wide.decimal(), Err(fail("exponent", 128)));
    assert_eq!(
        fail("time unit", 4).to_string(),
        "time unit 4 is out of range"
    );
    // Null is checked before the unit.
    assert_eq!(
        AnyUnit {
            time: i32::MIN.into(),
            unit: TimeUnit::new(4)
        }
        .timestamp(),
        Ok(None)
    );
}

#[test]
fn a_loss_is_refused_by_name() {
    let inexact = |what| Some(EncodeError::Inexact { what });
    let nano = UnixTime::from_parts(0, 1).unwrap();
    assert_eq!(
        Fixed::from_decimal(Decimal::new(1, -9)).err(),
        inexact("Fixed")
    );
    assert_eq!(
        Fixed::from_decimal(Decimal::new(i64::MAX, 0)).err(),
        inexact("Fixed")
    );
    assert_eq!(
        Small::from_decimal(Decimal::new(40_001, 0)).err(),
        inexact("Small")
    );
    // Zeros at the end may go to the exponent.
    assert_eq!(
        Small::from_decimal(Decimal::new(40_000, 0)).map(|s| s.decimal()),
        Ok(Some(Decimal::new(4, 4)))
    );
    assert_eq!(
        Large::from_decimal(Decimal::new(-1, 0)).err(),
        inexact("Large")
    );
    assert_eq!(
        Nanos::from_timestamp(UnixTime::from_seconds(-1)).err(),
        inexact("Nanos")
    );
    assert_eq!(
        MillisNull::from_timestamp(nano).err(),
        inexact("MillisNull")
    );
    assert_eq!(Seconds::from_timestamp(nano).err(), inexact("Seconds"));
    assert_eq!(
        AnyUnit::from_timestamp(UnixTime::from_parts(3, 1).unwrap()).err(),
        inexact("AnyUnit")
    );
    assert_eq!(OwnUnits::from_timestamp(nano).err(), inexact("OwnUnits"));
}

#[test]
fn setters_refuse_a_loss_and_set_nothing() {
    let inexact = |what| Some(EncodeError::Inexact { what });
    let nano = UnixTime::from_parts(0, 1).unwrap();
    let mut root = OrderRoot::default();
    assert_eq!(root.set_matched_timestamp(nano).err(), inexact("matched"));
    assert_eq!(
        root.set_received_timestamp(UnixTime::MAX).err(),
        inexact("received")
    );
    assert_eq!(
        root.set_cancelled_timestamp(Some(nano)).err(),
        inexact("cancelled")
    );
    assert_eq!(
        root.set_quantity_decimal(Decimal::new(1, -1)).err(),
        inexact("quantity")
    );
    assert_eq!(
        root.set_quantity_decimal(Decimal::new(1, 12)).err(),
        inexact("quantity")
    );
    assert_eq!(
        root.set_shown_decimal(Some(Decimal::new(-1, 0))).err(),
        inexact("shown")
    );
    assert_eq!(root, OrderRoot::default(), "nothing is set that is refused");
    // A value that is the null value is refused as such.
    let null = |what| Some(EncodeError::Null { what });
    assert_eq!(
        FixedNull::from_decimal(Decimal::new(i64::MAX, -7)).err(),
        null("FixedNull.mantissa")
    );
    assert_eq!(
        Small::from_decimal(Decimal::new(i16::MIN.into(), 0)).err(),
        null("Small.mantissa")
    );
    assert_eq!(
        root.set_rest_decimal(Some(Decimal::new(65_535, 0))).err(),
        null("rest")
    );
}

/// Each optional kind refuses its null value, and sets nothing.
#[test]
fn setters_refuse_the_null_value() {
    let mut root = BoundsRoot::default();
    let null = |what| Err(EncodeError::Null { what });
    assert_eq!(root.set_optional(Some(i32::MIN)), null("optional"));
    assert_eq!(root.set_ratio(Some(f32::NAN)), null("ratio"));
    assert_eq!(root.set_ticker(Some(Chars::new([0; 4]))), null("ticker"));
    assert_eq!(root.set_unit(Some(TimeUnit::new(255))), null("unit"));
    let price = |mantissa: i64| Fixed {
        mantissa: mantissa.into(),
    };
    assert_eq!(root.set_price(Some(price(i64::MIN))), null("price"));
    let view = |root: &BoundsRoot| {
        let bytes = fixtures::encode::<Bounds>(root);
        let view = Bounds::view(&bytes, &Limits::FEED).unwrap();
        let ticker = view.ticker().copied();
        (
            view.optional(),
            view.ratio(),
            ticker,
            view.unit(),
            view.price().map(|p| p.mantissa()),
        )
    };
    assert_eq!(view(&root), (None, None, None, None, None));
    root.set_optional(Some(i32::MIN + 1)).unwrap();
    root.set_ratio(Some(f32::INFINITY)).unwrap();
    root.set_ticker(Some(Chars::new(*b"A\0\0\0"))).unwrap();
    root.set_unit(Some(TimeUnit::SECOND)).unwrap();
    root.set_price(Some(price(0))).unwrap();
    let set = (
        Some(i32::MIN + 1),
        Some(f32::INFINITY),
        Some(Chars::new(*b"A\0\0\0")),
        Some(TimeUnit::SECOND),
        Some(0),
    );
    assert_eq!(view(&root), set);
    root.set_optional(None).unwrap();
    root.set_ratio(None).unwrap();
    root.set_ticker(None).unwrap();
    root.set_unit(None).unwrap();
    root.set_price(None).unwrap();
    assert_eq!(view(&root), (None, None, None, None, None));
    assert_eq!(
        EncodeError::Null { what: "ratio" }.to_string(),
        "ratio has the null value of the schema: set None instead"
    );
}

/// A required field has no null: every number is a value.
#[test]
fn a_required_field_holds_every_value() {
    for number in [i32::MIN, i32::MAX, 0] {
        let root = BoundsRoot {
            required: number.into(),
            ..Default::default()
        };
        let bytes = fixtures::encode::<Bounds>(&root);
        assert_eq!(
            Bounds::view(&bytes, &Limits::FEED).unwrap().required(),
            number
        );
    }
}

proptest! {
    /// A composite returns an accepted value unchanged, and refuses only values that it cannot hold.
    #[test]
    fn decimals_are_kept_or_refused(mantissa: i64, exponent: i8) {
        let value = Decimal::new(mantissa, exponent);
        match Fixed::from_decimal(value) {
            Ok(made) => prop_assert_eq!(made.decimal(), value),
            Err(error) => {
                prop_assert_eq!(error, EncodeError::Inexact { what: "Fixed" });
                prop_assert_eq!(value.rescaled(-8).map(|v| v.mantissa), None);
            }
        }
        let made = Floating::from_decimal(value).unwrap();
        prop_assert_eq!((made.mantissa(), made.exponent()), (mantissa, exponent));
        if let Ok(made) = Small::from_decimal(value) {
            prop_assert_eq!(made.decimal(), Some(value));
        }
        if let Ok(made) = Large::from_decimal(value) {
            prop_assert_eq!(made.decimal(), Ok(value));
        } else {
            prop_assert!(mantissa < 0);
        }
    }

    #[test]
    fn instants_are_kept_or_refused(seconds in any::<i64>(), small in -3_000_000_000i64..3_000_000_000, nanos in 0u32..1_000_000_000) {
        for time in [(seconds, nanos), (small, nanos), (small, nanos / 1_000_000 * 1_000_000), (small, 0)] {
            let value = UnixTime::from_parts(time.0, time.1).unwrap();
            if let Ok(made) = Nanos::from_timestamp(value) {
                prop_assert_eq!(made.timestamp(), value);
            } else {
                prop_assert!(u64::try_from(value.to_nanos()).is_err());
            }
            if let Ok(made) = MillisNull::from_timestamp(value) {
                prop_assert_eq!(made.timestamp(), Some(value));
            } else {
                prop_assert!(value.to_millis().is_none());
            }
            if let Ok(made) = AnyUnit::from_timestamp(value) {
                prop_assert_eq!(made.timestamp(), Ok(Some(value)));
            }
            if let Ok(made) = Numbered::from_timestamp(value) {
                prop_assert_eq!(made.timestamp(), Ok(value));
            } else {
                prop_assert!(value < UnixTime::EPOCH || time.1 % 1_000 != 0 || u64::try_from(value.to_nanos()).is_err());
            }
            if let Ok(made) = OwnUnits::from_timestamp(value) {
                prop_assert_eq!(made.timestamp(), Ok(value));
            } else {
                prop_assert!(time.1 % 1_000_000 != 0);
            }
        }
    }
}
