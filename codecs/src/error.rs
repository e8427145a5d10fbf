//! Errors of decoding and encoding: plain values without text of their own.

use core::fmt;

/// Why bytes were refused. `at` is the byte offset in the message (or batch) handed in; it stays at
/// `u32::MAX` beyond 4 GiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeError {
    /// A field at `at` needs `need` bytes from there; the input has only `have`.
    Short {
        /// Offset of the field.
        at: u32,
        /// Bytes the field needs, counted from `at`.
        need: u64,
        /// Bytes present, counted from `at`.
        have: u64,
    },
    /// A field holds a value the format does not allow here.
    Wrong {
        /// Offset of the field.
        at: u32,
        /// The field.
        what: &'static str,
        /// Its value; sign-extended where the field is signed.
        got: u64,
    },
    /// A count or length is above what [`Limits`](crate::Limits) allows.
    Limit {
        /// Offset of the count or length.
        at: u32,
        /// What is counted.
        what: &'static str,
        /// The value found.
        got: u64,
        /// The bound it broke.
        max: u64,
    },
    /// The message ended at `at`, and `extra` bytes follow it.
    Trailing {
        /// Offset of the first extra byte.
        at: u32,
        /// How many follow.
        extra: u64,
    },
    /// Text is not UTF-8; `at` is the first bad byte.
    Utf8 {
        /// Offset of the first bad byte.
        at: u32,
    },
    /// The message is of another version of its format, and the bytes say which. Read it with the
    /// reader of that version, or tell the peer.
    Version {
        /// Offset of the field that says so.
        at: u32,
        /// The version this reader reads, as [`Codec::VERSION`](crate::Codec::VERSION) counts.
        want: u16,
        /// The version of the message.
        got: u16,
    },
    /// Nesting is deeper than `max` levels.
    Depth {
        /// Offset of the item that would go deeper.
        at: u32,
        /// The bound, in levels.
        max: u16,
    },
}

// A Result of a view carries this by value on the hot path.
const _: () = assert!(size_of::<DecodeError>() <= 40);

/// An offset as [`DecodeError`] carries it.
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

    /// The byte offset the error speaks of.
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

    /// The same error seen from an enclosing buffer, in which this message starts at `base`.
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
                write!(f, "byte {at}: needs {need} bytes, {have} are left")
            }
            Self::Wrong { at, what, got } => write!(f, "byte {at}: {what} is {got} ({got:#x})"),
            Self::Limit { at, what, got, max } => {
                write!(f, "byte {at}: {got} {what}, the limit is {max}")
            }
            Self::Trailing { at, extra } => {
                write!(f, "byte {at}: the message ends here, {extra} bytes follow")
            }
            Self::Utf8 { at } => write!(f, "byte {at}: not UTF-8"),
            Self::Version { at, want, got } => {
                write!(
                    f,
                    "byte {at}: version {got} of the format, this reader is of {want}"
                )
            }
            Self::Depth { at, max } => write!(f, "byte {at}: nested deeper than {max} levels"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Why a value was not written. Nothing past the buffer's start is promised about its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is too small: claim `need` bytes, or ask `encoded_len` first.
    Room {
        /// Bytes the value needs; a lower bound where a writer stopped half-way.
        need: usize,
        /// Bytes the buffer has.
        have: usize,
    },
    /// A value has no form on this wire.
    Range {
        /// The field.
        what: &'static str,
        /// Its value; sign-extended where the field is signed.
        got: u64,
    },
    /// Calls came in an order the format has no bytes for (an array promised more items, say).
    Order {
        /// What was expected.
        what: &'static str,
    },
    /// A value that only the caller knows, and that has no default, is not set.
    Missing {
        /// The field or member.
        what: &'static str,
    },
    /// The value given is the one that stands for no value on this wire: it would be read back as none.
    Null {
        /// The field.
        what: &'static str,
    },
    /// The wire's form of the field cannot hold the value without a loss.
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
                    "needs {need} bytes, the buffer has {have}: claim encoded_len() bytes"
                )
            }
            Self::Range { what, got } => write!(f, "{what} {got} does not fit this format"),
            Self::Order { what } => write!(f, "written out of order: {what}"),
            Self::Missing { what } => write!(f, "{what} is not set and has no default"),
            Self::Null { what } => {
                write!(
                    f,
                    "{what} is given the value that stands for no value: give none"
                )
            }
            Self::Inexact { what } => {
                write!(
                    f,
                    "{what} cannot hold this value without a loss: round it first"
                )
            }
        }
    }
}

impl core::error::Error for EncodeError {}
