use tickwire::reactor::{
    ConnId, Cx, Ended, Handler, Opened, Outgoing, Reactor, ReactorOptions, Remote,
};
use tickwire::{Error, Message, Stats};

use crate::{Result, Urls, case_count, config};

pub(crate) fn run(urls: Urls) -> Result<u32> {
    let options = ReactorOptions::default().config(config()?);
    let runner = Runner {
        urls,
        remote: None,
        count: 0,
        failed: None,
    };
    let mut reactor = Reactor::new(runner, options)?;
    let remote = reactor.remote();
    let first = Outgoing::to(&reactor.handler().urls.case_count())?;
    reactor.handler().remote = Some(remote);
    reactor.connect(&first.token(COUNT))?;
    let runner = reactor.run()?;
    match runner.failed {
        Some(e) => Err(e.into()),
        None => Ok(runner.count),
    }
}

/// Tokens of the first and last connection; a case, from 1 on, has its number as token.
const COUNT: u64 = 0;
const REPORTS: u64 = u64::MAX;

/// Runs the cases one after the other: when one connection has ended, the next one is opened.
struct Runner {
    urls: Urls,
    remote: Option<Remote<()>>,
    count: u32,
    failed: Option<String>,
}

impl Runner {
    /// Opens the connection that follows `token`.
    fn next(&mut self, token: u64) {
        let Some(remote) = &self.remote else {
            return;
        };
        let next = match token {
            COUNT if self.count == 0 => {
                self.failed = Some("the server did not send the number of cases".into());
                None
            }
            REPORTS => None,
            n if n < u64::from(self.count) => Some((n + 1, self.urls.case(n as u32 + 1))),
            _ => Some((REPORTS, self.urls.reports())),
        };
        let done = match next {
            None => remote.stop().map_err(|e| e.to_string()),
            Some((token, url)) => Outgoing::to(&url)
                .map_err(|e| e.to_string())
                .and_then(|to| remote.connect(to.token(token)).map_err(|e| e.to_string())),
        };
        if let Err(e) = done {
            self.fail(e);
        }
    }

    fn fail(&mut self, what: String) {
        self.failed = Some(what);
        if let Some(remote) = &self.remote {
            // Fails only for a reactor that has ended.
            let _ = remote.stop();
        }
    }
}

impl Handler for Runner {
    /// The token of the connection.
    type Conn = u64;
    type Command = ();
    type Admitted = ();

    fn open(&mut self, _cx: &mut Cx<'_>, opened: Opened<'_>) -> u64 {
        opened.token
    }

    fn message(&mut self, &mut token: &mut u64, cx: &mut Cx<'_>, message: Message<'_>) {
        let sent = match (token, message) {
            (COUNT, Message::Text(text)) => match case_count(text) {
                Ok(count) => {
                    self.count = count;
                    return;
                }
                Err(e) => return self.fail(e.to_string()),
            },
            (COUNT | REPORTS, _) => return,
            (_, Message::Binary(data)) => cx.send(data),
            (_, Message::Text(text)) => cx.outbox().send_text(text),
            _ => return,
        };
        if let Err(e) = sent {
            self.fail(format!("case {token}: {e}"));
        }
    }

    fn close(&mut self, token: u64, _id: ConnId, _ended: Ended, _: Stats) {
        // A failure is the expected result of many cases.
        self.next(token);
    }

    fn connect_failed(&mut self, token: u64, error: Error) {
        self.fail(format!("connection {token}: {error}"));
    }
}
