//! The engine in the place of E: runs an exchange of the test vectors, and says where it differs.

use std::time::Duration;

use harness::protocol::exchange::{Does, Opens, told};
use harness::protocol::{Exchange, Frame, Json, Step, decode, encode, hex};
use tickwire::Timestamp;
use tickwire::channels::{
    AcceptOptions, ChannelConfig, ChannelFailure, ChannelId, ChannelViolation, Charge, Direction,
    ErrorCode, Event, Mode, Mux, OpenOptions, Opening, Resume, Resumption, Unit, WireError,
};

/// The rules of `docs/protocol.md` that a violation is one of.
pub(crate) fn rules(violation: ChannelViolation) -> &'static [u32] {
    match violation {
        ChannelViolation::Wire(error) => rules_of_form(error),
        ChannelViolation::BeforeHello | ChannelViolation::HelloTwice => &[23],
        ChannelViolation::RecordTooLarge => &[13],
        ChannelViolation::MessageTooLarge => &[55],
        ChannelViolation::UnknownAlias(_) => &[24, 31],
        ChannelViolation::DataAfterEnd(_) => &[51],
        ChannelViolation::WrongDirection(_) => &[50],
        ChannelViolation::InsideMessage(_) => &[52],
        ChannelViolation::AliasInUse(_) => &[24],
        ChannelViolation::UnexpectedAnswer(_) => &[53],
        ChannelViolation::BadOption => &[44],
        ChannelViolation::ChannelCredit(_) => &[56, 57],
        ChannelViolation::TooManyChannels | ChannelViolation::TooManyOpens => &[54],
        ChannelViolation::WastedOpens => &[1],
        ChannelViolation::PingFlood | ChannelViolation::GoAwayFlood => &[4],
        ChannelViolation::BadCounter => &[58],
        ChannelViolation::UnknownExtension => &[49],
        ChannelViolation::NotBinary => &[14],
        other => panic!("a violation without a rule: {other:?}"),
    }
}

fn rules_of_form(error: WireError) -> &'static [u32] {
    match error {
        WireError::Truncated => &[6],
        WireError::ReservedType => &[33],
        WireError::UnknownFlags => &[34],
        WireError::TooMuchPad => &[35],
        WireError::AliasTooLarge => &[31],
        WireError::CodeTooLarge => &[36],
        WireError::FinWithMore => &[37],
        WireError::SkipZero => &[38],
        WireError::RunElementEmpty
        | WireError::RunEmpty
        | WireError::RunNotWhole
        | WireError::RunTooLarge => &[39],
        WireError::CreditOfTwoKinds => &[40],
        WireError::ResetOfNothing => &[41],
        WireError::ReservedDirection | WireError::ReservedMode | WireError::AlignTooLarge => &[42],
        WireError::OptionsTooLong
        | WireError::OptionTruncated
        | WireError::OptionMalformed
        | WireError::OptionTwice => &[43],
        WireError::TwoAnswers | WireError::WantsInOpen => &[44],
        WireError::ReasonTooLong | WireError::ReasonNotUtf8 => &[48],
        WireError::HelloTooLong
        | WireError::ParameterTruncated
        | WireError::ParameterMalformed
        | WireError::ParameterTwice => &[46],
        WireError::ParameterOutOfBounds => &[47],
        other => panic!("a fault of form without a rule: {other:?}"),
    }
}

/// E.
pub(crate) struct Runner {
    core: Mux,
    now: Timestamp,
    /// By number.
    channels: Vec<ChannelId>,
    /// What is not consumed, by number.
    held: Vec<Charge>,
    violation: Option<ChannelViolation>,
}

fn config(exchange: &Exchange) -> ChannelConfig {
    let mut config = ChannelConfig::default();
    for &(name, value) in &exchange.config {
        let small = u32::try_from(value).expect("small");
        match name {
            "record_bytes_max" => config.record_bytes_max = small,
            "channels_max" => config.channels_max = small,
            "pending_opens_max" => config.pending_opens_max = small,
            "aliases_max" => config.aliases_max = small,
            "channel_limit" => config.channel_window_bytes = small,
            "frame_overhead" => config.frame_overhead_bytes = small,
            "metadata_bytes_max" => config.metadata_bytes_max = small,
            "receive_bytes_max" => config.receive_bytes_max = Some(value),
            other => panic!("no limit is called {other}"),
        }
    }
    config
}

