//! A reader that does not read holds up its own channel (R18 of `docs/protocol.md`).

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
        let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("runs")).await;
        tasks.push(tokio::spawn(async move {
            for n in 0..300 {
                ours.send(&message(n, 1000)).await.unwrap();
            }
            ours.finish().unwrap();
            assert!(ours.recv().await.unwrap().is_none());
        }));
        tasks.push(tokio::spawn(async move {
            for n in 0..300 {
                let got = theirs.recv().await.unwrap().unwrap();
                assert_eq!(&*got, message(n, 1000));
            }
            theirs.finish().unwrap();
            assert!(theirs.recv().await.unwrap().is_none());
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

/// However many channels are unread: a message on one that is read waits for none of their
/// readers. Time stands still: nothing but what is ready goes on.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_stalls_its_own_channel_only() {
    let (client, server) = pair(|_| {});
    let mut unread = Vec::new();
    for _ in 0..40 {
        let (stalled, theirs) = open(&client, &server, OpenOptions::new("stalled")).await;
        unread.push(theirs);
        let (mut sender, rest) = stalled.split();
        tokio::spawn(async move {
            let _rest = rest;
            while sender.send(&[1; 8000]).await.is_ok() {}
        });
    }
    let options = OpenOptions::new("quotes").priority(0);
    let (mut ours, mut theirs) = open(&client, &server, options).await;
    let before = tokio::time::Instant::now();
    for n in 0..1000 {
        ours.send(&message(n, 64)).await.unwrap();
        assert_eq!(&*theirs.recv().await.unwrap().unwrap(), message(n, 64));
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

/// Senders whose peers do not read fill their own queues, not everybody's: however many they
/// are, one whose peer reads goes on.
#[tokio::test(start_paused = true)]
async fn many_stalled_senders_leave_another_running() {
    let (client, server) = pair(|c| {
        c.channel_queue_bytes_max = 16 << 10;
        c.connection_queue_bytes_max = 64 << 10;
    });
    let mut unread = Vec::new();
    for _ in 0..10 {
        let (stalled, theirs) = open(&client, &server, OpenOptions::new("stalled")).await;
        unread.push(theirs);
        let (mut sender, rest) = stalled.split();
        tokio::spawn(async move {
            let _rest = rest;
            while sender.send(&[0; 1000]).await.is_ok() {}
        });
    }
    settle().await;
    let (ours, mut theirs) = open(&client, &server, OpenOptions::new("runs")).await;
    let (sender, _rest) = ours.split();
    tokio::spawn(send_all(sender, 200));
    for n in 0..200 {
        let got = timeout(Duration::from_secs(1), theirs.recv()).await;
        let got = got.expect("it waits for others").unwrap().unwrap();
        assert_eq!(&*got, message(n, size(n)));
    }
}

/// A peer may take larger records than the WebSocket's queue has room for.
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
    let (mut ours, mut theirs) = open(&client, &server, options).await;
    let bulk = vec![3; 1 << 20];
    let sending = async { ours.send(&bulk).await.unwrap() };
    let (sent, got) = tokio::join!(within(sending), within(theirs.recv()));
    let () = sent;
    assert_eq!(&*got.unwrap().unwrap(), bulk);
}
