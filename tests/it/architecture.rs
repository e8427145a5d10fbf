//! The tree against its own rules: lower layers never see upper ones, the core sees no
//! operating system, files and functions stay short, `unsafe` stays where it is listed.

mod paths;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use self::paths::Exports;
use self::text::{code, functions, lines_that_name};

/// A file and what it says.
struct Source {
    /// Relative to the workspace, with forward slashes.
    path: String,
    text: String,
}

/// Files that may be longer than [`FILE_LINES_MAX`]. This list only shrinks.
const LONG_FILES: &[&str] = &[];
/// Functions, as `path::name`, that may be longer than [`FN_LINES_MAX`]: tables and reports, an entry
/// per line. Code is cut instead.
const LONG_FUNCTIONS: &[&str] = &[
    // A report, line by line.
    "benches/src/bin/compare/measure.rs::print",
    // Tables of heads and answers, one line each.
    "engine/src/handshake/tests/client.rs::invalid_responses_are_refused",
    "engine/src/handshake/tests/server.rs::invalid_header_fields_are_refused",
    "tests/it/reactor/refusals.rs::answers",
    // Tables of config fields and of errors, one row each.
    "engine/src/config/tests.rs::each_field_is_checked",
    "engine/src/mux/config/tests.rs::each_field_is_checked",
    "engine/src/driver/error/tests.rs::table",
    // Tables of broken schemas and of changes, one row each.
    "codecs/sbe/src/read/tests.rs::faults_in_types",
    "codecs/sbe/src/read/tests.rs::faults_in_messages",
    "codecs/sbe/src/diff/tests.rs::what_breaks",
    // Every field of a message, one line each.
    "codecs/sbe/tests-gen/tests/it/features.rs::every_field_comes_back",
    "codecs/sbe/tests-gen/tests/it/fixtures.rs::tick",
];
/// Files that may say `unsafe`.
const UNSAFE_FILES: &[&str] = &[];

const FILE_LINES_MAX: usize = 600;
const FN_LINES_MAX: usize = 70;

/// What each layer must not name. `crate::x` is the module `x` and all that is in it, by whatever
/// path it is reached; another name is a word.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "engine/src/buf/",
        &[
            "crate::frame",
            "crate::conn",
            "crate::handshake",
            "crate::mux",
            "crate::session",
            "crate::driver",
            "crate::config",
            "crate::error",
            "crate::role",
            "crate::time",
            "Opcode",
            "Violation",
        ],
    ),
    (
        "engine/src/frame/",
        &[
            "crate::buf",
            "crate::conn",
            "crate::handshake",
            "crate::mux",
            "crate::session",
            "crate::driver",
            "crate::config",
            "crate::time",
            "Timestamp",
        ],
    ),
    (
        "engine/src/handshake/",
        &[
            "crate::buf",
            "crate::frame",
            "crate::conn",
            "crate::mux",
            "crate::session",
            "crate::driver",
            "Timestamp",
        ],
    ),
    (
        "engine/src/conn/",
        &[
            "crate::handshake",
            "crate::mux",
            "crate::session",
            "crate::driver",
        ],
    ),
    (
        "engine/src/mux/",
        &[
            "crate::frame",
            "crate::conn",
            "crate::handshake",
            "crate::session",
            "crate::driver",
            "Opcode",
            "WebSocket",
        ],
    ),
    ("engine/src/session", &["crate::driver", "crate::handshake"]),
    // Conn and mux meet in `session/channel_session`, and nowhere else.
    ("engine/src/session.rs", &["crate::mux"]),
    ("engine/src/session/read.rs", &["crate::mux"]),
    ("engine/src/session/write.rs", &["crate::mux"]),
    (
        "engine/src/driver/",
        &[
            "crate::frame",
            "crate::mux",
            "crate::buf::RecvBuf",
            "crate::buf::SendBuf",
            "crate::conn::Inbox",
            "crate::conn::Keepalive",
            "crate::conn::MaskKeys",
            "crate::conn::CloseCause",
        ],
    ),
    // What a reactor and its application both know is below both.
    ("engine/src/driver/handler", &["crate::driver::reactor"]),
    (
        "engine/src/driver/line",
        &["crate::driver::reactor", "crate::driver::handler"],
    ),
    (
        "engine/src/driver/transport",
        &[
            "crate::driver::reactor",
            "crate::driver::handler",
            "TcpStream",
            "UnixStream",
        ],
    ),
    ("codecs/", &["tickwire::", "extern crate tickwire"]),
];

