//! The detector: bytes in, matches out.

mod context;
pub mod decode;
mod engine;
mod entropy;
pub mod filter;
mod gather;
mod look;
mod merge;
mod paths;
mod pattern;
mod prefilter;

pub use engine::{DEPTH, Detector, Dropped, Found, Part, Why, Workspace, is_reported};
pub use gather::Raw;
