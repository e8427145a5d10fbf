//! One pass over a document that follows every length, with a fixed stack.

use super::{Format, Head};
use crate::{DEPTH_LEVELS_MAX, DecodeError, Limits};

/// What an open container still expects: a number of items, or one of the three below, which no
/// number reaches because counts are bounded by `Limits::max_items`, a u32.
type Left = u64;
/// Items up to a break.
const ENDLESS_ARRAY: Left = u64::MAX;
/// Pairs up to a break; the next item is a key.
const ENDLESS_KEY: Left = u64::MAX - 1;
/// Pairs up to a break; the next item is a value, so a break is wrong.
const ENDLESS_VALUE: Left = u64::MAX - 2;

/// Limits of bytes that were already checked under the user's limits.
pub(super) const CHECKED: Limits = Limits {
    max_msg: u32::MAX,
    max_items: u32::MAX,
    max_depth: DEPTH_LEVELS_MAX,
};

/// Checks the item at `at` with everything in it and gives the offset behind it.
///
/// Ends: each turn moves `at` forward by at least one byte, the head's first.
pub(super) fn walk<F: Format>(
    bytes: &[u8],
    mut at: usize,
    limits: &Limits,
) -> Result<usize, DecodeError> {
    let mut open: [Left; DEPTH_LEVELS_MAX as usize] = [0; DEPTH_LEVELS_MAX as usize];
    let mut depth = 0usize;
    let mut items = 0;
    loop {
        let (head, next) = F::head(bytes, at)?;
        let parent = depth.checked_sub(1).and_then(|index| open.get_mut(index));
        let inside = match (&head, parent) {
            (Head::Break, Some(&mut (ENDLESS_ARRAY | ENDLESS_KEY))) => {
                depth -= 1;
                None
            }
            (Head::Break, _) => return Err(DecodeError::wrong(at, "break", 0xff)),
            (_, parent) => {
                match parent {
                    None | Some(&mut ENDLESS_ARRAY) => {}
                    Some(left @ &mut ENDLESS_KEY) => *left = ENDLESS_VALUE,
                    Some(left @ &mut ENDLESS_VALUE) => *left = ENDLESS_KEY,
                    Some(left) => *left -= 1,
                }
                items += 1;
                limits.check_items(at, items)?;
                children(&head)
            }
        };
        if let Some(count) = inside {
            if count < ENDLESS_VALUE {
                limits.check_items(at, count)?;
                // Every item is at least one byte.
                let have = bytes.len() - next;
                if count > have as u64 {
                    return Err(DecodeError::short(next, count as usize, have));
                }
            }
            limits.check_depth(at, depth as u32 + 1)?;
            if let Some(place) = open.get_mut(depth) {
                *place = count;
                depth += 1;
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

/// The items a head opens; `None` for an item that holds no others.
fn children(head: &Head<'_>) -> Option<Left> {
    match *head {
        Head::Array(Some(0)) | Head::Map(Some(0)) => None,
        Head::Array(Some(count)) => Some(count.min(ENDLESS_VALUE - 1)),
        Head::Map(Some(pairs)) => Some(pairs.saturating_mul(2).min(ENDLESS_VALUE - 1)),
        Head::Array(None) => Some(ENDLESS_ARRAY),
        Head::Map(None) => Some(ENDLESS_KEY),
        Head::Tag(_) => Some(1),
        _ => None,
    }
}
