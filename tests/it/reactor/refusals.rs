//! What a client is told of an answer that refuses it: on the reactors, and as a task.
#![cfg(all(feature = "tokio", feature = "mio"))]

use std::net::SocketAddr;
use std::thread;

use tickwire::handshake::{HandshakeError, Response};
use tickwire::{Connector, Error, Role};

use super::fixture::{Event, On, calm, listener, serve};
use super::raw_peer::Peer;

/// An answer of a server, in the pieces that are written.
struct Answer {
    pieces: Vec<Vec<u8>>,
    /// The server closes its half after it.
    ends: bool,
    content: Vec<u8>,
    shown: String,
}

/// The same, with what the error shows after `refused: `.
type Row<'a> = (&'a [&'a [u8]], bool, &'a [u8], &'a str);

fn answers() -> Vec<Answer> {
    let bound = Response::CONTENT_BYTES_MAX;
    let long = vec![b'x'; bound + 5000];
    let chunked = b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows: [Row<'_>; 9] = [
        (
            &[b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"],
            false,
            b"",
            "403 No",
        ),
        (
            &[
                b"HTTP/1.1 403 No\r\nContent-Length: 12\r\n\r\n",
                b"key expired\n",
            ],
            false,
            b"key expired\n",
            "403 No: key expired",
        ),
        (
            &[
                b"HTTP/1.1 403 N",
                b"o\r\nContent-Length: 5\r\n\r",
                b"\nke",
                b"y",
                b" 1",
            ],
            false,
            b"key 1",
            "403 No: key 1",
        ),
        (
            &[chunked, b"4;a=b\r\nkey ", b"\r\n2\r\n17\r\n0\r\n\r\n"],
            false,
            b"key 17",
            "403 No: key 17",
        ),
        // Longer than what is kept, and never complete.
        (
            &[
                b"HTTP/1.1 403 No\r\nContent-Length: 1073741824\r\n\r\n",
                &long,
            ],
            false,
            &long[..bound],
            &format!("403 No: {}...", "x".repeat(512)),
        ),
        // Closed early.
        (
            &[b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\n", b"key"],
            true,
            b"key",
            "403 No: key",
        ),
        (&[chunked, b"9\r\nkey"], true, b"key", "403 No: key"),
        // The end of the connection is the end of the content.
        (
            &[
                b"HTTP/1.1 403 No\r\nContent-Type: text/html\r\n\r\n",
                b"<h1>No\r\n",
                b"\x1b[2J</h1>",
            ],
            true,
            b"<h1>No\r\n\x1b[2J</h1>",
            "403 No: <h1>No\\r\\n\\u{1b}[2J</h1>",
        ),
        (
            &[
                b"HTTP/1.1 403 No\r\nContent-Type: image/png\r\n\r\n",
                b"\x89PNG",
            ],
            true,
            b"\x89PNG",
            "403 No",
        ),
    ];
    let row = |(pieces, ends, content, shown): Row<'_>| Answer {
        pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
        ends,
        content: content.to_vec(),
        shown: format!("refused: {shown}"),
    };
    rows.into_iter().map(row).collect()
}

/// Serves one client after the other with the answers, and leaves it when it has gone.
fn refuse_all(answers: Vec<Vec<Vec<u8>>>, ends: Vec<bool>) -> (SocketAddr, thread::JoinHandle<()>) {
    let (listener, addr) = listener();
    let serve = move || {
        for (pieces, ends) in answers.into_iter().zip(ends) {
            let mut peer = Peer::over(listener.accept().expect("a client").0, Role::Server);
            peer.head();
            for piece in pieces {
                peer.write(&piece);
            }
            if ends {
                peer.shut();
            }
            peer.rest();
        }
    };
    (addr, thread::spawn(serve))
}

/// What `connect` tells of every answer.
fn assert_told(mut connect: impl FnMut(SocketAddr) -> Error) {
    let answers = answers();
    let pieces = answers.iter().map(|answer| answer.pieces.clone()).collect();
    let ends = answers.iter().map(|answer| answer.ends).collect();
    let (addr, server) = refuse_all(pieces, ends);
    for answer in answers {
        match connect(addr) {
            Error::Handshake(error @ HandshakeError::Refused(_)) => {
                assert!(error.to_string().ends_with(&answer.shown), "{error}");
                let HandshakeError::Refused(response) = error else {
                    continue;
                };
                assert_eq!(response.status(), 403);
                assert!(response.content() == answer.content, "{}", answer.shown);
            }
            other => panic!("{other:?} for {:?}", answer.shown),
        }
    }
    server.join().expect("a server that met every client");
}

fn on_reactor(on: On) {
    let (client, events) = serve(on, calm(), |_| {});
    assert_told(|addr| {
        client.connect(addr, 7);
        match events.next() {
            Event::ConnectFailed(7, error) => error,
            other => panic!("{other:?}"),
        }
    });
    client.stop();
}

#[test]
fn a_reactor_on_mio_is_told_why_it_is_refused() {
    on_reactor(On::Mio);
}

#[test]
fn a_reactor_on_tokio_is_told_why_it_is_refused() {
    on_reactor(On::Tokio);
}

#[test]
fn a_task_is_told_why_it_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    assert_told(|addr| {
        let connector = Connector::new().config(calm());
        let connected = runtime.block_on(connector.connect(&format!("ws://{addr}/")));
        connected.expect_err("a server that refuses")
    });
}
