//! Checks every answer before anything is timed: distinct payloads in every length form, on several
//! connections at once, sent in pieces that cut frames anywhere.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, ensure};

use crate::cli::Case;
use crate::load::connect;
use crate::server::Server;
use crate::wire;

/// Payload lengths around every change of the header's length form, in bytes.
const LENGTHS: [usize; 9] = [0, 1, 20, 125, 126, 127, 1024, 65_535, 65_536];
const CONNECTIONS: usize = 3;
/// Messages sent before any is read; one message where payloads exceed `PIPELINED_BYTES_MAX`.
const MESSAGES_PER_BATCH: usize = 16;
const PIPELINED_BYTES_MAX: usize = 4096;
/// Sizes of writes in bytes, in turn: they cut headers, mask keys and payloads.
const PIECES: [usize; 5] = [1, 7, 64, 1000, 30_000];

/// Fails when an echoed byte is wrong, for the standard lengths and for the case's own.
pub(crate) fn prove(server: &Server, case: Case) -> Result<()> {
    let name = server.target.name();
    prove_target(server, case)
        .with_context(|| format!("{name} does not echo correctly and is not timed"))
}

fn prove_target(server: &Server, case: Case) -> Result<()> {
    let mut streams = (0..CONNECTIONS)
        .map(|_| connect(server))
        .collect::<Result<Vec<_>>>()?;
    let mut sequence = 0;
    for length in LENGTHS.into_iter().chain([case.payload_bytes]) {
        for (turn, stream) in streams.iter_mut().enumerate() {
            let messages = if length > PIPELINED_BYTES_MAX {
                1
            } else {
                MESSAGES_PER_BATCH
            };
            let payloads: Vec<Vec<u8>> = (0..messages)
                .map(|_| {
                    sequence += 1;
                    let mut payload = vec![0; length];
                    wire::fill(&mut payload, case.content, sequence);
                    payload
                })
                .collect();
            let raw = !server.target.speaks_websocket();
            exchange(
                stream,
                wire::first_byte(case.content),
                &payloads,
                sequence,
                PIECES[turn % PIECES.len()],
                raw,
            )
            .with_context(|| format!("payload of {length} bytes"))?;
        }
    }
    if server.target.speaks_websocket() {
        ping(&mut streams[0])?;
    }
    Ok(())
}

/// Sends all payloads, `piece` bytes first and the rest in pieces, then reads all echoes.
fn exchange(
    stream: &mut TcpStream,
    first_byte: u8,
    payloads: &[Vec<u8>],
    sequence: u64,
    piece: usize,
    raw: bool,
) -> Result<()> {
    let mut sent = Vec::new();
    for (index, payload) in payloads.iter().enumerate() {
        wire::masked_frame(
            &mut sent,
            first_byte,
            payload,
            wire::mask_key(sequence + index as u64),
        );
    }
    let mut rest = &sent[..];
    for piece in std::iter::once(piece)
        .chain(PIECES)
        .chain(std::iter::repeat(usize::MAX))
    {
        if rest.is_empty() {
            break;
        }
        let (head, tail) = rest.split_at(piece.min(rest.len()));
        stream.write_all(head)?;
        rest = tail;
    }
    if raw {
        let mut echoed = vec![0; sent.len()];
        stream.read_exact(&mut echoed)?;
        ensure!(
            echoed == sent,
            "the echoed bytes differ from the sent bytes"
        );
        return Ok(());
    }
    let mut echoed = Vec::new();
    for (index, payload) in payloads.iter().enumerate() {
        let first = wire::read_frame(stream, &mut echoed, payload.len())?;
        ensure!(
            first == first_byte,
            "message {index}: first byte {first:#04x}, expected {first_byte:#04x}, a whole message as sent"
        );
        ensure!(
            &echoed == payload,
            "message {index}: the payload differs from the sent one"
        );
    }
    Ok(())
}

/// A Ping is answered with a Pong of the same payload (RFC 6455 section 5.5.3), and the message
/// behind it is echoed.
fn ping(stream: &mut TcpStream) -> Result<()> {
    let (nonce, data) = (b"are you there", b"after the ping");
    let mut sent = Vec::new();
    wire::masked_frame(&mut sent, wire::PING, nonce, wire::mask_key(1));
    wire::masked_frame(&mut sent, wire::BINARY, data, wire::mask_key(2));
    stream.write_all(&sent)?;
    let mut seen = [false, false];
    let mut payload = Vec::new();
    for _ in 0..seen.len() {
        match wire::read_frame(stream, &mut payload, 125).context("after a Ping")? {
            wire::PONG => seen[0] = payload == nonce,
            wire::BINARY => seen[1] = payload == data,
            first => ensure!(false, "first byte {first:#04x} after a Ping"),
        }
    }
    ensure!(
        seen == [true, true],
        "the Pong or the echo behind a Ping has a wrong payload"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
