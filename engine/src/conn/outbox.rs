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
use crate::error::{CloseCode, Failure, SendError};
use crate::frame::close::Body;
use crate::frame::utf8::Utf8;
use crate::frame::{CONTROL_BYTES_MAX, Opcode, header, mask};

/// Payload bytes from which a shared payload is not copied: below it a copy costs less than
/// another slice for the kernel to walk.
const SHARED_BYTES_MIN: usize = 1024;

/// No number of queued bytes is notify_at.
const NO_THRESHOLD: usize = usize::MAX;

/// Where the sending half stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WritePhase {
    Open,
    /// Our Close is queued, behind what was queued before: nothing may follow it.
    Closing,
    /// Nothing will be written any more.
    Aborted {
        /// A Close of ours was queued before, whatever became of it.
        close_queued: bool,
    },
}

/// What the application sends goes here; what the socket takes comes from here.
///
/// A send only queues, in wire form. It is refused, and nothing of it queued, when the queue is
/// full, so that back-pressure is seen where it can be acted on.
#[derive(Debug)]
pub struct Outbox {
    /// Apart from [`Self::bytes`]: side by side, the two are counted as a vector, in more steps.
    pub(super) messages: u64,
    pub(super) config: Arc<Config>,
    pub(super) queue: SendBuf,
    /// Made with the first control frame.
    pub(super) control: Option<Box<Control>>,
    /// A client's; `None` on a server, which does not mask.
    pub(super) keys: Option<Box<MaskKeys>>,
    pub(super) phase: WritePhase,
    /// The socket did not take all that it was given last: the peer is behind, and gets the
    /// newest Pong only.
    pub(super) blocked: bool,
    /// A message sent in parts is open, and its text is cut here.
    pub(super) parts: Option<(Kind, Utf8)>,
    /// The application waits to be told that no more than so many bytes are queued.
    /// [`NO_THRESHOLD`] where it does not.
    pub(super) notify_at: usize,
    pub(super) bytes: u64,
}

impl Outbox {
    /// `keys` make this the outbox of a client.
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

    /// Queues a binary message; copies `payload`, masking on the way if we are a client.
    ///
    /// # Errors
    /// [`SendError::QueueFull`], [`SendError::TooLarge`], [`SendError::Closed`],
    /// [`SendError::MessageOpen`]; nothing is queued then.
    #[inline]
    pub fn send(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_kind(Kind::Binary, payload)
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

    /// Queues a message of at most 125 bytes where nothing stands in the way: the same as
    /// [`Self::send_checked`] would do, in fewer steps. `None`, and nothing queued, else.
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

    // Not inline: its registers would be saved for servers, too.
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

    /// Queues a binary message without copying it, if it is large: the bytes are shared with
    /// the caller until they are written. A client masks them in place if nobody else holds
    /// them, else it copies.
    ///
    /// # Errors
    /// As [`Self::send`], with the message handed back.
    pub fn send_bytes(&mut self, payload: Bytes) -> Result<(), (SendError, Bytes)> {
        self.send_shared(Kind::Binary, payload)
    }

    /// Queues a text message without copying it, if it is large.
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

    /// Queues a message that was encoded before.
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

    /// Queues the next part of a message, as one frame; `last` ends the message. Control frames
    /// may go out between parts, another message not.
    ///
    /// # Errors
    /// As [`Self::send`]; [`SendError::MessageOpen`] when `kind` is not that of the open
    /// message; [`SendError::InvalidUtf8`] for text that is not UTF-8 over all its parts.
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

    /// Room for a binary message of `len` bytes, to be written in place.
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

    /// Queues a Ping of the application's own, ahead of data. A Ping that still waits is
    /// replaced.
    ///
    /// # Errors
    /// [`SendError::ControlTooLong`] over 125 bytes, [`SendError::Closed`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.admit_control(payload)?;
        let control = self.control_mut();
        control.ping.clear();
        control.ping.push(payload);
        Ok(())
    }

    /// Queues a Pong, ahead of data: the answer to a Ping where `auto_pong` is off, or a
    /// heartbeat. Up to 16 wait, where the peer takes our output; only the newest where it does
    /// not.
    ///
    /// # Errors
    /// As [`Self::ping`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.admit_control(payload)?;
        self.queue_pong(payload);
        Ok(())
    }

    /// Begins the closing handshake: what is queued goes out, then the Close. Nothing can be
    /// sent after it; messages still arrive until the peer's Close. A second call does nothing.
    ///
    /// # Errors
    /// [`SendError::InvalidCloseCode`], [`SendError::ControlTooLong`] over 123 bytes.
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

    /// Ends with a Close that says why, behind what is queued: that was accepted before the
    /// failure. `close_timeout` bounds the wait. Where the peer cannot be told, nothing more is
    /// written.
    pub(crate) fn fail(&mut self, failure: Failure) {
        let Some(code) = failure.close_code() else {
            return self.abort();
        };
        let reason = match failure {
            Failure::Violation(v) => v.rule(),
            Failure::Limit(_) => "message too big",
            _ => "",
        };
        // The codes may be sent, and the reasons are short.
        self.close_with(&Body::new(code, reason).unwrap_or(Body::EMPTY));
    }

    /// Nothing will be written any more.
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

    /// Whether the closing handshake has begun, or the connection is gone.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.phase != WritePhase::Open
    }

    /// Asks to be told by [`Handler::drained`](crate::reactor::Handler::drained), once, when no more than
    /// `bytes` wait to be written: for senders that keep their messages until they can go.
    pub fn notify_below(&mut self, bytes: usize) {
        let bytes = bytes.min(NO_THRESHOLD - 1); // more than any queue has
        self.notify_at = match self.notify_at {
            NO_THRESHOLD => bytes,
            most => most.max(bytes),
        };
    }

    /// Whether the queue has drained as far as somebody waits for. Tells so once.
    pub(crate) fn take_drained(&mut self) -> bool {
        let drained = self.notify_at != NO_THRESHOLD
            && self.phase == WritePhase::Open
            && self.queue.queued() <= self.notify_at;
        if drained {
            self.notify_at = NO_THRESHOLD;
        }
        drained
    }

    /// Whether we have begun, or answered, the closing handshake. A fault of the socket is not
    /// that.
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

    /// Bytes that wait to be written, headers included.
    #[must_use]
    #[inline]
    pub fn queued_bytes(&self) -> usize {
        self.queue.queued() + self.control_bytes().len()
    }

    /// Payload bytes of the largest message that the queue takes when it is empty.
    pub(crate) fn room_max(&self) -> usize {
        let max = self.config.send_queue_bytes_max;
        max.saturating_sub(header::HEADER_BYTES_MAX)
    }

    /// Payload bytes of the largest message that the queue takes now.
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

    /// Whether there is anything to write.
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

    /// Whether a Ping waits of which nothing is written.
    pub(crate) fn ping_pending(&self) -> bool {
        let waits = |c: &Control| !c.ping.is_empty() || c.started && c.has_ping && c.written == 0;
        self.control.as_deref().is_some_and(waits)
    }

    /// Whether the flush policy asks for a write before the batch ends.
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

    /// Answers a Ping, unless the closing handshake has begun.
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

    /// Queues one frame; the caller has checked that it may go.
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

    /// The control lane, with frames that are encoded but not begun taken back, so that newer
    /// ones replace them.
    pub(super) fn control_mut(&mut self) -> &mut Control {
        let control = self.control.get_or_insert_default();
        if !control.started && !control.bytes.is_empty() {
            control.bytes.clear();
        }
        control
    }
}
