//! The two traits that every format implements, and the identifier of a format.

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
    /// MQTT; the format is the protocol level of a CONNECT: 4 for MQTT 3.1.1, 5 for MQTT 5.
    pub const MQTT: u16 = 8;
    /// `#[derive(Wire)]`; the format is the application's own number of the type.
    pub const WIRE: u16 = 9;
    /// Envelopes around messages of other formats: 1 is MoldUDP64, 2 is SoupBinTCP, 3 is a request for
    /// messages of MoldUDP64.
    pub const ENVELOPE: u16 = 10;
    /// Offers and answers of this crate.
    pub const NEGOTIATION: u16 = 11;
    /// The first of the families that are free for applications.
    pub const PRIVATE: u16 = 0x8000;
}

/// The identifier of a format: the [`family`] in the upper 16 bits, the format in the lower 16 bits.
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

    /// Whether the format cannot evolve: messages do not describe their layout, so both ends need the same
    /// schema. This holds for bincode and [`family::WIRE`].
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

/// A wire format with messages that a program reads as borrowed views.
///
/// `view` is a pure function of the bytes and the limits. It does not allocate and does not panic. It makes
/// all checks, so the accessors of a view cannot fail on a required field.
pub trait Codec: 'static {
    /// The format, as an [`Offer`](crate::Offer) names it.
    const ID: WireId;
    /// The newest schema version that this codec supports; 0 if the format has no versions.
    const VERSION: u16;
    /// The checked message. It borrows the bytes.
    type View<'a>: Copy;

    /// Checks one whole message and returns its view.
    ///
    /// # Errors
    /// [`DecodeError`] with the offset of the first byte that breaks the format or the limits,
    /// or [`DecodeError::Trailing`] if the message is shorter than `bytes`.
    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Self::View<'a>, DecodeError>;
}

/// A value that can be written as a message of `C`: a view or a builder.
pub trait Encode<C: Codec> {
    /// The exact length of the message in bytes. Claim this many bytes in the send buffer.
    fn encoded_len(&self) -> usize;

    /// Writes the message at the start of `out` and returns its length.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is shorter than [`encoded_len`](Self::encoded_len). Another
    /// [`EncodeError`] if the format cannot represent the value.
    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError>;
}

/// Copies `bytes` to the start of `out` and returns their number. Views that hold the encoded message
/// implement [`Encode::encode`] with it.
///
/// # Errors
/// [`EncodeError::Room`] if `out` is shorter than `bytes`.
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
