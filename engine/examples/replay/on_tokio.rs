//! Both ends on tokio: a current-thread runtime for the server, one for the clients; a task for
//! each connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use tickwire::{Connector, Error, Incoming, Listener, Refusal};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Result;
use crate::client::Client;
use crate::counted::{Counted, End};
use crate::ends::{Ends, STARTED_WITHIN, why};
use crate::play::{Play, Sent};

/// Starts both ends. `opened` hears of each connection that the server has opened.
pub(crate) fn start(play: &Arc<Play>, opened: Sender<()>) -> Result<Ends> {
    let (due, _) = watch::channel(());
    let (ready, started) = mpsc::channel();
    let server = {
        let (play, due) = (play.clone(), due.clone());
        thread::Builder::new()
            .name("server".into())
            .spawn(move || run(play.spin, serve(play.clone(), due, ready, opened)))?
    };
    let Ok(addr) = started.recv_timeout(STARTED_WITHIN) else {
        return Err(Ends::failed(server, "the server did not start"));
    };
    let clients = {
        let play = play.clone();
        thread::Builder::new()
            .name("clients".into())
            .spawn(move || {
                run(play.spin, async {
                    let mut tasks = JoinSet::new();
                    for index in 0..play.lanes.len() {
                        tasks.spawn(client(play.clone(), index, addr));
                    }
                    tasks.join_all().await;
                    Ok(())
                })
            })?
    };
    Ok(Ends {
        wake: Box::new(move || {
            due.send_replace(());
        }),
        stop: Box::new(|| {}),
        threads: vec![server, clients],
    })
}

fn run<F: Future<Output = Result<()>>>(spin: bool, ends: F) -> Result<()> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    if spin {
        // Sockets are looked at after every task, and there is always a task.
        builder.event_interval(1);
    }
    builder.build()?.block_on(async {
        if spin {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        ends.await
    })
}

/// Accepts the clients that are awaited, and plays to each in a task of its own.
async fn serve(
    play: Arc<Play>,
    due: watch::Sender<()>,
    ready: Sender<SocketAddr>,
    opened: Sender<()>,
) -> Result<()> {
    let listener = Listener::builder()
        .settings(play.settings.clone())
        .bind("127.0.0.1:0")
        .await?;
    ready.send(listener.local_addr()?)?;
    let mut tasks = JoinSet::new();
    while tasks.len() < play.lanes.len() {
        let incoming = listener.accept().await?;
        let (play, due, opened) = (play.clone(), due.subscribe(), opened.clone());
        tasks.spawn(async move {
            let told = play.clone();
            let played = connection(play, incoming, due, opened).await;
            // Where the run has failed already, it is known why.
            if let Err(e) = played
                && !told.is_stopped()
            {
                eprintln!("replay: server: {e}");
            }
        });
    }
    tasks.join_all().await;
    Ok(())
}

async fn connection(
    play: Arc<Play>,
    incoming: Incoming<TcpStream>,
    mut due: watch::Receiver<()>,
    opened: Sender<()>,
) -> Result<()> {
    let stream = Counted::new(incoming.into_stream(), &play, End::Server);
    let incoming = Incoming::new(stream).settings(play.settings.clone());
    let upgrade = incoming.request().await?;
    let Some(index) = play.take_lane(upgrade.request().query()) else {
        upgrade.refuse(Refusal::new(404)?).await?;
        return Err("a client that was not awaited".into());
    };
    let (mut reader, mut writer) = upgrade.accept().await?.split();
    let _ = opened.send(()); // nobody waits when the run has failed

    let send = async {
        let mut cursor = 0;
        loop {
            let sent = writer
                .with_outbox(|outbox| play.send_due(index, &mut cursor, outbox))
                .await?;
            match sent? {
                Sent::All => due.changed().await?,
                Sent::Full => writer.flush().await?,
                Sent::Over => break writer.flush().await?,
            }
        }
        Result::Ok(())
    };
    let receive = async {
        while let Some(messages) = reader.recv_batch().await? {
            messages.for_each(drop);
        }
        Result::Ok(())
    };
    tokio::try_join!(send, receive)?;
    Ok(())
}

async fn client(play: Arc<Play>, index: usize, addr: SocketAddr) {
    let mut client = Client::new(&play, index);
    let ended = follow(&play, &mut client, index, addr).await;
    client.finish(ended.unwrap_or_else(|e| Some(e.to_string())));
}

/// Follows the tape to its end: `None`, or how else the connection ended.
async fn follow(
    play: &Arc<Play>,
    client: &mut Client,
    index: usize,
    addr: SocketAddr,
) -> std::result::Result<Option<String>, Error> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let url = format!("ws://{addr}/replay?client={index}");
    let mut ws = Connector::new()
        .settings(play.settings.clone())
        .handshake(Counted::new(stream, play, End::Client), &url)
        .await?;
    let slow = play.slow.filter(|_| index == 0);
    while let Some((mut messages, _)) = ws.recv_batch().await? {
        let right = messages.all(|message| client.message(message));
        client.batch_end();
        if !right {
            return Ok(None); // the client knows what is wrong
        }
        if let Some(rest) = slow {
            tokio::time::sleep(rest).await;
        }
    }
    Ok(ws.end().and_then(|end| why(&end)))
}
