//! Readable forms of numbers: decimals, dates and times.

use super::Value;
use crate::ir::{Composite, Field, Kind, Schema};
use crate::meaning::Meaning;

/// Digits on either side of a decimal point; a larger exponent is shown as it is.
const PLACES_MAX: u32 = 128;
/// RFC 3339 has years of four digits: seconds from 0000-01-01 to the end of 9999, from the Unix epoch.
const SECONDS: std::ops::Range<i128> = -62_167_219_200..253_402_300_800;
const DAY: i128 = 86_400;

/// A value with its readable form, where its field or composite says that it has one.
pub(super) fn shown(schema: &Schema, field: &Field, value: Value) -> Value {
    if let Kind::Composite(index) = field.kind {
        return of_composite(schema, field, &schema.composites[index], value);
    }
    let Value::Int(n) = value else { return value };
    let text = match field.meaning() {
        // A unit alone may be that of a duration.
        _ if field.semantic_type.is_empty() => None,
        Some(Meaning::Instant(unit)) => timestamp(n, unit.places()),
        Some(Meaning::TimeOfDay(unit)) => time_of_day(n, unit.places()),
        Some(Meaning::Date) => date(n),
        Some(Meaning::Whole) | None => None,
    };
    with_text(text, value, Value::Time)
}

fn of_composite(schema: &Schema, field: &Field, composite: &Composite, value: Value) -> Value {
    let member = |name: &str| {
        let member = composite
            .members
            .iter()
            .find(|m| m.name.eq_ignore_ascii_case(name))?;
        Some((member, value.field(&member.name).and_then(Value::int)?))
    };
    if composite.members.len() != 2 {
        return value;
    }
    if let (Some((_, mantissa)), Some((_, exponent))) = (member("mantissa"), member("exponent")) {
        let text = decimal(mantissa, exponent);
        return with_text(text, value, Value::Decimal);
    }
    // SBE 1.0, "UTC date/time": a time and its unit, which may be a constant.
    let (Some((time, n)), Some((unit, number))) = (member("time"), member("unit")) else {
        return value;
    };
    if !time.on_wire() {
        return value;
    }
    let units = schema.units(unit.kind);
    let places = units.iter().find(|(known, _)| *known == number);
    let (of, since) = (&field.semantic_type, &field.epoch);
    let text = places.and_then(|(_, places)| match () {
        () if composite.is_instant(of, since) => timestamp(n, *places),
        () if composite.is_time_of_day(of, since) => time_of_day(n, *places),
        () => None,
    });
    with_text(text, value, Value::Time)
}

fn with_text(text: Option<String>, value: Value, shown: fn(String, Box<Value>) -> Value) -> Value {
    match text {
        Some(text) => shown(text, Box::new(value)),
        None => value,
    }
}

/// `mantissa * 10^exponent` in plain digits, with as many places as the exponent says.
fn decimal(mantissa: i128, exponent: i128) -> Option<String> {
    let sign = if mantissa < 0 { "-" } else { "" };
    let digits = mantissa.unsigned_abs().to_string();
    let size = u32::try_from(exponent.unsigned_abs())
        .ok()
        .filter(|n| *n <= PLACES_MAX)?;
    let places = size as usize;
    Some(if exponent >= 0 {
        let zeros = if mantissa == 0 { 0 } else { places };
        format!("{sign}{digits}{}", "0".repeat(zeros))
    } else {
        let digits = format!("{digits:0>width$}", width = places + 1);
        let (whole, part) = digits.split_at(digits.len() - places);
        format!("{sign}{whole}.{part}")
    })
}

/// `2024-02-29T12:34:56.789Z`, with the places of the unit.
fn timestamp(n: i128, places: u32) -> Option<String> {
    let (seconds, part) = split(n, places);
    if !SECONDS.contains(&seconds) {
        return None;
    }
    let day = date(seconds.div_euclid(DAY))?;
    let time = clock(seconds.rem_euclid(DAY), part, places);
    Some(format!("{day}T{time}Z"))
}

