//! Length fields in front of messages, and the packet headers of market data feeds.
//!
//! ```text
//! stream or packet  | length field | message | length field | message | ...
//! packet            | packet header | messages, each behind a length field, or one behind the other |
//! ```
//!
//! A [`LengthField`] describes the length in front of each message: its offset, its width, its byte order
//! and the bytes that it counts. It is a [`Framing`] for [`Batch`](crate::Batch) and for
//! [`Reassembler`](crate::Reassembler). A [`Packet`] is the header of a datagram.
//!
//! | venue or standard | constant or header | layout from |
//! |---|---|---|
//! | any, 16 or 32 bits | [`LengthField::u16`], [`LengthField::u32`] | |
//! | FIX SOFH | [`LengthField::SOFH`], [`LengthField::SOFH_LITTLE`] | FIX Simple Open Framing Header, 1.1 RC1, section 7 |
//! | B3 (UMDF and order entry), CME iLink 3 | [`LengthField::SOFH_SHORT`] | B3 Binary UMDF message reference 1.6, by the Open Markets Initiative's dissector of it; CME iLink 3, "Simple Open Framing Header" |
//! | CME MDP 3.0 | [`CmePacket`] | CME client systems wiki, "MDP 3.0 - Binary Packet Header" and "SBE Message Header" |
//! | B3 Binary UMDF | [`B3Packet`] | B3 Binary UMDF message reference 1.6, by the Open Markets Initiative's dissector of it |
//! | Coinbase Derivatives, market data | [`CoinbasePacket`] | Coinbase developer documentation, "Derivatives UDP Message Structure" |
//! | Coinbase Derivatives, orders | [`LengthField::COINBASE_ORDERS`] | Coinbase developer documentation, "Derivatives SBE Header Message" |
//! | Deribit multicast | [`DeribitPacket`] | Deribit support, "Multicast Developer Guide"; byte order as a public Lua dissector of the feed reads it |
//! | MEMX-UDP (MEMOIR) | [`MemxPacket`] | MEMOIR Last Sale 1.3, by the Open Markets Initiative's dissector of it |
//! | MEMX-TCP (MEMO) | [`LengthField::MEMX_TCP`] | MEMX-TCP 1.2, by the Open Markets Initiative's model of it |

mod packets;
#[cfg(test)]
mod tests;

use crate::{Codec, Cut, DecodeError, Encode, EncodeError, Framing, Limits, slice};

pub use packets::{B3Packet, CmePacket, CoinbasePacket, DeribitPacket, MemxPacket, Packet};

/// The order of the bytes of a length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteOrder {
    /// The least significant byte first.
    Little,
    /// The most significant byte first: network byte order.
    Big,
}

/// The width of a length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Width {
    U16,
    U32,
}

/// The length of a frame, as a field of the header in front of the message.
///
/// ```text
/// | at bytes | length | rest of the header | message |
/// |<------------- header ----------------->|
/// |<------------- uncounted + length --------------->|
/// ```
///
/// [`u16`](Self::u16) and [`u32`](Self::u32) are a length alone; the constants are the headers of
/// standards and venues.
///
/// ```
/// use tickwire_codecs::framing::{ByteOrder, LengthField};
/// use tickwire_codecs::{Batch, Limits};
///
/// // A 32-bit length that counts itself, in network order: 4 + 2 bytes.
/// let framing = LengthField::u32(ByteOrder::Big).counting_itself();
/// let mut batch = Batch::new(b"\0\0\0\x06hi\0\0\0\x05!", framing, &Limits::FEED);
/// assert_eq!(batch.next().unwrap()?.bytes, b"hi");
/// assert_eq!(batch.next().unwrap()?.bytes, b"!");
/// assert!(batch.next().is_none());
/// # Ok::<(), tickwire_codecs::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LengthField {
    at: u8,
    width: Width,
    order: ByteOrder,
    uncounted: u8,
    header: u8,
    message_at: u8,
}

impl LengthField {
    /// A header that is a 16-bit length. The length counts the bytes of the message and not itself.
    #[must_use]
    pub const fn u16(order: ByteOrder) -> Self {
        Self::prefix(Width::U16, 2, order)
    }

    /// A header that is a 32-bit length. The length counts the bytes of the message and not itself.
    #[must_use]
    pub const fn u32(order: ByteOrder) -> Self {
        Self::prefix(Width::U32, 4, order)
    }

    const fn prefix(width: Width, size: u8, order: ByteOrder) -> Self {
        Self {
            at: 0,
            width,
            order,
            uncounted: size,
            header: size,
            message_at: size,
        }
    }

