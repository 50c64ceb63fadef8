//! Git repositories, read without git and without obeying anything that stands in them.

mod alternates;
pub mod attribute;
pub mod commits;
mod config;
pub mod diff;
mod discover;
mod error;
mod file;
pub mod history;
pub mod index;
pub mod loose;
pub mod memory;
pub mod objects;
pub mod pack;
mod packed;
pub mod parse;
mod part;
pub mod range;
mod reader;
pub mod receive;
mod ref_file;
mod reflog;
mod refs;
mod repo;
mod reuse;
mod revision;
pub mod staged;
mod standing;
mod store;
pub mod survey;
pub mod sweep;
#[cfg(test)]
mod tests;
mod trees;

pub use alternates::alternates_from_env;
pub use commits::Commits;
pub use error::GitError;
pub use index::Index;
pub use objects::{Object, Objects};
pub use reader::Reader;
pub use refs::Reference;
pub use repo::{Repository, Surroundings};
pub use standing::Standing;
