//! The parser: each call returns the next message.

use super::inbox::{Assembly, ParseState, PartialFrame, ReadPhase};
use super::message::{Kind, Message, Part};
use super::texts::{self, TEXT_FIN, TextCheck, header_bytes, mask_bit};
use crate::config::Delivery;
use crate::error::{Failure, Limit, Violation};
use crate::frame::close;
use crate::frame::header::{self, Header};
use crate::frame::utf8::{self, Invalid};
use crate::frame::{Opcode, mask};
use crate::role::Role;
use alloc::boxed::Box;
use core::ops::ControlFlow;

/// The messages in the bytes that were received, parsed one by one on demand.
///
/// Messages borrow from the batch, so all of them can be held at the same time. Dropping a batch
/// early loses no message: the next batch continues after the last message returned. After an error
/// the batch returns `None`.
///
/// A batch ends before a Ping or Close that is not its first message. The driver sends the reply,
/// and the next batch starts with that frame.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Received bytes that are not yet parsed. They start with a frame header, or inside the frame
    /// of `state.partial_frame()`.
    rest: &'a mut [u8],
    /// The cursor of the receive buffer: advancing it releases bytes.
    start: &'a mut usize,
    /// Capacity of the receive buffer in bytes. A frame that fits stays in the buffer until it is
    /// complete; the payload of a longer one goes to the assembly buffer.
    capacity: usize,
    /// `None` after this batch has lent the assembled message.
    assembly: Option<&'a mut Option<Box<Assembly>>>,
    /// Largest payload that [`Self::next_fast`] accepts. `None` unless the next frame can start a
    /// binary message.
    fast_len_max: Option<u8>,
    /// Validated text messages, with their headers between them, that are lent next: see [`texts`].
    texts: &'a str,
    /// How the next text messages are validated.
    text_check: TextCheck,
    state: &'a mut ParseState,
}

impl From<Invalid> for Failure {
    fn from(_: Invalid) -> Self {
        Self::Violation(Violation::InvalidUtf8)
    }
}

impl<'a> Iterator for Batch<'a> {
    type Item = Result<Message<'a>, Failure>;

    // A call that is not inlined makes an echo cost a tenth more instructions.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(max) = self.fast_len_max {
            if let Some(message) = self.next_fast(max) {
                return Some(Ok(message));
            }
        } else if let Some(text) = self.next_checked_text() {
            return Some(Ok(Message::Text(text)));
        }
        self.next_slow()
    }
}

impl core::iter::FusedIterator for Batch<'_> {}

