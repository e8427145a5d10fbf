//! HTTP dates (RFC 9110 section 5.6.7), in seconds since 1970-01-01T00:00:00Z.

use alloc::format;
use alloc::string::String;

use super::syntax::find;

const DAY: u64 = 24 * 60 * 60;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The last second of the year 9999: the format has four digits for the year.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Formats a date as `IMF-fixdate`, the form to send: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn format_date(seconds: u64) -> String {
    let seconds = seconds.min(SECONDS_MAX);
    let (days, second) = (seconds / DAY, seconds % DAY);
    let mut year = 1970;
    let mut day = days;
    while day >= days_in_year(year) {
        day -= days_in_year(year);
        year += 1;
    }
    let mut month = 0;
    while day >= days_in_month(year, month) {
        day -= days_in_month(year, month);
        month += 1;
    }
    let weekday = usize::try_from(days % 7).unwrap_or_default();
    format!(
        "{}, {:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        WEEKDAYS.get(weekday).unwrap_or(&""),
        day + 1,
        MONTHS.get(month).unwrap_or(&""),
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}

/// Parses the three forms that recipients must accept: `IMF-fixdate`, that of RFC 850 and that of
/// `asctime`. `None` for a date before 1970. A two-digit year is one of 1970 to 2069.
pub(super) fn parse_date(text: &[u8]) -> Option<u64> {
    let mut rest = text;
    let cursor = &mut rest;
    // Two forms have a comma after the weekday, the third has a space.
    let weekday = take(cursor, find(text, b',').or_else(|| find(text, b' '))?)?;
    WEEKDAYS
        .iter()
        .find(|name| weekday.starts_with(name.as_bytes()))?;
    let (date, time) = match (weekday.len(), cursor.first()?) {
        // Sun, 06 Nov 1994 08:49:37 GMT
        (3, b',') => {
            skip(cursor, b", ")?;
            let day = number(take(cursor, 2)?)?;
            skip(cursor, b" ")?;
            let month = month(take(cursor, 3)?)?;
            skip(cursor, b" ")?;
            let year = number(take(cursor, 4)?)?;
            let time = time(cursor)?;
            skip(cursor, b" GMT")?;
            ((year, month, day), time)
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        (_, b',') if weekday.ends_with(b"day") => {
            skip(cursor, b", ")?;
            let day = number(take(cursor, 2)?)?;
            skip(cursor, b"-")?;
            let month = month(take(cursor, 3)?)?;
            skip(cursor, b"-")?;
            let year = number(take(cursor, 2)?)?;
            let year = if year < 70 { 2000 + year } else { 1900 + year };
            let time = time(cursor)?;
            skip(cursor, b" GMT")?;
            ((year, month, day), time)
        }
        // Sun Nov  6 08:49:37 1994
        (3, _) => {
            skip(cursor, b" ")?;
            let month = month(take(cursor, 3)?)?;
            skip(cursor, b" ")?;
            let day = take(cursor, 2)?;
            let day = number(day.strip_prefix(b" ").unwrap_or(day))?;
            let time = time(cursor)?;
            skip(cursor, b" ")?;
            ((number(take(cursor, 4)?)?, month, day), time)
        }
        _ => return None,
    };
    if cursor.is_empty() {
        seconds(date, time)
    } else {
        None
    }
}

/// The time, ` 08:49:37`.
fn time(cursor: &mut &[u8]) -> Option<(u64, u64, u64)> {
    skip(cursor, b" ")?;
    let hour = number(take(cursor, 2)?)?;
    skip(cursor, b":")?;
    let minute = number(take(cursor, 2)?)?;
    skip(cursor, b":")?;
    Some((hour, minute, number(take(cursor, 2)?)?))
}

fn take<'a>(cursor: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = cursor.split_at_checked(len)?;
    *cursor = rest;
    Some(taken)
}

fn skip(cursor: &mut &[u8], expected: &[u8]) -> Option<()> {
    *cursor = cursor.strip_prefix(expected)?;
    Some(())
}

fn month(name: &[u8]) -> Option<usize> {
    MONTHS.iter().position(|month| month.as_bytes() == name)
}

/// A decimal number of at most four digits.
fn number(digits: &[u8]) -> Option<u64> {
    let mut number = 0;
    for digit in digits {
        let b'0'..=b'9' = digit else { return None };
        number = number * 10 + u64::from(digit - b'0');
    }
    (!digits.is_empty()).then_some(number)
}

/// Seconds since the epoch of year, month (from 0) and day (from 1), and hour, minute and second. A
/// leap second counts as the following second.
fn seconds(
    (year, month, day): (u64, usize, u64),
    (hour, minute, second): (u64, u64, u64),
) -> Option<u64> {
    let is_day = year >= 1970 && (1..=days_in_month(year, month)).contains(&day);
    if !is_day || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let years: u64 = (1970..year).map(days_in_year).sum();
    let months: u64 = (0..month).map(|month| days_in_month(year, month)).sum();
    let days = years + months + day - 1;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

/// `month` counts from 0.
const fn days_in_month(year: u64, month: usize) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}
