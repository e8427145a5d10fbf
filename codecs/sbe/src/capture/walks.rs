//! Messages of payloads, by every framing.

use std::path::Path;

use super::*;
use crate::ir::Schema;

/// Message `m` of template 7 with one byte; `header` is before the four members of one byte each.
pub(super) fn schema_with(header: &str) -> Schema {
    let text = format!(
        r#"<messageSchema id="1" version="1"><types><composite name="messageHeader">{header}
<type name="blockLength" primitiveType="uint8"/><type name="templateId" primitiveType="uint8"/>
<type name="schemaId" primitiveType="uint8"/><type name="version" primitiveType="uint8"/></composite>
<composite name="text"><type name="length" primitiveType="uint8"/><type name="varData" primitiveType="uint8" length="0"/></composite></types>
<message name="m" id="7"><field name="a" id="1" type="uint8"/></message>
<message name="n" id="9"><data name="d" id="1" type="text"/></message></messageSchema>"#
    );
    Schema::parse(&text, Path::new("s.xml"), None).unwrap()
}

/// What was seen, in short: `a` of each message, `+n` for bytes behind it, `?` for an unknown one.
pub(super) fn short(event: &Event) -> String {
    match event {
        Event::Message(m) => {
            let name = match m.fields.field("a").and_then(crate::dynamic::Value::int) {
                Some(a) => a.to_string(),
                None => m.name.clone().unwrap_or_else(|| "?".into()),
            };
            match m.trailing {
                0 => name,
                n => format!("{name}+{n}"),
            }
        }
        Event::Refused(error) => format!("refused {error}"),
        Event::OtherFrame => "other".into(),
        Event::Lost(n) => format!("lost {n}"),
        Event::Gap(_, n) => format!("gap {n}"),
    }
}

fn seen_by(schema: &Schema, payload: &[u8], framing: Framing) -> Vec<String> {
    let mut seen = Vec::new();
    let mut walker = Walker::new(schema, framing);
    walker.payload(Payload::Datagram(payload), &mut |event| {
        seen.push(short(&event))
    });
    seen
}

fn seen(payload: &[u8], framing: &str) -> Vec<String> {
    seen_by(&schema_with(""), payload, framing.parse().unwrap())
}

const ONE: &[u8] = &[1, 7, 1, 0, 42];
const TWO: &[u8] = &[1, 7, 1, 0, 43];

/// Without any length, messages are as long as the schema says.
#[test]
fn adjacent_messages() {
    assert_eq!(seen(ONE, "raw"), ["42"]);
    assert_eq!(seen(&[ONE, TWO, ONE].concat(), "raw"), ["42", "43", "42"]);
    // With data and without, and where the header is all there is.
    let data = [0, 9, 1, 0, 2, b'h', b'i'];
    assert_eq!(
        seen(&[&data, ONE, &data].concat(), "back-to-back"),
        ["n", "42", "n"]
    );
    // Zeros behind a message are padding, between messages up to 7.
    assert_eq!(seen(&[ONE, &[0; 3]].concat(), "raw"), ["42+3"]);
    assert_eq!(
        seen(&[ONE, &[0; 3], TWO, &[0; 3]].concat(), "raw"),
        ["42+3", "43+3"]
    );
    assert_eq!(seen(&[ONE, &[0; 7], TWO].concat(), "raw"), ["42+7", "43"]);
    assert_eq!(seen(&[ONE, &[0; 8], TWO].concat(), "raw"), ["42", "?"]);
    // An unknown template ends the payload: nothing says how long it is.
    assert_eq!(seen(&[1, 8, 1, 0, 42, 1, 7, 1, 0, 43], "raw"), ["?"]);
    assert_eq!(seen(&[ONE, &[1, 8, 1, 0, 42]].concat(), "raw"), ["42", "?"]);
    // Parts of a newer sender are behind the known ones.
    assert_eq!(seen(&[1, 7, 1, 2, 42, 9, 9, 9, 9, 9], "raw"), ["42+5"]);
    // A template that a newer sender has and the schema does not is no part of the message before it.
    let newer: &[u8] = &[1, 7, 1, 2, 42];
    assert_eq!(
        seen(&[newer, &[1, 8, 1, 2, 9], newer].concat(), "raw"),
        ["42", "?"]
    );
    assert_eq!(
        seen(&[newer, &[0, 0], &[1, 8, 1, 2, 9]].concat(), "raw"),
        ["42+2", "?"]
    );
    let cut = seen(&[ONE, &TWO[..4]].concat(), "raw");
    assert_eq!(
        cut,
        ["42", "refused byte 9: m.block: 1 bytes needed, 0 available"]
    );
    let cut = seen(&ONE[..3], "raw");
    assert_eq!(cut, ["refused byte 0: header: 4 bytes needed, 3 available"]);
    assert_eq!(seen(&[], "raw"), [""; 0]);
}

