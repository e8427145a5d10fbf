//! Opening channels, and answering the peer's.

use alloc::boxed::Box;

use super::super::channel::{
    Channel, ChannelId, Pending, RecvHalf, RecvState, SendHalf, SendState, Stage, ttl_nanos,
};
use super::super::credit;
use super::super::error::{Code, OpenError, Violation};
use super::super::event::{Event, Opening};
use super::super::open::{AcceptOptions, Mode, OpenOptions, Resume, Resumption, Unit};
use super::super::slots::PeerAlias;
use super::super::wire::{self, Answer, Direction};
use super::{Connection, MESSAGES_BEFORE_ACCEPT};

/// Windows that a channel may be given.
const WINDOW_MAX: u32 = 1 << 30;

const METADATA_TOO_LONG: OpenError = OpenError::Options("metadata passes metadata_bytes_max");
const TOO_LONG_FOR_PEER: OpenError =
    OpenError::Options("topic and metadata do not fit the largest record that the peer takes");

impl Connection {
    /// Opens a channel: OPEN goes out as soon as the peer's limits allow, and messages may
    /// follow it before it is answered, up to the window that the peer grants every channel.
    ///
    /// # Errors
    /// [`OpenError`]; no channel is made then.
    pub fn open(&mut self, options: OpenOptions) -> Result<ChannelId, OpenError> {
        if !self.is_open() {
            let code = self.failure().map_or(Code::REFUSED, |f| f.code());
            return Err(OpenError::Closed(code));
        }
        options.check(self.settings.metadata_bytes_max)?;
        if self.peer.is_some() && !self.fits_record(&options.to_wire()) {
            return Err(TOO_LONG_FOR_PEER);
        }
        let settings = &self.settings;
        // The peer's limits are kept by waiting; this bounds how many wait.
        if self.slots.live() >= 2 * settings.channels_max as usize {
            return Err(OpenError::TooMany);
        }
        let unit = options.unit_or_default();
        let (window, message_max) =
            self.window(unit, options.window, options.message_bytes_max, false)?;
        if let Some(alias) = options.alias {
            self.check_alias(alias)?;
            self.own_aliases.choose(alias);
        }
        let (limit, send_max, fragment) = self.send_defaults(unit);
        let sends = options.direction != Direction::AcceptorSends;
        let receives = options.direction != Direction::OpenerSends;
        let mut recv = RecvHalf::new(receives, window, message_max);
        if receives {
            recv.message_cost = self.welcome(unit, window, message_max);
        }
        if let Some(resume) = options.resume {
            recv.epoch = resume.epoch;
            recv.next_seq = resume.next_seq;
        }
        let id = self.slots.insert(|id| Channel {
            id,
            ours: true,
            own_alias: None,
            peer_alias: None,
            priority: options.priority,
            unit,
            conflate: options.mode == Mode::Conflated,
            ttl: match options.mode {
                Mode::Ttl(ttl) => Some(ttl_nanos(ttl)),
                _ => None,
            },
            opened_at: self.now,
            resume_asked: options.resume.is_some(),
            attached: true,
            counted: false,
            used: false,
            wasted: false,
            pending: Pending::default(),
            in_control: false,
            send: SendHalf::new(sends, limit, send_max, fragment),
            recv,
            stage: Stage::Opening(Box::new(options)),
        });
        self.ask(id.index);
        Ok(id)
    }

    /// Whether an OPEN or an ACCEPT with these options fits a record of the peer's.
    fn fits_record(&self, options: &wire::Options<'_>) -> bool {
        wire::OPENING_HEAD_BYTES_MAX + options.encoded_len() <= self.peer_record_max
    }

    pub(super) fn ask(&mut self, index: u32) {
        if let Some(channel) = self.slots.at_mut(index) {
            channel.pending.set(Pending::OPENING);
        }
        self.mark(index);
    }

    /// OPENs that the peer's limits held back may go when one of its channels has ended, or is
    /// answered.
    pub(super) fn admit_waiting(&mut self) {
        while self.may_open()
            && let Some(index) = self.waiting_opens.pop_front()
        {
            let waits = self.slots.at(index).is_some_and(|c| {
                matches!(c.stage, Stage::Opening(_)) && !c.pending.has(Pending::OPENING)
            });
            if waits {
                self.ask(index);
                return; // the rest follows when this one is out
            }
        }
    }

