//! Errors of a connection, by cause: the peer broke a rule ([`Violation`]), the peer sent more than
//! a limit allows ([`Limit`]), a deadline passed ([`Deadline`]), or the application called a method
//! wrongly ([`SendError`]).

use core::fmt;

/// A close code as it stands in a Close frame (RFC 6455 section 7.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the connection has served its purpose.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server shuts down, or the browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke a rule of the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: this endpoint does not accept data of this type, for example text.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: a text message is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message violates a policy, and no other code fits.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message is larger than this endpoint accepts.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: the endpoint failed with an internal error.
    pub const INTERNAL: Self = Self(1011);

    /// Whether a Close frame may carry the code: 1000-1003, 1007-1014 and 3000-4999.
    ///
    /// 1004-1006 and 1015 are reserved and never sent; the other codes are unassigned (RFC 6455
    /// section 7.4).
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A rule of RFC 6455 that the peer broke. The connection is closed with [`Self::close_code`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Violation {
    /// A client must mask every frame (section 5.1).
    UnmaskedFromClient,
    /// A server must not mask any frame (section 5.1).
    MaskedFromServer,
    /// A length must be encoded in its shortest form (section 5.2).
    LengthNotMinimal,
    /// The top bit of a 64-bit length must be zero (section 5.2).
    LengthTopBit,
    /// RSV1-3 must be zero unless an extension gives them a meaning (section 5.2).
    ReservedBits,
    /// Opcodes 3-7 and 11-15 are reserved (section 5.2).
    ReservedOpcode(u8),
    /// A control frame carries at most 125 bytes (section 5.5).
    ControlTooLong,
    /// A control frame must not be fragmented (section 5.5).
    ControlFragmented,
    /// A message must not begin before the previous message is complete (section 5.4).
    DataInsideMessage,
    /// A continuation frame must continue a message (section 5.4).
    OrphanContinuation,
    /// Text and the reason in a Close must be UTF-8 (sections 5.6 and 5.5.1).
    InvalidUtf8,
    /// The body of a Close must not be one byte: a code has two (section 5.5.1).
    CloseBodyOfOneByte,
    /// The code in a Close must be one that may be sent (section 7.4): see
    /// [`CloseCode::is_sendable`].
    InvalidCloseCode(u16),
}

impl Violation {
    /// The code with which this endpoint closes the connection: 1007 for bad UTF-8, else 1002.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 => CloseCode::INVALID_DATA,
            _ => CloseCode::PROTOCOL,
        }
    }

    /// The text of the rule, for the application and for the reason in the Close (at most 123 bytes).
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::UnmaskedFromClient => "a client must mask its frames",
            Self::MaskedFromServer => "a server must not mask its frames",
            Self::LengthNotMinimal => "a frame length must be encoded in its shortest form",
            Self::LengthTopBit => "the top bit of a 64-bit length must be zero",
            Self::ReservedBits => "reserved bits must be zero: no extension was agreed on",
            Self::ReservedOpcode(_) => "opcodes 3-7 and 11-15 are reserved",
            Self::ControlTooLong => "a control frame carries at most 125 bytes",
            Self::ControlFragmented => "a control frame must not be fragmented",
            Self::DataInsideMessage => {
                "a message must not begin before the previous one is complete"
            }
            Self::OrphanContinuation => "a continuation frame must continue a message",
            Self::InvalidUtf8 => "text must be UTF-8",
            Self::CloseBodyOfOneByte => {
                "the body of a Close must be empty, or begin with a code of two bytes"
            }
            Self::InvalidCloseCode(_) => "a Close must not carry this code",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())?;
        match self {
            Self::ReservedOpcode(op) => write!(f, " ({op:#x})"),
            Self::InvalidCloseCode(code) => write!(f, " ({code})"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for Violation {}

/// A limit of this endpoint that the peer exceeded. The connection is closed with 1009.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Limit {
    /// A message is longer than `message_bytes_max`. Found at the frame header that exceeds it.
    Message {
        /// Bytes of the message up to the end of that frame.
        len: u64,
        /// `Config::message_bytes_max`.
        max: u64,
    },
    /// A frame is longer than `frame_bytes_max`.
    Frame {
        /// Payload bytes according to the frame header.
        len: u64,
        /// `Config::frame_bytes_max`.
        max: u64,
    },
    /// A message has more frames than `fragments_max`.
    Fragments {
        /// `Config::fragments_max`.
        max: u32,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { len, max } => {
                write!(
                    f,
                    "a message of at least {len} bytes; Config::message_bytes_max is {max}"
                )
            }
            Self::Frame { len, max } => {
                write!(
                    f,
                    "a frame of {len} bytes; Config::frame_bytes_max is {max}"
                )
            }
            Self::Fragments { max } => {
                write!(
                    f,
                    "a message of more than {max} fragments (Config::fragments_max)"
                )
            }
        }
    }
}

impl core::error::Error for Limit {}

/// A deadline that passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Deadline {
    /// The connection was not established within `Connector::connect_timeout`.
    Connect,
    /// The opening handshake took longer than `handshake_timeout`.
    Handshake,
    /// No Pong came within `pong_timeout` after a Ping of this end.
    Pong,
    /// No byte came from the peer for `idle_timeout`.
    Idle,
    /// The closing handshake took longer than `close_timeout`.
    Close,
    /// Output waited, and the socket accepted no byte of it for `write_timeout`.
    Write,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => {
                "the peer did not accept the connection within Connector::connect_timeout: check its address, and firewalls on the way"
            }
            Self::Handshake => {
                "the peer did not complete the opening handshake within Config::handshake_timeout: check that it is a WebSocket endpoint, and its load"
            }
            Self::Pong => {
                "the peer answered no Ping within Config::pong_timeout: the peer hangs, or the network is down; connect again"
            }
            Self::Idle => {
                "the peer sent nothing for Config::idle_timeout: the peer hangs, or the network is down; connect again"
            }
            Self::Close => {
                "the peer did not complete the closing handshake within Config::close_timeout: messages near the end may be lost"
            }
            Self::Write => {
                "the peer read none of the queued output for Config::write_timeout: the peer is too slow, or the network is down; connect again"
            }
        })
    }
}

