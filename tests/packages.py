#!/usr/bin/env python3
"""The published packages: what is in them, what their manifests say, and that they build.

    tests/packages.py            check all of it
    tests/packages.py selftest   the checks find what they are there to find

Packs with `cargo package`, uncommitted changes included, and builds each package from what was
packed and nothing else: the libraries with all features, and the examples of `tickwire`.
"""

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()

PUBLISHED = ["tickwire", "tickwire-codecs", "tickwire-codecs-derive", "tickwire-sbe"]
# In every package.
LICENCES = ["LICENSE-APACHE", "LICENSE-MIT"]
REQUIRED = [*LICENCES, "README.md", "Cargo.toml", "Cargo.lock", "src/lib.rs"]
# Anything else is a stray file. `*` also matches `/`.
ALLOWED = [*REQUIRED, "Cargo.toml.orig", ".cargo_vcs_info.json", "ARCHITECTURE.md", "src/*.rs", "examples/*.rs"]
# What docs.rs is told.
DOCS = {"all-features": True, "rustdoc-args": ["--cfg", "docsrs"]}
# Bytes of a package, packed. crates.io takes 10 MiB; twice what the largest has now.
PACKED_BYTES_MAX = 1 << 20


def faults_of_manifest(package):
    """What crates.io and docs.rs show of a package, and lack."""
    name = package["name"]
    for field in ["description", "license", "repository", "readme", "rust_version"]:
        if not package.get(field):
            yield f"{name}: no `{field}`"
    if package.get("documentation") != f"https://docs.rs/{name}":
        yield f"{name}: `documentation` is {package.get('documentation')}"
    for field, least in [("keywords", 3), ("categories", 1)]:
        if not least <= len(package.get(field, [])) <= 5:
            yield f"{name}: {len(package.get(field, []))} {field}; {least} to 5 are shown"
    if (package.get("metadata") or {}).get("docs", {}).get("rs") != DOCS:
        yield f"{name}: `package.metadata.docs.rs` is not {DOCS}"


def faults_of_files(name, files, licences):
    """What is wrong with the files of a package: a dict of bytes by path. `licences`: as REQUIRED."""
    for path in REQUIRED:
        if not files.get(path):
            yield f"{name}: no {path}, or an empty one"
    for path in LICENCES:
        if path in files and files[path] != licences[path]:
            yield f"{name}: {path} is not the one of the repository"
    for path in sorted(files):
        if not any(fnmatch.fnmatchcase(path, allowed) for allowed in ALLOWED):
            yield f"{name}: {path} is a stray file"


def unpacked(archive):
    """The files of a package, by path below its folder."""
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if not member.isdir()]
        odd = [member.name for member in members if not member.isfile()]
        assert not odd, f"no plain files: {odd}"
        return {member.name.split("/", 1)[1]: tar.extractfile(member).read() for member in members}


def cargo(*arguments, cwd=ROOT):
    print("+ cargo", *arguments, flush=True)
    return subprocess.run(["cargo", *arguments], cwd=cwd, check=True)


def build_examples(archive, folder):
    """Compiles the examples of a package out of its files alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (package,) = folder.iterdir()
    # Inside of this repository, and no member of its workspace.
    with open(package / "Cargo.toml", "a") as manifest:
        manifest.write("\n[workspace]\n")
    cargo("check", "--quiet", "--examples", "--all-features", "--target-dir", str(TARGET), cwd=package)


def check():
    metadata = json.loads(
        subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT)
    )
    packages = {p["name"]: p for p in metadata["packages"] if p["publish"] != []}
    faults = []
    if sorted(packages) != PUBLISHED:
        faults.append(f"published are {sorted(packages)}; a package that is not for users has `publish = false`")
    each = [argument for name in PUBLISHED for argument in ("--package", name)]
    # Builds every library from its package, with its dependencies out of their packages.
    cargo("package", "--quiet", "--allow-dirty", "--all-features", *each)
    licences = {path: (ROOT / path).read_bytes() for path in LICENCES}
    for name in PUBLISHED:
        package = packages[name]
        archive = TARGET / "package" / f"{name}-{package['version']}.crate"
        files = unpacked(archive)
        faults += faults_of_manifest(package)
        faults += faults_of_files(name, files, licences)
        size = archive.stat().st_size
        if size > PACKED_BYTES_MAX:
            faults.append(f"{name}: {size} bytes packed, more than {PACKED_BYTES_MAX}")
        print(f"{name}: {len(files)} files, {size // 1024} KiB packed")
    build_examples(TARGET / "package" / f"tickwire-{packages['tickwire']['version']}.crate", TARGET / "packaged")
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


def selftest():
    licences = {path: path.encode() for path in LICENCES}
    good = {path: b"text" for path in ALLOWED if "*" not in path} | licences
    good |= {"src/a/b.rs": b"", "examples/echo/main.rs": b""}
    assert list(faults_of_files("p", good, licences)) == []
    for path in REQUIRED:
        for bad in (good | {path: b""}, {p: text for p, text in good.items() if p != path}):
            assert list(faults_of_files("p", bad, licences))[0] == f"p: no {path}, or an empty one"
    # A link that was packed as the text of its target.
    linked = good | {"LICENSE-MIT": b"../LICENSE-MIT"}
    assert list(faults_of_files("p", linked, licences)) == ["p: LICENSE-MIT is not the one of the repository"]
    for stray in ["src/__pycache__/a.cpython-311.pyc", "capture.pcap", "src/tape.gz", "tests/it/main.rs", ".env"]:
        assert list(faults_of_files("p", good | {stray: b"x"}, licences)) == [f"p: {stray} is a stray file"], stray
    manifest = {
        "name": "p", "description": "d", "license": "l", "repository": "r", "readme": "README.md",
        "rust_version": "1", "documentation": "https://docs.rs/p", "keywords": ["a", "b", "c"],
        "categories": ["encoding"], "metadata": {"docs": {"rs": DOCS}},
    }
    assert list(faults_of_manifest(manifest)) == []
    for field in manifest.keys() - {"name"}:
        bad = {key: value for key, value in manifest.items() if key != field}
        assert len(list(faults_of_manifest(bad))) == 1, field
    print("the checks find what they are there to find")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", nargs="?", choices=["check", "selftest"], default="check")
    return selftest() if parser.parse_args().command == "selftest" else check()


if __name__ == "__main__":
    sys.exit(main())
