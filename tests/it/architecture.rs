//! The tree against its own rules: lower layers never see upper ones, the core sees no
//! operating system, files and functions stay short, `unsafe` stays where it is listed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file and what it says.
struct Source {
    /// Relative to the workspace, with forward slashes.
    path: String,
    text: String,
}

/// Files that may be longer than [`FILE_LINES_MAX`]. This list only shrinks.
const LONG_FILES: &[&str] = &[];
/// Functions, as `path::name`, that may be longer than [`FN_LINES_MAX`]. This list only shrinks.
const LONG_FUNCTIONS: &[&str] = &[
    // A report, line by line.
    "benches/src/bin/compare/measure.rs::print",
    // Tables of bad heads, one line each.
    "engine/src/handshake/tests/client.rs::answers_that_are_refused",
    "engine/src/handshake/tests/server.rs::header_lines_that_are_refused",
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

/// What each layer must not name. A name ends where an identifier ends.
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
            "super::super",
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
            "super::super",
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
            "crate::conn::Closing",
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

/// Files that may: the one that curates what is public, drivers included, and the parsing of
/// URLs for the drivers, behind the feature `std`.
const OUTSIDE_THE_CORE: &[&str] = &["engine/src/lib.rs"];

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

/// The text without comments, strings, and what is only compiled for tests; lines stay lines.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|&c| c != '\n').is_some() {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in chars.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            '"' => {
                let hashes = out.len() - out.trim_end_matches('#').len();
                let raw = out.trim_end_matches('#').ends_with('r');
                string(&mut chars, &mut out, raw.then_some(hashes));
            }
            '\'' => character(&mut chars),
            c => out.push(c),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn string(chars: &mut Chars<'_>, out: &mut String, raw: Option<usize>) {
    while let Some(c) = chars.next() {
        match (c, raw) {
            ('\n', _) => out.push('\n'),
            ('\\', None) => out.extend(chars.next().filter(|&c| c == '\n')),
            ('"', None) => return,
            ('"', Some(hashes)) => {
                let closing = chars.clone().take(hashes).filter(|&c| c == '#').count();
                if closing == hashes {
                    let _ = chars.by_ref().take(hashes).count();
                    return;
                }
            }
            _ => {}
        }
    }
}

/// A character literal; a lifetime is left alone.
fn character(chars: &mut Chars<'_>) {
    let mut ahead = chars.clone();
    let first = ahead.next();
    if first == Some('\\') {
        chars.next();
        chars.next();
        while chars.next_if(|&c| c != '\'').is_some() {}
        chars.next();
    } else if ahead.next() == Some('\'') {
        chars.next();
        chars.next();
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Lines, from 1, on which `name` stands as a whole word.
fn lines_that_name(code: &str, name: &str) -> Vec<usize> {
    let names = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + name.len()..].chars().next();
            let ends = !name.ends_with(is_word) || !after.is_some_and(is_word);
            !before.is_some_and(is_word) && ends
        })
    };
    let numbered = code.lines().enumerate();
    numbered
        .filter(|(_, l)| names(l))
        .map(|(i, _)| i + 1)
        .collect()
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("tests/")
}

/// Everything that a file must not do, in words.
fn offences(source: &Source) -> Vec<String> {
    let Source { path, text } = source;
    let code = code(text);
    let mut found = Vec::new();
    let mut forbid = |name: &str, why: &str| {
        for line in lines_that_name(&code, name) {
            found.push(format!("{path}:{line}: {why} names `{name}`"));
        }
    };
    if !is_test(path) {
        for (layer, names) in LAYERS.iter().filter(|(layer, _)| path.starts_with(layer)) {
            names.iter().for_each(|name| forbid(name, layer));
        }
        let core = path.starts_with("engine/src/") && !path.starts_with("engine/src/driver/");
        if core && !OUTSIDE_THE_CORE.contains(&path.as_str()) {
            NOT_IN_THE_CORE
                .iter()
                .for_each(|name| forbid(name, "the core"));
        }
        if core {
            forbid(
                "crate::{",
                "a list of imports, where this check cannot see it,",
            );
        }
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

/// Name, first line and number of lines of every function with a body.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    // Functions that are open: name, line, depth outside of the body, body begun.
    let mut open: Vec<(String, usize, usize, bool)> = Vec::new();
    let mut depth = 0;
    for (i, line) in code.lines().enumerate() {
        if let Some(name) = fn_name(line) {
            open.push((name, i + 1, depth, false));
        }
        for c in line.chars() {
            match c {
                '{' => {
                    depth += 1;
                    if let Some(f) = open.last_mut() {
                        f.3 = true;
                    }
                }
                '}' => {
                    depth = depth.saturating_sub(1);
                    if let Some((name, at, ..)) =
                        open.pop_if(|(_, _, outside, begun)| *begun && *outside == depth)
                    {
                        found.push((name, at, i + 2 - at));
                    }
                }
                // Declared without a body.
                ';' => drop(open.pop_if(|(_, _, outside, begun)| !*begun && *outside == depth)),
                _ => {}
            }
        }
    }
    found
}

fn fn_name(line: &str) -> Option<String> {
    let before = line.match_indices("fn ").find(|(at, _)| {
        let before = line[..*at].chars().next_back();
        !before.is_some_and(|c| is_word(c) || c == '(' || c == '&' || c == '<')
    })?;
    let name: String = line[before.0 + 3..]
        .chars()
        .take_while(|&c| is_word(c))
        .collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn the_tree_keeps_its_rules() {
    let found: Vec<String> = sources().iter().flat_map(offences).collect();
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

fn offends(path: &str, text: &str) -> usize {
    let (path, text) = (path.to_owned(), text.to_owned());
    offences(&Source { path, text }).len()
}

#[test]
fn the_checker_finds_what_it_must() {
    let bad = [
        ("engine/src/buf/recv.rs", "use crate::frame::header;"),
        ("engine/src/buf/recv.rs", "use super::super::conn;"),
        ("engine/src/frame/mask.rs", "fn f(now: Timestamp) {}"),
        ("engine/src/frame/mask.rs", "use crate::{conn, time};"),
        (
            "engine/src/handshake/head.rs",
            "let b: crate::buf::BufPool;",
        ),
        ("engine/src/conn/batch.rs", "use crate::session;"),
        ("engine/src/conn/batch.rs", "let t = std::time::now();"),
        ("engine/src/session.rs", "let t = Instant::now();"),
        ("engine/src/driver/pump.rs", "use crate::frame::header;"),
        ("engine/src/time.rs", "use std::time::Duration;"),
        ("codecs/src/lib.rs", "use tickwire::Session;"),
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
    assert_eq!(offends("tests/it/pair.rs", &long(71)), 1);
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
