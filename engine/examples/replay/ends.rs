//! What a run needs of either driver.

use std::thread::JoinHandle;
use std::time::Duration;

use tickwire::{CloseCode, End};

use crate::Result;

/// Binding a port of the loopback takes no time; a thread may have to wait for a core.
pub(crate) const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// A server and its clients, on threads of their own.
pub(crate) struct Ends {
    /// Tells the server that something new is due.
    pub(crate) wake: Box<dyn Fn() + Send>,
    /// Ends both, when the tape is over or the run has failed.
    pub(crate) stop: Box<dyn FnOnce()>,
    pub(crate) threads: Vec<JoinHandle<Result<()>>>,
}

impl Ends {
    /// Why a thread did not start.
    pub(crate) fn failed(thread: JoinHandle<Result<()>>, what: &str) -> crate::Error {
        if !thread.is_finished() {
            return what.into();
        }
        match thread.join() {
            Ok(Err(e)) => e,
            _ => what.into(),
        }
    }
}

/// How a client's connection ended, if not with the tape's own Close.
pub(crate) fn why(end: &End) -> Option<String> {
    match end {
        End::Closed {
            code: Some(CloseCode::NORMAL),
            by_peer: true,
        } => None,
        End::Closed { code, .. } => Some(format!("a close with {code:?}")),
        End::Failed(failure) => Some(failure.to_string()),
    }
}
