#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::anthropic::fuzz::fuzz_request(data));
