//! Opens channels, and answers the peer's OPENs.

use alloc::boxed::Box;

use super::super::channel::{
    Channel, ChannelId, ChannelSettings, Pending, RecvHalf, SendHalf, Stage, Window, ttl_nanos,
};
use super::super::credit::{Announced, MESSAGES_BEFORE_ACCEPT};
use super::super::error::{ChannelViolation, ErrorCode, OpenError};
use super::super::event::{Event, Opening};
use super::super::open::{AcceptOptions, Mode, OpenOptions, Resume, Resumption, Unit};
use super::super::slots::{Key, PeerAlias};
use super::super::wire::{self, Answer, Direction};
use super::{Effects, Mux};

/// The largest window, in units.
const WINDOW_MAX: u32 = 1 << 30;

const METADATA_TOO_LONG: OpenError =
    OpenError::Options("metadata must be at most metadata_bytes_max");
const TOO_LONG_FOR_PEER: OpenError =
    OpenError::Options("topic and metadata must fit the largest record that the peer accepts");

impl Mux {
    /// Opens a channel. OPEN is sent as soon as the peer's limits allow. Messages may follow before
    /// the answer, up to the default window of the peer.
    ///
    /// # Errors
    /// [`OpenError`]; no channel is created then.
    pub fn open(&mut self, options: OpenOptions) -> Result<ChannelId, OpenError> {
        if !self.is_open() {
            return Err(match (self.failure(), self.drain) {
                (Some(failure), _) => OpenError::Closed(failure),
                (None, drain) => OpenError::Draining(drain.map_or(ErrorCode::NO_ERROR, |d| d.code)),
            });
        }
        options.check(self.config.metadata_bytes_max)?;
        if self.peer.is_some() && !self.fits_record(&options.to_wire()) {
            return Err(TOO_LONG_FOR_PEER);
        }
        let config = &self.config;
        // An OPEN beyond the peer's limits waits. This bounds how many wait.
        if self.slots.live() >= 2 * config.channels_max as usize {
            return Err(OpenError::TooMany);
        }
        let unit = options.unit_or_default();
        let window = self.granted(unit, options.window, options.message_bytes_max, false)?;
        if let Some(alias) = options.alias {
            self.check_alias(alias)?;
            self.opens.choose(alias);
        }
        let sends = options.direction != Direction::AcceptorSends;
        let receives = options.direction != Direction::OpenerSends;
        let send = SendHalf::new(sends, self.opens.initial_limits(unit));
        let mut recv = RecvHalf::new(receives, window);
        if let Some(resume) = options.resume {
            recv.numbers.start_epoch(resume.epoch, resume.next_seq);
        }
        let settings = ChannelSettings {
            priority: options.priority,
            unit,
            conflate: options.mode == Mode::Conflated,
            ttl: match options.mode {
                Mode::Ttl(ttl) => Some(ttl_nanos(ttl)),
                _ => None,
            },
            resume_asked: options.resume.is_some(),
        };
        let stage = Stage::OpenPending(Box::new(options));
        let (key, id) = self
            .slots
            .insert(|id| Channel::new((id, stage, None), settings, (send, recv), self.now));
        let effects = self.slots[key].queue_opening();
        self.apply(key, effects | Effects::RESERVE);
        Ok(id)
    }

    /// Whether an OPEN or ACCEPT with these options fits the largest record that the peer accepts.
    fn fits_record(&self, options: &wire::Options<'_>) -> bool {
        wire::OPENING_HEAD_BYTES_MAX + options.encoded_len() <= self.outgoing.record_max()
    }

    /// Queues the next waiting OPEN, if the peer's limits allow it: after a channel is closed or
    /// answered.
    pub(super) fn admit_waiting(&mut self) {
        while self.may_open()
            && let Some(index) = self.opens.next_waiting()
        {
            let Some(key) = self.slots.key_at(index) else {
                continue; // the channel was removed meanwhile
            };
            let channel = &mut self.slots[key];
            let waits = matches!(channel.stage, Stage::OpenPending(_));
            if waits && !channel.pending.has(Pending::OPENING) {
                let effects = channel.queue_opening();
                self.apply(key, effects);
                return; // the others follow once this one is encoded
            }
        }
    }

