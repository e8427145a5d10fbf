//! WebSockets without channels: one for all, or one for each channel.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use tickwire::reactor::{ConnId, Cx, Ended, Handler, Opened};
use tickwire::{Error, Message, SendError, Stats};

use super::Measures;
use crate::load::Load;
use crate::meter::{Meter, checked};
use crate::sink::Sink;
use crate::work::Sample;

/// Bytes of a question. No data message has this size.
const QUESTION_BYTES: usize = 8;

pub(super) struct Server {
    sink: Sink,
    control: Option<ConnId>,
}

impl Server {
    pub(super) fn new() -> Result<Server> {
        Ok(Server {
            sink: Sink::new()?,
            control: None,
        })
    }
}

impl Handler for Server {
    /// The digest of the received messages.
    type Conn = u64;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _: &mut Cx<'_>, _: Opened<'_>) -> u64 {
        0
    }

    fn message(&mut self, lane: &mut u64, cx: &mut Cx<'_>, message: Message<'_>) {
        let Message::Binary(message) = message else {
            return;
        };
        if message.len() == QUESTION_BYTES {
            self.sink.ask(message);
            self.control = Some(cx.id());
        } else {
            self.sink.data(lane, message);
        }
    }

    fn batch_end(&mut self, _: &mut u64, cx: &mut Cx<'_>) {
        if !self.sink.is_due() {
            return;
        }
        let calls = cx.hub().calls().into();
        let (Some(control), Ok(ack)) = (self.control, self.sink.ack(Some(calls))) else {
            return;
        };
        let sent = if control == cx.id() {
            cx.send(&ack)
        } else {
            let outbox = cx.hub().outbox(control);
            outbox.map_or(Ok(()), |outbox| outbox.send(&ack))
        };
        if let Err(error) = sent {
            eprintln!("the answer was not sent: {error}");
        }
    }
}

/// The client. The control connection has token 0; the others carry data.
pub(super) struct Client {
    load: Load,
    control: Option<ConnId>,
    /// Data connections, indexed by token - 1.
    sockets: Vec<Option<ConnId>>,
    times: [Duration; 2],
    pass: usize,
    started: Instant,
    server_pid: u32,
    meter: Option<Meter>,
    sends: bool,
    sample: Option<Result<Sample>>,
}

/// Payload bytes sent in one call.
const TURN_BYTES: usize = 64 * 1024;

impl Client {
    pub(super) fn new(load: Load, times: [Duration; 2], server_pid: u32) -> Client {
        Client {
            sockets: vec![None; load.channels()],
            load,
            control: None,
            times,
            pass: 0,
            started: Instant::now(),
            server_pid,
            meter: None,
            sends: false,
            sample: None,
        }
    }

    fn begin(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.sends = true;
        self.started = Instant::now();
        self.send(cx)
    }

    fn send(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let mut sent = 0;
        while self.sends {
            let message = self.load.peek();
            let to = self.sockets[self.load.lane()].context("a socket that is not open")?;
            match put(cx, to, message)? {
                Err(SendError::QueueFull { .. }) => return Ok(()), // `drained` is called later
                done => done?,
            }
            sent += message.len();
            self.load.sent();
            if self.load.reads_clock() && self.started.elapsed() >= self.times[self.pass] {
                self.sends = false;
                let control = self.control.context("no control connection")?;
                return Ok(put(cx, control, &self.load.count.to_le_bytes())??);
            }
            if sent >= TURN_BYTES {
                cx.timer(Duration::from_nanos(1), 0)?;
                return Ok(());
            }
        }
        Ok(())
    }

    fn answered(&mut self, cx: &mut Cx<'_>, answer: &[u8]) -> Result<()> {
        let ack = checked(answer, self.load.count, Some(self.load.digest))?;
        let calls = Some(cx.hub().calls().into());
        if let Some(meter) = &mut self.meter {
            self.sample = Some(meter.end(ack, calls));
            cx.hub().stop();
            return Ok(());
        }
        self.meter = Some(Meter::begin(self.server_pid, ack, calls)?);
        self.pass = 1;
        self.begin(cx)
    }

    fn check(&mut self, cx: &mut Cx<'_>, done: Result<()>) {
        if let Err(error) = done {
            self.sample.get_or_insert(Err(error));
            cx.hub().stop();
        }
    }
}

/// Sends to this connection or to another one.
fn put(cx: &mut Cx<'_>, to: ConnId, message: &[u8]) -> Result<Result<(), SendError>> {
    if to == cx.id() {
        return Ok(cx.outbox().send(message));
    }
    let outbox = cx.hub().outbox(to).context("a connection has ended")?;
    Ok(outbox.send(message))
}

impl Measures for Client {
    fn sample(&mut self) -> Option<Result<Sample>> {
        self.sample.take()
    }
}

impl Handler for Client {
    type Conn = ();
    type Command = ();
    type Admitted = ();

    fn open(&mut self, cx: &mut Cx<'_>, opened: Opened<'_>) {
        let id = Some(cx.id());
        match usize::try_from(opened.token).unwrap_or(0).checked_sub(1) {
            None => self.control = id,
            Some(lane) => self.sockets[lane] = id,
        }
        if self.control.is_some() && self.sockets.iter().all(Option::is_some) {
            let begun = self.begin(cx);
            self.check(cx, begun);
        }
    }

    fn message(&mut self, (): &mut (), cx: &mut Cx<'_>, message: Message<'_>) {
        let done = match message {
            Message::Text(text) => Err(anyhow!("the answer is text: {text}")),
            Message::Binary(answer) => self.answered(cx, answer),
            _ => Ok(()),
        };
        self.check(cx, done);
    }

    fn drained(&mut self, (): &mut (), cx: &mut Cx<'_>) {
        let sent = self.send(cx);
        self.check(cx, sent);
    }

    fn timer(&mut self, (): &mut (), cx: &mut Cx<'_>, _: u64) {
        let sent = self.send(cx);
        self.check(cx, sent);
    }

    fn close(&mut self, (): (), _: ConnId, ended: Ended, _: Stats) {
        let ended = anyhow!("a connection ended: {ended:?}");
        self.sample.get_or_insert(Err(ended));
    }

    fn connect_failed(&mut self, _: u64, error: Error) {
        self.sample.get_or_insert(Err(error.into()));
    }
}
