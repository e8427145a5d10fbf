//! The tables of parameters and limits in `docs/protocol.md` agree with the constants.

use std::fs;
use std::path::Path;

use super::super::frame::ALIGN_MAX;
use super::*;

/// The cells of the first row whose first cell is `name`, from the second one on.
fn row(header: &str, name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let document = fs::read_to_string(path).expect("docs/protocol.md of the repository");
    let (_, table) = document.split_once(header).expect("the table");
    let rows = table
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells
            .map(|c| c.trim().trim_matches('`').to_owned())
            .collect()
    };
    let mut row = rows.map(cells).find(|row| row[0] == name).expect(name);
    row.remove(0);
    row
}

/// `2^n-1`, or a decimal number.
fn number(cell: &str) -> u64 {
    let power = cell.strip_prefix("2^").and_then(|c| c.strip_suffix("-1"));
    match power {
        Some(power) => u64::MAX >> (64 - power.parse::<u32>().expect("a power")),
        None => cell.parse().expect("a number"),
    }
}

#[test]
fn parameters_of_hello() {
    let header = "| id | parameter | default | least | most | what the sender of HELLO takes |\n";
    let default = Hello::default();
    for (id, value) in default.values() {
        let row = row(header, &id.to_string());
        let mut any = Hello::default();
        let (_, bounds) = any.parameter(id).expect("a known id");
        let documented = [1, 2, 3].map(|at| number(&row[at]));
        assert_eq!(
            documented,
            [value, *bounds.start(), *bounds.end()],
            "id {id}"
        );
    }
    let known = (0..100).filter(|&id| Hello::default().parameter(id).is_some());
    assert_eq!(known.count(), default.values().len());
}

#[test]
fn limits_of_form() {
    let documented = |name| number(&row("| limit | value | beyond it |\n", name)[0]);
    assert_eq!(documented("bytes of PAD in a row"), PAD_RUN_MAX as u64);
    assert_eq!(documented("largest number"), VARINT_MAX);
    assert_eq!(documented("largest alias"), u64::from(ALIAS_MAX) - 1);
    assert_eq!(documented("largest error code"), u64::from(u32::MAX));
    let elements = "bytes of an element of RUN, elements of a RUN";
    assert_eq!(documented(elements), u64::from(u32::MAX));
    assert_eq!(documented("alignment exponent"), u64::from(ALIGN_MAX));
    let options = "bytes of options, or of the metadata of REJECT";
    assert_eq!(documented(options), OPTIONS_BYTES_MAX as u64);
    assert_eq!(
        documented("bytes of the parameters of HELLO"),
        HELLO_BYTES_MAX as u64
    );
    assert_eq!(documented("bytes of a value in HELLO"), 8);
    let reason = "bytes of the reason of GOAWAY";
    assert_eq!(documented(reason), GOAWAY_REASON_BYTES_MAX as u64);
}
