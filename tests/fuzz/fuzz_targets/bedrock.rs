#![no_main]

use sluice::api::converse::Converse;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&Converse, data));
