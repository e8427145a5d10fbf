//! A task is woken when its condition holds, and only once.

use std::sync::Mutex;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_reader_is_woken_once() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    let (wakes, waker) = Wakes::new();
    for round in 1..4 {
        {
            let mut recv = pin!(remote.recv_batch());
            assert!(poll(recv.as_mut(), &waker).is_pending());
            run_until_idle().await;
            assert_eq!(wakes.count(), round - 1, "no message has arrived");
            for _ in 0..100 {
                local.send(b"tick").await.unwrap();
                run_until_idle().await;
            }
            assert_eq!(wakes.count(), round, "a hundred messages, one wake");
            let Poll::Ready(Ok(Some(batch))) = poll(recv.as_mut(), &waker) else {
                panic!("nothing there");
            };
            assert_eq!(batch.iter().count(), 100);
        }
        run_until_idle().await;
        assert_eq!(wakes.count(), round);
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_is_woken_once_for_credit() {
    let (client, server) = pair(|c| c.channel_queue_bytes_max = 4096);
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    while local.try_send([0; 500]).is_ok() {
        run_until_idle().await;
    }
    let (wakes, waker) = Wakes::new();
    for round in 1..4 {
        {
            let mut send = pin!(local.send(&[0; 500]));
            assert!(poll(send.as_mut(), &waker).is_pending());
            run_until_idle().await;
            assert_eq!(wakes.count(), round - 1, "no credit has arrived");
            let batch = remote.recv_batch().await.unwrap().unwrap();
            run_until_idle().await;
            assert_eq!(wakes.count(), round - 1, "the message is not consumed yet");
            drop(batch);
            run_until_idle().await;
            assert_eq!(wakes.count(), round, "consumed: one wake");
            assert!(poll(send.as_mut(), &waker).is_ready());
        }
        while local.try_send([0; 500]).is_ok() {
            run_until_idle().await;
        }
        assert_eq!(wakes.count(), round, "no task waits");
    }
}

/// Both halves of a channel wait at the same time, in two tasks, and both are woken.
#[tokio::test(start_paused = true)]
async fn halves_register_wakers_of_their_own() {
    let (client, server) = pair(|c| c.channel_queue_bytes_max = 4096);
    let (local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    let (mut sender, mut receiver) = local.split();
    while sender.try_send([0; 500]).is_ok() {
        run_until_idle().await;
    }
    let stopped = sender.stopped();
    let ((a, send_waker), (b, recv_waker), (c, stop_waker)) =
        (Wakes::new(), Wakes::new(), Wakes::new());
    let mut send = pin!(sender.send(&[0; 500]));
    let mut recv = pin!(receiver.recv());
    let mut stopped = pin!(stopped);
    assert!(poll(send.as_mut(), &send_waker).is_pending());
    assert!(poll(recv.as_mut(), &recv_waker).is_pending());
    assert!(poll(stopped.as_mut(), &stop_waker).is_pending());
    let counts = || [a.count(), b.count(), c.count()];
    remote.send(b"to the reader").await.unwrap();
    run_until_idle().await;
    assert_eq!(counts(), [0, 1, 0]);
    drop(remote.recv_batch().await.unwrap());
    run_until_idle().await;
    assert_eq!(counts(), [1, 1, 0]);
    remote.stop(ErrorCode(16));
    run_until_idle().await;
    assert_eq!(counts(), [1, 1, 1]);
    assert!(poll(stopped.as_mut(), &stop_waker).is_ready());
}

/// A task that takes over a half is the one that is woken.
#[tokio::test(start_paused = true)]
async fn the_last_registered_waker_is_woken() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    let ((a, first), (b, second)) = (Wakes::new(), Wakes::new());
    let mut recv = pin!(remote.recv());
    assert!(poll(recv.as_mut(), &first).is_pending());
    assert!(poll(recv.as_mut(), &second).is_pending());
    local.send(b"x").await.unwrap();
    run_until_idle().await;
    assert_eq!((a.count(), b.count()), (0, 1));
}

/// A dropped future leaves no registration; the other waiting futures are all woken.
#[tokio::test(start_paused = true)]
async fn many_tasks_may_wait_for_the_end() {
    let (client, _server) = pair(|_| {});
    let watchers: Vec<_> = (0..5)
        .map(|_| {
            let session = client.clone();
            (
                Wakes::new(),
                Box::pin(async move { session.closed().await }),
            )
        })
        .collect();
    let mut watchers = watchers;
    for ((_, waker), closed) in &mut watchers {
        assert!(poll(closed.as_mut(), waker).is_pending());
    }
    let ((gone, _), future) = watchers.swap_remove(2);
    drop(future);
    client.abort(ErrorCode(16));
    within(client.closed()).await;
    assert_eq!(gone.count(), 0);
    for ((wakes, waker), closed) in &mut watchers {
        assert_eq!(wakes.count(), 1);
        assert!(poll(closed.as_mut(), waker).is_ready());
    }
}

/// Counts the calls on the stream; while closed, the stream accepts nothing.
#[derive(Default)]
struct StreamGate {
    reads: AtomicUsize,
    writes: AtomicUsize,
    shut: Mutex<(bool, Option<Waker>)>,
}

impl StreamGate {
    fn counts(&self) -> (usize, usize) {
        let count = |n: &AtomicUsize| n.load(Ordering::SeqCst);
        (count(&self.reads), count(&self.writes))
    }

    fn close(&self) {
        self.shut.lock().unwrap().0 = true;
    }

    fn open(&self) {
        let mut shut = self.shut.lock().unwrap();
        shut.0 = false;
        if let Some(waker) = shut.1.take() {
            waker.wake();
        }
    }
}

struct Counted(DuplexStream, Arc<StreamGate>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.1.reads.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.1.writes.fetch_add(1, Ordering::SeqCst);
        {
            let mut shut = self.1.shut.lock().unwrap();
            if shut.0 {
                shut.1 = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A client with a counting stream, and a server.
fn pair_with_counted_client() -> (ChannelSocket, ChannelSocket, Arc<StreamGate>) {
    let (a, b) = duplex(1 << 20);
    let gate = Arc::new(StreamGate::default());
    let client = session(
        Counted(a, Arc::clone(&gate)),
        Role::Client,
        &ChannelConfig::default(),
    );
    let server = session(b, Role::Server, &ChannelConfig::default());
    (client, server, gate)
}

/// Hundreds of sends wake the driver once and are written together. A driver without work does not
/// run.
#[tokio::test(start_paused = true)]
async fn many_sends_take_one_turn_of_the_driver() {
    let (client, server, gate) = pair_with_counted_client();
    let (mut local, _remote) = open(&client, &server, OpenOptions::new("x")).await;
    run_until_idle().await;
    let before = gate.counts();
    run_until_idle().await;
    assert_eq!(gate.counts(), before, "the driver is idle");
    for _ in 0..600 {
        local.try_send([1; 20]).unwrap();
    }
    run_until_idle().await;
    let after = gate.counts();
    let (turns, writes) = (after.0 - before.0, after.1 - before.1);
    assert!((1..=3).contains(&turns), "{turns} turns");
    assert!((1..=2).contains(&writes), "{writes} writes");
    assert_eq!(server.stats().messages_in, 600);
}

/// While the socket accepts nothing, sends do not wake the driver, which could not write. When the
/// socket accepts bytes again, everything is written.
#[tokio::test(start_paused = true)]
async fn a_blocked_driver_is_not_woken_by_sends() {
    let (client, server, gate) = pair_with_counted_client();
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    run_until_idle().await;
    gate.close();
    let fill = crate::channels::OUTBOX_FILL_BYTES_MAX / 1000 + 1;
    for n in 0..fill {
        local.try_send(message(n as u32, 1000)).unwrap();
        run_until_idle().await;
    }
    local.try_send(message(fill as u32, 1000)).unwrap();
    run_until_idle().await;
    let before = gate.counts();
    for n in fill + 1..fill + 20 {
        local.try_send(message(n as u32, 1000)).unwrap();
        run_until_idle().await;
    }
    assert_eq!(gate.counts(), before, "the driver could not write");
    gate.open();
    for n in 0..fill + 20 {
        let got = within(remote.recv()).await.unwrap().unwrap();
        assert_eq!(&*got, message(n as u32, 1000));
    }
}
