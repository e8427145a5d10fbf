use std::path::Path;

use super::diff;
use crate::ir::Schema;

const OLD: &str = r#"<messageSchema id="1" version="1">
<types><composite name="messageHeader"><type name="blockLength" primitiveType="uint16"/>
<type name="templateId" primitiveType="uint16"/><type name="schemaId" primitiveType="uint16"/>
<type name="version" primitiveType="uint16"/></composite>
<composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint16"/>
<type name="numInGroup" primitiveType="uint16"/></composite>
<composite name="text"><type name="length" primitiveType="uint8"/>
<type name="varData" primitiveType="uint8" length="0" characterEncoding="UTF-8"/></composite>
<type name="Cents" primitiveType="int64"/>
<enum name="Side" encodingType="uint8"><validValue name="Bid">0</validValue></enum>
<set name="Flags" encodingType="uint8"><choice name="last">0</choice></set>
</types>
<message name="Quote" id="1"><field name="time" id="1" type="uint64"/>
<field name="price" id="2" type="Cents"/><field name="side" id="3" type="Side"/>
<field name="flags" id="7" type="Flags"/>
<group name="levels" id="4"><field name="size" id="1" type="uint32"/></group>
<data name="symbol" id="5" type="text"/><data name="memo" id="6" type="text"/></message>
</messageSchema>"#;

fn parse(text: &str) -> Schema {
    Schema::parse(text, Path::new("s.xml"), None).unwrap()
}

/// Changes after replacing `from` by `to`, as the command prints them.
fn changes(replacements: &[(&str, &str)]) -> Vec<String> {
    let mut text = OLD.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    diff(&parse(OLD), &parse(&text))
        .iter()
        .map(ToString::to_string)
        .collect()
}

const VERSION_2: (&str, &str) = ("version=\"1\"", "version=\"2\"");

