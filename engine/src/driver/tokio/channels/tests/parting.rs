//! What must come to an end: sections, waits for each other, connections that nobody has.

use std::sync::mpsc;

use super::*;
use crate::Timestamp;
use crate::channels::Mux;

/// Runs `f` on a thread of its own: what waits for a lock that it holds cannot be timed out.
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
    ended.expect("a lock is waited for by who holds it");
}

/// What is received is sent on as it is: its credit goes back when it has been written, by the
/// driver, which is in the middle of something.
#[test]
fn messages_are_relayed_without_a_copy() {
    on_a_thread(|| async {
        let (client, server) = pair(|_| {});
        let (ours, theirs) = open(&client, &server, OpenOptions::new("x")).await;
        let (mut back, mut requests) = theirs.split();
        tokio::spawn(async move {
            while let Some(message) = requests.recv().await.unwrap() {
                let relayed = Bytes::from_owner(message);
                back.send_bytes(relayed).await.unwrap();
            }
            back.finish().unwrap();
        });
        let (mut sender, mut receiver) = ours.split();
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
        // And dropped where a half is given up, under the lock.
        let (ours, theirs) = open(&client, &server, OpenOptions::new("y")).await;
        let (mut sender, _receiver) = ours.split();
        let (mut back, mut requests) = theirs.split();
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

/// A payload of anybody's is dropped at once where no lock is held.
#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_dropped_by_who_gave_it() {
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
    let (mut ours, theirs) = open(&client, &server, OpenOptions::new("x")).await;
    let dropped = Arc::new(AtomicUsize::new(0));
    let payload = || Bytes::from_owner(Owner(Arc::clone(&dropped)));
    ours.send_bytes(payload()).await.unwrap();
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "it is written");
    drop(theirs);
    settle().await;
    assert!(ours.send_bytes(payload()).await.is_err());
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}

/// A peer made of records by hand: it says HELLO, hears what there is, leaves, and stays: it sends
/// nothing but PINGs.
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

/// After the peer's GOAWAY it is still we who say when it is enough.
#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_and_stays_is_left() {
    for dropped in [false, true] {
        let (a, b) = duplex(PIPE_BYTES);
        let client = session(a, Role::Client, &ChannelConfig::default());
        let ours = client.open(OpenOptions::new("x")).unwrap();
        let goaway = vec![0xA, 1 << 2, 0, 0];
        let peer = socket(b, Role::Server, Some(SUBPROTOCOL));
        let peer = tokio::spawn(leaving(peer, goaway));
        assert!(within(client.accept()).await.is_none(), "the peer leaves");
        let before = tokio::time::Instant::now();
        if dropped {
            drop((ours, client));
        } else {
            client.drain(ErrorCode::NO_ERROR);
            within(client.closed()).await;
            drop(ours);
        }
        within(peer).await.unwrap();
        // One for the channels, one for the closing handshake.
        let most = 2 * ChannelConfig::default().close_timeout;
        let took = before.elapsed();
        assert!(took <= most + Duration::from_millis(10), "{took:?}");
    }
}

/// Looks at a stream that has nothing to show.
const LOOKS_MAX: usize = 10_000;

/// Counts how often it is looked at, and ends where that is without end.
struct Watched(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.1.fetch_add(1, Ordering::Relaxed) > LOOKS_MAX {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
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

/// A peer that breaks a rule just before the last handles' time is over, and then says nothing.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_was_overtaken_is_not_waited_for() {
    let (a, b) = duplex(1 << 20);
    let config = ChannelConfig::default();
    let looks = Arc::new(AtomicUsize::new(0));
    let watched = Watched(a, Arc::clone(&looks));
    let client = session(watched, Role::Client, &config);
    let ours = client.open(OpenOptions::new("x")).unwrap();
    let mut peer = socket(b, Role::Server, Some(SUBPROTOCOL));
    let mut core = Mux::new(ChannelConfig::default(), Timestamp(0)).unwrap();
    let hello = core.poll_record(Timestamp(0)).unwrap().as_slice().to_vec();
    peer.send(&hello).await.unwrap();
    within(client.ready()).await.unwrap();
    let (mut sender, _receiver) = ours.split();
    sender.send(b"begun").await.unwrap();
    sender.finish().unwrap();
    drop((client, sender, _receiver));
    tokio::time::sleep(config.close_timeout - Duration::from_millis(100)).await;
    // Data of a channel that never was.
    peer.send(&[1, 60 << 2, 0]).await.unwrap();
    tokio::time::sleep(config.close_timeout * 4).await;
    // Its end of the pipe is closed by then.
    while within(peer.recv()).await.is_ok_and(|m| m.is_some()) {}
    assert!(looks.load(Ordering::Relaxed) < LOOKS_MAX, "it spins");
}

/// Records of more than half of a send queue, both ways at once: both ends go on reading.
#[tokio::test(start_paused = true)]
async fn large_records_both_ways() {
    let (client, server) = pair(|c| {
        c.record_bytes_max = 1 << 20;
        c.channel_window_bytes = 4 << 20;
        c.connection_queue_bytes_max = 16 << 20;
        c.channel_queue_bytes_max = 4 << 20;
    });
    let (ours, theirs) = open(&client, &server, OpenOptions::new("x")).await;
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
    let _ends = tokio::join!(talk(ours), talk(theirs));
}

/// What the last handles have finished, and the peer does not take, has `close_timeout` once.
#[tokio::test(start_paused = true)]
async fn what_is_finished_and_not_taken_is_waited_for_once() {
    let (a, b) = duplex(1 << 20);
    let config = ChannelConfig::default();
    let client = session(a, Role::Client, &config);
    let ours = client.open(OpenOptions::new("x")).unwrap();
    let mut peer = socket(b, Role::Server, Some(SUBPROTOCOL));
    let mut core = Mux::new(ChannelConfig::default(), Timestamp(0)).unwrap();
    let hello = core.poll_record(Timestamp(0)).unwrap().as_slice().to_vec();
    peer.send(&hello).await.unwrap();
    within(client.ready()).await.unwrap();
    let (mut sender, receiver) = ours.split();
    sender.send(b"begun").await.unwrap();
    sender.finish().unwrap();
    let began = tokio::time::Instant::now();
    drop((client, sender, receiver));
    // The peer neither accepts the channel nor lets it go.
    while within(peer.recv()).await.unwrap().is_some() {}
    let (took, most) = (began.elapsed(), config.close_timeout);
    assert!(took >= most, "{took:?}");
    assert!(took <= most + Duration::from_millis(10), "{took:?}");
}
