//! The prefix varint `tv`: the two low bits of the first byte are log2 of the length.
//!
//! ```text
//! 00  1 byte    6 bits of value        little-endian, value = word >> 2
//! 01  2 bytes  14 bits
//! 10  4 bytes  30 bits
//! 11  8 bytes  62 bits
//! ```
//!
//! A longer form than needed is legal: a length can be patched in after what it measures.

use alloc::vec::Vec;

/// The largest number that a varint holds: 2^62 - 1.
pub(crate) const VARINT_MAX: u64 = (1 << 62) - 1;

/// Bytes of the shortest form of `v`, which is at most [`VARINT_MAX`].
#[inline]
pub(crate) const fn varint_len(v: u64) -> usize {
    pack(v).1
}

/// The shortest form of `v` in the low bytes of a word, and its length in bytes.
#[inline]
pub(super) const fn pack(v: u64) -> (u64, usize) {
    debug_assert!(v <= VARINT_MAX, "a number of the wire is below 2^62");
    let word = v << 2;
    if v < 1 << 6 {
        (word, 1)
    } else if v < 1 << 14 {
        (word | 1, 2)
    } else if v < 1 << 30 {
        (word | 2, 4)
    } else {
        (word | 3, 8)
    }
}

/// Appends the low `len` bytes of `word`; `len` is at most 8.
#[inline]
pub(super) fn put_word(out: &mut Vec<u8>, word: u64, len: usize) {
    let bytes = word.to_le_bytes();
    let end = out.len().saturating_add(len);
    if out.capacity().saturating_sub(out.len()) >= bytes.len() {
        // One store of fixed size; the excess bytes are truncated.
        out.extend_from_slice(&bytes);
        out.truncate(end);
    } else {
        // A buffer of exactly the right size must not grow for excess bytes.
        out.extend(bytes.iter().take(len));
    }
}

/// Appends `v`, which is at most [`VARINT_MAX`], in its shortest form.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, v: u64) {
    let (word, len) = pack(v);
    put_word(out, word, len);
}

/// The varint in the low bytes of `word`, and its length in bytes.
#[inline]
pub(super) const fn unpack(word: u64) -> (u64, usize) {
    // 1, 2, 4 or 8 bytes; the bits above them are cut off, then the prefix.
    let tag = word & 3;
    // A table look-up takes fewer steps than computed shifts.
    let bits = match tag {
        0 => 0xFF,
        1 => 0xFFFF,
        2 => 0xFFFF_FFFF,
        _ => u64::MAX,
    };
    let value = (word & bits) >> 2;
    (value, 1_usize.wrapping_shl(tag as u32))
}

/// The varint that `bytes` begin with, and its length in bytes; `None` if they end within it.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    match bytes.first_chunk() {
        Some(word) => Some(unpack(u64::from_le_bytes(*word))),
        None => varint_near_end(bytes),
    }
}

/// [`varint`] of fewer than 8 bytes.
fn varint_near_end(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    let (value, len) = unpack(u64::from_le_bytes(word));
    // Without any byte the prefix reads as zero, and the length as one.
    (len <= bytes.len()).then_some((value, len))
}
