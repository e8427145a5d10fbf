//! Sets each option on a socket, and reads it back.

use std::{format, io, time::Duration};

use socket2::{SockRef, TcpKeepalive};

use super::{KeepaliveTune, Tune, TuneError, TuneOption, TuneReport};

/// Largest value of an option: the kernel takes a C `int`.
const OPTION_VALUE_MAX: u64 = i32::MAX as u64;

/// Bytes that the kernel reports for each buffer byte requested. Linux doubles the request and uses
/// the other half for its own records (`man 7 socket`, SO_RCVBUF).
const BUFFER_BYTES_GRANTED_PER_BYTE: u64 = if cfg!(any(target_os = "linux", target_os = "android"))
{
    2
} else {
    1
};

/// The result of a call if the platform supports it, otherwise `Unsupported`.
macro_rules! where_supported {
    ($on:meta, ($($used:ident),*), $call:expr) => {{
        #[cfg($on)]
        {
            $call
        }
        #[cfg(not($on))]
        {
            let _ = ($($used),*);
            Err(unsupported())
        }
    }};
}

/// Socket options as the kernel has them now; see [`Tune::read_back`].
///
/// `None`: the platform does not have the option, or does not report it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tuned {
    /// `TCP_NODELAY`
    pub nodelay: Option<bool>,
    /// `TCP_QUICKACK`: whether the next acknowledgement is sent at once. The kernel changes it.
    pub quickack: Option<bool>,
    /// `SO_RCVBUF`, bytes: on Linux twice the requested size.
    pub recv_buffer_bytes: Option<usize>,
    /// `SO_SNDBUF`, bytes: on Linux twice the requested size.
    pub send_buffer_bytes: Option<usize>,
    /// `TCP_NOTSENT_LOWAT`, bytes; 0 is the system's default.
    pub notsent_lowat_bytes: Option<u32>,
    /// `SO_BUSY_POLL`, microseconds.
    pub busy_poll_micros: Option<u32>,
    /// The keep-alive parameters, if `SO_KEEPALIVE` is on and the platform reports all three.
    pub keepalive: Option<KeepaliveTune>,
    /// `TCP_USER_TIMEOUT`; `None` also if it is the system's default.
    pub user_timeout: Option<Duration>,
    /// `SO_INCOMING_CPU`: the core that was set, or that last received a packet.
    pub incoming_cpu: Option<u32>,
    /// `SO_REUSEPORT`
    pub reuse_port: Option<bool>,
    /// `SO_REUSEADDR`
    pub reuse_address: Option<bool>,
}

