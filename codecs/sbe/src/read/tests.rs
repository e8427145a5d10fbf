//! Broken schemas: each fault with its line, its column and what was expected.

use std::path::Path;

use crate::ir::{Kind, Literal, Presence, Prim, Schema};

/// A schema of one line each: `types` is line 8, `message` line 10.
pub(super) fn schema(types: &str, message: &str) -> String {
    let message = match message {
        "" => r#"<message name="any" id="1"/>"#,
        message => message,
    };
    format!(
        r#"<messageSchema id="1" version="2">
<types><composite name="messageHeader"><type name="blockLength" primitiveType="uint16"/>
<type name="templateId" primitiveType="uint16"/><type name="schemaId" primitiveType="uint16"/>
<type name="version" primitiveType="uint16"/></composite>
<composite name="groupSizeEncoding"><type name="blockLength" primitiveType="uint16"/>
<type name="numInGroup" primitiveType="uint16"/></composite>
<enum name="Side" encodingType="uint8"><validValue name="Bid">0</validValue></enum>
{types}
</types>
{message}
</messageSchema>"#
    )
}

pub(super) fn parse(text: &str) -> Result<Schema, String> {
    Schema::parse(text, Path::new("s.xml"), None).map_err(|e| e.to_string())
}

#[test]
fn faults_in_types() {
    let cases = [
        (
            r#"<type primitiveType="int8"/>"#,
            "1: <type> has no attribute `name`; expected `name=\"...\"`",
        ),
        (
            r#"<type name="a"/>"#,
            "1: <type> has no attribute `primitiveType`; expected `primitiveType=\"...\"`",
        ),
        (
            r#"<type name="a" primitiveType="int7"/>"#,
            "16: unknown primitive type `int7`; expected one of char, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float, double",
        ),
        (
            r#"<type name="a" primitiveType="int8" length="x"/>"#,
            "37: `length=\"x\"` on <type>; expected a whole number from 0 to 65536",
        ),
        (
            r#"<type name="a" primitiveType="int8" length="0"/>"#,
            "1: `length=\"0\"` outside of variable data; expected a length of at least 1",
        ),
        (
            r#"<type name="a" primitiveType="int8" presence="maybe"/>"#,
            "37: `presence=\"maybe\"` on <type>; expected `required`, `optional` or `constant`",
        ),
        (
            r#"<type name="a" primitiveType="int8" presence="optional" nullValue="200"/>"#,
            "57: `nullValue` is `200`; expected a whole number from -128 to 127 (int8)",
        ),
        (
            r#"<type name="a" primitiveType="char" length="2" nullValue=" "/>"#,
            "48: `nullValue` on <type> of another type; expected `nullValue` on a number, a character or an enum alone",
        ),
        (
            r#"<set name="a" encodingType="uint8" nullValue="1"/>"#,
            "36: `nullValue` on <set> of another type; expected `nullValue` on a number, a character or an enum alone",
        ),
        (
            r#"<type name="a" primitiveType="int8" presence="constant" nullValue="1">1</type>"#,
            "57: `nullValue` on <type>, which is not optional; expected `presence=\"optional\"` beside it",
        ),
        (
            r#"<type name="a" primitiveType="float" presence="optional" nullValue="1e39"/>"#,
            "58: `nullValue` is `1e39`; expected a number of at most 3.4028235e38 (float)",
        ),
        (
            r#"<type name="a" primitiveType="float" presence="constant">-3.5e38</type>"#,
            "1: the constant is `-3.5e38`; expected a number of at most 3.4028235e38 (float)",
        ),
        (
            r#"<type name="a" primitiveType="double" presence="constant">1e309</type>"#,
            "1: the constant is `1e309`; expected a number of at most 1.7976931348623157e308 (double)",
        ),
        (
            r#"<type name="a" primitiveType="float" presence="constant">x</type>"#,
            "1: the constant is `x`; expected a number of at most 3.4028235e38 (float)",
        ),
        (
            r#"<enum name="e" encodingType="char"><validValue name="a">  </validValue></enum>"#,
            "36: value `a` is ``; expected one ASCII character",
        ),
        (
            r#"<type name="a" primitiveType="int8" presence="constant"/>"#,
            "1: constant <type> without a value; expected `valueRef=\"Enum.Value\"` or the value as text",
        ),
        (
            r#"<type name="a" primitiveType="int8" presence="constant">300</type>"#,
            "1: the constant is `300`; expected a whole number from -128 to 127 (int8)",
        ),
        (
            r#"<type name="a" primitiveType="char" length="2" presence="constant">abc</type>"#,
            "1: `abc` as a constant of this type; expected a number, a character, or text of at most `length` bytes",
        ),
        (
            r#"<type name="Side" primitiveType="int8"/>"#,
            "7: type `Side` is declared twice; expected each name once",
        ),
        (
            r#"<type name="a" primitiveType="int8" sinceVersion="3"/>"#,
            "37: `sinceVersion=\"3\"` on <type>; expected at most the schema's version, 2",
        ),
        (
            r#"<enum name="e" encodingType="u8"/>"#,
            "16: unknown type `u8`; expected a type declared in <types> or a primitive type such as `int64`",
        ),
        (
            r#"<enum name="e" encodingType="float"/>"#,
            "1: an enum encoded as `float`; expected an integer type or `char`",
        ),
        (
            r#"<enum name="e" encodingType="uint8"><validValue name="a">256</validValue></enum>"#,
            "37: value `a` is `256`; expected a whole number from 0 to 255 (uint8)",
        ),
        (
            r#"<enum name="e" encodingType="char"><validValue name="a">ab</validValue></enum>"#,
            "36: value `a` is `ab`; expected one ASCII character",
        ),
        (
            r#"<enum name="e" encodingType="uint8"><validValue name="a">1</validValue><validValue name="b">1</validValue></enum>"#,
            "84: `b` repeats the name or value of `a`; expected each name and each value once",
        ),
        (
            r#"<enum name="e" encodingType="uint8"><choice name="a">1</choice></enum>"#,
            "37: <choice> inside <enum>; expected <validValue>",
        ),
        (
            r#"<set name="s" encodingType="int8"/>"#,
            "1: a set encoded as `int8`; expected an unsigned integer type",
        ),
        (
            r#"<set name="s" encodingType="uint8"><choice name="a">8</choice></set>"#,
            "36: choice `a` at bit `8`; expected a bit from 0 to 7",
        ),
        (
            r#"<composite name="c"><type name="a" primitiveType="int32"/><type name="b" primitiveType="int8" offset="2"/></composite>"#,
            "95: `offset=\"2\"` overlaps the field before it; expected an offset of at least 4",
        ),
        (
            r#"<composite name="c"><ref name="a" type="c"/></composite>"#,
            "1: type `c` contains itself; expected a type of fixed size",
        ),
        (
            r#"<composite name="c"><field name="a" type="int8"/></composite>"#,
            "21: <field> inside <composite>; expected <type>, <ref>, <composite>, <enum> or <set>",
        ),
        (
            r#"<typ name="a" primitiveType="int8"/>"#,
            "1: <typ> inside <types>; expected <type>, <composite>, <enum> or <set>",
        ),
    ];
    for (types, expected) in cases {
        assert_eq!(
            parse(&schema(types, "")).unwrap_err(),
            format!("s.xml:8:{expected}"),
            "{types}"
        );
    }
}

