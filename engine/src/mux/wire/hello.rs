//! HELLO: the limits of its sender, sent once, as the first frame.
//!
//! ```text
//! b0 len:tv {id:tv len:tv value}*     value: little-endian, 1 to 8 bytes
//! ```
//!
//! A missing parameter has its default; unknown ids are ignored.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::encode::{byte0, sum};
use super::error::WireError;
use super::frame::{ALIAS_MAX, kind};
use super::reader::Reader;
use super::varint::{VARINT_MAX, put_varint, put_word, varint_len};

/// The longest HELLO, in bytes after its length: ten times what all parameters need.
pub(crate) const HELLO_BYTES_MAX: usize = 1024;
/// The number of known parameters: ids 1 to 10 without 6, which is unassigned.
const PARAMETERS: usize = 9;
/// The longest frame that [`put_hello`] appends, in bytes: type, length, parameters of at most 10
/// bytes each, and the unknown one.
pub(crate) const HELLO_FRAME_BYTES_MAX: usize = 1 + 2 + PARAMETERS * 10 + 6;
/// The smallest limit of a record, in bytes: an OPEN with a topic fits.
pub(crate) const RECORD_BYTES_MIN: u64 = 1 << 10;
/// The largest limit of a record, in bytes: larger records would delay other channels.
pub(crate) const RECORD_BYTES_MAX: u64 = 1 << 20;
/// The smallest overhead of a frame, in bytes: less does not cover the memory to hold it.
pub(crate) const OVERHEAD_BYTES_MIN: u64 = 16;
/// The largest overhead of a frame, in bytes: more would leave too little credit for small
/// messages.
pub(crate) const OVERHEAD_BYTES_MAX: u64 = 1024;

/// Conflated channels.
pub(crate) const FEATURE_CONFLATE: u64 = 1;
/// RUN frames.
pub(crate) const FEATURE_RUN: u64 = 2;
/// Resumable channels.
pub(crate) const FEATURE_RESUME: u64 = 4;
/// Credit in messages.
pub(crate) const FEATURE_MSGS: u64 = 8;
/// Aligned payloads.
pub(crate) const FEATURE_ALIGN: u64 = 16;
/// All features of this version; other bits are ignored.
pub(crate) const FEATURES: u64 =
    FEATURE_CONFLATE | FEATURE_RUN | FEATURE_RESUME | FEATURE_MSGS | FEATURE_ALIGN;

/// An unassigned id and its value and length: it finds peers that do not ignore unknown ids.
const GREASE: (u64, u64, usize) = (0x2A3B, 0x17_1C_3E, 3);

/// The limits of the sender of a HELLO. The default applies to missing parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hello {
    /// Id 1. The longest record, 1 KiB to 1 MiB.
    pub(crate) record_bytes_max: u64,
    /// Id 2. The longest message, at least 1 byte; a channel may set less.
    pub(crate) message_bytes_max: u64,
    /// Id 3. Channels that the peer may have open at once, at most 2^20.
    pub(crate) channels_max: u64,
    /// Id 4. OPENs of the peer that may be unanswered at once, at most 2^20.
    pub(crate) pending_opens_max: u64,
    /// Id 5. The peer's aliases are below this, 1 to 2^20.
    pub(crate) aliases_max: u64,
    /// Id 7. Charged bytes that may be sent on a channel before its ACCEPT.
    pub(crate) channel_limit: u64,
    /// Id 8. Bytes charged for each data frame in addition to its payload, 16 to 1,024.
    pub(crate) overhead: u64,
    /// Id 9. The connection ends after this long without a record, in milliseconds, at least 1.
    pub(crate) idle_timeout_ms: u64,
    /// Id 10. The `FEATURE_` bits that the sender knows.
    pub(crate) features: u64,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            record_bytes_max: 16 << 10,
            message_bytes_max: 1 << 20,
            channels_max: 1024,
            pending_opens_max: 64,
            aliases_max: 4096,
            channel_limit: 64 << 10,
            overhead: 64,
            idle_timeout_ms: 30_000,
            features: FEATURES,
        }
    }
}

