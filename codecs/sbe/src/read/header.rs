//! Message headers and dimensions.
//!
//! The members that the layout needs are unsigned numbers of at most 32 bits on the wire, in any order
//! and at any offset. All other members may be of any kind.

use super::types::Types;
use crate::faults::Fault;
use crate::ir::{Counts, Dimension, Field, Header, Kind, Prim, Role};
use crate::xml::Elem;

/// The composite that the attribute `headerType` names.
pub(super) fn message_header(root: &Elem, types: &mut Types<'_>) -> Result<Header, Fault> {
    let name = root
        .attr("headerType")
        .map_or("messageHeader", |a| a.value.trim());
    let Some(elem) = types.declaration(name).filter(|e| e.name == "composite") else {
        let at = root.attr("headerType").map_or(&root.pos, |a| &a.pos);
        let fault = at.error(
            format!("no composite `{name}`"),
            "a composite of blockLength, templateId, schemaId and version",
        );
        return Err(types.missing(name, fault));
    };
    let Kind::Composite(composite) = types.resolve(name, elem, "name")?.kind else {
        return Err(elem.error(
            format!("`{name}` has no fixed size"),
            "a composite of four integers",
        ));
    };
    // All its faults, not the first alone.
    let mut member = |wanted: &str| {
        let index = number(types, composite, wanted, elem);
        types.faults.keep(index)
    };
    let [block_length, template_id, schema_id, version] =
        ["blockLength", "templateId", "schemaId", "version"].map(&mut member);
    let header = Header {
        composite,
        block_length: block_length.ok_or(Fault::Said)?,
        template_id: template_id.ok_or(Fault::Said)?,
        schema_id: schema_id.ok_or(Fault::Said)?,
        version: version.ok_or(Fault::Said)?,
        counts: counts(types, composite, elem)?,
    };
    types.composites[composite].role = Role::Header;
    Ok(header)
}

/// The dimension of groups that `elem` declares, as composite of that index.
pub(super) fn dimension(
    types: &mut Types<'_>,
    composite: usize,
    elem: &Elem,
) -> Result<Dimension, Fault> {
    if let Some(known) = types.dimensions.iter().find(|d| d.composite == composite) {
        return Ok(*known);
    }
    let dimension = Dimension {
        composite,
        block_length: number(types, composite, "blockLength", elem)?,
        num_in_group: number(types, composite, "numInGroup", elem)?,
        counts: counts(types, composite, elem)?,
    };
    types.composites[composite].role = Role::Dimension;
    types.dimensions.push(dimension);
    Ok(dimension)
}

fn counts(types: &Types<'_>, composite: usize, elem: &Elem) -> Result<Counts, Fault> {
    let count = |wanted: &str| match position(types, composite, wanted) {
        Some(_) => number(types, composite, wanted, elem).map(Some),
        None => Ok(None),
    };
    Ok(Counts {
        groups: count("numGroups")?,
        data: count("numVarDataFields")?,
    })
}

fn position(types: &Types<'_>, composite: usize, wanted: &str) -> Option<usize> {
    let members = &types.composites[composite].members;
    members.iter().position(|m| m.name == wanted)
}

/// The index of an unsigned member of at most 32 bits.
fn number(types: &Types<'_>, composite: usize, wanted: &str, elem: &Elem) -> Result<usize, Fault> {
    let name = &types.composites[composite].name;
    let Some(index) = position(types, composite, wanted) else {
        let fault = elem.error(
            format!("composite `{name}` has no member `{wanted}`"),
            format!("a member `{wanted}` of type uint8, uint16 or uint32"),
        );
        return Err(types.missing(name, fault));
    };
    let member = &types.composites[composite].members[index];
    match member.kind {
        Kind::Prim(Prim::Uint8 | Prim::Uint16 | Prim::Uint32) if member.on_wire() => Ok(index),
        _ => {
            let declared = elem
                .children
                .iter()
                .find(|c| c.attr("name").is_some_and(|a| a.value == wanted));
            Err(declared.unwrap_or(elem).error(
                format!(
                    "member `{wanted}` of composite `{name}` is {}",
                    described(types, member)
                ),
                "uint8, uint16 or uint32, on the wire",
            ))
        }
    }
}

/// The type of a member in words.
fn described(types: &Types<'_>, member: &Field) -> String {
    let kind = match member.kind {
        Kind::Prim(prim) => prim.name().to_owned(),
        Kind::Array(prim, n) => format!("an array of {n} {}", prim.name()),
        Kind::Enum(i) => format!("the enum `{}`", types.enums[i].name),
        Kind::Set(i) => format!("the set `{}`", types.sets[i].name),
        Kind::Composite(i) => format!("the composite `{}`", types.composites[i].name),
    };
    if member.on_wire() {
        kind
    } else {
        format!("a constant ({kind})")
    }
}