/// Where zeros are messages, were each looked through to the end of the file, this would take hours.
#[test]
fn a_file_of_zeros_is_read_in_one_pass() {
    let text = r#"<messageSchema id="0"><types><composite name="messageHeader">
<type name="blockLength" primitiveType="uint8"/><type name="templateId" primitiveType="uint8"/>
<type name="schemaId" primitiveType="uint8"/><type name="version" primitiveType="uint8"/></composite></types>
<message name="m" id="0"/></messageSchema>"#;
    let schema = Schema::parse(text, Path::new("s.xml"), None).unwrap();
    let mut messages = 0;
    let mut walker = Walker::new(&schema, Framing::Raw);
    walker.payload(Payload::Datagram(&vec![0; 4 << 20]), &mut |_| messages += 1);
    assert_eq!(messages, 1 << 20);
}

/// The name, the packet header, and what stands before the first and the second message.
type Envelope = (&'static str, &'static [u8], &'static [u8], &'static [u8]);

/// Every envelope, byte by byte, around two messages, with padding behind the second.
#[test]
fn envelopes_by_hand() {
    let one = |prefix: &[u8]| [prefix, ONE].concat();
    let padded = |prefix: &[u8]| [prefix, TWO, &[0; 3]].concat();
    // Lengths of 5 and 8 bytes, and what each header adds.
    let cases: [Envelope; 19] = [
        ("u16-le", b"", b"\x05\0", b"\x08\0"),
        ("u16-be", b"", b"\0\x05", b"\0\x08"),
        ("u32-le", b"", b"\x05\0\0\0", b"\x08\0\0\0"),
        ("u32-be", b"", b"\0\0\0\x05", b"\0\0\0\x08"),
        ("u16-le-self", b"", b"\x07\0", b"\x0a\0"),
        ("u16-be-self", b"", b"\0\x07", b"\0\x0a"),
        ("u32-le-self", b"", b"\x09\0\0\0", b"\x0c\0\0\0"),
        ("u32-be-self", b"", b"\0\0\0\x09", b"\0\0\0\x0c"),
        ("sofh", b"", b"\0\0\0\x0b\xeb\x50", b"\0\0\0\x0e\x5b\xe0"),
        ("sofh-le", b"", b"\x0b\0\0\0\x50\xeb", b"\x0e\0\0\0\xe0\x5b"),
        ("sofh-short", b"", b"\x09\0\xfe\xca", b"\x0c\0\x50\xeb"),
        ("cme", &[1; 12], b"\x07\0", b"\x0a\0"),
        ("b3", &[1; 16], b"\x09\0\x50\xeb", b"\x0c\0\x50\xeb"),
        ("coinbase", &[1; 24], b"\x07\0", b"\x0a\0"),
        ("deribit", b"\x0d\0\x0a\0\x01\0\0\0", b"", b""),
        (
            "memx-udp",
            b"\x02\x12\x01\x01\x01\x01\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02\x02\x02\0\x02",
            b"\0\x05",
            b"\0\x08",
        ),
        ("memx-tcp", b"", b"\x0b\0\x05", b"\x68\0\x08"),
        (
            "coinbase-orders",
            b"",
            b"\xf1\0\x1d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\xf1\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ),
        ("raw", b"", b"", b""),
    ];
    for (name, packet, first, second) in cases {
        let whole = [packet, &one(first), &padded(second)].concat();
        assert_eq!(seen(&whole, name), ["42", "43+3"], "{name}");
        // Ethernet pads short frames behind the last.
        assert_eq!(
            seen(&[&whole[..], &[0; 4]].concat(), name).first().unwrap(),
            "42",
            "{name}"
        );
        for len in 0..whole.len() {
            let seen = seen(&whole[..len], name);
            assert!(seen.len() <= 2, "{name} cut to {len}: {seen:?}");
        }
        let mut flipped = whole.clone();
        for at in 0..whole.len() {
            for bit in 0..8 {
                flipped[at] ^= 1 << bit;
                let seen = seen(&flipped, name);
                assert!(
                    seen.len() <= whole.len(),
                    "{name} flipped at {at}: {seen:?}"
                );
                flipped[at] ^= 1 << bit;
            }
        }
        assert_eq!(name.parse::<Framing>().unwrap().name(), name);
    }
    assert_eq!(Framing::ALL.len(), cases.len());
    let error = "tcp".parse::<Framing>().unwrap_err();
    assert!(
        error.starts_with("no framing `tcp`: use one of raw, u16-le, "),
        "{error}"
    );
}

#[test]
fn frames_that_are_not_messages() {
    // A heartbeat, and the login of a session.
    let heartbeat = [&[0, 18][..], &[0; 16]].concat();
    assert_eq!(seen(&heartbeat, "memx-udp"), [""; 0]);
    assert_eq!(
        seen(&[&[1, 0, 1, b'S', 11, 0, 5], ONE].concat(), "memx-tcp"),
        ["other", "42"]
    );
    // FIX tag=value among SBE.
    let fix = b"\0\0\0\x08\xf0\x008=";
    assert_eq!(
        seen(&[fix, &b"\0\0\0\x0b\xeb\x50"[..], ONE].concat(), "sofh"),
        ["other", "42"]
    );
    let refused =
        |at: usize, part: &str, what: &str| vec![format!("refused byte {at}: {part}: {what}")];
    let needs = |need, have| format!("{need} bytes needed, {have} available");
    assert_eq!(
        seen(&[0; 11], "cme"),
        refused(0, "packet header", &needs(12, 11))
    );
    assert_eq!(
        seen(&[9, 0, 0, 0, 0, 0, 0, 0, 1], "deribit"),
        refused(8, "packet header", &needs(9, 1))
    );
    let mut cut = seen(&[&[1; 12][..], &[7, 0], ONE, &[7, 0, 1, 7]].concat(), "cme");
    assert_eq!(cut.remove(0), "42");
    assert_eq!(cut, refused(19, "frame length", &needs(7, 4)));
    let self_less = seen(&[&[1; 12][..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat(), "cme");
    assert_eq!(
        self_less,
        refused(12, "frame length", "invalid frame length: 1 (0x1)")
    );
    // A message that is refused, and the next in its own frame.
    let two = [&[5, 0][..], &[2, 7, 1, 0, 42], &[5, 0], TWO].concat();
    assert_eq!(
        seen(&two, "u16-le"),
        ["refused byte 6: m.block: 2 bytes needed, 1 available", "43"]
    );
}

/// A schema may declare the length before `blockLength` as a member of its own header.
#[test]
fn lengths_inside_the_message_header() {
    let schema = schema_with(r#"<type name="frameLength" primitiveType="uint16"/>"#);
    let frame = [&[10, 0][..], TWO, &[0; 3]].concat();
    let coinbase = [&[1; 24][..], &frame, &frame].concat();
    assert_eq!(
        seen_by(&schema, &coinbase, Framing::Coinbase),
        ["43+3", "43+3"]
    );
    assert_eq!(
        seen_by(&schema, &frame, "u16-le-self".parse().unwrap()),
        ["43+3"]
    );
    let Event::Message(message) = ({
        let mut first = None;
        let mut walker = Walker::new(&schema, Framing::Coinbase);
        walker.payload(Payload::Datagram(&coinbase), &mut |event| {
            first = Some(event)
        });
        first.unwrap()
    }) else {
        panic!("no message");
    };
    assert_eq!(
        message
            .header
            .field("frameLength")
            .and_then(crate::dynamic::Value::int),
        Some(10)
    );
}

#[test]
fn framings_are_probed() {
    let schema = schema_with("");
    let cme = [&[1; 12][..], &[7, 0], ONE, &[7, 0], TWO].concat();
    assert_eq!(probe(&schema, &[cme.clone(), cme]), [(Framing::Cme, 4)]);
    assert_eq!(probe(&schema, &[b"nothing".to_vec()]), []);
}
