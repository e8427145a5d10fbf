//! Frames as bytes, right and wrong.

use tickwire::Role;

/// Opcodes of RFC 6455 section 5.2.
pub mod op {
    /// Continuation.
    pub const CONT: u8 = 0;
    /// Text.
    pub const TEXT: u8 = 1;
    /// Binary.
    pub const BIN: u8 = 2;
    /// Close.
    pub const CLOSE: u8 = 8;
    /// Ping.
    pub const PING: u8 = 9;
    /// Pong.
    pub const PONG: u8 = 10;
}

/// How the length is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// As section 5.2 asks for.
    Shortest,
    /// In two bytes, whatever it is.
    Two,
    /// In eight bytes, whatever it is.
    Eight,
    /// In eight bytes, and a lie.
    Announce(u64),
}

/// A frame to be written.
#[derive(Clone, Debug)]
pub struct Frame {
    /// FIN.
    pub fin: bool,
    /// RSV1-3 as three bits, RSV1 the highest.
    pub rsv: u8,
    /// Four bits.
    pub opcode: u8,
    /// Masked with this key.
    pub key: Option<[u8; 4]>,
    /// Before masking.
    pub payload: Vec<u8>,
    /// How its length is written.
    pub length: Length,
}

impl Frame {
    /// An unmasked final frame.
    #[must_use]
    pub fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            key: None,
            payload: payload.as_ref().to_vec(),
            length: Length::Shortest,
        }
    }

    /// A Close with a code.
    #[must_use]
    pub fn close(code: u16, reason: &[u8]) -> Self {
        Self::new(op::CLOSE, [&code.to_be_bytes()[..], reason].concat())
    }

    /// More of the message follows.
    #[must_use]
    pub fn more(mut self) -> Self {
        self.fin = false;
        self
    }

    /// With reserved bits.
    #[must_use]
    pub fn rsv(mut self, bits: u8) -> Self {
        self.rsv = bits;
        self
    }

    /// With its length written otherwise.
    #[must_use]
    pub fn length(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    /// With this mask key.
    #[must_use]
    pub fn key(mut self, key: [u8; 4]) -> Self {
        self.key = Some(key);
        self
    }

    /// As `sender` writes it: a client masks.
    #[must_use]
    pub fn by(mut self, sender: Role) -> Vec<u8> {
        self.key = match sender {
            Role::Client => self.key.or(Some([0x37, 0xfa, 0x21, 0x3d])),
            Role::Server => None,
        };
        self.bytes()
    }

    /// The bytes, exactly as told.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let fin = if self.fin { 0x80 } else { 0 };
        let mut out = vec![fin | (self.rsv & 7) << 4 | self.opcode & 15];
        let mask = if self.key.is_some() { 0x80 } else { 0 };
        let len = self.payload.len() as u64;
        match self.length {
            Length::Announce(n) => wide(&mut out, mask, n),
            Length::Eight => wide(&mut out, mask, len),
            Length::Shortest if len < 126 => out.push(mask | len as u8),
            Length::Shortest if len > 0xffff => wide(&mut out, mask, len),
            Length::Two | Length::Shortest => {
                out.push(mask | 126);
                out.extend((len as u16).to_be_bytes());
            }
        }
        let key = self.key.unwrap_or_default();
        if self.key.is_some() {
            out.extend(key);
        }
        out.extend(
            self.payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(b, k)| b ^ k),
        );
        out
    }
}

fn wide(out: &mut Vec<u8>, mask: u8, len: u64) {
    out.push(mask | 127);
    out.extend(len.to_be_bytes());
}

/// Who sends to an endpoint in `role`.
#[must_use]
pub fn peer(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}
