//! The detector: bytes in, matches out.

pub mod decode;
