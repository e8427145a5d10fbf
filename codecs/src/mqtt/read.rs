//! Packets from bytes.

use super::{
    data::Take,
    fault::Fault,
    packet::{
        Ack, Connect, Filters, Packet, Properties, Publish, Qos, Reasons, Subscriptions, Will, kind,
    },
    property::{self, Place, Rules, WILL, id},
    rules, topic,
    version::Version,
};
use crate::{DecodeError, Limits};

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

/// The reader of one packet.
struct Reader<'a, 'l> {
    take: Take<'a>,
    version: Version,
    limits: &'l Limits,
}

/// Reads a whole packet of `MqttFraming`.
pub(super) fn packet<'a>(
    bytes: &'a [u8],
    version: Version,
    limits: &Limits,
) -> Result<Packet<'a>, DecodeError> {
    let mut take = Take::new(bytes, 0);
    let first = take.u8()?;
    match version {
        Version::V311 => take.padded_varint()?,
        Version::V5 => take.varint()?,
    };
    let (kind, flags) = (first >> 4, first & 0x0f);
    // Flags are fixed except in PUBLISH (MQTT 5, table 2-2; MQTT 3.1.1, table 2.2).
    let fixed = match kind {
        kind::PUBLISH => flags,
        kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => 0b0010,
        _ => 0,
    };
    let reserved = kind == 0 || (kind == kind::AUTH && version == Version::V311);
    if reserved || flags != fixed {
        return Err(DecodeError::wrong(0, "packet type and flags", first.into()));
    }
    let mut reader = Reader {
        take,
        version,
        limits,
    };
    let packet = reader.packet(kind, flags)?;
    reader.take.end()?;
    Ok(packet)
}

/// Converts a fault of the field at `at`.
fn check(at: usize, rule: Result<(), Fault>) -> Result<(), DecodeError> {
    rule.map_err(|fault| fault.read_at(at))
}

