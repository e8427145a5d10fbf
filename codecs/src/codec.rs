//! The two traits every format implements, and the identifier of a format.

use crate::{DecodeError, EncodeError, Limits};
use core::fmt;

/// Format families: the upper half of a [`WireId`].
pub mod family {
    /// Simple Binary Encoding; the format is the schema id.
    pub const SBE: u16 = 1;
    /// Nasdaq ITCH; the format is the version, `0x0500` for 5.0.
    pub const ITCH: u16 = 2;
    /// bincode: format 1 is `bincode-fix`, 2 is `bincode-var`.
    pub const BINCODE: u16 = 3;
    /// The telemetry batch of this crate.
    pub const TELEMETRY: u16 = 4;
    /// MessagePack.
    pub const MSGPACK: u16 = 5;
    /// CBOR.
    pub const CBOR: u16 = 6;
    /// Protocol Buffers; the format is the application's own number of the message.
    pub const PROTOBUF: u16 = 7;
    /// MQTT; the format is the protocol version.
    pub const MQTT: u16 = 8;
    /// `#[derive(Wire)]`; the format is the application's own number of the type.
    pub const WIRE: u16 = 9;
    /// Envelopes around messages of other formats: 1 is MoldUDP64, 2 is SoupBinTCP, 3 is a request for
    /// messages of MoldUDP64.
    pub const ENVELOPE: u16 = 10;
    /// Offers and answers of this crate.
    pub const NEGOTIATION: u16 = 11;
    /// From here on families belong to the application.
    pub const PRIVATE: u16 = 0x8000;
}

/// Which format a channel speaks: [`family`] in the upper 16 bits, format in the lower 16.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WireId(pub u32);

impl WireId {
    /// Joins the two halves.
    #[must_use]
    pub const fn new(family: u16, format: u16) -> Self {
        Self(((family as u32) << 16) | format as u32)
    }

    /// The upper half, one of [`family`].
    #[must_use]
    pub const fn family(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The lower half: the format inside its family.
    #[must_use]
    pub const fn format(self) -> u16 {
        self.0 as u16
    }

    /// Whether bytes of this format say nothing about their own layout and cannot grow, so both
    /// ends must hold the very same schema: bincode and [`family::WIRE`].
    #[must_use]
    pub const fn is_rigid(self) -> bool {
        matches!(self.family(), family::BINCODE | family::WIRE)
    }
}

impl fmt::Debug for WireId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireId({}:{:#06x})", self.family(), self.format())
    }
}

/// A wire format whose messages are read as borrowed views.
///
/// `view` is a pure function of the bytes and the limits, allocates nothing, and panics on no input.
/// All checks happen in it: accessors of the view cannot fail on a field that the message must have.
pub trait Codec: 'static {
    /// The format, as an [`Offer`](crate::Offer) names it.
    const ID: WireId;
    /// The newest schema version this code knows; 0 where the format has none.
    const VERSION: u16;
    /// The checked message; borrows the frame.
    type View<'a>: Copy;

    /// Checks one whole message and gives its view.
    ///
    /// # Errors
    /// [`DecodeError`] with the offset of the first byte that breaks the format or the limits,
    /// [`DecodeError::Trailing`] where the message is shorter than the slice.
    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Self::View<'a>, DecodeError>;
}

/// A value that can be written as a message of `C`: views and builders.
pub trait Encode<C: Codec> {
    /// Exact length of the message in bytes, known before any byte is written; this is what to claim
    /// in the send buffer.
    fn encoded_len(&self) -> usize;

    /// Writes the message at the start of `out` and gives its length.
    ///
    /// # Errors
    /// [`EncodeError::Room`] where `out` is shorter than [`encoded_len`](Self::encoded_len), another
    /// [`EncodeError`] where the value has no form on this wire.
    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError>;
}

/// Copies finished bytes to the start of `out`: what [`Encode::encode`] does for views that still
/// hold their wire form.
///
/// # Errors
/// [`EncodeError::Room`].
#[inline]
pub fn encode_bytes(bytes: &[u8], out: &mut [u8]) -> Result<usize, EncodeError> {
    let have = out.len();
    let Some(place) = out.get_mut(..bytes.len()) else {
        return Err(EncodeError::Room {
            need: bytes.len(),
            have,
        });
    };
    place.copy_from_slice(bytes);
    Ok(bytes.len())
}
