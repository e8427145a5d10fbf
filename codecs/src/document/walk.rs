//! The check of a document: one pass with a fixed stack.

use super::{Format, Head};
use crate::{DEPTH_LEVELS_MAX, DecodeError, Limits};

/// The expected rest of an open container: a number of items, or one of the five constants below, which are
/// greater than every number of items.
type Left = u32;
/// Items up to a break.
const ENDLESS_ARRAY: Left = u32::MAX;
/// Pairs up to a break; the next item is a key.
const ENDLESS_KEY: Left = u32::MAX - 1;
/// Pairs up to a break; the next item is a value, so a break is wrong.
const ENDLESS_VALUE: Left = u32::MAX - 2;
/// Chunks of text up to a break.
const ENDLESS_TEXT: Left = u32::MAX - 3;
/// Chunks of bytes up to a break.
const ENDLESS_BYTES: Left = u32::MAX - 4;
/// Most items of one container.
const COUNT_MAX: u64 = ENDLESS_BYTES as u64 - 1;

/// Limits for bytes that were checked under the limits of the caller before.
pub(super) const CHECKED: Limits = Limits {
    max_msg: u32::MAX,
    max_items: u32::MAX,
    max_depth: DEPTH_LEVELS_MAX,
};

/// Checks the item at `at` with all nested items and returns the offset behind it.
#[inline]
pub(super) fn walk<F: Format>(
    bytes: &[u8],
    at: usize,
    limits: &Limits,
) -> Result<usize, DecodeError> {
    let (head, next) = F::head(bytes, at)?;
    inside::<F>(bytes, at, &head, next, limits)
}

/// [`walk`] of an item with a known head.
#[inline]
pub(super) fn inside<F: Format>(
    bytes: &[u8],
    at: usize,
    head: &Head<'_>,
    next: usize,
    limits: &Limits,
) -> Result<usize, DecodeError> {
    limits.check_items(at, 1)?;
    match head {
        Head::Break => Err(DecodeError::wrong(at, "break", 0xff)),
        Head::Array(_) | Head::Map(_) | Head::Tag(_) | Head::StrChunks | Head::BinChunks => {
            nested::<F>(bytes, at, limits)
        }
        _ => Ok(next),
    }
}

/// [`walk`] of a container.
///
/// The loop ends: each turn moves `at` forward by at least the first byte of a head.
fn nested<F: Format>(bytes: &[u8], mut at: usize, limits: &Limits) -> Result<usize, DecodeError> {
    let mut open: [Left; DEPTH_LEVELS_MAX as usize] = [0; DEPTH_LEVELS_MAX as usize];
    let mut depth = 0usize;
    let mut items = 0;
    loop {
        let (head, next) = F::head(bytes, at)?;
        let parent = depth.checked_sub(1).and_then(|index| open.get_mut(index));
        if let Head::Break = head {
            match parent {
                Some(&mut (ENDLESS_ARRAY | ENDLESS_KEY | ENDLESS_TEXT | ENDLESS_BYTES)) => {
                    depth -= 1;
                }
                _ => return Err(DecodeError::wrong(at, "break", 0xff)),
            }
        } else {
            match parent {
                None | Some(&mut ENDLESS_ARRAY) => {}
                Some(left @ &mut ENDLESS_KEY) => *left = ENDLESS_VALUE,
                Some(left @ &mut ENDLESS_VALUE) => *left = ENDLESS_KEY,
                Some(&mut kind @ (ENDLESS_TEXT | ENDLESS_BYTES)) => {
                    check_chunk(kind, &head, bytes, at)?
                }
                Some(left) => *left -= 1,
            }
            items += 1;
            limits.check_items(at, items)?;
            if let Some(left) = children(&head, bytes, at, next, limits)? {
                limits.check_depth(at, depth as u32 + 1)?;
                // `check_depth` keeps `depth` inside the stack.
                if let Some(place) = open.get_mut(depth) {
                    *place = left;
                    depth += 1;
                }
            }
        }
        at = next;
        while depth > 0 && open.get(depth - 1) == Some(&0) {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// A chunk is of the string's kind and has a length (RFC 8949 section 3.2.3).
fn check_chunk(kind: Left, head: &Head<'_>, bytes: &[u8], at: usize) -> Result<(), DecodeError> {
    match (kind, head) {
        (ENDLESS_TEXT, Head::Str(_) | Head::RawStr(_)) | (ENDLESS_BYTES, Head::Bin(_)) => Ok(()),
        _ => {
            let first = bytes.get(at).copied().unwrap_or_default();
            Err(DecodeError::wrong(at, "chunk of a string", first.into()))
        }
    }
}

/// The nested items of a head; `None` for an item without nested items.
#[inline]
fn children(
    head: &Head<'_>,
    bytes: &[u8],
    at: usize,
    next: usize,
    limits: &Limits,
) -> Result<Option<Left>, DecodeError> {
    let count = match *head {
        Head::Array(Some(0)) | Head::Map(Some(0)) => return Ok(None),
        Head::Array(Some(count)) => count,
        Head::Map(Some(pairs)) => pairs.saturating_mul(2),
        Head::Array(None) => return Ok(Some(ENDLESS_ARRAY)),
        Head::Map(None) => return Ok(Some(ENDLESS_KEY)),
        Head::StrChunks => return Ok(Some(ENDLESS_TEXT)),
        Head::BinChunks => return Ok(Some(ENDLESS_BYTES)),
        Head::Tag(_) => 1,
        _ => return Ok(None),
    };
    check_count(count, bytes, at, next, limits).map(Some)
}

/// Checks the count of a container against the limits and against the remaining bytes: every item has at
/// least one byte.
#[inline]
pub(super) fn check_count(
    count: u64,
    bytes: &[u8],
    at: usize,
    next: usize,
    limits: &Limits,
) -> Result<Left, DecodeError> {
    limits.check_items(at, count)?;
    if count > COUNT_MAX {
        return Err(DecodeError::limit(at, "items", count, COUNT_MAX));
    }
    let have = bytes.len().saturating_sub(next);
    if count > have as u64 {
        return Err(DecodeError::short(next, count as usize, have));
    }
    Ok(count as Left)
}
