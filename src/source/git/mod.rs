//! Git repositories, read without git and without obeying anything that stands in them.

mod error;
pub mod objects;
pub mod pack;
pub mod parse;
mod reuse;
pub mod survey;

pub use error::GitError;
pub use objects::{Object, Objects};
