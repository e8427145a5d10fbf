use std::io::{self, IoSlice};
use std::net::TcpStream;

/// Slices given to one write. A longer queue takes another call.
pub(crate) const SLICES_MAX: usize = 64;

/// A socket that never blocks, as both reactors see it.
pub(crate) trait Wire {
    /// Reads once. `WouldBlock` when there is nothing.
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// Writes once. `WouldBlock` when nothing is taken.
    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends the sending half.
    fn shut_down_write(&mut self) -> io::Result<()>;

    /// Whether a connect is over, and how it went.
    fn connected(&mut self) -> io::Result<bool>;

    /// Whether a read that leaves space unfilled, or a write that leaves bytes unwritten, is the
    /// last one until an event; else only `WouldBlock` asks for that event.
    fn short_calls_arm(&self) -> bool;

    /// Takes the socket off the reactor.
    fn into_std(self) -> io::Result<TcpStream>
    where
        Self: Sized;

    /// Writes once what `slices` yields first.
    fn write_slices(&mut self, slices: &mut dyn Iterator<Item = &[u8]>) -> io::Result<usize> {
        let mut gathered = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (to, slice) in gathered.iter_mut().zip(slices) {
            *to = IoSlice::new(slice);
            count += 1;
        }
        loop {
            match self.write(&gathered[..count]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
