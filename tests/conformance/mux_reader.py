"""A second reader of `tickwire.mux.v1`, written from docs/protocol.md and not from the engine.

    python3 tests/conformance/mux_reader.py            reads and judges every test vector
    python3 tests/conformance/mux_reader.py selftest   proves that the judgement can fail

Standard library only. It decodes and encodes all frames, follows both ends of every exchange, and
says what the application of E is told and which rule P breaks.
"""

import copy
import json
import sys
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[2] / "docs" / "protocol" / "vectors.json"
MAX62 = (1 << 62) - 1
PROTOCOL, FLOW, SIZE, LIMIT, CALM = 1, 2, 3, 4, 5
CODES = {1: CALM, 4: CALM, 13: SIZE, 54: LIMIT, 55: SIZE, 56: FLOW, 57: FLOW}


class Broken(Exception):
    """The peer broke a rule."""

    def __init__(self, rule):
        super().__init__(f"R{rule}")
        self.rule = rule
        self.code = CODES.get(rule, PROTOCOL)
        self.close = 1003 if rule == 14 else 4000 + self.code


# ---- section 3: numbers

class Reader:
    """Bytes of a frame, of options, or of HELLO; `rule` is broken where they end too early."""

    def __init__(self, data, rule=6):
        self.data, self.at, self.rule = data, 0, rule

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        if n > self.left():
            raise Broken(self.rule)
        self.at += n
        return self.data[self.at - n:self.at]

    def byte(self):
        return self.take(1)[0]

    def tv(self):
        if not self.left():
            raise Broken(self.rule)
        size = 1 << (self.data[self.at] & 3)
        return int.from_bytes(self.take(size), "little") >> 2

    def below(self, end, rule):
        value = self.tv()
        if value >= end:
            raise Broken(rule)
        return value

    def alias(self):
        return self.below(1 << 20, 31)

    def code(self):
        return self.below(1 << 32, 36)


def tv(value, size=0):
    """A number, in its shortest form or in `size` bytes."""
    log = next(n for n in range(4) if value < 1 << ((8 << n) - 2) and 1 << n >= size)
    return (value << 2 | log).to_bytes(1 << log, "little")


# ---- sections 3 to 10: frames

TYPES = ["PAD", "DATA", "RUN", "CREDIT", "OPEN", "ACCEPT", "REJECT", "RESET", "SEQ", "PING",
         "GOAWAY", "HELLO", None, None, None, "EXT"]
FLAGS = {"DATA": 15, "RUN": 9, "CREDIT": 15, "REJECT": 1, "RESET": 3, "PING": 1, "EXT": 1}
KINDS = {0: "GRANT", 1: "NARROW", 2: "BLOCKED", 8: "RETURN"}
DIRECTIONS = ["both", "opener", "acceptor"]
UNITS = ["bytes", "messages"]
# id: name, fields of the value; None: bytes.
OPTIONS = {1: ("TTL", ["ms"]), 2: ("RESUME", ["epoch", "next_seq"]), 3: ("TOPIC", None),
           4: ("METADATA", None), 5: ("REPLAY", ["from"]), 6: ("SNAPSHOT", ["seq"]),
           7: ("FRESH", ["epoch", "seq"]), 8: ("WANTS", ["next_seq"])}
ANSWERS = {"REPLAY", "SNAPSHOT", "FRESH"}
# id: name, default, least, most.
PARAMETERS = {1: ("record_bytes_max", 16384, 1024, 1 << 20),
              2: ("message_bytes_max", 1 << 20, 1, MAX62),
              3: ("channels_max", 1024, 0, 1 << 20),
              4: ("pending_opens_max", 64, 0, 1 << 20),
              5: ("aliases_max", 4096, 1, 1 << 20),
              7: ("channel_limit", 65536, 0, MAX62),
              8: ("frame_overhead", 64, 16, 1024),
              9: ("idle_timeout_ms", 30000, 1, MAX62),
              10: ("features", 31, 0, (1 << 64) - 1)}


def members(data, rule):
    reader = Reader(data, rule)
    while reader.left():
        yield reader.tv(), reader.take(reader.tv())


