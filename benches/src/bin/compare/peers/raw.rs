//! Raw TCP echo: one read, one write, no framing. No server that answers each read can do less.

use std::io::{ErrorKind, Write as _};

use anyhow::{Result, ensure};
use mio::net::TcpStream;

use super::reactor::Session;

/// What the socket would not take yet; empty nearly always.
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

/// Writes until all is taken or the socket is full; returns the bytes taken.
pub(super) fn write_ready(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(n) => {
                ensure!(n > 0, "the socket takes no more bytes");
                written += n;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(written)
}
