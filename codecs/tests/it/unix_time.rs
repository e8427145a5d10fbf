//! Instants: units, range, text.

use proptest::prelude::*;
use std::time::{Duration, SystemTime};
use tickwire_codecs::{ToJson, UnixTime};

fn parse(text: &str) -> UnixTime {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Seconds from `date -u -d TEXT +%s` of GNU coreutils.
const DATES: &[(&str, i64)] = &[
    ("1970-01-01T00:00:00Z", 0),
    ("1969-12-31T23:59:59Z", -1),
    ("1985-04-12T23:20:50Z", 482_196_050),
    ("2000-02-29T12:00:00Z", 951_825_600),
    ("2000-03-01T00:00:00Z", 951_868_800),
    ("2013-03-21T20:04:00Z", 1_363_896_240),
    ("2024-12-31T23:59:59Z", 1_735_689_599),
    ("2100-02-28T23:59:59Z", 4_107_542_399),
    ("2100-03-01T00:00:00Z", 4_107_542_400),
    ("1900-02-28T00:00:00Z", -2_203_977_600),
    ("1600-02-29T00:00:00Z", -11_670_998_400),
    ("0000-01-01T00:00:00Z", -62_167_219_200),
    ("0001-01-01T00:00:00Z", -62_135_596_800),
    ("9999-12-31T23:59:59Z", 253_402_300_799),
];

#[test]
fn dates_are_those_of_the_calendar() {
    for &(text, seconds) in DATES {
        let time = UnixTime::from_seconds(seconds);
        assert_eq!(time.to_string(), text);
        assert_eq!(format!("{time:?}"), text);
        assert_eq!(parse(text), time);
    }
    // The expanded years of ISO 8601.
    for (seconds, text) in [
        (253_402_300_800, "+10000-01-01T00:00:00Z"),
        (-62_167_219_201, "-0001-12-31T23:59:59Z"),
        (i64::MAX, "+292277026596-12-04T15:30:07Z"),
        (i64::MIN, "-292277022657-01-27T08:29:52Z"),
    ] {
        assert_eq!(UnixTime::from_seconds(seconds).to_string(), text);
        assert!(text.parse::<UnixTime>().is_err());
    }
}

/// Every day of the years 1600 to 2799, three cycles of the calendar, follows the day before it.
#[test]
fn days_follow_each_other() {
    let mut before = String::new();
    for day in -135_140..-135_140 + 3 * 146_097 {
        let text = UnixTime::from_seconds(day * 86_400).to_string();
        assert!(text > before, "{text} after {before}");
        assert_eq!(parse(&text).to_seconds(), Some(day * 86_400));
        before = text;
    }
    assert_eq!(before, "2799-12-31T00:00:00Z");
}

/// RFC 3339 section 5.8, without the leap seconds.
#[test]
fn text_of_rfc_3339_is_read() {
    assert_eq!(
        parse("1985-04-12T23:20:50.52Z"),
        UnixTime::from_millis(482_196_050_520)
    );
    assert_eq!(
        parse("1996-12-19T16:39:57-08:00"),
        parse("1996-12-20T00:39:57Z")
    );
    assert_eq!(
        parse("1937-01-01T12:00:27.87+00:20"),
        parse("1937-01-01T11:40:27.87Z")
    );
    assert_eq!(parse("1985-04-12t23:20:50z").seconds(), 482_196_050);
    assert_eq!(parse("1985-04-12T23:20:50-00:00").seconds(), 482_196_050);
    assert_eq!(
        parse("1970-01-01T00:00:00.123456789000Z").to_nanos(),
        123_456_789
    );
    assert_eq!(
        parse("0000-01-01T00:00:00+23:59").seconds(),
        -62_167_219_200 - 86_340
    );
}

#[test]
fn invalid_text_is_refused_at_its_offset() {
    for (text, at) in [
        ("", 0),
        ("1985", 4),
        ("85-04-12T23:20:50Z", 2),
        ("1985-13-12T23:20:50Z", 5),
        ("1985-00-12T23:20:50Z", 5),
        ("1985-04-31T23:20:50Z", 8),
        ("1985-04-00T23:20:50Z", 8),
        ("1900-02-29T23:20:50Z", 8),
        ("1985-04-12 23:20:50Z", 10),
        ("1985-04-12T24:00:00Z", 11),
        ("1985-04-12T23:60:50Z", 14),
        // A leap second of RFC 3339 section 5.8.
        ("1990-12-31T23:59:60Z", 17),
        ("1985-04-12T23:20:50", 19),
        ("1985-04-12T23:20:50.Z", 20),
        ("1985-04-12T23:20:50,5Z", 19),
        ("1985-04-12T23:20:50.0000000001Z", 29),
        ("1985-04-12T23:20:50+1:00", 21),
        ("1985-04-12T23:20:50+24:00", 20),
        ("1985-04-12T23:20:50+01:60", 23),
        ("1985-04-12T23:20:50+0100", 22),
        ("1985-04-12T23:20:50Z ", 20),
        ("-001-04-12T23:20:50Z", 0),
        ("1985-04-12T23:20:5\u{665}Z", 18),
    ] {
        assert_eq!(text.parse::<UnixTime>().unwrap_err().at, at, "{text}");
    }
}

#[test]
fn units_convert_back_without_loss_or_not_at_all() {
    let time = UnixTime::from_micros(-1);
    assert_eq!((time.seconds(), time.subsec_nanos()), (-1, 999_999_000));
    assert_eq!(
        (time.to_micros(), time.to_millis(), time.to_nanos()),
        (Some(-1), None, -1_000)
    );
    assert_eq!(UnixTime::from_seconds(i64::MAX).to_millis(), None);
    assert_eq!(
        UnixTime::from_seconds(i64::MIN).to_seconds(),
        Some(i64::MIN)
    );
    for micros in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(UnixTime::from_micros(micros).to_micros(), Some(micros));
        assert_eq!(UnixTime::from_millis(micros).to_millis(), Some(micros));
    }
    assert_eq!(UnixTime::from_parts(0, 1_000_000_000), None);
    assert_eq!(
        UnixTime::from_parts(i64::MAX, 999_999_999),
        Some(UnixTime::MAX)
    );
    for edge in [UnixTime::MIN, UnixTime::MAX] {
        assert_eq!(UnixTime::from_nanos(edge.to_nanos()), Some(edge));
    }
    assert_eq!(UnixTime::from_nanos(UnixTime::MAX.to_nanos() + 1), None);
    assert_eq!(UnixTime::from_nanos(UnixTime::MIN.to_nanos() - 1), None);
    assert_eq!(UnixTime::from_nanos(i128::MAX), None);
    assert_eq!(UnixTime::from_nanos(i128::MIN), None);
    assert_eq!(UnixTime::default(), UnixTime::EPOCH);
}

