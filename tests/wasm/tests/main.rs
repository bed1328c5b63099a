//! Holds: the module's own tests on the wasmtime host.
//! May use: the library beside it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at the first surprise"
)]

mod imports;
mod no_trap;
mod scenarios;

use std::sync::LazyLock;

use sluice_wasm::Program;

/// Compiled once for all tests.
static PROGRAM: LazyLock<Program> = LazyLock::new(|| Program::load(&Program::path()).unwrap());
