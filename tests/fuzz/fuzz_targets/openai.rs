#![no_main]

use sluice::api::openai::OpenAi;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&OpenAi, data));
