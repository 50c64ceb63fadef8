//! When the use of a key is not what it was.
//!
//! [`Baseline`] learns how often a key is used in each hour of the week, and how unevenly; [`Watch`] adds up hour by
//! hour how much likelier a multiple of that is than the usual (a cumulative sum of likelihood ratios), once for
//! slow abuse and once for fast. [`facts`] needs no history.

pub mod facts;
mod model;
mod watch;

pub use model::{Baseline, Hour, WEEK};
pub use watch::{Pace, Spike, Watch};
