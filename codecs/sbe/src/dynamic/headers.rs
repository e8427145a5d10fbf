//! Tests of headers and dimensions with members of every kind, and of counts.

use std::path::Path;

use super::{decode, decode_first};
use crate::ir::Schema;

/// The order, widths and kinds are none of the usual: the layout's members are the second, third, fifth
/// and last of the header, and the second and last of the dimension.
const OTHERS: &str = r#"<enum name="E" encodingType="uint8"><validValue name="go">1</validValue></enum>
<set name="S" encodingType="uint8"><choice name="last">1</choice></set>
<composite name="Stamp"><type name="time" primitiveType="uint64"/><type name="unit" primitiveType="uint8" presence="constant">9</type></composite>
<composite name="messageHeader">
<ref name="kind" type="E"/><type name="version" primitiveType="uint32"/><type name="schemaId" primitiveType="uint8"/>
<composite name="at"><ref name="sent" type="Stamp"/><type name="pad" primitiveType="uint8" length="2"/></composite>
<type name="blockLength" primitiveType="uint8" offset="20"/><type name="tag" primitiveType="char" length="3"/>
<type name="sequence" primitiveType="uint16" presence="optional" nullValue="7"/><ref name="flags" type="S"/>
<type name="protocol" primitiveType="uint8" presence="constant">5</type><type name="templateId" primitiveType="uint16"/></composite>
<composite name="groupSizeEncoding"><ref name="kind" type="E"/><type name="numInGroup" primitiveType="uint8"/>
<type name="fixed" primitiveType="int8" presence="constant">-2</type><type name="mask" primitiveType="uint8" length="2"/>
<type name="blockLength" primitiveType="uint16"/></composite>"#;

fn parse(order: &str, types: &str, message: &str) -> Schema {
    let text = format!(
        r#"<messageSchema id="1" version="1" byteOrder="{order}"><types>{types}
<composite name="text"><type name="length" primitiveType="uint8"/><type name="varData" primitiveType="uint8" length="0" characterEncoding="UTF-8"/></composite>
</types><message name="M" id="515">{message}</message></messageSchema>"#
    );
    Schema::parse(&text, Path::new("s.xml"), None).unwrap()
}

/// In both byte orders; each number byte by byte.
#[test]
fn members_of_every_kind_are_shown() {
    let message = r#"<field name="f" id="1" type="uint8"/><group name="g" id="2"><field name="e" id="1" type="uint8"/></group>"#;
    let json = r#"{"template":515,"schema":1,"version":1,"name":"M","header":{"kind":"go","at":{"sent":"1970-01-01T00:00:01.000000000Z","pad":[8,9]},"tag":"ab","sequence":null,"flags":["last"],"protocol":5},"fields":{"f":42,"g":{"dimension":{"kind":"go","fixed":-2,"mask":[3,4]},"entries":[{"e":50},{"e":51}]}}}"#;
    // 1,000,000,000 is 0x3b9aca00; 515 is 0x0203; 7 is the null value of the sequence.
    let little: [&[u8]; 4] = [
        &[
            1, 1, 0, 0, 0, 1, 0, 0xca, 0x9a, 0x3b, 0, 0, 0, 0, 8, 9, 0xee, 0xee, 0xee, 0xee,
        ],
        &[1, b'a', b'b', 0, 7, 0, 2, 3, 2],
        &[42],
        &[1, 2, 3, 4, 1, 0, 50, 51],
    ];
    let big: [&[u8]; 4] = [
        &[
            1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0x3b, 0x9a, 0xca, 0, 8, 9, 0xee, 0xee, 0xee, 0xee,
        ],
        &[1, b'a', b'b', 0, 0, 7, 2, 2, 3],
        &[42],
        &[1, 2, 3, 4, 0, 1, 50, 51],
    ];
    for (order, parts) in [("littleEndian", little), ("bigEndian", big)] {
        let schema = parse(order, OTHERS, message);
        let bytes = parts.concat();
        let decoded = decode(&schema, &bytes).unwrap();
        let mut out = String::new();
        decoded.write_json(&mut out).unwrap();
        assert_eq!(out, json, "{order}");
        let mut text = String::new();
        decoded.write_text(&mut text).unwrap();
        let expected = "\
M (template 515, schema 1, version 1)
  (header)
    kind: go (1)
    at:
      sent: 1970-01-01T00:00:01.000000000Z
      pad: [8,9]
    tag: \"ab\"
    sequence: -
    flags: 0x2 last
    protocol: 5
  f: 42
  g: 2 entries
    [0]
      e: 50
    [1]
      e: 51
    (dimension)
      kind: go (1)
      fixed: -2
      mask: [3,4]
";
        assert_eq!(text, expected);
        for len in 0..bytes.len() {
            let error = decode_first(&schema, &bytes[..len]).unwrap_err();
            assert!(error.is_short, "cut to {len}: {error}");
        }
        let header = schema.read_header(&bytes).unwrap();
        assert_eq!(
            (
                header.block_length,
                header.template_id,
                header.schema_id,
                header.version
            ),
            (1, 515, 1, 1)
        );
        assert_eq!(schema.read_header(&bytes[..28]), None);
    }
}

