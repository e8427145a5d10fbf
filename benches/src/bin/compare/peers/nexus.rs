//! nexus-web 0.8: its frame codec over mio. The shared receive buffer costs it a copy of what was
//! read. The tokio variant does not have this copy.

use anyhow::Result;
use mio::net::TcpStream;
use tickwire_benches::peers::NexusEcho;

use super::accept::Opening;
use super::{raw, reactor};

pub(super) struct Session {
    opening: Opening,
    echo: NexusEcho,
}

impl Session {
    pub(super) fn new() -> Self {
        Session {
            opening: Opening::default(),
            echo: NexusEcho::default(),
        }
    }
}

impl reactor::Session for Session {
    fn input(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
        if self.opening.take(stream, bytes)? {
            return Ok(());
        }
        self.echo.input(bytes)?;
        self.flush(stream)
    }

    fn flush(&mut self, stream: &mut TcpStream) -> Result<()> {
        let written = raw::write_ready(stream, self.echo.output())?;
        self.echo.written(written);
        Ok(())
    }

    fn is_blocked(&self) -> bool {
        !self.echo.output().is_empty()
    }
}
