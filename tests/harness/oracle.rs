//! RFC 6455 read byte by byte, without a thought of speed: the answer that the engine must give.
//!
//! Where one frame breaks several rules, the first wrong byte counts; rules between frames, and
//! limits, are judged when the header is complete, sequence before size.

use std::str;

use tickwire::{Failure, Kind, Limit, Role, Violation};

use crate::event::Event;
use crate::frames::op;

/// What the receiving endpoint agreed to.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The endpoint that reads.
    pub role: Role,
    /// `Config::message_bytes_max`.
    pub message_max: u64,
    /// `Config::frame_bytes_max`.
    pub frame_max: u64,
    /// `Config::fragments_max`.
    pub fragments_max: u32,
}

impl Rules {
    /// Limits that nothing reaches.
    #[must_use]
    pub fn lax(role: Role) -> Self {
        Self {
            role,
            message_max: u64::MAX,
            frame_max: u64::MAX,
            fragments_max: u32::MAX,
        }
    }
}

/// A frame that was read whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its opcode.
    pub opcode: u8,
    /// Its FIN.
    pub fin: bool,
    /// Unmasked.
    pub payload: Vec<u8>,
    /// Its mask key.
    pub key: [u8; 4],
}

#[derive(Clone, Debug)]
struct Open {
    kind: Kind,
    data: Vec<u8>,
    announced: u64,
    frames: u32,
    /// The part of `data` that is known to be UTF-8.
    good: usize,
}

/// The model.
#[derive(Clone, Debug)]
pub struct Oracle {
    rules: Rules,
    /// What was told to the application.
    pub events: Vec<Event>,
    /// Every frame that was read whole.
    pub frames: Vec<Seen>,
    /// The frame that is coming: header bytes, then payload bytes.
    header: Vec<u8>,
    payload: Vec<u8>,
    /// Its payload length, once the header is complete and in order.
    len: Option<u64>,
    open: Option<Open>,
    /// Nothing more is read: a Close or a failure came.
    pub done: bool,
    /// Bytes that came after that.
    pub ignored: usize,
}

type Judged<T> = Result<T, Failure>;

