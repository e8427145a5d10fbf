//! MoldUDP64: a datagram with a run of sequenced messages.
//!
//! ```text
//! | session: 10 | sequence: u64 | count: u16 | { len: u16 | message }* |
//! ```
//!
//! Source: "MoldUDP64 Protocol Specification 1.00", Nasdaq, section 3; numbers are big-endian.

use crate::{
    Batch, Chars, Codec, DecodeError, Encode, EncodeError, Framed, Framing, LenPrefix16, Limits,
    ToJson, WireId,
    be::{U16, U64},
    encode_bytes, family, json, slice,
};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One MoldUDP64 datagram from the server.
#[derive(Clone, Copy, Debug)]
pub enum MoldUdp64 {}

/// The first 20 bytes of a datagram; also the whole of a retransmission request.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct MoldHeader {
    /// Session the sequence belongs to.
    pub session: Chars<10>,
    /// Sequence number of the first message; of the next expected one where there is none.
    pub sequence: U64,
    /// Messages that follow: 0 is a heartbeat, [`END_OF_SESSION`](Self::END_OF_SESSION) the end.
    pub count: U16,
}

impl MoldHeader {
    /// The count that says that the session is over and no message follows.
    pub const END_OF_SESSION: u16 = 0xFFFF;
}

/// A checked datagram: all its message blocks are there and nothing else.
#[derive(Clone, Copy)]
pub struct MoldPacket<'a> {
    /// The header.
    pub header: &'a MoldHeader,
    bytes: &'a [u8],
    limits: Limits,
}

impl<'a> MoldPacket<'a> {
    const BLOCKS_AT: usize = size_of::<MoldHeader>();

    /// Whether the session is over.
    #[must_use]
    pub fn is_end_of_session(&self) -> bool {
        self.header.count.get() == MoldHeader::END_OF_SESSION
    }

    /// Whether the datagram only says that the server is alive.
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
    pub fn blocks(&self) -> Batch<'a, LenPrefix16> {
        let blocks = self.bytes.get(Self::BLOCKS_AT..).unwrap_or_default();
        Batch::new(blocks, LenPrefix16::Big, &self.limits)
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
    blocks: Batch<'a, LenPrefix16>,
}

impl<'a> Iterator for MoldMessages<'a> {
    type Item = (u64, Framed<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // The blocks were walked when the packet was checked: an error cannot come here.
        let framed = self.blocks.next()?.ok()?;
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
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
        limits.check_items(18, count.into())?;
        let mut at = MoldPacket::BLOCKS_AT;
        for _ in 0..count {
            let rest = bytes.get(at..).unwrap_or_default();
            let cut = LenPrefix16::Big
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