/// A number of the schema has to fit the header member that carries it.
pub(super) fn check_fits(
    elem: &Elem,
    attr: &str,
    types: &Types<'_>,
    header: Header,
    member: usize,
    value: u32,
) -> Result<(), Fault> {
    let bits = bits(types, header.composite, member);
    if bits < 32 && value >> bits != 0 {
        let at = elem.attr(attr).map_or(&elem.pos, |a| &a.pos);
        return Err(at.error(
            format!("`{attr}=\"{value}\"` on <{}>", elem.name),
            format!(
                "at most {}, the largest number of the message header",
                (1u64 << bits) - 1
            ),
        ));
    }
    Ok(())
}

/// A block length has to fit the header or dimension that announces it.
pub(super) fn check_block(
    elem: &Elem,
    types: &Types<'_>,
    (composite, member): (usize, usize),
    length: usize,
) -> Result<(), Fault> {
    let bits = bits(types, composite, member);
    if bits < 32 && length >> bits != 0 {
        return Err(elem.error(
            format!("a block of {length} bytes"),
            format!("at most the largest number of {bits} bits"),
        ));
    }
    Ok(())
}

/// So do the numbers of groups and data, below the null value that stands for no number.
pub(super) fn check_counts(
    elem: &Elem,
    types: &Types<'_>,
    composite: usize,
    counts: Counts,
    (groups, data): (usize, usize),
) -> Result<(), Fault> {
    for (member, have, what) in [
        (counts.groups, groups, "groups"),
        (counts.data, data, "data"),
    ] {
        let Some(member) = member else { continue };
        let max = (1u64 << bits(types, composite, member)) - 2;
        if have as u64 > max {
            return Err(elem.error(
                format!("{have} {what} in one <{}>", elem.name),
                format!(
                    "at most {max}, the largest number of `{}`",
                    types.composites[composite].members[member].name
                ),
            ));
        }
    }
    Ok(())
}

