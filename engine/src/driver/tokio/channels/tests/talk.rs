//! Exchanges without faults.

use super::*;

#[tokio::test(start_paused = true)]
async fn messages_are_echoed() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("echo")).await;
    let echo = tokio::spawn(async move {
        while let Some(message) = remote.recv().await.unwrap() {
            remote.send(&message).await.unwrap();
        }
        remote.finish().unwrap();
    });
    for n in 0..1000_u32 {
        local.send(&n.to_le_bytes()).await.unwrap();
        let back = within(local.recv()).await.unwrap().unwrap();
        assert_eq!((&*back, back.seq()), (&n.to_le_bytes()[..], u64::from(n)));
    }
    local.finish().unwrap();
    assert!(within(local.recv()).await.unwrap().is_none());
    echo.await.unwrap();
}

pub(super) async fn send_all(mut sender: Sender, count: u32) {
    for n in 0..count {
        let bytes = message(n, size(n));
        match n % 3 {
            0 => sender.send(&bytes).await.unwrap(),
            1 => sender.send_bytes(bytes.into()).await.unwrap(),
            _ => {
                let write = |mut room: ChannelClaim<'_>| {
                    room.copy_from_slice(&bytes);
                    room.commit();
                };
                sender.claim(bytes.len(), write).await.unwrap();
            }
        }
    }
    sender.finish().unwrap();
}

async fn take_all(mut receiver: Receiver, count: u32) {
    let mut next = 0;
    while next < count {
        if next % 2 == 0 {
            let got = receiver.recv().await.unwrap().unwrap();
            assert_eq!(&*got, message(next, size(next)));
            assert_eq!((got.seq(), got.skipped()), (u64::from(next), 0));
            next += 1;
            continue;
        }
        let batch = receiver.recv_batch().await.unwrap().unwrap();
        for item in &batch {
            let BatchItem::Message(got) = item else {
                panic!("nobody sends runs");
            };
            assert_eq!(got.data, message(next, size(next)));
            assert_eq!((got.seq, got.skipped), (u64::from(next), 0));
            next += 1;
        }
    }
    assert!(receiver.recv().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn four_tasks_on_one_channel() {
    let (client, server) = pair(|_| {});
    let (local, remote) = open(&client, &server, OpenOptions::new("both")).await;
    let ((a, b), (c, d)) = (local.split(), remote.split());
    let tasks = [
        tokio::spawn(send_all(a, 2000)),
        tokio::spawn(take_all(b, 1500)),
        tokio::spawn(send_all(c, 1500)),
        tokio::spawn(take_all(d, 2000)),
    ];
    for task in tasks {
        within(task).await.unwrap();
    }
    run_until_idle().await;
    for session in [&client, &server] {
        let stats = session.stats();
        assert_eq!(
            (stats.held_bytes, stats.queued_bytes),
            (0, 0),
            "{session:?}"
        );
        assert_eq!(stats.channels, 0, "{session:?}");
    }
}

/// On two threads, so that halves run at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_channels_on_two_threads() {
    let (client, server) = pair(|_| {});
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let (local, remote) = open(&client, &server, OpenOptions::new("both")).await;
        let ((a, b), (c, d)) = (local.split(), remote.split());
        tasks.push(tokio::spawn(send_all(a, 200)));
        tasks.push(tokio::spawn(take_all(b, 150)));
        tasks.push(tokio::spawn(send_all(c, 150)));
        tasks.push(tokio::spawn(take_all(d, 200)));
    }
    for task in tasks {
        task.await.unwrap();
    }
    drop(client);
    assert_eq!(server.closed().await, drained(true));
}