    /// The FIX Simple Open Framing Header in network byte order:
    /// `| length of the frame: u32 | encoding type: u16 | message |`. [`Self::split`] accepts every
    /// encoding type; [`Self::encoding_type`] reads it.
    pub const SOFH: Self = Self::u32(ByteOrder::Big).counting_itself().with_header(6);
    /// [`Self::SOFH`] in little-endian byte order. Version 1.1 allows it if both ends agree.
    pub const SOFH_LITTLE: Self = Self::u32(ByteOrder::Little)
        .counting_itself()
        .with_header(6);
    /// The short header of B3 and of CME iLink 3, little-endian:
    /// `| length of the frame: u16 | encoding type: u16 | message |`.
    pub const SOFH_SHORT: Self = Self::u16(ByteOrder::Little)
        .counting_itself()
        .with_header(4);
    /// The header of Coinbase Derivatives' order entry, little-endian: `| protocol: u8 | flags: u8 |
    /// length of the frame: u16 | sequence: u32 | last processed: u32 | reserved: u32 | time: i64 |
    /// message |`.
    pub const COINBASE_ORDERS: Self = Self {
        at: 2,
        ..Self::u16(ByteOrder::Little)
            .counting_itself()
            .with_header(24)
    };
    /// The header of MEMX-TCP, in network byte order: `| type: u8 | length: u16 | message: length bytes |`.
    /// Messages of the types [`Self::MEMX_SEQUENCED`] and [`Self::MEMX_UNSEQUENCED`] are SBE. Messages of
    /// other types belong to the session layer.
    pub const MEMX_TCP: Self = Self {
        at: 1,
        uncounted: 3,
        ..Self::u16(ByteOrder::Big).with_header(3)
    };

    /// The type of a sequenced message of MEMX-TCP: byte 0 of its frame.
    pub const MEMX_SEQUENCED: u8 = 11;
    /// The type of an unsequenced message of MEMX-TCP: byte 0 of its frame.
    pub const MEMX_UNSEQUENCED: u8 = 104;

    /// This header with a length that counts the whole frame: the header, the length itself and the
    /// message.
    #[must_use]
    pub const fn counting_itself(self) -> Self {
        Self {
            uncounted: 0,
            ..self
        }
    }

    /// This length in a header of `bytes` bytes.
    #[must_use]
    const fn with_header(self, bytes: u8) -> Self {
        Self {
            header: bytes,
            message_at: bytes,
            ..self
        }
    }

    /// These frames with the header as the first part of the message. Use it if the message header of the
    /// SBE schema declares the length, as Coinbase Derivatives' schema does (`frameLength`).
    #[must_use]
    pub const fn keeping_header(self) -> Self {
        Self {
            message_at: 0,
            ..self
        }
    }

    /// The header, in bytes.
    #[must_use]
    pub const fn header_bytes(&self) -> usize {
        self.header as usize
    }

    /// Reads the encoding type of a SOFH frame: the two bytes behind the length, in the byte order of the
    /// length. `None` if the frame ends before them or the header has no such field.
    ///
    /// ```
    /// use tickwire_codecs::framing::{LengthField, sofh};
    /// let frame = b"\0\0\0\x08\xeb\x50hi";
    /// assert_eq!(LengthField::SOFH.encoding_type(frame), Some(sofh::SBE_1_LITTLE));
    /// ```
    #[must_use]
    pub fn encoding_type(&self, frame: &[u8]) -> Option<u16> {
        let at = usize::from(self.at) + self.width_bytes();
        if self.header_bytes() != at + 2 {
            return None;
        }
        let bytes = *frame.get(at..)?.first_chunk()?;
        Some(match self.order {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        })
    }

    /// Writes the length of `frame`, which holds the header and the message and nothing else. The caller
    /// writes the other bytes of the header.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if the frame is shorter than its header. [`EncodeError::Range`] if the length
    /// has too few bits for it.
    ///
    /// ```
    /// use tickwire_codecs::framing::LengthField;
    /// let mut frame = *b"\0\0\0\0\xeb\x50hi";
    /// LengthField::SOFH.write_length(&mut frame)?;
    /// assert_eq!(&frame, b"\0\0\0\x08\xeb\x50hi");
    /// # Ok::<(), tickwire_codecs::EncodeError>(())
    /// ```
    pub fn write_length(&self, frame: &mut [u8]) -> Result<(), EncodeError> {
        let have = frame.len();
        let length = self.length_of(have)?;
        let at = usize::from(self.at);
        let room = EncodeError::Room {
            need: self.header_bytes(),
            have,
        };
        let field = frame.get_mut(at..at + self.width_bytes()).ok_or(room)?;
        let bytes = length.to_le_bytes();
        field.copy_from_slice(bytes.get(..field.len()).unwrap_or_default());
        if self.order == ByteOrder::Big {
            field.reverse();
        }
        Ok(())
    }

