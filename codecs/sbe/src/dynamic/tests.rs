use std::path::Path;

use super::{Value, decode};
use crate::ir::Schema;

/// A schema of version 2 whose message `M` has the id 7; header and dimension are bytes.
fn schema(types: &str, message: &str) -> Schema {
    let text = format!(
        r#"<messageSchema id="1" version="2"><types>
<composite name="messageHeader"><type name="blockLength" primitiveType="uint8"/>
<type name="templateId" primitiveType="uint8"/><type name="schemaId" primitiveType="uint8"/>
<type name="version" primitiveType="uint8"/></composite>
<composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint8"/>
<type name="numInGroup" primitiveType="uint8"/></composite>{types}</types>
<message name="M" id="7">{message}</message></messageSchema>"#
    );
    Schema::parse(&text, Path::new("s.xml"), None).unwrap()
}

/// The values of a message of `version`, by name, as JSON; or why it is refused.
fn dump(schema: &Schema, version: u8, block: &[u8], rest: &[u8]) -> String {
    let header = [block.len() as u8, 7, 1, version];
    match decode(schema, &[&header, block, rest].concat()) {
        Ok(message) => {
            let mut json = String::new();
            message.write_json(&mut json).unwrap();
            json.split_once("\"fields\":").unwrap().1.to_owned()
        }
        Err(error) => error.to_string(),
    }
}

const DECIMAL: &str = r#"<composite name="Decimal"><type name="mantissa" primitiveType="int64"/>
<type name="exponent" primitiveType="int8"/></composite>"#;

