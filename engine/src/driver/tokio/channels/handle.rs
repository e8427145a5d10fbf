//! What keeps a connection alive.

use std::sync::Arc;

use super::state::Shared;

/// Held by sessions, channels and halves: when the last is gone, the connection ends.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        state.abandoned = true;
        state.driver.wake(after);
    }
}

/// Held by sessions alone: when the last is gone, nobody accepts channels.
#[derive(Debug)]
pub(super) struct AcceptGuard(pub(super) Arc<Handle>);

impl Drop for AcceptGuard {
    fn drop(&mut self) {
        let mut guard = self.0.shared.state.lock();
        let (state, after) = guard.parts();
        state.refuse_offers(after);
    }
}
