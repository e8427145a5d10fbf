//! The client's own minimal RFC 6455: enough to load and check a server. It shares no code with the
//! libraries under test.

use std::io::{Read, Write};

use anyhow::{Context as _, Result, bail, ensure};

use crate::cli::Content;

/// First byte of a whole binary message: FIN, opcode 2.
pub(crate) const BINARY: u8 = 0x82;
/// First byte of a whole text message: FIN, opcode 1.
pub(crate) const TEXT: u8 = 0x81;
/// First byte of a Ping: FIN, opcode 9.
pub(crate) const PING: u8 = 0x89;
/// First byte of a Pong: FIN, opcode 10.
pub(crate) const PONG: u8 = 0x8A;

const MASK_BIT: u8 = 0x80;
/// Longest accepted response head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Pseudo-random words (splitmix64): the same payloads in every run.
fn word(state: u64) -> u64 {
    let mut z = state
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// First byte of a whole message of this kind.
pub(crate) fn first_byte(content: Content) -> u8 {
    match content {
        Content::Binary => BINARY,
        Content::Ascii | Content::Mixed => TEXT,
    }
}

/// Fills a payload from its sequence number: the number, then pseudo-random bytes that it seeds.
pub(crate) fn fill(payload: &mut [u8], content: Content, sequence: u64) {
    match content {
        Content::Binary => fill_binary(payload, sequence),
        Content::Ascii => fill_text(payload, sequence, &["0123456789ABCDEF"]),
        Content::Mixed => fill_text(
            payload,
            sequence,
            &["ticker 42", "\u{e9}", "\u{20ac}", "\u{1f4c8}"],
        ),
    }
}

/// Fills a payload with the last four hexadecimal digits of the number, lowest first, then with
/// pseudo-random characters of `noise`. Full stops fill what is too short for the next character.
fn fill_text(payload: &mut [u8], sequence: u64, noise: &[&str]) {
    let mut text = String::with_capacity(payload.len());
    for digit in 0..4 {
        text.extend(char::from_digit((sequence >> (4 * digit)) as u32 & 15, 16));
    }
    for index in 1.. {
        let drawn = word(sequence ^ (index << 32)) as usize;
        let kind = noise[drawn % noise.len()];
        let Some(next) = kind.chars().cycle().nth((drawn >> 8) % kind.len()) else {
            break;
        };
        if text.len() + next.len_utf8() > payload.len() {
            break;
        }
        text.push(next);
    }
    let filled = text.len().min(payload.len());
    payload.fill(b'.');
    payload[..filled].copy_from_slice(&text.as_bytes()[..filled]);
}

fn fill_binary(payload: &mut [u8], sequence: u64) {
    for (index, chunk) in payload.chunks_mut(8).enumerate() {
        let value = if index == 0 {
            sequence
        } else {
            word(sequence ^ ((index as u64) << 32))
        };
        chunk.copy_from_slice(&value.to_le_bytes()[..chunk.len()]);
    }
}

/// A mask key without a zero byte: a zero key would make unmasking free.
pub(crate) fn mask_key(sequence: u64) -> [u8; 4] {
    let value = word(!sequence) | 0x0101_0101;
    [
        value as u8,
        (value >> 8) as u8,
        (value >> 16) as u8,
        (value >> 24) as u8,
    ]
}

fn header(out: &mut Vec<u8>, first: u8, mask_bit: u8, payload_bytes: usize) {
    out.push(first);
    match payload_bytes {
        0..=125 => out.push(mask_bit | payload_bytes as u8),
        126..=0xFFFF => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(payload_bytes as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// Appends a client's frame (masked).
pub(crate) fn masked_frame(out: &mut Vec<u8>, first: u8, payload: &[u8], key: [u8; 4]) {
    header(out, first, MASK_BIT, payload.len());
    out.extend_from_slice(&key);
    out.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
}

/// Appends a server's frame (not masked).
pub(crate) fn unmasked_frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    header(out, first, 0, payload.len());
    out.extend_from_slice(payload);
}

/// Reads one server frame into `payload` and returns its first byte. Blocking.
pub(crate) fn read_frame(
    stream: &mut impl Read,
    payload: &mut Vec<u8>,
    payload_bytes_max: usize,
) -> Result<u8> {
    let mut head = [0; 2];
    stream
        .read_exact(&mut head)
        .context("no frame header arrived")?;
    ensure!(
        head[1] & MASK_BIT == 0,
        "the server sent a masked frame (RFC 6455 section 5.1)"
    );
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            u64::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length)?;
            u64::from_be_bytes(length)
        }
        short => u64::from(short),
    };
    ensure!(
        length <= payload_bytes_max as u64,
        "the server sent a frame of {length} bytes, more than expected"
    );
    payload.resize(length as usize, 0);
    stream
        .read_exact(payload)
        .context("the connection ended inside a frame")?;
    Ok(head[0])
}

/// The client's half of the opening handshake. Blocking; leaves no byte unread.
pub(crate) fn upgrade(stream: &mut (impl Read + Write), host: &str) -> Result<()> {
    // The example key and answer of RFC 6455 section 1.3.
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )?;
    // Byte by byte, so that nothing behind the head is read.
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(
            head.len() < HEAD_BYTES_MAX,
            "the response head is longer than {HEAD_BYTES_MAX} bytes"
        );
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .context("the server closed the connection during the opening handshake")?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    if !head.starts_with("HTTP/1.1 101") || !head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
        bail!(
            "the server did not upgrade: {}",
            head.lines().next().unwrap_or("no status line")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
