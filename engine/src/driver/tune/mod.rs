//! Socket options as one typed value, and pinning of threads to cores.
//!
//! Both drivers take a [`Tune`], and apply it to every stream that they connect or accept, and to a
//! listener before `bind`. An option that the platform refuses is reported in a [`TuneReport`].

mod options;
mod pin;
mod report;
mod sockets;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use options::Tuned;
pub use pin::{cores, pin_current_thread};
pub use report::{Refused, TuneError, TuneOption, TuneReport};

/// Connections that the kernel holds before `accept`, unless [`Tune::backlog`] says otherwise.
///
/// After a network failure all clients of a gateway reconnect within one round trip. The default of
/// `std`, 128, overflows then, and each client whose SYN is dropped waits a whole second. 1024
/// waiting connections take about 2 MiB of kernel memory at most, and stay below the default cap of
/// Linux (4096, `net.core.somaxconn`).
const BACKLOG_DEFAULT: u32 = 1024;

/// Unsent bytes in the kernel from which a latency-bound connection is not writable.
///
/// A more urgent channel cannot overtake bytes that the kernel holds. 16 KiB is one full TLS
/// record, or eleven Ethernet segments: enough to keep the network busy until the driver writes
/// again.
const NOTSENT_LOWAT_LOW_LATENCY_BYTES: u32 = 16 * 1024;

/// Unsent bytes in the kernel from which a bulk connection is not writable.
///
/// Two of the largest segments that Linux hands to the device at once (64 KiB each): one being
/// sent, one ready.
const NOTSENT_LOWAT_THROUGHPUT_BYTES: u32 = 128 * 1024;

/// Size of each socket buffer for many connections with small messages.
const MANY_CONNECTIONS_BUFFER_BYTES: usize = 16 * 1024;

/// Backlog for tens of thousands of connections: the default cap of Linux.
const MANY_CONNECTIONS_BACKLOG: u32 = 4096;

/// Options of TCP sockets, checked and applied together.
///
/// `None` leaves an option at the system's default. Sizes are bytes.
///
/// ```
/// use tickwire::net::Tune;
///
/// let tune = Tune::low_latency().recv_buffer_bytes(256 * 1024);
/// let (listener, report) = tune.listen("127.0.0.1:0".parse().unwrap())?;
/// for refused in &report.refused {
///     eprintln!("{refused}");
/// }
/// # drop(listener);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Only Linux has every option; elsewhere a missing one is reported with
/// [`Unsupported`](std::io::ErrorKind::Unsupported).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Tune {
    nodelay: bool,
    quickack: Option<bool>,
    recv_buffer_bytes: Option<usize>,
    send_buffer_bytes: Option<usize>,
    notsent_lowat_bytes: Option<u32>,
    busy_poll_micros: Option<u32>,
    keepalive: Option<KeepaliveTune>,
    user_timeout: Option<Duration>,
    incoming_cpu: Option<u32>,
    reuse_port: bool,
    reuse_address: bool,
    backlog: u32,
    strict: bool,
}

/// TCP keep-alive probes, below the WebSocket's own Pings.
///
/// They detect a dead peer even while the application does not read, but they prove only that the
/// peer's kernel runs. The system calls take whole seconds: fractions are rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveTune {
    /// Idle time before the first probe. Linux: 1 to 32,767 s.
    pub idle: Duration,
    /// Time from one unanswered probe to the next. Linux: 1 to 32,767 s.
    pub interval: Duration,
    /// Unanswered probes after which the connection is reset. Linux: 1 to 127.
    pub retries: u32,
}

impl Default for KeepaliveTune {
    /// 60 s idle, then four probes 15 s apart: a dead peer is detected after two minutes, and the
    /// idle timeout of NATs and load balancers (usually five minutes or less) is not reached.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(15),
            retries: 4,
        }
    }
}

impl Default for Tune {
    fn default() -> Self {
        Self::new()
    }
}

impl Tune {
    /// `nodelay`, a backlog of 1024, `reuse_address` on Unix; other options at the system's
    /// defaults.
    pub const fn new() -> Self {
        Self {
            nodelay: true,
            quickack: None,
            recv_buffer_bytes: None,
            send_buffer_bytes: None,
            notsent_lowat_bytes: None,
            busy_poll_micros: None,
            keepalive: None,
            user_timeout: None,
            incoming_cpu: None,
            reuse_port: false,
            // On Windows this option lets a second process take the port over.
            reuse_address: cfg!(unix),
            backlog: BACKLOG_DEFAULT,
            strict: false,
        }
    }

    /// For orders and market data: acknowledges at once, and keeps at most 16 KiB unsent in the
    /// kernel, so that urgent messages overtake others in the send queue.
    ///
    /// Cost: more packets (acknowledgements without data), and more wake-ups of a writer that is
    /// faster than the network. [`busy_poll_micros`](Self::busy_poll_micros) is not set: it helps
    /// on some devices only, uses a whole core, and may need a privilege.
    pub const fn low_latency() -> Self {
        let mut tune = Self::new();
        tune.quickack = Some(true);
        tune.notsent_lowat_bytes = Some(NOTSENT_LOWAT_LOW_LATENCY_BYTES);
        tune
    }

