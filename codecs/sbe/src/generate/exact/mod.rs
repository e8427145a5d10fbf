//! Accessors of decimals and instants: for fields by their meaning in the schema, for composites by their
//! members.

mod composites;

use super::Generation;
use super::fields::{Host, places, wire_value};
use super::names::Scope;
use super::text::{code, string};
use crate::ir::{Field, Kind, Prim};
use crate::meaning::Meaning;

/// The conversion of a single number.
#[derive(Clone, Copy)]
enum Exact {
    /// An instant: the unit, in decimal places of a second.
    Instant(u32),
    /// A number of whole units.
    Whole,
}

impl Exact {
    /// The conversion of a field, by its meaning.
    fn of(field: &Field) -> Option<(Self, Prim)> {
        let exact = match field.meaning()? {
            Meaning::Instant(unit) => Self::Instant(unit.places()),
            Meaning::Whole => Self::Whole,
            Meaning::TimeOfDay(_) | Meaning::Date => return None,
        };
        Some((exact, integer(field)?))
    }

    /// The word in the names of methods, and the type.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Instant(_) => ("timestamp", "tw::UnixTime"),
            Self::Whole => ("decimal", "tw::Decimal"),
        }
    }

    /// Reads the number `v`; whether that may fail.
    fn read(self, prim: Prim) -> (String, bool) {
        match self {
            Self::Instant(places) => instant(prim, "v", places),
            Self::Whole if prim == Prim::Uint64 => ("rt::decimal(v, 0)".into(), true),
            Self::Whole => ("tw::Decimal::new(v.into(), 0)".into(), false),
        }
    }

    /// The number for the value `v`, as a `Result`.
    fn write(self, what: &str) -> String {
        match self {
            Self::Instant(places) => format!("rt::count(v, {places}, {what})"),
            Self::Whole => format!("rt::mantissa(v, 0, {what})"),
        }
    }
}

/// The instant of a count called `name`, and whether that may fail: of all wire numbers, seconds of
/// `uint64` alone reach beyond what an instant holds.
fn instant(prim: Prim, name: &str, places: u32) -> (String, bool) {
    let is_fallible = prim == Prim::Uint64 && places == 0;
    let call = if is_fallible { "timestamp" } else { "instant" };
    (format!("rt::{call}({name}, {places})"), is_fallible)
}

/// The primitive of a field that is one integer on the wire.
fn integer(field: &Field) -> Option<Prim> {
    match field.kind {
        Kind::Prim(prim) if field.on_wire() && prim != Prim::Char => prim.range().map(|_| prim),
        _ => None,
    }
}

/// The type of an accessor whose value may be null, or may not fit `ty`.
fn outcome(ty: &str, is_option: bool, is_fallible: bool) -> String {
    match (is_option, is_fallible) {
        (false, false) => ty.to_owned(),
        (true, false) => format!("Option<{ty}>"),
        (false, true) => format!("Result<{ty}, rt::ValueError>"),
        (true, true) => format!("Result<Option<{ty}>, rt::ValueError>"),
    }
}

/// The conversion from an `Option` of such values to that type.
fn turned(is_fallible: bool) -> &'static str {
    if is_fallible { ".transpose()" } else { "" }
}

impl Generation<'_> {
    pub(super) fn has_exact_setter(field: &Field) -> bool {
        Exact::of(field).is_some()
    }

    /// Accessors and, in wire structs, setters of the fields that stand for instants and quantities.
    pub(super) fn exact_fields(
        &mut self,
        fields: &[Field],
        idents: &[String],
        scope: &mut Scope,
        host: Host,
        base_end: usize,
    ) {
        for (field, ident) in fields.iter().zip(idents) {
            let Some((meaning, prim)) = Exact::of(field) else {
                continue;
            };
            let ((one, is_fallible), (suffix, ty)) = (meaning.read(prim), meaning.words());
            let is_option = self.is_option(field, host, base_end);
            let value = if is_option {
                format!("self.{ident}().map(|v| {one}){}", turned(is_fallible))
            } else {
                format!("let v = self.{ident}(); {one}")
            };
            let name = scope.beside(&format!("{} {suffix}", field.name));
            self.out
                .doc(&format!("`{}` as a {suffix}.", code(&field.name)));
            self.out.line(&format!(
                "#[inline] pub fn {name}(&self) -> {} {{ {value} }}",
                outcome(ty, is_option, is_fallible)
            ));
        }
        if host == Host::Struct {
            self.exact_setters(fields, scope);
        }
    }

    /// Setters of the fields that stand for instants and quantities.
    pub(super) fn exact_setters(&mut self, fields: &[Field], scope: &mut Scope) {
        for (field, place) in fields.iter().zip(places(fields)) {
            let Some((meaning, prim)) = Exact::of(field) else {
                continue;
            };
            let what = string(&field.name);
            let ((suffix, ty), one) = (meaning.words(), meaning.write(&what));
            let name = scope.beside(&format!("set {} {suffix}", field.name));
            self.out.doc(&format!(
                "Sets `{}`. Refuses what it cannot hold without a loss.",
                code(&field.name)
            ));
            let (ty, body) = match self.set_call(field, &format!("self.{place}"), &what) {
                Some((before, after)) => (
                    format!("Option<{ty}>"),
                    format!("let value = value.map(|v| {one}).transpose()?; {before}value{after}"),
                ),
                None => {
                    let value = wire_value(prim, &format!("{one}?"));
                    (ty.to_owned(), format!("self.{place} = {value}; Ok(())"))
                }
            };
            // The name of a required value is the name in the conversion.
            let argument = if ty.starts_with("Option") {
                "value"
            } else {
                "v"
            };
            self.out.line(&format!("#[inline] pub fn {name}(&mut self, {argument}: {ty}) -> Result<(), tw::EncodeError> {{ {body} }}"));
        }
    }
}
