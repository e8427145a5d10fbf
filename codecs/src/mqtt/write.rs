//! Packets to bytes.

use super::{
    Mqtt5,
    data::{VARINT_MAX, varint_len},
    packet::{
        Ack, Connect, Filters, Packet, Properties, Publish, Qos, Reasons, Subscription,
        Subscriptions,
    },
    property::{Property, PropertyValue, id},
};
use crate::{Encode, EncodeError};

/// Writes, or only counts where there is no buffer.
struct Put<'o> {
    out: Option<&'o mut [u8]>,
    at: usize,
}

impl Put<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let end = self.at + bytes.len();
        if let Some(out) = &mut self.out {
            let room = EncodeError::Room {
                need: end,
                have: out.len(),
            };
            out.get_mut(self.at..end)
                .ok_or(room)?
                .copy_from_slice(bytes);
        }
        self.at = end;
        Ok(())
    }

    fn varint(&mut self, mut value: u32) -> Result<(), EncodeError> {
        if value > VARINT_MAX {
            return Err(EncodeError::Range {
                what: "length",
                got: value.into(),
            });
        }
        while value >= 0x80 {
            self.bytes(&[value as u8 | 0x80])?;
            value >>= 7;
        }
        self.bytes(&[value as u8])
    }

    fn binary(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let got = bytes.len() as u64;
        let len = u16::try_from(bytes.len()).map_err(|_| EncodeError::Range {
            what: "bytes of a string",
            got,
        })?;
        self.bytes(&len.to_be_bytes())?;
        self.bytes(bytes)
    }

    fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        if text.bytes().any(|byte| byte == 0) {
            return Err(EncodeError::Range {
                what: "character of a string",
                got: 0,
            });
        }
        self.binary(text.as_bytes())
    }

    /// A topic name has no wildcards (section 4.7.1).
    fn topic(&mut self, topic: &str) -> Result<(), EncodeError> {
        if topic.contains(['+', '#']) {
            return Err(EncodeError::Order {
                what: "a topic without wildcards",
            });
        }
        self.text(topic)
    }

    /// A topic filter has at least one character (section 4.7.3).
    fn filter(&mut self, filter: &str) -> Result<(), EncodeError> {
        if filter.is_empty() {
            return Err(EncodeError::Range {
                what: "length of a topic filter",
                got: 0,
            });
        }
        self.text(filter)
    }

    fn packet_id(&mut self, id: u16) -> Result<(), EncodeError> {
        if id == 0 {
            return Err(EncodeError::Range {
                what: "packet identifier",
                got: 0,
            });
        }
        self.bytes(&id.to_be_bytes())
    }

    fn properties(&mut self, properties: Properties<'_>) -> Result<(), EncodeError> {
        self.varint(length(properties.0.len())?)?;
        self.bytes(properties.0)
    }

    /// Reason and properties; what says nothing is left off (section 3.4.2.1).
    fn tail(&mut self, reason: u8, properties: Properties<'_>) -> Result<(), EncodeError> {
        if reason != 0 || !properties.is_empty() {
            self.bytes(&[reason])?;
        }
        if properties.is_empty() {
            Ok(())
        } else {
            self.properties(properties)
        }
    }

    fn connect(&mut self, c: &Connect<'_>) -> Result<(), EncodeError> {
        self.text("MQTT")?;
        let mut flags = u8::from(c.clean_start) << 1;
        if let Some(will) = &c.will {
            flags |= 0x04 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
        }
        flags |= u8::from(c.username.is_some()) << 7 | u8::from(c.password.is_some()) << 6;
        self.bytes(&[5, flags])?;
        self.bytes(&c.keep_alive_s.to_be_bytes())?;
        self.properties(c.properties)?;
        self.text(c.client_id)?;
        if let Some(will) = &c.will {
            if will.topic.is_empty() {
                return Err(EncodeError::Order {
                    what: "a topic of the will",
                });
            }
            self.properties(will.properties)?;
            self.topic(will.topic)?;
            self.binary(will.payload)?;
        }
        c.username.map_or(Ok(()), |name| self.text(name))?;
        c.password.map_or(Ok(()), |password| self.binary(password))
    }

    fn publish(&mut self, p: &Publish<'_>) -> Result<(), EncodeError> {
        if let Some(what) = missing(p) {
            return Err(EncodeError::Order { what });
        }
        self.topic(p.topic)?;
        match (p.qos, p.packet_id) {
            (Qos::AtMostOnce, None) => {}
            (Qos::AtLeastOnce | Qos::ExactlyOnce, Some(id)) => self.packet_id(id)?,
            _ => {
                return Err(EncodeError::Order {
                    what: "a packet identifier exactly above QoS 0",
                });
            }
        }
        self.properties(p.properties)?;
        self.bytes(p.payload)
    }

    fn ack(&mut self, ack: &Ack<'_>) -> Result<(), EncodeError> {
        self.packet_id(ack.packet_id)?;
        self.tail(ack.reason, ack.properties)
    }

    fn reasons(&mut self, r: &Reasons<'_>) -> Result<(), EncodeError> {
        if r.reasons.is_empty() {
            return Err(EncodeError::Order {
                what: "at least one reason code",
            });
        }
        self.packet_id(r.packet_id)?;
        self.properties(r.properties)?;
        self.bytes(r.reasons)
    }

    /// All behind the fixed header.
    fn body(&mut self, packet: &Packet<'_>) -> Result<(), EncodeError> {
        match packet {
            Packet::Connect(connect) => self.connect(connect),
            Packet::ConnAck {
                session_present,
                reason,
                properties,
            } => {
                self.bytes(&[u8::from(*session_present), *reason])?;
                self.properties(*properties)
            }
            Packet::Publish(publish) => self.publish(publish),
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => self.ack(ack),
            Packet::Subscribe {
                packet_id,
                properties,
                subscriptions,
            } => {
                self.packet_id(*packet_id)?;
                self.properties(*properties)?;
                self.bytes(subscriptions.0)
            }
            Packet::Unsubscribe {
                packet_id,
                properties,
                filters,
            } => {
                self.packet_id(*packet_id)?;
                self.properties(*properties)?;
                self.bytes(filters.0)
            }
            Packet::SubAck(reasons) | Packet::UnsubAck(reasons) => self.reasons(reasons),
            Packet::PingReq | Packet::PingResp => Ok(()),
            Packet::Disconnect { reason, properties } => self.tail(*reason, *properties),
            // Section 3.15.2: reason and length of properties are left off together or not at all.
            Packet::Auth { reason, properties } if *reason != 0 => {
                self.bytes(&[*reason])?;
                self.properties(*properties)
            }
            Packet::Auth { properties, .. } => self.tail(0, *properties),
        }
    }
}

