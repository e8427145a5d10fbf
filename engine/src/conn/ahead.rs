//! The lookahead: control frames are answered before they are lent.
//!
//! The reply to a Ping or Close must not depend on what the application does with the message. A
//! [`Batch`](super::Batch) therefore ends before such a frame, the driver calls
//! [`Inbox::look_ahead`] and writes the reply, and the next batch starts with the frame.
//!
//! A Ping may be answered before the messages that precede it are lent. A Close may not: the
//! messages with which the application answers earlier messages must be sent first.

use core::ops::ControlFlow;

use super::inbox::{Inbox, ParseState, ReadPhase};
use super::replies::CloseCause;
use crate::frame::close::{self, Body};
use crate::frame::header::{self, Header};
use crate::frame::{CONTROL_BYTES_MAX, Opcode, mask};

/// Opcode bits in the first byte of a frame.
const OPCODE_BITS: u8 = 0x0f;

/// The opcode bit that is set for control frames (RFC 6455 section 5.2).
const CONTROL_BIT: u8 = 0x08;

impl Inbox {
    /// Registers the replies to the next control frames, if the next frame requires a reply. `true`
    /// if a reply must be sent before that frame is lent.
    #[inline]
    pub(crate) fn look_ahead(&mut self) -> bool {
        self.restore_texts();
        // The common case is a data frame: one comparison.
        match self.buf.received().first() {
            Some(&first) if first & CONTROL_BIT != 0 => self.answer_first(first),
            _ => false,
        }
    }

    #[cold]
    fn answer_first(&mut self, first: u8) -> bool {
        let opcode = Opcode::from_bits(first & OPCODE_BITS);
        opcode.is_some_and(|opcode| self.state.needs_reply(opcode))
            && self.state.partial_frame().is_none()
            && self.answer_pending()
    }

    /// Registers a reply to every Ping that was received and not lent, and to the Close if no data
    /// frame precedes it. One pass covers all of them, so a peer that sends a Ping between any two
    /// messages gets its Pongs in one write. `true` if a reply was registered that was not
    /// registered before.
    pub(crate) fn answer_pending(&mut self) -> bool {
        self.restore_texts();
        let Self { buf, state, .. } = self;
        if state.phase != ReadPhase::Open {
            return false;
        }
        let mut lookahead = state.lookahead;
        // All inspected Pings are answered.
        let (mut pings, mut answers) = (state.pings_answered, false);
        if lookahead.bytes == 0 {
            lookahead = Lookahead::new(state);
            pings = 0;
        }
        let Some(mut rest) = buf.received().get(lookahead.bytes as usize..) else {
            return false;
        };
        // Every turn takes a frame, or leaves.
        while let Ok(Some(header)) = header::parse(rest, state.rules())
            && let Some(len) = header.frame_len()
            && let Some((frame, behind)) = rest.split_at_checked(len)
            && let Some(bytes) = u32::try_from(len)
                .ok()
                .and_then(|len| lookahead.bytes.checked_add(len))
        {
            let payload = frame.get(usize::from(header.size)..).unwrap_or_default();
            match lookahead.inspect(state, &mut pings, &header, payload) {
                ControlFlow::Continue(answered) => answers |= answered,
                ControlFlow::Break(answered) => {
                    answers |= answered;
                    break;
                }
            }
            lookahead.bytes = bytes;
            rest = behind;
        }
        state.lookahead = lookahead;
        answers
    }

    /// Drops answered Pings and Pongs from the front while more than `unread_bytes_max` received
    /// bytes are unread. For a connection whose application does not receive.
    pub(crate) fn drop_control_frames(&mut self, unread_bytes_max: usize) {
        self.restore_texts();
        let Self { buf, state, .. } = self;
        if state.partial_frame().is_some() || state.phase != ReadPhase::Open {
            return;
        }
        let (mut rest, start) = buf.received_mut();
        // Every turn takes a frame, or leaves.
        while rest.len() > unread_bytes_max
            && let Ok(Some(header)) = header::parse(rest, state.rules())
            && let Some(len) = header.frame_len().filter(|&len| len <= rest.len())
        {
            match header.opcode {
                Opcode::Ping if state.pings_answered > 0 => state.pings_answered -= 1,
                Opcode::Pong => {}
                _ => return,
            }
            // A frame that was not inspected is the first one: the lookahead is empty then.
            let bytes = u32::try_from(len).unwrap_or(u32::MAX);
            state.lookahead.bytes = state.lookahead.bytes.saturating_sub(bytes);
            rest = core::mem::take(&mut rest).split_at_mut(len).1;
            *start += len;
        }
    }
}

