//! One connection of a reactor: its socket and where it stands.

use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

use super::super::handler::Flow;
use super::super::line::Line;
use super::super::socket::PeerAddr;
use crate::config::Config;
use crate::handshake::{ClientHandshake, HeadLimits, ServerHandshake};
use crate::session::Session;
use crate::time::Timestamp;

/// A connection.
#[derive(Debug)]
pub(crate) struct Link<T> {
    pub(super) line: Line<T>,
    pub(super) flow: Flow,
    /// The entry of this connection in the timers; later than any if there is none.
    pub(super) armed: Timestamp,
    pub(super) phase: Phase,
}

// What a connection is beside its session and its socket.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Link<()>>() <= size_of::<Session>() + 48);

/// Later than any deadline.
pub(super) const NEVER: Timestamp = Timestamp(u64::MAX);

/// Links are boxed, and open for nearly all of their lives: one allocation each.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "links are boxed, and open for nearly all of their lives: one allocation each"
)]
pub(super) enum Phase {
    Accepting(Box<Accepting>),
    Connecting(Box<Connecting>),
    /// An HTTP answer is on its way out, then the connection ends.
    Refusing(Box<Refusing>),
    Open(Session),
}

/// The server's side of the opening handshake.
#[derive(Debug)]
pub(super) struct Accepting {
    pub(super) peer: Option<PeerAddr>,
    pub(super) handshake: ServerHandshake,
    pub(super) received: Vec<u8>,
    pub(super) deadline: Timestamp,
}

/// Our own connection, until it is open.
#[derive(Debug)]
pub(super) struct Connecting {
    pub(super) peer: PeerAddr,
    pub(super) token: u64,
    pub(super) handshake: ClientHandshake,
    /// The socket is connected.
    pub(super) connected: bool,
    /// Bytes of the request that are written.
    pub(super) sent: usize,
    pub(super) received: Vec<u8>,
    pub(super) deadline: Timestamp,
    pub(super) limits: HeadLimits,
    pub(super) config: Arc<Config>,
}

#[derive(Debug)]
pub(super) struct Refusing {
    pub(super) answer: Vec<u8>,
    pub(super) sent: usize,
    /// Bytes that may still be read and dropped.
    pub(super) drain_bytes: usize,
    pub(super) deadline: Timestamp,
}

impl<T> Link<T> {
    pub(super) fn new(transport: T, phase: Phase) -> Self {
        Self {
            line: Line::new(transport),
            flow: Flow::default(),
            armed: NEVER,
            phase,
        }
    }

    /// Whether a Close is on its way, or nothing can be written any more.
    pub(super) fn is_closing(&mut self) -> bool {
        match &mut self.phase {
            Phase::Open(session) => session.outbox().is_closing(),
            _ => false,
        }
    }

    /// Whether there may be something to read that is wanted now.
    pub(super) fn is_read(&self) -> bool {
        // What asks to be opened reads nothing before its request is written.
        let asks = self.line.blocked && matches!(self.phase, Phase::Connecting(_));
        self.line.readable && !self.flow.paused && !asks
    }

    /// When this connection must be looked at without being asked.
    pub(super) fn deadline(&mut self) -> Option<Timestamp> {
        match &mut self.phase {
            Phase::Open(session) => {
                if self.flow.paused && !session.outbox().is_closing() {
                    session.halves().1.deadline()
                } else {
                    session.poll_timeout()
                }
            }
            phase => phase.deadline(),
        }
    }
}

impl Phase {
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Accepting(a) => Some(a.deadline),
            Self::Connecting(c) => Some(c.deadline),
            Self::Refusing(r) => Some(r.deadline),
            Self::Open(session) => session.poll_timeout(),
        }
    }
}
