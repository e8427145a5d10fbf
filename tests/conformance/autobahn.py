#!/usr/bin/env python3
"""Runs the Autobahn TestSuite against a server or a client of ours. See README.md.

Exit codes: 0 passed, 1 failed, 2 wrong call, 77 skipped because the suite cannot be had here.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # the source tree stays as it was checked out

import tools  # noqa: E402
import verdict  # noqa: E402

SUITE = "autobahntestsuite 25.10.1"
LIST_CASES = (
    "import json; from autobahntestsuite.case import Cases; "
    "print(json.dumps([c.__name__[4:].replace('_', '.') for c in Cases]))"
)

# Limit of one group's process: some five times what it takes on two busy cores. Cases of 12 and
# 13 spend up to ten seconds each in the suite's own zlib.
GROUP_SECONDS = 60
CASE_SECONDS = {"9": 10, "12": 40, "13": 40}
CASE_SECONDS_USUAL = 4
# The client's last request makes the suite write its reports; they are there moments later.
REPORT_SECONDS = 20
PORT_TRIES = 3  # another process may take the port between our look and the suite's bind


def python27():
    """A CPython 2.7 that runs; Skip where there is none."""
    roots = [os.environ.get("PYENV_ROOT")]
    if shutil.which("pyenv"):
        found = subprocess.run(["pyenv", "root"], capture_output=True, text=True, timeout=30)
        roots.append(found.stdout.strip())
    candidates = [path for root in roots if root
                  for path in sorted(Path(root).glob("versions/2.7*/bin/python2.7"))]
    if shutil.which("python2.7"):
        candidates.append(Path(shutil.which("python2.7")))
    probe = "import sys, ssl, zlib; print('%d.%d.%d' % sys.version_info[:3])"
    for path in candidates:
        ran = subprocess.run([path, "-c", probe], capture_output=True, text=True, timeout=30)
        if ran.returncode == 0 and ran.stdout.startswith("2.7."):
            return path, ran.stdout.strip()
    raise tools.Skip("no CPython 2.7 with ssl and zlib (tried PYENV_ROOT, `pyenv root`, PATH)")


def install():
    """The folder of an environment with the suite, made on the first call."""
    python, version = python27()
    pins = tools.HERE / "requirements-autobahn-py27.txt"
    outer_pins = tools.HERE / "requirements-virtualenv.txt"

    def build(folder, log):
        outer, inner = folder / "virtualenv", folder / "suite"
        pip = ["-m", "pip", "install", "--quiet", "--no-deps", "-r"]
        tools.install_step([sys.executable, "-m", "venv", outer], log)
        tools.install_step([outer / "bin/python", *pip, outer_pins], log)
        tools.install_step([outer / "bin/virtualenv", "--quiet", "-p", python, inner], log)
        tools.install_step([inner / "bin/python", *pip, pins], log)

    texts = [version, str(python), str(tools.ROOT), outer_pins.read_text(), pins.read_text()]
    return tools.install_once("autobahn", texts, build) / "suite" / "bin"


def suite_cases(bin_dir):
    """Every case, as the installed suite itself lists them."""
    # Python puts the current folder first: from here it would import this file as `autobahn`.
    ran = subprocess.run([bin_dir / "python", "-c", LIST_CASES], capture_output=True, text=True,
                         timeout=60, cwd=bin_dir)
    if ran.returncode != 0:
        raise tools.Failed(f"the suite cannot list its cases: {ran.stderr.strip()[-500:]}")
    return json.loads(ran.stdout)


def time_limit(cases):
    each = CASE_SECONDS.get(cases[0].split(".")[0], CASE_SECONDS_USUAL)
    return GROUP_SECONDS + each * len(cases)


class Run:
    """One run of the suite: where it writes, and what it found."""

    def __init__(self, args, mode, bin_dir):
        self.bin_dir = bin_dir
        self.agent = args.name
        self.command = args.command
        self.folder = tools.WORK / "reports" / f"{mode}-{args.name}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.problems = []

    def write_spec(self, group, cases, more):
        folder = self.folder / group
        folder.mkdir()
        spec = {"outdir": str(folder), "cases": cases, "exclude-cases": [],
                "exclude-agent-cases": {}, **more}
        path = folder / "spec.json"
        path.write_text(json.dumps(spec))
        return folder, path

    def read_index(self, group):
        """The suite's results, or None and a problem noted."""
        try:
            return json.loads((self.folder / group / "index.json").read_text())
        except (OSError, ValueError) as error:
            self.problems.append(f"group {group}: no results: {error}")
            return None

    def server_group(self, addr, group, cases):
        """One fuzzing client over one group's cases, against a server that already runs."""
        servers = [{"agent": self.agent, "url": f"ws://{addr}"}]
        folder, spec = self.write_spec(group, cases, {"servers": servers})
        command = [str(self.bin_dir / "wstest"), "-m", "fuzzingclient", "-s", str(spec)]
        limit = time_limit(cases)
        code = tools.run_limited(command, folder / "suite.log", limit, folder)
        if code is None:
            self.problems.append(f"group {group}: not done after {limit} s")
        elif code != 0:
            self.problems.append(f"group {group}: the suite exited with {code}:\n"
                                 f"{tools.tail(folder / 'suite.log')}")
        return self.read_index(group)

    def start_fuzzing_server(self, group, cases):
        for attempt in range(PORT_TRIES):
            port = tools.free_port()
            url = f"ws://127.0.0.1:{port}"
            shutil.rmtree(self.folder / group, ignore_errors=True)
            folder, spec = self.write_spec(group, cases, {"url": url})
            command = [str(self.bin_dir / "wstest"), "-m", "fuzzingserver", "-s", str(spec),
                       "-u", "0"]
            child = tools.start(command, folder / "suite.log", folder)
            try:
                tools.await_port(port, child, folder / "suite.log")
                return folder, url, child
            except tools.Failed:
                tools.kill(child)
                if attempt + 1 == PORT_TRIES:
                    raise
        raise AssertionError("unreachable")

    def client_group(self, group, cases):
        """One fuzzing server with one group's cases, and our client sent to it."""
        folder, url, suite = self.start_fuzzing_server(group, cases)
        filled = [word.replace("{url}", url).replace("{agent}", self.agent)
                  for word in self.command]
        log = folder / "client.log"
        limit = time_limit(cases)
        try:
            code = tools.run_limited(filled, log, limit)
            if code is None:
                self.problems.append(f"group {group}: client not done after {limit} s")
            elif code != 0:
                self.problems.append(f"group {group}: client exited with {code}:\n"
                                     f"{tools.tail(log)}")
            else:
                self.await_index(folder)
        finally:
            tools.kill(suite)
        return self.read_index(group)

    @staticmethod
    def await_index(folder):
        """Waits until index.json reads as JSON; whoever reads it next tells if it never does."""
        deadline = time.monotonic() + REPORT_SECONDS
        while time.monotonic() < deadline:
            try:
                json.loads((folder / "index.json").read_text())
                return
            except (OSError, ValueError):
                time.sleep(tools.POLL_SECONDS)

    def all_groups(self, one_group, split, jobs):
        """[(group, index)] of the groups that have one, the longest started first."""
        order = sorted(split, key=lambda group: -time_limit(split[group]))
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = {group: pool.submit(one_group, group, split[group]) for group in order}
            results = [(group, futures[group].result()) for group in split]
        return [(group, index) for group, index in results if index is not None]


