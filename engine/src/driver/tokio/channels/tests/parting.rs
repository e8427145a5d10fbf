//! Waits that must end: locks, relays between connections, connections without a handle.

use std::sync::mpsc;

use super::*;
use crate::Timestamp;
use crate::channels::Mux;

/// Runs `f` on its own thread: a deadlock cannot be timed out in the same thread.
fn on_a_thread<F: Future<Output = ()>>(f: impl FnOnce() -> F + Send + 'static) {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(f());
        done.send(()).unwrap();
    });
    let ended = ended.recv_timeout(Duration::from_mins(2));
    ended.expect("a thread waits for a lock that it holds");
}

/// A received message is sent on without a copy. Its credit goes back when the driver of the other
/// connection has written it.
#[test]
fn messages_are_relayed_without_a_copy() {
    on_a_thread(|| async {
        let (client, server) = pair(|_| {});
        let (local, remote) = open(&client, &server, OpenOptions::new("x")).await;
        let (mut back, mut requests) = remote.split();
        tokio::spawn(async move {
            while let Some(message) = requests.recv().await.unwrap() {
                let relayed = Bytes::from_owner(message);
                back.send_bytes(relayed).await.unwrap();
            }
            back.finish().unwrap();
        });
        let (mut sender, mut receiver) = local.split();
        tokio::spawn(async move {
            for n in 0..100 {
                sender.send(&message(n, 9000)).await.unwrap();
            }
            sender.finish().unwrap();
        });
        for n in 0..100 {
            let came = within(receiver.recv()).await.unwrap().unwrap();
            assert_eq!(*came, message(n, 9000));
        }
        assert!(within(receiver.recv()).await.unwrap().is_none());
        // The same where a half is reset, which drops payloads under the lock.
        let (local, remote) = open(&client, &server, OpenOptions::new("y")).await;
        let (mut sender, _receiver) = local.split();
        let (mut back, mut requests) = remote.split();
        sender.send(&message(0, 9000)).await.unwrap();
        let first = within(requests.recv()).await.unwrap().unwrap();
        let shared = Bytes::from_owner(first);
        while tokio::time::timeout(NEVER, back.send_bytes(shared.clone()))
            .await
            .is_ok()
        {}
        drop(shared);
        back.reset(ErrorCode(9));
    });
}

/// An application's payload is dropped at once if no lock is held.
#[tokio::test(start_paused = true)]
async fn unsent_payloads_are_dropped_by_the_caller() {
    struct Owner(Arc<AtomicUsize>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &[7; 5000]
        }
    }
    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (client, server) = pair(|_| {});
    let (mut local, remote) = open(&client, &server, OpenOptions::new("x")).await;
    let dropped = Arc::new(AtomicUsize::new(0));
    let payload = || Bytes::from_owner(Owner(Arc::clone(&dropped)));
    local.send_bytes(payload()).await.unwrap();
    run_until_idle().await;
    assert_eq!(
        dropped.load(Ordering::Relaxed),
        1,
        "the payload was not dropped"
    );
    drop(remote);
    run_until_idle().await;
    assert!(local.send_bytes(payload()).await.is_err());
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}

/// A peer made of hand-written records: it sends HELLO, reads, sends GOAWAY, and then only PINGs.
async fn leaving(mut peer: WebSocket<DuplexStream>, goaway: Vec<u8>) {
    let mut core = Mux::new(ChannelConfig::default(), Timestamp(0)).unwrap();
    let hello = core.poll_record(Timestamp(0)).unwrap().as_slice().to_vec();
    peer.send(&hello).await.unwrap();
    while let Ok(came) = timeout(Duration::from_secs(1), peer.recv()).await {
        came.unwrap().unwrap();
    }
    peer.send(&goaway).await.unwrap();
    loop {
        let ping = [&[9][..], &[0; 8]].concat();
        let came = timeout(Duration::from_secs(5), peer.recv()).await;
        match came {
            Ok(Ok(Some(_))) => {}
            Err(_) if peer.send(&ping).await.is_ok() => {}
            _ => return,
        }
    }
}

/// After the peer's GOAWAY this end still enforces its own deadline.
#[tokio::test(start_paused = true)]
async fn a_peer_that_stays_after_goaway_is_dropped() {
    for dropped in [false, true] {
        let (a, b) = duplex(PIPE_BYTES);
        let client = session(a, Role::Client, &ChannelConfig::default());
        let local = client.open(OpenOptions::new("x")).unwrap();
        let goaway = vec![0xA, 1 << 2, 0, 0];
        let peer = socket(b, Role::Server, Some(SUBPROTOCOL));
        let peer = tokio::spawn(leaving(peer, goaway));
        assert!(
            within(client.accept()).await.is_none(),
            "the peer sent GOAWAY"
        );
        let before = tokio::time::Instant::now();
        if dropped {
            drop((local, client));
        } else {
            client.drain(ErrorCode::NO_ERROR);
            within(client.closed()).await;
            drop(local);
        }
        within(peer).await.unwrap();
        // One `close_timeout` for the channels, one for the closing handshake.
        let most = 2 * ChannelConfig::default().close_timeout;
        let took = before.elapsed();
        assert!(took <= most + Duration::from_millis(10), "{took:?}");
    }
}

