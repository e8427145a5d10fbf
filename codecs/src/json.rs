//! Views as JSON text, for dumps, logs and comparisons. JSON is not a wire format of this crate.

use core::fmt::{self, Write};

/// A view or field that can be written as JSON.
///
/// 64-bit integers are numbers with all digits; a reader that stores numbers as doubles loses the low
/// digits. Decimals are strings.
pub trait ToJson {
    /// Writes one JSON value.
    ///
    /// # Errors
    /// The errors of `out`.
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result;
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        (**self).to_json(out)
    }
}

macro_rules! plain {
    ($($t:ty)*) => {$(
        impl ToJson for $t {
            fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
                write!(out, "{self}")
            }
        }
    )*};
}
plain!(u8 u16 u32 u64 usize i8 i16 i32 i64 bool);

macro_rules! wire {
    ($($t:ident)*) => {$(
        impl<O: zerocopy::ByteOrder> ToJson for zerocopy::$t<O> {
            fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
                self.get().to_json(out)
            }
        }
    )*};
}
wire!(U16 U32 U64 I16 I32 I64 F32 F64);

impl ToJson for f64 {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        // JSON has no infinities and no NaN (RFC 8259 section 6).
        if self.is_finite() {
            write!(out, "{self:?}")
        } else {
            out.write_str("null")
        }
    }
}

impl ToJson for f32 {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        if self.is_finite() {
            write!(out, "{self:?}")
        } else {
            out.write_str("null")
        }
    }
}

impl ToJson for str {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        out.write_char('"')?;
        self.chars().try_for_each(|c| escaped(out, c))?;
        out.write_char('"')
    }
}

/// Writes one character of the inside of a JSON string (RFC 8259 section 7).
pub(crate) fn escaped(out: &mut dyn Write, c: char) -> fmt::Result {
    match c {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(out, "\\u{:04x}", c as u32),
        c => out.write_char(c),
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        match self {
            Some(value) => value.to_json(out),
            None => out.write_str("null"),
        }
    }
}

impl<T: ToJson> ToJson for [T] {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        array(out, self.iter())
    }
}

impl<T: ToJson, const N: usize> ToJson for [T; N] {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        array(out, self.iter())
    }
}

/// Writes an array of the items.
///
/// # Errors
/// The errors of `out`.
pub fn array<T: ToJson>(out: &mut dyn Write, items: impl Iterator<Item = T>) -> fmt::Result {
    out.write_char('[')?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        item.to_json(out)?;
    }
    out.write_char(']')
}

/// Writes bytes as a string of lower-case hexadecimal digits.
///
/// # Errors
/// The errors of `out`.
pub fn hex(out: &mut dyn Write, bytes: &[u8]) -> fmt::Result {
    out.write_char('"')?;
    for byte in bytes {
        write!(out, "{byte:02x}")?;
    }
    out.write_char('"')
}

/// Bytes that [`hex`] writes.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl ToJson for Hex<'_> {
    fn to_json(&self, out: &mut dyn Write) -> fmt::Result {
        hex(out, self.0)
    }
}

/// Writes one JSON object, field by field.
///
/// ```
/// use tickwire_codecs::json::Object;
/// let mut out = String::new();
/// let mut object = Object::begin(&mut out)?;
/// object.field("price", &15u32)?.field("venue", "XNAS")?;
/// object.end()?;
/// assert_eq!(out, r#"{"price":15,"venue":"XNAS"}"#);
/// # Ok::<(), core::fmt::Error>(())
/// ```
pub struct Object<'o> {
    out: &'o mut dyn Write,
    first: bool,
}

impl<'o> Object<'o> {
    /// Opens the object.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn begin(out: &'o mut dyn Write) -> Result<Self, fmt::Error> {
        out.write_char('{')?;
        Ok(Self { out, first: true })
    }

    /// Writes one member.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn field<T: ToJson + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<&mut Self, fmt::Error> {
        value.to_json(self.member(name)?)?;
        Ok(self)
    }

    /// Writes the name of a member and returns the output. Write exactly one value to it.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn member(&mut self, name: &str) -> Result<&mut dyn Write, fmt::Error> {
        if !self.first {
            self.out.write_char(',')?;
        }
        self.first = false;
        name.to_json(self.out)?;
        self.out.write_char(':')?;
        Ok(self.out)
    }

    /// Closes the object.
    ///
    /// # Errors
    /// The errors of the output.
    pub fn end(self) -> fmt::Result {
        self.out.write_char('}')
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}
