//! Streams worth cutting at every byte.

use tickwire::Role;

use crate::frames::{Frame, op};

/// A stream as `sender` writes it, and what it is.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Names it in a failure.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

fn stream(name: &str, sender: Role, frames: &[Frame]) -> Stream {
    let keys = [[1, 2, 3, 4], [0xff; 4], [0; 4], [0x80, 0, 0x7f, 1]];
    let bytes = frames
        .iter()
        .zip(keys.iter().cycle())
        .flat_map(|(f, &key)| f.clone().key(key).by(sender))
        .collect();
    Stream {
        name: format!("{name} from the {sender:?}"),
        bytes,
    }
}

fn f(opcode: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(opcode, payload)
}

/// Every shape of code point, first and last of each length.
pub const POINTS: &str =
    "a\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}κόσμε";

/// The examples of RFC 6455 section 5.7, byte for byte, for the endpoint that reads them; the
/// 64 KiB one is in [`sizes`].
#[must_use]
pub fn rfc_examples(sender: Role) -> Vec<Stream> {
    let examples: &[(&str, Role, &[u8])] = &[
        (
            "unmasked Hello",
            Role::Server,
            &[0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
        ),
        (
            "masked Hello",
            Role::Client,
            &[
                0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
            ],
        ),
        (
            "fragmented Hello",
            Role::Server,
            &[0x01, 3, 0x48, 0x65, 0x6c, 0x80, 2, 0x6c, 0x6f],
        ),
        (
            "Ping Hello",
            Role::Server,
            &[0x89, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
        ),
        (
            "Pong Hello",
            Role::Client,
            &[
                0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
            ],
        ),
    ];
    let of = |&&(_, by, _): &&(&str, Role, &[u8])| by == sender;
    let mut streams: Vec<_> = examples
        .iter()
        .filter(of)
        .map(|(name, _, bytes)| Stream {
            name: format!("RFC 6455 section 5.7, {name}"),
            bytes: bytes.to_vec(),
        })
        .collect();
    if sender == Role::Server {
        let mut bytes = vec![0x82, 0x7e, 0x01, 0x00];
        bytes.extend([0x2a; 256]);
        streams.push(Stream {
            name: "RFC 6455 section 5.7, 256 bytes of binary".into(),
            bytes,
        });
    }
    streams
}

/// Short streams: every split is tried.
#[must_use]
pub fn short(sender: Role) -> Vec<Stream> {
    let s = |name: &str, frames: &[Frame]| stream(name, sender, frames);
    let mut streams = rfc_examples(sender);
    streams.extend([
        s(
            "empty messages",
            &[f(op::BIN, ""), f(op::TEXT, ""), f(op::BIN, "")],
        ),
        s(
            "one byte each",
            &[f(op::BIN, "x"), f(op::TEXT, "y"), f(op::PONG, "z")],
        ),
        s("code points", &[f(op::TEXT, POINTS), f(op::TEXT, POINTS)]),
        s("code points cut", &cut_text(POINTS)),
        s(
            "small texts in a row",
            &[
                f(op::TEXT, "one"),
                f(op::TEXT, ""),
                f(op::TEXT, POINTS),
                f(op::TEXT, "κ"),
                f(op::BIN, "two"),
                f(op::TEXT, "three"),
                f(op::PING, "?"),
                f(op::TEXT, "four"),
                f(op::TEXT, [b'5'; 125]),
                f(op::TEXT, "six").more(),
                f(op::CONT, "é"),
            ],
        ),
        s(
            "empty fragments",
            &[
                f(op::TEXT, "").more(),
                f(op::CONT, "").more(),
                f(op::CONT, ""),
            ],
        ),
        s(
            "empty fragments round data",
            &[
                f(op::BIN, "").more(),
                f(op::CONT, "abc").more(),
                f(op::CONT, "").more(),
                f(op::CONT, "def").more(),
                f(op::CONT, ""),
                f(op::BIN, "after"),
            ],
        ),
    ]);
    streams.extend(with_control(sender));
    for len in 124..=127 {
        streams.push(s(
            &format!("{len} bytes"),
            &[f(op::BIN, vec![3; len]), f(op::BIN, "x")],
        ));
    }
    streams
}

/// Data and control frames mixed.
fn with_control(sender: Role) -> Vec<Stream> {
    let s = |name: &str, frames: &[Frame]| stream(name, sender, frames);
    vec![
        s(
            "control frames between fragments",
            &[
                f(op::TEXT, "κ").more(),
                f(op::PING, "1"),
                f(op::CONT, "ό").more(),
                f(op::PONG, [0; 8]),
                f(op::PING, ""),
                f(op::CONT, "σμε"),
                f(op::BIN, "tail"),
            ],
        ),
        s(
            "two assembled messages and a Close",
            &[
                f(op::BIN, "ab").more(),
                f(op::CONT, "cd"),
                f(op::BIN, "ef").more(),
                f(op::CONT, "gh"),
                Frame::close(3000, "bye κ".as_bytes()),
            ],
        ),
        s(
            "Close inside a message",
            &[f(op::BIN, "ab").more(), f(op::CLOSE, "")],
        ),
        s(
            "the longest control frames",
            &[
                f(op::PING, [7; 125]),
                f(op::PONG, [8; 125]),
                Frame::close(1000, &[b'r'; 123]),
            ],
        ),
    ]
}

fn cut_text(text: &str) -> Vec<Frame> {
    let last = text.len() - 1;
    let frame = |(i, b): (usize, &u8)| {
        let frame = Frame::new(if i == 0 { op::TEXT } else { op::CONT }, [*b]);
        if i == last { frame } else { frame.more() }
    };
    text.as_bytes().iter().enumerate().map(frame).collect()
}

/// Streams round the sizes where something changes: only some splits are tried.
#[must_use]
pub fn sizes(sender: Role) -> Vec<Stream> {
    let mut streams = Vec::new();
    for len in [
        4082, 4083, 4093, 4096, 4097, 65_520, 65_534, 65_535, 65_536, 65_537,
    ] {
        let payload: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let frames = [
            Frame::new(op::BIN, "before"),
            Frame::new(op::BIN, &payload),
            Frame::new(op::BIN, "after"),
        ];
        streams.push(stream(&format!("{len} bytes"), sender, &frames));
    }
    let text: String = POINTS.chars().cycle().take(70_000).collect();
    let frames = [
        Frame::new(op::TEXT, &text[..text.floor_char_boundary(100_000)]).more(),
        Frame::new(op::PING, "between"),
        Frame::new(op::CONT, &text[text.floor_char_boundary(100_000)..]),
        Frame::new(op::TEXT, "after"),
    ];
    streams.push(stream("text larger than any buffer", sender, &frames));
    let small: Vec<Frame> = (0..3000_u32)
        .map(|i| Frame::new(op::BIN, &i.to_be_bytes()[..(i % 5) as usize]))
        .collect();
    streams.push(stream("many small messages", sender, &small));
    let texts: Vec<Frame> = (0..3000_usize)
        .map(|i| Frame::new(op::TEXT, &POINTS[..POINTS.floor_char_boundary(i % 23)]))
        .collect();
    streams.push(stream("many small texts", sender, &texts));
    streams
}
