//! Handles that keep a connection open.

use std::sync::Arc;

use super::state::Shared;

/// Held by every `ChannelSocket`, channel and half: dropping the last one ends the connection.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut guard = self.shared.state.lock();
        let (state, after) = guard.parts();
        state.has_no_handle = true;
        state.driver.wake(after);
    }
}

/// Held by every `ChannelSocket`: after the last one is dropped, channels of the peer are rejected.
#[derive(Debug)]
pub(super) struct AcceptGuard(pub(super) Arc<Handle>);

impl Drop for AcceptGuard {
    fn drop(&mut self) {
        let mut guard = self.0.shared.state.lock();
        let (state, after) = guard.parts();
        state.refuse_offers(after);
    }
}
