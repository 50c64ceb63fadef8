//! The transport against servers on loopback that misbehave in every way that is known: each call ends in time,
//! as an answer that was read whole or as the right error, and never with the key in what is said.

// A helper of a test fails as a test does.
#![allow(clippy::unwrap_used)]

mod faults;
mod namespace;
mod proxy;
mod server;
mod well;

/// Which tests are run once more where there is nothing but loopback: all.
const IN_NAMESPACE: &[&str] = &[];