impl Oracle {
    /// Nothing read yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            events: Vec::new(),
            frames: Vec::new(),
            header: Vec::new(),
            payload: Vec::new(),
            len: None,
            open: None,
            done: false,
            ignored: 0,
        }
    }

    /// The transcript of a whole stream.
    #[must_use]
    pub fn transcript(rules: Rules, bytes: &[u8]) -> Vec<Event> {
        let mut oracle = Self::new(rules);
        oracle.feed(bytes);
        oracle.events
    }

    /// Reads on.
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    /// Whether the last frame is whole.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.header.is_empty()
    }

    /// Whether a fragmented message is open.
    #[must_use]
    pub fn in_message(&self) -> bool {
        self.open.is_some()
    }

    fn push(&mut self, byte: u8) {
        if self.done {
            self.ignored += 1;
            return;
        }
        let judged = match self.len {
            None => self.push_header(byte),
            Some(_) => self.push_payload(byte),
        };
        if let Err(failure) = judged.and_then(|()| self.finish_frame()) {
            self.done = true;
            self.events.push(Event::Fail(failure));
        }
    }

    fn push_header(&mut self, byte: u8) -> Judged<()> {
        self.header.push(byte);
        let h = &self.header;
        let opcode = h[0] & 15;
        let control = opcode & 8 != 0;
        if h.len() == 1 {
            if h[0] & 0x70 != 0 {
                return Err(Violation::ReservedBits.into());
            }
            if !matches!(opcode, 0..=2 | 8..=10) {
                return Err(Violation::ReservedOpcode(opcode).into());
            }
            if control && h[0] & 0x80 == 0 {
                return Err(Violation::ControlFragmented.into());
            }
            return Ok(());
        }
        let masked = h[1] & 0x80 != 0;
        let short = h[1] & 0x7f;
        if h.len() == 2 {
            if self.rules.role == Role::Server && !masked {
                return Err(Violation::UnmaskedFromClient.into());
            }
            if self.rules.role == Role::Client && masked {
                return Err(Violation::MaskedFromServer.into());
            }
            if control && short > 125 {
                return Err(Violation::ControlTooLong.into());
            }
        }
        if h.len() == 3 && short == 127 && h[2] & 0x80 != 0 {
            return Err(Violation::LengthTopBit.into());
        }
        let wide = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if h.len() < 2 + wide {
            return Ok(());
        }
        let len = match wide {
            0 => u64::from(short),
            _ => h[2..2 + wide].iter().fold(0, |n, &b| n << 8 | u64::from(b)),
        };
        if wide == 2 && len < 126 || wide == 8 && len < 65_536 {
            return Err(Violation::LengthNotMinimal.into());
        }
        if h.len() < 2 + wide + if masked { 4 } else { 0 } {
            return Ok(());
        }
        self.len = Some(len);
        self.begin_frame(opcode, len)
    }

    fn begin_frame(&mut self, opcode: u8, len: u64) -> Judged<()> {
        if opcode & 8 != 0 {
            return Ok(());
        }
        match (&self.open, opcode) {
            (None, op::CONT) => return Err(Violation::OrphanContinuation.into()),
            (Some(_), op::TEXT | op::BIN) => return Err(Violation::DataInsideMessage.into()),
            _ => {}
        }
        let open = self.open.get_or_insert_with(|| Open {
            kind: if opcode == op::TEXT {
                Kind::Text
            } else {
                Kind::Binary
            },
            data: Vec::new(),
            announced: 0,
            frames: 0,
            good: 0,
        });
        let rules = self.rules;
        if len > rules.frame_max {
            let max = rules.frame_max;
            return Err(Limit::Frame { len, max }.into());
        }
        open.announced = open.announced.saturating_add(len);
        if open.announced > rules.message_max {
            let (len, max) = (open.announced, rules.message_max);
            return Err(Limit::Message { len, max }.into());
        }
        open.frames += 1;
        if open.frames > rules.fragments_max {
            let max = rules.fragments_max;
            return Err(Limit::Fragments { max }.into());
        }
        Ok(())
    }

    fn key(&self) -> [u8; 4] {
        let masked = self.header[1] & 0x80 != 0;
        match self.header.last_chunk::<4>() {
            Some(key) if masked => *key,
            _ => [0; 4],
        }
    }

    fn push_payload(&mut self, byte: u8) -> Judged<()> {
        let byte = byte ^ self.key()[self.payload.len() % 4];
        self.payload.push(byte);
        if self.header[0] & 8 != 0 {
            return Ok(());
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.data.push(byte);
        if open.kind == Kind::Text {
            match str::from_utf8(&open.data[open.good..]) {
                Ok(_) => open.good = open.data.len(),
                Err(e) if e.error_len().is_some() => return Err(Violation::InvalidUtf8.into()),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn finish_frame(&mut self) -> Judged<()> {
        if self.len != Some(self.payload.len() as u64) {
            return Ok(());
        }
        let seen = Seen {
            opcode: self.header[0] & 15,
            fin: self.header[0] & 0x80 != 0,
            payload: std::mem::take(&mut self.payload),
            key: self.key(),
        };
        self.header.clear();
        self.len = None;
        self.frames.push(seen.clone());
        match seen.opcode {
            op::PING => self.events.push(Event::Ping(seen.payload)),
            op::PONG => self.events.push(Event::Pong(seen.payload)),
            op::CLOSE => return self.close(&seen.payload),
            _ if seen.fin => return self.finish_message(),
            _ => {}
        }
        Ok(())
    }

    fn finish_message(&mut self) -> Judged<()> {
        if let Some(open) = self.open.take() {
            if open.kind == Kind::Text && str::from_utf8(&open.data).is_err() {
                return Err(Violation::InvalidUtf8.into());
            }
            self.events.push(Event::Data(open.kind, open.data));
        }
        Ok(())
    }

    fn close(&mut self, body: &[u8]) -> Judged<()> {
        let close = match body {
            [] => None,
            [_] => return Err(Violation::CloseBodyOfOneByte.into()),
            [a, b, reason @ ..] => {
                let code = u16::from(*a) << 8 | u16::from(*b);
                if !may_stand(code) {
                    return Err(Violation::InvalidCloseCode(code).into());
                }
                let reason = String::from_utf8(reason.to_vec());
                Some((code, reason.map_err(|_| Violation::InvalidUtf8)?))
            }
        };
        self.done = true;
        self.events.push(Event::Close(close));
        Ok(())
    }
}

/// Section 7.4 and the IANA registry, spelled out.
#[must_use]
pub fn may_stand(code: u16) -> bool {
    match code {
        0..=999 => false, // not used
        1000..=1003 => true,
        1004..=1006 => false, // reserved; never on the wire
        1007..=1011 => true,
        1012..=1014 => true, // registered later: restart, try again, bad gateway
        1015 => false,       // TLS; never on the wire
        1016..=2999 => false, // for revisions of the protocol
        3000..=4999 => true, // libraries, applications
        _ => false,
    }
}
