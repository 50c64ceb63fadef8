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
pub mod rank;
mod text;
mod weigh;

/// Rises whenever the same rules may find more in the same bytes: decoders, gates, filters, looks,
/// the model of the ranking; or fewer, so that what is not found any more is not taken for fixed.
/// Whatever remembers that something holds nothing forgets it then.
pub const GENERATION: u32 = 6;

pub use engine::{DEPTH, Detector, Dropped, Found, Part, Ranked, Why, Workspace, is_reported};
pub use gather::Raw;
pub use weigh::Weighed;
