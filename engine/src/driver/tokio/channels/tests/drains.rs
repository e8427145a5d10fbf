//! Drains and aborts as the tasks of both ends see them.

use std::string::String;

use super::*;

/// A client that only receives gets the drain of the server, with its reason, while its channel is
/// open.
#[tokio::test(start_paused = true)]
async fn a_receiving_client_gets_the_drain_of_the_server() {
    let (client, server) = pair(|_| {});
    let (mut local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    let (_wakes, waker) = Wakes::new();
    {
        // Dropped before it is ready.
        let mut draining = pin!(client.draining());
        assert!(poll(draining.as_mut(), &waker).is_pending());
    }
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.draining().await })
    };
    run_until_idle().await;
    assert!(!waiting.is_finished());
    server.drain_with(ErrorCode(40), "maintenance");
    let expected = (ErrorCode(40), String::from("maintenance"));
    assert_eq!(within(waiting).await.unwrap(), expected);
    // The same at the end that drains, and later.
    assert_eq!(within(server.draining()).await, expected);
    client.drain(ErrorCode::NO_ERROR);
    assert_eq!(within(client.draining()).await, expected);
    remote.send(b"last").await.unwrap();
    assert_eq!(&*within(local.recv()).await.unwrap().unwrap(), b"last");
}

/// Without a drain, the end of the connection ends the wait.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_connection_ends_the_wait_for_a_drain() {
    let (client, server) = pair(|_| {});
    within(client.ready()).await.unwrap();
    within(server.ready()).await.unwrap();
    server.abort(ErrorCode::INTERNAL);
    let expected = (ErrorCode::INTERNAL, String::new());
    assert_eq!(within(client.draining()).await, expected);
    assert_eq!(within(server.draining()).await, expected);
}

/// The wire does not tell an abort with a code of the application from a drain that ran out of
/// time.
#[tokio::test(start_paused = true)]
async fn an_abort_of_the_application_is_an_incomplete_drain_for_the_peer() {
    let (client, server) = pair(|_| {});
    let (_local, mut remote) = open(&client, &server, OpenOptions::new("x")).await;
    client.abort(ErrorCode(30));
    let failure = ChannelFailure::Drained {
        by_peer: true,
        code: ErrorCode(30),
        end: DrainEnd::Incomplete,
    };
    assert_eq!(within(server.closed()).await, failure);
    assert_eq!(
        within(remote.recv()).await.unwrap_err().to_string(),
        "the peer ended the connection while channels were still open (code 30); connect again"
    );
    assert!(
        !failure.is_transient(),
        "only the application knows its code"
    );
}

/// The 17th channel on a server that allows 16 waits, and its owner can see it.
#[tokio::test(start_paused = true)]
async fn a_channel_beyond_the_limit_of_the_peer_waits_visibly() {
    let (a, b) = duplex(PIPE_BYTES);
    let client = session(a, Role::Client, &ChannelConfig::default());
    let server = session(b, Role::Server, &ChannelConfig::untrusted_internet());
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(open(&client, &server, OpenOptions::new("x")).await);
    }
    let refused = client.open(OpenOptions::new("y").no_wait());
    assert_eq!(refused.unwrap_err(), OpenError::PeerLimit);
    let mut late = client.open(OpenOptions::new("y")).unwrap();
    run_until_idle().await;
    assert!(late.stats().unwrap().waits_for_peer);
    assert_eq!(client.stats().channels_waiting, 1);
    let shown = std::format!("{client:?}");
    assert!(shown.contains("OPEN waits for the peer's limit"), "{shown}");
    held.pop();
    let offer = within(server.accept()).await.unwrap();
    let _remote = offer.accept(AcceptOptions::new()).unwrap();
    within(late.accepted()).await.unwrap();
    assert!(!late.stats().unwrap().waits_for_peer);
}
