#![no_main]

use sluice::api::gemini::Gemini;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&Gemini, data));
