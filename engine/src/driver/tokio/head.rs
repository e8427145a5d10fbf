//! Reads and writes the heads of opening handshakes.

use std::future::Future;
use std::io;
use std::time::Duration;
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::super::error::Error;
use crate::error::Deadline;
use crate::handshake::HandshakeError;
use crate::session::LINGER_BYTES_MAX;

/// Bytes by which the buffer for a head grows: most heads fit the first.
const HEAD_GROWTH_BYTES: usize = 1024;

/// The result of a head parser: the head and the bytes that it takes, or `None` while the head is
/// incomplete.
pub(super) type Parsed<T> = Result<Option<(T, usize)>, HandshakeError>;

/// Reads until `parse` returns a head; also returns the bytes received after the head. The parser
/// limits the bytes, the caller limits the time.
pub(super) async fn read_head<S: AsyncRead + Unpin, T>(
    io: &mut S,
    mut parse: impl FnMut(&[u8]) -> Parsed<T>,
) -> Result<(T, Vec<u8>), Error> {
    let mut bytes = Vec::new();
    let mut filled = 0;
    loop {
        if let Some((head, consumed)) = parse(bytes.get(..filled).unwrap_or_default())? {
            bytes.truncate(filled);
            bytes.drain(..consumed.min(filled));
            return Ok((head, bytes));
        }
        if filled == bytes.len() {
            bytes.resize(filled + HEAD_GROWTH_BYTES, 0);
        }
        let n = io.read(bytes.get_mut(filled..).unwrap_or_default()).await?;
        if n == 0 {
            let what = "the stream ended inside the opening handshake";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into());
        }
        filled += n;
    }
}

pub(super) async fn write_head<S: AsyncWrite + Unpin>(
    io: &mut S,
    head: &[u8],
) -> Result<(), Error> {
    io.write_all(head).await?;
    io.flush().await?;
    Ok(())
}

/// Writes a final response, shuts down the write half, and reads until the peer closes: `limit` for
/// all of it. Closing at once could destroy the response on its way (RFC 9112 section 9.6).
pub(super) async fn send_final_response<S>(
    io: &mut S,
    response: &[u8],
    limit: Duration,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut sent = false;
    let exchange = async {
        write_head(io, response).await?;
        io.shutdown().await?;
        sent = true;
        let mut drained = [0; 1024];
        let mut left = LINGER_BYTES_MAX as usize;
        while let Ok(n @ 1..) = io.read(&mut drained).await {
            match left.checked_sub(n) {
                Some(rest) => left = rest,
                None => break, // the peer goes on sending: close anyway
            }
        }
        Ok(())
    };
    match within(limit, Deadline::Close, exchange).await {
        // The response was sent; the peer has not closed in time.
        Err(Error::Timeout(_)) if sent => Ok(()),
        result => result,
    }
}

/// Awaits `f`; [`Error::Timeout`] with `deadline` if `limit` passes first.
pub(super) async fn within<T>(
    limit: Duration,
    deadline: Deadline,
    f: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match timeout(limit, f).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout(deadline)),
    }
}
