//! Every violation that a peer can send, in both roles, whole and cut at every byte, with a valid
//! message before and after it.

use harness::drive::{Driven, Mode, Take, config, legal, rules};
use harness::event::Event;
use harness::frames::{Frame, Length, op, peer};
use harness::oracle::Oracle;
use tickwire::sans_io::Shutdown;
use tickwire::{Config, Delivery, End, Failure, Role, Violation};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A violation that an endpoint must refuse, with the reason.
struct Row {
    name: String,
    /// The role of the endpoint that reads.
    role: Role,
    bytes: Vec<u8>,
    /// The events before the violation.
    told: Vec<Event>,
    violation: Violation,
}

struct Table(Vec<Row>);

impl Table {
    /// Adds the frames for both roles, as the peer writes them.
    fn both(&mut self, name: &str, violation: Violation, frames: &[Frame]) {
        self.after(name, violation, &[], frames);
    }

    fn after(&mut self, name: &str, violation: Violation, told: &[Event], frames: &[Frame]) {
        for role in ROLES {
            let bytes = frames
                .iter()
                .flat_map(|f| f.clone().by(peer(role)))
                .collect();
            self.one(name, role, violation, bytes);
            self.0.last_mut().expect("just pushed").told = told.to_vec();
        }
    }

    fn one(&mut self, name: &str, role: Role, violation: Violation, bytes: Vec<u8>) {
        self.0.push(Row {
            name: format!("{name}, to the {role:?}"),
            role,
            bytes,
            told: Vec::new(),
            violation,
        });
    }
}

fn f(opcode: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(opcode, payload)
}

