"""Decodes messages with independent libraries and compares with our reading.

Input: lines of `format<TAB>hex<TAB>json`; a format with `-written` at its end asks for the same bytes from
the library's own encoder too. Output: a count per format; exit 1 on the first difference.
"""
import datetime
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


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def instant(text):
    """Seconds and nanoseconds of our text of an instant."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    date = datetime.datetime.fromisoformat(whole + "+00:00")
    return (date - EPOCH) // datetime.timedelta(seconds=1), int(fraction.ljust(9, "0"))


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
    if isinstance(theirs, msgpack.Timestamp):
        return instant(ours) == (theirs.seconds, theirs.nanoseconds)
    if isinstance(theirs, datetime.datetime):
        seconds, nanos = instant(ours)
        since = datetime.timedelta(seconds=seconds, microseconds=nanos // 1000)
        return nanos % 1000 == 0 and theirs - EPOCH == since
    if isinstance(theirs, str) and any("\udc80" <= c <= "\udcff" for c in theirs):
        return ours == theirs.encode("utf-8", "surrogateescape").hex()
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
    cbor = kind.startswith("cbor")
    theirs = (
        cbor2.loads(wire)
        if cbor
        else msgpack.unpackb(wire, strict_map_key=False, unicode_errors="surrogateescape")
    )
    if not same(ours, theirs):
        return False, theirs
    if kind.endswith("-written"):
        again = cbor2.dumps(theirs, datetime_as_timestamp=True) if cbor else msgpack.packb(theirs)
        return again == wire, again
    return True, theirs


counts = {}
for line in sys.stdin:
    kind, wire, ours = line.rstrip("\n").split("\t")
    agreed, theirs = check(kind, bytes.fromhex(wire), json.loads(ours))
    if not agreed:
        print(f"{kind} {wire}\nours   {ours}\ntheirs {theirs!r}")
        sys.exit(1)
    counts[kind] = counts.get(kind, 0) + 1
print(" ".join(f"{kind}={count}" for kind, count in sorted(counts.items())))
