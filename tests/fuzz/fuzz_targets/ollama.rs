#![no_main]

use sluice::api::ollama::Ollama;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&Ollama, data));
