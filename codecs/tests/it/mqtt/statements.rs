//! The tables of normative statements. Each row has an invalid packet with its error, and the corrected
//! packet, which must be accepted, so that no row passes for another reason.

use super::written;
use crate::common::WIDE;
use std::collections::{BTreeMap, BTreeSet};
use tickwire_codecs::{
    DecodeError, EncodeError, Progress, StreamCodec,
    mqtt::{MqttStream, Packet, Version},
};

const MQTT5: &str = include_str!("mqtt5.md");
const MQTT311: &str = include_str!("mqtt311.md");

/// A row of a table; columns that its kind does not have are empty.
struct Row {
    id: &'static str,
    held: &'static str,
    /// Bytes that are refused, or why the rule is held elsewhere.
    refused: &'static str,
    accepted: &'static str,
    error: &'static str,
    written: &'static str,
}

fn rows(table: &'static str) -> Vec<Row> {
    let lines = table.lines().filter(|line| line.starts_with("| "));
    let rows = lines.map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let cell = |index: usize| cells.get(index).copied().unwrap_or_default();
        assert!(!cell(2).is_empty(), "a rule: {line}");
        Row {
            id: cell(1),
            held: cell(3),
            refused: cell(4),
            accepted: cell(5),
            error: cell(6),
            written: cell(7),
        }
    });
    // The first names the columns.
    rows.skip(1).collect()
}

/// Parses bytes in the notation of the tables. Also returns the text behind a closing parenthesis.
fn bytes_until(text: &str) -> (Vec<u8>, &str) {
    let (mut bytes, mut rest) = (Vec::new(), text.trim_start());
    loop {
        if rest.is_empty() {
            return (bytes, rest);
        } else if let Some(behind) = rest.strip_prefix(')') {
            return (bytes, behind);
        } else if let Some(behind) = rest.strip_prefix('(') {
            let (inner, behind) = bytes_until(behind);
            assert!(inner.len() < 128, "one byte of length: {text}");
            bytes.push(inner.len() as u8);
            bytes.extend(inner);
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('\'') {
            let (string, behind) = behind.split_once('\'').expect("a string ends");
            bytes.extend((string.len() as u16).to_be_bytes());
            bytes.extend(string.as_bytes());
            rest = behind;
        } else {
            let (hex, behind) = rest.split_at_checked(2).expect("two digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("hexadecimal digits"));
            rest = behind;
        }
        rest = rest.trim_start();
    }
}

fn bytes(text: &str) -> Vec<u8> {
    let (bytes, rest) = bytes_until(text);
    assert!(rest.is_empty() && !bytes.is_empty(), "bytes: {text}");
    bytes
}

/// An error in the form of the tables: the offset and the field.
fn named(error: DecodeError) -> String {
    let at = error.at();
    match error {
        DecodeError::Wrong { what, .. } => format!("{at} {what}"),
        DecodeError::Utf8 { .. } => format!("{at} utf8"),
        DecodeError::Short { .. } => format!("{at} short"),
        DecodeError::Trailing { .. } => format!("{at} trailing"),
        DecodeError::Version { got, .. } => format!("{at} version {got}"),
        other => format!("{other:?}"),
    }
}

/// All packets of one end.
fn sent(stream: &mut MqttStream, bytes: &[u8]) -> Result<(), String> {
    let mut rest = bytes;
    loop {
        match stream.next(rest) {
            Progress::Item { consumed, .. } => rest = &rest[consumed..],
            Progress::More { .. } => return Ok(()),
            Progress::Failed(error) => return Err(named(error)),
        }
    }
}

fn read(version: Version, held: &str, bytes: &[u8]) -> Result<(), String> {
    match held {
        "client" => sent(&mut MqttStream::from_client(WIDE), bytes),
        "server" => sent(&mut MqttStream::from_server(version, WIDE), bytes),
        _ => Packet::read(version, bytes, &WIDE)
            .map(|_| ())
            .map_err(named),
    }
}

/// Writes a packet that was read, reads it again and compares the two. Returns the length written.
fn comes_back(version: Version, bytes: &[u8]) -> Vec<u8> {
    let packet = Packet::read(version, bytes, &WIDE).expect("a legal packet");
    let mut out = vec![0; bytes.len() + 8];
    let len = packet
        .write(version, &mut out)
        .expect("what is read is written");
    assert_eq!(len, packet.written_len(version));
    out.truncate(len);
    assert_eq!(Packet::read(version, &out, &WIDE), Ok(packet));
    out
}

/// The writer's case of a row: the mended value is written, the wrong one is not.
fn check_written(version: Version, row: &Row, what: &str) {
    let (_, case) = written::cases(version)
        .find(|(id, _)| *id == row.id)
        .unwrap_or_else(|| panic!("{}: no case of the writer", row.id));
    assert!(case(false).is_ok(), "{}: {:?}", row.id, case(false));
    match case(true) {
        Err(EncodeError::Range { what: said, .. } | EncodeError::Order { what: said }) => {
            assert_eq!(said, what, "{}", row.id);
        }
        other => panic!("{}: {other:?}", row.id),
    }
}

fn check_row(version: Version, row: &Row) {
    let id = row.id;
    match row.held {
        "session" | "transport" => assert!(!row.refused.is_empty(), "{id}: why"),
        "kept" => {
            let kept = bytes(row.accepted);
            assert_eq!(comes_back(version, &kept), kept, "{id}");
        }
        "written" => check_written(version, row, row.error),
        "client" | "server" | "read" => {
            let (refused, accepted) = (bytes(row.refused), bytes(row.accepted));
            assert_eq!(
                read(version, row.held, &refused),
                Err(row.error.into()),
                "{id}"
            );
            assert_eq!(read(version, row.held, &accepted), Ok(()), "{id}: mended");
            if row.held != "read" {
                return;
            }
            comes_back(version, &accepted);
            match row.written {
                "type" => {}
                "same" => {
                    let (_, what) = row.error.split_once(' ').expect("offset and field");
                    check_written(version, row, what);
                }
                what => check_written(version, row, what),
            }
        }
        other => panic!("{id}: held by {other}"),
    }
}

/// Every row, no id twice, and no case of the writer that no row asks for.
fn walk(version: Version, table: &'static str) {
    let rows = rows(table);
    rows.iter().for_each(|row| check_row(version, row));
    let ids: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), rows.len(), "no id twice");
    let asked = rows
        .iter()
        .filter(|row| !matches!(row.written, "" | "type"));
    let asked: BTreeSet<_> = asked.map(|row| row.id).collect();
    let cases: Vec<_> = written::cases(version).map(|(id, _)| id).collect();
    assert_eq!(cases.len(), asked.len());
    assert_eq!(cases.into_iter().collect::<BTreeSet<_>>(), asked);
}

