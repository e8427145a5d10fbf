#!/usr/bin/env python3
"""Other people's WebSocket clients against an echo server of ours. See README.md.

Exit codes: 0 passed, 1 failed, 2 wrong call, 77 skipped because nothing can be installed here.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree stays as it was checked out

import tools  # noqa: E402

CLIENT_SECONDS = 60  # one client's whole run; the slowest takes one
NODE_WS = "8.23.0"
NODE_MAJOR_MIN = 18
CLIENTS = tools.HERE / "peer_clients"

SIZES = [1, 125, 126, 127, 65535, 65536, 1 << 20]
EVERYONE = {"empty text", "empty binary", "empty text again", "unicode text", "ping 0", "ping 4",
            "ping 125", "burst", "close code",
            *(f"{kind} {size}" for kind in ("text", "binary") for size in SIZES)}
FRAGMENTS = {"fragmented text", "fragmented binary"}
PING_INSIDE = {"ping inside a message", "message around pings"}

# What each client must report: one that stops early, or runs nothing, cannot pass.
REQUIRED = {
    "websockets": EVERYONE | FRAGMENTS | {"close reason"},
    "aiohttp": EVERYONE,
    "websocket-client": EVERYONE | FRAGMENTS | PING_INSIDE
    | {"close opcode", "close reason", "end of stream"},
    "node-ws": EVERYONE | FRAGMENTS | PING_INSIDE | {"close reason"},
}
# websocket-client knows no permessage-deflate.
OFFERS = {"websockets": ("none", "offer"), "aiohttp": ("none", "offer"),
          "websocket-client": ("none",), "node-ws": ("none", "offer")}


def python_clients():
    """{client: command} of the Python ones."""
    pins = tools.HERE / "requirements-peers.txt"

    def build(folder, log):
        tools.install_step([sys.executable, "-m", "venv", folder / "venv"], log)
        tools.install_step([folder / "venv/bin/python", "-m", "pip", "install", "--quiet",
                            "--no-deps", "-r", pins], log)

    texts = [sys.version, sys.executable, str(tools.ROOT), pins.read_text()]
    python = tools.install_once("peers-python", texts, build) / "venv/bin/python"
    return {name: [str(python), str(CLIENTS / f"py_{name.replace('-', '_')}.py")]
            for name in ("websockets", "aiohttp", "websocket-client")}


def node_clients():
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise tools.Skip("no node and npm on PATH")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30)
    version = version.stdout.strip()
    if int(version.lstrip("v").split(".")[0] or 0) < NODE_MAJOR_MIN:
        raise tools.Skip(f"node {version} is older than {NODE_MAJOR_MIN}")

    def build(folder, log):
        (folder / "package.json").write_text('{"private": true}\n')
        tools.install_step([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts",
                            "--save-exact", f"ws@{NODE_WS}"], log, folder)

    folder = tools.install_once("peers-node", [NODE_WS], build)
    return {"node-ws": [node, str(CLIENTS / "node_ws.mjs"), str(folder)]}


def install(only):
    """({client: command}, [(client, why it is skipped)])"""
    commands, skipped = {}, []
    for names, make in ((("websockets", "aiohttp", "websocket-client"), python_clients),
                        (("node-ws",), node_clients)):
        if not only.intersection(names):
            continue
        try:
            commands.update(make())
        except tools.Skip as why:
            skipped += [(name, str(why)) for name in names if name in only]
    return {name: command for name, command in commands.items() if name in only}, skipped


def judge(name, code, output, expect_deflate):
    """(what went wrong or None, checks that held, what was negotiated)"""
    held = {line[3:] for line in output.splitlines() if line.startswith("ok ")}
    negotiated = [line.split(" ", 1)[1] for line in output.splitlines()
                  if line.startswith("negotiated ")]
    missing = REQUIRED[name] - held
    if code is None:
        return f"not done after {CLIENT_SECONDS} s", held, negotiated
    if code != 0:
        return f"exited with {code}", held, negotiated
    if missing:
        return f"checks that were not reported: {', '.join(sorted(missing))}", held, negotiated
    if len(negotiated) != 1:
        return "did not tell what it negotiated", held, negotiated
    if expect_deflate is not None and expect_deflate != ("permessage-deflate" in negotiated[0]):
        return f"negotiated {negotiated[0]}", held, negotiated
    return None, held, negotiated


def run_client(name, command, url, offer, expect_deflate):
    log = tools.WORK / "reports" / "peers" / f"{name}-{offer}.log"
    began = time.monotonic()
    code = tools.run_limited([*command, url, offer], log, CLIENT_SECONDS)
    problem, held, negotiated = judge(name, code, log.read_text(errors="replace"), expect_deflate)
    seconds = round(time.monotonic() - began, 1)
    shown = f"{name} (permessage-deflate {offer})"
    if problem:
        print(f"FAIL: {shown}: {problem}\n{tools.tail(log)}")
    else:
        print(f"ok: {shown}: {len(held)} checks in {seconds} s, negotiated {negotiated[0]}")
    return {"client": name, "offer": offer, "checks": sorted(held), "negotiated": negotiated,
            "seconds": seconds, "problem": problem}


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(REQUIRED), default=sorted(REQUIRED))
    parser.add_argument("--deflate", choices=("either", "required", "never"), default="either",
                        help="what an offer of permessage-deflate must lead to")
    parser.add_argument("--summary", default=str(tools.WORK / "reports" / "peers.json"))
    ours, command = argv, []
    if "--" in argv:
        ours, command = argv[:argv.index("--")], argv[argv.index("--") + 1:]
    args = parser.parse_args(ours)
    if not command:
        parser.error("the echo server's command goes behind `--`")
    args.command = command
    return args


def main():
    args = parse(sys.argv[1:])
    commands, skipped = install(set(args.only))
    for name, why in skipped:
        print(f"SKIPPED: {name}: {why}", flush=True)
    if not commands:
        raise tools.Skip("no client can be installed here")
    server = tools.Server(args.command, tools.WORK / "reports" / "peers" / "server.log")
    results = []
    try:
        for name, command in commands.items():
            for offer in OFFERS[name]:
                expected = {"either": None, "required": offer == "offer",
                            "never": False}[args.deflate] if offer == "offer" else False
                results.append(run_client(name, command, f"ws://{server.addr}", offer, expected))
    finally:
        problem = server.stop()
    if problem:
        print(f"FAIL: {problem}")
    passed = bool(results) and not problem and not any(r["problem"] for r in results)
    if skipped and os.environ.get("TICKWIRE_REQUIRE_CONFORMANCE"):
        print("FAIL: TICKWIRE_REQUIRE_CONFORMANCE is set: a skip is a failure")
        passed = False
    summary = {"command": args.command, "passed": passed, "server_problem": problem,
               "results": results, "skipped": dict(skipped)}
    with open(args.summary, "w") as out:
        json.dump(summary, out, indent=1)
    print(f"{'PASS' if passed else 'FAIL'}: peers: {len(results)} runs of {len(commands)} "
          f"clients, {len(skipped)} skipped; summary in {args.summary}")
    return tools.EXIT_PASS if passed else tools.EXIT_FAIL


if __name__ == "__main__":
    tools.run_main("peers", main)
