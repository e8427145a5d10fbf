//! MoldUDP64: datagrams of sequenced messages.
//!
//! ```text
//! | session: 10 | sequence: u64 | count: u16 | { len: u16 | message }* |
//! ```
//!
//! Source: "MoldUDP64 Protocol Specification 1.00", Nasdaq, section 3; numbers are big-endian.
//! [`MoldUdp64`] reads the datagrams of a server and [`MoldWriter`] writes them. A receiver sends a
//! [`MoldRequest`] to request lost messages.
//!
//! ```
//! use tickwire_codecs::{Chars, Codec, Limits, itch::{MoldUdp64, MoldWriter}};
//! let mut wire = [0; 64];
//! let mut datagram = MoldWriter::begin(&mut wire, Chars::new(*b"SESSION001"), 500)?;
//! datagram.push(b"one")?;
//! datagram.push(b"two")?;
//! let len = datagram.finish();
//! let packet = MoldUdp64::view(&wire[..len], &Limits::FEED)?;
//! let messages: Vec<_> = packet.messages().map(|(sequence, m)| (sequence, m.bytes)).collect();
//! assert_eq!(messages, [(500, &b"one"[..]), (501, b"two")]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use crate::{
    Batch, Chars, Codec, DecodeError, Encode, EncodeError, Framed, Framing, Limits, ToJson, WireId,
    be::{U16, U64},
    encode_bytes, family,
    framing::{ByteOrder, LengthField},
    json, slice,
};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One MoldUDP64 datagram from the server.
#[derive(Clone, Copy, Debug)]
pub enum MoldUdp64 {}

/// The first 20 bytes of a datagram.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct MoldHeader {
    /// Session of the sequence number.
    pub session: Chars<10>,
    /// Sequence number of the first message; of the next message if the datagram has none.
    pub sequence: U64,
    /// Number of messages: 0 in a heartbeat, [`END_OF_SESSION`](Self::END_OF_SESSION) at the end of the
    /// session.
    pub count: U16,
}

impl MoldHeader {
    /// The count at the end of the session. No messages follow it.
    pub const END_OF_SESSION: u16 = 0xFFFF;
    /// Offset of the count.
    const COUNT_AT: usize = 18;
}

/// A checked datagram: it consists of the header and its message blocks.
#[derive(Clone, Copy)]
pub struct MoldPacket<'a> {
    /// The header.
    pub header: &'a MoldHeader,
    bytes: &'a [u8],
    limits: Limits,
}

impl<'a> MoldPacket<'a> {
    const BLOCKS_AT: usize = size_of::<MoldHeader>();
    /// The length before each message block.
    const BLOCK: LengthField = LengthField::u16(ByteOrder::Big);

    /// Whether the datagram ends the session.
    #[must_use]
    pub fn is_end_of_session(&self) -> bool {
        self.header.count.get() == MoldHeader::END_OF_SESSION
    }

    /// Whether the datagram is a heartbeat.
    #[must_use]
    pub fn is_heartbeat(&self) -> bool {
        self.header.count.get() == 0
    }

    /// The messages with their sequence numbers.
    #[must_use]
    pub fn messages(&self) -> MoldMessages<'a> {
        MoldMessages {
            sequence: self.header.sequence.get(),
            blocks: self.blocks(),
        }
    }

    /// The message blocks as a batch; offsets count from the first block.
    #[must_use]
    pub fn blocks(&self) -> Batch<'a, LengthField> {
        let blocks = self.bytes.get(Self::BLOCKS_AT..).unwrap_or_default();
        Batch::new(blocks, Self::BLOCK, &self.limits)
    }

    /// The datagram.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for MoldPacket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MoldPacket")
            .field("header", &self.header)
            .field("len_bytes", &self.bytes.len())
            .finish()
    }
}

/// The messages of a datagram, each with its sequence number; see [`MoldPacket::messages`].
#[derive(Clone, Debug)]
pub struct MoldMessages<'a> {
    sequence: u64,
    blocks: Batch<'a, LengthField>,
}

impl<'a> Iterator for MoldMessages<'a> {
    type Item = (u64, Framed<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // `MoldUdp64::view` has checked the blocks, so there is no error.
        let framed = self.blocks.next()?.ok()?;
        let sequence = self.sequence;
        // Saturates only behind a message with the largest number.
        self.sequence = sequence.saturating_add(1);
        Some((sequence, framed))
    }
}

impl Codec for MoldUdp64 {
    const ID: WireId = WireId::new(family::ENVELOPE, 1);
    const VERSION: u16 = 0x0100;
    type View<'a> = MoldPacket<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<MoldPacket<'a>, DecodeError> {
        limits.check_msg(bytes.len())?;
        let header = slice::part::<MoldHeader>(bytes, 0)?;
        let count = match header.count.get() {
            MoldHeader::END_OF_SESSION => 0,
            count => count,
        };
        limits.check_items(MoldHeader::COUNT_AT, count.into())?;
        let sequence = header.sequence.get();
        // The number of the last message must fit 64 bits too.
        if sequence
            .checked_add(count.saturating_sub(1).into())
            .is_none()
        {
            return Err(DecodeError::wrong(10, "sequence number", sequence));
        }
        let mut at = MoldPacket::BLOCKS_AT;
        for _ in 0..count {
            let rest = bytes.get(at..).unwrap_or_default();
            let cut = MoldPacket::BLOCK
                .split(rest, limits)
                .map_err(|error| error.shifted(at))?;
            at += cut.next;
        }
        if at < bytes.len() {
            return Err(DecodeError::trailing(at, bytes.len() - at));
        }
        Ok(MoldPacket {
            header,
            bytes,
            limits: *limits,
        })
    }
}

