//! The body of the fuzz target of bincode: two engines, `bincode` and `wincode`, on the same bytes.

use tickwire_codecs::bincode::wincode::{fix, var};
use tickwire_codecs::bincode::{Engine as _, Fix, Var};
use tickwire_codecs::{DecodeError, Limits};

use crate::fuzz_codecs::{INPUT_BYTES_MAX, check_error};

/// Which way an order goes.
#[derive(
    bincode::Encode, bincode::Decode, wincode::SchemaRead, wincode::SchemaWrite, PartialEq, Debug,
)]
enum Side {
    Buy,
    Sell { short: bool },
}

/// One field of each kind.
#[derive(
    bincode::Encode, bincode::Decode, wincode::SchemaRead, wincode::SchemaWrite, PartialEq, Debug,
)]
struct Order {
    id: u64,
    delta: i32,
    small: u8,
    side: Side,
    symbol: String,
    mark: char,
    levels: Vec<(i64, u32)>,
    note: Option<String>,
    flags: [u16; 3],
    raw: Vec<u8>,
}

/// Both bincode formats, each with both engines: the same value, or both refuse; and both write
/// the same bytes, which read as the value.
pub fn bincode(data: &[u8]) {
    let bytes = &data[..data.len().min(INPUT_BYTES_MAX)];
    let ours = Fix::decode::<Order>(bytes, &Limits::DEVICE);
    let theirs = fix::decode::<Order>(bytes, &Limits::DEVICE);
    agree(&ours, &theirs, bytes);
    if let Ok(value) = ours {
        let len = Fix::encoded_len(&value).expect("its own encoding");
        assert_eq!(fix::encoded_len(&value), Ok(len));
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        assert_eq!(Fix::encode(&value, &mut a), Ok(len));
        assert_eq!(fix::encode(&value, &mut b), Ok(len));
        assert_eq!((a.as_slice(), b.as_slice()), (bytes, bytes), "fix");
    }
    let ours = Var::decode::<Order>(bytes, &Limits::DEVICE);
    let theirs = var::decode::<Order>(bytes, &Limits::DEVICE);
    agree(&ours, &theirs, bytes);
    if let Ok(value) = ours {
        // Not the same bytes: a varint may be longer than it need be.
        let len = Var::encoded_len(&value).expect("its own encoding");
        let (mut a, mut b) = (vec![0; len], vec![0; len]);
        assert_eq!(Var::encode(&value, &mut a), Ok(len));
        assert_eq!(var::encode(&value, &mut b), Ok(len));
        assert_eq!(a, b, "var");
        assert_eq!(Var::decode::<Order>(&a, &Limits::DEVICE), Ok(value));
    }
}

fn agree(ours: &Result<Order, DecodeError>, theirs: &Result<Order, DecodeError>, bytes: &[u8]) {
    assert_eq!(
        ours.as_ref().ok(),
        theirs.as_ref().ok(),
        "bincode {ours:?}, wincode {theirs:?} of {bytes:02x?}"
    );
    for error in [ours.as_ref().err(), theirs.as_ref().err()]
        .into_iter()
        .flatten()
    {
        check_error(*error, bytes.len());
    }
}