#[tokio::test(start_paused = true)]
async fn messages_sent_before_the_answer_are_not_lost() {
    let (client, server) = pair(|_| {});
    client.ready().await.unwrap();
    let options = OpenOptions::new("early").metadata("who").priority(1);
    let mut local = client.open(options).unwrap();
    local.send(b"one").await.unwrap();
    local.send(b"two").await.unwrap();
    run_until_idle().await;
    let offer = server.accept().await.unwrap();
    assert_eq!(
        (offer.topic(), offer.metadata()),
        (&b"early"[..], &b"who"[..])
    );
    assert_eq!((offer.priority(), offer.mode()), (1, Mode::Reliable));
    let answer = AcceptOptions::new().metadata("me").wants(7);
    let mut remote = offer.accept(answer).unwrap();
    let acceptance = local.accepted().await.unwrap();
    assert_eq!(
        (&acceptance.metadata[..], acceptance.wants),
        (&b"me"[..], Some(7))
    );
    assert_eq!(remote.accepted().await.unwrap(), Acceptance::default());
    for expected in [b"one", b"two"] {
        assert_eq!(&*remote.recv().await.unwrap().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn runs_are_received_whole_or_message_by_message() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("ticks")).await;
    let ticks: Vec<u8> = (0..100).flat_map(u64::to_le_bytes).collect();
    local.send(b"before").await.unwrap();
    local.send_run_bytes(8, &ticks).await.unwrap();
    local.send(b"after").await.unwrap();
    run_until_idle().await;
    {
        let batch = remote.recv_batch().await.unwrap().unwrap();
        let items: Vec<_> = batch.iter().collect();
        let [
            BatchItem::Message(a),
            BatchItem::Run(run),
            BatchItem::Message(b),
        ] = items[..]
        else {
            panic!("{batch:?}");
        };
        assert_eq!(
            (a.data, a.seq, b.data, b.seq),
            (&b"before"[..], 0, &b"after"[..], 101)
        );
        assert_eq!((run.seq, run.elem, run.messages().len()), (1, 8, 100));
        assert_eq!(run.bytes, ticks);
    }
    local.send_run_bytes(3, b"abcdef").await.unwrap();
    for (seq, expected) in [(102, b"abc"), (103, b"def")] {
        let got = within(remote.recv()).await.unwrap().unwrap();
        assert_eq!((&*got, got.seq()), (&expected[..], seq));
    }
    assert_eq!(
        local.send_run_bytes(4, b"abcdef").await,
        Err(ChannelSendError::BadRun)
    );
    assert_eq!(
        local.send_run_bytes(1, &[]).await,
        Err(ChannelSendError::BadRun)
    );
    run_until_idle().await;
    assert_eq!(server.stats().held_bytes, 0);
}

#[cfg(feature = "zerocopy")]
#[tokio::test(start_paused = true)]
async fn runs_of_values_are_received_as_slices() {
    use zerocopy::little_endian::U64;

    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("ticks")).await;
    let ticks: Vec<U64> = (0..100).map(U64::new).collect();
    local.send_run(&ticks).await.unwrap();
    run_until_idle().await;
    let batch = remote.recv_batch().await.unwrap().unwrap();
    let Some(BatchItem::Run(run)) = batch.iter().next() else {
        panic!("{batch:?}");
    };
    assert_eq!((run.elem, run.messages().len()), (8, 100));
    assert_eq!(run.as_slice::<U64>().unwrap(), ticks);
    assert!(run.as_slice::<[u8; 4]>().is_none(), "of another size");
    let refused = local.send_run::<u8>(&[]).await;
    assert_eq!(refused, Err(ChannelSendError::BadRun));
    let (mut sender, _) = local.split();
    let refused = sender.send_run(&[(); 3]).await;
    assert_eq!(refused, Err(ChannelSendError::BadRun), "of no size");
}

/// A partly read run is returned as a shorter run in the next batch.
#[tokio::test(start_paused = true)]
async fn a_batch_returns_the_rest_of_a_run() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("ticks")).await;
    local.send_run_bytes(1, b"abcd").await.unwrap();
    assert_eq!(&*within(remote.recv()).await.unwrap().unwrap(), b"a");
    let batch = remote.recv_batch().await.unwrap().unwrap();
    let Some(BatchItem::Run(run)) = batch.iter().next() else {
        panic!("{batch:?}");
    };
    assert_eq!((run.bytes, run.seq), (&b"bcd"[..], 1));
    drop(batch);
    assert_eq!(server.stats().held_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_sent_when_it_is_committed() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("claims")).await;
    for round in 0..50_u8 {
        let dropped = local.claim(40, |mut room| room.fill(0xff));
        dropped.await.unwrap();
        let committed = local.claim(3, |mut room| {
            assert_eq!(room.len(), 3);
            room.fill(round);
            room.commit();
        });
        committed.await.unwrap();
    }
    for round in 0..50_u8 {
        let got = within(remote.recv()).await.unwrap().unwrap();
        assert_eq!((&*got, got.seq()), (&[round; 3][..], u64::from(round)));
    }
}

