//! Framings of payloads, and a walker over the messages of a capture.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use tickwire_codecs::framing::{
    B3Packet, ByteOrder, CmePacket, CoinbasePacket, DeribitPacket, LengthField, MemxPacket, Packet,
    sofh,
};
use tickwire_codecs::{DecodeError, Framing as _, Limits};

use super::{Flow, Payload};
use crate::dynamic::{self, Decoded, DynamicError};
use crate::ir::Schema;

/// Bytes of one frame, and of a message without one: what is kept of a stream until it is whole. Venues
/// send at most 64 KiB.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes of padding behind a message: venues round up to multiples of 8.
const PADDING_BYTES_MAX: usize = 7;

const LIMITS: Limits = Limits {
    max_msg: FRAME_BYTES_MAX as u32,
    ..Limits::BULK
};

/// The framing of messages in a payload. [`tickwire_codecs::framing`] has the layouts and their sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// Adjacent messages. The schema gives their lengths. Up to 7 bytes of zeros may follow a message.
    Raw,
    /// Frames with a length field.
    Frames(LengthField),
    /// MEMX-TCP: frames of several types; some types are messages.
    MemxTcp,
    /// CME MDP 3.0.
    Cme,
    /// B3 Binary UMDF.
    B3,
    /// Coinbase Derivatives' market data.
    Coinbase,
    /// Deribit multicast.
    Deribit,
    /// MEMX-UDP.
    MemxUdp,
}

impl Framing {
    /// All framings, with their names for [`FromStr`].
    pub const ALL: [(&str, Self); 19] = [
        ("raw", Self::Raw),
        ("u16-le", Self::Frames(LengthField::u16(ByteOrder::Little))),
        ("u16-be", Self::Frames(LengthField::u16(ByteOrder::Big))),
        ("u32-le", Self::Frames(LengthField::u32(ByteOrder::Little))),
        ("u32-be", Self::Frames(LengthField::u32(ByteOrder::Big))),
        (
            "u16-le-self",
            Self::Frames(LengthField::u16(ByteOrder::Little).counting_itself()),
        ),
        (
            "u16-be-self",
            Self::Frames(LengthField::u16(ByteOrder::Big).counting_itself()),
        ),
        (
            "u32-le-self",
            Self::Frames(LengthField::u32(ByteOrder::Little).counting_itself()),
        ),
        (
            "u32-be-self",
            Self::Frames(LengthField::u32(ByteOrder::Big).counting_itself()),
        ),
        ("sofh", Self::Frames(LengthField::SOFH)),
        ("sofh-le", Self::Frames(LengthField::SOFH_LITTLE)),
        ("sofh-short", Self::Frames(LengthField::SOFH_SHORT)),
        ("cme", Self::Cme),
        ("b3", Self::B3),
        ("coinbase", Self::Coinbase),
        (
            "coinbase-orders",
            Self::Frames(LengthField::COINBASE_ORDERS),
        ),
        ("deribit", Self::Deribit),
        ("memx-udp", Self::MemxUdp),
        ("memx-tcp", Self::MemxTcp),
    ];

