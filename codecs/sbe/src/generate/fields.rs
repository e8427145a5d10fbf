//! Wire structs and the accessors of their fields.

use super::Generation;
use super::names::Scope;
use super::text::{describe, string};
use super::types::wire_ident;
use crate::ir::{Field, Kind, Literal, Presence, Prim};

/// The type with an accessor; it determines the place of the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    /// The wire struct itself: `self.field`.
    Struct,
    /// A view with `root`, and with `tail` and `version` if later versions added fields.
    View,
}

impl Generation<'_> {
    /// The type of a field in a wire struct.
    pub(super) fn wire_type(&self, kind: Kind) -> String {
        match kind {
            Kind::Prim(p) => wire_prim(p),
            Kind::Array(Prim::Char, n) => format!("tw::Chars<{n}>"),
            Kind::Array(p, n) => format!("[{}; {n}]", wire_prim(p)),
            Kind::Enum(i) => self.names.enums[i].raw.clone(),
            Kind::Set(i) => self.names.sets[i].name.clone(),
            Kind::Composite(i) => self.names.composites[i].clone(),
        }
    }

    /// The type of an accessor.
    pub(super) fn value_type(&self, kind: Kind, lifetime: &str) -> String {
        match kind {
            Kind::Prim(p) => native(p).to_owned(),
            Kind::Array(Prim::Char | Prim::Uint8, _) => {
                format!("&{lifetime}{}", self.wire_type(kind))
            }
            Kind::Array(p, n) => format!("[{}; {n}]", native(p)),
            Kind::Enum(_) | Kind::Set(_) | Kind::Composite(_) => self.wire_type(kind),
        }
    }

    /// `#[repr(C)]` struct of the fields that are on the wire, gaps filled, at most `end` bytes.
    ///
    /// A struct that is only written does not derive the traits for reading: the derives generate several
    /// impls per field, which is most of the compile time of a large schema.
    pub(super) fn wire_struct(&mut self, name: &str, doc: &str, fields: &[&Field], is_read: bool) {
        self.out.doc(doc);
        // A struct with accessors prints their values; see `debug_view`.
        let debug = if is_read { "" } else { ", Debug" };
        let reading = if is_read {
            ", z::FromBytes, z::KnownLayout, z::Unaligned"
        } else {
            ""
        };
        self.out.line(&format!(
            "#[derive(Clone, Copy{debug}, PartialEq, z::IntoBytes, z::Immutable{reading})]"
        ));
        self.out.line(&format!(
            "#[zerocopy(crate = \"{}::zerocopy\")]",
            self.codecs_path
        ));
        self.out.line("#[repr(C)]");
        self.out.line(&format!("pub struct {name} {{"));
        let mut names = Scope::default();
        let idents: Vec<_> = fields.iter().map(|f| names.snake(&f.name)).collect();
        let mut at = 0;
        let mut values = Vec::new();
        for (field, ident) in fields.iter().zip(idents) {
            if field.offset > at {
                let pad = names.snake(&format!("pad_{at}"));
                self.out.line("#[doc(hidden)]");
                self.out
                    .line(&format!("pub {pad}: [u8; {}],", field.offset - at));
                values.push(format!("{pad}: [0; {}]", field.offset - at));
            }
            at = field.offset + field.size;
            self.out.doc(&describe(
                &field.name,
                field.id,
                field.since,
                &field.description,
            ));
            self.out
                .line(&format!("pub {ident}: {},", self.wire_type(field.kind)));
            values.push(format!("{ident}: {}", self.default_wire(field)));
        }
        self.out.line("}");
        self.out.line(&format!(
            "rt::default!({name}, {{ {} }});",
            values.join(", ")
        ));
        self.out.blank();
    }

    /// Null if the field is optional and has a null value, else zero.
    pub(super) fn default_wire(&self, field: &Field) -> String {
        match &field.presence {
            Presence::Optional(null) => self.wire_or_zero(field.kind, null.as_ref()),
            _ => self.wire_or_zero(field.kind, None),
        }
    }

    /// A wire value: null, or zero if there is no null value.
    fn wire_or_zero(&self, kind: Kind, null: Option<&Literal>) -> String {
        match (kind, null) {
            (Kind::Prim(p), null) => {
                let value = null.and_then(|n| number(p, n));
                wire_value(p, &value.unwrap_or_else(|| float_or_zero(p)))
            }
            (Kind::Enum(i), Some(Literal::Int(n))) => {
                format!("{}::new({n})", self.names.enums[i].raw)
            }
            (Kind::Enum(i), _) => format!("{}::new(0)", self.names.enums[i].raw),
            (Kind::Set(i), _) => format!("{}::new(0)", self.names.sets[i].name),
            (Kind::Composite(i), null) => {
                let composite = &self.schema.composites[i];
                let name = &self.names.composites[i];
                match composite.first().filter(|_| null.is_some()) {
                    Some((first, member)) => format!(
                        "{name} {{ {}: {}{} }}",
                        wire_ident(composite, first),
                        self.wire_or_zero(member.kind, null),
                        self.rest(composite, 1, name)
                    ),
                    // With the name of the trait: a member may have the name `default`.
                    None => format!("<{name} as Default>::default()"),
                }
            }
            (Kind::Array(Prim::Char, n), _) => format!("tw::Chars::new([0; {n}])"),
            (Kind::Array(p, n), _) => format!("[{}; {n}]", wire_value(p, &float_or_zero(p))),
        }
    }

    /// The accessors of all fields, with these names.
    pub(super) fn accessors(
        &mut self,
        fields: &[Field],
        idents: &[String],
        host: Host,
        base_end: usize,
    ) {
        for ((field, place), ident) in fields.iter().zip(places(fields)).zip(idents) {
            self.accessor(field, ident, &place, host, base_end);
        }
    }

    /// Whether the accessor of a field returns an `Option`.
    pub(super) fn is_option(&self, field: &Field, host: Host, base_end: usize) -> bool {
        let is_nullable = match &field.presence {
            Presence::Optional(Some(null)) => self.null_test(field.kind, null).is_some(),
            _ => false,
        };
        is_nullable || is_in_tail(field, host, base_end)
    }

    /// One accessor. `base_end` is the end of the fields of all versions.
    fn accessor(&mut self, field: &Field, ident: &str, place: &str, host: Host, base_end: usize) {
        self.out.doc(&describe(
            &field.name,
            field.id,
            field.since,
            &field.description,
        ));
        if let Presence::Constant(value) = &field.presence {
            let (ty, value) = self.constant(field.kind, value);
            self.out.line(&format!(
                "pub const fn {ident}(&self) -> {ty} {{ {value} }}"
            ));
            return;
        }
        let lifetime = if host == Host::View { "'a " } else { "" };
        let ty = self.value_type(field.kind, lifetime);
        let null = match &field.presence {
            Presence::Optional(Some(null)) => self.null_test(field.kind, null),
            _ => None,
        };
        let is_optional = null.is_some();
        let in_tail = is_in_tail(field, host, base_end);
        let found = match (host, in_tail) {
            (Host::Struct, _) => {
                format!("{}self.{place}", if by_ref(field.kind) { "&" } else { "" })
            }
            // A composite of constants has no bytes, and a block without bytes has no root.
            (Host::View, false) if field.size == 0 => self.default_wire(field),
            (Host::View, false) => self.in_root(field),
            (Host::View, true) => self.in_tail(field, base_end),
        };
        let expr = match (in_tail, null) {
            (false, None) => load(field.kind, &found),
            (false, Some((test, arg))) => format!("rt::{test}({}{arg})", load(field.kind, &found)),
            (true, Some((test, arg))) => format!(
                "{found}.and_then(|v| rt::{test}({}{arg}))",
                load(field.kind, "v")
            ),
            (true, None) if load(field.kind, "v") == "v" => found,
            (true, None) => format!("{found}.map(|v| {})", load(field.kind, "v")),
        };
        let ty = if in_tail || is_optional {
            format!("Option<{ty}>")
        } else {
            ty
        };
        self.out.line(&format!(
            "#[inline] pub fn {ident}(&self) -> {ty} {{ {expr} }}"
        ));
    }

    /// The wire value of a field of all versions.
    fn in_root(&self, field: &Field) -> String {
        match field.kind {
            Kind::Array(Prim::Char, n) => {
                format!("rt::chars::<{n}, {}, _>(self.root)", field.offset)
            }
            Kind::Array(Prim::Uint8, n) => {
                format!("rt::bytes::<{n}, {}, _>(self.root)", field.offset)
            }
            kind => format!(
                "rt::at::<{}, {}, _>(self.root)",
                self.wire_type(kind),
                field.offset
            ),
        }
    }

    /// The wire value of a field of a later version, as an `Option`.
    fn in_tail(&self, field: &Field, base_end: usize) -> String {
        let place = format!(
            "(self.tail, {}, self.version, {})",
            field.offset.saturating_sub(base_end),
            field.since
        );
        match self.wire_type(field.kind) {
            wire if by_ref(field.kind) => format!("rt::added_ref::<{wire}>{place}"),
            wire => format!("rt::added::<{wire}>{place}"),
        }
    }

    /// The null test of the runtime, and its argument.
    pub(super) fn null_test(&self, kind: Kind, null: &Literal) -> Option<(&'static str, String)> {
        match (kind, null) {
            (Kind::Prim(Prim::Float), Literal::Float(n)) if n.is_nan() => {
                Some(("some_f32", String::new()))
            }
            (Kind::Prim(Prim::Double), Literal::Float(n)) if n.is_nan() => {
                Some(("some_f64", String::new()))
            }
            (Kind::Prim(p), _) => Some(("some", format!(", {}", number(p, null)?))),
            (Kind::Enum(i), Literal::Int(n)) => {
                Some(("some", format!(", {}::new({n})", self.names.enums[i].raw)))
            }
            (Kind::Array(Prim::Char, _), _) => Some(("some_chars", String::new())),
            (Kind::Composite(i), null) => {
                let composite = &self.schema.composites[i];
                let (first, member) = composite.first()?;
                let lent = if by_ref(member.kind) { "&" } else { "" };
                let place = format!("{lent}v.{}", wire_ident(composite, first));
                let (test, arg) = self.null_test(member.kind, null)?;
                Some((
                    "some_composite",
                    format!(
                        ", |v| rt::{test}({}{arg}).is_some()",
                        load(member.kind, &place)
                    ),
                ))
            }
            _ => None,
        }
    }

    /// Type and value of a constant.
    fn constant(&self, kind: Kind, value: &Literal) -> (String, String) {
        match (kind, value) {
            (_, Literal::Text(text)) => (
                "&'static str".into(),
                string(&String::from_utf8_lossy(text)),
            ),
            (_, Literal::EnumValue(e, v)) => {
                let names = &self.names.enums[*e];
                (
                    names.raw.clone(),
                    format!("{}::{}", names.raw, names.consts[*v]),
                )
            }
            (Kind::Prim(p), _) => (native(p).into(), number(p, value).unwrap_or_default()),
            (_, Literal::Int(n)) => ("i128".into(), n.to_string()),
            (_, Literal::Float(n)) => ("f64".into(), float(*n, "f64")),
        }
    }
}

