//! Calls to a provider as data: the request a rule declares, what its answers mean, and the
//! judgement of a reply. Sending them is another matter; nothing here opens a connection.

mod expect;
mod request;

pub use expect::{Expect, Judgement, Recorded, Reply, StatusSet, Verify};
pub use request::{Body, Request, holes};
