#![no_main]

use sluice::api::anthropic::Anthropic;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&Anthropic, data));
