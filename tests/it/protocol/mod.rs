//! The test vectors of `docs/protocol.md`: the file is what the harness writes, bytes and meaning
//! are the same thing, and the engine reads, answers and refuses as the vectors say.

mod document;
mod runner;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use harness::protocol::{
    Exchange, Frame, Step, decode, encode, exchanges, hex, invalid, records, vectors, violations,
};
use tickwire::Timestamp;
use tickwire::channels::{ChannelConfig, ChannelFailure, ChannelViolation, Event, Mux};

use self::runner::{Runner, rules};

pub(super) fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_file_is_what_the_harness_writes() {
    let file = fs::read_to_string(root().join("docs/protocol/vectors.json")).expect("the file");
    let same = file == vectors();
    assert!(
        same,
        "docs/protocol/vectors.json is out of date: cargo run -p tickwire-tests --example protocol_vectors"
    );
}

#[test]
fn names_are_unique() {
    let lists: [Vec<String>; 3] = [
        records().into_iter().map(|r| r.name).collect(),
        invalid().into_iter().map(|i| i.name).collect(),
        all_exchanges().map(|e| e.name.to_owned()).collect(),
    ];
    for list in lists {
        let unique: BTreeSet<_> = list.iter().collect();
        assert!(list.len() > 30, "{} vectors", list.len());
        assert_eq!(unique.len(), list.len());
    }
}

/// Both directions: what the bytes say, and how that is written.
#[test]
fn records_say_what_they_mean() {
    for record in records() {
        let name = &record.name;
        assert_eq!(
            decode(&record.bytes),
            (record.frames.clone(), None),
            "{name}"
        );
        let same = encode(&record.frames) == record.bytes;
        assert_eq!(same, record.canonical, "{name}: {}", hex(&record.bytes));
    }
    for exchange in all_exchanges() {
        for step in &exchange.steps {
            let said: Vec<(Vec<u8>, &Vec<Frame>)> = match step {
                Step::Receives(bytes, frames, _) => vec![(bytes.clone(), frames)],
                Step::Sends(records) => records.iter().map(|r| (encode(r), r)).collect(),
                _ => continue,
            };
            for (bytes, frames) in said {
                let (read, broken) = decode(&bytes);
                let whole = broken.is_none() && encode(frames) == bytes;
                let wrong = exchange
                    .broken
                    .is_some_and(|b| broken == Some(b.rule) || b.rule == 13);
                assert!(whole && read == *frames || wrong, "{}", exchange.name);
            }
        }
    }
}

#[test]
fn invalid_records_break_their_rule() {
    for wrong in invalid() {
        let read = decode(&wrong.bytes);
        assert_eq!(read, (wrong.frames, Some(wrong.rule)), "{}", wrong.name);
    }
}

/// A connection that has heard nothing.
fn silent() -> Mux {
    Mux::new(ChannelConfig::default(), Timestamp(1)).expect("limits that work")
}

/// A connection that has heard HELLO.
fn connection() -> Mux {
    let mut core = silent();
    let mut hello = core.receive(&[0x0B, 0], Timestamp(1));
    assert!(matches!(core.next(&mut hello), Some(Event::Ready)));
    core
}

/// The violation that the engine finds in a record.
fn violation(core: &mut Mux, record: &[u8]) -> Option<ChannelViolation> {
    let mut incoming = core.receive(record, Timestamp(1));
    while let Some(event) = core.next(&mut incoming) {
        if let Event::Failed(ChannelFailure::Violation(violation)) = event {
            return Some(violation);
        }
    }
    while let Some(event) = core.poll_event() {
        if let Event::Failed(ChannelFailure::Violation(violation)) = event {
            return Some(violation);
        }
    }
    None
}

/// No record that is valid breaks a rule of form in the engine.
#[test]
fn the_engine_reads_valid_records() {
    for record in records() {
        let mut core = match record.frames[..] {
            [Frame::Hello(_)] => silent(),
            _ => connection(),
        };
        let found = violation(&mut core, &record.bytes);
        let of_form = matches!(
            found,
            Some(ChannelViolation::Wire(_) | ChannelViolation::UnknownExtension)
        );
        assert!(!of_form, "{}: {found:?}", record.name);
    }
}

#[test]
fn the_engine_refuses_invalid_records() {
    for wrong in invalid() {
        let mut core = connection();
        let found = violation(&mut core, &wrong.bytes).expect(&wrong.name);
        assert!(
            rules(found).contains(&wrong.rule),
            "{}: {found:?}",
            wrong.name
        );
        assert_eq!(
            core.failure().map(|f| f.code().0),
            Some(1),
            "{}",
            wrong.name
        );
        let mut said = Vec::new();
        while let Some(record) = core.poll_record(Timestamp(1)) {
            said.extend(decode(record.as_slice()).0);
        }
        assert!(
            matches!(said.last(), Some(Frame::GoAway { code: 1, .. })),
            "{}",
            wrong.name
        );
        assert_eq!(
            core.closing().map(|c| c.close_code()),
            Some(4001),
            "{}",
            wrong.name
        );
    }
}

pub(super) fn all_exchanges() -> impl Iterator<Item = Exchange> {
    exchanges().into_iter().chain(violations())
}

/// The engine is E of every exchange.
#[test]
fn the_engine_answers_as_the_exchanges_say() {
    let wrong: Vec<String> = all_exchanges()
        .filter_map(|exchange| Runner::run(&exchange).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The runner is no use if it cannot fail: each exchange with a step that is changed is found.
#[test]
fn a_changed_exchange_is_found() {
    let mut planted = 0;
    for exchange in all_exchanges() {
        for at in 0..exchange.steps.len() {
            let mut changed = exchange.clone();
            match &mut changed.steps[at] {
                Step::Sends(records) => records.push(vec![Frame::Pad(1)]),
                Step::Receives(_, _, reports) => reports.push(true.into()),
                _ => continue,
            }
            let found = Runner::run(&changed).is_err();
            assert!(found, "{}: step {at}", exchange.name);
            planted += 1;
        }
        if let Some(broken) = exchange.broken {
            let mut changed = exchange.clone();
            changed.broken = None;
            assert!(Runner::run(&changed).is_err(), "{}", exchange.name);
            changed.broken = Some(harness::protocol::exchange::Broken { rule: 62, ..broken });
            assert!(Runner::run(&changed).is_err(), "{}", exchange.name);
            planted += 2;
        }
    }
    assert!(planted > 300, "{planted}");
}