def read_options(reader, frame):
    data = reader.take(reader.below(4097, 43))
    options, seen = [], set()
    for ident, value in members(data, 43):
        if ident not in OPTIONS:
            options.append({"option": "unknown", "id": ident, "bytes": value.hex()})
            continue
        name, fields = OPTIONS[ident]
        if name in seen:
            raise Broken(43)
        seen.add(name)
        option = {"option": name}
        if fields is None:
            option["bytes"] = value.hex()
        else:
            inner = Reader(value, 43)
            option.update({field: inner.tv() for field in fields})
            if inner.left():
                raise Broken(43)
        options.append(option)
    allowed = ({"TTL", "RESUME", "TOPIC", "METADATA"} if frame["type"] == "OPEN"
               else ANSWERS | {"METADATA", "WANTS"})
    if seen - allowed or len(seen & ANSWERS) > 1:
        raise Broken(44)
    if "RESUME" in seen and not frame["resumable"] or "TTL" in seen and frame["conflate"]:
        raise Broken(44)
    return options


def read_data(reader, flags, name):
    frame = {"type": name, "alias": reader.alias(), "len": bool(flags & 1)}
    if name == "DATA":
        if flags & 2 and flags & 4:
            raise Broken(37)
        frame["more"], frame["fin"] = bool(flags & 2), bool(flags & 4)
        size = reader.tv() if frame["len"] else None
    else:
        frame["elem"] = reader.below(1 << 32, 39)
        if not frame["elem"]:
            raise Broken(39)
        frame["count"] = reader.below(1 << 32, 39) if frame["len"] else None
    frame["skip"] = reader.tv() if flags & 8 else 0
    if flags & 8 and not frame["skip"]:
        raise Broken(38)
    if name == "RUN":
        if frame["count"] is None:
            frame["count"], rest = divmod(reader.left(), frame["elem"])
            if rest:
                raise Broken(39)
        if not frame["count"]:
            raise Broken(39)
        size = frame["elem"] * frame["count"]
    frame["payload"] = reader.take(reader.left() if size is None else size).hex()
    return frame


def read_hello(reader):
    parameters, seen = [], set()
    for ident, value in members(reader.take(reader.below(1025, 46)), 46):
        if ident not in PARAMETERS:
            parameters.append({"id": ident, "bytes": value.hex()})
            continue
        if ident in seen or not 1 <= len(value) <= 8:
            raise Broken(46)
        seen.add(ident)
        number = int.from_bytes(value, "little")
        if not PARAMETERS[ident][2] <= number <= PARAMETERS[ident][3]:
            raise Broken(47)
        parameters.append({"id": ident, "value": number, "size": len(value)})
    return {"type": "HELLO", "parameters": parameters}


def read_open(reader):
    alias, profile, mode = reader.alias(), reader.byte(), reader.byte()
    if profile >> 3 & 3 == 3 or mode > 6:
        raise Broken(42)
    frame = {"type": "OPEN", "alias": alias, "priority": profile & 7,
             "direction": DIRECTIONS[profile >> 3 & 3], "unit": UNITS[profile >> 5 & 1],
             "conflate": bool(profile & 64), "resumable": bool(profile & 128), "align": mode,
             "limit": reader.tv(), "max_msg": reader.tv()}
    frame["options"] = read_options(reader, frame)
    return frame


def read_goaway(reader):
    seen, code, size = reader.tv(), reader.code(), reader.byte()
    if size > 123:
        raise Broken(48)
    try:
        reason = reader.take(size).decode("utf-8")
    except UnicodeDecodeError:
        raise Broken(48) from None
    return {"type": "GOAWAY", "opens_seen": seen, "code": code, "reason": reason}


def read_frame(reader):
    first = reader.byte()
    name, flags = TYPES[first & 15], first >> 4
    if name is None:
        raise Broken(33)
    if flags & ~FLAGS.get(name, 0):
        raise Broken(34)
    if name == "PAD":
        count = 1
        while reader.left() and reader.data[reader.at] == 0:
            count, reader.at = count + 1, reader.at + 1
        if count > 63:
            raise Broken(35)
        return {"type": "PAD", "count": count}
    if name in ("DATA", "RUN"):
        return read_data(reader, flags, name)
    if name == "CREDIT":
        if flags & ~4 not in KINDS:
            raise Broken(40)
        frame = {"type": name, "kind": KINDS[flags & ~4], "alias": reader.alias(),
                 "total": reader.tv()}
        if flags & 4:
            frame["ack"] = reader.tv()
        return frame
    if name == "OPEN":
        return read_open(reader)
    if name == "ACCEPT":
        frame = {"type": name, "peer_alias": reader.alias(), "alias": reader.alias(),
                 "limit": reader.tv(), "max_msg": reader.tv(), "resumable": True,
                 "conflate": False}
        frame["options"] = read_options(reader, frame)
        del frame["resumable"], frame["conflate"]
        return frame
    if name == "REJECT":
        frame = {"type": name, "peer_alias": reader.alias(), "code": reader.code()}
        if flags:
            frame["metadata"] = reader.take(reader.below(4097, 43)).hex()
        return frame
    if name == "RESET":
        if not flags:
            raise Broken(41)
        return {"type": name, "abort": bool(flags & 1), "stop": bool(flags & 2),
                "alias": reader.alias(), "code": reader.code()}
    if name == "SEQ":
        return {"type": name, "alias": reader.alias(), "epoch": reader.tv(),
                "next_seq": reader.tv()}
    if name == "PING":
        return {"type": name, "pong": bool(flags), "value": int.from_bytes(reader.take(8), "little")}
    if name == "GOAWAY":
        return read_goaway(reader)
    if name == "HELLO":
        return read_hello(reader)
    frame = {"type": name, "ignore": bool(flags), "kind": reader.tv(),
             "body": reader.take(reader.tv()).hex()}
    if not flags:
        raise Broken(49)
    return frame


