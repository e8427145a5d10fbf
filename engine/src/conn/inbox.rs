//! The receiving half of an endpoint: bytes in, messages lent.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::ahead::Lookahead;
use super::batch::Batch;
use super::message::{Kind, Message, OwnedMessage};
use super::replies::{CloseCause, Replies};
use super::text::Utf8Bytes;
use super::texts::TextCheck;
use crate::agreed::{Agreed, Extensions};
use crate::buf::{BufPool, RecvBuf};
use crate::config::Config;
use crate::error::Failure;
use crate::frame::header::{Rsv, Rules};
use crate::frame::utf8::Utf8;
use crate::frame::{Opcode, header, mask};
use crate::role::Role;

/// An owned message takes the receive buffer with it when it fills this part of it; a smaller
/// one is copied, so that a kept message of 32 bytes does not keep 64 KiB.
const OWNED_SHARE: usize = 2;

/// The same for the memory in which a message was assembled. Twice its size is what growing leaves.
const ASSEMBLY_SHARE: usize = 4;

/// The assembly may be at most this many times as large as what it holds of an open message while
/// nothing is read: as for receive buffers, a peer that stops in the middle of a message costs us
/// what it sent of that message, not the size of the one before.
const ASSEMBLY_KEPT_RATIO_MAX: usize = 8;

/// Bytes below which an assembly is left as large as it is: no peer is worth another allocation.
const ASSEMBLY_KEPT_BYTES_MIN: usize = 4096;

/// Where the receiving half stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ReadPhase {
    /// Frames are read.
    Open,
    /// The peer's Close was read. What follows is ignored.
    Closed,
    /// The peer broke a rule. What follows is ignored.
    Failed,
}

/// A frame whose header is consumed and whose payload is taken as it arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartialFrame {
    /// Payload bytes still to come.
    pub(super) left: u64,
    /// The mask key, turned so that its first byte meets the next byte.
    pub(super) key: [u8; 4],
    /// The last frame of its message.
    pub(super) fin: bool,
}

/// A message whose frames are taken as they arrive.
#[derive(Debug)]
pub(super) struct OpenMessage {
    /// `None` between two such messages.
    pub(super) kind: Option<Kind>,
    pub(super) frame: Option<PartialFrame>,
    /// No part of it has been delivered.
    pub(super) first: bool,
    /// Frames so far.
    pub(super) fragments: u32,
    /// Payload bytes that the headers have announced.
    pub(super) len: u64,
}

impl Default for OpenMessage {
    fn default() -> Self {
        Self {
            kind: None,
            frame: None,
            first: true,
            fragments: 0,
            len: 0,
        }
    }
}

/// The payload of a message that does not come as one frame in one buffer.
#[derive(Default, Debug)]
pub(super) struct Assembly(pub(super) Vec<u8>);

/// Everything the parser remembers between two reads, but for the bytes.
#[derive(Debug)]
pub(super) struct ParseState {
    pub(super) config: Arc<Config>,
    pub(super) role: Role,
    /// The reserved bits that the agreed extensions use.
    rsv: Rsv,
    pub(super) phase: ReadPhase,
    /// The last batch ended because bytes were missing, so that it is time to read.
    pub(super) needs_read: bool,
    /// The assembly holds a message that was lent; it is cleared before the next batch.
    pub(super) assembly_lent: bool,
    /// Made with the first message whose frames are taken as they arrive; kept while the
    /// connection is busy.
    pub(super) message: Option<Box<OpenMessage>>,
    /// Payload bytes of the half-received frame at the front of the buffer that are unmasked,
    /// and checked if they are text.
    pub(super) progress: u32,
    /// Bytes at the front of the buffer that hold whole text frames, prepared and checked: see
    /// [`texts`](super::texts). All of them are lent next, or made frames again.
    pub(super) texts_bytes: u32,
    /// How the next batch text_check small texts.
    pub(super) text_check: TextCheck,
    pub(super) utf8: Utf8,
    pub(super) replies: Replies,
    /// Pings that have not been lent and are answered all the same: the next ones.
    pub(super) pings_answered: u32,
    /// What was found in the frames that are not lent.
    pub(super) lookahead: Lookahead,
    /// The peer's Close is the next frame but for control frames, and was looked at: it is
    /// answered, unless it breaks a rule.
    pub(super) close_answered: bool,
    /// The peer will send nothing more.
    pub(super) eof: bool,
    /// That is so because reading has failed.
    pub(super) read_failed: bool,
    /// Bytes that came behind a Close or an error, and were dropped.
    pub(super) dropped_bytes: u32,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// The receiving half.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(super) buf: RecvBuf,
    /// Made as [`ParseState::message`].
    assembly: Option<Box<Assembly>>,
    pub(super) state: ParseState,
}

