//! Rotation: from a leak or a due date to a new key everywhere, without downtime; a crash at any instant loses
//! nothing.
//!
//! - [`policy`], [`inventory`] and [`schedule`] say what is to be rotated, how and when.
//! - [`machine`] decides: two pure functions, without any input or output.

pub mod inventory;
pub mod machine;
pub mod policy;
pub mod schedule;
pub mod time;

pub use machine::{Frozen, Rotation, apply, next};
