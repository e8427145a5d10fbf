//! What goes right.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_echo() {
    let (client, server) = pair(|_| {});
    let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("echo")).await;
    let echo = tokio::spawn(async move {
        while let Some(message) = theirs.recv().await.unwrap() {
            theirs.send(&message).await.unwrap();
        }
        theirs.finish().unwrap();
    });
    for n in 0..1000_u32 {
        ours.send(&n.to_le_bytes()).await.unwrap();
        let back = within(ours.recv()).await.unwrap().unwrap();
        assert_eq!((&*back, back.seq()), (&n.to_le_bytes()[..], u64::from(n)));
    }
    ours.finish().unwrap();
    assert!(within(ours.recv()).await.unwrap().is_none());
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
    let (ours, theirs) = open(&client, &server, OpenOptions::new("both")).await;
    let ((a, b), (c, d)) = (ours.split(), theirs.split());
    let tasks = [
        tokio::spawn(send_all(a, 2000)),
        tokio::spawn(take_all(b, 1500)),
        tokio::spawn(send_all(c, 1500)),
        tokio::spawn(take_all(d, 2000)),
    ];
    for task in tasks {
        within(task).await.unwrap();
    }
    settle().await;
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

/// On two threads, where halves truly meet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_channels_on_two_threads() {
    let (client, server) = pair(|_| {});
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let (ours, theirs) = open(&client, &server, OpenOptions::new("both")).await;
        let ((a, b), (c, d)) = (ours.split(), theirs.split());
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
async fn what_is_sent_before_the_answer_is_not_lost() {
    let (client, server) = pair(|_| {});
    client.ready().await.unwrap();
    let options = OpenOptions::new("early").metadata("who").priority(1);
    let mut ours = client.open(options).unwrap();
    ours.send(b"one").await.unwrap();
    ours.send(b"two").await.unwrap();
    settle().await;
    let offer = server.accept().await.unwrap();
    assert_eq!(
        (offer.topic(), offer.metadata()),
        (&b"early"[..], &b"who"[..])
    );
    assert_eq!((offer.priority(), offer.mode()), (1, Mode::Reliable));
    let answer = AcceptOptions::new().metadata("me").wants(7);
    let mut theirs = offer.accept(answer).unwrap();
    let acceptance = ours.accepted().await.unwrap();
    assert_eq!(
        (&acceptance.metadata[..], acceptance.wants),
        (&b"me"[..], Some(7))
    );
    assert_eq!(theirs.accepted().await.unwrap(), Acceptance::default());
    for expected in [b"one", b"two"] {
        assert_eq!(&*theirs.recv().await.unwrap().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn runs_come_whole_or_one_by_one() {
    let (client, server) = pair(|_| {});
    let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("ticks")).await;
    let ticks: Vec<u8> = (0..100).flat_map(u64::to_le_bytes).collect();
    ours.send(b"before").await.unwrap();
    ours.send_run_bytes(8, &ticks).await.unwrap();
    ours.send(b"after").await.unwrap();
    settle().await;
    {
        let batch = theirs.recv_batch().await.unwrap().unwrap();
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
    ours.send_run_bytes(3, b"abcdef").await.unwrap();
    for (seq, expected) in [(102, b"abc"), (103, b"def")] {
        let got = within(theirs.recv()).await.unwrap().unwrap();
        assert_eq!((&*got, got.seq()), (&expected[..], seq));
    }
    assert_eq!(
        ours.send_run_bytes(4, b"abcdef").await,
        Err(ChannelSendError::BadRun)
    );
    assert_eq!(
        ours.send_run_bytes(1, &[]).await,
        Err(ChannelSendError::BadRun)
    );
    settle().await;
    assert_eq!(server.stats().held_bytes, 0);
}

#[cfg(feature = "zerocopy")]
#[tokio::test(start_paused = true)]
async fn runs_of_values_come_as_slices() {
    use zerocopy::little_endian::U64;

    let (client, server) = pair(|_| {});
    let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("ticks")).await;
    let ticks: Vec<U64> = (0..100).map(U64::new).collect();
    ours.send_run(&ticks).await.unwrap();
    settle().await;
    let batch = theirs.recv_batch().await.unwrap().unwrap();
    let Some(BatchItem::Run(run)) = batch.iter().next() else {
        panic!("{batch:?}");
    };
    assert_eq!((run.elem, run.messages().len()), (8, 100));
    assert_eq!(run.as_slice::<U64>().unwrap(), ticks);
    assert!(run.as_slice::<[u8; 4]>().is_none(), "of another size");
    let refused = ours.send_run::<u8>(&[]).await;
    assert_eq!(refused, Err(ChannelSendError::BadRun));
    let (mut sender, _) = ours.split();
    let refused = sender.send_run(&[(); 3]).await;
    assert_eq!(refused, Err(ChannelSendError::BadRun), "of no size");
}

/// A run that was read in part comes as a shorter one in the next batch.
#[tokio::test(start_paused = true)]
async fn a_run_may_be_begun_one_by_one() {
    let (client, server) = pair(|_| {});
    let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("ticks")).await;
    ours.send_run_bytes(1, b"abcd").await.unwrap();
    assert_eq!(&*within(theirs.recv()).await.unwrap().unwrap(), b"a");
    let batch = theirs.recv_batch().await.unwrap().unwrap();
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
    let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("claims")).await;
    for round in 0..50_u8 {
        let dropped = ours.claim(40, |mut room| room.fill(0xff));
        dropped.await.unwrap();
        let committed = ours.claim(3, |mut room| {
            assert_eq!(room.len(), 3);
            room.fill(round);
            room.commit();
        });
        committed.await.unwrap();
    }
    for round in 0..50_u8 {
        let got = within(theirs.recv()).await.unwrap().unwrap();
        assert_eq!((&*got, got.seq()), (&[round; 3][..], u64::from(round)));
    }
}