    /// The name of the framing.
    pub fn name(self) -> &'static str {
        let named = Self::ALL.into_iter().find(|(_, framing)| *framing == self);
        // A length field that none of the names stands for.
        named.map_or("frames", |(name, _)| name)
    }

    /// The length field of the messages; `None` if the schema alone gives their lengths.
    fn frames(self) -> Option<LengthField> {
        match self {
            Self::Raw => None,
            Self::Frames(field) => Some(field),
            Self::MemxTcp => Some(LengthField::MEMX_TCP),
            Self::Cme => CmePacket::MESSAGES,
            Self::B3 => B3Packet::MESSAGES,
            Self::Coinbase => CoinbasePacket::MESSAGES,
            Self::Deribit => DeribitPacket::MESSAGES,
            Self::MemxUdp => MemxPacket::MESSAGES,
        }
    }

    /// Where the messages of a datagram begin, and they.
    fn open(self, datagram: &[u8]) -> Result<(usize, &[u8]), DecodeError> {
        fn read<P: Packet>(datagram: &[u8]) -> Result<(usize, &[u8]), DecodeError> {
            P::read(datagram).map(|(_, messages)| (size_of::<P>(), messages))
        }
        match self {
            Self::Raw | Self::Frames(_) | Self::MemxTcp => Ok((0, datagram)),
            Self::Cme => read::<CmePacket>(datagram),
            Self::B3 => read::<B3Packet>(datagram),
            Self::Coinbase => read::<CoinbasePacket>(datagram),
            Self::Deribit => read::<DeribitPacket>(datagram),
            Self::MemxUdp => read::<MemxPacket>(datagram),
        }
    }

    /// Whether the framing is for datagrams: a stream has no packet headers.
    fn is_of_datagrams(self) -> bool {
        !matches!(self, Self::Raw | Self::Frames(_) | Self::MemxTcp)
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Framing {
    type Err = String;

    /// The framing of a name in [`Framing::ALL`]. `back-to-back` is a second name of `raw`.
    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|(known, _)| *known == name);
        match named {
            Some((_, framing)) => Ok(framing),
            None if name == "back-to-back" => Ok(Self::Raw),
            None => {
                let names = Self::ALL.map(|(name, _)| name).join(", ");
                Err(format!("no framing `{name}`: use one of {names}"))
            }
        }
    }
}

/// An event of a [`Walker`].
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A message. [`Decoded::trailing`] counts padding, or the additional parts of a newer sender.
    Message(Decoded),
    /// Bytes that are not a message or not a frame.
    Refused(DynamicError),
    /// A frame of the session, or of another encoding.
    OtherFrame,
    /// Bytes without a known frame boundary: behind a refused frame of a stream, up to its next gap or its
    /// end; and streams, if the framing is for datagrams.
    Lost(usize),
    /// Bytes of a stream that are missing in the capture.
    Gap(Flow, u64),
}

/// A decoder of the messages of payloads.
pub struct Walker<'s> {
    schema: &'s Schema,
    framing: Framing,
    frames: Option<LengthField>,
    streams: HashMap<Flow, Stream>,
}

/// The bytes of a stream behind the last complete frame.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// The length at which to look again: a message without a frame is looked at as a whole each time.
    look_at: usize,
    /// Whether frames can be told apart.
    is_lost: bool,
}

type Each<'e> = &'e mut dyn FnMut(Event);

impl<'s> Walker<'s> {
    /// Nothing walked yet.
    pub fn new(schema: &'s Schema, framing: Framing) -> Self {
        let frames = framing.frames().map(|field| {
            // A schema may declare what stands before `blockLength` in its own header.
            let header = &schema.header_composite().members;
            let layout = header.iter().enumerate();
            let first = layout
                .filter(|(index, _)| schema.header.is_layout(*index))
                .map(|(_, member)| member.offset)
                .min();
            if first.is_some_and(|first| first >= field.header_bytes()) {
                field.keeping_header()
            } else {
                field
            }
        });
        Self {
            schema,
            framing,
            frames,
            streams: HashMap::new(),
        }
    }

    /// Decodes every message of a payload. After a refused message the walker continues if the framing gives
    /// the length of the message.
    pub fn payload(&mut self, payload: Payload<'_>, each: &mut dyn FnMut(Event)) {
        match payload {
            Payload::Datagram(bytes) => self.datagram(bytes, each),
            Payload::Stream { bytes, .. } if self.framing.is_of_datagrams() => {
                each(Event::Lost(bytes.len()));
            }
            Payload::Stream { flow, bytes } => {
                let mut stream = self.streams.remove(&flow).unwrap_or_default();
                self.stream(&mut stream, bytes, each);
                self.streams.insert(flow, stream);
            }
            Payload::Gap { flow, bytes } => {
                self.end(flow, each);
                each(Event::Gap(flow, bytes));
            }
            Payload::End { flow } => self.end(flow, each),
        }
    }

    fn datagram(&mut self, datagram: &[u8], each: Each<'_>) {
        match self.framing.open(datagram) {
            Ok((start, messages)) => {
                if let Some(failed) = self.walk_all(messages, true, each).failed {
                    each(Event::Refused(failed.behind(start)));
                }
            }
            Err(error) => each(Event::Refused(frame_error(error, 0, "packet header"))),
        }
    }

