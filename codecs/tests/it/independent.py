"""Decodes messages with independent libraries and compares with our reading.

Input: lines of `format<TAB>hex<TAB>json`. Output: a count per format; exit 1 on the first difference.
"""
import json
import struct
import sys

import cbor2
import itch.messages
import msgpack


def itch_fields(wire):
    message = itch.messages.messages[wire[:1]](wire)
    fields = dict(vars(message))
    head = [fields.pop(name) for name in ("stock_locate", "tracking_number", "timestamp")]
    return head + [v for name, v in fields.items() if name not in ("description", "price_precision")]


def itch_same(ours, theirs):
    if isinstance(theirs, bytes):
        if isinstance(ours, int):
            return theirs == bytes([ours])
        return theirs.decode("latin-1").rstrip(" \0") == ours.rstrip(" \0")
    if isinstance(ours, str):
        # A price: digits with the implied point made visible.
        return int(ours.replace(".", "")) == theirs
    return ours == theirs


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def same(ours, theirs):
    """Ours is JSON; theirs is what the library made of the bytes."""
    if isinstance(theirs, (cbor2.CBORTag,)):
        return same(ours, theirs.value)
    if isinstance(theirs, cbor2.CBORSimpleValue):
        return ours == theirs.value
    if theirs is cbor2.undefined:
        return ours is None
    if isinstance(theirs, msgpack.ExtType):
        return ours == theirs.data.hex()
    if isinstance(theirs, bool) or theirs is None:
        return ours is theirs
    if isinstance(theirs, float):
        if theirs != theirs or theirs in (float("inf"), float("-inf")):
            return ours is None
        # JSON has the fewest digits of the width on the wire.
        return ours == theirs or single(ours) == theirs
    if isinstance(theirs, bytes):
        return ours == theirs.hex()
    if isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, dict):
        return len(ours) == len(theirs) and all(
            (key == k or not isinstance(k, str)) and same(ours[key], v)
            for key, (k, v) in zip(ours, theirs.items())
        )
    return ours == theirs


def check(kind, wire, ours):
    if kind == "itch":
        theirs = itch_fields(wire)
        mine = list(ours.values())[1:]
        return len(mine) == len(theirs) and all(map(itch_same, mine, theirs)), theirs
    theirs = cbor2.loads(wire) if kind == "cbor" else msgpack.unpackb(wire, strict_map_key=False)
    return same(ours, theirs), theirs


counts = {}
for line in sys.stdin:
    kind, wire, ours = line.rstrip("\n").split("\t")
    agreed, theirs = check(kind, bytes.fromhex(wire), json.loads(ours))
    if not agreed:
        print(f"{kind} {wire}\nours   {ours}\ntheirs {theirs!r}")
        sys.exit(1)
    counts[kind] = counts.get(kind, 0) + 1
print(" ".join(f"{kind}={count}" for kind, count in sorted(counts.items())))
