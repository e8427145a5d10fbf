use tickwire::channels::{Channel, Channels, ChannelCx, ChannelHub, ChannelId, Mux, Sender};
use tickwire::reactor::{ConnId, Cx};
use tickwire::{Outbox, WebSocket, Writer};
use tokio::net::TcpStream;

async fn websocket(ws: &mut WebSocket<TcpStream>) {
    let _ = ws.send("hello").await;
    let _ = ws.feed("hello").await;
    let _ = ws.send(&String::from("hello")).await;
}

async fn writer(writer: &mut Writer<TcpStream>) {
    let _ = writer.send("hello").await;
    let _ = writer.feed("hello").await;
}

fn outbox(outbox: &mut Outbox, cx: &mut Cx<'_>) {
    let _ = outbox.send("hello");
    let _ = cx.send("hello");
}

async fn channel(channel: &mut Channel, sender: &mut Sender) {
    let _ = channel.send("hello").await;
    let _ = channel.try_send("hello");
    let _ = sender.send_keyed(1, "hello").await;
    let _ = sender.try_send_keyed(1, "hello");
}

fn channels(channels: &mut Channels, mux: &mut Mux, id: ChannelId) {
    let _ = channels.send(id, "hello");
    let _ = channels.send_keyed(id, 1, "hello");
    let _ = mux.send(id, "hello");
    let _ = mux.send_keyed(id, 1, "hello");
}

fn reactor(cx: &mut ChannelCx<'_, '_>, hub: &mut ChannelHub<'_, '_>, at: ConnId, id: ChannelId) {
    let _ = cx.send(id, "hello");
    let _ = hub.send(at, id, "hello");
}

fn main() {}