#[test]
fn durations_add_and_subtract_inside_the_range() {
    let nano = Duration::from_nanos(1);
    let before = UnixTime::EPOCH.checked_sub(nano).unwrap();
    assert_eq!(before.to_string(), "1969-12-31T23:59:59.999999999Z");
    assert_eq!(before.checked_add(nano), Some(UnixTime::EPOCH));
    assert_eq!(UnixTime::EPOCH.duration_since(before), Some(nano));
    assert_eq!(before.duration_since(UnixTime::EPOCH), None);
    assert_eq!(UnixTime::MAX.checked_add(nano), None);
    assert_eq!(UnixTime::MIN.checked_sub(nano), None);
    assert_eq!(
        UnixTime::MIN.checked_add(Duration::MAX),
        Some(UnixTime::MAX)
    );
    assert_eq!(
        UnixTime::MAX.duration_since(UnixTime::MIN),
        Some(Duration::MAX)
    );
    assert_eq!(
        UnixTime::MAX.checked_sub(Duration::MAX),
        Some(UnixTime::MIN)
    );
    assert_eq!(UnixTime::EPOCH.checked_add(Duration::MAX), None);
}

#[test]
fn the_systems_clock_converts_both_ways() {
    for nanos in [-1_500_000_000i64, -100, 0, 100, 1_700_000_000_123_456_700] {
        let time = UnixTime::from_nanos(nanos.into()).unwrap();
        let system = time.to_system_time().unwrap();
        assert_eq!(UnixTime::from_system_time(system), Some(time));
    }
    assert_eq!(
        UnixTime::from_system_time(SystemTime::UNIX_EPOCH),
        Some(UnixTime::EPOCH)
    );
}

#[test]
fn json_is_text() {
    let mut out = String::new();
    UnixTime::from_millis(1_500).to_json(&mut out).unwrap();
    assert_eq!(out, "\"1970-01-01T00:00:01.5Z\"");
}

proptest! {
    #[test]
    fn text_comes_back(seconds in -62_167_219_200i64..=253_402_300_799, nanos in 0u32..1_000_000_000) {
        let time = UnixTime::from_parts(seconds, nanos).unwrap();
        prop_assert_eq!(parse(&time.to_string()), time);
    }

    #[test]
    fn order_is_that_of_nanoseconds(a in any::<(i64, u32)>(), b in any::<(i64, u32)>()) {
        let time = |(seconds, nanos): (i64, u32)| UnixTime::from_parts(seconds, nanos % 1_000_000_000).unwrap();
        prop_assert_eq!(time(a).cmp(&time(b)), time(a).to_nanos().cmp(&time(b).to_nanos()));
        prop_assert_eq!(UnixTime::from_nanos(time(a).to_nanos()), Some(time(a)));
    }

    #[test]
    fn any_text_never_panics(text in "[-0-9TZtz:.+ ]{0,40}|.{0,40}") {
        if let Ok(time) = text.parse::<UnixTime>() {
            prop_assert_eq!(parse(&time.to_string()), time);
        }
    }
}
