//! Paths that a file of the engine names, as absolute paths of the crate, re-exports seen through.
//!
//! `crate::Outbox` is `crate::conn::Outbox`, because `lib.rs` re-exports it from there;
//! `super::super::conn` in `src/mux/wire/frame.rs` is `crate::conn`; and `crate::{conn, time}` is both.

use super::text::is_word;

/// What `lib.rs` re-exports: the public path, and the path of the original.
pub(super) struct Exports(Vec<(String, String)>);

impl Exports {
    /// Reads the `use` items of `lib.rs`, whose text is without comments and strings.
    pub(super) fn of(lib: &str) -> Self {
        let mut exports = Vec::new();
        // A module and a function of one name: a path that goes on is the module's.
        let is_module = |name: &str| lib.contains(&format!("mod {name};"));
        for (module, tree) in uses(lib) {
            for (path, name) in leaves(&tree) {
                if is_module(&name) {
                    continue;
                }
                let origin = absolute(&path, &module);
                let public = module.iter().map(String::as_str).chain([name.as_str()]);
                exports.push((public.collect::<Vec<_>>().join("::"), origin));
            }
        }
        Self(exports)
    }

    /// Every re-exported path. A glob ends in `*`.
    pub(super) fn public(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(public, _)| public.as_str())
    }

    /// The path of the original: `path` itself where it is no re-export.
    fn origin(&self, path: &str) -> String {
        for (public, origin) in &self.0 {
            if let Some(rest) = path.strip_prefix(public.as_str())
                && (rest.is_empty() || rest.starts_with("::"))
            {
                return format!("{origin}{rest}");
            }
        }
        // `crate::channels::Event`, where `channels` re-exports all of another module.
        for (public, origin) in &self.0 {
            if let (Some(inside), Some(from)) =
                (public.strip_suffix("::*"), origin.strip_suffix("::*"))
                && let Some(rest) = path.strip_prefix(inside)
                && rest.starts_with("::")
            {
                return format!("{from}{rest}");
            }
        }
        path.to_owned()
    }
}

/// The paths that `code`, the text of the engine's file `path`, names: line and absolute path without
/// `crate::`, and as it is written.
pub(super) fn named(path: &str, code: &str, exports: &Exports) -> Vec<(usize, String, String)> {
    let file = module_of(path);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("::") {
        let start = code[..at].rfind(|c: char| !is_word(c)).map_or(0, |i| i + 1);
        let first = &code[start..at];
        // The first segment of a path, and one that begins at a known module.
        if !["crate", "super", "self"].contains(&first) || code[..start].ends_with("::") {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        let module = inside(&file, &code[..start]);
        for (written, _) in leaves(&code[start..]) {
            let reached = exports.origin(&absolute(&written, &module));
            found.push((line, reached, written));
        }
    }
    found
}

/// The module of a file of the engine: `engine/src/mux/wire/mod.rs` is `[mux, wire]`.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("engine/src/").unwrap_or(path);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    let segments = inner.split('/').filter(|s| *s != "lib");
    segments.map(str::to_owned).collect()
}

/// The module at the end of `before`: `file`, and the inline modules that are open there.
fn inside(file: &[String], before: &str) -> Vec<String> {
    let mut module = file.to_vec();
    // For every open brace, whether it is a module's.
    let mut open = Vec::new();
    for (at, c) in before.char_indices() {
        match c {
            '{' => {
                let mut words = before[..at].split_whitespace().rev();
                let name = words.next().unwrap_or_default();
                let is_module = words.next() == Some("mod");
                if is_module {
                    module.push(name.to_owned());
                }
                open.push(is_module);
            }
            '}' if open.pop() == Some(true) => {
                module.pop();
            }
            _ => {}
        }
    }
    module
}

/// The path without `crate::`, seen from `module`.
fn absolute(written: &str, module: &[String]) -> String {
    let mut base: Vec<&str> = module.iter().map(String::as_str).collect();
    let mut segments = written.split("::").peekable();
    match segments.peek() {
        Some(&"crate") => {
            base.clear();
            segments.next();
        }
        Some(&"self") => drop(segments.next()),
        // A child of the module, as `pub use conn::Outbox` in `lib.rs`.
        _ => {}
    }
    while segments.next_if(|s| *s == "super").is_some() {
        base.pop();
    }
    base.extend(segments);
    base.join("::")
}

