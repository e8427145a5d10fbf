//! The server's half of the opening handshake (RFC 6455 section 4.2), the same for every peer.
//!
//! It checks almost nothing: the only client is the load generator of this program.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use mio::net::TcpStream as MioStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Longest accepted request head, in bytes; the load generator sends less than 200.
const HEAD_BYTES_MAX: usize = 4096;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The 101 response when `head` is complete; `None` before.
fn respond(head: &[u8]) -> Result<Option<String>> {
    ensure!(
        head.len() <= HEAD_BYTES_MAX,
        "request head is longer than {HEAD_BYTES_MAX} bytes"
    );
    if !head.ends_with(END_OF_HEAD) {
        return Ok(None);
    }
    let text = std::str::from_utf8(head).context("request head is not text")?;
    let key = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map(|(_, value)| value.trim())
        .context("request head has no Sec-WebSocket-Key")?;
    let accept = derive_accept_key(key.as_bytes());
    Ok(Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )))
}

/// The opening handshake of a connection over mio.
#[derive(Default)]
pub(super) struct Opening {
    head: Vec<u8>,
    is_done: bool,
}

impl Opening {
    /// Takes bytes of the request, and answers it when it is complete. `false`: the connection is
    /// open, and the bytes are frames.
    pub(super) fn take(&mut self, stream: &mut MioStream, bytes: &[u8]) -> Result<bool> {
        if self.is_done {
            return Ok(false);
        }
        self.head.extend_from_slice(bytes);
        if let Some(response) = respond(&self.head)? {
            stream.write_all(response.as_bytes())?;
            self.is_done = true;
        }
        Ok(true)
    }
}

/// Reads the request and answers it. Then the stream is a WebSocket.
pub(super) async fn upgrade(stream: &mut TcpStream) -> Result<()> {
    let mut head = Vec::with_capacity(512);
    loop {
        let n = stream.read_buf(&mut head).await?;
        ensure!(n > 0, "connection closed inside the request head");
        if let Some(response) = respond(&head)? {
            stream.write_all(response.as_bytes()).await?;
            return Ok(());
        }
    }
}
