//! `dump`: the messages of a file or capture, and totals.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;

use tickwire_sbe::Schema;
use tickwire_sbe::capture::{self, CaptureError, Event, Packets, Payload, Walker};
use tickwire_sbe::dynamic::Decoded;

use super::{Args, Format, read};

/// Bytes of a file that is no capture: it is read whole. Captures are read block by block.
const RAW_BYTES_MAX: u64 = 256 << 20;
/// The payloads that the hint is based on, and the bytes of each.
const SAMPLE_PAYLOADS_MAX: usize = 64;
const SAMPLE_BYTES_MAX: usize = 4 << 10;
/// Refusals that are written out; all are counted.
const REFUSALS_SHOWN_MAX: u64 = 1000;
/// Kinds of messages of other schemas and templates that are counted one by one.
const KINDS_MAX: usize = 1 << 12;
/// Kinds of them that the totals name.
const UNKNOWN_LISTED_MAX: usize = 20;
/// Kinds of them that the hint names.
const HINT_KINDS_MAX: usize = 5;

pub(super) fn run(
    args: &Args,
    schema: &Path,
    file: &Path,
    out: &mut dyn Write,
) -> Result<u8, String> {
    let schema = read(args, schema)?;
    let unreadable = |e: std::io::Error| format!("{} cannot be read: {e}", file.display());
    let mut input = std::fs::File::open(file).map_err(unreadable)?;
    let mut head = Vec::new();
    Read::by_ref(&mut input)
        .take(4)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    let is_capture = capture::is_capture(&head);
    let mut input = std::io::Cursor::new(head).chain(input);
    let mut dump = Dump::new(args, &schema, out);
    let packets = if is_capture {
        Some(capture::payloads(input, |payload| dump.payload(payload)))
    } else {
        let mut bytes = Vec::new();
        (&mut input)
            .take(RAW_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > RAW_BYTES_MAX {
            return Err(format!(
                "{} is longer than {RAW_BYTES_MAX} bytes: split the file, or dump a capture",
                file.display()
            ));
        }
        dump.payload(Payload::Datagram(&bytes));
        None
    };
    dump.finish(file, packets)
}

/// The totals of a dump.
struct Dump<'d> {
    args: &'d Args,
    schema: &'d Schema,
    walker: Walker<'d>,
    sample: Vec<Vec<u8>>,
    totals: Totals<'d>,
}

struct Totals<'d> {
    args: &'d Args,
    out: &'d mut dyn Write,
    /// Messages of the schema, by template id and name.
    by_name: BTreeMap<(u32, String), u64>,
    /// Messages of other schemas and templates, by schema id and template id.
    unknown: BTreeMap<(u32, u32), u64>,
    /// Those of more than [`KINDS_MAX`] kinds.
    more_unknown: u64,
    refused: u64,
    shown: u64,
    /// Messages with bytes behind them, and those bytes.
    padded: u64,
    padding: u64,
    other_frames: u64,
    lost: u64,
    gaps: u64,
    missing: u64,
    failed: Option<std::io::Error>,
}

impl<'d> Dump<'d> {
    fn new(args: &'d Args, schema: &'d Schema, out: &'d mut dyn Write) -> Self {
        Self {
            args,
            schema,
            walker: Walker::new(schema, args.framing),
            sample: Vec::new(),
            totals: Totals {
                args,
                out,
                by_name: BTreeMap::new(),
                unknown: BTreeMap::new(),
                more_unknown: 0,
                refused: 0,
                shown: 0,
                padded: 0,
                padding: 0,
                other_frames: 0,
                lost: 0,
                gaps: 0,
                missing: 0,
                failed: None,
            },
        }
    }

    fn payload(&mut self, payload: Payload<'_>) {
        if let Payload::Datagram(bytes) | Payload::Stream { bytes, .. } = payload
            && self.sample.len() < SAMPLE_PAYLOADS_MAX
        {
            let bytes = bytes.get(..SAMPLE_BYTES_MAX).unwrap_or(bytes);
            self.sample.push(bytes.to_vec());
        }
        let totals = &mut self.totals;
        self.walker
            .payload(payload, &mut |event| totals.event(event));
    }

    fn finish(
        self,
        file: &Path,
        packets: Option<Result<Packets, CaptureError>>,
    ) -> Result<u8, String> {
        let totals = &self.totals;
        if let Some(error) = &totals.failed {
            return Err(format!("output failed: {error}"));
        }
        if let Some(Ok(packets)) = &packets {
            eprintln!("{}", of_packets(packets));
        }
        eprint!("{}", totals.table());
        if let Some(Err(error)) = packets {
            return Err(format!(
                "{}: {error}: the rest of the file was not read",
                file.display()
            ));
        }
        if totals.by_name.is_empty() {
            eprint!("{}", self.hint());
            return Ok(1);
        }
        Ok(u8::from(totals.refused > 0))
    }

