#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::framing::lines::fuzz_lines(data));
