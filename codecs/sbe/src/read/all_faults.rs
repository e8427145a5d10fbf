//! Schemas with many faults: each fault is listed once and in order, without its consequences.

use std::path::Path;

use crate::ir::Schema;

/// The faults of a schema, without what was expected.
fn faults(text: &str) -> Vec<String> {
    let errors = Schema::parse(text, Path::new("s.xml"), None).unwrap_err();
    let faults = errors
        .iter()
        .map(|e| format!("{}:{}: {}", e.at.line, e.at.column, e.found));
    faults.collect()
}

const HEADER: &str = r#"<composite name="messageHeader"><type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/><type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite>
<composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint16"/><type name="numInGroup" primitiveType="uint16"/></composite>"#;

#[test]
fn every_fault_is_said_in_order() {
    let text = format!(
        r#"<messageSchema id="x" version="1" byteOrder="middle">
<types>{HEADER}
<type name="a" primitiveType="int7"/>
<enum name="E" encodingType="uint8"><validValue name="one">1</validValue><validValue name="two">300</validValue>
<validValue name="one">3</validValue><choice name="c">1</choice></enum>
<set name="S" encodingType="uint8"><choice name="b">8</choice><choice name="c">1</choice>
<choice name="d">1</choice></set>
<composite name="C"><type name="m" primitiveType="int9"/><ref name="n" type="none"/>
<field name="o" type="int8"/></composite>
<typ name="T" primitiveType="int8"/>
</types>
<message name="M" id="1"><field name="f" id="1"/><field name="g" id="2" type="price"/>
<field name="g" id="3" type="int8"/><group name="h" id="4" dimensionType="size"><field name="i" id="1" type="cost"/></group>
<field name="late" id="5" type="int8"/><data name="d" id="6" type="blob"/></message>
<message id="2"/><message name="N" id="70000"/>
<message name="O" id="1" sinceVersion="2"/>
<massage/>
</messageSchema>"#
    );
    assert_eq!(
        faults(&text),
        [
            "1:16: `id=\"x\"` on <messageSchema>",
            "1:35: `byteOrder=\"middle\"`",
            "4:16: unknown primitive type `int7`",
            "5:74: value `two` is `300`",
            "6:13: `one` repeats the name or value of `one`",
            "6:38: <choice> inside <enum>",
            "7:36: choice `b` at bit `8`",
            "8:9: `d` repeats a name or a bit",
            "9:36: unknown primitive type `int9`",
            "9:72: unknown type `none`",
            "10:1: <field> inside <composite>",
            "11:1: <typ> inside <types>",
            "13:26: <field> has no attribute `type`",
            "13:73: unknown type `price`",
            "14:8: `g` is declared twice",
            "14:60: no composite `size` for the size of group `h`",
            "14:104: unknown type `cost`",
            "15:1: <field> `late` behind groups or data",
            "15:62: no variable data composite `blob`",
            "16:1: <message> has no attribute `name`",
            "16:36: `id=\"70000\"` on <message>",
            "17:1: message `O` has the id 1 of `M`",
            "17:26: `sinceVersion=\"2\"` on <message>",
            "18:1: <massage> inside <messageSchema>",
        ]
    );
}

