//! Rules about the values of fields and the dependencies between fields. The reader and the writer use the
//! same rules.

use super::{
    fault::Fault,
    packet::{Packet, Properties, Qos, kind},
    property::{Rules, id},
    version::{Sender, Version},
};
use crate::DecodeError;

/// The `what` of [`DecodeError::Wrong`] for a CONNECT of MQTT 3.1.1 without a client identifier and without
/// clean session. The server answers it with return code 0x02 ([MQTT-3.1.3-8]).
pub const SESSION_WITHOUT_CLIENT_ID: &str = "clean session without a client identifier";

/// A packet identifier is never 0 (MQTT 5, section 2.2.1; MQTT 3.1.1, section 2.3.1).
pub(super) const fn packet_id(id: u16) -> Result<(), Fault> {
    if id == 0 {
        return Err(Fault::new("packet identifier", 0));
    }
    Ok(())
}

/// A message of QoS 0 is never a re-delivery (section 3.3.1.1 of both versions).
pub(super) const fn dup(dup: bool, qos: Qos) -> Result<(), Fault> {
    if dup && matches!(qos, Qos::AtMostOnce) {
        return Err(Fault::new("DUP flag at QoS 0", 1));
    }
    Ok(())
}

/// MQTT 3.1.1, section 3.1.2.9. MQTT 5 does not have the rule.
pub(super) const fn password(username: bool, version: Version) -> Result<(), Fault> {
    if !username && matches!(version, Version::V311) {
        return Err(Fault::new("password without a user name", 0));
    }
    Ok(())
}

/// MQTT 3.1.1, section 3.1.3.1. In MQTT 5 the server sends the assigned identifier.
pub(super) const fn client_id(client_id: &str, clean: bool, version: Version) -> Result<(), Fault> {
    if client_id.is_empty() && !clean && matches!(version, Version::V311) {
        return Err(Fault::new(SESSION_WITHOUT_CLIENT_ID, 0));
    }
    Ok(())
}

/// Authentication data require a method (MQTT 5, section 3.1.2.11.10). A CONNACK of success repeats the
/// method of the CONNECT (section 4.12), so the rule holds there too.
pub(super) const fn authentication(seen: &Rules) -> Result<(), Fault> {
    if seen.has(id::AUTHENTICATION_DATA) && !seen.has(id::AUTHENTICATION_METHOD) {
        let got = id::AUTHENTICATION_DATA as u64;
        return Err(Fault::new("authentication data without a method", got));
    }
    Ok(())
}

/// Every AUTH has the method (sections 3.15.2.2.2 and 4.12). AUTH without properties (section 3.15.2.1) has
/// no method, so the rule refuses it too.
pub(super) const fn authentication_method(seen: &Rules) -> Result<(), Fault> {
    if !seen.has(id::AUTHENTICATION_METHOD) {
        return Err(Fault::new("AUTH without an authentication method", 0));
    }
    Ok(())
}

/// Only an accepted connection has a session (section 3.2.2 of both versions).
pub(super) const fn session_present(present: bool, reason: u8) -> Result<(), Fault> {
    if present && reason != 0 {
        return Err(Fault::new("session present with a refusal", reason as u64));
    }
    Ok(())
}

/// Reason codes of each packet (MQTT 5: section 2.4, and the tables of section 3), return codes
/// (MQTT 3.1.1: sections 3.2.2.3 and 3.9.3). Packets without a code have 0.
const fn is_reason(kind: u8, reason: u8, version: Version) -> bool {
    match (version, kind) {
        (Version::V311, kind::CONNACK) => reason <= 5,
        (Version::V311, kind::SUBACK) => matches!(reason, 0x00..=0x02 | 0x80),
        (Version::V5, kind::CONNACK) => matches!(
            reason,
            0x00 | 0x80..=0x8a | 0x8c | 0x90 | 0x95 | 0x97 | 0x99..=0x9d | 0x9f
        ),
        (Version::V5, kind::PUBACK | kind::PUBREC) => matches!(
            reason,
            0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99
        ),
        (Version::V5, kind::PUBREL | kind::PUBCOMP) => matches!(reason, 0x00 | 0x92),
        (Version::V5, kind::SUBACK) => matches!(
            reason,
            0x00..=0x02 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91 | 0x97 | 0x9e | 0xa1 | 0xa2
        ),
        (Version::V5, kind::UNSUBACK) => {
            matches!(reason, 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91)
        }
        // Only the table of section 2.4 has 0x8c: the code of a failed re-authentication.
        (Version::V5, kind::DISCONNECT) => matches!(
            reason,
            0x00 | 0x04 | 0x80..=0x83 | 0x87 | 0x89 | 0x8b..=0x90 | 0x93..=0xa2
        ),
        (Version::V5, kind::AUTH) => matches!(reason, 0x00 | 0x18 | 0x19),
        _ => reason == 0,
    }
}

