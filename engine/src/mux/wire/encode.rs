//! Encodes frames. The input is legal, because the layer above made it. Numbers are at most
//! [`VARINT_MAX`](super::VARINT_MAX), aliases below [`ALIAS_MAX`], checked in debug builds.

use alloc::vec::Vec;

use super::frame::{
    ALIAS_MAX, ALIGN_MAX, Accept, Credit, CreditKind, GOAWAY_REASON_BYTES_MAX, GoAway, Open, Reset,
    flag, kind,
};
use super::options::{OPTIONS_BYTES_MAX, Options};
use super::varint::{pack, put_varint, put_word, varint_len};

/// Bytes of the longest alias: it is below 2^30.
const ALIAS_BYTES_MAX: usize = 4;
/// Bytes of the longest varint.
const VARINT_BYTES_MAX: usize = 8;

/// Bytes of the longest OPEN or ACCEPT up to its options: type, profile, align, aliases, limit,
/// largest message, length of the options.
pub(crate) const OPENING_HEAD_BYTES_MAX: usize = 3 + 2 * ALIAS_BYTES_MAX + 2 * VARINT_BYTES_MAX + 2;
/// Bytes of the longest CREDIT: type, alias, limit, ack.
pub(crate) const CREDIT_BYTES_MAX: usize = 1 + ALIAS_BYTES_MAX + 2 * VARINT_BYTES_MAX;
/// Bytes of the longest REJECT: type, alias, code.
pub(crate) const REJECT_BYTES_MAX: usize = 1 + ALIAS_BYTES_MAX + VARINT_BYTES_MAX;
/// Bytes of the longest RESET: type, alias, code.
pub(crate) const RESET_BYTES_MAX: usize = REJECT_BYTES_MAX;
/// Bytes of the longest SEQ: type, alias, epoch, number.
pub(crate) const SEQ_BYTES_MAX: usize = 1 + ALIAS_BYTES_MAX + 2 * VARINT_BYTES_MAX;
/// Bytes of every PING: type, value.
pub(crate) const PING_BYTES: usize = 1 + 8;
/// Bytes of the longest GOAWAY: type, OPENs, code, length of the reason, reason.
pub(crate) const GOAWAY_BYTES_MAX: usize = 1 + 2 * VARINT_BYTES_MAX + 1 + GOAWAY_REASON_BYTES_MAX;

/// The first byte of a frame.
#[inline]
pub(super) const fn byte0(kind: u8, flags: u8) -> u8 {
    (flags << 4) | kind
}

