//! A user's crate that is strict with itself includes generated modules without a warning, although it
//! uses one message of one of them.

use std::path::Path;
use std::process::Command;

use tickwire_sbe::Generator;

/// Every schema of this repository, in a private module of the crate.
const SCHEMAS: [&str; 7] = [
    "tests/schemas/features.xml",
    "tests/schemas/big.xml",
    "tests/schemas/counted.xml",
    "tests/schemas/headers.xml",
    "tests/schemas/names.xml",
    "tests/schemas/values.xml",
    "schemas/tick.xml",
];

const MANIFEST: &str = r#"[package]
name = "strict"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
tickwire-codecs = { path = "@ROOT@/codecs", features = ["sbe"] }
"#;

/// What comes before the modules: as much as a crate can ask of itself.
const STRICT: &str = r#"//! A crate that is strict with itself.
#![deny(warnings, missing_docs, unreachable_pub, unused, rust_2018_idioms)]
#![deny(unused_qualifications, unused_results, unused_lifetimes, single_use_lifetimes)]
#![deny(missing_debug_implementations, missing_copy_implementations, trivial_numeric_casts)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery, clippy::unwrap_used, clippy::indexing_slicing)]
#![forbid(unsafe_code)]

/// The price of a best bid.
///
/// # Errors
/// Where the bytes are no quote.
pub fn bid(bytes: &[u8]) -> Result<i64, tickwire_codecs::DecodeError> {
    use tickwire_codecs::{Codec, Limits};
    tick::BestBidOffer::view(bytes, &Limits::FEED).map(|quote| quote.bid_price())
}
"#;

#[test]
fn a_strict_crate_has_no_warning() {
    let sbe = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = std::path::absolute(sbe.join("../..")).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strict");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let mut source = STRICT.to_owned();
    for schema in SCHEMAS {
        let module = Path::new(schema).file_stem().unwrap().to_str().unwrap();
        Generator::new()
            .schema(sbe.join(schema))
            .include_base(sbe.join("tests/schemas/include"))
            .out(folder.join("src").join(format!("{module}.in")))
            .generate()
            .unwrap();
        // One is seen from outside, with its documentation; the others are dead code.
        let (doc, public) = match module {
            "values" => ("/// Its documentation is checked.\n", "pub "),
            _ => ("", ""),
        };
        source += &format!("\n{doc}{public}mod {module} {{\n    include!(\"{module}.in\");\n}}\n");
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("src/lib.rs", &source);
    write(
        "Cargo.toml",
        &MANIFEST.replace("@ROOT@", &root.display().to_string()),
    );
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let target = folder.join("target");
    for arguments in [["clippy", "--quiet"], ["doc", "--no-deps"]] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).arg("--offline").current_dir(&folder);
        let cargo = cargo.env("CARGO_TARGET_DIR", &target);
        let output = cargo.env("RUSTDOCFLAGS", "-D warnings").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}\n{text}");
        assert!(!text.contains("warning"), "{arguments:?}\n{text}");
    }
}
