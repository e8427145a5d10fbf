//! Our reading against decoders that others wrote: `itchfeed`, `cbor2` and `msgpack` of PyPI, in a
//! virtual environment under the target folder. Skipped, with a line that says so, where Python or
//! the packages cannot be had.

use crate::{
    common::{WIDE, json, recorded},
    itch, model,
};
use flate2::read::GzDecoder;
use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tickwire_codecs::{
    Batch, Codec, Limits, ToJson,
    cbor::Cbor,
    itch::{Itch50, ItchFile},
    msgpack::Msgpack,
};

const PACKAGES: [&str; 3] = ["itchfeed==1.6.4", "cbor2==6.2.1", "msgpack==1.2.4"];

/// The environment's interpreter, made on first use.
fn python() -> Result<PathBuf, String> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("venv-codecs");
    let python = home.join("bin/python");
    let ready = home.join("ready");
    if fs::read_to_string(&ready).is_ok_and(|have| have == PACKAGES.join(" ")) {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(PACKAGES))?;
    fs::write(ready, PACKAGES.join(" ")).map_err(|error| error.to_string())?;
    Ok(python)
}

fn line<C: Codec>(lines: &mut String, kind: &str, wire: &[u8])
where
    for<'a> C::View<'a>: ToJson,
{
    let view = C::view(wire, &WIDE).unwrap();
    write!(lines, "{kind}\t").unwrap();
    wire.iter()
        .for_each(|byte| write!(lines, "{byte:02x}").unwrap());
    writeln!(lines, "\t{}", json(&view)).unwrap();
}

fn itch_files(lines: &mut String) -> usize {
    let mut count = 0;
    if let Some(path) = recorded("nasdaq/itch50_head.bin") {
        let file = fs::read(path).unwrap();
        for framed in Batch::new(&file, ItchFile, &Limits::BULK).flatten() {
            line::<Itch50>(lines, "itch", framed.bytes);
            count += 1;
        }
    }
    if let Some(path) = recorded("nasdaq/itch50_artificial.gz") {
        let mut file = Vec::new();
        GzDecoder::new(fs::File::open(path).unwrap())
            .read_to_end(&mut file)
            .unwrap();
        for framed in Batch::new(&file, ItchFile, &Limits::BULK).flatten() {
            line::<Itch50>(lines, "itch", framed.bytes);
            count += 1;
        }
    }
    count
}

#[test]
fn independent_decoders_read_the_same() {
    let python = match python() {
        Ok(python) => python,
        Err(error) => {
            eprintln!(
                "SKIPPED: no independent decoders, Python or its packages are absent: {error}"
            );
            return;
        }
    };
    let mut lines = String::new();
    let mut itch_count = itch_files(&mut lines);
    for wire in itch::fixtures() {
        line::<Itch50>(&mut lines, "itch", &wire);
        itch_count += 1;
    }
    let (cbor, msgpack) = (model::cbor_samples(), model::msgpack_samples());
    cbor.iter()
        .for_each(|wire| line::<Cbor>(&mut lines, "cbor", wire));
    msgpack
        .iter()
        .for_each(|wire| line::<Msgpack>(&mut lines, "msgpack", wire));
    let (cbor_written, msgpack_written) = (model::written::<Cbor>(), model::written::<Msgpack>());
    cbor_written
        .iter()
        .for_each(|wire| line::<Cbor>(&mut lines, "cbor-written", wire));
    msgpack_written
        .iter()
        .for_each(|wire| line::<Msgpack>(&mut lines, "msgpack-written", wire));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/independent.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.trim(),
        format!(
            "cbor={} cbor-written={} itch={itch_count} msgpack={} msgpack-written={}",
            cbor.len(),
            cbor_written.len(),
            msgpack.len(),
            msgpack_written.len()
        )
    );
    println!("independent decoders agree: {}", said.trim());
}
