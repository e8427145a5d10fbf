//! Two versions of one schema on a connection, and clients that do not fit.
//!
//! ```text
//! cargo run --release -p tickwire-versions
//!
//!                  client of version 1          client of version 2
//! server of v. 2   steps over the new field     reads the new field: Some
//! server of v. 1   reads all there is           the new field is not there: None
//! ```
//!
//! A client opens a channel with an [`Offer`] of what it can read. A server that has it accepts,
//! and says which version was agreed on; one that has not rejects the channel, says why, and
//! lists what it has. Everything is checked: the exit code is 0 only if all of it went so.

mod client;
mod server;

/// Generated from `schemas/quote_v1.xml`: before `venueTime`.
mod v1 {
    include!(concat!(env!("OUT_DIR"), "/quote_v1.rs"));
}
/// Generated from `schemas/quote_v2.xml`.
mod v2 {
    include!(concat!(env!("OUT_DIR"), "/quote_v2.rs"));
}

use std::error::Error;
use std::time::Duration;

use tickwire_codecs::{Codec, Limits, Offer, Reason, fingerprint};

use client::{Outcome, Quote};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What an application of version 1 reads: that version. The fingerprint is the schema's, as the
/// generator took it.
const OLD: Offer = Offer::of::<v1::Quote>(Limits::FEED)
    .schema(v1::SCHEMA_ID)
    .fingerprint(v1::FINGERPRINT);

/// An application of version 2 reads version 1, too.
const NEW: Offer = Offer::of::<v2::Quote>(Limits::FEED)
    .schema(v2::SCHEMA_ID)
    .versions(v1::Quote::VERSION, v2::Quote::VERSION)
    .fingerprint(v2::FINGERPRINT);

/// Somebody has changed a field of version 2, and did not count the version up.
const EDITED: Offer = NEW.fingerprint(fingerprint(b"quote with bid and ask swapped"));

/// Another team's schema.
const FOREIGN: Offer = NEW.schema(2002);

/// For what takes milliseconds: reached only where something hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// What shall come of an offer.
enum Expected {
    /// This version, and quotes that say when the venue made them, or do not.
    Quotes { version: u16, timed: bool },
    /// This reason, and a list of the only thing that the server has.
    Refused(Reason),
}

async fn play() -> Fallible<()> {
    let new = server::start(server::write_v2, NEW).await?;
    let old = server::start(server::write_v1, OLD).await?;
    let quotes = |version, timed| Expected::Quotes { version, timed };
    let cases = [
        ("new server, new client", &new, NEW, quotes(2, true)),
        ("new server, old client", &new, OLD, quotes(1, false)),
        ("old server, new client", &old, NEW, quotes(1, false)),
        ("old server, old client", &old, OLD, quotes(1, false)),
        (
            "an edited schema",
            &new,
            EDITED,
            Expected::Refused(Reason::Fingerprint),
        ),
        (
            "another schema",
            &new,
            FOREIGN,
            Expected::Refused(Reason::Schema),
        ),
    ];
    for (name, server, offer, expected) in cases {
        let read = if offer == OLD {
            client::read_v1
        } else {
            client::read_v2
        };
        let outcome = client::ask(&server.url, &offer, read).await?;
        println!("{name}: {outcome}");
        let right = match (&outcome, expected) {
            (Outcome::Quotes(agreed, got), Expected::Quotes { version, timed }) => {
                *agreed == version && *got == server::quotes(timed)
            }
            (Outcome::Refused(got, have), Expected::Refused(reason)) => {
                *got == reason && *have == [server.has]
            }
            _ => false,
        };
        if !right {
            return Err(format!("{name}: that is not what it should be").into());
        }
    }
    println!("everything as it should be");
    Ok(())
}

#[tokio::main]
async fn main() -> Fallible<()> {
    tokio::time::timeout(DEADLINE, play()).await?
}