#[test]
fn what_may_be_appended() {
    let cases: [(&str, &str, &str); 6] = [
        (
            "<group",
            r#"<field name="late" id="9" type="int8" sinceVersion="2"/><group"#,
            "Quote.late: field added",
        ),
        (
            "</message>",
            r#"<data name="more" id="9" type="text" sinceVersion="2"/></message>"#,
            "Quote.more: data added",
        ),
        (
            "</messageSchema>",
            r#"<message name="New" id="2" sinceVersion="2"/></messageSchema>"#,
            "New: message added",
        ),
        (
            "</enum>",
            r#"<validValue name="Ask" sinceVersion="2">1</validValue></enum>"#,
            "Side.Ask: value added",
        ),
        (
            "</set>",
            r#"<choice name="first" sinceVersion="2">1</choice></set>"#,
            "Flags.first: choice added",
        ),
        (
            r#"type="uint32"/></group>"#,
            r#"type="uint32"/><field name="n" id="2" type="int8" sinceVersion="2"/></group>"#,
            "Quote.levels.n: field added",
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(
            changes(&[VERSION_2, (from, to)]),
            [format!("ok     {expected}")]
        );
    }
    assert!(changes(&[]).is_empty());
    assert!(changes(&[("name=\"Quote\"", "name=\"Quote\" description=\"new words\"")]).is_empty());
    assert_eq!(
        changes(&[("name=\"price\"", "name=\"px\"")]),
        ["ok     Quote.price: renamed to px"]
    );
}

#[test]
fn what_breaks() {
    let cases: [(&str, &str, &str); 21] = [
        (
            "<messageSchema id=\"1\"",
            "<messageSchema id=\"2\"",
            "schema: id was 1, is 2",
        ),
        (
            "version=\"1\"",
            "version=\"0\"",
            "schema: version went back from 1 to 0",
        ),
        (
            "version=\"1\"",
            "version=\"1\" byteOrder=\"bigEndian\"",
            "schema: byte order changed",
        ),
        (
            r#"<field name="time" id="1" type="uint64"/>"#,
            "",
            "Quote.time: field removed",
        ),
        (
            r#"id="1" type="uint64""#,
            r#"id="1" type="uint32""#,
            "Quote.time: type was uint64, is uint32",
        ),
        (
            r#"id="1" type="uint64""#,
            r#"id="1" type="int64""#,
            "Quote.time: type was uint64, is int64",
        ),
        (
            r#"type="Side"/>"#,
            r#"type="Side" offset="20"/>"#,
            "Quote.side: moved from offset 16 to 20",
        ),
        (
            r#"type="Cents"/>"#,
            r#"type="Cents" presence="optional"/>"#,
            "Quote.price: presence was required, is optional",
        ),
        (
            r#"type="Side"/>"#,
            r#"type="Side" presence="constant" valueRef="Side.Bid"/>"#,
            "Quote.side: constant on one side only",
        ),
        (
            "<group",
            r#"<field name="late" id="9" type="int8"/><group"#,
            "Quote.late: field added without sinceVersion above 1: 0 given",
        ),
        (
            "<field name=\"time\"",
            r#"<field name="early" id="9" type="int8"/><field name="time""#,
            "Quote.early: field added where `time` was",
        ),
        (
            "<group",
            r#"<group name="new" id="9"><field name="x" id="1" type="int8"/></group><group"#,
            "Quote.levels: group moved from place 0 to 1",
        ),
        (
            "<data name=\"symbol\"",
            r#"<group name="new" id="9"/><data name="symbol""#,
            "Quote.new: stands before data that old receivers read next",
        ),
        (
            r#"<data name="symbol" id="5" type="text"/>"#,
            "",
            "Quote.symbol: data removed",
        ),
        (
            r#"<data name="symbol" id="5" type="text"/><data name="memo" id="6" type="text"/>"#,
            r#"<data name="memo" id="6" type="text"/><data name="symbol" id="5" type="text"/>"#,
            "Quote.symbol: data moved from place 0 to 1",
        ),
        (
            r#"<type name="length" primitiveType="uint8"/>"#,
            r#"<type name="length" primitiveType="uint16"/>"#,
            "Quote.symbol: length was uint8, is uint16",
        ),
        (
            " characterEncoding=\"UTF-8\"",
            "",
            "Quote.symbol: character encoding changed",
        ),
        (
            r#"<validValue name="Bid">0"#,
            r#"<validValue name="Bid">1"#,
            "Side.Bid: value was 0, is 1",
        ),
        (
            r#"<validValue name="Bid">0</validValue>"#,
            "",
            "Side.Bid: value 0 removed",
        ),
        (
            r#"<choice name="last">0"#,
            r#"<choice name="last">3"#,
            "Flags.last: bit was 0, is 3",
        ),
        (
            r#"<type name="numInGroup" primitiveType="uint16"/>"#,
            r#"<type name="numInGroup" primitiveType="uint32"/>"#,
            "groupSizeEncoding.numInGroup: type was uint16, is uint32",
        ),
    ];
    for (from, to, expected) in cases {
        let found = changes(&[(from, to)]);
        assert!(
            found.contains(&format!("BREAKS {expected}")),
            "{expected}\n{found:#?}"
        );
    }
    let message = OLD.split("<message ").nth(1).unwrap();
    let message = format!(
        "<message {}</message>",
        message.split("</message>").next().unwrap()
    );
    let other = r#"<message name="Other" id="9" sinceVersion="2"/>"#;
    assert_eq!(
        changes(&[VERSION_2, (&message, other)]),
        [
            "BREAKS Quote: message 1 removed",
            "ok     Other: message added"
        ]
    );
    let same_version = changes(&[(
        "</messageSchema>",
        "<message name=\"New\" id=\"2\"/></messageSchema>",
    )]);
    assert_eq!(
        same_version,
        [
            "ok     New: message added, without sinceVersion above 1",
            "ok     schema: something was added, but the version is still 1"
        ]
    );
}

/// The standard wants ids that differ within a message; schemas in use do not all keep to it.
#[test]
fn a_schema_with_ids_given_twice_does_not_differ_from_itself() {
    let twice = OLD
        .replace("name=\"price\" id=\"2\"", "name=\"price\" id=\"1\"")
        .replace("name=\"memo\" id=\"6\"", "name=\"memo\" id=\"5\"")
        .replace("</group>", "</group><group name=\"more\" id=\"4\"/>");
    assert_ne!(twice, OLD);
    let schema = parse(&twice);
    assert_eq!(diff(&schema, &schema), []);
}

/// Constants are what they stand for, not the place of their value in its enum.
#[test]
fn constants_are_compared_by_value() {
    let (bid, ask) = (
        r#"<validValue name="Bid">0</validValue>"#,
        r#"<validValue name="Ask">1</validValue>"#,
    );
    let field =
        r#"<field name="fixed" id="9" type="Side" presence="constant" valueRef="Side.Bid"/><group"#;
    let old = parse(
        &OLD.replace("<group", field)
            .replace(bid, &format!("{bid}{ask}")),
    );
    let other = field.replace("Side.Bid", "Side.Ask");
    let swapped = OLD.replace(bid, &format!("{ask}{bid}"));
    let same = parse(&swapped.replace("<group", field));
    assert_eq!(diff(&old, &same), []);
    let changed = parse(&swapped.replace("<group", &other));
    let changed: Vec<_> = diff(&old, &changed)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(changed, ["BREAKS Quote.fixed: constant was 0, is 1"]);
    let in_front = r#"<validValue name="Any" sinceVersion="2">7</validValue>"#;
    let in_front = swapped
        .replace(ask, &format!("{in_front}{ask}"))
        .replace("version=\"1\"", "version=\"2\"");
    let in_front = diff(&old, &parse(&in_front.replace("<group", field)));
    let in_front: Vec<_> = in_front.iter().map(ToString::to_string).collect();
    assert_eq!(in_front, ["ok     Side.Any: value added"]);
}

/// Changes between two schemas made of [`OLD`] by replacing.
fn between(old: &[(&str, &str)], new: &[(&str, &str)]) -> Vec<String> {
    let replaced = |list: &[(&str, &str)]| {
        list.iter().fold(OLD.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    };
    let changes = diff(&parse(&replaced(old)), &parse(&replaced(new)));
    changes.iter().map(ToString::to_string).collect()
}

/// Another enum in a field's place has to mean the same by the same bytes.
#[test]
fn another_enum_is_compared_by_its_values() {
    let side = |values: &str, encoding: &str| {
        let way = format!(r#"<enum name="Way" encodingType="{encoding}">{values}</enum><set"#);
        let field = (r#"type="Side""#, r#"type="Way""#);
        between(&[], &[VERSION_2, ("<set", way.as_str()), field])
    };
    let bid = r#"<validValue name="Bid">0</validValue>"#;
    let same = ["ok     Quote.side: type was Side, is Way, with the same bytes"];
    assert_eq!(side(bid, "uint8"), same);
    let later = r#"<validValue name="Ask" sinceVersion="2">1</validValue>"#;
    assert_eq!(
        side(&format!("{bid}{later}"), "uint8"),
        ["ok     Way.Ask: value added", same[0]]
    );
    let type_is = "ok     Quote.side: type was Side, is Way";
    let sooner = later.replace(r#" sinceVersion="2""#, "");
    let cases = [
        (
            bid.to_owned(),
            "int8",
            "BREAKS Way: encoding was uint8, is int8",
        ),
        (
            bid.replace('0', "1"),
            "uint8",
            "BREAKS Way.Bid: value was 0, is 1",
        ),
        (String::new(), "uint8", "BREAKS Way.Bid: value 0 removed"),
        (
            later.replace('1', "0"),
            "uint8",
            "BREAKS Way.Bid: value 0 removed, and given to Ask",
        ),
    ];
    for (values, encoding, change) in cases {
        assert_eq!(side(&values, encoding), [change, type_is], "{values}");
    }
    assert_eq!(
        side(&bid.replace("Bid", "Ask"), "uint8"),
        ["ok     Way.Bid: renamed to Ask", same[0]]
    );
    assert_eq!(
        side(&format!("{bid}{sooner}"), "uint8"),
        [
            "ok     Way.Ask: value added, without sinceVersion above 1",
            same[0]
        ]
    );
}

/// A number may get names, or lose them.
#[test]
fn an_enum_or_set_is_as_good_as_its_number() {
    let cents = r#"type="Cents"/>"#;
    for named in ["Side", "Flags"] {
        let named = format!(r#"type="{named}"/>"#);
        for (number, same) in [("uint8", true), ("int8", false)] {
            let number = format!(r#"type="{number}"/>"#);
            let (named, number) = ((cents, named.as_str()), (cents, number.as_str()));
            for changes in [between(&[named], &[number]), between(&[number], &[named])] {
                assert_eq!(changes.len(), 1, "{changes:?}");
                let ok = changes[0].starts_with("ok") && changes[0].ends_with("same bytes");
                assert_eq!(ok, same, "{changes:?}");
            }
        }
    }
}

#[test]
fn another_set_is_compared_by_its_bits() {
    let (cents, flags) = (r#"type="Cents"/>"#, r#"type="Flags"/>"#);
    let bits = |bit: u8| {
        let bits = format!(
            r#"<set name="Bits" encodingType="uint8"><choice name="last">{bit}</choice></set></types>"#
        );
        let new = [("</types>", bits.as_str()), (cents, r#"type="Bits"/>"#)];
        between(&[(cents, flags)], &new)
    };
    assert_eq!(
        bits(0),
        ["ok     Quote.price: type was Flags, is Bits, with the same bytes"]
    );
    assert_eq!(
        bits(1),
        [
            "BREAKS Bits.last: bit was 0, is 1",
            "ok     Quote.price: type was Flags, is Bits"
        ]
    );
}

#[test]
fn members_of_composites_are_compared_too() {
    let composite = |name: &str, value: u8| {
        let inside = format!(
            r#"<type name="n" primitiveType="uint8"/><enum name="{name}" encodingType="uint8"><validValue name="a">{value}</validValue></enum>"#
        );
        format!(
            r#"{inside}<composite name="C"><ref name="m" type="{name}"/><type name="k" primitiveType="uint8" presence="constant">{value}</type></composite></types>"#
        )
    };
    let of = |name, value| {
        let (old, new) = (composite("E", 0), composite(name, value));
        let field = (r#"type="Cents"/>"#, r#"type="C"/>"#);
        between(
            &[("</types>", old.as_str()), field],
            &[("</types>", new.as_str()), field],
        )
    };
    assert_eq!(of("E", 0), [""; 0]);
    assert_eq!(
        of("F", 0),
        ["ok     C.m: type was E, is F, with the same bytes"]
    );
    let constant = "BREAKS C.k: constant was 0, is 1";
    assert_eq!(
        of("F", 1),
        [
            "BREAKS F.a: value was 0, is 1",
            "ok     C.m: type was E, is F",
            constant
        ]
    );
    assert_eq!(of("E", 1), ["BREAKS E.a: value was 0, is 1", constant]);
}

#[test]
fn a_new_part_that_repeats_an_old_id_is_new() {
    let cases = [
        (
            "</group>",
            r#"</group><group name="more" id="4"/>"#,
            "Quote.more: group added without sinceVersion above 1: 0 given",
        ),
        (
            "</message>",
            r#"<data name="more" id="6" type="text"/></message>"#,
            "Quote.more: data added without sinceVersion above 1: 0 given",
        ),
        (
            "<group",
            r#"<field name="more" id="3" type="int8"/><group"#,
            "Quote.more: field added without sinceVersion above 1: 0 given",
        ),
    ];
    for (from, to, expected) in cases {
        let found = changes(&[(from, to)]);
        assert!(found.contains(&format!("BREAKS {expected}")), "{found:#?}");
    }
}