    /// A hint about the content of the file, if no message belongs to the schema.
    fn hint(&self) -> String {
        let mut hint = format!("no message of schema {} was found\n", self.schema.id);
        for ((schema, template), count) in self.totals.unknown_kinds().take(HINT_KINDS_MAX) {
            let _ = writeln!(
                hint,
                "  {count} times schema {schema}, template {template} by --framing {}",
                self.args.framing
            );
        }
        let found = capture::probe(self.schema, &self.sample);
        for (framing, messages) in found.iter().take(HINT_KINDS_MAX) {
            let payloads = self.sample.len();
            let _ = writeln!(
                hint,
                "  --framing {framing} finds {messages} messages in the first {payloads} payloads"
            );
        }
        if found.is_empty() {
            hint.push_str(
                "  no --framing finds any: check that the schema belongs to this capture\n",
            );
        }
        hint
    }
}

fn of_packets(packets: &Packets) -> String {
    let mut line = format!("{} UDP payloads, ", packets.datagrams);
    if packets.segments > 0 {
        let _ = write!(
            line,
            "{} TCP segments ({} bytes sent again, {} gaps), ",
            packets.segments, packets.retransmitted, packets.gaps
        );
    }
    let _ = write!(line, "{} other packets", packets.skipped);
    if packets.unfollowed > 0 {
        let _ = write!(
            line,
            "\n{} TCP segments were not read: too many streams at the same time; split the capture",
            packets.unfollowed
        );
    }
    line
}

impl Totals<'_> {
    fn event(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                if let Err(error) = self.message(&message) {
                    self.failed.get_or_insert(error);
                }
            }
            Event::Refused(error) => {
                self.refused += 1;
                if self.refused <= REFUSALS_SHOWN_MAX {
                    eprintln!("refused: {error}");
                }
            }
            Event::OtherFrame => self.other_frames += 1,
            Event::Lost(bytes) => self.lost += bytes as u64,
            Event::Gap(flow, bytes) => {
                self.gaps += 1;
                self.missing += bytes;
                eprintln!("gap: {bytes} bytes are missing from {flow}");
            }
        }
    }

    fn message(&mut self, message: &Decoded) -> std::io::Result<()> {
        match &message.name {
            Some(name) => {
                let kind = (message.template_id, name.clone());
                *self.by_name.entry(kind).or_default() += 1;
            }
            None => {
                let kind = (message.schema_id, message.template_id);
                let is_counted = self.unknown.len() < KINDS_MAX || self.unknown.contains_key(&kind);
                *match is_counted {
                    true => self.unknown.entry(kind).or_default(),
                    false => &mut self.more_unknown,
                } += 1;
            }
        }
        self.padded += u64::from(message.trailing > 0);
        self.padding += message.trailing as u64;
        if self.args.format == Format::Totals || self.shown >= self.args.limit {
            return Ok(());
        }
        self.shown += 1;
        let mut rendered = String::new();
        // Writing to a String does not fail.
        let _ = match self.args.format {
            Format::Json => message.write_json(&mut rendered),
            _ => message.write_text(&mut rendered),
        };
        writeln!(self.out, "{}", rendered.trim_end())
    }

    /// Kinds of messages of other schemas and templates, the most frequent first.
    fn unknown_kinds(&self) -> impl Iterator<Item = ((u32, u32), u64)> {
        let mut kinds: Vec<_> = self.unknown.iter().map(|(k, n)| (*k, *n)).collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
        kinds.into_iter()
    }

    fn table(&self) -> String {
        let mut table = String::new();
        for ((id, name), count) in &self.by_name {
            let _ = writeln!(table, "{count:>10}  {id:>6}  {name}");
        }
        for ((schema, template), count) in self.unknown_kinds().take(UNKNOWN_LISTED_MAX) {
            let _ = writeln!(
                table,
                "{count:>10}  {template:>6}  unknown (schema {schema})"
            );
        }
        if let Some(more) = self.unknown.len().checked_sub(UNKNOWN_LISTED_MAX + 1) {
            let _ = writeln!(table, "{:>18}  unknown of {} more kinds", "", more + 1);
        }
        let messages = self.by_name.values().chain(self.unknown.values());
        let mut line = |count: u64, what: &str| {
            let _ = writeln!(table, "{count:>10}          {what}");
        };
        line(messages.sum::<u64>() + self.more_unknown, "messages");
        line(self.refused, "refused");
        let others = [
            (
                self.padded,
                format!("with bytes behind the message, {} bytes", self.padding),
            ),
            (
                self.other_frames,
                "frames of a session or another encoding".into(),
            ),
            (
                self.gaps,
                format!("gaps in streams, {} bytes", self.missing),
            ),
            (
                self.lost,
                "bytes of streams without a known frame boundary".into(),
            ),
        ];
        for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
            line(*count, what);
        }
        table
    }
}
