//! Methods that never wait: they send what fits, return what has arrived, or fail.

use super::*;

#[tokio::test(start_paused = true)]
async fn try_sends_are_received_in_order() {
    let (client, server) = pair(|_| {});
    let (local, remote) = open(&client, &server, OpenOptions::new("t")).await;
    let ((mut sender, _), (_, mut receiver)) = (local.split(), remote.split());
    assert!(receiver.try_recv().unwrap().is_none());
    sender.try_send(b"one").unwrap();
    let claimed = sender.try_claim(3, |mut room| {
        room.copy_from_slice(b"two");
        room.commit();
    });
    claimed.unwrap();
    sender
        .try_send_shared(&SharedFrame::new(0, b"shared").unwrap())
        .unwrap();
    sender.try_send_run_bytes(1, b"34").unwrap();
    let keyed = sender.try_send_keyed(1, b"keyed");
    assert!(
        matches!(keyed, Err(ChannelSendError::WrongMode)),
        "{keyed:?}"
    );
    sender.finish().unwrap();
    for expected in [&b"one"[..], b"two", b"shared", b"3", b"4"] {
        run_until_idle().await;
        let got = receiver.try_recv().unwrap().expect("a message");
        assert_eq!(&*got, expected);
    }
    assert!(receiver.try_recv().unwrap().is_none());
    assert!(within(receiver.recv()).await.unwrap().is_none());
}

/// A whole channel has the methods of its send half.
#[tokio::test(start_paused = true)]
async fn a_whole_channel_has_the_try_methods() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("t")).await;
    local.try_send(b"one").unwrap();
    local.try_send_bytes(Bytes::from_static(b"two")).unwrap();
    local.try_send_bytes(vec![3; 5000].into()).unwrap();
    let claimed = local.try_claim(4, |mut room| {
        room.copy_from_slice(b"four");
        room.commit();
    });
    claimed.unwrap();
    let frame = SharedFrame::new(0, b"five").unwrap();
    local.try_send_shared(&frame).unwrap();
    local.try_send_run_bytes(3, b"six").unwrap();
    #[cfg(feature = "zerocopy")]
    local.try_send_run(&[*b"7"]).unwrap();
    local.finish().unwrap();
    let large = [3; 5000];
    let mut expected = vec![&b"one"[..], b"two", &large, b"four", b"five", b"six"];
    expected.extend(cfg!(feature = "zerocopy").then_some(&b"7"[..]));
    for expected in expected {
        let got = within(remote.recv()).await.unwrap().expect("a message");
        assert_eq!(Bytes::from(got), expected);
    }
    assert!(within(remote.recv()).await.unwrap().is_none());
    assert_eq!(local.acknowledged(), 0);
}

/// All of them fail while the peer does not read, and succeed when it reads.
#[tokio::test(start_paused = true)]
async fn try_methods_return_would_block() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("t")).await;
    let mut sent = 0;
    while local.try_send([5; 500]).is_ok() {
        sent += 1;
        run_until_idle().await;
    }
    let mut again = local.split().0;
    let refused = [
        again.try_send([5; 500]),
        again.try_claim(500, |_| panic!("there is no room")),
        again.try_send_run_bytes(250, &[5; 500]),
        again.try_send_shared(&SharedFrame::new(0, &[5; 500]).unwrap()),
    ];
    for refused in refused {
        assert!(
            matches!(refused, Err(ChannelSendError::WouldBlock)),
            "{refused:?}"
        );
    }
    for _ in 0..sent {
        assert_eq!(within(remote.recv()).await.unwrap().unwrap().len(), 500);
    }
    run_until_idle().await;
    again.try_send(b"room").unwrap();
    assert_eq!(&*within(remote.recv()).await.unwrap().unwrap(), b"room");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_replaced_without_waiting() {
    let (client, server) = pair(|_| {});
    let options = OpenOptions::new("quotes").mode(Mode::Conflated);
    let (local, mut remote) = open(&client, &server, options).await;
    let (mut sender, _receiver) = local.split();
    for n in 0..10_u8 {
        sender.try_send_keyed(7, [n]).unwrap();
    }
    let claim = sender.try_claim(1, |room| drop(room));
    assert!(
        matches!(claim, Err(ChannelSendError::WrongMode)),
        "{claim:?}"
    );
    sender.finish().unwrap();
    let mut last = None;
    while let Some(message) = within(remote.recv()).await.unwrap() {
        last = Some(message[0]);
    }
    assert_eq!(last, Some(9));
}
