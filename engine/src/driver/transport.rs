//! A connected socket as the reactors see it.

use std::io::{self, IoSlice};
use std::num::NonZeroU64;

use super::socket::Socket;

/// Slices given to one write. A longer queue takes another call.
pub(super) const SLICES_MAX: usize = 64;

/// What one read brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Read {
    /// Bytes; zero is the end of the stream.
    pub(super) n: usize,
    /// When the kernel received the newest of these bytes, in nanoseconds since
    /// 1970-01-01T00:00:00Z by the system's clock. TCP joins segments: bytes that are read
    /// together with later ones have the time of the latter. `None` where the platform, the kind
    /// of socket or the host gives no such time: at present always.
    pub(super) kernel: Option<NonZeroU64>,
}

impl Read {
    /// Bytes whose time of arrival is not known.
    #[inline]
    pub(super) fn untimed(n: usize) -> Self {
        Self { n, kernel: None }
    }
}

/// A connected stream socket that never blocks.
///
/// No kind of socket is named here: TCP and Unix sockets are alike, and so is what a test puts in
/// their place. Only [`Line`](super::line::Line) calls it.
pub(super) trait Transport: 'static {
    /// Reads once. `WouldBlock` when there is nothing.
    fn read(&mut self, space: &mut [u8]) -> io::Result<Read>;

    /// Writes once. `WouldBlock` when nothing is taken.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends the sending half. The peer being gone already is no error.
    fn shut_down_write(&mut self) -> io::Result<()>;

    /// Whether a connect is over, and how it went.
    fn connected(&mut self) -> io::Result<bool>;

    /// Whether a read that leaves space unfilled, or a write that leaves bytes unwritten, is the
    /// last one until an event; else only `WouldBlock` asks for that event.
    fn short_calls_arm(&self) -> bool;

    /// Takes the socket off the reactor.
    fn into_socket(self) -> io::Result<Socket>
    where
        Self: Sized;
}
