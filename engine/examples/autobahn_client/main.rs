//! The client side of the Autobahn TestSuite: runs all cases of a fuzzing server, sends every
//! message back, and lets the server write its reports.
//!
//! ```text
//! autobahn_client --driver tokio|mio --url ws://HOST:PORT --agent NAME
//! ```
//!
//! The server judges each case. This program fails only if it cannot connect to the server. See
//! `tests/conformance/README.md`.

mod on_mio;
mod on_tokio;

use std::process::ExitCode;

use lexopt::prelude::*;
use tickwire::Config;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str = "usage: autobahn_client --driver tokio|mio --url ws://HOST:PORT --agent NAME";

/// The largest message of the suite is 16 MiB; some cases send many messages before they read.
const SEND_QUEUE_BYTES_MAX: usize = 64 << 20;

/// The suite has 517 cases; a larger number than this is not from the suite.
const CASES_MAX: u32 = 10_000;

fn main() -> ExitCode {
    match run() {
        Ok(cases) => {
            println!("{cases} cases run");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("autobahn_client: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<u32> {
    let (mut mio, mut url, mut agent) = (None, None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("driver") => {
                mio = Some(match parser.value()?.string()?.as_str() {
                    "tokio" => false,
                    "mio" => true,
                    other => return Err(format!("no driver {other:?}\n{USAGE}").into()),
                });
            }
            Long("url") => url = Some(parser.value()?.string()?),
            Long("agent") => agent = Some(parser.value()?.string()?),
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    let (Some(mio), Some(url), Some(agent)) = (mio, url, agent) else {
        return Err(format!("an option is missing\n{USAGE}").into());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if agent.is_empty() || !agent.chars().all(plain) {
        return Err("--agent must be letters, digits, and any of -._".into());
    }
    let urls = Urls {
        base: url.trim_end_matches('/').into(),
        agent,
    };
    if mio {
        on_mio::run(urls)
    } else {
        on_tokio::run(&urls)
    }
}

/// The URLs of the suite.
struct Urls {
    base: String,
    agent: String,
}

impl Urls {
    fn case_count(&self) -> String {
        format!("{}/getCaseCount", self.base)
    }

    fn case(&self, case: u32) -> String {
        format!("{}/runCase?case={case}&agent={}", self.base, self.agent)
    }

    fn reports(&self) -> String {
        format!("{}/updateReports?agent={}", self.base, self.agent)
    }
}

/// Parses the number of cases.
fn case_count(text: &str) -> Result<u32> {
    match text.parse() {
        Ok(count @ 1..=CASES_MAX) => Ok(count),
        _ => Err(format!("the server sent {text:?} as the number of cases").into()),
    }
}

fn config() -> Result<Config> {
    let config = Config::default().send_queue_bytes_max(SEND_QUEUE_BYTES_MAX);
    Ok(config)
}
