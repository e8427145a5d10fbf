//! sockudo-ws 3.1: its sans-IO `Protocol` over mio and over tokio.
//!
//! `Protocol` runs as its authors advise for speed: raw messages, a reused vector, one write per
//! read. Payloads of 8 KiB and more (their `ZERO_COPY_MIN`) are queued by reference and sent with a
//! vectored write instead of being copied. Raw messages are not checked as UTF-8, which RFC 6455
//! section 8.1 asks of a receiver: the check is done here, with sockudo's own validator.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Write as _};

use anyhow::{Result, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use mio::net::TcpStream as MioStream;
use sockudo_ws::cork::ZERO_COPY_MIN;
use sockudo_ws::frame::{encode_frame, encode_frame_header};
use sockudo_ws::protocol::Protocol;
use sockudo_ws::utf8::validate_utf8;
use sockudo_ws::{Config, Message, OpCode, RECV_BUFFER_SIZE, RawMessage, Role};
use tokio::net::TcpStream;

use super::accept::Opening;
use super::reactor;

/// Segments given to one vectored write: two per large message, 32 messages.
const SEGMENTS_PER_WRITE_MAX: usize = 64;

/// `Protocol` over tokio: reads go straight into the buffer that it parses.
pub(super) async fn protocol(stream: TcpStream) -> Result<()> {
    let mut echo = Echo::new();
    loop {
        stream.readable().await?;
        echo.input.reserve(RECV_BUFFER_SIZE);
        match stream.try_read_buf(&mut echo.input) {
            Ok(0) => return Ok(()),
            Ok(_) => echo.answer()?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        }
        while !echo.output.is_empty() {
            match echo.output.write_once(
                |slices| stream.try_write_vectored(slices),
                |one| stream.try_write(one),
            ) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// `Protocol` over mio. The shared receive buffer costs it a copy of what was read (safe code
/// cannot read into a `BytesMut` past its length). The tokio variant does not have this copy.
pub(super) struct Session {
    opening: Opening,
    echo: Echo,
}

impl Session {
    pub(super) fn new() -> Self {
        Session {
            opening: Opening::default(),
            echo: Echo::new(),
        }
    }
}

impl reactor::Session for Session {
    fn input(&mut self, stream: &mut MioStream, bytes: &[u8]) -> Result<()> {
        if self.opening.take(stream, bytes)? {
            return Ok(());
        }
        self.echo.input.extend_from_slice(bytes);
        self.echo.answer()?;
        self.flush(stream)
    }

    fn flush(&mut self, stream: &mut MioStream) -> Result<()> {
        while !self.echo.output.is_empty() {
            let mut socket = &*stream;
            match self.echo.output.write_once(
                |slices| (&*stream).write_vectored(slices),
                |one| socket.write(one),
            ) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn is_blocked(&self) -> bool {
        !self.echo.output.is_empty()
    }
}

/// A `Protocol` between an input and an output buffer.
struct Echo {
    protocol: Protocol,
    input: BytesMut,
    messages: Vec<RawMessage>,
    output: Output,
}

impl Echo {
    fn new() -> Self {
        let config = Config::default();
        Echo {
            protocol: Protocol::new(Role::Server, config.max_frame_size, config.max_message_size),
            input: BytesMut::new(),
            messages: Vec::new(),
            output: Output::default(),
        }
    }

    /// Encodes the answer to every whole message in `input`.
    fn answer(&mut self) -> Result<()> {
        self.protocol
            .process_raw_into(&mut self.input, &mut self.messages)?;
        for message in self.messages.drain(..) {
            match message {
                RawMessage::Binary(payload) => self.output.push(OpCode::Binary, payload),
                RawMessage::Text(payload) => {
                    ensure!(validate_utf8(&payload), "text that is not UTF-8");
                    self.output.push(OpCode::Text, payload);
                }
                RawMessage::Ping(payload) => self.output.push(OpCode::Pong, payload),
                RawMessage::Pong(_) => {}
                RawMessage::Close(_) => self
                    .protocol
                    .encode_message(&Message::Close(None), &mut self.output.tail)?,
            }
        }
        Ok(())
    }
}

/// Output in order: the large payloads with what comes before them, then the tail.
#[derive(Default)]
struct Output {
    segments: VecDeque<Bytes>,
    tail: BytesMut,
}

impl Output {
    fn push(&mut self, opcode: OpCode, payload: Bytes) {
        if payload.len() < ZERO_COPY_MIN {
            encode_frame(&mut self.tail, opcode, &payload, true, None);
        } else {
            encode_frame_header(&mut self.tail, opcode, payload.len(), true, None);
            self.segments.push_back(self.tail.split().freeze());
            self.segments.push_back(payload);
        }
    }

    fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.tail.is_empty()
    }

    /// One write: vectored if there are segments, plain if there is only the tail.
    fn write_once(
        &mut self,
        vectored: impl FnOnce(&[IoSlice<'_>]) -> std::io::Result<usize>,
        plain: impl FnOnce(&[u8]) -> std::io::Result<usize>,
    ) -> std::io::Result<()> {
        let mut written = if self.segments.is_empty() {
            plain(&self.tail)?
        } else {
            let mut slices = [IoSlice::new(&[]); SEGMENTS_PER_WRITE_MAX];
            let pieces = self
                .segments
                .iter()
                .map(|segment| &segment[..])
                .chain(std::iter::once(&self.tail[..]));
            let mut used = 0;
            for (slot, piece) in slices.iter_mut().zip(pieces) {
                *slot = IoSlice::new(piece);
                used += 1;
            }
            vectored(&slices[..used])?
        };
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        while let Some(first) = self.segments.front_mut() {
            if written < first.len() {
                first.advance(written);
                return Ok(());
            }
            written -= first.len();
            self.segments.pop_front();
        }
        if written == self.tail.len() {
            self.tail.clear();
        } else {
            self.tail.advance(written);
        }
        Ok(())
    }
}
