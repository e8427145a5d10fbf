//! A client of channels: what its jobs have in common.

use anyhow::{Result, anyhow, bail};
use tickwire::Error;
use tickwire::channels::{
    ChannelCx, ChannelFailure, ChannelHandler, ChannelId, ChannelSendError, ErrorCode, Multiplexed,
    OpenOptions, Received, Rejection,
};
use tickwire::reactor::{ConnId, Ended, Opened};

use super::Finds;
use crate::work::{Found, Role};

/// What a client is there for. Its calls are those of a `ChannelHandler`.
pub(super) trait Job {
    /// A connection is ready to send.
    fn ready(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()>;

    /// The server's counts have come.
    fn answered(&mut self, desk: &mut Desk<'_, '_, '_>, answer: &[u8]) -> Result<Option<Found>>;

    fn writable(&mut self, desk: &mut Desk<'_, '_, '_>, channel: ChannelId) -> Result<()> {
        let _ = (desk, channel);
        Ok(())
    }

    fn timer(&mut self, desk: &mut Desk<'_, '_, '_>, token: u64) -> Result<Option<Found>> {
        let _ = (desk, token);
        Ok(None)
    }

    fn ended(&mut self, desk: &mut Desk<'_, '_, '_>) -> Result<()> {
        let _ = desk;
        Ok(())
    }
}

/// A connection in a job's call.
pub(super) struct Desk<'d, 'a, 'b> {
    pub(super) cx: &'d mut ChannelCx<'a, 'b>,
    control: &'d mut Control,
}

/// The control channel, and a question that found its queue full.
#[derive(Default)]
pub(super) struct Control {
    channel: Option<ChannelId>,
    asking: Option<u64>,
}

impl Desk<'_, '_, '_> {
    pub(super) fn open(&mut self, role: Role) -> Result<ChannelId> {
        let options = OpenOptions::new(role.topic()).priority(role.priority());
        Ok(self.cx.open(options)?)
    }

    /// `false`: not now, `writable` tells when.
    pub(super) fn send(&mut self, channel: ChannelId, message: &[u8]) -> Result<bool> {
        match self.cx.send(channel, message) {
            Ok(()) => Ok(true),
            Err(ChannelSendError::WouldBlock) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for the counts when `count` messages have come.
    pub(super) fn ask(&mut self, count: u64) -> Result<()> {
        if self.control.channel.is_none() {
            self.control.channel = Some(self.open(Role::Control)?);
        }
        let sent = match self.control.channel {
            Some(channel) => self.send(channel, &count.to_le_bytes())?,
            None => false,
        };
        self.control.asking = (!sent).then_some(count);
        Ok(())
    }
}

pub(super) struct Client<J> {
    job: J,
    found: Option<Result<Found>>,
}

impl<J: Job> Client<J> {
    pub(super) fn new(job: J) -> Client<J> {
        Client { job, found: None }
    }

    fn call(
        &mut self,
        control: &mut Control,
        cx: &mut ChannelCx<'_, '_>,
        call: impl FnOnce(&mut J, &mut Desk<'_, '_, '_>) -> Result<Option<Found>>,
    ) {
        let found = call(&mut self.job, &mut Desk { cx, control });
        if let Some(found) = found.transpose() {
            self.found.get_or_insert(found);
            cx.hub().stop();
        }
    }
}

impl<J: Job> Finds for Multiplexed<Client<J>> {
    fn found(&mut self) -> Option<Result<Found>> {
        self.handler().found.take()
    }
}

impl<J: Job> ChannelHandler for Client<J> {
    type Conn = Control;
    type Command = ();

    fn open(&mut self, _: &mut ChannelCx<'_, '_>, _: Opened<'_>) -> Control {
        Control::default()
    }

    fn ready(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>) {
        self.call(control, cx, |job, desk| job.ready(desk).map(|()| None));
    }

    fn message(
        &mut self,
        control: &mut Control,
        cx: &mut ChannelCx<'_, '_>,
        received: Received<'_>,
    ) {
        if Some(received.channel) == control.channel {
            let answer = &received.data;
            self.call(control, cx, |job, desk| job.answered(desk, answer));
        }
        cx.release(received.channel, received.charge);
    }

    fn writable(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        self.call(control, cx, |job, desk| {
            if Some(channel) == desk.control.channel {
                if let Some(count) = desk.control.asking {
                    desk.ask(count)?;
                }
                return Ok(None);
            }
            job.writable(desk, channel).map(|()| None)
        });
    }

    fn timer(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>, token: u64) {
        self.call(control, cx, |job, desk| job.timer(desk, token));
    }

    fn ended(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>, _: ChannelId) {
        self.call(control, cx, |job, desk| job.ended(desk).map(|()| None));
    }

    fn refused(
        &mut self,
        control: &mut Control,
        cx: &mut ChannelCx<'_, '_>,
        _: ChannelId,
        refused: Rejection<'_>,
    ) {
        let code = refused.code;
        self.call(control, cx, |_, _| bail!("a channel was refused: {code:?}"));
    }

    fn stopped(
        &mut self,
        control: &mut Control,
        cx: &mut ChannelCx<'_, '_>,
        _: ChannelId,
        code: ErrorCode,
    ) {
        self.call(control, cx, |_, _| bail!("a channel was stopped: {code:?}"));
    }

    fn close(&mut self, _: Control, _: ConnId, ended: Ended, failure: ChannelFailure) {
        self.found
            .get_or_insert(Err(anyhow!("the connection ended: {failure}, {ended:?}")));
    }

    fn connect_failed(&mut self, _: u64, error: Error) {
        self.found.get_or_insert(Err(error.into()));
    }
}
