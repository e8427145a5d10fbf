//! Compiled with the modules of the venues' schemas; `../real.rs` writes the crate and reads the output.
#![forbid(unsafe_code)]

mod car_vector;
mod leaves;
mod sample;
mod tape;

/// The modules under test, as a user includes them.
pub mod generated {
    pub mod car {
        include!("car.rs");
    }
    pub mod stream {
        include!("stream.rs");
    }
    pub mod spot {
        include!("spot.rs");
    }
    pub mod cme {
        include!("cme.rs");
    }
}

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::path::Path;

use generated::{car, cme, spot, stream};
use tickwire_codecs::framing::{CmePacket, Packet};
use tickwire_codecs::sbe::Tally;
use tickwire_codecs::{Batch, Codec, Limits};
use tickwire_sbe::{Schema, capture, dynamic};

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let (data, out) = (Path::new(&args[0]), Path::new(&args[1]));
    let schema = |name: &str| Schema::read(&data.join(name), None).unwrap();
    car_vector::check();
    println!("car: encoded and decoded as written by hand");
    capture_(&schema("cme/FixBinary.xml"), &data.join("cme/mdp3_v6.pcapng"));
    tape::check(&schema("binance/stream_1_0.xml"), &data.join("binance/btcusdt_spot_20240808.gz"), out);
    samples::<car::AnyMessage>("car", &schema("sbe/example-schema.xml"));
    samples::<stream::AnyMessage>("stream", &schema("binance/stream_1_0.xml"));
    samples::<spot::AnyMessage>("spot", &schema("binance/spot_3_5.xml"));
    samples::<cme::AnyMessage>("cme", &schema("cme/FixBinary.xml"));
}

/// Generated view and dynamic decoder read the same leaves.
fn agree<C: Codec>(schema: &Schema, bytes: &[u8], view: &C::View<'_>)
where
    for<'a> C::View<'a>: Debug,
{
    let message = dynamic::decode(schema, bytes).unwrap();
    assert_eq!(message.trailing, 0);
    assert_eq!(leaves::of_debug(&format!("{view:?}")), leaves::of_value(&message.fields), "{view:#?}");
}

/// Version 6 bytes by the version 9 schema.
fn capture_(schema: &Schema, path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    let mut tally = Tally::default();
    let (mut by_template, mut entries) = (BTreeMap::<u32, u64>::new(), BTreeMap::<u32, u64>::new());
    let packets = capture::payloads(file, |payload| {
        let capture::Payload::Datagram(payload) = payload else {
            panic!("{payload:?}");
        };
        let (_, messages) = CmePacket::read(payload).unwrap();
        for message in Batch::new(messages, CmePacket::MESSAGES.unwrap(), &Limits::FEED) {
            let bytes = message.unwrap().bytes;
            match cme::AnyMessage::view(bytes, &Limits::FEED) {
                Ok(cme::Message::Unknown(unknown)) => tally.unknown(&unknown, cme::SCHEMA_ID),
                Ok(message) => {
                    tally.known();
                    *by_template.entry(message.template_id()).or_default() += 1;
                    *entries.entry(message.template_id()).or_default() += md_entries(&message) as u64;
                    agree::<cme::AnyMessage>(schema, bytes, &message);
                }
                Err(error) => tally.refused(&error),
            }
        }
    })
    .unwrap();
    assert_eq!((packets.datagrams, packets.all()), (10_000, 10_000));
    assert_eq!(by_template.values().sum::<u64>(), tally.messages());
    let list = |counts: &BTreeMap<u32, u64>| counts.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join(", ");
    println!(
        "cme: {} messages: {}; unknown {}, refused {}; entries {}",
        tally.messages(),
        list(&by_template),
        tally.unknown_templates + tally.other_schemas,
        tally.refused,
        list(&entries)
    );
}

fn md_entries(message: &cme::Message<'_>) -> usize {
    match message {
        cme::Message::MdIncrementalRefreshBook32(m) => {
            assert!(m.no_order_id_entries().is_empty(), "the group came with version 7");
            m.no_md_entries().len()
        }
        cme::Message::MdIncrementalRefreshSessionStatistics35(m) => m.no_md_entries().len(),
        cme::Message::MdIncrementalRefreshVolume37(m) => m.no_md_entries().len(),
        cme::Message::MdIncrementalRefreshTradeSummary42(m) => m.no_md_entries().len(),
        _ => 0,
    }
}

/// A made-up message of every template: views agree, and no truncation or flip of a bit panics.
fn samples<C: Codec>(name: &str, schema: &Schema)
where
    for<'a> C::View<'a>: Debug,
{
    let (mut bytes_total, mut accepted) = (0, 0);
    for (index, message) in schema.messages.iter().enumerate() {
        let bytes = sample::message(schema, message, index as u64);
        bytes_total += bytes.len();
        let view = C::view(&bytes, &Limits::FEED).unwrap_or_else(|e| panic!("{}: {e}", message.name));
        agree::<C>(schema, &bytes, &view);
        for len in 0..bytes.len() {
            assert!(C::view(&bytes[..len], &Limits::FEED).is_err(), "{} cut to {len}", message.name);
        }
        let mut flipped = bytes.clone();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                flipped[at] ^= 1 << bit;
                if let Ok(view) = C::view(&flipped, &Limits::FEED) {
                    write!(Sink, "{view:?}").unwrap();
                    accepted += 1;
                }
                flipped[at] ^= 1 << bit;
            }
        }
    }
    println!(
        "{name}: {} messages, {bytes_total} bytes of samples agree with the dynamic decoder; {accepted} of {} flips accepted",
        schema.messages.len(),
        bytes_total * 8
    );
}

struct Sink;

impl std::fmt::Write for Sink {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        Ok(())
    }
}
