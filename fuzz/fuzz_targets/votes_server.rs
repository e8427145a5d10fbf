#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| harness::votes::votes_server(data));