/// What is known of the frames that are not yet lent. The lookahead continues where it stopped as
/// long as no frame is lent, so each frame is inspected once, even if a peer sends byte by byte to
/// an application that does not receive.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Lookahead {
    /// Size in bytes of the inspected whole frames, and of the rest of a partly consumed frame
    /// before them. 0: the next lookahead starts from the front.
    pub(super) bytes: u32,
    /// A message is open after the inspected frames.
    open: bool,
    /// A frame was inspected that the application must receive before a Close is answered.
    data: bool,
}

impl Lookahead {
    /// A lookahead that has inspected no frame.
    fn new(state: &ParseState) -> Self {
        match state.partial_frame() {
            Some(frame) => Self {
                bytes: u32::try_from(frame.left).unwrap_or(u32::MAX),
                open: !frame.fin,
                data: true,
            },
            None => Self {
                open: state.open_message().is_some(),
                ..Self::default()
            },
        }
    }

    /// Inspects a frame. The value tells whether a reply was registered that was not registered
    /// before. `pings` counts the Pings inspected so far. `Break` ends the lookahead before this
    /// frame; the next one inspects it again.
    fn inspect(
        &mut self,
        state: &mut ParseState,
        pings: &mut u32,
        header: &Header,
        payload: &[u8],
    ) -> ControlFlow<bool, bool> {
        let mut bytes = [0; CONTROL_BYTES_MAX];
        let body: &[u8] = match bytes.get_mut(..payload.len()) {
            Some(body) if header.opcode.is_control() => {
                mask::copy(body, payload, header.key);
                body
            }
            _ => &[],
        };
        match header.opcode {
            Opcode::Ping if !state.config.auto_pong => self.data = true,
            Opcode::Ping => {
                *pings += 1;
                if *pings > state.pings_answered {
                    state.pings_answered = *pings;
                    state.replies.push_ping(body);
                    return ControlFlow::Continue(true);
                }
            }
            Opcode::Pong => {
                if let Ok(nonce) = body.try_into() {
                    state.replies.set_pong(nonce);
                }
            }
            Opcode::Close => {
                if self.data || state.close_answered {
                    return ControlFlow::Break(false);
                }
                state.close_answered = true;
                return ControlFlow::Break(state.answer_close(body));
            }
            opcode => {
                let continues = opcode == Opcode::Continuation;
                if continues != self.open || header.len > state.config.frame_bytes_max {
                    return ControlFlow::Break(false); // fails when it is parsed
                }
                self.data = true;
                self.open = !header.fin;
            }
        }
        ControlFlow::Continue(false)
    }
}

impl ParseState {
    /// Whether the next frame, if it has this opcode, must be answered before it is lent.
    #[inline]
    pub(super) fn needs_reply(&self, opcode: Opcode) -> bool {
        match opcode {
            Opcode::Ping => self.pings_answered == 0 && self.config.auto_pong,
            Opcode::Close => !self.close_answered,
            _ => false,
        }
    }

    /// Registers the echo of a Close. A Close that breaks a rule gets no reply here: it fails the
    /// connection when it is parsed.
    fn answer_close(&mut self, body: &[u8]) -> bool {
        let Ok(close) = close::parse(body) else {
            return false;
        };
        let echo = close.map_or(Ok(Body::EMPTY), |c| Body::new(c.code, c.reason));
        let echo = echo.unwrap_or(Body::EMPTY); // `parse` has checked code and reason
        self.replies.set_close(CloseCause::Echo(echo));
        true
    }
}
