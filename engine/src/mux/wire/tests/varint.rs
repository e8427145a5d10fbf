use super::*;

const BOUNDARIES: &[(u64, usize)] = &[
    (0, 1),
    (1, 1),
    (62, 1),
    (63, 1),
    (64, 2),
    (65, 2),
    ((1 << 14) - 1, 2),
    (1 << 14, 4),
    ((1 << 30) - 1, 4),
    (1 << 30, 8),
    (1 << 32, 8),
    ((1 << 56) - 1, 8),
    (1 << 61, 8),
    (VARINT_MAX - 1, 8),
    (VARINT_MAX, 8),
];

/// `v` in 1, 2, 4 or 8 bytes, as `docs/protocol.md`, section 3.1, describes it.
fn in_form(v: u64, tag: u32) -> Vec<u8> {
    let word = u128::from(v) << 2 | u128::from(tag);
    word.to_le_bytes()[..1 << tag].to_vec()
}

fn longest(tag: u32) -> u64 {
    ((1_u128 << ((8 << tag) - 2)) - 1) as u64
}

#[test]
fn every_boundary_takes_its_shortest_form() {
    for &(v, len) in BOUNDARIES {
        let mut out = vec![0xee];
        put_varint(&mut out, v);
        assert_eq!(out[0], 0xee);
        assert_eq!(out[1..], in_form(v, len.trailing_zeros()), "{v}");
        assert_eq!(varint_len(v), len, "{v}");
    }
}

#[test]
fn examples_in_bytes() {
    let rows: &[(u64, &[u8])] = &[
        (5, &[0x14]),
        (40, &[0xA0]),
        (63, &[0xFC]),
        (64, &[0x01, 0x01]),
        (16_383, &[0xFD, 0xFF]),
        (16_384, &[0x02, 0x00, 0x01, 0x00]),
        (1 << 30, &[0x03, 0, 0, 0, 1, 0, 0, 0]),
        (VARINT_MAX, &[0xFF; 8]),
    ];
    for (v, bytes) in rows {
        let mut out = Vec::new();
        put_varint(&mut out, *v);
        assert_eq!(out, *bytes);
        assert_eq!(varint(bytes), Some((*v, bytes.len())));
    }
}

/// Every form that holds the number is legal, with anything or nothing behind it.
#[test]
fn every_form_is_read_and_every_truncation_is_none() {
    for &(v, _) in BOUNDARIES {
        for tag in (0..4).filter(|&tag| v <= longest(tag)) {
            let form = in_form(v, tag);
            for behind in 0..=9 {
                for fill in [0, 0xff] {
                    let mut bytes = form.clone();
                    bytes.resize(form.len() + behind, fill);
                    assert_eq!(varint(&bytes), Some((v, form.len())), "{bytes:02x?}");
                }
            }
            for cut in 0..form.len() {
                assert_eq!(varint(&form[..cut]), None, "{form:02x?} to {cut}");
            }
        }
    }
}

#[test]
fn random_numbers_come_back() {
    let mut rng = Rng(1);
    for _ in 0..if cfg!(miri) { 500 } else { 20_000 } {
        let v = rng.number();
        let mut out = Vec::new();
        put_varint(&mut out, v);
        assert_eq!(out.len(), varint_len(v));
        assert_eq!(varint(&out), Some((v, out.len())));
    }
}

/// A buffer that is exactly large enough does not grow.
#[test]
fn a_full_buffer_is_not_replaced() {
    for &(v, len) in BOUNDARIES {
        for spare in 0..9 {
            let mut out = Vec::with_capacity(len + spare);
            let capacity = out.capacity();
            put_varint(&mut out, v);
            assert_eq!((out.len(), out.capacity()), (len, capacity));
        }
    }
}
