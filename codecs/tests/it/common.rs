//! What every format must stand: truncations, changed bytes, tight limits, round trips.

use std::{fmt, path::PathBuf};
use tickwire_codecs::{Codec, DecodeError, Encode, EncodeError, Limits, ToJson};

/// Limits no fixture of these tests comes near.
pub(crate) const WIDE: Limits = Limits::BULK;

/// A view as JSON text: this walks every field of it.
pub(crate) fn json(view: &impl ToJson) -> String {
    let mut out = String::new();
    view.to_json(&mut out).unwrap();
    out
}

/// Throws text away.
struct Void;

impl fmt::Write for Void {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

/// Decodes bytes that may be anything; what is accepted is walked whole. An error's offset must lie
/// in the bytes.
pub(crate) fn poke<C: Codec>(bytes: &[u8]) -> bool
where
    for<'a> C::View<'a>: ToJson,
{
    match C::view(bytes, &WIDE) {
        Ok(view) => {
            view.to_json(&mut Void).unwrap();
            true
        }
        Err(error) => {
            assert!(
                error.at() as usize <= bytes.len(),
                "{error} in {bytes:02x?}"
            );
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// Encodes with a buffer that is too small, exact, and too large.
pub(crate) fn encode<C: Codec>(value: &impl Encode<C>) -> Vec<u8> {
    let len = value.encoded_len();
    let mut exact = vec![0; len];
    assert_eq!(value.encode(&mut exact), Ok(len));
    let mut roomy = vec![0xaa; len + 3];
    assert_eq!(value.encode(&mut roomy), Ok(len));
    assert_eq!(roomy[..len], exact);
    assert_eq!(roomy[len..], [0xaa; 3], "wrote past its length");
    for short in 0..len {
        let refused = value.encode(&mut vec![0; short]);
        assert!(
            matches!(refused, Err(EncodeError::Room { have, .. }) if have <= short),
            "{refused:?} with {short} of {len} bytes"
        );
    }
    exact
}

/// The checks of every fixture. `wire` is the encoding of its view.
pub(crate) fn torture<C: Codec>(wire: &[u8])
where
    for<'a> C::View<'a>: ToJson + Encode<C>,
{
    let view = C::view(wire, &WIDE).unwrap_or_else(|error| panic!("{error}: {wire:02x?}"));
    assert_eq!(encode::<C>(&view), wire, "view -> encode");
    mangle::<C>(wire);
}

/// Truncations, changed bytes and limits only: for fixtures that are not in the shortest form.
pub(crate) fn mangle<C: Codec>(wire: &[u8])
where
    for<'a> C::View<'a>: ToJson,
{
    assert!(poke::<C>(wire));
    let len = wire.len() as u32;
    let tight = Limits {
        max_msg: len.saturating_sub(1),
        ..WIDE
    };
    if len > 0 {
        assert!(
            matches!(C::view(wire, &tight), Err(DecodeError::Limit { got, .. }) if got == u64::from(len))
        );
    }
    for cut in 0..wire.len() {
        poke::<C>(&wire[..cut]);
    }
    let mut changed = wire.to_vec();
    for at in 0..wire.len() {
        for value in 0..=255 {
            changed[at] = value;
            poke::<C>(&changed);
        }
        changed[at] = wire[at];
    }
    // Two bytes at once: a count and a counted byte.
    for at in 1..wire.len() {
        for (high, low) in [
            (0xff, 0xff),
            (0x00, 0x00),
            (0x7f, 0xff),
            (0x80, 0x00),
            (0x00, 0x01),
        ] {
            (changed[at - 1], changed[at]) = (high, low);
            poke::<C>(&changed);
        }
        changed[at - 1..=at].copy_from_slice(&wire[at - 1..=at]);
    }
}

/// Every strict prefix is refused as too short, and one byte more as trailing: for formats in which
/// a message's length follows from its bytes.
pub(crate) fn refuses_other_lengths<C: Codec>(wire: &[u8])
where
    for<'a> C::View<'a>: fmt::Debug,
{
    for cut in 0..wire.len() {
        let error = C::view(&wire[..cut], &WIDE).expect_err("a truncated message");
        assert!(
            matches!(error, DecodeError::Short { at, need, have }
                if need > have && u64::from(at) + have == cut as u64),
            "{error:?} at {cut} of {}",
            wire.len()
        );
    }
    let mut longer = wire.to_vec();
    longer.push(0);
    let error = C::view(&longer, &WIDE).expect_err("a byte too many");
    assert_eq!(
        error,
        DecodeError::Trailing {
            at: wire.len() as u32,
            extra: 1
        }
    );
}

/// The recorded data. `None` after a line that names the skipped test.
pub(crate) fn recorded(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TICKWIRE_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(file);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent; set TICKWIRE_DATA", path.display());
    None
}
