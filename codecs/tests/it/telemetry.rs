//! Telemetry batches: vectors written by hand, refused values, damaged bytes, and a model.

use crate::common::{WIDE, json, refuses_other_lengths, torture};
use proptest::prelude::*;
use tickwire_codecs::{
    Codec, Decimal, DecodeError, EncodeError, Limits,
    telemetry::{Reading, Telemetry, Value, Values, Writer},
};

/// Two readings of a pump, drawn from the layout in the module's documentation.
const FLOATS: [u8; 32] = [
    0x10, 0x27, 0, 0, 0, 0, 0, 0, // base_us 10,000
    0xe8, 0x03, 0, 0, // tick_us 1,000
    2, 0, 0, 0, // count 2, floats
    7, 0, 0, 0, 0, 0, 0xac, 0x41, // sensor 7, delta 0, 21.5
    8, 0, 5, 0, 0, 0, 0, 0xbf, // sensor 8, delta 5, -0.5
];

pub(crate) fn fixtures() -> Vec<Vec<u8>> {
    let mut decimals = FLOATS.to_vec();
    (decimals[14], decimals[15]) = (1, 0xfe); // decimals, exponent -2
    let empty = [&FLOATS[..12], &[0, 0, 0, 0]].concat();
    vec![FLOATS.to_vec(), decimals, empty]
}

#[test]
fn bytes_by_hand_read_and_write() {
    let mut wire = [0; 32];
    let mut batch = Writer::begin(&mut wire, 10_000, 1_000, Values::Float).unwrap();
    batch.push(7, 10_000, Value::Float(21.5)).unwrap();
    batch.push(8, 15_000, Value::Float(-0.5)).unwrap();
    assert_eq!((batch.count(), batch.finish()), (2, 32));
    assert_eq!(wire, FLOATS);
    let view = Telemetry::view(&wire, &Limits::DEVICE).unwrap();
    let last = Reading {
        sensor: 8,
        time_us: 15_000,
        value: Value::Float(-0.5),
    };
    assert_eq!(view.readings().next_back(), Some(last));
    assert_eq!(
        json(&view),
        r#"{"base_us":10000,"tick_us":1000,"readings":[{"sensor":7,"time_us":10000,"value":21.5},{"sensor":8,"time_us":15000,"value":-0.5}]}"#
    );
}

#[test]
fn fixtures_stand_damage() {
    for wire in fixtures() {
        torture::<Telemetry>(&wire);
        refuses_other_lengths::<Telemetry>(&wire);
    }
}

#[test]
fn wrong_headers_are_named() {
    let change = |at: usize, value: u8| {
        let mut wire = FLOATS;
        wire[at] = value;
        Telemetry::view(&wire, &WIDE).unwrap_err()
    };
    assert_eq!(
        change(14, 2),
        DecodeError::Wrong {
            at: 14,
            what: "kind of values",
            got: 2
        }
    );
    assert!(matches!(change(15, 1), DecodeError::Wrong { at: 15, .. }));
    assert_eq!(
        change(12, 3),
        DecodeError::Short {
            at: 16,
            need: 24,
            have: 16
        }
    );
    assert_eq!(change(12, 1), DecodeError::Trailing { at: 24, extra: 8 });
    let mut wire = FLOATS;
    wire[8..12].fill(0);
    assert_eq!(
        Telemetry::view(&wire, &WIDE).unwrap_err(),
        DecodeError::Wrong {
            at: 8,
            what: "tick_us",
            got: 0
        }
    );
    let mut wire = FLOATS;
    wire[..8].fill(0xff);
    assert!(matches!(
        Telemetry::view(&wire, &WIDE),
        Err(DecodeError::Wrong { at: 0, .. })
    ));
    let few = Limits {
        max_items: 1,
        ..WIDE
    };
    assert!(matches!(
        Telemetry::view(&FLOATS, &few),
        Err(DecodeError::Limit { got: 2, .. })
    ));
}

#[test]
fn the_writer_does_not_round_and_keeps_earlier_readings() {
    let mut wire = [0; 24];
    assert!(matches!(
        Writer::begin(&mut wire[..15], 0, 1, Values::Float),
        Err(EncodeError::Room { need: 16, have: 15 })
    ));
    assert!(Writer::begin(&mut wire, 0, 0, Values::Float).is_err());
    assert!(Writer::begin(&mut wire, u64::MAX - 65_534, 1, Values::Float).is_err());
    let cents = Values::Decimal { exponent: -2 };
    let mut batch = Writer::begin(&mut wire, 1_000, 10, cents).unwrap();
    let good = Value::Decimal(Decimal::new(15, -1));
    for (time_us, value) in [
        (999, good),                                        // before the base
        (1_005, good),                                      // between ticks
        (1_000 + 65_536 * 10, good),                        // after the last tick
        (1_000, Value::Float(1.0)),                         // another kind
        (1_000, Value::Decimal(Decimal::new(1, -3))),       // a digit too many
        (1_000, Value::Decimal(Decimal::new(1 << 31, -2))), // above i32
    ] {
        assert!(
            batch.push(1, time_us, value).is_err(),
            "{time_us} {value:?}"
        );
        assert_eq!(batch.count(), 0);
    }
    batch.push(1, 1_000 + 65_535 * 10, good).unwrap();
    assert_eq!(
        batch.push(1, 1_000, good),
        Err(EncodeError::Room { need: 32, have: 24 })
    );
    assert_eq!(batch.finish(), 24);
    let view = Telemetry::view(&wire, &WIDE).unwrap();
    let only = view.readings().next().unwrap();
    assert_eq!(
        (only.time_us, only.value),
        (656_350, Value::Decimal(Decimal::new(150, -2)))
    );
}

proptest! {
    #[test]
    fn what_is_pushed_is_read(
        base in 0..u64::MAX / 2, tick in 1..=u32::MAX,
        readings in prop::collection::vec((any::<u16>(), any::<u16>(), any::<f32>()), 0..50),
    ) {
        let mut wire = vec![0; 16 + readings.len() * 8];
        let mut batch = Writer::begin(&mut wire, base, tick, Values::Float).unwrap();
        for &(sensor, delta, value) in &readings {
            let time_us = base + u64::from(delta) * u64::from(tick);
            batch.push(sensor, time_us, Value::Float(value)).unwrap();
        }
        prop_assert_eq!(batch.finish(), wire.len());
        let view = Telemetry::view(&wire, &WIDE).unwrap();
        prop_assert_eq!(view.readings().len(), readings.len());
        for (read, (sensor, delta, value)) in view.readings().zip(readings) {
            prop_assert_eq!(read.sensor, sensor);
            prop_assert_eq!(read.time_us, base + u64::from(delta) * u64::from(tick));
            prop_assert_eq!(read.time().to_nanos(), i128::from(read.time_us) * 1_000);
            let Value::Float(got) = read.value else { panic!("not a float") };
            prop_assert_eq!(got.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        crate::common::poke::<Telemetry>(&bytes);
    }
}
