//! A client that others wrote, `paho-mqtt` of PyPI, against a server of a few lines over the codecs, in
//! both versions. Skipped, with a line that says so, where Python or the package cannot be had.

use crate::independent::python;
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use tickwire_codecs::{
    Limits, Progress, StreamCodec,
    mqtt::{
        Ack, Connect, MqttStream, Packet, Properties, Property, PropertyValue, Publish, Qos,
        Reasons, Subscription, Version, Will, id, write_properties,
    },
};

const NONE: Properties<'_> = Properties::EMPTY;

/// Checks the packets of the client and answers them.
struct Server {
    socket: TcpStream,
    version: Version,
    /// Names of the packets read.
    names: Vec<&'static str>,
}

fn list<'o>(out: &'o mut [u8], list: &[(u8, PropertyValue<'_>)]) -> Properties<'o> {
    let list: Vec<_> = list
        .iter()
        .map(|&(id, value)| Property { id, value })
        .collect();
    write_properties(out, &list).unwrap()
}

impl Server {
    fn send(&mut self, packet: &Packet<'_>) {
        let mut wire = vec![0; packet.written_len(self.version)];
        packet.write(self.version, &mut wire).unwrap();
        self.socket.write_all(&wire).unwrap();
    }

    /// `properties` in MQTT 5, none in MQTT 3.1.1.
    fn only5<'a>(&self, properties: Properties<'a>) -> Properties<'a> {
        match self.version {
            Version::V5 => properties,
            Version::V311 => NONE,
        }
    }

    fn connect(&mut self, connect: &Connect<'_>) {
        let (mut own, mut wills, mut out) = ([0; 64], [0; 64], [0; 64]);
        let user = (id::USER_PROPERTY, PropertyValue::Pair("a", "1"));
        let expiry = (id::SESSION_EXPIRY_INTERVAL, PropertyValue::Four(60));
        let delay = (id::WILL_DELAY_INTERVAL, PropertyValue::Four(5));
        let content = (id::CONTENT_TYPE, PropertyValue::Text("text/plain"));
        let expected = Connect {
            clean_start: true,
            keep_alive_s: 77,
            properties: self.only5(list(&mut own, &[expiry, user])),
            client_id: "paho",
            will: Some(Will {
                qos: Qos::ExactlyOnce,
                retain: true,
                properties: self.only5(list(&mut wills, &[content, delay])),
                topic: "gone/paho",
                payload: b"\x00bye",
            }),
            username: Some("user"),
            password: Some(b"secret"),
        };
        assert_eq!(*connect, expected);
        let keep_alive = (id::SERVER_KEEP_ALIVE, PropertyValue::Two(77));
        let properties = self.only5(list(&mut out, &[keep_alive, user]));
        self.send(&Packet::ConnAck {
            session_present: false,
            reason: 0,
            properties,
        });
    }

    fn publish(&mut self, publish: &Publish<'_>) {
        let ack = Ack {
            packet_id: publish.packet_id.unwrap_or(1),
            reason: 0,
            properties: NONE,
        };
        match publish.qos {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => self.send(&Packet::PubAck(ack)),
            Qos::ExactlyOnce => self.send(&Packet::PubRec(ack)),
        }
        let qos = publish.qos as u8;
        assert_eq!((publish.topic, publish.retain), ("a/b", qos == 2));
        assert_eq!(publish.payload, vec![qos; 200]);
        let mut out = [0; 64];
        let response = (id::RESPONSE_TOPIC, PropertyValue::Text("re/a"));
        let correlation = (id::CORRELATION_DATA, PropertyValue::Binary(b"\x00\xff"));
        let alias = (id::TOPIC_ALIAS, PropertyValue::Two(u16::from(qos) + 1));
        let sent = list(&mut out, &[response, correlation, alias]);
        assert!(publish.properties.iter().eq(self.only5(sent).iter()));
        let identifier = (id::SUBSCRIPTION_IDENTIFIER, PropertyValue::Varint(300));
        let properties = self.only5(list(&mut out, &[identifier, correlation, response]));
        self.send(&Packet::Publish(Publish {
            retain: false,
            packet_id: publish.packet_id.map(|id| id + 1000),
            properties,
            ..*publish
        }));
    }

    fn answer(&mut self, packet: &Packet<'_>) {
        let new = self.version == Version::V5;
        let mut out = [0; 64];
        match packet {
            Packet::Connect(connect) => self.connect(connect),
            Packet::Publish(publish) => self.publish(publish),
            Packet::PubRec(ack) => self.send(&Packet::PubRel(*ack)),
            Packet::PubRel(ack) => self.send(&Packet::PubComp(*ack)),
            Packet::Subscribe {
                packet_id,
                properties,
                subscriptions,
            } => {
                let options = if new { [0x25, 0x02] } else { [1, 2] };
                let filters = ["a/+", "$share/no/#"];
                let expected = filters.into_iter().zip(options);
                let expected = expected.map(|(filter, options)| Subscription { filter, options });
                assert!(subscriptions.iter().eq(expected), "{subscriptions:?}");
                assert_eq!(properties.iter().count(), usize::from(new));
                let reason = (id::REASON_STRING, PropertyValue::Text("no shares"));
                self.send(&Packet::SubAck(Reasons {
                    packet_id: *packet_id,
                    properties: self.only5(list(&mut out, &[reason])),
                    reasons: if new { &[1, 0x9e] } else { &[1, 0x80] },
                }));
            }
            Packet::Unsubscribe {
                packet_id, filters, ..
            } => {
                assert!(filters.iter().eq(["a/+"]));
                self.send(&Packet::UnsubAck(Reasons {
                    packet_id: *packet_id,
                    properties: NONE,
                    reasons: if new { &[0x11] } else { &[] },
                }));
            }
            Packet::Disconnect { reason, properties } => {
                let expiry = (id::SESSION_EXPIRY_INTERVAL, PropertyValue::Four(9));
                let expected = self.only5(list(&mut out, &[expiry]));
                assert_eq!((*reason, *properties), (if new { 4 } else { 0 }, expected));
            }
            Packet::PingReq => self.send(&Packet::PingResp),
            Packet::PubAck(_) | Packet::PubComp(_) => {}
            other => panic!("a client sent {other:?}"),
        }
    }
}

