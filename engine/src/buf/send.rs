//! The send queue: inline bytes in one buffer, and shared payloads between them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::Bytes;

use super::pool::BufPool;

/// The longest frame header has this many bytes more than the shortest one.
const HEADER_SPARE: usize = 12;

/// Size of the first buffer when the driver has attached none.
const FIRST_BYTES: usize = 512;

/// A shared payload and its position in the stream: after the inline bytes before `at`, and before
/// the inline bytes from `at` on.
#[derive(Debug)]
struct Segment {
    at: usize,
    bytes: Bytes,
    /// The bytes are a frame with its header. Otherwise they are the payload of the frame whose
    /// header ends at `at`.
    whole_frame: bool,
}

/// The bytes to write, in stream order.
///
/// ```text
/// mem    | written | to write ................ | room for claims |
///        0        head        mark            tail             mem.len()
///                              ^ frame boundary: a control frame may be inserted here
/// ```
///
/// `head <= mark <= tail <= mem.len()`. `bytes_before_mark` counts the unwritten bytes before
/// `mark`, inline and shared.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) mem: Box<[u8]>,
    head: usize,
    tail: usize,
    mark: usize,
    bytes_before_mark: usize,
    /// Limit of the queue in bytes, as given to [`SendBuf::attach`].
    max: usize,
    /// `tail` may move up to here without further checks: the memory is there, no payload is
    /// shared, and the queue stays below `max` with space for a header of any size. May be lower
    /// than necessary, because a write moves `head` and does not update it.
    fast_end: usize,
    /// A shared payload was queued since the queue was last empty.
    has_shared: bool,
    /// The shared payloads. The list keeps its memory when it is emptied.
    segments: VecDeque<Segment>,
    /// Bytes of the first segment that are already written.
    written: usize,
    /// Unwritten bytes of all segments.
    shared_bytes: usize,
    /// Number of segments before `mark`.
    segments_before_mark: usize,
}

/// The send queue of a connection: one pointer, null while no byte is queued. Memory, cursors and
/// list belong to the pool.
#[derive(Debug, Default)]
pub(crate) struct SendBuf {
    queue: Option<Box<Queue>>,
}

/// Returns the header size and the payload size of the frame whose header is at the front of the
/// slice.
pub(crate) type Measure = fn(&[u8]) -> (usize, usize);

