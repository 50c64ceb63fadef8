//! Doubles of a provider, a store and a clock, for rehearsals and tests: stateful, with faults by seed, in memory
//! or in a file that outlives a killed process. Their keys are made up and work nowhere.

mod cell;
mod clock;
mod faults;
mod provider;
mod store;
#[cfg(test)]
mod tests;

pub use cell::{Cell, CellError};
pub use clock::ManualClock;
pub use faults::{Fault, Faults};
pub use provider::{Habits, Keys, ProviderDouble};
pub use store::{Manner, Shelf, StoreDouble};
