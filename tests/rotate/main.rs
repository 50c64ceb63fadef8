//! Rotations as a whole: engine, journal and doubles through faults, kills and rival workers, and the machine's
//! states checked exhaustively.

// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod course;
mod crash;
mod demonstration;
mod faults;
mod model;
mod provider;
mod rig;
mod rivals;
// Servers with certificates of their own, as the wire's tests have them; those use more of it.
#[path = "../wire/server.rs"]
#[allow(dead_code)]
mod server;
mod stores;
