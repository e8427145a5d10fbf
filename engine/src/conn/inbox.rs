//! The receiving half of an endpoint: received bytes in, messages out.

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

/// An owned message takes over the receive buffer if it fills at least one part in this many; a
/// smaller one is copied. Otherwise a message of 32 bytes could keep a buffer of 64 KiB allocated.
const OWNED_SHARE: usize = 2;

/// The same for the assembly buffer. It allows for a buffer that growing has left at twice the
/// message size.
const ASSEMBLY_SHARE: usize = 4;

/// While nothing is read, the assembly buffer may be at most this many times as large as the bytes
/// in it. As with receive buffers, a peer that stops in the middle of a message then costs about
/// the bytes of that message, not the size of an earlier one.
const ASSEMBLY_KEPT_RATIO_MAX: usize = 8;

/// An assembly buffer is not shrunk below this size in bytes: a small saving is not worth another
/// allocation.
const ASSEMBLY_KEPT_BYTES_MIN: usize = 4096;

/// State of the receiving half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ReadPhase {
    /// Frames are parsed.
    Open,
    /// The Close of the peer was parsed. Later bytes are dropped.
    Closed,
    /// The connection has failed, or a deadline has passed. Later bytes are dropped.
    Failed,
}

/// A frame whose header is consumed and whose payload is consumed as it arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartialFrame {
    /// Payload bytes not yet consumed.
    pub(super) left: u64,
    /// The mask key, rotated so that its first byte applies to the next payload byte.
    pub(super) key: [u8; 4],
    /// The FIN bit: this is the last frame of its message.
    pub(super) fin: bool,
}

/// A message whose frames are consumed as they arrive.
#[derive(Debug)]
pub(super) struct OpenMessage {
    /// `None` if no such message is open.
    pub(super) kind: Option<Kind>,
    /// The frame that is partly consumed.
    pub(super) frame: Option<PartialFrame>,
    /// No part of the message has been delivered yet.
    pub(super) first: bool,
    /// Number of frames so far.
    pub(super) fragments: u32,
    /// Sum of the payload lengths in the headers so far.
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

/// Assembly buffer for the payload of a message that does not fit in the receive buffer as one
/// frame.
#[derive(Default, Debug)]
pub(super) struct Assembly(pub(super) Vec<u8>);

/// The state of the parser between two reads, except the received bytes.
#[derive(Debug)]
pub(super) struct ParseState {
    pub(super) config: Arc<Config>,
    pub(super) role: Role,
    /// Reserved bits that the agreed extensions use.
    rsv: Rsv,
    pub(super) phase: ReadPhase,
    /// The last batch ended in an incomplete frame: the parser needs more bytes.
    pub(super) needs_read: bool,
    /// The assembly buffer holds a message that was lent. It is cleared before the next batch.
    pub(super) assembly_lent: bool,
    /// Allocated for the first message whose frames are consumed as they arrive. Kept while the
    /// connection is busy.
    pub(super) message: Option<Box<OpenMessage>>,
    /// Payload bytes of the incomplete frame at the front of the buffer that are already unmasked
    /// and, in a text message, validated.
    pub(super) progress: u32,
    /// Size of the prepared and validated text frames at the front of the buffer, see
    /// [`texts`](super::texts). They are lent next, or restored to frames.
    pub(super) texts_bytes: u32,
    /// How the next batch validates small text messages.
    pub(super) text_check: TextCheck,
    pub(super) utf8: Utf8,
    pub(super) replies: Replies,
    /// Number of Pings at the front of the received bytes that are answered and not yet lent.
    pub(super) pings_answered: u32,
    /// What the lookahead found in the frames that are not yet lent.
    pub(super) lookahead: Lookahead,
    /// The lookahead has reached a Close that only control frames precede. It is answered, unless
    /// it breaks a rule.
    pub(super) close_answered: bool,
    /// The stream has ended: no more bytes will be received.
    pub(super) eof: bool,
    /// The stream has ended because a read failed.
    pub(super) read_failed: bool,
    /// Bytes that were received after a Close or a failure, and dropped.
    pub(super) dropped_bytes: u32,
    /// Data messages received.
    pub(super) messages: u64,
    /// Payload bytes of the data messages received.
    pub(super) bytes: u64,
}

/// The receiving half of an endpoint.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(super) buf: RecvBuf,
    /// Allocated with [`ParseState::message`].
    assembly: Option<Box<Assembly>>,
    pub(super) state: ParseState,
}

/// Reserved bits that the extensions use: none so far.
const fn reserved_bits(Extensions {}: &Extensions) -> Rsv {
    Rsv::NONE
}

impl ParseState {
    /// The rules for frames of the peer.
    #[inline]
    pub(super) fn rules(&self) -> Rules {
        Rules {
            role: self.role,
            rsv: self.rsv,
        }
    }
}