#[test]
fn statements_of_mqtt5() {
    walk(Version::V5, MQTT5);
}

#[test]
fn statements_of_mqtt311() {
    walk(Version::V311, MQTT311);
}

/// The numbered statements of each section, which count from 1 without a gap.
fn check_numbers(table: &'static str, sections: &[&str]) {
    let mut numbers: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for row in rows(table) {
        if let Some((section, number)) = row.id.split_once('-') {
            let number = number.parse().expect("a number");
            numbers.entry(section).or_default().push(number);
        }
    }
    let counts = sections.iter().flat_map(|line| line.split(", "));
    let expected: BTreeMap<_, Vec<u32>> = counts
        .map(|section| {
            let (section, last) = section.split_once(": ").expect("a section and its count");
            // MQTT 5 has no 2.2.1-1.
            let first = if section == "2.2.1" { 2 } else { 1 };
            (section, (first..=last.parse().expect("a number")).collect())
        })
        .collect();
    assert_eq!(numbers, expected);
}

/// Numbered statements of a table: all, those held on reading, on writing (by the writer or by a type
/// that has no wrong value), by the streams, kept as they are, and not held here.
fn held(table: &'static str) -> [usize; 6] {
    let rows: Vec<_> = rows(table)
        .into_iter()
        .filter(|row| !row.id.starts_with("sec "))
        .collect();
    let count = |holds: fn(&Row) -> bool| rows.iter().filter(|row| holds(row)).count();
    [
        rows.len(),
        count(|row| row.held == "read"),
        count(|row| matches!(row.held, "read" | "written")),
        count(|row| matches!(row.held, "client" | "server")),
        count(|row| row.held == "kept"),
        count(|row| matches!(row.held, "session" | "transport")),
    ]
}

#[test]
fn no_statement_of_mqtt5_is_left_out() {
    let sections = [
        "1.5.4: 3, 1.5.5: 1, 1.5.7: 1, 2.1.3: 1, 2.2.1: 6, 2.2.2: 1, 3.1.0: 2, 3.1.2: 30, 3.1.3: 12",
        "3.1.4: 6, 3.2.0: 2, 3.2.2: 22, 3.3.1: 13, 3.3.2: 20, 3.3.4: 10, 3.4.2: 3, 3.5.2: 3",
        "3.6.1: 1, 3.6.2: 3, 3.7.2: 3, 3.8.1: 1, 3.8.3: 5, 3.8.4: 8, 3.9.2: 2, 3.9.3: 2, 3.10.1: 1",
        "3.10.3: 2, 3.10.4: 6, 3.11.2: 2, 3.11.3: 2, 3.12.4: 1, 3.14.0: 1, 3.14.1: 1, 3.14.2: 4",
        "3.14.4: 3, 3.15.1: 1, 3.15.2: 3, 4.1.0: 2, 4.2.0: 1, 4.3.1: 1, 4.3.2: 5, 4.3.3: 13, 4.4.0: 2",
        "4.5.0: 2, 4.6.0: 6, 4.7.0: 1, 4.7.1: 2, 4.7.2: 1, 4.7.3: 4, 4.8.2: 6, 4.9.0: 3, 4.12.0: 7",
        "4.12.1: 2, 4.13.1: 1, 4.13.2: 1, 6.0.0: 4",
    ];
    check_numbers(MQTT5, &sections);
    assert_eq!(held(MQTT5), [251, 64, 66, 12, 12, 161]);
}

#[test]
fn no_statement_of_mqtt311_is_left_out() {
    let sections = [
        "1.5.3: 3, 2.2.2: 2, 2.3.1: 7, 3.1.0: 2, 3.1.2: 24, 3.1.3: 11, 3.1.4: 5, 3.2.0: 1, 3.2.2: 6",
        "3.3.1: 12, 3.3.2: 3, 3.3.4: 1, 3.3.5: 2, 3.6.1: 1, 3.8.1: 1, 3.8.3: 4, 3.8.4: 6, 3.9.3: 2",
        "3.10.1: 1, 3.10.3: 2, 3.10.4: 6, 3.12.4: 1, 3.14.1: 1, 3.14.4: 3, 4.1.0: 2, 4.3.1: 1, 4.3.2: 2",
        "4.3.3: 2, 4.4.0: 1, 4.5.0: 2, 4.6.0: 6, 4.7.1: 3, 4.7.2: 1, 4.7.3: 4, 4.8.0: 2, 6.0.0: 4",
        "7.0.0: 2, 7.1.1: 1, 7.1.2: 1",
    ];
    check_numbers(MQTT311, &sections);
    assert_eq!(held(MQTT311), [141, 46, 48, 5, 4, 84]);
}