    /// For bulk transfer: the kernel sizes the buffers, and at most 128 KiB wait unsent.
    ///
    /// Cost: kernel memory, up to `net.ipv4.tcp_rmem` and `tcp_wmem` (megabytes) for each
    /// connection. A fixed size would be worse: it turns automatic sizing off, and is capped by
    /// `net.core.rmem_max`.
    pub const fn throughput() -> Self {
        let mut tune = Self::new();
        tune.notsent_lowat_bytes = Some(NOTSENT_LOWAT_THROUGHPUT_BYTES);
        tune
    }

    /// For tens of thousands of mostly idle peers: 16 KiB for each direction, keep-alive probes to
    /// detect dead peers, and a backlog of 4096 for the moment when all of them reconnect.
    ///
    /// Cost: speed. A window of 16 KiB over a path of 50 ms carries at most 320 KiB/s.
    pub fn many_connections() -> Self {
        Self::new()
            .recv_buffer_bytes(MANY_CONNECTIONS_BUFFER_BYTES)
            .send_buffer_bytes(MANY_CONNECTIONS_BUFFER_BYTES)
            .keepalive(KeepaliveTune::default())
            .backlog(MANY_CONNECTIONS_BACKLOG)
    }

    /// `TCP_NODELAY`: send a short segment at once instead of waiting for the acknowledgement of
    /// the previous one (Nagle's algorithm). Default `true`: the engine writes whole batches.
    pub const fn nodelay(mut self, on: bool) -> Self {
        self.nodelay = on;
        self
    }

    /// `TCP_QUICKACK` (Linux): acknowledge at once. The kernel takes this as a hint and turns it
    /// off when the traffic looks interactive, so it covers the start of a connection; to keep it
    /// on, apply it again after reads.
    pub fn quickack(mut self, on: impl Into<Option<bool>>) -> Self {
        self.quickack = on.into();
        self
    }

    /// `SO_RCVBUF`, bytes. Turns the kernel's automatic sizing off. If the cap `net.core.rmem_max`
    /// is lower, the report says so.
    pub fn recv_buffer_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.recv_buffer_bytes = bytes.into();
        self
    }

    /// `SO_SNDBUF`, bytes. Turns the kernel's automatic sizing off. If the cap `net.core.wmem_max`
    /// is lower, the report says so.
    pub fn send_buffer_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.send_buffer_bytes = bytes.into();
        self
    }

    /// `TCP_NOTSENT_LOWAT` (Linux), bytes: the socket is writable only while fewer unsent bytes
    /// than this wait in the kernel; bytes in flight do not count.
    pub fn notsent_lowat_bytes(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.notsent_lowat_bytes = bytes.into();
        self
    }

    /// `SO_BUSY_POLL` (Linux), microseconds: a read without data polls the device this long. A
    /// value above `net.core.busy_read` needs `CAP_NET_ADMIN`. No effect on loopback.
    pub fn busy_poll_micros(mut self, micros: impl Into<Option<u32>>) -> Self {
        self.busy_poll_micros = micros.into();
        self
    }

    /// `SO_KEEPALIVE` and its three parameters. `None` leaves keep-alive as it is, and does not
    /// turn it off.
    pub fn keepalive(mut self, keepalive: impl Into<Option<KeepaliveTune>>) -> Self {
        self.keepalive = keepalive.into();
        self
    }

    /// `TCP_USER_TIMEOUT` (Linux; RFC 5482): how long sent data may stay unacknowledged, or
    /// keep-alive probes unanswered, before the connection is reset. 1 ms to 24 days; fractions of
    /// a millisecond are rounded up. It overrides [`KeepaliveTune::retries`].
    pub fn user_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.user_timeout = timeout.into();
        self
    }

    /// `SO_INCOMING_CPU` (Linux): among several listeners with [`reuse_port`](Self::reuse_port),
    /// the kernel prefers this one for packets that this core has received.
    pub fn incoming_cpu(mut self, core: impl Into<Option<u32>>) -> Self {
        self.incoming_cpu = core.into();
        self
    }

    /// `SO_REUSEPORT`, listener only: several sockets listen on one port, and the kernel
    /// distributes connections over them, for instance one listener for each thread. All of them
    /// must set it.
    pub const fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// `SO_REUSEADDR`, listener only: bind even if closed connections of a previous process linger.
    /// Default `true` on Unix; on Windows it would let another process take the port over.
    pub const fn reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// Connections that the kernel holds before they are accepted; further ones are dropped.
    /// Listener only; at least 1, default 1024.
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether a refused option is an error of [`apply_or_fail`](Self::apply_or_fail),
    /// [`listen`](Self::listen) and [`socket_for_connect`](Self::socket_for_connect), or only
    /// reported. Default `false`.
    pub const fn strict(mut self, on: bool) -> Self {
        self.strict = on;
        self
    }

    /// Whether a refused option is an error.
    #[must_use]
    pub const fn is_strict(&self) -> bool {
        self.strict
    }
}
