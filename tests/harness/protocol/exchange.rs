//! Exchanges: what one end, E, receives, is told to do, and sends. How they are written down.

use super::frame::{Frame, encode};
use super::frames_json;
use super::json::{Json, hex};

/// What the application of E does.
#[derive(Clone, Debug)]
pub enum Does {
    /// Opens a channel.
    Open(Opens),
    /// Accepts a channel.
    Accept {
        /// The channel.
        channel: usize,
        /// Where messages of E go on: REPLAY.
        replay: Option<u64>,
        /// The first message that E wants.
        wants: Option<u64>,
    },
    /// Rejects a channel.
    Reject {
        /// The channel.
        channel: usize,
        /// Why.
        code: u32,
        /// Why, in bytes.
        metadata: Vec<u8>,
    },
    /// Sends a message.
    Send(usize, Vec<u8>),
    /// Sends messages of one size.
    SendRun(usize, usize, Vec<u8>),
    /// Consumes all that it has received on a channel and not consumed.
    Consume(usize),
    /// Acknowledges messages below a number.
    Acknowledge(usize, u64),
    /// Ends its half.
    Finish(usize),
    /// Gives up its half.
    Reset(usize, u32),
    /// Reads no more.
    Stop(usize, u32),
    /// Begins a drain.
    Drain(u32),
}

/// A channel that E opens.
#[derive(Clone, Default, Debug)]
pub struct Opens {
    /// What it is about.
    pub topic: &'static str,
    /// The profile byte of its OPEN.
    pub profile: u8,
    /// Epoch and number.
    pub resume: Option<(u64, u64)>,
}

/// A step.
#[derive(Clone, Debug)]
pub enum Step {
    /// A record of P, and what the application of E is told.
    Receives(Vec<u8>, Vec<Frame>, Vec<Json>),
    /// A text message of P.
    ReceivesText,
    /// The application of E acts.
    Does(Does),
    /// Milliseconds pass.
    Waits(u64),
    /// All records that E has to send.
    Sends(Vec<Vec<Frame>>),
}

/// What ends an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// The rule.
    pub rule: u32,
    /// In GOAWAY.
    pub code: u32,
    /// Of the WebSocket.
    pub close: u16,
}

/// An exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Unique among exchanges.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Other rules that it shows.
    pub rules: Vec<u32>,
    /// What E is set to.
    pub config: Vec<(&'static str, u64)>,
    /// In order.
    pub steps: Vec<Step>,
    /// How it ends, if P breaks a rule.
    pub broken: Option<Broken>,
}

impl Exchange {
    /// One without steps.
    #[must_use]
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            rules: Vec::new(),
            config: Vec::new(),
            steps: Vec::new(),
            broken: None,
        }
    }

    /// Rules that it shows.
    #[must_use]
    pub fn shows(mut self, rules: &[u32]) -> Self {
        self.rules.extend(rules);
        self
    }

    /// A limit of E.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: u64) -> Self {
        self.config.push((name, value));
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// A record comes.
    #[must_use]
    pub fn receives(self, frames: Vec<Frame>, reports: Vec<Json>) -> Self {
        self.step(Step::Receives(encode(&frames), frames, reports))
    }

    /// Bytes come that are no frames.
    #[must_use]
    pub fn receives_bytes(self, bytes: Vec<u8>) -> Self {
        self.step(Step::Receives(bytes, Vec::new(), Vec::new()))
    }

    /// Text comes.
    #[must_use]
    pub fn receives_text(self) -> Self {
        self.step(Step::ReceivesText)
    }

    /// The application acts.
    #[must_use]
    pub fn does(self, does: Does) -> Self {
        self.step(Step::Does(does))
    }

    /// Time passes.
    #[must_use]
    pub fn waits(self, ms: u64) -> Self {
        self.step(Step::Waits(ms))
    }

    /// E sends one record.
    #[must_use]
    pub fn sends(self, frames: Vec<Frame>) -> Self {
        self.step(Step::Sends(vec![frames]))
    }

    /// E sends these records, or none.
    #[must_use]
    pub fn sends_all(self, records: Vec<Vec<Frame>>) -> Self {
        self.step(Step::Sends(records))
    }

    /// P has broken a rule.
    #[must_use]
    pub fn breaks(mut self, rule: u32, code: u32) -> Self {
        self.broken = Some(Broken {
            rule,
            code,
            close: if rule == 14 { 1003 } else { 4000 + code as u16 },
        });
        self
    }

    /// As vectors have it: a step on each line.
    #[must_use]
    pub fn text(&self) -> String {
        let rules = self.rules.iter().map(|r| Json::from(format!("R{r}")));
        let config = self
            .config
            .iter()
            .map(|&(name, value)| (name, value.into()));
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|s| format!("      {}", s.json()))
            .collect();
        let broken = self.broken.map_or(String::new(), |broken| {
            let broken = Json::Object(vec![
                ("rule", format!("R{}", broken.rule).into()),
                ("code", u64::from(broken.code).into()),
                ("close", u64::from(broken.close).into()),
            ]);
            format!(", \"violation\": {broken}")
        });
        format!(
            "    {{\"name\": {}, \"about\": {}, \"shows\": {}, \"config\": {}, \"steps\": [\n{}\n    ]{broken}}}",
            Json::from(self.name),
            Json::from(self.about),
            Json::from(rules.collect::<Vec<_>>()),
            Json::Object(config.collect()),
            steps.join(",\n"),
        )
    }
}

