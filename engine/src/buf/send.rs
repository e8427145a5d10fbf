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
pub(super) struct Queue {
    pub(super) mem: Box<[u8]>,
    head: usize,
    tail: usize,
    mark: usize,
    bytes_before_mark: usize,
    /// Bytes that the queue may hold, as [`SendBuf::attach`] was told.
    max: usize,
    /// How far `tail` may move with nothing else to ask: the memory is there, nothing is shared, and
    /// the queue stays below `max` with a header of any size to spare. Never too far; less than it
    /// could be where `head` has moved meanwhile.
    fast_end: usize,
    /// Shared payloads were queued since the queue was empty last.
    has_shared: bool,
    /// The shared payloads. The list keeps its memory.
    segments: VecDeque<Segment>,
    /// Bytes of the first segment that are written.
    written: usize,
    /// Bytes of all segments that are not written.
    shared_bytes: usize,
    /// Segments that lie before `mark`.
    segments_before_mark: usize,
}

/// The send queue of a connection. One pointer where nothing waits: memory, cursors and list are
/// the pool's.
#[derive(Debug, Default)]
pub(crate) struct SendBuf {
    queue: Option<Box<Queue>>,
}

/// Size of the header and of the payload of the frame whose header is at the front.
pub(crate) type Measure = fn(&[u8]) -> (usize, usize);

impl SendBuf {
    /// Bytes that wait.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.queued())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queued() == 0
    }

    /// As [`Self::room_and_tail`], if it takes no making, and the queue stays below what it may
    /// hold. `None` says nothing: it may be that nobody has looked.
    #[inline]
    pub(crate) fn room_fast(&mut self, len: usize) -> Option<(&mut [u8], &mut usize)> {
        let queue = self.queue.as_deref_mut()?;
        let end = queue.tail + len;
        if end > queue.fast_end {
            return None;
        }
        let room = queue.mem.get_mut(queue.tail..end)?;
        Some((room, &mut queue.tail))
    }

    /// `len` bytes behind the queue, to be written by the caller and then [`Self::commit`]ted.
    #[inline]
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        self.room_and_tail(len).0
    }

    /// The same, and the end of the queue, for the caller to move behind what it has written.
    #[inline]
    pub(crate) fn room_and_tail(&mut self, len: usize) -> (&mut [u8], &mut usize) {
        let queue = &mut **self.queue.get_or_insert_default();
        if queue.mem.len() - queue.tail < len {
            queue.make_room(len);
        }
        let room = queue.mem.get_mut(queue.tail..queue.tail + len);
        (room.unwrap_or_default(), &mut queue.tail)
    }

    /// The first `len` bytes of the room are now part of the queue.
    #[inline]
    pub(crate) fn commit(&mut self, len: usize) {
        if let Some(queue) = &mut self.queue {
            debug_assert!(len <= queue.mem.len() - queue.tail, "more than the room");
            queue.tail += len;
        }
    }

    /// Puts a shared payload behind the queue: the payload of the header just committed, or a
    /// `whole` frame.
    pub(crate) fn push_shared(&mut self, bytes: Bytes, whole: bool) {
        self.queue.get_or_insert_default().push_shared(bytes, whole);
    }

    /// Puts bytes into the empty queue that no control frame may cut into: the rest of a frame
    /// whose beginning is written.
    pub(crate) fn push_partial_frame(&mut self, bytes: Bytes) {
        debug_assert!(self.is_empty(), "a begun frame is at the front");
        let queue = self.queue.get_or_insert_default();
        queue.bytes_before_mark += bytes.len();
        queue.push_shared(bytes, true);
        queue.segments_before_mark += 1;
    }

    /// Everything that waits, up to the next frame boundary or from it on.
    pub(crate) fn chunks(&self, side: Side) -> Chunks<'_> {
        let queue = self.queue.as_deref();
        let (segment, at, written, left) = match (queue, side) {
            (None, _) => (0, 0, 0, 0),
            (Some(queue), Side::BeforeMark) => {
                (0, queue.head, queue.written, queue.bytes_before_mark)
            }
            // Nothing behind a frame boundary is half written.
            (Some(queue), Side::FromMark) => (
                queue.segments_before_mark,
                queue.mark,
                0,
                queue.queued() - queue.bytes_before_mark,
            ),
        };
        Chunks {
            queue,
            segment,
            at,
            written,
            left,
        }
    }

    /// Bytes up to the next frame boundary: zero when nothing is half written.
    pub(crate) fn bytes_before_mark(&self) -> usize {
        self.queue
            .as_ref()
            .map_or(0, |queue| queue.bytes_before_mark)
    }

    /// The first `n` bytes are written.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize, measure: Measure) {
        let Some(queue) = &mut self.queue else {
            return;
        };
        if n >= queue.queued() {
            debug_assert!(n == queue.queued(), "written more than was queued");
            queue.reset();
            return;
        }
        queue.start_frames(n, measure);
        queue.bytes_before_mark -= n;
        queue.drop_front(n);
    }

    /// The frames of which the first `n` bytes, no more than are queued, are parts go before any
    /// control frame.
    #[inline]
    pub(crate) fn start_frames(&mut self, n: usize, measure: Measure) {
        if let Some(queue) = &mut self.queue {
            queue.start_frames(n, measure);
        }
    }

    /// Takes a large buffer from the pool to write into, if it has none. The queue may hold `max`
    /// bytes; who takes [`Self::room`] without asking has compared.
    pub(crate) fn attach(&mut self, pool: &mut BufPool, max: usize) {
        match &mut self.queue {
            None => {
                let mut queue = pool.take_send();
                queue.max = max;
                queue.update_fast_end();
                self.queue = Some(queue);
            }
            // Nothing but shared payloads was queued so far.
            Some(queue) if queue.mem.is_empty() => {
                queue.mem = core::mem::take(&mut pool.take_send().mem);
                queue.max = max;
                queue.update_fast_end();
            }
            Some(_) => {}
        }
    }

    /// Gives the memory back when nothing waits in it.
    pub(crate) fn detach(&mut self, pool: &mut BufPool) {
        if self.is_empty()
            && let Some(mut queue) = self.queue.take()
        {
            queue.reset();
            pool.put_send(queue);
        }
    }
}

