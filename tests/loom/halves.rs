//! The gate between the halves of a split connection.

#[path = "../../engine/src/driver/tokio/gate.rs"]
mod gate;

/// Stands in for the write side: the gate does not use it.
mod sending {
    #[derive(Debug)]
    pub(super) struct Sending;
}

/// The atomics and locks that [`gate`] is compiled with here.
mod sync {
    use std::task::Waker;

    pub(super) use loom::sync::Mutex;
    pub(super) use loom::sync::atomic::{AtomicU8, Ordering};

    /// Like the type of `atomic-waker`: wakes the waker registered last, once.
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

use gate::{SharedWrite, Side, SplitState};
use sending::Sending;

use super::{model, model_within};

/// Stands in for the stream.
#[derive(Debug, Default)]
struct Io {
    /// Times that a side has held the gate.
    visits: u32,
    closing: bool,
}

type Halves = Arc<SplitState<Io>>;

fn halves() -> Halves {
    Arc::new(SplitState::new(Sending, Io::default()))
}

fn spawn(halves: &Halves, f: impl FnOnce(&Halves) + 'static) -> thread::JoinHandle<()> {
    let halves = Arc::clone(halves);
    thread::spawn(move || f(&halves))
}

/// The stream, after both halves are dropped.
fn rest(halves: Halves) -> Io {
    let Ok(shared) = Arc::try_unwrap(halves) else {
        panic!("both halves are dropped");
    };
    let SharedWrite {
        sending: Sending,
        io,
    } = shared.into_inner();
    io
}

/// Holds the gate once.
fn visit(halves: &Halves, side: Side) {
    block_on(poll_fn(|cx| {
        match halves.with(side, cx.waker(), |write| write.io.visits += 1) {
            Some(()) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }));
}

/// A side that finds the gate locked gets it later, and the two sides never hold it together.
#[test]
fn both_sides_get_the_gate_as_often_as_they_ask() {
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

/// A reader with nothing to read: enters the gate when it is notified, and waits like the reader of
/// a split connection.
fn poll_reader(
    halves: &Halves,
    must_enter: &mut bool,
    cx: &mut Context<'_>,
    mut done: impl FnMut(&mut Io) -> bool,
) -> Poll<()> {
    let mut notified = false;
    loop {
        if *must_enter || halves.gate.is_reader_notified() {
            *must_enter = true;
            let entered = halves.with(Side::Reader, cx.waker(), |write| {
                halves.gate.clear_notification();
                *must_enter = false;
                done(&mut write.io)
            });
            match entered {
                Some(true) => return Poll::Ready(()),
                Some(false) => {}
                None => return Poll::Pending,
            }
        }
        halves.gate.register(Side::Reader, cx.waker());
        if !halves.gate.is_reader_notified() {
            return Poll::Pending;
        }
        if notified {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        notified = true;
    }
}

fn read(halves: &Halves, mut done: impl FnMut(&mut Io) -> bool) {
    let mut must_enter = false;
    block_on(poll_fn(|cx| {
        poll_reader(halves, &mut must_enter, cx, &mut done)
    }));
}

/// The writer begins the close; the reader sees that, in every interleaving.
#[test]
fn the_reader_is_notified_of_the_close() {
    model(|| {
        let halves = halves();
        let writer = spawn(&halves, |halves| {
            visit(halves, Side::Writer);
            block_on(poll_fn(|cx| {
                match halves.with(Side::Writer, cx.waker(), |write| write.io.closing = true) {
                    Some(()) => Poll::Ready(()),
                    None => Poll::Pending,
                }
            }));
            halves.gate.notify_reader();
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
                Some(false) => halves.gate.register(Side::Writer, cx.waker()),
                None => return Poll::Pending,
            }
        }
        Poll::Pending
    }));
}

/// The stream wakes both sides through one waker. The side that does not hold the gate is woken,
/// too.
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

/// The reader has made room in the queue, and wakes a writer that waits for room.
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
        halves.gate.wake_writer();
        writer.join().unwrap();
        let _io = rest(halves);
    });
}

/// A waiting writer is woken when the reader is dropped.
#[test]
fn a_waiting_writer_is_woken_when_the_reader_is_dropped() {
    model(|| {
        let halves = halves();
        let reader = spawn(&halves, |halves| {
            visit(halves, Side::Reader);
            halves.gate.mark_reader_dropped();
        });
        block_on(poll_fn(|cx| {
            // Like a send: tries, registers, and tries again.
            for registers in [true, false] {
                let tried = halves.with(Side::Writer, cx.waker(), |write| {
                    write.io.visits += 1;
                    halves.gate.is_reader_dropped()
                });
                match tried {
                    Some(true) => return Poll::Ready(()),
                    Some(false) if registers => halves.gate.register(Side::Writer, cx.waker()),
                    Some(false) => {}
                    None => return Poll::Pending,
                }
            }
            Poll::Pending
        }));
        reader.join().unwrap();
    });
}
