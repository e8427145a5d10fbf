//! What is measured: peers, work and results.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A peer: what is measured. Both ends are of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// tickwire's channels on the mio reactor: one `ChannelHandler`.
    TickwireMio,
    /// The same, with the messages of a channel's turn sent as one RUN.
    TickwireRuns,
    /// The same handler on the tokio reactor.
    TickwireReactor,
    /// tickwire's `channels::ChannelSocket` on tokio: a task per channel.
    TickwireTokio,
    /// rust-yamux 0.14 over a socket that is buffered both ways.
    Yamux,
    /// The same, with flushes deferred to the end of the connection's turn: what yamux could reach.
    YamuxDeferred,
    /// h2 0.4: a request per channel; messages go in the body.
    H2,
    /// qmux 0.6: QMux over TCP, a bidirectional stream per channel.
    Qmux,
    /// One WebSocket without channels on the mio reactor: shows the cost of channels.
    Websocket,
    /// A WebSocket for each channel, on the mio reactor.
    Websockets,
}

impl Peer {
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(|| format!("{self:?}"), |value| value.get_name().to_owned())
    }

    /// Whether it is tickwire with channels: the goals are about these.
    pub(crate) fn is_ours(self) -> bool {
        matches!(
            self,
            Peer::TickwireMio | Peer::TickwireRuns | Peer::TickwireReactor | Peer::TickwireTokio
        )
    }

    /// Whether it is another library with channels.
    pub(crate) fn is_rival(self) -> bool {
        matches!(
            self,
            Peer::Yamux | Peer::YamuxDeferred | Peer::H2 | Peer::Qmux
        )
    }

    /// Whether it has channels. Sockets without channels take part only in the throughput table.
    pub(crate) fn has_channels(self) -> bool {
        self.is_ours() || self.is_rival()
    }

    /// Whether the peer takes part in this throughput case: a socket per channel does not go to
    /// thousands, and a RUN has more than one message.
    pub(crate) fn takes(self, channels: usize, burst: usize) -> bool {
        match self {
            Peer::Websockets => channels <= SOCKETS_MAX,
            Peer::TickwireRuns => burst > channels,
            _ => true,
        }
    }

    /// Whether the peer takes part in the other tables.
    pub(crate) fn in_all_tables(self) -> bool {
        self.has_channels() && self != Peer::TickwireRuns
    }
}

/// Most sockets of a client that has one for each channel.
pub(crate) const SOCKETS_MAX: usize = 256;

/// What a channel is for. The topic, the path or the first byte of a channel names its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub(crate) enum Role {
    /// Asks for the counts. The answer comes when the count has reached the number in the question.
    Control,
    /// Carries messages that are counted and checked.
    Data,
    /// Carries messages that begin with the time at which they were due.
    Tick,
    /// Always has something to send; its reader keeps up.
    BulkFast,
    /// The same; its reader takes [`SLOW_BYTES_PER_SECOND`].
    BulkSlow,
    /// The same; its reader never reads.
    BulkStalled,
    /// Carries one counted message; then both ends finish.
    Life,
}

/// Rate of the slow reader.
pub(crate) const SLOW_BYTES_PER_SECOND: usize = 1 << 20;

/// Roles and their topics.
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

    /// Priority of the channel; 0 is sent first.
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
    /// As many messages as possible, in turn over all channels.
    Throughput {
        channels: usize,
        bytes: usize,
        /// Messages that are ready at once, in turn over the channels.
        burst: usize,
        /// Further channels, full, that nobody reads.
        unread: usize,
        warm_up_ms: u64,
        run_ms: u64,
    },
    /// Ticks at a fixed rate, beside bulk channels that always have something to send.
    Latency {
        bulk: Option<Role>,
        /// Number of bulk channels, if `bulk` names a kind.
        bulk_channels: usize,
        ticks_per_second: u32,
        run_ms: u64,
    },
    /// Channels opened, used for one message, and ended.
    Opens { in_flight: usize, run_ms: u64 },
    /// Channels that send one message and then stay idle.
    Idle { connections: usize, channels: usize },
}

/// System calls of a reactor.
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

/// Delays of ticks, in nanoseconds from the time at which each was due.
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
    /// Messages on data, tick and life channels since the server started.
    pub(crate) count: u64,
    /// Digest of the data and life messages: see `load`.
    pub(crate) digest: u64,
    pub(crate) bulk_bytes: u64,
    /// Ticks since the last answer.
    pub(crate) ticks: Ticks,
    pub(crate) calls: Option<Counted>,
    /// Allocations since the last answer; `None` unless they are counted.
    pub(crate) allocations: Option<u64>,
}

/// Results of a client's run.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Messages; in the table "opens", channels.
    pub(crate) messages: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) server_cpu_ns: u64,
    pub(crate) client_cpu_ns: u64,
    /// Time in which the server was runnable but had no core: load of other processes.
    pub(crate) server_waited_ns: u64,
    pub(crate) client_waited_ns: u64,
    pub(crate) server_calls: Option<Counted>,
    pub(crate) client_calls: Option<Counted>,
    pub(crate) server_allocations: Option<u64>,
    pub(crate) client_allocations: Option<u64>,
    pub(crate) ticks: Ticks,
    pub(crate) bulk_bytes: u64,
    /// Memory of all idle channels together.
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
