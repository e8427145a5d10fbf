use std::collections::VecDeque;

use super::*;
use crate::tape::Tape;
use crate::tests::recording;
use crate::transcode::transcode;
use crate::{SEED, generator};

fn generated() -> Tape {
    generator::generate(SEED).expect("a tape")
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
    let mut compared = 0;
    for index in 0..sbe.len() {
        follower.message(sbe.payload(index)).expect("a book");
        if sbe.kind(index) == Kind::BookTicker {
            let value: Value = serde_json::from_slice(tape.payload(index)).expect("JSON");
            let update = whole(&value["data"], "u").expect("a number");
            tickers.push_back((update, follower.seen.quote.expect("a ticker")));
        }
        let Some(last) = follower.book.last_update() else {
            continue;
        };
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
    assert_eq!(expected.check(&follower), Ok(()));
    let depths = tape.count(Kind::Depth);
    assert!(compared + 10 > depths, "{compared} of {depths}");
}

#[test]
fn the_generated_book_is_that_of_the_text_and_its_top_that_of_the_tickers() {
    for seed in [SEED, 1, 2] {
        is_followed(&generator::generate(seed).expect("a tape"));
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
    let mut tapes = vec![generated()];
    tapes.extend(recording());
    for mut tape in tapes {
        tape.truncate(std::time::Duration::from_secs(20));
        let (sbe, _) = transcode(&tape).expect("SBE");
        let snapshot = (0..sbe.len()).position(|i| sbe.kind(i) == Kind::Snapshot);
        let after = snapshot.expect("one") + 1;
        let depths: Vec<usize> = (after..sbe.len())
            .filter(|&i| sbe.kind(i) == Kind::Depth)
            .collect();
        for pair in depths.windows(2) {
            let (at, fault) = follow(&sbe, Some(pair[0])).expect_err("a gap");
            assert!(matches!(fault, BookFault::Gap { .. }), "{fault}");
            assert_eq!(at, pair[1]);
        }
    }
}

#[test]
fn without_a_snapshot_depth_messages_are_held_up_to_a_limit() {
    let mut tape = generated();
    tape.truncate(std::time::Duration::from_secs(150));
    let (sbe, expected) = transcode(&tape).expect("SBE");
    let mut follower = Follower::new();
    let depths = (0..sbe.len()).filter(|&i| sbe.kind(i) == Kind::Depth);
    let refused = depths
        .map(|index| follower.message(sbe.payload(index)))
        .position(|followed| followed == Err(BookFault::NoSnapshot { held: 1_000 }));
    assert_eq!(refused, Some(1_000));
    follower.restart();
    assert_eq!(follower, Follower::new());
    assert!(expected.check(&follower).is_err());
}

#[test]
fn every_difference_is_found() {
    let mut tape = generated();
    tape.truncate(std::time::Duration::from_secs(2));
    let (sbe, expected) = transcode(&tape).expect("SBE");
    let follower = follow(&sbe, None).expect("a book");
    assert_eq!(expected.check(&follower), Ok(()));
    let one = Decimal::new(1, -8);
    let wrong: [fn(&mut Expected, Decimal); 7] = [
        |e, one| e.bids[500].0 = one,
        |e, one| e.bids[0].1 = one,
        |e, one| e.asks[999].1 = one,
        |e, _| e.asks.truncate(100),
        |e, _| e.last_update = None,
        |e, _| e.seen.trades += 1,
        |e, _| e.seen.quote = None,
    ];
    for (place, make) in wrong.into_iter().enumerate() {
        let mut wrong = expected.clone();
        make(&mut wrong, one);
        let found = wrong.check(&follower);
        assert!(matches!(found, Err(BookFault::Differs(_))), "{place}");
    }
}

#[test]
fn bytes_that_are_no_message_are_told_and_other_templates_counted() {
    let (sbe, _) = transcode(&generated()).expect("SBE");
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
    assert_eq!(follower.message(&other), Ok(()));
    assert_eq!(follower.seen.unknown, 1);
}
