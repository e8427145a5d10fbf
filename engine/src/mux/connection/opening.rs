//! Opening channels, and answering the peer's.

use alloc::boxed::Box;

use super::super::channel::{
    Channel, ChannelId, Character, Pending, RecvHalf, SendHalf, Stage, Window, ttl_nanos,
};
use super::super::credit::{Announced, MESSAGES_BEFORE_ACCEPT};
use super::super::error::{ChannelViolation, ErrorCode, OpenError};
use super::super::event::{Event, Opening};
use super::super::open::{AcceptOptions, Mode, OpenOptions, Resume, Resumption, Unit};
use super::super::slots::{Key, PeerAlias};
use super::super::wire::{self, Answer, Direction};
use super::{Effects, Mux};

/// Windows that a channel may be given.
const WINDOW_MAX: u32 = 1 << 30;

const METADATA_TOO_LONG: OpenError = OpenError::Options("metadata passes metadata_bytes_max");
const TOO_LONG_FOR_PEER: OpenError =
    OpenError::Options("topic and metadata do not fit the largest record that the peer takes");

impl Mux {
    /// Opens a channel: OPEN goes out as soon as the peer's limits allow, and messages may
    /// follow it before it is answered, up to the window that the peer grants every channel.
    ///
    /// # Errors
    /// [`OpenError`]; no channel is made then.
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
        // The peer's limits are kept by waiting; this bounds how many wait.
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
        let send = SendHalf::new(sends, self.opens.first_limits(unit));
        let mut recv = RecvHalf::new(receives, window);
        if let Some(resume) = options.resume {
            recv.numbers.begin(resume.epoch, resume.next_seq);
        }
        let character = Character {
            priority: options.priority,
            unit,
            conflate: options.mode == Mode::Conflated,
            ttl: match options.mode {
                Mode::Ttl(ttl) => Some(ttl_nanos(ttl)),
                _ => None,
            },
            resume_asked: options.resume.is_some(),
        };
        let stage = Stage::Opening(Box::new(options));
        let (key, id) = self
            .slots
            .insert(|id| Channel::new((id, stage, None), character, (send, recv), self.now));
        let effects = self.slots[key].ask();
        self.apply(key, effects | Effects::ASIDE);
        Ok(id)
    }

    /// Whether an OPEN or an ACCEPT with these options fits a record of the peer's.
    fn fits_record(&self, options: &wire::Options<'_>) -> bool {
        wire::OPENING_HEAD_BYTES_MAX + options.encoded_len() <= self.outgoing.record_max()
    }

    /// OPENs that the peer's limits held back may go when one of its channels has ended, or is
    /// answered.
    pub(super) fn admit_waiting(&mut self) {
        while self.may_open()
            && let Some(index) = self.opens.next_waiting()
        {
            let Some(key) = self.slots.key_at(index) else {
                continue; // it has ended since
            };
            let channel = &mut self.slots[key];
            let waits = matches!(channel.stage, Stage::Opening(_));
            if waits && !channel.pending.has(Pending::OPENING) {
                let effects = channel.ask();
                self.apply(key, effects);
                return; // the rest follows when this one is out
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
        if self.opens.is_chosen(alias) {
            return Err(OpenError::Options("the alias is in use on this connection"));
        }
        Ok(())
    }

    /// The window that a channel of ours announces, or an answer of ours.
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
            // As both ends have reckoned it already.
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
                "message_bytes_max needs a wider window of the channel, more than twice as much",
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

    /// The window of a channel of the peer's that is not answered yet.
    fn first_window(&self, unit: Unit) -> Window {
        let config = &self.config;
        let defaults = config.defaults(unit);
        Window {
            units: unit.cost(config.channel_window_bytes.into(), MESSAGES_BEFORE_ACCEPT),
            message_max: defaults.message_max,
            unit_bytes: defaults.unit_bytes,
        }
    }

    /// Takes a channel of the peer's.
    ///
    /// # Errors
    /// [`OpenError`]; the channel still waits for an answer then, unless it is unknown.
    pub fn accept(&mut self, id: ChannelId, options: AcceptOptions) -> Result<(), OpenError> {
        if let Some(failure) = self.failure() {
            return Err(OpenError::Closed(failure));
        }
        let key = self.slots.resolve(id).ok_or(OpenError::UnknownChannel)?;
        let channel = &self.slots[key];
        if !channel.attached || !matches!(channel.stage, Stage::Offered) {
            return Err(OpenError::UnknownChannel);
        }
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

    /// Does not take a channel of the peer's. What the peer sent on it already is dropped. The
    /// id is of no use any more.
    pub fn reject(&mut self, id: ChannelId, code: ErrorCode) {
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
            Stage::Offered => {
                let effects = channel.reject(code, metadata);
                self.apply(key, effects);
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
    ) -> Result<Option<Event<'r>>, ChannelViolation> {
        if open.alias >= self.config.aliases_max {
            return Err(ChannelViolation::UnknownAlias(open.alias));
        }
        if let PeerAlias::Live(_) = self.opens.at(open.alias) {
            return Err(ChannelViolation::AliasInUse(open.alias));
        }
        let options = open.options;
        let foreign = options.answer.is_some() || options.wants.is_some();
        let two_modes = options.ttl_ms.is_some() && open.profile.conflate;
        if foreign || two_modes || options.resume.is_some() && !open.profile.resumable {
            return Err(ChannelViolation::BadOption);
        }
        if !self.is_open() {
            // Never looked at: our GOAWAY tells.
            self.opens.close_peer(open.alias, true);
            return Ok(None);
        }
        self.opens.see();
        if self.opens.peer_open() >= self.config.channels_max {
            return Err(ChannelViolation::TooManyChannels);
        }
        if self.opens.peer_unanswered() >= self.config.pending_opens_max {
            return Err(ChannelViolation::TooManyOpens);
        }
        let unit = open.profile.unit();
        let sends = open.profile.direction != Direction::AcceptorSends;
        // Channels that are over but that the application still holds take places, too, and what
        // they hold of the budget.
        let places = 3 * self.config.channels_max as usize;
        let window = self.config.defaults(unit).window_bytes;
        // What is kept of a description is not announced: one that is longer breaks no rule.
        let described = options.topic.len() + options.metadata.len();
        if described > self.config.metadata_bytes_max as usize
            || self.slots.live() >= places
            || sends && !self.incoming.has_room(window)
        {
            let waiting_max = self.config.pending_opens_max as usize;
            let refused = self.opens.refuse(open.alias, waiting_max);
            return refused
                .then_some(None)
                .ok_or(ChannelViolation::TooManyOpens);
        }
        let channel = self.offered(&open);
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
        let unit = profile.unit();
        let sends = profile.direction != Direction::OpenerSends;
        let receives = profile.direction != Direction::AcceptorSends;
        let recv = RecvHalf::new(receives, self.first_window(unit));
        let peer = self.peer.unwrap_or_default();
        let limits = peer.limits(unit, open.limit, open.max_msg);
        let mut send = SendHalf::new(sends, limits);
        if let Some((epoch, next_seq)) = open.options.resume {
            send.numbers.begin(epoch, next_seq);
        }
        let ttl = open.options.ttl_ms.map(core::time::Duration::from_millis);
        let character = Character {
            priority: profile.priority,
            unit,
            conflate: profile.conflate,
            ttl: ttl.map(ttl_nanos),
            resume_asked: open.options.resume.is_some(),
        };
        let (key, id) = self.slots.insert(|id| {
            let beginning = (id, Stage::Offered, Some(open.alias));
            Channel::new(beginning, character, (send, recv), self.now)
        });
        self.opens.offered(open.alias, key);
        self.apply(key, Effects::ASIDE);
        id
    }

    /// ACCEPT of a channel of ours.
    pub(super) fn handle_accept<'r>(
        &mut self,
        accept: wire::Accept<'r>,
    ) -> Result<Option<Event<'r>>, ChannelViolation> {
        if accept.alias >= self.config.aliases_max {
            return Err(ChannelViolation::UnknownAlias(accept.alias));
        }
        if let PeerAlias::Live(_) = self.opens.at(accept.alias) {
            return Err(ChannelViolation::AliasInUse(accept.alias));
        }
        let options = accept.options;
        if options.ttl_ms.is_some() || options.resume.is_some() || !options.topic.is_empty() {
            return Err(ChannelViolation::BadOption);
        }
        let key = self.asked(accept.peer_alias)?;
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

    /// REJECT of a channel of ours.
    pub(super) fn handle_reject<'r>(
        &mut self,
        alias: u32,
        code: u32,
        metadata: &'r [u8],
    ) -> Result<Option<Event<'r>>, ChannelViolation> {
        let key = self.asked(alias)?;
        let channel = &mut self.slots[key];
        let (id, attached) = (channel.id, channel.attached);
        channel.send.stopped = Some(ErrorCode(code));
        self.reject_own(key);
        self.admit_waiting();
        Ok(attached.then_some(Event::Rejected {
            channel: id,
            code: ErrorCode(code),
            unprocessed: false,
            metadata,
        }))
    }

    /// The channel of ours whose OPEN the peer answers.
    fn asked(&self, alias: u32) -> Result<Key, ChannelViolation> {
        let asked = |&key: &Key| matches!(self.slots[key].stage, Stage::Asked(_));
        let key = self.opens.own(alias).filter(asked);
        key.ok_or(ChannelViolation::UnaskedAnswer(alias))
    }
}