impl<'a> Batch<'a> {
    /// The first message of a batch. No validated texts are pending at this point.
    #[inline]
    pub(super) fn first(&mut self) -> Option<Result<Message<'a>, Failure>> {
        match self.fast_len_max.and_then(|max| self.next_fast(max)) {
            Some(message) => Some(Ok(message)),
            None => self.next_slow(),
        }
    }

    /// Fast path for a whole binary message of at most 125 bytes in one frame. Has the same effect
    /// as [`Self::parse_next`].
    #[inline(always)]
    fn next_fast(&mut self, max: u8) -> Option<Message<'a>> {
        self.take_short_frame(BINARY_FIN, max).map(Message::Binary)
    }

    /// The payload of the next frame if the first byte of the frame is `first` and the payload is
    /// at most `max` bytes.
    #[inline(always)]
    fn take_short_frame(&mut self, first: u8, max: u8) -> Option<&'a [u8]> {
        let role = self.state.role;
        let &[found, second, ..] = &*self.rest else {
            return None;
        };
        if found != first {
            return None;
        }
        let len = second ^ mask_bit(role);
        let end = usize::from(len) + header_bytes(role);
        if len > max || self.rest.len() < end {
            return None;
        }
        let (frame, rest) = core::mem::take(&mut self.rest).split_at_mut(end);
        self.rest = rest;
        // Kept apart from the other counter: side by side, the compiler adds both as a vector,
        // which takes more instructions.
        self.state.messages += 1;
        *self.start += end;
        self.state.bytes += u64::from(len);
        if role == Role::Client {
            return Some(&frame[2..]);
        }
        let (head, payload) = frame.split_first_chunk_mut::<6>()?;
        mask::apply(payload, [head[2], head[3], head[4], head[5]], 0);
        Some(payload)
    }

    /// The next of the text messages that were validated together.
    // Not inlined, so that the path of binary messages keeps its registers.
    #[inline(never)]
    fn next_checked_text(&mut self) -> Option<&'a str> {
        let header = header_bytes(self.state.role);
        let len = usize::from(*self.texts.as_bytes().get(1)?);
        let (frame, rest) = self.texts.split_at_checked(header + len)?;
        let text = frame.get(header..)?;
        self.texts = rest;
        self.state.messages += 1;
        *self.start += header + len;
        self.state.texts_bytes = rest.len() as u32; // at most what was prepared
        self.state.bytes += len as u64;
        Some(text)
    }

    #[inline(never)]
    fn next_slow(&mut self) -> Option<Result<Message<'a>, Failure>> {
        if self.state.phase != ReadPhase::Open {
            return None;
        }
        let text = match self.rest.first() {
            Some(&TEXT_FIN) => self.next_text(),
            _ => ControlFlow::Continue(()),
        };
        let message = match text {
            ControlFlow::Break(message) => message,
            ControlFlow::Continue(()) => {
                let message = self.parse_next();
                self.fast_len_max = self.state.fast_len_max();
                message
            }
        };
        match message {
            Ok(message) => message.map(Ok),
            Err(failure) => {
                self.state.fail(failure);
                self.take(self.rest.len());
                Some(Err(failure))
            }
        }
    }

    /// The next message, if it is a text in one whole frame of at most 125 bytes. It is validated
    /// alone or together with the texts after it. `Continue` otherwise; then no byte is consumed.
    #[inline(never)]
    fn next_text(&mut self) -> ControlFlow<Result<Option<Message<'a>>, Failure>> {
        let Some(max) = self.state.fast_len_max() else {
            return ControlFlow::Continue(());
        };
        self.fast_len_max = Some(max);
        match self.text_check {
            TextCheck::Grouped if self.is_last_received() => {}
            TextCheck::Grouped => {
                let len = texts::prepare(self.rest, self.state.role, max);
                if len > 0 {
                    return ControlFlow::Break(Ok(self.check_texts(len)));
                }
            }
            TextCheck::FirstAlone => self.text_check = TextCheck::Grouped,
            TextCheck::Single | TextCheck::Done => {}
        }
        match self.take_short_frame(TEXT_FIN, max) {
            Some(payload) => ControlFlow::Break(lend(Kind::Text, payload).map(Some)),
            None => ControlFlow::Continue(()),
        }
    }

    /// Whether the next short frame is the last one received.
    fn is_last_received(&self) -> bool {
        let role = self.state.role;
        self.rest.get(1).is_some_and(|second| {
            self.rest.len() <= header_bytes(role) + usize::from(second ^ mask_bit(role))
        })
    }

    /// Validates the next `len` bytes, which are prepared text frames, in one pass and returns the
    /// first message. If one of them is not UTF-8, the batch ends here: the next batch lends the
    /// texts before the invalid one.
    fn check_texts(&mut self, len: usize) -> Option<Message<'a>> {
        let (prepared, rest) = core::mem::take(&mut self.rest).split_at_mut(len);
        self.rest = rest;
        self.state.texts_bytes = len as u32; // bounded by `prepare`
        let Ok(texts) = utf8::check(prepared) else {
            self.state.text_check = TextCheck::Single;
            self.text_check = TextCheck::Done;
            self.rest = &mut [];
            return None;
        };
        self.texts = texts;
        self.fast_len_max = None;
        self.next_checked_text().map(Message::Text)
    }

    pub(super) fn new(
        rest: &'a mut [u8],
        start: &'a mut usize,
        capacity: usize,
        assembly: &'a mut Option<Box<Assembly>>,
        state: &'a mut ParseState,
    ) -> Self {
        let fast_len_max = state.fast_len_max();
        let text_check = state.text_check;
        Self {
            rest,
            start,
            capacity,
            assembly: Some(assembly),
            fast_len_max,
            texts: "",
            text_check,
            state,
        }
    }

    #[inline]
    fn parse_next(&mut self) -> Result<Option<Message<'a>>, Failure> {
        loop {
            if let Some(frame) = self.state.partial_frame() {
                match self.continue_frame(frame)? {
                    Some(Some(message)) => return Ok(Some(message)),
                    Some(None) => continue,
                    None => return Ok(self.need_read()),
                }
            }
            let Some(header) = header::parse(self.rest, self.state.rules())? else {
                return Ok(self.need_read());
            };
            if header.opcode.is_control() {
                if self.state.needs_reply(header.opcode) && self.has_whole_frame(&header) {
                    // The reply is sent first. The next batch starts with this frame.
                    return Ok(None);
                }
                let Some(payload) = self.take_whole_frame(&header) else {
                    return Ok(self.need_read());
                };
                mask::apply(payload, header.key, 0);
                return self.control(header.opcode, payload).map(Some);
            }
            let kind = self.state.check_data_header(&header)?;
            let in_place = header.fin
                && self.state.open_message().is_none()
                && self.state.config.delivery == Delivery::Whole
                && (self.state.progress > 0
                    || header.frame_len().is_some_and(|len| len <= self.capacity)
                        && header.len <= u64::from(u32::MAX));
            if in_place {
                return self.in_place(kind, &header);
            }
            if self.assembly.is_none() {
                // The assembled message is lent. The next batch continues.
                return Ok(None);
            }
            self.take(header.size as usize);
            self.state.start_frame(kind, &header);
        }
    }

    /// Ends the batch in an incomplete frame: a read is needed, unless the batch ended for another
    /// reason.
    fn need_read(&mut self) -> Option<Message<'a>> {
        self.state.needs_read = self.text_check != TextCheck::Done;
        None
    }

    /// Consumes the next `n` bytes.
    #[inline]
    fn take(&mut self, n: usize) -> &'a mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        let (taken, rest) = rest.split_at_mut(n.min(rest.len()));
        self.rest = rest;
        *self.start += taken.len();
        taken
    }

    /// Whether the frame at the front is complete.
    fn has_whole_frame(&self, header: &Header) -> bool {
        header.frame_len().is_some_and(|len| len <= self.rest.len())
    }

    /// Consumes the frame at the front and returns its payload, if the frame is complete.
    #[inline]
    fn take_whole_frame(&mut self, header: &Header) -> Option<&'a mut [u8]> {
        let len = header.frame_len().filter(|&len| len <= self.rest.len())?;
        self.take(len).get_mut(header.size as usize..)
    }

    /// A message in one frame, unmasked in place.
    #[inline]
    fn in_place(&mut self, kind: Kind, header: &Header) -> Result<Option<Message<'a>>, Failure> {
        let Some(payload) = self.take_whole_frame(header) else {
            self.process_partial_frame(kind, header)?;
            return Ok(self.need_read());
        };
        let progress = core::mem::take(&mut self.state.progress) as usize;
        let fresh = payload.get_mut(progress..).unwrap_or_default();
        mask::apply(fresh, header.key, progress);
        if progress > 0 && kind == Kind::Text {
            self.state.utf8.feed(fresh)?;
            self.state.utf8.finish()?;
        }
        self.state.count_message(payload.len());
        lend(kind, payload).map(Some)
    }

    /// Unmasks the received part of an incomplete frame and, in a text message, validates it, so
    /// that invalid UTF-8 is detected when it arrives.
    #[cold]
    fn process_partial_frame(&mut self, kind: Kind, header: &Header) -> Result<(), Failure> {
        let progress = self.state.progress as usize;
        let fresh = self
            .rest
            .get_mut(header.size as usize + progress..)
            .unwrap_or_default();
        mask::apply(fresh, header.key, progress);
        if kind == Kind::Text {
            self.state.utf8.feed(fresh)?;
        }
        self.state.progress += fresh.len() as u32; // frames kept in place are at most u32::MAX bytes long
        Ok(())
    }

    /// Consumes received payload of a frame whose header is consumed. `None`: a read is needed;
    /// `Some(None)`: continue with the next frame.
    fn continue_frame(
        &mut self,
        mut frame: PartialFrame,
    ) -> Result<Option<Option<Message<'a>>>, Failure> {
        let n = usize::try_from(frame.left)
            .unwrap_or(usize::MAX)
            .min(self.rest.len());
        if n == 0 && frame.left > 0 {
            return Ok(None);
        }
        let data = self.take(n);
        mask::apply(data, frame.key, 0);
        frame.key.rotate_left(n % 4);
        frame.left -= n as u64;
        let is_last = frame.left == 0 && frame.fin;
        let message = self.state.message.get_or_insert_default();
        message.frame = (frame.left > 0).then_some(frame);
        let kind = message.kind.unwrap_or(Kind::Binary);
        let first = core::mem::replace(&mut message.first, is_last);
        let message_len = message.len;
        if is_last {
            message.kind = None;
            message.len = 0;
            message.fragments = 0;
        }
        if kind == Kind::Text {
            self.state.utf8.feed(data)?;
            if is_last {
                self.state.utf8.finish()?;
            }
        }
        if is_last {
            self.state
                .count_message(usize::try_from(message_len).unwrap_or(usize::MAX));
        }
        if self.state.config.delivery == Delivery::Parts {
            if data.is_empty() && !first && !is_last {
                return Ok(Some(None));
            }
            return Ok(Some(Some(Message::Part(Part {
                kind,
                data,
                first,
                last: is_last,
            }))));
        }
        if let Some(assembly) = &mut self.assembly {
            assembly.get_or_insert_default().0.extend_from_slice(data);
        }
        if !is_last {
            return Ok(Some(None));
        }
        self.state.assembly_lent = true;
        let message = self.assembly.take().and_then(|a| a.as_deref());
        let message = message.map_or(&[][..], |a| a.0.as_slice());
        lend(kind, message).map(|m| Some(Some(m)))
    }

    fn control(&mut self, opcode: Opcode, payload: &'a [u8]) -> Result<Message<'a>, Failure> {
        match opcode {
            Opcode::Ping => {
                self.state.pings_answered = self.state.pings_answered.saturating_sub(1);
                Ok(Message::Ping(payload))
            }
            Opcode::Pong => {
                if let Ok(nonce) = payload.try_into() {
                    self.state.replies.set_pong(nonce);
                }
                Ok(Message::Pong(payload))
            }
            _ => {
                let close = close::parse(payload)?;
                self.state.phase = ReadPhase::Closed;
                self.take(self.rest.len());
                Ok(Message::Close(close))
            }
        }
    }
}

