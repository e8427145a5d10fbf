//! Control frames that are answered before they are lent.
//!
//! The answer to a Ping or a Close must not depend on what the application does with the message.
//! So a [`Batch`](super::Batch) ends before such a frame, the driver calls
//! [`Inbox::look_ahead`] and writes the answer, and the next batch begins with the frame.
//!
//! A Ping may be answered before the messages that came before it are lent. A Close may not: what
//! the application answers to those messages has to go out first.

use core::ops::ControlFlow;

use super::inbox::{Inbox, ParseState, ReadPhase};
use super::replies::CloseCause;
use crate::frame::close::{self, Body};
use crate::frame::header::{self, Header};
use crate::frame::{CONTROL_BYTES_MAX, Opcode, mask};

/// Bits of a frame's first byte that hold the opcode.
const OPCODE_BITS: u8 = 0x0f;

/// The one of them that is set for control frames.
const CONTROL_BIT: u8 = 0x08;

impl Inbox {
    /// Registers the answers to control frames, if the next frame is one that wants an answer.
    /// `true` if there are answers to send before that frame is lent.
    #[inline]
    pub(crate) fn look_ahead(&mut self) -> bool {
        self.restore_texts();
        // Where the frame is one of data, nothing more is asked.
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

    /// Answers every Ping that was received and not lent, and the Close, unless a message stands
    /// before it. One look for all of them: a peer that puts a Ping between any two messages gets
    /// its Pongs in one write. `true` if there is an answer that was not registered before.
    pub(crate) fn answer_pending(&mut self) -> bool {
        self.restore_texts();
        let Self { buf, state, .. } = self;
        if state.phase != ReadPhase::Open {
            return false;
        }
        let mut lookahead = state.lookahead;
        // All Pings that were looked at are answered.
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

    /// Drops Pings that are answered, and Pongs, that nobody has received while more than
    /// `unread_bytes_max` bytes wait.
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
            // Where it was not looked at, nothing was.
            let bytes = u32::try_from(len).unwrap_or(u32::MAX);
            state.lookahead.bytes = state.lookahead.bytes.saturating_sub(bytes);
            rest = core::mem::take(&mut rest).split_at_mut(len).1;
            *start += len;
        }
    }
}

/// What was found in the frames that are not lent yet. It is kept while nothing is lent: each frame
/// is looked at once, in however many pieces a peer sends what nobody receives.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Lookahead {
    /// Received bytes that were looked at: whole frames, and the rest of one that is partly taken.
    /// 0: the look begins anew.
    pub(super) bytes: u32,
    /// A message is open behind them.
    open: bool,
    /// There is something that the application has to see before a Close is answered.
    data: bool,
}

impl Lookahead {
    /// Nothing was looked at.
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

    /// Whether an answer was registered that was not before; `pings` counts those so far. A frame that ends the look is looked
    /// at again by the next.
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
                    return ControlFlow::Break(false); // it breaks a rule
                }
                self.data = true;
                self.open = !header.fin;
            }
        }
        ControlFlow::Continue(false)
    }
}

impl ParseState {
    /// Whether a frame of this kind that comes next is to be answered before it is lent.
    #[inline]
    pub(super) fn needs_reply(&self, opcode: Opcode) -> bool {
        match opcode {
            Opcode::Ping => self.pings_answered == 0 && self.config.auto_pong,
            Opcode::Close => !self.close_answered,
            _ => false,
        }
    }

    /// One that breaks a rule is left for when it is lent: it is a failure then.
    fn answer_close(&mut self, body: &[u8]) -> bool {
        let Ok(close) = close::parse(body) else {
            return false;
        };
        let echo = close.map_or(Ok(Body::EMPTY), |c| Body::new(c.code, c.reason));
        let echo = echo.unwrap_or(Body::EMPTY); // parse has checked both
        self.replies.set_close(CloseCause::Echo(echo));
        true
    }
}
