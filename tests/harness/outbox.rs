//! Random operations on an outbox against a dumb model: a list of what was accepted. One body
//! for the property and for the fuzzer; the operations are read from bytes.

use std::collections::VecDeque;

use bytes::Bytes;
use tickwire::sans_io::{BufPool, Entropy, Session};
use tickwire::{
    CloseCode, Config, Kind, Outbox, PreparedMessage, Role, SendError, Timestamp, Utf8Bytes,
};

use crate::drive::legal_on;
use crate::event::Event;
use crate::frames::{op, peer};
use crate::oracle::{Oracle, Rules, Seen};

/// Queue limit: two of the largest messages do not fit together.
const QUEUE_MAX: usize = 100_000;

/// Payload sizes where something changes.
const SIZES: [usize; 16] = [
    0, 1, 2, 7, 8, 9, 63, 125, 126, 127, 1023, 1024, 1025, 5000, 65_535, 65_536,
];

/// Bytes that the socket takes.
const WRITES: [usize; 12] = [0, 1, 2, 3, 5, 6, 14, 100, 1024, 5000, 66_000, usize::MAX];

struct Model {
    role: Role,
    session: Session,
    pool: BufPool,
    /// Data messages accepted, in order.
    accepted: Vec<Event>,
    /// The message sent in parts.
    open: Option<(Kind, Vec<u8>)>,
    close: Option<u16>,
    ping: Option<Vec<u8>>,
    pong: Option<Vec<u8>>,
    /// Reads what was written.
    wire: Oracle,
    /// What it made of it.
    said: Vec<Event>,
    /// Payload bytes that somebody else still holds.
    kept: Vec<Bytes>,
    now: Timestamp,
    fill: u8,
    payload_max: usize,
}

/// Runs the operations that `input` spells, with payloads of at most `payload_max` bytes, and
/// checks everything on the way.
///
/// # Panics
/// Where the outbox does otherwise than the model.
pub fn run(role: Role, input: &[u8], payload_max: usize) {
    let config = Config::default().send_queue_bytes_max(QUEUE_MAX);
    let mut model = Model {
        role,
        session: Session::new(role, config, Entropy([3; 32]), &[], Timestamp(0))
            .expect("limits that work"),
        pool: BufPool::new(4097, 4097),
        accepted: Vec::new(),
        open: None,
        close: None,
        ping: None,
        pong: None,
        wire: Oracle::new(Rules::lax(peer(role))),
        said: Vec::new(),
        kept: Vec::new(),
        now: Timestamp(0),
        fill: 0,
        payload_max,
    };
    let mut input: VecDeque<u8> = input.iter().copied().collect();
    while let Some(code) = input.pop_front() {
        let arg = input.pop_front().unwrap_or(0);
        model.step(code, arg);
        let queued = model.session.outbox().queued_bytes();
        // Control frames have their own place, for 16 Pongs and a Ping, and Close is always let in.
        assert!(queued <= QUEUE_MAX + 18 * 139, "{queued} bytes queued");
    }
    model.finish();
}

impl Model {
    fn step(&mut self, code: u8, arg: u8) {
        // The largest less often, for the model's sake.
        let len = match SIZES[arg as usize % 16] {
            large if large > 60_000 && arg >= 48 => 300,
            len => len.min(self.payload_max),
        };
        match code % 16 {
            0 => self.data(Kind::Binary, len, |out, data| out.send(data)),
            1 => self.data(Kind::Text, len, |out, data| {
                out.send_text(str::from_utf8(data).expect("ASCII"))
            }),
            2 => self.shared(len, arg & 16 != 0),
            3 => self.text_shared(len, arg & 16 != 0),
            4 => self.data(Kind::Binary, len, |out, data| {
                out.send_prepared(&PreparedMessage::binary(data))
            }),
            5 => self.data(Kind::Text, len, |out, data| {
                let text = str::from_utf8(data).expect("ASCII");
                out.send_prepared(&PreparedMessage::text(text))
            }),
            6 => self.part(len.min(3000), arg),
            7 => self.claim(len, arg),
            8 => self.control(arg, true),
            9 => self.control(arg, false),
            10 if arg > 240 => self.close(arg),
            11 => self.session.attach(&mut self.pool),
            12 => self.session.detach(&mut self.pool),
            13 => self.through(len, arg),
            _ => self.write(WRITES[arg as usize % 12]),
        }
    }

