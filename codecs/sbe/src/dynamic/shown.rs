//! Numbers in the form that people read: decimals, dates and times.

use super::Value;
use crate::ir::{Composite, Field, TimeUnit};

/// Digits on either side of a decimal point; a larger exponent is shown as it is.
const PLACES_MAX: u32 = 128;
/// RFC 3339 has years of four digits: seconds from 0000-01-01 to the end of 9999, from the Unix epoch.
const SECONDS: std::ops::Range<i128> = -62_167_219_200..253_402_300_800;
const DAY: i128 = 86_400;

/// A value with its readable form, where its field or composite says that it has one.
pub(super) fn shown(field: &Field, composite: Option<&Composite>, value: Value) -> Value {
    if let Some(composite) = composite {
        return of_composite(composite, value);
    }
    let Value::Int(n) = value else { return value };
    // Of another epoch nothing is known.
    if !(field.epoch.is_empty() || field.epoch.eq_ignore_ascii_case("unix")) {
        return value;
    }
    let unit = field.time_unit.unwrap_or(TimeUnit::Nanosecond);
    let text = match field.semantic_type.as_str() {
        "UTCTimestamp" => timestamp(n, unit),
        "UTCTimeOnly" => time_of_day(n, unit),
        "UTCDateOnly" | "LocalMktDate" => date(n),
        _ => None,
    };
    with_text(text, value, Value::Time)
}

fn of_composite(composite: &Composite, value: Value) -> Value {
    let number = |name: &str| value.field(name).and_then(Value::int);
    let on_wire = composite.members.iter().filter(|m| m.on_wire()).count();
    if let (Some(mantissa), Some(exponent)) = (number("mantissa"), number("exponent"))
        && composite.members.len() == 2
    {
        let text = decimal(mantissa, exponent);
        return with_text(text, value, Value::Decimal);
    }
    // SBE 1.0, "UTC date/time": a time and its unit, which may be a constant.
    if let (Some(time), Some(unit)) = (number("time"), number("unit"))
        && (1..=2).contains(&on_wire)
        && composite.members.len() == 2
    {
        let unit = TimeUnit::ALL
            .into_iter()
            .find(|u| i128::from(u.places()) == unit);
        let text = unit.and_then(|unit| timestamp(time, unit));
        return with_text(text, value, Value::Time);
    }
    value
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
fn timestamp(n: i128, unit: TimeUnit) -> Option<String> {
    let (seconds, part) = split(n, unit);
    if !SECONDS.contains(&seconds) {
        return None;
    }
    let day = date(seconds.div_euclid(DAY))?;
    let time = clock(seconds.rem_euclid(DAY), part, unit);
    Some(format!("{day}T{time}Z"))
}

/// `12:34:56.789Z`.
fn time_of_day(n: i128, unit: TimeUnit) -> Option<String> {
    let (seconds, part) = split(n, unit);
    let time = (0..DAY)
        .contains(&seconds)
        .then(|| clock(seconds, part, unit))?;
    Some(format!("{time}Z"))
}

/// Seconds and what is left of the unit.
fn split(n: i128, unit: TimeUnit) -> (i128, i128) {
    let per_second = 10i128.pow(unit.places());
    (n.div_euclid(per_second), n.rem_euclid(per_second))
}

fn clock(seconds: i128, part: i128, unit: TimeUnit) -> String {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let places = unit.places() as usize;
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
            assert_eq!(timestamp(n, TimeUnit::Second).unwrap(), text);
        }
        assert_eq!(timestamp(SECONDS.start - 1, TimeUnit::Second), None);
        assert_eq!(timestamp(SECONDS.end, TimeUnit::Second), None);
        let units = [
            (TimeUnit::Millisecond, "1970-01-01T00:00:01.234Z", 1_234),
            (TimeUnit::Microsecond, "1970-01-01T00:00:00.001234Z", 1_234),
            (
                TimeUnit::Nanosecond,
                "1970-01-01T00:00:00.000001234Z",
                1_234,
            ),
            (TimeUnit::Nanosecond, "1969-12-31T23:59:59.999999999Z", -1),
        ];
        for (unit, text, n) in units {
            assert_eq!(timestamp(n, unit).unwrap(), text);
        }
        // The largest 64-bit number of nanoseconds is in the year 2554.
        let last = timestamp(u64::MAX.into(), TimeUnit::Nanosecond).unwrap();
        assert_eq!(last, "2554-07-21T23:34:33.709551615Z");
        let noon = 43_200_000;
        assert_eq!(
            time_of_day(noon, TimeUnit::Millisecond).unwrap(),
            "12:00:00.000Z"
        );
        assert_eq!(time_of_day(86_400, TimeUnit::Second), None);
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
