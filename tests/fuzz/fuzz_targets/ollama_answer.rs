#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::ollama::fuzz::fuzz_answer(data));
