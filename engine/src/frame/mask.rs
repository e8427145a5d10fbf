//! Masking, RFC 6455 section 5.3: byte `i` is XORed with byte `i mod 4` of the key.
//!
//! Words of eight bytes, and a last word that overlaps the one before it in place of single
//! bytes at the end. The loops are written so that the compiler makes vector code of them.

/// Masks or unmasks `data` in place; its first byte meets byte `phase mod 4` of the key.
#[inline]
pub(crate) fn apply(data: &mut [u8], key: [u8; 4], phase: usize) {
    let key = u32::from_le_bytes(key).rotate_right(8 * (phase % 4) as u32);
    if key == 0 {
        return;
    }
    let len = data.len();
    if len < 8 {
        return short(data, key);
    }
    let word = u64::from(key) << 32 | u64::from(key);
    // The last eight bytes before the loop changes some of them.
    let tail = data.last_chunk::<8>().map_or(0, |t| u64::from_le_bytes(*t));
    let (words, _) = data.as_chunks_mut::<8>();
    for w in words {
        *w = (u64::from_le_bytes(*w) ^ word).to_le_bytes();
    }
    // len - 8 bytes precede the tail, so it meets the key at that phase.
    let word = word.rotate_right(8 * (len % 4) as u32);
    if let Some(t) = data.last_chunk_mut::<8>() {
        *t = (tail ^ word).to_le_bytes();
    }
}

/// Writes `src` masked to `dst`, which has the same length: the copy of a client's send.
#[inline]
pub(crate) fn copy(dst: &mut [u8], src: &[u8], key: [u8; 4]) {
    debug_assert_eq!(dst.len(), src.len());
    let key = u32::from_le_bytes(key);
    let len = src.len().min(dst.len());
    if len < 8 {
        dst.copy_from_slice(src);
        return short(dst, key);
    }
    let word = u64::from(key) << 32 | u64::from(key);
    let (to, _) = dst.as_chunks_mut::<8>();
    let (from, _) = src.as_chunks::<8>();
    for (t, f) in to.iter_mut().zip(from) {
        *t = (u64::from_le_bytes(*f) ^ word).to_le_bytes();
    }
    let word = word.rotate_right(8 * (len % 4) as u32);
    if let (Some(t), Some(f)) = (dst.last_chunk_mut::<8>(), src.last_chunk::<8>()) {
        *t = (u64::from_le_bytes(*f) ^ word).to_le_bytes();
    }
}

/// Fewer than eight bytes.
#[inline]
fn short(data: &mut [u8], key: u32) {
    let key = key.to_le_bytes();
    for (i, byte) in data.iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}
