//! The server of channels.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use tickwire::channels::{
    AcceptOptions, Answer, ChannelCx, ChannelHandler, ChannelId, Charge, ErrorCode, Opening,
    Received,
};
use tickwire::reactor::{ConnId, Opened};

use crate::BULK_MESSAGE_BYTES;
use crate::sink::Sink;
use crate::work::{Role, SLOW_BYTES_PER_SECOND};

pub(super) struct Server {
    sink: Sink,
    /// The connection and channel of the open question.
    control: Option<(ConnId, ChannelId)>,
}

impl Server {
    pub(super) fn new() -> Result<Server> {
        Ok(Server {
            sink: Sink::new()?,
            control: None,
        })
    }
}

/// A channel: its role and its digest.
#[derive(Clone, Copy)]
struct ChannelState(Role, u64);

#[derive(Default)]
pub(super) struct Connection {
    /// Indexed by the channel's index.
    channels: Vec<Option<ChannelState>>,
    /// Charges of the messages that the slow and the stalled reader have not read.
    kept: VecDeque<(ChannelId, Charge)>,
    /// The timer of the slow reader is running.
    reads_slowly: bool,
}

/// Time between two messages of the slow reader.
const SLOW: Duration =
    Duration::from_nanos((BULK_MESSAGE_BYTES * 1_000_000_000 / SLOW_BYTES_PER_SECOND) as u64);

impl ChannelHandler for Server {
    type Conn = Connection;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _: &mut ChannelCx<'_, '_>, _: Opened<'_>) -> Connection {
        Connection::default()
    }

    fn channel(
        &mut self,
        connection: &mut Connection,
        _: &mut ChannelCx<'_, '_>,
        opening: Opening<'_>,
    ) -> Answer {
        let Some(role) = Role::of_topic(opening.topic) else {
            return Answer::Reject(ErrorCode::REFUSED);
        };
        let index = opening.channel.index();
        if connection.channels.len() <= index {
            connection.channels.resize(index + 1, None);
        }
        connection.channels[index] = Some(ChannelState(role, 0));
        Answer::Accept(AcceptOptions::new())
    }

    fn message(
        &mut self,
        connection: &mut Connection,
        cx: &mut ChannelCx<'_, '_>,
        received: Received<'_>,
    ) {
        let Received { channel, data, .. } = &received;
        let state = connection.channels.get_mut(channel.index());
        let Some(ChannelState(role, lane)) = state.and_then(Option::as_mut) else {
            return;
        };
        match role {
            Role::Data | Role::Life => self.sink.data(lane, data),
            Role::Tick => self.sink.tick(data),
            Role::Control => {
                self.sink.ask(data);
                self.control = Some((cx.id(), *channel));
            }
            Role::BulkFast => self.sink.bulk(data),
            Role::BulkStalled => return connection.kept.push_back((*channel, received.charge)),
            Role::BulkSlow => {
                self.sink.bulk(data);
                connection.kept.push_back((*channel, received.charge));
                if !std::mem::replace(&mut connection.reads_slowly, true) {
                    // One timer at a time.
                    let _ = cx.timer(SLOW, 0);
                }
                return;
            }
        }
        cx.release(received.channel, received.charge);
    }

    fn timer(&mut self, connection: &mut Connection, cx: &mut ChannelCx<'_, '_>, _: u64) {
        if let Some((channel, charge)) = connection.kept.pop_front() {
            cx.release(channel, charge);
        }
        let _ = cx.timer(SLOW, 0);
    }

    fn batch_end(&mut self, _: &mut Connection, cx: &mut ChannelCx<'_, '_>) {
        if !self.sink.is_due() {
            return;
        }
        let calls = cx.hub().calls().into();
        if let (Some((id, control)), Ok(ack)) = (self.control, self.sink.ack(Some(calls)))
            && let Err(error) = cx.hub().send(id, control, &ack)
        {
            eprintln!("the answer was not sent: {error}");
        }
    }
}
