//! A server that sends every message back, for load generators and conformance suites.
//!
//! ```text
//! echo --driver tokio|mio --listen ADDR:PORT [--spin] [--core N] [--max-message BYTES]
//!      [--threads N] [--tune low-latency|throughput|many-connections] [--busy-poll MICROS]
//! ```
//!
//! The program prints `listening ADDR` when it is ready. On SIGTERM or SIGINT it closes every
//! connection with 1001 and exits with 0.

mod args;
mod handler;

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use args::{Args, Driver};
use handler::Echo;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tickwire::Config;
use tickwire::net::pin_current_thread;
use tickwire::reactor::{ReactorOptions, Reactors, ReactorsOptions, Remote, TokioReactor, Wait};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match Args::from_env().and_then(|args| serve(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("echo: {e}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Args) -> Result<()> {
    // Registered before any thread starts, so that no signal is missed.
    let signals = Signals::new([SIGTERM, SIGINT])?;
    let config = Config::default()
        .message_bytes_max(args.message_bytes_max)
        .frame_bytes_max(args.message_bytes_max)
        // Every message is sent back: the largest message must fit in the send queue.
        .send_queue_bytes_max(
            usize::try_from(args.message_bytes_max)?
                .saturating_mul(2)
                .max(4 << 20),
        )
        // Load generators count frames: send no Pings.
        .ping_interval(None);
    let options = ReactorOptions::default()
        .config(config)
        .tune(args.tune.clone());
    match args.driver {
        Driver::Mio => on_mio(args, options, signals),
        Driver::Tokio => on_tokio(args, &options, signals),
    }
}

fn on_mio(args: &Args, mut options: ReactorOptions, signals: Signals) -> Result<()> {
    options.wait = if args.spin { Wait::Spin } else { Wait::Park };
    let options = ReactorsOptions::default()
        .threads(args.threads)
        .first_core(args.core)
        .each(options);
    let reactors = Reactors::start(args.listen, &options, |_| Echo)?;
    for refused in &reactors.report().refused {
        eprintln!("echo: {refused}");
    }
    println!("listening {}", reactors.addr());
    stop_on_signal(signals, reactors.remotes().to_vec());
    reactors.join()?;
    Ok(())
}

/// Runs one current-thread runtime with one reactor on each thread.
fn on_tokio(args: &Args, options: &ReactorOptions, signals: Signals) -> Result<()> {
    let (ready, started) = std::sync::mpsc::channel();
    let args = Arc::new(args.clone());
    let mut listen = args.listen;
    let mut remotes = Vec::new();
    let mut threads = Vec::new();
    for index in 0..args.threads {
        let (ready, args) = (ready.clone(), args.clone());
        let mut options = options.clone();
        options.tune = options.tune.reuse_port(args.threads > 1);
        threads.push(thread::spawn(move || {
            let ended = on_runtime(&args, index, listen, options, &ready);
            // Ends the wait in `on_tokio` if the thread failed to start.
            let _ = ready.send(None);
            ended
        }));
        let Ok(Some((addr, remote))) = started.recv() else {
            break; // the join below returns the error of the thread
        };
        listen = addr;
        remotes.push(remote);
    }
    if remotes.len() == args.threads {
        println!("listening {listen}");
        stop_on_signal(signals, remotes);
    } else {
        for remote in remotes {
            let _ = remote.stop(); // fails only for a reactor that has ended
        }
    }
    let mut result = Ok(());
    for thread in threads {
        result = result.and(
            thread
                .join()
                .unwrap_or_else(|_| Err("a runtime panicked".into())),
        );
    }
    result
}

type Started = std::sync::mpsc::Sender<Option<(std::net::SocketAddr, Remote<()>)>>;

fn on_runtime(
    args: &Args,
    index: usize,
    listen: std::net::SocketAddr,
    options: ReactorOptions,
    ready: &Started,
) -> Result<()> {
    if let Some(core) = args.core {
        pin_current_thread(core + index)?;
    }
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if args.spin {
        // The runtime polls its sockets after every task, and the spinner is always ready.
        builder.event_interval(1);
    }
    let spin = args.spin;
    builder.build()?.block_on(async move {
        let mut reactor = TokioReactor::new(Echo, options)?;
        let (addr, report) = reactor.listen(listen)?;
        for refused in &report.refused {
            eprintln!("echo: {refused}");
        }
        ready.send(Some((addr, reactor.remote())))?;
        let spinner = spin.then(|| {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            })
        });
        let result = reactor.run().await;
        if let Some(spinner) = spinner {
            spinner.abort();
        }
        result?;
        Ok(())
    })
}

fn stop_on_signal(mut signals: Signals, remotes: Vec<Remote<()>>) {
    thread::spawn(move || {
        for _ in signals.forever() {
            for remote in &remotes {
                let _ = remote.stop(); // fails only for a reactor that has ended
            }
        }
    });
}