/// Every `use` of a file: the inline module it stands in, and its tree.
fn uses(code: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let tree = code[at + 4..].split(';').next().unwrap_or_default();
        found.push((inside(&[], &code[..at]), tree.trim().to_owned()));
    }
    found
}

/// The paths of a tree, `a::{b, c::{d as e, *}}`, each with the name that it is known by.
/// What follows the tree is left alone.
fn leaves(tree: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    read_tree(tree, "", &mut found);
    found
}

/// Reads one tree below `prefix`; the rest of the text.
fn read_tree<'a>(text: &'a str, prefix: &str, found: &mut Vec<(String, String)>) -> &'a str {
    let mut path = prefix.to_owned();
    let mut rest = text.trim_start();
    loop {
        let join = |name: &str| match path.as_str() {
            "" => name.to_owned(),
            _ => format!("{path}::{name}"),
        };
        if let Some(list) = rest.strip_prefix('{') {
            rest = list.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                let after = read_tree(rest, &path, found).trim_start();
                let after = after.strip_prefix(',').unwrap_or(after).trim_start();
                // What is no list of names, such as a block after a path, ends here.
                if after.len() == rest.len() {
                    return rest;
                }
                rest = after;
            }
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        if let Some(after) = rest.strip_prefix('*') {
            found.push((join("*"), "*".to_owned()));
            return after;
        }
        let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(len);
        if name.is_empty() {
            // A generic's `::<`, or the end: the path so far is the leaf.
            if !path.is_empty() && path != prefix {
                let last = path.rsplit("::").next().unwrap_or_default().to_owned();
                found.push((path, last));
            }
            return rest;
        }
        path = if name == "self" && !prefix.is_empty() && path == prefix {
            path
        } else {
            join(name)
        };
        if let Some(after) = after.strip_prefix("::") {
            rest = after;
            continue;
        }
        let mut last = path.rsplit("::").next().unwrap_or_default().to_owned();
        let mut after = after;
        if let Some(alias) = after.strip_prefix(" as ") {
            let len = alias.find(|c| !is_word(c)).unwrap_or(alias.len());
            last = alias[..len].to_owned();
            after = &alias[len..];
        }
        found.push((path, last));
        return after;
    }
}

#[test]
fn paths_are_resolved() {
    let lib = "mod x;\npub use conn::{Batch, Outbox as Out, x};\npub use time::Timestamp;\n\
               pub mod channels { pub use crate::driver::Session; pub use crate::session::channels::*; }";
    let exports = Exports::of(lib);
    let table = [
        ("mux/queue.rs", "crate::Out::new()", "conn::Outbox::new"),
        ("mux/queue.rs", "use crate::{Batch, time};", "conn::Batch"),
        ("mux/queue.rs", "use crate::{time, Batch};", "time"),
        ("mux/wire/a.rs", "super::super::super::conn::x", "conn::x"),
        (
            "mux/wire/mod.rs",
            "super::super::Timestamp",
            "time::Timestamp",
        ),
        (
            "mux/wire/mod.rs",
            "mod a { use super::b::C; }",
            "mux::wire::b::C",
        ),
        (
            "mux/wire/mod.rs",
            "self::varint::put",
            "mux::wire::varint::put",
        ),
        ("session.rs", "super::channels::Session", "driver::Session"),
        (
            "session.rs",
            "crate::channels::Code",
            "session::channels::Code",
        ),
        ("session.rs", "use crate::conn::{self, Batch};", "conn"),
        ("session.rs", "crate::x::y", "x::y"),
    ];
    for (path, text, expected) in table {
        let found = named(&format!("engine/src/{path}"), text, &exports);
        assert!(
            found.iter().any(|(_, to, _)| to == expected),
            "{path}: {text}: {found:?}"
        );
    }
    let two = named(
        "engine/src/time.rs",
        "use crate::{a::{b, c as d}, e};",
        &exports,
    );
    let two: Vec<_> = two.iter().map(|(_, to, _)| to.as_str()).collect();
    assert_eq!(two, ["a::b", "a::c", "e"]);
}
