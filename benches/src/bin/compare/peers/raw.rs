//! Raw TCP echo: one read, one write, no framing. A server that answers each read cannot do less.

use std::io::{ErrorKind, Write as _};

use anyhow::{Result, ensure};
use mio::net::TcpStream;

use super::reactor::Session;

/// What the socket has not accepted yet; nearly always empty.
#[derive(Default)]
pub(super) struct Echo {
    unsent: Vec<u8>,
}

impl Session for Echo {
    fn input(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
        let written = write_ready(stream, bytes)?;
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    fn flush(&mut self, stream: &mut TcpStream) -> Result<()> {
        let written = write_ready(stream, &self.unsent)?;
        self.unsent.drain(..written);
        Ok(())
    }

    fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }
}

/// Writes until everything is written or the socket is full; returns the number of written bytes.
pub(super) fn write_ready(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(n) => {
                ensure!(n > 0, "the socket accepts no more bytes");
                written += n;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(written)
}
