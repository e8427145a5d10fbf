use std::sync::Arc;
use std::time::Duration;

use super::tune::Tune;
use crate::config::{Config, ConfigError, require};
use crate::handshake::HeadLimits;

/// How a reactor waits for events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Wait {
    /// Block until an event arrives. Uses no CPU while waiting; the first message pays for a
    /// wake-up.
    #[default]
    Park,
    /// Poll without blocking. Uses one core fully, and saves the wake-up.
    Spin,
    /// Poll for this long after the last event, then block.
    SpinThenPark(Duration),
}

/// Options of a reactor, on mio or on tokio. Each setter changes one field. The reactor checks the
/// values when it is made; [`ReactorOptions::check`] does that earlier.
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
    /// Limits and timeouts of the connections.
    pub config: Arc<Config>,
    /// Limits on the heads of opening handshakes.
    pub head_limits: HeadLimits,
    /// Socket options.
    pub tune: Tune,
    /// How the reactor waits for events. On tokio the runtime waits, and any value but `Park` is an
    /// error.
    pub wait: Wait,
    /// The core that the reactor's thread is pinned to; `None` leaves the choice to the operating
    /// system. On tokio any core is an error: pin the runtime's threads with
    /// [`pin_current_thread`](crate::net::pin_current_thread).
    pub core: Option<usize>,
    /// Size of the receive buffer that all connections of the thread share, bytes: 4 KiB to 1 GiB.
    /// Default 256 KiB: large enough to read a burst on one socket in few reads, small enough to
    /// stay in cache.
    pub recv_buffer_bytes: usize,
    /// Largest number of events taken from the operating system in one call: 1 to 2^20. Default
    /// 1,024; further events wait for the next turn. Not used on tokio, where the runtime sets
    /// this.
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
    /// Sets the limits and timeouts of the connections. The reactor checks them when it is made.
    #[must_use]
    pub fn config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Checks all values.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and its valid range: a field of these options, of
    /// [`Config`], [`HeadLimits`] or [`Tune`]. Whether `core` exists is checked when the thread is
    /// pinned.
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

    /// Further checks for a reactor on tokio.
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