fn masks_and_headers(t: &mut Table) {
    use Violation as V;
    for opcode in [op::TEXT, op::BIN, op::CLOSE, op::PING, op::PONG] {
        let frame = f(opcode, [3, 0xe8]);
        let name = format!("opcode {opcode} masked wrongly");
        t.one(&name, Role::Server, V::UnmaskedFromClient, frame.bytes());
        let masked = frame.key([9, 8, 7, 6]).bytes();
        t.one(&name, Role::Client, V::MaskedFromServer, masked);
    }
    for len in [0, 5, 125] {
        let wide = f(op::BIN, vec![1; len]).length(Length::Two);
        t.both(&format!("{len} as 16 bits"), V::LengthNotMinimal, &[wide]);
    }
    for len in [0, 5, 125, 126, 65_535] {
        let wide = f(op::BIN, vec![1; len.min(200)]).length(Length::Announce(len as u64));
        t.both(&format!("{len} as 64 bits"), V::LengthNotMinimal, &[wide]);
    }
    for len in [1 << 63, u64::MAX, (1 << 63) + 5] {
        let wide = f(op::BIN, "x").length(Length::Announce(len));
        t.both(&format!("length {len:#x}"), V::LengthTopBit, &[wide]);
    }
    for rsv in 1..=7 {
        for opcode in [op::TEXT, op::BIN, op::CONT, op::PING, op::CLOSE] {
            let name = format!("RSV {rsv:03b} on opcode {opcode}");
            t.both(&name, V::ReservedBits, &[f(opcode, "").rsv(rsv)]);
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in ["", "x"] {
            let frame = f(opcode, payload);
            t.both(
                &format!("opcode {opcode}"),
                V::ReservedOpcode(opcode),
                &[frame],
            );
        }
    }
    for opcode in [op::PING, op::PONG, op::CLOSE] {
        for len in [126, 127, 65_536] {
            let name = format!("opcode {opcode} of {len} bytes");
            let head = f(opcode, "").length(match len {
                65_536 => Length::Announce(len),
                _ => Length::Shortest,
            });
            let payload = vec![0; if len == 65_536 { 0 } else { len as usize }];
            t.both(&name, V::ControlTooLong, &[Frame { payload, ..head }]);
        }
        let name = format!("opcode {opcode} fragmented");
        t.both(&name, V::ControlFragmented, &[f(opcode, "").more()]);
    }
}

fn sequences(t: &mut Table) {
    use Violation as V;
    let ping = [Event::Ping(b"p".to_vec())];
    for (first, second) in [(op::TEXT, op::BIN), (op::BIN, op::TEXT), (op::BIN, op::BIN)] {
        let name = format!("opcode {second} inside {first}");
        let frames = [f(first, "a").more(), f(op::PING, "p"), f(second, "b")];
        t.after(&name, V::DataInsideMessage, &ping, &frames);
        let frames = [f(first, "").more(), f(op::PING, "p"), f(second, "").more()];
        t.after(&name, V::DataInsideMessage, &ping, &frames);
    }
    let orphan = V::OrphanContinuation;
    t.both("orphan continuation", orphan, &[f(op::CONT, "a")]);
    t.both("empty orphan", orphan, &[f(op::CONT, "").more()]);
    let whole = [Event::binary(b"ab")];
    let frames = [f(op::BIN, "a").more(), f(op::CONT, "b"), f(op::CONT, "c")];
    t.after("continuation after the end", orphan, &whole, &frames);
    let frames = [f(op::BIN, "ab"), f(op::CONT, "")];
    t.after(
        "continuation after a whole message",
        orphan,
        &whole,
        &frames,
    );
}

fn text(t: &mut Table) {
    let v = Violation::InvalidUtf8;
    let bad: [&[u8]; 14] = [
        b"\x80",
        b"\xff",
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80", // a surrogate
        b"\xed\xbf\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80", // above U+10FFFF
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",     // cut
        b"\xf0\x9f\x98", // cut
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ];
    for bytes in bad {
        t.both(&format!("text {bytes:x?}"), v, &[f(op::TEXT, bytes)]);
        let late = [&[b'a'; 200], bytes].concat();
        t.both(&format!("long text {bytes:x?}"), v, &[f(op::TEXT, late)]);
        let (head, tail) = bytes.split_at(1);
        let frames = [f(op::TEXT, head).more(), f(op::CONT, tail)];
        t.both(&format!("text in parts {bytes:x?}"), v, &frames);
        let frames = [f(op::TEXT, bytes).more(), f(op::CONT, "")];
        t.both(&format!("text and an empty end {bytes:x?}"), v, &frames);
    }
    let frames = [
        f(op::TEXT, "a\u{20ac}").more(),
        f(op::CONT, b"\xe2\x82").more(),
        f(op::PING, "p"),
        f(op::CONT, "").more(),
        f(op::CONT, ""),
    ];
    let told = [Event::Ping(b"p".to_vec())];
    t.after("cut code point, empty final fragment", v, &told, &frames);
}

fn closes(t: &mut Table) {
    use Violation as V;
    t.both(
        "Close of one byte",
        V::CloseBodyOfOneByte,
        &[f(op::CLOSE, [3])],
    );
    let bad = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ];
    for code in bad {
        let frame = Frame::close(code, b"why");
        t.both(
            &format!("Close {code}"),
            V::InvalidCloseCode(code),
            &[frame],
        );
    }
    for reason in [&b"\xff"[..], b"ok\xe2\x82", b"\xed\xa0\x80"] {
        let frame = Frame::close(1000, reason);
        t.both(
            &format!("Close reason {reason:x?}"),
            V::InvalidUtf8,
            &[frame],
        );
    }
}

fn table() -> Vec<Row> {
    let mut table = Table(Vec::new());
    masks_and_headers(&mut table);
    sequences(&mut table);
    text(&mut table);
    closes(&mut table);
    table.0
}

