#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::quota::fuzz_counter(data));
