//! Rotation: from a leak or a due date to a new key everywhere.

pub mod inventory;
pub mod policy;
pub mod schedule;
