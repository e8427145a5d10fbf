//! Data types of section 1.5 of both versions, read at an offset.

use crate::{
    DecodeError,
    be::{U16, U32},
    slice,
};

/// The largest variable byte integer: four bytes of seven bits.
pub(super) const VARINT_MAX: u32 = 0x0fff_ffff;

/// Reads a variable byte integer and returns it with the offset behind it. MQTT 5 requires the shortest form
/// (section 1.5.5); MQTT 3.1.1 (section 2.2.3) also allows longer forms.
pub(super) fn padded_varint(bytes: &[u8], at: usize) -> Result<(u32, usize), DecodeError> {
    let mut value = 0;
    for index in 0..4 {
        let byte = *slice::part::<u8>(bytes, at + index)?;
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, at + index + 1));
        }
    }
    Err(DecodeError::wrong(
        at,
        "integer of more than four bytes",
        value.into(),
    ))
}

/// Reads a variable byte integer in its shortest form.
pub(super) fn varint(bytes: &[u8], at: usize) -> Result<(u32, usize), DecodeError> {
    let (value, end) = padded_varint(bytes, at)?;
    if end - at > varint_len(value) {
        return Err(DecodeError::wrong(
            at,
            "integer longer than needed",
            value.into(),
        ));
    }
    Ok((value, end))
}

/// The length of a variable byte integer, in bytes.
pub(super) const fn varint_len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

/// A reader of data types. Offsets of errors count from the start of the packet.
#[derive(Clone, Copy)]
pub(super) struct Take<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Take<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        let value = *slice::part::<u8>(self.bytes, self.at)?;
        self.at += 1;
        Ok(value)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        let value = slice::part::<U16>(self.bytes, self.at)?.get();
        self.at += 2;
        Ok(value)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        let value = slice::part::<U32>(self.bytes, self.at)?.get();
        self.at += 4;
        Ok(value)
    }

    pub(super) fn varint(&mut self) -> Result<u32, DecodeError> {
        let (value, next) = varint(self.bytes, self.at)?;
        self.at = next;
        Ok(value)
    }

    pub(super) fn padded_varint(&mut self) -> Result<u32, DecodeError> {
        let (value, next) = padded_varint(self.bytes, self.at)?;
        self.at = next;
        Ok(value)
    }

    pub(super) fn span(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let span = slice::span(self.bytes, self.at, len)?;
        self.at += len;
        Ok(span)
    }

    /// The remaining bytes. The reader does not move.
    pub(super) fn peek(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes the remaining bytes.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.peek();
        self.at = self.bytes.len();
        rest
    }

    /// Binary data: a u16 length, then the bytes (MQTT 5, section 1.5.6).
    pub(super) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u16()?;
        self.span(len.into())
    }

    /// A UTF-8 string without NUL (MQTT 5, section 1.5.4; MQTT 3.1.1, section 1.5.3).
    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = usize::from(self.u16()?);
        let text = slice::text(self.bytes, self.at, len)?;
        if let Some(index) = text.bytes().position(|byte| byte == 0) {
            return Err(DecodeError::wrong(self.at + index, "NUL in text", 0));
        }
        self.at += len;
        Ok(text)
    }

    /// Refuses bytes behind the last field.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            extra => Err(DecodeError::trailing(self.at, extra)),
        }
    }
}
