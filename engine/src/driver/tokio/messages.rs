//! A batch of messages that borrow from the receive buffer.

use crate::conn::{Batch, Message};

/// The messages that one read has received, borrowed from the receive buffer; see [`Batch`].
///
/// The iterator ends at a failure. The next receive then sends the Close that names the failure to
/// the peer, and returns the failure.
#[derive(Debug)]
pub struct Messages<'a>(pub(super) Batch<'a>);

impl<'a> Messages<'a> {
    /// The same batch, as an iterator that also yields a failure. After a failure, receive once
    /// more: otherwise the peer does not get the Close that names the failure.
    #[must_use]
    pub fn into_batch(self) -> Batch<'a> {
        self.0
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    #[inline]
    fn next(&mut self) -> Option<Message<'a>> {
        self.0.next()?.ok()
    }
}

impl core::iter::FusedIterator for Messages<'_> {}
