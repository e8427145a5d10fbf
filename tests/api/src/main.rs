//! The public surface of the published crates, held to the lists in `docs/api`.
//!
//! ```sh
//! cargo run -p tickwire-api                # compare; the exit code is 1 where the surface differs
//! cargo run -p tickwire-api -- --update    # write the lists anew
//! ```
//!
//! The lists are made of the JSON that rustdoc writes, whose format changes with the compiler. With a
//! compiler of another format the comparison is skipped (exit code 77), loudly.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use tickwire_api::surface::{self, Surface};
use tickwire_api::{Failure, foreign, lists, names, reasons};

/// The published crates with a library. The derive macro has one item, which `tickwire-codecs` exports.
const CRATES: [&str; 3] = ["tickwire", "tickwire-codecs", "tickwire-sbe"];

/// The exit code that `tests/all` counts as a skip.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let update = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--update"] => true,
        _ => {
            eprintln!("usage: tickwire-api [--update]");
            return ExitCode::from(2);
        }
    };
    match run(update) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Format(found)) => {
            eprintln!(
                "SKIPPED: this rustdoc writes JSON of format {found}; the lists are of format {}, \
                 which Rust 1.95 writes",
                surface::FORMAT
            );
            ExitCode::from(SKIPPED)
        }
        Err(Failure::Other(text)) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

/// Compares or writes all lists. `false`: something differs, and it has been printed.
fn run(update: bool) -> Result<bool, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("docs/api");
    let mut surfaces = Vec::new();
    for package in CRATES {
        surfaces.push((package, Surface::read(&document(&root, package)?)?));
    }

    let mut same = true;
    for (package, surface) in &surfaces {
        let file = folder.join(format!("{package}.txt"));
        let text = surface.text();
        if update {
            std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
        } else {
            let listed = read(&file)?;
            if let Some(difference) = lists::difference(&listed, &text) {
                same = false;
                println!(
                    "The public surface of {package} is not that of docs/api/{package}.txt:\n"
                );
                println!("{difference}");
            }
        }
        println!(
            "{package}: {} names, {} lines",
            surface.names.len(),
            surface.lines.len()
        );
    }
    if !same {
        println!(
            "\nWhere the change is meant, run `cargo run -p tickwire-api -- --update`, commit the \
             lists, and name the change in CHANGELOG.md."
        );
    }

    Ok(same & explained(&surfaces, &folder)?)
}

/// Whether every repeated name and every foreign crate has its reason in the lists. Prints how many
/// there are, and what has no reason.
fn explained(surfaces: &[(&str, Surface)], folder: &Path) -> Result<bool, Failure> {
    let names: Vec<_> = surfaces
        .iter()
        .flat_map(|(_, surface)| &surface.names)
        .cloned()
        .collect();
    let repeated = names::repeated(&names);
    let (at_paths, of_meanings): (Vec<_>, Vec<_>) = repeated.iter().partition(|r| r.meanings == 1);
    println!(
        "names at several paths: {}; of several meanings: {}",
        at_paths.len(),
        of_meanings.len()
    );
    let repeated: Vec<_> = repeated
        .iter()
        .map(|r| (r.last.clone(), r.place()))
        .collect();

    let mut foreign = Vec::new();
    for (package, surface) in surfaces {
        for (name, line) in foreign::crates(&surface.lines, "tickwire") {
            foreign.push((format!("{package}/{name}"), line.to_owned()));
        }
    }
    println!("crates of others in public signatures: {}", foreign.len());

    let mut same = true;
    for (found, file) in [
        (repeated, "repeated-names.txt"),
        (foreign, "foreign-crates.txt"),
    ] {
        for fault in reasons::faults(&found, &read(&folder.join(file))?) {
            same = false;
            println!("docs/api/{file}: {fault}");
        }
    }
    Ok(same)
}

/// Runs rustdoc over `package` with all its features; where the JSON is.
fn document(root: &Path, package: &str) -> Result<PathBuf, Failure> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let status = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .current_dir(root)
        .env("RUSTDOC", root.join("tests/rustdoc"))
        .env_remove("RUSTDOCFLAGS")
        .args([
            "rustdoc",
            "--quiet",
            "--package",
            package,
            "--lib",
            "--all-features",
            "--",
        ])
        .args(["-Z", "unstable-options", "--output-format", "json"])
        .status()
        .map_err(|e| format!("cargo rustdoc: {e}"))?;
    if !status.success() {
        return Err(format!("cargo rustdoc of {package} failed").into());
    }
    Ok(target
        .join("doc")
        .join(format!("{}.json", package.replace('-', "_"))))
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}