#[tokio::test(start_paused = true)]
async fn conflated_messages_are_replaced_and_counted() {
    let (client, server) = pair(|_| {});
    let options = OpenOptions::new("quotes").mode(Mode::Conflated).window(8);
    let (mut ours, mut theirs) = open(&client, &server, options).await;
    for n in 0..1000_u64 {
        ours.send_keyed(n % 4, &n.to_le_bytes()).await.unwrap();
    }
    ours.finish().unwrap();
    let (mut counted, mut last) = (0, [0; 4]);
    while let Some(got) = within(theirs.recv()).await.unwrap() {
        counted += 1 + got.skipped();
        assert_eq!(got.seq() + 1, counted);
        let n = u64::from_le_bytes(got[..].try_into().unwrap());
        last[(n % 4) as usize] = n;
    }
    assert_eq!((counted, last), (1000, [996, 997, 998, 999]));
    assert_eq!(
        ours.stats().unwrap().skipped_out,
        theirs.stats().unwrap().skipped_in
    );
}

/// A message is as old as it is, however long the connection was quiet before.
#[tokio::test(start_paused = true)]
async fn a_ttl_counts_from_the_send() {
    let (client, server) = pair(|c| c.idle_timeout = Duration::from_secs(300));
    let options = OpenOptions::new("t").mode(Mode::Ttl(Duration::from_millis(50)));
    let (mut ours, mut theirs) = open(&client, &server, options).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    ours.send(b"fresh").await.unwrap();
    let got = within(theirs.recv()).await.unwrap().unwrap();
    assert_eq!((&*got, got.skipped()), (&b"fresh"[..], 0));
}

#[tokio::test(start_paused = true)]
async fn shared_frames_reach_every_channel_of_the_alias() {
    let frame = SharedFrame::new(3, &[7; 3000]).unwrap();
    for alias in [3, 4] {
        let (client, server) = pair(|c| c.shared_aliases = 8);
        let options = OpenOptions::new("fan").alias(alias);
        let (mut ours, mut theirs) = open(&client, &server, options).await;
        ours.send_shared(&frame).await.unwrap();
        assert_eq!(
            &*within(theirs.recv()).await.unwrap().unwrap(),
            frame.payload()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_goes_on_in_its_epoch() {
    let (client, server) = pair(|_| {});
    let resume = Resume {
        epoch: 5,
        next_seq: 100,
    };
    let options = OpenOptions::new("log").direction(Direction::AcceptorSends);
    let mut ours = client.open(options.resume(resume)).unwrap();
    let offer = server.accept().await.unwrap();
    assert_eq!((offer.resumable(), offer.resume()), (true, Some(resume)));
    let resumption = Resumption::Replay { from: 90 };
    let mut theirs = offer
        .accept(AcceptOptions::new().resumption(resumption))
        .unwrap();
    assert_eq!(ours.accepted().await.unwrap().resumption, Some(resumption));
    theirs.send(b"old").await.unwrap();
    let got = within(ours.recv()).await.unwrap().unwrap();
    assert_eq!((got.epoch(), got.seq()), (5, 90));
    settle().await;
    theirs.rebase(6, 1).unwrap();
    theirs.send(b"new").await.unwrap();
    let got = within(ours.recv()).await.unwrap().unwrap();
    assert_eq!((got.epoch(), got.seq()), (6, 1));
    ours.acknowledge(2);
    let (sender, _rest) = theirs.split();
    settle().await;
    assert_eq!(sender.acknowledged(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_half_that_the_direction_leaves_out_refuses() {
    let (client, server) = pair(|_| {});
    let options = OpenOptions::new("up").direction(Direction::OpenerSends);
    let (mut ours, mut theirs) = open(&client, &server, options).await;
    assert_eq!(ours.recv().await.unwrap_err(), ChannelError::NotReceiving);
    assert_eq!(theirs.send(b"no").await, Err(ChannelSendError::Finished));
    ours.send(b"yes").await.unwrap();
    assert_eq!(&*within(theirs.recv()).await.unwrap().unwrap(), b"yes");
}

#[tokio::test(start_paused = true)]
async fn messages_outlive_their_channel() {
    let (client, server) = pair(|_| {});
    let (mut ours, mut theirs) = open(&client, &server, OpenOptions::new("x")).await;
    ours.send(&[7; 100]).await.unwrap();
    let kept = within(theirs.recv()).await.unwrap().unwrap();
    drop((ours, theirs));
    settle().await;
    assert_eq!(&*kept, [7; 100]);
    let bytes: Bytes = kept.into_bytes();
    drop((client, server));
    settle().await;
    assert_eq!(bytes, [7; 100][..]);
}
