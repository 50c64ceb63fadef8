//! Keywheel finds leaked keys, proves which are live, and turns them over without downtime.

pub mod alert;
pub mod call;
pub mod config;
pub mod detect;
pub mod migrate;
pub mod model;
pub mod probe;
pub mod report;
pub mod rotate;
pub mod rule;
pub mod scan;
pub mod source;
mod sqlite;
pub mod state;
pub mod usage;
pub mod verify;