#[tokio::test(start_paused = true)]
async fn conflated_messages_are_replaced_and_counted() {
    let (client, server) = pair(|_| {});
    let options = OpenOptions::new("quotes").mode(Mode::Conflated).window(8);
    let (mut local, mut remote) = open(&client, &server, options).await;
    for n in 0..1000_u64 {
        local.send_keyed(n % 4, &n.to_le_bytes()).await.unwrap();
    }
    local.finish().unwrap();
    let (mut counted, mut last) = (0, [0; 4]);
    while let Some(got) = within(remote.recv()).await.unwrap() {
        counted += 1 + got.skipped();
        assert_eq!(got.seq() + 1, counted);
        let n = u64::from_le_bytes(got[..].try_into().unwrap());
        last[(n % 4) as usize] = n;
    }
    assert_eq!((counted, last), (1000, [996, 997, 998, 999]));
    assert_eq!(
        local.stats().unwrap().skipped_out,
        remote.stats().unwrap().skipped_in
    );
}

/// The age of a message counts from its send, however long the connection was idle before.
#[tokio::test(start_paused = true)]
async fn a_ttl_counts_from_the_send() {
    let (client, server) = pair(|c| c.idle_timeout = Duration::from_secs(300));
    let options = OpenOptions::new("t").mode(Mode::Ttl(Duration::from_millis(50)));
    let (mut local, mut remote) = open(&client, &server, options).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    local.send(b"fresh").await.unwrap();
    let got = within(remote.recv()).await.unwrap().unwrap();
    assert_eq!((&*got, got.skipped()), (&b"fresh"[..], 0));
}

#[tokio::test(start_paused = true)]
async fn shared_frames_reach_every_channel_of_the_alias() {
    let frame = SharedFrame::new(3, &[7; 3000]).unwrap();
    for alias in [3, 4] {
        let (client, server) = pair(|c| c.shared_aliases = 8);
        let options = OpenOptions::new("fan").alias(alias);
        let (mut local, mut remote) = open(&client, &server, options).await;
        local.send_shared(&frame).await.unwrap();
        assert_eq!(
            &*within(remote.recv()).await.unwrap().unwrap(),
            frame.payload()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_channel_continues_its_epoch() {
    let (client, server) = pair(|_| {});
    let resume = Resume {
        epoch: 5,
        next_seq: 100,
    };
    let options = OpenOptions::new("log").direction(Direction::AcceptorSends);
    let mut local = client.open(options.resume(resume)).unwrap();
    let offer = server.accept().await.unwrap();
    assert_eq!((offer.resumable(), offer.resume()), (true, Some(resume)));
    let resumption = Resumption::Replay { from: 90 };
    let mut remote = offer
        .accept(AcceptOptions::new().resumption(resumption))
        .unwrap();
    assert_eq!(local.accepted().await.unwrap().resumption, Some(resumption));
    remote.send(b"old").await.unwrap();
    let got = within(local.recv()).await.unwrap().unwrap();
    assert_eq!((got.epoch(), got.seq()), (5, 90));
    run_until_idle().await;
    remote.rebase(6, 1).unwrap();
    remote.send(b"new").await.unwrap();
    let got = within(local.recv()).await.unwrap().unwrap();
    assert_eq!((got.epoch(), got.seq()), (6, 1));
    local.acknowledge(2);
    let (sender, _rest) = remote.split();
    run_until_idle().await;
    assert_eq!(sender.acknowledged(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_missing_half_of_a_one_way_channel_fails() {
    let (client, server) = pair(|_| {});
    let options = OpenOptions::new("up").direction(Direction::OpenerSends);
    let (mut local, mut remote) = open(&client, &server, options).await;
    assert_eq!(local.recv().await.unwrap_err(), ChannelError::NotReceiving);
    assert_eq!(
        remote.send(b"no").await,
        Err(ChannelSendError::WrongDirection)
    );
    local.send(b"yes").await.unwrap();
    assert_eq!(&*within(remote.recv()).await.unwrap().unwrap(), b"yes");
}

#[tokio::test(start_paused = true)]
async fn messages_outlive_their_channel() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    local.send(&[7; 100]).await.unwrap();
    let kept = within(remote.recv()).await.unwrap().unwrap();
    drop((local, remote));
    run_until_idle().await;
    assert_eq!(&*kept, [7; 100]);
    let bytes: Bytes = kept.into_bytes();
    drop((client, server));
    run_until_idle().await;
    assert_eq!(bytes, [7; 100][..]);
}