    /// Writes one message with its header, and gives the bytes of the frame. The bytes of the header
    /// beside the length stay as they are in `out`.
    ///
    /// # Errors
    /// [`EncodeError::Range`] if the message is longer than the length can count. [`EncodeError::Room`] if
    /// `out` is shorter than the frame. [`EncodeError::Order`] if the message writes fewer bytes than
    /// [`Encode::encoded_len`] announces. Any error of [`Encode::encode`].
    ///
    /// ```
    /// use tickwire_codecs::framing::{ByteOrder, LengthField};
    /// use tickwire_codecs::itch::{SoupBinTcp, SoupPacket};
    /// let mut out = [0; 8];
    /// let framing = LengthField::u16(ByteOrder::Big);
    /// let packet = SoupPacket::Unsequenced(b"hi");
    /// assert_eq!(framing.encode::<SoupBinTcp>(&packet, &mut out)?, 5);
    /// assert_eq!(out[..5], *b"\0\x03Uhi");
    /// # Ok::<(), tickwire_codecs::EncodeError>(())
    /// ```
    pub fn encode<C: Codec>(
        &self,
        message: &impl Encode<C>,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let (start, len) = (usize::from(self.message_at), message.encoded_len());
        let (need, have) = (start + len, out.len());
        self.length_of(need)?;
        let room = EncodeError::Room { need, have };
        // Exactly `len` bytes: a message cannot write past the end that its length gives.
        let frame = out.get_mut(..need).ok_or(room)?;
        let place = frame.get_mut(start..).ok_or(room)?;
        if message.encode(place)? != len {
            return Err(EncodeError::Order {
                what: "encode() to write encoded_len() bytes",
            });
        }
        self.write_length(frame)?;
        Ok(need)
    }

    /// The value of the length in a frame of `frame_bytes`.
    fn length_of(&self, frame_bytes: usize) -> Result<u64, EncodeError> {
        let need = self.header_bytes();
        if frame_bytes < need {
            let have = frame_bytes;
            return Err(EncodeError::Room { need, have });
        }
        let length = frame_bytes as u64 - u64::from(self.uncounted);
        let max = match self.width {
            Width::U16 => u16::MAX.into(),
            Width::U32 => u32::MAX,
        };
        if length > max.into() {
            return Err(EncodeError::Range {
                what: "frame length",
                got: length,
            });
        }
        Ok(length)
    }

    const fn width_bytes(&self) -> usize {
        match self.width {
            Width::U16 => 2,
            Width::U32 => 4,
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<u64, DecodeError> {
        let at = usize::from(self.at);
        Ok(match (self.width, self.order) {
            (Width::U16, ByteOrder::Little) => u16::from_le_bytes(*slice::part(bytes, at)?).into(),
            (Width::U16, ByteOrder::Big) => u16::from_be_bytes(*slice::part(bytes, at)?).into(),
            (Width::U32, ByteOrder::Little) => u32::from_le_bytes(*slice::part(bytes, at)?).into(),
            (Width::U32, ByteOrder::Big) => u32::from_be_bytes(*slice::part(bytes, at)?).into(),
        })
    }
}

impl Framing for LengthField {
    /// # Errors
    /// [`DecodeError::Short`] if the frame is incomplete. [`DecodeError::Wrong`] if the length is smaller
    /// than the header that it counts. [`DecodeError::Limit`] if the message is longer than `max_msg`, even
    /// if the frame is incomplete.
    #[inline]
    fn split(&self, bytes: &[u8], limits: &Limits) -> Result<Cut, DecodeError> {
        let length = self.read(bytes)?;
        let end = length + u64::from(self.uncounted);
        if end < u64::from(self.header) {
            let at = usize::from(self.at);
            return Err(DecodeError::wrong(at, "frame length", length));
        }
        // A length that `usize` cannot hold is above every limit.
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        let start = usize::from(self.message_at);
        limits
            .check_msg(end - start)
            .map_err(|error| error.shifted(self.at.into()))?;
        slice::span(bytes, 0, end)?;
        Ok(Cut {
            start,
            end,
            next: end,
        })
    }
}

/// Encoding types of the Simple Open Framing Header (SOFH 1.1 RC1, "Encoding_Type field").
pub mod sofh {
    /// SBE 1.0, big-endian.
    pub const SBE_1_BIG: u16 = 0x5BE0;
    /// SBE 1.0, little-endian.
    pub const SBE_1_LITTLE: u16 = 0xEB50;
    /// SBE 2.0, big-endian.
    pub const SBE_2_BIG: u16 = 0x5BE1;
    /// SBE 2.0, little-endian.
    pub const SBE_2_LITTLE: u16 = 0xEB51;
    /// The value that CME iLink 3 uses for SBE 1.0, little-endian.
    pub const CME: u16 = 0xCAFE;
}
