//! The sending half of an endpoint: messages in, slices to write out.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::claim::Claim;
use super::control::Control;
use super::keys::MaskKeys;
use super::message::Kind;
use super::prepared::PreparedMessage;
use crate::buf::SendBuf;
use crate::config::{Config, Flush};
use crate::error::{CloseCode, Deadline, Failure, SendError};
use crate::frame::close::Body;
use crate::frame::utf8::Utf8;
use crate::frame::{CONTROL_BYTES_MAX, Opcode, header, mask};
use crate::payload::BinaryPayload;

/// A shared payload is queued without a copy from this size on, in bytes. Below it, a copy costs
/// less than another slice in the write call.
const SHARED_BYTES_MIN: usize = 1024;

/// Value of [`Outbox::notify_at`] if no notification is requested.
const NO_THRESHOLD: usize = usize::MAX;

/// State of the sending half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WritePhase {
    /// Messages are accepted.
    Open,
    /// The Close of this endpoint is queued behind earlier frames. No frame may follow it.
    Closing,
    /// No more bytes are written, and the queue is discarded.
    Aborted {
        /// A Close was queued before the abort, whether or not it was written.
        close_queued: bool,
    },
}

/// The sending half of a connection: the application queues messages, the driver writes them.
///
/// A send encodes the message and queues it; it performs no I/O. When the queue is full, the send
/// is refused and queues no byte, so the application sees backpressure where it can react to it.
#[derive(Debug)]
pub struct Outbox {
    /// Data messages sent. Kept apart from [`Self::bytes`]: side by side, the compiler adds both as
    /// a vector, which takes more instructions.
    pub(super) messages: u64,
    pub(super) config: Arc<Config>,
    pub(super) queue: SendBuf,
    /// Allocated with the first control frame.
    pub(super) control: Option<Box<Control>>,
    /// Source of mask keys. `None` on a server, which does not mask.
    pub(super) keys: Option<Box<MaskKeys>>,
    pub(super) phase: WritePhase,
    /// The socket did not accept all of the last write. Until it is drained, only the newest Pong
    /// is kept.
    pub(super) blocked: bool,
    /// The message that is being sent in parts: its type, and the validation state of its text.
    pub(super) parts: Option<(Kind, Utf8)>,
    /// Number of queued bytes at or below which the application is notified. [`NO_THRESHOLD`] if no
    /// notification is requested.
    pub(super) notify_at: usize,
    /// Payload bytes of the data messages sent.
    pub(super) bytes: u64,
}

impl Outbox {
    /// The outbox of a client if there are mask `keys`, otherwise that of a server.
    pub(crate) fn new(config: impl Into<Arc<Config>>, keys: Option<MaskKeys>) -> Self {
        let config = config.into();
        Self {
            config,
            queue: SendBuf::default(),
            control: None,
            keys: keys.map(Box::new),
            phase: WritePhase::Open,
            blocked: false,
            parts: None,
            notify_at: NO_THRESHOLD,
            messages: 0,
            bytes: 0,
        }
    }

    /// Queues a binary message. Copies `payload`; a client masks it in the same pass.
    ///
    /// # Errors
    /// [`SendError::QueueFull`], [`SendError::TooLarge`], [`SendError::Closed`] or
    /// [`SendError::MessageOpen`]. No byte is queued then.
    #[inline]
    pub fn send(&mut self, payload: impl BinaryPayload) -> Result<(), SendError> {
        self.send_kind(Kind::Binary, payload.as_ref())
    }

