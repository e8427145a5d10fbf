//! The adapter of the reactors, with a fake clock and a fake socket.

use std::cell::RefCell;
use std::rc::Rc;
use std::string::ToString;
use std::time::Duration;
use std::vec::Vec;

use super::super::super::super::error::Error;
use super::super::super::super::handler::{ConnId, Ended, Opened};
use super::super::super::super::reactor::fake;
use super::super::super::super::remote::Command;
use super::super::super::{Answer, ChannelCx, ChannelHandler, ChannelHub, Multiplexed};
use super::{Act, Outcome, Start, Subject};
use crate::role::Role;
use crate::session::Stats;
use crate::session::channels::{
    AcceptOptions, ChannelFailure, ChannelId, OpenOptions, Opening, Received,
};
use crate::time::Timestamp;

/// Sends every message back.
struct Echo {
    outcome: Rc<RefCell<Option<Outcome>>>,
    accepted: Option<ChannelId>,
    id: Option<ConnId>,
}

impl ChannelHandler for Echo {
    type Conn = ();
    type Command = Act;
    type Admitted = ();

    fn open(&mut self, cx: &mut ChannelCx<'_, '_>, _: Opened<'_>) {
        self.id = Some(cx.id());
    }

    fn channel(&mut self, _: &mut (), _: &mut ChannelCx<'_, '_>, opening: Opening<'_>) -> Answer {
        self.accepted = Some(opening.channel);
        Answer::Accept(AcceptOptions::new())
    }

    fn message(&mut self, _: &mut (), cx: &mut ChannelCx<'_, '_>, received: Received<'_>) {
        cx.send(received.channel, &received.data).unwrap();
        cx.release(received.channel, received.charge);
    }

    fn command(&mut self, hub: &mut ChannelHub<'_, '_>, act: Act) {
        let channels = self.id.and_then(|id| hub.channels(id)).unwrap();
        match act {
            Act::Abort(code) => channels.abort(code),
            Act::Drain(code) => channels.drain(code, ""),
            Act::GoAway => unreachable!("the reactor is stopped"),
            Act::Open => drop(channels.open(OpenOptions::new("local"))),
            Act::Send(count) => {
                for _ in 0..count {
                    let channel = self.accepted.unwrap();
                    channels.send(channel, [1; 1000]).unwrap();
                }
            }
        }
    }

    fn close(&mut self, (): (), _: ConnId, _: Ended, failure: ChannelFailure, _: Stats) {
        *self.outcome.borrow_mut() = Some(Outcome::Ended(failure));
    }

    fn connect_failed(&mut self, _: u64, error: Error) {
        *self.outcome.borrow_mut() = Some(Outcome::Refused(error.to_string()));
    }
}

pub(super) struct Reactor {
    rig: fake::Rig<Multiplexed<Echo>>,
    outcome: Rc<RefCell<Option<Outcome>>>,
}

impl Reactor {
    pub(super) fn new(start: &Start) -> Self {
        let outcome = Rc::default();
        let echo = Echo {
            outcome: Rc::clone(&outcome),
            accepted: None,
            id: None,
        };
        let handler = Multiplexed::new(echo, start.channels.clone()).unwrap();
        let mut rig = fake::Rig::empty(handler, start.below.clone(), 32 << 10);
        rig.open(Role::Server, start.subprotocol);
        Self { rig, outcome }
    }

    fn is_open(&self) -> bool {
        self.rig.core.connections() > 0
    }
}

impl Subject for Reactor {
    fn act(&mut self, act: Act) {
        let now = self.rig.now;
        match act {
            Act::GoAway => self.rig.core.stop(),
            act => self.rig.core.carry_out(Command::User(act), now),
        }
        self.rig.serve();
    }

    fn deliver(&mut self, bytes: &[u8]) {
        self.rig.pipe.borrow_mut().incoming.extend_from_slice(bytes);
        if self.is_open() {
            self.rig.readable();
        }
    }

    fn eof(&mut self) {
        self.rig.pipe.borrow_mut().end = Some(Ok(0));
        if self.is_open() {
            self.rig.readable();
        }
    }

    fn written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rig.pipe.borrow_mut().written)
    }

    fn jam(&mut self) {
        self.rig.pipe.borrow_mut().room = Some(0);
    }

    fn pass(&mut self, time: Duration) {
        let until = self.rig.now.after(time);
        self.rig.pass(Timestamp(until.0));
    }

    fn outcome(&mut self) -> Option<Outcome> {
        self.outcome.borrow_mut().clone()
    }
}
