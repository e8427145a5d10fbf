//! What is measured: who, which work, and what comes back.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Who is measured: both ends are of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// Channels on the mio reactor: a `ChannelHandler` called with what happens.
    TickwireMio,
    /// The same, with the messages of a channel's turn as one RUN: they are of one size.
    TickwireRuns,
    /// The same handler on the reactor that runs on tokio.
    TickwireReactor,
    /// `channels::ChannelSocket`: a task per channel.
    TickwireTokio,
    /// rust-yamux 0.14 over a socket buffered both ways.
    Yamux,
    /// The same, with flushes put off to the end of the connection's turn: what it could be.
    YamuxDeferred,
    /// h2 0.4: a request per channel, one way of it the data.
    H2,
    /// One WebSocket without channels on the mio reactor: what channels cost.
    Websocket,
    /// A WebSocket for each channel, on the mio reactor.
    Websockets,
}

impl Peer {
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(|| format!("{self:?}"), |value| value.get_name().to_owned())
    }

    /// Ours, with channels: what the goals are about.
    pub(crate) fn is_ours(self) -> bool {
        matches!(
            self,
            Peer::TickwireMio | Peer::TickwireRuns | Peer::TickwireReactor | Peer::TickwireTokio
        )
    }

    /// What the goals compare with.
    pub(crate) fn is_rival(self) -> bool {
        matches!(self, Peer::Yamux | Peer::YamuxDeferred | Peer::H2)
    }

    /// Sockets without channels are only a yardstick of throughput.
    pub(crate) fn has_channels(self) -> bool {
        self.is_ours() || self.is_rival()
    }

    /// Whether this throughput is for it: a socket per channel is not for thousands, and a run
    /// is of more than one message.
    pub(crate) fn takes(self, channels: usize, burst: usize) -> bool {
        match self {
            Peer::Websockets => channels <= SOCKETS_MAX,
            Peer::TickwireRuns => burst > channels,
            _ => true,
        }
    }

    /// Whether it is for work other than throughput.
    pub(crate) fn does_all(self) -> bool {
        self.has_channels() && self != Peer::TickwireRuns
    }
}

/// Sockets of a client that has one for each channel.
pub(crate) const SOCKETS_MAX: usize = 256;

/// What a channel is for: its topic, its path, or its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub(crate) enum Role {
    /// Asks for the counts, and is answered when they have reached what it says.
    Control,
    /// Messages that are counted and checked.
    Data,
    /// Messages that begin with the moment at which they were due.
    Tick,
    /// Whatever fits; its reader keeps up.
    BulkFast,
    /// Its reader takes [`SLOW_BYTES_PER_SECOND`].
    BulkSlow,
    /// Its reader never reads.
    BulkStalled,
    /// One message, counted; then both ends are finished.
    Life,
}

/// What the slow reader takes.
pub(crate) const SLOW_BYTES_PER_SECOND: usize = 1 << 20;

/// Roles by their topics.
const ROLES: [(Role, &str); 7] = [
    (Role::Control, "control"),
    (Role::Data, "data"),
    (Role::Tick, "tick"),
    (Role::BulkFast, "bulk-fast"),
    (Role::BulkSlow, "bulk-slow"),
    (Role::BulkStalled, "bulk-stalled"),
    (Role::Life, "life"),
];

impl Role {
    pub(crate) fn topic(self) -> &'static str {
        ROLES.iter().find(|r| r.0 == self).map_or("", |r| r.1)
    }

    pub(crate) fn of_topic(topic: &[u8]) -> Option<Role> {
        let role = ROLES.iter().find(|r| r.1.as_bytes() == topic);
        role.map(|r| r.0)
    }

    pub(crate) fn of_byte(byte: u8) -> Option<Role> {
        ROLES.get(usize::from(byte)).map(|r| r.0)
    }

    /// 0 goes first.
    pub(crate) fn priority(self) -> u8 {
        match self {
            Role::Control | Role::Tick => 0,
            Role::Data | Role::Life => 3,
            Role::BulkFast | Role::BulkSlow | Role::BulkStalled => 7,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.topic())
    }
}

/// One run of a client against a server of its own.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// As many messages as go through, in turn over all channels.
    Throughput {
        channels: usize,
        bytes: usize,
        /// Messages that there are at once, in turn over the channels.
        burst: usize,
        /// Channels beside them that nobody reads, full.
        unread: usize,
        warm_up_ms: u64,
        run_ms: u64,
    },
    /// Ticks at a fixed rate, beside bulk channels that always have something to send.
    Latency {
        bulk: Option<Role>,
        /// How many, if there are any.
        bulk_channels: usize,
        ticks_per_second: u32,
        run_ms: u64,
    },
    /// Channels opened, used for one message, and ended.
    Opens { in_flight: usize, run_ms: u64 },
    /// Channels that have sent one message and rest.
    Idle { connections: usize, channels: usize },
}

/// Calls of a reactor; `None` where it does not count them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) waits: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

impl Counted {
    pub(crate) fn since(self, then: Counted) -> Counted {
        Counted {
            waits: self.waits - then.waits,
            reads: self.reads - then.reads,
            writes: self.writes - then.writes,
        }
    }

    pub(crate) fn all(self) -> u64 {
        self.waits + self.reads + self.writes
    }
}

impl From<tickwire::reactor::Calls> for Counted {
    fn from(calls: tickwire::reactor::Calls) -> Counted {
        Counted {
            waits: calls.waits,
            reads: calls.reads,
            writes: calls.writes,
        }
    }
}

/// Percentiles of ticks, in nanoseconds from the moment each was due.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ticks {
    pub(crate) count: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
}

/// The server's answer on the control channel.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ack {
    /// Messages of data, ticks and lives since the server began.
    pub(crate) count: u64,
    /// Their digest: see `load`.
    pub(crate) digest: u64,
    pub(crate) bulk_bytes: u64,
    /// Since the last answer.
    pub(crate) ticks: Ticks,
    pub(crate) calls: Option<Counted>,
    /// Since the last answer; `None` unless they are counted.
    pub(crate) allocations: Option<u64>,
}

/// What a client's run has found.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Messages; lives, where channels are opened.
    pub(crate) messages: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) server_cpu_ns: u64,
    pub(crate) client_cpu_ns: u64,
    /// Runnable without a core: foreign load.
    pub(crate) server_waited_ns: u64,
    pub(crate) client_waited_ns: u64,
    pub(crate) server_calls: Option<Counted>,
    pub(crate) client_calls: Option<Counted>,
    pub(crate) server_allocations: Option<u64>,
    pub(crate) client_allocations: Option<u64>,
    pub(crate) ticks: Ticks,
    pub(crate) bulk_bytes: u64,
    /// For all idle channels together.
    pub(crate) server_bytes: i64,
    pub(crate) client_bytes: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_found_by_its_topic_and_its_byte() {
        for (role, topic) in ROLES {
            assert_eq!(role.topic(), topic);
            assert_eq!(Role::of_topic(topic.as_bytes()), Some(role));
            assert_eq!(Role::of_byte(role as u8), Some(role));
        }
        assert_eq!(Role::of_topic(b"nothing"), None);
        assert_eq!(Role::of_byte(ROLES.len() as u8), None);
    }
}
