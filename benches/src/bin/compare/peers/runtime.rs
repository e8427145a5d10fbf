//! The runtime of the tokio peers: current-thread, on the pinned core, one task per connection.

use std::future::Future;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};

use super::{ServeOptions, accept, announce};

/// Accepts without end. Each connection is upgraded and given to `session`.
pub(super) fn run<F, T>(options: ServeOptions, session: F) -> Result<()>
where
    F: Fn(TcpStream) -> T + Copy + Send + 'static,
    T: Future<Output = Result<()>> + Send,
{
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if options.spin {
        // Polls the sockets after every task instead of every 61.
        builder.event_interval(1);
    }
    builder.build()?.block_on(async move {
        if options.spin {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        let listener = TcpListener::bind(options.listen).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let ended = match accept::upgrade(&mut stream).await {
                    Ok(()) => session(stream).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = ended {
                    report(&error);
                }
            });
        }
    })
}

/// Prints why a connection ended, unless the client has only left: it drops finished connections.
pub(super) fn report(error: &anyhow::Error) {
    let text = format!("{error:#}").to_lowercase();
    if !text.contains("reset") && !text.contains("eof") {
        eprintln!("connection ended: {error:#}");
    }
}
