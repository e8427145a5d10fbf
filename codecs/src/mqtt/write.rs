//! Packets to bytes.

use super::{
    data::{VARINT_MAX, varint_len},
    fault::Fault,
    packet::{
        Ack, Connect, Filters, Packet, Properties, Publish, Qos, Reasons, Subscription,
        Subscriptions, kind,
    },
    property::{self, ANY, Place, Property, PropertyValue, Rules, WILL, id},
    rules, topic,
    version::Version,
};
use crate::EncodeError;

/// A writer, or a counter of bytes without a buffer.
struct Put<'o> {
    version: Version,
    out: Option<&'o mut [u8]>,
    at: usize,
}

impl<'o> Put<'o> {
    const fn new(version: Version, out: Option<&'o mut [u8]>) -> Self {
        Self {
            version,
            out,
            at: 0,
        }
    }

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
            what: "length of a string",
            got,
        })?;
        self.bytes(&len.to_be_bytes())?;
        self.bytes(bytes)
    }

    fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        if text.bytes().any(|byte| byte == 0) {
            return Err(Fault::new("NUL in text", 0).into());
        }
        self.binary(text.as_bytes())
    }

    fn filter(&mut self, filter: &str) -> Result<(), EncodeError> {
        topic::filter(filter, self.version)?;
        self.text(filter)
    }

    fn subscription(&mut self, subscription: &Subscription<'_>) -> Result<(), EncodeError> {
        let Subscription { filter, options } = *subscription;
        self.filter(filter)?;
        topic::options(filter, options, self.version)?;
        self.bytes(&[options])
    }

    fn packet_id(&mut self, id: u16) -> Result<(), EncodeError> {
        rules::packet_id(id)?;
        self.bytes(&id.to_be_bytes())
    }

    /// The properties behind their length; MQTT 3.1.1 has neither.
    fn properties(
        &mut self,
        properties: Properties<'_>,
        place: Place,
    ) -> Result<Rules, EncodeError> {
        if self.version == Version::V311 {
            without_properties(properties)?;
            return Ok(Rules::of(place));
        }
        let seen = Rules::check(properties, place)?;
        self.varint(length(properties.0.len())?)?;
        self.bytes(properties.0)?;
        Ok(seen)
    }

    /// Reason code and properties, without default values at the end (section 3.4.2.1). MQTT 3.1.1 has
    /// neither.
    fn tail(
        &mut self,
        kind: u8,
        reason: u8,
        properties: Properties<'_>,
    ) -> Result<(), EncodeError> {
        rules::reason(kind, reason, self.version)?;
        if reason != 0 || !properties.is_empty() {
            self.bytes(&[reason])?;
        }
        if properties.is_empty() {
            return Ok(());
        }
        self.properties(properties, property::of(kind))?;
        Ok(())
    }

    fn connect(&mut self, c: &Connect<'_>) -> Result<(), EncodeError> {
        let (has_name, has_password) = (c.username.is_some(), c.password.is_some());
        self.text("MQTT")?;
        let mut flags = u8::from(c.clean_start) << 1;
        if let Some(will) = &c.will {
            flags |= 0x04 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
        }
        flags |= u8::from(has_name) << 7 | u8::from(has_password) << 6;
        if has_password {
            rules::password(has_name, self.version)?;
        }
        self.bytes(&[self.version.level(), flags])?;
        self.bytes(&c.keep_alive_s.to_be_bytes())?;
        let seen = self.properties(c.properties, property::of(kind::CONNECT))?;
        rules::authentication(&seen)?;
        rules::client_id(c.client_id, c.clean_start, self.version)?;
        self.text(c.client_id)?;
        if let Some(will) = &c.will {
            self.properties(will.properties, WILL)?;
            topic::name(will.topic)?;
            self.text(will.topic)?;
            self.binary(will.payload)?;
        }
        c.username.map_or(Ok(()), |name| self.text(name))?;
        c.password.map_or(Ok(()), |password| self.binary(password))
    }

    fn conn_ack(
        &mut self,
        session_present: bool,
        reason: u8,
        properties: Properties<'_>,
    ) -> Result<(), EncodeError> {
        rules::reason(kind::CONNACK, reason, self.version)?;
        rules::session_present(session_present, reason)?;
        self.bytes(&[u8::from(session_present), reason])?;
        let seen = self.properties(properties, property::of(kind::CONNACK))?;
        if reason == 0 {
            rules::authentication(&seen)?;
        }
        Ok(())
    }

    fn publish(&mut self, p: &Publish<'_>) -> Result<(), EncodeError> {
        rules::dup(p.dup, p.qos)?;
        topic::without_wildcards(p.topic)?;
        self.text(p.topic)?;
        match (p.qos, p.packet_id) {
            (Qos::AtMostOnce, None) => {}
            (Qos::AtMostOnce, Some(id)) => {
                return Err(Fault::new("packet identifier at QoS 0", id.into()).into());
            }
            (Qos::AtLeastOnce | Qos::ExactlyOnce, id) => self.packet_id(id.unwrap_or_default())?,
        }
        let seen = self.properties(p.properties, property::of(kind::PUBLISH))?;
        if !seen.has(id::TOPIC_ALIAS) {
            topic::not_empty(p.topic)?;
        }
        self.bytes(p.payload)
    }

    fn ack(&mut self, kind: u8, ack: &Ack<'_>) -> Result<(), EncodeError> {
        self.packet_id(ack.packet_id)?;
        self.tail(kind, ack.reason, ack.properties)
    }

    fn reasons(&mut self, kind: u8, r: &Reasons<'_>) -> Result<(), EncodeError> {
        rules::reasons(kind, r.reasons, self.version)?;
        self.packet_id(r.packet_id)?;
        self.properties(r.properties, property::of(kind))?;
        self.bytes(r.reasons)
    }

    /// Section 3.15.2: an AUTH omits both the reason code and the length of the properties, or neither; every
    /// AUTH has a property.
    fn auth(&mut self, reason: u8, properties: Properties<'_>) -> Result<(), EncodeError> {
        if self.version == Version::V311 {
            return Err(Fault::new("packet type", kind::AUTH.into()).into());
        }
        rules::reason(kind::AUTH, reason, self.version)?;
        self.bytes(&[reason])?;
        let seen = self.properties(properties, property::of(kind::AUTH))?;
        rules::authentication_method(&seen)?;
        Ok(())
    }

    /// The variable header and the payload.
    fn body(&mut self, packet: &Packet<'_>) -> Result<(), EncodeError> {
        let kind = packet.kind();
        match packet {
            Packet::Connect(connect) => self.connect(connect),
            Packet::ConnAck {
                session_present,
                reason,
                properties,
            } => self.conn_ack(*session_present, *reason, *properties),
            Packet::Publish(publish) => self.publish(publish),
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => self.ack(kind, ack),
            Packet::Subscribe {
                packet_id,
                properties,
                subscriptions,
            } => {
                self.packet_id(*packet_id)?;
                self.properties(*properties, property::of(kind))?;
                // The payload may be of the other version.
                subscriptions
                    .iter()
                    .try_for_each(|it| self.subscription(&it))
            }
            Packet::Unsubscribe {
                packet_id,
                properties,
                filters,
            } => {
                self.packet_id(*packet_id)?;
                self.properties(*properties, property::of(kind))?;
                filters.iter().try_for_each(|it| self.filter(it))
            }
            Packet::SubAck(reasons) | Packet::UnsubAck(reasons) => self.reasons(kind, reasons),
            Packet::PingReq | Packet::PingResp => Ok(()),
            Packet::Disconnect { reason, properties } => self.tail(kind, *reason, *properties),
            Packet::Auth { reason, properties } => self.auth(*reason, *properties),
        }
    }
}

