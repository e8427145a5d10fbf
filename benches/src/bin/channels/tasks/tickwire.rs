//! tickwire: `channels::ChannelSocket`, with a lock and a task for each connection.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tickwire::Connector;
use tickwire::channels::{
    AcceptOptions, BatchItem, Channel as Ours, ChannelSocket, OpenOptions, Receiver, Sender,
};
use tickwire::net::Tune;
use tokio::net::TcpStream;

use super::{Channel, Connection, Wire};
use crate::config;
use crate::work::Role;

pub(super) struct Tickwire;

#[derive(Clone)]
pub(super) struct Link(ChannelSocket);

pub(super) struct Pair {
    sender: Sender,
    receiver: Receiver,
    role: Option<Role>,
}

impl Pair {
    fn new(channel: Ours, role: Option<Role>) -> Pair {
        let (sender, receiver) = channel.split();
        Pair {
            sender,
            receiver,
            role,
        }
    }
}

impl Wire for Tickwire {
    type Connection = Link;
    const YIELD_BYTES: usize = 64 * 1024;

    async fn connect(addr: SocketAddr, urgent: bool) -> Result<Link> {
        let tune = if urgent {
            Tune::low_latency()
        } else {
            Tune::new()
        };
        let connector = Connector::new().tune(tune);
        let url = format!("ws://{addr}/");
        let session = ChannelSocket::connect_with(&connector, &url, config::channels()).await?;
        session.ready().await?;
        Ok(Link(session))
    }

    async fn accept(stream: TcpStream) -> Result<Link> {
        stream.set_nodelay(true)?;
        let incoming = tickwire::Incoming::new(stream);
        let session = ChannelSocket::accept_from(incoming, config::channels()).await?;
        Ok(Link(session))
    }
}

impl Connection for Link {
    type Channel = Pair;

    async fn open(&self, role: Role) -> Result<Pair> {
        let options = OpenOptions::new(role.topic()).priority(role.priority());
        Ok(Pair::new(self.0.open(options)?, Some(role)))
    }

    async fn next(&mut self) -> Option<Pair> {
        loop {
            let offer = self.0.accept().await?;
            let role = Role::of_topic(offer.topic());
            if let Ok(channel) = offer.accept(AcceptOptions::new()) {
                return Some(Pair::new(channel, role));
            }
        }
    }
}

impl Channel for Pair {
    async fn role(&mut self) -> Result<Role> {
        self.role.context("an unknown topic")
    }

    async fn put(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.sender.send(message).await?)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(()) // the connection's task sends what is queued
    }

    async fn receive(&mut self, mut each: impl FnMut(&[u8]) + Send) -> Result<bool> {
        let Some(batch) = self.receiver.recv_batch().await? else {
            return Ok(false);
        };
        for item in &batch {
            match item {
                BatchItem::Message(message) => each(message.data),
                BatchItem::Run(run) => run.messages().for_each(&mut each),
            }
        }
        Ok(true)
    }

    async fn finish(&mut self) -> Result<()> {
        Ok(self.sender.finish()?)
    }
}