fn record(bytes: &[u8], frames: &[Frame]) -> Vec<(&'static str, Json)> {
    vec![("hex", hex(bytes).into()), ("frames", frames_json(frames))]
}

impl Step {
    /// As vectors have it.
    #[must_use]
    pub fn json(&self) -> Json {
        let member = match self {
            Self::Receives(bytes, frames, reports) => {
                let mut members = record(bytes, frames);
                members.push(("reports", reports.clone().into()));
                ("receives", Json::Object(members))
            }
            Self::ReceivesText => ("receives_text", "text".into()),
            Self::Does(does) => ("does", does.json()),
            Self::Waits(ms) => ("waits_ms", (*ms).into()),
            Self::Sends(records) => {
                let one = |frames: &Vec<Frame>| Json::Object(record(&encode(frames), frames));
                ("sends", records.iter().map(one).collect::<Vec<_>>().into())
            }
        };
        Json::Object(vec![member])
    }
}

impl Does {
    fn json(&self) -> Json {
        let of = |action: &str, channel: usize, members: Vec<(&'static str, Json)>| {
            let mut all = vec![
                ("action", Json::from(action)),
                ("channel", (channel as u64).into()),
            ];
            all.extend(members);
            Json::Object(all)
        };
        let code = |code: u32| vec![("code", u64::from(code).into())];
        match self {
            Self::Open(opens) => {
                let mut members = vec![
                    ("action", "open".into()),
                    ("topic", opens.topic.into()),
                    ("profile", u64::from(opens.profile).into()),
                ];
                if let Some((epoch, next_seq)) = opens.resume {
                    members.extend([("epoch", epoch.into()), ("next_seq", next_seq.into())]);
                }
                Json::Object(members)
            }
            Self::Accept {
                channel,
                replay,
                wants,
            } => {
                let mut members = Vec::new();
                members.extend(replay.map(|from| ("replay", from.into())));
                members.extend(wants.map(|next| ("wants", next.into())));
                of("accept", *channel, members)
            }
            Self::Reject {
                channel,
                code: why,
                metadata,
            } => {
                let mut members = code(*why);
                members.push(("metadata", hex(metadata).into()));
                of("reject", *channel, members)
            }
            Self::Send(channel, payload) => {
                of("send", *channel, vec![("payload", hex(payload).into())])
            }
            Self::SendRun(channel, elem, payload) => {
                let members = vec![
                    ("elem", (*elem as u64).into()),
                    ("payload", hex(payload).into()),
                ];
                of("send_run", *channel, members)
            }
            Self::Consume(channel) => of("consume", *channel, Vec::new()),
            Self::Acknowledge(channel, seq) => {
                of("acknowledge", *channel, vec![("seq", (*seq).into())])
            }
            Self::Finish(channel) => of("finish", *channel, Vec::new()),
            Self::Reset(channel, why) => of("reset", *channel, code(*why)),
            Self::Stop(channel, why) => of("stop", *channel, code(*why)),
            Self::Drain(why) => {
                let members = vec![("action", "drain".into()), ("code", u64::from(*why).into())];
                Json::Object(members)
            }
        }
    }
}

/// What an application is told: a name, the channel if there is one, and what else there is.
#[must_use]
pub fn told(name: &str, channel: Option<usize>, members: Vec<(&'static str, Json)>) -> Json {
    let mut all = vec![("event", Json::from(name))];
    all.extend(channel.map(|channel| ("channel", (channel as u64).into())));
    all.extend(members);
    Json::Object(all)
}
