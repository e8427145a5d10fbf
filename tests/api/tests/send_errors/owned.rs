use tickwire::{OwnedMessage, WebSocket};
use tokio::net::TcpStream;

async fn relay(ws: &mut WebSocket<TcpStream>, message: OwnedMessage) {
    let _ = ws.send(message).await;
}

fn main() {}
