//! A fake socket and a fake clock, and a core that uses them.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::vec::Vec;

use super::super::handler::{ConnId, Handler};
use super::super::line::Readiness;
use super::super::socket::Socket;
use super::super::transport::{Read, Transport};
use super::{ConnectionOptions, Core};
use crate::agreed::Agreed;
use crate::buf::BufPool;
use crate::config::Config;
use crate::handshake::HeadLimits;
use crate::role::Role;
use crate::session::{Entropy, Session};
use crate::time::Timestamp;

/// The kernel's side of a fake socket.
#[derive(Default)]
pub(crate) struct Pipe {
    pub(crate) incoming: Vec<u8>,
    /// The result of a read after the last byte; `None` for `WouldBlock`.
    pub(crate) end: Option<Result<usize, ErrorKind>>,
    pub(crate) written: Vec<u8>,
    /// Bytes that writes accept before `WouldBlock`; `None` for no limit.
    pub(crate) room: Option<usize>,
    /// Writes fail with `BrokenPipe`.
    pub(crate) broken: bool,
}

pub(crate) struct Fake(pub(crate) Rc<RefCell<Pipe>>);

impl Transport for Fake {
    fn read(&mut self, space: &mut [u8]) -> io::Result<Read> {
        let mut pipe = self.0.borrow_mut();
        if pipe.incoming.is_empty() {
            return pipe
                .end
                .unwrap_or(Err(ErrorKind::WouldBlock))
                .map(Read::untimed)
                .map_err(io::Error::from);
        }
        let n = space.len().min(pipe.incoming.len());
        space[..n].copy_from_slice(&pipe.incoming[..n]);
        pipe.incoming.drain(..n);
        Ok(Read::untimed(n))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        if pipe.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let before = pipe.written.len();
        let room = pipe.room.unwrap_or(usize::MAX);
        let given = slices.iter().flat_map(|slice| slice.iter().copied());
        pipe.written.extend(given.take(room));
        let n = pipe.written.len() - before;
        if let Some(room) = &mut pipe.room {
            if *room == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            *room -= n;
        }
        Ok(n)
    }

    fn shut_down_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn connected(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn short_calls_arm(&self) -> bool {
        true
    }

    fn into_socket(self) -> io::Result<Socket> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// A core with one connection.
pub(crate) struct Rig<H: Handler> {
    pub(crate) core: Core<H, Fake>,
    pub(crate) id: ConnId,
    pub(crate) pipe: Rc<RefCell<Pipe>>,
    pub(crate) now: Timestamp,
}

impl<H: Handler> Rig<H> {
    /// A core without a connection. Its buffers have `buf_bytes` bytes.
    pub(crate) fn empty(
        handler: H,
        config: impl Into<std::sync::Arc<Config>>,
        buf_bytes: usize,
    ) -> Self {
        let options = ConnectionOptions {
            config: config.into(),
            limits: HeadLimits::default(),
        };
        let mut core = Core::new(handler, options, BufPool::new(buf_bytes, buf_bytes));
        let id = core.reserve();
        Self {
            core,
            id,
            pipe: Rc::default(),
            now: Timestamp(0),
        }
    }

    /// Inserts an open connection with the id `id`.
    pub(crate) fn open(&mut self, role: Role, subprotocol: Option<&str>) {
        self.pipe = Rc::default();
        let config = self.core.options.config.clone();
        let agreed = match subprotocol {
            Some(name) => Agreed::new(role).with_subprotocol(name),
            None => Agreed::new(role),
        };
        let session =
            Session::new(agreed, config, Entropy([7; 32]), &[], self.now).expect("valid limits");
        let transport = Fake(self.pipe.clone());
        self.core
            .insert_open(self.id, transport, session, (None, 0), self.now);
        self.serve();
    }

    /// Runs queued work until none is left.
    pub(crate) fn serve(&mut self) {
        for _ in 0..1000 {
            if !self.core.has_queued() {
                return;
            }
            self.core.run_queued(self.now);
        }
        panic!("queued work does not end");
    }

    pub(crate) fn readable(&mut self) {
        let readiness = Readiness {
            readable: true,
            ..Readiness::default()
        };
        self.core.ready(self.id.index as usize, readiness, self.now);
        self.serve();
    }

    /// Advances the clock to `until`, and handles each deadline at its own time.
    pub(crate) fn pass(&mut self, until: Timestamp) {
        while let Some(due) = self.core.next_timeout().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.core.timeouts(self.now);
            self.serve();
        }
        self.now = until;
    }
}
