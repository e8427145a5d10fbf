use std::format;

use super::*;

/// The limit advances without end (rule R21), tested from counters near every power of two.
#[test]
fn a_window_advances_without_end() {
    for bits in [0, 8, 16, 31, 32, 33, 48, 61] {
        let start = 1_u64 << bits;
        for start in [start - 1, start] {
            let mut recv = RecvCredit::new(1000);
            recv.charged = start;
            recv.consumed = start;
            recv.limit = start + 1000;
            recv.set_due(threshold(1000));
            let mut send = SendCredit {
                limit: start + 1000,
                charged: start,
            };
            for _ in 0..if cfg!(miri) { 100 } else { 10_000 } {
                send.spend(700).expect("credit");
                recv.charge(700).expect("credit");
                assert_eq!(recv.backlog(), 700);
                recv.consume(700);
                assert!(recv.is_due());
                assert!(send.raise(recv.announce()));
                assert_eq!(send.available(), 1000);
                assert_eq!(recv.limit() - recv.consumed(), recv.window());
            }
        }
    }
}

#[test]
fn limits_never_decrease_or_overflow() {
    let mut send = SendCredit::new(10);
    assert!(!send.raise(3));
    assert_eq!(send.available(), 10);
    assert_eq!(send.spend(11), Err(Overrun));
    assert_eq!(send.charged(), 0, "a refused spend takes nothing");
    assert!(send.raise(VARINT_MAX));
    let mut recv = RecvCredit::new(100);
    assert_eq!(recv.charge(101), Err(Overrun));
    assert_eq!(recv.charged(), 0);
    recv.charge(100).expect("credit");
    recv.consume(40);
    recv.set_initial_window(50); // smaller
    assert_eq!(recv.announce(), 100);
    recv.consume(60);
    assert_eq!(recv.announce(), 150);
}

#[test]
fn the_largest_message_follows_from_the_window() {
    assert_eq!(message_charge(30_000, 64, 4096), 30_576);
    let announced = |window, overhead, record| Announced {
        window,
        overhead,
        record,
    };
    assert_eq!(
        announced(64 << 10, 64, 16 << 10).message_max(),
        Some(32_193)
    );
    assert_eq!(announced(16 << 10, 64, 16_448).message_max(), Some(12_033));
    // 1 MiB needs a window above 2 MiB.
    assert!(announced(2 << 20, 64, 16 << 10).message_max() < Some(1 << 20));
    assert!(announced(2_131_000, 64, 16 << 10).message_max() >= Some(1 << 20));
    assert_eq!(announced(1024, 1024, 1024).message_max(), None);
    // Eight counted messages cost no more than the window.
    let counted = announced(64 << 10, 64, 16_448);
    assert_eq!(counted.counted_message_max(), Some(8000));
    assert!(8 * counted.cost(8000) <= 64 << 10 && 8 * counted.cost(8001) > 64 << 10);
    assert_eq!(counted.default_message_max(Unit::Messages), 8000);
    assert_eq!(counted.default_message_max(Unit::Bytes), 32_193);
    assert_eq!(announced(1024, 64, 1024).counted_message_max(), None);
    // The table in the documentation of `ChannelConfig::message_bytes_max`.
    for (kib, bytes, counted) in [
        (16, 12_033, 1920),
        (64, 32_193, 8000),
        (256, 128_961, 32_192),
        (1024, 516_161, 128_960),
    ] {
        let announced = announced(kib << 10, 64, 16_448);
        assert_eq!(announced.message_max(), Some(bytes));
        assert_eq!(announced.counted_message_max(), Some(counted));
    }
}

/// RETURN keeps the limit and reduces the window; at most the growth beyond the initial window can
/// be returned.
#[test]
fn returned_credit_is_charged_and_consumed() {
    let rtt = Duration::from_millis(10);
    let mut recv = RecvCredit::new(1000);
    recv.charge(600).expect("credit");
    recv.consume(600);
    assert_eq!(recv.growth(Timestamp(1), rtt, 4000), 1000);
    assert!(recv.grow(700, Timestamp(1)) && recv.has_grown());
    assert_eq!((recv.announce(), recv.window()), (2300, 1700));
    for wrong in [0, 599, 1301, 2300, 5000] {
        assert_eq!(recv.accept_return(wrong), Err(Overrun), "{wrong}");
    }
    assert_eq!(
        (recv.charged(), recv.window()),
        (600, 1700),
        "nothing changed"
    );
    recv.accept_return(1000).expect("a part");
    assert_eq!(
        (recv.charged(), recv.consumed(), recv.window()),
        (1000, 1000, 1300)
    );
    assert_eq!((recv.limit(), recv.unannounced()), (2300, 0));
    recv.charge(100).expect("credit");
    recv.accept_return(1300).expect("all");
    assert_eq!(
        (recv.charged(), recv.consumed(), recv.window()),
        (1300, 1200, 1100)
    );
    assert_eq!(
        recv.accept_return(1301),
        Err(Overrun),
        "below the initial window"
    );
    // Returned credit was not consumed by the application: it does not make the window grow.
    assert_eq!(recv.growth(Timestamp(2), rtt, 4000), 0);
    recv.consume(100);
    assert_eq!(recv.outstanding_max(), 1100);
    recv.charge(1000).expect("what is left");
    assert_eq!(recv.charge(1), Err(Overrun));

    // The sender returns all but what it keeps.
    let mut send = SendCredit::new(1000);
    assert!(!send.return_unused(1000) && !send.return_unused(2000));
    send.spend(100).expect("credit");
    assert!(send.return_unused(300));
    assert_eq!((send.charged(), send.available()), (700, 300));
    assert!(!send.return_unused(300));
    assert!(send.return_unused(0));
    assert_eq!((send.charged(), send.available()), (1000, 0));

    // A half that grants no more credit accepts any return up to the limit.
    let mut stopped = RecvCredit::new(1000);
    stopped.charge(100).expect("credit");
    assert_eq!(stopped.accept_final_return(99), Err(Overrun));
    assert_eq!(stopped.accept_final_return(1001), Err(Overrun));
    stopped.accept_final_return(1000).expect("the limit");
    assert_eq!((stopped.charged(), stopped.consumed()), (1000, 0));
}