impl SendBuf {
    /// Bytes that are queued and not yet written.
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.queued())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queued() == 0
    }

    /// Fast path of [`Self::room_and_tail`]: returns the space if `tail` can move by `len` without
    /// a check, see [`Queue::fast_end`]. `None` means: use the slow path.
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

    /// `len` bytes of space at the end of the queue. The caller writes them and then calls
    /// [`Self::commit`].
    #[inline]
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        self.room_and_tail(len).0
    }

    /// As [`Self::room`], with the cursor `tail`: the caller advances it past the bytes it has
    /// written.
    #[inline]
    pub(crate) fn room_and_tail(&mut self, len: usize) -> (&mut [u8], &mut usize) {
        let queue = &mut **self.queue.get_or_insert_default();
        if queue.mem.len() - queue.tail < len {
            queue.make_room(len);
        }
        let room = queue.mem.get_mut(queue.tail..queue.tail + len);
        (room.unwrap_or_default(), &mut queue.tail)
    }

    /// Appends the first `len` bytes of the space to the queue.
    #[inline]
    pub(crate) fn commit(&mut self, len: usize) {
        if let Some(queue) = &mut self.queue {
            debug_assert!(len <= queue.mem.len() - queue.tail, "more than the room");
            queue.tail += len;
        }
    }

    /// Appends a shared payload: the payload of the header just committed, or a whole frame with
    /// its header.
    pub(crate) fn push_shared(&mut self, bytes: Bytes, whole_frame: bool) {
        self.queue
            .get_or_insert_default()
            .push_shared(bytes, whole_frame);
    }

    /// Puts the rest of a partly written frame into the empty queue. No control frame is inserted
    /// before its end.
    pub(crate) fn push_partial_frame(&mut self, bytes: Bytes) {
        debug_assert!(
            self.is_empty(),
            "a partly written frame must be at the front"
        );
        let queue = self.queue.get_or_insert_default();
        queue.bytes_before_mark += bytes.len();
        queue.push_shared(bytes, true);
        queue.segments_before_mark += 1;
    }

    /// The queued slices on one side of the next frame boundary.
    pub(crate) fn chunks(&self, side: Side) -> Chunks<'_> {
        let queue = self.queue.as_deref();
        let (segment, at, written, left) = match (queue, side) {
            (None, _) => (0, 0, 0, 0),
            (Some(queue), Side::BeforeMark) => {
                (0, queue.head, queue.written, queue.bytes_before_mark)
            }
            // Segments after a frame boundary are not partly written.
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

    /// Unwritten bytes up to the next frame boundary: 0 if no frame is partly written.
    pub(crate) fn bytes_before_mark(&self) -> usize {
        self.queue
            .as_ref()
            .map_or(0, |queue| queue.bytes_before_mark)
    }

    /// Removes the first `n` bytes, which were written.
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

    /// Moves the mark past every frame that has a part in the first `n` bytes, so that no control
    /// frame is inserted before its end. `n` is at most the number of queued bytes.
    #[inline]
    pub(crate) fn start_frames(&mut self, n: usize, measure: Measure) {
        if let Some(queue) = &mut self.queue {
            queue.start_frames(n, measure);
        }
    }

    /// Takes a send buffer from the pool unless the queue has one. The queue may hold `max` bytes;
    /// a caller of [`Self::room`] checks this limit itself.
    pub(crate) fn attach(&mut self, pool: &mut BufPool, max: usize) {
        match &mut self.queue {
            None => {
                let mut queue = pool.take_send();
                queue.max = max;
                queue.update_fast_end();
                self.queue = Some(queue);
            }
            // Only shared payloads are queued so far.
            Some(queue) if queue.mem.is_empty() => {
                queue.mem = core::mem::take(&mut pool.take_send().mem);
                queue.max = max;
                queue.update_fast_end();
            }
            Some(_) => {}
        }
    }

    /// Returns the memory to the pool if the queue is empty.
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
    /// A queue without bytes.
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

    /// Recomputes [`Self::fast_end`].
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
        // A queue that fills more than half of its memory is not moved: it would have to be moved
        // again after a few messages.
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

    fn push_shared(&mut self, bytes: Bytes, whole_frame: bool) {
        self.has_shared = true;
        self.fast_end = 0;
        self.shared_bytes += bytes.len();
        self.segments.push_back(Segment {
            at: self.tail,
            bytes,
            whole_frame,
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

    /// Moves `mark` past one frame.
    fn advance_mark(&mut self, measure: Measure) {
        let next = self.segments.get(self.segments_before_mark);
        let (inline, shared) = match next {
            Some(s) if s.whole_frame && s.at == self.mark => (0, Some(s.bytes.len())),
            next => {
                let (header, payload) = measure(&self.mem[self.mark..self.tail]);
                match next {
                    Some(s) if !s.whole_frame && payload > 0 && s.at == self.mark + header => {
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

    /// Removes `n` bytes from the front; `n` is less than the number of queued bytes.
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

/// A side of the mark, see [`Queue`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    BeforeMark,
    FromMark,
}

/// Iterator over slices of the queue in stream order. See [`SendBuf::chunks`].
#[derive(Clone, Debug)]
pub(crate) struct Chunks<'a> {
    /// `None` if the connection has no queue.
    queue: Option<&'a Queue>,
    /// Index of the next segment.
    segment: usize,
    /// Position of the next inline byte.
    at: usize,
    /// Bytes of that segment to skip: they are already written.
    written: usize,
    /// Bytes that the iterator has not yet returned.
    left: usize,
}

impl Chunks<'_> {
    /// An iterator that returns no slice.
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
