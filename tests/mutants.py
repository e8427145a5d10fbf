#!/usr/bin/env python3
"""Mutation testing at the price of one build: every mutant is compiled in, one is chosen at a time.

    tests/mutants.py                    mutants of `frame`, `conn` and `mux`, to the end
    tests/mutants.py --file GLOB        of other files of the engine; may be given again
    tests/mutants.py --only TEXT        only mutants whose names contain TEXT
    tests/mutants.py --jobs 2           as many at a time

`cargo mutants` lists the mutants, and .cargo/mutants.toml says which it does not make. Each is written
into a copy of the tree beside what it replaces,

    if crate::mutant(17) { a <= b } else { a < b }

those that do not compile are taken out again, and the tests are built once. Then each mutant is
run with the quick tests first, until one fails: a test that fails has to fail a second time, alone.
Tests are the engine's unit tests and tests/it, every feature on; those that read the source tree are
left out. What is found is kept in target/mutants/found.jsonl. The next run makes only those that were
not made yet, those that survived, for there may be new tests, and those of files that were changed
since; remove the file to begin anew.

tests/mutants.toml says of which survivors nothing can be seen, and why; they count as explained, and
do not meet the slow tests.

Needs cargo-mutants, and `pip install tree-sitter==0.26.1 tree-sitter-rust==0.24.2`.
Exit codes: 0 nothing survived unexplained, 1 something did, 2 wrong call, 77 skipped because a tool is missing.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIR = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "mutants"
TREE = DIR / "tree"
FOUND = DIR / "found.jsonl"
FILES = ["engine/src/frame/*.rs", "engine/src/conn/*.rs", "engine/src/mux/**/*.rs"]
EXPLAINED = ROOT / "tests" / "mutants.toml"
SKIPPED = 77
# Rounds of compiling until no mutant is left that does not compile; a round takes out all it sees.
ROUNDS_MAX = 20
# A mutant meets tests in groups, by seconds that a test of the group takes at most. Those of drivers
# are apart, for they wait for ever for what a mutant does not send.
DRIVERS = ("driver::", "reactor::", "tasks::", "ws::handshakes::")
ANY = float("inf")
GROUPS = [(False, 0.06), (True, 0.06), (False, 0.4), (True, ANY), (False, ANY)]
# Tests of a group may take so many times what they take unchanged, and so much more, in seconds of
# processor time. A mutant that needs more is endless.
SLOWER, SLACK_SECONDS = 5, 5
# Seconds of any kind, as a multiple of that limit.
WAITS = 2
# Seconds of processor time of all tests without a mutant.
BASE_SECONDS = 900
MEMORY_BYTES_MAX = 6 << 30
# Tests that caught the last mutants of a file are tried first on the next one.
LAST_CATCHERS = 6
# Read the tree, which is not the one they know.
LEFT_OUT = ("architecture::",)

SWITCH = """

