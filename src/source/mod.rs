//! Sources: whatever holds bytes to scan, pushed blob by blob into a [`Sink`](crate::model::Sink).

pub mod archive;
pub mod chunk;
mod files;
mod parts;

pub use files::{Options, SourceError, WHOLE, stdin, walk};