/// Packet type and flags (tables 2-1 and 2-2).
fn first(packet: &Packet<'_>) -> u8 {
    match packet {
        Packet::Connect(_) => 0x10,
        Packet::ConnAck { .. } => 0x20,
        Packet::Publish(p) => 0x30 | u8::from(p.dup) << 3 | (p.qos as u8) << 1 | u8::from(p.retain),
        Packet::PubAck(_) => 0x40,
        Packet::PubRec(_) => 0x50,
        Packet::PubRel(_) => 0x62,
        Packet::PubComp(_) => 0x70,
        Packet::Subscribe { .. } => 0x82,
        Packet::SubAck(_) => 0x90,
        Packet::Unsubscribe { .. } => 0xa2,
        Packet::UnsubAck(_) => 0xb0,
        Packet::PingReq => 0xc0,
        Packet::PingResp => 0xd0,
        Packet::Disconnect { .. } => 0xe0,
        Packet::Auth { .. } => 0xf0,
    }
}

/// Length of all behind the fixed header, which can say it.
fn body_len(packet: &Packet<'_>) -> Result<u32, EncodeError> {
    let mut put = Put { out: None, at: 0 };
    put.body(packet)?;
    length(put.at)
}

fn length(len: usize) -> Result<u32, EncodeError> {
    let fits = u32::try_from(len).ok().filter(|len| *len <= VARINT_MAX);
    fits.ok_or(EncodeError::Range {
        what: "length",
        got: len as u64,
    })
}

/// What a PUBLISH must have, and does not (sections 3.3.1.1 and 3.3.2.1): such a packet would end
/// the connection at its reader.
fn missing(p: &Publish<'_>) -> Option<&'static str> {
    if p.dup && p.qos == Qos::AtMostOnce {
        return Some("DUP only above QoS 0");
    }
    let aliased = || p.properties.iter().any(|it| it.id == id::TOPIC_ALIAS);
    (p.topic.is_empty() && !aliased()).then_some("a topic, or an alias of one")
}

impl Encode<Mqtt5> for Packet<'_> {
    /// 0 for a packet that has no form on the wire; `encode` says why.
    fn encoded_len(&self) -> usize {
        body_len(self).map_or(0, |len| 1 + varint_len(len) + len as usize)
    }

    fn encode(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        let len = body_len(self)?;
        let mut put = Put {
            out: Some(out),
            at: 0,
        };
        put.bytes(&[first(self)])?;
        put.varint(len)?;
        put.body(self)?;
        Ok(put.at)
    }
}

