//! `gen`, `dump` and `diff`.

mod dump;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use lexopt::prelude::*;
use tickwire_sbe::capture::Framing;
use tickwire_sbe::{Generator, Schema, diff};

const HELP: &str = "\
tickwire-sbe: Simple Binary Encoding schemas

  tickwire-sbe gen SCHEMA OUT [--include-base DIR] [--codecs-path PATH]
      writes the Rust module of a schema

  tickwire-sbe dump SCHEMA FILE [--include-base DIR]
      [--framing NAME] [--format text|json|totals] [--limit N]
      decodes a file of bytes, or the UDP payloads and TCP streams of a pcap or pcapng capture; totals go
      to stderr. The framings of messages:
      raw                    adjacent messages, with up to 7 bytes of zeros between them (default)
      u16-le u16-be          length of the message; with the suffix -self the length counts itself
      u32-le u32-be          (u16-le-self, ...)
      sofh sofh-le           FIX Simple Open Framing Header: u32 length of the frame, u16 encoding type
      sofh-short             B3 orders, CME iLink 3: u16 length of the frame, u16 encoding type, little-endian
      cme                    CME MDP 3.0: 12 bytes, then u16-le-self
      b3                     B3 Binary UMDF: 16 bytes, then sofh-short
      coinbase               Coinbase Derivatives market data: 24 bytes, then u16-le-self
      coinbase-orders        Coinbase Derivatives orders: 24 bytes with a u16 length of the frame
      deribit                Deribit multicast: 8 bytes, then adjacent messages
      memx-udp memx-tcp      MEMX sessions: 18 bytes and a count, then u16-be; u8 type, u16-be

  tickwire-sbe diff OLD NEW [--include-base DIR]
      lists changes and marks those that are not append-only

exit code: 0 success, 1 refused messages, no message of the schema, or a breaking change,
2 wrong use or an unusable file";

struct Args {
    paths: Vec<PathBuf>,
    include_base: Option<PathBuf>,
    codecs_path: Option<String>,
    framing: Framing,
    format: Format,
    limit: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Totals,
}

/// Runs one command. Returns the exit code, or the error message for exit code 2.
pub(crate) fn run(args: impl Iterator<Item = OsString>, out: &mut dyn Write) -> Result<u8, String> {
    let mut parser = lexopt::Parser::from_args(args);
    let command = match parser.next().map_err(text)? {
        Some(Value(command)) => command.string().map_err(text)?,
        Some(Long("help") | Short('h')) => {
            writeln!(out, "{HELP}").map_err(text)?;
            return Ok(0);
        }
        _ => return Err(HELP.into()),
    };
    let args = parse(parser)?;
    match (command.as_str(), args.paths.as_slice()) {
        ("gen", [schema, module]) => generate(&args, schema.clone(), module.clone(), out),
        ("dump", [schema, file]) => dump::run(&args, schema, file, out),
        ("diff", [old, new]) => compare(&args, old.clone(), new.clone(), out),
        _ => Err(HELP.into()),
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Args, String> {
    let mut args = Args {
        paths: Vec::new(),
        include_base: None,
        codecs_path: None,
        framing: Framing::Raw,
        format: Format::Text,
        limit: u64::MAX,
    };
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Value(path) => args.paths.push(path.into()),
            Long("include-base") => args.include_base = Some(parser.value().map_err(text)?.into()),
            Long("codecs-path") => {
                args.codecs_path = Some(parser.value().map_err(text)?.string().map_err(text)?)
            }
            Long("limit") => args.limit = parser.value().map_err(text)?.parse().map_err(text)?,
            Long("framing") => {
                let name = parser.value().map_err(text)?;
                args.framing = name.to_string_lossy().parse()?;
            }
            Long("format") => {
                args.format = match parser.value().map_err(text)?.to_str() {
                    Some("text") => Format::Text,
                    Some("json") => Format::Json,
                    Some("totals") => Format::Totals,
                    _ => return Err("--format takes text, json or totals".into()),
                }
            }
            other => return Err(text(other.unexpected())),
        }
    }
    Ok(args)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn read(args: &Args, path: &std::path::Path) -> Result<Schema, String> {
    Schema::read(path, args.include_base.as_deref()).map_err(text)
}

fn generate(
    args: &Args,
    schema: PathBuf,
    module: PathBuf,
    out: &mut dyn Write,
) -> Result<u8, String> {
    let mut generator = Generator::new()
        .schema(schema)
        .out(std::path::absolute(module).map_err(text)?);
    if let Some(base) = &args.include_base {
        generator = generator.include_base(base);
    }
    if let Some(path) = &args.codecs_path {
        generator = generator.codecs_path(path);
    }
    let done = generator.generate().map_err(text)?;
    for warning in &done.warnings {
        eprintln!("warning: {warning}");
    }
    writeln!(
        out,
        "{}: {} messages, {} lines, fingerprint {:#018x}",
        done.path.display(),
        done.messages,
        done.lines,
        done.fingerprint
    )
    .map_err(text)?;
    Ok(0)
}

fn compare(args: &Args, old: PathBuf, new: PathBuf, out: &mut dyn Write) -> Result<u8, String> {
    let changes = diff(&read(args, &old)?, &read(args, &new)?);
    let breaking = changes.iter().filter(|c| c.breaking).count();
    for change in &changes {
        writeln!(out, "{change}").map_err(text)?;
    }
    writeln!(out, "{} changes, {breaking} not append-only", changes.len()).map_err(text)?;
    Ok(u8::from(breaking > 0))
}
