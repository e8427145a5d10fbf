//! Reports of refused socket options.

use core::{error, fmt};
use std::{io, vec::Vec};

/// An option of [`Tune`](super::Tune).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TuneOption {
    /// [`Tune::nodelay`](super::Tune::nodelay)
    Nodelay,
    /// [`Tune::quickack`](super::Tune::quickack)
    Quickack,
    /// [`Tune::recv_buffer_bytes`](super::Tune::recv_buffer_bytes)
    RecvBuffer,
    /// [`Tune::send_buffer_bytes`](super::Tune::send_buffer_bytes)
    SendBuffer,
    /// [`Tune::notsent_lowat_bytes`](super::Tune::notsent_lowat_bytes)
    NotsentLowat,
    /// [`Tune::busy_poll_micros`](super::Tune::busy_poll_micros)
    BusyPoll,
    /// [`KeepaliveTune::idle`](super::KeepaliveTune::idle)
    KeepaliveIdle,
    /// [`KeepaliveTune::interval`](super::KeepaliveTune::interval)
    KeepaliveInterval,
    /// [`KeepaliveTune::retries`](super::KeepaliveTune::retries)
    KeepaliveRetries,
    /// [`Tune::user_timeout`](super::Tune::user_timeout)
    UserTimeout,
    /// [`Tune::incoming_cpu`](super::Tune::incoming_cpu)
    IncomingCpu,
    /// [`Tune::reuse_port`](super::Tune::reuse_port)
    ReusePort,
    /// [`Tune::reuse_address`](super::Tune::reuse_address)
    ReuseAddress,
    /// [`Tune::backlog`](super::Tune::backlog)
    Backlog,
}

impl TuneOption {
    /// The name of the setter, and of the socket option in the manual pages.
    const fn name(self) -> &'static str {
        match self {
            Self::Nodelay => "nodelay (TCP_NODELAY)",
            Self::Quickack => "quickack (TCP_QUICKACK)",
            Self::RecvBuffer => "recv_buffer_bytes (SO_RCVBUF)",
            Self::SendBuffer => "send_buffer_bytes (SO_SNDBUF)",
            Self::NotsentLowat => "notsent_lowat_bytes (TCP_NOTSENT_LOWAT)",
            Self::BusyPoll => "busy_poll_micros (SO_BUSY_POLL)",
            Self::KeepaliveIdle => "keepalive.idle (TCP_KEEPIDLE)",
            Self::KeepaliveInterval => "keepalive.interval (TCP_KEEPINTVL)",
            Self::KeepaliveRetries => "keepalive.retries (TCP_KEEPCNT)",
            Self::UserTimeout => "user_timeout (TCP_USER_TIMEOUT)",
            Self::IncomingCpu => "incoming_cpu (SO_INCOMING_CPU)",
            Self::ReusePort => "reuse_port (SO_REUSEPORT)",
            Self::ReuseAddress => "reuse_address (SO_REUSEADDR)",
            Self::Backlog => "backlog (listen)",
        }
    }
}

impl fmt::Display for TuneOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An option that the platform did not set, or set to less than requested.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused {
    /// The option.
    pub option: TuneOption,
    /// The reason: [`Unsupported`](io::ErrorKind::Unsupported) if the platform does not have the
    /// option, [`InvalidInput`](io::ErrorKind::InvalidInput) if it does not accept the value,
    /// [`QuotaExceeded`](io::ErrorKind::QuotaExceeded) if it granted less, otherwise the error of
    /// the system call.
    pub error: io::Error,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} refused: {}", self.option, self.error)
    }
}

/// The result of applying a [`Tune`](super::Tune): every option that is not listed here was set.
///
/// `Display` writes one line for each refused option, and nothing if there is none.
#[derive(Debug, Default)]
#[must_use = "only this report says which options were refused"]
#[non_exhaustive]
pub struct TuneReport {
    /// The refused options, in the order in which they were tried; each at most once.
    pub refused: Vec<Refused>,
}

impl TuneReport {
    /// Whether every option was set as requested.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    /// Turns the report into an error if any option was refused.
    ///
    /// # Errors
    /// [`TuneError`] with all entries of [`refused`](Self::refused).
    pub fn into_result(self) -> Result<(), TuneError> {
        if self.is_complete() {
            Ok(())
        } else {
            Err(TuneError { report: self })
        }
    }

    pub(super) fn note(&mut self, option: TuneOption, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.refused.push(Refused { option, error });
        }
    }

    /// The report, or an error if `strict` and any option was refused.
    pub(super) fn check_strict(self, strict: bool) -> Result<Self, TuneError> {
        if strict && !self.is_complete() {
            Err(TuneError { report: self })
        } else {
            Ok(self)
        }
    }
}

impl fmt::Display for TuneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, refused) in self.refused.iter().enumerate() {
            let line_break = if n == 0 { "" } else { "\n" };
            write!(f, "{line_break}{refused}")?;
        }
        Ok(())
    }
}

/// Socket options were refused, and the caller required all of them.
#[derive(Debug)]
pub struct TuneError {
    /// Has at least one refused option.
    report: TuneReport,
}

impl TuneError {
    /// The refused options; at least one.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.report.refused
    }
}

impl fmt::Display for TuneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.report, f)
    }
}

impl error::Error for TuneError {}

impl From<TuneError> for io::Error {
    /// An error of the first refused option's kind, with the [`TuneError`] as its source.
    fn from(error: TuneError) -> Self {
        let kind = error
            .refused()
            .first()
            .map_or(io::ErrorKind::Other, |refused| refused.error.kind());
        Self::new(kind, error)
    }
}
