//! Reads and writes the bytes of a connection, in every phase: opening handshake, refusal,
//! messages, closing.

use std::io::{self, IoSlice};

use super::socket::Socket;
use super::transport::{Read, SLICES_MAX, Transport};

/// A connection's transport, and its readiness.
///
/// [`Self::read`] reads and [`Self::write`] writes every byte of the connection.
#[derive(Debug)]
pub(super) struct Line<T: ?Sized> {
    /// The socket may have bytes to read.
    pub(super) readable: bool,
    /// The socket accepted less than it was given: do not write until it is writable again.
    pub(super) blocked: bool,
    /// The peer has ended its half of the stream, or the socket has failed. Reads continue until
    /// they return the end or the error, because no further event will come.
    pub(super) ending: bool,
    /// The write half is shut down.
    half_closed: bool,
    /// The first error of the socket, in either direction. Bytes that the peer sent before it are
    /// still delivered.
    pub(super) error: Option<io::Error>,
    transport: T,
}

impl<T> Line<T> {
    /// Makes a line that is readable, because the socket may have received bytes already.
    pub(super) fn new(transport: T) -> Self {
        Self {
            readable: true,
            blocked: false,
            ending: false,
            half_closed: false,
            error: None,
            transport,
        }
    }
}

impl<T: Transport> Line<T> {
    /// Takes the socket off the reactor.
    pub(super) fn into_socket(self) -> io::Result<Socket> {
        self.transport.into_socket()
    }
}

impl<T: Transport + ?Sized> Line<T> {
    /// Records the readiness that an event reports.
    #[inline]
    pub(super) fn note(&mut self, readiness: Readiness) {
        self.readable |= readiness.readable;
        self.ending |= readiness.ending;
        self.blocked &= !readiness.writable;
    }

