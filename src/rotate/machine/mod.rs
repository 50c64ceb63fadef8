//! The state machine of a rotation: two pure functions and the data between them.
//!
//! [`next`] says what is to be done, [`apply`] what an event makes of the state. Neither reads a clock, a file
//! or a network, so the engine, the rehearsal and the model checker run the same code.

mod action;
mod alert;
mod apply;
mod class;
mod event;
mod frozen;
mod halt;
mod key;
mod lost;
mod next;
mod person;
mod rotation;
mod store;
#[cfg(test)]
mod tests;

pub use action::{Action, Ask, Effect, Read, Reconcile};
pub use alert::{Alert, alerts};
pub use apply::apply;
pub use class::{Class, Look, Powers};
pub use event::{
    Does, Event, Found, Ground, Illegal, Keys, Outcome, Person, Refusal, Sees, State, Swept, Usage, Use,
};
pub(crate) use frozen::digest;
pub use frozen::{Emergency, Export, Frozen, Path, Proof, Staging, Target};
pub use halt::{Halt, InUse, Pause, Stuck, Verb};
pub use next::next;
pub use rotation::{
    Exported, Holds, Intent, Key, KeyId, Kind, Life, Phase, Place, Rotation, Snapshot, Standing, Which,
};
