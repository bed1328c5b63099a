//! An AI gateway that is one WebAssembly module for Envoy.
