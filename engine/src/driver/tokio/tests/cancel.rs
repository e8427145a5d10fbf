//! Cancel safety: futures are dropped after every few polls and made anew, and the peer receives
//! the same bytes.

use tokio::io::AsyncReadExt;
use tokio::join;

use super::*;
use crate::{CloseCode, Error};

/// Polls of a future before it is dropped.
const POLLS_BEFORE_DROP: [usize; 4] = [1, 2, 3, 7];

fn messages() -> Vec<OwnedMessage> {
    (0..60_u32)
        .map(|i| match i % 3 {
            0 => binary(vec![i as u8; i as usize]),
            1 => OwnedMessage::Text(format!("text {i}").as_str().into()),
            _ => binary(vec![i as u8; 40 * i as usize]),
        })
        .collect()
}

async fn send_one(ws: &mut WebSocket<DuplexStream>, message: &OwnedMessage) -> Result<(), Error> {
    match message {
        OwnedMessage::Binary(data) if data.len() % 2 == 0 => ws.send(data).await,
        OwnedMessage::Binary(data) => ws.send_bytes(data.clone()).await,
        OwnedMessage::Text(text) => ws.send_text(text).await,
        _ => Ok(()),
    }
}

#[tokio::test]
async fn dropped_futures_of_a_whole_connection_lose_nothing() {
    for polls in POLLS_BEFORE_DROP {
        for batches in [false, true] {
            // The queue holds 3 KiB, the pipe 7 bytes: every send waits.
            let (mut client, mut server) = ends(7, |c| c.send_queue_bytes_max = 3000);
            let expected = messages();
            let sending = async {
                for message in &expected {
                    retry_after_drop(polls, async || send_one(&mut client, message).await)
                        .await
                        .unwrap();
                }
                retry_after_drop(polls, async || client.flush().await)
                    .await
                    .unwrap();
                retry_after_drop(polls, async || client.close(CloseCode::NORMAL, "bye").await)
                    .await
                    .unwrap();
            };
            let receiving = async {
                let mut got = Vec::new();
                loop {
                    let more = retry_after_drop(polls, async || {
                        if batches {
                            let batch = server.recv_batch().await.unwrap();
                            batch.map(|(m, _)| m.map(OwnedMessage::from).collect())
                        } else {
                            server.recv().await.unwrap().map(|m| vec![m])
                        }
                    })
                    .await;
                    match more {
                        Some(more) => got.extend(more),
                        None => break got,
                    }
                }
            };
            let ((), mut got) = join!(sending, receiving);
            let close = got.pop();
            assert!(
                matches!(close, Some(OwnedMessage::Close(Some((CloseCode(1000), r)))) if r == "bye")
            );
            assert_eq!(got, expected, "{polls} polls");
        }
    }
}

#[tokio::test]
async fn dropped_futures_of_halves_lose_nothing() {
    for polls in POLLS_BEFORE_DROP {
        let (client, server) = ends(7, |c| c.send_queue_bytes_max = 3000);
        let (mut client_reader, mut client_writer) = client.split();
        let (mut server_reader, mut server_writer) = server.split();
        let expected = messages();
        let sending = async {
            for message in &expected {
                retry_after_drop(polls, async || match message {
                    OwnedMessage::Binary(data) => client_writer.send(data).await,
                    OwnedMessage::Text(text) => client_writer.send_text(text).await,
                    _ => Ok(()),
                })
                .await
                .unwrap();
            }
            retry_after_drop(polls, async || {
                client_writer.close(CloseCode::NORMAL, "").await
            })
            .await
            .unwrap();
        };
        let echoing = async {
            let mut count = 0;
            while let Some(message) =
                retry_after_drop(polls, async || server_reader.recv().await.unwrap()).await
            {
                if let OwnedMessage::Binary(data) = message {
                    retry_after_drop(polls, async || server_writer.send(&data).await)
                        .await
                        .unwrap();
                    count += 1;
                }
            }
            // The echo of the Close comes last.
            count
        };
        let receiving = async {
            let mut got = Vec::new();
            while let Some(messages) = retry_after_drop(polls, async || {
                let batch = client_reader.recv_batch().await.unwrap();
                batch.map(|m| m.map(OwnedMessage::from).collect::<Vec<_>>())
            })
            .await
            {
                got.extend(messages);
            }
            got
        };
        let ((), count, mut got) = join!(sending, echoing, receiving);
        assert_eq!(count, 40);
        got.retain(|m| matches!(m, OwnedMessage::Binary(_)));
        let binaries: Vec<_> = expected
            .into_iter()
            .filter(|m| matches!(m, OwnedMessage::Binary(_)))
            .collect();
        assert_eq!(got, binaries, "{polls} polls");
    }
}

/// The bytes on the wire are the same: nothing is sent twice or in part.
#[tokio::test]
async fn dropped_futures_send_the_same_bytes() {
    let mut expected = Vec::new();
    for i in 0..30_u8 {
        expected.extend_from_slice(&server_frame(2, &vec![i; 2 * i as usize]));
    }
    for polls in POLLS_BEFORE_DROP {
        let (a, mut peer) = duplex(5);
        let mut server = end(a, Role::Server, &config(|c| c.send_queue_bytes_max = 1024));
        let sending = async {
            for i in 0..30_u8 {
                let data = vec![i; 2 * i as usize];
                retry_after_drop(polls, async || server.send(&data).await)
                    .await
                    .unwrap();
            }
            retry_after_drop(polls, async || server.flush().await)
                .await
                .unwrap();
        };
        let mut got = vec![0; expected.len()];
        let ((), read) = join!(sending, peer.read_exact(&mut got));
        read.unwrap();
        assert_eq!(got, expected, "{polls} polls");
    }
}
