//! nexus: the async reader and writer of nexus-async-web 0.10, and the frame codec of nexus-web 0.8
//! below them.
//!
//! The async writer writes each message at once and cannot batch. The codec can: its authors'
//! parse loop takes every whole message out of the buffer after a read, and encodes into any slice,
//! so that one write carries all answers.

use anyhow::{Result, ensure};
use nexus_async_web::AsyncReadAdapter;
use nexus_async_web::ws::{WsReader, WsWriter};
use nexus_web::buf::WriteBuf;
use nexus_web::ws::{FrameReader, FrameWriter, Message, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Wire;

/// Most bytes of one read: an eighth of the read buffer (1 MiB), the authors' default and their
/// advice for throughput.
const READ_BYTES_MAX: usize = 128 * 1024;
/// The async writer's buffer, which does not grow: the authors' default of 64 KiB is too small for
/// the largest case.
const WRITE_BUFFER_BYTES: usize = 128 * 1024;
/// Room for the longest header in front of a payload: RFC 6455 section 5.2.
const HEADER_BYTES_MAX: usize = 14;

/// nexus-async-web 0.10 as its documentation advises for speed: `WsReader::recv` lends a message
/// out of the read buffer, `WsWriter` encodes and writes the answer.
///
/// # Errors
/// The error of the connection, or a message that the write buffer cannot hold.
pub async fn nexus_async_web<S: Wire>(stream: S) -> Result<()> {
    let mut stream = AsyncReadAdapter::new(stream);
    let mut reader = WsReader::from_raw_parts(frame_reader(), READ_BYTES_MAX);
    let buffer = WriteBuf::new(WRITE_BUFFER_BYTES, HEADER_BYTES_MAX);
    let mut writer = WsWriter::from_raw_parts(FrameWriter::new(Role::Server), buffer);
    while let Some(message) = reader.recv(&mut stream).await? {
        // The buffer panics instead of reporting it.
        ensure!(
            message.as_bytes().len() <= WRITE_BUFFER_BYTES - HEADER_BYTES_MAX,
            "a message of {} bytes does not fit the write buffer of {WRITE_BUFFER_BYTES}",
            message.as_bytes().len()
        );
        match message {
            Message::Binary(payload) => writer.send_binary(&mut stream, payload).await?,
            Message::Text(text) => writer.send_text(&mut stream, text).await?,
            Message::Ping(payload) => writer.send_pong(&mut stream, payload).await?,
            Message::Pong(_) => {}
            Message::Close(_) => break,
        }
    }
    Ok(())
}

/// nexus-web 0.8: its codec over tokio, which reads straight into the codec's buffer; one write for
/// all that a read brought.
///
/// # Errors
/// The error of the connection.
pub async fn nexus_web<S: Wire>(mut stream: S) -> Result<()> {
    let mut echo = NexusEcho::default();
    while !echo.is_closed() {
        let read = stream.read(echo.spare()).await?;
        if read == 0 {
            break;
        }
        echo.filled(read)?;
        stream.write_all(echo.output()).await?;
        echo.written(echo.output().len());
    }
    Ok(())
}

fn frame_reader() -> FrameReader {
    FrameReader::builder().role(Role::Server).build()
}

/// The codec of nexus-web between its read buffer and one buffer of answers.
pub struct NexusEcho {
    reader: FrameReader,
    writer: FrameWriter,
    /// The answers are at `start..end`. The rest is room, which is kept so that it is zeroed once.
    output: Vec<u8>,
    start: usize,
    end: usize,
    is_closed: bool,
}

impl Default for NexusEcho {
    fn default() -> Self {
        NexusEcho {
            reader: frame_reader(),
            writer: FrameWriter::new(Role::Server),
            output: Vec::new(),
            start: 0,
            end: 0,
            is_closed: false,
        }
    }
}

impl NexusEcho {
    /// Where the next read goes; never empty.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.reader.should_compact() || self.reader.spare().is_empty() {
            self.reader.compact();
        }
        let spare = self.reader.spare();
        let len = spare.len().min(READ_BYTES_MAX);
        &mut spare[..len]
    }

    /// A read has put this many bytes into [`spare`](Self::spare): encodes the answers.
    ///
    /// # Errors
    /// The peer violates the protocol.
    pub fn filled(&mut self, bytes: usize) -> Result<()> {
        self.reader.filled(bytes);
        self.answer()
    }

    /// The same for bytes that were read elsewhere, at the cost of a copy.
    ///
    /// # Errors
    /// The peer violates the protocol, or the bytes do not fit the read buffer.
    pub fn input(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.read(bytes)?;
        self.answer()
    }

    fn answer(&mut self) -> Result<()> {
        while let Some(message) = self.reader.next()? {
            let end = self.end + self.writer.max_encoded_len(message.as_bytes().len());
            if self.output.len() < end {
                self.output.resize(end, 0);
            }
            let room = &mut self.output[self.end..];
            self.end += match message {
                Message::Binary(payload) => self.writer.encode_binary(payload, room),
                Message::Text(text) => self.writer.encode_text(text.as_bytes(), room),
                Message::Ping(payload) => self.writer.encode_pong(payload, room)?,
                Message::Pong(_) => 0,
                Message::Close(_) => {
                    self.is_closed = true;
                    self.writer.encode_empty_close(room)
                }
            };
        }
        Ok(())
    }

    /// The answers that are not written yet.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.output[self.start..self.end]
    }

    /// The first bytes of [`output`](Self::output) are written.
    pub fn written(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Whether the peer has sent a Close.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }
}
