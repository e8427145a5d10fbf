//! Steps from one version of a schema to the next, of the kinds that venues take, with their verdicts.

use std::path::Path;

use super::diff;
use crate::ir::Schema;

/// A schema of that version; `types` beside header and dimension.
fn schema(version: u32, types: &str, messages: &str) -> Schema {
    let text = format!(
        r#"<messageSchema id="1" version="{version}"><types>
<composite name="messageHeader"><type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
<type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite>
<composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint16"/><type name="numInGroup" primitiveType="uint16"/></composite>
<composite name="text"><type name="length" primitiveType="uint8"/><type name="varData" primitiveType="uint8" length="0" characterEncoding="UTF-8"/></composite>
{types}</types>{messages}</messageSchema>"#
    );
    Schema::parse(&text, Path::new("s.xml"), None).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Each step: the message `M` before and after, then the changes; from version 1 to version 2.
type Step = (&'static str, &'static str, &'static [&'static str]);

fn verdict(types: &str, (was, now, changes): Step) {
    let message = |body: &str| format!(r#"<message name="M" id="1">{body}</message>"#);
    let (old, new) = (
        schema(1, types, &message(was)),
        schema(2, types, &message(now)),
    );
    let found: Vec<_> = diff(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(found, changes, "{was} -> {now}");
}

/// Ids are on no wire: where they number positions, a part in the middle gives all behind it new ones.
#[test]
fn renumbering() {
    let steps: [Step; 6] = [
        (
            r#"<field name="x" id="1" type="uint32"/><group name="g" id="2"><field name="y" id="1" type="uint8"/></group>"#,
            r#"<field name="x" id="1" type="uint32"/><field name="n" id="2" type="uint8" sinceVersion="2"/><group name="g" id="3"><field name="y" id="1" type="uint8"/></group>"#,
            &["ok     M.n: field added"],
        ),
        (
            r#"<field name="x" id="1" type="uint32"/><group name="g" id="2"/><group name="h" id="3"/><data name="d" id="4" type="text"/><data name="e" id="5" type="text"/>"#,
            r#"<field name="x" id="1" type="uint32"/><field name="n" id="2" type="uint8" sinceVersion="2"/><group name="g" id="3"/><group name="h" id="4"/><data name="d" id="5" type="text"/><data name="e" id="6" type="text"/>"#,
            &["ok     M.n: field added"],
        ),
        (
            r#"<group name="g" id="1"><field name="a" id="1" type="uint8"/><field name="b" id="2" type="uint16"/></group>"#,
            r#"<group name="g" id="7"><field name="a" id="2" type="uint8"/><field name="b" id="1" type="uint16"/></group>"#,
            &[],
        ),
        // Of one type and each other's id: still themselves.
        (
            r#"<field name="a" id="1" type="uint8"/><field name="b" id="2" type="uint8"/><field name="c" id="3" type="uint8"/>"#,
            r#"<field name="a" id="3" type="uint8"/><field name="b" id="1" type="uint8"/><field name="c" id="2" type="uint8"/>"#,
            &[],
        ),
        // A new part with an old one's id, and its name somewhere else.
        (
            r#"<field name="a" id="1" type="uint8"/>"#,
            r#"<field name="a" id="2" type="uint8"/><field name="b" id="1" type="uint8" sinceVersion="2"/>"#,
            &["ok     M.b: field added"],
        ),
        (
            r#"<data name="d" id="1" type="text"/>"#,
            r#"<data name="d" id="2" type="text"/><data name="e" id="1" type="text" sinceVersion="2"/>"#,
            &["ok     M.e: data added"],
        ),
    ];
    for step in steps {
        verdict("", step);
    }
}

#[test]
fn renaming() {
    let steps: [Step; 7] = [
        (
            r#"<field name="a" id="1" type="uint8"/>"#,
            r#"<field name="b" id="1" type="uint8"/>"#,
            &["ok     M.a: renamed to b"],
        ),
        (
            r#"<group name="g" id="1"/><data name="d" id="2" type="text"/>"#,
            r#"<group name="h" id="1"/><data name="e" id="2" type="text"/>"#,
            &["ok     M.g: renamed to h", "ok     M.d: renamed to e"],
        ),
        // The old name goes to a new part, which says that it is new.
        (
            r#"<field name="price" id="1" type="int64"/>"#,
            r#"<field name="oldPrice" id="1" type="int64"/><field name="price" id="2" type="int64" sinceVersion="2"/>"#,
            &[
                "ok     M.price: renamed to oldPrice",
                "ok     M.price: field added",
            ],
        ),
        // Two names change places: what one was called, the other is.
        (
            r#"<field name="bid" id="1" type="int64"/><field name="ask" id="2" type="int64"/>"#,
            r#"<field name="ask" id="1" type="int64"/><field name="bid" id="2" type="int64"/>"#,
            &[
                "BREAKS M.bid: moved from offset 0 to 8",
                "BREAKS M.ask: moved from offset 8 to 0",
            ],
        ),
        (
            r#"<group name="bids" id="1"/><group name="asks" id="2"/>"#,
            r#"<group name="asks" id="1"/><group name="bids" id="2"/>"#,
            &[
                "BREAKS M.bids: group moved from place 0 to 1",
                "BREAKS M.asks: group moved from place 1 to 0",
            ],
        ),
        (
            r#"<data name="a" id="1" type="text"/><data name="b" id="2" type="text"/>"#,
            r#"<data name="b" id="1" type="text"/><data name="a" id="2" type="text"/>"#,
            &[
                "BREAKS M.a: data moved from place 0 to 1",
                "BREAKS M.b: data moved from place 1 to 0",
            ],
        ),
        // Another name and another id at the same place may be anything.
        (
            r#"<field name="a" id="1" type="uint8"/>"#,
            r#"<field name="b" id="2" type="uint8"/>"#,
            &[
                "BREAKS M.a: field removed",
                "BREAKS M.b: field added where `a` was",
            ],
        ),
    ];
    for step in steps {
        verdict("", step);
    }
}

#[test]
fn what_moves_and_what_fills_gaps() {
    let steps: [Step; 8] = [
        (
            r#"<group name="g" id="1"/><group name="h" id="2"/>"#,
            r#"<group name="h" id="2"/><group name="g" id="1"/>"#,
            &[
                "BREAKS M.g: group moved from place 0 to 1",
                "BREAKS M.h: group moved from place 1 to 0",
            ],
        ),
        (
            r#"<field name="a" id="1" type="uint8"/><field name="b" id="2" type="uint32" offset="4"/>"#,
            r#"<field name="a" id="1" type="uint8"/><field name="n" id="3" type="uint16" offset="2" sinceVersion="2"/><field name="b" id="2" type="uint32" offset="4"/>"#,
            &["ok     M.n: field added"],
        ),
        (
            r#"<field name="a" id="1" type="uint8"/><field name="b" id="2" type="uint32" offset="4"/>"#,
            r#"<field name="a" id="1" type="uint8"/><field name="n" id="3" type="uint16" offset="2"/><field name="b" id="2" type="uint32" offset="4"/>"#,
            &["BREAKS M.n: field added without sinceVersion above 1: 0 given"],
        ),
        // One that is new and where an old one was.
        (
            r#"<field name="a" id="1" type="uint32"/><field name="b" id="2" type="uint8"/>"#,
            r#"<field name="n" id="3" type="uint32" sinceVersion="2"/><field name="b" id="2" type="uint8"/>"#,
            &[
                "BREAKS M.a: field removed",
                "BREAKS M.n: field added where `a` was",
            ],
        ),
        (
            r#"<field name="a" id="1" type="uint8"/>"#,
            r#"<field name="a" id="1" type="uint8" sinceVersion="1"/>"#,
            &["ok     M.a: sinceVersion was 0, is 1"],
        ),
        (
            r#"<field name="a" id="1" type="uint8"/>"#,
            r#"<field name="a" id="1" type="uint8" sinceVersion="2"/>"#,
            &["BREAKS M.a: sinceVersion was 0, is 2"],
        ),
        // A group in an entry: an old receiver takes its dimension for the next entry.
        (
            r#"<group name="g" id="1"/>"#,
            r#"<group name="g" id="1"><group name="h" id="2" sinceVersion="2"/></group>"#,
            &[
                "BREAKS M.g: groups or data inside entries: old receivers cannot step over them",
                "ok     M.g.h: group added",
            ],
        ),
        (
            r#"<group name="g" id="1"/><data name="d" id="2" type="text"/>"#,
            r#"<group name="g" id="1"/><group name="h" id="3" sinceVersion="2"/><data name="d" id="2" type="text"/>"#,
            &[
                "ok     M.h: group added",
                "BREAKS M.h: stands before data that old receivers read next",
            ],
        ),
    ];
    for step in steps {
        verdict("", step);
    }
}

#[test]
fn padding_may_be_dropped() {
    let padded = |version, length: usize| {
        let field = r#"<field name="a" id="1" type="uint32"/>"#;
        let message =
            format!(r#"<message name="M" id="1" blockLength="{length}">{field}</message>"#);
        schema(version, "", &message)
    };
    let shrunk: Vec<_> = diff(&padded(1, 8), &padded(2, 4))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shrunk, ["ok     M: block shrank from 8 to 4 bytes"]);
}

/// A template id is on the wire, and a message's name is not.
#[test]
fn messages() {
    let message = |name: &str, id: u32, since: u32| {
        format!(r#"<message name="{name}" id="{id}" sinceVersion="{since}"/>"#)
    };
    let cases: [(&[_], &[_], &[&str]); 6] = [
        (&[("A", 1, 0)], &[("B", 1, 0)], &["ok     A: renamed to B"]),
        (
            &[("A", 1, 0)],
            &[("A", 2, 0)],
            &["BREAKS A: template id was 1, is 2"],
        ),
        (
            &[("A", 1, 0), ("B", 2, 0)],
            &[("B", 1, 0), ("A", 2, 0)],
            &[
                "BREAKS A: template id was 1, is 2",
                "BREAKS B: template id was 2, is 1",
            ],
        ),
        // The old message under another name, and a new one under its old name.
        (
            &[("A", 1, 0)],
            &[("A1", 1, 0), ("A", 2, 2)],
            &["ok     A: renamed to A1", "ok     A: message added"],
        ),
        (
            &[("A", 1, 0)],
            &[("A", 1, 0), ("B", 2, 0)],
            &["ok     B: message added, without sinceVersion above 1"],
        ),
        (
            &[("A", 1, 0), ("B", 2, 0)],
            &[("B", 2, 0)],
            &["BREAKS A: message 1 removed"],
        ),
    ];
    for (was, now, changes) in cases {
        let all = |list: &[(&str, u32, u32)]| -> String {
            list.iter()
                .map(|(name, id, since)| message(name, *id, *since))
                .collect()
        };
        let changed = diff(&schema(1, "", &all(was)), &schema(2, "", &all(now)));
        let found: Vec<_> = changed.iter().map(ToString::to_string).collect();
        assert_eq!(found, changes, "{was:?} -> {now:?}");
    }
}

/// What of a type changed is said once and by member, however many fields are of the type.
#[test]
fn types_by_member() {
    let decimal = |inside: &str| format!(r#"<composite name="D">{inside}</composite>"#);
    let mantissa = r#"<type name="mantissa" primitiveType="int64"/>"#;
    let exponent = r#"<type name="exponent" primitiveType="int8" presence="constant">-9</type>"#;
    let flag = r#"<type name="flag" primitiveType="uint8"/>"#;
    let was = format!("{mantissa}{exponent}{flag}");
    let cases: [(String, &[&str]); 10] = [
        (was.clone(), &[]),
        (
            was.replace("int64", "uint64"),
            &["BREAKS D.mantissa: type was int64, is uint64"],
        ),
        (
            was.replace("-9", "-7"),
            &["BREAKS D.exponent: constant was -9, is -7"],
        ),
        (
            was.replace(
                r#""flag" primitiveType="uint8""#,
                r#""flag" primitiveType="uint8" presence="optional""#,
            ),
            &["BREAKS D.flag: presence was required, is optional"],
        ),
        (
            was.replace(r#""mantissa""#, r#""m""#),
            &["ok     D.mantissa: renamed to m"],
        ),
        (
            was.replace(flag, ""),
            &[
                "BREAKS M: block shrank from 18 to 16 bytes",
                "BREAKS D.flag: member removed",
                "BREAKS M.b: moved from offset 9 to 8",
            ],
        ),
        (
            format!("{was}<type name=\"more\" primitiveType=\"int8\"/>"),
            &[
                "BREAKS D.more: member added: composites do not grow",
                "BREAKS M.b: moved from offset 9 to 10",
            ],
        ),
        (
            format!("{flag}{mantissa}{exponent}"),
            &[
                "BREAKS D.mantissa: moved from offset 0 to 1",
                "BREAKS D.flag: moved from offset 8 to 0",
            ],
        ),
        (
            was.replace(exponent, ""),
            &["BREAKS D.exponent: member removed"],
        ),
        (
            was.replace(r#" presence="constant">-9</type>"#, "/>"),
            &[
                "BREAKS D.exponent: constant on one side only",
                "BREAKS D.flag: moved from offset 8 to 9",
                "BREAKS M.b: moved from offset 9 to 10",
            ],
        ),
    ];
    by_member(&decimal, &was, &cases);
}

/// Changes of a composite `D`, which two fields are of.
fn by_member(decimal: &dyn Fn(&str) -> String, was: &str, cases: &[(String, &[&str])]) {
    let message = r#"<message name="M" id="1"><field name="a" id="1" type="D"/><field name="b" id="2" type="D"/></message>"#;
    let old = schema(1, &decimal(was), message);
    for (now, changes) in cases {
        let found: Vec<_> = diff(&old, &schema(2, &decimal(now), message))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, *changes, "{now}");
    }
}

/// Of a type that no message uses, nothing can be misread.
#[test]
fn types_that_are_not_used() {
    let unused = |kind: &str| {
        let types = format!(
            r#"<enum name="E" encodingType="{kind}"><validValue name="a">1</validValue></enum>"#
        );
        schema(1, &types, r#"<message name="M" id="1"/>"#)
    };
    assert_eq!(diff(&unused("uint8"), &unused("uint16")), []);
}

#[test]
fn headers_and_dimensions_by_member() {
    let message =
        r#"<message name="M" id="1"><group name="g" id="1" dimensionType="size"/></message>"#;
    let size = r#"<composite name="size"><type name="blockLength" primitiveType="uint8"/><type name="numInGroup" primitiveType="uint8"/></composite>"#;
    let old = schema(1, size, message);
    for (now, changes) in [
        (
            size.replace(
                "name=\"numInGroup\" primitiveType=\"uint8\"",
                "name=\"numInGroup\" primitiveType=\"uint16\"",
            ),
            &["BREAKS size.numInGroup: type was uint8, is uint16"][..],
        ),
        (
            size.replace(
                "</composite>",
                "<type name=\"numGroups\" primitiveType=\"uint8\"/></composite>",
            ),
            &["BREAKS size.numGroups: member added: composites do not grow"],
        ),
    ] {
        let found: Vec<_> = diff(&old, &schema(2, &now, message))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, changes);
    }
    // Under another name, it is the same bytes.
    let renamed = schema(
        2,
        &size.replace("\"size\"", "\"other\""),
        &message.replace("\"size\"", "\"other\""),
    );
    let found: Vec<_> = diff(&old, &renamed)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found,
        ["ok     M.g: type was size, is other, with the same bytes"]
    );
}