/// What no layer below the drivers may name: it has no clock, no socket, no thread.
const NOT_IN_THE_CORE: &[&str] = &[
    "std",
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "socket2",
    "tokio",
    "mio",
    "getrandom",
    "rustix",
    "libc",
    "thread",
];

/// The files that may: the one that curates what is public, drivers included.
const OUTSIDE_THE_CORE: &[&str] = &[LIB];

/// The file that curates what is public.
const LIB: &str = "engine/src/lib.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for dir in ["engine", "codecs", "tests", "benches"] {
        walk(&root().join(dir), dir, &mut found);
    }
    assert!(found.len() > 30, "the tree is not where it should be");
    found
}

fn walk(dir: &Path, name: &str, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{name}/{file}");
        if entry.path().is_dir() {
            if file != "target" {
                walk(&entry.path(), &path, found);
            }
        } else if file.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("readable");
            found.push(Source { path, text });
        }
    }
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("tests/")
}

/// The features that bring a driver.
const DRIVER_FEATURES: &[&str] = &["tokio", "mio", "hyper", "fastwebsockets"];

/// Whether the file is one of the engine's below the drivers, and no test.
fn is_core(path: &str) -> bool {
    path.starts_with("engine/src/") && !path.starts_with("engine/src/driver/") && !is_test(path)
}

/// Lines of a file of the core with an item that only one driver has.
fn driver_doors(source: &Source) -> Vec<usize> {
    let names = |line: &str| {
        let features = DRIVER_FEATURES.iter();
        features
            .map(|f| format!("feature = \"{f}\""))
            .any(|f| line.contains(&f))
    };
    let lines = source.text.lines().enumerate();
    lines
        .filter(|(_, l)| names(l))
        .map(|(i, _)| i + 1)
        .collect()
}

/// What a file of the engine names of layers that it must not know.
fn breaches(path: &str, code: &str, exports: &Exports) -> Vec<String> {
    let mut found = Vec::new();
    for (layer, names) in LAYERS.iter().filter(|(layer, _)| path.starts_with(layer)) {
        for name in names.iter() {
            let Some(module) = name.strip_prefix("crate::") else {
                for line in lines_that_name(code, name) {
                    found.push(format!("{path}:{line}: {layer} names `{name}`"));
                }
                continue;
            };
            for (line, reached, written) in paths::named(path, code, exports) {
                let rest = reached.strip_prefix(module);
                if rest.is_some_and(|r| r.is_empty() || r.starts_with("::")) {
                    let to = format!("`{written}`, which is `crate::{reached}`");
                    found.push(format!("{path}:{line}: {layer} names {to}"));
                }
            }
        }
    }
    found
}

