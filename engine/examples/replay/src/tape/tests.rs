use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use std::path::Path;

use super::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn parse(text: &[u8]) -> Result<Tape, String> {
    load::parse(gzip(text).as_slice())
}

#[test]
fn lines_become_messages_with_their_time_kind_and_bytes() {
    let tape = parse(
        b"1000 {\"lastUpdateId\":7}\n\
          1500 {\"stream\":\"btcusdt@bookTicker\",\"data\":{}}\n\
          1500 {\"stream\":\"btcusdt@trade\",\"data\":{}}\n\
          3000 {\"stream\":\"btcusdt@depth@100ms\",\"data\":{}}\n\
          3001 {\"stream\":\"btcusdt@kline_1m\",\"data\":\"@trade\"}",
    )
    .expect("a good tape");
    let kinds: Vec<Kind> = (0..tape.len()).map(|i| tape.kind(i)).collect();
    let times: Vec<u128> = (0..tape.len()).map(|i| tape.at(i).as_nanos()).collect();
    assert_eq!(
        kinds,
        [
            Kind::Snapshot,
            Kind::BookTicker,
            Kind::Trade,
            Kind::Depth,
            Kind::Other
        ]
    );
    assert_eq!(times, [0, 500, 500, 2000, 2001]);
    assert_eq!(tape.payload(0), b"{\"lastUpdateId\":7}");
    assert_eq!(
        tape.payload(2),
        b"{\"stream\":\"btcusdt@trade\",\"data\":{}}"
    );
    assert_eq!(tape.payload(5), b"");
    assert_eq!(tape.duration(), Duration::from_nanos(2001));
}

#[test]
fn a_bad_line_is_named() {
    let good = "1 {\"a\":1}\n";
    let form = "not of the form `<nanoseconds> <JSON object>`";
    for (bad, what) in [
        ("garbage\n", form),
        ("12\n", form),
        ("\n", form),
        ("12 \n", form),
        ("12 [1]\n", form),
        ("12 {\"a\":1\n", form),
        ("-12 {\"a\":1}\n", form),
        ("1e3 {\"a\":1}\n", form),
        (" {\"a\":1}\n", "its time is not a number"),
        (
            "99999999999999999999 {\"a\":1}\n",
            "its time is not a number",
        ),
        ("0 {\"a\":1}\n", "its time is before that of the first line"),
    ] {
        let told = parse(format!("{good}{good}{bad}{good}").as_bytes()).expect_err(bad);
        assert!(told.starts_with("line 3: "), "{bad:?}: {told}");
        assert!(told.contains(what), "{bad:?}: {told}");
    }
    let told = parse(b"5 {}\n9 {}\n8 {}\n").expect_err("time runs back");
    assert_eq!(
        told,
        "line 3: its time is 1 ns before that of the line above"
    );
}

#[test]
fn what_is_not_a_whole_gzip_file_is_told() {
    let parse = |bytes: &[u8]| load::parse(bytes).expect_err("bad");
    assert_eq!(parse(b""), "the file is empty");
    assert_eq!(parse(b"1 {}\n"), "not a gzip file");
    assert_eq!(parse(&gzip(b"")), "there is no line in it");

    let text: Vec<u8> = (0..2000)
        .flat_map(|i| format!("{i} {{\"a\":{}}}\n", i * 7919).into_bytes())
        .collect();
    let whole = gzip(&text);
    assert_eq!(load::parse(whole.as_slice()).expect("whole").len(), 2000);
    for cut in [2, 9, 10, 11, whole.len() / 2, whole.len() - 1] {
        let told = parse(&whole[..cut]);
        assert!(told.contains("cut off"), "cut at {cut}: {told}");
    }
    let mut flipped = whole.clone();
    let crc = flipped.len() - 6;
    flipped[crc] ^= 1;
    assert!(parse(&flipped).starts_with("bad gzip data"));
}

#[test]
fn a_missing_file_is_named() {
    let told = load(Path::new("no/such/tape.gz")).expect_err("missing");
    assert!(told.starts_with("tape no/such/tape.gz: "), "{told}");
}

#[test]
fn truncating_keeps_what_is_due_in_time_and_its_hash() {
    let mut tape = parse(b"0 {1}\n1000 {2}\n2000 {3}\n2001 {4}\n").expect("good");
    let whole = tape.clone();
    tape.truncate(Duration::from_nanos(2000));
    assert_eq!((tape.len(), tape.payload_bytes()), (3, 9));
    assert_eq!(tape.running_hash(2), whole.running_hash(2));
    tape.truncate(Duration::ZERO);
    assert_eq!(tape.len(), 1);
}

#[test]
fn bursts_and_gaps_are_those_of_the_tape() {
    let tape = parse(b"0 {}\n10 {}\n20 {}\n29 {}\n1000 {}\n").expect("good");
    assert_eq!(tape.burst(Duration::from_nanos(1)), 1);
    assert_eq!(tape.burst(Duration::from_nanos(20)), 3);
    assert_eq!(tape.burst(Duration::from_nanos(21)), 3);
    assert_eq!(tape.burst(Duration::from_nanos(30)), 4);
    assert_eq!(tape.median_gap(), Duration::from_nanos(10));
}

#[test]
fn every_bit_the_length_and_the_order_change_the_hash() {
    let message: Vec<u8> = (0..37).collect();
    let whole = hash(1, &message);
    for bit in 0..message.len() * 8 {
        let mut other = message.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(hash(1, &other), whole, "bit {bit}");
    }
    for len in 0..message.len() {
        assert_ne!(hash(1, &message[..len]), whole, "cut to {len}");
    }
    // A zero at the end is not the same as none.
    assert_ne!(hash(1, &[0; 3]), hash(1, &[0; 4]));
    assert_ne!(hash(hash(1, b"a"), b"b"), hash(hash(1, b"b"), b"a"));
    assert_ne!(hash(hash(1, b"ab"), b"c"), hash(hash(1, b"a"), b"bc"));
}

#[test]
fn the_first_snapshot_is_put_in_front() {
    let mut tape = Tape::default();
    for (at, payload) in [
        r#"{"stream":"x@depth"}"#,
        r#"{"stream":"x@trade"}"#,
        r#"{"lastUpdateId":1}"#,
        r#"{"lastUpdateId":2}"#,
    ]
    .into_iter()
    .enumerate()
    {
        tape.push(at as u64, payload.as_bytes()).expect("in order");
    }
    let found = tape.snapshot_first().expect("a snapshot");
    let ticks = (0..4).map(|i| {
        (
            found.kind(i),
            found.at(i).as_nanos(),
            found.payload(i).len(),
        )
    });
    let expected = [
        (Kind::Snapshot, 0, 18),
        (Kind::Depth, 0, 20),
        (Kind::Trade, 1, 20),
        (Kind::Snapshot, 3, 18),
    ];
    assert!(ticks.eq(expected));
    tape.truncate(Duration::from_nanos(1));
    assert!(tape.snapshot_first().is_err());
}
