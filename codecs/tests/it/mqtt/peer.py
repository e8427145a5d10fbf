"""A client of paho-mqtt against the server of `peer.rs`, in one version: `peer.py VERSION PORT`.

Checks what the server says, as the library tells it; the server checks what the library sends.
"""
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

V5 = sys.argv[1] == "5"
seen = queue.Queue()


def expect(*wanted):
    found = seen.get(timeout=30)
    assert found == wanted, f"{found!r}, not {wanted!r}"


def properties(kind, **values):
    if not V5:
        return None
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def values(made, *names):
    """Values of properties; of the older version there are none."""
    return tuple(getattr(made, name, None) for name in names) if V5 else ()


def codes(found):
    """Reason codes; an UNSUBACK of the older version has none, which the library tells as success."""
    return [code.value for code in found] if V5 or len(found) > 1 else []


session = {} if V5 else {"clean_session": True}
version = mqtt.MQTTv5 if V5 else mqtt.MQTTv311
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "paho", protocol=version, **session)
client.on_connect = lambda c, u, flags, code, made: seen.put(
    ("connect", flags.session_present, code.value, values(made, "ServerKeepAlive", "UserProperty"))
)
client.on_subscribe = lambda c, u, mid, found, made: seen.put(
    ("subscribe", codes(found), values(made, "ReasonString"))
)
client.on_unsubscribe = lambda c, u, mid, found, made: seen.put(("unsubscribe", codes(found)))
client.on_publish = lambda c, u, mid, code, made: seen.put(("published", code.value))
client.on_message = lambda c, u, m: seen.put(
    ("message", m.topic, m.payload, m.qos, m.retain)
    + values(m.properties, "ResponseTopic", "CorrelationData", "SubscriptionIdentifier")
)

will = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=5, ContentType="text/plain")
client.will_set("gone/paho", b"\x00bye", qos=2, retain=True, properties=will)
client.username_pw_set("user", "secret")
wanted = properties(PacketTypes.CONNECT, SessionExpiryInterval=60, UserProperty=("a", "1"))
client.connect("127.0.0.1", int(sys.argv[2]), keepalive=77, properties=wanted)
client.loop_start()
expect("connect", False, 0, (77, [("a", "1")]) if V5 else ())

if V5:
    options = [SubscribeOptions(qos=1, noLocal=True, retainHandling=2), SubscribeOptions(qos=2)]
    identified = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=300)
    client.subscribe([("a/+", options[0]), ("$share/no/#", options[1])], properties=identified)
    expect("subscribe", [1, 0x9E], ("no shares",))
else:
    client.subscribe([("a/+", 1), ("$share/no/#", 2)])
    expect("subscribe", [1, 0x80], ())

for qos in range(3):
    about = properties(
        PacketTypes.PUBLISH, ResponseTopic="re/a", CorrelationData=b"\x00\xff", TopicAlias=qos + 1
    )
    client.publish("a/b", bytes([qos]) * 200, qos=qos, retain=qos == 2, properties=about)
    about = ("re/a", b"\x00\xff", [300]) if V5 else ()
    both = [seen.get(timeout=30), seen.get(timeout=30)]
    # The acknowledgement and the message that comes back: in either order.
    assert ("published", 0) in both, both
    assert ("message", "a/b", bytes([qos]) * 200, qos, False, *about) in both, both

client.unsubscribe("a/+")
expect("unsubscribe", [0x11] if V5 else [])
client.disconnect(
    reasoncode=ReasonCode(PacketTypes.DISCONNECT, identifier=4) if V5 else None,
    properties=properties(PacketTypes.DISCONNECT, SessionExpiryInterval=9),
)
client.loop_stop()
print("paho-mqtt agrees")
