#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::framing::form::fuzz::fuzz_form(data));
