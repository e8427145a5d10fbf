"""Decodes Binance messages with the PyPI package `sbe` and compares with our JSON, field by field.

usage: compare.py SCHEMA MESSAGES JSON
MESSAGES is (u16 little-endian length, message)*; JSON has one line per message.
"""

import json
import struct
import sys

import sbe


def comparable(ours, theirs):
    """Both in one form. The package reads only the first byte of variable data, and its length."""
    if isinstance(theirs, dict) and set(theirs) == {"length", "varData"}:
        raw = ours.encode()
        return [len(raw), raw[:1]], [theirs["length"], bytes([theirs["varData"]])]
    if isinstance(theirs, dict):
        # The package leaves constants out.
        pairs = {name: comparable(ours[name], value) for name, value in theirs.items()}
        return {n: p[0] for n, p in pairs.items()}, {n: p[1] for n, p in pairs.items()}
    if isinstance(theirs, list):
        pairs = [comparable(a, b) for a, b in zip(ours, theirs)]
        return [len(ours)] + [p[0] for p in pairs], [len(theirs)] + [p[1] for p in pairs]
    if hasattr(theirs, "name"):
        theirs = theirs.name
    return ours, theirs


def main(schema_path, messages_path, json_path):
    with open(schema_path) as file:
        schema = sbe.Schema.parse(file)
    with open(messages_path, "rb") as file:
        data = file.read()
    compared, at = {}, 0
    with open(json_path) as lines:
        for line in lines:
            (length,) = struct.unpack_from("<H", data, at)
            message = data[at + 2 : at + 2 + length]
            at += 2 + length
            ours = json.loads(line)
            theirs = schema.decode(message)
            left, right = comparable(ours["fields"], theirs.value)
            if ours["name"] != theirs.message_name or left != right:
                sys.exit(f"differ at {at}:\n{ours['name']} {left}\n{theirs.message_name} {right}")
            compared[ours["name"]] = compared.get(ours["name"], 0) + 1
    if at != len(data):
        sys.exit(f"{len(data) - at} bytes were not compared")
    print(json.dumps(compared))


main(*sys.argv[1:])
