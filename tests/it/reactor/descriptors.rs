//! A reactor without free file descriptors, in its own process.
#![cfg(all(feature = "tokio", feature = "mio", target_os = "linux"))]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tickwire::reactor::ACCEPT_BACKOFF;

use super::fixture::{Event, On, calm, on_both, serve};
use super::raw_peer::{Peer, REQUEST};

on_both!(a_connection_waits_for_a_free_descriptor);

/// The variable that selects the reactor of the child.
const DRIVER: &str = "TICKWIRE_TEST_DRIVER";

/// More connections than the child can have open.
const PEERS: usize = 60;

/// Ends the child when the test fails.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_connection_waits_for_a_free_descriptor(on: On) {
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "reactor::descriptors::child", "--ignored"])
        .args(["--nocapture", "--test-threads=1"])
        .env(DRIVER, format!("{on:?}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut child = Reaped(child);
    let mut lines = BufReader::new(child.0.stdout.take().expect("a pipe")).lines();
    let mut said = |word: &str| -> String {
        let line = lines.find_map(|line| {
            let line = line.expect("text");
            let at = line.find(word)?;
            Some(line[at + word.len()..].trim().into())
        });
        line.expect("the child's word")
    };
    let addr: SocketAddr = said("listening").parse().expect("an address");
    let since = Instant::now();

    let mut peers: Vec<_> = (0..PEERS).map(|_| Peer::dial(addr)).collect();
    for peer in &mut peers {
        peer.write(REQUEST.as_bytes());
    }
    said("out of descriptors");
    // Accepted peers are served.
    assert!(peers[0].head().starts_with("HTTP/1.1 101 "));
    peers[0].binary(b"still there?");
    assert_eq!(peers[0].message(), b"still there?");
    // As some leave, others are accepted.
    for (i, mut peer) in peers.into_iter().enumerate() {
        if i > 0 {
            assert!(peer.head().starts_with("HTTP/1.1 101 "), "{i}");
        }
        peer.binary(b"my turn");
        assert_eq!(peer.message(), b"my turn");
    }
    let mut stdin = child.0.stdin.take().expect("a pipe");
    stdin.write_all(b"end\n").expect("a child that listens");
    drop(stdin);
    let refusals: u128 = said("refused").parse().expect("a number");
    assert!(refusals > 0);
    // The reactor pauses after each failure, so the failures are few.
    let pauses = since.elapsed().as_millis() / ACCEPT_BACKOFF.as_millis() + 1;
    assert!(refusals <= pauses, "{refusals} refusals in {pauses} pauses");
    assert!(child.0.wait().expect("a child").success());
}

/// The server: it has few descriptors, and prints the events of the handler.
#[test]
#[ignore = "the child process of a_connection_waits_for_a_free_descriptor"]
fn child() {
    let on = match std::env::var(DRIVER).as_deref() {
        Ok("Mio") => On::Mio,
        Ok("Tokio") => On::Tokio,
        _ => return, // somebody runs all ignored tests
    };
    let (server, events) = serve(on, calm(), |_| {});
    let used = std::fs::read_dir("/proc/self/fd").expect("procfs").count();
    let limits = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(used as u64 + 20),
            ..limits
        },
    )
    .expect("a lower limit");
    println!("\nlistening {}", server.addr);
    let error = events.find(|e| match e {
        Event::AcceptFailed(error) => Some(error),
        _ => None,
    });
    println!("\nout of descriptors: {error}");
    assert_eq!(
        error.raw_os_error(),
        Some(rustix::io::Errno::MFILE.raw_os_error())
    );
    let mut word = String::new();
    std::io::stdin()
        .read_to_string(&mut word)
        .expect("the parent's word");
    assert_eq!(word, "end\n");
    server.stop();
    let seen = events.seen();
    let more = seen.iter().filter(|e| matches!(e, Event::AcceptFailed(_)));
    println!("\nrefused {}", 1 + more.count());
}