    /// ASCII, and different for each message.
    fn payload(&mut self, len: usize) -> Vec<u8> {
        self.fill = self.fill.wrapping_add(1);
        let fill = self.fill;
        (0..len)
            .map(|i| (fill.wrapping_add(i as u8)) & 0x7f)
            .collect()
    }

    fn expect(&mut self, result: Result<(), SendError>, kind: Kind, data: Vec<u8>) {
        match result {
            Ok(()) => {
                assert!(self.may_send(), "accepted in the wrong place");
                self.accepted.push(Event::Data(kind, data));
            }
            Err(e) => self.refused(e, data.len()),
        }
    }

    fn may_send(&self) -> bool {
        self.close.is_none() && self.open.is_none()
    }

    fn refused(&mut self, error: SendError, len: usize) {
        let queued = self.session.outbox().queued_bytes();
        match error {
            SendError::Closed => assert!(self.close.is_some()),
            SendError::MessageOpen => assert!(self.open.is_some()),
            SendError::QueueFull { .. } => assert!(queued + len + 14 > QUEUE_MAX),
            SendError::TooLarge { .. } => assert!(len + 14 > QUEUE_MAX),
            other => panic!("{other}"),
        }
    }

    fn data(
        &mut self,
        kind: Kind,
        len: usize,
        send: impl FnOnce(&mut Outbox, &[u8]) -> Result<(), SendError>,
    ) {
        let data = self.payload(len);
        let result = send(self.session.outbox(), &data);
        self.expect(result, kind, data);
    }

    fn shared(&mut self, len: usize, keep: bool) {
        let data = self.payload(len);
        let shared = Bytes::from(data.clone());
        if keep {
            self.kept.push(shared.clone());
        }
        let result = self.session.outbox().send_bytes(shared);
        let result = result.map_err(|(e, back)| {
            assert_eq!(back, data, "handed back");
            e
        });
        self.expect(result, Kind::Binary, data);
    }

    fn text_shared(&mut self, len: usize, keep: bool) {
        let data = self.payload(len);
        let shared = Bytes::from(data.clone());
        if keep {
            self.kept.push(shared.clone());
        }
        let text = Utf8Bytes::new(shared).expect("ASCII");
        let result = self.session.outbox().send_text_bytes(text);
        let result = result.map_err(|(e, back)| {
            assert_eq!(back.as_bytes(), data, "handed back");
            e
        });
        self.expect(result, Kind::Text, data);
    }

    fn part(&mut self, len: usize, arg: u8) {
        let (last, kind) = (
            arg & 32 != 0,
            if arg & 64 != 0 {
                Kind::Text
            } else {
                Kind::Binary
            },
        );
        let data = self.payload(len);
        match self.session.outbox().send_part(kind, &data, last) {
            Ok(()) => {
                let (open, mut all) = self.open.take().unwrap_or((kind, Vec::new()));
                assert_eq!(open, kind, "another kind accepted");
                all.extend_from_slice(&data);
                if last {
                    self.accepted.push(Event::Data(kind, all));
                } else {
                    self.open = Some((kind, all));
                }
            }
            Err(SendError::MessageOpen) => {
                assert!(self.open.as_ref().is_some_and(|(open, _)| *open != kind));
            }
            Err(e) => self.refused(e, data.len()),
        }
    }

    fn claim(&mut self, len: usize, arg: u8) {
        let data = self.payload(len);
        let used = match arg >> 4 {
            0 => len / 2,
            1 => 0,
            2 => len.min(125),
            _ => len,
        };
        match self.session.outbox().claim(len) {
            Ok(mut claim) => {
                assert_eq!(claim.len(), len);
                claim.copy_from_slice(&data);
                assert_eq!(&claim[..], data);
                if arg >> 4 == 7 {
                    return; // dropped: the claim never was
                }
                claim.commit_len(used);
                self.expect(Ok(()), Kind::Binary, data[..used].to_vec());
            }
            Err(e) => self.expect(Err(e), Kind::Binary, data),
        }
    }

    fn control(&mut self, arg: u8, ping: bool) {
        let data = self.payload(arg as usize % 140);
        let out = self.session.outbox();
        let (result, slot) = if ping {
            (out.ping(&data), &mut self.ping)
        } else {
            (out.pong(&data), &mut self.pong)
        };
        match result {
            Ok(()) => {
                assert!(data.len() <= 125 && self.close.is_none());
                *slot = Some(data);
            }
            Err(SendError::ControlTooLong { .. }) => assert!(data.len() > 125),
            Err(e) => self.refused(e, 0),
        }
    }

