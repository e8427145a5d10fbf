//! Packets from bytes.

use super::{
    data::Take,
    packet::{
        Ack, Connect, Filters, Packet, Publish, Qos, Reasons, Subscription, Subscriptions, Will,
    },
    property::{Place, WILL, id, properties},
};
use crate::{DecodeError, Limits, mqtt::packet::Properties};

impl Qos {
    fn read(at: usize, bits: u8) -> Result<Self, DecodeError> {
        match bits {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(DecodeError::wrong(at, "quality of service", bits.into())),
        }
    }
}

/// Reads a packet that `MqttFraming` found whole.
pub(super) fn packet<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Packet<'a>, DecodeError> {
    let mut take = Take::new(bytes, 0);
    let first = take.u8()?;
    take.varint()?;
    let (kind, flags) = (first >> 4, first & 0x0f);
    // Table 2-2: flags are fixed but for PUBLISH.
    let fixed = match kind {
        3 => flags,
        6 | 8 | 10 => 0b0010,
        _ => 0,
    };
    if kind == 0 || flags != fixed {
        return Err(DecodeError::wrong(0, "packet type and flags", first.into()));
    }
    let place: Place = 1 << kind;
    let packet = match kind {
        1 => Packet::Connect(connect(&mut take, limits)?),
        2 => {
            let at = take.at();
            let session_present = flag(at, take.u8()?)?;
            let reason = take.u8()?;
            let properties = properties(&mut take, place, limits)?;
            Packet::ConnAck {
                session_present,
                reason,
                properties,
            }
        }
        3 => Packet::Publish(publish(&mut take, flags, limits)?),
        4 => Packet::PubAck(ack(&mut take, place, limits)?),
        5 => Packet::PubRec(ack(&mut take, place, limits)?),
        6 => Packet::PubRel(ack(&mut take, place, limits)?),
        7 => Packet::PubComp(ack(&mut take, place, limits)?),
        8 => {
            let packet_id = packet_id(&mut take)?;
            let properties = properties(&mut take, place, limits)?;
            let subscriptions = Subscriptions(filters(&mut take, true, limits)?);
            Packet::Subscribe {
                packet_id,
                properties,
                subscriptions,
            }
        }
        9 => Packet::SubAck(reasons(&mut take, place, limits)?),
        10 => {
            let packet_id = packet_id(&mut take)?;
            let properties = properties(&mut take, place, limits)?;
            let filters = Filters(filters(&mut take, false, limits)?);
            Packet::Unsubscribe {
                packet_id,
                properties,
                filters,
            }
        }
        11 => Packet::UnsubAck(reasons(&mut take, place, limits)?),
        12 => Packet::PingReq,
        13 => Packet::PingResp,
        14 => {
            let (reason, properties) = tail(&mut take, place, limits)?;
            Packet::Disconnect { reason, properties }
        }
        _ => {
            let (reason, properties) = tail(&mut take, place, limits)?;
            Packet::Auth { reason, properties }
        }
    };
    take.end()?;
    Ok(packet)
}

fn flag(at: usize, byte: u8) -> Result<bool, DecodeError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::wrong(at, "flags", byte.into())),
    }
}

/// A packet identifier is never 0 (section 2.2.1).
fn packet_id(take: &mut Take<'_>) -> Result<u16, DecodeError> {
    let at = take.at();
    match take.u16()? {
        0 => Err(DecodeError::wrong(at, "packet identifier", 0)),
        id => Ok(id),
    }
}

fn connect<'a>(take: &mut Take<'a>, limits: &Limits) -> Result<Connect<'a>, DecodeError> {
    let at = take.at();
    if take.text()? != "MQTT" {
        return Err(DecodeError::wrong(at, "protocol name", 0));
    }
    let at = take.at();
    match take.u8()? {
        5 => {}
        version => return Err(DecodeError::wrong(at, "protocol version", version.into())),
    }
    let at = take.at();
    let flags = take.u8()?;
    let (has_will, will_bits) = (flags & 0x04 != 0, flags & 0x38);
    // Sections 3.1.2.3 to 3.1.2.7: bit 0 is reserved; a will's bits need a will.
    if flags & 1 != 0 || (!has_will && will_bits != 0) {
        return Err(DecodeError::wrong(at, "connect flags", flags.into()));
    }
    let will_qos = Qos::read(at, (flags >> 3) & 3)?;
    let keep_alive_s = take.u16()?;
    let own = properties(take, 1 << 1, limits)?;
    let client_id = take.text()?;
    let will = if has_will {
        Some(Will {
            qos: will_qos,
            retain: flags & 0x20 != 0,
            properties: properties(take, WILL, limits)?,
            topic: will_topic(take)?,
            payload: take.binary()?,
        })
    } else {
        None
    };
    let username = if flags & 0x80 != 0 {
        Some(take.text()?)
    } else {
        None
    };
    let password = if flags & 0x40 != 0 {
        Some(take.binary()?)
    } else {
        None
    };
    Ok(Connect {
        clean_start: flags & 0x02 != 0,
        keep_alive_s,
        properties: own,
        client_id,
        will,
        username,
        password,
    })
}

