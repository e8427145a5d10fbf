//! The send queue: bytes written in place, and shared payloads between them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::Bytes;

use super::pool::BufPool;

/// Bytes that the longest header takes beyond the shortest.
const HEADER_SPARE: usize = 12;

/// Bytes of the first buffer where the caller has attached none.
const FIRST_BYTES: usize = 512;

/// A shared payload in its place in the stream: after the inline bytes up to `at`, and before
/// those from `at` on.
#[derive(Debug)]
struct Segment {
    at: usize,
    bytes: Bytes,
    /// The bytes are a whole frame with its header, not the payload of the header before `at`.
    whole: bool,
}

/// What waits to be written, in order.
///
/// ```text
/// mem    | written | to write ................ | room for claims |
///        0        head        mark            tail             mem.len()
///                              ^ a frame begins here: where a control frame may cut in
/// ```
///
/// `head <= mark <= tail <= mem.len()`; `ahead` bytes of the stream, inline or shared, lie
/// between what is written and `mark`.
#[derive(Debug, Default)]
pub(crate) struct SendBuf {
    mem: Box<[u8]>,
    head: usize,
    tail: usize,
    mark: usize,
    ahead: usize,
    /// There while shared payloads are; a queue of small messages never has one.
    shared: Option<Box<Shared>>,
    /// Empty, for the next shared payload.
    spare: Option<Box<Shared>>,
}

/// The shared payloads of a queue.
#[derive(Debug, Default)]
pub(super) struct Shared {
    segments: VecDeque<Segment>,
    /// Bytes of the first segment that are written.
    written: usize,
    /// Bytes of all segments that are not written.
    bytes: usize,
    /// Segments that lie before `mark`.
    before_mark: usize,
}

/// Size of the header and of the payload of the frame whose header is at the front.
pub(crate) type Measure = fn(&[u8]) -> (usize, usize);

impl SendBuf {
    /// Bytes that wait.
    pub(crate) fn queued(&self) -> usize {
        self.tail - self.head + self.shared.as_ref().map_or(0, |s| s.bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued() == 0
    }

    /// As [`Self::room`], if it takes no making: the memory is there, nothing is shared, and
    /// the queue stays below `max` bytes with a header of any size to spare.
    #[inline]
    pub(crate) fn room_at_hand(&mut self, len: usize, max: usize) -> Option<&mut [u8]> {
        if self.shared.is_some() || self.tail - self.head + len + HEADER_SPARE > max {
            return None;
        }
        self.mem.get_mut(self.tail..self.tail + len)
    }

    /// `len` bytes behind the queue, to be written by the caller and then [`Self::commit`]ted.
    #[inline]
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        self.room_and_end(len).0
    }

    /// The same, and the end of the queue, for the caller to move behind what it has written.
    #[inline]
    pub(crate) fn room_and_end(&mut self, len: usize) -> (&mut [u8], &mut usize) {
        if self.mem.len() - self.tail < len {
            self.make_room(len);
        }
        let room = self.mem.get_mut(self.tail..self.tail + len);
        (room.unwrap_or_default(), &mut self.tail)
    }

    /// The first `len` bytes of the room are now part of the queue.
    #[inline]
    pub(crate) fn commit(&mut self, len: usize) {
        debug_assert!(len <= self.mem.len() - self.tail, "more than the room");
        self.tail += len;
    }

    #[cold]
    fn make_room(&mut self, len: usize) {
        let used = self.tail - self.head;
        // Sliding a queue that fills more than half of its memory would be done again soon, and
        // cost as much for every few messages.
        if self.head > 0 && used.saturating_add(len) <= self.mem.len() / 2 {
            self.mem.copy_within(self.head..self.tail, 0);
        } else {
            let wanted = used.saturating_add(len).max(FIRST_BYTES);
            let mut mem = alloc::vec![0; wanted.max(self.mem.len() * 2)].into_boxed_slice();
            mem[..used].copy_from_slice(&self.mem[self.head..self.tail]);
            self.mem = mem;
        }
        for segment in self.shared.iter_mut().flat_map(|s| &mut s.segments) {
            segment.at -= self.head;
        }
        self.mark -= self.head;
        self.tail = used;
        self.head = 0;
    }

    /// Puts a shared payload behind the queue: the payload of the header just committed, or a
    /// `whole` frame.
    pub(crate) fn push_shared(&mut self, bytes: Bytes, whole: bool) {
        let spare = &mut self.spare;
        let shared = self
            .shared
            .get_or_insert_with(|| spare.take().unwrap_or_default());
        shared.bytes += bytes.len();
        shared.segments.push_back(Segment {
            at: self.tail,
            bytes,
            whole,
        });
    }

    /// Puts bytes into the empty queue that no control frame may cut into: the rest of a frame
    /// whose beginning is written.
    pub(crate) fn push_begun(&mut self, bytes: Bytes) {
        debug_assert!(self.is_empty(), "a begun frame is at the front");
        self.ahead += bytes.len();
        self.push_shared(bytes, true);
        if let Some(shared) = &mut self.shared {
            shared.before_mark += 1;
        }
    }

