//! Payloads that are somebody else's: `Bytes` whose owner may be any code, a [`Message`] of another
//! connection among it, which locks that connection when it is dropped. They go where no lock of
//! ours is held, or two connections that relay to each other would wait for each other's for ever.
//!
//! ```text
//! lock ─┬─ Section ──────────────────┬─ unlock, wake, drop what was spent
//!       └─ the core drops a payload ─┘
//! ```
//!
//! [`Message`]: super::Message

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem;
use std::vec::Vec;

use bytes::Bytes;

std::thread_local! {
    /// How many sections this thread is in.
    static SECTIONS: Cell<u32> = const { Cell::new(0) };
    /// What was dropped in them. As much as was queued at most.
    static SPENT: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

/// A lock is held by this thread, or has just been opened.
#[derive(Debug)]
pub(crate) struct Section {
    /// It stays on its thread, as the lock does.
    _thread: PhantomData<*const ()>,
}

impl Section {
    pub(crate) fn enter() -> Self {
        SECTIONS.set(SECTIONS.get() + 1);
        Self {
            _thread: PhantomData,
        }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        let left = SECTIONS.get() - 1;
        SECTIONS.set(left);
        // One by one: what is dropped may go in and out of sections itself.
        while left == 0
            && let Ok(Some(spent)) = SPENT.try_with(|spent| spent.borrow_mut().pop())
        {
            drop(spent);
        }
    }
}

/// The same bytes, the owner of which is not dropped in a [`Section`].
pub(super) fn lend(payload: Bytes) -> Bytes {
    Bytes::from_owner(Lent(payload))
}

struct Lent(Bytes);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if SECTIONS.get() > 0 {
            let payload = mem::take(&mut self.0);
            // A thread that ends has no such list any more: then it is dropped here.
            let _ = SPENT.try_with(|spent| spent.borrow_mut().push(payload));
        }
    }
}
