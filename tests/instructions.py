#!/usr/bin/env python3
"""Counts the instructions of the hot paths and compares them with benches/instructions.toml.

    tests/instructions.py               build `hot`, count every path, compare
    tests/instructions.py --only NAME   only the paths whose names contain NAME
    tests/instructions.py --update      write what was counted into the file
    tests/instructions.py selftest      the comparison itself: it can fail, both ways

A path is walked twice under callgrind, for different numbers of messages; the difference in
instructions over the difference in messages is its cost, so that start-up cancels. Time plays no
part: the figures are the same on a busy machine. Faster than the file says fails as well, or the
file would let half of what was won be lost again.

Exit codes: 0 as the file says, 1 not so, 2 wrong call, 77 skipped because valgrind is not there or
the machine is of another kind than the file's.
"""

import argparse
import concurrent.futures
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "benches" / "instructions.toml"
# Units walked in the shorter and in the longer run. A hundred batches of 64 between them: what
# happens once in a while (credit, a record that is full) has its share.
SHORT, LONG = 3_200, 9_600
# Of one run: a hundred times what it takes.
RUN_SECONDS = 60
# Different by less than this is no difference, whatever share of a short path it is.
SLACK_INSTRUCTIONS = 1.0
# glibc picks its memcpy by the machine. This takes the one that all have, and not `rep movsb`,
# each byte of which would count as an instruction.
TUNABLES = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM"
SKIPPED = 77

HEAD = """\
# User instructions per message of the hot paths (`benches/src/bin/hot`), counted by callgrind.
# Compared, and written with --update, by tests/instructions.py: see there.
"""


def say(text):
    print(text, flush=True)


