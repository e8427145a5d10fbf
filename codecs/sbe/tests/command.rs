//! The command as a user types it.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn tickwire_sbe(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickwire-sbe"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

const TICK: &str = "schemas/tick.xml";
const INCLUDE: [&str; 2] = ["--include-base", "tests/schemas/include"];

/// A trade of `tick.xml`, written by hand.
#[rustfmt::skip]
const TRADE: [u8; 63] = [
    18, 0, 2, 0, 0xe9, 3, 0, 0, // header: schema 1001
    1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xfb, // times, exponents -2 and -5
    25, 0, 1, 0, // one trade
    9, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1,
    7, b'B', b'T', b'C', b'U', b'S', b'D', b'T',
];

#[test]
fn gen_writes_a_module() {
    let out = scratch("command_tick.rs");
    let output = tickwire_sbe(&["gen", TICK, out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("4 messages"), "{output:?}");
    let module = std::fs::read_to_string(out).unwrap();
    assert!(module.contains("pub struct BestBidOfferView<'a>"));
    assert!(!module.contains("unsafe") && !module.contains("Vec<") && !module.contains("unwrap"));
}

#[test]
fn gen_warns_of_what_it_skips() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(TICK)).unwrap();
    let (schema, out) = (scratch("command_warn.xml"), scratch("command_warn.rs"));
    std::fs::write(
        &schema,
        text.replace("<message", "<message colour=\"red\"")
            .replace("<sbe:message ", "<sbe:message colour=\"red\" "),
    )
    .unwrap();
    let args = ["gen", schema.to_str().unwrap(), out.to_str().unwrap()];
    let output = tickwire_sbe(&args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("warning: "), "{stderr}");
    assert_eq!(
        stderr
            .matches("the attribute `colour` of <message> is skipped")
            .count(),
        1,
        "{stderr}"
    );
}

#[test]
fn dump_as_json_and_text() {
    let file = scratch("command_trade.bin");
    std::fs::write(&file, TRADE).unwrap();
    let file = file.to_str().unwrap();
    let output = tickwire_sbe(&["dump", TICK, file, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        stdout(&output).trim(),
        r#"{"template":2,"schema":1001,"version":0,"name":"Trades","fields":{"eventTime":1,"transactTime":2,"priceExponent":-2,"quantityExponent":-5,"trades":[{"id":9,"price":10,"quantity":11,"aggressor":"Seller"}],"symbol":"BTCUSDT"}}"#
    );
    let output = tickwire_sbe(&["dump", TICK, file]);
    let expected = "\
Trades (template 2, schema 1001, version 0)
  eventTime: 1
  transactTime: 2
  priceExponent: -2
  quantityExponent: -5
  trades: 1 entries
    [0]
      id: 9
      price: 10
      quantity: 11
      aggressor: Seller (1)
  symbol: \"BTCUSDT\"";
    assert_eq!(stdout(&output).trim(), expected);
    assert!(String::from_utf8_lossy(&output.stderr).contains("1          messages"));
}

/// One packet of a capture as pcapng has it: Ethernet, IPv4, UDP, and the payload.
fn capture(payload: &[u8]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes(), &length, body, &length].concat()
    };
    let mut packet = vec![0; 12];
    packet.extend([8, 0, 0x45, 0]);
    packet.extend((28 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2]);
    packet.extend((8 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    let len = (packet.len() as u32).to_le_bytes();
    packet.resize(packet.len().next_multiple_of(4), 0);
    let section = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[255; 8]];
    [
        block(0x0a0d_0d0a, &section.concat()),
        block(1, &[1, 0, 0, 0, 0, 0, 0, 0]),
        block(6, &[&[0; 12][..], &len, &len, &packet].concat()),
    ]
    .concat()
}

