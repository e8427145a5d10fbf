use std::net::SocketAddr;

use lexopt::prelude::*;
use tickwire::net::Tune;

use crate::Result;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Driver {
    Tokio,
    Mio,
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) driver: Driver,
    pub(crate) listen: SocketAddr,
    pub(crate) spin: bool,
    pub(crate) core: Option<usize>,
    pub(crate) message_bytes_max: u64,
    pub(crate) threads: usize,
    pub(crate) tune: Tune,
}

const USAGE: &str = "usage: echo --driver tokio|mio --listen ADDR:PORT [--spin] [--core N] \
                     [--max-message BYTES] [--threads N] \
                     [--tune low-latency|throughput|many-connections] [--busy-poll MICROS]";

impl Args {
    pub(crate) fn from_env() -> Result<Self> {
        let (mut driver, mut listen) = (None, None);
        let (mut spin, mut core, mut threads) = (false, None, 1);
        let mut message_bytes_max = 16 << 20;
        let (mut tune, mut busy_poll) = (Tune::new(), None);
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Long("driver") => {
                    driver = Some(match parser.value()?.string()?.as_str() {
                        "tokio" => Driver::Tokio,
                        "mio" => Driver::Mio,
                        other => return Err(format!("no driver {other:?}\n{USAGE}").into()),
                    });
                }
                Long("listen") => listen = Some(parser.value()?.parse()?),
                Long("spin") => spin = true,
                Long("core") => core = Some(parser.value()?.parse()?),
                Long("max-message") => message_bytes_max = parser.value()?.parse()?,
                Long("threads") => threads = parser.value()?.parse()?,
                Long("tune") => {
                    tune = match parser.value()?.string()?.as_str() {
                        "low-latency" => Tune::low_latency(),
                        "throughput" => Tune::throughput(),
                        "many-connections" => Tune::many_connections(),
                        other => return Err(format!("no preset {other:?}\n{USAGE}").into()),
                    };
                }
                Long("busy-poll") => busy_poll = Some(parser.value()?.parse::<u32>()?),
                Long("help") => return Err(USAGE.into()),
                other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
            }
        }
        if threads == 0 {
            return Err("--threads must be at least 1".into());
        }
        Ok(Self {
            driver: driver.ok_or_else(|| format!("--driver is missing\n{USAGE}"))?,
            listen: listen.ok_or_else(|| format!("--listen is missing\n{USAGE}"))?,
            spin,
            core,
            message_bytes_max,
            threads,
            tune: tune.busy_poll_micros(busy_poll),
        })
    }
}