    /// Reads once, and records the readiness that the result shows. `None`: no bytes are available.
    #[inline]
    pub(super) fn read(&mut self, space: &mut [u8]) -> io::Result<Option<Read>> {
        loop {
            match self.transport.read(space) {
                Ok(read) => {
                    let short = read.n < space.len() && self.transport.short_calls_arm();
                    if read.n == 0 || short && !self.ending {
                        self.readable = false;
                    }
                    return Ok(Some(read));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(None);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Writes the first [`SLICES_MAX`] slices at most, with one call, and records the readiness
    /// that the result shows. Returns zero if the socket accepts nothing now. Do not call it while
    /// [`Self::blocked`].
    ///
    /// # Errors
    /// The error of the socket; `WriteZero` if it accepts nothing without an error.
    pub(super) fn write(&mut self, slices: &mut dyn Iterator<Item = &[u8]>) -> io::Result<usize> {
        let mut gathered = [IoSlice::new(&[]); SLICES_MAX];
        let (mut count, mut given) = (0, 0);
        for (to, slice) in gathered.iter_mut().zip(slices) {
            *to = IoSlice::new(slice);
            count += 1;
            given += slice.len();
        }
        loop {
            match self.transport.write(&gathered[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    // If a short write does not arm the socket, the next write does.
                    self.blocked = n < given && self.transport.short_calls_arm();
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(0);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Writes as much of `bytes[*sent..]` as the socket accepts; `true` when all of it is written.
    pub(super) fn write_all(&mut self, bytes: &[u8], sent: &mut usize) -> io::Result<bool> {
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            if self.blocked {
                return Ok(false);
            }
            *sent += self.write(&mut [rest].into_iter())?;
        }
        Ok(true)
    }

    /// Records an error. Writing stops; reads continue until they return the end or an error,
    /// because no further event will come.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.error.get_or_insert(error);
        self.readable = true;
        self.ending = true;
    }

    /// Shuts down the write half, once.
    pub(super) fn shut_down_write(&mut self) -> io::Result<()> {
        if core::mem::replace(&mut self.half_closed, true) {
            return Ok(());
        }
        self.transport.shut_down_write()
    }

    /// Whether the connect has finished; an error if it has failed.
    pub(super) fn connected(&mut self) -> io::Result<bool> {
        self.transport.connected()
    }
}

/// The readiness that an event reports.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Readiness {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has ended its half of the stream, or the socket has failed.
    pub(super) ending: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::num::NonZeroU64;
    use std::vec::Vec;

    use super::*;

    /// A transport whose calls return what the test has set.
    #[derive(Default)]
    struct Scripted {
        reads: VecDeque<io::Result<Read>>,
        writes: VecDeque<io::Result<usize>>,
        written: Vec<u8>,
        arms: bool,
        shutdowns: usize,
    }

    impl Transport for Scripted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<Read> {
            self.reads.pop_front().expect("an unexpected read")
        }

        fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let n = self.writes.pop_front().expect("an unexpected write")?;
            let given = slices.iter().flat_map(|slice| slice.iter().copied());
            self.written.extend(given.take(n));
            Ok(n)
        }

        fn shut_down_write(&mut self) -> io::Result<()> {
            self.shutdowns += 1;
            Ok(())
        }

        fn connected(&mut self) -> io::Result<bool> {
            Ok(true)
        }

        fn short_calls_arm(&self) -> bool {
            self.arms
        }

        fn into_socket(self) -> io::Result<Socket> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn line(arms: bool) -> Line<Scripted> {
        Line::new(Scripted {
            arms,
            ..Scripted::default()
        })
    }

    fn error<T>(kind: io::ErrorKind) -> io::Result<T> {
        Err(kind.into())
    }

    #[test]
    fn a_read_updates_the_readiness() {
        // Bytes read, whether a short read arms the socket, whether the peer is ending, and whether
        // the line stays readable.
        let table = [
            (8, true, false, true),
            (3, true, false, false),
            (3, false, false, true),
            (3, true, true, true),
            (0, false, true, false),
        ];
        for (n, arms, ending, readable) in table {
            let mut line = line(arms);
            line.ending = ending;
            line.transport.reads = [error(io::ErrorKind::Interrupted), Ok(Read::untimed(n))].into();
            assert_eq!(line.read(&mut [0; 8]).unwrap(), Some(Read::untimed(n)));
            assert_eq!(line.readable, readable, "{n}, {arms}, {ending}");
        }
        let mut line = line(false);
        line.transport.reads = [error(io::ErrorKind::WouldBlock)].into();
        assert_eq!(line.read(&mut [0; 8]).unwrap(), None);
        assert!(!line.readable);
    }

    #[test]
    fn a_read_returns_the_kernel_time_of_its_bytes() {
        let timed = Read {
            n: 8,
            kernel: NonZeroU64::new(1_700_000_000_000_000_001),
        };
        let mut line = line(true);
        line.transport.reads = [Ok(timed)].into();
        assert_eq!(line.read(&mut [0; 8]).unwrap(), Some(timed));
    }

    #[test]
    fn write_all_continues_after_a_short_write() {
        let (mut line, mut sent) = (line(true), 0);
        line.transport.writes = [error(io::ErrorKind::Interrupted), Ok(2)].into();
        assert!(!line.write_all(b"a head", &mut sent).unwrap());
        assert!(line.blocked);
        assert!(!line.write_all(b"a head", &mut sent).unwrap());
        assert_eq!(sent, 2);
        line.note(Readiness {
            writable: true,
            ..Readiness::default()
        });
        line.transport.writes = [error(io::ErrorKind::WouldBlock)].into();
        assert!(!line.write_all(b"a head", &mut sent).unwrap());
        line.blocked = false;
        line.transport.arms = false;
        // If a short write does not arm the socket, the rest is written at once.
        line.transport.writes = [Ok(1), Ok(3)].into();
        assert!(line.write_all(b"a head", &mut sent).unwrap());
        assert_eq!(line.transport.written, b"a head");
        assert!(line.write_all(b"a head", &mut sent).unwrap());
        line.transport.writes = [Ok(0)].into();
        let nothing = line.write_all(b"more than a head", &mut sent);
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn the_first_error_is_kept_and_the_write_half_is_shut_down_once() {
        let mut line = line(true);
        line.readable = false;
        line.fail(io::ErrorKind::BrokenPipe.into());
        line.fail(io::ErrorKind::ConnectionReset.into());
        assert!(line.readable && line.ending);
        let kept = line.error.take().map(|e| e.kind());
        assert_eq!(kept, Some(io::ErrorKind::BrokenPipe));
        line.shut_down_write().unwrap();
        line.shut_down_write().unwrap();
        assert_eq!(line.transport.shutdowns, 1);
    }
}