#[test]
fn dump_of_a_capture() {
    let file = scratch("command_trade.pcapng");
    std::fs::write(&file, capture(&TRADE)).unwrap();
    let output = tickwire_sbe(&["dump", TICK, file.to_str().unwrap(), "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        stdout(&output).contains(r#""symbol":"BTCUSDT""#),
        "{output:?}"
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("1 UDP payloads, 0 other packets"),
        "{stderr}"
    );
}

/// A recorder that was killed leaves such a file: what is whole is shown, and the rest named.
#[test]
fn dump_of_a_capture_that_was_cut() {
    let file = scratch("command_cut.pcapng");
    let whole = capture(&TRADE);
    // Behind 28 bytes of the section and 20 of the interface is the packet.
    let cut = [&whole[..], &whole[48..78]].concat();
    for (bytes, messages, packets) in [(&cut[..], 1, 1), (&whole[..whole.len() - 9], 0, 0)] {
        std::fs::write(&file, bytes).unwrap();
        let output = tickwire_sbe(&["dump", TICK, file.to_str().unwrap(), "--format", "json"]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let shown = stdout(&output).matches(r#""symbol":"BTCUSDT""#).count();
        assert_eq!(shown, messages, "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains(&format!("{messages}          messages")),
            "{stderr}"
        );
        let why = format!("capture: the file ends inside a block, behind {packets} packets");
        assert!(stderr.contains(&why), "{stderr}");
    }
}

/// Venues round frames up to 8 bytes, and put messages one behind the other.
#[test]
fn padding_and_several_messages_are_shown_and_counted() {
    let file = scratch("command_padded.bin");
    std::fs::write(&file, [&TRADE[..], &[0], &TRADE, &[0]].concat()).unwrap();
    let output = tickwire_sbe(&["dump", TICK, file.to_str().unwrap(), "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = stdout(&output).matches(r#""symbol":"BTCUSDT"},"trailing":1}"#);
    assert_eq!(shown.count(), 2, "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("2          messages"), "{stderr}");
    assert!(
        stderr.contains("2          with bytes behind the message, 2 bytes"),
        "{stderr}"
    );
}

/// A dump that shows nothing says what it saw, and does not succeed.
#[test]
fn a_capture_of_another_schema_is_said() {
    let file = scratch("command_other.pcapng");
    let prefixed = [&63u16.to_be_bytes()[..], &TRADE].concat();
    std::fs::write(&file, capture(&prefixed)).unwrap();
    let file = file.to_str().unwrap();
    let output = tickwire_sbe(&["dump", TICK, file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    // The length is taken for a block of 0x3f00 bytes, the block length for the template, and so on.
    for line in [
        "no message of schema 1001 was found",
        "1 times schema 2, template 18 by --framing raw",
        "--framing u16-be finds 1 messages in the first 1 payloads",
    ] {
        assert!(stderr.contains(line), "{line}\n{stderr}");
    }
    let output = tickwire_sbe(&["dump", TICK, file, "--framing", "u16-be"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    std::fs::write(file, b"").unwrap();
    let output = tickwire_sbe(&["dump", TICK, file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("no --framing finds any"), "{stderr}");
}

#[test]
fn refused_bytes_are_said_and_counted() {
    let file = scratch("command_cut.bin");
    std::fs::write(&file, &TRADE[..60]).unwrap();
    let output = tickwire_sbe(&["dump", TICK, file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("refused: byte 56: Trades.symbol: 7 bytes needed, 4 available"),
        "{stderr}"
    );
    assert!(stderr.contains("1          refused"), "{stderr}");
}

#[test]
fn diff_marks_what_is_not_append_only() {
    let (old, new) = (
        "tests/schemas/features_v1.xml",
        "tests/schemas/features.xml",
    );
    let output = tickwire_sbe(&["diff", old, new, INCLUDE[0], INCLUDE[1]]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        stdout(&output)
            .contains("BREAKS Everything.extras: stands before data that old receivers read next")
    );
    assert!(
        stdout(&output).ends_with("18 changes, 2 not append-only\n"),
        "{}",
        stdout(&output)
    );
    let output = tickwire_sbe(&["diff", TICK, TICK]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), "0 changes, 0 not append-only\n")
    );
}

#[test]
fn wrong_use_is_explained() {
    for (args, expected) in [
        (&[][..], "tickwire-sbe diff OLD NEW"),
        (&["bake"], "tickwire-sbe diff OLD NEW"),
        (&["dump", TICK], "tickwire-sbe diff OLD NEW"),
        (
            &["dump", TICK, TICK, "--framing", "tcp"],
            "no framing `tcp`: use one of raw, u16-le, ",
        ),
        (
            &["dump", TICK, TICK, "--format", "xml"],
            "--format takes text, json or totals",
        ),
        (
            &["dump", TICK, TICK, "--colour"],
            "invalid option '--colour'",
        ),
        (
            &["dump", TICK, "no-such-file"],
            "no-such-file cannot be read",
        ),
        (
            &["diff", TICK, "no-such-file"],
            "no-such-file:1:1: cannot be read",
        ),
        (
            &["gen", "tests/schemas/features.xml", "/dev/null"],
            "features.xml:8:5: `common.xml` cannot be read",
        ),
    ] {
        let output = tickwire_sbe(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?} {stderr}");
        assert!(stderr.contains(expected), "{args:?} {stderr}");
    }
    let help = tickwire_sbe(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("append-only"));
}
