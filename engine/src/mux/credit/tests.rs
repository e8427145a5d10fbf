use super::*;

/// The limit slides for ever (rule R21), from counters near every power of two.
#[test]
fn a_window_slides_for_ever() {
    for bits in [0, 8, 16, 31, 32, 33, 48, 61] {
        let start = 1_u64 << bits;
        for start in [start - 1, start] {
            let mut recv = RecvCredit::new(1000);
            recv.charged = start;
            recv.consumed = start;
            recv.limit = start + 1000;
            recv.owe(threshold(1000));
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
fn limits_never_go_back_or_over() {
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
    recv.reopen(50); // narrower
    assert_eq!(recv.announce(), 100);
    recv.consume(60);
    assert_eq!(recv.announce(), 150);
}

#[test]
fn the_default_window_takes_the_message_of_the_design() {
    assert_eq!(message_charge(30_000, 64, 4096), 30_576);
    let max = message_max(64 << 10, 1 << 20, 64, 16 << 10);
    assert_eq!(max, Some(32_193));
    // 1 MiB needs both windows above 2 MiB.
    assert!(message_max(2 << 20, 4 << 20, 64, 16 << 10) < Some(1 << 20));
    assert!(message_max(2_131_000, 2_131_000, 64, 16 << 10) >= Some(1 << 20));
    assert_eq!(message_max(1024, 1024, 1024, 1024), None);
}

#[test]
fn a_window_widens_only_when_it_is_what_holds_back() {
    let rtt = Duration::from_millis(10);
    let at = |ms: u64| Timestamp(ms * 1_000_000);
    let mut slow = RecvCredit::new(1000);
    let mut fast = RecvCredit::new(1000);
    for turn in 1..100 {
        for (credit, ms) in [(&mut slow, turn * 30), (&mut fast, turn)] {
            credit.charge(600).expect("credit");
            credit.consume(600);
            if credit.is_due() {
                credit.tune(at(ms), rtt, 4000);
                credit.announce();
            }
        }
    }
    assert_eq!((slow.window(), fast.window()), (1000, 4000));
}

#[test]
fn what_is_spent_is_counted_to_the_last_unit() {
    let mut send = SendCredit::new(10);
    assert_eq!((send.limit(), send.available()), (10, 10));
    send.spend(4).expect("credit");
    assert_eq!((send.charged(), send.available()), (4, 6));
    assert_eq!(send.spend(7), Err(Overrun));
    send.spend(6).expect("all that is left");
    assert_eq!((send.charged(), send.available()), (10, 0));
    send.refund(3);
    assert_eq!((send.charged(), send.available()), (7, 3));
    assert!(!send.raise(10), "told twice is no news");
    assert!(send.raise(11));
    assert_eq!((send.limit(), send.available()), (11, 4));

    let mut recv = RecvCredit::new(10);
    assert_eq!((recv.limit(), recv.window()), (10, 10));
    recv.charge(4).expect("credit");
    assert!(recv.covers(6) && !recv.covers(7));
    recv.charge(6).expect("all that is left");
    assert!(recv.covers(0) && !recv.covers(1));
    recv.consume(3);
    assert_eq!(
        (recv.charged(), recv.backlog(), recv.consumed()),
        (10, 7, 3)
    );
}

#[test]
fn a_limit_is_told_when_a_quarter_or_a_half_is_owed() {
    for (window, due) in [(1, 1), (3, 1), (8, 2), (65_535, 16_383), (65_536, 32_768)] {
        assert_eq!(threshold(window), due);
        let mut recv = RecvCredit::new(window);
        recv.charge(window).expect("credit");
        recv.consume(due - 1);
        assert!(!recv.is_due(), "{window}");
        recv.consume(1);
        assert!(recv.is_due(), "{window}");
        assert_eq!(recv.owed(), due);
        assert_eq!(recv.announce(), window + due);
        assert!(!recv.is_due() && recv.owed() == 0, "{window}");
    }
}

#[test]
fn a_rest_is_told_early_but_not_in_slivers() {
    // Window, charged, consumed, due.
    for (window, charged, consumed, due) in [
        (1600, 1500, 0, false),
        (1600, 1500, 99, false),  // a sixteenth is 100
        (1600, 1600, 99, false),  // the same, and nothing is left
        (1600, 1500, 100, true),  // owed is what is left
        (1600, 1499, 100, false), // one less than what is left
        (1600, 400, 400, true),   // due anyhow
        (1600, 400, 399, false),
        (8, 8, 0, false),
        (8, 8, 1, true),
    ] {
        let mut recv = RecvCredit::new(window);
        recv.charge(charged).expect("credit");
        recv.consume(consumed);
        assert_eq!(recv.is_due_of_rest(), due, "{charged} {consumed}");
    }
}

#[test]
fn a_limit_ends_where_numbers_on_the_wire_do() {
    let mut recv = RecvCredit::new(VARINT_MAX - 1);
    recv.charge(100).expect("credit");
    recv.consume(100);
    assert_eq!(recv.announce(), VARINT_MAX);
}

#[test]
fn a_window_widens_within_two_round_trips_to_the_nanosecond() {
    let rtt = Duration::from_nanos(10);
    let window = |ns: u64, consumed: u64, max: u64| {
        let mut recv = RecvCredit::new(1000);
        recv.charge(consumed).expect("credit");
        recv.consume(consumed);
        recv.tune(Timestamp(ns), rtt, max);
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
        "a cap that was lowered narrows nothing"
    );

    // Both ways, the next measure begins here.
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
        recv.tune(Timestamp(ns), rtt, 8000);
        assert_eq!(recv.window(), window, "{ns} {consumed}");
    }
}

#[test]
fn fragments_and_charges_in_numbers() {
    assert_eq!(fragment_min(4000, 8000, 16_000), 1000);
    assert_eq!(fragment_min(8000, 4000, 16_000), 1000);
    assert_eq!(fragment_min(8000, 8000, 800), 200);
    assert_eq!(fragment_min(3, 3, 3), 1);
    assert_eq!(message_charge(0, 64, 4096), 64);
    assert_eq!(message_charge(4096, 64, 4096), 4096 + 2 * 64);
    assert_eq!(message_charge(4097, 64, 4096), 4097 + 3 * 64);
    assert_eq!(message_charge(5, 1, 0), 5 + 6, "no fragment is of no bytes");
}

/// Against counting up, byte by byte.
#[test]
fn the_largest_message_is_the_last_that_fits() {
    for window in [1, 2, 3, 64, 100, 1000, 1500] {
        for connection in [1, 100, 1200] {
            for overhead in [0, 1, 16, 200] {
                for record in [4, 300, 100_000] {
                    let (w, c) = (u64::from(window), u64::from(connection));
                    let fragment = fragment_min(w, c, u64::from(record));
                    let room = (w + 1 - threshold(w)).min(c + 1 - threshold(c));
                    let fits =
                        |&len: &u32| message_charge(len.into(), overhead.into(), fragment) <= room;
                    assert_eq!(
                        message_max(window, connection, overhead, record),
                        (1..=2000).take_while(fits).last(),
                        "{window} {connection} {overhead} {record}"
                    );
                }
            }
        }
    }
}

#[test]
fn where_messages_are_counted_the_connection_bounds_them() {
    let max = |window: u32| window.checked_sub(10);
    for (unit, channel, connection, expected) in [
        (Unit::Bytes, 30, 20, 20),
        (Unit::Bytes, 5, 20, 0),
        (Unit::Messages, 30, 20, 10),
        (Unit::Messages, 20, 30, 10),
        (Unit::Messages, 30, 5, 0),
    ] {
        assert_eq!(
            default_message_max(unit, max, channel, connection),
            expected
        );
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

/// Against counting each step: what passes is within the limit and makes none due, and what does
/// not pass though it might have is rare.
#[test]
fn what_passes_is_nothing_to_decide() {
    let mut state = 1_u64;
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % n
    };
    for window in [1, 5, 17, 1000, 100_000] {
        let mut fast = PassingCredit::new(window);
        let mut slow = RecvCredit::new(window);
        let (mut passed, mut missed) = (0_u32, 0_u32);
        let (mut held, mut told_anyway) = (0, false);
        for step in 0..20_000 {
            let n = 1 + below(window.min(40));
            match below(20) {
                0 => {
                    // Held, within what the limit allows.
                    assert_eq!(fast.charge(n), slow.charge(n));
                    held = slow.backlog();
                }
                1 => {
                    let n = n.min(held);
                    fast.consume(n);
                    slow.consume(n);
                    held -= n;
                }
                2 if told_anyway || slow.is_due_of_rest() => {
                    told_anyway = false;
                    assert_eq!(fast.announce(), slow.announce(), "{window} at {step}");
                }
                3 => fast.watch(told_anyway),
                4 => told_anyway = told_anyway || below(50) == 0 && slow.owed() > 0,
                _ => {
                    let mut then = slow;
                    let decides = then.charge(n).is_err() || {
                        then.consume(n);
                        then.is_due_of_rest() && !told_anyway
                    };
                    if fast.pass(n) {
                        assert!(!decides, "{window} at {step}");
                        slow = then;
                        passed += 1;
                    } else if !decides {
                        missed += 1;
                        // Once it has been found out, it passes.
                        fast.watch(told_anyway);
                        assert!(fast.pass(n), "{window} at {step}");
                        slow = then;
                    }
                }
            }
            let counts = |c: &RecvCredit| (c.charged(), c.consumed(), c.limit(), c.backlog());
            assert_eq!(counts(&fast), counts(&slow), "{window} at {step}");
        }
        assert!(
            window < 1000 || passed > 4 * missed,
            "{window}: {passed}, {missed}"
        );
        assert!(
            window < 10 || passed + missed > 100,
            "{window}: {passed}, {missed}"
        );
    }
}