impl Queue {
    /// Memory with nothing in it.
    pub(super) fn empty(mem: Box<[u8]>) -> Box<Self> {
        Box::new(Self {
            mem,
            ..Self::default()
        })
    }

    #[inline]
    fn queued(&self) -> usize {
        self.tail - self.head + self.shared_bytes
    }

    /// Finds [`Self::fast_end`].
    #[inline]
    fn update_fast_end(&mut self) {
        let allowed = self.max.saturating_sub(HEADER_SPARE);
        self.fast_end = if self.has_shared {
            0
        } else {
            self.mem.len().min(self.head.saturating_add(allowed))
        };
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
        for segment in &mut self.segments {
            segment.at -= self.head;
        }
        self.mark -= self.head;
        self.tail = used;
        self.head = 0;
        self.update_fast_end();
    }

    fn push_shared(&mut self, bytes: Bytes, whole: bool) {
        self.has_shared = true;
        self.fast_end = 0;
        self.shared_bytes += bytes.len();
        self.segments.push_back(Segment {
            at: self.tail,
            bytes,
            whole,
        });
    }

    #[inline]
    fn start_frames(&mut self, n: usize, measure: Measure) {
        while self.bytes_before_mark < n {
            self.advance_mark(measure);
        }
    }

    #[inline]
    fn reset(&mut self) {
        self.head = 0;
        self.tail = 0;
        self.mark = 0;
        self.bytes_before_mark = 0;
        if core::mem::take(&mut self.has_shared) {
            self.segments.clear();
            (self.written, self.shared_bytes, self.segments_before_mark) = (0, 0, 0);
        }
        self.update_fast_end();
    }

    /// Moves `mark` over one frame.
    fn advance_mark(&mut self, measure: Measure) {
        let next = self.segments.get(self.segments_before_mark);
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
        self.bytes_before_mark += inline + shared.unwrap_or(0);
        self.segments_before_mark += usize::from(shared.is_some());
    }

    /// Drops `n` bytes, fewer than are queued, from the front.
    fn drop_front(&mut self, mut n: usize) {
        while let Some(first) = self.segments.front() {
            let inline = (first.at - self.head).min(n);
            self.head += inline;
            n -= inline;
            if n == 0 {
                return;
            }
            let left = first.bytes.len() - self.written;
            if n < left {
                self.written += n;
                self.shared_bytes -= n;
                return;
            }
            n -= left;
            self.shared_bytes -= left;
            self.written = 0;
            self.segments_before_mark = self.segments_before_mark.saturating_sub(1);
            self.segments.pop_front();
        }
        self.head += n;
    }
}

/// Which side of the next frame boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    BeforeMark,
    FromMark,
}

/// Slices of the queue in stream order. See [`SendBuf::chunks`].
#[derive(Clone, Debug)]
pub(crate) struct Chunks<'a> {
    /// `None` where nothing is left.
    queue: Option<&'a Queue>,
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
    pub(crate) fn emptied(self) -> Self {
        Self { left: 0, ..self }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.left > 0 {
            let queue = self.queue?;
            let segment = queue.segments.get(self.segment);
            let end = segment.map_or(queue.tail, |s| s.at);
            let chunk = if self.at < end {
                let end = end.min(self.at + self.left);
                let inline = &queue.mem[self.at..end];
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
