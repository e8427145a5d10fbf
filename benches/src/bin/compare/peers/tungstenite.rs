//! tokio-tungstenite 0.30: feed what is ready, one flush, its default 128 KiB buffers.

use anyhow::Result;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::runtime;

pub(super) async fn session(stream: TcpStream) -> Result<()> {
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    runtime::echo_batched(socket, |item| {
        let message = item?;
        Ok((message.is_binary() || message.is_text()).then_some(message))
    })
    .await
}