/// Writes properties at the start of `out`, for a packet to be built. Which packet may have which, and
/// that a SUBSCRIBE has one subscription identifier, is checked when the packet is read.
///
/// # Errors
/// [`EncodeError::Room`]; [`EncodeError::Range`] for text with NUL or above 65,535 bytes, and, with
/// the identifier, for a value that the property never has and for a property given twice that may
/// stand once (section 2.2.2.2); [`EncodeError::Order`] for a value that is not of its identifier's
/// type.
pub fn write_properties<'o>(
    out: &'o mut [u8],
    properties: &[Property<'_>],
) -> Result<Properties<'o>, EncodeError> {
    let mut put = Put {
        out: Some(&mut *out),
        at: 0,
    };
    let mut seen = 0u64;
    for property in properties {
        // Identifiers are below 64; others are refused below, by their type.
        let bit = 1u64.checked_shl(property.id.into()).unwrap_or_default();
        let may_repeat = [id::USER_PROPERTY, id::SUBSCRIPTION_IDENTIFIER].contains(&property.id);
        if seen & bit != 0 && !may_repeat {
            return Err(EncodeError::Range {
                what: "property given twice",
                got: property.id.into(),
            });
        }
        seen |= bit;
        if !property.is_allowed() {
            return Err(EncodeError::Range {
                what: "value of the property",
                got: property.id.into(),
            });
        }
        put.bytes(&[property.id])?;
        match property.value {
            PropertyValue::Byte(value) => put.bytes(&[value])?,
            PropertyValue::Two(value) => put.bytes(&value.to_be_bytes())?,
            PropertyValue::Four(value) => put.bytes(&value.to_be_bytes())?,
            PropertyValue::Varint(value) => put.varint(value)?,
            PropertyValue::Text(value) => put.text(value)?,
            PropertyValue::Binary(value) => put.binary(value)?,
            PropertyValue::Pair(name, value) => {
                put.text(name)?;
                put.text(value)?;
            }
        }
    }
    let len = put.at;
    let written = Properties(out.get(..len).unwrap_or_default());
    if !written.iter().eq(properties.iter().copied()) {
        return Err(EncodeError::Order {
            what: "values of their identifiers' types",
        });
    }
    Ok(written)
}

/// Writes the payload of a SUBSCRIBE at the start of `out`, for a packet to be built.
///
/// # Errors
/// [`EncodeError::Room`]; [`EncodeError::Range`] for text that has no form, an empty filter, or
/// options that section 3.8.3.1 does not have; [`EncodeError::Order`] without any.
pub fn write_subscriptions<'o>(
    out: &'o mut [u8],
    subscriptions: &[Subscription<'_>],
) -> Result<Subscriptions<'o>, EncodeError> {
    let mut put = Put {
        out: Some(&mut *out),
        at: 0,
    };
    for subscription in subscriptions {
        put.filter(subscription.filter)?;
        if !subscription.has_legal_options() {
            return Err(EncodeError::Range {
                what: "subscription options",
                got: subscription.options.into(),
            });
        }
        put.bytes(&[subscription.options])?;
    }
    let len = at_least_one(put.at)?;
    Ok(Subscriptions(out.get(..len).unwrap_or_default()))
}

/// Writes the payload of an UNSUBSCRIBE at the start of `out`, for a packet to be built.
///
/// # Errors
/// See [`write_subscriptions`].
pub fn write_filters<'o>(out: &'o mut [u8], filters: &[&str]) -> Result<Filters<'o>, EncodeError> {
    let mut put = Put {
        out: Some(&mut *out),
        at: 0,
    };
    for filter in filters {
        put.filter(filter)?;
    }
    let len = at_least_one(put.at)?;
    Ok(Filters(out.get(..len).unwrap_or_default()))
}

fn at_least_one(len: usize) -> Result<usize, EncodeError> {
    if len == 0 {
        Err(EncodeError::Order {
            what: "at least one topic filter",
        })
    } else {
        Ok(len)
    }
}