    /// Whether the peer's limits allow another OPEN.
    pub(super) fn may_open(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| {
            u64::from(self.own_open) < peer.channels_max
                && u64::from(self.own_unanswered) < peer.pending_opens_max
        })
    }

    fn check_alias(&self, alias: u32) -> Result<(), OpenError> {
        if alias >= self.settings.shared_aliases {
            return Err(OpenError::Options(
                "an alias that is chosen must be below shared_aliases",
            ));
        }
        if let Some(peer) = &self.peer
            && u64::from(alias) >= peer.aliases_max
        {
            return Err(OpenError::Options(
                "the peer does not take so high an alias",
            ));
        }
        if self.own_aliases.is_chosen(alias) {
            return Err(OpenError::Options("the alias is in use on this connection"));
        }
        Ok(())
    }

    /// The window and the largest message that a channel of ours announces.
    fn window(
        &self,
        unit: Unit,
        window: Option<u32>,
        message_max: Option<u32>,
        accepts: bool,
    ) -> Result<(u64, u32), OpenError> {
        let settings = &self.settings;
        let default_max = settings.default_message_max(unit);
        if message_max.is_some_and(|max| max == 0 || max > settings.message_bytes_max) {
            return Err(OpenError::Options(
                "message_bytes_max must be at least 1 and not above the connection's",
            ));
        }
        let in_bytes = match (unit, window) {
            (Unit::Bytes, Some(window)) => window,
            _ => settings.channel_window_bytes,
        };
        let least = match unit {
            Unit::Bytes => settings.channel_window_bytes,
            Unit::Messages => MESSAGES_BEFORE_ACCEPT as u32,
        };
        let less =
            window.is_some_and(|w| w < least) || message_max.is_some_and(|m| m < default_max);
        if accepts && less {
            return Err(OpenError::Options(
                "an answer must not grant less than the default, of which the opener may have made use",
            ));
        }
        if window.is_some_and(|w| w == 0 || w > WINDOW_MAX) {
            return Err(OpenError::Options("a window must be 1 to 2^30"));
        }
        let room = credit::message_max(
            match unit {
                Unit::Bytes => in_bytes,
                // What bounds a message there is the connection's window alone.
                Unit::Messages => settings.connection_window_bytes,
            },
            settings.connection_window_bytes,
            settings.frame_overhead_bytes,
            settings.record_bytes_max,
        );
        let Some(room) = room else {
            return Err(OpenError::Options("the window has no room for a message"));
        };
        if accepts && room < default_max {
            return Err(OpenError::Options(
                "the window has no room for messages that the peer may be sending already: from 64 KiB on it takes half of its size, below three quarters",
            ));
        }
        let message_max = message_max.unwrap_or(default_max.min(room));
        if message_max > room {
            return Err(OpenError::Options(
                "message_bytes_max needs wider windows: of the channel and of the connection, more than twice as much",
            ));
        }
        let window = match unit {
            Unit::Bytes => in_bytes,
            Unit::Messages => window.unwrap_or(settings.channel_window_messages),
        };
        Ok((u64::from(window), message_max))
    }

    /// Room is kept for messages of so many bytes (rule R19), while the channel receives; gives
    /// what one costs.
    fn welcome(&mut self, unit: Unit, window: u64, message_max: u32) -> u32 {
        let settings = &self.settings;
        let window = match unit {
            Unit::Bytes => window,
            Unit::Messages => settings.connection_window_bytes.into(),
        };
        let fragment = credit::fragment_min(
            window,
            settings.connection_window_bytes.into(),
            settings.record_bytes_max.into(),
        );
        let overhead = settings.frame_overhead_bytes.into();
        let cost = credit::message_charge(message_max.into(), overhead, fragment);
        self.message_cost_max = self.message_cost_max.max(cost);
        self.look_whether_low();
        u32::try_from(cost).unwrap_or(u32::MAX) // windows, which cover it, are below 2^31
    }

    /// What the peer takes on a channel before it says more: limit, largest message, smallest
    /// fragment. Nothing before its HELLO.
    pub(super) fn send_defaults(&self, unit: Unit) -> (u64, u32, u32) {
        let Some(peer) = &self.peer else {
            return (0, 0, 1);
        };
        let narrow = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
        let connection = narrow(peer.connection_limit);
        let max = |window| {
            let (overhead, record) = (narrow(peer.overhead), narrow(peer.record_bytes_max));
            credit::message_max(window, connection, overhead, record)
        };
        let max = credit::default_message_max(unit, max, narrow(peer.channel_limit), connection)
            .min(narrow(peer.message_bytes_max));
        let window = match unit {
            Unit::Bytes => peer.channel_limit,
            Unit::Messages => peer.connection_limit,
        };
        let fragment = credit::fragment_min(window, peer.connection_limit, peer.record_bytes_max);
        let limit = match unit {
            Unit::Bytes => peer.channel_limit,
            Unit::Messages => MESSAGES_BEFORE_ACCEPT,
        };
        (limit, max, narrow(fragment))
    }

    /// Takes a channel of the peer's.
    ///
    /// # Errors
    /// [`OpenError`]; the channel still waits for an answer then, unless it is unknown.
    pub fn accept(&mut self, id: ChannelId, options: AcceptOptions) -> Result<(), OpenError> {
        if let Some(failure) = self.failure() {
            return Err(OpenError::Closed(failure.code()));
        }
        let channel = self
            .slots
            .by_id(id)
            .filter(|c| c.attached && matches!(c.stage, Stage::Offered))
            .ok_or(OpenError::UnknownChannel)?;
        if options.resumption.is_some() && !channel.resume_asked {
            return Err(OpenError::Options(
                "a resumption answers an opener that asks to resume",
            ));
        }
        if !options.numbers_fit() {
            return Err(OpenError::Options(
                "epochs and numbers of messages must be below 2^62 - 1",
            ));
        }
        if options.metadata.len() > self.settings.metadata_bytes_max as usize {
            return Err(METADATA_TOO_LONG);
        }
        if !self.fits_record(&options.to_wire()) {
            return Err(TOO_LONG_FOR_PEER);
        }
        let (unit, receives) = (channel.unit, channel.recv.state != RecvState::None);
        let (window, message_max) =
            self.window(unit, options.window, options.message_bytes_max, true)?;
        if let Some(alias) = options.alias {
            self.check_alias(alias)?;
            self.own_aliases.choose(alias);
        }
        let cost = receives.then(|| self.welcome(unit, window, message_max));
        if let Some(channel) = self.slots.by_id_mut(id) {
            if let Some(cost) = cost {
                channel.recv.message_cost = cost;
                channel.recv.credit.reopen(window);
                channel.recv.message_max = message_max;
            }
            match options.resumption {
                Some(Resumption::Replay { from }) => channel.send.next_seq = from,
                Some(Resumption::Snapshot { seq }) => channel.send.next_seq = seq,
                Some(Resumption::Fresh { epoch, seq }) => {
                    channel.send.epoch = epoch;
                    channel.send.next_seq = seq;
                }
                None => {}
            }
            channel.stage = Stage::Accepting(Box::new(options));
        }
        self.ask(id.index);
        Ok(())
    }

    /// Does not take a channel of the peer's. What the peer sent on it already is dropped. The
    /// id is of no use any more.
    pub fn reject(&mut self, id: ChannelId, code: Code) {
        self.refuse(id, code, &[]);
    }

    /// As [`Self::reject`], and says why in bytes of the application's: an encoded refusal of
    /// codecs, say.
    ///
    /// # Errors
    /// [`OpenError::Options`] if they are more than `metadata_bytes_max`; the channel still waits
    /// for an answer then.
    pub fn reject_with(
        &mut self,
        id: ChannelId,
        code: Code,
        metadata: &[u8],
    ) -> Result<(), OpenError> {
        if metadata.len() > self.settings.metadata_bytes_max as usize {
            return Err(METADATA_TOO_LONG);
        }
        self.refuse(id, code, metadata);
        Ok(())
    }

    fn refuse(&mut self, id: ChannelId, code: Code, metadata: &[u8]) {
        let Some(channel) = self.slots.by_id_mut(id).filter(|c| c.attached) else {
            return;
        };
        match channel.stage {
            Stage::Offered => {
                channel.stage = Stage::Rejecting(code, metadata.to_vec());
                self.ask(id.index);
            }
            // The opener has taken it back meanwhile.
            Stage::Rejecting(..) | Stage::Rejected => {}
            _ => return,
        }
        self.let_go(id, code);
    }

    /// OPEN of the peer's.
    pub(super) fn handle_open<'r>(
        &mut self,
        open: wire::Open<'r>,
    ) -> Result<Option<Event<'r>>, Violation> {
        if open.alias >= self.settings.aliases_max {
            return Err(Violation::UnknownAlias(open.alias));
        }
        if let PeerAlias::Live(_) = self.peer_aliases.at(open.alias) {
            return Err(Violation::AliasInUse(open.alias));
        }
        let options = open.options;
        let foreign = options.answer.is_some() || options.wants.is_some();
        let two_modes = options.ttl_ms.is_some() && open.profile.conflate;
        if foreign || two_modes || options.resume.is_some() && !open.profile.resumable {
            return Err(Violation::BadOption);
        }
        let described = options.topic.len() + options.metadata.len();
        if described > self.settings.metadata_bytes_max as usize {
            return Err(Violation::BadOption);
        }
        self.opens_seen += 1;
        if !self.is_open() {
            // Never looked at: our GOAWAY tells.
            self.peer_aliases.set(open.alias, PeerAlias::Rejected);
            self.opens_seen -= 1;
            return Ok(None);
        }
        if self.peer_open >= self.settings.channels_max {
            return Err(Violation::TooManyChannels);
        }
        if self.peer_unanswered >= self.settings.pending_opens_max {
            return Err(Violation::TooManyOpens);
        }
        // Channels that are over but that the application still holds take places, too.
        if self.slots.live() >= 3 * self.settings.channels_max as usize {
            if self.rejects.len() >= self.settings.pending_opens_max as usize {
                return Err(Violation::TooManyOpens);
            }
            self.peer_aliases.set(open.alias, PeerAlias::Rejected);
            self.rejects.push_back(open.alias);
            return Ok(None);
        }
        let channel = self.offered(&open);
        let unit = if open.profile.messages {
            Unit::Messages
        } else {
            Unit::Bytes
        };
        let mode = match options.ttl_ms {
            Some(ms) => Mode::Ttl(core::time::Duration::from_millis(ms)),
            None if open.profile.conflate => Mode::Conflated,
            None => Mode::Reliable,
        };
        Ok(Some(Event::Open(Opening {
            channel,
            topic: options.topic,
            metadata: options.metadata,
            priority: open.profile.priority,
            direction: open.profile.direction,
            mode,
            unit,
            resumable: open.profile.resumable,
            resume: options
                .resume
                .map(|(epoch, next_seq)| Resume { epoch, next_seq }),
        })))
    }

    /// Makes the channel of an OPEN that was found good.
    fn offered(&mut self, open: &wire::Open<'_>) -> ChannelId {
        let profile = open.profile;
        let unit = if profile.messages {
            Unit::Messages
        } else {
            Unit::Bytes
        };
        let window = match unit {
            Unit::Bytes => u64::from(self.settings.channel_window_bytes),
            Unit::Messages => MESSAGES_BEFORE_ACCEPT,
        };
        let sends = profile.direction != Direction::OpenerSends;
        let receives = profile.direction != Direction::AcceptorSends;
        let record = self.peer.as_ref().map_or(1024, |p| p.record_bytes_max);
        let connection = self.peer.as_ref().map_or(1024, |p| p.connection_limit);
        let send_window = match unit {
            Unit::Bytes => open.limit,
            Unit::Messages => self.peer.as_ref().map_or(1024, |p| p.connection_limit),
        };
        let fragment = credit::fragment_min(send_window, connection, record);
        let cap = self.peer.as_ref().map_or(0, |p| p.message_bytes_max);
        let narrow = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
        let message_max = self.settings.default_message_max(unit);
        let mut recv = RecvHalf::new(receives, window, message_max);
        if receives {
            recv.message_cost = self.welcome(unit, window, message_max);
        }
        let mut send = SendHalf::new(
            sends,
            open.limit,
            narrow(open.max_msg.min(cap)),
            narrow(fragment),
        );
        if let Some((epoch, next_seq)) = open.options.resume {
            (send.epoch, send.next_seq) = (epoch, next_seq);
        }
        let (resume_asked, ttl) = (open.options.resume.is_some(), open.options.ttl_ms);
        let id = self.slots.insert(|id| Channel {
            id,
            stage: Stage::Offered,
            ours: false,
            own_alias: None,
            peer_alias: Some(open.alias),
            priority: profile.priority,
            unit,
            conflate: profile.conflate,
            ttl: ttl.map(|ms| ttl_nanos(core::time::Duration::from_millis(ms))),
            opened_at: self.now,
            resume_asked,
            attached: true,
            counted: true,
            used: false,
            wasted: false,
            pending: Pending::default(),
            in_control: false,
            send,
            recv,
        });
        self.peer_aliases.set(open.alias, PeerAlias::Live(id.index));
        self.peer_open += 1;
        self.peer_unanswered += 1;
        id
    }

    /// ACCEPT of a channel of ours.
    pub(super) fn handle_accept<'r>(
        &mut self,
        accept: wire::Accept<'r>,
    ) -> Result<Option<Event<'r>>, Violation> {
        if accept.alias >= self.settings.aliases_max {
            return Err(Violation::UnknownAlias(accept.alias));
        }
        if let PeerAlias::Live(_) = self.peer_aliases.at(accept.alias) {
            return Err(Violation::AliasInUse(accept.alias));
        }
        let options = accept.options;
        if options.ttl_ms.is_some() || options.resume.is_some() || !options.topic.is_empty() {
            return Err(Violation::BadOption);
        }
        let unasked = Violation::UnaskedAnswer(accept.peer_alias);
        let index = self.own_aliases.at(accept.peer_alias).ok_or(unasked)?;
        let peer = self.peer.as_ref();
        let cap = peer.map_or(0, |p| p.message_bytes_max);
        let channel = self.slots.at_mut(index).ok_or(unasked)?;
        if !matches!(channel.stage, Stage::Asked(_)) {
            return Err(unasked);
        }
        if options.answer.is_some() && !channel.resume_asked {
            return Err(Violation::BadOption);
        }
        channel.stage = Stage::Open;
        channel.peer_alias = Some(accept.alias);
        channel.send.credit.raise(accept.limit);
        channel.send.message_max = u32::try_from(accept.max_msg.min(cap)).unwrap_or(u32::MAX);
        // As the peer reckons what its window has room for (rule R20).
        if channel.unit == Unit::Bytes
            && let Some(peer) = &self.peer
        {
            let fragment =
                credit::fragment_min(accept.limit, peer.connection_limit, peer.record_bytes_max);
            let fragment = u32::try_from(fragment).unwrap_or(u32::MAX);
            channel.send.fragment_min = channel.send.fragment_min.max(fragment);
        }
        match options.answer {
            Some(Answer::Replay { from }) => channel.recv.next_seq = from,
            Some(Answer::Snapshot { seq }) => channel.recv.next_seq = seq,
            Some(Answer::Fresh { epoch, seq }) => {
                (channel.recv.epoch, channel.recv.next_seq) = (epoch, seq);
            }
            None => {}
        }
        let (id, attached) = (channel.id, channel.attached);
        self.starved_least = 0; // its message may take fewer fragments
        self.own_unanswered -= 1;
        self.peer_aliases.set(accept.alias, PeerAlias::Live(index));
        self.unblock(index);
        self.make_ready(index);
        self.admit_waiting();
        self.settle(index);
        Ok(attached.then_some(Event::Accepted {
            channel: id,
            metadata: options.metadata,
            resumption: options.answer.map(|answer| match answer {
                Answer::Replay { from } => Resumption::Replay { from },
                Answer::Snapshot { seq } => Resumption::Snapshot { seq },
                Answer::Fresh { epoch, seq } => Resumption::Fresh { epoch, seq },
            }),
            wants: options.wants,
        }))
    }

    /// REJECT of a channel of ours.
    pub(super) fn handle_reject<'r>(
        &mut self,
        alias: u32,
        code: u32,
        metadata: &'r [u8],
    ) -> Result<Option<Event<'r>>, Violation> {
        let unasked = Violation::UnaskedAnswer(alias);
        let index = self.own_aliases.at(alias).ok_or(unasked)?;
        let channel = self.slots.at_mut(index).ok_or(unasked)?;
        if !matches!(channel.stage, Stage::Asked(_)) {
            return Err(unasked);
        }
        let (id, attached) = (channel.id, channel.attached);
        channel.send.stopped = Some(Code(code));
        self.reject_own(index);
        self.admit_waiting();
        Ok(attached.then_some(Event::Rejected {
            channel: id,
            code: Code(code),
            unprocessed: false,
            metadata,
        }))
    }

    /// The first bytes of a channel of ours may go: its OPEN is out.
    pub(super) fn announced(&mut self, index: u32) {
        let unit = self.slots.at(index).map(|c| c.unit);
        let Some(unit) = unit else { return };
        let (limit, max, fragment) = self.send_defaults(unit);
        self.starved_least = 0;
        if let Some(channel) = self.slots.at_mut(index)
            && channel.send.state != SendState::None
        {
            channel.send.credit.raise(limit);
            channel.send.message_max = max;
            channel.send.fragment_min = fragment;
        }
    }
}