/// Runs one row with these cuts: a valid message, the row, and a valid message that is not
/// delivered.
fn check(row: &Row, config: &Config, mode: Mode, cuts: impl Iterator<Item = usize>) {
    let name = &row.name;
    let failure = Failure::Violation(row.violation);
    let mut d = Driven::new(row.role, config, mode);
    d.push(&f(op::BIN, "before").by(peer(row.role)));
    let mut rest = &row.bytes[..];
    for n in cuts {
        let (now, later) = rest.split_at(n.min(rest.len()));
        d.push(now);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    d.push(rest);
    let expected: Vec<_> = std::iter::once(Event::binary(b"before"))
        .chain(row.told.iter().cloned())
        .chain([Event::Fail(failure)])
        .collect();
    assert_eq!(d.events(), expected, "{name}");
    assert_eq!(d.end(), Some(End::Failed(failure)), "{name}");
    let sent = d.sent();
    let code = row.violation.close_code().0;
    let reason = row.violation.rule().to_owned();
    let close = Event::Close(Some((code, reason)));
    assert_eq!(
        sent.events.last(),
        Some(&close),
        "{name}: what the peer is told"
    );
    assert_eq!(d.shutdown(), Shutdown::Write, "{name}: after the Close");

    // The session has failed: nothing that follows is delivered or answered.
    let bytes = d.sent.len();
    d.push(&f(op::PING, "late").by(peer(row.role)));
    d.push(&f(op::BIN, "late").by(peer(row.role)));
    assert_eq!(d.events(), expected, "{name}: after the failure");
    assert_eq!(d.sent.len(), bytes, "{name}: sent after the Close");
    d.eof();
    assert_eq!(d.events(), expected, "{name}: after the end");
    assert_eq!(d.shutdown(), Shutdown::Close, "{name}: at the end");
    assert_eq!(
        d.end(),
        Some(End::Failed(failure)),
        "{name}: the first end counts"
    );
}

fn modes() -> impl Iterator<Item = (Config, Mode)> {
    let owned = Mode {
        take: Take::Owned,
        recv_bytes: 4097,
        ..Mode::PLAIN
    };
    [Delivery::Whole, Delivery::Parts]
        .into_iter()
        .flat_map(move |d| [(config(d), Mode::PLAIN), (config(d), owned)])
}

#[test]
fn every_violation_is_refused_whole_and_byte_by_byte() {
    for (config, mode) in modes() {
        for row in table() {
            check(&row, &config, mode, std::iter::empty());
            check(&row, &config, mode, std::iter::repeat(1));
        }
    }
}

#[test]
fn every_violation_is_refused_cut_at_every_byte() {
    for (config, mode) in modes() {
        for row in table() {
            for at in 1..row.bytes.len() {
                check(&row, &config, mode, std::iter::once(at));
            }
        }
    }
}

/// The model agrees with the table: the model that the property tests use is checked against a
/// table that was written by hand.
#[test]
fn the_model_agrees_with_the_table() {
    for row in table() {
        let config = config(Delivery::Whole);
        let mut expected = row.told.clone();
        expected.push(Event::Fail(row.violation.into()));
        let told = Oracle::transcript(rules(row.role, &config), &row.bytes);
        assert_eq!(told, expected, "{}", row.name);
    }
}

/// A byte that breaks UTF-8 is detected when it arrives, in a frame that is far from complete.
#[test]
fn invalid_utf8_is_detected_at_its_first_byte() {
    for role in ROLES {
        for (config, mode) in modes() {
            let text = [
                &b"\xce\xba"[..],
                &[b'a'; 40],
                b"\xf4",
                b"\x90",
                &[b'a'; 1000],
            ]
            .concat();
            let bytes = f(op::TEXT, text).by(peer(role));
            let header = bytes.len() - 1044;
            let bad = header + 43;
            let mut d = Driven::new(role, &config, mode);
            d.push(&bytes[..bad]);
            assert_eq!(d.events(), [], "all right so far");
            d.push(&bytes[bad..=bad]);
            let failure = Failure::Violation(Violation::InvalidUtf8);
            assert_eq!(d.events(), [Event::Fail(failure)]);
            let close = legal(role, &d.sent);
            assert!(matches!(&close.events[..], [Event::Close(Some((1007, _)))]));
        }
    }
}
