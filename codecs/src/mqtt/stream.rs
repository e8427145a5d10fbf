//! Packets of a byte stream. An invalid packet ends the stream: MQTT closes the connection on a malformed
//! packet (MQTT 5, section 4.13; MQTT 3.1.1, section 4.8).

use super::{
    Mqtt5, Mqtt311, MqttFraming,
    packet::Packet,
    version::{Sender, Version},
};
use crate::{Codec, DecodeError, Limits, Progress, Reassembler, StreamCodec};
use core::marker::PhantomData;

/// A stream of a known version, in either direction: see [`Mqtt5Stream`] and [`Mqtt311Stream`].
#[derive(Debug)]
pub struct PacketStream<C> {
    joined: Joined,
    codec: PhantomData<fn() -> C>,
}

/// The packets of a stream of MQTT 5, in either direction.
pub type Mqtt5Stream = PacketStream<Mqtt5>;

/// The packets of a stream of MQTT 3.1.1, in either direction.
pub type Mqtt311Stream = PacketStream<Mqtt311>;

impl<C> PacketStream<C> {
    /// A stream that begins at a packet boundary. `limits.max_msg` bounds a packet and the buffer.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            joined: Joined::new(limits),
            codec: PhantomData,
        }
    }

    /// Whether the stream is inside a packet.
    #[must_use]
    pub fn is_mid_packet(&self) -> bool {
        self.joined.frames.is_mid_message()
    }
}

impl<C: Codec> StreamCodec for PacketStream<C> {
    type Item<'a> = C::View<'a>;

    fn next<'a>(&'a mut self, input: &'a [u8]) -> Progress<C::View<'a>> {
        self.joined.next(input, C::view)
    }
}

/// The packets of one direction of a connection, each with the version of the connection.
///
/// Beside the rules of each packet the stream checks their order and their sender:
///
/// - The first packet of a client is a CONNECT, which chooses the version. No second CONNECT follows
///   ([MQTT-3.1.0-1], [MQTT-3.1.0-2]).
/// - The first packet of a server is a CONNACK; in MQTT 5 AUTH packets that continue an authentication may
///   come first. No second CONNACK follows ([MQTT-3.2.0-1], [MQTT-3.2.0-2], [MQTT-3.14.0-1],
///   [MQTT-4.12.0-2]).
/// - No packet follows a DISCONNECT or a CONNACK of refusal ([MQTT-3.14.4-1], [MQTT-3.2.2-7]).
/// - The sender may send the packet ([`Packet::check_sender`]).
///
/// ```
/// use tickwire_codecs::{Limits, Progress, StreamCodec, mqtt::{MqttStream, Packet, Version}};
/// let mut clients = MqttStream::from_client(Limits::DEVICE);
/// let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c";
/// let Progress::Item { item, .. } = clients.next(connect) else { panic!() };
/// let (Version::V311, Packet::Connect(connect)) = item else { panic!() };
/// assert_eq!(connect.client_id, "c");
/// ```
#[derive(Debug)]
pub struct MqttStream {
    joined: Joined,
    sender: Sender,
    version: Option<Version>,
    stage: Stage,
}

/// The state of the sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Before CONNECT or CONNACK.
    Before,
    Open,
    /// After the last packet.
    Over,
}

impl MqttStream {
    /// The packets of a client. Its CONNECT chooses the version.
    #[must_use]
    pub const fn from_client(limits: Limits) -> Self {
        Self {
            joined: Joined::new(limits),
            sender: Sender::Client,
            version: None,
            stage: Stage::Before,
        }
    }

    /// The packets of a server, after a CONNECT of `version`.
    #[must_use]
    pub const fn from_server(version: Version, limits: Limits) -> Self {
        Self {
            joined: Joined::new(limits),
            sender: Sender::Server,
            version: Some(version),
            stage: Stage::Before,
        }
    }

    /// The version. In the stream of a client it is `None` before the CONNECT.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether the stream is inside a packet.
    #[must_use]
    pub fn is_mid_packet(&self) -> bool {
        self.joined.frames.is_mid_message()
    }
}

impl StreamCodec for MqttStream {
    type Item<'a> = (Version, Packet<'a>);

    fn next<'a>(&'a mut self, input: &'a [u8]) -> Progress<(Version, Packet<'a>)> {
        let Self {
            joined,
            sender,
            version,
            stage,
        } = self;
        joined.next(input, |bytes, limits| {
            let spoken = match *version {
                Some(version) => version,
                None => Version::of_connect(bytes)?,
            };
            let packet = Packet::read(spoken, bytes, limits)?;
            packet.check_sender(*sender, spoken)?;
            *stage = stage.next(&packet)?;
            *version = Some(spoken);
            Ok((spoken, packet))
        })
    }
}

impl Stage {
    /// The state behind a packet of an allowed sender.
    fn next(self, packet: &Packet<'_>) -> Result<Self, DecodeError> {
        let wrong = |what| Err(DecodeError::wrong(0, what, packet.kind().into()));
        let opens = matches!(packet, Packet::Connect(_) | Packet::ConnAck { .. });
        match (self, packet) {
            (Self::Over, _) => wrong("packet type after the last packet"),
            (Self::Open, _) if opens => wrong("packet type after the first packet"),
            (Self::Before, Packet::ConnAck { reason, .. }) if *reason != 0 => Ok(Self::Over),
            // AUTH of success and of re-authentication are not allowed before CONNACK (section 4.12).
            (Self::Before, Packet::Auth { reason: 0x18, .. }) => Ok(Self::Before),
            (Self::Before, _) if !opens => wrong("type of the first packet"),
            (Self::Open, Packet::Disconnect { .. }) => Ok(Self::Over),
            _ => Ok(Self::Open),
        }
    }
}

/// Joins packets and reads them with a function of the caller. The first error is final.
#[derive(Debug)]
struct Joined {
    frames: Reassembler<MqttFraming>,
    limits: Limits,
    failed: Option<DecodeError>,
}

impl Joined {
    const fn new(limits: Limits) -> Self {
        Self {
            frames: Reassembler::new(MqttFraming, limits),
            limits,
            failed: None,
        }
    }

    fn next<'a, T>(
        &'a mut self,
        input: &'a [u8],
        read: impl FnOnce(&'a [u8], &Limits) -> Result<T, DecodeError>,
    ) -> Progress<T> {
        if let Some(error) = self.failed {
            return Progress::Failed(error);
        }
        match self.frames.next(input) {
            Progress::Item { consumed, item } => match read(item, &self.limits) {
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
