#![no_main]

use sluice::api::responses::Responses;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::api::fuzz::any(&Responses, data));