/// Whether a field is in the part of a block that blocks of older senders may lack: an added field, or any
/// field behind an added field.
fn is_in_tail(field: &Field, host: Host, base_end: usize) -> bool {
    let is_added = field.on_wire() && (field.size > 0 || field.since > 0);
    host == Host::View && is_added && field.offset >= base_end
}

/// The names of fields in their wire struct; empty for those that are not on the wire.
pub(super) fn places(fields: &[Field]) -> Vec<String> {
    let mut names = Scope::default();
    fields
        .iter()
        .map(|field| {
            if field.on_wire() {
                names.snake(&field.name)
            } else {
                String::new()
            }
        })
        .collect()
}

/// The Rust type of a primitive; characters are their byte.
pub(super) fn native(prim: Prim) -> &'static str {
    match prim {
        Prim::Char | Prim::Uint8 => "u8",
        Prim::Int8 => "i8",
        Prim::Int16 => "i16",
        Prim::Int32 => "i32",
        Prim::Int64 => "i64",
        Prim::Uint16 => "u16",
        Prim::Uint32 => "u32",
        Prim::Uint64 => "u64",
        Prim::Float => "f32",
        Prim::Double => "f64",
    }
}

/// The wire type: alignment 1, in the byte order of the schema.
pub(super) fn wire_prim(prim: Prim) -> String {
    if prim.size() == 1 {
        native(prim).to_owned()
    } else {
        format!("w::{}", native(prim).to_uppercase())
    }
}

