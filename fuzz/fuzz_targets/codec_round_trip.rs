#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::fuzz_round_trip::round_trip(data));
