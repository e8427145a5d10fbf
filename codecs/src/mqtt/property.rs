//! Properties (MQTT 5, section 2.2.2).

use super::{
    data::Take,
    fault::Fault,
    packet::{Properties, kind},
    topic,
};
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
    /// The value, of the type that the identifier requires.
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
    /// Variable byte integer.
    Varint(u32),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// Name and value.
    Pair(&'a str, &'a str),
}

/// The allowed packets of a property: bit `n` for packet type `n`, bit 0 for a will.
pub(super) type Place = u16;
pub(super) const WILL: Place = 1;
/// The packet is unknown: a program writes the properties before their packet.
pub(super) const ANY: Place = !0;
const CONNECT: Place = of(kind::CONNECT);
const CONNACK: Place = of(kind::CONNACK);
const PUBLISH: Place = of(kind::PUBLISH);
const ACKS: Place = of(kind::PUBACK) | of(kind::PUBREC) | of(kind::PUBREL) | of(kind::PUBCOMP);
const SUBSCRIBE: Place = of(kind::SUBSCRIBE);
const SUBACKS: Place = of(kind::SUBACK) | of(kind::UNSUBACK);
const DISCONNECT: Place = of(kind::DISCONNECT);
const AUTH: Place = of(kind::AUTH);

/// The packet of this type.
pub(super) const fn of(kind: u8) -> Place {
    1 << kind
}

/// The packets that allow this property; 0 for an unknown identifier.
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
        // User property: all packets except the two pings.
        0x26 => !(of(kind::PINGREQ) | of(kind::PINGRESP)),
        _ => 0,
    }
}

impl<'a> Property<'a> {
    /// Reads one property of any packet.
    pub(super) fn read(take: &mut Take<'a>) -> Result<Self, DecodeError> {
        let at = take.at();
        // Identifiers are variable byte integers; all defined ones have one byte.
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
    /// Refuses values that are a protocol error in every session (section 3): a flag above 1, a number that
    /// must not be 0, a response topic that is not a topic name.
    fn check_value(&self) -> Result<(), Fault> {
        let allowed = match (self.id, self.value) {
            (_, PropertyValue::Byte(value)) => value <= 1,
            (id::RECEIVE_MAXIMUM | id::TOPIC_ALIAS, PropertyValue::Two(value)) => value != 0,
            (id::MAXIMUM_PACKET_SIZE, PropertyValue::Four(value)) => value != 0,
            (id::SUBSCRIPTION_IDENTIFIER, PropertyValue::Varint(value)) => value != 0,
            (id::RESPONSE_TOPIC, PropertyValue::Text(topic)) => topic::name(topic).is_ok(),
            _ => true,
        };
        if allowed {
            return Ok(());
        }
        Err(Fault::new("value of the property", self.id.into()))
    }
}

/// The rules of the properties of one packet. [`add`](Self::add) refuses a property that violates a rule.
pub(super) struct Rules {
    place: Place,
    /// Bit `n` for identifier `n`; all are below 64.
    seen: u64,
}

impl Rules {
    pub(super) const fn of(place: Place) -> Self {
        Self { place, seen: 0 }
    }

    pub(super) const fn has(&self, id: u8) -> bool {
        self.seen & (1 << id) != 0
    }

    pub(super) fn add(&mut self, property: &Property<'_>) -> Result<(), Fault> {
        let id = property.id;
        match places(id) {
            0 => return Err(Fault::new("property identifier", id.into())),
            places if places & self.place == 0 => {
                return Err(Fault::new("property of another packet", id.into()));
            }
            _ => {}
        }
        // Section 2.2.2.2: once each, except user properties and the subscription identifiers of a
        // PUBLISH.
        let many = id == self::id::USER_PROPERTY
            || (id == self::id::SUBSCRIPTION_IDENTIFIER && self.place & PUBLISH != 0);
        if !many && self.has(id) {
            return Err(Fault::new("property given twice", id.into()));
        }
        self.seen |= 1 << id;
        property.check_value()
    }

    /// Adds all properties of a packet to write.
    pub(super) fn check(properties: Properties<'_>, place: Place) -> Result<Self, Fault> {
        let mut rules = Self::of(place);
        properties.iter().try_for_each(|it| rules.add(&it))?;
        Ok(rules)
    }
}

/// Reads and checks the properties of a packet, with the length in front of them.
pub(super) fn properties<'a>(
    take: &mut Take<'a>,
    place: Place,
    limits: &Limits,
) -> Result<(Properties<'a>, Rules), DecodeError> {
    let len = take.varint()?;
    let from = take.at();
    let bytes = take.span(len as usize)?;
    let mut inside = Take::new(bytes, 0);
    let (mut rules, mut count) = (Rules::of(place), 0);
    while !inside.is_empty() {
        let at = inside.at();
        count += 1;
        limits.check_items(from + at, count)?;
        let property = Property::read(&mut inside).map_err(|error| error.shifted(from))?;
        rules
            .add(&property)
            .map_err(|fault| fault.read_at(from + at))?;
    }
    Ok((Properties(bytes), rules))
}