impl<'a> Reader<'a, '_> {
    fn packet(&mut self, kind: u8, flags: u8) -> Result<Packet<'a>, DecodeError> {
        Ok(match kind {
            kind::CONNECT => Packet::Connect(self.connect()?),
            kind::CONNACK => self.conn_ack()?,
            kind::PUBLISH => Packet::Publish(self.publish(flags)?),
            kind::PUBACK => Packet::PubAck(self.ack(kind)?),
            kind::PUBREC => Packet::PubRec(self.ack(kind)?),
            kind::PUBREL => Packet::PubRel(self.ack(kind)?),
            kind::PUBCOMP => Packet::PubComp(self.ack(kind)?),
            kind::SUBSCRIBE => Packet::Subscribe {
                packet_id: self.packet_id()?,
                properties: self.properties(property::of(kind))?.0,
                subscriptions: Subscriptions(self.filters(true)?),
            },
            kind::SUBACK => Packet::SubAck(self.reasons(kind)?),
            kind::UNSUBSCRIBE => Packet::Unsubscribe {
                packet_id: self.packet_id()?,
                properties: self.properties(property::of(kind))?.0,
                filters: Filters(self.filters(false)?),
            },
            kind::UNSUBACK => Packet::UnsubAck(self.reasons(kind)?),
            kind::PINGREQ => Packet::PingReq,
            kind::PINGRESP => Packet::PingResp,
            kind::DISCONNECT => {
                let (reason, properties, _) = self.tail(kind)?;
                Packet::Disconnect { reason, properties }
            }
            _ => self.auth()?,
        })
    }

    fn properties(&mut self, place: Place) -> Result<(Properties<'a>, Rules), DecodeError> {
        match self.version {
            Version::V311 => Ok((Properties::EMPTY, Rules::of(place))),
            Version::V5 => property::properties(&mut self.take, place, self.limits),
        }
    }

    fn packet_id(&mut self) -> Result<u16, DecodeError> {
        let at = self.take.at();
        let id = self.take.u16()?;
        check(at, rules::packet_id(id))?;
        Ok(id)
    }

    fn connect(&mut self) -> Result<Connect<'a>, DecodeError> {
        let want = self.version;
        let version = Version::read(&mut self.take, want)?;
        let flags_at = self.take.at();
        if version != want {
            let (want, got) = (want.level().into(), version.level().into());
            return Err(DecodeError::version(flags_at - 1, want, got));
        }
        let flags = self.take.u8()?;
        let (has_will, will_bits) = (flags & 0x04 != 0, flags & 0x38);
        let (has_name, has_password) = (flags & 0x80 != 0, flags & 0x40 != 0);
        let clean_start = flags & 0x02 != 0;
        // Sections 3.1.2.3 to 3.1.2.7: bit 0 is reserved; a will's bits need a will.
        if flags & 1 != 0 || (!has_will && will_bits != 0) {
            return Err(DecodeError::wrong(flags_at, "connect flags", flags.into()));
        }
        let will_qos = Qos::read(flags_at, (flags >> 3) & 3)?;
        if has_password {
            check(flags_at, rules::password(has_name, version))?;
        }
        let keep_alive_s = self.take.u16()?;
        let at = self.take.at();
        let (properties, seen) = self.properties(property::of(kind::CONNECT))?;
        check(at, rules::authentication(&seen))?;
        let at = self.take.at();
        let client_id = self.take.text()?;
        check(at, rules::client_id(client_id, clean_start, version))?;
        let will = if has_will {
            Some(self.will(will_qos, flags & 0x20 != 0)?)
        } else {
            None
        };
        let username = has_name.then(|| self.take.text()).transpose()?;
        let password = has_password.then(|| self.take.binary()).transpose()?;
        Ok(Connect {
            clean_start,
            keep_alive_s,
            properties,
            client_id,
            will,
            username,
            password,
        })
    }

    fn will(&mut self, qos: Qos, retain: bool) -> Result<Will<'a>, DecodeError> {
        let (properties, _) = self.properties(WILL)?;
        // A will has no topic alias.
        let at = self.take.at();
        let topic = self.take.text()?;
        check(text(at, topic), topic::name(topic))?;
        let payload = self.take.binary()?;
        Ok(Will {
            qos,
            retain,
            properties,
            topic,
            payload,
        })
    }

    fn conn_ack(&mut self) -> Result<Packet<'a>, DecodeError> {
        let body = self.take.peek();
        if let Some(other) = rules::other_connack(body, self.version) {
            let (want, got) = (self.version.level().into(), other.level().into());
            // The length is the sign of the version. It ends where the body begins.
            return Err(DecodeError::version(self.take.at() - 1, want, got));
        }
        let at = self.take.at();
        let flags = self.take.u8()?;
        if flags > 1 {
            return Err(DecodeError::wrong(
                at,
                "connect acknowledge flags",
                flags.into(),
            ));
        }
        let session_present = flags == 1;
        let reason_at = self.take.at();
        let reason = self.take.u8()?;
        check(
            reason_at,
            rules::reason(kind::CONNACK, reason, self.version),
        )?;
        check(at, rules::session_present(session_present, reason))?;
        let at = self.take.at();
        let (properties, seen) = self.properties(property::of(kind::CONNACK))?;
        if reason == 0 {
            check(at, rules::authentication(&seen))?;
        }
        Ok(Packet::ConnAck {
            session_present,
            reason,
            properties,
        })
    }

    fn publish(&mut self, flags: u8) -> Result<Publish<'a>, DecodeError> {
        let qos = Qos::read(0, (flags >> 1) & 3)?;
        let dup = flags & 8 != 0;
        check(0, rules::dup(dup, qos))?;
        let at = self.take.at();
        let topic = self.take.text()?;
        check(text(at, topic), topic::without_wildcards(topic))?;
        let packet_id = match qos {
            Qos::AtMostOnce => None,
            Qos::AtLeastOnce | Qos::ExactlyOnce => Some(self.packet_id()?),
        };
        let (properties, seen) = self.properties(property::of(kind::PUBLISH))?;
        if !seen.has(id::TOPIC_ALIAS) {
            check(at, topic::not_empty(topic))?;
        }
        Ok(Publish {
            dup,
            qos,
            retain: flags & 1 != 0,
            topic,
            packet_id,
            properties,
            payload: self.take.rest(),
        })
    }

    fn ack(&mut self, kind: u8) -> Result<Ack<'a>, DecodeError> {
        let packet_id = self.packet_id()?;
        let (reason, properties, _) = self.tail(kind)?;
        Ok(Ack {
            packet_id,
            reason,
            properties,
        })
    }

    fn auth(&mut self) -> Result<Packet<'a>, DecodeError> {
        let at = self.take.at();
        let (reason, properties, seen) = self.tail(kind::AUTH)?;
        check(at, rules::authentication_method(&seen))?;
        Ok(Packet::Auth { reason, properties })
    }

    /// Reason code and properties. A packet may omit both at its end; MQTT 3.1.1 has neither.
    fn tail(&mut self, kind: u8) -> Result<(u8, Properties<'a>, Rules), DecodeError> {
        let place = property::of(kind);
        let none = (Properties::EMPTY, Rules::of(place));
        if self.take.is_empty() || self.version == Version::V311 {
            return Ok((0, none.0, none.1));
        }
        let at = self.take.at();
        let reason = self.take.u8()?;
        check(at, rules::reason(kind, reason, self.version))?;
        let (properties, seen) = if self.take.is_empty() {
            none
        } else {
            self.properties(place)?
        };
        Ok((reason, properties, seen))
    }

    fn reasons(&mut self, kind: u8) -> Result<Reasons<'a>, DecodeError> {
        let packet_id = self.packet_id()?;
        let (properties, _) = self.properties(property::of(kind))?;
        let at = self.take.at();
        let reasons = self.take.rest();
        self.limits.check_items(at, reasons.len() as u64)?;
        check(at, rules::reasons(kind, reasons, self.version))?;
        Ok(Reasons {
            packet_id,
            properties,
            reasons,
        })
    }

    /// Topic filters up to the end, at least one. In a SUBSCRIBE each has an options byte.
    fn filters(&mut self, options: bool) -> Result<&'a [u8], DecodeError> {
        let all = self.take.peek();
        let mut count = 0;
        while count == 0 || !self.take.is_empty() {
            count += 1;
            self.limits.check_items(self.take.at(), count)?;
            let at = self.take.at();
            let filter = self.take.text()?;
            check(text(at, filter), topic::filter(filter, self.version))?;
            if options {
                let at = self.take.at();
                let options = self.take.u8()?;
                check(at, topic::options(filter, options, self.version))?;
            }
        }
        Ok(all)
    }
}

/// Offset of the characters of the string at `at`; of its length if the string is empty.
const fn text(at: usize, text: &str) -> usize {
    if text.is_empty() { at } else { at + 2 }
}
