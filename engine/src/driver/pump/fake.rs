//! A socket of the tests' own.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::net::TcpStream;
use std::rc::Rc;
use std::vec::Vec;

use super::Wire;

/// The kernel's side of a socket.
#[derive(Default)]
pub(crate) struct Pipe {
    pub(crate) incoming: Vec<u8>,
    /// What a read says behind the last byte; `WouldBlock` without it.
    pub(crate) end: Option<Result<usize, ErrorKind>>,
    pub(crate) written: Vec<u8>,
    /// Bytes that it takes before `WouldBlock`; as many as there are without it.
    pub(crate) room: Option<usize>,
    pub(crate) broken: bool,
}

pub(crate) struct Fake(pub(crate) Rc<RefCell<Pipe>>);

impl Wire for Fake {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        if pipe.incoming.is_empty() {
            return pipe
                .end
                .unwrap_or(Err(ErrorKind::WouldBlock))
                .map_err(io::Error::from);
        }
        let n = space.len().min(pipe.incoming.len());
        space[..n].copy_from_slice(&pipe.incoming[..n]);
        pipe.incoming.drain(..n);
        Ok(n)
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

    fn into_std(self) -> io::Result<TcpStream> {
        Err(ErrorKind::Unsupported.into())
    }
}
