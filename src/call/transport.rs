//! The seam to the network: who sends a prepared request, and how that can fail.

use super::{Prepared, Reply};
use std::time::Instant;

/// Sends requests. One call of `send` is at most one request on the wire; only [`Transport::read`] may be more.
pub trait Transport: Send + Sync {
    /// Sends `request` and reads the whole answer before `deadline`.
    ///
    /// # Errors
    /// No answer, or none that may be used. A change whose answer is lost may have taken effect: see
    /// [`CallError::is_unsent`].
    fn send(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError>;

    /// Sends a request that changes nothing, so that it may be sent again if no answer comes. A transport that
    /// knows of limits does so, at most three times.
    ///
    /// # Errors
    /// As [`Transport::send`].
    fn read(&self, request: &Prepared, deadline: Instant) -> Result<Reply, CallError> {
        self.send(request, deadline)
    }

    /// As [`Transport::read`], for an answer whose body may have `most` bytes, at most [`super::MOST_LIST`]. A transport
    /// that does not know of bounds reads as always.
    ///
    /// # Errors
    /// As [`Transport::send`].
    fn read_list(&self, request: &Prepared, deadline: Instant, most: u32) -> Result<Reply, CallError> {
        let _ = most;
        self.read(request, deadline)
    }
}

/// Why there is no answer. Never holds a value of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not sent: our own rules forbid it (host, address, budget, proxy).
    #[error("not sent: {0}")]
    Refused(String),
    /// Not sent: the host has no address, or nobody there took the connection or agreed on TLS.
    #[error("not sent: {0}")]
    Unconnected(String),
    /// Not sent: the host asked for a pause, or has a rate, that ends after the deadline.
    #[error("not sent: {0}")]
    Limited(String),
    /// Sent, at least in part, and no whole answer came back.
    #[error("sent, and no whole answer came back: {0}")]
    Lost(String),
    /// An answer came that breaks a bound: too long, too many header fields, inflates too far.
    #[error("the answer was given up: {0}")]
    Unreadable(String),
}

impl CallError {
    /// Whether it is certain that nothing was sent, so that nothing can have changed.
    pub fn is_unsent(&self) -> bool {
        matches!(self, CallError::Refused(_) | CallError::Unconnected(_) | CallError::Limited(_))
    }
}