pub(super) const fn reason(kind: u8, reason: u8, version: Version) -> Result<(), Fault> {
    if !is_reason(kind, reason, version) {
        return Err(Fault::new("reason code", reason as u64));
    }
    Ok(())
}

/// The version of a CONNACK of the other version. The sign is the length: two bytes in MQTT 3.1.1, at least
/// three in MQTT 5.
pub(super) const fn other_connack(body: &[u8], version: Version) -> Option<Version> {
    let (other, flags, reason) = match (version, body) {
        (Version::V5, [flags, reason]) => (Version::V311, *flags, *reason),
        (Version::V311, [flags, reason, _, ..]) => (Version::V5, *flags, *reason),
        _ => return None,
    };
    if flags <= 1 && is_reason(kind::CONNACK, reason, other) {
        return Some(other);
    }
    None
}

/// Requires at least one reason code, except in the UNSUBACK of MQTT 3.1.1, which has none.
pub(super) fn reasons(kind: u8, reasons: &[u8], version: Version) -> Result<(), Fault> {
    let none = version == Version::V311 && kind == kind::UNSUBACK;
    if reasons.is_empty() != none {
        return Err(Fault::new("count of reason codes", reasons.len() as u64));
    }
    for (index, code) in reasons.iter().enumerate() {
        reason(kind, *code, version).map_err(|fault| fault.behind(index))?;
    }
    Ok(())
}

/// The codes of a DISCONNECT of MQTT 5 that only a server sends (table of section 3.14.2.1). Only a client
/// sends 0x04. Both ends send the other codes.
const fn is_server_disconnect(reason: u8) -> bool {
    matches!(reason, 0x87 | 0x89 | 0x8b..=0x8f | 0x9a..=0xa2)
}

impl Packet<'_> {
    /// Checks that `sender` may send this packet. The codecs do not know the sender and accept packets of
    /// both ends. [`MqttStream`](super::MqttStream) makes this check.
    ///
    /// Rules: only a client sends CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, the DISCONNECT of MQTT 3.1.1, and
    /// a session expiry interval in DISCONNECT. Only a server sends CONNACK, SUBACK, UNSUBACK, PINGRESP, and
    /// subscription identifiers in PUBLISH. Some reason codes of DISCONNECT (table of section 3.14.2.1) and
    /// AUTH (section 3.15.2.1) belong to one end.
    ///
    /// ```
    /// use tickwire_codecs::mqtt::{Packet, Properties, Sender, Version};
    /// let busy = Packet::Disconnect { reason: 0x89, properties: Properties::EMPTY };
    /// assert!(busy.check_sender(Sender::Server, Version::V5).is_ok());
    /// assert!(busy.check_sender(Sender::Client, Version::V5).is_err());
    /// ```
    ///
    /// # Errors
    /// [`DecodeError::Wrong`] at offset 0.
    pub fn check_sender(&self, sender: Sender, version: Version) -> Result<(), DecodeError> {
        let kind = self.kind();
        let alone = match kind {
            kind::CONNECT | kind::SUBSCRIBE | kind::UNSUBSCRIBE | kind::PINGREQ => {
                Some(Sender::Client)
            }
            kind::DISCONNECT if version == Version::V311 => Some(Sender::Client),
            kind::CONNACK | kind::SUBACK | kind::UNSUBACK | kind::PINGRESP => Some(Sender::Server),
            _ => None,
        };
        if alone.is_some_and(|alone| alone != sender) {
            return Err(Fault::new("packet type from this sender", kind.into()).read_at(0));
        }
        let has = |properties: Properties<'_>, id| properties.iter().any(|it| it.id == id);
        let fault = match (*self, sender) {
            (Packet::Disconnect { reason, .. }, Sender::Client) if is_server_disconnect(reason) => {
                Fault::new("reason code from this sender", reason.into())
            }
            (Packet::Disconnect { reason: 0x04, .. }, Sender::Server) => {
                Fault::new("reason code from this sender", 0x04)
            }
            (Packet::Auth { reason: 0, .. }, Sender::Client) => {
                Fault::new("reason code from this sender", 0)
            }
            (Packet::Auth { reason: 0x19, .. }, Sender::Server) => {
                Fault::new("reason code from this sender", 0x19)
            }
            (Packet::Disconnect { properties, .. }, Sender::Server)
                if has(properties, id::SESSION_EXPIRY_INTERVAL) =>
            {
                Fault::new(
                    "property from this sender",
                    id::SESSION_EXPIRY_INTERVAL.into(),
                )
            }
            (Packet::Publish(publish), Sender::Client)
                if has(publish.properties, id::SUBSCRIPTION_IDENTIFIER) =>
            {
                Fault::new(
                    "property from this sender",
                    id::SUBSCRIPTION_IDENTIFIER.into(),
                )
            }
            _ => return Ok(()),
        };
        Err(fault.read_at(0))
    }
}
