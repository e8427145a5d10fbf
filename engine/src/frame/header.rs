//! The frame header (RFC 6455 section 5.2):
//!
//! ```text
//! byte 0   F R R R o o o o      FIN, RSV1-3, opcode
//! byte 1   M l l l l l l l      MASK, length 0-125, or 126 / 127 for
//!          [u16 | u64]          a length of two or eight bytes, big-endian
//!          [key: 4 bytes]       if MASK
//! ```

use super::{CONTROL_BYTES_MAX, Opcode};
use crate::error::Violation;
use crate::role::Role;

/// Largest header: 2 bytes, 8 bytes of extended length, 4 bytes of mask key.
pub(crate) const HEADER_BYTES_MAX: usize = 14;

const FIN: u8 = 0x80;
const RSV: u8 = 0x70;
const MASK: u8 = 0x80;

/// The reserved bits RSV1 to RSV3. An extension can define their meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rsv(u8);

impl Rsv {
    pub(crate) const NONE: Self = Self(0);
    /// permessage-deflate: the message is compressed (RFC 7692 section 6).
    #[cfg_attr(not(test), expect(dead_code, reason = "no extension is agreed on yet"))]
    pub(crate) const RSV1: Self = Self(0x40);
}

/// The rules that depend on the receiving endpoint and the agreed extensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rules {
    /// Role of the receiving endpoint. A server requires masked frames, a client unmasked ones.
    pub(crate) role: Role,
    /// Reserved bits that the agreed extensions allow on the first frame of a message.
    pub(crate) rsv: Rsv,
}

/// A header that satisfies every rule that can be checked without connection state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// Payload length in bytes. The most significant bit is never set.
    pub(crate) len: u64,
    /// The mask key in wire order. Zero, which leaves bytes unchanged, if the frame is unmasked.
    pub(crate) key: [u8; 4],
    /// Size of the header in bytes, 2 to 14.
    pub(crate) size: u8,
    pub(crate) opcode: Opcode,
    pub(crate) fin: bool,
    pub(crate) rsv: Rsv,
}

impl Header {
    /// Size of header and payload in bytes. `None` if it exceeds `usize`.
    pub(crate) fn frame_len(&self) -> Option<usize> {
        usize::try_from(self.len)
            .ok()?
            .checked_add(self.size as usize)
    }
}

/// Parses the header at the front of `bytes`.
///
/// `None` if the header is incomplete and its bytes so far break no rule.
///
/// # Errors
/// The rule that the first invalid byte breaks.
#[inline]
pub(crate) fn parse(bytes: &[u8], rules: Rules) -> Result<Option<Header>, Violation> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let rsv = Rsv(first & RSV);
    if rsv != Rsv::NONE {
        check_rsv(first, rules.rsv)?;
    }
    let Some(opcode) = Opcode::from_bits(first & 0x0f) else {
        return Err(Violation::ReservedOpcode(first & 0x0f));
    };
    let fin = first & FIN != 0;
    if opcode.is_control() && !fin {
        return Err(Violation::ControlFragmented);
    }
    let Some((&second, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let masked = second & MASK != 0;
    match (rules.role, masked) {
        (Role::Server, false) => return Err(Violation::UnmaskedFromClient),
        (Role::Client, true) => return Err(Violation::MaskedFromServer),
        _ => {}
    }
    let len7 = second & 0x7f;
    if opcode.is_control() && len7 as usize > CONTROL_BYTES_MAX {
        return Err(Violation::ControlTooLong);
    }
    let Some((len, size)) = length(len7, rest)? else {
        return Ok(None);
    };
    if !masked {
        return Ok(Some(Header {
            len,
            key: [0; 4],
            size,
            opcode,
            fin,
            rsv,
        }));
    }
    let Some(&key) = bytes.get(size as usize..).and_then(<[u8]>::first_chunk) else {
        return Ok(None);
    };
    Ok(Some(Header {
        len,
        key,
        size: size + 4,
        opcode,
        fin,
        rsv,
    }))
}

/// A reserved bit may be set only if an agreed extension uses it, and only on the first frame of a
/// message.
#[cold]
fn check_rsv(first: u8, agreed: Rsv) -> Result<(), Violation> {
    let begins = matches!(first & 0x0f, 1 | 2);
    if begins && first & RSV & !agreed.0 == 0 {
        Ok(())
    } else {
        Err(Violation::ReservedBits)
    }
}

/// The payload length, and the header size without a mask key. `None` if the header is incomplete.
#[inline]
fn length(len7: u8, rest: &[u8]) -> Result<Option<(u64, u8)>, Violation> {
    match len7 {
        126 => {
            let Some(len) = rest.first_chunk::<2>() else {
                return Ok(None);
            };
            let len = u16::from_be_bytes(*len);
            if len < 126 {
                return Err(Violation::LengthNotMinimal);
            }
            Ok(Some((u64::from(len), 4)))
        }
        127 => {
            if rest.first().is_some_and(|b| b & 0x80 != 0) {
                return Err(Violation::LengthTopBit);
            }
            let Some(len) = rest.first_chunk::<8>() else {
                return Ok(None);
            };
            let len = u64::from_be_bytes(*len);
            if len <= u64::from(u16::MAX) {
                return Err(Violation::LengthNotMinimal);
            }
            Ok(Some((len, 10)))
        }
        len => Ok(Some((u64::from(len), 2))),
    }
}

/// Header size for a payload of `len` bytes.
pub(crate) const fn size(len: usize, masked: bool) -> usize {
    let base = if len < 126 {
        2
    } else if len <= u16::MAX as usize {
        4
    } else {
        10
    };
    base + if masked { 4 } else { 0 }
}

/// Writes a header with the shortest length encoding to the front of `out` and returns its size. If
/// `out` is shorter than [`size`], writes no byte and returns 0.
#[inline]
pub(crate) fn write(
    out: &mut [u8],
    opcode: Opcode,
    fin: bool,
    rsv: Rsv,
    len: usize,
    key: Option<[u8; 4]>,
) -> usize {
    let size = size(len, key.is_some());
    let Some(out) = out.get_mut(..size) else {
        return 0;
    };
    let first = opcode as u8 | rsv.0 | if fin { FIN } else { 0 };
    let mask = if key.is_some() { MASK } else { 0 };
    // The branches have checked the range of each cast.
    if len < 126 {
        out[..2].copy_from_slice(&[first, mask | len as u8]);
    } else if len <= u16::MAX as usize {
        out[..2].copy_from_slice(&[first, mask | 126]);
        out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    } else {
        out[..2].copy_from_slice(&[first, mask | 127]);
        out[2..10].copy_from_slice(&(len as u64).to_be_bytes());
    }
    if let Some(key) = key {
        out[size - 4..].copy_from_slice(&key);
    }
    size
}

/// Header size and payload size of the frame at the front of `frame`. The frame must be one that
/// this endpoint encoded.
pub(crate) fn measure(frame: &[u8]) -> (usize, usize) {
    let Some((&[_, second], rest)) = frame.split_first_chunk::<2>() else {
        return (frame.len(), 0);
    };
    let (size, len) = match (second & 0x7f, rest) {
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, rest) => {
            let len = rest
                .first_chunk::<8>()
                .map_or(0, |l| u64::from_be_bytes(*l));
            (10, usize::try_from(len).unwrap_or(usize::MAX))
        }
        (len, _) => (2, usize::from(len)),
    };
    (size + if second & MASK != 0 { 4 } else { 0 }, len)
}
