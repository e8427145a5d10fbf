//! Errors of decoding and encoding: small values that allocate nothing.

use core::fmt;

/// The reason why a decoder refused bytes.
///
/// `at` is a byte offset from the start of the message or batch. An offset beyond 4 GiB is `u32::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input is too short: the field at `at` needs `need` bytes, and the input has `have`.
    Short {
        /// Offset of the field.
        at: u32,
        /// Bytes the field needs, counted from `at`.
        need: u64,
        /// Bytes present, counted from `at`.
        have: u64,
    },
    /// A field has a value that the format does not allow.
    Wrong {
        /// Offset of the field.
        at: u32,
        /// The field.
        what: &'static str,
        /// The value; sign-extended if the field is signed.
        got: u64,
    },
    /// A count or length exceeds [`Limits`](crate::Limits).
    Limit {
        /// Offset of the count or length.
        at: u32,
        /// The things counted.
        what: &'static str,
        /// The count or length in the input.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// The message ends at `at`, and `extra` bytes follow.
    Trailing {
        /// Offset of the first extra byte.
        at: u32,
        /// The number of extra bytes.
        extra: u64,
    },
    /// A text is not UTF-8.
    Utf8 {
        /// Offset of the first invalid byte.
        at: u32,
    },
    /// The message has another version of its format. Read it with the codec of version `got`, or refuse
    /// the peer.
    Version {
        /// Offset of the version field.
        at: u32,
        /// The version of this reader: [`Codec::VERSION`](crate::Codec::VERSION).
        want: u16,
        /// The version of the message.
        got: u16,
    },
    /// The nesting exceeds [`Limits::max_depth`](crate::Limits::max_depth).
    Depth {
        /// Offset of the item that opens one level too many.
        at: u32,
        /// The limit, in levels.
        max: u16,
    },
}

// The hot path returns this type by value.
const _: () = assert!(size_of::<DecodeError>() <= 40);

/// Converts an offset to the type of [`DecodeError::at`].
pub(crate) const fn offset(at: usize) -> u32 {
    if at > u32::MAX as usize {
        u32::MAX
    } else {
        at as u32
    }
}

impl DecodeError {
    /// [`Short`](Self::Short) from `usize` parts.
    #[cold]
    #[must_use]
    pub const fn short(at: usize, need: usize, have: usize) -> Self {
        Self::Short {
            at: offset(at),
            need: need as u64,
            have: have as u64,
        }
    }

    /// [`Wrong`](Self::Wrong) with a `usize` offset.
    #[cold]
    #[must_use]
    pub const fn wrong(at: usize, what: &'static str, got: u64) -> Self {
        Self::Wrong {
            at: offset(at),
            what,
            got,
        }
    }

    /// [`Limit`](Self::Limit) with a `usize` offset.
    #[cold]
    #[must_use]
    pub const fn limit(at: usize, what: &'static str, got: u64, max: u64) -> Self {
        Self::Limit {
            at: offset(at),
            what,
            got,
            max,
        }
    }

    /// [`Version`](Self::Version) with a `usize` offset.
    #[cold]
    #[must_use]
    pub const fn version(at: usize, want: u16, got: u16) -> Self {
        Self::Version {
            at: offset(at),
            want,
            got,
        }
    }

    /// [`Trailing`](Self::Trailing) from `usize` parts.
    #[cold]
    #[must_use]
    pub const fn trailing(at: usize, extra: usize) -> Self {
        Self::Trailing {
            at: offset(at),
            extra: extra as u64,
        }
    }

    /// The byte offset of the error.
    #[must_use]
    pub const fn at(&self) -> u32 {
        match *self {
            Self::Short { at, .. }
            | Self::Wrong { at, .. }
            | Self::Limit { at, .. }
            | Self::Trailing { at, .. }
            | Self::Utf8 { at }
            | Self::Version { at, .. }
            | Self::Depth { at, .. } => at,
        }
    }

    /// This error with `base` added to its offset: the error of a message that starts at byte `base` of a
    /// larger buffer.
    #[must_use]
    pub const fn shifted(mut self, base: usize) -> Self {
        match &mut self {
            Self::Short { at, .. }
            | Self::Wrong { at, .. }
            | Self::Limit { at, .. }
            | Self::Trailing { at, .. }
            | Self::Utf8 { at }
            | Self::Version { at, .. }
            | Self::Depth { at, .. } => *at = at.saturating_add(offset(base)),
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Short { at, need, have } => {
                write!(f, "byte {at}: {need} bytes needed, {have} available")
            }
            Self::Wrong { at, what, got } => {
                write!(f, "byte {at}: invalid {what}: {got} ({got:#x})")
            }
            Self::Limit { at, what, got, max } => {
                write!(f, "byte {at}: {got} {what} exceed the limit of {max}")
            }
            Self::Trailing { at, extra } => {
                write!(
                    f,
                    "byte {at}: the message ends here, but {extra} bytes follow"
                )
            }
            Self::Utf8 { at } => write!(f, "byte {at}: text is not UTF-8"),
            Self::Version { at, want, got } => {
                write!(
                    f,
                    "byte {at}: the message has version {got}, this reader reads version {want}"
                )
            }
            Self::Depth { at, max } => {
                write!(f, "byte {at}: nesting exceeds the limit of {max} levels")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// The reason why an encoder did not write a value. The content of the buffer is then unspecified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is too small. Pass a buffer of
    /// [`Encode::encoded_len`](crate::Encode::encoded_len) bytes.
    Room {
        /// Bytes that the value needs; a lower bound if the writer stopped before the end.
        need: usize,
        /// Bytes of the buffer.
        have: usize,
    },
    /// The format cannot represent a value.
    Range {
        /// The field.
        what: &'static str,
        /// The value; sign-extended if the field is signed.
        got: u64,
    },
    /// The calls of a writer came in an order that the format does not allow, such as fewer items than an
    /// array declares.
    Order {
        /// The call or state that the writer expected.
        what: &'static str,
    },
    /// A required value is not set and has no default.
    Missing {
        /// The field or member.
        what: &'static str,
    },
    /// A value equals the null value of its field. A reader would read it as `None`.
    Null {
        /// The field.
        what: &'static str,
    },
    /// The field cannot hold the value exactly. Round the value first.
    Inexact {
        /// The field.
        what: &'static str,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Room { need, have } => {
                write!(
                    f,
                    "{need} bytes needed, the buffer has {have}: pass a buffer of encoded_len() bytes"
                )
            }
            Self::Range { what, got } => write!(f, "{what} is out of range for this format: {got}"),
            Self::Order { what } => write!(f, "calls out of order: expected {what}"),
            Self::Missing { what } => write!(f, "{what} is not set and has no default: set it"),
            Self::Null { what } => {
                write!(
                    f,
                    "{what} has the null value of the schema: set None instead"
                )
            }
            Self::Inexact { what } => {
                write!(
                    f,
                    "{what} cannot hold this value exactly: round the value first"
                )
            }
        }
    }
}

impl core::error::Error for EncodeError {}
