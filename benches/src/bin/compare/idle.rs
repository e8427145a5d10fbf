//! Resident bytes of an idle connection.

use std::io::Write as _;
use std::net::TcpStream;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cli::{Compare, Content};
use crate::left_out::LeftOut;
use crate::load::connect;
use crate::server::{Server, Target};
use crate::stats::print_table;
use crate::{process, wire};

/// File descriptors reserved for everything that is not a connection.
const SPARE_FILES: u64 = 100;
/// Connections opened before the first reading, so that one-time memory (poller, runtime) is not
/// counted.
const WARM_CONNECTIONS: usize = 16;
const PAYLOAD_BYTES: usize = 20;

/// One peer's memory: anonymous pages of its process (heap and stacks, not the kernel's sockets).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    peer: String,
    connections: usize,
    /// After the upgrade, before any message.
    bytes_after_upgrade: f64,
    /// After one echoed message of 20 bytes on each connection.
    bytes_after_message: f64,
}

/// Opens `connections` to each peer in turn and prints the table.
pub(crate) fn run(
    options: &Compare,
    connections: usize,
    left_out: &mut LeftOut,
) -> Result<Vec<Row>> {
    let files = process::raise_open_files_limit()?;
    ensure!(
        connections >= 1 && connections as u64 + SPARE_FILES <= files,
        "--idle is 1 to {}: this process may open {files} files (ulimit -Hn)",
        files.saturating_sub(SPARE_FILES)
    );
    let mut rows = Vec::new();
    for target in options.targets() {
        match measure(target, connections, options) {
            Ok(row) => rows.push(row),
            Err(error) => left_out.note(target, &error),
        }
    }
    println!("\nidle connections: anonymous bytes of the server's process, per connection");
    let mut table = vec![
        [
            "peer",
            "connections",
            "after the upgrade",
            "after one message",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    table.extend(rows.iter().map(|row| {
        vec![
            row.peer.clone(),
            row.connections.to_string(),
            format!("{:.0}", row.bytes_after_upgrade),
            format!("{:.0}", row.bytes_after_message),
        ]
    }));
    print_table(&table);
    Ok(rows)
}

fn measure(target: Target, connections: usize, options: &Compare) -> Result<Row> {
    let server = &Server::start(target, options.server_core.0, false)?;
    let pid = server
        .pid
        .context("the server's memory is not known: pass --against-pid")?;
    let mut warm = open(server, WARM_CONNECTIONS)?;
    echo_once(server, &mut warm)?;
    let before = process::anonymous_bytes(pid)?;
    let mut streams = open(server, connections)?;
    let upgraded = process::anonymous_bytes(pid)?;
    echo_once(server, &mut streams)?;
    let after = process::anonymous_bytes(pid)?;
    // A reset: an orderly close would leave thousands of ports in TIME_WAIT.
    for stream in warm.into_iter().chain(streams) {
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO))?;
    }
    let each = |bytes: u64| (bytes as f64 - before as f64) / connections as f64;
    Ok(Row {
        peer: server.target.name(),
        connections,
        bytes_after_upgrade: each(upgraded),
        bytes_after_message: each(after),
    })
}

fn open(server: &Server, connections: usize) -> Result<Vec<TcpStream>> {
    let mut streams = (0..connections)
        .map(|_| connect(server))
        .collect::<Result<Vec<_>>>()?;
    if !server.target.speaks_websocket() {
        // Raw TCP has no handshake: only an echo shows that the server has accepted the connection.
        echo_once(server, &mut streams)?;
    }
    Ok(streams)
}

/// Echoes and checks one message on each connection.
fn echo_once(server: &Server, streams: &mut [TcpStream]) -> Result<()> {
    let (mut sent, mut payload) = (Vec::new(), vec![0; PAYLOAD_BYTES]);
    for (index, stream) in streams.iter_mut().enumerate() {
        let sequence = index as u64;
        wire::fill(&mut payload, Content::Binary, sequence);
        sent.clear();
        wire::masked_frame(&mut sent, wire::BINARY, &payload, wire::mask_key(sequence));
        stream.write_all(&sent)?;
        if server.target.speaks_websocket() {
            let mut echoed = Vec::new();
            // A keepalive Ping may come first on a connection that has been idle.
            while wire::read_frame(stream, &mut echoed, 125)? == wire::PING {}
            ensure!(echoed == payload, "connection {index}: wrong echo");
        } else {
            let mut echoed = vec![0; sent.len()];
            std::io::Read::read_exact(stream, &mut echoed)?;
            ensure!(echoed == sent, "connection {index}: wrong echo");
        }
    }
    Ok(())
}