def frames(record):
    """The frames of a record, one by one; `Broken` where one is wrong."""
    reader = Reader(record)
    while reader.left():
        yield read_frame(reader)


def decode(record):
    """What a record says, and the rule that it breaks, if any."""
    found = []
    try:
        for frame in frames(record):
            found.append(frame)
    except Broken as broken:
        return found, broken
    return found, None


# ---- the other direction

def counted(data):
    return tv(len(data)) + data


def write_options(options):
    data = b""
    for option in options:
        if option["option"] == "unknown":
            data += tv(option["id"]) + counted(bytes.fromhex(option["bytes"]))
            continue
        ident, fields = next((i, f) for i, (n, f) in OPTIONS.items() if n == option["option"])
        value = (bytes.fromhex(option["bytes"]) if fields is None
                 else b"".join(tv(option[field]) for field in fields))
        data += tv(ident) + counted(value)
    return counted(data)


def write_parameters(parameters):
    data = b""
    for one in parameters:
        value = (one["value"].to_bytes(one["size"], "little") if "value" in one
                 else bytes.fromhex(one["bytes"]))
        data += tv(one["id"]) + counted(value)
    return counted(data)


def encode(frame):
    name = frame["type"]
    kind = TYPES.index(name)

    def head(*flags):
        return bytes([kind | sum(value for value, is_set in flags if is_set) << 4])

    def numbers(*fields):
        return b"".join(tv(frame[field]) for field in fields)

    if name == "PAD":
        return bytes(frame["count"])
    if name in ("DATA", "RUN"):
        payload = bytes.fromhex(frame["payload"])
        out = head((1, frame["len"]), (2, frame.get("more")), (4, frame.get("fin")),
                   (8, frame["skip"]))
        out += numbers("alias") if name == "DATA" else numbers("alias", "elem")
        if frame["len"]:
            out += tv(len(payload) if name == "DATA" else frame["count"])
        return out + (tv(frame["skip"]) if frame["skip"] else b"") + payload
    if name == "CREDIT":
        flag = next(value for value, known in KINDS.items() if known == frame["kind"])
        out = head((flag, True), (4, "ack" in frame)) + numbers("alias", "total")
        return out + (numbers("ack") if "ack" in frame else b"")
    if name == "OPEN":
        profile = (frame["priority"] | DIRECTIONS.index(frame["direction"]) << 3
                   | UNITS.index(frame["unit"]) << 5 | frame["conflate"] << 6
                   | frame["resumable"] << 7)
        return (head() + numbers("alias") + bytes([profile, frame["align"]])
                + numbers("limit", "max_msg") + write_options(frame["options"]))
    if name == "ACCEPT":
        return (head() + numbers("peer_alias", "alias", "limit", "max_msg")
                + write_options(frame["options"]))
    if name == "REJECT":
        out = head((1, "metadata" in frame)) + numbers("peer_alias", "code")
        return out + (counted(bytes.fromhex(frame["metadata"])) if "metadata" in frame else b"")
    if name == "RESET":
        return head((1, frame["abort"]), (2, frame["stop"])) + numbers("alias", "code")
    if name == "SEQ":
        return head() + numbers("alias", "epoch", "next_seq")
    if name == "PING":
        return head((1, frame["pong"])) + frame["value"].to_bytes(8, "little")
    if name == "GOAWAY":
        reason = frame["reason"].encode()
        return head() + numbers("opens_seen", "code") + bytes([len(reason)]) + reason
    if name == "HELLO":
        return head() + write_parameters(frame["parameters"])
    return head((1, frame["ignore"])) + numbers("kind") + counted(bytes.fromhex(frame["body"]))