/// The reserved bits that extensions use: none of them does.
const fn reserved_bits(Extensions {}: &Extensions) -> Rsv {
    Rsv::NONE
}

impl ParseState {
    /// What the peer's frames must be like.
    #[inline]
    pub(super) fn rules(&self) -> Rules {
        Rules {
            role: self.role,
            rsv: self.rsv,
        }
    }
}

impl Inbox {
    /// `leftover` came behind the opening handshake: the first frames.
    pub(crate) fn new(agreed: &Agreed, config: impl Into<Arc<Config>>, leftover: &[u8]) -> Self {
        let config = config.into();
        Self {
            buf: RecvBuf::from_bytes(leftover),
            assembly: None,
            state: ParseState {
                config,
                role: agreed.role(),
                rsv: reserved_bits(agreed.extensions()),
                phase: ReadPhase::Open,
                needs_read: leftover.is_empty(),
                assembly_lent: false,
                message: None,
                progress: 0,
                texts_bytes: 0,
                text_check: TextCheck::Grouped,
                utf8: Utf8::default(),
                replies: Replies::default(),
                pings_answered: 0,
                lookahead: Lookahead::default(),
                close_answered: false,
                eof: false,
                read_failed: false,
                dropped_bytes: 0,
                messages: 0,
                bytes: 0,
            },
        }
    }

    #[inline]
    pub(crate) fn config(&self) -> &Config {
        &self.state.config
    }

    /// Takes a buffer to read into.
    pub(crate) fn attach(&mut self, pool: &mut BufPool) {
        self.buf.attach(pool);
        if self.state.needs_read {
            // A frame was begun in a larger buffer, that of an earlier owner, and waits here
            // until it is whole.
            self.buf.grow_if_full();
        }
    }

    /// Gives back what memory it can: everything, on an idle connection.
    pub(crate) fn detach(&mut self, pool: &mut BufPool) {
        self.buf.detach(pool);
        self.state.replies.release();
        self.release_assembly();
        if self.state.message.is_some() {
            self.release_message();
        }
    }

    /// Gives back what the open message, if there is one, does not need.
    #[cold]
    fn release_message(&mut self) {
        if self.state.open_message().is_none() {
            self.state.message = None;
            self.assembly = None;
        } else if let Some(Assembly(bytes)) = self.assembly.as_deref_mut() {
            let kept = bytes.len().max(ASSEMBLY_KEPT_BYTES_MIN);
            if bytes.capacity() > kept.saturating_mul(ASSEMBLY_KEPT_RATIO_MAX) {
                bytes.shrink_to(kept);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn assembly_capacity(&self) -> usize {
        self.assembly.as_ref().map_or(0, |a| a.0.capacity())
    }

    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.buf.space()
    }

    pub(crate) fn filled(&mut self, n: usize) {
        self.buf.filled(n);
        self.state.needs_read = false;
        if self.state.phase != ReadPhase::Open {
            let dropped = u32::try_from(self.buf.len()).unwrap_or(u32::MAX);
            self.state.dropped_bytes = self.state.dropped_bytes.saturating_add(dropped);
            self.buf.clear();
            self.state.texts_bytes = 0;
        }
    }

    /// Bytes that came when no message could come any more.
    pub(crate) fn dropped_bytes(&self) -> u32 {
        self.state.dropped_bytes
    }

    /// Whether everything received so far has been looked at, so that only a read helps.
    pub(crate) fn wants_read(&self) -> bool {
        self.state.needs_read || self.buf.is_empty() || self.state.phase != ReadPhase::Open
    }

    /// Whether the peer has closed or failed, so that no message can come any more.
    pub(crate) fn is_done(&self) -> bool {
        self.state.phase != ReadPhase::Open
    }

    /// Whether the peer's Close was read.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.phase == ReadPhase::Closed
    }

    /// The messages in what was received, up to a Ping or Close that is not answered yet, unless
    /// the first is one.
    pub(crate) fn batch(&mut self) -> Batch<'_> {
        self.look_ahead();
        self.parse_batch()
    }

