//! SoupBinTCP: sequenced messages, logins and heartbeats over a byte stream.
//!
//! ```text
//! | len: u16 | type: 1 | payload: len - 1 |
//! ```
//!
//! Source: "SoupBinTCP Version 4.10" (Nasdaq, 2012), section 2, which also names itself 4.1; the
//! length is big-endian and counts the type. [`LenPrefix16::Big`](crate::LenPrefix16) cuts the packets
//! out of a buffer ([`Batch`](crate::Batch)) or a stream ([`Reassembler`](crate::Reassembler)); the
//! codec reads what lies between, from the type on.
//!
//! Three versions are in use and differ in two places. Version 4.00 lets the server send unsequenced
//! packets too. Version 4.10 adds the heartbeat timeout to the end of the login request: a client of
//! 4.10 sends 51 bytes behind the type, one of 3.00 or 4.00 sends 46. A server learns the version only
//! from that length, so the codec reads both and the timeout is an `Option`; any other length is
//! refused. A client writes the login of the version that its venue speaks: without a timeout the
//! bytes are those of 3.00 and 4.00.
//!
//! ```
//! use tickwire_codecs::{Batch, Codec, Encode, LenPrefix16, Limits};
//! use tickwire_codecs::itch::{HeartbeatTimeout, LoginRequest, SoupBinTcp, SoupPacket};
//! let stream = b"\x00\x01H\x00\x03Shi";
//! let mut packets = Batch::new(stream, LenPrefix16::Big, &Limits::FEED).views::<SoupBinTcp>();
//! assert_eq!(packets.next().unwrap()?, SoupPacket::ServerHeartbeat);
//! assert_eq!(packets.next().unwrap()?, SoupPacket::Sequenced(b"hi"));
//! // A login to the current session, from its first message on, with a timeout of 15 seconds.
//! let login = LoginRequest::new("trader", "secret", "", 1).unwrap();
//! let timeout = HeartbeatTimeout::new(15_000).unwrap();
//! let packet = SoupPacket::LoginRequest { login: &login, heartbeat_timeout: Some(&timeout) };
//! let mut wire = [0; 54];
//! assert_eq!(LenPrefix16::Big.encode::<SoupBinTcp>(&packet, &mut wire), Ok(54));
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
    /// The session logged in to, filled up with spaces on the left.
    pub session: Chars<10>,
    /// Sequence number of the next sequenced packet.
    pub sequence: Digits<20>,
}

/// Payload of a login request packet as in versions 3.00 and 4.00; version 4.10 has a
/// [`HeartbeatTimeout`] behind it.
///
/// The password is left out of the `Debug` and JSON forms, which end in logs.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct LoginRequest {
    /// User name, filled up with spaces on the right; upper and lower case are the same.
    pub username: Chars<6>,
    /// Password, filled up with spaces on the right; upper and lower case are the same.
    pub password: Chars<10>,
    /// Wanted session; blank for the current one.
    pub session: Chars<10>,
    /// Wanted first sequence number; 0 for the message generated last.
    pub sequence: Digits<20>,
}

/// How long the server waits for a packet of the client before it takes the link for broken, in
/// milliseconds: the last field of a login request of version 4.10.
pub type HeartbeatTimeout = Digits<5>;

/// The session without the spaces around it: servers fill it up on the left, clients on either side.
fn session(field: &Chars<10>) -> Option<&str> {
    core::str::from_utf8(super::field::without_spaces(field.bytes())).ok()
}

/// Text filled up with spaces on the left; `None` where it is longer than N bytes.
fn right_justified<const N: usize>(text: &str) -> Option<Chars<N>> {
    let mut bytes = [b' '; N];
    let from = N.checked_sub(text.len())?;
    bytes.get_mut(from..)?.copy_from_slice(text.as_bytes());
    Some(Chars::new(bytes))
}

impl LoginAccepted {
    /// A payload; `None` where the session is longer than 10 bytes.
    #[must_use]
    pub fn new(session: &str, sequence: u64) -> Option<Self> {
        Some(Self {
            session: right_justified(session)?,
            sequence: Digits::new(sequence)?,
        })
    }

    /// The session without the spaces around it: what to ask for on the next login. `None` where it
    /// is no text.
    #[must_use]
    pub fn session_text(&self) -> Option<&str> {
        session(&self.session)
    }
}

impl LoginRequest {
    /// A payload; `None` where a text is longer than its field. An empty session is the current one.
    /// A session is written as the server writes it, filled up on the left.
    #[must_use]
    pub fn new(username: &str, password: &str, session: &str, sequence: u64) -> Option<Self> {
        Some(Self {
            username: Chars::spaced(username)?,
            password: Chars::spaced(password)?,
            session: right_justified(session)?,
            sequence: Digits::new(sequence)?,
        })
    }

    /// The wanted session without the spaces around it; empty for the current one, `None` where it is
    /// no text.
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
///
/// The numbers of a packet that was read are numbers: [`Digits::value`] gives them. A packet that was
/// built from other bytes is not written.
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
    LoginRequest {
        /// The fields of every version.
        login: &'a LoginRequest,
        /// The field of version 4.10; `None` from and for a peer of 3.00 or 4.00.
        heartbeat_timeout: Option<&'a HeartbeatTimeout>,
    },
    /// One message outside of the sequenced flow: from the client, and since version 4.00 from the
    /// server.
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
            Self::LoginRequest { .. } => b'L',
            Self::Unsequenced(_) => b'U',
            Self::ClientHeartbeat => b'R',
            Self::LogoutRequest => b'O',
        }
    }

    /// Runs `use_it` on the two pieces of the payload behind the type's byte.
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

    /// The first field that is to be a number and is none: its offset, and what it is.
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

/// Reads the payload of a login request, whose length tells its version.
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