impl Runner {
    /// Plays all steps; the first difference.
    pub(crate) fn run(exchange: &Exchange) -> Result<(), String> {
        let now = Timestamp(1_000_000_000);
        let mut runner = Self {
            core: Mux::new(config(exchange), now).expect("limits that work"),
            now,
            channels: Vec::new(),
            held: Vec::new(),
            violation: None,
        };
        for (at, step) in exchange.steps.iter().enumerate() {
            let played = runner.step(step);
            played.map_err(|what| format!("{}, step {at}: {what}", exchange.name))?;
        }
        let ended = runner.end(exchange);
        ended.map_err(|what| format!("{}, the end: {what}", exchange.name))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Receives(bytes, _, expected) => {
                let reports = self.receive(bytes);
                if reports != *expected {
                    let [is, not] = [reports, expected.clone()].map(Json::from);
                    return Err(format!("it reports {is}, not {not}"));
                }
            }
            Step::ReceivesText => {
                let event = self.core.receive_text();
                self.violation = match event {
                    Some(Event::Failed(ChannelFailure::Violation(violation))) => Some(violation),
                    _ => None,
                };
            }
            Step::Does(does) => self.act(does),
            Step::Waits(ms) => self.wait(Duration::from_millis(*ms)),
            Step::Sends(expected) => {
                let mut sent = Vec::new();
                while let Some(record) = self.core.poll_record(self.now) {
                    sent.push(record.as_slice().to_vec());
                }
                let expected: Vec<_> = expected.iter().map(|frames| encode(frames)).collect();
                if sent != expected {
                    let said: Vec<_> = sent.iter().map(|record| decode(record).0).collect();
                    return Err(format!("it sends {said:?}"));
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) -> Vec<Json> {
        let mut reports = Vec::new();
        let mut record = self.core.receive(bytes, self.now);
        while let Some(event) = self.core.next(&mut record) {
            reports.extend(self.report(event));
        }
        while let Some(event) = self.core.poll_event() {
            reports.extend(self.report(event));
        }
        reports
    }

    /// How P has broken a rule, and what E says of it.
    fn end(&mut self, exchange: &Exchange) -> Result<(), String> {
        let Some(broken) = exchange.broken else {
            let violation = self.violation.map(|v| format!("it sees {v}"));
            return violation.map_or(Ok(()), Err);
        };
        let violation = self.violation.ok_or("it sees no violation")?;
        if !rules(violation).contains(&broken.rule) {
            return Err(format!("it sees {violation:?}"));
        }
        let mut said = Vec::new();
        while let Some(record) = self.core.poll_record(self.now) {
            said.extend(decode(record.as_slice()).0);
        }
        let tells = matches!(said[..], [Frame::GoAway { code, .. }] if code == broken.code.into());
        // The layer above has 1003 for text: `text_ends_the_connection`.
        let close = self.core.closing().map_or(0, |code| code.close_code());
        if !tells || close != broken.close && broken.rule != 14 {
            return Err(format!("it says {said:?} and closes with {close}"));
        }
        Ok(())
    }

    fn number(&self, id: ChannelId) -> Option<usize> {
        self.channels.iter().position(|&known| known == id)
    }

    fn add(&mut self, id: ChannelId) -> usize {
        self.channels.push(id);
        self.held.push(Charge::default());
        self.channels.len() - 1
    }

    fn hold(&mut self, id: ChannelId, charge: Charge) -> Option<usize> {
        let channel = self.number(id)?;
        self.held[channel].merge(charge);
        Some(channel)
    }

    fn report(&mut self, event: Event<'_>) -> Option<Json> {
        let code = |code: ErrorCode| ("code", Json::from(u64::from(code.0)));
        let event = match event {
            Event::Failed(ChannelFailure::Violation(violation)) => {
                self.violation = Some(violation);
                return None;
            }
            Event::Ready => told("ready", None, Vec::new()),
            Event::Open(opening) => {
                let channel = self.add(opening.channel);
                told("open", Some(channel), offered(&opening))
            }
            Event::Message(message) => {
                let members = vec![
                    ("payload", hex(&message.data).into()),
                    ("seq", message.seq.into()),
                    ("skipped", message.skipped.into()),
                ];
                told(
                    "message",
                    self.hold(message.channel, message.charge),
                    members,
                )
            }
            Event::Run(run) => {
                let members = vec![
                    ("elem", (run.elem as u64).into()),
                    ("payload", hex(run.bytes).into()),
                    ("seq", run.seq.into()),
                    ("skipped", run.skipped.into()),
                ];
                told("run", self.hold(run.channel, run.charge), members)
            }
            Event::Rebased {
                channel,
                epoch,
                next_seq,
            } => {
                let members = vec![("epoch", epoch.into()), ("next_seq", next_seq.into())];
                told("rebased", self.number(channel), members)
            }
            Event::Acked { channel, seq } => {
                told("acked", self.number(channel), vec![("seq", seq.into())])
            }
            Event::Finished { channel } => told("finished", self.number(channel), Vec::new()),
            Event::Aborted { channel, code: why } => {
                told("aborted", self.number(channel), vec![code(why)])
            }
            Event::Stopped { channel, code: why } => {
                told("stopped", self.number(channel), vec![code(why)])
            }
            Event::Draining { code: why, .. } => told("draining", None, vec![code(why)]),
            Event::Failed(failure) => told("ended", None, vec![code(failure.code())]),
            other => self.report_answer(other),
        };
        Some(event)
    }

    fn report_answer(&self, event: Event<'_>) -> Json {
        match event {
            Event::Accepted {
                channel,
                metadata,
                resumption,
                wants,
            } => {
                let mut members = vec![("metadata", hex(metadata).into())];
                members.extend(wants.map(|next| ("wants", next.into())));
                members.extend(resumption.map(|answer| match answer {
                    Resumption::Replay { from } => ("replay", from.into()),
                    Resumption::Snapshot { seq } => ("snapshot", seq.into()),
                    Resumption::Fresh { seq, .. } => ("fresh", seq.into()),
                }));
                told("accepted", self.number(channel), members)
            }
            Event::Rejected {
                channel,
                code,
                unprocessed,
                metadata,
            } => {
                let members = vec![
                    ("code", u64::from(code.0).into()),
                    ("processed", (!unprocessed).into()),
                    ("metadata", hex(metadata).into()),
                ];
                told("rejected", self.number(channel), members)
            }
            other => panic!("not known here: {other:?}"),
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        // Every timeout on the way, of which there are few.
        for _ in 0..1000 {
            let at = self.core.poll_timeout().map(|at| at.max(self.now));
            let Some(at) = at.filter(|&at| at < end) else {
                break;
            };
            self.now = Timestamp(at.0 + 1);
            self.core.handle_timeout(self.now);
        }
        self.now = end;
        self.core.handle_timeout(end);
        while self.core.poll_event().is_some() {}
    }

    fn act(&mut self, does: &Does) {
        let id = |channel: usize| self.channels[channel];
        let done = match does {
            Does::Open(opens) => {
                let opened = self.core.open(options(opens)).expect("opened");
                self.add(opened);
                Ok(())
            }
            Does::Accept {
                channel,
                replay,
                wants,
            } => {
                let mut options = AcceptOptions::new();
                if let Some(from) = *replay {
                    options = options.resumption(Resumption::Replay { from });
                }
                if let Some(next) = *wants {
                    options = options.wants(next);
                }
                self.core
                    .accept(id(*channel), options)
                    .map_err(|e| e.to_string())
            }
            Does::Reject {
                channel,
                code,
                metadata,
            } => {
                let rejected = self
                    .core
                    .reject_with(id(*channel), ErrorCode(*code), metadata);
                rejected.map_err(|e| e.to_string())
            }
            Does::Send(channel, payload) => self
                .core
                .send(id(*channel), payload)
                .map_err(|e| e.to_string()),
            Does::SendRun(channel, elem, payload) => {
                let sent = self.core.send_run_bytes(id(*channel), *elem, payload);
                sent.map_err(|e| e.to_string())
            }
            Does::Finish(channel) => self
                .core
                .finish_sending(id(*channel))
                .map_err(|e| e.to_string()),
            other => {
                self.act_freely(other);
                Ok(())
            }
        };
        assert_eq!(done, Ok(()), "{does:?}");
    }

    /// What cannot be refused.
    fn act_freely(&mut self, does: &Does) {
        match *does {
            Does::Consume(channel) => {
                let charge = self.held[channel].take();
                self.core.release(self.channels[channel], charge);
            }
            Does::Acknowledge(channel, seq) => self.core.acknowledge(self.channels[channel], seq),
            Does::Reset(channel, code) => self.core.reset(self.channels[channel], ErrorCode(code)),
            Does::Stop(channel, code) => self.core.stop(self.channels[channel], ErrorCode(code)),
            Does::Drain(code) => self.core.drain(ErrorCode(code), ""),
            _ => unreachable!("it may be refused: {does:?}"),
        }
    }
}

fn direction(profile: u8) -> Direction {
    match profile >> 3 & 3 {
        0 => Direction::Both,
        1 => Direction::OpenerSends,
        _ => Direction::AcceptorSends,
    }
}

fn options(opens: &Opens) -> OpenOptions {
    let profile = opens.profile;
    let unit = if profile & 0x20 == 0 {
        Unit::Bytes
    } else {
        Unit::Messages
    };
    let mut options = OpenOptions::new(opens.topic)
        .priority(profile & 7)
        .direction(direction(profile))
        .unit(unit);
    if profile & 0x40 != 0 {
        options = options.mode(Mode::Conflated);
    }
    if profile & 0x80 != 0 {
        options = options.resumable();
    }
    if let Some((epoch, next_seq)) = opens.resume {
        options = options.resume(Resume { epoch, next_seq });
    }
    options
}

fn offered(opening: &Opening<'_>) -> Vec<(&'static str, Json)> {
    let mut members = vec![
        ("topic", hex(opening.topic).into()),
        ("priority", u64::from(opening.priority).into()),
        (
            "direction",
            match opening.direction {
                Direction::Both => "both",
                Direction::OpenerSends => "opener",
                Direction::AcceptorSends => "acceptor",
            }
            .into(),
        ),
        (
            "unit",
            match opening.unit {
                Unit::Bytes => "bytes",
                Unit::Messages => "messages",
            }
            .into(),
        ),
        (
            "mode",
            match opening.mode {
                Mode::Reliable => "reliable",
                Mode::Conflated => "conflated",
                Mode::Ttl(_) => "ttl",
            }
            .into(),
        ),
        ("resumable", opening.resumable.into()),
    ];
    if let Some(resume) = opening.resume {
        members.extend([
            ("epoch", resume.epoch.into()),
            ("next_seq", resume.next_seq.into()),
        ]);
    }
    members
}
