#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::completions::fuzz::fuzz_completions(data));
