//! Documents and vocabularies, as `Schema` reads them.

use std::path::Path;

use crate::ir::Schema;

const HEADER: &str = r#"<composite name="messageHeader"><type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/><type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite>"#;

fn parse(text: &str) -> Result<Vec<String>, String> {
    match Schema::parse(text, Path::new("s.xml"), None) {
        Ok(schema) => Ok(schema.messages.into_iter().map(|m| m.name).collect()),
        Err(error) => Err(error.to_string()),
    }
}

/// A schema whose elements are prefixed as told: root, `types`, what is in it, messages, fields.
fn prefixed([root, types, inside, message, field]: [&str; 5], declared: &str) -> String {
    let header = HEADER
        .replace("</", &format!("</{inside}"))
        .replace("<composite", &format!("<{inside}composite"))
        .replace("<type ", &format!("<{inside}type "));
    format!(
        r#"<{root}messageSchema {declared} id="1"><{types}types>{header}</{types}types><{message}message name="M" id="1"><{field}field name="x" id="1" type="uint32"/></{message}message></{root}messageSchema>"#
    )
}

/// The root's own namespace is the schema's, and so is none at all, in any mixture.
#[test]
fn any_namespace_of_the_root() {
    for namespace in [
        "http://www.fixprotocol.org/ns/simple/RC3",
        "http://fixprotocol.io/2016/sbe",
        "urn:of:a:venue",
    ] {
        let declared = format!(r#"xmlns:s="{namespace}""#);
        for prefixes in [
            ["s:", "", "", "s:", ""],
            ["s:", "s:", "s:", "s:", "s:"],
            ["s:", "", "", "", ""],
            ["s:", "s:", "", "s:", "s:"],
        ] {
            let read = parse(&prefixed(prefixes, &declared));
            assert_eq!(read.unwrap(), ["M"], "{namespace} {prefixes:?}");
        }
        let default = prefixed([""; 5], &format!(r#"xmlns="{namespace}""#));
        assert_eq!(parse(&default).unwrap(), ["M"]);
    }
    // The reverse: FIX's own names are known, whatever the root says.
    for namespace in [
        "http://fixprotocol.io/2017/sbe",
        "http://www.fixprotocol.org/ns/simple/1.0",
    ] {
        let declared = format!(r#"xmlns:s="{namespace}""#);
        let read = parse(&prefixed(["", "", "", "s:", "s:"], &declared));
        assert_eq!(read.unwrap(), ["M"]);
    }
}

#[test]
fn elements_of_other_vocabularies_are_refused_by_name() {
    let declared = r#"xmlns:s="urn:s" xmlns:v="urn:v""#;
    let under_none = "elements under no namespace, as the schema is";
    let under_s = "elements under the namespace of the schema, `urn:s`, or under none";
    let cases = [
        (["s:", "", "", "v:", ""], "<v:message>", under_s),
        (["s:", "v:", "", "", ""], "<v:types>", under_s),
        (["s:", "", "v:", "", ""], "<v:composite>", under_s),
        (["s:", "", "", "", "v:"], "<v:field>", under_s),
        (["", "", "", "v:", "v:"], "<v:message>", under_none),
    ];
    for (prefixes, name, expected) in cases {
        let text = prefixed(prefixes, declared);
        let column = text.find(name.trim_end_matches('>')).unwrap() + 1;
        let found =
            format!("s.xml:1:{column}: {name} under the namespace `urn:v`; expected {expected}");
        assert_eq!(parse(&text).unwrap_err(), found);
    }
    let by_default =
        prefixed(["s:", "", "", "", ""], declared).replace("<message", r#"<message xmlns="urn:v""#);
    let error = parse(&by_default).unwrap_err();
    assert!(
        error.contains(": <message> under the namespace `urn:v`; expected"),
        "{error}"
    );
}

/// Notes stand where no element of the schema could, and attributes anywhere.
#[test]
fn notes_and_attributes_of_other_vocabularies_are_skipped() {
    let text = prefixed(
        ["s:", "", "", "s:", ""],
        r#"xmlns:s="urn:s" xmlns:v="urn:v" v:a="1""#,
    )
    .replace(
        r#"type="uint32"/>"#,
        r#"type="uint32" v:presence="constant"><v:note><v:deep/></v:note></field>"#,
    );
    assert_eq!(parse(&text).unwrap(), ["M"]);
    // Those of the schema's own vocabulary count under its prefix too.
    let own = prefixed(["s:", "", "", "s:", ""], r#"xmlns:s="urn:s""#)
        .replace("name=\"M\"", "s:name=\"N\"");
    assert_eq!(parse(&own).unwrap(), ["N"]);
}

/// A misspelled attribute is no attribute: it is said, once however often it is.
#[test]
fn what_is_skipped_is_warned_of() {
    let text = prefixed(["s:", "", "", "s:", ""], r#"xmlns:s="urn:s" xmlns:v="urn:v" v:a="1""#)
        .replace(
            r#"type="uint32"/>"#,
            "type=\"uint32\" presense=\"optional\"><v:note/></field>\n<field name=\"y\" id=\"2\" type=\"int8\" presense=\"\"/>",
        );
    let schema = Schema::parse(&text, Path::new("s.xml"), None).unwrap();
    let warnings: Vec<_> = schema.warnings.iter().map(ToString::to_string).collect();
    let column = |part: &str| text.find(part).unwrap() + 1;
    assert_eq!(
        warnings,
        [
            format!(
                "s.xml:1:{}: the attribute `presense` of <field> is skipped",
                column("presense")
            ),
            format!(
                "s.xml:1:{}: <note> under the namespace `urn:v` is skipped",
                column("<v:note")
            ),
        ]
    );
    let many: String = (0..200).map(|i| format!(" a{i}=\"\"")).collect();
    let many = prefixed([""; 5], &many);
    let schema = Schema::parse(&many, Path::new("s.xml"), None).unwrap();
    assert_eq!(schema.warnings.len(), 100);
}

#[test]
fn a_schema_without_messages_is_refused() {
    let empty = format!(r#"<messageSchema id="1"><types>{HEADER}</types></messageSchema>"#);
    let expected = "s.xml:1:1: a schema without messages; expected at least one <message>";
    assert_eq!(parse(&empty).unwrap_err(), expected);
}

/// A file that is included has a root and a namespace of its own.
#[test]
fn namespaces_of_included_files() {
    let folder =
        std::env::temp_dir().join(format!("tickwire-sbe-namespaces-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let types = format!(
        r#"<c:types xmlns:c="urn:c">{}</c:types>"#,
        HEADER.replace("<type ", "<c:type ")
    );
    std::fs::write(folder.join("types.xml"), types).unwrap();
    let schema = |message: &str| {
        let root = r#"<s:messageSchema id="1" xmlns:s="urn:s" xmlns:c="urn:c" xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="types.xml"/>"#;
        let text = format!("{root}<{message} name=\"M\" id=\"1\"/></s:messageSchema>");
        Schema::parse(&text, &folder.join("s.xml"), None)
    };
    assert_eq!(schema("s:message").unwrap().messages.len(), 1);
    // What a file calls its own is not what the file that includes it does.
    let error = schema("c:message").unwrap_err();
    let found: Vec<_> = error.iter().map(|e| e.found.as_str()).collect();
    assert_eq!(found, ["<c:message> under the namespace `urn:c`"]);
    std::fs::write(folder.join("types.xml"), format!("<s:types xmlns:s=\"urn:s\">{HEADER}<s:type name=\"t\" primitiveType=\"int8\"/></s:types>")).unwrap();
    assert!(schema("message").is_ok());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_document_type_is_accepted_and_not_acted_upon() {
    let schema = prefixed([""; 5], "");
    for declaration in [
        "<!DOCTYPE xml>",
        "<?xml version=\"1.0\"?>\n<!DOCTYPE xml>\n",
        "<!DOCTYPE messageSchema SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE messageSchema PUBLIC \"-//x\" \"http://example.com/x.dtd\" [<!ELEMENT messageSchema ANY>]>",
    ] {
        assert_eq!(
            parse(&format!("{declaration}{schema}")).unwrap(),
            ["M"],
            "{declaration}"
        );
    }
    // Ten of ten of ten of: nothing of it is ever expanded.
    let bomb = (1..10).fold("<!ENTITY l0 'lol'>".to_owned(), |all, i| {
        let ten = format!("&l{};", i - 1).repeat(10);
        format!("{all}<!ENTITY l{i} '{ten}'>")
    });
    let text = format!(
        "<!DOCTYPE xml [\n{bomb}]>{}",
        schema.replace("\"M\"", "\"&l9;\"")
    );
    let expected = "s.xml:2:1: the DOCTYPE declares the entity `l0`; expected a schema without entities: write the text in place of the entity";
    assert_eq!(parse(&text).unwrap_err(), expected);
    let unknown = format!(
        "<!DOCTYPE xml SYSTEM \"x.dtd\">{}",
        schema.replace("\"M\"", "\"&l;\"")
    );
    let error = parse(&unknown).unwrap_err();
    assert!(
        error.contains("XML error: unknown entity reference 'l'"),
        "{error}"
    );
    // Positions are those of the text as it is.
    let late = format!("<!DOCTYPE größe>{}", schema.replace("uint32", "int33"));
    let column = late.split("type=\"int33").next().unwrap().chars().count() + 1;
    let error = parse(&late).unwrap_err();
    assert!(
        error.starts_with(&format!("s.xml:1:{column}: unknown type `int33`")),
        "{error}"
    );
    let two = parse(&format!("<!DOCTYPE a><!DOCTYPE b>{schema}")).unwrap_err();
    assert!(two.contains("DTD"), "{two}");
}
