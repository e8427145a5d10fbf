//! Days and dates of the proleptic Gregorian calendar.
//!
//! Counted in years that begin in March: the leap day is then the last of a year, and 400 years are
//! one cycle of 146,097 days.

const DAYS_PER_CYCLE: i64 = 146_097;
const YEARS_PER_CYCLE: i64 = 400;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: i64 = 719_468;

/// A date: year (0 is 1 BC), month 1 to 12, day 1 to 31.
pub(super) type Date = (i64, u8, u8);

/// The date `days` after 1970-01-01. `days` is an i64 of seconds divided by a day, so there is no overflow.
pub(super) const fn date(days: i64) -> Date {
    let days = days + EPOCH_DAY;
    let cycle = days.div_euclid(DAYS_PER_CYCLE);
    let day = days.rem_euclid(DAYS_PER_CYCLE);
    // Without the leap days of 4 years (1,461 days), 100 years (36,524) and the cycle itself every
    // year has 365 days.
    let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_PER_CYCLE - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on: five months have 153 days, over and over.
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, year_later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (
        cycle * YEARS_PER_CYCLE + year + year_later,
        month as u8,
        day_of_month as u8,
    )
}

/// Days from 1970-01-01 to the date, of a year between 0 and 9999.
pub(super) const fn days((year, month, day): Date) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let month = (month as i64 + 9) % 12;
    let cycle = year.div_euclid(YEARS_PER_CYCLE);
    let year = year.rem_euclid(YEARS_PER_CYCLE);
    let day = 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 + day as i64 - 1;
    cycle * DAYS_PER_CYCLE + day - EPOCH_DAY
}

/// Days of the month; 0 if there is no such month.
pub(super) const fn days_of_month(year: i64, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}
