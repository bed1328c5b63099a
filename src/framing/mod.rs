//! Bytes to frames and back: a stream cut anywhere gives the same frames.
//!
//! May use: nothing.
//!
//! To add one: a file with a `Decoder` that keeps only the frame that is not whole yet, under a named limit, and whose
//! frames' `raw`, put together, are the bytes it was fed. Its tests cut every stream at every byte.

pub mod form;
pub mod sse;