extern crate std as mutant_std;
#[inline]
pub(crate) fn mutant(number: u32) -> bool {
    static CHOSEN: mutant_std::sync::OnceLock<u32> = mutant_std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| {
        mutant_std::env::var("TICKWIRE_MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(0)
    }) == number
}
"""


def say(text):
    print(text, flush=True)


def listed(files):
    """What cargo mutants would make, numbered from 1: 0 is the tree as it is."""
    globs = [arg for file in files for arg in ("-f", file)]
    done = subprocess.run(
        ["cargo", "mutants", "--list", "--json", "-p", "tickwire", *globs],
        cwd=ROOT, capture_output=True, text=True,
    )
    if done.returncode != 0:
        sys.exit(f"cargo mutants --list: {done.stderr.strip()}")
    mutants = json.loads(done.stdout)
    for number, mutant in enumerate(mutants, 1):
        mutant["number"] = number
    return mutants


class Writer:
    """Writes the mutants of one file beside what they replace."""

    def __init__(self, parser, source, mutants):
        self.source = source
        self.tree = parser.parse(source)
        self.starts = [0]
        for line in source.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        # By node: what to write around it.
        self.binary, self.unary, self.arms, self.values, self.bodies = (
            collections.defaultdict(list) for _ in range(5)
        )
        self.not_made = {m["number"] for m in mutants if not self.place(m)}

    def offset(self, place):
        """Columns count characters, from 1."""
        start = self.starts[place["line"] - 1]
        line = self.source[start:].split(b"\n", 1)[0].decode()
        return start + len(line[: place["column"] - 1].encode())

    def place(self, mutant):
        begin = self.offset(mutant["span"]["start"])
        end = self.offset(mutant["span"]["end"])
        node = self.tree.root_node.descendant_for_byte_range(begin, end)
        entry = (mutant["number"], mutant["replacement"])

        def up(wanted):
            found = node
            while found is not None and not wanted(found):
                found = found.parent
            return found

        match mutant["genre"]:
            case "BinaryOperator":
                found = node if node.child_count else node.parent
                if found.type not in ("binary_expression", "compound_assignment_expr"):
                    return False
                self.binary[found.id].append((*entry, begin, end))
            case "UnaryOperator":
                found = up(lambda n: n.type == "unary_expression")
                if found is None or found.start_byte != begin:
                    return False
                self.unary[found.id].append(entry)
            case "MatchArm":
                found = up(lambda n: n.type == "match_arm")
                condition = found.child_by_field_name("pattern").child_by_field_name("condition")
                if condition is not None and condition.type in ("let_chain", "let_condition"):
                    return False
                self.arms[found.id].append(entry)
            case "MatchArmGuard":
                same = lambda n: n is not None and (n.start_byte, n.end_byte) == (begin, end)
                found = up(same)
                if found is None:
                    return False
                while same(found.parent):
                    found = found.parent
                self.values[found.id].append(entry)
            case "FnValue":
                found = up(lambda n: n.type == "function_item")
                self.bodies[found.child_by_field_name("body").id].append(entry)
            case _:
                return False
        return True

    def written(self, leave):
        """The file with every mutant that is not in `leave`."""
        self.leave = leave
        root = self.tree.root_node
        head, tail = self.text(0, root.start_byte), self.text(root.end_byte, len(self.source))
        return head + self.render(root) + tail

    def text(self, begin, end):
        return self.source[begin:end].decode()

    def made(self, entries):
        return [entry for entry in entries if entry[0] not in self.leave]

    def render(self, node):
        parts, at = [], node.start_byte
        for index, child in enumerate(node.children):
            parts += [self.text(at, child.start_byte), self.render(child)]
            at = child.end_byte
            if index == 0:  # the brace of a body
                for number, value in self.made(self.bodies.get(node.id, [])):
                    parts.append(marked(number, f" if crate::mutant({number}) {{ return {value}; }}"))
        parts.append(self.text(at, node.end_byte))
        text = "".join(parts)

        if node.type == "match_pattern" and node.parent.id in self.arms:
            condition = node.child_by_field_name("condition")
            for number, _ in self.made(self.arms[node.parent.id]):
                if condition is None:
                    text += marked(number, f" if !crate::mutant({number})")
                else:
                    pattern = self.text(node.start_byte, condition.start_byte)
                    guard = marked(number, f"!crate::mutant({number}) && ")
                    text = f"{pattern}{guard}({self.render(condition)})"
        choices = [
            (number, self.text(node.start_byte, begin) + new + self.text(end, node.end_byte))
            for number, new, begin, end in self.made(self.binary.get(node.id, []))
        ]
        if node.id in self.unary:
            operand = node.children[-1]
            choices += [
                (number, self.text(operand.start_byte, operand.end_byte))
                for number, _ in self.made(self.unary[node.id])
            ]
        choices += self.made(self.values.get(node.id, []))
        if choices:
            chosen = "".join(
                marked(number, f"if crate::mutant({number}) {{ {new} }} else ")
                for number, new in choices
            )
            text = f"({chosen}{{ {text} }})"
        return text


def marked(number, text):
    """Comments that say where a mutant stands, for the errors of the compiler."""
    return f"/*<{number}*/{text}/*{number}>*/"


def places(path):
    text = path.read_text()
    found = []
    for begin in re.finditer(r"/\*<(\d+)\*/", text):
        number = int(begin[1])
        found.append((begin.start(), text.index(f"/*{number}>*/", begin.end()), number))
    return text, found


def culprits(message, genres):
    """The mutants that an error of the compiler is about."""
    spans = sorted(message["spans"], key=lambda span: not span["is_primary"])
    spans = [span for span in spans if (TREE / span["file_name"]).is_file()]
    for span in spans:
        text, found = places(TREE / span["file_name"])
        data = text.encode()
        begin = len(data[: span["byte_start"]].decode())
        end = len(data[: span["byte_end"]].decode())
        inside = [(e - b, number) for b, e, number in found if b <= begin and end <= e + 1]
        if inside:
            return {min(inside)[1]}
        # A match that no longer covers all: the next arm with a condition is why. A value whose
        # type is not that of the mutant's, where the type is `impl ..`: the body's own value.
        code = (message.get("code") or {}).get("code")
        if code == "E0004":
            near = [(b - begin, n) for b, _, n in found if b > begin and genres[n] == "MatchArm"]
        elif code == "E0308":
            near = [(begin - e, n) for _, e, n in found if e < begin and genres[n] == "FnValue"]
        else:
            continue
        if near:
            return {min(near)[1]}
    return set()


def copy_tree(leave):
    """What git knows, but for the files in `leave`; what is the same stays, so that cargo sees it."""
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )
    for name in tracked.stdout.splitlines():
        source, copy = ROOT / name, TREE / name
        if name in leave or not source.is_file():
            continue
        if not copy.is_file() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)


def write_mutants(mutants):
    """All that compile, into the copy; returns the numbers of the others, with reasons."""
    import tree_sitter
    import tree_sitter_rust

    lib = TREE / "engine/src/lib.rs"
    allow = "#![allow(warnings, arithmetic_overflow, unconditional_panic)]\n"
    lib.write_text(allow + lib.read_text() + SWITCH)

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))
    by_file = collections.defaultdict(list)
    for mutant in mutants:
        by_file[mutant["file"]].append(mutant)
    writers = {
        file: Writer(parser, (ROOT / file).read_bytes(), group) for file, group in by_file.items()
    }
    left = {number: "not made" for writer in writers.values() for number in writer.not_made}
    genres = {mutant["number"]: mutant["genre"] for mutant in mutants}
    for round_ in range(ROUNDS_MAX):
        for file, writer in writers.items():
            (TREE / file).write_text(writer.written(left))
        checked = subprocess.run(
            ["cargo", "check", "-q", "-p", "tickwire", "--lib", "--all-features",
             "--message-format=json"],
            cwd=TREE, env=cargo_env(), capture_output=True, text=True,
        )
        if checked.returncode == 0:
            return left
        new, unplaced = {}, []
        for line in checked.stdout.splitlines():
            message = json.loads(line).get("message")
            if not isinstance(message, dict) or message.get("level") != "error":
                continue
            found = culprits(message, genres)
            # A constant cannot ask what is chosen: the mutant is one, but this cannot make it.
            why = "not made" if "const" in message["message"] else "does not compile"
            new |= {number: why for number in found if number not in left}
            if not found and message["spans"]:
                unplaced.append(message["rendered"])
        say(f"round {round_}: {len(new)} mutants do not compile or cannot be made")
        if not new:
            sys.exit("errors of no mutant:\n" + "\n".join(unplaced[:5]) + checked.stderr[-500:])
        left |= new
    sys.exit(f"mutants that do not compile after {ROUNDS_MAX} rounds")


def cargo_env():
    # An incremental build that was interrupted may leave what does not link.
    return dict(os.environ, CARGO_TARGET_DIR=str(DIR / "target"), CARGO_INCREMENTAL="0")


def built():
    """The two programs of tests."""
    made = subprocess.run(
        ["cargo", "test", "-q", "--no-run", "--message-format=json", "--all-features",
         "-p", "tickwire", "-p", "tickwire-tests", "--lib", "--test", "it"],
        cwd=TREE, env=cargo_env(), capture_output=True, text=True,
    )
    programs = {}
    for line in made.stdout.splitlines():
        artifact = json.loads(line)
        if artifact.get("executable") and artifact["profile"]["test"]:
            programs[artifact["target"]["name"]] = artifact["executable"]
    if made.returncode != 0 or "it" not in programs:
        sys.exit("the tests do not build:\n" + made.stderr[-3000:])
    # The harness has a program of tests too, without tests.
    return {name: path for name, path in programs.items() if name in ("it", "tickwire")}


class Tests:
    def __init__(self, programs):
        data = ROOT.parent / "shared" / "data"
        self.env = dict(
            os.environ,
            # --report-time and --fail-fast of the test harness are for nightly compilers.
            RUSTC_BOOTSTRAP="1",
            RUST_BACKTRACE="0",
            PROPTEST_MAX_SHRINK_ITERS="0",
            TICKWIRE_DATA=os.environ.get("TICKWIRE_DATA", str(data)),
        )
        self.programs = programs
        self.where = {"it": TREE / "tests", "tickwire": TREE / "engine"}
        seconds = {}
        for program in programs:
            args = ["--report-time", *(word for name in LEFT_OUT for word in ("--skip", name))]
            done = self.start(program, args, 0, BASE_SECONDS)
            for name, verdict, took in re.findall(
                r"^test (\S+)(?: - should panic)? \.\.\. (\w+) <([\d.]+)s>", done.stdout, re.M
            ):
                if verdict != "ok":
                    sys.exit(f"{name} fails without a mutant")
                seconds[program, name] = float(took)
            if done.returncode != 0:
                sys.exit(f"tests fail without a mutant:\n{done.stdout[-2000:]}{done.stderr[-500:]}")
        self.groups, placed = [], set()
        for drivers, most in GROUPS:
            chosen = {
                test for test, took in seconds.items()
                if test not in placed and took <= most and test[1].startswith(DRIVERS) == drivers
            }
            placed |= chosen
            by_program = [(p, sorted(name for q, name in chosen if p == q)) for p in programs]
            self.groups.append([
                (program, names, sum(seconds[program, name] for name in names))
                for program, names in by_program if names
            ])
        self.seconds = seconds

    def start(self, program, args, mutant, cpu_seconds):
        limits = [
            (resource.RLIMIT_CPU, int(cpu_seconds), int(cpu_seconds) + 1),
            (resource.RLIMIT_AS, MEMORY_BYTES_MAX, MEMORY_BYTES_MAX),
            (resource.RLIMIT_CORE, 0, 0),
        ]
        command = [self.programs[program], "-Zunstable-options", "--test-threads=1", *args]
        return subprocess.run(
            ["prlimit", *(f"--{name}" for name in as_options(limits)), *command],
            cwd=self.where[program], capture_output=True, text=True, errors="replace",
            env=dict(self.env, TICKWIRE_MUTANT=str(mutant)), timeout=WAITS * cpu_seconds,
        )

    def fails(self, program, tests, took, mutant):
        """None, or what became of the mutant and by which test."""
        try:
            args = ["--fail-fast", "--exact", *tests]
            done = self.start(program, args, mutant, SLOWER * took + SLACK_SECONDS)
        except subprocess.TimeoutExpired:
            return "endless", ""
        if done.returncode == 0:
            passed = int(re.search(r"(\d+) passed", done.stdout)[1])
            assert passed == len(tests), f"{passed} of {len(tests)} tests ran"
            return None
        if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return "endless", ""
        names = re.findall(r"^test (\S+)(?: - should panic)? \.\.\. FAILED", done.stdout, re.M)
        return "caught", names[0] if names else f"abort {done.returncode}"

    def meet(self, mutant, group, first):
        """What becomes of a mutant in a group; `first` are tests to try before the others."""
        first = [(program, [name], self.seconds[program, name]) for program, name in first]
        for program, tests, took in [*first, *group]:
            found = self.fails(program, tests, took, mutant)
            if found and found[0] == "caught" and (program, found[1]) in self.seconds:
                again = self.fails(program, [found[1]], self.seconds[program, found[1]], mutant)
                if not again:
                    tests = [name for name in tests if name != found[1]]
                    found = self.fails(program, tests, took, mutant) if tests else None
            if found:
                return {"became": found[0], "by": found[1], "program": program}
        return {"became": "survives", "by": "", "program": ""}


def as_options(limits):
    names = {resource.RLIMIT_CPU: "cpu", resource.RLIMIT_AS: "as", resource.RLIMIT_CORE: "core"}
    return [f"{names[kind]}={soft}:{hard}" for kind, soft, hard in limits]


def stamps(mutants):
    """By file, of what its findings hold for: its text, and which mutants are made."""
    digests = {}
    for mutant in mutants:
        file = mutant["file"]
        if file not in digests:
            digests[file] = hashlib.sha256((ROOT / file).read_bytes())
        digests[file].update(mutant["name"].encode() + b"\0")
    return {file: digest.hexdigest() for file, digest in digests.items()}


def explained(survivors):
    """Those of the survivors that EXPLAINED has, as often as it has them; and what of it is stale."""
    groups = tomllib.loads(EXPLAINED.read_text())["group"]
    left = collections.Counter(name for group in groups for name in group["mutants"])
    names = set()
    for name in survivors:
        placeless = re.sub(r":\d+:\d+:", ":", name.removeprefix("engine/src/"))
        if left[placeless] > 0:
            left[placeless] -= 1
            names.add(name)
    return names, sorted(left.elements())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", action="append", metavar="GLOB")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error("--jobs: at least 1")
    try:
        import tree_sitter
        import tree_sitter_rust
    except ImportError:
        say("SKIPPED: mutants: pip install tree-sitter==0.26.1 tree-sitter-rust==0.24.2")
        return SKIPPED
    if not shutil.which("cargo-mutants"):
        say("SKIPPED: mutants: cargo install cargo-mutants --locked")
        return SKIPPED

    mutants = listed(args.file or FILES)
    if not mutants:
        parser.error(f"no mutants in {args.file}")
    DIR.mkdir(parents=True, exist_ok=True)
    now = stamps(mutants)
    head, *kept = (
        [json.loads(line) for line in FOUND.read_text().splitlines()] if FOUND.exists() else [{}]
    )
    before = head.get("stamps", {})
    if before == now:
        copy_tree({mutant["file"] for mutant in mutants} | {"engine/src/lib.rs"})
    else:
        say(f"{len(mutants)} mutants are written and compiled")
        shutil.rmtree(TREE, ignore_errors=True)
        copy_tree(set())
        head = {"stamps": now, "left": write_mutants(mutants)}
        same = {mutant["name"] for mutant in mutants if before.get(mutant["file"]) == now[mutant["file"]]}
        kept = [entry for entry in kept if entry["name"] in same]
        FOUND.write_text("".join(json.dumps(entry) + "\n" for entry in [head, *kept]))
    found = {entry["name"]: entry for entry in kept if entry["became"] != "survives"}
    left = {int(number): why for number, why in head["left"].items()}
    tests = Tests(built())
    results, lock, catchers = FOUND.open("a"), threading.Lock(), {}

    def run(mutant, group):
        last = catchers.setdefault(mutant["file"], collections.deque(maxlen=LAST_CATCHERS))
        with lock:
            first = list(last)
        entry = {"name": mutant["name"], **tests.meet(mutant["number"], group, first)}
        with lock:
            caught = (entry["program"], entry["by"])
            if caught in tests.seconds:
                if caught in last:
                    last.remove(caught)
                last.appendleft(caught)
            found[entry["name"]] = entry
            results.write(json.dumps(entry) + "\n")
            results.flush()

    wanted = [mutant for mutant in mutants if args.only in mutant["name"]]
    todo = [m for m in wanted if m["number"] not in left and m["name"] not in found]
    names, stale = set(), []
    for (_, at_most), group in zip(GROUPS, tests.groups, strict=True):
        if at_most == ANY and not names:
            names, stale = explained(mutant["name"] for mutant in todo)
            todo = [mutant for mutant in todo if mutant["name"] not in names]
        size = ", ".join(f"{len(names)} of {name} in {took:.1f} s" for name, names, took in group)
        say(f"{len(todo)} mutants meet these tests: {size}")
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for _ in pool.map(lambda mutant: run(mutant, group), todo):
                pass
        todo = [m for m in todo if found[m["name"]]["became"] == "survives"]
    for name in names:
        found[name]["became"] = "explained"
    for mutant in todo:
        say(f"survives: {mutant['name']}")
    if wanted == mutants and not args.file:
        for name in stale:
            say(f"in {EXPLAINED.name}, and does not survive: {name}")

    table = collections.defaultdict(collections.Counter)
    for mutant in wanted:
        became = left.get(mutant["number"]) or found[mutant["name"]]["became"]
        table[mutant["file"]][became] += 1
        if became == "not made":
            say(f"not made: {mutant['name']}")
    kinds = ["caught", "endless", "does not compile", "not made", "explained", "survives"]
    say("\n" + " | ".join(["file", "mutants", *kinds]))
    for file, counts in [*sorted(table.items()), ("all", sum(table.values(), collections.Counter()))]:
        say(" | ".join([file, str(counts.total()), *(str(counts[kind]) for kind in kinds)]))
    return int(any(counts["survives"] for counts in table.values()))


if __name__ == "__main__":
    sys.exit(main())
