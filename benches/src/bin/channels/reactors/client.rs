//! The client of channels: the common part of its jobs.

use anyhow::{Result, anyhow, bail};
use tickwire::channels::{
    ChannelCx, ChannelFailure, ChannelHandler, ChannelId, ChannelSendError, ErrorCode, Multiplexed,
    OpenOptions, Received, Rejection,
};
use tickwire::reactor::{ConnId, Ended, Opened};
use tickwire::{Error, Stats};

use super::Measures;
use crate::work::{Role, Sample};

/// The job of a client. Its methods are called like those of a `ChannelHandler`.
pub(super) trait Job {
    /// A connection is ready to send.
    fn ready(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()>;

    /// The server's counts have arrived.
    fn answered(&mut self, ctx: &mut ClientCx<'_, '_, '_>, answer: &[u8])
    -> Result<Option<Sample>>;

    fn writable(&mut self, ctx: &mut ClientCx<'_, '_, '_>, channel: ChannelId) -> Result<()> {
        let _ = (ctx, channel);
        Ok(())
    }

    fn timer(&mut self, ctx: &mut ClientCx<'_, '_, '_>, token: u64) -> Result<Option<Sample>> {
        let _ = (ctx, token);
        Ok(None)
    }

    fn ended(&mut self, ctx: &mut ClientCx<'_, '_, '_>) -> Result<()> {
        let _ = ctx;
        Ok(())
    }
}

/// The connection that a job's method is called for.
pub(super) struct ClientCx<'d, 'a, 'b> {
    pub(super) cx: &'d mut ChannelCx<'a, 'b>,
    control: &'d mut Control,
}

/// The control channel, and a question that waits because the queue was full.
#[derive(Default)]
pub(super) struct Control {
    channel: Option<ChannelId>,
    asking: Option<u64>,
}

impl ClientCx<'_, '_, '_> {
    pub(super) fn open(&mut self, role: Role) -> Result<ChannelId> {
        let options = OpenOptions::new(role.topic()).priority(role.priority());
        Ok(self.cx.open(options)?)
    }

    /// Queues a message. `false` if the queue is full: `writable` is called later.
    pub(super) fn send(&mut self, channel: ChannelId, message: &[u8]) -> Result<bool> {
        match self.cx.send(channel, message) {
            Ok(()) => Ok(true),
            Err(ChannelSendError::WouldBlock) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for the counts; the answer comes when `count` messages have arrived.
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
    sample: Option<Result<Sample>>,
}

impl<J: Job> Client<J> {
    pub(super) fn new(job: J) -> Client<J> {
        Client { job, sample: None }
    }

    fn call(
        &mut self,
        control: &mut Control,
        cx: &mut ChannelCx<'_, '_>,
        call: impl FnOnce(&mut J, &mut ClientCx<'_, '_, '_>) -> Result<Option<Sample>>,
    ) {
        let sample = call(&mut self.job, &mut ClientCx { cx, control });
        if let Some(sample) = sample.transpose() {
            self.sample.get_or_insert(sample);
            cx.hub().stop();
        }
    }
}

impl<J: Job> Measures for Multiplexed<Client<J>> {
    fn sample(&mut self) -> Option<Result<Sample>> {
        self.handler().sample.take()
    }
}

impl<J: Job> ChannelHandler for Client<J> {
    type Conn = Control;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _: &mut ChannelCx<'_, '_>, _: Opened<'_>) -> Control {
        Control::default()
    }

    fn ready(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>) {
        self.call(control, cx, |job, ctx| job.ready(ctx).map(|()| None));
    }

    fn message(
        &mut self,
        control: &mut Control,
        cx: &mut ChannelCx<'_, '_>,
        received: Received<'_>,
    ) {
        if Some(received.channel) == control.channel {
            let answer = &received.data;
            self.call(control, cx, |job, ctx| job.answered(ctx, answer));
        }
        cx.release(received.channel, received.charge);
    }

    fn writable(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>, channel: ChannelId) {
        self.call(control, cx, |job, ctx| {
            if Some(channel) == ctx.control.channel {
                if let Some(count) = ctx.control.asking {
                    ctx.ask(count)?;
                }
                return Ok(None);
            }
            job.writable(ctx, channel).map(|()| None)
        });
    }

    fn timer(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>, token: u64) {
        self.call(control, cx, |job, ctx| job.timer(ctx, token));
    }

    fn ended(&mut self, control: &mut Control, cx: &mut ChannelCx<'_, '_>, _: ChannelId) {
        self.call(control, cx, |job, ctx| job.ended(ctx).map(|()| None));
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

    fn close(&mut self, _: Control, _: ConnId, ended: Ended, failure: ChannelFailure, _: Stats) {
        self.sample
            .get_or_insert(Err(anyhow!("the connection ended: {failure}, {ended:?}")));
    }

    fn connect_failed(&mut self, _: u64, error: Error) {
        self.sample.get_or_insert(Err(error.into()));
    }
}
