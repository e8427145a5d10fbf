//! The committed seeds of the fuzz targets, replayed.

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target);
    let mut seeds = 0;
    for entry in fs::read_dir(&dir).expect("seeds are committed") {
        let path = entry.expect("readable").path();
        let data = fs::read(&path).expect("readable");
        // Names the seed where it panics.
        println!("{}", path.display());
        run(&data);
        seeds += 1;
    }
    assert!(seeds >= 3, "{target}: {seeds} seeds");
}

#[test]
fn frames_server() {
    replay("frames_server", harness::fuzz::frames_server);
}

#[test]
fn frames_client() {
    replay("frames_client", harness::fuzz::frames_client);
}

#[test]
fn outbox_ops() {
    replay("outbox_ops", harness::fuzz::outbox_ops);
}

#[test]
fn handshake_server() {
    replay("handshake_server", harness::fuzz::handshake_server);
}

#[test]
fn handshake_client() {
    replay("handshake_client", harness::fuzz::handshake_client);
}

#[test]
fn mux_records() {
    replay("mux_records", harness::fuzz_mux::records);
}

#[test]
fn mux_hello_open() {
    replay("mux_hello_open", harness::fuzz_mux::hello_open);
}

#[test]
fn mux_ops() {
    replay("mux_ops", harness::fuzz_mux::ops);
}
