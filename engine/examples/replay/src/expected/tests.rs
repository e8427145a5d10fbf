use std::collections::VecDeque;

use super::*;
use crate::SEED;
use crate::tape::Tape;
use crate::tests::{generated, recording};
use crate::transcode::transcode;

fn check(expected: &Expected, follower: &Follower) -> Result<(), BookFault> {
    let mut feeds = Topic::FEEDS.into_iter();
    feeds.try_for_each(|feed| expected.check(follower, feed))
}

#[test]
fn numbers_are_sorted_as_numbers_and_are_equal_without_their_zeros() {
    let sorted = [
        "0",
        "0.00000001",
        "0.5",
        "1",
        "1.05",
        "1.5",
        "2",
        "10",
        "99.9",
        "100.25",
    ];
    let keys: Vec<Key> = sorted.iter().map(|n| key(n).expect(n)).collect();
    assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
    for (a, b) in [("1", "1.000"), ("0.50", "0.5"), ("100", "100.0")] {
        assert_eq!(key(a), key(b));
    }
    for bad in [
        "", ".5", "5.", "-1", "+1", "01", "1e5", "1.2.3", " 1", "1,5",
    ] {
        assert!(key(bad).is_err(), "{bad:?}");
    }
}

/// Follows a tape of SBE to its end, without message `dropped`.
fn follow(sbe: &Tape, dropped: Option<usize>) -> Result<Follower, (usize, BookFault)> {
    let mut follower = Follower::new();
    for index in (0..sbe.len()).filter(|&i| Some(i) != dropped) {
        let followed = follower.message(sbe.payload(index));
        followed.map_err(|fault| (index, fault))?;
    }
    Ok(follower)
}

/// The client's book is that of the text; and whenever a depth message has been applied, its top
/// is the last book ticker of those that are not younger.
fn is_followed(tape: &Tape) {
    let (sbe, expected) = transcode(tape).expect("SBE");
    let mut follower = Follower::new();
    let mut tickers: VecDeque<(i64, Top)> = VecDeque::new();
    let (mut compared, mut snapshot) = (0, None);
    for index in 0..sbe.len() {
        follower.message(sbe.payload(index)).expect("a book");
        if sbe.kind(index) == Kind::BookTicker {
            let value: Value = serde_json::from_slice(tape.payload(index)).expect("JSON");
            let update = whole(&value["data"], "u").expect("a number");
            tickers.push_back((update, follower.quote.expect("a ticker")));
        }
        let last = follower.book.last_update().expect("the snapshot is first");
        // Younger than the first messages: nothing is compared before the first change of it.
        if *snapshot.get_or_insert(last) == last {
            continue;
        }
        while tickers.get(1).is_some_and(|&(update, _)| update <= last) {
            tickers.pop_front();
        }
        if sbe.kind(index) == Kind::Depth
            && let Some((_, ticker)) = tickers.front().filter(|&&(update, _)| update <= last)
        {
            assert_eq!(
                follower.book.top().as_ref(),
                Some(ticker),
                "message {index}"
            );
            compared += 1;
        }
    }
    assert_eq!(check(&expected, &follower), Ok(()));
    let depths = tape.count(Kind::Depth);
    assert!(compared + 10 > depths, "{compared} of {depths}");
}

#[test]
fn the_generated_book_is_that_of_the_text_and_its_top_that_of_the_tickers() {
    for seed in [SEED, 1, 2] {
        is_followed(&generated(seed));
    }
}

#[test]
fn the_recorded_book_is_that_of_the_text_and_its_top_that_of_the_tickers() {
    if let Some(tape) = recording() {
        is_followed(&tape);
    }
}

#[test]
fn a_dropped_depth_message_is_a_gap_at_the_next_one() {
    let mut tapes = vec![generated(SEED)];
    tapes.extend(recording());
    for mut tape in tapes {
        tape.truncate(std::time::Duration::from_secs(20));
        let (sbe, _) = transcode(&tape).expect("SBE");
        // Those that the snapshot does not have.
        let mut follower = Follower::new();
        let mut changes = |index: usize| {
            let before = follower.book.last_update();
            follower.message(sbe.payload(index)).expect("a book");
            sbe.kind(index) == Kind::Depth && follower.book.last_update() != before
        };
        let mut depths: Vec<usize> = (0..sbe.len()).filter(|&i| changes(i)).collect();
        // The first one may overlap the snapshot.
        depths.remove(0);
        for pair in depths.windows(2) {
            let (at, fault) = follow(&sbe, Some(pair[0])).expect_err("a gap");
            assert!(matches!(fault, BookFault::Gap { .. }), "{fault}");
            assert_eq!(at, pair[1]);
        }
    }
}

#[test]
fn without_a_snapshot_there_is_no_book() {
    let (sbe, expected) = transcode(&generated(SEED)).expect("SBE");
    let mut follower = Follower::new();
    let change = (0..sbe.len()).find(|&i| sbe.kind(i) == Kind::Depth);
    let refused = follower.message(sbe.payload(change.expect("one")));
    assert_eq!(refused, Err(BookFault::NoSnapshot));
    assert!(check(&expected, &follower).is_err());
    let recorded = crate::generator::generate(SEED).expect("a tape");
    let told = transcode(&recorded).expect_err("changes before the snapshot");
    assert!(told.contains("before its snapshot"), "{told}");
}

#[test]
fn every_difference_is_found() {
    let mut tape = generated(SEED);
    tape.truncate(std::time::Duration::from_secs(2));
    let (sbe, expected) = transcode(&tape).expect("SBE");
    let follower = follow(&sbe, None).expect("a book");
    assert_eq!(check(&expected, &follower), Ok(()));
    let one = Decimal::new(1, -8);
    let wrong: [fn(&mut Expected, Decimal); 7] = [
        |e, one| e.bids[500].0 = one,
        |e, one| e.bids[0].1 = one,
        |e, one| e.asks[999].1 = one,
        |e, _| e.asks.truncate(100),
        |e, _| e.last_update = None,
        |e, _| e.trade = None,
        |e, one| e.quotes.values_mut().for_each(|top| top.ask = one),
    ];
    for (place, make) in wrong.into_iter().enumerate() {
        let mut wrong = expected.clone();
        make(&mut wrong, one);
        let found = check(&wrong, &follower);
        assert!(matches!(found, Err(BookFault::Differs(_))), "{place}");
    }
}

#[test]
fn bytes_that_are_no_message_and_other_templates_are_told() {
    let (sbe, _) = transcode(&generated(SEED)).expect("SBE");
    let mut follower = Follower::new();
    let whole = sbe.payload(1);
    for len in 0..whole.len() {
        let found = follower.message(&whole[..len]);
        assert!(
            matches!(found, Err(BookFault::Decode(_))),
            "{len}: {found:?}"
        );
    }
    let mut other = whole.to_vec();
    other[2] = 200;
    assert_eq!(follower.message(&other), Err(BookFault::Unknown));
}