/// MQTT 3.1.1 has no properties. A writer refuses them: a bridge between versions must handle them.
fn without_properties(properties: Properties<'_>) -> Result<(), Fault> {
    match properties.iter().next() {
        None => Ok(()),
        Some(first) => Err(Fault::new("property in MQTT 3.1.1", first.id.into())),
    }
}

/// Packet type and flags (tables 2-1 and 2-2).
fn first(packet: &Packet<'_>) -> u8 {
    let flags = match packet {
        Packet::Publish(p) => u8::from(p.dup) << 3 | (p.qos as u8) << 1 | u8::from(p.retain),
        Packet::PubRel(_) | Packet::Subscribe { .. } | Packet::Unsubscribe { .. } => 0b0010,
        _ => 0,
    };
    packet.kind() << 4 | flags
}

/// The remaining length, if the fixed header can hold it.
fn body_len(packet: &Packet<'_>, version: Version) -> Result<u32, EncodeError> {
    let mut put = Put::new(version, None);
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

pub(super) fn written_len(packet: &Packet<'_>, version: Version) -> usize {
    body_len(packet, version).map_or(0, |len| 1 + varint_len(len) + len as usize)
}

pub(super) fn packet(
    packet: &Packet<'_>,
    version: Version,
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    let len = body_len(packet, version)?;
    let mut put = Put::new(version, Some(out));
    put.bytes(&[first(packet)])?;
    put.varint(len)?;
    put.body(packet)?;
    Ok(put.at)
}

/// Writes properties at the start of `out`, for a packet of MQTT 5. [`Packet::write`] later checks that the
/// packet allows them and that they fit its other fields.
///
/// # Errors
/// [`EncodeError::Room`] if `out` is too short. [`EncodeError::Range`] for text with NUL or above 65,535
/// bytes, and, with the identifier, for an unknown identifier, an invalid value, and a repeated property
/// (section 2.2.2.2). [`EncodeError::Order`] for a value of another type than the identifier requires.
pub fn write_properties<'o>(
    out: &'o mut [u8],
    properties: &[Property<'_>],
) -> Result<Properties<'o>, EncodeError> {
    let mut put = Put::new(Version::V5, Some(&mut *out));
    let mut rules = Rules::of(ANY);
    for property in properties {
        rules.add(property)?;
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
            what: "a value of the type of its property identifier",
        });
    }
    Ok(written)
}

