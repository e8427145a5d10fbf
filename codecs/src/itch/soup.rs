//! SoupBinTCP: sequenced messages, logins and heartbeats over a byte stream.
//!
//! ```text
//! | len: u16 | type: 1 | payload: len - 1 |
//! ```
//!
//! Source: "SoupBinTCP Version 4.10" (Nasdaq, 2012), section 2 (the document also
//! calls itself 4.1). The length is big-endian and counts the type.
//! [`LengthField::u16`](crate::framing::LengthField::u16) splits a buffer ([`Batch`](crate::Batch)) or a
//! stream ([`Reassembler`](crate::Reassembler)) into packets; the codec reads one packet without its
//! length.
//!
//! Three versions are in use. Since version 4.00 the server may send unsequenced packets. Version 4.10
//! adds the heartbeat timeout at the end of the login request: 51 bytes behind the type instead of 46.
//! The length of the request is the only sign of its version, so the codec reads both lengths and the
//! timeout is an `Option`. A client writes the login request of the version of its venue: without a
//! timeout for 3.00 and 4.00.
//!
//! ```
//! use tickwire_codecs::framing::{ByteOrder, LengthField};
//! use tickwire_codecs::{Batch, Codec, Encode, Limits};
//! use tickwire_codecs::itch::{HeartbeatTimeout, LoginRequest, SoupBinTcp, SoupPacket};
//! let stream = b"\x00\x01H\x00\x03Shi";
//! let mut packets = Batch::new(stream, LengthField::u16(ByteOrder::Big), &Limits::FEED).views::<SoupBinTcp>();
//! assert_eq!(packets.next().unwrap()?, SoupPacket::ServerHeartbeat);
//! assert_eq!(packets.next().unwrap()?, SoupPacket::Sequenced(b"hi"));
//! // A login to the current session, from its first message on, with a timeout of 15 seconds.
//! let login = LoginRequest::new("trader", "secret", "", 1).unwrap();
//! let timeout = HeartbeatTimeout::new(15_000).unwrap();
//! let packet = SoupPacket::LoginRequest { login: &login, heartbeat_timeout: Some(&timeout) };
//! let mut wire = [0; 54];
//! assert_eq!(LengthField::u16(ByteOrder::Big).encode::<SoupBinTcp>(&packet, &mut wire), Ok(54));
//! assert_eq!(wire[..19], *b"\x00\x34Ltradersecret    ");
//! assert!(wire.ends_with(b"                   115000"));
//! # Ok::<(), tickwire_codecs::DecodeError>(())
//! ```

use super::Digits;
use crate::{
    Chars, Code, Codec, DecodeError, Encode, EncodeError, Known, Limits, ToJson, WireId, family,
    json, slice,
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
    /// The session of the login, padded with spaces on the left.
    pub session: Chars<10>,
    /// Sequence number of the next sequenced packet.
    pub sequence: Digits<20>,
}

/// Payload of a login request packet of versions 3.00 and 4.00. In version 4.10 a [`HeartbeatTimeout`]
/// follows it.
///
/// The `Debug` and JSON forms omit the password, because they may end in logs.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct LoginRequest {
    /// User name, padded with spaces on the right; not case-sensitive.
    pub username: Chars<6>,
    /// Password, padded with spaces on the right; not case-sensitive.
    pub password: Chars<10>,
    /// Requested session; blank for the current session.
    pub session: Chars<10>,
    /// First requested sequence number; 0 for the newest message.
    pub sequence: Digits<20>,
}

/// The time in milliseconds after which the server closes a connection without packets from the client. The
/// last field of a login request of version 4.10.
pub type HeartbeatTimeout = Digits<5>;

/// The session without padding. Servers pad on the left, clients on either side.
fn session(field: &Chars<10>) -> Option<&str> {
    core::str::from_utf8(super::field::without_spaces(field.bytes())).ok()
}