impl Tune {
    /// Sets every option on a stream: before `connect`, or after `accept`.
    ///
    /// Takes a reference to a socket (`&std::net::TcpStream`, `&tokio::net::TcpStream`,
    /// `&mio::net::TcpStream`). Makes one system call for each option, two for a buffer size. Set
    /// buffer sizes before the TCP handshake, which fixes the window scale:
    /// [`listen`](Self::listen) and [`socket_for_connect`](Self::socket_for_connect) do that.
    pub fn apply<'s>(&self, socket: impl Into<SockRef<'s>>) -> TuneReport {
        let socket = &socket.into();
        let mut report = TuneReport::default();
        report.note(TuneOption::Nodelay, socket.set_tcp_nodelay(self.nodelay));
        self.apply_shared(socket, &mut report);
        if let Some(on) = self.quickack {
            report.note(TuneOption::Quickack, set_quickack(socket, on));
        }
        if let Some(bytes) = self.notsent_lowat_bytes {
            report.note(TuneOption::NotsentLowat, set_notsent_lowat(socket, bytes));
        }
        if let Some(micros) = self.busy_poll_micros {
            report.note(TuneOption::BusyPoll, set_busy_poll(socket, micros));
        }
        if let Some(keepalive) = self.keepalive {
            set_keepalive(socket, keepalive, &mut report);
        }
        if let Some(timeout) = self.user_timeout {
            report.note(TuneOption::UserTimeout, set_user_timeout(socket, timeout));
        }
        report
    }

    /// [`apply`](Self::apply), with an error for refused options if this is
    /// [`strict`](Self::strict).
    ///
    /// # Errors
    /// [`TuneError`] if an option was refused and this is strict.
    pub fn apply_or_fail<'s>(
        &self,
        socket: impl Into<SockRef<'s>>,
    ) -> Result<TuneReport, TuneError> {
        self.apply(socket).check_strict(self.strict)
    }

    /// Sets the options that a listener needs before `bind`. Accepted sockets inherit the buffer
    /// sizes.
    pub(super) fn apply_to_listener(&self, socket: &SockRef<'_>, report: &mut TuneReport) {
        report.note(
            TuneOption::ReuseAddress,
            socket.set_reuse_address(self.reuse_address),
        );
        if self.reuse_port {
            report.note(TuneOption::ReusePort, set_reuse_port(socket));
        }
        self.apply_shared(socket, report);
    }

    /// Sets the options that streams and listeners share.
    fn apply_shared(&self, socket: &SockRef<'_>, report: &mut TuneReport) {
        if let Some(bytes) = self.recv_buffer_bytes {
            let outcome = buffer_size(bytes).and_then(|bytes| {
                socket.set_recv_buffer_size(bytes)?;
                check_granted(bytes, socket.recv_buffer_size()?)
            });
            report.note(TuneOption::RecvBuffer, outcome);
        }
        if let Some(bytes) = self.send_buffer_bytes {
            let outcome = buffer_size(bytes).and_then(|bytes| {
                socket.set_send_buffer_size(bytes)?;
                check_granted(bytes, socket.send_buffer_size()?)
            });
            report.note(TuneOption::SendBuffer, outcome);
        }
        if let Some(core) = self.incoming_cpu {
            report.note(TuneOption::IncomingCpu, set_incoming_cpu(socket, core));
        }
    }

    /// Reads the socket options that the kernel has now, for operators and tests.
    #[must_use]
    pub fn read_back<'s>(socket: impl Into<SockRef<'s>>) -> Tuned {
        let socket = &socket.into();
        Tuned {
            nodelay: socket.tcp_nodelay().ok(),
            quickack: quickack(socket).ok(),
            recv_buffer_bytes: socket.recv_buffer_size().ok(),
            send_buffer_bytes: socket.send_buffer_size().ok(),
            notsent_lowat_bytes: notsent_lowat(socket).ok(),
            busy_poll_micros: busy_poll(socket).ok(),
            keepalive: keepalive(socket).ok().flatten(),
            user_timeout: user_timeout(socket).ok().flatten(),
            incoming_cpu: incoming_cpu(socket).ok().flatten(),
            reuse_port: reuse_port(socket).ok(),
            reuse_address: socket.reuse_address().ok(),
        }
    }
}

#[cfg_attr(
    target_os = "linux",
    expect(dead_code, reason = "only Linux has every option")
)]
fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this platform has no such option",
    )
}

fn invalid(why: impl Into<std::string::String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.into())
}

fn within_int(value: u64) -> io::Result<()> {
    if value > OPTION_VALUE_MAX {
        return Err(invalid(format!(
            "{value} is more than the largest value, {OPTION_VALUE_MAX}"
        )));
    }
    Ok(())
}

fn buffer_size(bytes: usize) -> io::Result<usize> {
    if bytes == 0 {
        return Err(invalid(
            "a buffer cannot have 0 bytes: give a size, or None",
        ));
    }
    within_int(bytes as u64)?;
    Ok(bytes)
}

/// The kernel reduces a buffer to its cap without an error.
fn check_granted(requested: usize, reported: usize) -> io::Result<()> {
    let granted = reported as u64 / BUFFER_BYTES_GRANTED_PER_BYTE;
    if granted >= requested as u64 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::QuotaExceeded,
        format!(
            "{requested} bytes were requested, the system's cap granted {granted} \
             (Linux: net.core.rmem_max, net.core.wmem_max)"
        ),
    ))
}

/// Whole seconds, rounded up: 0 has another meaning for the kernel.
fn seconds_up(time: Duration) -> Duration {
    Duration::from_secs(
        time.as_secs()
            .saturating_add(u64::from(time.subsec_nanos() > 0)),
    )
}

fn set_quickack(socket: &SockRef<'_>, on: bool) -> io::Result<()> {
    where_supported!(
        any(target_os = "linux", target_os = "android"),
        (socket, on),
        socket.set_tcp_quickack(on)
    )
}

fn quickack(socket: &SockRef<'_>) -> io::Result<bool> {
    where_supported!(
        any(target_os = "linux", target_os = "android"),
        (socket),
        socket.tcp_quickack()
    )
}

fn set_notsent_lowat(socket: &SockRef<'_>, bytes: u32) -> io::Result<()> {
    within_int(bytes.into())?;
    where_supported!(
        any(target_os = "linux", target_os = "android"),
        (socket, bytes),
        socket.set_tcp_notsent_lowat(bytes)
    )
}