    /// Everything that waits, up to the next frame boundary or from it on.
    pub(crate) fn chunks(&self, part: Part) -> Chunks<'_> {
        let shared = self.shared.as_ref();
        let (segment, at, written, left) = match part {
            Part::BeforeMark => (0, self.head, shared.map_or(0, |s| s.written), self.ahead),
            // Nothing behind a frame boundary is half written.
            Part::FromMark => (
                shared.map_or(0, |s| s.before_mark),
                self.mark,
                0,
                self.queued() - self.ahead,
            ),
        };
        Chunks {
            buf: self,
            segment,
            at,
            written,
            left,
        }
    }

    /// Bytes up to the next frame boundary: zero when nothing is half written.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }

    /// The first `n` bytes are written.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize, measure: Measure) {
        if n >= self.queued() {
            debug_assert!(n == self.queued(), "written more than was queued");
            self.reset();
            return;
        }
        self.begin(n, measure);
        self.ahead -= n;
        self.drop_front(n);
    }

    /// The frames of which the first `n` bytes, no more than are queued, are parts go before any
    /// control frame.
    #[inline]
    pub(crate) fn begin(&mut self, n: usize, measure: Measure) {
        while self.ahead < n {
            self.step_mark(measure);
        }
    }

    fn reset(&mut self) {
        self.head = 0;
        self.tail = 0;
        self.mark = 0;
        self.ahead = 0;
        if let Some(mut shared) = self.shared.take() {
            shared.segments.clear();
            (shared.written, shared.bytes, shared.before_mark) = (0, 0, 0);
            self.spare = Some(shared);
        }
    }

    /// Moves `mark` over one frame.
    fn step_mark(&mut self, measure: Measure) {
        let next = self
            .shared
            .as_ref()
            .and_then(|s| s.segments.get(s.before_mark));
        let (inline, shared) = match next {
            Some(s) if s.whole && s.at == self.mark => (0, Some(s.bytes.len())),
            next => {
                let (header, payload) = measure(&self.mem[self.mark..self.tail]);
                match next {
                    Some(s) if !s.whole && payload > 0 && s.at == self.mark + header => {
                        (header, Some(s.bytes.len()))
                    }
                    _ => (header + payload, None),
                }
            }
        };
        self.mark += inline;
        self.ahead += inline + shared.unwrap_or(0);
        if let (Some(_), Some(s)) = (shared, &mut self.shared) {
            s.before_mark += 1;
        }
    }

    /// Drops `n` bytes, fewer than are queued, from the front.
    fn drop_front(&mut self, mut n: usize) {
        while let Some(shared) = &mut self.shared
            && let Some(first) = shared.segments.front()
        {
            let inline = (first.at - self.head).min(n);
            self.head += inline;
            n -= inline;
            if n == 0 {
                return;
            }
            let left = first.bytes.len() - shared.written;
            if n < left {
                shared.written += n;
                shared.bytes -= n;
                return;
            }
            n -= left;
            shared.bytes -= left;
            shared.written = 0;
            shared.before_mark = shared.before_mark.saturating_sub(1);
            shared.segments.pop_front();
        }
        self.head += n;
    }

    /// Takes a large buffer from the pool to write into, if it has none.
    pub(crate) fn attach(&mut self, pool: &mut BufPool) {
        if self.mem.is_empty() {
            self.mem = pool.take_send();
        }
        if self.spare.is_none() {
            self.spare = pool.take_shared();
        }
    }

    /// Gives the memory back when nothing waits in it.
    pub(crate) fn detach(&mut self, pool: &mut BufPool) {
        if self.is_empty() && !self.mem.is_empty() {
            self.reset();
            pool.give_send(core::mem::take(&mut self.mem));
            pool.give_shared(self.spare.take());
        }
    }
}

/// Which side of the next frame boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    BeforeMark,
    FromMark,
}

/// Slices of the queue in stream order. See [`SendBuf::chunks`].
#[derive(Clone, Debug)]
pub(crate) struct Chunks<'a> {
    buf: &'a SendBuf,
    /// The next segment.
    segment: usize,
    /// The next inline byte.
    at: usize,
    /// Bytes of that segment to leave out.
    written: usize,
    /// Bytes still to come.
    left: usize,
}

impl Chunks<'_> {
    /// None of them.
    pub(crate) fn held(self) -> Self {
        Self { left: 0, ..self }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.left > 0 {
            let buf = self.buf;
            let segment = buf
                .shared
                .as_ref()
                .and_then(|s| s.segments.get(self.segment));
            let end = segment.map_or(buf.tail, |s| s.at);
            let chunk = if self.at < end {
                let end = end.min(self.at + self.left);
                let inline = &buf.mem[self.at..end];
                self.at = end;
                inline
            } else {
                let bytes = &segment?.bytes[self.written..];
                self.segment += 1;
                self.written = 0;
                &bytes[..bytes.len().min(self.left)]
            };
            self.left -= chunk.len();
            if !chunk.is_empty() {
                return Some(chunk);
            }
        }
        None
    }
}
