use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use crate::Result;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Driver {
    Tokio,
    Mio,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::Mio => "mio",
        })
    }
}

/// How fast the tape is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Speed {
    /// So many times as fast as it was recorded.
    Times(u32),
    /// As fast as the clients take it: there is no time at which a message is due.
    Max,
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(n) => write!(f, "{n}"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// What to play, how, and to whom.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Args {
    pub(crate) driver: Driver,
    pub(crate) speed: Speed,
    pub(crate) connections: usize,
    pub(crate) tape: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    /// Of the tape, from its beginning.
    pub(crate) seconds: Option<f64>,
    pub(crate) rounds: Option<u64>,
    /// How long the first client rests after each batch, before it gives back credit.
    pub(crate) slow: Option<Duration>,
    pub(crate) spin: bool,
    /// MiB of the generated file; 0: only the phase without one.
    pub(crate) bulk_mib: usize,
    pub(crate) bulk_file: Option<PathBuf>,
}

pub(crate) const USAGE: &str = "\
usage: replay [--driver tokio|mio] [--speed 1|10|max] [--connections N] [--tape FILE]
              [--json FILE] [--seconds N] [--rounds N] [--slow-client MS] [--spin]
              [--bulk MIB] [--bulk-file PATH]

  --driver       default tokio
  --speed        times as fast as recorded, or max: as fast as the clients take it; default 10
  --connections  clients; default 4
  --tape         a recording, gzip of lines `<nanoseconds> <JSON object>`; default: a generated one
  --json         writes the figures to this file as well
  --seconds      plays this much of the tape; default: what takes 15 s, at speed max all
  --rounds       plays it this many times over; default 1, at speed max 60
  --slow-client  the first client rests this long after every batch before it gives back the
                 credit of bbo and trades; default 0
  --spin         never sleeps: for three free cores
  --bulk         MiB of the file that is sent in the second phase; default 64, 0: no such phase
  --bulk-file    sends this file in place of a generated one";

/// Connections of one run: each is two sockets of this process, and the usual limit of open
/// files is 20,000 or less.
const CONNECTIONS_MAX: usize = 5_000;

/// Slower clients take longer for a tape than anybody waits.
const SLOW_MAX: Duration = Duration::from_secs(1);

/// MiB of the generated file: it is held in memory.
const BULK_MIB_MAX: usize = 4096;

/// MiB of it unless told.
const BULK_MIB: usize = 64;

/// How long a phase takes unless told: long enough to see it breathe, short enough to wait for.
const RUN_SECONDS: u32 = 15;

/// Rounds at the highest speed: some seconds.
const ROUNDS_AT_MAX: u64 = 60;

/// A run must end some day.
const ROUNDS_MAX: u64 = 100_000;

impl Default for Args {
    /// At ten times the recorded speed: the average is a thousand messages a second for each
    /// client, and the bursts are those of a hard day.
    fn default() -> Self {
        Self {
            driver: Driver::Tokio,
            speed: Speed::Times(10),
            connections: 4,
            tape: None,
            json: None,
            seconds: None,
            rounds: None,
            slow: None,
            spin: false,
            bulk_mib: BULK_MIB,
            bulk_file: None,
        }
    }
}

