//! How channels and connections end.

use super::*;
use crate::{CloseCode, Deadline, End, Failure};

#[tokio::test(start_paused = true)]
async fn received_messages_are_delivered_before_the_end() {
    for reset in [false, true] {
        let (client, server) = pair(|_| {});
        let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
        local.send(b"last words").await.unwrap();
        run_until_idle().await;
        if reset {
            local.reset(ErrorCode(20));
        } else {
            local.finish().unwrap();
        }
        run_until_idle().await;
        assert_eq!(&*remote.recv().await.unwrap().unwrap(), b"last words");
        for _ in 0..2 {
            let end = remote.recv().await.map(|m| m.is_none());
            let expected = if reset {
                Err(ChannelError::Aborted(ErrorCode(20)))
            } else {
                Ok(true)
            };
            assert_eq!(end, expected, "the same every time");
            assert_eq!(remote.recv_batch().await.map(|b| b.is_none()), expected);
        }
        assert_eq!(local.send(b"more").await, Err(ChannelSendError::Finished));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_dropped_without_finish_aborts_the_channel() {
    let (client, server) = pair(|_| {});
    let (local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    let (mut sender, _receiver) = local.split();
    sender.send(b"half of it").await.unwrap();
    drop(sender);
    let end = loop {
        match within(remote.recv()).await {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    assert_eq!(end, Err(ChannelError::Aborted(ErrorCode::NO_ERROR)));
}

/// R15: a waiting sender returns at once when the receiver stops.
#[tokio::test(start_paused = true)]
async fn a_waiting_sender_returns_when_the_receiver_stops() {
    let (client, server) = pair(|_| {});
    let (local, remote) = open(&client, &server, OpenOptions::new("x")).await;
    let (mut sender, _rest) = local.split();
    let stopped = sender.stopped();
    let writer = tokio::spawn(async move {
        loop {
            if let Err(e) = sender.send(&[0; 1000]).await {
                return e;
            }
        }
    });
    run_until_idle().await;
    assert!(!writer.is_finished(), "it waits for credit");
    let before = tokio::time::Instant::now();
    let (_sender, mut receiver) = remote.split();
    receiver.stop(ErrorCode(17));
    assert_eq!(
        within(writer).await.unwrap(),
        ChannelSendError::Stopped(ErrorCode(17))
    );
    assert_eq!(within(stopped).await, ErrorCode(17));
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(
        receiver.recv().await.unwrap_err(),
        ChannelError::NotReceiving
    );
}

/// One RESET ends both halves, and wakes the waiting sender, too.
#[tokio::test(start_paused = true)]
async fn a_dropped_channel_ends_both_halves() {
    let (client, server) = pair(|_| {});
    let (local, remote) = open(&client, &server, OpenOptions::new("x")).await;
    let (mut sender, mut receiver) = local.split();
    let stopped = sender.stopped();
    let writer = tokio::spawn(async move {
        loop {
            if let Err(e) = sender.send(&[0; 1000]).await {
                return e;
            }
        }
    });
    run_until_idle().await;
    drop(remote);
    assert_eq!(
        within(writer).await.unwrap(),
        ChannelSendError::Stopped(ErrorCode::NO_ERROR)
    );
    assert_eq!(within(stopped).await, ErrorCode::NO_ERROR);
    let end = within(receiver.recv()).await;
    assert_eq!(end.unwrap_err(), ChannelError::Aborted(ErrorCode::NO_ERROR));
}

fn rejected(code: ErrorCode) -> ChannelError {
    ChannelError::Rejected {
        code,
        unprocessed: false,
        metadata: Bytes::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_offer_may_be_rejected_or_dropped() {
    let (client, server) = pair(|_| {});
    for (code, reject) in [(ErrorCode(30), true), (ErrorCode::REFUSED, false)] {
        let mut local = client.open(OpenOptions::new("x")).unwrap();
        let stopped = local.stopped();
        client.ready().await.unwrap();
        local.send(b"early").await.unwrap();
        let offer = within(server.accept()).await.unwrap();
        if reject {
            offer.reject(code);
        } else {
            drop(offer);
        }
        let expected = rejected(code);
        assert_eq!(within(local.accepted()).await.unwrap_err(), expected);
        assert_eq!(local.recv().await.unwrap_err(), expected);
        assert_eq!(
            local.send(b"late").await,
            Err(ChannelSendError::Rejected(code))
        );
        assert_eq!(stopped.await, code);
        drop(local);
        run_until_idle().await;
        assert_eq!(client.stats().channels + server.stats().channels, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_options_reject_the_offer() {
    let (client, server) = pair(|_| {});
    let mut local = client.open(OpenOptions::new("x")).unwrap();
    let offer = within(server.accept()).await.unwrap();
    let error = offer.accept(AcceptOptions::new().window(1)).unwrap_err();
    assert!(matches!(error, OpenError::Options(_)), "{error}");
    let expected = rejected(ErrorCode::REFUSED);
    assert_eq!(within(local.accepted()).await.unwrap_err(), expected);
}

/// Waits in every way, until the connection ends.
async fn wait_in_every_way(
    client: ChannelSocket,
    server: ChannelSocket,
) -> Vec<tokio::task::JoinHandle<ChannelFailure>> {
    let (local, _remote) = open(&client, &server, OpenOptions::new("x")).await;
    let (mut sender, mut receiver) = local.split();
    let mut unanswered = client.open(OpenOptions::new("unanswered")).unwrap();
    let mut tasks = Vec::new();
    let stopped = sender.stopped();
    let closed = client.clone();
    tasks.push(tokio::spawn(async move { closed.closed().await }));
    let accepting = client.clone();
    tasks.push(tokio::spawn(async move {
        assert!(accepting.accept().await.is_none());
        accepting.closed().await
    }));
    let closed = client.clone();
    tasks.push(tokio::spawn(async move {
        while sender.send(&[0; 1000]).await.is_ok() {}
        closed.closed().await
    }));
    let closed = client.clone();
    tasks.push(tokio::spawn(async move {
        assert_eq!(stopped.await, closed.closed().await.code());
        closed.closed().await
    }));
    tasks.push(tokio::spawn(async move {
        match receiver.recv().await {
            Err(ChannelError::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }));
    tasks.push(tokio::spawn(async move {
        match unanswered.accepted().await {
            Err(ChannelError::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }));
    run_until_idle().await;
    assert!(tasks.iter().all(|task| !task.is_finished()), "{client:?}");
    // The server's handles are not dropped before.
    tokio::spawn(async move {
        server.closed().await;
        drop(_remote);
    });
    tasks
}

#[tokio::test(start_paused = true)]
async fn an_abort_wakes_every_task_at_both_ends() {
    let (client, server) = pair(|_| {});
    let tasks = wait_in_every_way(client.clone(), server.clone()).await;
    client.abort(ErrorCode(40));
    for task in tasks {
        assert_eq!(
            within(task).await.unwrap(),
            ChannelFailure::Local(ErrorCode(40))
        );
    }
    assert_eq!(within(server.closed()).await.code(), ErrorCode(40));
    let (client, server) = pair(|_| {});
    let tasks = wait_in_every_way(client, server.clone()).await;
    server.abort(ErrorCode::INTERNAL);
    for task in tasks {
        assert_eq!(
            within(task).await.unwrap(),
            ChannelFailure::Peer(ErrorCode::INTERNAL)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_stream_wakes_every_task() {
    let (a, mut relay_a) = duplex(PIPE_BYTES);
    let (mut relay_b, b) = duplex(PIPE_BYTES);
    let client = session(a, Role::Client, &ChannelConfig::default());
    let server = session(b, Role::Server, &ChannelConfig::default());
    let wire = tokio::spawn(async move {
        let _ = tokio::io::copy_bidirectional(&mut relay_a, &mut relay_b).await;
    });
    let tasks = wait_in_every_way(client.clone(), server).await;
    wire.abort();
    let lost = ChannelFailure::Lost(Some(End::Failed(Failure::Eof)));
    for task in tasks {
        assert_eq!(within(task).await.unwrap(), lost);
    }
    assert_eq!(
        client.open(OpenOptions::new("x")).unwrap_err(),
        OpenError::Closed(lost)
    );
    assert_eq!(client.ready().await, Err(lost));
}

/// A runtime that shuts down drops the driver, and wakes every waiting task.
#[test]
fn a_runtime_that_shuts_down_wakes_every_task() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let (client, server) = first.block_on(async { pair(|_| {}) });
    first.block_on(client.ready()).unwrap();
    let waits = second.spawn(async move { [client.closed().await, server.closed().await] });
    first.shutdown_background();
    for failure in second.block_on(waits).unwrap() {
        assert_eq!(failure, going_away(false));
    }
}

fn going_away(by_peer: bool) -> ChannelFailure {
    ChannelFailure::Drained {
        by_peer,
        code: ErrorCode::NO_ERROR,
        end: DrainEnd::GoingAway,
    }
}

/// A runtime that shuts down drops the driver. The peer, on another runtime, gets the end.
#[test]
fn a_runtime_that_shuts_down_sends_goaway() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let (a, b) = duplex(PIPE_BYTES);
    let client = first.block_on(async { session(a, Role::Client, &ChannelConfig::default()) });
    let server = second.block_on(async { session(b, Role::Server, &ChannelConfig::default()) });
    let local = client.open(OpenOptions::new("x")).unwrap();
    let accepting = second.spawn({
        let server = server.clone();
        async move {
            let offer = server.accept().await.unwrap();
            offer.accept(AcceptOptions::new()).unwrap()
        }
    });
    let mut remote = second.block_on(accepting).unwrap();
    drop(first);
    let returned = going_away(true);
    assert_eq!(second.block_on(server.closed()), returned);
    let sent = second.block_on(remote.send(b"late"));
    assert_eq!(sent, Err(ChannelSendError::Closed(returned)));
    drop(local);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_ends_the_connection_without_loss() {
    let (client, server) = pair(|_| {});
    let mut local = client.open(OpenOptions::new("bulk")).unwrap();
    client.ready().await.unwrap();
    for n in 0..200 {
        local.send(&message(n, 1000)).await.unwrap();
    }
    local.finish().unwrap();
    drop((local, client));
    let offer = within(server.accept()).await.unwrap();
    let mut remote = offer.accept(AcceptOptions::new()).unwrap();
    for n in 0..200 {
        let got = within(remote.recv()).await.unwrap().unwrap();
        assert_eq!(&*got, message(n, 1000));
    }
    assert!(within(remote.recv()).await.unwrap().is_none());
    assert!(within(server.accept()).await.is_none());
    drop(remote);
    assert_eq!(within(server.closed()).await, drained(true));
}

/// A dropped `ChannelSocket` accepts nothing; its channels continue.
#[tokio::test(start_paused = true)]
async fn channels_outlive_their_socket_handle() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    let mut waiting = client.open(OpenOptions::new("waiting")).unwrap();
    run_until_idle().await;
    drop(server);
    let mut late = client.open(OpenOptions::new("late")).unwrap();
    let refused = rejected(ErrorCode::REFUSED);
    assert_eq!(within(waiting.accepted()).await.unwrap_err(), refused);
    assert_eq!(within(late.accepted()).await.unwrap_err(), refused);
    local.send(b"still here").await.unwrap();
    assert_eq!(
        &*within(remote.recv()).await.unwrap().unwrap(),
        b"still here"
    );
    drop(remote);
    assert_eq!(within(client.closed()).await, drained(true));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_channels_to_finish() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    server.drain(ErrorCode::NO_ERROR);
    assert!(within(server.accept()).await.is_none());
    assert!(within(client.accept()).await.is_none());
    let refused = OpenError::Draining(ErrorCode::NO_ERROR);
    assert_eq!(client.open(OpenOptions::new("y")).unwrap_err(), refused);
    local.send(b"goes on").await.unwrap();
    assert_eq!(&*within(remote.recv()).await.unwrap().unwrap(), b"goes on");
    local.finish().unwrap();
    remote.finish().unwrap();
    assert_eq!(within(client.closed()).await, drained(true));
    assert_eq!(within(server.closed()).await, drained(false));
}

/// Channels are still open at the deadline of a drain: both ends report that, and which end began
/// the drain.
#[tokio::test(start_paused = true)]
async fn a_drain_that_times_out_is_reported_at_both_ends() {
    for code in [ErrorCode::NO_ERROR, ErrorCode(40)] {
        let (client, server) = pair(|_| {});
        let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
        server.drain(code);
        let drained = |by_peer| ChannelFailure::Drained {
            by_peer,
            code,
            end: DrainEnd::Incomplete,
        };
        assert_eq!(within(client.closed()).await, drained(true));
        assert_eq!(within(server.closed()).await, drained(false));
        for (channel, by_peer) in [(&mut local, true), (&mut remote, false)] {
            let error = channel.send(b"late").await.unwrap_err();
            assert_eq!(error, ChannelSendError::Closed(drained(by_peer)));
            let side = if by_peer { "the peer" } else { "this end" };
            for word in [
                side,
                "ended the connection",
                "while channels were still open",
            ] {
                assert!(error.to_string().contains(word), "{error}");
            }
            let failed = ChannelError::Failed(drained(by_peer));
            assert_eq!(channel.recv().await.unwrap_err(), failed);
        }
        let refused = client.open(OpenOptions::new("y")).unwrap_err();
        assert_eq!(refused, OpenError::Closed(drained(true)));
    }
}

/// Open channels have the whole `close_timeout` to end, however long the connection was idle
/// before.
#[tokio::test(start_paused = true)]
async fn a_drain_of_an_idle_connection_waits_for_channels_to_finish() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    tokio::time::sleep(ChannelConfig::default().close_timeout * 2).await;
    server.drain(ErrorCode::NO_ERROR);
    assert!(within(client.accept()).await.is_none());
    tokio::time::sleep(ChannelConfig::default().close_timeout / 2).await;
    local.send(b"goes on").await.unwrap();
    assert_eq!(&*within(remote.recv()).await.unwrap().unwrap(), b"goes on");
    local.finish().unwrap();
    remote.finish().unwrap();
    assert_eq!(within(client.closed()).await, drained(true));
}

/// R26: the end does not wait for a frozen peer.
#[tokio::test(start_paused = true)]
async fn a_frozen_peer_does_not_delay_the_end() {
    for abort in [true, false] {
        let (a, _frozen) = duplex(64);
        let client = session(a, Role::Client, &ChannelConfig::default());
        run_until_idle().await;
        let before = tokio::time::Instant::now();
        if abort {
            client.abort(ErrorCode(16));
        } else {
            client.drain(ErrorCode::NO_ERROR);
        }
        let watch = client.clone();
        drop(client);
        within(watch.closed()).await;
        assert!(before.elapsed() <= 2 * ChannelConfig::default().close_timeout);
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_cannot_carry_channels_is_refused() {
    let (a, _b) = duplex(64);
    let plain = socket(a, Role::Client, None);
    let error = ChannelSocket::start(plain, ChannelConfig::default()).unwrap_err();
    // The error says what to do at this end: the peer may be correct.
    let expected = crate::handshake::HandshakeUsage::SubprotocolNotAgreed(SUBPROTOCOL);
    assert!(
        matches!(&error, crate::Error::Handshake(e) if *e == expected.into()),
        "{error}"
    );
    assert!(
        error.to_string().contains("Agreed::with_subprotocol"),
        "{error}"
    );
    let below: [fn(&mut crate::Config); 4] = [
        |c| c.message_bytes_max = 16_000,
        |c| c.frame_bytes_max = 16_000,
        |c| c.send_queue_bytes_max = 1024,
        |c| c.delivery = crate::Delivery::Parts,
    ];
    for change in below {
        let mut config = crate::Config::default();
        change(&mut config);
        let agreed = crate::handshake::Agreed::new(Role::Client).with_subprotocol(SUBPROTOCOL);
        let parts = Parts::new(duplex(64).0, agreed);
        let ws = WebSocket::from_parts(parts, config).unwrap();
        let error = ChannelSocket::start(ws, ChannelConfig::default()).unwrap_err();
        assert!(matches!(error, crate::Error::Config(_)), "{error}");
    }
}

/// A text message is a violation, and the peer gets its code.
#[tokio::test(start_paused = true)]
async fn text_ends_the_connection() {
    let (a, b) = duplex(PIPE_BYTES);
    let server = session(b, Role::Server, &ChannelConfig::default());
    let mut rogue = socket(a, Role::Client, Some(SUBPROTOCOL));
    rogue.send_text("hello").await.unwrap();
    while let Ok(Some(_)) = within(rogue.recv()).await {}
    let end = rogue.end();
    assert!(
        matches!(end, Some(crate::End::Closed { code: Some(code), .. }) if code == CloseCode::UNSUPPORTED),
        "{end:?}"
    );
    assert_eq!(within(server.closed()).await.code(), ErrorCode::PROTOCOL);
}

/// The WebSocket below detects that the peer is gone: every waiting task gets the failure then,
/// although the stream is closed later.
#[tokio::test(start_paused = true)]
async fn a_failure_of_the_websocket_is_returned_at_once() {
    let below = crate::Config::default()
        .ping_interval(Some(Duration::from_secs(7)))
        .pong_timeout(Duration::from_secs(3))
        .close_timeout(Duration::from_secs(60));
    let (local, _peer) = duplex(1 << 20);
    let agreed = crate::handshake::Agreed::new(Role::Client).with_subprotocol(SUBPROTOCOL);
    let parts = Parts::new(local, agreed);
    let ws = WebSocket::from_parts(parts, below).unwrap();
    let client = ChannelSocket::start(ws, config(|_| {})).unwrap();
    let (mut sender, mut receiver) = client.open(OpenOptions::new("x")).unwrap().split();
    let began = tokio::time::Instant::now();
    let (ready, sent, received, accepted) = tokio::join!(
        within(client.ready()),
        within(sender.send(b"x")),
        within(receiver.recv()),
        within(client.accept()),
    );
    assert_eq!(began.elapsed().as_secs(), 10);
    let lost = ChannelFailure::Lost(Some(End::Failed(Failure::Deadline(Deadline::Pong))));
    assert_eq!(ready, Err(lost));
    assert_eq!(sent, Err(ChannelSendError::Closed(lost)));
    assert_eq!(received.unwrap_err(), ChannelError::Failed(lost));
    assert!(accepted.is_none());
    assert_eq!(within(client.closed()).await, lost);
    assert_eq!(began.elapsed().as_secs(), 70, "the stream is closed");
}

/// Whatever a task waits for, an end that goes away ends the wait, here and at the peer.
#[tokio::test(start_paused = true)]
async fn everybody_who_waits_hears_of_an_end_that_goes_away() {
    for by_peer in [false, true] {
        let (client, server) = pair(|_| {});
        let (ours, _theirs) = open(&client, &server, OpenOptions::new("x")).await;
        let (mut sender, mut receiver) = ours.split();
        let mut asked = client.open(OpenOptions::new("y")).unwrap();
        let sending = tokio::spawn(async move {
            loop {
                if let Err(e) = sender.send(&[0; 1000]).await {
                    return e;
                }
            }
        });
        let receiving = tokio::spawn(async move { receiver.recv().await.map(|m| m.is_none()) });
        let answered = tokio::spawn(async move { asked.accepted().await.map(drop) });
        let socket = client.clone();
        let accepting = tokio::spawn(async move { socket.accept().await.is_none() });
        let socket = client.clone();
        let closing = tokio::spawn(async move { socket.closed().await });
        run_until_idle().await;
        assert!(!sending.is_finished() && !receiving.is_finished() && !answered.is_finished());
        if by_peer {
            server.go_away();
        } else {
            client.go_away();
        }
        let failure = ChannelFailure::Drained {
            by_peer,
            code: ErrorCode::NO_ERROR,
            end: DrainEnd::GoingAway,
        };
        let sent = within(sending).await.unwrap();
        assert_eq!(sent, ChannelSendError::Closed(failure));
        let failed = ChannelError::Failed(failure);
        assert_eq!(within(receiving).await.unwrap(), Err(failed.clone()));
        assert_eq!(within(answered).await.unwrap(), Err(failed));
        assert!(within(accepting).await.unwrap());
        assert_eq!(within(closing).await.unwrap(), failure);
    }
}
