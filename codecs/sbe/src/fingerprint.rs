//! The fingerprint of a schema.

use std::fmt::{self, Write};

use crate::ir::{Body, Field, Schema};

/// FNV-1a, 64 bits: not for adversaries, only to tell schemas apart.
struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

impl Schema {
    /// A digest of ids, versions, byte order, names, types, offsets, constants, null values, and kinds and
    /// units of time. Descriptions, the layout of the XML and foreign attributes do not count.
    /// The order of the types counts, although no message depends on it: the fingerprint changes if the types
    /// are sorted.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        // Writing into a hash cannot fail.
        let _ = self.canonical(&mut hash);
        hash.0
    }

    /// The canonical text behind [`Schema::fingerprint`]: one line per part.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn canonical(&self, out: &mut impl Write) -> fmt::Result {
        writeln!(
            out,
            "schema {} {} {} {:?}",
            self.package, self.id, self.version, self.byte_order
        )?;
        for e in &self.enums {
            writeln!(
                out,
                "enum {} {} {} {}",
                e.name,
                e.prim.name(),
                e.null,
                e.optional
            )?;
            for v in &e.values {
                writeln!(out, "value {} {} {}", v.name, v.value, v.since)?;
            }
        }
        for s in &self.sets {
            writeln!(out, "set {} {}", s.name, s.prim.name())?;
            for c in &s.choices {
                writeln!(out, "choice {} {} {}", c.name, c.bit, c.since)?;
            }
        }
        for c in &self.composites {
            writeln!(out, "composite {} {} {:?}", c.name, c.size, c.role)?;
            for m in &c.members {
                writeln!(
                    out,
                    "member {} {} {} {:?} {:?}{}",
                    m.name,
                    m.offset,
                    m.size,
                    m.kind,
                    m.presence,
                    time(m)
                )?;
            }
        }
        for m in &self.messages {
            writeln!(out, "message {} {} {}", m.name, m.id, m.since)?;
            body(&m.body, out)?;
        }
        Ok(())
    }
}

/// What a number counts, where it is a time.
fn time(field: &Field) -> String {
    let kind = Some(&field.semantic_type).filter(|_| field.is_called_time());
    let kind = kind.map(|kind| format!(" {kind}"));
    let unit = field.unit_word().map(|word| format!(" in {word}"));
    let epoch = Some(field.epoch_word()).filter(|word| word != "unix");
    let epoch = epoch.map(|word| format!(" since {word}"));
    [kind, unit, epoch].into_iter().flatten().collect()
}

fn body(body_: &Body, out: &mut impl Write) -> fmt::Result {
    writeln!(out, "block {}", body_.block_length)?;
    for f in &body_.fields {
        writeln!(
            out,
            "field {} {:?} {} {} {} {:?} {:?}{}",
            f.name,
            f.id,
            f.since,
            f.offset,
            f.size,
            f.kind,
            f.presence,
            time(f)
        )?;
    }
    for g in &body_.groups {
        writeln!(out, "group {} {} {} {}", g.name, g.id, g.since, g.dimension)?;
        body(&g.body, out)?;
    }
    for d in &body_.data {
        writeln!(
            out,
            "data {} {} {} {} {}",
            d.name,
            d.id,
            d.since,
            d.length.name(),
            d.text
        )?;
    }
    writeln!(out, "end")
}
