//! Makes sockets with their options set.

use std::{
    format, io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{Tune, TuneOption, TuneReport};
use crate::config::{ConfigError, require};

impl Tune {
    /// Checks values that no platform accepts.
    pub(in crate::driver) fn check(&self) -> Result<(), ConfigError> {
        require(
            (1..=i32::MAX as u32).contains(&self.backlog),
            "Tune::backlog",
            self.backlog,
            "1 to 2,147,483,647",
        )
    }

    /// Makes a non-blocking listener, with every option set that must be set before `bind`.
    ///
    /// Port 0 binds a free port: see `local_addr`. Accepted streams inherit the buffer sizes; set
    /// the other options with [`apply`](Self::apply) on each of them.
    ///
    /// # Errors
    /// If no socket can be made, or the address cannot be bound: the text names the address and
    /// what to do, the kind is that of the system call. If this is [`strict`](Self::strict), also
    /// for a refused option, with the [`TuneError`](super::TuneError) as the source.
    pub fn listen(&self, addr: SocketAddr) -> io::Result<(TcpListener, TuneReport)> {
        let checked = self.check();
        checked.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let backlog = self.backlog as i32; // as checked
        let socket = stream_socket(addr)?;
        let mut report = TuneReport::default();
        self.apply_to_listener(&SockRef::from(&socket), &mut report);
        report.note(TuneOption::Backlog, check_backlog_granted(self.backlog));
        let report = report.check_strict(self.strict)?;
        socket
            .bind(&addr.into())
            .map_err(|error| self.bind_error(addr, &error))?;
        // Two sockets can bind one port; then the second `listen` fails.
        socket
            .listen(backlog)
            .map_err(|error| self.bind_error(addr, &error))?;
        Ok((socket.into(), report))
    }

    /// Makes a non-blocking socket to connect to `addr`, with [`apply`](Self::apply) done: the TCP
    /// handshake fixes the window scale, so buffer sizes must be set before.
    ///
    /// `connect` then returns "in progress"; the socket becomes writable when it is connected.
    ///
    /// # Errors
    /// If no socket can be made; if this is [`strict`](Self::strict), also for a refused option,
    /// with the [`TuneError`](super::TuneError) as the source.
    pub fn socket_for_connect(&self, addr: SocketAddr) -> io::Result<(Socket, TuneReport)> {
        let socket = stream_socket(addr)?;
        let report = self.apply_or_fail(&socket)?;
        Ok((socket, report))
    }

    fn bind_error(&self, addr: SocketAddr, error: &io::Error) -> io::Error {
        let advice = match (error.kind(), self.reuse_port) {
            (io::ErrorKind::AddrInUse, false) => {
                "; another socket listens there: stop it, or set reuse_port on both"
            }
            (io::ErrorKind::AddrInUse, true) => {
                "; the socket that listens there did not set reuse_port, or another user owns it"
            }
            (io::ErrorKind::PermissionDenied, _) => "; ports below 1024 need a privilege",
            (io::ErrorKind::AddrNotAvailable, _) => "; no interface here has this address",
            _ => "",
        };
        io::Error::new(
            error.kind(),
            format!("cannot listen on {addr}: {error}{advice}"),
        )
    }
}

fn stream_socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Linux reduces a backlog to its cap without an error.
fn check_backlog_granted(requested: u32) -> io::Result<()> {
    match backlog_cap() {
        Some(cap) if cap < requested => Err(io::Error::new(
            io::ErrorKind::QuotaExceeded,
            format!(
                "{requested} were requested, the system's cap granted {cap} (net.core.somaxconn)"
            ),
        )),
        _ => Ok(()),
    }
}

/// `None` if the platform does not report it.
fn backlog_cap() -> Option<u32> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    text.trim().parse().ok()
}