    #[inline]
    fn parse_batch(&mut self) -> Batch<'_> {
        self.release_assembly();
        self.state.needs_read = false;
        self.state.lookahead.bytes = 0;
        let capacity = self.buf.capacity();
        let (rest, start) = self.buf.received_mut();
        Batch::new(rest, start, capacity, &mut self.assembly, &mut self.state)
    }

    /// The next message, owned. `None` when only a read helps, or when answers were registered
    /// that go out before it.
    pub(crate) fn next_owned(&mut self) -> Option<Result<OwnedMessage, Failure>> {
        if self.look_ahead() {
            return None; // the answers go out first
        }
        let received = self.buf.received().as_ptr_range();
        let share = self.buf.capacity() / OWNED_SHARE;
        let message = match self.parse_batch().first()? {
            Ok(message) => message,
            Err(failure) => return Some(Err(failure)),
        };
        let (kind, data) = match message {
            Message::Binary(data) => (Kind::Binary, data),
            Message::Text(text) => (Kind::Text, text.as_bytes()),
            other => return Some(Ok(other.into())),
        };
        let in_buffer = received.contains(&data.as_ptr());
        if data.is_empty() || in_buffer && data.len() <= share {
            return Some(Ok(message.into()));
        }
        let len = data.len();
        let owned = if in_buffer {
            self.take_message(len)
        } else {
            self.take_assembly()
        };
        Some(Ok(match kind {
            Kind::Binary => OwnedMessage::Binary(owned),
            Kind::Text => OwnedMessage::Text(Utf8Bytes::new(owned).unwrap_or_default()),
        }))
    }

    pub(crate) fn replies(&mut self) -> &mut Replies {
        &mut self.state.replies
    }

    /// The peer will send nothing more; `broken`: reading has failed. The first cause is kept.
    pub(crate) fn set_stream_end(&mut self, read_failed: bool) {
        self.state.read_failed |= read_failed && !self.state.eof;
        self.state.eof = true;
    }

    /// How the stream has ended, if it has.
    #[inline]
    pub(crate) fn stream_end(&self) -> Option<Failure> {
        self.state.eof.then_some(if self.state.read_failed {
            Failure::Io
        } else {
            Failure::Eof
        })
    }

    /// The stream ended, or failed. Without a Close before, that is a failure.
    pub(crate) fn fail(&mut self, failure: Failure) {
        if self.state.phase == ReadPhase::Open {
            self.state.fail(failure);
        }
    }

    /// Nothing more is read: an earlier owner has read the peer's Close.
    pub(crate) fn close(&mut self) {
        self.state.phase = ReadPhase::Closed;
    }

    /// Nothing more is read: a deadline of ours passed.
    pub(crate) fn stop(&mut self) {
        self.state.phase = ReadPhase::Failed;
    }

    /// Data messages received, and their payload bytes.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.state.messages, self.state.bytes)
    }

    /// The bytes that have been received and not delivered, as the peer could have sent them:
    /// frames that are partly taken are put together again, masks included.
    pub(crate) fn into_unread(mut self) -> Vec<u8> {
        self.restore_texts();
        let Self {
            mut buf,
            assembly,
            state,
        } = self;
        let mut assembly = assembly.map(|a| a.0).unwrap_or_default();
        if state.assembly_lent {
            assembly.clear();
        }
        let mut unread = Vec::new();
        if let Some(kind) = state.open_message() {
            state.encode_open_message(&mut unread, kind, &assembly);
        }
        let (rest, _) = buf.received_mut();
        if state.progress > 0
            && let Ok(Some(h)) = header::parse(rest, state.rules())
            && let Some(payload) = rest
                .get_mut(h.size as usize..)
                .and_then(|frame| frame.get_mut(..state.progress as usize))
        {
            mask::apply(payload, h.key, 0);
        }
        unread.extend_from_slice(rest);
        unread
    }

    fn release_assembly(&mut self) {
        if core::mem::take(&mut self.state.assembly_lent)
            && let Some(assembly) = &mut self.assembly
        {
            assembly.0.clear();
        }
    }

    /// The message of `len` bytes that was just taken from the buffer, with the memory it
    /// stands in: it ends where the unread bytes begin.
    fn take_message(&mut self, len: usize) -> Bytes {
        let (mem, unread): (Box<[u8]>, _) = self.buf.take();
        let end = unread.start;
        if !unread.is_empty() {
            self.buf = RecvBuf::from_bytes(mem.get(unread).unwrap_or_default());
        }
        Bytes::from(mem).slice(end.saturating_sub(len)..end)
    }

    fn take_assembly(&mut self) -> Bytes {
        self.state.assembly_lent = false;
        let Some(Assembly(bytes)) = self.assembly.as_deref_mut() else {
            return Bytes::new();
        };
        if bytes.len() < bytes.capacity() / ASSEMBLY_SHARE {
            // Grown for a larger one, which was lent.
            let owned = Bytes::copy_from_slice(bytes);
            bytes.clear();
            return owned;
        }
        Bytes::from(core::mem::take(bytes))
    }
}

