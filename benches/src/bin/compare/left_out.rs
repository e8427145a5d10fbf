//! Peers that failed. A failure is printed at once and kept for the report, and the run ends with
//! an error, so that a missing row is never mistaken for a choice.

use anyhow::{Error, Result, bail};

use crate::server::Target;

/// The failures of a run so far.
#[derive(Debug, Default)]
pub(crate) struct LeftOut(Vec<String>);

impl LeftOut {
    /// Prints that `target` is left out, and records the reason.
    pub(crate) fn note(&mut self, target: Target, error: &Error) {
        let reason = format!("{}: {error:#}", target.name());
        eprintln!("\n!!! LEFT OUT: {reason}\n");
        self.0.push(reason);
    }

    /// One line each.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.0.clone()
    }

    /// An error if any peer was left out.
    pub(crate) fn into_result(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        bail!("left out, see above: {}", self.0.join("; "))
    }
}
