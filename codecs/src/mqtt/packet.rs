//! The packets of both versions.

use super::{data::Take, property::Property};
use crate::{ToJson, json};
use core::fmt;

/// Numbers of the packet types (MQTT 5, section 2.1.2; MQTT 3.1.1, section 2.2.1).
pub(super) mod kind {
    pub(in crate::mqtt) const CONNECT: u8 = 1;
    pub(in crate::mqtt) const CONNACK: u8 = 2;
    pub(in crate::mqtt) const PUBLISH: u8 = 3;
    pub(in crate::mqtt) const PUBACK: u8 = 4;
    pub(in crate::mqtt) const PUBREC: u8 = 5;
    pub(in crate::mqtt) const PUBREL: u8 = 6;
    pub(in crate::mqtt) const PUBCOMP: u8 = 7;
    pub(in crate::mqtt) const SUBSCRIBE: u8 = 8;
    pub(in crate::mqtt) const SUBACK: u8 = 9;
    pub(in crate::mqtt) const UNSUBSCRIBE: u8 = 10;
    pub(in crate::mqtt) const UNSUBACK: u8 = 11;
    pub(in crate::mqtt) const PINGREQ: u8 = 12;
    pub(in crate::mqtt) const PINGRESP: u8 = 13;
    pub(in crate::mqtt) const DISCONNECT: u8 = 14;
    pub(in crate::mqtt) const AUTH: u8 = 15;
}

/// Quality of service of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Qos {
    /// At most once.
    AtMostOnce = 0,
    /// At least once.
    AtLeastOnce = 1,
    /// Exactly once.
    ExactlyOnce = 2,
}

/// The checked properties of a packet. A packet of MQTT 3.1.1 has none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Properties<'a>(pub(super) &'a [u8]);

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Self = Self(&[]);

    /// Whether the packet has no properties.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The properties in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + Clone + use<'a> {
        let mut take = Take::new(self.0, 0);
        // The properties are checked, so there is no error.
        core::iter::from_fn(move || {
            if take.is_empty() {
                None
            } else {
                Property::read(&mut take).ok()
            }
        })
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The will: the message that a server publishes if the connection of the client fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Will<'a> {
    /// Quality of service of the message.
    pub qos: Qos,
    /// Whether the server retains the message.
    pub retain: bool,
    /// The properties of the will.
    pub properties: Properties<'a>,
    /// The topic of the message.
    pub topic: &'a str,
    /// The payload of the message.
    pub payload: &'a [u8],
}

/// CONNECT (section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connect<'a> {
    /// Whether the server discards an existing session ("clean session" in MQTT 3.1.1, where the session also
    /// ends with the connection).
    pub clean_start: bool,
    /// Keep alive, in seconds; 0 turns it off.
    pub keep_alive_s: u16,
    /// Properties.
    pub properties: Properties<'a>,
    /// Client identifier. Empty: the server chooses one; MQTT 3.1.1 then requires `clean_start`.
    pub client_id: &'a str,
    /// The will.
    pub will: Option<Will<'a>>,
    /// User name.
    pub username: Option<&'a str>,
    /// Password. MQTT 3.1.1 requires a user name with it.
    pub password: Option<&'a [u8]>,
}

/// PUBLISH (section 3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publish<'a> {
    /// Whether this may be a re-delivery.
    pub dup: bool,
    /// Quality of service.
    pub qos: Qos,
    /// Whether the server retains the message.
    pub retain: bool,
    /// Topic name; empty if a topic alias replaces it.
    pub topic: &'a str,
    /// Packet identifier; `Some` exactly if `qos` is above at-most-once.
    pub packet_id: Option<u16>,
    /// Properties.
    pub properties: Properties<'a>,
    /// The application's message.
    pub payload: &'a [u8],
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP (sections 3.4 to 3.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack<'a> {
    /// Packet identifier of the message.
    pub packet_id: u16,
    /// Reason code; 0 is success. Always 0 in MQTT 3.1.1.
    pub reason: u8,
    /// Properties.
    pub properties: Properties<'a>,
}

/// A topic filter and its options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subscription<'a> {
    /// Topic filter.
    pub filter: &'a str,
    /// Options byte (section 3.8.3.1): bits 0-1 quality of service, 2 no local (never on a shared
    /// subscription), 3 retain as published, 4-5 retain handling. MQTT 3.1.1 has bits 0-1 only.
    pub options: u8,
}

/// The checked payload of SUBSCRIBE: at least one subscription.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Subscriptions<'a>(pub(super) &'a [u8]);

impl<'a> Subscriptions<'a> {
    /// Iterates in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = Subscription<'a>> + Clone + use<'a> {
        let mut take = Take::new(self.0, 0);
        core::iter::from_fn(move || {
            let filter = take.text().ok()?;
            Some(Subscription {
                filter,
                options: take.u8().ok()?,
            })
        })
    }
}

impl fmt::Debug for Subscriptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The checked payload of UNSUBSCRIBE: at least one topic filter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a>(pub(super) &'a [u8]);

impl<'a> Filters<'a> {
    /// Iterates in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let mut take = Take::new(self.0, 0);
        core::iter::from_fn(move || take.text().ok())
    }
}

impl fmt::Debug for Filters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// SUBACK and UNSUBACK (sections 3.9 and 3.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reasons<'a> {
    /// Packet identifier of the request.
    pub packet_id: u16,
    /// Properties.
    pub properties: Properties<'a>,
    /// One reason code for each filter of the request, at least one; none in an UNSUBACK of MQTT 3.1.1.
    pub reasons: &'a [u8],
}

