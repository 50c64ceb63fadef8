//! Rotation: from a leak or a due date to a new key everywhere, without downtime; a crash at any instant loses
//! nothing.
//!
//! - [`policy`], [`inventory`] and [`schedule`] say what is to be rotated, how and when.
//! - [`machine`] decides: two pure functions, without any input or output.
//! - [`journal`] remembers: every change is one transaction, sealed and audited.
//! - [`engine`] acts: one step a call, one change a step, announced before and written down after.
//! - [`seal`] seals what it keeps, under a key from elsewhere; [`transit`] lets OpenBao keep that.
//! - [`store`] puts keys where they are read.
//! - [`provider`] makes, lists and ends keys as rules declare it.
//! - [`roles`] lets two roles of a database take turns.
//! - [`revoke`] switches one leaked key off, and proves that it is dead.
//! - [`plan`] says beforehand what will be done; [`by_hand`] stands in where only a person can do it; [`signed`] tells
//!   whose word is whose.
//! - [`news`] tells people, by the routes of [`alert`](crate::alert).
//! - [`course`] tells afterwards what was done when.
//! - [`rehearsal`] runs a plan on doubles.
//! - [`double`] stands in for providers and stores, in rehearsals and tests.

pub mod audit;
pub mod by_hand;
pub mod course;
pub mod double;
pub mod engine;
pub mod inventory;
pub mod journal;
pub mod lease;
pub mod machine;
pub mod news;
pub mod plan;
pub mod policy;
pub mod provider;
pub mod rehearsal;
pub mod revoke;
pub mod roles;
pub mod schedule;
pub mod seal;
pub mod signed;
pub mod store;
pub mod time;
pub mod told;
pub mod transit;

pub use engine::{Engine, EngineError, Progress, Provider, Store};
pub use journal::{Journal, JournalError, RotationId};
pub use machine::{Frozen, Rotation, apply, next};
