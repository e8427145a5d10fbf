//! MQTT 5 and MQTT 3.1.1 control packets: borrowed views, encoding in place, and stream codecs.
//!
//! Sources: "MQTT Version 5.0" and "MQTT Version 3.1.1", OASIS Standards, sections 1.5 (data types), 2
//! (format), 3 (packets), 4.7 (topics) and 4.8.2 (shared subscriptions). Section numbers without a
//! version are those of MQTT 5.
//!
//! Both versions share the type [`Packet`]. The codec [`Mqtt5`] reads and writes a [`Packet`]; the codec
//! [`Mqtt311`] reads and writes a [`Packet311`]; [`Packet::read`] and [`Packet::write`] take the
//! [`Version`] at run time.
//!
//! The reader and the writer check every rule about a single packet with the same code: flags, lengths,
//! UTF-8 without NUL, topic names and filters, shared subscriptions, the properties of each packet with
//! their number and values, reason codes, and dependencies between fields. Other rules:
//!
//! - The sender of a packet: the codecs accept packets of both ends. [`Packet::check_sender`] and
//!   [`MqttStream`] check the sender.
//! - The first and the last packet of a connection: [`MqttStream`].
//! - Session state (packet identifiers in use, quotas, topic aliases, negotiated properties): the
//!   application.
//!
//! A CONNECT or CONNACK of the other version is [`DecodeError::Version`]. A client of MQTT 5 gets this error
//! from a server of MQTT 3.1.1.
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
mod fault;
mod packet;
mod property;
mod read;
mod rules;
#[cfg(feature = "alloc")]
mod stream;
mod topic;
mod version;
mod write;

pub use packet::{
    Ack, Connect, Filters, Packet, Properties, Publish, Qos, Reasons, Subscription, Subscriptions,
    Will,
};
pub use property::{Property, PropertyValue, id};
pub use rules::SESSION_WITHOUT_CLIENT_ID;
#[cfg(feature = "alloc")]
pub use stream::{Mqtt5Stream, Mqtt311Stream, MqttStream, PacketStream};
pub use version::{Sender, Version};
pub use write::{write_filters, write_properties, write_subscriptions};

use crate::{
    Codec, Cut, DecodeError, Encode, EncodeError, Framing, Limits, ToJson, WireId, family, slice,
};
use core::fmt;

/// One whole control packet of MQTT 5, fixed header included.
#[derive(Clone, Copy, Debug)]
pub enum Mqtt5 {}

impl Codec for Mqtt5 {
    const ID: WireId = WireId::new(family::MQTT, 5);
    const VERSION: u16 = 5;
    type View<'a> = Packet<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Packet<'a>, DecodeError> {
        Packet::read(Version::V5, bytes, limits)
    }
}

/// One whole control packet of MQTT 3.1.1 (protocol level 4), fixed header included.
///
/// ```
/// use tickwire_codecs::{Codec, DecodeError, Encode, Limits, mqtt::{Mqtt5, Mqtt311, Packet, Packet311}};
/// let answer = b"\x20\x02\x00\x01"; // "unacceptable protocol version"
/// assert_eq!(Mqtt5::view(answer, &Limits::DEVICE), Err(DecodeError::Version { at: 1, want: 5, got: 4 }));
/// let packet = Mqtt311::view(answer, &Limits::DEVICE)?;
/// let Packet311(Packet::ConnAck { reason, .. }) = packet else { panic!() };
/// assert_eq!(reason, 1);
/// let mut wire = [0; 4];
/// assert_eq!(packet.encode(&mut wire)?, 4);
/// assert_eq!(&wire, answer);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Mqtt311 {}

impl Codec for Mqtt311 {
    const ID: WireId = WireId::new(family::MQTT, 4);
    const VERSION: u16 = 4;
    type View<'a> = Packet311<'a>;

    fn view<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Packet311<'a>, DecodeError> {
        Packet::read(Version::V311, bytes, limits).map(Packet311)
    }
}

/// A packet of MQTT 3.1.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet311<'a>(
    /// The packet. It has no properties, and its reason codes are return codes.
    pub Packet<'a>,
);

impl<'a> Packet<'a> {
    /// Reads one whole packet of `version`.
    ///
    /// # Errors
    /// See [`Codec::view`]; [`DecodeError::Version`] for a CONNECT or CONNACK of the other version.
    pub fn read(version: Version, bytes: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        limits.check_msg(bytes.len())?;
        let cut = MqttFraming.split(bytes, limits)?;
        if cut.next < bytes.len() {
            return Err(DecodeError::trailing(cut.next, bytes.len() - cut.next));
        }
        read::packet(bytes, version, limits)
    }

    /// The length of the packet in `version`, in bytes. 0 if the version does not allow the packet;
    /// [`write`](Self::write) returns the error.
    #[must_use]
    pub fn written_len(&self, version: Version) -> usize {
        write::written_len(self, version)
    }

    /// Writes the packet at the start of `out` and returns its length.
    ///
    /// ```
    /// use tickwire_codecs::{EncodeError, mqtt::{Packet, Properties, Version}};
    /// let bye = Packet::Disconnect { reason: 0x04, properties: Properties::EMPTY };
    /// let mut wire = [0; 8];
    /// assert_eq!(bye.write(Version::V5, &mut wire), Ok(3));
    /// let refused = bye.write(Version::V311, &mut wire);
    /// assert_eq!(refused, Err(EncodeError::Range { what: "reason code", got: 4 }));
    /// ```
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is too short. [`EncodeError::Range`] if a reader of the version would
    /// refuse the packet, with the same `what`.
    pub fn write(&self, version: Version, out: &mut [u8]) -> Result<usize, EncodeError> {
        write::packet(self, version, out)
    }
}

impl Encode<Mqtt5> for Packet<'_> {
    /// 0 if the version does not allow the packet; `encode` returns the error.
    fn encoded_len(&self) -> usize {
        self.written_len(Version::V5)
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        self.write(Version::V5, out)
    }
}

impl Encode<Mqtt311> for Packet311<'_> {
    /// 0 if the version does not allow the packet; `encode` returns the error.
    fn encoded_len(&self) -> usize {
        self.0.written_len(Version::V311)
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        self.0.write(Version::V311, out)
    }
}

impl ToJson for Packet311<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.0.to_json(out)
    }
}

/// The framing of both versions, by the fixed header (MQTT 5, section 2.1; MQTT 3.1.1, section 2.2). A
/// message is one whole packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MqttFraming;

impl Framing for MqttFraming {
    fn split(&self, bytes: &[u8], _: &Limits) -> Result<Cut, DecodeError> {
        slice::part::<u8>(bytes, 0)?;
        let (len, from) = data::padded_varint(bytes, 1)?;
        slice::span(bytes, from, len as usize)?;
        let end = from + len as usize;
        Ok(Cut {
            start: 0,
            end,
            next: end,
        })
    }
}