#[test]
fn composites_are_null_by_their_first_member() {
    let types = format!(
        r#"{DECIMAL}<composite name="Quote"><type name="kind" primitiveType="int8" presence="constant">1</type>
<ref name="price" type="Decimal"/></composite>
<composite name="Own"><type name="a" primitiveType="uint8" nullValue="5"/></composite>
<composite name="Text"><type name="a" primitiveType="char" length="2"/><type name="b" primitiveType="int8"/></composite>
<set name="Set" encodingType="uint8"/><composite name="Bits"><ref name="a" type="Set"/></composite>"#
    );
    let of = |kind: &str, block: &[u8]| {
        let field = format!(r#"<field name="f" id="1" type="{kind}" presence="optional"/>"#);
        dump(&schema(&types, &field), 2, block, &[])
    };
    let null = r#"{"f":null}}"#;
    let least = [0, 0, 0, 0, 0, 0, 0, 0x80, 0x80];
    assert_eq!(of("Decimal", &least), null);
    assert_eq!(of("Quote", &least), null);
    let zero = of("Decimal", &[0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    assert_eq!(zero, r#"{"f":{"mantissa":0,"exponent":-128}}}"#);
    assert_eq!(of("Own", &[5]), null);
    assert_eq!(of("Own", &[255]), r#"{"f":{"a":255}}}"#);
    assert_eq!(of("Text", &[0, 0, 1]), null);
    assert_eq!(of("Bits", &[255]), r#"{"f":{"a":[]}}}"#);
}

/// `nullValue` counts on the field and on its type, whatever the presence of the type.
#[test]
fn null_values_stand_on_fields_and_on_types() {
    let types = r#"<type name="Opt" primitiveType="uint8" presence="optional"/>
<type name="Zero" primitiveType="uint8" nullValue="0"/>
<enum name="Side" encodingType="Zero"><validValue name="Bid">1</validValue></enum>
<type name="Tenth" primitiveType="float" presence="optional" nullValue="0.1"/>"#;
    let tenth = 0.1f32.to_le_bytes();
    let cases: [(&str, &[u8], &[u8]); 7] = [
        (r#"type="Opt""#, &[255], &[7]),
        (r#"type="Opt" nullValue="7""#, &[7], &[255]),
        (r#"type="Zero" presence="optional""#, &[0], &[255]),
        (
            r#"type="Zero" presence="optional" nullValue="9""#,
            &[9],
            &[0],
        ),
        (r#"type="Side" presence="optional""#, &[0], &[1]),
        (
            r#"type="Side" presence="optional" nullValue="3""#,
            &[3],
            &[0],
        ),
        (r#"type="Tenth""#, &tenth, &[0; 4]),
    ];
    for (field, null, value) in cases {
        let schema = schema(types, &format!(r#"<field name="f" id="1" {field}/>"#));
        assert_eq!(dump(&schema, 2, null, &[]), r#"{"f":null}}"#, "{field}");
        assert_ne!(dump(&schema, 2, value, &[]), r#"{"f":null}}"#, "{field}");
    }
    let required = schema(types, r#"<field name="f" id="1" type="Zero"/>"#);
    assert_eq!(dump(&required, 2, &[0], &[]), r#"{"f":0}}"#);
}

/// A field without `sinceVersion` behind one that has it is there where the block reaches it.
#[test]
fn fields_behind_added_ones() {
    let message = r#"<field name="a" id="1" type="uint8"/><field name="b" id="2" type="uint8" sinceVersion="1"/>
<field name="c" id="3" type="uint8"/><field name="unit" id="4" type="Unit"/>"#;
    let unit = r#"<composite name="Unit"><type name="s" primitiveType="int8" presence="constant">-2</type></composite>"#;
    let schema = schema(unit, message);
    let unit = r#""unit":{"s":-2}}}"#;
    for (version, block, fields) in [
        (0, &[1][..], r#"{"a":1,"b":null,"c":null,"#),
        (0, &[1, 2, 3], r#"{"a":1,"b":null,"c":3,"#),
        (2, &[1, 2], r#"{"a":1,"b":2,"c":null,"#),
        (2, &[1, 2, 3], r#"{"a":1,"b":2,"c":3,"#),
    ] {
        assert_eq!(
            dump(&schema, version, block, &[]),
            format!("{fields}{unit}")
        );
    }
    let none = dump(&schema, 0, &[], &[]);
    assert_eq!(none, "byte 4: M.a: ends behind its block of 0 bytes");
}

/// Lengths and counts are numbers, whatever else their types say.
#[test]
fn lengths_and_counts_are_never_null() {
    let text = r#"<messageSchema id="255" version="255"><types>
<type name="n" primitiveType="uint8" presence="optional"/>
<composite name="messageHeader"><ref name="blockLength" type="n"/><ref name="templateId" type="n"/>
<ref name="schemaId" type="n"/><ref name="version" type="n"/></composite>
<composite name="groupSizeEncoding"><ref name="blockLength" type="n"/><ref name="numInGroup" type="n"/></composite>
</types><message name="M" id="255"><field name="f" id="1" type="uint8"/>
<group name="g" id="2"><field name="e" id="1" type="uint8"/></group></message></messageSchema>"#;
    let schema = Schema::parse(text, Path::new("s.xml"), None).unwrap();
    let bytes = [&[255; 4][..], &[1; 255], &[1, 255], &[2; 255]].concat();
    let message = decode(&schema, &bytes).unwrap();
    assert_eq!(
        (message.template_id, message.schema_id, message.version),
        (255, 255, 255)
    );
    let group = message.fields.field("g").map(Value::entries);
    assert_eq!(group.map(<[_]>::len), Some(255));
}

/// Entries without bytes may have any number of constants: it is values that are bounded.
#[test]
fn values_without_bytes_are_bounded() {
    let types = r#"<type name="k" primitiveType="int8" presence="constant">1</type>
<composite name="wide"><type name="blockLength" primitiveType="uint8"/><type name="numInGroup" primitiveType="uint32"/></composite>"#;
    let constants = |n: usize| -> String {
        (0..n)
            .map(|i| format!(r#"<field name="k{i}" id="{i}" type="k"/>"#))
            .collect()
    };
    let group = |n| {
        format!(
            r#"<group name="g" id="1" dimensionType="wide">{}</group>"#,
            constants(n)
        )
    };
    let few = schema(types, &group(1));
    let many = schema(types, &group(100));
    let count = |n: u32| [&[0], &n.to_le_bytes()[..]].concat();
    assert!(dump(&few, 2, &[], &count(1000)).starts_with(r#"{"g":[{"k0":1},"#));
    assert!(dump(&many, 2, &[], &count(1000)).starts_with(r#"{"g":[{"k0":1,"k1":1,"#));
    let refused = dump(&many, 2, &[], &count(1 << 17));
    assert!(refused.contains("values"), "{}", refused.len());
}

/// Only a sender of a newer version may have parts that are not known.
#[test]
fn bytes_behind_the_last_part() {
    let schema = schema("", r#"<field name="f" id="1" type="uint8"/>"#);
    assert_eq!(dump(&schema, 3, &[1], &[9, 9]), r#"{"f":1},"trailing":2}"#);
    for version in 0..3 {
        assert_eq!(
            dump(&schema, version, &[1], &[9, 9]),
            format!("byte 5: M: 2 bytes follow a message of version {version}")
        );
    }
}
