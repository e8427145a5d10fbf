//! The headers of datagrams.

use super::{ByteOrder, LengthField};
use crate::{DecodeError, be, le, slice};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The header of a datagram that carries messages.
pub trait Packet: FromBytes + KnownLayout + Immutable + Unaligned + Sized + 'static {
    /// The length field in front of each message. `None` if the messages stand one behind the other: then
    /// the schema alone gives their lengths.
    const MESSAGES: Option<LengthField>;

    /// The sequence number of the datagram in its channel. A gap between two datagrams is a loss.
    fn sequence(&self) -> u64;

    /// The bytes of the messages; `behind` are the bytes behind the header.
    ///
    /// # Errors
    /// [`DecodeError::Short`] if `behind` is shorter than the header announces. Offsets count from the
    /// start of `behind`.
    fn messages<'a>(&self, behind: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        Ok(behind)
    }

    /// Splits a datagram into its header and the bytes of its messages.
    ///
    /// # Errors
    /// [`DecodeError::Short`] if the datagram is shorter than its header, or than the header announces.
    ///
    /// ```
    /// use tickwire_codecs::framing::{CmePacket, Packet};
    /// use tickwire_codecs::{Batch, Limits};
    ///
    /// let datagram = b"\x07\0\0\0\0\0\0\0\0\0\0\0\x04\0hi";
    /// let (packet, messages) = CmePacket::read(datagram)?;
    /// assert_eq!(packet.sequence(), 7);
    /// let framing = CmePacket::MESSAGES.expect("CME puts a length in front of each message");
    /// let mut batch = Batch::new(messages, framing, &Limits::FEED);
    /// assert_eq!(batch.next().unwrap()?.bytes, b"hi");
    /// # Ok::<(), tickwire_codecs::DecodeError>(())
    /// ```
    fn read(datagram: &[u8]) -> Result<(&Self, &[u8]), DecodeError> {
        let header = slice::part::<Self>(datagram, 0)?;
        let behind = datagram.get(size_of::<Self>()..).unwrap_or_default();
        let messages = header.messages(behind);
        Ok((header, messages.map_err(|e| e.shifted(size_of::<Self>()))?))
    }
}

/// CME MDP 3.0, little-endian: `| sequence: u32 | time: u64 ns |`, then messages behind a `u16` length
/// that counts itself.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct CmePacket {
    /// Sequence number of the packet.
    pub sequence: le::U32,
    /// Nanoseconds since the Unix epoch.
    pub sending_time: le::U64,
}

impl Packet for CmePacket {
    const MESSAGES: Option<LengthField> =
        Some(LengthField::u16(ByteOrder::Little).counting_itself());

    fn sequence(&self) -> u64 {
        self.sequence.get().into()
    }
}

/// B3 Binary UMDF, little-endian: 16 bytes, then messages behind [`LengthField::SOFH_SHORT`].
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct B3Packet {
    /// The channel.
    pub channel: u8,
    /// Reserved.
    pub reserved: u8,
    /// The venue increases this number when the sequence numbers start again.
    pub sequence_version: le::U16,
    /// Sequence number of the packet in its channel.
    pub sequence: le::U32,
    /// Nanoseconds since the Unix epoch.
    pub sending_time: le::U64,
}

impl Packet for B3Packet {
    const MESSAGES: Option<LengthField> = Some(LengthField::SOFH_SHORT);

    fn sequence(&self) -> u64 {
        self.sequence.get().into()
    }
}

/// Coinbase Derivatives' market data, little-endian: 24 bytes, then messages behind a `u16` length that
/// counts itself and the padding behind the message. If the message header of the schema declares that
/// length as `frameLength`, use [`LengthField::keeping_header`].
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct CoinbasePacket {
    /// Nanoseconds since the Unix epoch.
    pub sending_time: le::I64,
    /// Sequence number of the packet. In a snapshot: of the last incremental update that it contains.
    pub sequence: le::I64,
    /// The channel.
    pub channel: le::U16,
    /// 1: incremental update, 2: snapshot, 4: retransmission.
    pub flags: u8,
    /// Messages in the packet.
    pub message_count: u8,
    /// The instrument of a snapshot.
    pub snapshot_instrument: le::I32,
}

impl Packet for CoinbasePacket {
    const MESSAGES: Option<LengthField> =
        Some(LengthField::u16(ByteOrder::Little).counting_itself());

    fn sequence(&self) -> u64 {
        self.sequence.get().cast_unsigned()
    }
}

/// Deribit multicast, little-endian: 8 bytes, then messages one behind the other.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct DeribitPacket {
    /// Bytes of all messages behind the header.
    pub length: le::U16,
    /// The channel.
    pub channel: le::U16,
    /// Sequence number of the packet in its channel.
    pub sequence: le::U32,
}

impl Packet for DeribitPacket {
    const MESSAGES: Option<LengthField> = None;

    fn sequence(&self) -> u64 {
        self.sequence.get().into()
    }

    fn messages<'a>(&self, behind: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        slice::span(behind, 0, self.length.get().into())
    }
}

/// MEMX-UDP, in network byte order: 18 bytes. In a sequenced packet a `u16` count of messages and the
/// messages follow; each message is behind a `u16` length that does not count itself.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct MemxPacket {
    /// 0: heartbeat, 1: shutdown of the session, [`MemxPacket::SEQUENCED`]: messages.
    pub kind: u8,
    /// The length of the header, as the sender wrote it.
    pub header_length: u8,
    /// The session that the sequence belongs to.
    pub session: be::U64,
    /// Sequence number of the first message.
    pub sequence: be::U64,
}

impl MemxPacket {
    /// The kind of a packet that has messages.
    pub const SEQUENCED: u8 = 2;
}

impl Packet for MemxPacket {
    const MESSAGES: Option<LengthField> = Some(LengthField::u16(ByteOrder::Big));

    fn sequence(&self) -> u64 {
        self.sequence.get()
    }

    fn messages<'a>(&self, behind: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        if self.kind != Self::SEQUENCED {
            return Ok(&[]);
        }
        // The walk does not need the count: the lengths of the messages give it.
        slice::part::<be::U16>(behind, 0)?;
        Ok(behind.get(2..).unwrap_or_default())
    }
}
