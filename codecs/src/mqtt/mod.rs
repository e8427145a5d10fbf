//! MQTT 5 control packets: borrowed views, writing in place, and a stream codec that joins packets
//! which straddle frames.
//!
//! Source: "MQTT Version 5.0", OASIS Standard, sections 1.5 (data types), 2 (format) and 3 (packets).
//! Checked: flags, lengths, minimal variable-length integers, UTF-8 without NUL, which properties a
//! packet may have and how often. Left to the caller, who knows the session: packet identifiers,
//! topic aliases, quotas, and whether a wildcard stands where it may in a filter.
//!
//! ```
//! use tickwire_codecs::{Encode, Limits, Progress, StreamCodec, mqtt::{Mqtt5Stream, Packet, Properties, Publish, Qos}};
//! let publish = Packet::Publish(Publish {
//!     dup: false, qos: Qos::AtMostOnce, retain: false, topic: "pump/7", packet_id: None,
//!     properties: Properties::EMPTY, payload: b"21.5",
//! });
//! let mut wire = [0; 64];
//! let len = publish.encode(&mut wire)?;
//! let mut stream = Mqtt5Stream::new(Limits::DEVICE);
//! assert_eq!(stream.next(&wire[..5]), Progress::More { need: len - 5 });
//! assert_eq!(stream.next(&wire[5..len]), Progress::Item { consumed: len - 5, item: publish });
//! # Ok::<(), tickwire_codecs::EncodeError>(())
//! ```

mod data;
mod packet;
mod property;
mod read;
mod write;

pub use packet::{
    Ack, Connect, Filters, Packet, Properties, Publish, Qos, Reasons, Subscription, Subscriptions,
    Will,
};
pub use property::{Property, PropertyValue, id};
pub use write::{write_filters, write_properties, write_subscriptions};

use crate::{Codec, Cut, DecodeError, Framing, Limits, WireId, family, slice};
#[cfg(feature = "alloc")]
use crate::{Progress, Reassembler, StreamCodec};

/// One whole control packet, fixed header included.
#[derive(Clone, Copy, Debug)]
pub enum Mqtt5 {}

impl Codec for Mqtt5 {
    const ID: WireId = WireId::new(family::MQTT, 5);
    const VERSION: u16 = 5;
    type View<'a> = Packet<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Packet<'a>, DecodeError> {
        limits.check_msg(bytes.len())?;
        let cut = MqttFraming.split(bytes, limits)?;
        if cut.next < bytes.len() {
            return Err(DecodeError::trailing(cut.next, bytes.len() - cut.next));
        }
        read::packet(bytes, limits)
    }
}

/// Finds packets by their fixed header (section 2.1); the message is the whole packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MqttFraming;

impl Framing for MqttFraming {
    fn split(&self, bytes: &[u8], _: &Limits) -> Result<Cut, DecodeError> {
        slice::part::<u8>(bytes, 0)?;
        let (len, from) = data::varint(bytes, 1)?;
        slice::span(bytes, from, len as usize)?;
        let end = from + len as usize;
        Ok(Cut {
            start: 0,
            end,
            next: end,
        })
    }
}

/// Packets out of a byte stream. A packet that is whole but wrong fails the stream too: MQTT closes
/// the connection on a malformed packet (section 4.13).
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct Mqtt5Stream {
    frames: Reassembler<MqttFraming>,
    limits: Limits,
    failed: Option<DecodeError>,
}

#[cfg(feature = "alloc")]
impl Mqtt5Stream {
    /// A stream at a packet boundary. `limits.max_msg` bounds a packet and the buffer.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            frames: Reassembler::new(MqttFraming, limits),
            limits,
            failed: None,
        }
    }

    /// Whether the stream stands inside a packet.
    #[must_use]
    pub fn is_mid_packet(&self) -> bool {
        self.frames.is_mid_message()
    }
}

#[cfg(feature = "alloc")]
impl StreamCodec for Mqtt5Stream {
    type Item<'a> = Packet<'a>;

    fn next<'a>(&'a mut self, input: &'a [u8]) -> Progress<Packet<'a>> {
        if let Some(error) = self.failed {
            return Progress::Failed(error);
        }
        match self.frames.next(input) {
            Progress::Item { consumed, item } => match Mqtt5::view(item, &self.limits) {
                Ok(item) => Progress::Item { consumed, item },
                Err(error) => {
                    self.failed = Some(error);
                    Progress::Failed(error)
                }
            },
            Progress::More { need } => Progress::More { need },
            Progress::Failed(error) => Progress::Failed(error),
        }
    }
}
