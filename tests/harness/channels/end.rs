//! One end of a simulated connection: a `ChannelSession` over the sending half of a WebSocket,
//! whose other half is the simulator's.

use std::ops::{Deref, DerefMut};

use tickwire::channels::{
    ChannelConfig, ChannelSession, Channels, Event, OUTBOX_FILL_BYTES_MAX, RecordReader,
    SUBPROTOCOL,
};
use tickwire::sans_io::{Entropy, Session, WriteSide};
use tickwire::{Message, Role, Timestamp};

use crate::frames::op;

/// Bytes of the header of a frame with 16 bits of length.
const HEADER_BYTES: usize = 4;

/// See the module. Dereferences to what the application uses.
#[derive(Debug)]
pub struct End {
    /// What is tested.
    pub session: ChannelSession,
    write: WriteSide,
    /// Records that were taken together, see [`Self::poll_record`].
    turn: usize,
}

impl Deref for End {
    type Target = Channels;

    fn deref(&self) -> &Channels {
        self.session.channels()
    }
}

impl DerefMut for End {
    fn deref_mut(&mut self) -> &mut Channels {
        self.session.channels_mut()
    }
}

impl End {
    /// An end that has said nothing yet. A server's, which does not mask.
    ///
    /// # Panics
    /// Where the default limits of a WebSocket do not carry channels.
    #[must_use]
    pub fn new(config: &ChannelConfig, now: Timestamp) -> Self {
        let below = tickwire::Config::default();
        let session = Session::new(Role::Server, below, Entropy([9; 32]), &[], now)
            .expect("limits that work");
        let (_, mut write) = session.split();
        let agreed = Some(SUBPROTOCOL);
        let session = ChannelSession::start(config.clone(), agreed, write.outbox(), now);
        Self {
            session: session.expect("a WebSocket with the default limits"),
            write,
            turn: 0,
        }
    }

    /// The records that the transport takes now: one, or every other time as many as may wait
    /// ahead in an outbox.
    pub fn poll_records(&mut self, now: Timestamp) -> Vec<Vec<u8>> {
        self.turn += 1;
        if self.turn.is_multiple_of(2) {
            return self.fill_behind(0, now);
        }
        self.poll_record(now).into_iter().collect()
    }

    /// One record: with so much ahead of it that the outbox is full when it has it.
    pub fn poll_record(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        let mut records = self.fill_behind(OUTBOX_FILL_BYTES_MAX - 1, now);
        assert!(records.len() <= 1, "records pass OUTBOX_FILL_BYTES_MAX");
        records.pop()
    }

    /// The transport takes nothing: the outbox is full already.
    pub fn block(&mut self, now: Timestamp) {
        let records = self.fill_behind(OUTBOX_FILL_BYTES_MAX, now);
        assert_eq!(records.len(), 0, "records pass OUTBOX_FILL_BYTES_MAX");
    }

    /// What `fill` moves into an outbox in which so many bytes wait.
    fn fill_behind(&mut self, ahead: usize, now: Timestamp) -> Vec<Vec<u8>> {
        let outbox = self.write.outbox();
        if let Some(payload) = ahead.checked_sub(HEADER_BYTES) {
            outbox.send(vec![0; payload]).expect("an empty queue");
        }
        assert_eq!(outbox.queued_bytes(), ahead);
        let full = self.session.fill(outbox, now);
        let more = self.session.wants_write();
        assert_eq!(full, more, "what is left, and nothing else, waits for room");
        let written = self.take_written(now);
        let mut messages = messages(&written);
        if ahead > 0 {
            messages.remove(0);
        }
        messages
    }

    fn take_written(&mut self, now: Timestamp) -> Vec<u8> {
        let mut written = Vec::new();
        while self.write.wants_write() {
            let before = written.len();
            self.write
                .transmit()
                .for_each(|slice| written.extend_from_slice(slice));
            self.write.handle_written(written.len() - before, now);
        }
        written
    }

    /// A record came: its events are taken with [`Self::next`].
    ///
    /// # Panics
    /// Never: a binary message is a record.
    pub fn receive<'r>(&mut self, record: &'r [u8], now: Timestamp) -> RecordReader<'r> {
        let received = self.session.receive(Message::Binary(record), now);
        received.expect("a binary message is a record")
    }

    /// The next event of a record.
    pub fn next<'r>(&mut self, record: &mut RecordReader<'r>) -> Option<Event<'r>> {
        self.session.next(record)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.session.handle_timeout(&mut self.write, now);
    }
}

/// Payloads of whole binary messages, unmasked.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let [first, short, after @ ..] = bytes {
        assert_eq!(*first, 0x80 | op::BIN, "nothing but records is sent");
        let width = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let long = after[..width]
            .iter()
            .fold(0, |n, &b| n << 8 | usize::from(b));
        let len = if width > 0 { long } else { usize::from(*short) };
        let (payload, rest) = after[width..].split_at(len);
        messages.push(payload.to_vec());
        bytes = rest;
    }
    assert_eq!(bytes, [], "whole frames");
    messages
}
