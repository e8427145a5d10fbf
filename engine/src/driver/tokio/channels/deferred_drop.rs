//! Payloads whose drop may run code of the application: the owner behind a `Bytes` may be of any
//! type, a [`ChannelMessage`] of another connection for instance, which locks that connection when
//! it is dropped. Such a payload must be dropped while no lock of a connection is held: otherwise
//! two connections that relay to each other could deadlock.
//!
//! ```text
//! lock ─┬─ Section ──────────────────┬─ unlock, wake, drop the deferred payloads
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
    /// Number of nested sections of this thread.
    static SECTIONS: Cell<u32> = const { Cell::new(0) };
    /// Payloads dropped in them, at most as many as were queued.
    static DEFERRED: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

/// This thread holds a lock, or has just unlocked it.
#[derive(Debug)]
pub(crate) struct Section {
    /// Not `Send`: a section stays on its thread, like the lock.
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
        let _leave = LeaveSection;
        // Dropping a payload may enter and leave other sections. Those are nested ones and leave
        // their payloads to this loop: otherwise the recursion would be as deep as the number of
        // payloads.
        while SECTIONS.get() == 1
            && let Ok(Some(deferred)) = DEFERRED.try_with(|deferred| deferred.borrow_mut().pop())
        {
            drop(deferred);
        }
    }
}

/// Leaves a section, also if the drop of a payload panics.
struct LeaveSection;

impl Drop for LeaveSection {
    fn drop(&mut self) {
        SECTIONS.set(SECTIONS.get() - 1);
    }
}

/// The same bytes; their owner is dropped outside of every [`Section`].
pub(super) fn defer_drop(payload: Bytes) -> Bytes {
    Bytes::from_owner(DeferredDrop(payload))
}

/// [`defer_drop`] for a payload that may be kept in the queue. A short payload is copied there, and is
/// dropped by its call.
pub(super) fn defer_drop_if_shared(payload: Bytes) -> Bytes {
    match payload.len() {
        ..SHARED_BYTES_MIN => payload,
        _ => defer_drop(payload),
    }
}

struct DeferredDrop(Bytes);

impl AsRef<[u8]> for DeferredDrop {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for DeferredDrop {
    fn drop(&mut self) {
        if SECTIONS.get() > 0 {
            let payload = mem::take(&mut self.0);
            // A thread that ends has no list any more: the payload is then dropped here.
            let _ = DEFERRED.try_with(|deferred| deferred.borrow_mut().push(payload));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An owner that takes a lock when it is dropped.
    struct LockingOwner;

    impl AsRef<[u8]> for LockingOwner {
        fn as_ref(&self) -> &[u8] {
            b"owned"
        }
    }

    impl Drop for LockingOwner {
        fn drop(&mut self) {
            drop(Section::enter());
        }
    }

    /// More payloads than a connection may queue: dropping them must not use stack for each.
    #[test]
    fn payloads_are_dropped_one_after_another() {
        let queued: Vec<Bytes> = (0..100_000)
            .map(|_| defer_drop(Bytes::from_owner(LockingOwner)))
            .collect();
        let section = Section::enter();
        drop(queued);
        assert_eq!(DEFERRED.with_borrow(Vec::len), 100_000);
        drop(section);
        assert_eq!(DEFERRED.with_borrow(Vec::len), 0);
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
        let payload = defer_drop(Bytes::from_owner(Panics));
        let panicked = std::panic::catch_unwind(move || {
            let _section = Section::enter();
            drop(payload);
        });
        assert!(panicked.is_err());
        assert_eq!(SECTIONS.get(), 0);
    }
}
