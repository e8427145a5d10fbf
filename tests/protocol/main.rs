//! Writes the test vectors of `docs/protocol.md`:
//! `cargo run -p tickwire-tests --example protocol_vectors`.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol/vectors.json");
    fs::write(path, harness::protocol::vectors())
}