/// A native value as the wire type.
pub(super) fn wire_value(prim: Prim, value: &str) -> String {
    if prim.size() == 1 {
        value.to_owned()
    } else {
        format!("{}::new({value})", wire_prim(prim))
    }
}

/// Kinds with borrowed instead of copied values.
pub(super) fn by_ref(kind: Kind) -> bool {
    matches!(kind, Kind::Array(Prim::Char | Prim::Uint8, _))
}

fn float_or_zero(prim: Prim) -> String {
    if prim.range().is_none() {
        "0.0".into()
    } else {
        "0".into()
    }
}

/// From a wire value to the native one.
fn load(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Prim(p) if p.size() > 1 => format!("{value}.get()"),
        Kind::Array(p, _) if p.size() > 1 => format!("{value}.map(|v| v.get())"),
        _ => value.to_owned(),
    }
}

fn number(prim: Prim, value: &Literal) -> Option<String> {
    match value {
        Literal::Int(n) => Some(match prim {
            Prim::Int64 if *n == i128::from(i64::MIN) => "i64::MIN".into(),
            Prim::Int32 if *n == i128::from(i32::MIN) => "i32::MIN".into(),
            _ => n.to_string(),
        }),
        Literal::Float(n) => Some(float(*n, native(prim))),
        _ => None,
    }
}

fn float(n: f64, ty: &str) -> String {
    if n.is_nan() {
        format!("{ty}::NAN")
    } else if n.is_infinite() {
        format!(
            "{ty}::{}",
            if n > 0.0 { "INFINITY" } else { "NEG_INFINITY" }
        )
    } else if ty == "f32" {
        format!("{:?}", n as f32)
    } else {
        format!("{n:?}")
    }
}
