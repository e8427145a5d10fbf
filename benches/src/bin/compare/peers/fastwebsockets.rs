//! fastwebsockets 0.10: its own echo example (collector, `unconstrained` task), with writev on.

use anyhow::Result;
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use tokio::net::TcpStream;

pub(super) async fn session(stream: TcpStream) -> Result<()> {
    tokio::task::unconstrained(echo(stream)).await
}

async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_writev(true);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