fn notsent_lowat(socket: &SockRef<'_>) -> io::Result<u32> {
    where_supported!(
        any(target_os = "linux", target_os = "android"),
        (socket),
        socket.tcp_notsent_lowat()
    )
}

fn set_busy_poll(socket: &SockRef<'_>, micros: u32) -> io::Result<()> {
    within_int(micros.into())?;
    where_supported!(
        target_os = "linux",
        (socket, micros),
        socket.set_busy_poll(micros)
    )
}

fn busy_poll(socket: &SockRef<'_>) -> io::Result<u32> {
    where_supported!(target_os = "linux", (socket), socket.busy_poll())
}

fn set_incoming_cpu(socket: &SockRef<'_>, core: u32) -> io::Result<()> {
    within_int(core.into())?;
    where_supported!(
        target_os = "linux",
        (socket, core),
        socket.set_cpu_affinity(core as usize)
    )
}

/// `None`: no core was set, and no packet has been received (the kernel returns -1).
fn incoming_cpu(socket: &SockRef<'_>) -> io::Result<Option<u32>> {
    where_supported!(
        target_os = "linux",
        (socket),
        socket
            .cpu_affinity()
            .map(|core| u32::try_from(core).ok().filter(|&core| core != u32::MAX))
    )
}

fn set_reuse_port(socket: &SockRef<'_>) -> io::Result<()> {
    where_supported!(
        all(
            unix,
            not(any(
                target_os = "solaris",
                target_os = "illumos",
                target_os = "cygwin",
                target_os = "nuttx"
            ))
        ),
        (socket),
        socket.set_reuse_port(true)
    )
}

fn reuse_port(socket: &SockRef<'_>) -> io::Result<bool> {
    where_supported!(
        all(
            unix,
            not(any(
                target_os = "solaris",
                target_os = "illumos",
                target_os = "cygwin",
                target_os = "nuttx"
            ))
        ),
        (socket),
        socket.reuse_port()
    )
}

fn set_user_timeout(socket: &SockRef<'_>, timeout: Duration) -> io::Result<()> {
    let millis = timeout.as_nanos().div_ceil(1_000_000);
    if millis == 0 {
        return Err(invalid(
            "a user timeout of 0 means the system's own: give a time, or None",
        ));
    }
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    within_int(millis)?;
    where_supported!(
        any(target_os = "linux", target_os = "android"),
        (socket, millis),
        socket.set_tcp_user_timeout(Some(Duration::from_millis(millis)))
    )
}

fn user_timeout(socket: &SockRef<'_>) -> io::Result<Option<Duration>> {
    where_supported!(
        any(target_os = "linux", target_os = "android"),
        (socket),
        socket.tcp_user_timeout()
    )
}

/// One call for each parameter, so that the report can name the refused one.
fn set_keepalive(socket: &SockRef<'_>, tune: KeepaliveTune, report: &mut TuneReport) {
    let idle = TcpKeepalive::new().with_time(seconds_up(tune.idle));
    report.note(TuneOption::KeepaliveIdle, socket.set_tcp_keepalive(&idle));
    report.note(
        TuneOption::KeepaliveInterval,
        set_keepalive_interval(socket, tune.interval),
    );
    report.note(
        TuneOption::KeepaliveRetries,
        set_keepalive_retries(socket, tune.retries),
    );
}

fn set_keepalive_interval(socket: &SockRef<'_>, interval: Duration) -> io::Result<()> {
    where_supported!(
        any(
            target_os = "linux",
            target_os = "android",
            target_os = "macos",
            target_os = "ios",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "dragonfly",
            target_os = "illumos",
            windows
        ),
        (socket, interval),
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_interval(seconds_up(interval)))
    )
}

fn set_keepalive_retries(socket: &SockRef<'_>, retries: u32) -> io::Result<()> {
    within_int(retries.into())?;
    where_supported!(
        any(
            target_os = "linux",
            target_os = "android",
            target_os = "macos",
            target_os = "ios",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "dragonfly",
            target_os = "illumos",
            windows
        ),
        (socket, retries),
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_retries(retries))
    )
}

fn keepalive(socket: &SockRef<'_>) -> io::Result<Option<KeepaliveTune>> {
    if !socket.keepalive()? {
        return Ok(None);
    }
    where_supported!(
        any(
            target_os = "linux",
            target_os = "android",
            target_os = "macos",
            target_os = "ios",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "illumos"
        ),
        (socket),
        Ok(Some(KeepaliveTune {
            idle: socket.tcp_keepalive_time()?,
            interval: socket.tcp_keepalive_interval()?,
            retries: socket.tcp_keepalive_retries()?,
        }))
    )
}
