//! tokio-websockets 0.13: collect what is ready, feed it, one flush (its reads flush what is fed).

use anyhow::Result;
use tokio::net::TcpStream;
use tokio_websockets::{Config, ServerBuilder};

use super::runtime;

/// Bytes queued before the sink flushes by itself: above a batch of 32 x 1 KiB, so that a batch
/// leaves in one go (the default of 8 KiB would cut it).
const FLUSH_THRESHOLD_BYTES: usize = 64 * 1024;

pub(super) async fn session(stream: TcpStream) -> Result<()> {
    let config = Config::default().flush_threshold(FLUSH_THRESHOLD_BYTES);
    let socket = ServerBuilder::new().config(config).serve(stream);
    runtime::echo_collected(socket, |item| {
        let message = item?;
        Ok((message.is_binary() || message.is_text()).then_some(message))
    })
    .await
}