/// A topic name has no wildcards (section 3.3.2.1).
fn topic<'a>(take: &mut Take<'a>) -> Result<&'a str, DecodeError> {
    let at = take.at() + 2;
    let topic = take.text()?;
    match topic.bytes().position(|byte| matches!(byte, b'+' | b'#')) {
        Some(index) => Err(DecodeError::wrong(
            at + index,
            "wildcard in a topic name",
            0,
        )),
        None => Ok(topic),
    }
}

/// No alias stands for the topic of a will, so it is not empty (section 4.7.3).
fn will_topic<'a>(take: &mut Take<'a>) -> Result<&'a str, DecodeError> {
    let at = take.at();
    match topic(take)? {
        "" => Err(DecodeError::wrong(at, "length of a will's topic", 0)),
        topic => Ok(topic),
    }
}

fn publish<'a>(
    take: &mut Take<'a>,
    flags: u8,
    limits: &Limits,
) -> Result<Publish<'a>, DecodeError> {
    let qos = Qos::read(0, (flags >> 1) & 3)?;
    let dup = flags & 8 != 0;
    if dup && qos == Qos::AtMostOnce {
        return Err(DecodeError::wrong(
            0,
            "DUP without an acknowledgement",
            flags.into(),
        ));
    }
    let at = take.at();
    let topic = topic(take)?;
    let packet_id = if qos == Qos::AtMostOnce {
        None
    } else {
        Some(packet_id(take)?)
    };
    let properties = properties(take, 1 << 3, limits)?;
    if topic.is_empty()
        && !properties
            .iter()
            .any(|property| property.id == id::TOPIC_ALIAS)
    {
        return Err(DecodeError::wrong(
            at,
            "length of a topic without an alias",
            0,
        ));
    }
    Ok(Publish {
        dup,
        qos,
        retain: flags & 1 != 0,
        topic,
        packet_id,
        properties,
        payload: take.rest(),
    })
}

fn ack<'a>(take: &mut Take<'a>, place: Place, limits: &Limits) -> Result<Ack<'a>, DecodeError> {
    let packet_id = packet_id(take)?;
    let (reason, properties) = tail(take, place, limits)?;
    Ok(Ack {
        packet_id,
        reason,
        properties,
    })
}

/// Reason code and properties, both of which may be left off at the end.
fn tail<'a>(
    take: &mut Take<'a>,
    place: Place,
    limits: &Limits,
) -> Result<(u8, Properties<'a>), DecodeError> {
    if take.is_empty() {
        return Ok((0, Properties::EMPTY));
    }
    let reason = take.u8()?;
    let empty = take.is_empty();
    let properties = if empty {
        Properties::EMPTY
    } else {
        properties(take, place, limits)?
    };
    Ok((reason, properties))
}

fn reasons<'a>(
    take: &mut Take<'a>,
    place: Place,
    limits: &Limits,
) -> Result<Reasons<'a>, DecodeError> {
    let packet_id = packet_id(take)?;
    let properties = properties(take, place, limits)?;
    let at = take.at();
    let reasons = take.rest();
    limits.check_items(at, reasons.len() as u64)?;
    if reasons.is_empty() {
        return Err(DecodeError::short(at, 1, 0));
    }
    Ok(Reasons {
        packet_id,
        properties,
        reasons,
    })
}

/// Topic filters up to the end, at least one, with an options byte each in a SUBSCRIBE.
fn filters<'a>(
    take: &mut Take<'a>,
    options: bool,
    limits: &Limits,
) -> Result<&'a [u8], DecodeError> {
    let all = take.clone().rest();
    let mut count = 0;
    while count == 0 || !take.is_empty() {
        count += 1;
        limits.check_items(take.at(), count)?;
        let at = take.at();
        let filter = take.text()?;
        if filter.is_empty() {
            return Err(DecodeError::wrong(at, "length of a topic filter", 0));
        }
        if options {
            let at = take.at();
            let options = take.u8()?;
            if !(Subscription { filter, options }).has_legal_options() {
                return Err(DecodeError::wrong(
                    at,
                    "subscription options",
                    options.into(),
                ));
            }
        }
    }
    Ok(all)
}
