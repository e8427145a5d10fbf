//! Deadlines, on a paused clock that advances only when every task is idle.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;
use crate::{CloseCode, Deadline, Error, Failure};

const TICK: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);

fn assert_missed(error: &Error, deadline: Deadline) {
    let missed = matches!(error, Error::Failed(Failure::Deadline(d)) if *d == deadline);
    assert!(missed, "{error}");
}

fn assert_about(began: Instant, expected: Duration) {
    let elapsed = began.elapsed();
    assert!(
        elapsed >= expected && elapsed <= expected + 2 * TICK,
        "{elapsed:?} for {expected:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ping_without_a_pong_ends_the_connection() {
    let config = config(|c| {
        c.ping_interval = Some(20 * SECOND);
        c.pong_timeout = 10 * SECOND;
        c.close_timeout = 2 * SECOND;
    });
    let (mut server, mut peer) = against_bytes(Role::Server, &config);
    let began = Instant::now();
    let serve = tokio::spawn(async move { (server.recv().await, server) });
    let mut ping = [0; 10];
    peer.read_exact(&mut ping).await.unwrap();
    assert_eq!(ping[..2], [0x89, 8]);
    assert_about(began, 20 * SECOND);
    let mut close = Vec::new();
    peer.read_to_end(&mut close).await.unwrap();
    assert_eq!(close[..4], [0x88, 17, 3, 233], "1001");
    assert_eq!(close[4..19], *b"no Pong in time");
    assert_about(began, 30 * SECOND);
    // The application gets the failure at once, although the peer does not answer the Close.
    let (received, mut server) = serve.await.unwrap();
    assert_missed(&received.unwrap_err(), Deadline::Pong);
    assert_eq!(began.elapsed(), 30 * SECOND);
    // `close` waits for the closing, as long as that may take.
    let closed = server.close(CloseCode::NORMAL, "").await;
    assert_missed(&closed.unwrap_err(), Deadline::Pong);
    assert_about(began, 32 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_an_idle_connection_open_and_measure_its_round_trip() {
    let (mut client, mut server) = ends(1 << 10, |c| c.ping_interval = Some(20 * SECOND));
    let serve = tokio::spawn(async move { echo(&mut server).await });
    let quiet = tokio::time::timeout(Duration::from_secs(3600), async {
        while let OwnedMessage::Ping(_) | OwnedMessage::Pong(_) =
            client.recv().await.unwrap().unwrap()
        {}
    });
    assert!(quiet.await.is_err(), "an hour of Pings and Pongs");
    assert!(client.rtt().is_some());
    client.close(CloseCode::NORMAL, "").await.unwrap();
    serve.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_and_bytes_keep_it_open() {
    let config = config(|c| {
        c.ping_interval = None;
        c.idle_timeout = Some(30 * SECOND);
    });
    for role in [Role::Server, Role::Client] {
        let (mut ws, mut peer) = against_bytes(role, &config);
        let began = Instant::now();
        let serve = tokio::spawn(async move {
            loop {
                if let Err(e) = ws.recv().await {
                    return e;
                }
            }
        });
        let message = match role {
            Role::Server => client_frame(2, b"alive"),
            Role::Client => server_frame(2, b"alive"),
        };
        for _ in 0..3 {
            tokio::time::sleep(29 * SECOND).await;
            peer.write_all(&message).await.unwrap();
        }
        let mut close = Vec::new();
        peer.read_to_end(&mut close).await.unwrap();
        assert_eq!(close[0], 0x88);
        assert_about(began, 117 * SECOND);
        drop(peer);
        assert_missed(&serve.await.unwrap(), Deadline::Idle);
    }
}

/// The application does not receive for a while: bytes that arrive meanwhile count.
#[tokio::test(start_paused = true)]
async fn a_pause_of_the_application_is_no_silence_of_the_peer() {
    let config = config(|c| c.idle_timeout = Some(10 * SECOND));
    let (mut server, mut peer) = against_bytes(Role::Server, &config);
    peer.write_all(&client_frame(2, b"one")).await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(binary("one")));
    peer.write_all(&client_frame(2, b"two")).await.unwrap();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(server.recv().await.unwrap(), Some(binary("two")));
}

/// While more than half of the queue waits for a slow peer, nothing is read, and the peer's silence
/// is no failure.
#[tokio::test(start_paused = true)]
async fn a_full_queue_is_no_silence_of_the_peer() {
    let config = config(|c| {
        c.ping_interval = None;
        c.idle_timeout = Some(10 * SECOND);
        c.send_queue_bytes_max = 2048;
    });
    let (a, mut peer) = duplex(64);
    let mut server = end(a, Role::Server, &config);
    server.outbox().send([0; 1500]).unwrap();
    let slow = tokio::spawn(async move {
        let mut got = 0;
        while got < 1504 {
            tokio::time::sleep(2 * SECOND).await;
            got += peer.read(&mut [0; 64]).await.unwrap();
            if got == 640 {
                peer.write_all(&client_frame(2, b"late")).await.unwrap();
            }
        }
        peer
    });
    assert_eq!(server.recv().await.unwrap(), Some(binary("late")));
    // From here on silence counts again.
    assert_missed(&server.recv().await.unwrap_err(), Deadline::Idle);
    drop(slow);
}

#[tokio::test(start_paused = true)]
async fn closing_takes_close_timeout_at_most() {
    let config = config(|c| c.close_timeout = 2 * SECOND);
    // A silent peer, and a peer that goes on sending.
    for chatty in [false, true] {
        let (mut server, mut peer) = against_bytes(Role::Server, &config);
        let began = Instant::now();
        let chat = tokio::spawn(async move {
            while chatty && peer.write_all(&client_frame(2, b"more")).await.is_ok() {
                tokio::time::sleep(SECOND / 100).await;
            }
            if !chatty {
                std::future::pending::<()>().await;
            }
        });
        let closed = server.close(CloseCode::NORMAL, "").await;
        assert_missed(&closed.unwrap_err(), Deadline::Close);
        assert_about(began, 2 * SECOND);
        chat.abort();
    }
}

/// A peer that reads nothing: every waiting call fails at the deadline.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_fails_every_waiting_call() {
    let limit = 10 * SECOND;
    let clogged = || {
        let (ws, peer) = ends(64, |c| {
            c.ping_interval = None;
            c.write_timeout = limit;
            c.send_queue_bytes_max = 4096;
        });
        (ws, peer)
    };
    let fill = async |ws: &mut WebSocket<DuplexStream>| {
        ws.send(&[0; 1000]).await.unwrap();
        ws.send(&[0; 2500]).await.unwrap();
    };

    let (mut ws, _peer) = clogged();
    fill(&mut ws).await;
    let began = Instant::now();
    assert_missed(&ws.send(&[0; 1000]).await.unwrap_err(), Deadline::Write);
    assert_about(began, limit);
    assert_missed(&ws.send(&[0; 1000]).await.unwrap_err(), Deadline::Write);
    assert_missed(&ws.flush().await.unwrap_err(), Deadline::Write);
    assert_missed(&ws.recv().await.unwrap_err(), Deadline::Write);

    let (mut ws, _peer) = clogged();
    fill(&mut ws).await;
    let began = Instant::now();
    assert_missed(&ws.flush().await.unwrap_err(), Deadline::Write);
    assert_about(began, limit);

    let (mut ws, _peer) = clogged();
    fill(&mut ws).await;
    let began = Instant::now();
    assert_missed(&ws.recv().await.unwrap_err(), Deadline::Write);
    assert_about(began, limit);

    // Halves: the waiting one, and the other.
    for writer_waits in [false, true] {
        let (mut ws, _peer) = clogged();
        fill(&mut ws).await;
        let (mut reader, mut writer) = ws.split();
        let began = Instant::now();
        if writer_waits {
            assert_missed(&writer.send(&[0; 1000]).await.unwrap_err(), Deadline::Write);
        } else {
            assert_missed(&reader.recv().await.unwrap_err(), Deadline::Write);
        }
        assert_about(began, limit);
        assert_missed(&writer.flush().await.unwrap_err(), Deadline::Write);
        assert_missed(&reader.recv().await.unwrap_err(), Deadline::Write);
    }
    // The reader was pending already when the writer reached the full pipe and was dropped.
    let (ws, _peer) = clogged();
    let (mut reader, mut writer) = ws.split();
    let began = Instant::now();
    let reading = tokio::spawn(async move { reader.recv().await });
    tokio::task::yield_now().await;
    writer.send(&[0; 1000]).await.unwrap();
    assert_missed(&reading.await.unwrap().unwrap_err(), Deadline::Write);
    assert_about(began, limit);
}

/// A peer that reads a little now and then keeps the connection open.
#[tokio::test(start_paused = true)]
async fn a_slow_peer_keeps_the_connection_open() {
    let (mut ws, peer) = ends(64, |c| c.write_timeout = 10 * SECOND);
    let mut peer = peer.into_parts().stream;
    let sip = tokio::spawn(async move {
        let mut got = 0;
        while got < 1000 {
            tokio::time::sleep(9 * SECOND).await;
            got += peer.read(&mut [0; 64]).await.unwrap();
        }
        peer
    });
    ws.send(&[0; 1000]).await.unwrap();
    ws.flush().await.unwrap();
    sip.abort();
}

/// A stream that buffers like TLS has accepted everything long before the peer: a flush or a close
/// waits no longer than the peer's deadline.
#[tokio::test(start_paused = true)]
async fn a_buffering_stream_does_not_hide_a_stalled_peer() {
    let config = config(|c| {
        c.ping_interval = None;
        c.write_timeout = 10 * SECOND;
        c.close_timeout = 2 * SECOND;
    });
    let patience = 100 * SECOND;

    let (mut ws, _peer) = buffering(&config);
    let began = Instant::now();
    ws.feed(&[0; 1000]).await.unwrap();
    let flushed = tokio::time::timeout(patience, ws.flush()).await;
    assert_missed(&flushed.expect("an end").unwrap_err(), Deadline::Write);
    assert_about(began, 10 * SECOND);

    let (ws, _peer) = buffering(&config);
    let (_reader, mut writer) = ws.split();
    let began = Instant::now();
    writer.feed(&[0; 1000]).await.unwrap();
    let flushed = tokio::time::timeout(patience, writer.flush()).await;
    assert_missed(&flushed.expect("an end").unwrap_err(), Deadline::Write);
    assert_about(began, 10 * SECOND);

    let (mut ws, _peer) = buffering(&config);
    let began = Instant::now();
    ws.feed(&[0; 1000]).await.unwrap();
    let closed = tokio::time::timeout(patience, ws.close(CloseCode::NORMAL, "")).await;
    assert_missed(&closed.expect("an end").unwrap_err(), Deadline::Close);
    assert_about(began, 2 * SECOND);
}
