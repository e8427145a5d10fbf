use std::boxed::Box;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::super::clock;
use super::io::now;
use crate::time::Timestamp;

/// One timer, created when it is first needed.
///
/// The timer is reset only to an earlier deadline. A deadline that moves later, as each message may
/// move it, leaves the timer as it is: when the timer fires too early, it is reset to the current
/// deadline.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// The time that `sleep` is set to.
    at: Timestamp,
}

impl Timer {
    /// Ready when `deadline` has passed; else pending, and the task is woken at the deadline.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Timestamp>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| {
            self.at = deadline;
            Box::pin(sleep_until(tokio_instant(deadline)))
        });
        if deadline < self.at {
            self.at = deadline;
            sleep.as_mut().reset(tokio_instant(deadline));
        }
        // At most two turns: one for a timer that has fired too early, one after its reset.
        while sleep.as_mut().poll(cx).is_ready() {
            if now() >= deadline {
                return Poll::Ready(());
            }
            self.at = deadline;
            sleep.as_mut().reset(tokio_instant(deadline));
        }
        Poll::Pending
    }
}

fn tokio_instant(at: Timestamp) -> Instant {
    Instant::from_std(clock::instant(at))
}
