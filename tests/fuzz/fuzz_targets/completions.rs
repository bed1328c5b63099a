#![no_main]

use sluice::api::completions::Completions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&Completions, data));