impl core::error::Error for Deadline {}

/// Why a connection ended without a closing handshake. A clean close is not a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke a rule of RFC 6455.
    Violation(Violation),
    /// The peer exceeded a limit of this end.
    Limit(Limit),
    /// The peer missed a deadline.
    Deadline(Deadline),
    /// The stream ended without a Close frame (code 1006 in RFC 6455 section 7.1.5).
    Eof,
    /// Reading or writing the stream failed. The driver reports the error of the operating system
    /// instead: as [`Error::Io`](crate::Error), or [`Ended::Io`](crate::reactor::Ended).
    Io,
}

impl Failure {
    /// The code sent to the peer, if one is sent.
    #[must_use]
    pub const fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::Violation(v) => Some(v.close_code()),
            Self::Limit(_) => Some(CloseCode::TOO_BIG),
            Self::Deadline(Deadline::Idle | Deadline::Pong) => Some(CloseCode::GOING_AWAY),
            Self::Deadline(_) | Self::Eof | Self::Io => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(v) => write!(f, "the peer broke a rule of RFC 6455: {v}; correct the peer"),
            Self::Limit(l) => write!(f, "the peer sent {l}; raise the limit if messages of this size are expected"),
            Self::Deadline(d) => d.fmt(f),
            Self::Eof => f.write_str(
                "the stream ended without a Close frame: the peer or a network device between cut the connection; connect again",
            ),
            Self::Io => f.write_str(
                "reading or writing the stream failed, and the connection is lost; connect again",
            ),
        }
    }
}

impl core::error::Error for Failure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Violation(v) => Some(v),
            Self::Limit(l) => Some(l),
            Self::Deadline(d) => Some(d),
            Self::Eof | Self::Io => None,
        }
    }
}

impl From<Violation> for Failure {
    fn from(v: Violation) -> Self {
        Self::Violation(v)
    }
}

impl From<Limit> for Failure {
    fn from(l: Limit) -> Self {
        Self::Limit(l)
    }
}

/// How a connection ended: the first cause, which all later calls report.
///
/// If the peer sent a Close before the stream failed, that Close is the cause, even when it is read
/// after the failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By a closing handshake, which the peer or this endpoint started (RFC 6455 section 7.1.4).
    Closed {
        /// The code in the Close of the peer. `None` if the Close has no code (1005 in RFC 6455).
        code: Option<CloseCode>,
        /// The peer started the closing handshake.
        by_peer: bool,
    },
    /// Without a closing handshake, for this reason.
    Failed(Failure),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, by_peer) = match self {
            Self::Closed { code, by_peer } => (code, *by_peer),
            Self::Failed(failure) => return failure.fmt(f),
        };
        f.write_str(if by_peer {
            "the peer closed the WebSocket"
        } else {
            "this end closed the WebSocket"
        })?;
        match code {
            Some(code) if by_peer => write!(f, " with {code}"),
            Some(code) => write!(f, "; the peer answered {code}"),
            None => f.write_str(", and the peer's Close has no code"),
        }
    }
}

/// Why a send was refused. No byte of the message is queued or sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The send queue is full. Wait until it drains, then try again.
    QueueFull {
        /// Bytes in the queue.
        queued: usize,
        /// `Config::send_queue_bytes_max`.
        max: usize,
    },
    /// The frame alone is larger than the queue. Raise the limit, or send the message in parts.
    TooLarge {
        /// Bytes of the frame.
        len: usize,
        /// `Config::send_queue_bytes_max`.
        max: usize,
    },
    /// The closing handshake has begun, or the connection has ended. Nothing more can be sent.
    Closed,
    /// Ping and Pong carry at most 125 bytes, a close reason at most 123.
    ControlTooLong {
        /// Bytes given.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The close code must not be sent. Use 1000-1003, 1007-1014 or 3000-4999.
    InvalidCloseCode(u16),
    /// A message sent in parts is not complete. Send its last part before another message.
    MessageOpen,
    /// A part of a text message is not UTF-8.
    InvalidUtf8 {
        /// Offset in the part of the first invalid byte. The length of the part, if the last part
        /// ends inside a code point.
        at: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull { queued, max } => {
                write!(
                    f,
                    "the send queue is full: {queued} of {max} bytes are queued; send again when the queue has drained, or raise Config::send_queue_bytes_max"
                )
            }
            Self::TooLarge { len, max } => write!(
                f,
                "a frame of {len} bytes never fits in the send queue of {max} bytes: raise Config::send_queue_bytes_max, or send the message in parts"
            ),
            Self::Closed => f.write_str(
                "the connection is closing or closed: open a new connection to send more",
            ),
            Self::ControlTooLong { len, max } => {
                write!(
                    f,
                    "a Ping, Pong or close reason of {len} bytes is too long: shorten it to {max} bytes"
                )
            }
            Self::InvalidCloseCode(code) => write!(
                f,
                "close code {code} must not be sent: use 1000-1003, 1007-1014 or 3000-4999"
            ),
            Self::MessageOpen => f.write_str(
                "a message sent in parts is not complete: send its last part before another message",
            ),
            Self::InvalidUtf8 { at } => write!(
                f,
                "the text to send is not UTF-8 at byte {at}: correct the text, or send it as a binary message"
            ),
        }
    }
}

impl core::error::Error for SendError {}