    fn may_open(&self) -> bool {
        self.peer
            .as_ref()
            .is_some_and(|peer| self.opens.may_open(peer))
    }

    fn check_alias(&self, alias: u32) -> Result<(), OpenError> {
        if alias >= self.config.shared_aliases {
            return Err(OpenError::Options(
                "a chosen alias must be below shared_aliases",
            ));
        }
        if let Some(peer) = &self.peer
            && u64::from(alias) >= peer.aliases_max
        {
            return Err(OpenError::Options(
                "the alias must be below the peer's aliases_max",
            ));
        }
        if self.opens.is_chosen(alias) {
            return Err(OpenError::Options("the alias is in use on this connection"));
        }
        Ok(())
    }

    /// Checks and completes the window that this end announces in OPEN, or in ACCEPT (`accepts`).
    fn granted(
        &self,
        unit: Unit,
        window: Option<u32>,
        message_max: Option<u32>,
        accepts: bool,
    ) -> Result<Window, OpenError> {
        let config = &self.config;
        let default_max = config.defaults(unit).message_max;
        if message_max.is_some_and(|max| max == 0 || max > config.message_bytes_max) {
            return Err(OpenError::Options(
                "message_bytes_max must be at least 1 and not above the connection's",
            ));
        }
        let least = unit.cost(config.channel_window_bytes.into(), MESSAGES_BEFORE_ACCEPT);
        let less = window.is_some_and(|w| u64::from(w) < least)
            || message_max.is_some_and(|m| m < default_max);
        if accepts && less {
            return Err(OpenError::Options(
                "an answer must not grant less than the default, of which the opener may have made use",
            ));
        }
        if window.is_some_and(|w| w == 0 || w > WINDOW_MAX) {
            return Err(OpenError::Options("a window must be 1 to 2^30"));
        }
        let by_default = unit.cost(
            config.channel_window_bytes.into(),
            config.channel_window_messages.into(),
        );
        let units = window.map_or(by_default, u64::from);
        let room = match unit {
            // Both ends have computed this value already.
            Unit::Bytes if units == by_default => Some(default_max),
            Unit::Bytes => Announced {
                window: units,
                ..config.announced()
            }
            .message_max(),
            Unit::Messages => Some(config.message_bytes_max),
        };
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
                "message_bytes_max needs a larger window: more than twice as many bytes",
            ));
        }
        let unit_bytes = config.unit_bytes(unit, message_max);
        let bytes = units.saturating_mul(unit_bytes);
        if bytes > WINDOW_MAX.into() {
            return Err(OpenError::Options(
                "as many messages as the window has must not be more than 2^30 bytes: lower message_bytes_max or the window",
            ));
        }
        Ok(Window {
            units,
            message_max,
            unit_bytes: unit_bytes as u32, // at most 2^30
        })
    }

    /// The window of a channel that the peer opened, before the answer.
    fn initial_window(&self, unit: Unit) -> Window {
        let config = &self.config;
        let defaults = config.defaults(unit);
        Window {
            units: unit.cost(config.channel_window_bytes.into(), MESSAGES_BEFORE_ACCEPT),
            message_max: defaults.message_max,
            unit_bytes: defaults.unit_bytes,
        }
    }

    /// Accepts a channel that the peer opened.
    ///
    /// # Errors
    /// [`OpenError`]; the channel stays unanswered then, unless it is unknown.
    pub fn accept(&mut self, id: ChannelId, options: AcceptOptions) -> Result<(), OpenError> {
        if let Some(failure) = self.failure() {
            return Err(OpenError::Closed(failure));
        }
        let key = self.slots.resolve(id).ok_or(OpenError::UnknownChannel)?;
        let channel = &self.slots[key];
        if !channel.attached || !matches!(channel.stage, Stage::OpenReceived) {
            return Err(OpenError::UnknownChannel);
        }
        if options.resumption.is_some() && !channel.resume_asked {
            return Err(OpenError::Options(
                "a resumption is only valid for an opener that asks to resume",
            ));
        }
        if !options.numbers_fit() {
            return Err(OpenError::Options(
                "epochs and numbers of messages must be below 2^62 - 1",
            ));
        }
        if options.metadata.len() > self.config.metadata_bytes_max as usize {
            return Err(METADATA_TOO_LONG);
        }
        if !self.fits_record(&options.to_wire()) {
            return Err(TOO_LONG_FOR_PEER);
        }
        let unit = channel.unit;
        let window = self.granted(unit, options.window, options.message_bytes_max, true)?;
        if let Some(alias) = options.alias {
            self.check_alias(alias)?;
            self.opens.choose(alias);
        }
        let effects = self.slots[key].accept(options, window);
        self.apply(key, effects);
        Ok(())
    }

    /// Rejects a channel that the peer opened. Messages that the peer sent on it are dropped, and
    /// the id becomes invalid.
    pub fn reject(&mut self, id: ChannelId, code: ErrorCode) {
        self.refuse(id, code, &[]);
    }

    /// As [`Self::reject`], with the reason as metadata of the application: an encoded refusal of
    /// codecs, for example.
    ///
    /// # Errors
    /// [`OpenError::Options`] if the metadata is longer than `metadata_bytes_max`; the channel
    /// stays unanswered then.
    pub fn reject_with(
        &mut self,
        id: ChannelId,
        code: ErrorCode,
        metadata: &[u8],
    ) -> Result<(), OpenError> {
        if metadata.len() > self.config.metadata_bytes_max as usize {
            return Err(METADATA_TOO_LONG);
        }
        self.refuse(id, code, metadata);
        Ok(())
    }

    fn refuse(&mut self, id: ChannelId, code: ErrorCode, metadata: &[u8]) {
        let Some(key) = self.slots.resolve(id) else {
            return;
        };
        let channel = &mut self.slots[key];
        match channel.stage {
            _ if !channel.attached => return,
            Stage::OpenReceived => {
                let effects = channel.reject(code, metadata);
                self.apply(key, effects);
            }
            // The opener reset the channel meanwhile.
            Stage::RejectPending(..) | Stage::Rejected => {}
            _ => return,
        }
        self.close_channel(id, code);
    }

    /// OPEN of the peer's.
    pub(super) fn handle_open<'r>(
        &mut self,
        open: wire::Open<'r>,
    ) -> Result<Option<Event<'r>>, ChannelViolation> {
        if open.alias >= self.config.aliases_max {
            return Err(ChannelViolation::UnknownAlias(open.alias));
        }
        if let PeerAlias::Bound(_) = self.opens.at(open.alias) {
            return Err(ChannelViolation::AliasInUse(open.alias));
        }
        let options = open.options;
        let misplaced = options.answer.is_some() || options.wants.is_some();
        let two_modes = options.ttl_ms.is_some() && open.profile.conflate;
        if misplaced || two_modes || options.resume.is_some() && !open.profile.resumable {
            return Err(ChannelViolation::BadOption);
        }
        if !self.is_open() {
            // Not processed: `opens_seen` of the local GOAWAY excludes it.
            self.opens.close_peer(open.alias, true);
            return Ok(None);
        }
        self.opens.count_seen();
        if self.opens.peer_open() >= self.config.channels_max {
            return Err(ChannelViolation::TooManyChannels);
        }
        if self.opens.peer_unanswered() >= self.config.pending_opens_max {
            return Err(ChannelViolation::TooManyOpens);
        }
        let unit = open.profile.unit();
        let sends = open.profile.direction != Direction::AcceptorSends;
        // Ended channels that the application still holds also take slots, and keep their share of
        // the budget.
        let places = 3 * self.config.channels_max as usize;
        let window = self.config.defaults(unit).window_bytes;
        // `metadata_bytes_max` is not announced, so longer metadata is not a violation.
        let described = options.topic.len() + options.metadata.len();
        if described > self.config.metadata_bytes_max as usize
            || self.slots.live() >= places
            || sends && !self.incoming.has_room(window)
        {
            let waiting_max = self.config.pending_opens_max as usize;
            let refused = self.opens.queue_reject(open.alias, waiting_max);
            return refused
                .then_some(None)
                .ok_or(ChannelViolation::TooManyOpens);
        }
        let channel = self.insert_received(&open);
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

    /// Creates the channel of a valid OPEN.
    fn insert_received(&mut self, open: &wire::Open<'_>) -> ChannelId {
        let profile = open.profile;
        let unit = profile.unit();
        let sends = profile.direction != Direction::OpenerSends;
        let receives = profile.direction != Direction::AcceptorSends;
        let recv = RecvHalf::new(receives, self.initial_window(unit));
        let peer = self.peer.unwrap_or_default();
        let limits = peer.limits(unit, open.limit, open.max_msg);
        let mut send = SendHalf::new(sends, limits);
        if let Some((epoch, next_seq)) = open.options.resume {
            send.numbers.start_epoch(epoch, next_seq);
        }
        let ttl = open.options.ttl_ms.map(core::time::Duration::from_millis);
        let settings = ChannelSettings {
            priority: profile.priority,
            unit,
            conflate: profile.conflate,
            ttl: ttl.map(ttl_nanos),
            resume_asked: open.options.resume.is_some(),
        };
        let (key, id) = self.slots.insert(|id| {
            let beginning = (id, Stage::OpenReceived, Some(open.alias));
            Channel::new(beginning, settings, (send, recv), self.now)
        });
        self.opens.open_received(open.alias, key);
        self.apply(key, Effects::RESERVE);
        id
    }

    /// Handles ACCEPT.
    pub(super) fn handle_accept<'r>(
        &mut self,
        accept: wire::Accept<'r>,
    ) -> Result<Option<Event<'r>>, ChannelViolation> {
        if accept.alias >= self.config.aliases_max {
            return Err(ChannelViolation::UnknownAlias(accept.alias));
        }
        if let PeerAlias::Bound(_) = self.opens.at(accept.alias) {
            return Err(ChannelViolation::AliasInUse(accept.alias));
        }
        let options = accept.options;
        if options.ttl_ms.is_some() || options.resume.is_some() || !options.topic.is_empty() {
            return Err(ChannelViolation::BadOption);
        }
        let key = self.open_sent(accept.peer_alias)?;
        let channel = &self.slots[key];
        if options.answer.is_some() && !channel.resume_asked {
            return Err(ChannelViolation::BadOption);
        }
        let (id, attached) = (channel.id, channel.attached);
        let resumption = options.answer.map(|answer| match answer {
            Answer::Replay { from } => Resumption::Replay { from },
            Answer::Snapshot { seq } => Resumption::Snapshot { seq },
            Answer::Fresh { epoch, seq } => Resumption::Fresh { epoch, seq },
        });
        let peer = self.peer.unwrap_or_default();
        let limits = peer.limits(channel.unit, accept.limit, accept.max_msg);
        self.opens.bind_peer(accept.alias, key);
        let effects = self.slots[key].accepted(accept.alias, limits, resumption);
        self.apply(key, effects);
        self.admit_waiting();
        Ok(attached.then_some(Event::Accepted {
            channel: id,
            metadata: options.metadata,
            resumption,
            wants: options.wants,
        }))
    }

    /// Handles REJECT.
    pub(super) fn handle_reject<'r>(
        &mut self,
        alias: u32,
        code: u32,
        metadata: &'r [u8],
    ) -> Result<Option<Event<'r>>, ChannelViolation> {
        let key = self.open_sent(alias)?;
        let channel = &mut self.slots[key];
        let (id, attached) = (channel.id, channel.attached);
        channel.send.stopped = Some(ErrorCode(code));
        self.reject_local(key);
        self.admit_waiting();
        Ok(attached.then_some(Event::Rejected {
            channel: id,
            code: ErrorCode(code),
            unprocessed: false,
            metadata,
        }))
    }

    /// The channel whose pending OPEN has this alias.
    fn open_sent(&self, alias: u32) -> Result<Key, ChannelViolation> {
        let asked = |&key: &Key| matches!(self.slots[key].stage, Stage::OpenSent(_));
        let key = self.opens.local(alias).filter(asked);
        key.ok_or(ChannelViolation::UnexpectedAnswer(alias))
    }
}