fn bits(types: &Types<'_>, composite: usize, member: usize) -> usize {
    types.size_of(types.composites[composite].members[member].kind) * 8
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::ir::{Counts, Schema};

    /// A schema with that header and dimension beside some types; `M` has one group and two data.
    fn parse(header: &str, dimension: &str) -> Result<Schema, String> {
        let text = format!(
            r#"<messageSchema id="1"><types><enum name="E" encodingType="uint8"><validValue name="a">1</validValue></enum>
<set name="S" encodingType="uint8"><choice name="b">0</choice></set><type name="n16" primitiveType="uint16" presence="optional"/>
<composite name="text"><type name="length" primitiveType="uint8"/><type name="varData" primitiveType="uint8" length="0"/></composite>
<composite name="messageHeader">
{header}
</composite><composite name="groupSizeEncoding">
{dimension}
</composite></types><message name="M" id="2"><group name="g" id="1"><field name="f" id="2" type="uint8"/></group>
<data name="c" id="3" type="text"/><data name="d" id="4" type="text"/></message></messageSchema>"#
        );
        Schema::parse(&text, Path::new("s.xml"), None).map_err(|e| e.to_string())
    }

    fn member(name: &str, kind: &str) -> String {
        format!(r#"<type name="{name}" primitiveType="{kind}"/>"#)
    }

    fn members(names: &[&str], kind: &str) -> String {
        names.iter().map(|name| member(name, kind)).collect()
    }

    const HEADER: [&str; 4] = ["blockLength", "templateId", "schemaId", "version"];
    const DIMENSION: [&str; 2] = ["blockLength", "numInGroup"];

    #[test]
    fn members_of_every_kind_beside_those_of_the_layout() {
        let others = r#"<composite name="at"><type name="x" primitiveType="int64"/></composite>
<type name="k" primitiveType="uint8" presence="constant">9</type><type name="pad" primitiveType="uint8" length="3"/>
<type name="tag" primitiveType="char" length="4"/><ref name="e" type="E"/><ref name="s" type="S"/>
<type name="seq" primitiveType="uint64" presence="optional" nullValue="7"/><type name="f" primitiveType="double"/>"#;
        // In any order and width, by reference too, and behind a gap.
        let header = format!(
            r#"<ref name="version" type="n16"/>{others}{}{}<type name="blockLength" primitiveType="uint16" offset="50"/>{}"#,
            member("schemaId", "uint8"),
            member("templateId", "uint32"),
            members(&["numVarDataFields", "numGroups"], "uint8"),
        );
        let counted = members(&["numInGroup", "numGroups", "blockLength"], "uint8");
        let schema = parse(&header, &format!("{others}{counted}")).unwrap();
        let names = |composite: usize, indices: &[usize]| -> Vec<String> {
            let members = &schema.composites[composite].members;
            indices.iter().map(|i| members[*i].name.clone()).collect()
        };
        let h = schema.header;
        let layout = [h.block_length, h.template_id, h.schema_id, h.version];
        assert_eq!(names(h.composite, &layout), HEADER);
        let counts = [h.counts.groups.unwrap(), h.counts.data.unwrap()];
        assert_eq!(
            names(h.composite, &counts),
            ["numGroups", "numVarDataFields"]
        );
        let free = |composite: usize, is_layout: &dyn Fn(usize) -> bool| -> Vec<String> {
            let all = 0..schema.composites[composite].members.len();
            names(
                composite,
                &all.filter(|i| !is_layout(*i)).collect::<Vec<_>>(),
            )
        };
        let others = ["at", "k", "pad", "tag", "e", "s", "seq", "f"];
        assert_eq!(free(h.composite, &|i| h.is_layout(i)), others);
        let d = *schema
            .dimension(schema.messages[0].body.groups[0].dimension)
            .unwrap();
        assert_eq!(schema.dimensions, [d]);
        assert_eq!(
            names(d.composite, &[d.block_length, d.num_in_group]),
            DIMENSION
        );
        assert_eq!(
            names(d.composite, &[d.counts.groups.unwrap()]),
            ["numGroups"]
        );
        assert_eq!(d.counts.data, None);
        assert_eq!(free(d.composite, &|i| d.is_layout(i)), others);
        assert_eq!(schema.dimension(h.composite), None);
        // 2 + 8 + 3 + 4 + 1 + 1 + 8 + 8 + 1 + 4 = 40 bytes, a gap up to 50, 2 + 1 + 1.
        assert_eq!(schema.header_composite().size, 54);
        let plain = parse(&members(&HEADER, "uint16"), &members(&DIMENSION, "uint16")).unwrap();
        assert_eq!(plain.header.counts, Counts::default());
    }

    #[test]
    fn members_of_the_layout_are_unsigned_numbers_on_the_wire() {
        let kinds = [
            (r#"<type name="?" primitiveType="uint64"/>"#, "uint64"),
            (r#"<type name="?" primitiveType="int16"/>"#, "int16"),
            (r#"<type name="?" primitiveType="char"/>"#, "char"),
            (r#"<type name="?" primitiveType="float"/>"#, "float"),
            (
                r#"<type name="?" primitiveType="uint8" length="2"/>"#,
                "an array of 2 uint8",
            ),
            (
                r#"<type name="?" primitiveType="uint8" presence="constant">1</type>"#,
                "a constant (uint8)",
            ),
            (r#"<ref name="?" type="E"/>"#, "the enum `E`"),
            (r#"<ref name="?" type="S"/>"#, "the set `S`"),
            (
                r#"<composite name="?"><type name="x" primitiveType="uint16"/></composite>"#,
                "the composite `?`",
            ),
        ];
        let (header, dimension) = (members(&HEADER, "uint16"), members(&DIMENSION, "uint16"));
        let counts = ["numGroups", "numVarDataFields"];
        for (kind, named) in kinds {
            for name in HEADER.into_iter().chain(counts) {
                let declared = kind.replace('?', name);
                let header = format!("{declared}{}", header.replace(&member(name, "uint16"), ""));
                assert_eq!(
                    parse(&header, &dimension).unwrap_err(),
                    format!(
                        "s.xml:5:1: member `{name}` of composite `messageHeader` is {}; expected uint8, uint16 or uint32, on the wire",
                        named.replace('?', name)
                    ),
                );
            }
            for name in DIMENSION.into_iter().chain(counts) {
                let declared = kind.replace('?', name);
                let dimension = format!(
                    "{declared}{}",
                    dimension.replace(&member(name, "uint16"), "")
                );
                assert_eq!(
                    parse(&header, &dimension).unwrap_err(),
                    format!(
                        "s.xml:7:1: member `{name}` of composite `groupSizeEncoding` is {}; expected uint8, uint16 or uint32, on the wire",
                        named.replace('?', name)
                    ),
                );
            }
        }
        for name in HEADER {
            let error =
                parse(&header.replace(&member(name, "uint16"), ""), &dimension).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "s.xml:4:1: composite `messageHeader` has no member `{name}`; expected a member `{name}` of type uint8, uint16 or uint32"
                )
            );
        }
    }
}
