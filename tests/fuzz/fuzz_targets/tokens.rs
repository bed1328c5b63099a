#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| sluice::tokens::fuzz_tokens(text));