/// The flag if `set`.
#[inline]
const fn when(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

/// The saturating sum of the lengths.
#[inline]
pub(super) fn sum(lengths: impl IntoIterator<Item = usize>) -> usize {
    lengths.into_iter().fold(0, usize::saturating_add)
}

#[inline]
fn put_alias(out: &mut Vec<u8>, alias: u32) {
    debug_assert!(alias < ALIAS_MAX, "an alias is below 2^20");
    put_varint(out, u64::from(alias));
}

#[cfg(test)]
/// Appends `count` bytes of PAD, at most [`super::frame::PAD_RUN_MAX`], where a frame ends.
pub(crate) fn put_pad(out: &mut Vec<u8>, count: usize) {
    debug_assert!(
        count <= super::frame::PAD_RUN_MAX,
        "at most 63 bytes of PAD"
    );
    out.resize(sum([out.len(), count]), kind::PAD);
}

/// Appends DATA without its payload, which must follow: `len` bytes, or, with `None`, the rest of
/// the record.
///
/// `skip` messages were lost or conflated before this one.
#[inline]
pub(crate) fn put_data_head(
    out: &mut Vec<u8>,
    alias: u32,
    len: Option<usize>,
    more: bool,
    fin: bool,
    skip: u64,
) {
    debug_assert!(alias < ALIAS_MAX, "an alias is below 2^20");
    debug_assert!(!(more && fin), "the last frame cannot be continued");
    let flags = when(len.is_some(), flag::LEN)
        | when(more, flag::MORE)
        | when(fin, flag::FIN)
        | when(skip != 0, flag::SKIP);
    let first = byte0(kind::DATA, flags);
    let (alias_word, alias_len) = pack(u64::from(alias));
    let (len_word, len_len) = len.map_or((0, 0), |len| pack(len as u64));
    let head_len = alias_len.wrapping_add(len_len).wrapping_add(1);
    if skip == 0 && head_len <= 8 {
        // The usual case: one word, one store.
        let len_bits = (alias_len as u32).wrapping_add(1).wrapping_mul(8);
        let word = u64::from(first) | (alias_word << 8) | len_word.wrapping_shl(len_bits);
        put_word(out, word, head_len);
        return;
    }
    out.push(first);
    put_word(out, alias_word, alias_len);
    put_word(out, len_word, len_len);
    if skip != 0 {
        put_varint(out, skip);
    }
}

/// Numbers below this take one byte.
const ONE_BYTE: u32 = 1 << 6;
/// Messages of fewer bytes have a length of one byte or two.
pub(crate) const SHORT_BYTES: u32 = 1 << 14;

/// The head of all whole messages of a channel, without the length.
///
/// Type and alias are in the low bytes of a word, and their length, at most 5 bytes, in its highest
/// byte, which no head reaches.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct MessageHead(u64);

impl MessageHead {
    #[inline]
    pub(crate) fn new(alias: u32) -> Self {
        debug_assert!(alias < ALIAS_MAX, "an alias is below 2^20");
        let (alias_word, alias_len) = pack(u64::from(alias));
        let len = alias_len.wrapping_add(1) as u64;
        Self(u64::from(byte0(kind::DATA, flag::LEN)) | (alias_word << 8) | (len << 56))
    }

    /// The head of a message of `len` bytes, below [`SHORT_BYTES`]: in the low bytes of a word, and
    /// its length in bytes.
    // No branch on the length, which is hard to predict where channels take turns.
    #[inline(always)]
    pub(crate) fn with_len(self, len: u32) -> (u64, usize) {
        debug_assert!(len < SHORT_BYTES, "short");
        let two = u32::from(len >= ONE_BYTE);
        let len_word = u64::from((len << 2) | two);
        // At most 5; the mask lets the compiler bound what is derived from it.
        let len_at = (self.0 >> 56) as u32 & 7;
        let word = self.0 | len_word.wrapping_shl(len_at.wrapping_mul(8));
        (word, len_at.wrapping_add(two).wrapping_add(1) as usize)
    }
}

/// Bytes that [`put_data_head`] appends.
#[inline]
pub(crate) fn data_head_len(alias: u32, len: Option<usize>, skip: u64) -> usize {
    sum([
        1,
        varint_len(u64::from(alias)),
        len.map_or(0, |len| varint_len(len as u64)),
        if skip == 0 { 0 } else { varint_len(skip) },
    ])
}

/// Appends RUN without its bytes, which must follow: `elem * count` bytes, or, with `None`, the
/// rest of the record, in whole elements.
///
/// `skip` messages were lost or conflated before the first.
#[inline]
pub(crate) fn put_run_head(
    out: &mut Vec<u8>,
    alias: u32,
    elem: u32,
    count: Option<u32>,
    skip: u64,
) {
    debug_assert!(
        elem > 0 && count != Some(0),
        "a RUN has one byte or more per element, and one element or more"
    );
    let flags = when(count.is_some(), flag::LEN) | when(skip != 0, flag::SKIP);
    out.push(byte0(kind::RUN, flags));
    put_alias(out, alias);
    put_varint(out, u64::from(elem));
    if let Some(count) = count {
        put_varint(out, u64::from(count));
    }
    if skip != 0 {
        put_varint(out, skip);
    }
}

#[cfg(test)]
/// Bytes that [`put_run_head`] appends.
#[inline]
pub(crate) fn run_head_len(alias: u32, elem: u32, count: Option<u32>, skip: u64) -> usize {
    sum([
        1,
        varint_len(u64::from(alias)),
        varint_len(u64::from(elem)),
        count.map_or(0, |count| varint_len(u64::from(count))),
        if skip == 0 { 0 } else { varint_len(skip) },
    ])
}

/// Appends CREDIT.
pub(crate) fn put_credit(out: &mut Vec<u8>, credit: &Credit) {
    let kind = match credit.kind {
        CreditKind::Grant => 0,
        CreditKind::Narrow => flag::NARROW,
        CreditKind::Blocked => flag::BLOCKED,
        CreditKind::Return => flag::RETURN,
    };
    let flags = kind | when(credit.ack.is_some(), flag::ACK);
    out.push(byte0(kind::CREDIT, flags));
    put_alias(out, credit.alias);
    put_varint(out, credit.total);
    if let Some(ack) = credit.ack {
        put_varint(out, ack);
    }
}

/// Appends OPEN, whose options are at most [`OPTIONS_BYTES_MAX`] and do not have WANTS.
pub(crate) fn put_open(out: &mut Vec<u8>, open: &Open<'_>) {
    debug_assert!(open.align <= ALIGN_MAX, "alignment is at most 2^6");
    debug_assert!(open.options.wants.is_none(), "WANTS is an option of ACCEPT");
    out.push(byte0(kind::OPEN, 0));
    put_alias(out, open.alias);
    out.push(open.profile.to_byte());
    out.push(open.align);
    put_varint(out, open.limit);
    put_varint(out, open.max_msg);
    put_options(out, &open.options);
}

/// Bytes that [`put_open`] appends.
pub(crate) fn open_len(open: &Open<'_>) -> usize {
    let options = open.options.encoded_len();
    sum([
        3,
        varint_len(u64::from(open.alias)),
        varint_len(open.limit),
        varint_len(open.max_msg),
        varint_len(options as u64),
        options,
    ])
}

/// Appends ACCEPT, whose options are at most [`OPTIONS_BYTES_MAX`].
pub(crate) fn put_accept(out: &mut Vec<u8>, accept: &Accept<'_>) {
    out.push(byte0(kind::ACCEPT, 0));
    put_alias(out, accept.peer_alias);
    put_alias(out, accept.alias);
    put_varint(out, accept.limit);
    put_varint(out, accept.max_msg);
    put_options(out, &accept.options);
}

/// Bytes that [`put_accept`] appends.
pub(crate) fn accept_len(accept: &Accept<'_>) -> usize {
    let options = accept.options.encoded_len();
    sum([
        1,
        varint_len(u64::from(accept.peer_alias)),
        varint_len(u64::from(accept.alias)),
        varint_len(accept.limit),
        varint_len(accept.max_msg),
        varint_len(options as u64),
        options,
    ])
}

fn put_options(out: &mut Vec<u8>, options: &Options<'_>) {
    let len = options.encoded_len();
    debug_assert!(len <= OPTIONS_BYTES_MAX, "options are at most 4096 bytes");
    put_varint(out, len as u64);
    options.put(out);
}

/// Appends REJECT of the peer's OPEN; `metadata` is at most [`OPTIONS_BYTES_MAX`].
pub(crate) fn put_reject(out: &mut Vec<u8>, peer_alias: u32, code: u32, metadata: &[u8]) {
    let info = !metadata.is_empty();
    out.push(byte0(kind::REJECT, when(info, flag::INFO)));
    put_alias(out, peer_alias);
    put_varint(out, u64::from(code));
    if info {
        put_varint(out, metadata.len() as u64);
        out.extend_from_slice(metadata);
    }
}

/// The most bytes that [`put_reject`] appends.
pub(crate) fn reject_len(metadata: &[u8]) -> usize {
    sum([
        REJECT_BYTES_MAX,
        varint_len(metadata.len() as u64),
        metadata.len(),
    ])
}

/// Appends RESET, which has `abort`, `stop` or both.
pub(crate) fn put_reset(out: &mut Vec<u8>, reset: &Reset) {
    debug_assert!(reset.abort || reset.stop, "a RESET resets something");
    let flags = when(reset.abort, flag::ABORT) | when(reset.stop, flag::STOP);
    out.push(byte0(kind::RESET, flags));
    put_alias(out, reset.alias);
    put_varint(out, u64::from(reset.code));
}

/// Appends SEQ.
pub(crate) fn put_seq(out: &mut Vec<u8>, alias: u32, epoch: u64, next_seq: u64) {
    out.push(byte0(kind::SEQ, 0));
    put_alias(out, alias);
    put_varint(out, epoch);
    put_varint(out, next_seq);
}

/// Appends PING, or the answer to one.
pub(crate) fn put_ping(out: &mut Vec<u8>, value: u64, pong: bool) {
    out.push(byte0(kind::PING, when(pong, flag::PONG)));
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends GOAWAY. A reason that is too long is cut between characters.
pub(crate) fn put_goaway(out: &mut Vec<u8>, go_away: &GoAway<'_>) {
    // A character has four bytes at most. `str::floor_char_boundary` needs Rust 1.91.
    let most = go_away.reason.len().min(GOAWAY_REASON_BYTES_MAX);
    let len = (most.saturating_sub(3)..=most)
        .rev()
        .find(|&at| go_away.reason.is_char_boundary(at))
        .unwrap_or(0);
    let reason = go_away.reason.as_bytes();
    out.push(byte0(kind::GOAWAY, 0));
    put_varint(out, go_away.opens_seen);
    put_varint(out, u64::from(go_away.code));
    out.push(len as u8);
    out.extend(reason.iter().take(len));
}

#[cfg(test)]
/// Appends EXT.
pub(crate) fn put_ext(out: &mut Vec<u8>, kind: u64, ignorable: bool, body: &[u8]) {
    out.push(byte0(kind::EXT, when(ignorable, flag::IGNORE)));
    put_varint(out, kind);
    put_varint(out, body.len() as u64);
    out.extend_from_slice(body);
}

#[cfg(test)]
/// Bytes that [`put_ext`] appends.
pub(crate) fn ext_len(kind: u64, body: &[u8]) -> usize {
    let len = body.len();
    sum([1, varint_len(kind), varint_len(len as u64), len])
}