    fn stream(&mut self, stream: &mut Stream, bytes: &[u8], each: Each<'_>) {
        if stream.is_lost {
            return each(Event::Lost(bytes.len()));
        }
        stream.bytes.extend_from_slice(bytes);
        if stream.bytes.len() < stream.look_at {
            return;
        }
        self.look(stream, false, each);
    }

    /// Decodes the complete messages of a stream and keeps the rest for the next call. At the end of the
    /// stream it drops the rest.
    fn look(&mut self, stream: &mut Stream, is_end: bool, each: Each<'_>) {
        if is_end && is_padding(&stream.bytes) {
            return;
        }
        let stop = self.walk_all(&stream.bytes, is_end, each);
        stream.bytes.drain(..stop.at);
        let may_wait = match &stop.failed {
            Some(error) => error.is_short && stream.bytes.len() <= FRAME_BYTES_MAX,
            None => stream.bytes.is_empty(),
        };
        if may_wait && !is_end {
            // Without a frame's length: not before it has grown by an eighth.
            let more = match self.frames {
                Some(_) => 0,
                None => stream.bytes.len() / 8,
            };
            stream.look_at = stream.bytes.len() + more;
            return;
        }
        if let Some(error) = stop.failed {
            each(Event::Refused(error));
        }
        if !stream.bytes.is_empty() {
            stream.is_lost = true;
            each(Event::Lost(stream.bytes.len()));
            stream.bytes = Vec::new();
        }
    }

    fn end(&mut self, flow: Flow, each: Each<'_>) {
        if let Some(mut stream) = self.streams.remove(&flow)
            && !stream.bytes.is_empty()
        {
            self.look(&mut stream, true, each);
        }
    }

    /// `is_whole`: nothing follows these bytes, so that zeros at their end are padding.
    fn walk_all(&self, bytes: &[u8], is_whole: bool, each: Each<'_>) -> Stop {
        match self.frames {
            Some(field) => self.walk_frames(field, bytes, is_whole, each),
            None => self.walk(bytes, is_whole, each),
        }
    }

