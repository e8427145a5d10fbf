//! `ChannelEndpoint` in an event loop as an application would write it.

use std::boxed::Box;
use std::string::ToString;
use std::time::Duration;
use std::vec::Vec;

use super::{Act, Outcome, Start, Subject};
use crate::buf::BufPool;
use crate::role::Role;
use crate::session::channels::{
    AcceptOptions, ChannelEndpoint, ChannelId, ChannelSession, Channels, ErrorCode, Event,
    OpenOptions,
};
use crate::session::{Entropy, Session, Shutdown};
use crate::time::Timestamp;

enum Connection {
    Channels(Box<ChannelEndpoint>),
    /// The connection carries no channels, and is being closed.
    Refused(Box<Session>),
}

impl Connection {
    fn session(&mut self) -> &mut Session {
        match self {
            Self::Channels(endpoint) => endpoint.session(),
            Self::Refused(session) => session,
        }
    }
}

pub(super) struct Endpoint {
    connection: Connection,
    pool: BufPool,
    now: Timestamp,
    written: Vec<u8>,
    jammed: bool,
    accepted: Option<ChannelId>,
    outcome: Option<Outcome>,
    closed: bool,
}

impl Endpoint {
    pub(super) fn new(start: Start) -> Self {
        let now = Timestamp(1);
        let mut session =
            Session::new(Role::Server, start.below, Entropy([7; 32]), &[], now).unwrap();
        let outbox = session.outbox();
        let started = ChannelSession::start(start.channels, start.subprotocol, outbox, now);
        let (connection, outcome) = match started {
            Ok(channels) => (
                Connection::Channels(Box::new(ChannelEndpoint::new(session, channels))),
                None,
            ),
            Err(error) => (
                Connection::Refused(Box::new(session)),
                Some(Outcome::Refused(error.to_string())),
            ),
        };
        let mut endpoint = Self {
            connection,
            pool: BufPool::default(),
            now,
            written: Vec::new(),
            jammed: false,
            accepted: None,
            outcome,
            closed: false,
        };
        endpoint.turn();
        endpoint
    }

    fn turn(&mut self) {
        let Self {
            connection,
            accepted,
            outcome,
            now,
            ..
        } = self;
        match connection {
            Connection::Channels(endpoint) => {
                endpoint.turn(*now, |channels, event| {
                    handle(channels, event, accepted, outcome);
                });
                endpoint.begin_ended_round();
                while let Some(channel) = endpoint.poll_ended() {
                    endpoint
                        .channels_mut()
                        .close_channel(channel, ErrorCode::NO_ERROR);
                }
                // Closing channels can cause further events.
                endpoint.turn(*now, |channels, event| {
                    handle(channels, event, accepted, outcome);
                });
            }
            Connection::Refused(session) => {
                session.receive().0.for_each(drop);
                session.queue_replies(*now);
            }
        }
        self.write();
        if self.connection.session().handle_read_would_block() {
            return self.turn();
        }
        self.closed |= self.connection.session().shutdown() == Shutdown::Close;
    }

    fn write(&mut self) {
        let session = self.connection.session();
        while session.wants_write() {
            if self.jammed {
                return session.handle_written(0, self.now);
            }
            let before = self.written.len();
            for slice in session.transmit() {
                self.written.extend_from_slice(slice);
            }
            session.handle_written(self.written.len() - before, self.now);
        }
    }

    fn due(&mut self) -> Option<Timestamp> {
        match &self.connection {
            Connection::Channels(endpoint) => endpoint.poll_timeout(),
            Connection::Refused(session) => session.poll_timeout(),
        }
    }
}

/// The application, which sends every message back.
fn handle(
    channels: &mut Channels,
    event: Event<'_>,
    accepted: &mut Option<ChannelId>,
    outcome: &mut Option<Outcome>,
) {
    match event {
        Event::Open(opening) => {
            *accepted = Some(opening.channel);
            channels
                .accept(opening.channel, AcceptOptions::new())
                .unwrap();
        }
        Event::Message(message) => {
            channels.send(message.channel, &message.data).unwrap();
            channels.release(message.channel, message.charge);
        }
        Event::Finished { channel } => channels.finish(channel).unwrap(),
        Event::Failed(failure) => {
            assert_eq!(*outcome, None, "the end is reported once");
            *outcome = Some(Outcome::Ended(failure));
        }
        _ => assert_eq!(*outcome, None, "no event follows the end"),
    }
}

impl Subject for Endpoint {
    fn act(&mut self, act: Act) {
        let Connection::Channels(endpoint) = &mut self.connection else {
            panic!("the connection carries no channels");
        };
        let channels = endpoint.channels_mut();
        channels.set_time(self.now);
        match act {
            Act::Abort(code) => channels.abort(code),
            Act::Drain(code) => channels.drain(code, ""),
            Act::GoAway => channels.go_away(),
            Act::Open => drop(channels.open(OpenOptions::new("local"))),
            Act::Send(count) => {
                for _ in 0..count {
                    channels.send(self.accepted.unwrap(), [1; 1000]).unwrap();
                }
            }
        }
        self.turn();
    }

    fn deliver(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.closed {
            let session = self.connection.session();
            session.attach(&mut self.pool);
            let space = session.space();
            let n = space.len().min(bytes.len());
            space[..n].copy_from_slice(&bytes[..n]);
            session.handle_read(n, self.now);
            bytes = &bytes[n..];
            self.turn();
            self.connection.session().detach(&mut self.pool);
        }
    }

    fn eof(&mut self) {
        self.connection.session().handle_eof();
        self.turn();
    }

    fn written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    fn jam(&mut self) {
        self.jammed = true;
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now.after(time);
        while let Some(due) = self.due().filter(|due| !self.closed && *due <= until) {
            self.now = self.now.max(due);
            match &mut self.connection {
                Connection::Channels(endpoint) => endpoint.handle_timeout(self.now),
                Connection::Refused(session) => session.handle_timeout(self.now),
            }
            self.turn();
        }
        self.now = until;
    }

    fn outcome(&mut self) -> Option<Outcome> {
        assert!(self.closed, "the stream must be closed");
        self.outcome.clone()
    }
}
