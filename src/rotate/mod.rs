//! Rotation: from a leak or a due date to a new key everywhere, without downtime; a crash at any instant loses
//! nothing.
//!
//! - [`policy`], [`inventory`] and [`schedule`] say what is to be rotated, how and when.
//! - [`machine`] decides: two pure functions, without any input or output.
//! - [`journal`] remembers: every change is one transaction, sealed and audited.

pub mod audit;
pub mod inventory;
pub mod journal;
pub mod lease;
pub mod machine;
pub mod policy;
pub mod schedule;
pub mod seal;
pub mod time;

pub use journal::{Journal, JournalError, RotationId};
pub use machine::{Frozen, Rotation, apply, next};
