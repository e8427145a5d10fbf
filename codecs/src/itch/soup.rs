//! SoupBinTCP: sequenced messages, logins and heartbeats over a byte stream.
//!
//! ```text
//! | len: u16 | type: 1 | payload: len - 1 |
//! ```
//!
//! Source: "SoupBinTCP 4.1", Nasdaq, section 2; the length is big-endian and counts the type.
//! [`LenPrefix16::Big`](crate::LenPrefix16) cuts the packets out of a buffer
//! ([`Batch`](crate::Batch)) or a stream ([`Reassembler`](crate::Reassembler)); the codec reads what
//! lies between, from the type on.
//!
//! ```
//! use tickwire_codecs::{Batch, LenPrefix16, Limits, itch::{SoupBinTcp, SoupPacket}};
//! let stream = b"\x00\x01H\x00\x03Shi";
//! let mut packets = Batch::new(stream, LenPrefix16::Big, &Limits::FEED).views::<SoupBinTcp>();
//! assert_eq!(packets.next().unwrap()?, SoupPacket::ServerHeartbeat);
//! assert_eq!(packets.next().unwrap()?, SoupPacket::Sequenced(b"hi"));
//! # Ok::<(), tickwire_codecs::DecodeError>(())
//! ```

use crate::{
    Chars, Code, Codec, DecodeError, Encode, EncodeError, Known, Limits, ToJson, WireId,
    encode_bytes, family, json, slice,
};
use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One SoupBinTCP packet without its length field.
#[derive(Clone, Copy, Debug)]
pub enum SoupBinTcp {}

/// Payload of a login accepted packet.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct LoginAccepted {
    /// The session logged in to, filled up on the left.
    pub session: Chars<10>,
    /// Sequence number of the next sequenced packet: decimal text, filled up on the left.
    pub sequence: Chars<20>,
}

/// Payload of a login request packet.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct LoginRequest {
    /// User name.
    pub username: Chars<6>,
    /// Password.
    pub password: Chars<10>,
    /// Wanted session; blank for the current one.
    pub session: Chars<10>,
    /// Wanted first sequence number: decimal text; 0 for the newest.
    pub sequence: Chars<20>,
}

/// The number in a field of decimal digits with spaces around it; `None` where it is none or does
/// not fit.
fn number(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

impl LoginAccepted {
    /// The sequence number; `None` where the field is no number.
    #[must_use]
    pub fn sequence_number(&self) -> Option<u64> {
        number(self.sequence.bytes())
    }
}

impl LoginRequest {
    /// The sequence number; `None` where the field is no number.
    #[must_use]
    pub fn sequence_number(&self) -> Option<u64> {
        number(self.sequence.bytes())
    }
}

/// Why a login was rejected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RejectReason {
    /// Invalid user name and password combination.
    NotAuthorized,
    /// The session is not available.
    SessionNotAvailable,
}

impl Known for RejectReason {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'A' => Some(Self::NotAuthorized),
            b'S' => Some(Self::SessionNotAvailable),
            _ => None,
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::NotAuthorized => b'A',
            Self::SessionNotAvailable => b'S',
        }
    }
}

/// A checked packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SoupPacket<'a> {
    /// Text for people; to be ignored by programs.
    Debug(&'a [u8]),
    /// The server accepts the login.
    LoginAccepted(&'a LoginAccepted),
    /// The server rejects the login and closes.
    LoginRejected(Code<RejectReason>),
    /// One message of the sequenced flow.
    Sequenced(&'a [u8]),
    /// The server is alive.
    ServerHeartbeat,
    /// The session is over.
    EndOfSession,
    /// The client logs in.
    LoginRequest(&'a LoginRequest),
    /// One message outside of the sequenced flow.
    Unsequenced(&'a [u8]),
    /// The client is alive.
    ClientHeartbeat,
    /// The client leaves.
    LogoutRequest,
}

impl SoupPacket<'_> {
    /// The packet type's byte.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Debug(_) => b'+',
            Self::LoginAccepted(_) => b'A',
            Self::LoginRejected(_) => b'J',
            Self::Sequenced(_) => b'S',
            Self::ServerHeartbeat => b'H',
            Self::EndOfSession => b'Z',
            Self::LoginRequest(_) => b'L',
            Self::Unsequenced(_) => b'U',
            Self::ClientHeartbeat => b'R',
            Self::LogoutRequest => b'O',
        }
    }

    /// Runs `use_it` on the payload behind the type's byte.
    fn with_payload<R>(&self, use_it: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Debug(bytes) | Self::Sequenced(bytes) | Self::Unsequenced(bytes) => use_it(bytes),
            Self::LoginAccepted(login) => use_it(login.as_bytes()),
            Self::LoginRequest(login) => use_it(login.as_bytes()),
            Self::LoginRejected(reason) => use_it(&[reason.byte()]),
            Self::ServerHeartbeat
            | Self::EndOfSession
            | Self::ClientHeartbeat
            | Self::LogoutRequest => use_it(&[]),
        }
    }
}

impl Codec for SoupBinTcp {
    const ID: WireId = WireId::new(family::ENVELOPE, 2);
    const VERSION: u16 = 0x0401;
    type View<'a> = SoupPacket<'a>;

    #[inline]
    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<SoupPacket<'a>, DecodeError> {
        limits.check_msg(bytes.len())?;
        let Some((&kind, payload)) = bytes.split_first() else {
            return Err(DecodeError::short(0, 1, 0));
        };
        let empty = |packet| match payload.len() {
            0 => Ok(packet),
            extra => Err(DecodeError::trailing(1, extra)),
        };
        let moved = |error: DecodeError| error.shifted(1);
        match kind {
            b'+' => Ok(SoupPacket::Debug(payload)),
            b'A' => slice::whole(payload)
                .map(SoupPacket::LoginAccepted)
                .map_err(moved),
            b'J' => slice::whole(payload)
                .map(|reason: &Code<RejectReason>| SoupPacket::LoginRejected(*reason))
                .map_err(moved),
            b'S' => Ok(SoupPacket::Sequenced(payload)),
            b'H' => empty(SoupPacket::ServerHeartbeat),
            b'Z' => empty(SoupPacket::EndOfSession),
            b'L' => slice::whole(payload)
                .map(SoupPacket::LoginRequest)
                .map_err(moved),
            b'U' => Ok(SoupPacket::Unsequenced(payload)),
            b'R' => empty(SoupPacket::ClientHeartbeat),
            b'O' => empty(SoupPacket::LogoutRequest),
            _ => Err(DecodeError::wrong(0, "SoupBinTCP packet type", kind.into())),
        }
    }
}

impl Encode<SoupBinTcp> for SoupPacket<'_> {
    fn encoded_len(&self) -> usize {
        1 + self.with_payload(<[u8]>::len)
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let (need, have) = (self.encoded_len(), out.len());
        let room = EncodeError::Room { need, have };
        let (kind, rest) = out.split_first_mut().ok_or(room)?;
        *kind = self.kind();
        self.with_payload(|payload| encode_bytes(payload, rest))
            .map_err(|_| room)?;
        Ok(need)
    }
}

impl ToJson for SoupPacket<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object.field("type", &Code::<RejectReason>::raw(self.kind()))?;
        let out = object.member("payload")?;
        self.with_payload(|payload| json::hex(out, payload))?;
        object.end()
    }
}