def conclude(run, args, cases, left_out, indexes, began):
    """Prints the verdict, writes the summary, and gives the exit code."""
    merged, merge_problems = verdict.merge(indexes, run.agent)
    found = verdict.judge(cases, merged, run.problems + merge_problems)
    for exclusion in left_out:
        print(f"EXCLUDED: {exclusion['pattern']} ({exclusion['cases']} cases): "
              f"{exclusion['reason']}")
    print(verdict.render(found))
    seconds = round(time.monotonic() - began, 1)
    summary = {"suite": SUITE, "mode": args.mode, "name": args.name, "command": args.command,
               "seconds": seconds, "excluded": left_out, **found}
    path = Path(args.summary) if args.summary else run.folder / "summary.json"
    path.write_text(json.dumps(summary, indent=1) + "\n")
    word = "PASS" if found["passed"] else "FAIL"
    ran = len(cases) - found["totals"]["behavior"].get(verdict.MISSING, 0)
    print(f"{word}: autobahn {args.mode} {args.name}: {ran} of {len(cases)} cases ran in "
          f"{seconds} s; summary in {path}")
    return tools.EXIT_PASS if found["passed"] else tools.EXIT_FAIL


def conduct(args):
    bin_dir = install()
    try:
        cases, left_out = verdict.select(suite_cases(bin_dir), args.cases, args.excluded)
    except verdict.BadInput as error:
        print(f"autobahn.py: {error}", file=sys.stderr)
        return tools.EXIT_USAGE
    split = verdict.groups(cases)
    run = Run(args, args.mode, bin_dir)
    began = time.monotonic()
    if args.mode == "client":
        indexes = run.all_groups(run.client_group, split, args.jobs)
        return conclude(run, args, cases, left_out, indexes, began)
    server = tools.Server(args.command, run.folder / "server.log")
    try:
        def one_group(group, its_cases):
            return run.server_group(server.addr, group, its_cases)
        indexes = run.all_groups(one_group, split, args.jobs)
    finally:
        problem = server.stop()
    if problem:
        run.problems.append(problem)
    return conclude(run, args, cases, left_out, indexes, began)


