use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;

use mio::Registry;
use mio::net::TcpStream;

use super::super::pump::Wire;

/// A registered TCP socket. Dropping it takes it out of the poll.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) registry: Rc<Registry>,
}

impl Wire for Socket {
    #[inline]
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.stream.read(space)
    }

    #[inline]
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // A plain write is a little cheaper for the kernel than a vector of one.
            [slice] => self.stream.write(slice),
            slices => self.stream.write_vectored(slices),
        }
    }

    fn shut_down_write(&mut self) -> io::Result<()> {
        match self.stream.shutdown(Shutdown::Write) {
            // The peer is gone already.
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    fn connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn short_calls_arm(&self) -> bool {
        // The poll is edge-triggered: what comes later is an edge of its own.
        true
    }

    fn into_std(mut self) -> io::Result<std::net::TcpStream> {
        self.registry.deregister(&mut self.stream)?;
        Ok(self.stream.into())
    }
}
