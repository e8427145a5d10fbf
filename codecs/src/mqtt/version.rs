//! Protocol versions, and their field in the first packet.

use super::{data::Take, packet::kind};
use crate::DecodeError;

/// A version of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// MQTT 3.1.1: protocol level 4.
    V311,
    /// MQTT 5: protocol version 5.
    V5,
}

impl Version {
    /// The protocol level in a CONNECT: 4 for MQTT 3.1.1, 5 for MQTT 5.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// Reads the version of a CONNECT from its first 9 to 12 bytes: the fixed header, the protocol name and
    /// the protocol level. Ignores the bytes behind them.
    ///
    /// A server chooses its codec with this function.
    /// [`MqttStream::from_client`](super::MqttStream::from_client) chooses by itself.
    ///
    /// ```
    /// use tickwire_codecs::{DecodeError, mqtt::Version};
    /// assert_eq!(Version::of_connect(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c"), Ok(Version::V311));
    /// assert_eq!(Version::of_connect(b"\x10\x0d\x00\x04MQTT\x05"), Ok(Version::V5));
    /// let old = Version::of_connect(b"\x10\x0f\x00\x06MQIsdp\x03");
    /// assert_eq!(old, Err(DecodeError::Version { at: 2, want: 5, got: 3 }));
    /// ```
    ///
    /// # Errors
    /// [`DecodeError::Short`] if the bytes end before the level. [`DecodeError::Version`] for another
    /// version: a server answers it with a CONNACK of return code 0x01 (MQTT 3.1.1) or reason code 0x84
    /// (MQTT 5). [`DecodeError::Wrong`] and [`DecodeError::Utf8`] if the bytes are not a CONNECT.
    pub fn of_connect(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut take = Take::new(bytes, 0);
        let first = take.u8()?;
        if first != kind::CONNECT << 4 {
            return Err(DecodeError::wrong(0, "packet type and flags", first.into()));
        }
        take.padded_varint()?;
        Self::read(&mut take, Self::V5)
    }

    /// Reads the protocol name and level. `want` is only for errors.
    pub(super) fn read(take: &mut Take<'_>, want: Self) -> Result<Self, DecodeError> {
        let at = take.at();
        match take.text()? {
            "MQTT" => {}
            // MQTT 3.1 has another protocol name.
            "MQIsdp" => return Err(DecodeError::version(at, want.level().into(), 3)),
            _ => return Err(DecodeError::wrong(at, "protocol name", 0)),
        }
        let at = take.at();
        match take.u8()? {
            4 => Ok(Self::V311),
            5 => Ok(Self::V5),
            other => Err(DecodeError::version(at, want.level().into(), other.into())),
        }
    }
}

/// The sender of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sender {
    /// The end that sends CONNECT.
    Client,
    /// The end that sends CONNACK.
    Server,
}
