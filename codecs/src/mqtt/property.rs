//! Properties (section 2.2.2).

use super::{data::Take, packet::Properties};
use crate::{DecodeError, Limits};

/// Identifiers of properties.
pub mod id {
    #![expect(
        missing_docs,
        reason = "the names are those of the table in section 2.2.2.2"
    )]
    pub const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub const CONTENT_TYPE: u8 = 0x03;
    pub const RESPONSE_TOPIC: u8 = 0x08;
    pub const CORRELATION_DATA: u8 = 0x09;
    pub const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
    pub const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub const AUTHENTICATION_METHOD: u8 = 0x15;
    pub const AUTHENTICATION_DATA: u8 = 0x16;
    pub const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub const WILL_DELAY_INTERVAL: u8 = 0x18;
    pub const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub const RESPONSE_INFORMATION: u8 = 0x1a;
    pub const SERVER_REFERENCE: u8 = 0x1c;
    pub const REASON_STRING: u8 = 0x1f;
    pub const RECEIVE_MAXIMUM: u8 = 0x21;
    pub const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub const TOPIC_ALIAS: u8 = 0x23;
    pub const MAXIMUM_QOS: u8 = 0x24;
    pub const RETAIN_AVAILABLE: u8 = 0x25;
    pub const USER_PROPERTY: u8 = 0x26;
    pub const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub const SUBSCRIPTION_IDENTIFIER_AVAILABLE: u8 = 0x29;
    pub const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2a;
}

/// One property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Property<'a> {
    /// One of [`id`].
    pub id: u8,
    /// Its value, of the type its identifier has.
    pub value: PropertyValue<'a>,
}

/// The value of a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PropertyValue<'a> {
    /// One byte.
    Byte(u8),
    /// Two-byte integer.
    Two(u16),
    /// Four-byte integer.
    Four(u32),
    /// Variable-length integer.
    Varint(u32),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// Name and value.
    Pair(&'a str, &'a str),
}

/// Where a property may stand: bit `n` for packet type `n`, bit 0 for a will.
pub(super) type Place = u16;
pub(super) const WILL: Place = 1;
const CONNECT: Place = 1 << 1;
const CONNACK: Place = 1 << 2;
const PUBLISH: Place = 1 << 3;
const ACKS: Place = (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7);
const SUBSCRIBE: Place = 1 << 8;
const SUBACKS: Place = (1 << 9) | (1 << 11);
const DISCONNECT: Place = 1 << 14;
const AUTH: Place = 1 << 15;

/// Packets that may have this property; 0 for an identifier that is none.
const fn places(id: u8) -> Place {
    match id {
        0x01 | 0x02 | 0x03 | 0x08 | 0x09 => PUBLISH | WILL,
        0x0b => PUBLISH | SUBSCRIBE,
        0x11 => CONNECT | CONNACK | DISCONNECT,
        0x12 | 0x13 | 0x1a | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => CONNACK,
        0x15 | 0x16 => CONNECT | CONNACK | AUTH,
        0x17 | 0x19 => CONNECT,
        0x18 => WILL,
        0x1c => CONNACK | DISCONNECT,
        0x1f => CONNACK | ACKS | SUBACKS | DISCONNECT | AUTH,
        0x21 | 0x22 | 0x27 => CONNECT | CONNACK,
        0x23 => PUBLISH,
        // User property: everywhere but the two pings.
        0x26 => !((1 << 12) | (1 << 13)),
        _ => 0,
    }
}

impl<'a> Property<'a> {
    /// Reads one property of any packet.
    pub(super) fn read(take: &mut Take<'a>) -> Result<Self, DecodeError> {
        let at = take.at();
        // Identifiers are variable-length integers, all of one byte so far.
        let found = take.varint()?;
        let wrong = DecodeError::wrong(at, "property identifier", found.into());
        let id = u8::try_from(found).map_err(|_| wrong)?;
        let value = match id {
            0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => {
                PropertyValue::Byte(take.u8()?)
            }
            0x13 | 0x21 | 0x22 | 0x23 => PropertyValue::Two(take.u16()?),
            0x02 | 0x11 | 0x18 | 0x27 => PropertyValue::Four(take.u32()?),
            0x0b => PropertyValue::Varint(take.varint()?),
            0x03 | 0x08 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f => PropertyValue::Text(take.text()?),
            0x09 | 0x16 => PropertyValue::Binary(take.binary()?),
            0x26 => PropertyValue::Pair(take.text()?, take.text()?),
            _ => return Err(wrong),
        };
        Ok(Self { id, value })
    }
}

impl Property<'_> {
    /// Values that section 3 calls a protocol error whatever the session: a flag above 1, a number
    /// that must not be 0, a wildcard in a response topic.
    pub(super) fn is_allowed(&self) -> bool {
        match (self.id, self.value) {
            (_, PropertyValue::Byte(value)) => value <= 1,
            (id::RECEIVE_MAXIMUM | id::TOPIC_ALIAS, PropertyValue::Two(value)) => value != 0,
            (id::MAXIMUM_PACKET_SIZE, PropertyValue::Four(value)) => value != 0,
            (id::SUBSCRIPTION_IDENTIFIER, PropertyValue::Varint(value)) => value != 0,
            (id::RESPONSE_TOPIC, PropertyValue::Text(topic)) => !topic.contains(['+', '#']),
            _ => true,
        }
    }
}

/// Reads a packet's properties with their length in front, and checks each.
pub(super) fn properties<'a>(
    take: &mut Take<'a>,
    place: Place,
    limits: &Limits,
) -> Result<Properties<'a>, DecodeError> {
    let len = take.varint()?;
    let from = take.at();
    let bytes = take.span(len as usize)?;
    let mut inside = Take::new(bytes, 0);
    let (mut seen, mut count) = (0u64, 0);
    while !inside.is_empty() {
        let at = inside.at();
        count += 1;
        limits.check_items(from + at, count)?;
        let property = Property::read(&mut inside).map_err(|error| error.shifted(from))?;
        let id = property.id;
        if places(id) & place == 0 {
            return Err(DecodeError::wrong(
                from + at,
                "property of another packet",
                id.into(),
            ));
        }
        // Section 2.2.2.2: once each, but for user properties, and subscription identifiers of a
        // PUBLISH.
        let many = id == self::id::USER_PROPERTY
            || (id == self::id::SUBSCRIPTION_IDENTIFIER && place == PUBLISH);
        if !many && seen & (1 << id) != 0 {
            return Err(DecodeError::wrong(
                from + at,
                "property given twice",
                id.into(),
            ));
        }
        if !property.is_allowed() {
            return Err(DecodeError::wrong(
                from + at,
                "value of property",
                id.into(),
            ));
        }
        seen |= 1 << id;
    }
    Ok(Properties(bytes))
}
