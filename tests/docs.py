#!/usr/bin/env python3
"""The documentation as docs.rs builds it: without a warning, every item with the feature it needs.

Needs no nightly: `tests/rustdoc` is the stable one with its unstable options.
"""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()

# Pages, wherever they are in the crate, and the feature that each names first.
FEATURES = [
    ("tickwire", "struct.Reactor.html", "mio"),
    ("tickwire", "struct.TokioReactor.html", "tokio"),
    ("tickwire", "struct.WebSocket.html", "tokio"),
    ("tickwire", "struct.Tune.html", "std"),
    ("tickwire", "enum.AdoptError.html", "hyper"),
    ("tickwire_codecs", "mqtt/index.html", "mqtt"),
    ("tickwire_codecs", "struct.Held.html", "alloc"),
    ("tickwire_sbe", "capture/index.html", "cli"),
]
# What needs no feature says none.
FREE = [("tickwire", "struct.Outbox.html"), ("tickwire_codecs", "struct.Limits.html")]


def pages_of(crate, name):
    """The text of the pages of that name. A private path to an item is a page that leads elsewhere."""
    texts = [page.read_text() for page in (TARGET / "doc" / crate).glob(f"**/{name}")]
    return [text for text in texts if 'id="main-content"' in text]


def first_feature(page):
    """The features that a page says its item needs, in words; None: it names none."""
    item = page.split('id="main-content"', 1)[1].split("<details", 1)[0]
    found = re.search(r'class="stab portability">(.*?)</(?:div|span)>', item)
    return found and html.unescape(re.sub(r"<.*?>", "", found[1]))


def faults():
    for crate, name, feature in [*FEATURES, *((*free, None) for free in FREE)]:
        pages = pages_of(crate, name)
        if len(pages) != 1:
            yield f"{crate}: {len(pages)} pages {name}"
            continue
        said = first_feature(pages[0])
        if feature is None and said or feature and not re.search(rf"\b{feature}\b", said or ""):
            yield f"{crate}: {name} says {said!r}, and needs the feature {feature}"


def main():
    flags = {"RUSTDOC": str(ROOT / "tests" / "rustdoc"), "RUSTDOCFLAGS": "-D warnings --cfg docsrs"}
    command = ["cargo", "doc", "--workspace", "--no-deps", "--all-features"]
    built = subprocess.run(command, cwd=ROOT, env=os.environ | flags)
    if built.returncode:
        return 1
    found = list(faults())
    for fault in found:
        print(f"FAILED: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
