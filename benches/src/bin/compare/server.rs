//! Starting, finding and ending the servers under test.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::peers::Peer;
use crate::process::Usage;

/// Time in which a server must print its address.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Time in which a server must end after it was asked to; tickwire closes its connections first.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Time between two checks whether it has ended.
const STOP_POLL: Duration = Duration::from_millis(5);

/// Names the echo example of tickwire; it is looked up first.
const ECHO_VARIABLE: &str = "TICKWIRE_ECHO";

/// What is measured: a peer that this program starts, or a server that already runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Peer(Peer),
    Outside { addr: SocketAddr, pid: Option<u32> },
}

impl Target {
    pub(crate) fn name(self) -> String {
        match self {
            Target::Peer(peer) => peer.name(),
            Target::Outside { addr, .. } => addr.to_string(),
        }
    }

    pub(crate) fn speaks_websocket(self) -> bool {
        !matches!(self, Target::Peer(peer) if !peer.speaks_websocket())
    }

    /// Whether it is another WebSocket library: `x best` compares with the best of these.
    pub(crate) fn is_rival(self) -> bool {
        matches!(self, Target::Peer(peer) if peer.speaks_websocket() && peer.tickwire_driver().is_none())
    }
}

/// A running server. One that this program has started ends when this value is dropped.
pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) addr: SocketAddr,
    /// `None` for an outside server whose process is not known: its CPU time is then unknown.
    pub(crate) pid: Option<u32>,
    child: Option<Child>,
}

impl Server {
    /// Starts `target` pinned to `core`. With `spin` it never sleeps in its poller.
    pub(crate) fn start(target: Target, core: Option<usize>, spin: bool) -> Result<Server> {
        Server::start_under(&[], target, core, spin)
    }

    /// The same under `tool`, a command that runs the command in its last arguments.
    pub(crate) fn start_under(
        tool: &[String],
        target: Target,
        core: Option<usize>,
        spin: bool,
    ) -> Result<Server> {
        let peer = match target {
            Target::Peer(peer) => peer,
            Target::Outside { addr, pid } => {
                return Ok(Server {
                    target,
                    addr,
                    pid,
                    child: None,
                });
            }
        };
        let (program, arguments) = match peer.tickwire_driver() {
            Some(driver) => (echo_example()?, ["--driver".to_owned(), driver.to_owned()]),
            None => (std::env::current_exe()?, ["serve".to_owned(), peer.name()]),
        };
        let mut command = match tool.split_first() {
            Some((tool, options)) => {
                let mut command = Command::new(tool);
                command.args(options).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments);
        command.args(["--listen", "127.0.0.1:0"]);
        if let Some(core) = core {
            command.args(["--core", &core.to_string()]);
        }
        if spin {
            command.arg("--spin");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", target.name()))?;
        let listening = listening(&mut child);
        let mut server = Server {
            target,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            pid: Some(child.id()),
            child: Some(child),
        };
        server.addr =
            listening.with_context(|| format!("{} did not start ({command:?})", target.name()))?;
        Ok(server)
    }

    /// Asks a started server to end, and waits until it has ended.
    pub(crate) fn terminate(mut self) -> Result<()> {
        let mut child = self
            .child
            .take()
            .context("this program has not started the server and cannot end it")?;
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        let asked = kill(pid, Signal::SIGTERM);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while asked.is_ok() && Instant::now() < deadline {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(STOP_POLL);
        }
        child.kill()?;
        child.wait()?;
        bail!("{} did not end in {STOP_TIMEOUT:?}", self.target.name())
    }

    /// What the server's process has used so far, if the process is known.
    pub(crate) fn usage(&self) -> Result<Option<Usage>> {
        self.pid.map(Usage::of).transpose()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself; `wait` collects it in both cases.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The address in the child's first line, `listening ADDR`. Later lines are read and dropped, so
/// that the server never blocks on a full pipe.
fn listening(child: &mut Child) -> Result<SocketAddr> {
    let stdout = child
        .stdout
        .take()
        .context("the server's output is not a pipe")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let line = receiver
        .recv_timeout(START_TIMEOUT)
        .map_err(|error| anyhow!("no line on its standard output: {error}"))?;
    let addr = line
        .strip_prefix("listening ")
        .with_context(|| format!("expected `listening ADDR`, got `{line}`"))?;
    addr.trim()
        .parse()
        .with_context(|| format!("`{addr}` is not an address"))
}

/// The echo example of tickwire: `$TICKWIRE_ECHO`, or `examples/echo` beside this binary.
pub(crate) fn echo_example() -> Result<PathBuf> {
    let path = match std::env::var_os(ECHO_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?
            .with_file_name("examples")
            .join("echo"),
    };
    if !path.is_file() {
        bail!(
            "TICKWIRE IS LEFT OUT: there is no echo example at {}.\n  Build it: cargo build --release -p tickwire \
             --example echo --features mio\n  or name it: {ECHO_VARIABLE}=/path/to/echo",
            path.display()
        );
    }
    Ok(path)
}
