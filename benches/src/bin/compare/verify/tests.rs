use std::net::TcpListener;

use tokio_tungstenite::tungstenite::{self, Bytes, Message};

use super::*;
use crate::cli::Content;
use crate::server::Target;

/// A server's answers to the payload of its n-th message: any number.
type Answer = fn(usize, Bytes) -> Vec<Bytes>;

/// Runs the check against a server that answers as given.
fn proof_of(answer: Answer) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut socket = tungstenite::accept(stream).unwrap();
                let mut count = 0;
                // Ends when the client leaves.
                while let Ok(message) = socket.read() {
                    if let Message::Binary(payload) = message {
                        count += 1;
                        for payload in answer(count, payload) {
                            let _ = socket.send(Message::Binary(payload));
                        }
                    }
                }
            });
        }
    });
    let server = Server::start(Target::Outside { addr, pid: None }, None, false)?;
    let case = Case {
        payload_bytes: 300,
        content: Content::Binary,
        connections: 1,
        window: 1,
    };
    prove(&server, case)
}

fn flipped(payload: &Bytes) -> Bytes {
    let mut bytes = payload.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 0x10;
    }
    bytes.into()
}

#[test]
fn an_honest_server_passes() {
    proof_of(|_, payload| vec![payload]).unwrap();
}

#[test]
fn a_wrong_repeated_or_padded_echo_fails() {
    let faults: [(&str, Answer); 4] = [
        ("one bit", |n, payload| {
            vec![if n == 40 { flipped(&payload) } else { payload }]
        }),
        ("repeated", |n, payload| {
            if n == 40 {
                vec![payload.clone(), payload]
            } else {
                vec![payload]
            }
        }),
        ("emptied", |n, payload| {
            vec![if n == 40 { Bytes::new() } else { payload }]
        }),
        (
            "lost",
            |n, payload| if n == 40 { vec![] } else { vec![payload] },
        ),
    ];
    for (name, fault) in faults {
        let error = proof_of(fault).expect_err(name);
        assert!(
            format!("{error:#}").contains("does not echo correctly"),
            "{name}: {error:#}"
        );
    }
}