/// Lends a whole message.
#[inline]
fn lend(kind: Kind, payload: &[u8]) -> Result<Message<'_>, Failure> {
    match kind {
        Kind::Binary => Ok(Message::Binary(payload)),
        Kind::Text => Ok(Message::Text(utf8::check(payload)?)),
    }
}

/// First byte of a binary message in one frame: FIN and opcode.
const BINARY_FIN: u8 = 0x82;

impl ParseState {
    /// See [`Batch::fast_len_max`].
    fn fast_len_max(&self) -> Option<u8> {
        let plain = self.phase == ReadPhase::Open
            && self.open_message().is_none()
            && self.progress == 0
            && self.config.delivery == Delivery::Whole;
        let max = self
            .config
            .message_bytes_max
            .min(self.config.frame_bytes_max);
        plain.then_some(u8::try_from(max.min(125)).unwrap_or(125))
    }

    /// Checks the rules for a data frame that depend on the frames before it, and the limits.
    #[inline]
    fn check_data_header(&self, header: &Header) -> Result<Kind, Failure> {
        let (open, announced, fragments) = match self.message.as_deref() {
            Some(message) => (message.kind, message.len, message.fragments),
            None => (None, 0, 0),
        };
        let kind = match (header.opcode, open) {
            (Opcode::Continuation, Some(kind)) => kind,
            (Opcode::Continuation, None) => return Err(Violation::OrphanContinuation.into()),
            (_, Some(_)) => return Err(Violation::DataInsideMessage.into()),
            (Opcode::Text, None) => Kind::Text,
            _ => Kind::Binary,
        };
        let max = &self.config;
        if header.len > max.frame_bytes_max {
            return Err(Limit::Frame {
                len: header.len,
                max: max.frame_bytes_max,
            }
            .into());
        }
        let len = announced.saturating_add(header.len);
        if len > max.message_bytes_max {
            return Err(Limit::Message {
                len,
                max: max.message_bytes_max,
            }
            .into());
        }
        if fragments >= max.fragments_max {
            return Err(Limit::Fragments {
                max: max.fragments_max,
            }
            .into());
        }
        Ok(kind)
    }

    /// Opens a frame whose header is consumed and whose payload is consumed as it arrives.
    fn start_frame(&mut self, kind: Kind, header: &Header) {
        let message = self.message.get_or_insert_default();
        message.kind = Some(kind);
        message.fragments += 1;
        message.len = message.len.saturating_add(header.len);
        message.frame = Some(PartialFrame {
            left: header.len,
            key: header.key,
            fin: header.fin,
        });
    }

    #[inline]
    fn count_message(&mut self, len: usize) {
        self.messages += 1;
        self.bytes += len as u64;
    }
}
