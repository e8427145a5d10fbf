//! HTTP dates.

use super::super::date::{format_date, parse_date};
use super::*;

/// The example date of RFC 9110 section 5.6.7.
const RFC_DATE: u64 = 784_111_777;

#[test]
fn rfc_date_in_three_forms() {
    let fixed = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(format_date(RFC_DATE), fixed);
    for text in [
        fixed,
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(parse_date(text.as_bytes()), Some(RFC_DATE), "{text}");
    }
}

/// The output of `date -u -d @SECONDS`.
#[test]
fn dates_at_boundaries() {
    for (seconds, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
        (1_796_110_846, "Tue, 01 Dec 2026 07:40:46 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(format_date(seconds), text);
        assert_eq!(parse_date(text.as_bytes()), Some(seconds), "{text}");
    }
    assert_eq!(format_date(u64::MAX), format_date(253_402_300_799));
    let every_day = (0..60_000).map(|day| day * 86_400 + day % 86_400);
    for seconds in every_day {
        let text = format_date(seconds);
        assert_eq!(parse_date(text.as_bytes()), Some(seconds), "{text}");
    }
}

#[test]
fn two_digit_years() {
    for (year, seconds) in [("70", 0), ("69", 3_124_224_000), ("99", 915_148_800)] {
        let text = format!("Thursday, 01-Jan-{year} 00:00:00 GMT");
        assert_eq!(parse_date(text.as_bytes()), Some(seconds), "{text}");
    }
}

#[test]
fn invalid_dates_are_refused() {
    for text in [
        "",
        ",",
        "0",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Som, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 2100 08:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 19x4 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sunday Nov  6 08:49:37 1994",
    ] {
        assert_eq!(parse_date(text.as_bytes()), None, "{text:?}");
    }
}