/// Everything that a file must not do, in words.
fn offences(source: &Source, exports: &Exports) -> Vec<String> {
    let Source { path, text } = source;
    let code = code(text);
    let mut found = Vec::new();
    if !is_test(path) {
        found.extend(breaches(path, &code, exports));
    }
    if is_core(path) && path != LIB {
        for line in driver_doors(source) {
            found.push(format!("{path}:{line}: an item that only one driver has"));
        }
    }
    let mut forbid = |name: &str, why: &str| {
        for line in lines_that_name(&code, name) {
            found.push(format!("{path}:{line}: {why} names `{name}`"));
        }
    };
    if is_core(path) && !OUTSIDE_THE_CORE.contains(&path.as_str()) {
        NOT_IN_THE_CORE
            .iter()
            .for_each(|name| forbid(name, "the core"));
    }
    if is_core(path) && path != LIB {
        forbid("crate::*", "all of the crate's root");
    }
    if !UNSAFE_FILES.contains(&path.as_str()) {
        forbid("unsafe", "a file that is not listed for it");
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX && !LONG_FILES.contains(&path.as_str()) {
        found.push(format!("{path}: {lines} lines, at most {FILE_LINES_MAX}"));
    }
    for (name, at, lines) in functions(&code) {
        let listed = LONG_FUNCTIONS.contains(&format!("{path}::{name}").as_str());
        if lines > FN_LINES_MAX && !listed {
            found.push(format!(
                "{path}:{at}: fn {name} of {lines} lines, at most {FN_LINES_MAX}"
            ));
        }
    }
    found
}

#[test]
fn the_tree_keeps_its_rules() {
    let sources = sources();
    let exports = exports(&sources);
    let found: Vec<String> = sources.iter().flat_map(|s| offences(s, &exports)).collect();
    assert!(found.is_empty(), "{}\n", found.join("\n"));
}

/// What is listed as an exception and is none any more is taken off the list.
#[test]
fn exceptions_are_still_needed() {
    let sources = sources();
    let mut needed = BTreeSet::new();
    for Source { path, text } in &sources {
        let code = code(text);
        if text.lines().count() > FILE_LINES_MAX {
            needed.insert(path.clone());
        }
        if !lines_that_name(&code, "unsafe").is_empty() {
            needed.insert(path.clone());
        }
        for (name, _, lines) in functions(&code) {
            if lines > FN_LINES_MAX {
                needed.insert(format!("{path}::{name}"));
            }
        }
    }
    for listed in [LONG_FILES, LONG_FUNCTIONS, UNSAFE_FILES].concat() {
        assert!(needed.contains(listed), "{listed} needs no exception");
    }
}

#[test]
fn every_layer_is_there() {
    let sources = sources();
    for (layer, _) in LAYERS {
        let there = sources.iter().any(|s| s.path.starts_with(layer));
        assert!(there, "{layer} is gone, and its rule checks nothing");
    }
}

fn exports(sources: &[Source]) -> Exports {
    let lib = sources.iter().find(|s| s.path == LIB).expect("lib.rs");
    Exports::of(&code(&lib.text))
}

/// Each layer is caught at each module that it must not know: by the module's own path, by every
/// re-export of it at the crate's root, by a relative path, and in a list of imports.
#[test]
fn planted_breaches_are_found() {
    let sources = sources();
    let exports = exports(&sources);
    let mut planted = 0;
    for (layer, names) in LAYERS.iter().filter(|(l, _)| l.starts_with("engine/")) {
        let victim = sources
            .iter()
            .find(|s| s.path.starts_with(layer) && !is_test(&s.path));
        let victim = victim.expect("a file of the layer");
        for module in names.iter().filter_map(|n| n.strip_prefix("crate::")) {
            let roots = exports.public().filter(|public| {
                let path = format!("crate::{public};");
                let reached = paths::named("engine/src/lib.rs", &path, &exports);
                let inside = format!("{module}::");
                reached.iter().any(|(_, to, _)| to.starts_with(&inside))
            });
            let mut lines: Vec<String> = roots.map(|p| format!("use crate::{p};")).collect();
            lines.push(format!("use crate::{module}::x;"));
            lines.push(format!("use crate::{{role, {module}}};"));
            for line in lines {
                let text = format!("{line}\n{}", victim.text);
                let path = victim.path.clone();
                let found = offences(&Source { path, text }, &exports);
                let caught = found
                    .iter()
                    .any(|f| f.starts_with(&format!("{}:1:", victim.path)));
                assert!(caught, "{}: `{line}` is not found: {found:?}", victim.path);
                planted += 1;
            }
        }
    }
    assert!(planted > 200, "only {planted} breaches were planted");
}

fn offends(path: &str, text: &str) -> usize {
    let (path, text) = (path.to_owned(), text.to_owned());
    let exports = Exports::of("pub use conn::Outbox; pub use time::Timestamp;");
    offences(&Source { path, text }, &exports).len()
}

#[test]
fn the_checker_finds_what_it_must() {
    let bad = [
        ("engine/src/buf/recv.rs", "use crate::frame::header;"),
        ("engine/src/buf/recv.rs", "use super::super::conn;"),
        ("engine/src/mux/queue.rs", "use crate::Outbox;"),
        (
            "engine/src/mux/queue.rs",
            "use super::super::Outbox as Out;",
        ),
        ("engine/src/mux/queue.rs", "use crate::*;"),
        ("engine/src/mux/queue.rs", "#[cfg(feature = \"tokio\")]"),
        ("engine/src/frame/mask.rs", "fn f(now: Timestamp) {}"),
        ("engine/src/frame/mask.rs", "use crate::{conn, role};"),
        (
            "engine/src/handshake/head.rs",
            "let b: crate::buf::BufPool;",
        ),
        ("engine/src/conn/batch.rs", "use crate::session;"),
        ("engine/src/conn/batch.rs", "let t = std::time::now();"),
        ("engine/src/session.rs", "let t = Instant::now();"),
        ("engine/src/driver/clock.rs", "use crate::frame::header;"),
        ("engine/src/driver/handler.rs", "use super::reactor::Core;"),
        (
            "engine/src/driver/handler.rs",
            "let c: crate::driver::reactor::Core;",
        ),
        ("engine/src/driver/line.rs", "use super::handler::Cx;"),
        ("engine/src/driver/transport.rs", "use std::net::TcpStream;"),
        ("engine/src/time.rs", "use std::time::Duration;"),
        ("codecs/src/lib.rs", "use tickwire::sans_io::Session;"),
        ("engine/src/frame/mask.rs", "unsafe { x() }"),
        ("tests/it/main.rs", "let x = unsafe { y() };"),
    ];
    for (path, text) in bad {
        assert_eq!(offends(path, text), 1, "{path}: {text}");
    }
    let line = "    let a = 1;\n";
    let long = |lines: usize| format!("fn long(a: &str) -> u8 {{\n{}}}\n", line.repeat(lines - 2));
    assert_eq!(offends("engine/src/conn/batch.rs", &long(70)), 0);
    assert_eq!(offends("engine/src/conn/batch.rs", &long(71)), 1);
    assert_eq!(offends("tests/it/ws/pair.rs", &long(71)), 1);
    let file = "// a\n".repeat(600);
    assert_eq!(offends("engine/src/conn/batch.rs", &file), 0);
    assert_eq!(offends("engine/src/conn/batch.rs", &(file + "// b\n")), 1);
}

#[test]
fn the_checker_leaves_alone_what_is_right() {
    let good = [
        (
            "engine/src/buf/recv.rs",
            "// crate::frame is above us\n/* std::net */ let a = 1;",
        ),
        (
            "engine/src/buf/recv.rs",
            "let a = \"crate::frame\"; let b = r#\"std::\"unsafe\"#;",
        ),
        (
            "engine/src/frame/mask.rs",
            "#![deny(unsafe_code)] let unsafety = 1;",
        ),
        (
            "engine/src/conn/batch.rs",
            "use crate::frame::header; use core::time::Duration;",
        ),
        (
            "engine/src/session.rs",
            "use crate::conn::Batch; let stdout = 1;",
        ),
        ("engine/src/conn/tests.rs", "use std::time::Instant;"),
        ("engine/src/driver/clock.rs", "use std::time::Instant;"),
        ("codecs/src/lib.rs", "use tickwire_codecs::Codec;"),
    ];
    for (path, text) in good {
        assert_eq!(offends(path, text), 0, "{path}: {text}");
    }
}

#[test]
fn functions_are_measured() {
    let text = "trait T {\n    fn declared(&self);\n    fn given(&self) {\n        let c = '{';\n        \
                let s = \"}\";\n    }\n}\nfn outer<'a>(f: fn(u8)) {\n    fn inner() {\n    }\n}\n";
    let found = functions(&code(text));
    let expected = [("given", 3, 4), ("inner", 9, 2), ("outer", 8, 4)];
    let expected: Vec<_> = expected
        .iter()
        .map(|(n, a, l)| (n.to_string(), *a, *l))
        .collect();
    assert_eq!(found, expected);
}
