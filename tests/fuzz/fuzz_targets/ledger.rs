#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::ledger::fuzz_ledger(data));
