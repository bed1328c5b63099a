#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::responses::fuzz::fuzz_stream(data));
