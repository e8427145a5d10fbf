//! Replays the committed seeds of the fuzz targets. Each test has the name of its target.

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
        // Names the seed of a panic.
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
fn handshake_url() {
    replay("handshake_url", harness::fuzz::handshake_url);
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

#[cfg(feature = "codecs")]
#[test]
fn codec_itch() {
    replay("codec_itch", harness::fuzz_codecs::itch);
}

#[cfg(feature = "codecs")]
#[test]
fn codec_telemetry() {
    replay("codec_telemetry", harness::fuzz_codecs::telemetry);
}

#[cfg(feature = "codecs")]
#[test]
fn codec_documents() {
    replay("codec_documents", harness::fuzz_codecs::documents);
}

#[cfg(feature = "codecs")]
#[test]
fn codec_mqtt() {
    replay("codec_mqtt", harness::fuzz_codecs::mqtt);
}

#[cfg(feature = "codecs")]
#[test]
fn codec_protobuf() {
    replay("codec_protobuf", harness::fuzz_codecs::protobuf);
}

#[cfg(feature = "codecs")]
#[test]
fn codec_bincode() {
    replay("codec_bincode", harness::fuzz_bincode::bincode);
}

#[cfg(feature = "codecs")]
#[test]
fn codec_offer() {
    replay("codec_offer", harness::fuzz_codecs::offer);
}

#[cfg(feature = "codecs")]
#[test]
fn codec_round_trip() {
    replay("codec_round_trip", harness::fuzz_round_trip::round_trip);
}

#[cfg(feature = "codecs")]
#[test]
fn sbe_views() {
    replay("sbe_views", harness::fuzz_sbe::views);
}

#[cfg(feature = "codecs")]
#[test]
fn sbe_capture() {
    replay("sbe_capture", harness::fuzz_sbe::capture);
}

#[cfg(feature = "codecs")]
#[test]
fn sbe_schema() {
    replay("sbe_schema", harness::fuzz_sbe::schema);
}

#[cfg(feature = "rivals")]
#[test]
fn votes_server() {
    replay("votes_server", harness::votes::votes_server);
}

#[cfg(feature = "rivals")]
#[test]
fn votes_client() {
    replay("votes_client", harness::votes::votes_client);
}
