//! Calls to a provider as data: the request a rule declares, what its answers mean, and the
//! judgement of a reply; and the seam through which a request is sent.

mod access;
mod address;
mod endpoint;
mod expect;
mod host;
mod http;
mod judge;
mod limits;
mod operation;
mod pages;
mod prepared;
mod reach;
mod request;
mod run;
mod sign;
mod template;
mod transport;
mod xml;

pub use access::{Access, AccessCase, Grading, TOLD};
pub use address::refused;
pub use endpoint::{Endpoint, FileDigest, HostError, Hosts, Origin, declares};
pub use expect::{Expect, Judgement, PROBES, Recorded, StatusSet, Verify};
pub use host::{BadHost, Host, Pattern};
pub use http::{Http, HttpError, HttpOptions, Proxy, ProxyError};
pub use judge::Reply;
pub use limits::{Clock, Limited, Limits, SystemClock, retry_after};
pub use operation::{
    By, Capture, Effect, Ending, Find, MOST_BODY, MOST_LIST, Next, Operation, Revoke, Right, Step, StepReply,
};
pub use prepared::{Prepared, RenderError, reserved};
pub use reach::{Reach, Resolve, SystemResolver};
pub use request::{AwsSign, Basic, Body, Filter, GoogleSign, Piece, Request, Sign, holes, pieces, tree};
pub use run::{CAPTURED_HOST, Caller, Outcome, StepError, Stopped};
pub use sign::{AwsKey, GoogleKey, SignError, aws_sigv4, google_jwt};
pub use template::{Place, Values, render};
pub use transport::{CallError, Transport};
