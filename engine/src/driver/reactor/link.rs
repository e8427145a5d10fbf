//! One connection of a reactor: its socket and its phase.

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

/// A connection of a reactor.
#[derive(Debug)]
pub(crate) struct Link<T> {
    pub(super) line: Line<T>,
    pub(super) flow: Flow,
    /// The time of this connection's deadline entry in the timers; [`NEVER`] without an entry.
    pub(super) armed: Timestamp,
    pub(super) phase: Phase,
}

// The memory of a connection beside its session and its socket is small.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Link<()>>() <= size_of::<Session>() + 48);

/// Later than any deadline.
pub(super) const NEVER: Timestamp = Timestamp(u64::MAX);

/// The phase of a connection.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "links are boxed and nearly always in the large variant: one allocation each"
)]
pub(super) enum Phase {
    Accepting(Box<Accepting>),
    Connecting(Box<Connecting>),
    /// A refusal is being written; then the connection ends.
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

/// The client's side: connect and opening handshake.
#[derive(Debug)]
pub(super) struct Connecting {
    pub(super) peer: PeerAddr,
    pub(super) token: u64,
    pub(super) handshake: ClientHandshake,
    /// The socket is connected.
    pub(super) connected: bool,
    /// Bytes of the request that were written.
    pub(super) sent: usize,
    pub(super) received: Vec<u8>,
    pub(super) deadline: Timestamp,
    pub(super) limits: HeadLimits,
    pub(super) config: Arc<Config>,
}

/// An accepted connection whose opening handshake was refused.
#[derive(Debug)]
pub(super) struct Refusing {
    pub(super) answer: Vec<u8>,
    pub(super) sent: usize,
    /// Bytes that may still be read and discarded.
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

    /// Whether a Close was queued, or the write side has ended.
    pub(super) fn is_closing(&mut self) -> bool {
        match &mut self.phase {
            Phase::Open(session) => session.outbox().is_closing(),
            _ => false,
        }
    }

    /// Whether the connection should read now.
    pub(super) fn should_read(&self) -> bool {
        // A client reads nothing before its request is written.
        let requesting = self.line.blocked && matches!(self.phase, Phase::Connecting(_));
        self.line.readable && !self.flow.paused && !requesting
    }

    /// The next deadline of this connection.
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
