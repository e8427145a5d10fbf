//! Envelopes that venues put around SBE messages: length fields of every kind, and packet headers.
//!
//! ```text
//! stream or packet  | length field | message | length field | message | ...
//! packet            | packet header | messages, each behind a length field, or one behind the other |
//! ```
//!
//! A [`LengthField`] says where the length of a frame stands, what it counts and where the message
//! begins, and is a [`Framing`] for [`Batch`](crate::Batch) and
//! [`Reassembler`](crate::Reassembler). A [`Packet`] is what comes before the frames of a datagram.
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

use crate::{Cut, DecodeError, EncodeError, Framing, Limits, slice};

pub use packets::{B3Packet, CmePacket, CoinbasePacket, DeribitPacket, MemxPacket, Packet};

/// Order of the bytes of a length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Lowest byte first.
    Little,
    /// Highest byte first: network order.
    Big,
}

/// Bytes of a length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
}

/// A frame that says its own length.
///
/// ```text
/// | before: at bytes | length | rest of the header | message |
/// |<-- message_at -------------------------------->|
/// |<-- uncounted + length ------------------------------------>|
/// ```
///
/// ```
/// use tickwire_codecs::framing::{LengthField, Order};
/// use tickwire_codecs::{Batch, Limits};
///
/// // A 32-bit length that counts itself, in network order: 4 + 2 bytes.
/// let framing = LengthField::u32(Order::Big).counting_itself();
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
    order: Order,
    uncounted: u8,
    header: u8,
    message_at: u8,
}

impl LengthField {
    /// A 16-bit length of the message alone.
    #[must_use]
    pub const fn u16(order: Order) -> Self {
        Self::prefix(Width::U16, 2, order)
    }

    /// A 32-bit length of the message alone.
    #[must_use]
    pub const fn u32(order: Order) -> Self {
        Self::prefix(Width::U32, 4, order)
    }

    const fn prefix(width: Width, size: u8, order: Order) -> Self {
        Self {
            at: 0,
            width,
            order,
            uncounted: size,
            header: size,
            message_at: size,
        }
    }

    /// The Simple Open Framing Header in network order:
    /// `| length of all: u32 | encoding type: u16 | message |`. The type is not looked at:
    /// [`Self::encoding_type`] gives it.
    pub const SOFH: Self = Self::u32(Order::Big).counting_itself().with_header(6);
    /// The same in little-endian order, which version 1.1 allows where both ends agree.
    pub const SOFH_LITTLE: Self = Self::u32(Order::Little).counting_itself().with_header(6);
    /// The short form of B3 and of CME's iLink 3, little-endian:
    /// `| length of all: u16 | encoding type: u16 | message |`.
    pub const SOFH_SHORT: Self = Self::u16(Order::Little).counting_itself().with_header(4);
    /// Coinbase Derivatives' orders, little-endian: `| protocol: u8 | flags: u8 | length of all: u16 |
    /// sequence: u32 | last processed: u32 | reserved: u32 | time: i64 | message |`.
    pub const COINBASE_ORDERS: Self = Self {
        at: 2,
        ..Self::u16(Order::Little).counting_itself().with_header(24)
    };
    /// MEMX-TCP, in network order: `| type: u8 | length: u16 | message: length bytes |`. Types
    /// [`Self::MEMX_SEQUENCED`] and [`Self::MEMX_UNSEQUENCED`] are SBE, all others of the session.
    pub const MEMX_TCP: Self = Self {
        at: 1,
        uncounted: 3,
        ..Self::u16(Order::Big).with_header(3)
    };

    /// The type of MEMX-TCP's sequenced messages, byte 0 of a frame.
    pub const MEMX_SEQUENCED: u8 = 11;
    /// The type of MEMX-TCP's unsequenced messages.
    pub const MEMX_UNSEQUENCED: u8 = 104;

    /// The same length, with itself and the header before the message counted in.
    #[must_use]
    pub const fn counting_itself(self) -> Self {
        Self {
            uncounted: 0,
            ..self
        }
    }

    /// A header of that many bytes before the message, the length included.
    #[must_use]
    const fn with_header(self, bytes: u8) -> Self {
        Self {
            header: bytes,
            message_at: bytes,
            ..self
        }
    }

    /// The same frames, with the header as part of the message: for a schema whose message header
    /// declares what stands before `blockLength` (Coinbase Derivatives' `frameLength`).
    #[must_use]
    pub const fn keeping_header(self) -> Self {
        Self {
            message_at: 0,
            ..self
        }
    }

    /// Bytes of the header, the length included.
    #[must_use]
    pub const fn header_bytes(&self) -> usize {
        self.header as usize
    }

    /// The encoding type of a SOFH frame: the two bytes behind the length, in its order. `None` where the
    /// frame is cut or the framing has no such field.
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
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        })
    }

    /// Writes the length of a frame that is laid out already, header and message; the other bytes of
    /// the header are the caller's.
    ///
    /// # Errors
    /// [`EncodeError::Room`] where the frame is shorter than its header, [`EncodeError::Range`] where
    /// it is longer than the length can say.
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
        let need = self.header_bytes().max(usize::from(self.uncounted));
        let room = EncodeError::Room { need, have };
        let counted = have.checked_sub(need).ok_or(room)? + need - usize::from(self.uncounted);
        let range = |_| EncodeError::Range {
            what: "frame bytes",
            got: counted as u64,
        };
        let at = usize::from(self.at);
        let field = frame.get_mut(at..at + self.width_bytes()).ok_or(room)?;
        match self.width {
            Width::U16 => {
                let n = u16::try_from(counted).map_err(range)?;
                field.copy_from_slice(&match self.order {
                    Order::Little => n.to_le_bytes(),
                    Order::Big => n.to_be_bytes(),
                });
            }
            Width::U32 => {
                let n = u32::try_from(counted).map_err(range)?;
                field.copy_from_slice(&match self.order {
                    Order::Little => n.to_le_bytes(),
                    Order::Big => n.to_be_bytes(),
                });
            }
        }
        Ok(())
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
            (Width::U16, Order::Little) => u16::from_le_bytes(*slice::part(bytes, at)?).into(),
            (Width::U16, Order::Big) => u16::from_be_bytes(*slice::part(bytes, at)?).into(),
            (Width::U32, Order::Little) => u32::from_le_bytes(*slice::part(bytes, at)?).into(),
            (Width::U32, Order::Big) => u32::from_be_bytes(*slice::part(bytes, at)?).into(),
        })
    }
}

impl Framing for LengthField {
    /// # Errors
    /// [`DecodeError::Wrong`] for a length that does not hold the header that it counts,
    /// [`DecodeError::Limit`] for a message longer than `max_msg`, before its bytes are waited for.
    #[inline]
    fn split(&self, bytes: &[u8], limits: &Limits) -> Result<Cut, DecodeError> {
        let length = self.read(bytes)?;
        let end = length + u64::from(self.uncounted);
        if end < u64::from(self.header) {
            let at = usize::from(self.at);
            return Err(DecodeError::wrong(at, "frame length", length));
        }
        // More than `usize` holds is above every limit.
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
    /// CME's own value, in iLink 3: SBE 1.0, little-endian.
    pub const CME: u16 = 0xCAFE;
}