    fn walk_frames(
        &self,
        field: LengthField,
        bytes: &[u8],
        is_whole: bool,
        each: Each<'_>,
    ) -> Stop {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if is_whole && is_padding(rest) {
                return Stop::behind(bytes);
            }
            let cut = match field.split(rest, &LIMITS) {
                Ok(cut) => cut,
                Err(error) => return Stop::failed(at, frame_error(error, at, "frame length")),
            };
            let message = rest.get(cut.start..cut.end).unwrap_or_default();
            if self.is_message(field, rest) {
                match dynamic::decode_first(self.schema, message) {
                    Ok(decoded) => each(Event::Message(decoded)),
                    Err(error) => each(Event::Refused(error.behind(at + cut.start))),
                }
            } else {
                each(Event::OtherFrame);
            }
            at += cut.next;
        }
        Stop::behind(bytes)
    }

    /// Whether a frame holds a message of SBE.
    fn is_message(&self, field: LengthField, frame: &[u8]) -> bool {
        if self.framing == Framing::MemxTcp {
            let kinds = [LengthField::MEMX_SEQUENCED, LengthField::MEMX_UNSEQUENCED];
            return frame.first().is_some_and(|kind| kinds.contains(kind));
        }
        let sbe = [
            sofh::SBE_1_BIG,
            sofh::SBE_1_LITTLE,
            sofh::SBE_2_BIG,
            sofh::SBE_2_LITTLE,
            sofh::CME,
        ];
        // Up to 0xFF the two ends agree on a meaning of their own.
        field
            .encoding_type(frame)
            .is_none_or(|kind| kind <= 0xff || sbe.contains(&kind))
    }

    /// Messages one behind the other.
    fn walk(&self, bytes: &[u8], is_whole: bool, each: Each<'_>) -> Stop {
        // With fewer bytes behind a message, what comes next cannot be told yet.
        let next_bytes = PADDING_BYTES_MAX + self.schema.header_composite().size;
        let mut at = 0;
        if !is_whole {
            // Padding of the message before, which came with the bytes before.
            at += self.next_message(bytes, None).unwrap_or(0);
        }
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let mut decoded = match dynamic::decode_first(self.schema, rest) {
                Ok(decoded) => decoded,
                Err(error) => return Stop::failed(at, error.behind(at)),
            };
            // The length of an unknown message is unknown.
            if decoded.name.is_none() {
                each(Event::Message(decoded));
                return Stop { at, failed: None };
            }
            let behind = rest
                .get(rest.len() - decoded.trailing..)
                .unwrap_or_default();
            let is_newer = decoded.version > self.schema.version;
            let next = self.next_message(behind, is_newer.then_some(decoded.version));
            if next.is_none() && !is_whole && behind.len() < next_bytes && !behind.is_empty() {
                return Stop::failed(at, self.short(at, &decoded));
            }
            decoded.trailing = match next {
                Some(padding) => padding,
                None if is_newer || is_padding(behind) => behind.len(),
                None => 0,
            };
            at = bytes.len() - behind.len() + decoded.trailing;
            each(Event::Message(decoded));
        }
        Stop::behind(bytes)
    }

    /// The wait for the bytes behind a message of a stream.
    fn short(&self, at: usize, decoded: &Decoded) -> DynamicError {
        DynamicError {
            at,
            part: decoded.name.clone().unwrap_or_default(),
            what: "its end is unknown: use a --framing with lengths".into(),
            is_short: true,
        }
    }

    /// Bytes of padding before a message of the schema. A sender of the version `newer` may have templates
    /// that the schema does not.
    fn next_message(&self, behind: &[u8], newer: Option<u32>) -> Option<usize> {
        let first = behind.iter().take(PADDING_BYTES_MAX);
        let padding = first.take_while(|byte| **byte == 0).count();
        (0..=padding).find(|at| {
            let header = behind.get(*at..).and_then(|b| self.schema.read_header(b));
            header.is_some_and(|h| {
                let is_known = self.schema.message(h.template_id).is_some();
                h.schema_id == self.schema.id && (is_known || newer == Some(h.version))
            })
        })
    }
}

/// Where a walk stopped, and the error that stopped it.
struct Stop {
    at: usize,
    failed: Option<DynamicError>,
}

impl Stop {
    fn behind(bytes: &[u8]) -> Self {
        Self {
            at: bytes.len(),
            failed: None,
        }
    }

    fn failed(at: usize, error: DynamicError) -> Self {
        Self {
            at,
            failed: Some(error),
        }
    }
}

/// Whether the rest of a payload is padding.
fn is_padding(rest: &[u8]) -> bool {
    rest.len() <= PADDING_BYTES_MAX && rest.iter().all(|byte| *byte == 0)
}

fn frame_error(error: DecodeError, at: usize, part: &str) -> DynamicError {
    let text = error.shifted(at).to_string();
    // `byte N: what`.
    let what = text
        .split_once(": ")
        .map_or(text.as_str(), |(_, what)| what);
    DynamicError {
        at: at + error.at() as usize,
        part: part.to_owned(),
        what: what.to_owned(),
        is_short: matches!(error, DecodeError::Short { .. }),
    }
}

/// The number of messages of a schema that each framing finds in the first payloads of a capture. Framings
/// without messages are omitted; the best framing is first.
pub fn probe(schema: &Schema, payloads: &[Vec<u8>]) -> Vec<(Framing, usize)> {
    let found = |framing: Framing| {
        let mut messages = 0;
        let mut walker = Walker::new(schema, framing);
        for payload in payloads {
            walker.datagram(payload, &mut |event| match event {
                Event::Message(m) if m.name.is_some() => messages += 1,
                _ => {}
            });
        }
        messages
    };
    let all = Framing::ALL.into_iter();
    let mut found: Vec<_> = all
        .map(|(_, framing)| (framing, found(framing)))
        .filter(|(_, messages)| *messages > 0)
        .collect();
    found.sort_by_key(|(_, messages)| std::cmp::Reverse(*messages));
    found
}
