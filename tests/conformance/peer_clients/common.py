"""What the Python clients have in common: what they send, and how they tell what held."""

import os
import sys

sys.dont_write_bytecode = True

for name in ("http_proxy", "https_proxy", "all_proxy"):  # loopback needs none
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

# Around each step of the length field (RFC 6455 section 5.2), and one past any socket buffer.
SIZES = [1, 125, 126, 127, 65535, 65536, 1 << 20]
BURST = 1000  # messages sent before the first is read: many frames in one read of the server
CLOSE_CODE, CLOSE_REASON = 3001, "bye ✓"
# Fragments that cut a character in two, and one that is empty.
TEXT = "κόσμε 𐍈 tick"
TEXT_PARTS = [TEXT.encode()[:3], b"", TEXT.encode()[3:11], TEXT.encode()[11:]]


def binary(size):
    """Bytes that no shift, cut or repeat leaves the same."""
    return bytes((n * 7 + (n >> 8) * 13 + size) & 0xFF for n in range(size))


def text(size):
    return "".join(chr(ord("a") + (n * 7 + (n >> 8) + size) % 26) for n in range(size))


def held(check, sent, received):
    """One line for the runner, or the end."""
    if type(sent) is not type(received) or sent != received:
        sys.exit(f"check {check}: sent {brief(sent)}, received {brief(received)}")
    print(f"ok {check}", flush=True)


def brief(value):
    shown = repr(value[:32] if hasattr(value, "__len__") else value)
    return f"{type(value).__name__} {shown} of {len(value)}" if hasattr(value, "__len__") else shown


def arguments():
    """(url, whether to offer permessage-deflate)"""
    url, deflate = sys.argv[1:]
    return url, {"offer": True, "none": False}[deflate]


def negotiated(extensions):
    print(f"negotiated {extensions or 'none'}", flush=True)
