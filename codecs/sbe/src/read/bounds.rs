//! Hostile schemas, and the limits that refuse them.

use std::path::{Path, PathBuf};

use super::tests::{parse, schema};
use crate::ir::Schema;

/// A folder of schema files, gone when this is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("tickwire-sbe-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Remaining files are in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The faults of a file.
fn found(path: &Path) -> Vec<String> {
    let errors = Schema::read(path, None).unwrap_err();
    errors.iter().map(|e| e.found.clone()).collect()
}

/// A schema that includes `href` so many times.
fn including(href: &str, times: usize) -> String {
    let include = format!(r#"<xi:include href="{href}"/>"#);
    format!(
        r#"<messageSchema id="1" xmlns:xi="http://www.w3.org/2001/XInclude">{}</messageSchema>"#,
        include.repeat(times)
    )
}

#[test]
fn an_include_that_includes_itself_is_found() {
    let folder = Folder::new("cycle");
    let path = folder.write("cycle.xml", &including("cycle.xml", 1));
    assert_eq!(found(&path), ["`cycle.xml` includes itself"]);
}

/// Eight files that include the next one twenty times each would be read a thousand million times.
#[test]
fn included_files_are_bounded() {
    let folder = Folder::new("files");
    for level in 0..3 {
        let times = if level == 2 { 0 } else { 20 };
        folder.write(
            &format!("{level}.xml"),
            &including(&format!("{}.xml", level + 1), times),
        );
    }
    // At every include that is not read.
    let refused = found(&folder.0.join("0.xml"));
    assert!(
        refused.iter().all(|f| f == "more than 256 files"),
        "{refused:?}"
    );
    assert_eq!(
        found(&folder.0.join("1.xml")),
        ["no composite `messageHeader`"]
    );
}

#[test]
fn included_bytes_are_bounded() {
    let folder = Folder::new("bytes");
    folder.write(
        "large.xml",
        &format!("<types>{}</types>", " ".repeat(9 << 20)),
    );
    for (times, found) in [
        (7, "no composite `messageHeader`"),
        (8, "more than 67108864 bytes of files"),
    ] {
        let path = folder.write("root.xml", &including("large.xml", times));
        assert_eq!(self::found(&path), [found]);
    }
    folder.write("large.xml", &" ".repeat((16 << 20) + 1));
    let too_long = "`large.xml` is longer than 16777216 bytes";
    let refused = found(&folder.0.join("root.xml"));
    assert_eq!(refused, [too_long; 8]);
}

/// A device has no length to be refused by, and this one has no end either.
#[cfg(unix)]
#[test]
fn an_include_of_a_device_is_refused() {
    let error = parse(&including("/dev/zero", 1)).unwrap_err();
    assert!(error.contains("`/dev/zero` is not a file"), "{error}");
    assert_eq!(found("/dev/zero".as_ref()), ["is not a file"]);
}

/// Whatever encoding it declares.
#[test]
fn a_file_of_another_encoding_is_to_be_converted() {
    let folder = Folder::new("encoding");
    let path = folder.0.join("latin.xml");
    let text = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><messageSchema description=\"gr\xf6\xdfe\"/>";
    std::fs::write(&path, text).unwrap();
    assert_eq!(
        found(&path),
        ["is not UTF-8 at byte 73: convert the file to UTF-8"]
    );
}

/// A file of the system that says it has no bytes, and has thousands of millions.
#[cfg(target_os = "linux")]
#[test]
fn a_file_is_as_long_as_what_is_read() {
    let path = "/proc/self/pagemap";
    if std::fs::File::open(path).is_err() {
        eprintln!("SKIPPED: a_file_is_as_long_as_what_is_read: {path} cannot be opened");
        return;
    }
    let error = parse(&including(path, 1)).unwrap_err();
    // The limit is met, or a read up to it that this file does not allow.
    assert!(error.contains("`/proc/self/pagemap` "), "{error}");
}

/// Each type in the next one: by reference, written inside, and both in turn.
#[test]
fn types_within_types_are_bounded() {
    let chain = |length: usize| -> String {
        let link = |i: usize| {
            format!(
                r#"<composite name="c{i}"><ref name="r" type="c{}"/></composite>"#,
                i + 1
            )
        };
        let end = format!(
            r#"<composite name="c{length}"><type name="x" primitiveType="int8"/></composite>"#
        );
        (0..length).map(link).chain([end]).collect()
    };
    assert!(parse(&schema(&chain(62), "")).is_ok());
    let error = "types within types more than 64 deep; expected types nested less deeply";
    for length in [63, 100_000] {
        let refused = parse(&schema(&chain(length), "")).unwrap_err();
        assert!(refused.starts_with("s.xml:8:"), "{refused}");
        assert!(refused.ends_with(error), "{refused}");
    }
    let nested = |i: usize| {
        let inside = format!(r#"<ref name="r" type="d{}"/>"#, i + 1);
        let open = (0..40).map(|j| format!(r#"<composite name="d{i}x{j}">"#));
        let open: String = open.collect();
        format!(
            r#"<composite name="d{i}">{open}{inside}{}</composite>"#,
            "</composite>".repeat(40)
        )
    };
    let both: String = (0..2).map(nested).collect();
    let both = format!(r#"{both}<composite name="d2"/>"#);
    assert!(parse(&schema(&both, "")).unwrap_err().ends_with(error));
}

/// Two of the next in each: what is read is short, what it stands for are thousands of millions of values.
#[test]
fn values_of_a_block_are_bounded() {
    let tree = |levels: usize| -> String {
        let node = |i: usize| {
            let r = format!("c{}", i + 1);
            format!(
                r#"<composite name="c{i}"><ref name="a" type="{r}"/><ref name="b" type="{r}"/></composite>"#
            )
        };
        let leaf = r#"<type name="k" primitiveType="int8" presence="constant">1</type>"#;
        let end = format!(r#"<composite name="c{levels}">{leaf}</composite>"#);
        (0..levels).map(node).chain([end]).collect()
    };
    let field = |n: usize| format!(r#"<field name="f{n}" id="{n}" type="c0"/>"#);
    let of_two = format!(
        r#"<message name="m" id="1">{}{}</message>"#,
        field(1),
        field(2)
    );
    assert!(parse(&schema(&tree(13), &of_two)).is_ok());
    for (levels, message) in [(15, ""), (40, ""), (14, of_two.as_str())] {
        let error = parse(&schema(&tree(levels), message)).unwrap_err();
        let expected = "values in one block; expected at most 65536";
        assert!(error.ends_with(expected), "{levels}: {error}");
    }
}

/// Were each name compared to all before it, this would take minutes.
#[test]
fn long_lists_are_read_in_one_pass() {
    const N: usize = 100_000;
    let list = |each: &dyn Fn(usize) -> String| -> String { (0..N).map(each).collect() };
    let values = list(&|i| format!(r#"<validValue name="v{i}">{i}</validValue>"#));
    let values = format!(r#"<enum name="long" encodingType="uint32">{values}</enum>"#);
    assert!(parse(&schema(&values, "")).is_ok());
    let types = list(&|i| format!(r#"<composite name="c{i}"/>"#));
    assert!(parse(&schema(&types, "")).is_ok());
    let parts = list(&|i| format!(r#"<group name="g{i}" id="{i}"/>"#));
    let parts = format!(r#"<message name="m" id="1">{parts}</message>"#);
    assert!(parse(&schema("", &parts)).is_ok());
    let members = (0..60_000).map(|i| format!(r#"<type name="m{i}" primitiveType="int8"/>"#));
    let members = format!(
        r#"<composite name="long">{}</composite>"#,
        members.collect::<String>()
    );
    assert!(parse(&schema(&members, "")).is_ok());
    let messages: String = (0..60_000)
        .map(|i| format!(r#"<message name="m" id="{i}"/>"#))
        .collect();
    let schema = parse(&schema("", &messages)).unwrap();
    assert!(crate::rust_source(&schema, "c").contains("pub struct M60000View<"));
}

/// A minified schema is one line: were each position counted from its start, this would take minutes.
#[test]
fn a_fault_at_the_end_of_a_long_line() {
    let before = format!(
        r#"<messageSchema id="1" description="größe">{}"#,
        "<types/>".repeat(1_000_000)
    );
    let column = before.chars().count() + 1;
    let error = parse(&format!("{before}<typ/></messageSchema>")).unwrap_err();
    let at_end =
        format!("s.xml:1:{column}: <typ> inside <messageSchema>; expected <types> or <message>");
    assert_eq!(error.lines().last(), Some(at_end.as_str()));
}
