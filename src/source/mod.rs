//! Sources: whatever holds bytes to scan, pushed blob by blob into a [`Sink`](crate::model::Sink).

pub mod archive;
pub mod bytes;
pub mod chunk;
mod files;
pub mod git;
mod gitignore;
mod lfs;
mod parts;
mod stdin;

pub use files::{Options, SourceError, WHOLE, walk};
pub use lfs::is_lfs_pointer;
pub use stdin::stdin;
