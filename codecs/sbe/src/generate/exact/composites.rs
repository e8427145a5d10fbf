//! Composites of a mantissa and its exponent, or of a time and its unit.

use super::super::Generation;
use super::super::fields::Host;
use super::super::names::Scope;
use super::super::setters::from_native;
use super::super::text::string;
use super::super::types::wire_ident;
use super::{instant, integer, outcome, turned};
use crate::ir::{Composite, Field, Kind, Literal, Presence, Prim};

/// A composite of these two members and no other.
struct Pair {
    /// The member with the number; a call names it `m`.
    number: usize,
    prim: Prim,
    /// The member with the exponent or unit; a call names it `e` if it is on the wire.
    second: usize,
}

/// The conversions of a pair.
struct Form {
    /// The word in the names of methods, and the type.
    word: &'static str,
    ty: &'static str,
    /// The value, of `m` and `e`.
    read: String,
    is_fallible: bool,
    /// The statement that computes `m`, and `e` if it is on the wire, from `value`.
    write: String,
}

impl Pair {
    fn of(composite: &Composite, number: &str, second: &str) -> Option<Self> {
        let position = |name: &str| {
            let members = &composite.members;
            members
                .iter()
                .position(|m| m.name.eq_ignore_ascii_case(name))
        };
        if composite.members.len() != 2 {
            return None;
        }
        let (number, second) = (position(number)?, position(second)?);
        let prim = integer(&composite.members[number])?;
        Some(Self {
            number,
            prim,
            second,
        })
    }
}

