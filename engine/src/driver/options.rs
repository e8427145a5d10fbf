use std::sync::Arc;
use std::time::Duration;

use super::tune::Tune;
use crate::config::{Config, ConfigError, require};
use crate::handshake::HeadLimits;

/// What a reactor does when there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Wait {
    /// Sleep until something happens. Costs no CPU, and a wake-up for the first message.
    #[default]
    Park,
    /// Ask again and again. Costs a core, and saves the wake-up.
    Spin,
    /// Ask again and again for this long after the last event, then sleep.
    SpinThenPark(Duration),
}

/// Options of a reactor, on mio or on tokio. Setters change one each. Whoever takes them checks them
/// as a whole; [`ReactorOptions::check`] does the same earlier.
///
/// ```
/// use tickwire::net::Tune;
/// use tickwire::reactor::{ReactorOptions, Wait};
/// use tickwire::Config;
///
/// let options = ReactorOptions::default()
///     .config(Config::default().message_bytes_max(64 * 1024))
///     .tune(Tune::low_latency())
///     .wait(Wait::Spin);
/// assert_eq!(options.config.message_bytes_max, 65_536);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReactorOptions {
    /// Limits and deadlines of its connections.
    pub config: Arc<Config>,
    /// Limits of opening handshakes.
    pub head_limits: HeadLimits,
    /// Options of its sockets.
    pub tune: Tune,
    /// What it does when there is nothing to do. On tokio that is the runtime's affair, and
    /// anything but `Park` an error.
    pub wait: Wait,
    /// The core that its thread is pinned to; `None` leaves that to the operating system. On
    /// tokio an error: pin the runtime's threads with
    /// [`pin_current_thread`](crate::net::pin_current_thread).
    pub core: Option<usize>,
    /// Bytes of the receive buffer that all connections of the thread share: 4 KiB to 1 GiB. Default 256 KiB:
    /// large enough that a burst on one socket takes few reads, small enough to stay in cache.
    pub recv_buffer_bytes: usize,
    /// Events taken from the operating system at once: 1 to 2^20. Default 1,024; more only wait a turn. On
    /// tokio the runtime sets this, and it is not used.
    pub events_max: usize,
}

impl Default for ReactorOptions {
    fn default() -> Self {
        Self {
            config: Arc::default(),
            head_limits: HeadLimits::default(),
            tune: Tune::new(),
            wait: Wait::Park,
            core: None,
            recv_buffer_bytes: 256 * 1024,
            events_max: 1024,
        }
    }
}

setters!(ReactorOptions {
    head_limits: HeadLimits,
    tune: Tune,
    wait: Wait,
    core: Option<usize>,
    recv_buffer_bytes: usize,
    events_max: usize,
});

impl ReactorOptions {
    /// Sets the limits and deadlines of the connections. The reactor checks them when it is made.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Checks the values.
    ///
    /// # Errors
    /// [`ConfigError`] names the field, its value, and what the value must be: of these options, of
    /// [`Config`], [`HeadLimits`] or [`Tune`]. A `core` that does not exist is found where the
    /// thread is pinned.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.config.check()?;
        self.head_limits.check()?;
        self.tune.check()?;
        require(
            (4 << 10..=1 << 30).contains(&self.recv_buffer_bytes),
            "ReactorOptions::recv_buffer_bytes",
            self.recv_buffer_bytes,
            "4,096 to 2^30",
        )?;
        require(
            (1..=1 << 20).contains(&self.events_max),
            "ReactorOptions::events_max",
            self.events_max,
            "1 to 2^20",
        )
    }

    /// What a reactor on tokio needs beside that.
    #[cfg(feature = "tokio")]
    pub(super) fn check_for_runtime(&self) -> Result<(), ConfigError> {
        let wait = match self.wait {
            Wait::Park => "Park",
            Wait::Spin => "Spin",
            Wait::SpinThenPark(_) => "SpinThenPark",
        };
        require(
            self.wait == Wait::Park,
            "ReactorOptions::wait",
            wait,
            "Park on tokio, where the runtime waits",
        )?;
        require(
            self.core.is_none(),
            "ReactorOptions::core",
            self.core.unwrap_or_default(),
            "None on tokio: pin the threads of the runtime with net::pin_current_thread",
        )
    }
}

#[cfg(test)]
mod tests;
