//! Heads of opening handshakes over a stream.

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

/// A parser of heads: what it found, and the bytes it took.
pub(super) type Parsed<T> = Result<Option<(T, usize)>, HandshakeError>;

/// Reads until `parse` has found a whole head; gives the bytes that came behind it too. The
/// parser bounds the bytes, the caller the time.
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

/// Sends a last answer, and waits for the peer to have read it: `patience` for both.
pub(super) async fn part_with<S>(io: &mut S, answer: &[u8], patience: Duration) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut answered = false;
    let part = async {
        write_head(io, answer).await?;
        io.shutdown().await?;
        answered = true;
        let mut drained = [0; 1024];
        let mut left = LINGER_BYTES_MAX as usize;
        while let Ok(n @ 1..) = io.read(&mut drained).await {
            match left.checked_sub(n) {
                Some(rest) => left = rest,
                None => break, // it does not listen
            }
        }
        Ok(())
    };
    match within(patience, Deadline::Close, part).await {
        // A peer that neither reads nor closes had its chance.
        Err(Error::Timeout(_)) if answered => Ok(()),
        parted => parted,
    }
}

/// `f`, or a timeout.
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
