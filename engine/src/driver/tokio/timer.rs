use std::boxed::Box;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

use super::super::clock;
use super::io::now;
use crate::time::Timestamp;

/// One alarm, made when it is first needed.
///
/// It is set anew only to an earlier deadline: deadlines that messages push out, one by one,
/// leave it alone, and it finds out when it fires.
#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// What `sleep` is set to.
    at: Timestamp,
}

impl Timer {
    /// Ready when `deadline` has passed; else wakes the task then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Timestamp>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| {
            self.at = deadline;
            Box::pin(sleep_until(moment(deadline)))
        });
        if deadline < self.at {
            self.at = deadline;
            sleep.as_mut().reset(moment(deadline));
        }
        // Twice at most: once fired early, once set anew.
        while sleep.as_mut().poll(cx).is_ready() {
            if now() >= deadline {
                return Poll::Ready(());
            }
            self.at = deadline;
            sleep.as_mut().reset(moment(deadline));
        }
        Poll::Pending
    }
}

fn moment(at: Timestamp) -> Instant {
    Instant::from_std(clock::instant(at))
}
