//! What comes in: records of the peer's, being read, and what the application is yet to be told.

use alloc::collections::VecDeque;

use super::super::error::Failure;
use super::super::event::Event;
use super::super::wire::Frames;

/// A record of the peer's, being read: what [`Connection::receive`](super::Connection::receive)
/// gives, for [`Connection::next`](super::Connection::next).
#[derive(Debug)]
pub struct RecordReader<'r> {
    pub(super) frames: Frames<'r>,
    /// What follows the event that was given last.
    pub(super) next: Option<Event<'r>>,
}

impl RecordReader<'_> {
    /// Nothing more of the record is read.
    pub(super) fn stop(&mut self) {
        self.frames = Frames::new(&[]);
        self.next = None;
    }
}

/// The receiving side of a connection. Nothing else writes these fields.
#[derive(Default)]
pub(super) struct Incoming {
    /// What happened without a record.
    events: VecDeque<Event<'static>>,
    /// The end of the connection, which is told after all else.
    ended: Option<Failure>,
}

impl Incoming {
    pub(super) fn tell(&mut self, event: Event<'static>) {
        self.events.push_back(event);
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn next_event(&mut self) -> Option<Event<'static>> {
        self.events.pop_front()
    }

    /// The end is told when all else is.
    pub(super) fn tell_end(&mut self, failure: Failure) {
        self.ended = Some(failure);
    }

    pub(super) fn take_end(&mut self) -> Option<Failure> {
        self.ended.take()
    }
}
