//! Cancel safety: a wait dropped at any poll loses nothing and duplicates nothing.

use super::*;

/// Polls a future a few times, then drops it and makes a new one, until one is ready.
async fn retry_after_drop<T>(turn: &mut usize, mut make: impl AsyncFnMut() -> T) -> T {
    loop {
        *turn += 1;
        let mut left = 1 + *turn % 3;
        let given = {
            let mut future = pin!(make());
            poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(given) => Poll::Ready(Some(given)),
                Poll::Pending if left <= 1 => Poll::Ready(None),
                Poll::Pending => {
                    left -= 1;
                    Poll::Pending
                }
            })
            .await
        };
        match given {
            Some(given) => return given,
            None => yield_now().await,
        }
    }
}

/// Sends with one of four methods.
async fn put(sender: &mut Sender, n: u32, bytes: &[u8]) -> Result<(), ChannelSendError> {
    match n % 4 {
        0 => sender.send(bytes).await,
        1 => sender.send_bytes(bytes.to_vec().into()).await,
        2 => sender.send_run_bytes(bytes.len(), bytes).await,
        _ => {
            let write = |mut room: ChannelClaim<'_>| {
                room.copy_from_slice(bytes);
                room.commit();
            };
            sender.claim(bytes.len(), write).await
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_waits_lose_nothing() {
    const COUNT: u32 = 1500;
    let (client, server) = pair(|c| c.channel_queue_bytes_max = 8192);
    let mut turn = 0;
    retry_after_drop(&mut turn, async || client.ready().await)
        .await
        .unwrap();
    let mut local = client.open(OpenOptions::new("x")).unwrap();
    let offer = retry_after_drop(&mut turn, async || server.accept().await).await;
    let mut remote = offer.unwrap().accept(AcceptOptions::new()).unwrap();
    retry_after_drop(&mut turn, async || local.accepted().await)
        .await
        .unwrap();
    let (mut sender, mut receiver) = local.split();
    let writing = async {
        let mut turn = 1;
        for n in 0..COUNT {
            let bytes = message(n, size(n));
            let sent = retry_after_drop(&mut turn, async || put(&mut sender, n, &bytes).await);
            // A message of a run must fit into one record.
            match sent.await {
                Err(ChannelSendError::TooLarge { .. }) if n % 4 == 2 && bytes.len() > 16_000 => {
                    retry_after_drop(&mut turn, async || sender.send(&bytes).await)
                        .await
                        .unwrap();
                }
                sent => sent.unwrap(),
            }
        }
        sender.finish().unwrap();
        let stopped = retry_after_drop(&mut turn, async || sender.stopped().await);
        assert_eq!(stopped.await, ErrorCode::NO_ERROR);
    };
    let reading = async {
        let mut turn = 2;
        let mut next = 0;
        while next < COUNT {
            if next % 5 < 3 {
                let got = retry_after_drop(&mut turn, async || remote.recv().await).await;
                let got = got.unwrap().unwrap();
                let expected = message(next, size(next));
                assert_eq!((&*got, got.seq()), (&expected[..], next.into()));
                next += 1;
                continue;
            }
            let taken = retry_after_drop(&mut turn, async || {
                let batch = remote.recv_batch().await.unwrap().unwrap();
                batch.iter().fold(next, |n, item| {
                    let (data, seq) = match item {
                        BatchItem::Message(got) => (got.data, got.seq),
                        BatchItem::Run(run) => (run.bytes, run.seq),
                    };
                    assert_eq!((data, seq), (&message(n, size(n))[..], n.into()));
                    n + 1
                })
            });
            next = taken.await;
        }
        let end = retry_after_drop(&mut turn, async || remote.recv().await).await;
        assert!(end.unwrap().is_none());
    };
    within(async { tokio::join!(writing, reading) }).await;
    remote.finish().unwrap();
    let end = retry_after_drop(&mut turn, async || receiver.recv().await).await;
    assert!(end.unwrap().is_none());
    client.drain(ErrorCode::NO_ERROR);
    let end = retry_after_drop(&mut turn, async || client.closed().await).await;
    assert_eq!(end, drained(false));
}