impl Encode<MoldUdp64> for MoldPacket<'_> {
    fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        encode_bytes(self.bytes, out)
    }
}

/// Writes one datagram message by message.
///
/// For a heartbeat call [`finish`](Self::finish) directly after [`begin`](Self::begin), with the sequence
/// number of the next message.
#[derive(Debug)]
pub struct MoldWriter<'o> {
    out: &'o mut [u8],
    at: usize,
    sequence: u64,
    count: u16,
}

impl<'o> MoldWriter<'o> {
    /// Begins a datagram at the start of `out`. Its first message has the number `sequence`.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is shorter than the header.
    pub fn begin(
        out: &'o mut [u8],
        session: Chars<10>,
        sequence: u64,
    ) -> Result<Self, EncodeError> {
        let header = MoldHeader {
            session,
            sequence: sequence.into(),
            count: U16::ZERO,
        };
        let at = encode_bytes(header.as_bytes(), out)?;
        Ok(Self {
            out,
            at,
            sequence,
            count: 0,
        })
    }

    /// Adds a message. A failed call does not change the datagram.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is full. [`EncodeError::Range`] for a message above 65,535 bytes, for
    /// more than 65,534 messages, and after the largest sequence number.
    pub fn push(&mut self, message: &[u8]) -> Result<(), EncodeError> {
        let range = |what, got| EncodeError::Range { what, got };
        let len = u16::try_from(message.len())
            .map_err(|_| range("message bytes", message.len() as u64))?;
        let count = self.count + 1;
        if count == MoldHeader::END_OF_SESSION {
            return Err(range("messages", count.into()));
        }
        if self.sequence.checked_add(self.count.into()).is_none() {
            return Err(range("sequence number", self.sequence));
        }
        let (need, have) = (self.at + 2 + message.len(), self.out.len());
        let room = EncodeError::Room { need, have };
        let place = self.out.get_mut(self.at..need).ok_or(room)?;
        let (prefix, rest) = place.split_first_chunk_mut::<2>().ok_or(room)?;
        *prefix = len.to_be_bytes();
        rest.copy_from_slice(message);
        self.at = need;
        self.set_count(count);
        Ok(())
    }

    fn set_count(&mut self, count: u16) {
        self.count = count;
        // `begin` wrote the header, so `out` holds the count.
        if let Some(place) = self
            .out
            .get_mut(MoldHeader::COUNT_AT..MoldPacket::BLOCKS_AT)
        {
            place.copy_from_slice(&count.to_be_bytes());
        }
    }

    /// Ends the datagram and returns its length in bytes.
    #[must_use]
    pub const fn finish(self) -> usize {
        self.at
    }

    /// Ends a datagram without messages as the end of the session and returns its length in bytes.
    ///
    /// # Errors
    /// [`EncodeError::Order`] if the datagram has messages.
    pub fn end_of_session(mut self) -> Result<usize, EncodeError> {
        if self.count > 0 {
            return Err(EncodeError::Order {
                what: "no message in the datagram that ends the session",
            });
        }
        self.set_count(MoldHeader::END_OF_SESSION);
        Ok(self.at)
    }
}

/// The request of a receiver for lost messages. The server answers with ordinary datagrams.
///
/// A request has the layout of [`MoldHeader`]. Only the direction distinguishes the two: use this codec for
/// datagrams that arrive at a server.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct MoldRequest {
    /// Session of the messages.
    pub session: Chars<10>,
    /// Sequence number of the first requested message.
    pub sequence: U64,
    /// Number of requested messages.
    pub count: U16,
}

impl Codec for MoldRequest {
    const ID: WireId = WireId::new(family::ENVELOPE, 3);
    const VERSION: u16 = 0x0100;
    type View<'a> = &'a Self;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a Self, DecodeError> {
        limits.check_msg(bytes.len())?;
        slice::whole(bytes)
    }
}

impl Encode<MoldRequest> for MoldRequest {
    fn encoded_len(&self) -> usize {
        size_of::<Self>()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        encode_bytes(self.as_bytes(), out)
    }
}

impl Encode<MoldRequest> for &MoldRequest {
    fn encoded_len(&self) -> usize {
        size_of::<MoldRequest>()
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        (**self).encode(out)
    }
}

impl ToJson for MoldRequest {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object
            .field("session", &self.session)?
            .field("sequence", &self.sequence)?
            .field("count", &self.count)?;
        object.end()
    }
}

impl ToJson for MoldPacket<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object
            .field("session", &self.header.session)?
            .field("sequence", &self.header.sequence)?
            .field("count", &self.header.count)?;
        let out = object.member("messages")?;
        json::array(
            out,
            self.messages().map(|(_, framed)| json::Hex(framed.bytes)),
        )?;
        object.end()
    }
}