/// Serves one client until it goes; pieces of 7 bytes, so that most packets straddle.
fn serve(socket: TcpStream) -> Vec<&'static str> {
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut reader = socket.try_clone().unwrap();
    let mut server = Server {
        socket,
        version: Version::V5,
        names: Vec::new(),
    };
    let mut stream = MqttStream::from_client(Limits::DEVICE);
    let mut piece = [0; 7];
    loop {
        let len = reader
            .read(&mut piece)
            .expect("a client that sends or goes");
        let mut rest = &piece[..len];
        if len == 0 {
            assert!(!stream.is_mid_packet());
            return server.names;
        }
        loop {
            match stream.next(rest) {
                Progress::Item { consumed, item } => {
                    rest = &rest[consumed..];
                    let (version, packet) = item;
                    server.version = version;
                    server.names.push(packet.name());
                    server.answer(&packet);
                }
                Progress::More { .. } => break,
                Progress::Failed(error) => panic!("a packet of paho-mqtt: {error}"),
            }
        }
    }
}

#[test]
fn a_client_of_paho_speaks_with_a_server_of_the_codecs() {
    let python = match python() {
        Ok(python) => python,
        Err(error) => {
            eprintln!("SKIPPED: no paho-mqtt, Python or the package is absent: {error}");
            return;
        }
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mqtt/peer.py");
    for version in ["4", "5"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.port().to_string();
        let child = Command::new(&python)
            .arg(&script)
            .args([version, &port])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ended = std::thread::spawn(move || {
            let output = child.wait_with_output().unwrap();
            // Where it ended before it connected, this connects for it.
            let _ = TcpStream::connect(address);
            output
        });
        let names = serve(listener.accept().unwrap().0);
        let output = ended.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(output.stdout, b"paho-mqtt agrees\n");
        let count = |name| names.iter().filter(|it| **it == name).count();
        assert_eq!(names.first(), Some(&"CONNECT"));
        assert_eq!(names.last(), Some(&"DISCONNECT"));
        for (name, times) in [
            ("PUBLISH", 3),
            ("PUBACK", 1),
            ("PUBREC", 1),
            ("PUBREL", 1),
            ("PUBCOMP", 1),
            ("SUBSCRIBE", 1),
            ("UNSUBSCRIBE", 1),
        ] {
            assert_eq!(count(name), times, "{version}: {name} in {names:?}");
        }
    }
}