impl Args {
    pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Self> {
        let mut args = Self::default();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("driver") => {
                    args.driver = match parser.value()?.string()?.as_str() {
                        "tokio" => Driver::Tokio,
                        "mio" => Driver::Mio,
                        other => return Err(format!("no driver {other:?}: tokio or mio").into()),
                    };
                }
                Long("speed") => args.speed = speed(&parser.value()?.string()?)?,
                Long("connections") => args.connections = parser.value()?.parse()?,
                Long("tape") => args.tape = Some(parser.value()?.into()),
                Long("json") => args.json = Some(parser.value()?.into()),
                Long("seconds") => args.seconds = Some(parser.value()?.parse()?),
                Long("rounds") => args.rounds = Some(parser.value()?.parse()?),
                Long("slow-client") => {
                    args.slow = Some(Duration::from_millis(parser.value()?.parse()?));
                }
                Long("spin") => args.spin = true,
                Long("bulk") => args.bulk_mib = parser.value()?.parse()?,
                Long("bulk-file") => args.bulk_file = Some(parser.value()?.into()),
                other => return Err(format!("{} (--help lists all)", other.unexpected()).into()),
            }
        }
        args.check()?;
        Ok(args)
    }

    fn check(&self) -> Result<()> {
        if !(1..=CONNECTIONS_MAX).contains(&self.connections) {
            return Err(format!("--connections must be 1 to {CONNECTIONS_MAX}").into());
        }
        let is_length = |seconds: f64| seconds.is_finite() && seconds > 0.0 && seconds < 1e9;
        if self.seconds.is_some_and(|seconds| !is_length(seconds)) {
            return Err("--seconds must be more than 0".into());
        }
        if self.rounds.is_some_and(|n| !(1..=ROUNDS_MAX).contains(&n)) {
            return Err(format!("--rounds must be 1 to {ROUNDS_MAX}").into());
        }
        if self.slow.is_some_and(|slow| slow > SLOW_MAX) {
            return Err(format!("--slow-client must be at most {}", SLOW_MAX.as_millis()).into());
        }
        if self.bulk_mib > BULK_MIB_MAX {
            return Err(format!("--bulk must be 0 to {BULK_MIB_MAX}").into());
        }
        if self.bulk_mib == 0 && self.bulk_file.is_some() {
            return Err("--bulk 0 sends no file, and --bulk-file names one".into());
        }
        Ok(())
    }

    /// How much of the tape to play; `None` for all.
    pub(crate) fn length(&self) -> Option<Duration> {
        match (self.seconds, self.speed) {
            (Some(seconds), _) => Some(Duration::from_secs_f64(seconds)),
            (None, Speed::Times(times)) => Some(Duration::from_secs(
                u64::from(RUN_SECONDS) * u64::from(times),
            )),
            (None, Speed::Max) => None,
        }
    }

    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.unwrap_or(match self.speed {
            Speed::Times(_) => 1,
            Speed::Max => ROUNDS_AT_MAX,
        })
    }
}

/// Any whole number up to 1,000 works; 1 and 10 are the usual ones.
fn speed(text: &str) -> Result<Speed> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse() {
        Ok(times @ 1..=1000) => Ok(Speed::Times(times)),
        _ => Err(format!("no speed {text:?}: 1, 10, another number to 1000, or max").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Args> {
        Args::parse(lexopt::Parser::from_args(words.split_whitespace()))
    }

    #[test]
    fn nothing_is_needed() {
        let args = parse("").expect("defaults");
        assert_eq!(args, Args::default());
        assert_eq!(
            (args.length(), args.rounds()),
            (Some(Duration::from_secs(150)), 1)
        );
    }

    #[test]
    fn every_option_is_taken() {
        let args = parse(
            "--driver mio --speed max --connections 7 --tape t.gz --json j --seconds 2.5 \
             --rounds 3 --slow-client 20 --spin --bulk 5 --bulk-file f",
        );
        let expected = Args {
            driver: Driver::Mio,
            speed: Speed::Max,
            connections: 7,
            tape: Some("t.gz".into()),
            json: Some("j".into()),
            seconds: Some(2.5),
            rounds: Some(3),
            slow: Some(Duration::from_millis(20)),
            spin: true,
            bulk_mib: 5,
            bulk_file: Some("f".into()),
        };
        assert_eq!(args.expect("good"), expected);
        let max = parse("--speed max").expect("good");
        assert_eq!((max.length(), max.rounds()), (None, 60));
    }

    #[test]
    fn bad_options_are_told_in_one_line() {
        for bad in [
            "--driver uring",
            "--speed fast",
            "--speed 0",
            "--speed",
            "--connections 0",
            "--connections many",
            "--connections 100000",
            "--seconds 0",
            "--seconds -1",
            "--seconds NaN",
            "--seconds inf",
            "--rounds 0",
            "--slow-client 60000",
            "--spin=yes",
            "--bulk -1",
            "--bulk 5000",
            "--bulk 0 --bulk-file f",
            "--raw",
            "--no-such-option",
            "tape.gz",
        ] {
            let told = parse(bad).expect_err(bad).to_string();
            assert!(!told.is_empty() && !told.contains('\n'), "{bad}: {told}");
        }
    }
}
