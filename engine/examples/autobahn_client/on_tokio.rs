use tickwire::{Connector, Error, Message};

use crate::{Result, Urls, case_count, config};

pub(crate) fn run(urls: &Urls) -> Result<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(all(urls))
}

async fn all(urls: &Urls) -> Result<u32> {
    let connector = Connector::new().config(config()?);
    let count = count(&connector, urls).await?;
    for case in 1..=count {
        match echo(&connector, &urls.case(case)).await {
            // A failure is the expected result of many cases.
            Ok(()) | Err(Error::Failed(_) | Error::Io(_) | Error::Send(_)) => {}
            Err(e) => return Err(format!("case {case}: {e}").into()),
        }
    }
    let mut ws = connector.connect(&urls.reports()).await?;
    while ws.recv().await?.is_some() {}
    Ok(count)
}

async fn count(connector: &Connector, urls: &Urls) -> Result<u32> {
    let mut ws = connector.connect(&urls.case_count()).await?;
    let mut count = None;
    while let Some((messages, _)) = ws.recv_batch().await? {
        for message in messages {
            if let Message::Text(text) = message {
                count = Some(case_count(text)?);
            }
        }
    }
    count.ok_or_else(|| "the server did not send the number of cases".into())
}

/// Sends every message back until the server closes the connection.
async fn echo(connector: &Connector, url: &str) -> std::result::Result<(), Error> {
    let mut ws = connector.connect(url).await?;
    while let Some((messages, outbox)) = ws.recv_batch().await? {
        for message in messages {
            match message {
                Message::Binary(data) => outbox.send(data)?,
                Message::Text(text) => outbox.send_text(text)?,
                _ => {}
            }
        }
    }
    Ok(())
}
