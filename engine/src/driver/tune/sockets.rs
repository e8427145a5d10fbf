//! Sockets made with their options already set.

use std::{
    format, io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{Tune, TuneOption, TuneReport};
use crate::config::{ConfigError, require};

impl Tune {
    /// Checks what no platform takes.
    pub(in crate::driver) fn check(&self) -> Result<(), ConfigError> {
        require(
            (1..=i32::MAX as u32).contains(&self.backlog),
            "Tune::backlog",
            self.backlog,
            "1 to 2,147,483,647",
        )
    }

    /// A listener, non-blocking, with everything set that must be set before `bind`.
    ///
    /// Port 0 takes a free one: see `local_addr`. Accepted streams inherit the buffer sizes; the
    /// rest is for [`apply`](Self::apply), on each of them.
    ///
    /// # Errors
    /// No socket to be had, or an address that cannot be bound: the text names the address and
    /// what to do, the kind is that of the system call. Where this is [`strict`](Self::strict),
    /// also any refusal, with the [`TuneError`](super::TuneError) inside.
    pub fn listen(&self, addr: SocketAddr) -> io::Result<(TcpListener, TuneReport)> {
        let checked = self.check();
        checked.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let backlog = self.backlog as i32; // as checked
        let socket = stream_socket(addr)?;
        let mut report = TuneReport::default();
        self.apply_to_listener(&SockRef::from(&socket), &mut report);
        report.note(TuneOption::Backlog, backlog_granted(self.backlog));
        let report = report.judged(self.strict)?;
        socket
            .bind(&addr.into())
            .map_err(|error| self.bind_error(addr, &error))?;
        // Two sockets may bind one port and only the second `listen` fail.
        socket
            .listen(backlog)
            .map_err(|error| self.bind_error(addr, &error))?;
        Ok((socket.into(), report))
    }

    /// A non-blocking socket for `connect` to `addr`, with [`apply`](Self::apply) done: the
    /// window scale is fixed by the handshake, so buffers must be sized before.
    ///
    /// `connect` then reports that it is in progress; the socket is writable when it is done.
    ///
    /// # Errors
    /// No socket to be had; where this is [`strict`](Self::strict), also any refusal, with the
    /// [`TuneError`](super::TuneError) inside.
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

/// Linux cuts a backlog to its cap and calls that success.
fn backlog_granted(asked: u32) -> io::Result<()> {
    match backlog_cap() {
        Some(cap) if cap < asked => Err(io::Error::new(
            io::ErrorKind::QuotaExceeded,
            format!("asked for {asked}, the system's cap granted {cap} (net.core.somaxconn)"),
        )),
        _ => Ok(()),
    }
}

/// `None` where the platform does not tell.
fn backlog_cap() -> Option<u32> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    text.trim().parse().ok()
}
