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


# ---- sections 5 to 10: what E makes of P's frames

class Half:
    """One direction of a channel, as the wire shows it."""

    def __init__(self, exists, unit, window, max_msg):
        self.state = "receiving" if exists else "none"  # stopping, finished, aborted
        self.unit, self.limit, self.window, self.max_msg = unit, window, window, max_msg
        self.charged = self.consumed = self.held = 0
        self.epoch = self.next = 0
        self.partial, self.partial_cost, self.partial_skip = None, 0, 0

    def terminal(self):
        return self.state in ("none", "finished", "aborted")

    def takes_data(self):
        if self.state == "none":
            raise Broken(50)
        if self.terminal():
            raise Broken(51)

    def charge(self, units):
        if self.charged + units > self.limit:
            raise Broken(56)
        self.charged += units

    def number_behind(self, skip):
        if self.next + skip >= MAX62:
            raise Broken(58)
        return self.next + skip

    def theta(self):
        return max(1, self.window // (2 if self.window >= 65536 else 4))


class Channel:
    def __init__(self, number, opener, incoming, outgoing, resume=None):
        self.number, self.opener, self.answered = number, opener, False
        self.incoming, self.outgoing, self.resume = incoming, outgoing, resume
        self.own_alias = self.peer_alias = self.order = None

    def ended(self):
        return self.answered and self.incoming.terminal() and self.outgoing.terminal()


class Limits:
    """What an end takes, by its HELLO, and what follows by R20 and R27."""

    def __init__(self, frame):
        values = {name: default for name, default, *_ in PARAMETERS.values()}
        for one in frame["parameters"]:
            if "value" in one:
                values[PARAMETERS[one["id"]][0]] = one["value"]
        self.__dict__.update(values)

    def cost(self, size, window=None):
        fragment = max(1, min(self.record_bytes_max, window or self.channel_limit) // 4)
        return size + self.frame_overhead * (-(-size // fragment) + 1)

    def first(self, unit):
        """The first credit of a half, and its largest message before ACCEPT."""
        window = self.channel_limit
        theta = max(1, window // (2 if window >= 65536 else 4))
        room = window - theta + 1 if unit == "bytes" else window // 8
        low, high = 0, self.message_bytes_max
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.cost(middle) <= room else (low, middle - 1)
        return (window if unit == "bytes" else 8), low


class Bucket:
    def __init__(self):
        self.full_at = 0

    def take(self, now):
        """Ten at once, one a second."""
        full_at = max(self.full_at, now) + 1000
        if full_at > now + 10_000:
            raise Broken(4)
        self.full_at = full_at


class End:
    """E: follows what it sends and does, and judges what P sends."""

    def __init__(self, config):
        self.config, self.now = config, 0
        self.own = self.peer = None
        self.channels, self.own_aliases, self.peer_aliases = [], {}, {}
        self.opens_sent = 0
        self.draining = self.over = None
        self.pings, self.goaways = Bucket(), Bucket()
        self.reports = []

    def tell(self, event, channel=None, **members):
        number = {} if channel is None else {"channel": channel.number}
        self.reports.append({"event": event, **number, **members})

    # -- what P sends

    def receive(self, record):
        """What the application is told; `Broken` is kept in `self.over`."""
        self.reports = []
        try:
            if len(record) > self.own.record_bytes_max:
                raise Broken(13)
            for frame in frames(record):
                if self.over is None:
                    self.frame(frame)
        except Broken as broken:
            self.over = broken
        if self.draining is not None and self.over is None and not self.live():
            self.tell("ended", code=self.draining)
            self.over = self.draining
        return self.reports

    def live(self):
        return [c for c in self.channels if not c.ended()]

    def frame(self, frame):
        name = frame["type"]
        if name == "PAD":
            return
        if (name == "HELLO") != (self.peer is None):
            raise Broken(23)
        getattr(self, "on_" + name.lower())(frame)

    def at(self, frame, data):
        """The channel of P's alias; None where the frame is ignored."""
        found = self.peer_aliases.get(frame["alias"])
        if found is None:
            raise Broken(24)
        if found == "closed" and data:
            raise Broken(51)
        return found if isinstance(found, Channel) else None

    def settle(self, channel):
        if channel.ended() and isinstance(self.peer_aliases.get(channel.peer_alias), Channel):
            self.peer_aliases[channel.peer_alias] = "closed"

    def on_hello(self, frame):
        self.peer = Limits(frame)
        self.tell("ready")

    def on_ping(self, frame):
        if not frame["pong"]:
            self.pings.take(self.now)

    def on_ext(self, frame):
        pass

    def on_data(self, frame):
        channel = self.at(frame, data=True)
        if channel is None:
            return
        half, size = channel.incoming, len(frame["payload"]) // 2
        half.takes_data()
        before = 0 if half.partial is None else len(half.partial)
        if before + size > half.max_msg:
            raise Broken(55)
        alone = frame["fin"] and not size
        if alone and half.partial is not None:
            raise Broken(52)
        cost = size + self.own.frame_overhead
        if half.unit == "messages" and not alone:
            if half.charged >= half.limit:
                raise Broken(56)
            if half.partial_cost + cost > self.own.cost(half.max_msg):
                raise Broken(55)
        seq = half.number_behind(frame["skip"])
        if not alone:
            half.charge(cost if half.unit == "bytes" else not frame["more"])
            self.message(channel, frame, seq, cost)
        else:
            half.next = seq
        if frame["fin"]:
            if half.state == "receiving":
                self.tell("finished", channel)
            half.state = "finished"
            self.settle(channel)

    def message(self, channel, frame, seq, cost):
        half, whole = channel.incoming, not frame["more"]
        half.next = seq + whole
        if half.state != "receiving":
            return
        half.partial = (half.partial or b"") + bytes.fromhex(frame["payload"])
        half.partial_cost += cost
        half.partial_skip += frame["skip"]
        if whole:
            half.held += half.partial_cost if half.unit == "bytes" else 1
            self.tell("message", channel, payload=half.partial.hex(), seq=seq,
                      skipped=half.partial_skip)
            half.partial, half.partial_cost, half.partial_skip = None, 0, 0

    def on_run(self, frame):
        channel = self.at(frame, data=True)
        if channel is None:
            return
        half, count = channel.incoming, frame["count"]
        half.takes_data()
        if half.partial is not None:
            raise Broken(52)
        if frame["elem"] > half.max_msg:
            raise Broken(55)
        seq = half.number_behind(frame["skip"])
        if seq + count >= MAX62:
            raise Broken(58)
        size = frame["elem"] * count + self.own.frame_overhead
        units = size if half.unit == "bytes" else count
        half.charge(units)
        half.next = seq + count
        if half.state == "receiving":
            half.held += units
            self.tell("run", channel, elem=frame["elem"], payload=frame["payload"], seq=seq,
                      skipped=frame["skip"])

    def on_seq(self, frame):
        channel = self.at(frame, data=True)
        if channel is None:
            return
        half = channel.incoming
        half.takes_data()
        if half.state != "receiving":
            return
        if half.partial is not None:
            raise Broken(52)
        if frame["next_seq"] >= MAX62:
            raise Broken(58)
        half.epoch, half.next = frame["epoch"], frame["next_seq"]
        self.tell("rebased", channel, epoch=half.epoch, next_seq=half.next)

    def on_credit(self, frame):
        channel = self.at(frame, data=frame["kind"] == "RETURN")
        if channel is None:
            return
        if frame["kind"] == "GRANT":
            channel.outgoing.limit = max(channel.outgoing.limit, frame["total"])
        if frame["kind"] == "RETURN":
            half = channel.incoming
            half.takes_data()
            if half.partial is not None:
                raise Broken(52)
            most = half.limit - (half.window if half.state == "receiving" else 0)
            if not half.charged <= frame["total"] <= most:
                raise Broken(57)
            half.consumed += frame["total"] - half.charged
            half.charged = frame["total"]
        if "ack" in frame:
            self.tell("acked", channel, seq=min(frame["ack"], channel.outgoing.next))

    def on_reset(self, frame):
        channel = self.at(frame, data=False)
        if channel is None:
            return
        half, code, told = channel.incoming, frame["code"], False
        if frame["abort"] and not half.terminal():
            told = half.state == "receiving"
            half.state, half.partial = "aborted", None
            if told:
                self.tell("aborted", channel, code=code)
        if frame["stop"] and channel.outgoing.state == "receiving":
            channel.outgoing.state = "stopped"
            if not told:
                self.tell("stopped", channel, code=code)
        self.settle(channel)

    def on_goaway(self, frame):
        self.goaways.take(self.now)
        code = frame["code"]
        if 1 <= code <= 15:
            self.tell("ended", code=code)
            self.over = code
            return
        self.tell("draining", code=code)
        self.draining = code if self.draining is None else self.draining
        for channel in self.channels:
            unseen = channel.order is not None and channel.order > frame["opens_seen"]
            if channel.opener and not channel.answered and unseen:
                self.reject(channel)
                self.tell("rejected", channel, code=7, processed=False, metadata="")

    def reject(self, channel):
        channel.answered = True
        channel.incoming.state = channel.outgoing.state = "aborted"
        if channel.peer_alias is not None:
            self.peer_aliases[channel.peer_alias] = "rejected"

    def halves(self, frame, opener):
        """E's receiving and sending half of a channel whose OPEN says so."""
        of_opener = frame["direction"] != "acceptor"
        of_acceptor = frame["direction"] != "opener"
        unit = frame["unit"]
        asked = (unit, frame["limit"], frame["max_msg"])
        before = (unit, *(self.peer if opener else self.own).first(unit))
        if opener:
            return Half(of_acceptor, *asked), Half(of_opener, *before)
        return Half(of_opener, *before), Half(of_acceptor, *asked)

    def on_open(self, frame):
        alias = frame["alias"]
        if alias >= self.own.aliases_max:
            raise Broken(31)
        if isinstance(self.peer_aliases.get(alias), Channel):
            raise Broken(24)
        if self.draining is not None:
            self.peer_aliases[alias] = "rejected"
            return
        theirs = [c for c in self.live() if not c.opener]
        waiting = [c for c in theirs if not c.answered]
        if len(theirs) >= self.own.channels_max or len(waiting) >= self.own.pending_opens_max:
            raise Broken(54)
        options = {option["option"]: option for option in frame["options"]}
        incoming, outgoing = self.halves(frame, opener=False)
        topic, metadata = (options.get(name, {}).get("bytes", "") for name in ("TOPIC", "METADATA"))
        aside = sum(c.incoming.window for c in theirs if not c.incoming.terminal())
        budget = self.config.get("receive_bytes_max", 1 << 62)
        long = len(topic + metadata) // 2 > self.config.get("metadata_bytes_max", 1024)
        if long or not incoming.terminal() and aside + incoming.window > budget:
            self.peer_aliases[alias] = "rejected"
            return
        channel = Channel(len(self.channels), False, incoming, outgoing, options.get("RESUME"))
        channel.peer_alias = alias
        self.channels.append(channel)
        self.peer_aliases[alias] = channel
        mode = "conflated" if frame["conflate"] else "ttl" if "TTL" in options else "reliable"
        resume = {}
        if channel.resume:
            resume = {"epoch": channel.resume["epoch"], "next_seq": channel.resume["next_seq"]}
            outgoing.epoch, outgoing.next = resume["epoch"], resume["next_seq"]
        self.tell("open", channel, topic=topic, priority=frame["priority"],
                  direction=frame["direction"], unit=frame["unit"], mode=mode,
                  resumable=frame["resumable"], **resume)

    def asked(self, frame):
        channel = self.own_aliases.get(frame["peer_alias"])
        if channel is None or not channel.opener or channel.answered:
            raise Broken(53)
        return channel

    def on_accept(self, frame):
        if frame["alias"] >= self.own.aliases_max:
            raise Broken(31)
        if isinstance(self.peer_aliases.get(frame["alias"]), Channel):
            raise Broken(24)
        channel = self.asked(frame)
        options = {option["option"]: option for option in frame["options"]}
        if ANSWERS & set(options) and not channel.resume:
            raise Broken(44)
        channel.answered, channel.peer_alias = True, frame["alias"]
        self.peer_aliases[frame["alias"]] = channel
        channel.outgoing.limit = max(channel.outgoing.limit, frame["limit"])
        channel.outgoing.max_msg = frame["max_msg"]
        self.tell("accepted", channel, metadata=options.get("METADATA", {}).get("bytes", ""))
        self.settle(channel)

    def on_reject(self, frame):
        channel = self.asked(frame)
        self.reject(channel)
        self.tell("rejected", channel, code=frame["code"], processed=True,
                  metadata=frame.get("metadata", ""))

    # -- what the application of E does

    def does(self, act):
        channel = self.channels[act["channel"]] if "channel" in act else None
        action = act["action"]
        if action == "open":
            self.channels.append(Channel(len(self.channels), True, None, None, act.get("epoch")))
            # Nothing is known of it before its OPEN is sent.
            self.channels[-1].incoming = Half(True, "bytes", 0, 0)
            self.channels[-1].outgoing = Half(True, "bytes", 0, 0)
        elif action == "consume":
            channel.incoming.consumed += channel.incoming.held
            channel.incoming.held = 0
        elif action == "stop":
            channel.incoming.state, channel.incoming.partial = "stopping", None
        elif action == "drain":
            self.draining = act["code"]

    # -- what E sends: legal for P, and what P is owed

    def sent(self, record):
        for frame in frames(record):
            name = frame["type"]
            if name == "HELLO":
                self.own = Limits(frame)
            elif name == "OPEN":
                self.sent_open(frame)
            elif name in ("ACCEPT", "REJECT"):
                self.sent_answer(frame)
            elif name in ("DATA", "RUN"):
                self.sent_data(self.own_aliases[frame["alias"]], frame)
            elif name == "CREDIT":
                self.sent_credit(self.own_aliases[frame["alias"]], frame)
            elif name == "RESET":
                channel = self.own_aliases[frame["alias"]]
                if frame["abort"]:
                    channel.outgoing.state = "aborted"
                if frame["stop"] and not channel.incoming.terminal():
                    channel.incoming.state, channel.incoming.partial = "stopping", None
                self.settle(channel)

    def sent_open(self, frame):
        channel = next(c for c in self.channels if c.opener and c.own_alias is None)
        channel.own_alias = frame["alias"]
        self.own_aliases[frame["alias"]] = channel
        self.opens_sent += 1
        channel.order = self.opens_sent
        channel.incoming, channel.outgoing = self.halves(frame, opener=True)

    def sent_answer(self, frame):
        channel = self.peer_aliases.get(frame["peer_alias"])
        if not isinstance(channel, Channel):
            check(frame["type"] == "REJECT" and channel == "rejected", "an answer to nothing")
            return
        check(not channel.opener and not channel.answered, "a second answer")
        if frame["type"] == "REJECT":
            self.reject(channel)
            return
        channel.answered, channel.own_alias = True, frame["alias"]
        self.own_aliases[frame["alias"]] = channel
        half = channel.incoming
        if not half.terminal():
            check(frame["limit"] >= half.limit and frame["max_msg"] >= half.max_msg,
                  "ACCEPT grants less than the opener may have used")
            half.limit = half.window = frame["limit"]
            half.max_msg = frame["max_msg"]
        for option in frame["options"]:
            if option["option"] == "REPLAY":
                channel.outgoing.next = option["from"]

    def sent_data(self, channel, frame):
        half, size = channel.outgoing, len(frame["payload"]) // 2
        check(half.state == "receiving", "data of a half that has ended")
        alone = frame.get("fin") and not size
        messages = frame.get("count", not frame.get("more") and not alone)
        cost = size + self.peer.frame_overhead if half.unit == "bytes" else messages
        half.charged += 0 if alone else cost
        check(half.charged <= half.limit, "E passes its credit")
        check(frame.get("elem", size) <= half.max_msg, "E sends too large a message")
        half.next += messages + frame["skip"]
        if frame.get("fin"):
            half.state = "finished"
            self.settle(channel)

    def sent_credit(self, channel, frame):
        if frame["kind"] == "GRANT":
            half = channel.incoming
            check(frame["total"] == max(half.limit, half.consumed + half.window),
                  f"a limit of {frame['total']}, not of what is consumed and the window")
            half.limit = frame["total"]
        half = channel.outgoing
        if frame["kind"] == "BLOCKED":
            check(frame["total"] == half.limit, "BLOCKED names another limit")
        if frame["kind"] == "RETURN":
            check(half.charged <= frame["total"] <= half.limit, "RETURN of what is not there")
            half.charged = frame["total"]

    def owes(self):
        """R21: a limit that is due has been told."""
        for channel in self.channels:
            half = channel.incoming
            if half.state == "receiving" and channel.answered:
                owed = half.consumed + half.window - half.limit
                check(owed < half.theta(), f"channel {channel.number} is owed {owed}")


# ---- judgement

class Wrong(Exception):
    """A vector and this reader do not agree."""


def check(holds, what):
    if not holds:
        raise Wrong(what)


def same_record(entry, canonical=True):
    data = bytes.fromhex(entry["hex"])
    found, broken = decode(data)
    check(broken is None, f"it breaks {broken}")
    check(found == entry["frames"], f"it says {found}")
    written = b"".join(encode(frame) for frame in entry["frames"])
    check((written == data) == canonical, f"it is written as {written.hex()}")
    return data


def judge_varint(entry):
    data = bytes.fromhex(entry["hex"])
    reader = Reader(data)
    check(reader.tv() == entry["value"] and not reader.left(), "another number")
    check((tv(entry["value"]) == data) == entry["shortest"], "another shortest form")
    check(tv(entry["value"], len(data)) == data, "another form")


def judge_record(entry):
    same_record(entry, entry.get("canonical", True))


def judge_invalid(entry):
    found, broken = decode(bytes.fromhex(entry["hex"]))
    check(broken is not None, "nothing is wrong with it")
    check(found == entry["frames"], f"before it is said {found}")
    judge_end(broken, entry)


def judge_end(broken, entry):
    found = (f"R{broken.rule}", broken.code, broken.close)
    check(found == (entry["rule"], entry["code"], entry["close"]), f"{found}")


def judge_exchange(entry):
    end = End(entry["config"])
    for at, step in enumerate(entry["steps"]):
        try:
            judge_step(end, step)
        except Wrong as wrong:
            raise Wrong(f"step {at}: {wrong}") from None
    broken = end.over if isinstance(end.over, Broken) else None
    check((broken is not None) == ("violation" in entry), f"the end is {broken}")
    if broken:
        judge_end(broken, entry["violation"])


def judge_step(end, step):
    (kind, value), = step.items()
    check(not isinstance(end.over, Broken), "a step after the end")
    if kind == "receives":
        reports = end.receive(bytes.fromhex(value["hex"]))
        if not isinstance(end.over, Broken):
            same_record(value)
        check(reports == value["reports"], f"it reports {reports}")
    elif kind == "receives_text":
        end.over = Broken(14)
    elif kind == "does":
        end.does(value)
    elif kind == "waits_ms":
        end.now += value
    elif kind == "sends":
        for record in value:
            end.sent(same_record(record))
        end.owes()
    else:
        raise Wrong(f"no step is called {kind}")


JUDGES = {"varints": judge_varint, "records": judge_record, "invalid": judge_invalid,
          "exchanges": judge_exchange}
TEXTS = {"hex", "payload", "bytes", "body", "metadata", "topic", "name", "about", "reason"}


def numbers(value, name=""):
    """Numbers above 2^53 - 1 are decimal strings."""
    if isinstance(value, dict):
        return {key: numbers(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbers(inner, name) for inner in value]
    if isinstance(value, str) and name not in TEXTS and value.isdecimal():
        return int(value)
    return value


def judge(vectors):
    """How many entries were judged, and what is wrong with which."""
    count, wrong = 0, []
    for part, judge_one in JUDGES.items():
        check(len(vectors[part]) >= 15, f"too few {part}")
        for entry in vectors[part]:
            count += 1
            name = entry.get("name", entry["hex"] if "hex" in entry else "")
            try:
                judge_one(entry)
            except Exception as why:  # a crash is a wrong answer, too
                wrong.append(f"{part}, {name}: {type(why).__name__} {why}")
    return count, wrong


# ---- the judgement's own test

def mutants(vectors):
    """Vectors with one thing changed each, and what was changed."""
    for part in JUDGES:
        for at, entry in enumerate(vectors[part]):
            for what, changed in changes(part, entry):
                mutant = dict(vectors)
                mutant[part] = [*vectors[part][:at], changed, *vectors[part][at + 1:]]
                yield f"{part}, {entry.get('name', entry.get('hex'))}: {what}", part, changed


def changes(part, entry):
    def changed(change):
        mutant = copy.deepcopy(entry)
        change(mutant)
        return mutant

    if part == "varints":
        yield "value", changed(lambda e: e.update(value=e["value"] ^ 1))
        yield "shortest", changed(lambda e: e.update(shortest=not e["shortest"]))
    elif part == "records":
        yield "hex", changed(lambda e: e.update(hex=e["hex"] + "0c"))
        yield "canonical", changed(lambda e: e.update(canonical=not e.get("canonical", True)))
        yield "frames", changed(lambda e: e["frames"].append({"type": "PAD", "count": 1}))
    elif part == "invalid":
        yield "rule", changed(lambda e: e.update(rule="R62"))
        yield "code", changed(lambda e: e.update(code=e["code"] + 1))
        yield "close", changed(lambda e: e.update(close=e["close"] + 1))
        yield "hex", changed(lambda e: e.update(hex=""))
    else:
        for at, step in enumerate(entry["steps"]):
            if "receives" in step:
                yield f"report {at}", changed(
                    lambda e: e["steps"][at]["receives"]["reports"].append({}))
        if "violation" in entry:
            yield "violation", changed(lambda e: e.pop("violation"))
            yield "rule", changed(lambda e: e["violation"].update(rule="R62"))
        else:
            yield "violation", changed(
                lambda e: e.update(violation={"rule": "R1", "code": 5, "close": 4005}))


def selftest(vectors):
    missed, planted = [], 0
    for what, part, changed in mutants(vectors):
        planted += 1
        try:
            JUDGES[part](changed)
        except Exception:
            continue
        missed.append(what)
    print(f"{planted} vectors were changed, {len(missed)} changes were not found")
    print("\n".join(missed))
    return 1 if missed or planted < 500 else 0


def main(arguments):
    vectors = numbers(json.loads(VECTORS.read_text(encoding="utf-8")))
    if arguments == ["selftest"]:
        return selftest(vectors)
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    count, wrong = judge(vectors)
    print("\n".join([*wrong, f"{count} vectors, {len(wrong)} wrong"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