def output(*command):
    """What a command prints, or None if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def environment():
    """What the counts depend on beside the source."""
    return {
        "machine": platform.machine(),
        "rustc": output("rustc", "--version") or "unknown",
        "libc": " ".join(platform.libc_ver()),
    }


def build():
    """Builds `hot` alone; its path."""
    command = ["cargo", "build", "--release", "-p", "tickwire-benches"]
    command += ["--no-default-features", "--bin", "hot"]
    # Flags of the caller would change the code that is counted.
    env = {k: v for k, v in os.environ.items() if k not in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")}
    if subprocess.run(command, cwd=ROOT, env=env).returncode != 0:
        sys.exit("`hot` does not build")
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "hot"


def paths(hot):
    """Name and description of every path."""
    return dict(line.split("\t", 1) for line in output(hot, "list").splitlines())


def instructions(hot, path, units):
    """Instructions of the whole process."""
    env = dict(os.environ, GLIBC_TUNABLES=TUNABLES)
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*command, hot, path, str(units)],
        capture_output=True, text=True, env=env, timeout=RUN_SECONDS,
    )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        sys.exit(f"hot {path} {units} ended with {done.returncode}:\n{done.stderr}")
    return int(collected[1])


def count(hot, path):
    """Instructions of one unit."""
    return (instructions(hot, path, LONG) - instructions(hot, path, SHORT)) / (LONG - SHORT)


def verdict(recorded, counted, tolerance):
    """None where they agree, else what is wrong."""
    slack = max(recorded * tolerance, SLACK_INSTRUCTIONS)
    if counted > recorded + slack:
        return "SLOWER"
    if counted < recorded - slack:
        return "FASTER: run tests/instructions.py --update, and commit the file"
    return None


def tolerance_of(kept, here):
    """The share by which counts may differ, and a warning where it is the wide one."""
    other = [f"{k} {here[k]!r} (file: {kept['environment'][k]!r})"
             for k in ("rustc", "libc") if here[k] != kept["environment"][k]]
    if not other:
        return kept["tolerance"], None
    wide = kept["tolerance_elsewhere"]
    return wide, (
        f"\n!!! counted with {', '.join(other)}: other code comes out of it, so only differences\n"
        f"!!! above {wide:.0%} fail here. Update the file with the compiler.\n"
    )


def compare(kept, counted, tolerance, partial=False):
    """Prints the table; the number of paths that are not as the file says."""
    recorded = kept["paths"]
    wrong = 0
    width = max(map(len, [*recorded, *counted]), default=0)
    say(f"  {'path':{width}}  {'recorded':>10}  {'counted':>10}  {'':>7}")
    for name in [*counted, *(n for n in recorded if n not in counted and not partial)]:
        was, now = recorded.get(name, {}).get("instructions"), counted.get(name)
        if was is None:
            fault, shown = "NOT IN THE FILE: --update", f"{'-':>10}  {now:10.1f}  {'':>7}"
        elif now is None:
            fault, shown = "IN THE FILE, BUT NO PATH OF hot: --update", f"{was:10.1f}  {'-':>10}  {'':>7}"
        else:
            fault = verdict(was, now, tolerance)
            shown = f"{was:10.1f}  {now:10.1f}  {round(now / was - 1, 3) + 0.0:+7.1%}"
        wrong += fault is not None
        say(f"  {name:{width}}  {shown}  {fault or ''}".rstrip())
    return wrong


def write(file, kept, counted, described):
    """Writes the file; paths that were not counted stay as they are."""
    lines = [HEAD]
    lines += [
        "# Counts may differ by this share, or by one instruction, with the compiler and libc below.",
        f"tolerance = {kept['tolerance']}",
        "# With another compiler or libc.",
        f"tolerance_elsewhere = {kept['tolerance_elsewhere']}",
        "",
        "[environment]",
    ]
    lines += [f'{key} = "{value}"' for key, value in environment().items()]
    for name, what in described.items():
        value = counted.get(name, kept["paths"].get(name, {}).get("instructions"))
        if value is not None:
            lines += ["", f"[paths.{name}]", f'what = "{what}"', f"instructions = {value:.1f}"]
    file.write_text("\n".join(lines) + "\n")


def check(options):
    if not shutil.which("valgrind"):
        say("\n!!! SKIPPED: valgrind is not installed, so no instructions are counted\n")
        return SKIPPED
    fresh = {"tolerance": 0.03, "tolerance_elsewhere": 0.25, "environment": {}, "paths": {}}
    kept = tomllib.loads(options.file.read_text()) if options.file.exists() else fresh
    here = environment()
    if not options.update and here["machine"] != kept["environment"].get("machine"):
        say(f"\n!!! SKIPPED: the counts of the file are of {kept['environment'].get('machine')}, "
            f"this is {here['machine']}\n")
        return SKIPPED
    hot = options.hot or build()
    described = paths(hot)
    chosen = [name for name in described if options.only in name]
    if not chosen:
        say(f"no path has {options.only!r} in its name; there are {', '.join(described)}")
        return 2
    # Side by side: what else runs on the machine changes no count.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = dict(zip(chosen, pool.map(lambda name: count(hot, name), chosen)))
    if options.update:
        compare(kept, counted, kept["tolerance"], partial=bool(options.only))
        write(options.file, kept, counted, described)
        say(f"written to {options.file}")
        return 0
    tolerance, warning = tolerance_of(kept, here)
    wrong = compare(kept, counted, tolerance, partial=bool(options.only))
    if warning:
        say(warning)
    say(f"{len(counted)} paths, {wrong} not as {options.file.name} says (tolerance {tolerance:.0%})")
    return 1 if wrong else 0


def selftest():
    """What the check refuses and what it lets pass."""
    for recorded, counted, tolerance, fault in [
        (100, 100, 0.03, None),
        (100, 102.9, 0.03, None),
        (100, 103.1, 0.03, "SLOWER"),
        (100, 97.1, 0.03, None),
        (100, 96.9, 0.03, "FASTER"),
        (100, 124, 0.25, None),
        (100, 126, 0.25, "SLOWER"),
        # A share of next to nothing is nothing.
        (10, 10.9, 0.03, None),
        (10, 11.1, 0.03, "SLOWER"),
        (10, 8.9, 0.03, "FASTER"),
    ]:
        found = verdict(recorded, counted, tolerance)
        assert (found or "").split(":")[0] == (fault or ""), (recorded, counted, tolerance, found)
    here = {"machine": "m", "rustc": "1", "libc": "1"}
    kept = {"tolerance": 0.03, "tolerance_elsewhere": 0.25, "environment": here,
            "paths": {"a": {"instructions": 100.0}, "b": {"instructions": 50.0}}}
    assert tolerance_of(kept, here) == (0.03, None)
    for key in ("rustc", "libc"):
        wide, warning = tolerance_of(kept, here | {key: "2"})
        assert wide == 0.25 and "!!!" in warning, key
    assert compare(kept, {"a": 100.0, "b": 50.0}, 0.03) == 0
    assert compare(kept, {"a": 110.0, "b": 40.0}, 0.03) == 2
    assert compare(kept, {"a": 100.0}, 0.03) == 1, "a path was taken out"
    assert compare(kept, {"a": 100.0}, 0.03, partial=True) == 0
    assert compare(kept, {"a": 100.0, "b": 50.0, "c": 1.0}, 0.03) == 1, "a path is new"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "counts.toml"
        write(file, kept, {"a": 7.25}, {"a": "one", "b": "two"})
        read = tomllib.loads(file.read_text())
        assert read["environment"] == environment()
        assert read["paths"]["a"] == {"what": "one", "instructions": 7.2}
        assert read["paths"]["b"]["instructions"] == 50.0, "not counted: as it was"
        assert (read["tolerance"], read["tolerance_elsewhere"]) == (0.03, 0.25)
    say("the comparison fails where it must")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="?", choices=["check", "selftest"], default="check")
    parser.add_argument("--update", action="store_true", help="write what was counted")
    parser.add_argument("--only", default="", metavar="NAME", help="paths with NAME in their names")
    parser.add_argument("--file", type=Path, default=FILE, help="compare with this one")
    parser.add_argument("--hot", type=Path, help="count this binary; build nothing")
    options = parser.parse_args()
    return selftest() if options.command == "selftest" else check(options)


if __name__ == "__main__":
    sys.exit(main())