impl Inbox {
    /// `leftover` are the bytes received after the opening handshake.
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

    /// Attaches a buffer to read into.
    pub(crate) fn attach(&mut self, pool: &mut BufPool) {
        self.buf.attach(pool);
        if self.state.needs_read {
            // The incomplete frame came from an earlier owner of the stream, which had a larger
            // buffer.
            self.buf.grow_if_full();
        }
    }

    /// Returns unused memory: all of it if the connection is idle.
    pub(crate) fn detach(&mut self, pool: &mut BufPool) {
        self.buf.detach(pool);
        self.state.replies.release();
        self.release_assembly();
        if self.state.message.is_some() {
            self.release_message();
        }
    }

    /// Frees memory that the open message, if there is one, does not use.
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

    /// Bytes that were received after a Close or a failure, and dropped.
    pub(crate) fn dropped_bytes(&self) -> u32 {
        self.state.dropped_bytes
    }

    /// Whether all received bytes are processed, so that only a read can bring a message.
    pub(crate) fn wants_read(&self) -> bool {
        self.state.needs_read || self.buf.is_empty() || self.state.phase != ReadPhase::Open
    }

    /// Whether receiving is over: after a Close of the peer or a failure, no message follows.
    pub(crate) fn is_done(&self) -> bool {
        self.state.phase != ReadPhase::Open
    }

    /// Whether the Close of the peer was parsed.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.phase == ReadPhase::Closed
    }

    /// The messages in the received bytes. The batch ends before a Ping or Close that is not yet
    /// answered, unless this frame is its first.
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

    /// The next message, owned. `None` if only a read can bring a message, or if replies were
    /// registered that must be sent before the message is lent.
    pub(crate) fn next_owned(&mut self) -> Option<Result<OwnedMessage, Failure>> {
        if self.look_ahead() {
            return None; // the replies are sent first
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

    /// The stream has ended; `read_failed` if by an error. The first cause is kept.
    pub(crate) fn set_stream_end(&mut self, read_failed: bool) {
        self.state.read_failed |= read_failed && !self.state.eof;
        self.state.eof = true;
    }

    /// How the stream has ended, if it has ended.
    #[inline]
    pub(crate) fn stream_end(&self) -> Option<Failure> {
        self.state.eof.then_some(if self.state.read_failed {
            Failure::Io
        } else {
            Failure::Eof
        })
    }

    /// Fails the receiving half with `failure`, unless the Close of the peer was parsed before.
    pub(crate) fn fail(&mut self, failure: Failure) {
        if self.state.phase == ReadPhase::Open {
            self.state.fail(failure);
        }
    }

    /// Ends receiving: an earlier owner of the stream has received the Close of the peer.
    pub(crate) fn close(&mut self) {
        self.state.phase = ReadPhase::Closed;
    }

    /// Ends receiving: a deadline of this endpoint has passed.
    pub(crate) fn stop(&mut self) {
        self.state.phase = ReadPhase::Failed;
    }

    /// Data messages received, and their payload bytes.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.state.messages, self.state.bytes)
    }

    /// The received bytes that were not delivered, as wire bytes that the peer could have sent.
    /// Partly consumed frames are encoded again, with a mask if the peer masks.
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

    /// Takes the receive buffer with the message of `len` bytes that was just parsed. The message
    /// ends where the unconsumed bytes begin.
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
            // The buffer has grown for an earlier, larger message.
            let owned = Bytes::copy_from_slice(bytes);
            bytes.clear();
            return owned;
        }
        Bytes::from(core::mem::take(bytes))
    }
}

impl ParseState {
    /// The kind of the open message whose frames are consumed as they arrive.
    #[inline]
    pub(super) fn open_message(&self) -> Option<Kind> {
        self.message.as_ref()?.kind
    }

    /// The partly consumed frame of the open message.
    #[inline]
    pub(super) fn partial_frame(&self) -> Option<PartialFrame> {
        self.message.as_ref()?.frame
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.phase = ReadPhase::Failed;
        self.replies.set_close(CloseCause::Fail(failure));
    }

    /// Appends the open message as wire bytes that the peer could have sent: its assembled payload,
    /// then the partly consumed frame. No frame is longer and no more frames are written than were
    /// received, so the limits that admitted the message still do.
    fn encode_open_message(&self, out: &mut Vec<u8>, kind: Kind, assembly: &[u8]) {
        let frame_max = usize::try_from(self.config.frame_bytes_max).unwrap_or(usize::MAX);
        let frame = self.partial_frame();
        let left = frame.map_or(0, |f| usize::try_from(f.left).unwrap_or(usize::MAX));
        // The partly consumed frame gets as many assembled bytes as fit, at least its own.
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

    /// Appends a frame header as the peer encodes it: with a mask key if the peer is a client.
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