/// From 64 KiB on the threshold is a half of the window, below it a quarter. So a larger window can
/// guarantee less credit to a blocked sender. The window neither grows nor shrinks to such a size.
#[test]
fn a_window_never_guarantees_less_than_the_initial_one() {
    let mut recv = RecvCredit::new(60_000);
    recv.charge(40_000).expect("credit");
    recv.consume(40_000);
    assert!(!recv.grow(10_000, Timestamp(0)), "half of 70,000 is less");
    assert_eq!(recv.window(), 60_000);
    assert!(recv.grow(60_000, Timestamp(0)));
    recv.announce();
    // To 70,000: the window stays, and the returned credit becomes unannounced.
    recv.accept_return(90_000).expect("legal");
    assert_eq!(recv.window(), 120_000);
    assert_eq!(recv.unannounced(), 50_000);
}

/// Unannounced credit can be withdrawn without a frame: the sender does not know of it.
#[test]
fn unannounced_growth_is_withdrawn() {
    let mut recv = RecvCredit::new(1000);
    assert!(recv.grow(1000, Timestamp(0)));
    assert_eq!(recv.announce(), 2000);
    recv.charge(300).expect("credit");
    recv.consume(300);
    assert_eq!((recv.unannounced(), recv.is_due()), (300, false));
    recv.withdraw_unannounced();
    assert_eq!(
        (recv.window(), recv.unannounced(), recv.limit()),
        (1700, 0, 2000)
    );
    recv.withdraw_unannounced();
    assert_eq!(recv.window(), 1700);
    // Not below the initial window.
    recv.charge(1200).expect("credit");
    recv.consume(1200);
    recv.withdraw_unannounced();
    assert_eq!((recv.window(), recv.unannounced()), (1000, 500));
    assert!(recv.is_due() && !recv.has_grown());
    // Not to a window that guarantees less.
    let mut odd = RecvCredit::new(60_000);
    assert!(odd.grow(60_000, Timestamp(0)));
    odd.announce();
    odd.charge(50_000).expect("credit");
    odd.consume(50_000);
    odd.withdraw_unannounced();
    assert_eq!(odd.window(), 120_000, "half of 70,000 is less");
}

/// A window that ACCEPT made smaller still counts as large until it is consumed.
#[test]
fn an_announced_limit_counts_after_the_window_is_reduced() {
    let mut recv = RecvCredit::new(8);
    recv.set_initial_window(1);
    assert_eq!((recv.outstanding_max(), recv.window()), (8, 1));
    recv.accept_return(4)
        .expect("at least the initial window stays");
    assert_eq!((recv.outstanding_max(), recv.window()), (4, 1));
    recv.charge(4).expect("what is left");
    recv.consume(4);
    assert_eq!((recv.outstanding_max(), recv.announce()), (1, 9));
}

#[test]
fn a_window_grows_only_when_it_limits_the_sender() {
    let rtt = Duration::from_millis(10);
    let at = |ms: u64| Timestamp(ms * 1_000_000);
    let mut slow = RecvCredit::new(1000);
    let mut fast = RecvCredit::new(1000);
    for turn in 1..100 {
        for (credit, ms) in [(&mut slow, turn * 30), (&mut fast, turn)] {
            credit.charge(600).expect("credit");
            credit.consume(600);
            if credit.is_due() {
                let by = credit.growth(at(ms), rtt, 4000);
                credit.grow(by, at(ms));
                credit.announce();
            }
        }
    }
    assert_eq!((slow.window(), fast.window()), (1000, 4000));
}

