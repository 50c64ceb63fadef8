//! Calls to a provider as data: the request a rule declares, what its answers mean, and the
//! judgement of a reply; and the seam through which a request is sent.

mod expect;
mod judge;
mod operation;
mod prepared;
mod request;
mod template;
mod transport;

pub use expect::{Expect, Judgement, PROBES, Recorded, StatusSet, Verify};
pub use judge::Reply;
pub use operation::{Capture, Effect, Ending, Find, Next, Revoke, Right, Step, StepReply};
pub use prepared::{Prepared, RenderError};
pub use request::{Basic, Body, Filter, Piece, Request, holes, pieces};
pub use template::{Place, Values, render};
pub use transport::{CallError, Transport};
