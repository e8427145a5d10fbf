//! Messages made from a schema alone: random blocks, one to two entries per group, short data.

use tickwire_sbe::ir::{Body, ByteOrder, Composite, Kind, Message, Schema};

pub(crate) fn message(schema: &Schema, message: &Message, seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let header = schema.header_composite();
    let values = [
        ("blockLength", message.body.block_length as u64),
        ("templateId", u64::from(message.id)),
        ("schemaId", u64::from(schema.id)),
        ("version", u64::from(schema.version)),
    ];
    composite(schema, header, &values, &mut out);
    body(schema, &message.body, &mut random, &mut out);
    out
}

fn body(schema: &Schema, body_: &Body, random: &mut Random, out: &mut Vec<u8>) {
    out.extend((0..body_.block_length).map(|_| random.next()));
    for group in &body_.groups {
        let count = 1 + u64::from(random.next() % 2);
        let values = [("blockLength", group.body.block_length as u64), ("numInGroup", count)];
        composite(schema, &schema.composites[group.dimension], &values, out);
        for _ in 0..count {
            body(schema, &group.body, random, out);
        }
    }
    for data in &body_.data {
        let length = random.next() % 6;
        number(schema, u64::from(length), data.length.size(), out);
        out.extend((0..length).map(|_| b'a' + random.next() % 26));
    }
}

fn composite(schema: &Schema, composite: &Composite, values: &[(&str, u64)], out: &mut Vec<u8>) {
    let start = out.len();
    for member in &composite.members {
        out.resize(start + member.offset, 0);
        let value = values.iter().find(|(name, _)| *name == member.name).map_or(0, |(_, value)| *value);
        assert!(matches!(member.kind, Kind::Prim(_)));
        number(schema, value, member.size, out);
    }
}

fn number(schema: &Schema, value: u64, size: usize, out: &mut Vec<u8>) {
    match schema.byte_order {
        ByteOrder::Little => out.extend(&value.to_le_bytes()[..size]),
        ByteOrder::Big => out.extend(&value.to_be_bytes()[8 - size..]),
    }
}

/// xorshift64: the same bytes on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // Characters and small numbers, so that text is text and floats are printed alike.
        (self.0 >> 32) as u8 & 0x3f
    }
}
