//! A library and a program that deny all warnings include generated modules and compile without a
//! warning, although each of them uses one message of one schema.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use tickwire_sbe::Generator;

/// The schemas of this repository. Each becomes one module of the crate.
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

/// The lints of both crates.
const LINTS: &str = r"#![deny(warnings, missing_docs, unreachable_pub, unused, rust_2018_idioms)]
#![deny(unused_qualifications, unused_results, unused_lifetimes, single_use_lifetimes)]
#![deny(missing_debug_implementations, missing_copy_implementations, trivial_numeric_casts)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery, clippy::unwrap_used, clippy::indexing_slicing)]
#![forbid(unsafe_code)]
";

const LIBRARY: &str = r"
/// Reads the price of a best bid.
///
/// # Errors
/// [`tickwire_codecs::DecodeError`] if `bytes` are not a best bid and offer.
pub fn bid(bytes: &[u8]) -> Result<i64, tickwire_codecs::DecodeError> {
    use tickwire_codecs::{Codec, Limits};
    tick::BestBidOffer::view(bytes, &Limits::FEED).map(|quote| quote.bid_price())
}
";

/// A program has no public surface: the compiler reports every generated item that the program does not
/// use, unless the generated module allows it. The module `tick` is at the root of this crate.
const PROGRAM: &str = r#"
use tickwire_codecs::{Codec, Encode, Limits};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sent = BestBidOfferBuilder { root: BestBidOfferRoot::default(), symbol: "BTCUSDT".into() };
    let mut bytes = vec![0; Encode::<BestBidOffer>::encoded_len(&sent)];
    let _ = sent.encode(&mut bytes)?;
    println!("{}", BestBidOffer::view(&bytes, &Limits::FEED)?.bid_price());
    Ok(())
}

include!("../tick.in");
"#;

#[test]
fn a_library_and_a_program_that_deny_warnings_compile() {
    let sbe = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = std::path::absolute(sbe.join("../..")).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strict");
    std::fs::create_dir_all(folder.join("src/bin")).unwrap();
    let mut library = format!("//! A library that denies all warnings.\n{LINTS}{LIBRARY}");
    let mut program = format!("//! A program that denies all warnings.\n{LINTS}{PROGRAM}");
    for schema in SCHEMAS {
        let module = Path::new(schema).file_stem().unwrap().to_str().unwrap();
        Generator::new()
            .schema(sbe.join(schema))
            .include_base(sbe.join("tests/schemas/include"))
            .out(folder.join("src").join(format!("{module}.in")))
            .generate()
            .unwrap();
        // One module is public: its documentation is checked. The library does not use the others.
        let visibility = match module {
            "values" => "/// Its documentation is checked.\npub ",
            _ => "",
        };
        let include = format!("include!(\"{module}.in\");");
        writeln!(library, "\n{visibility}mod {module} {{\n    {include}\n}}").unwrap();
        if module != "tick" {
            let include = format!("include!(\"../{module}.in\");");
            writeln!(program, "\nmod {module} {{\n    {include}\n}}").unwrap();
        }
    }
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("src/lib.rs", &library);
    write("src/bin/program.rs", &program);
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