    /// Queues a text message.
    ///
    /// # Errors
    /// As [`Self::send`].
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send_kind(Kind::Text, text.as_bytes())
    }

    #[inline]
    fn send_kind(&mut self, kind: Kind, payload: &[u8]) -> Result<(), SendError> {
        if self.send_fast(kind, payload).is_some() {
            return Ok(());
        }
        self.send_checked(kind, payload)
    }

    /// Fast path for a message of at most 125 bytes. Has the same effect as [`Self::send_checked`].
    /// `None` if the fast path does not apply; no byte is queued then.
    #[inline]
    fn send_fast(&mut self, kind: Kind, payload: &[u8]) -> Option<()> {
        let len = payload.len();
        if len > 125 || self.parts.is_some() || self.phase != WritePhase::Open {
            return None;
        }
        if self.keys.is_some() {
            return self.send_fast_masked(kind, payload);
        }
        let (room, end) = self.queue.room_fast(2 + len)?;
        let (head, body) = room.split_first_chunk_mut::<2>()?;
        *head = [0x80 | kind.opcode() as u8, len as u8];
        self.messages += 1;
        body.copy_from_slice(payload);
        *end += 2 + len;
        self.bytes += len as u64;
        Some(())
    }

    // Not inlined, so that servers do not save the registers it uses.
    #[inline(never)]
    fn send_fast_masked(&mut self, kind: Kind, payload: &[u8]) -> Option<()> {
        let len = payload.len();
        let (room, end) = self.queue.room_fast(6 + len)?;
        let (head, body) = room.split_first_chunk_mut::<6>()?;
        let key = self.keys.as_mut()?.next();
        let first = 0x80 | kind.opcode() as u8;
        *head = [first, 0x80 | len as u8, key[0], key[1], key[2], key[3]];
        self.messages += 1;
        mask::copy(body, payload, key);
        *end += 6 + len;
        self.bytes += len as u64;
        Some(())
    }

    #[inline(never)]
    fn send_checked(&mut self, kind: Kind, payload: &[u8]) -> Result<(), SendError> {
        self.admit_data(payload.len())?;
        self.frame(kind.opcode(), true, payload);
        self.count_message(payload.len());
        Ok(())
    }

    /// Queues a binary message. A payload of at least 1 KiB is not copied: it is shared with the
    /// caller until it is written. A client masks it in place if the caller keeps no other handle
    /// to it, and copies it otherwise.
    ///
    /// # Errors
    /// As [`Self::send`]; the payload is returned with the error.
    pub fn send_bytes(&mut self, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        self.send_shared(Kind::Binary, payload)
    }

    /// Queues a text message, as [`Self::send_bytes`] does for binary ones.
    ///
    /// # Errors
    /// As [`Self::send_bytes`].
    pub fn send_text_bytes(
        &mut self,
        text: super::Utf8Bytes,
    ) -> Result<(), (SendError, super::Utf8Bytes)> {
        self.send_shared(Kind::Text, text.into_bytes())
            .map_err(|(e, back)| (e, super::Utf8Bytes::from_checked(back)))
    }

    fn send_shared(&mut self, kind: Kind, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        let len = payload.len();
        if let Err(e) = self.admit_data(len) {
            return Err((e, payload));
        }
        let key = self.keys.as_mut().map(|k| k.next());
        let owned = match key {
            _ if len < SHARED_BYTES_MIN => Err(payload),
            None => Ok(payload),
            Some(key) => payload.try_into_mut().map(|mut own: BytesMut| {
                mask::apply(&mut own, key, 0);
                own.freeze()
            }),
        };
        match owned {
            Ok(shared) => {
                let size = header::size(len, key.is_some());
                header::write(
                    self.queue.room(size),
                    kind.opcode(),
                    true,
                    header::Rsv::NONE,
                    len,
                    key,
                );
                self.queue.commit(size);
                self.queue.push_shared(shared, false);
            }
            Err(payload) => self.frame_with(kind.opcode(), true, &payload, key),
        }
        self.count_message(len);
        Ok(())
    }

    /// Queues a message that is already encoded.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_prepared(&mut self, message: &PreparedMessage) -> Result<(), SendError> {
        let payload = message.payload();
        self.admit_data(payload.len())?;
        let frame = &message.frame;
        if self.keys.is_some() {
            self.frame(message.kind.opcode(), true, payload);
        } else if frame.len() < SHARED_BYTES_MIN {
            self.queue.room(frame.len()).copy_from_slice(frame);
            self.queue.commit(frame.len());
        } else {
            self.queue.push_shared(frame.clone(), true);
        }
        self.count_message(payload.len());
        Ok(())
    }

    /// Queues the next part of a message as one frame (RFC 6455 section 5.4); `last` ends the
    /// message. Control frames may be sent between parts, other messages may not.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::MessageOpen`] if `kind` differs from that of the open
    /// message; [`SendError::InvalidUtf8`] if the text is not UTF-8 over all of its parts.
    pub fn send_part(&mut self, kind: Kind, data: &[u8], last: bool) -> Result<(), SendError> {
        let (opcode, mut utf8) = match self.parts {
            None => (kind.opcode(), Utf8::default()),
            Some((open, utf8)) if open == kind => (Opcode::Continuation, utf8),
            Some(_) => return Err(SendError::MessageOpen),
        };
        self.admit(data.len())?;
        if kind == Kind::Text {
            let valid = utf8
                .feed(data)
                .and_then(|()| if last { utf8.finish() } else { Ok(()) });
            if valid.is_err() {
                let mut utf8 = self.parts.map_or_else(Utf8::default, |(_, open)| open);
                let bad = |b| utf8.feed(core::slice::from_ref(b)).is_err();
                let at = data.iter().position(bad).unwrap_or(data.len());
                return Err(SendError::InvalidUtf8 { at });
            }
        }
        self.parts = (!last).then_some((kind, utf8));
        self.frame(opcode, last, data);
        if last {
            self.messages += 1;
        }
        self.bytes += data.len() as u64;
        Ok(())
    }

    /// Reserves space for a binary message of `len` bytes in the queue, to be written in place.
    ///
    /// # Errors
    /// As [`Self::send`].
    #[inline]
    pub fn claim(&mut self, len: usize) -> Result<Claim<'_>, SendError> {
        self.admit_data(len)?;
        let key = self.keys.as_mut().map(|k| k.next());
        let size = header::size(len, key.is_some());
        let (room, tail) = self.queue.room_and_tail(size + len);
        Ok(Claim {
            room,
            tail,
            counts: (&mut self.messages, &mut self.bytes),
            size,
            key,
        })
    }

    /// Queues a Ping of the application before all data. It replaces a Ping that is not yet
    /// written.
    ///
    /// # Errors
    /// [`SendError::ControlTooLong`] if `payload` exceeds 125 bytes, [`SendError::Closed`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.admit_control(payload)?;
        let control = self.control_mut();
        control.ping.clear();
        control.ping.push(payload);
        Ok(())
    }

    /// Queues a Pong before all data: the reply to a Ping if `auto_pong` is off, or an unsolicited
    /// heartbeat (RFC 6455 section 5.5.3). At most 16 Pongs are pending, and only the newest while
    /// the socket does not accept bytes.
    ///
    /// # Errors
    /// As [`Self::ping`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.admit_control(payload)?;
        self.queue_pong(payload);
        Ok(())
    }

    /// Starts the close handshake (RFC 6455 section 7.1.2): the Close is sent behind the queued
    /// messages. No message can be sent after it; messages of the peer still arrive until its
    /// Close. A second call has no effect.
    ///
    /// # Errors
    /// [`SendError::InvalidCloseCode`], or [`SendError::ControlTooLong`] if `reason` exceeds 123
    /// bytes.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        let body = Body::new(code, reason)?;
        self.close_with(&body);
        Ok(())
    }

    pub(crate) fn close_with(&mut self, body: &Body) {
        if self.phase == WritePhase::Open {
            self.frame(Opcode::Close, true, body.as_slice());
            self.phase = WritePhase::Closing;
        }
    }

    /// Fails the connection: queues a Close with the matching code behind the queued messages,
    /// which were accepted before the failure. `close_timeout` bounds the wait. If the failure has
    /// no close code, aborts.
    pub(crate) fn fail(&mut self, failure: Failure) {
        let Some(code) = failure.close_code() else {
            return self.abort();
        };
        let reason = match failure {
            Failure::Violation(v) => v.rule(),
            Failure::Limit(_) => "message too big",
            // The code alone would look like a shutdown of this end.
            Failure::Deadline(Deadline::Pong) => "no Pong in time",
            Failure::Deadline(Deadline::Idle) => "idle for too long",
            _ => "",
        };
        // Every failure code may be sent, and every reason fits.
        self.close_with(&Body::new(code, reason).unwrap_or(Body::EMPTY));
    }

    /// No more bytes are written, and the queue is discarded.
    pub(crate) fn abort(&mut self) {
        self.phase = WritePhase::Aborted {
            close_queued: self.has_queued_close(),
        };
        self.queue = SendBuf::default();
        self.control = None;
    }

    /// The limits and deadlines of the connection.
    #[inline]
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether a Close is queued or the connection is aborted: no message can be sent.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.phase != WritePhase::Open
    }

    /// Requests one call of [`Handler::drained`](crate::reactor::Handler::drained) when at most
    /// `bytes` bytes are queued. For senders that keep their messages until the queue has space. Of
    /// several requests, the one with the most bytes applies.
    pub fn notify_below(&mut self, bytes: usize) {
        let bytes = bytes.min(NO_THRESHOLD - 1); // no queue holds that many
        self.notify_at = match self.notify_at {
            NO_THRESHOLD => bytes,
            most => most.max(bytes),
        };
    }

    /// Whether the queue has drained to the requested number of bytes. Returns `true` once for each
    /// request.
    pub(crate) fn take_drained(&mut self) -> bool {
        let drained = self.notify_at != NO_THRESHOLD
            && self.phase == WritePhase::Open
            && self.queue.queued() <= self.notify_at;
        if drained {
            self.notify_at = NO_THRESHOLD;
        }
        drained
    }

    /// Whether a Close was queued. An abort alone does not count.
    pub(crate) fn has_queued_close(&self) -> bool {
        matches!(
            self.phase,
            WritePhase::Closing | WritePhase::Aborted { close_queued: true }
        )
    }

    pub(crate) fn is_aborted(&self) -> bool {
        matches!(self.phase, WritePhase::Aborted { .. })
    }

    pub(crate) fn write_timeout(&self) -> core::time::Duration {
        self.config.write_timeout
    }

    /// Queued bytes that are not yet written, headers included.
    #[must_use]
    #[inline]
    pub fn queued_bytes(&self) -> usize {
        self.queue.queued() + self.control_bytes().len()
    }

    /// Payload size of the largest message that an empty queue accepts, in bytes.
    pub(crate) fn room_max(&self) -> usize {
        let max = self.config.send_queue_bytes_max;
        max.saturating_sub(header::HEADER_BYTES_MAX)
    }

    /// Payload size of the largest message that the queue accepts now, in bytes. 0 after a Close.
    #[must_use]
    pub fn room(&self) -> usize {
        let free = self
            .config
            .send_queue_bytes_max
            .saturating_sub(self.queue.queued());
        if self.phase == WritePhase::Open {
            free.saturating_sub(header::HEADER_BYTES_MAX)
        } else {
            0
        }
    }

    /// Whether there are bytes to write.
    #[must_use]
    #[inline]
    pub fn wants_write(&self) -> bool {
        !self.queue.is_empty() || self.control.is_some() && self.control_pending()
    }

    pub(super) fn control_pending(&self) -> bool {
        self.control
            .as_ref()
            .is_some_and(|c| c.is_due() || c.written < c.bytes.len())
    }

    /// Whether a Ping is pending of which no byte is written.
    pub(crate) fn ping_pending(&self) -> bool {
        let waits = |c: &Control| !c.ping.is_empty() || c.started && c.has_ping && c.written == 0;
        self.control.as_deref().is_some_and(waits)
    }

    /// Whether [`Config::flush`](crate::Config) requires a write before the batch ends.
    #[must_use]
    #[inline]
    pub fn wants_flush(&self) -> bool {
        match self.config.flush {
            Flush::EndOfBatch => false,
            Flush::Now => self.wants_write(),
            Flush::Bytes(n) => self.queue.queued() >= n,
        }
    }

    /// Data messages sent, and their payload bytes.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.messages, self.bytes)
    }

    /// Queues a Pong, unless a Close is queued.
    pub(crate) fn queue_pong(&mut self, payload: &[u8]) {
        if self.phase == WritePhase::Open {
            let blocked = self.blocked;
            let control = self.control_mut();
            control.pongs.push(payload);
            if blocked {
                control.pongs.keep_newest();
            }
        }
    }

    #[inline]
    pub(super) fn admit_data(&mut self, len: usize) -> Result<(), SendError> {
        if self.parts.is_some() {
            return Err(SendError::MessageOpen);
        }
        self.admit(len)
    }

    #[inline]
    fn admit(&mut self, len: usize) -> Result<(), SendError> {
        if self.phase != WritePhase::Open {
            return Err(SendError::Closed);
        }
        let max = self.config.send_queue_bytes_max;
        let len = len.saturating_add(header::HEADER_BYTES_MAX);
        let queued = self.queue.queued();
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        if queued + len > max {
            self.notify_below((max / 2).min(max - len));
            return Err(SendError::QueueFull { queued, max });
        }
        Ok(())
    }

    fn admit_control(&self, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > CONTROL_BYTES_MAX {
            return Err(SendError::ControlTooLong {
                len: payload.len(),
                max: CONTROL_BYTES_MAX,
            });
        }
        if self.phase == WritePhase::Open {
            Ok(())
        } else {
            Err(SendError::Closed)
        }
    }

    /// Encodes and queues a frame. The caller has checked that it may be sent.
    #[inline]
    pub(super) fn frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let key = self.keys.as_mut().map(|k| k.next());
        self.frame_with(opcode, fin, payload, key);
    }

    #[inline]
    fn frame_with(&mut self, opcode: Opcode, fin: bool, payload: &[u8], key: Option<[u8; 4]>) {
        let size = header::size(payload.len(), key.is_some());
        let room = self.queue.room(size + payload.len());
        header::write(room, opcode, fin, header::Rsv::NONE, payload.len(), key);
        let body = room.get_mut(size..).unwrap_or_default();
        match key {
            Some(key) => mask::copy(body, payload, key),
            None => body.copy_from_slice(payload),
        }
        self.queue.commit(size + payload.len());
    }

    #[inline]
    pub(super) fn count_message(&mut self, len: usize) {
        self.messages += 1;
        self.bytes += len as u64;
    }

    /// The control frames, for a change: encoded frames of which no byte is written are discarded
    /// and encoded again later, so that newer frames can replace them.
    pub(super) fn control_mut(&mut self) -> &mut Control {
        let control = self.control.get_or_insert_default();
        if !control.started && !control.bytes.is_empty() {
            control.bytes.clear();
        }
        control
    }
}
