#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::task::fuzz::fuzz_task(data));
