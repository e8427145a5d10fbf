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
use crate::config::{require, require_beside};

/// The largest window, in units.
const WINDOW_MAX: u32 = 1 << 30;

/// The name of the option in [`OpenOptions`] or, if the channel is accepted, in [`AcceptOptions`].
fn alias_field(accepts: bool) -> &'static str {
    if accepts {
        "AcceptOptions::alias"
    } else {
        "OpenOptions::alias"
    }
}

/// As [`alias_field`].
fn window_field(accepts: bool) -> &'static str {
    if accepts {
        "AcceptOptions::window"
    } else {
        "OpenOptions::window"
    }
}

/// As [`alias_field`].
fn message_field(accepts: bool) -> &'static str {
    if accepts {
        "AcceptOptions::message_bytes_max"
    } else {
        "OpenOptions::message_bytes_max"
    }
}

impl Mux {
    /// Opens a channel. OPEN is sent as soon as the peer's limits allow: `channels_max` open channels
    /// of this end, and `pending_opens_max` of them without an answer. Until then it waits at this
    /// end, as [`ChannelStats::waits_for_peer`](super::super::ChannelStats) shows; such channels
    /// are opened in order. Messages may follow before the answer, up to the default window of the
    /// peer.
    ///
    /// # Errors
    /// [`OpenError`]; no channel is created then. [`OpenError::TooMany`] bounds the channels that
    /// wait.
    pub fn open(&mut self, options: OpenOptions) -> Result<ChannelId, OpenError> {
        if !self.is_open() {
            return Err(match (self.failure(), self.drain) {
                (Some(failure), _) => OpenError::Closed(failure),
                (None, drain) => OpenError::Draining(drain.map_or(ErrorCode::NO_ERROR, |d| d.code)),
            });
        }
        options.check(self.config.metadata_bytes_max)?;
        if self.peer.is_some() {
            self.check_record(
                &options.to_wire(),
                "the length of OpenOptions::topic, metadata and OPEN",
            )?;
        }
        // An OPEN beyond the peer's limits waits. This bounds how many wait.
        let max = 2 * self.config.channels_max as usize;
        if self.slots.live() >= max {
            return Err(OpenError::TooMany { max });
        }
        if options.no_wait && !self.may_open_at_once() {
            return Err(OpenError::PeerLimit);
        }
        let unit = options.unit_or_default();
        let window = self.granted(unit, options.window, options.message_bytes_max, false)?;
        if let Some(alias) = options.alias {
            self.check_alias(alias, false)?;
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

    /// Checks that an OPEN or ACCEPT with these options fits the largest record that the peer
    /// accepts.
    fn check_record(
        &self,
        options: &wire::Options<'_>,
        what: &'static str,
    ) -> Result<(), OpenError> {
        let len = wire::OPENING_HEAD_BYTES_MAX + options.encoded_len();
        let max = self.outgoing.record_max();
        Ok(require_beside(
            len <= max,
            what,
            len,
            "at most the peer's ChannelConfig::record_bytes_max",
            max,
        )?)
    }

    fn check_metadata(&self, metadata: &[u8], what: &'static str) -> Result<(), OpenError> {
        let max = self.config.metadata_bytes_max;
        Ok(require_beside(
            metadata.len() <= max as usize,
            what,
            metadata.len(),
            "at most ChannelConfig::metadata_bytes_max",
            max,
        )?)
    }

    /// Whether the peer's limits allow another OPEN, in addition to those that are not encoded yet.
    fn may_open_at_once(&self) -> bool {
        let ahead = self.slots.iter().filter(|channel| channel.opens());
        self.peer
            .as_ref()
            .is_some_and(|peer| self.opens.may_open_after(ahead.count() as u64, peer))
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
            .is_some_and(|peer| self.opens.may_open_after(0, peer))
    }

    fn check_alias(&self, alias: u32, accepts: bool) -> Result<(), OpenError> {
        let field = alias_field(accepts);
        require_beside(
            alias < self.config.shared_aliases,
            field,
            alias,
            "below ChannelConfig::shared_aliases",
            self.config.shared_aliases,
        )?;
        if let Some(peer) = &self.peer {
            require_beside(
                u64::from(alias) < peer.aliases_max,
                field,
                alias,
                "below the peer's ChannelConfig::aliases_max",
                peer.aliases_max,
            )?;
        }
        require(
            !self.opens.is_chosen(alias),
            field,
            alias,
            "an alias that is not in use on this connection",
        )?;
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
        self.check_given(unit, window, message_max, accepts)?;
        let default_max = config.defaults(unit).message_max;
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
        require_beside(
            room.is_some(),
            window_field(accepts),
            units,
            "so large that a message fits beside its overhead",
            config.announced().overhead,
        )?;
        let room = room.unwrap_or(0);
        require_beside(
            !accepts || room >= default_max,
            window_field(accepts),
            units,
            "so large that messages fit that the peer may be sending already: from 64 KiB on half of the window has room, below three quarters; the largest such message in bytes",
            default_max,
        )?;
        let message_max = message_max.unwrap_or(default_max.min(room));
        require_beside(
            message_max <= room,
            message_field(accepts),
            message_max,
            "at most what the window has room for, unless the window is set to more than twice as many bytes",
            room,
        )?;
        let unit_bytes = config.unit_bytes(unit, message_max);
        let bytes = units.saturating_mul(unit_bytes);
        require_beside(
            bytes <= WINDOW_MAX.into(),
            window_field(accepts),
            units,
            "so small that as many messages of message_bytes_max are at most 2^30 bytes",
            message_max,
        )?;
        Ok(Window {
            units,
            message_max,
            unit_bytes: unit_bytes as u32, // at most 2^30
        })
    }

    /// Checks the values that the application has set, each by itself.
    fn check_given(
        &self,
        unit: Unit,
        window: Option<u32>,
        message_max: Option<u32>,
        accepts: bool,
    ) -> Result<(), OpenError> {
        const DEFAULT_OR_MORE: &str = "at least the default, of which the opener may have made use";
        let config = &self.config;
        let least_max = if accepts {
            config.defaults(unit).message_max
        } else {
            0
        };
        let least = if accepts {
            unit.cost(config.channel_window_bytes.into(), MESSAGES_BEFORE_ACCEPT)
        } else {
            0
        };
        if let Some(max) = message_max {
            let field = message_field(accepts);
            require_beside(
                (1..=config.message_bytes_max).contains(&max),
                field,
                max,
                "1 to ChannelConfig::message_bytes_max",
                config.message_bytes_max,
            )?;
            require_beside(max >= least_max, field, max, DEFAULT_OR_MORE, least_max)?;
        }
        if let Some(window) = window {
            let field = window_field(accepts);
            let units = u64::from(window);
            require_beside(units >= least, field, window, DEFAULT_OR_MORE, least)?;
            require(
                (1..=WINDOW_MAX).contains(&window),
                field,
                window,
                "1 to 2^30",
            )?;
        }
        Ok(())
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
        require(
            options.resumption.is_none() || channel.resume_asked,
            "AcceptOptions::resumption",
            "set",
            "unset, because the opener does not ask to resume",
        )?;
        options.check_numbers()?;
        self.check_metadata(&options.metadata, "the length of AcceptOptions::metadata")?;
        self.check_record(
            &options.to_wire(),
            "the length of AcceptOptions::metadata and ACCEPT",
        )?;
        let unit = channel.unit;
        let window = self.granted(unit, options.window, options.message_bytes_max, true)?;
        if let Some(alias) = options.alias {
            self.check_alias(alias, true)?;
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
        self.check_metadata(metadata, "the length of the metadata of the rejection")?;
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
        let channel = &self.slots[key];
        let (id, attached) = (channel.id, channel.attached);
        self.reject_local(key, ErrorCode(code));
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
