use crate::buf::{Chunks, Side};

use super::outbox::Outbox;

/// The slices to write next, in stream order: the rest of a partly written frame, control frames,
/// data frames.
#[derive(Clone, Debug)]
pub struct Transmit<'a> {
    before: Chunks<'a>,
    control: &'a [u8],
    after: Chunks<'a>,
}

impl<'a> Transmit<'a> {
    pub(super) fn new(outbox: &'a Outbox) -> Self {
        let chunks = |side| outbox.queue().chunks(side);
        Self {
            before: chunks(Side::BeforeMark),
            control: outbox.control_bytes(),
            after: if outbox.defers_data() {
                chunks(Side::FromMark).emptied()
            } else {
                chunks(Side::FromMark)
            },
        }
    }
}

impl<'a> Iterator for Transmit<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(chunk) = self.before.next() {
            return Some(chunk);
        }
        if !self.control.is_empty() {
            return Some(core::mem::take(&mut self.control));
        }
        self.after.next()
    }
}
