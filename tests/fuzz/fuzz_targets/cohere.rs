#![no_main]

use sluice::api::cohere::Cohere;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&Cohere, data));