impl Generation<'_> {
    /// `decimal` or `timestamp`, and the reverse conversion.
    pub(in super::super) fn exact_composite(
        &mut self,
        composite: &Composite,
        idents: &[String],
        scope: &mut Scope,
    ) {
        let what = string(&composite.name);
        let found = match Pair::of(composite, "mantissa", "exponent") {
            Some(pair) => self
                .decimal_form(&pair, &composite.members[pair.second], &what)
                .map(|form| (pair, form)),
            None if !composite.is_instant(&composite.semantic_type, &composite.epoch) => None,
            None => Pair::of(composite, "time", "unit").and_then(|pair| {
                let form = self.timestamp_form(&pair, &composite.members[pair.second], &what)?;
                Some((pair, form))
            }),
        };
        if let Some((pair, form)) = found {
            self.read_pair(composite, idents, scope, &pair, &form);
            self.write_pair(composite, scope, &pair, &form);
        }
    }

    fn decimal_form(&self, pair: &Pair, exponent: &Field, what: &str) -> Option<Form> {
        let (e, is_narrow, write) = match self.constant_number(exponent) {
            Some(n) => {
                let n = i8::try_from(n).ok()?;
                let write = format!("let m = rt::mantissa(value, {n}, {what})?;");
                (format!("{n}i8"), true, write)
            }
            None => {
                let is_narrow = integer(exponent)? == Prim::Int8;
                let write = format!("let (m, e) = rt::parts(value, {what})?;");
                ("e".to_owned(), is_narrow, write)
            }
        };
        let is_fallible = pair.prim == Prim::Uint64 || !is_narrow;
        let read = if is_fallible {
            format!("rt::decimal(m, {e})")
        } else {
            format!("tw::Decimal::new(m.into(), {e})")
        };
        Some(Form {
            word: "decimal",
            ty: "tw::Decimal",
            read,
            is_fallible,
            write,
        })
    }

    fn timestamp_form(&self, pair: &Pair, unit: &Field, what: &str) -> Option<Form> {
        let (read, is_fallible, write) = if unit.on_wire() {
            if integer(unit).is_none() && !matches!(unit.kind, Kind::Enum(_)) {
                return None;
            }
            let raw = if matches!(unit.kind, Kind::Enum(_)) {
                "e.raw()"
            } else {
                "e"
            };
            let units = format!("&{:?}", self.schema.units(unit.kind));
            let write = format!("let (m, e) = rt::count_in(value, {units}, {what})?;");
            (format!("rt::timestamp_in(m, {raw}, {units})"), true, write)
        } else {
            let places = self.constant_places(unit)?;
            let (read, is_fallible) = instant(pair.prim, "m", places);
            let write = format!("let m = rt::count(value, {places}, {what})?;");
            (read, is_fallible, write)
        };
        Some(Form {
            word: "timestamp",
            ty: "tw::UnixTime",
            read,
            is_fallible,
            write,
        })
    }

    /// The number of a member that is a constant.
    fn constant_number(&self, member: &Field) -> Option<i128> {
        match &member.presence {
            Presence::Constant(Literal::Int(n)) => Some(*n),
            Presence::Constant(Literal::EnumValue(e, v)) => {
                Some(self.schema.enums[*e].values[*v].value)
            }
            _ => None,
        }
    }

    /// The unit of a constant, in decimal places of a second.
    fn constant_places(&self, member: &Field) -> Option<u32> {
        let kind = match &member.presence {
            Presence::Constant(Literal::EnumValue(e, _)) => Kind::Enum(*e),
            _ => member.kind,
        };
        let number = self.constant_number(member)?;
        let units = self.schema.units(kind);
        let found = units.iter().find(|(value, _)| *value == number);
        found.map(|(_, places)| *places)
    }

    fn read_pair(
        &mut self,
        composite: &Composite,
        idents: &[String],
        scope: &mut Scope,
        pair: &Pair,
        form: &Form,
    ) {
        let is_null = |member: usize| self.is_option(&composite.members[member], Host::Struct, 0);
        let (m, e) = (&idents[pair.number], &idents[pair.second]);
        let is_wire = composite.members[pair.second].on_wire();
        let (m_null, e_null) = (is_null(pair.number), is_wire && is_null(pair.second));
        let (read, end) = (&form.read, turned(form.is_fallible));
        let e_first = if is_wire && !e_null {
            format!("let e = self.{e}(); ")
        } else {
            String::new()
        };
        let value = match (m_null, e_null) {
            (false, false) => format!("{e_first}let m = self.{m}(); {read}"),
            (true, false) => format!("{e_first}self.{m}().map(|m| {read}){end}"),
            (false, true) => format!("let m = self.{m}(); self.{e}().map(|e| {read}){end}"),
            (true, true) => format!("self.{m}().zip(self.{e}()).map(|(m, e)| {read}){end}"),
        };
        let ty = outcome(form.ty, m_null || e_null, form.is_fallible);
        let name = scope.beside(form.word);
        self.out.doc(&format!("Both members as one {}.", form.word));
        self.out.line(&format!(
            "#[inline] pub fn {name}(&self) -> {ty} {{ {value} }}"
        ));
    }

    fn write_pair(&mut self, composite: &Composite, scope: &mut Scope, pair: &Pair, form: &Form) {
        let name = scope.beside(&format!("from {}", form.word));
        self.out.doc(&format!(
            "From a {}. Refuses what the members cannot hold without a loss.",
            form.word
        ));
        self.out.line(&format!(
            "pub fn {name}(value: {}) -> Result<Self, tw::EncodeError> {{",
            form.ty
        ));
        self.out.line(&form.write);
        self.out
            .line("let mut made = <Self as Default>::default();");
        for (member, value) in [(pair.number, "m"), (pair.second, "e")] {
            let field = &composite.members[member];
            if !field.on_wire() {
                continue;
            }
            let value = match field.kind {
                Kind::Enum(i) => format!("{}::new({value})", self.names.enums[i].raw),
                _ => value.to_owned(),
            };
            let place = format!("made.{}", wire_ident(composite, member));
            let what = string(&format!("{}.{}", composite.name, field.name));
            let line = match self.set_call(field, &place, &what) {
                Some((before, after)) => format!("{before}Some({value}){after}?;"),
                None => format!("{place} = {};", from_native(field.kind, &value)),
            };
            self.out.line(&line);
        }
        self.out.line("Ok(made)");
        self.out.line("}");
    }
}