def exclusion(text):
    pattern, _, reason = text.partition("=")
    if not pattern or not reason.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not PATTERN=REASON")
    return pattern, reason.strip()


def name(text):
    if not text or not all(c.isalnum() or c in "-_." for c in text) or text.startswith("."):
        raise argparse.ArgumentTypeError("letters, digits, - _ . only")
    return text


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("install", help="only install the suite")
    modes.add_parser("selftest", help="prove that the verdict can fail; needs nothing installed")
    for mode, what in (("server", "COMMAND prints `listening ADDR` and echoes"),
                       ("client", "COMMAND runs all cases; {url} and {agent} are filled in")):
        sub = modes.add_parser(mode, help=what)
        sub.add_argument("--name", type=name, required=True, help="the agent in the reports")
        sub.add_argument("--cases", nargs="+", default=[], metavar="PATTERN")
        sub.add_argument("--excluded", nargs="+", default=[], type=exclusion,
                         metavar="PATTERN=REASON")
        sub.add_argument("--jobs", type=int, default=2, help="groups at a time (default 2)")
        sub.add_argument("--summary", help="where the JSON goes (default: beside the reports)")
    ours, command = argv, []
    if "--" in argv:
        ours, command = argv[:argv.index("--")], argv[argv.index("--") + 1:]
    args = parser.parse_args(ours)
    if args.mode in ("server", "client"):
        if not command:
            parser.error("the command to test goes behind `--`")
        if args.mode == "client" and not any("{url}" in word for word in command):
            parser.error("the client's command needs {url}, and {agent} where it takes a name")
        if not 1 <= args.jobs <= 16:
            parser.error("--jobs takes 1 to 16")
        args.command = command
    return args


def main():
    args = parse(sys.argv[1:])
    if args.mode == "selftest":
        import selftest
        return selftest.run()
    if args.mode == "install":
        print(install())
        return tools.EXIT_PASS
    return conduct(args)


if __name__ == "__main__":
    tools.run_main("autobahn", main)
