//! Allocations of this process, counted with the feature `count-allocations`.

#[cfg(feature = "count-allocations")]
mod counted {
    use std::alloc::System;

    use alloc_tracker::{ProcessSpan, Session};

    #[global_allocator]
    static ALLOCATOR: alloc_tracker::Allocator<System> = alloc_tracker::Allocator::system();

    pub(super) struct Lap {
        session: Session,
        span: ProcessSpan,
    }

    impl Lap {
        pub(super) fn start() -> Lap {
            let session = Session::new().no_stdout().no_file();
            let span = session.operation("lap").measure_process().iterations(1);
            Lap { session, span }
        }

        pub(super) fn end(self) -> Option<u64> {
            drop(self.span);
            let report = self.session.to_report();
            let mut operations = report.operations();
            let (_, counted) = operations.next()?;
            Some(counted.total_allocations_count())
        }
    }
}

/// Without the feature nothing is counted.
#[cfg(not(feature = "count-allocations"))]
mod counted {
    pub(super) struct Lap;

    impl Lap {
        pub(super) fn start() -> Lap {
            Lap
        }

        pub(super) fn end(self) -> Option<u64> {
            None
        }
    }
}

/// Counts allocations from one lap to the next.
pub(crate) struct Allocations(counted::Lap);

impl Allocations {
    pub(crate) fn start() -> Allocations {
        Allocations(counted::Lap::start())
    }

    /// Allocations since the last lap; `None` without the feature.
    pub(crate) fn lap(&mut self) -> Option<u64> {
        std::mem::replace(&mut self.0, counted::Lap::start()).end()
    }
}

impl std::fmt::Debug for Allocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allocations").finish_non_exhaustive()
    }
}