/// `12:34:56.789Z`.
fn time_of_day(n: i128, places: u32) -> Option<String> {
    let (seconds, part) = split(n, places);
    let time = (0..DAY)
        .contains(&seconds)
        .then(|| clock(seconds, part, places))?;
    Some(format!("{time}Z"))
}

/// Seconds and what is left of the unit.
fn split(n: i128, places: u32) -> (i128, i128) {
    let per_second = 10i128.pow(places);
    (n.div_euclid(per_second), n.rem_euclid(per_second))
}

fn clock(seconds: i128, part: i128, places: u32) -> String {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let places = places as usize;
    let part = if places == 0 {
        String::new()
    } else {
        format!(".{part:0places$}")
    };
    format!("{hour:02}:{minute:02}:{second:02}{part}")
}

/// Days since the Unix epoch as `2024-02-29`.
fn date(days: i128) -> Option<String> {
    let range = SECONDS.start / DAY..SECONDS.end / DAY;
    if !range.contains(&days) {
        return None;
    }
    // Days from 0000-03-01: the leap day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (year, month + 3),
        _ => (year + 1, month - 9),
    };
    Some(format!("{:04}-{month:02}-{day:02}", year + era * 400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_in_plain_digits() {
        let cases = [
            (12345, -2, "123.45"),
            (-12345, -2, "-123.45"),
            (5, -3, "0.005"),
            (-5, -3, "-0.005"),
            (0, -2, "0.00"),
            (100, -2, "1.00"),
            (7, 0, "7"),
            (7, 3, "7000"),
            (0, 3, "0"),
            (i128::from(i64::MIN), -9, "-9223372036.854775808"),
            (i128::from(u64::MAX), 1, "184467440737095516150"),
        ];
        for (mantissa, exponent, text) in cases {
            assert_eq!(decimal(mantissa, exponent).unwrap(), text);
        }
        let smallest = decimal(1, -128).unwrap();
        assert_eq!((smallest.len(), smallest.ends_with("01")), (130, true));
        assert_eq!(decimal(1, -129), None);
        assert_eq!(decimal(1, i128::from(u32::MAX) + 1), None);
    }

    /// Days and seconds checked against `date -u -d @N`.
    #[test]
    fn dates_and_times() {
        let seconds = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (SECONDS.start, "0000-01-01T00:00:00Z"),
            (SECONDS.end - 1, "9999-12-31T23:59:59Z"),
        ];
        for (n, text) in seconds {
            assert_eq!(timestamp(n, 0).unwrap(), text);
        }
        assert_eq!(timestamp(SECONDS.start - 1, 0), None);
        assert_eq!(timestamp(SECONDS.end, 0), None);
        let units = [
            (3, "1970-01-01T00:00:01.234Z", 1_234),
            (6, "1970-01-01T00:00:00.001234Z", 1_234),
            (9, "1970-01-01T00:00:00.000001234Z", 1_234),
            (9, "1969-12-31T23:59:59.999999999Z", -1),
        ];
        for (unit, text, n) in units {
            assert_eq!(timestamp(n, unit).unwrap(), text);
        }
        // The largest 64-bit number of nanoseconds is in the year 2554.
        let last = timestamp(u64::MAX.into(), 9).unwrap();
        assert_eq!(last, "2554-07-21T23:34:33.709551615Z");
        let noon = 43_200_000;
        assert_eq!(time_of_day(noon, 3).unwrap(), "12:00:00.000Z");
        assert_eq!(time_of_day(86_400, 0), None);
        assert_eq!(date(19_782).unwrap(), "2024-02-29");
        // Every day of a cycle of the Gregorian calendar, one behind the other.
        let (mut before, mut leap_days) = (String::new(), 0);
        for days in 10_957..10_957 + 146_097 {
            let day = date(days).unwrap();
            assert!(day > before, "{before} {day}");
            leap_days += usize::from(day.ends_with("-02-29"));
            before = day;
        }
        assert_eq!((before.as_str(), leap_days), ("2399-12-31", 97));
    }
}
