//! Both ends on mio: a reactor on a thread for the server, one for the clients.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

use tickwire::{
    CloseCode, ConnId, Cx, Ended, Error, Handler, Hub, Message, Opened, Outbox, Outgoing, Reactor,
    ReactorOptions, Refusal, Request, Verdict, Wait,
};

use crate::Result;
use crate::client::Client;
use crate::ends::{Ends, STARTED_WITHIN, why};
use crate::play::{Play, Sent};

/// Starts both ends. `opened` hears of each connection that the server has opened.
pub(crate) fn start(play: &Arc<Play>, opened: Sender<()>) -> Result<Ends> {
    let woken = Arc::new(AtomicBool::new(false));
    let (ready, started) = mpsc::channel();
    let server = {
        let (play, woken) = (play.clone(), woken.clone());
        thread::Builder::new()
            .name("server".into())
            .spawn(move || {
                let options = options(&play);
                let mut reactor = Reactor::new(Server::new(play, woken, opened), options)?;
                let (addr, _report) = reactor.listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
                ready.send((addr, reactor.remote()))?;
                reactor.run()?;
                Ok(())
            })?
    };
    let Ok((addr, server_remote)) = started.recv_timeout(STARTED_WITHIN) else {
        return Err(Ends::failed(server, "the server did not start"));
    };
    let (ready, started) = mpsc::channel();
    let clients = {
        let play = play.clone();
        thread::Builder::new()
            .name("clients".into())
            .spawn(move || {
                let options = options(&play);
                let count = play.lanes.len();
                let mut reactor = Reactor::new(Clients { play }, options)?;
                for index in 0..count {
                    let url = format!("ws://{addr}/replay?client={index}");
                    reactor.connect(Outgoing::at(addr, &url)?.token(index as u64))?;
                }
                ready.send(reactor.remote())?;
                reactor.run()?;
                Ok(())
            })?
    };
    let Ok(clients_remote) = started.recv_timeout(STARTED_WITHIN) else {
        return Err(Ends::failed(clients, "the clients did not start"));
    };
    let waker = server_remote.clone();
    Ok(Ends {
        wake: Box::new(move || {
            // One command at a time: the server looks at all that is due.
            if !woken.swap(true, Ordering::AcqRel) {
                // Refused only by a reactor that has ended, which the clients notice.
                let _ = waker.command(());
            }
        }),
        stop: Box::new(move || {
            // Refused only by a reactor that has ended.
            let _ = server_remote.stop();
            let _ = clients_remote.stop();
        }),
        threads: vec![server, clients],
    })
}

fn options(play: &Play) -> ReactorOptions {
    ReactorOptions {
        settings: play.settings.clone(),
        wait: if play.spin { Wait::Spin } else { Wait::Park },
        ..ReactorOptions::default()
    }
}

/// Plays to all clients.
struct Server {
    play: Arc<Play>,
    woken: Arc<AtomicBool>,
    opened: Sender<()>,
    /// Which client asks from where, between its request and its opening.
    asking: HashMap<SocketAddr, usize>,
    feeds: Vec<Feed>,
}

/// One connection's way through the tape.
struct Feed {
    id: ConnId,
    client: usize,
    /// The next message to send.
    cursor: u64,
    /// The queue was full, or everything is sent.
    rests: bool,
}

impl Server {
    fn new(play: Arc<Play>, woken: Arc<AtomicBool>, opened: Sender<()>) -> Self {
        Self {
            play,
            woken,
            opened,
            asking: HashMap::new(),
            feeds: Vec::new(),
        }
    }
}

impl Feed {
    fn send(&mut self, play: &Play, outbox: &mut Outbox) {
        // A connection that is closing takes nothing; its client says why.
        let sent = play.send_due(self.client, &mut self.cursor, outbox);
        self.rests = !matches!(sent, Ok(Sent::All));
    }
}

impl Handler for Server {
    /// The place of its feed.
    type Conn = usize;
    /// Something is due.
    type Command = ();

    fn request(&mut self, request: &Request, peer: Option<SocketAddr>) -> Verdict {
        match (self.play.take_lane(request.query()), peer) {
            (Some(client), Some(peer)) => {
                self.asking.insert(peer, client);
                Verdict::default()
            }
            // 404 is a status that can be answered.
            _ => Refusal::new(404).map_or_else(|_| Verdict::default(), Verdict::Refuse),
        }
    }

    fn open(&mut self, cx: &mut Cx<'_>, opened: Opened<'_>) -> usize {
        let client = opened.peer.and_then(|peer| self.asking.remove(&peer));
        self.feeds.push(Feed {
            id: cx.id(),
            client: client.unwrap_or_default(),
            cursor: 0,
            rests: client.is_none(),
        });
        let _ = self.opened.send(()); // nobody waits when the run has failed
        self.feeds.len() - 1
    }

    fn message(&mut self, _feed: &mut usize, _cx: &mut Cx<'_>, _message: Message<'_>) {}

    fn drained(&mut self, feed: &mut usize, cx: &mut Cx<'_>) {
        self.play.server.set(cx.hub().calls());
        if let Some(feed) = self.feeds.get_mut(*feed) {
            feed.send(&self.play, cx.outbox());
        }
    }

    fn command(&mut self, hub: &mut Hub<'_>, (): ()) {
        // Before looking: what becomes due later wakes again.
        self.woken.store(false, Ordering::Release);
        self.play.server.set(hub.calls());
        for feed in self.feeds.iter_mut().filter(|feed| !feed.rests) {
            match hub.outbox(feed.id) {
                Some(outbox) => feed.send(&self.play, outbox),
                None => feed.rests = true,
            }
        }
    }

    fn accept_failed(&mut self, error: io::Error) {
        eprintln!("replay: server: cannot accept: {error}");
    }
}

/// All clients.
struct Clients {
    play: Arc<Play>,
}

/// A timer of the slow client: its rest is over.
const RESTED: u64 = 0;

impl Handler for Clients {
    type Conn = (usize, Client);
    type Command = ();

    fn open(&mut self, _cx: &mut Cx<'_>, opened: Opened<'_>) -> (usize, Client) {
        let index = opened.token as usize;
        (index, Client::new(&self.play, index))
    }

    fn message(&mut self, conn: &mut (usize, Client), cx: &mut Cx<'_>, message: Message<'_>) {
        if !conn.1.message(message) {
            // Something is wrong: the run is over. A second close does nothing.
            let _ = cx.close(CloseCode::NORMAL, "");
        }
    }

    fn batch_end(&mut self, conn: &mut (usize, Client), cx: &mut Cx<'_>) {
        conn.1.batch_end();
        self.play.clients.set(cx.hub().calls());
        if let Some(rest) = self.play.slow
            && conn.0 == 0
        {
            // One timer at a time; without it the pause would have no end.
            if cx.timer(rest, RESTED).is_ok() {
                cx.pause();
            }
        }
    }

    fn timer(&mut self, _conn: &mut (usize, Client), cx: &mut Cx<'_>, _token: u64) {
        cx.resume();
    }

    fn close(&mut self, conn: (usize, Client), _id: ConnId, ended: Ended) {
        conn.1.finish(match ended {
            Ended::Session(end) => why(&end),
            Ended::Io(e) => Some(e.to_string()),
            other => Some(format!("{other:?}")),
        });
    }

    fn connect_failed(&mut self, token: u64, error: Error) {
        Client::new(&self.play, token as usize).finish(Some(error.to_string()));
    }
}