/// Text padded with spaces on the left; `None` if it is longer than N bytes.
fn right_justified<const N: usize>(text: &str) -> Option<Chars<N>> {
    let mut bytes = [b' '; N];
    let from = N.checked_sub(text.len())?;
    bytes.get_mut(from..)?.copy_from_slice(text.as_bytes());
    Some(Chars::new(bytes))
}

impl LoginAccepted {
    /// A payload; `None` if the session is longer than 10 bytes.
    #[must_use]
    pub fn new(session: &str, sequence: u64) -> Option<Self> {
        Some(Self {
            session: right_justified(session)?,
            sequence: Digits::new(sequence)?,
        })
    }

    /// The session without padding, for the next login request. `None` if the session is not UTF-8.
    #[must_use]
    pub fn session_text(&self) -> Option<&str> {
        session(&self.session)
    }
}

impl LoginRequest {
    /// A payload; `None` if a text is longer than its field. An empty session requests the current session.
    /// The session is padded on the left, as servers write it.
    #[must_use]
    pub fn new(username: &str, password: &str, session: &str, sequence: u64) -> Option<Self> {
        Some(Self {
            username: Chars::spaced(username)?,
            password: Chars::spaced(password)?,
            session: right_justified(session)?,
            sequence: Digits::new(sequence)?,
        })
    }

    /// The requested session without padding; empty for the current session. `None` if it is not UTF-8.
    #[must_use]
    pub fn session_text(&self) -> Option<&str> {
        session(&self.session)
    }
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest")
            .field("username", &self.username)
            .field("session", &self.session)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// The reason of a rejected login.
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
///
/// In a packet from the codec every [`Digits`] has a [`value`](Digits::value). Encoding refuses a packet
/// that a program built with other bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SoupPacket<'a> {
    /// Text for people; programs ignore it.
    Debug(&'a [u8]),
    /// The server accepts the login.
    LoginAccepted(&'a LoginAccepted),
    /// The server rejects the login and closes the connection.
    LoginRejected(Code<RejectReason>),
    /// One sequenced message.
    Sequenced(&'a [u8]),
    /// A heartbeat of the server.
    ServerHeartbeat,
    /// The session has ended.
    EndOfSession,
    /// The client logs in.
    LoginRequest {
        /// The fields of every version.
        login: &'a LoginRequest,
        /// The field of version 4.10; `None` for a peer of version 3.00 or 4.00.
        heartbeat_timeout: Option<&'a HeartbeatTimeout>,
    },
    /// One unsequenced message, from the client or, since version 4.00, from the server.
    Unsequenced(&'a [u8]),
    /// A heartbeat of the client.
    ClientHeartbeat,
    /// The client logs out.
    LogoutRequest,
}

impl SoupPacket<'_> {
    /// The byte of the packet type.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Debug(_) => b'+',
            Self::LoginAccepted(_) => b'A',
            Self::LoginRejected(_) => b'J',
            Self::Sequenced(_) => b'S',
            Self::ServerHeartbeat => b'H',
            Self::EndOfSession => b'Z',
            Self::LoginRequest { .. } => b'L',
            Self::Unsequenced(_) => b'U',
            Self::ClientHeartbeat => b'R',
            Self::LogoutRequest => b'O',
        }
    }

    /// Calls `use_it` with the two parts of the payload behind the byte of the type.
    fn with_payload<R>(&self, use_it: impl FnOnce(&[u8], &[u8]) -> R) -> R {
        match self {
            Self::Debug(bytes) | Self::Sequenced(bytes) | Self::Unsequenced(bytes) => {
                use_it(bytes, &[])
            }
            Self::LoginAccepted(accepted) => use_it(accepted.as_bytes(), &[]),
            Self::LoginRequest {
                login,
                heartbeat_timeout,
            } => {
                let timeout = heartbeat_timeout.map_or(&[][..], IntoBytes::as_bytes);
                use_it(login.as_bytes(), timeout)
            }
            Self::LoginRejected(reason) => use_it(&[reason.byte()], &[]),
            Self::ServerHeartbeat
            | Self::EndOfSession
            | Self::ClientHeartbeat
            | Self::LogoutRequest => use_it(&[], &[]),
        }
    }

    /// The first number field with an invalid number: its offset and its error.
    fn not_a_number(&self) -> Option<(usize, &'static str, u8)> {
        const SEQUENCE: &str = "sequence number";
        match self {
            Self::LoginAccepted(accepted) => accepted.sequence.wrong_at().map(|(at, byte)| {
                let field = 1 + size_of_val(&accepted.session);
                (field + at, SEQUENCE, byte)
            }),
            Self::LoginRequest {
                login,
                heartbeat_timeout,
            } => {
                let end = 1 + size_of_val(*login);
                let sequence = login
                    .sequence
                    .wrong_at()
                    .map(|(at, byte)| (end - size_of_val(&login.sequence) + at, SEQUENCE, byte));
                let timeout = || heartbeat_timeout.and_then(|timeout| timeout.wrong_at());
                sequence
                    .or_else(|| timeout().map(|(at, byte)| (end + at, "heartbeat timeout", byte)))
            }
            _ => None,
        }
    }
}

/// Reads the payload of a login request. Its length determines its version.
fn login_request(payload: &[u8]) -> Result<SoupPacket<'_>, DecodeError> {
    let login = slice::part::<LoginRequest>(payload, 0)?;
    let rest = payload.get(size_of::<LoginRequest>()..).unwrap_or_default();
    let heartbeat_timeout = match rest {
        [] => None,
        rest => {
            let timeout = slice::whole::<HeartbeatTimeout>(rest);
            Some(timeout.map_err(|error| error.shifted(size_of::<LoginRequest>()))?)
        }
    };
    Ok(SoupPacket::LoginRequest {
        login,
        heartbeat_timeout,
    })
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
        let packet = match kind {
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
            b'L' => login_request(payload).map_err(moved),
            b'U' => Ok(SoupPacket::Unsequenced(payload)),
            b'R' => empty(SoupPacket::ClientHeartbeat),
            b'O' => empty(SoupPacket::LogoutRequest),
            _ => Err(DecodeError::wrong(0, "SoupBinTCP packet type", kind.into())),
        }?;
        match packet.not_a_number() {
            Some((at, what, byte)) => Err(DecodeError::wrong(at, what, byte.into())),
            None => Ok(packet),
        }
    }
}