impl ParseState {
    /// The open message, if its frames are taken as they arrive.
    #[inline]
    pub(super) fn open_message(&self) -> Option<Kind> {
        self.message.as_ref()?.kind
    }

    /// The frame of it that is half taken.
    #[inline]
    pub(super) fn partial_frame(&self) -> Option<PartialFrame> {
        self.message.as_ref()?.frame
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.phase = ReadPhase::Failed;
        self.replies.set_close(CloseCause::Fail(failure));
    }

    /// Appends the open message as the peer could have sent it: what is assembled, and the
    /// frame that is half taken. No frame is longer, and there are not more of them, than what
    /// came, so that the limits that let it in still do.
    fn encode_open_message(&self, out: &mut Vec<u8>, kind: Kind, assembly: &[u8]) {
        let frame_max = usize::try_from(self.config.frame_bytes_max).unwrap_or(usize::MAX);
        let frame = self.partial_frame();
        let left = frame.map_or(0, |f| usize::try_from(f.left).unwrap_or(usize::MAX));
        // The half-taken frame gets as much as fits in it: never less than what it brought.
        let own = match frame {
            Some(_) => assembly.len().min(frame_max.saturating_sub(left)),
            None => 0,
        };
        let (whole, own) = assembly.split_at(assembly.len() - own);
        let mut opcode = kind.opcode();
        for chunk in whole.chunks(frame_max) {
            self.write_peer_header(out, opcode, false, chunk.len(), [0; 4]);
            out.extend_from_slice(chunk);
            opcode = Opcode::Continuation;
        }
        if let Some(frame) = frame {
            let mut key = frame.key;
            key.rotate_right(own.len() % 4);
            self.write_peer_header(out, opcode, frame.fin, own.len().saturating_add(left), key);
            let at = out.len();
            out.extend_from_slice(own);
            mask::apply(&mut out[at..], key, 0);
        } else if whole.is_empty() {
            self.write_peer_header(out, opcode, false, 0, [0; 4]);
        }
    }

    /// Appends a header as the peer writes them.
    fn write_peer_header(
        &self,
        out: &mut Vec<u8>,
        opcode: Opcode,
        fin: bool,
        len: usize,
        key: [u8; 4],
    ) {
        let mut bytes = [0; header::HEADER_BYTES_MAX];
        let key = (self.role == Role::Server).then_some(key);
        let size = header::write(&mut bytes, opcode, fin, Rsv::NONE, len, key);
        out.extend_from_slice(&bytes[..size]);
    }
}
