"""What the conformance scripts share: pinned installs, child processes, loud skips."""

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "conformance"

EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_SKIP = 0, 1, 2, 77

READY_SECONDS = 30  # a debug build on a busy machine prints its address well within it
STOP_SECONDS = 10  # a server has this long from SIGTERM to exit 0
INSTALL_SECONDS = 540  # one install command; a cold one takes a minute
POLL_SECONDS = 0.02


class Skip(Exception):
    """The tool cannot be had here; the text says why."""


class Failed(Exception):
    """What was tested misbehaved; the text says how."""


# Processes that this script started and that still run. Only these are ever killed.
_children = set()


def _kill_children(*_):
    for child in list(_children):
        with contextlib.suppress(OSError):
            child.kill()


def _on_signal(number, _frame):
    _kill_children()
    sys.exit(128 + number)


def run_main(tool, main):
    """Runs main() -> exit code; a Skip exits 77, or 1 where skips are forbidden."""
    atexit.register(_kill_children)
    signal.signal(signal.SIGTERM, _on_signal)
    signal.signal(signal.SIGINT, _on_signal)
    try:
        sys.exit(main())
    except Skip as why:
        print(f"SKIPPED: {tool}: {why}", flush=True)
        if os.environ.get("TICKWIRE_REQUIRE_CONFORMANCE"):
            print("TICKWIRE_REQUIRE_CONFORMANCE is set: a skip is a failure", flush=True)
            sys.exit(EXIT_FAIL)
        sys.exit(EXIT_SKIP)
    except Failed as why:
        print(f"FAIL: {tool}: {why}", flush=True)
        sys.exit(EXIT_FAIL)


def start(command, log, cwd=ROOT):
    """Starts a child whose output goes to the file `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        try:
            child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                     stdin=subprocess.DEVNULL, cwd=cwd)
        except OSError as error:
            raise Failed(f"cannot start {command[0]}: {error}") from error
    _children.add(child)
    return child


def wait(child, seconds):
    """Exit code, or None where the time ran out; the child still runs then."""
    try:
        code = child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    _children.discard(child)
    return code


def kill(child):
    with contextlib.suppress(OSError):
        child.kill()
    child.wait()
    _children.discard(child)


def run_limited(command, log, seconds, cwd=ROOT):
    """Exit code of a command, or None where it was killed after `seconds`."""
    child = start(command, log, cwd)
    code = wait(child, seconds)
    if code is None:
        kill(child)
    return code


def tail(log, lines=5):
    with contextlib.suppress(OSError):
        text = Path(log).read_text(errors="replace").strip().splitlines()
        return "\n".join("    " + line for line in text[-lines:])
    return "    (no output)"


class Server:
    """The server under test: `listening ADDR` on its output, SIGTERM ends it with exit 0."""

    def __init__(self, command, log):
        self.log = log
        self.child = start(command, log)
        try:
            self.addr = self._await_addr()
        except Failed:
            kill(self.child)
            raise

    def _await_addr(self):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            for line in self.log.read_text(errors="replace").splitlines(keepends=True):
                if line.startswith("listening ") and line.endswith("\n"):
                    return line.split()[1]
            if self.child.poll() is not None:
                raise Failed(f"server exited with {self.child.returncode} before it listened:\n"
                             f"{tail(self.log)}")
            if time.monotonic() > deadline:
                raise Failed(f"no line `listening ADDR` within {READY_SECONDS} s:\n"
                             f"{tail(self.log)}")
            time.sleep(POLL_SECONDS)

    def stop(self):
        """None where it was still up and exits 0 in time, else what went wrong."""
        if self.child.poll() is not None:
            _children.discard(self.child)
            return (f"server died during the run with {self.child.returncode}:\n"
                    f"{tail(self.log)}")
        self.child.terminate()
        code = wait(self.child, STOP_SECONDS)
        if code is None:
            kill(self.child)
            return f"server still ran {STOP_SECONDS} s after SIGTERM"
        if code != 0:
            return f"server exited with {code} after SIGTERM, not 0:\n{tail(self.log)}"
        return None


def free_port():
    """A port of loopback that was free a moment ago: for tools that cannot say which they took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port, child, log):
    """Returns once something listens on the port; Failed where the child ends first."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if child.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"nothing listens on port {port}:\n{tail(log)}")
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def locked(path):
    """Runs of this script wait for each other's installs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_once(name, pins, build):
    """The folder WORK/name, made by build(folder, log) unless a stamp says it is up to date.

    `pins` is every text that decides what is installed; its digest is the stamp.
    """
    folder = WORK / name
    digest = hashlib.sha256("\0".join(pins).encode()).hexdigest()
    with locked(WORK / f"{name}.lock"):
        stamp = folder / "installed.sha256"
        if stamp.exists() and stamp.read_text() == digest:
            return folder
        print(f"installing {name} under {folder.relative_to(ROOT)} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        build(folder, WORK / f"{name}.install.log")
        stamp.write_text(digest)
    return folder


def install_step(command, log, cwd=ROOT):
    """One command of an install; a Skip where it fails, with the end of its output."""
    try:
        code = run_limited([str(word) for word in command], log, INSTALL_SECONDS, cwd)
    except Failed as why:
        raise Skip(str(why)) from why
    if code != 0:
        ended = "took too long" if code is None else f"exited with {code}"
        shown = " ".join([Path(command[0]).name, *(str(word) for word in command[1:5])])
        raise Skip(f"install step `{shown} ...` {ended}:\n{tail(log)}")
