//! The runtime's clock, the buffer pool of the thread, and one read.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread_local;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::coop;
use tokio::time::Instant;

use super::super::clock;
use crate::buf::BufPool;
use crate::session::{ReadSide, WriteSide};
use crate::time::Timestamp;

thread_local! {
    static POOL: RefCell<BufPool> = const {
        RefCell::new(BufPool::new(BufPool::RECV_BYTES, BufPool::SEND_BYTES))
    };
}

/// The current time on tokio's clock, which tests can pause.
pub(super) fn now() -> Timestamp {
    clock::timestamp(Instant::now().into_std())
}

/// Takes one unit of the task's cooperative budget, for work that does not poll the stream. If none
/// is left, pending, and the task is woken.
pub(super) fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    coop::poll_proceed(cx).map(|unit| unit.made_progress())
}

/// Lends the buffer pool of this thread; an empty pool while the thread ends.
fn with_pool(mut f: impl FnMut(&mut BufPool)) {
    let lent = POOL.try_with(|pool| pool.try_borrow_mut().map(|mut pool| f(&mut pool)));
    if !matches!(lent, Ok(Ok(()))) {
        f(&mut BufPool::default());
    }
}

pub(super) fn attach_write(write: &mut WriteSide) {
    with_pool(|pool| write.attach(pool));
}

pub(super) fn detach_write(write: &mut WriteSide) {
    with_pool(|pool| write.detach(pool));
}

pub(super) fn attach_read(read: &mut ReadSide) {
    with_pool(|pool| read.attach(pool));
}

pub(super) fn detach_read(read: &mut ReadSide) {
    with_pool(|pool| read.detach(pool));
}

/// Reads once, into the buffer that messages borrow from. Zero bytes: the stream has ended.
pub(super) fn poll_read<R: AsyncRead + Unpin>(
    read: &mut ReadSide,
    io: &mut R,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    with_pool(|pool| read.attach(pool));
    let space = read.space();
    if space.is_empty() {
        // A read into no space returns 0, which would mean the end of the stream.
        return Poll::Ready(Err(io::Error::other("no room in the receive buffer")));
    }
    let mut buf = ReadBuf::new(space);
    ready!(Pin::new(io).poll_read(cx, &mut buf))?;
    Poll::Ready(Ok(buf.filled().len()))
}
