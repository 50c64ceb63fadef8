//! The inventory: which keys there are, whose they are, and where they go.

mod codeowners;
pub mod discover;
mod gaps;
mod key;
mod whence;

pub use codeowners::{CodeOwners, Owners};
pub use gaps::{Gap, GapError, Hit, Matched, Nearest, ScanReport, Seen, Spot, match_report, nearest};
pub use key::{Consumer, Key, Target, When};
pub use whence::Whence;
