//! Drains, ends and sends that cross on the wire, in every order.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(2);

const CLIENT_CODE: ErrorCode = ErrorCode::NO_ERROR;
const SERVER_CODE: ErrorCode = ErrorCode(ErrorCode::APPLICATION.0 + 1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The end with this index (0 client, 1 server) drains.
    Drain(usize),
    GoAway(usize),
    Abort(usize),
    /// Closes all of its channels.
    Close(usize),
    Open(usize),
    /// Its output comes to the other end.
    Carry(usize),
}

const STEPS: [Step; 12] = [
    Step::Drain(0),
    Step::Drain(1),
    Step::GoAway(0),
    Step::GoAway(1),
    Step::Abort(0),
    Step::Abort(1),
    Step::Close(0),
    Step::Close(1),
    Step::Open(0),
    Step::Open(1),
    Step::Carry(0),
    Step::Carry(1),
];

struct World {
    ends: [ChannelEndpoint; 2],
    failures: [Vec<ChannelFailure>; 2],
    /// Events after the failure.
    after: [usize; 2],
    now: Timestamp,
    /// The end has shut down its stream.
    shut: [bool; 2],
}

impl World {
    fn turn(&mut self, of: usize) {
        let (failures, after) = (&mut self.failures[of], &mut self.after[of]);
        self.ends[of].turn(self.now, |channels, event| {
            if !failures.is_empty() {
                *after += 1;
            }
            match event {
                Event::Open(opening) => {
                    let _ = channels.accept(opening.channel, AcceptOptions::new());
                }
                Event::Failed(failure) => failures.push(failure),
                Event::Message(m) => channels.release(m.channel, m.charge),
                _ => {}
            }
        });
    }

    fn carry(&mut self, from: usize) {
        self.turn(from);
        let bytes = written(&mut self.ends[from]);
        let shut = self.ends[from].session().shutdown() != Shutdown::None;
        let (to, shut_before) = (1 - from, core::mem::replace(&mut self.shut[from], shut));
        let session = self.ends[to].session();
        if !bytes.is_empty() && !shut_before {
            session.attach(&mut BufPool::default());
            session.space()[..bytes.len()].copy_from_slice(&bytes);
            session.handle_read(bytes.len(), self.now);
        }
        if shut && !shut_before {
            session.handle_eof();
        }
        self.turn(to);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Drain(i) => {
                let code = [CLIENT_CODE, SERVER_CODE][i];
                self.ends[i].channels_mut().drain(code, "x");
            }
            Step::GoAway(i) => self.ends[i].channels_mut().go_away(),
            Step::Abort(i) => self.ends[i].channels_mut().abort(ErrorCode(9)),
            Step::Close(i) => {
                let ids: Vec<_> = self.ends[i].channels().ids().collect();
                for id in ids {
                    self.ends[i].channels_mut().close_channel(id, ErrorCode(17));
                }
            }
            Step::Open(i) => {
                if let Ok(id) = self.ends[i].channels_mut().open(OpenOptions::new("y")) {
                    let _ = self.ends[i].channels_mut().send(id, b"tick");
                }
            }
            Step::Carry(i) => self.carry(i),
        }
    }
}

fn endpoint(role: Role, close_timeout: Duration) -> ChannelEndpoint {
    let below = config::Config::default();
    let mut session = Session::new(role, below, Entropy([7; 32]), &[], NOW).unwrap();
    let config = ChannelConfig::default().close_timeout(close_timeout);
    let agreed = Some(SUBPROTOCOL);
    let channels = ChannelSession::start(config, agreed, session.outbox(), NOW);
    ChannelEndpoint::new(session, channels.unwrap())
}

/// `opened`: HELLOs were exchanged, and the client has opened a channel that the server accepted.
fn world(opened: bool, close_timeouts: [Duration; 2]) -> World {
    let [client, server] = close_timeouts;
    let mut world = World {
        ends: [
            endpoint(Role::Client, client),
            endpoint(Role::Server, server),
        ],
        failures: [Vec::new(), Vec::new()],
        after: [0; 2],
        now: NOW,
        shut: [false; 2],
    };
    if opened {
        world.step(Step::Open(0));
        for _ in 0..3 {
            world.carry(0);
            world.carry(1);
        }
    }
    world
}

impl World {
    /// Carries everything, and lets time pass until both ends have ended: how they did.
    fn end(&mut self) -> [ChannelFailure; 2] {
        for _ in 0..30 {
            for _ in 0..3 {
                self.carry(0);
                self.carry(1);
            }
            if self.failures.iter().all(|f| !f.is_empty()) {
                break;
            }
            self.now = self.now.after(Duration::from_millis(700));
            for end in &mut self.ends {
                end.handle_timeout(self.now);
            }
        }
        assert_eq!(self.after, [0, 0], "no event follows the end");
        for (end, failures) in self.ends.iter_mut().zip(&self.failures) {
            assert_eq!(failures.len(), 1, "{failures:?}");
            assert!(end.session().end().is_some(), "{failures:?}");
        }
        [self.failures[0][0], self.failures[1][0]]
    }
}

/// Whatever crosses whatever, before and after the HELLOs: both ends end, each is told of one end, as
/// the last event, and none takes it for a loss.
#[test]
fn every_order_ends() {
    for opened in [true, false] {
        for a in STEPS {
            for b in STEPS {
                for c in STEPS {
                    let steps = [a, b, c];
                    let ends =
                        |s: &Step| matches!(s, Step::Drain(_) | Step::GoAway(_) | Step::Abort(_));
                    if !steps.iter().any(ends) {
                        continue;
                    }
                    let mut world = world(opened, [TIMEOUT; 2]);
                    steps.into_iter().for_each(|step| world.step(step));
                    let told = world.end();
                    let lost = |f: &ChannelFailure| matches!(f, ChannelFailure::Lost(_));
                    assert!(!told.iter().any(lost), "{told:?} after {steps:?}");
                }
            }
        }
    }
}

/// A peer that has no channel open loses nothing by an end that goes away: the drain is complete.
#[test]
fn an_end_that_goes_away_is_told_by_what_it_breaks_off() {
    for (closes, end) in [(false, DrainEnd::GoingAway), (true, DrainEnd::Complete)] {
        let mut world = world(true, [TIMEOUT; 2]);
        if closes {
            for end in [0, 1, 0] {
                world.step(Step::Close(end));
                world.carry(end);
            }
        }
        world.step(Step::GoAway(1));
        let drained = |by_peer, end| ChannelFailure::Drained {
            by_peer,
            code: ErrorCode::NO_ERROR,
            end,
        };
        let told = world.end();
        let expected = [drained(true, end), drained(false, DrainEnd::GoingAway)];
        assert_eq!(told, expected, "{closes}");
    }
}

/// Two drains cross, each with a code of its own, and one end has less patience than the other: its
/// Close is the end of a drain for both, not a loss.
#[test]
fn drains_that_cross_end_as_drains() {
    for patient in [0, 1] {
        let mut timeouts = [TIMEOUT; 2];
        timeouts[patient] = 10 * TIMEOUT;
        let mut world = world(true, timeouts);
        for end in 0..2 {
            world.step(Step::Drain(end));
            world.turn(end); // its GOAWAY is queued
        }
        let drained = |code| ChannelFailure::Drained {
            by_peer: false,
            code,
            end: DrainEnd::Incomplete,
        };
        assert_eq!(world.end(), [drained(CLIENT_CODE), drained(SERVER_CODE)]);
    }
}
