//! The nouns: what a scan reads, finds and reports. Imports nothing of the crate.

mod blob;
mod coverage;
mod finding;
mod fingerprint;
mod grade;
mod kept;
mod lifecycle;
mod object;
mod place;
mod secret;
mod validity;

pub use blob::{Blob, Look, MayHold, Part, Role, Side, Sink, Window};
pub use coverage::{Coverage, Scope, SkipReason, Skipped};
pub use finding::{By, Excerpt, Finding, Note, Occurrence, Partner, RuleRef, Status, Suppression};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use grade::{Class, Confidence, Severity};
pub use kept::{Kept, Spot};
pub use lifecycle::{Lifecycle, Past};
pub use object::{CommitRef, Held, ObjectId, Origin};
pub use place::{Encoding, Location, Provenance, RawPath};
pub use secret::Secret;
pub use validity::{Access, Checks, Evidence, Grade, Level, Unchecked, Unknown, Validity};