/// A checked control packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// CONNECT: the client opens a connection.
    Connect(Connect<'a>),
    /// CONNACK: the server answers CONNECT.
    ConnAck {
        /// Whether the server has an existing session.
        session_present: bool,
        /// Reason code (return code in MQTT 3.1.1); 0 is success.
        reason: u8,
        /// Properties.
        properties: Properties<'a>,
    },
    /// PUBLISH: an application message.
    Publish(Publish<'a>),
    /// PUBACK: acknowledges a message of QoS 1.
    PubAck(Ack<'a>),
    /// PUBREC: part 1 of the acknowledgement of a message of QoS 2.
    PubRec(Ack<'a>),
    /// PUBREL: part 2 of the acknowledgement of a message of QoS 2.
    PubRel(Ack<'a>),
    /// PUBCOMP: part 3 of the acknowledgement of a message of QoS 2.
    PubComp(Ack<'a>),
    /// SUBSCRIBE: requests messages.
    Subscribe {
        /// Packet identifier of the request.
        packet_id: u16,
        /// Properties.
        properties: Properties<'a>,
        /// Filters and options.
        subscriptions: Subscriptions<'a>,
    },
    /// SUBACK: answers SUBSCRIBE.
    SubAck(Reasons<'a>),
    /// UNSUBSCRIBE: cancels subscriptions.
    Unsubscribe {
        /// Packet identifier of the request.
        packet_id: u16,
        /// Properties.
        properties: Properties<'a>,
        /// Filters.
        filters: Filters<'a>,
    },
    /// UNSUBACK: answers UNSUBSCRIBE.
    UnsubAck(Reasons<'a>),
    /// PINGREQ: the ping of the client.
    PingReq,
    /// PINGRESP: the answer of the server.
    PingResp,
    /// DISCONNECT: one end closes the connection.
    Disconnect {
        /// Reason code; 0 is normal. Always 0 in MQTT 3.1.1.
        reason: u8,
        /// Properties.
        properties: Properties<'a>,
    },
    /// AUTH: extended authentication; not in MQTT 3.1.1.
    Auth {
        /// Reason code; 0 is success.
        reason: u8,
        /// Properties.
        properties: Properties<'a>,
    },
}

impl<'a> Packet<'a> {
    /// Number of the packet type.
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Connect(_) => kind::CONNECT,
            Self::ConnAck { .. } => kind::CONNACK,
            Self::Publish(_) => kind::PUBLISH,
            Self::PubAck(_) => kind::PUBACK,
            Self::PubRec(_) => kind::PUBREC,
            Self::PubRel(_) => kind::PUBREL,
            Self::PubComp(_) => kind::PUBCOMP,
            Self::Subscribe { .. } => kind::SUBSCRIBE,
            Self::SubAck(_) => kind::SUBACK,
            Self::Unsubscribe { .. } => kind::UNSUBSCRIBE,
            Self::UnsubAck(_) => kind::UNSUBACK,
            Self::PingReq => kind::PINGREQ,
            Self::PingResp => kind::PINGRESP,
            Self::Disconnect { .. } => kind::DISCONNECT,
            Self::Auth { .. } => kind::AUTH,
        }
    }

    /// Name of the packet in the standard.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "CONNECT",
            Self::ConnAck { .. } => "CONNACK",
            Self::Publish(_) => "PUBLISH",
            Self::PubAck(_) => "PUBACK",
            Self::PubRec(_) => "PUBREC",
            Self::PubRel(_) => "PUBREL",
            Self::PubComp(_) => "PUBCOMP",
            Self::Subscribe { .. } => "SUBSCRIBE",
            Self::SubAck(_) => "SUBACK",
            Self::Unsubscribe { .. } => "UNSUBSCRIBE",
            Self::UnsubAck(_) => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect { .. } => "DISCONNECT",
            Self::Auth { .. } => "AUTH",
        }
    }

    /// The properties of the packet, without those of a will.
    #[must_use]
    pub const fn properties(&self) -> Properties<'a> {
        match *self {
            Self::Connect(Connect { properties, .. })
            | Self::ConnAck { properties, .. }
            | Self::Publish(Publish { properties, .. })
            | Self::PubAck(Ack { properties, .. })
            | Self::PubRec(Ack { properties, .. })
            | Self::PubRel(Ack { properties, .. })
            | Self::PubComp(Ack { properties, .. })
            | Self::Subscribe { properties, .. }
            | Self::SubAck(Reasons { properties, .. })
            | Self::Unsubscribe { properties, .. }
            | Self::UnsubAck(Reasons { properties, .. })
            | Self::Disconnect { properties, .. }
            | Self::Auth { properties, .. } => properties,
            Self::PingReq | Self::PingResp => Properties::EMPTY,
        }
    }
}

/// The `Debug` form as one JSON string. It contains all fields of the packet.
impl ToJson for Packet<'_> {
    fn to_json(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut object = json::Object::begin(out)?;
        object.field("packet", self.name())?;
        let out = object.member("content")?;
        out.write_char('"')?;
        fmt::write(&mut Quoted(out), format_args!("{self:?}"))?;
        out.write_char('"')?;
        object.end()
    }
}

/// Escapes its input for a JSON string.
struct Quoted<'o>(&'o mut dyn fmt::Write);

impl fmt::Write for Quoted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| json::escaped(self.0, c))
    }
}
