//! A connected socket, as a reactor uses it.

use std::io::{self, IoSlice};
use std::num::NonZeroU64;

use super::socket::Socket;

/// Slices in one write. A longer queue takes further writes.
pub(super) const SLICES_MAX: usize = 64;

/// The result of one read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Read {
    /// Number of bytes; zero is the end of the stream.
    pub(super) n: usize,
    /// When the kernel received the newest of these bytes, in nanoseconds since
    /// 1970-01-01T00:00:00Z on the system's clock. TCP joins segments: bytes read together share
    /// the time of the newest. `None` if the platform, the socket or the host provides no such
    /// time; at present that is always so.
    pub(super) kernel: Option<NonZeroU64>,
}

impl Read {
    /// A read without a kernel time.
    #[inline]
    pub(super) fn untimed(n: usize) -> Self {
        Self { n, kernel: None }
    }
}

/// A connected, non-blocking stream socket.
///
/// The trait names no kind of socket: TCP sockets, Unix sockets and test doubles implement it
/// alike. Only [`Line`](super::line::Line) calls it.
pub(super) trait Transport: 'static {
    /// Reads once. `WouldBlock` if no bytes are available.
    fn read(&mut self, space: &mut [u8]) -> io::Result<Read>;

    /// Writes once. `WouldBlock` if the socket accepts nothing.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Shuts down the write half. It is no error if the peer is gone already.
    fn shut_down_write(&mut self) -> io::Result<()>;

    /// Whether the connect has finished; an error if it has failed.
    fn connected(&mut self) -> io::Result<bool>;

    /// Whether a read that fills only part of its space, or a write that leaves bytes unwritten,
    /// arms the next event. Otherwise only `WouldBlock` does.
    fn short_calls_arm(&self) -> bool;

    /// Takes the socket off the reactor.
    fn into_socket(self) -> io::Result<Socket>
    where
        Self: Sized;
}