impl Encode<SoupBinTcp> for SoupPacket<'_> {
    fn encoded_len(&self) -> usize {
        1 + self.with_payload(|front, back| front.len() + back.len())
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        if let Some((_, what, byte)) = self.not_a_number() {
            let got = byte.into();
            return Err(EncodeError::Range { what, got });
        }
        let (need, have) = (self.encoded_len(), out.len());
        let room = EncodeError::Room { need, have };
        let (kind, rest) = out.split_first_mut().ok_or(room)?;
        self.with_payload(|front, back| {
            let place = rest.get_mut(..front.len() + back.len()).ok_or(room)?;
            let (first, second) = place.split_at_mut(front.len());
            first.copy_from_slice(front);
            second.copy_from_slice(back);
            *kind = self.kind();
            Ok(need)
        })
    }
}

impl ToJson for SoupPacket<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object.field("type", &Code::<RejectReason>::raw(self.kind()))?;
        match self {
            Self::LoginAccepted(accepted) => {
                object
                    .field("session", &accepted.session)?
                    .field("sequence", &accepted.sequence)?;
            }
            Self::LoginRequest {
                login,
                heartbeat_timeout,
            } => {
                object
                    .field("username", &login.username)?
                    .field("session", &login.session)?
                    .field("sequence", &login.sequence)?
                    .field("heartbeat_timeout_ms", heartbeat_timeout)?;
            }
            Self::LoginRejected(reason) => {
                object.field("reason", reason)?;
            }
            Self::Debug(payload) | Self::Sequenced(payload) | Self::Unsequenced(payload) => {
                object.field("payload", &json::Hex(payload))?;
            }
            Self::ServerHeartbeat
            | Self::EndOfSession
            | Self::ClientHeartbeat
            | Self::LogoutRequest => {}
        }
        object.end()
    }
}