impl Hello {
    /// The parameters by id.
    pub(super) const fn values(&self) -> [(u64, u64); PARAMETERS] {
        [
            (1, self.record_bytes_max),
            (2, self.message_bytes_max),
            (3, self.channels_max),
            (4, self.pending_opens_max),
            (5, self.aliases_max),
            (7, self.channel_limit),
            (8, self.overhead),
            (9, self.idle_timeout_ms),
            (10, self.features),
        ]
    }

    /// The parameter of a known id, and its bounds.
    pub(super) const fn parameter(&mut self, id: u64) -> Option<(&mut u64, RangeInclusive<u64>)> {
        const ALIASES: u64 = ALIAS_MAX as u64;
        Some(match id {
            1 => (
                &mut self.record_bytes_max,
                RECORD_BYTES_MIN..=RECORD_BYTES_MAX,
            ),
            2 => (&mut self.message_bytes_max, 1..=VARINT_MAX),
            // There cannot be more channels than aliases.
            3 => (&mut self.channels_max, 0..=ALIASES),
            4 => (&mut self.pending_opens_max, 0..=ALIASES),
            5 => (&mut self.aliases_max, 1..=ALIASES),
            7 => (&mut self.channel_limit, 0..=VARINT_MAX),
            8 => (&mut self.overhead, OVERHEAD_BYTES_MIN..=OVERHEAD_BYTES_MAX),
            9 => (&mut self.idle_timeout_ms, 1..=VARINT_MAX),
            // Unknown bits are legal.
            10 => (&mut self.features, 0..=u64::MAX),
            _ => return None,
        })
    }

    /// Whether every parameter is within its bounds.
    pub(crate) fn is_legal(mut self) -> bool {
        self.values().into_iter().all(|(id, value)| {
            self.parameter(id)
                .is_some_and(|(_, bounds)| bounds.contains(&value))
        })
    }

    /// Reads the body of a HELLO, all of it.
    pub(super) fn parse(body: &[u8]) -> Result<Self, WireError> {
        let mut hello = Self::default();
        let mut reader = Reader::new(body, WireError::ParameterTruncated);
        // Known ids that were read, one bit each.
        let mut seen = 0_u16;
        while !reader.rest.is_empty() {
            let id = reader.varint()?;
            let len = reader.varint()?;
            let value = reader.bytes(len)?;
            let Some((parameter, bounds)) = hello.parameter(id) else {
                continue;
            };
            let bit = 1_u16.wrapping_shl(id as u32);
            if seen & bit != 0 {
                return Err(WireError::ParameterTwice);
            }
            seen |= bit;
            let value = number(value)?;
            if !bounds.contains(&value) {
                return Err(WireError::ParameterOutOfBounds);
            }
            *parameter = value;
        }
        hello.features &= FEATURES;
        Ok(hello)
    }
}

/// A little-endian number of 1 to 8 bytes.
fn number(value: &[u8]) -> Result<u64, WireError> {
    if value.is_empty() || value.len() > 8 {
        return Err(WireError::ParameterMalformed);
    }
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(value) {
        *to = *from;
    }
    Ok(u64::from_le_bytes(word))
}

/// The fewest bytes that hold `value`, at least one.
const fn number_len(value: u64) -> usize {
    (64_u32.saturating_sub(value.leading_zeros()) as usize)
        .div_ceil(8)
        .saturating_add((value == 0) as usize)
}

/// Appends HELLO: every parameter, and an unknown one.
///
/// The parameters must be legal: [`Hello::is_legal`].
pub(crate) fn put_hello(out: &mut Vec<u8>, hello: &Hello) {
    debug_assert!(hello.is_legal(), "a parameter is outside its bounds");
    let known = hello.values().into_iter();
    let known = known.map(|(id, value)| (id, value, number_len(value)));
    let parameters = known.chain([GREASE]);
    let lengths = parameters
        .clone()
        .map(|(id, _, len)| sum([varint_len(id), varint_len(len as u64), len]));
    out.push(byte0(kind::HELLO, 0));
    put_varint(out, sum(lengths) as u64);
    for (id, value, len) in parameters {
        put_varint(out, id);
        put_varint(out, len as u64);
        put_word(out, value, len);
    }
}
