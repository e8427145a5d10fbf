//! `<enum>` and `<set>`: names for numbers and bits.

use std::collections::HashMap;

use super::types::{Notes, Resolved, Types, plain};
use super::{attrs, values};
use crate::faults::Fault;
use crate::ir::{Choice, Enum, EnumValue, Kind, Literal, Presence, Prim, Set};
use crate::xml::Elem;

impl<'e> Types<'e> {
    /// The primitive behind `encodingType`, and the resolved type it came from.
    fn encoding(&mut self, elem: &Elem) -> Result<(Prim, Resolved), Fault> {
        let attr = attrs::required(elem, "encodingType")?;
        let resolved = self.resolve(attr.value.trim(), elem, "encodingType")?;
        match resolved.kind {
            Kind::Prim(prim) => Ok((prim, resolved)),
            _ => Err(attr.pos.error(
                format!("encoding type `{}` is not a single number", attr.value),
                "an integer type",
            )),
        }
    }

    pub(super) fn enumeration(&mut self, elem: &'e Elem) -> Result<Resolved, Fault> {
        let (prim, encoding) = self.encoding(elem)?;
        let Some(_) = prim.range() else {
            return Err(elem.error(
                format!("an enum encoded as `{}`", prim.name()),
                "an integer type or `char`",
            ));
        };
        let values = self.enum_values(elem, prim)?;
        let null = match self.null_value(elem, encoding.kind, encoding.null)? {
            Some(Literal::Int(null)) => null,
            _ => 0,
        };
        let optional = matches!(encoding.presence, Presence::Optional(_));
        let name = self.unique_name(elem, 0)?;
        let description = attrs::text(elem, "description");
        self.enums.push(Enum {
            name,
            description,
            prim,
            null,
            optional,
            values,
        });
        let null = Some(Literal::Int(null));
        Ok(Resolved {
            kind: Kind::Enum(self.enums.len() - 1),
            presence: if optional {
                Presence::Optional(null.clone())
            } else {
                Presence::Required
            },
            null,
            notes: Notes::default(),
        })
    }

    fn enum_values(&mut self, elem: &Elem, prim: Prim) -> Result<Vec<EnumValue>, Fault> {
        let mut values: Vec<EnumValue> = Vec::new();
        let (mut by_name, mut by_value) = (HashMap::new(), HashMap::new());
        let mut is_whole = true;
        for child in &elem.children {
            let read = self.enum_value(elem, child, prim).and_then(|value| {
                let same_name = by_name.insert(value.name.clone(), values.len());
                match same_name.or(by_value.insert(value.value, values.len())) {
                    Some(other) => Err(child.attr("name").map_or(&child.pos, |a| &a.pos).error(
                        format!(
                            "`{}` repeats the name or value of `{}`",
                            value.name, values[other].name
                        ),
                        "each name and each value once",
                    )),
                    None => Ok(value),
                }
            });
            match self.faults.keep(read) {
                Some(value) => values.push(value),
                None => is_whole = false,
            }
        }
        is_whole.then_some(values).ok_or(Fault::Said)
    }

    fn enum_value(&self, elem: &Elem, child: &Elem, prim: Prim) -> Result<EnumValue, Fault> {
        expect_name(elem, child, "validValue")?;
        let name = attrs::required(child, "name")?;
        let what = format!("value `{}`", name.value);
        let value = match attrs::literal(&child.pos, &what, &child.text, prim)? {
            Literal::Int(value) => value,
            // An encoding without integers is refused before.
            _ => return Err(Fault::Said),
        };
        Ok(EnumValue {
            name: name.value.clone(),
            description: attrs::text(child, "description"),
            value,
            since: attrs::since(child, self.schema_version)?,
        })
    }

    pub(super) fn set(&mut self, elem: &'e Elem) -> Result<Resolved, Fault> {
        values::refuse_null(elem)?;
        let (prim, _) = self.encoding(elem)?;
        if !prim.is_unsigned() {
            return Err(elem.error(
                format!("a set encoded as `{}`", prim.name()),
                "an unsigned integer type",
            ));
        }
        let mut choices: Vec<Choice> = Vec::new();
        let mut is_whole = true;
        for child in &elem.children {
            let read = self.choice(elem, child, prim).and_then(|choice| {
                // Choices are 64 at most.
                let repeats = |c: &Choice| c.bit == choice.bit || c.name == choice.name;
                if choices.iter().any(repeats) {
                    return Err(child.attr("name").map_or(&child.pos, |a| &a.pos).error(
                        format!("`{}` repeats a name or a bit", choice.name),
                        "each name and bit once",
                    ));
                }
                Ok(choice)
            });
            match self.faults.keep(read) {
                Some(choice) => choices.push(choice),
                None => is_whole = false,
            }
        }
        if !is_whole {
            return Err(Fault::Said);
        }
        let name = self.unique_name(elem, 1)?;
        self.sets.push(Set {
            name,
            description: attrs::text(elem, "description"),
            prim,
            choices,
        });
        Ok(plain(Kind::Set(self.sets.len() - 1), None))
    }

    fn choice(&self, elem: &Elem, child: &Elem, prim: Prim) -> Result<Choice, Fault> {
        expect_name(elem, child, "choice")?;
        let name = attrs::required(child, "name")?;
        let bits = prim.size() as u64 * 8;
        let bit = match child.text.trim().parse::<u32>() {
            Ok(bit) if u64::from(bit) < bits => bit,
            _ => {
                let found = format!("choice `{}` at bit `{}`", name.value, child.text.trim());
                return Err(child.error(found, format!("a bit from 0 to {}", bits - 1)));
            }
        };
        Ok(Choice {
            name: name.value.clone(),
            description: attrs::text(child, "description"),
            bit,
            since: attrs::since(child, self.schema_version)?,
        })
    }
}

fn expect_name(elem: &Elem, child: &Elem, name: &str) -> Result<(), Fault> {
    if child.name == name {
        return Ok(());
    }
    let found = format!("<{}> inside <{}>", child.name, elem.name);
    Err(child.error(found, format!("<{name}>")))
}
