//! The way of a connection's bytes between its session and its socket, in every phase of the
//! connection: opening handshake, refusal, messages, closing.

use std::io::{self, IoSlice};

use super::socket::Socket;
use super::transport::{Read, SLICES_MAX, Transport};

/// A connection's transport, and what is known of its readiness.
///
/// Every byte of the connection is read by [`Self::read`] and written by [`Self::write`].
#[derive(Debug)]
pub(super) struct Line<T: ?Sized> {
    /// The socket may have more to read.
    pub(super) readable: bool,
    /// The socket took less than it was given: no write until it is writable again.
    pub(super) blocked: bool,
    /// The peer has ended its half of the stream, or the socket has failed: reads go on until
    /// they say so, for no event will.
    pub(super) ending: bool,
    /// The sending half is shut down.
    half_closed: bool,
    /// What the socket failed with first, in either direction. What the peer had sent before is
    /// still delivered.
    pub(super) error: Option<io::Error>,
    transport: T,
}

impl<T> Line<T> {
    /// A socket that may have something to read.
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
    /// What an event said of the socket.
    #[inline]
    pub(super) fn note(&mut self, readiness: Readiness) {
        self.readable |= readiness.readable;
        self.ending |= readiness.ending;
        self.blocked &= !readiness.writable;
    }

    /// Reads once, and notes what that says about the socket. `None`: there is nothing.
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

    /// Writes once what `slices` yields first, [`SLICES_MAX`] of them at most, and notes what
    /// that says about the socket. Zero when it takes nothing now; not to be called while
    /// [`Self::blocked`].
    ///
    /// # Errors
    /// The socket's, and `WriteZero` for one that takes nothing and does not say why.
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
                    // Where a short write does not arm the socket, another one does.
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

    /// Writes what the socket takes of `bytes[*sent..]`; `true` when all of it is written.
    pub(super) fn write_all(&mut self, bytes: &[u8], sent: &mut usize) -> io::Result<bool> {
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            if self.blocked {
                return Ok(false);
            }
            *sent += self.write(&mut [rest].into_iter())?;
        }
        Ok(true)
    }

    /// Nothing is written any more, and the reads go on until they say why, for no event will.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.error.get_or_insert(error);
        self.readable = true;
        self.ending = true;
    }

    /// Ends the sending half, once.
    pub(super) fn shut_down_write(&mut self) -> io::Result<()> {
        if core::mem::replace(&mut self.half_closed, true) {
            return Ok(());
        }
        self.transport.shut_down_write()
    }

    /// Whether a connect is over, and how it went.
    pub(super) fn connected(&mut self) -> io::Result<bool> {
        self.transport.connected()
    }
}

/// What an event says of a socket.
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

    /// A transport that answers each call as a test says.
    #[derive(Default)]
    struct Scripted {
        reads: VecDeque<io::Result<Read>>,
        writes: VecDeque<io::Result<usize>>,
        written: Vec<u8>,
        arms: bool,
        shut: usize,
    }

    impl Transport for Scripted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<Read> {
            self.reads.pop_front().expect("no read more")
        }

        fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let n = self.writes.pop_front().expect("no write more")?;
            let given = slices.iter().flat_map(|slice| slice.iter().copied());
            self.written.extend(given.take(n));
            Ok(n)
        }

        fn shut_down_write(&mut self) -> io::Result<()> {
            self.shut += 1;
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
    fn what_a_read_says_of_the_socket() {
        // What comes, whether a short read arms, whether the peer is ending: read on?
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
    fn the_time_of_arrival_comes_with_the_bytes() {
        let timed = Read {
            n: 8,
            kernel: NonZeroU64::new(1_700_000_000_000_000_001),
        };
        let mut line = line(true);
        line.transport.reads = [Ok(timed)].into();
        assert_eq!(line.read(&mut [0; 8]).unwrap(), Some(timed));
    }

    #[test]
    fn a_head_goes_out_in_pieces() {
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
        // Where a short write arms nothing, the rest is offered at once.
        line.transport.writes = [Ok(1), Ok(3)].into();
        assert!(line.write_all(b"a head", &mut sent).unwrap());
        assert_eq!(line.transport.written, b"a head");
        assert!(line.write_all(b"a head", &mut sent).unwrap());
        line.transport.writes = [Ok(0)].into();
        let nothing = line.write_all(b"more than a head", &mut sent);
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn the_first_failure_is_kept_and_the_end_is_said_once() {
        let mut line = line(true);
        line.readable = false;
        line.fail(io::ErrorKind::BrokenPipe.into());
        line.fail(io::ErrorKind::ConnectionReset.into());
        assert!(line.readable && line.ending);
        let kept = line.error.take().map(|e| e.kind());
        assert_eq!(kept, Some(io::ErrorKind::BrokenPipe));
        line.shut_down_write().unwrap();
        line.shut_down_write().unwrap();
        assert_eq!(line.transport.shut, 1);
    }
}