    fn close(&mut self, arg: u8) {
        let code = 3000 + u16::from(arg);
        let result = self.session.outbox().close(CloseCode(code), "bye");
        assert_eq!(result, Ok(()));
        self.close.get_or_insert(code);
    }

    fn through(&mut self, len: usize, arg: u8) {
        let data = self.payload(len);
        let (offered, n) = (&mut Vec::new(), WRITES[arg as usize % 12]);
        let mut taken = 0;
        let (_, write) = self.session.halves();
        let result = write.send_through(&data, self.now, |slices| {
            slices.for_each(|s| offered.extend_from_slice(s));
            taken = n.min(offered.len());
            taken
        });
        let offered = std::mem::take(offered);
        if self.role == Role::Client {
            assert!(offered.is_empty(), "a client copies");
        } else if !offered.is_empty() {
            self.wrote(&offered, taken);
        }
        self.expect(result, Kind::Binary, data);
    }

    fn write(&mut self, n: usize) {
        self.now.0 += 1;
        let mut offered = Vec::new();
        for slice in self.session.transmit() {
            assert!(!slice.is_empty(), "empty slice to write");
            offered.extend_from_slice(slice);
        }
        assert_eq!(offered.is_empty(), !self.session.wants_write());
        let n = n.min(offered.len());
        self.wrote(&offered, n);
        self.session.handle_written(n, self.now);
    }

    /// What is offered to the socket is legal, whole, and has its control frames where they
    /// belong; then the first `n` bytes of it are written.
    fn wrote(&mut self, offered: &[u8], n: usize) {
        let half = usize::from(!self.wire.at_boundary());
        let mut all = self.wire.clone();
        legal_on(&mut all, offered);
        assert!(all.at_boundary(), "half a frame offered");
        let fresh = all.frames.get(half..).unwrap_or_default();
        let is_control = |f: &&Seen| matches!(f.opcode, op::PING | op::PONG);
        let control = fresh.iter().take_while(is_control).count();
        let (control, data) = fresh.split_at(control);
        assert!(
            !data.iter().any(|f| is_control(&f)),
            "a control frame waits behind data"
        );
        let has = |opcode, newest: &Option<Vec<u8>>| {
            let is = |p: &Vec<u8>| {
                control
                    .iter()
                    .any(|f| f.opcode == opcode && f.payload == *p)
            };
            newest.as_ref().is_none_or(is)
        };
        assert!(
            data.is_empty() || has(op::PONG, &self.pong),
            "data goes before a Pong"
        );
        assert!(
            data.is_empty() || has(op::PING, &self.ping),
            "data goes before a Ping"
        );

        legal_on(&mut self.wire, &offered[..n]);
        let begun = self.wire.frames.len() + usize::from(!self.wire.at_boundary());
        for frame in all.frames.get(half..begun).unwrap_or_default() {
            let slot = match frame.opcode {
                op::PING => &mut self.ping,
                op::PONG => &mut self.pong,
                _ => continue,
            };
            slot.take_if(|p| *p == frame.payload);
        }
        self.wire.frames.clear();
        self.said.append(&mut self.wire.events);
    }

    fn finish(mut self) {
        for _ in 0..10_000 {
            if !self.session.wants_write() {
                break;
            }
            self.write(usize::MAX);
        }
        assert!(!self.session.wants_write(), "writes without end");
        assert_eq!(self.session.outbox().queued_bytes(), 0);
        assert!(self.wire.at_boundary());
        assert_eq!(
            (self.ping, self.pong),
            (None, None),
            "a control frame was lost"
        );
        let data = |e: &&Event| matches!(e, Event::Data(..));
        let sent: Vec<_> = self.said.iter().filter(data).collect();
        let accepted: Vec<_> = self.accepted.iter().collect();
        assert!(sent == accepted, "what went out is not what was accepted");
        assert_eq!(self.wire.in_message(), self.open.is_some());
        let last = self.said.last();
        let closed = self.close.map(|c| Event::Close(Some((c, "bye".into()))));
        assert_eq!(self.wire.done, closed.is_some());
        assert!(closed.is_none() || last == closed.as_ref(), "Close is last");
        let stats = self.session.stats();
        assert_eq!(stats.messages_out, accepted.len() as u64);
        // What was shared is not changed under whoever holds it.
        for kept in &self.kept {
            let first = kept.first().copied().unwrap_or_default();
            let same = |(i, b): (usize, &u8)| *b == first.wrapping_add(i as u8) & 0x7f;
            assert!(kept.iter().enumerate().all(same), "shared bytes changed");
        }
    }
}