impl Version {
    /// Writes the payload of a SUBSCRIBE of this version at the start of `out`.
    ///
    /// # Errors
    /// [`EncodeError::Room`] if `out` is too short. [`EncodeError::Range`] for invalid text, a topic filter
    /// that violates section 4.7 (in MQTT 5 also 4.8.2), options that the version does not have (MQTT 5,
    /// section
    /// 3.8.3.1; MQTT 3.1.1, section 3.8.3), and No Local on a shared subscription. [`EncodeError::Order`]
    /// without subscriptions.
    pub fn write_subscriptions<'o>(
        self,
        out: &'o mut [u8],
        subscriptions: &[Subscription<'_>],
    ) -> Result<Subscriptions<'o>, EncodeError> {
        let mut put = Put::new(self, Some(&mut *out));
        subscriptions
            .iter()
            .try_for_each(|it| put.subscription(it))?;
        let len = at_least_one(put.at)?;
        Ok(Subscriptions(out.get(..len).unwrap_or_default()))
    }

    /// Writes the payload of an UNSUBSCRIBE of this version at the start of `out`.
    ///
    /// # Errors
    /// See [`write_subscriptions`](Self::write_subscriptions).
    pub fn write_filters<'o>(
        self,
        out: &'o mut [u8],
        filters: &[&str],
    ) -> Result<Filters<'o>, EncodeError> {
        let mut put = Put::new(self, Some(&mut *out));
        filters.iter().try_for_each(|it| put.filter(it))?;
        let len = at_least_one(put.at)?;
        Ok(Filters(out.get(..len).unwrap_or_default()))
    }
}

/// [`Version::write_subscriptions`] of MQTT 5.
///
/// # Errors
/// See [`Version::write_subscriptions`].
pub fn write_subscriptions<'o>(
    out: &'o mut [u8],
    subscriptions: &[Subscription<'_>],
) -> Result<Subscriptions<'o>, EncodeError> {
    Version::V5.write_subscriptions(out, subscriptions)
}

/// [`Version::write_filters`] of MQTT 5.
///
/// # Errors
/// See [`Version::write_subscriptions`].
pub fn write_filters<'o>(out: &'o mut [u8], filters: &[&str]) -> Result<Filters<'o>, EncodeError> {
    Version::V5.write_filters(out, filters)
}

fn at_least_one(len: usize) -> Result<usize, EncodeError> {
    if len == 0 {
        return Err(EncodeError::Order {
            what: "at least one topic filter",
        });
    }
    Ok(len)
}
