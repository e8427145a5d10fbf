//! yawc 0.5 with the tuning of its authors' own comparison: a 128 KiB read buffer, a 64 KiB
//! write boundary, batches of at most 32 ready messages.

use anyhow::Result;
use tokio::net::TcpStream;
use yawc::{Frame, OpCode, Options, Role, WebSocket};

use super::runtime;

const READ_BUFFER_BYTES: usize = 128 * 1024;
const WRITE_BOUNDARY_BYTES: usize = 64 * 1024;

pub(super) async fn session(stream: TcpStream) -> Result<()> {
    let options = Options::default()
        .without_compression()
        .with_read_buffer_capacity(READ_BUFFER_BYTES)
        .with_backpressure_boundary(WRITE_BOUNDARY_BYTES);
    let socket = WebSocket::from_stream(stream, Role::Server, options)?;
    runtime::echo_batched(socket, |frame: Frame| {
        Ok(matches!(frame.opcode(), OpCode::Binary | OpCode::Text).then_some(frame))
    })
    .await
}