/// Two messages with 50 fields of that type each.
fn users(kind: &str) -> String {
    let fields: String = (0..50)
        .map(|i| format!(r#"<field name="f{i}" id="{i}" type="{kind}"/>"#))
        .collect();
    format!(
        r#"<message name="M" id="1">{fields}</message><message name="N" id="2">{fields}</message>"#
    )
}

/// A consequence of another fault is not a fault.
#[test]
fn consequences_are_not_said() {
    let schema = |types: &str, messages: &str| {
        format!(
            "<messageSchema id=\"1\">\n<types>{HEADER}\n{types}</types>\n{messages}</messageSchema>"
        )
    };
    let cases = [
        // Types of types of a type that fails.
        (
            r#"<composite name="A"><ref name="b" type="B"/></composite><composite name="B"><ref name="c" type="C"/></composite><enum name="C" encodingType="D"/><type name="D" primitiveType="int7"/>"#.to_owned(),
            users("A"),
            vec!["4:161: unknown primitive type `int7`"],
        ),
        // A cycle is one fault, though it begins at each of its types.
        (
            r#"<composite name="A"><ref name="b" type="B"/></composite><composite name="B"><ref name="a" type="A"/></composite>"#.to_owned(),
            users("B"),
            vec!["4:1: type `A` contains itself"],
        ),
        // A declaration that is no declaration, and one without a name.
        (
            r#"<tipe name="A" primitiveType="int8"/>"#.to_owned(),
            users("A"),
            vec!["4:1: <tipe> inside <types>"],
        ),
        (
            r#"<type primitiveType="int8"/>"#.to_owned(),
            users("A"),
            vec!["4:1: <type> has no attribute `name`"],
        ),
        // A value that fails, and those who name it.
        (
            r#"<enum name="A" encodingType="uint8"><validValue name="x">300</validValue></enum>"#.to_owned(),
            r#"<message name="M" id="1"><field name="f" id="1" type="A" presence="constant" valueRef="A.x"/></message>"#.to_owned(),
            vec!["4:37: value `x` is `300`"],
        ),
        // Variable data and dimensions are looked at where they are used.
        (
            r#"<composite name="v"><type name="length" primitiveType="uint64"/><type name="varData" primitiveType="uint8"/></composite><composite name="d"><type name="blockLength" primitiveType="uint8"/></composite>"#.to_owned(),
            (0..50)
                .map(|i| format!(r#"<message name="M{i}" id="{i}"><group name="g" id="1" dimensionType="d"/><data name="x" id="2" type="v"/></message>"#))
                .collect(),
            vec![
                "4:21: the length of variable data",
                "4:121: composite `d` has no member `numInGroup`",
            ],
        ),
    ];
    for (types, messages, expected) in cases {
        assert_eq!(faults(&schema(&types, &messages)), expected, "{types}");
    }
}

#[test]
fn consequences_of_what_is_missing_are_not_said() {
    // Types of another vocabulary may be those that others need.
    let foreign = format!(
        r#"<messageSchema id="1" xmlns:v="urn:v"><types><v:composite name="messageHeader"/></types>{}</messageSchema>"#,
        users("A")
    );
    assert_eq!(
        faults(&foreign),
        ["1:46: <v:composite> under the namespace `urn:v`"]
    );
    let header = HEADER.replace("uint16", "int16");
    let text = format!(
        "<messageSchema id=\"1\">\n<types>{header}</types>{}</messageSchema>",
        users("int8")
    );
    let members = faults(&text);
    // Each of the four, and not the messages that need them.
    assert_eq!(members.len(), 4, "{members:?}");
}

/// A file that cannot be read takes its types with it.
#[test]
fn faults_of_included_files() {
    let folder = std::env::temp_dir().join(format!("tickwire-sbe-faults-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let text = |includes: &str| {
        format!(
            r#"<messageSchema id="1" xmlns:xi="http://www.w3.org/2001/XInclude">{includes}<message name="M" id="1"><field name="f" id="1" type="A"/><field name="f" id="2" type="int8"/></message></messageSchema>"#
        )
    };
    let path = folder.join("z.xml");
    let read = |includes: &str| -> Vec<String> {
        let errors = Schema::parse(&text(includes), &path, None).unwrap_err();
        let name = |e: &crate::SchemaError| {
            e.at.file
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        errors
            .iter()
            .map(|e| format!("{}:{}: {}", name(e), e.at.line, e.found))
            .collect()
    };
    std::fs::write(folder.join("broken.xml"), "<types>\n<type></types>").unwrap();
    std::fs::write(
        folder.join("types.xml"),
        format!("<types>{HEADER}\n<type name=\"B\" primitiveType=\"int7\"/></types>"),
    )
    .unwrap();
    let both = read(
        r#"<xi:include href="no.xml"/><xi:include href="broken.xml"/><xi:include href="types.xml"/>"#,
    );
    assert_eq!(both.len(), 4, "{both:?}");
    assert_eq!(
        both[0],
        "broken.xml:2: XML error: expected 'type' tag, not 'types'"
    );
    // By file, then by line; `A` may be in a file that is missing.
    assert_eq!(both[1], "types.xml:3: unknown primitive type `int7`");
    assert!(
        both[2].starts_with("z.xml:1: `no.xml` cannot be read: "),
        "{both:?}"
    );
    assert_eq!(both[3], "z.xml:1: `f` is declared twice");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn faults_are_bounded() {
    let many = |n: usize| -> String {
        let messages: String = (0..n).map(|i| format!("<message id=\"{i}\"/>\n")).collect();
        format!("<messageSchema id=\"1\">\n<types>{HEADER}</types>\n{messages}</messageSchema>")
    };
    for (n, kept) in [(99, 99), (100, 100), (101, 100), (100_000, 100)] {
        let errors = Schema::parse(&many(n), Path::new("s.xml"), None).unwrap_err();
        assert_eq!((errors.iter().count(), errors.has_more()), (kept, n > kept));
        let text = errors.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), kept + usize::from(n > kept));
        assert_eq!(
            lines[0],
            "s.xml:4:1: <message> has no attribute `name`; expected `name=\"...\"`"
        );
        if n > kept {
            assert_eq!(lines[100], "more than 100 faults; correct these first");
        }
    }
}

/// Every truncation and every flip of a bit gives a schema or its faults.
#[test]
fn damaged_schemas() {
    let text = format!(
        r#"<?xml version="1.0"?><!DOCTYPE xml [<!ELEMENT a (b)>]><s:messageSchema xmlns:s="urn:s" id="1" version="1"><types>{HEADER}
<composite name="text"><type name="length" primitiveType="uint8"/><type name="varData" primitiveType="uint8" length="0"/></composite>
<enum name="E" encodingType="char"><validValue name="a">A</validValue></enum><set name="S" encodingType="uint8"><choice name="b">7</choice></set>
<composite name="D"><type name="m" primitiveType="int64" nullValue="9"/><ref name="e" type="E" offset="9"/></composite></types>
<s:message name="M" id="1" blockLength="32"><field name="d" id="1" type="D" presence="optional"/><field name="k" id="2" type="E" presence="constant" valueRef="E.a"/>
<group name="g" id="3" sinceVersion="1"><field name="f" id="1" type="float"/><data name="t" id="4" type="text"/></group></s:message></s:messageSchema>"#
    );
    let read = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        match Schema::parse(&text, Path::new("s.xml"), None) {
            Ok(_) => true,
            Err(errors) => {
                assert!(
                    errors.iter().all(|e| e.at.line > 0 && e.at.column > 0),
                    "{errors}"
                );
                false
            }
        }
    };
    assert!(read(text.as_bytes()));
    for len in 0..text.len() {
        assert!(!read(&text.as_bytes()[..len]), "cut to {len}");
    }
    let mut flipped = text.clone().into_bytes();
    for at in 0..flipped.len() {
        for bit in 0..8 {
            flipped[at] ^= 1 << bit;
            read(&flipped);
            flipped[at] ^= 1 << bit;
        }
    }
}
