//! The gate between the halves of a split connection.

#[path = "../../engine/src/driver/tokio/gate.rs"]
mod gate;

/// What is sent, as far as the gate goes: nothing.
mod sending {
    #[derive(Debug)]
    pub(super) struct Sending;
}

/// The atomics and locks that [`gate`] gets here.
mod sync {
    use std::task::Waker;

    pub(super) use loom::sync::Mutex;
    pub(super) use loom::sync::atomic::{AtomicU8, Ordering};

    /// As `atomic-waker`'s: the last one registered is woken, once.
    #[derive(Default, Debug)]
    pub(super) struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub(super) fn register(&self, waker: &Waker) {
            *self.0.lock().unwrap() = Some(waker.clone());
        }

        pub(super) fn wake(&self) {
            let waker = self.0.lock().unwrap().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

use std::future::poll_fn;
use std::task::{Context, Poll};

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use gate::{Cell, Shared, Side};
use sending::Sending;

use super::{model, model_within};

/// What stands in the place of a stream.
#[derive(Debug, Default)]
struct Io {
    /// How often somebody was in.
    visits: u32,
    closing: bool,
}

type Halves = Arc<Shared<Io>>;

fn halves() -> Halves {
    Arc::new(Shared::new(Sending, Io::default()))
}

fn spawn(halves: &Halves, f: impl FnOnce(&Halves) + 'static) -> thread::JoinHandle<()> {
    let halves = Arc::clone(halves);
    thread::spawn(move || f(&halves))
}

/// The cell when both are done.
fn rest(halves: Halves) -> Io {
    let Ok(shared) = Arc::try_unwrap(halves) else {
        panic!("both have let go");
    };
    let Cell {
        sending: Sending,
        io,
    } = shared.into_cell();
    io
}

/// Goes in once.
fn visit(halves: &Halves, side: Side) {
    block_on(poll_fn(|cx| {
        match halves.with(side, cx.waker(), |cell| cell.io.visits += 1) {
            Some(()) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }));
}

/// Who finds the gate taken comes in all the same, and nobody is in twice.
#[test]
fn both_come_in_as_often_as_they_want() {
    model(|| {
        let halves = halves();
        let writer = spawn(&halves, |halves| {
            visit(halves, Side::Writer);
            visit(halves, Side::Writer);
        });
        visit(&halves, Side::Reader);
        visit(&halves, Side::Reader);
        writer.join().unwrap();
        assert_eq!(rest(halves).visits, 4);
    });
}

/// A reader that has nothing to do: looks into the cell when it is called, and then waits as a
/// reader of a split connection does.
fn poll_reader(
    halves: &Halves,
    unattended: &mut bool,
    cx: &mut Context<'_>,
    mut done: impl FnMut(&mut Io) -> bool,
) -> Poll<()> {
    let mut called = false;
    loop {
        if *unattended || halves.bell.attention() {
            *unattended = true;
            let looked = halves.with(Side::Reader, cx.waker(), |cell| {
                halves.bell.heed();
                *unattended = false;
                done(&mut cell.io)
            });
            match looked {
                Some(true) => return Poll::Ready(()),
                Some(false) => {}
                None => return Poll::Pending,
            }
        }
        halves.bell.register(Side::Reader, cx.waker());
        if !halves.bell.attention() {
            return Poll::Pending;
        }
        if called {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        called = true;
    }
}

fn read(halves: &Halves, mut done: impl FnMut(&mut Io) -> bool) {
    let mut unattended = false;
    block_on(poll_fn(|cx| {
        poll_reader(halves, &mut unattended, cx, &mut done)
    }));
}

/// The writer begins the close, and the reader hears of it wherever it was.
#[test]
fn a_reader_is_called_to_the_end() {
    model(|| {
        let halves = halves();
        let writer = spawn(&halves, |halves| {
            visit(halves, Side::Writer);
            block_on(poll_fn(|cx| {
                match halves.with(Side::Writer, cx.waker(), |cell| cell.io.closing = true) {
                    Some(()) => Poll::Ready(()),
                    None => Poll::Pending,
                }
            }));
            halves.bell.call_reader();
        });
        read(&halves, |io| io.closing);
        writer.join().unwrap();
        assert!(rest(halves).closing);
    });
}

/// A writer that waits for the stream: tries, registers, tries again.
fn write(halves: &Halves, room: &AtomicBool) {
    block_on(poll_fn(|cx| {
        for _ in 0..2 {
            match halves.with(Side::Writer, cx.waker(), |_| room.load(Ordering::Acquire)) {
                Some(true) => return Poll::Ready(()),
                Some(false) => halves.bell.register(Side::Writer, cx.waker()),
                None => return Poll::Pending,
            }
        }
        Poll::Pending
    }));
}

/// The stream wakes both halves by one waker; whichever of them is in the cell then, the other
/// is not forgotten.
#[test]
fn a_stream_that_can_be_written_again_wakes_both() {
    // Three threads, of which two take the gate: with three interruptions it takes minutes.
    model_within(2, || {
        let halves = halves();
        let room = Arc::new(AtomicBool::new(false));
        let there = Arc::clone(&room);
        let stream = spawn(&halves, move |halves| {
            there.store(true, Ordering::Release);
            halves.waker.wake_by_ref();
        });
        let there = Arc::clone(&room);
        let writer = spawn(&halves, move |halves| write(halves, &there));
        read(&halves, |_| room.load(Ordering::Acquire));
        stream.join().unwrap();
        writer.join().unwrap();
        let _io = rest(halves);
    });
}

/// The reader has made room in the queue, and says so to a writer that had found none.
#[test]
fn a_writer_is_woken_by_the_reader() {
    model(|| {
        let halves = halves();
        let room = Arc::new(AtomicBool::new(false));
        let there = Arc::clone(&room);
        let writer = spawn(&halves, move |halves| write(halves, &there));
        block_on(poll_fn(|cx| {
            let made = halves.with(Side::Reader, cx.waker(), |_| {
                room.store(true, Ordering::Release);
            });
            match made {
                Some(()) => Poll::Ready(()),
                None => Poll::Pending,
            }
        }));
        halves.bell.wake_writer();
        writer.join().unwrap();
        let _io = rest(halves);
    });
}

/// A writer that waits learns that the reader is gone.
#[test]
fn a_writer_that_waits_learns_that_the_reader_is_gone() {
    model(|| {
        let halves = halves();
        let reader = spawn(&halves, |halves| {
            visit(halves, Side::Reader);
            halves.bell.desert();
        });
        block_on(poll_fn(|cx| {
            // As a send does: tries, and tries again once registered.
            for registers in [true, false] {
                let tried = halves.with(Side::Writer, cx.waker(), |cell| {
                    cell.io.visits += 1;
                    halves.bell.is_deserted()
                });
                match tried {
                    Some(true) => return Poll::Ready(()),
                    Some(false) if registers => halves.bell.register(Side::Writer, cx.waker()),
                    Some(false) => {}
                    None => return Poll::Pending,
                }
            }
            Poll::Pending
        }));
        reader.join().unwrap();
    });
}