#[test]
fn faults_in_messages() {
    let types = r#"<composite name="v"><type name="length" primitiveType="uint64"/><type name="varData" primitiveType="uint8" length="0"/></composite><composite name="d"><type name="blockLength" primitiveType="uint8"/></composite><composite name="tiny"><type name="blockLength" primitiveType="uint8"/><type name="numInGroup" primitiveType="uint8"/></composite>"#;
    let cases = [
        (
            r#"<message id="1"/>"#,
            "10:1: <message> has no attribute `name`; expected `name=\"...\"`",
        ),
        (
            r#"<message name="m"/>"#,
            "10:1: <message> has no attribute `id`; expected `id=\"...\"`",
        ),
        (
            r#"<message name="m" id="65536"/>"#,
            "10:19: `id=\"65536\"` on <message>; expected at most 65535, the largest number of the message header",
        ),
        (
            r#"<message name="m" id="1"/><message name="n" id="1"/>"#,
            "10:27: message `n` has the id 1 of `m`; expected a template id of its own",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="price"/></message>"#,
            "10:49: unknown type `price`; expected a type declared in <types> or a primitive type such as `int64`",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="int8" nullValue="1"/></message>"#,
            "10:61: `nullValue` on <field>, which is not optional; expected `presence=\"optional\"` beside it",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="tiny" presence="optional" nullValue="1"/></message>"#,
            "10:81: `nullValue` on <field> of another type; expected `nullValue` on a number, a character or an enum alone",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1"/></message>"#,
            "10:26: <field> has no attribute `type`; expected `type=\"...\"`",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="int8"/><field name="f" id="2" type="int8"/></message>"#,
            "10:69: `f` is declared twice; expected each name once",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="int32"/><field name="g" id="2" type="int8" offset="3"/></message>"#,
            "10:98: `offset=\"3\"` overlaps the field before it; expected an offset of at least 4",
        ),
        (
            r#"<message name="m" id="1" blockLength="3"><field name="f" id="1" type="int32"/></message>"#,
            "10:26: `blockLength=\"3\"` is less than the length of its fields; expected at least 4",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="Side" presence="constant" valueRef="Side.Ask"/></message>"#,
            "10:81: enum `Side` has no value `Ask`; expected one of Bid",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="Side" presence="constant" valueRef="Ask"/></message>"#,
            "10:81: `valueRef=\"Ask\"`; expected `Enum.Value`",
        ),
        (
            r#"<message name="m" id="1"><field name="f" id="1" type="Side" presence="constant"/></message>"#,
            "10:26: constant <field> without a value; expected `valueRef=\"Enum.Value\"` or the value as text",
        ),
        (
            r#"<message name="m" id="1"><group name="g" id="1" dimensionType="none"/></message>"#,
            "10:49: no composite `none` for the size of group `g`; expected a composite of blockLength and numInGroup",
        ),
        (
            r#"<message name="m" id="1"><group name="g" id="1" dimensionType="messageHeader"/></message>"#,
            "10:49: `messageHeader` is the message header; expected a composite of its own for the size of a group",
        ),
        (
            r#"<message name="m" id="1"><group name="g" id="1" dimensionType="d"/></message>"#,
            "8:132: composite `d` has no member `numInGroup`; expected a member `numInGroup` of type uint8, uint16 or uint32",
        ),
        (
            r#"<message name="m" id="1"><group name="g" id="1" dimensionType="tiny" blockLength="256"/></message>"#,
            "10:26: a block of 256 bytes; expected at most the largest number of 8 bits",
        ),
        (
            r#"<message name="m" id="1"><data name="x" id="1" type="int8"/></message>"#,
            "10:48: no variable data composite `int8`; expected a composite of `length` and `varData`",
        ),
        (
            r#"<message name="m" id="1"><data name="x" id="1" type="v"/></message>"#,
            "8:21: the length of variable data; expected `length` of uint8, uint16 or uint32",
        ),
        (
            r#"<message name="m" id="1"><field name="x" id="1" type="v"/></message>"#,
            "8:1: variable data used as a value; expected a composite of fixed size",
        ),
        (
            r#"<message name="m" id="1"><group name="g" id="1"/><field name="f" id="2" type="int8"/></message>"#,
            "10:50: <field> `f` behind groups or data; expected the order <field>, <group>, <data>, which is the order on the wire",
        ),
        (
            r#"<message name="m" id="1"><fild name="f" id="2" type="int8"/></message>"#,
            "10:26: <fild> inside <message>; expected <field>, <group> or <data>",
        ),
        (
            r#"<message name="m" id="1"><field></message>"#,
            "10:33: XML error: expected 'field' tag, not 'message'; expected well-formed XML",
        ),
        (
            r#"<massage name="m" id="1"/>"#,
            "10:1: <massage> inside <messageSchema>; expected <types> or <message>",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(
            parse(&schema(types, message)).unwrap_err(),
            format!("s.xml:{expected}"),
            "{message}"
        );
    }
}

#[test]
fn faults_of_the_whole() {
    let cases = [
        (
            "",
            "s.xml:1:1: XML error: the document does not have a root node; expected well-formed XML",
        ),
        (
            "<types/>",
            "s.xml:1:1: root element <types>; expected <messageSchema>",
        ),
        (
            "<messageSchema/>",
            "s.xml:1:1: <messageSchema> has no attribute `id`; expected `id=\"...\"`\ns.xml:1:1: no composite `messageHeader`; expected a composite of blockLength, templateId, schemaId and version",
        ),
        (
            r#"<messageSchema id="1" byteOrder="middle"/>"#,
            "s.xml:1:1: no composite `messageHeader`; expected a composite of blockLength, templateId, schemaId and version\ns.xml:1:23: `byteOrder=\"middle\"`; expected `littleEndian` or `bigEndian`",
        ),
        (
            r#"<messageSchema id="1" version="-1"/>"#,
            "s.xml:1:1: no composite `messageHeader`; expected a composite of blockLength, templateId, schemaId and version\ns.xml:1:23: `version=\"-1\"` on <messageSchema>; expected a whole number from 0 to 4294967295",
        ),
        (
            r#"<!DOCTYPE a [<!ENTITY b "c">]><messageSchema id="1"/>"#,
            "s.xml:1:14: the DOCTYPE declares the entity `b`; expected a schema without entities: write the text in place of the entity",
        ),
        (
            r#"<messageSchema id="1" xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include/></messageSchema>"#,
            "s.xml:1:66: an include without `href`; expected `href` naming a schema file",
        ),
        (
            r##"<messageSchema id="1" xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="a.xml" xpointer="b"/></messageSchema>"##,
            "s.xml:1:91: `xpointer=\"b\"` is not supported; expected an include of a whole XML file",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap_err(), expected, "{text}");
    }
    let missing = r#"<messageSchema id="1" xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="no.xml"/></messageSchema>"#;
    let error = parse(missing).unwrap_err();
    assert!(
        error.starts_with("s.xml:1:66: `no.xml` cannot be read: "),
        "{error}"
    );
    assert!(error.ends_with("; expected a file at no.xml"), "{error}");
    let deep = format!("{}{}", "<group>".repeat(100), "</group>".repeat(100));
    let error = parse(&schema("", &deep)).unwrap_err();
    assert!(error.contains("elements nest more than 64 deep"), "{error}");
}

#[test]
fn a_space_is_a_character() {
    let types = r#"<enum name="e" encodingType="char"><validValue name="Blank"> </validValue><validValue name="B"> B </validValue></enum>
<type name="blank" primitiveType="char" presence="constant"> </type>
<type name="none" primitiveType="char" presence="optional" nullValue=" "/>"#;
    let message = r#"<message name="m" id="7"><field name="b" id="1" type="blank"/><field name="n" id="2" type="none"/></message>"#;
    let schema = parse(&schema(types, message)).unwrap();
    let values = schema.enums.iter().find(|e| e.name == "e").unwrap();
    let values: Vec<_> = values.values.iter().map(|v| v.value).collect();
    assert_eq!(values, [i128::from(b' '), i128::from(b'B')]);
    let space = || Literal::Int(b' '.into());
    let fields = &schema.message(7).unwrap().body.fields;
    assert_eq!(fields[0].presence, Presence::Constant(space()));
    assert_eq!(fields[1].presence, Presence::Optional(Some(space())));
}

/// C's `FLT_MAX` has more digits than single precision and rounds to its end; `inf` has no end. What
/// the wire can hold is what it is compared to.
#[test]
fn floats_at_their_ends() {
    for (null, value) in [
        ("3.40282347e+38", f32::MAX.into()),
        ("0.1", 0.1f32.into()),
        ("-inf", f64::NEG_INFINITY),
    ] {
        let types = format!(
            r#"<type name="a" primitiveType="float" presence="optional" nullValue="{null}"/>"#
        );
        let message = r#"<message name="m" id="7"><field name="f" id="1" type="a"/></message>"#;
        let schema = parse(&schema(&types, message)).unwrap();
        let field = &schema.message(7).unwrap().body.fields[0];
        let null = Literal::Float(value);
        assert_eq!(field.presence, Presence::Optional(Some(null)));
    }
}

#[test]
fn layout_is_computed() {
    let types = r#"<type name="t" primitiveType="int64" presence="optional"/>
<composite name="text"><type name="length" primitiveType="uint8"/><type name="varData" primitiveType="uint8" length="0" characterEncoding="UTF-8"/></composite>"#;
    let message = r#"<message name="m" id="7" sinceVersion="1">
<field name="a" id="1" type="uint8" sinceVersion="1"/><field name="b" id="2" type="t" offset="4"/>
<field name="k" id="3" type="Side" presence="constant" valueRef="Side.Bid"/><field name="c" id="4" type="Side" sinceVersion="2"/>
<group name="g" id="5"><field name="x" id="1" type="float"/></group><data name="d" id="6" type="text"/></message>"#;
    let schema = parse(&schema(types, message)).unwrap();
    let body = &schema.message(7).unwrap().body;
    let layout: Vec<_> = body
        .fields
        .iter()
        .map(|f| (f.name.as_str(), f.offset, f.size, f.since))
        .collect();
    // A field as old as its message is always there.
    assert_eq!(
        layout,
        [
            ("a", 0, 1, 0),
            ("b", 4, 8, 0),
            ("k", 12, 0, 0),
            ("c", 12, 1, 2)
        ]
    );
    assert_eq!(body.block_length, 13);
    assert_eq!(
        body.fields[1].presence,
        Presence::Optional(Some(Literal::Int(i128::from(i64::MIN))))
    );
    assert_eq!(
        body.fields[2].presence,
        Presence::Constant(Literal::EnumValue(0, 0))
    );
    assert_eq!(
        (
            body.groups[0].body.block_length,
            body.groups[0].body.fields[0].kind
        ),
        (4, Kind::Prim(Prim::Float))
    );
    assert_eq!(
        (body.data[0].length, body.data[0].text),
        (Prim::Uint8, true)
    );
}

#[test]
fn fingerprints_follow_the_wire_and_not_the_words() {
    let message = r#"<message name="m" id="7" description="one"><field name="a" id="1" type="uint8"/></message>"#;
    let base = parse(&schema("", message)).unwrap().fingerprint();
    let reworded = message.replace("one", "two").replace(
        "<field",
        "\n<!-- note -->\n<field v:x=\"y\" xmlns:v=\"urn:v\"",
    );
    assert_eq!(parse(&schema("", &reworded)).unwrap().fingerprint(), base);
    for (from, to) in [
        ("uint8", "int8"),
        ("id=\"1\"", "id=\"2\""),
        ("name=\"a\"", "name=\"b\""),
        ("id=\"7\"", "id=\"8\""),
    ] {
        assert_ne!(
            parse(&schema("", &message.replace(from, to)))
                .unwrap()
                .fingerprint(),
            base,
            "{from}"
        );
    }
}
