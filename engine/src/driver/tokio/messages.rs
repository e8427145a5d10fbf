//! A batch of messages, lent.

use crate::conn::{Batch, Message};

/// The messages that one read brought, lent from the receive buffer; see [`Batch`].
///
/// A failure just ends them: the next receive sends the Close that tells the peer, and gives the
/// failure.
#[derive(Debug)]
pub struct Messages<'a>(pub(super) Batch<'a>);

impl<'a> Messages<'a> {
    /// The same with failures among the messages. After one, receive once more, or the peer
    /// does not learn why the connection ends.
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
