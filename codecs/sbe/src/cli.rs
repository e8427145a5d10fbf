//! `gen`, `dump` and `diff`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::PathBuf;

use lexopt::prelude::*;
use tickwire_sbe::capture::{self, Framing};
use tickwire_sbe::dynamic::{Decoded, DynamicError};
use tickwire_sbe::{Generator, Schema, diff};

const HELP: &str = "\
tickwire-sbe: Simple Binary Encoding schemas

  tickwire-sbe gen SCHEMA OUT [--include-base DIR] [--codecs-path PATH]
      writes the Rust module of a schema

  tickwire-sbe dump SCHEMA FILE [--include-base DIR]
      [--framing raw|back-to-back|cme] [--format text|json|totals] [--limit N]
      decodes a file of bytes, or the UDP payloads of a pcap or pcapng capture; totals go to stderr
      raw           one message, the whole payload (default)
      back-to-back  messages with their headers, one behind the other
      cme           u32 sequence, u64 ns, then (u16 size, message)*

  tickwire-sbe diff OLD NEW [--include-base DIR]
      lists changes and marks those that are not append-only

exit code: 0 fine, 1 refused messages or a breaking change, 2 wrong use or an unusable file";

/// Bytes of a file that is no capture: it is read whole. Captures are read block by block.
const RAW_BYTES_MAX: u64 = 256 << 20;

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

/// Runs one command; gives the exit code, or the message for code 2.
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
        ("dump", [schema, file]) => dump(&args, schema.clone(), file.clone(), out),
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
                args.framing = match parser.value().map_err(text)?.to_str() {
                    Some("raw") => Framing::Raw,
                    Some("back-to-back") => Framing::BackToBack,
                    Some("cme") => Framing::Cme,
                    _ => return Err("--framing takes raw, back-to-back or cme".into()),
                }
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

/// What a dump has seen, per message name.
#[derive(Default)]
struct Totals {
    by_name: BTreeMap<(u32, String), u64>,
    refused: u64,
    shown: u64,
}

fn dump(args: &Args, schema: PathBuf, file: PathBuf, out: &mut dyn Write) -> Result<u8, String> {
    let schema = read(args, &schema)?;
    let unreadable = |e: std::io::Error| format!("{} cannot be read: {e}", file.display());
    let mut input = std::fs::File::open(&file).map_err(unreadable)?;
    let mut head = Vec::new();
    Read::by_ref(&mut input)
        .take(4)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    let is_capture = capture::is_capture(&head);
    let mut input = std::io::Cursor::new(head).chain(input);
    let mut totals = Totals::default();
    let mut failed = None;
    let mut each = |payload: &[u8]| {
        capture::decode_payload(&schema, payload, args.framing, |message| {
            if let Err(e) = totals.show(args, message, out) {
                failed.get_or_insert(e);
            }
        });
    };
    let packets = if is_capture {
        Some(capture::payloads(input, each))
    } else {
        let mut bytes = Vec::new();
        (&mut input)
            .take(RAW_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > RAW_BYTES_MAX {
            return Err(format!(
                "{} is longer than {RAW_BYTES_MAX} bytes: cut it, or dump a capture",
                file.display()
            ));
        }
        each(&bytes);
        None
    };
    if let Some(error) = failed {
        return Err(format!("output failed: {error}"));
    }
    if let Some(Ok(packets)) = &packets {
        eprintln!(
            "{} UDP payloads, {} other packets",
            packets.payloads, packets.skipped
        );
    }
    eprint!("{}", totals.table());
    if let Some(Err(error)) = packets {
        return Err(format!("{}: {error}: that is all of it", file.display()));
    }
    Ok(u8::from(totals.refused > 0))
}

impl Totals {
    fn show(
        &mut self,
        args: &Args,
        message: Result<Decoded, DynamicError>,
        out: &mut dyn Write,
    ) -> std::io::Result<()> {
        let shown = match &message {
            Ok(m) => {
                let name = m
                    .name
                    .clone()
                    .unwrap_or_else(|| format!("unknown (schema {})", m.schema_id));
                *self.by_name.entry((m.template_id, name)).or_default() += 1;
                Some(m)
            }
            Err(error) => {
                self.refused += 1;
                eprintln!("refused: {error}");
                None
            }
        };
        let Some(message) =
            shown.filter(|_| args.format != Format::Totals && self.shown < args.limit)
        else {
            return Ok(());
        };
        self.shown += 1;
        let mut rendered = String::new();
        // Writing to a String does not fail.
        let _ = match args.format {
            Format::Json => message.write_json(&mut rendered),
            _ => message.write_text(&mut rendered),
        };
        writeln!(out, "{}", rendered.trim_end())
    }

    fn table(&self) -> String {
        let mut table = String::new();
        for ((id, name), count) in &self.by_name {
            let _ = writeln!(table, "{count:>10}  {id:>6}  {name}");
        }
        let _ = writeln!(
            table,
            "{:>10}          messages",
            self.by_name.values().sum::<u64>()
        );
        let _ = writeln!(table, "{:>10}          refused", self.refused);
        table
    }
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
