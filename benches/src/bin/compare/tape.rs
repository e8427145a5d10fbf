//! Pre-encoded traffic: what a connection sends and what must come back, byte for byte.
//!
//! ```text
//! sent    [masked frame 0][masked frame 1] ... [masked frame PERIOD-1][frame 0] ... [frame BURST-1]
//! echoed  [frame 0       ][frame 1       ] ... [frame PERIOD-1       ][frame 0] ... [frame BURST-1]
//! ```
//!
//! A connection repeats the period without end. The head of the tape is repeated at its end, so
//! that any burst is one slice. One memcmp compares every byte that comes back: the check is cheap
//! enough to run in timed passes. Connections start at different frames, so that the comparison
//! finds an answer that is lost, repeated, reordered or sent to the wrong connection.

use anyhow::{Result, bail};

use crate::cli::Case;
use crate::wire;

/// Frames in one period; each has its own payload, mask key and sequence number.
const PERIOD_FRAMES_SMALL: usize = 256;
/// The same for large payloads, so that the tape stays small.
const PERIOD_FRAMES_LARGE: usize = 12;
/// A payload above this many bytes counts as large.
const LARGE_PAYLOAD_BYTES: usize = 16 * 1024;

/// One size of message, encoded once and shared by all connections of a case.
pub(crate) struct Tape {
    sent: Vec<u8>,
    echoed: Vec<u8>,
    sent_frame_bytes: usize,
    echoed_frame_bytes: usize,
    period_frames: usize,
    burst_frames: usize,
}

impl Tape {
    /// Messages of `case` to be sent at most `burst_frames` at a time. A raw TCP echo returns the
    /// sent bytes; a WebSocket server returns unmasked frames.
    pub(crate) fn new(case: Case, burst_frames: usize, echo_is_raw: bool) -> Tape {
        let Case {
            payload_bytes,
            content,
            ..
        } = case;
        let first = wire::first_byte(content);
        let period_frames = if payload_bytes > LARGE_PAYLOAD_BYTES {
            PERIOD_FRAMES_LARGE
        } else {
            PERIOD_FRAMES_SMALL
        };
        let (mut sent, mut echoed) = (Vec::new(), Vec::new());
        for index in 0..period_frames + burst_frames {
            let sequence = (index % period_frames) as u64;
            let mut payload = vec![0; payload_bytes];
            wire::fill(&mut payload, content, sequence);
            wire::masked_frame(&mut sent, first, &payload, wire::mask_key(sequence));
            if !echo_is_raw {
                wire::unmasked_frame(&mut echoed, first, &payload);
            }
        }
        if echo_is_raw {
            echoed.clone_from(&sent);
        }
        let frames = period_frames + burst_frames;
        Tape {
            sent_frame_bytes: sent.len() / frames,
            echoed_frame_bytes: echoed.len() / frames,
            sent,
            echoed,
            period_frames,
            burst_frames,
        }
    }

    /// Most frames of one `burst`.
    pub(crate) fn burst_frames(&self) -> usize {
        self.burst_frames
    }

    /// Bytes of one sent frame.
    pub(crate) fn sent_frame_bytes(&self) -> usize {
        self.sent_frame_bytes
    }

    /// The bytes of frames `first .. first + frames` of the endless tape. `frames` is at most
    /// `burst_frames`.
    pub(crate) fn burst(&self, first: u64, frames: usize) -> &[u8] {
        let start = self.frame_in_period(first) * self.sent_frame_bytes;
        &self.sent[start..start + frames * self.sent_frame_bytes]
    }

    /// A reader for the echo of a connection that starts to send at frame `first`.
    pub(crate) fn reader(&self, first: u64) -> Reader {
        Reader {
            at: self.frame_in_period(first) * self.echoed_frame_bytes,
        }
    }

    fn frame_in_period(&self, frame: u64) -> usize {
        (frame % self.period_frames as u64) as usize
    }
}

/// A connection's place on the echoed tape.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    /// Offset of the next expected byte on the echoed tape, inside the period.
    at: usize,
}

impl Reader {
    /// Compares received bytes with the tape; returns the number of messages that they complete.
    pub(crate) fn read(&mut self, tape: &Tape, mut received: &[u8]) -> Result<usize> {
        let unfinished_bytes = self.at % tape.echoed_frame_bytes + received.len();
        let period_bytes = tape.period_frames * tape.echoed_frame_bytes;
        while !received.is_empty() {
            let expected = &tape.echoed[self.at..];
            let n = received.len().min(expected.len());
            if received[..n] != expected[..n] {
                return mismatch(&received[..n], &expected[..n], self.at, tape);
            }
            received = &received[n..];
            self.at = (self.at + n) % period_bytes;
        }
        Ok(unfinished_bytes / tape.echoed_frame_bytes)
    }
}

#[cold]
fn mismatch(received: &[u8], expected: &[u8], at: usize, tape: &Tape) -> Result<usize> {
    let index = received
        .iter()
        .zip(expected)
        .position(|(a, b)| a != b)
        .unwrap_or(0);
    let (byte, wanted) = (received[index], expected[index]);
    let in_frame = (at + index) % tape.echoed_frame_bytes;
    let hint = match (in_frame, byte) {
        (0, 0x88) => " (a Close frame)",
        (0, 0x89) => {
            " (a Ping: switch the server's keepalive off, or make it longer than the pass)"
        }
        (0, 0x8A) => " (a Pong nobody asked for)",
        _ => "",
    };
    bail!("wrong echo: byte {in_frame} of a frame is {byte:#04x}{hint}, expected {wanted:#04x}")
}

#[cfg(test)]
mod tests;
