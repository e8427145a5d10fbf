//! A stalled reader delays only its own channel (R18 of `docs/protocol.md`).

use super::talk::send_all;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_stalled_channel_leaves_fifty_others_running() {
    let (client, server) = pair(|_| {});
    let (stalled, _unread) = open(&client, &server, OpenOptions::new("stalled")).await;
    let (mut sender, _rest) = stalled.split();
    let hog = tokio::spawn(async move { while sender.send(&[0; 1000]).await.is_ok() {} });
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let (mut local, mut remote) = open(&client, &server, OpenOptions::new("runs")).await;
        tasks.push(tokio::spawn(async move {
            for n in 0..300 {
                local.send(&message(n, 1000)).await.unwrap();
            }
            local.finish().unwrap();
            assert!(local.recv().await.unwrap().is_none());
        }));
        tasks.push(tokio::spawn(async move {
            for n in 0..300 {
                let got = remote.recv().await.unwrap().unwrap();
                assert_eq!(&*got, message(n, 1000));
            }
            remote.finish().unwrap();
            assert!(remote.recv().await.unwrap().is_none());
        }));
    }
    let before = tokio::time::Instant::now();
    for task in tasks {
        within(task).await.unwrap();
    }
    assert_eq!(
        before.elapsed(),
        Duration::ZERO,
        "no deadline had a hand in it"
    );
    assert!(!hog.is_finished());
    let held = server.stats().held_bytes;
    let window = u64::from(ChannelConfig::default().channel_window_bytes);
    assert!(held <= window, "{held} of the stalled channel");
}

/// A message on a channel that is read does not wait for the readers of other channels, however
/// many. The clock is paused: only ready tasks make progress.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_delays_its_own_channel_only() {
    let (client, server) = pair(|_| {});
    let mut unread = Vec::new();
    for _ in 0..40 {
        let (stalled, remote) = open(&client, &server, OpenOptions::new("stalled")).await;
        unread.push(remote);
        let (mut sender, rest) = stalled.split();
        tokio::spawn(async move {
            let _rest = rest;
            while sender.send(&[1; 8000]).await.is_ok() {}
        });
    }
    let options = OpenOptions::new("quotes").priority(0);
    let (mut local, mut remote) = open(&client, &server, options).await;
    let before = tokio::time::Instant::now();
    for n in 0..1000 {
        local.send(&message(n, 64)).await.unwrap();
        assert_eq!(&*remote.recv().await.unwrap().unwrap(), message(n, 64));
    }
    assert_eq!(
        before.elapsed(),
        Duration::ZERO,
        "no deadline had a hand in it"
    );
    let stats = server.stats();
    assert!(stats.held_bytes <= 40 * (64 << 10), "{stats:?}");
    assert_eq!(stats.evicted, 0);
}

/// Senders without credit fill only their own queues: a sender whose peer reads makes progress,
/// however many others wait.
#[tokio::test(start_paused = true)]
async fn many_stalled_senders_leave_another_running() {
    let (client, server) = pair(|c| {
        c.channel_queue_bytes_max = 16 << 10;
        c.connection_queue_bytes_max = 64 << 10;
    });
    let mut unread = Vec::new();
    for _ in 0..10 {
        let (stalled, remote) = open(&client, &server, OpenOptions::new("stalled")).await;
        unread.push(remote);
        let (mut sender, rest) = stalled.split();
        tokio::spawn(async move {
            let _rest = rest;
            while sender.send(&[0; 1000]).await.is_ok() {}
        });
    }
    run_until_idle().await;
    let (local, mut remote) = open(&client, &server, OpenOptions::new("runs")).await;
    let (sender, _rest) = local.split();
    tokio::spawn(send_all(sender, 200));
    for n in 0..200 {
        let got = timeout(Duration::from_secs(1), remote.recv()).await;
        let got = got.expect("the channel waits for others").unwrap().unwrap();
        assert_eq!(&*got, message(n, size(n)));
    }
}

/// The peer may accept larger records than the WebSocket's queue can hold.
#[tokio::test(start_paused = true)]
async fn records_are_cut_to_the_queue_below() {
    let (a, b) = duplex(PIPE_BYTES);
    let client = session(a, Role::Client, &ChannelConfig::default());
    let server = session(
        b,
        Role::Server,
        &config(|c| {
            c.record_bytes_max = 1 << 20;
            c.channel_window_bytes = 4 << 20;
        }),
    );
    let options = OpenOptions::new("bulk").message_bytes_max(30_000);
    let (mut local, mut remote) = open(&client, &server, options).await;
    let bulk = vec![3; 1 << 20];
    let sending = async { local.send(&bulk).await.unwrap() };
    let (sent, got) = tokio::join!(within(sending), within(remote.recv()));
    let () = sent;
    assert_eq!(&*got.unwrap().unwrap(), bulk);
}
