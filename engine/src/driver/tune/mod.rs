//! Socket options as one typed value, and threads pinned to cores.
//!
//! Both drivers take a [`Tune`]: it is applied to every stream they connect or accept, and to the
//! listener before it is bound. Nothing that the platform refuses is dropped: it comes back in a
//! [`TuneReport`].

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

/// Connections that the kernel holds ready before `accept`, unless [`Tune::backlog`] says
/// otherwise.
///
/// After a network fault every client of a gateway comes back within one round trip. 128, the
/// default of `std`, overflows then, and each client whose SYN is dropped waits a whole second.
/// 1024 waiting connections cost some 2 MiB of kernel memory at worst, and stay below the cap
/// that Linux sets by default (4096, `net.core.somaxconn`).
const BACKLOG_DEFAULT: u32 = 1024;

/// Unsent bytes in the kernel from which a latency-bound connection stops being writable.
///
/// What the kernel holds can no longer be overtaken by a more urgent channel. 16 KiB is one
/// full TLS record or eleven segments of an Ethernet: enough to keep the wire busy while the
/// driver wakes.
const NOTSENT_LOWAT_LOW_LATENCY_BYTES: u32 = 16 * 1024;

/// Unsent bytes from which a bulk connection stops being writable.
///
/// Two of the largest segments that Linux hands to the device at once (64 KiB each): one on its
/// way, one ready.
const NOTSENT_LOWAT_THROUGHPUT_BYTES: u32 = 128 * 1024;

/// Size of either buffer where connections are many and messages small.
const MANY_CONNECTIONS_BUFFER_BYTES: usize = 16 * 1024;

/// Connections waiting for `accept` where they come by the ten thousand: the cap that Linux sets
/// by default.
const MANY_CONNECTIONS_BACKLOG: u32 = 4096;

/// Options of TCP sockets, checked and applied together.
///
/// `None` leaves an option as the operating system has it. Sizes are bytes.
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
/// Linux is the platform that has every option; elsewhere those that do not exist are reported
/// with [`Unsupported`](std::io::ErrorKind::Unsupported).
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

/// Keepalive probes of TCP itself, below the WebSocket's own Ping.
///
/// They find a peer that is gone even while nobody reads, but they prove only that its kernel is
/// alive. Times are whole seconds on the wire of the system call: parts of a second round up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveTune {
    /// Silence before the first probe. Linux takes 1 to 32,767 s.
    pub idle: Duration,
    /// Time from one unanswered probe to the next. Linux takes 1 to 32,767 s.
    pub interval: Duration,
    /// Unanswered probes after which the connection is reset. Linux takes 1 to 127.
    pub retries: u32,
}

