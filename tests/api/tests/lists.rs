//! The lists see a change, and say what it is.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tickwire_api::Failure;
use tickwire_api::foreign::crates;
use tickwire_api::lists::difference;
use tickwire_api::names::repeated;
use tickwire_api::reasons::faults;
use tickwire_api::surface::Surface;

/// The surface of `source`, by the rustdoc that documents the published crates. `None`: its format
/// is another, and `tickwire-api` itself is skipped.
fn surface(name: &str, source: &str) -> Option<Surface> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&out).unwrap();
    let file = out.join("fixture.rs");
    std::fs::write(&file, source).unwrap();
    let status = Command::new(tests.join("rustdoc"))
        .args([
            "--crate-name",
            "fixture",
            "--edition",
            "2024",
            "--output-format",
            "json",
        ])
        .args(["-Z", "unstable-options", "--out-dir"])
        .arg(&out)
        .arg(&file)
        .status()
        .unwrap();
    assert!(status.success());
    match Surface::read(&out.join("fixture.json")) {
        Ok(surface) => Some(surface),
        Err(Failure::Format(found)) => {
            eprintln!("SKIPPED: rustdoc writes JSON of format {found}");
            None
        }
        Err(Failure::Other(text)) => panic!("{text}"),
    }
}

const FIXTURE: &str = include_str!("fixture/lib.rs");

#[test]
fn a_list_has_every_public_item_once() {
    let Some(surface) = surface("whole", FIXTURE) else {
        return;
    };
    let expected = "\
pub mod fixture
pub mod fixture::inner
#[non_exhaustive] pub enum fixture::inner::Both
pub fixture::inner::Both::Named
pub fixture::inner::Both::Named::bytes: usize
pub fixture::inner::Both::Unit
impl core::clone::Clone for fixture::Both
impl core::fmt::Debug for fixture::Both
pub struct fixture::inner::Shared
#[non_exhaustive] pub enum fixture::Both
pub fixture::Both::Named
pub fixture::Both::Named::bytes: usize
pub fixture::Both::Unit
pub struct fixture::Shared<'a>
pub fixture::Shared::name: &'a str
impl<'a> fixture::Shared<'a>
pub fn fixture::Shared<'a>::count(&self, u32) -> u32
impl core::iter::traits::iterator::Iterator for fixture::Shared<'_>
pub type fixture::Shared<'_>::Item = u32
impl<'a> !core::marker::Send for fixture::Shared<'a>
impl<'a> !core::marker::Sync for fixture::Shared<'a>
pub const fixture::NUMBER: u32
pub fn fixture::free()
";
    assert_eq!(surface.text(), expected);
}

#[test]
fn each_kind_of_change_differs() {
    let Some(before) = surface("before", FIXTURE) else {
        return;
    };
    let changes = [
        ("pub fn count", "fn count"),
        ("parameter: u32", "parameter: u64"),
        ("#[non_exhaustive]", ""),
        ("Clone, Debug", "Debug"),
        ("Rc<u32>", "u32"),
        ("bytes: usize", "length: usize"),
        ("type Item = u32", "type Item = u64"),
        ("NUMBER: u32 = 1", "NUMBER: u64 = 1"),
        ("pub fn free", "pub fn other"),
    ];
    for (from, to) in changes {
        assert!(FIXTURE.contains(from), "{from}");
        let changed = FIXTURE.replace(from, to);
        let after = surface("after", &changed).unwrap();
        assert!(
            difference(&before.text(), &after.text()).is_some(),
            "{from} -> {to}"
        );
    }
    let private = FIXTURE
        .replace("fn hidden", "fn renamed")
        .replace("self.hidden", "self.renamed");
    assert_eq!(
        difference(&before.text(), &surface("same", &private).unwrap().text()),
        None
    );
}

#[test]
fn a_difference_shows_what_was_added_and_removed() {
    assert_eq!(difference("a\nb\nc\n", "a\nb\nc\n"), None);
    assert_eq!(difference("a\nb\nc\n", "a\nc\nd\n").unwrap(), "- b\n+ d\n");
    assert_eq!(difference("", "a\n").unwrap(), "+ a\n");
    assert_eq!(difference("a\nb\n", "").unwrap(), "- a\n- b\n");
    assert_eq!(difference("a\nb\n", "b\na\n").unwrap(), "- a\n+ a\n");
}

#[test]
fn names_that_are_there_twice() {
    let Some(surface) = surface("names", FIXTURE) else {
        return;
    };
    let told: Vec<_> = repeated(&surface.names)
        .iter()
        .map(|r| (r.last.clone(), r.place()))
        .collect();
    let expected = [
        ("Both", "one item at fixture::Both, fixture::inner::Both"),
        (
            "Shared",
            "several items at fixture::Shared, fixture::inner::Shared",
        ),
    ];
    assert_eq!(
        told,
        expected.map(|(name, place)| (name.to_owned(), place.to_owned()))
    );
}

#[test]
fn crates_of_others_are_found_in_signatures() {
    let lines = [
        "pub fn tickwire::A<T>::of(&T, bytes::bytes::Bytes) -> <T as core::Trait>::Out",
        "impl<T> futures_core::stream::Stream for tickwire::A<T>",
        "pub tickwire::A::field: &'a [tickwire_codecs::B; Self::COUNT]",
        "pub fn tickwire::bytes(&self, T::Item) -> bytes::bytes::Bytes",
    ]
    .map(str::to_owned);
    let found: Vec<_> = crates(&lines, "tickwire").into_iter().collect();
    let (bytes, futures) = (lines[0].as_str(), lines[1].as_str());
    assert_eq!(found, [("bytes", bytes), ("futures_core", futures)]);
}

#[test]
fn what_is_not_listed_or_not_there_is_a_fault() {
    let found = ["a", "b"].map(|name| (name.to_owned(), format!("at {name}")));
    let none: [&str; 0] = [];
    assert_eq!(faults(&found, "# both\n\na, b: for the test\n"), none);
    assert_eq!(faults(&found, "b: for the test"), ["a is not listed: at a"]);
    assert_eq!(
        faults(&found, "a, b, c, a: for the test"),
        ["a is listed twice", "c is listed, and is not there"]
    );
    let malformed = "is not of the form `NAME, NAME: REASON`";
    assert_eq!(faults(&[], "a"), [format!("\"a\" {malformed}")]);
    assert_eq!(faults(&[], "a: "), [format!("\"a:\" {malformed}")]);
}
