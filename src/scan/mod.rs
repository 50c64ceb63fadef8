//! A scan: sources pushed through the detector into findings, with an account of what was read.

mod baseline;
pub mod check;
mod collect;
pub mod eval;
mod excerpt;
mod fold;
mod inline;
mod join;
mod locate;
mod traces;

pub use baseline::{Allow, Baseline, BaselineError, Entry};
pub use collect::{Collector, NearMiss, Options, Outcome, Ranking, Retelling, Spread, fingerprint, keep};
pub use join::join;