impl Default for KeepaliveTune {
    /// 60 s of silence, then four probes 15 s apart: a dead peer is gone after two minutes, and
    /// the usual idle limit of NATs and load balancers (five minutes or less) is never reached.
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
    /// `nodelay`, a backlog of 1024, on Unix `reuse_address`; the rest as the system has it.
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
            // On Windows the option of this name lets a second process steal the port.
            reuse_address: cfg!(unix),
            backlog: BACKLOG_DEFAULT,
            strict: false,
        }
    }

    /// For orders and market data: acknowledge at once, and keep at most 16 KiB unsent in the
    /// kernel, so that what is urgent overtakes in our own queue.
    ///
    /// Cost: more packets (acknowledgements that would have ridden on data), and more wake-ups of
    /// a writer that is faster than the network. [`busy_poll_micros`](Self::busy_poll_micros) is
    /// left out: it pays only on some devices, takes a whole core, and may need a privilege.
    pub const fn low_latency() -> Self {
        let mut tune = Self::new();
        tune.quickack = Some(true);
        tune.notsent_lowat_bytes = Some(NOTSENT_LOWAT_LOW_LATENCY_BYTES);
        tune
    }

    /// For bulk transfer: buffers are left to the kernel, which grows them with the path, and at
    /// most 128 KiB wait unsent.
    ///
    /// Cost: kernel memory, up to `net.ipv4.tcp_rmem` and `tcp_wmem` (megabytes) a connection. A
    /// fixed size would be worse: it turns the growing off, and is capped by `net.core.rmem_max`.
    pub const fn throughput() -> Self {
        let mut tune = Self::new();
        tune.notsent_lowat_bytes = Some(NOTSENT_LOWAT_THROUGHPUT_BYTES);
        tune
    }

    /// For tens of thousands of quiet peers: 16 KiB each way, dead ones found by keepalive, and
    /// a backlog of 4096 for the hour when all come back.
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
    /// the one before (Nagle). Default `true`: our writes are whole batches already.
    pub const fn nodelay(mut self, on: bool) -> Self {
        self.nodelay = on;
        self
    }

    /// `TCP_QUICKACK` (Linux): acknowledge at once. The kernel takes it as a hint and falls back
    /// by itself when the exchange looks interactive, so it covers the start of a connection; a
    /// driver that wants it for good applies it again after reads.
    pub fn quickack(mut self, on: impl Into<Option<bool>>) -> Self {
        self.quickack = on.into();
        self
    }

    /// `SO_RCVBUF`, bytes. Turns the kernel's growing of the buffer off. A cap below the request
    /// (`net.core.rmem_max`) is reported as a refusal.
    pub fn recv_buffer_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.recv_buffer_bytes = bytes.into();
        self
    }

    /// `SO_SNDBUF`, bytes. Turns the kernel's growing of the buffer off. A cap below the request
    /// (`net.core.wmem_max`) is reported as a refusal.
    pub fn send_buffer_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.send_buffer_bytes = bytes.into();
        self
    }

    /// `TCP_NOTSENT_LOWAT` (Linux), bytes: the socket is writable only while fewer bytes than
    /// this wait unsent; what is in flight does not count.
    pub fn notsent_lowat_bytes(mut self, bytes: impl Into<Option<u32>>) -> Self {
        self.notsent_lowat_bytes = bytes.into();
        self
    }

    /// `SO_BUSY_POLL` (Linux), microseconds: a read that finds nothing polls the device this
    /// long. Raising it above `net.core.busy_read` needs `CAP_NET_ADMIN`. Without effect on
    /// loopback.
    pub fn busy_poll_micros(mut self, micros: impl Into<Option<u32>>) -> Self {
        self.busy_poll_micros = micros.into();
        self
    }

    /// `SO_KEEPALIVE` and its three times. `None` leaves keepalive as it is; it does not turn it
    /// off.
    pub fn keepalive(mut self, keepalive: impl Into<Option<KeepaliveTune>>) -> Self {
        self.keepalive = keepalive.into();
        self
    }

    /// `TCP_USER_TIMEOUT` (Linux; RFC 5482): how long sent data may stay unacknowledged, or
    /// keepalive probes unanswered, before the connection is reset. 1 ms to 24 days; parts of a
    /// millisecond round up. Where both are set, it wins over [`KeepaliveTune::retries`].
    pub fn user_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.user_timeout = timeout.into();
        self
    }

    /// `SO_INCOMING_CPU` (Linux): of several listeners under [`reuse_port`](Self::reuse_port),
    /// prefer this one for packets that this core received.
    pub fn incoming_cpu(mut self, core: impl Into<Option<u32>>) -> Self {
        self.incoming_cpu = core.into();
        self
    }

    /// `SO_REUSEPORT`, listener only: several sockets listen on one port and the kernel spreads
    /// connections over them: one listener for each thread. Every one of them must set it.
    pub const fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// `SO_REUSEADDR`, listener only: bind although closed connections of the last run linger.
    /// Default `true` on Unix; on Windows it would let another process take the port over.
    pub const fn reuse_address(mut self, on: bool) -> Self {
        self.reuse_address = on;
        self
    }

    /// Connections, complete but not yet accepted, that the kernel holds; more are dropped.
    /// Listener only; default 1024; at least 1.
    pub const fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Whether a refused option is an error ([`apply_or_fail`](Self::apply_or_fail),
    /// [`listen`](Self::listen), [`socket_for_connect`](Self::socket_for_connect)) or only
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
