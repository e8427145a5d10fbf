//! Masking (RFC 6455 section 5.3): payload byte `i` is XORed with key byte `i mod 4`.
//!
//! The code works in words of 16 bytes. The last word overlaps the word before it, so no single
//! bytes are left at the end, and payloads of 16 to 32 bytes need two words and no loop. The
//! compiler vectorizes the loops.

/// Masks or unmasks `data` in place. `offset` is the position of its first byte in the payload.
#[inline]
pub(crate) fn apply(data: &mut [u8], key: [u8; 4], offset: usize) {
    let key = u32::from_le_bytes(key).rotate_right(8 * (offset % 4) as u32);
    if key == 0 {
        return;
    }
    if data.len() < 16 {
        return apply_short(data, key);
    }
    let mask = repeated(key);
    let end = repeated(rotated(key, data.len()));
    // Read the last word before the loop changes some of its bytes.
    let tail = data
        .last_chunk::<16>()
        .map_or(0, |t| u128::from_le_bytes(*t));
    if data.len() <= 32 {
        xor(data.first_chunk_mut(), mask);
    } else {
        for word in data.as_chunks_mut::<16>().0 {
            xor(Some(word), mask);
        }
    }
    if let Some(t) = data.last_chunk_mut::<16>() {
        *t = (tail ^ end).to_le_bytes();
    }
}

/// Writes the masked bytes of `src` to `dst`, which has the same length. A key of zero gives a
/// plain copy.
#[inline]
pub(crate) fn copy(dst: &mut [u8], src: &[u8], key: [u8; 4]) {
    debug_assert_eq!(dst.len(), src.len());
    let key = u32::from_le_bytes(key);
    if src.len() < 16 || dst.len() != src.len() {
        dst.copy_from_slice(src);
        return apply_short(dst, key);
    }
    let mask = repeated(key);
    if src.len() <= 32 {
        xor_to(dst.first_chunk_mut(), src.first_chunk(), mask);
    } else {
        let words = src.as_chunks::<16>().0;
        for (to, from) in dst.as_chunks_mut::<16>().0.iter_mut().zip(words) {
            xor_to(Some(to), Some(from), mask);
        }
    }
    let end = repeated(rotated(key, src.len()));
    xor_to(dst.last_chunk_mut(), src.last_chunk(), end);
}

#[inline]
fn xor(word: Option<&mut [u8; 16]>, mask: u128) {
    if let Some(word) = word {
        *word = (u128::from_le_bytes(*word) ^ mask).to_le_bytes();
    }
}

#[inline]
fn xor_to(to: Option<&mut [u8; 16]>, from: Option<&[u8; 16]>, mask: u128) {
    if let (Some(to), Some(from)) = (to, from) {
        *to = (u128::from_le_bytes(*from) ^ mask).to_le_bytes();
    }
}

/// The key repeated four times.
#[inline]
fn repeated(key: u32) -> u128 {
    let two = u64::from(key) << 32 | u64::from(key);
    u128::from(two) << 64 | u128::from(two)
}

/// The key rotated for the last word, which starts at `len - 16` or `len - 8`.
#[inline]
fn rotated(key: u32, len: usize) -> u32 {
    key.rotate_right(8 * (len % 4) as u32)
}

/// For fewer than 16 bytes.
#[inline]
fn apply_short(data: &mut [u8], key: u32) {
    if data.len() >= 8 {
        let mask = u64::from(key) << 32 | u64::from(key);
        let end = rotated(key, data.len());
        let tail = data.last_chunk::<8>().map_or(0, |t| u64::from_le_bytes(*t));
        if let Some(head) = data.first_chunk_mut::<8>() {
            *head = (u64::from_le_bytes(*head) ^ mask).to_le_bytes();
        }
        if let Some(t) = data.last_chunk_mut::<8>() {
            *t = (tail ^ (u64::from(end) << 32 | u64::from(end))).to_le_bytes();
        }
        return;
    }
    let key = key.to_le_bytes();
    for (i, byte) in data.iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}
