//! `SECURITY.md` against the tree: every line of its tables names a test, and every test that it
//! names is there, so that a line cannot outlive what holds it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tickwire::handshake::{HeadLimits, Response, Url};
use tickwire::sans_io::LINGER_BYTES_MAX;
use tickwire::{Config, channels};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What stands between backticks and reads as `path.rs::function`.
fn named(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|name| name.split_once("::"))
        .filter(|(path, _)| path.ends_with(".rs"))
        .collect()
}

/// Whether `text` has a test of this name: a function with the attribute of a test (above it,
/// perhaps with others between), one of a list given to a macro that makes tests, one inside
/// `proptest!`, or the `main` of a test that is a program.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let begins = |line: &str| {
        let rest = line.strip_prefix("async ").unwrap_or(line);
        rest.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let Some(at) = lines.iter().position(|line| begins(line)) else {
        return false;
    };
    let attributes = lines[..at].iter().rev().take_while(|line| {
        line.starts_with("#[") || line.starts_with("//") || line.ends_with(")]")
    });
    let listed = || {
        let list = text.split_once("on_both!").map(|(_, rest)| rest);
        let list = list.and_then(|rest| rest.split_once(");"));
        list.is_some_and(|(list, _)| {
            list.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == name)
        })
    };
    name == "main" || attributes.into_iter().any(|line| line.contains("test")) || listed()
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = fs::read_to_string(root().join("SECURITY.md")).expect("the page");
    let named = named(&page);
    assert!(named.len() > 60, "{} tests are named", named.len());
    let mut missing = Vec::new();
    for (path, name) in named {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        if !has_test(&text, name) {
            missing.push(format!("{path}::{name}"));
        }
    }
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// The tables of what something costs, and of wrong calls: those whose last column says "held by".
#[test]
fn every_line_of_the_tables_names_a_test() {
    let page = fs::read_to_string(root().join("SECURITY.md")).expect("the page");
    let (mut holds, mut lines) = (false, 0);
    let mut bare = Vec::new();
    for line in page.lines() {
        if !line.starts_with('|') {
            holds = false;
        } else if line.ends_with("| held by |") {
            holds = true;
        } else if holds && !line.starts_with("|---") {
            lines += 1;
            let last = line.trim_end_matches('|').rsplit('|').next();
            if named(last.unwrap_or_default()).is_empty() {
                bare.push(line);
            }
        }
    }
    assert!(lines > 40, "{lines} lines");
    assert!(bare.is_empty(), "lines without a test: {bare:#?}");
}

/// The figures in the tables.
#[test]
fn the_defaults_are_what_the_tables_say() {
    let config = Config::default();
    assert_eq!(config.fragments_max, 131_072);
    assert!(config.auto_pong);
    assert_eq!(config.send_queue_bytes_max, 1 << 20);
    assert_eq!(config.handshake_timeout, Duration::from_secs(10));
    assert_eq!(config.write_timeout, Duration::from_secs(10));
    assert_eq!(config.close_timeout, Duration::from_secs(2));
    let silence = config.ping_interval.expect("Pings") + config.pong_timeout;
    assert_eq!(silence, Duration::from_secs(30));
    assert_eq!(LINGER_BYTES_MAX, 16 << 20);
    let heads = HeadLimits::default();
    assert_eq!((heads.head_bytes_max, heads.headers_max), (16 << 10, 64));
    assert_eq!(HeadLimits::HEAD_BYTES_CAP, 1 << 20);
    assert_eq!(Response::CONTENT_BYTES_MAX, 16 << 10);
    assert_eq!(Url::BYTES_MAX, 64 << 10);
    let channels = channels::ChannelConfig::default();
    assert_eq!(channels.partial_timeout, Duration::from_secs(10));
    assert_eq!(channels.channel_window_bytes, 64 << 10);
    assert_eq!(channels.window_growth_bytes_max, 16 << 20);
    assert_eq!(channels.receive_budget_bytes(), 80 << 20);
    assert_eq!(channels.close_timeout, Duration::from_secs(2));
}

#[test]
fn the_checker_finds_what_is_missing() {
    let text = "#[test]\nfn a() {}\n\nfn b() {}\n#[test]\n#[cfg(unix)]\n/// c.\nasync fn c() {}\n\
                on_both!(\n    d,\n);\nfn d(on: On) {}\nfn ab() {}\n";
    let found = |name| has_test(text, name);
    assert!(found("a") && found("c") && found("d"));
    assert!(!found("b") && !found("ab") && !found("e") && !found("on"));
    let page = "`tests/it/a.rs::b`, `Config::x`, `c.rs::d`";
    assert_eq!(named(page), [("tests/it/a.rs", "b"), ("c.rs", "d")]);
}
