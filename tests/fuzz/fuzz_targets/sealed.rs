#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::secret::fuzz_sealed(data));
