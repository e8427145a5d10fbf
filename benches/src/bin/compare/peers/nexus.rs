//! nexus-web 0.8: its frame codec over mio. The shared receive buffer costs it a copy of what was
//! read. The tokio variant does not have this copy.

use std::io::Write as _;

use anyhow::Result;
use mio::net::TcpStream;
use tickwire_benches::peers::NexusEcho;

use super::{accept, raw, reactor};

pub(super) struct Session {
    /// The request head until it is whole, then `None`.
    head: Option<Vec<u8>>,
    echo: NexusEcho,
}

impl Session {
    pub(super) fn new() -> Self {
        Session {
            head: Some(Vec::new()),
            echo: NexusEcho::default(),
        }
    }
}

impl reactor::Session for Session {
    fn input(&mut self, stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
        if let Some(head) = &mut self.head {
            head.extend_from_slice(bytes);
            if let Some(response) = accept::respond(head)? {
                stream.write_all(response.as_bytes())?;
                self.head = None;
            }
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
