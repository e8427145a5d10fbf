//! Payloads that are somebody else's: `Bytes` whose owner may be any code, a [`ChannelMessage`] of another
//! connection among it, which locks that connection when it is dropped. They go where no lock of
//! ours is held, or two connections that relay to each other would wait for each other's for ever.
//!
//! ```text
//! lock ─┬─ Section ──────────────────┬─ unlock, wake, drop what was spent
//!       └─ a payload is dropped ─────┘
//! ```
//!
//! [`ChannelMessage`]: super::ChannelMessage

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem;
use std::vec::Vec;

use bytes::Bytes;

use crate::session::channels::SHARED_BYTES_MIN;

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
        let _leave = Leave;
        // What is dropped goes in and out of sections itself. They are inner ones, and leave what
        // they spend to this loop: else there would be one in another for each payload.
        while SECTIONS.get() == 1
            && let Ok(Some(spent)) = SPENT.try_with(|spent| spent.borrow_mut().pop())
        {
            drop(spent);
        }
    }
}

/// Leaves a section, also where a payload's owner panics.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        SECTIONS.set(SECTIONS.get() - 1);
    }
}

/// The same bytes, the owner of which is not dropped in a [`Section`].
pub(super) fn lend(payload: Bytes) -> Bytes {
    Bytes::from_owner(Lent(payload))
}

/// [`lend`], for a payload that is kept: a short one is copied, and stays with its call.
pub(super) fn lend_if_shared(payload: Bytes) -> Bytes {
    match payload.len() {
        ..SHARED_BYTES_MIN => payload,
        _ => lend(payload),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Its owner takes a lock when it is dropped, and so on.
    struct Owner;

    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            b"owned"
        }
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            drop(Section::enter());
        }
    }

    /// As many as a connection may keep, and more: they take no stack each.
    #[test]
    fn payloads_are_dropped_one_after_another() {
        let queued: Vec<Bytes> = (0..100_000)
            .map(|_| lend(Bytes::from_owner(Owner)))
            .collect();
        let section = Section::enter();
        drop(queued);
        assert_eq!(SPENT.with_borrow(Vec::len), 100_000);
        drop(section);
        assert_eq!(SPENT.with_borrow(Vec::len), 0);
        assert_eq!(SECTIONS.get(), 0);
    }

    #[test]
    fn an_owner_that_panics_leaves_the_section() {
        struct Panics;
        impl AsRef<[u8]> for Panics {
            fn as_ref(&self) -> &[u8] {
                b""
            }
        }
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("the application's");
            }
        }
        let payload = lend(Bytes::from_owner(Panics));
        let panicked = std::panic::catch_unwind(move || {
            let _section = Section::enter();
            drop(payload);
        });
        assert!(panicked.is_err());
        assert_eq!(SECTIONS.get(), 0);
    }
}
