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
    assert_eq!(zero, format!(r#"{{"f":"0.{}"}}}}"#, "0".repeat(128)));
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

/// One byte that is not UTF-8 does not lose the message, and no byte of the text either.
#[test]
fn text_that_is_not_utf8_is_escaped() {
    let text = r#"<composite name="text"><type name="length" primitiveType="uint8"/><type name="varData" primitiveType="uint8" length="0" characterEncoding="UTF-8"/></composite>"#;
    let schema = schema(
        text,
        r#"<data name="d" id="1" type="text"/><data name="e" id="2" type="text"/>"#,
    );
    let rest = b"\x07a\\\xff\xc3\xbc\xe2\x82\x02ok";
    assert_eq!(
        dump(&schema, 2, &[], rest),
        r#"{"d":"a\\\\\\xffü\\xe2\\x82","e":"ok"}}"#
    );
    let decoded = decode(&schema, &[&[0, 7, 1, 2][..], rest].concat()).unwrap();
    let mut out = String::new();
    decoded.write_text(&mut out).unwrap();
    assert!(
        out.contains(r#"d: "a\\\xffü\xe2\x82" (not UTF-8)"#),
        "{out}"
    );
    // Valid text is as it is.
    assert_eq!(
        dump(&schema, 2, &[], b"\x02a\\\x00"),
        r#"{"d":"a\\","e":""}}"#
    );
}

/// Types of numbers with an exponent or a unit of time.
fn shown_types() -> String {
    format!(
        r#"{DECIMAL}<composite name="Fixed"><type name="mantissa" primitiveType="int32" presence="optional"/>
<type name="exponent" primitiveType="int8" presence="constant">-4</type></composite>
<type name="stamp" primitiveType="uint64" semanticType="UTCTimestamp"/>
<type name="millis" primitiveType="uint64" semanticType="UTCTimestamp" timeUnit="millisecond"/>
<enum name="Unit" encodingType="uint8"><validValue name="micro">6</validValue></enum>
<composite name="Own"><type name="time" primitiveType="uint32"/><ref name="unit" type="Unit"/></composite>
<type name="day" primitiveType="uint16" semanticType="LocalMktDate"/>"#
    )
}

/// They are shown as what they stand for, and are numbers still.
#[test]
fn decimals_and_times() {
    let types = shown_types();
    let of = |field: &str, block: &[u8]| {
        let field = format!(r#"<field name="f" id="1" {field}/>"#);
        dump(&schema(&types, &field), 2, block, &[])
    };
    let shown = |text: &str| format!(r#"{{"f":{text}}}}}"#);
    // 12345 is 0x3039.
    let cases: [(&str, &[u8], &str); 12] = [
        (
            r#"type="Decimal""#,
            &[0x39, 0x30, 0, 0, 0, 0, 0, 0, 0xfe],
            r#""123.45""#,
        ),
        (r#"type="Fixed""#, &[0x39, 0x30, 0, 0], r#""1.2345""#),
        (r#"type="Fixed""#, &[0xff, 0xff, 0xff, 0xff], r#""-0.0001""#),
        (
            r#"type="Fixed""#,
            &[0, 0, 0, 0x80],
            r#"{"mantissa":null,"exponent":-4}"#,
        ),
        (
            r#"type="Fixed" presence="optional""#,
            &[0, 0, 0, 0x80],
            "null",
        ),
        (
            r#"type="stamp""#,
            &[0x39, 0x30, 0, 0, 0, 0, 0, 0],
            r#""1970-01-01T00:00:00.000012345Z""#,
        ),
        (
            r#"type="stamp" timeUnit="second""#,
            &[0x39, 0x30, 0, 0, 0, 0, 0, 0],
            r#""1970-01-01T03:25:45Z""#,
        ),
        (
            r#"type="millis""#,
            &[0x39, 0x30, 0, 0, 0, 0, 0, 0],
            r#""1970-01-01T00:00:12.345Z""#,
        ),
        (
            r#"type="Own""#,
            &[0x39, 0x30, 0, 0, 6],
            r#""1970-01-01T00:00:00.012345Z""#,
        ),
        // A unit that is none, and a time beyond the years of RFC 3339: as they are.
        (
            r#"type="Own""#,
            &[0x39, 0x30, 0, 0, 5],
            r#"{"time":12345,"unit":5}"#,
        ),
        (
            r#"type="stamp" timeUnit="second""#,
            &[0xff; 8],
            "18446744073709551615",
        ),
        (r#"type="day""#, &[0x46, 0x4d], r#""2024-02-29""#),
    ];
    for (field, block, text) in cases {
        assert_eq!(of(field, block), shown(text), "{field}");
    }
}

#[test]
fn times_without_a_unit_and_numbers_behind_the_text() {
    let types = shown_types();
    let of = |field: &str, block: &[u8]| {
        let field = format!(r#"<field name="f" id="1" {field}/>"#);
        dump(&schema(&types, &field), 2, block, &[])
    };
    // From another epoch, a number is a number.
    let of_epoch = |epoch| {
        let field = format!(r#"type="stamp" epoch="{epoch}""#);
        of(&field, &[1, 0, 0, 0, 0, 0, 0, 0])
    };
    assert!(of_epoch("unix").contains("1970-01-01T00:00:00.000000001Z"));
    assert_eq!(of_epoch("gps"), r#"{"f":1}}"#);
    // A misspelled unit is as good as none.
    assert!(
        of(
            r#"type="uint64" semanticType="UTCTimestamp" timeUnit="nanossecond""#,
            &[0; 8]
        )
        .contains("1970-01-01T00:00:00.000000000Z")
    );
    let schema = schema(
        &types,
        r#"<field name="f" id="1" type="stamp"/><field name="g" id="2" type="Fixed"/>"#,
    );
    let bytes = [&[12, 7, 1, 2][..], &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]].concat();
    let fields = decode(&schema, &bytes).unwrap().fields;
    assert_eq!(fields.field("f").and_then(Value::int), Some(1));
    let mantissa = fields.field("g").and_then(|g| g.field("mantissa"));
    assert_eq!(mantissa.and_then(Value::int), Some(2));
}