#[test]
fn credit_is_counted_to_the_last_unit() {
    let mut send = SendCredit::new(10);
    assert_eq!((send.limit(), send.available()), (10, 10));
    send.spend(4).expect("credit");
    assert_eq!((send.charged(), send.available()), (4, 6));
    assert_eq!(send.spend(7), Err(Overrun));
    send.spend(6).expect("all that is left");
    assert_eq!((send.charged(), send.available()), (10, 0));
    send.refund(3);
    assert_eq!((send.charged(), send.available()), (7, 3));
    assert!(!send.raise(10), "the same limit again changes nothing");
    assert!(send.raise(11));
    assert_eq!((send.limit(), send.available()), (11, 4));

    let mut recv = RecvCredit::new(10);
    assert_eq!((recv.limit(), recv.window()), (10, 10));
    recv.charge(4).expect("credit");
    assert_eq!(recv.limit() - recv.charged(), 6);
    recv.charge(6).expect("all that is left");
    assert_eq!(recv.limit() - recv.charged(), 0);
    recv.consume(3);
    assert_eq!(
        (recv.charged(), recv.backlog(), recv.consumed()),
        (10, 7, 3)
    );
}

#[test]
fn a_limit_is_due_when_a_quarter_or_a_half_is_unannounced() {
    for (window, due) in [(1, 1), (3, 1), (8, 2), (65_535, 16_383), (65_536, 32_768)] {
        assert_eq!(threshold(window), due);
        let mut recv = RecvCredit::new(window);
        recv.charge(window).expect("credit");
        recv.consume(due - 1);
        assert!(!recv.is_due(), "{window}");
        recv.consume(1);
        assert!(recv.is_due(), "{window}");
        assert_eq!(recv.unannounced(), due);
        assert_eq!(recv.announce(), window + due);
        assert!(!recv.is_due() && recv.unannounced() == 0, "{window}");
    }
}

#[test]
fn a_limit_is_at_most_the_largest_number_on_the_wire() {
    let mut recv = RecvCredit::new(VARINT_MAX - 1);
    recv.charge(100).expect("credit");
    recv.consume(100);
    assert_eq!(recv.announce(), VARINT_MAX);
}

#[test]
fn a_window_grows_within_two_round_trips_to_the_nanosecond() {
    let rtt = Duration::from_nanos(10);
    let window = |ns: u64, consumed: u64, max: u64| {
        let mut recv = RecvCredit::new(1000);
        recv.charge(consumed).expect("credit");
        recv.consume(consumed);
        let by = recv.growth(Timestamp(ns), rtt, max);
        assert_eq!(recv.grow(by, Timestamp(ns)), by > 0);
        recv.window()
    };
    assert_eq!(window(20, 500, 4000), 2000);
    assert_eq!(window(21, 500, 4000), 1000);
    assert_eq!(window(20, 499, 4000), 1000);
    assert_eq!(window(20, 500, 1500), 1500);
    assert_eq!(window(20, 500, 1000), 1000);
    assert_eq!(
        window(20, 500, 900),
        1000,
        "a lowered maximum does not reduce the window"
    );

    // After growth, and after too long a time, the measurement restarts.
    let mut recv = RecvCredit::new(1000);
    for (ns, consumed, window) in [
        (30, 600, 1000), // too late: from here
        (50, 400, 1000), // 400 since then
        (50, 100, 2000), // 500 since then
        (50, 0, 2000),   // nothing since then
        (70, 999, 2000), // less than half
        (70, 1, 4000),
    ] {
        recv.announce();
        recv.charge(consumed).expect("credit");
        recv.consume(consumed);
        let by = recv.growth(Timestamp(ns), rtt, 8000);
        recv.grow(by, Timestamp(ns));
        assert_eq!(recv.window(), window, "{ns} {consumed}");
    }
}

#[test]
fn fragment_sizes_and_charges() {
    assert_eq!(fragment_min(4000, 16_000), 1000);
    assert_eq!(fragment_min(8000, 800), 200);
    assert_eq!(fragment_min(3, 3), 1);
    assert_eq!(message_charge(0, 64, 4096), 64);
    assert_eq!(message_charge(4096, 64, 4096), 4096 + 2 * 64);
    assert_eq!(message_charge(4097, 64, 4096), 4097 + 3 * 64);
    assert_eq!(message_charge(5, 1, 0), 5 + 6, "no fragment is of no bytes");
}

/// Compared with a search byte by byte.
#[test]
fn the_largest_message_is_the_last_that_fits() {
    for window in [1, 2, 3, 64, 100, 1000, 1500] {
        for overhead in [0, 1, 16, 200] {
            for record in [4, 300, 100_000] {
                let announced = Announced {
                    window,
                    overhead,
                    record,
                };
                let fragment = fragment_min(window, record);
                let last = |room: u64| {
                    let fits = |&len: &u32| message_charge(len.into(), overhead, fragment) <= room;
                    (1..=2000).take_while(fits).last()
                };
                let what = format!("{window} {overhead} {record}");
                let room = window + 1 - threshold(window);
                assert_eq!(announced.message_max(), last(room), "{what}");
                assert_eq!(announced.counted_message_max(), last(window / 8), "{what}");
            }
        }
    }
}

#[test]
fn charges_are_merged_and_taken() {
    let mut held = Charge { bytes: 3, units: 1 };
    held.merge(Charge { bytes: 4, units: 2 });
    assert_eq!(held.bytes(), 7);
    assert_eq!(held.take(), Charge { bytes: 7, units: 3 });
    assert_eq!(held, Charge::default());
}