/// As Deribit has them: both counts in the header and in every dimension.
const COUNTED: &str = r#"<composite name="messageHeader"><type name="blockLength" primitiveType="uint8"/><type name="templateId" primitiveType="uint16"/>
<type name="schemaId" primitiveType="uint8"/><type name="version" primitiveType="uint8"/>
<type name="numGroups" primitiveType="uint8"/><type name="numVarDataFields" primitiveType="uint8"/></composite>
<composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint8"/><type name="numInGroup" primitiveType="uint8"/>
<type name="numGroups" primitiveType="uint8"/><type name="numVarDataFields" primitiveType="uint8"/></composite>"#;
const MESSAGE: &str = r#"<field name="f" id="1" type="uint8"/><group name="g" id="2"><field name="e" id="1" type="uint8"/><data name="n" id="5" type="text"/></group><data name="d" id="3" type="text"/>"#;

/// The fields of a message of `version`, with these counts in the header, as JSON; or the error.
fn counted(types: &str, version: u8, [groups, data]: [u8; 2], rest: &[u8]) -> String {
    let header = [1, 3, 2, 1, version, groups, data, 42];
    match decode_first(
        &parse("littleEndian", types, MESSAGE),
        &[&header, rest].concat(),
    ) {
        Ok(decoded) => {
            let mut json = String::new();
            decoded.write_json(&mut json).unwrap();
            json.split_once(r#""fields":"#).unwrap().1.to_owned()
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn counts_of_a_newer_sender_allow_skipping() {
    // One entry of `g`, with its data; the counts of an entry are 0 and 1.
    let group: &[u8] = &[1, 1, 0, 1, 7, 2, b'h', b'i'];
    let data: &[u8] = &[1, b'x'];
    let known = |group: &str| {
        format!(
            r#"{{"f":42,"g":{{"dimension":{group},"entries":[{{"e":7,"n":"hi"}}]}},"d":"x"}}}}"#
        )
    };
    let plain = known(r#"{"numGroups":0,"numVarDataFields":1}"#);
    assert_eq!(counted(COUNTED, 1, [1, 1], &[group, data].concat()), plain);
    // A second group of the newer sender, whose entries have a group and data of their own.
    let inner: &[u8] = &[2, 1, 0, 0, 9, 9];
    let newer = [
        &[3, 2, 1, 1][..],
        &[5; 3],
        inner,
        &[0],
        &[6; 3],
        inner,
        &[2, 8, 8],
    ]
    .concat();
    let more_data: &[u8] = &[3, 1, 2, 3];
    let message = [group, &newer, data, more_data].concat();
    assert_eq!(counted(COUNTED, 2, [2, 2], &message), plain);
    // In the entries of a known group: one group and one data more.
    let entry = [&[1, 1, 1, 2, 7][..], inner, &[2, b'h', b'i', 1, 9], data].concat();
    let inside = known(r#"{"numGroups":1,"numVarDataFields":2}"#);
    // The known data of an entry stand behind all its groups.
    assert_eq!(counted(COUNTED, 2, [1, 1], &entry), inside);
    // In messages of a known version they are not relied on, and the null value is no number.
    for counts in [[0, 0], [9, 9], [255, 255]] {
        assert_eq!(
            counted(COUNTED, 1, counts, &[group, data].concat()),
            plain,
            "{counts:?}"
        );
    }
    assert_eq!(
        counted(COUNTED, 2, [255, 255], &[group, data].concat()),
        plain
    );
    assert_eq!(counted(COUNTED, 2, [0, 0], &[group, data].concat()), plain);
    // What is not there cannot be stepped over.
    let cut = counted(COUNTED, 2, [2, 1], group);
    assert_eq!(
        cut,
        "byte 16: M.a group that the schema does not know: 4 bytes needed, 0 available"
    );
    // Of two dimensions it cannot be told which a new group has.
    let two = format!(
        r#"{COUNTED}<composite name="other"><type name="blockLength" primitiveType="uint8"/><type name="numInGroup" primitiveType="uint8"/></composite>"#
    );
    let both = parse(
        "littleEndian",
        &two,
        &MESSAGE.replace(
            "<data name=\"d\"",
            "<group name=\"h\" id=\"4\" dimensionType=\"other\"/><data name=\"d\"",
        ),
    );
    let bytes = [&[1, 3, 2, 1, 2, 3, 1, 42][..], group, &[0, 0], data].concat();
    let error = decode_first(&both, &bytes).unwrap_err().to_string();
    assert_eq!(
        error,
        "byte 18: M.a group that the schema does not know: has an unknown dimension: the schema has none or several"
    );
}

/// Groups in groups of the newer sender, and as many as the numbers can say.
#[test]
fn skipped_groups_are_bounded() {
    let deep = [0, 1, 1, 0].repeat(1000);
    let error = counted(COUNTED, 2, [2, 1], &[&[0, 0, 0, 0][..], &deep].concat());
    assert!(error.ends_with("is nested more than 16 deep"), "{error}");
    let wide = COUNTED.replace(
        r#""numInGroup" primitiveType="uint8""#,
        r#""numInGroup" primitiveType="uint32""#,
    );
    let many = [0, 255, 255, 255, 255, 0, 0];
    let error = counted(&wide, 2, [2, 1], &[&[0; 7][..], &many].concat());
    assert!(error.contains("more than 4194304 values"), "{error}");
}