/// Most polls of a stream that has nothing to read.
const POLLS_MAX: usize = 10_000;

/// Counts its polls, and ends if they are endless.
struct CountedPolls(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for CountedPolls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.1.fetch_add(1, Ordering::Relaxed) > POLLS_MAX {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for CountedPolls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The peer breaks a rule just before the deadline of the last handles, and is silent after that.
#[tokio::test(start_paused = true)]
async fn a_deadline_is_dropped_when_the_connection_fails_first() {
    let (a, b) = duplex(1 << 20);
    let config = ChannelConfig::default();
    let looks = Arc::new(AtomicUsize::new(0));
    let watched = CountedPolls(a, Arc::clone(&looks));
    let client = session(watched, Role::Client, &config);
    let local = client.open(OpenOptions::new("x")).unwrap();
    let mut peer = socket(b, Role::Server, Some(SUBPROTOCOL));
    let mut core = Mux::new(ChannelConfig::default(), Timestamp(0)).unwrap();
    let hello = core.poll_record(Timestamp(0)).unwrap().as_slice().to_vec();
    peer.send(&hello).await.unwrap();
    within(client.ready()).await.unwrap();
    let (mut sender, _receiver) = local.split();
    sender.send(b"begun").await.unwrap();
    sender.finish().unwrap();
    drop((client, sender, _receiver));
    tokio::time::sleep(config.close_timeout - Duration::from_millis(100)).await;
    // DATA of a channel that was never opened.
    peer.send(&[1, 60 << 2, 0]).await.unwrap();
    tokio::time::sleep(config.close_timeout * 4).await;
    // The end of the pipe is closed by then.
    while within(peer.recv()).await.is_ok_and(|m| m.is_some()) {}
    assert!(
        looks.load(Ordering::Relaxed) < POLLS_MAX,
        "the driver polls endlessly"
    );
}

/// Records of more than half of a send queue in both directions at once: both ends go on reading.
#[tokio::test(start_paused = true)]
async fn large_records_in_both_directions_do_not_deadlock() {
    let (client, server) = pair(|c| {
        c.record_bytes_max = 1 << 20;
        c.channel_window_bytes = 4 << 20;
        c.connection_queue_bytes_max = 16 << 20;
        c.channel_queue_bytes_max = 4 << 20;
    });
    let (local, remote) = open(&client, &server, OpenOptions::new("x")).await;
    let talk = |channel: Channel| async move {
        let (mut sender, mut receiver) = channel.split();
        let send = async {
            for n in 0..5 {
                sender.send(&message(n, 900_000)).await.unwrap();
            }
            sender.finish().unwrap();
        };
        let receive = async {
            for n in 0..5 {
                let came = within(receiver.recv()).await.unwrap().unwrap();
                assert_eq!(*came, message(n, 900_000));
            }
        };
        tokio::join!(send, receive);
        (sender, receiver)
    };
    let _ends = tokio::join!(talk(local), talk(remote));
}

/// Messages of finished halves that the peer does not accept are waited for once, for
/// `close_timeout`.
#[tokio::test(start_paused = true)]
async fn finished_messages_are_waited_for_once() {
    let (a, b) = duplex(1 << 20);
    let config = ChannelConfig::default();
    let client = session(a, Role::Client, &config);
    let local = client.open(OpenOptions::new("x")).unwrap();
    let mut peer = socket(b, Role::Server, Some(SUBPROTOCOL));
    let mut core = Mux::new(ChannelConfig::default(), Timestamp(0)).unwrap();
    let hello = core.poll_record(Timestamp(0)).unwrap().as_slice().to_vec();
    peer.send(&hello).await.unwrap();
    within(client.ready()).await.unwrap();
    let (mut sender, receiver) = local.split();
    sender.send(b"begun").await.unwrap();
    sender.finish().unwrap();
    let began = tokio::time::Instant::now();
    drop((client, sender, receiver));
    // The peer neither accepts nor rejects the channel.
    while within(peer.recv()).await.unwrap().is_some() {}
    let (took, most) = (began.elapsed(), config.close_timeout);
    assert!(took >= most, "{took:?}");
    assert!(took <= most + Duration::from_millis(10), "{took:?}");
}
