//! The venues' own schemas and recordings: generated into a crate under the target folder, compiled,
//! and run. They are not part of this repository; without them every test here says so and passes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tickwire_sbe::{Generator, Schema};

/// The schemas that have to generate and compile, and the module each becomes.
const SCHEMAS: [(&str, &str); 4] = [
    ("sbe/example-schema.xml", "car"),
    ("binance/stream_1_0.xml", "stream"),
    ("binance/spot_3_5.xml", "spot"),
    ("cme/FixBinary.xml", "cme"),
];

/// `spot_3_5.xml` in lines of Rust; other generators need more than twenty times as many.
const SPOT_LINES_MAX: usize = 15_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of recorded data, or `None` after saying that the test is skipped.
fn data(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TICKWIRE_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let folder = std::path::absolute(folder).unwrap();
    if SCHEMAS
        .iter()
        .all(|(schema, _)| folder.join(schema).is_file())
    {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: {test}: no recorded data at {} (set TICKWIRE_DATA)",
        folder.display()
    );
    None
}

/// Runs a command to its end and gives its output; panics with it where the command fails.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Writes, compiles and runs the crate of `tests/real`; gives what it printed.
fn build_and_run(data: &Path) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    for (schema, module) in SCHEMAS {
        let out = folder.join("src").join(format!("{module}.rs"));
        let done = Generator::new()
            .schema(data.join(schema))
            .out(out)
            .generate()
            .unwrap();
        println!("{schema}: {} messages, {} lines", done.messages, done.lines);
        assert!(
            module != "spot" || done.lines <= SPOT_LINES_MAX,
            "{} lines",
            done.lines
        );
    }
    let root = std::path::absolute(root()).unwrap();
    let manifest =
        include_str!("real/Cargo.toml.in").replace("@ROOT@", &root.display().to_string());
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let files = [
        ("program.rs", "main.rs"),
        ("car_vector.rs", "car_vector.rs"),
        ("tape.rs", "tape.rs"),
    ];
    for (from, to) in files
        .into_iter()
        .chain([("sample.rs", "sample.rs"), ("leaves.rs", "leaves.rs")])
    {
        std::fs::copy(
            root.join("codecs/sbe/tests/real").join(from),
            folder.join("src").join(to),
        )
        .unwrap();
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["run", "--quiet", "--offline", "--"])
        .arg(data)
        .arg(&folder);
    run(cargo
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target")))
}

#[test]
fn real_schemas_and_recordings() {
    let Some(data) = data("real_schemas_and_recordings") else {
        return;
    };
    let printed = build_and_run(&data);
    println!("{printed}");
    for line in [
        "car: encoded and decoded as written by hand",
        "cme: 20546 messages: 12: 18, 32: 19138, 35: 614, 37: 388, 42: 388; unknown 0, refused 0",
        "binance: 41248 messages: BestBidAskStreamEvent 28040, TradesStreamEvent 9757, DepthDiffStreamEvent 3451",
        "spot: 92 messages",
    ] {
        assert!(
            printed.lines().any(|l| l.starts_with(line)),
            "no line `{line}` in\n{printed}"
        );
    }
    independent_decoder(&data);
}

/// The PyPI package `sbe` on the best-bid-offer and depth messages that the run above left behind; it
/// cannot read the trades, since it takes their constant field to be on the wire.
fn independent_decoder(data: &Path) {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sbe-venv");
    if !venv.join("ready").is_file() {
        let pip = venv.join("bin/pip");
        let steps = [
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(&venv)
                .output(),
            Command::new(pip)
                .args(["install", "--quiet", "-r"])
                .arg(python.join("requirements.txt"))
                .output(),
        ];
        if !steps
            .iter()
            .all(|s| s.as_ref().is_ok_and(|o| o.status.success()))
        {
            eprintln!(
                "SKIPPED: independent decoder: python3 with venv and the packages of requirements.txt are needed"
            );
            return;
        }
        std::fs::write(venv.join("ready"), "").unwrap();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real");
    let mut compare = Command::new(venv.join("bin/python"));
    compare
        .arg(python.join("compare.py"))
        .arg(data.join("binance/stream_1_0.xml"));
    let printed = run(compare
        .arg(folder.join("binance.bin"))
        .arg(folder.join("binance.json")));
    println!("independent decoder agrees on {printed}");
    assert!(
        printed.contains("\"BestBidAskStreamEvent\": 500"),
        "{printed}"
    );
    assert!(
        printed.contains("\"DepthDiffStreamEvent\": 500"),
        "{printed}"
    );
}

#[test]
fn versions_of_one_venue_compare() {
    let Some(data) = data("versions_of_one_venue_compare") else {
        return;
    };
    let schema = Schema::read(&data.join("cme/FixBinary.xml"), None).unwrap();
    assert_eq!(tickwire_sbe::diff(&schema, &schema), []);
    assert_eq!(
        (schema.messages.len(), schema.enums.len(), schema.sets.len()),
        (29, 15, 3)
    );
}
