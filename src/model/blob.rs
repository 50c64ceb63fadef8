//! The unit of scanning and the seam by which sources hand it over.

use super::{Provenance, Skipped};
use std::ops::Range;
use std::sync::Arc;

/// Bytes to scan and where they came from. A large file arrives as several overlapping blobs.
#[derive(Clone)]
pub struct Blob<'a> {
    /// What to scan.
    pub bytes: &'a [u8],
    /// Where it was read from.
    pub provenance: Arc<Provenance>,
    /// What `bytes` is of the whole, when it is not all of it.
    pub part: Part,
    /// Whether [`Sink::looked`] has counted it.
    pub counted: bool,
    /// Which side of a change it is.
    pub role: Role,
}

/// Which side of a change a blob is, where a source reads changes; everything else is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Searched, and reported.
    #[default]
    New,
    /// What stood there before: a value that stands in it is not new, and nothing of it is reported.
    Old,
    /// What the change leaves alone: a value that stands in it is new where the change brings it, and
    /// told as a copy; nothing of it is reported.
    Base,
}

/// The place of a blob's bytes in a larger whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Offset of `bytes[0]` in the whole.
    pub base: u64,
    /// Bytes at the front that repeat the previous part: context only, nothing starts there.
    pub lead: usize,
    /// Bytes at the back that the next part repeats: something may end there, nothing starts there.
    pub trail: usize,
    /// Line breaks before `bytes[0]`.
    pub lines: u64,
    /// Characters between the last line break before `bytes[0]` and `bytes[0]`.
    pub column: u64,
}

impl<'a> Blob<'a> {
    /// A whole blob.
    pub fn whole(bytes: &'a [u8], provenance: Arc<Provenance>) -> Self {
        Blob { bytes, provenance, part: Part::default(), counted: false, role: Role::New }
    }
}

/// A stretch of a text that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// What is looked at.
    pub span: Range<usize>,
    /// What of it counts; the rest shows what stands around that.
    pub own: Range<usize>,
}

/// What a first look at a text gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Where something stands that may be worth reporting, under some path.
    pub hot: Vec<Range<usize>>,
    /// Where something stands that depends on more of the text than windows show: a text that holds
    /// any has to be looked at whole.
    pub far: Vec<Range<usize>>,
}

/// Where sources push what they read. Called from several threads at once.
pub trait Sink: Sync {
    /// Scans one blob; returns once its bytes may be reused.
    fn blob(&self, blob: Blob<'_>);
    /// Counts something that was not read.
    fn skipped(&self, skipped: Skipped);
    /// How far from a change anything can depend on it, for [`Sink::look`]; `None` if a sink takes no
    /// first looks and wants every blob.
    fn reach(&self) -> Option<usize> {
        None
    }
    /// Looks at windows of a text without knowing its path. Never misses what [`Sink::blob`] would
    /// report; may point at what that then leaves out.
    fn look(&self, text: &[u8], _windows: &[Window]) -> Look {
        Look { hot: std::iter::once(0..text.len()).collect(), far: Vec::new() }
    }
    /// Counts texts and bytes that were read by first looks.
    fn looked(&self, _texts: u64, _bytes: u64) {}
    /// Whether a file of this name holds something for rules that go by the path.
    fn wants_name(&self, _name: &[u8]) -> bool {
        false
    }
    /// Whether to stop early: the budget is spent or the user interrupted.
    fn stopped(&self) -> bool {
        false
    }
    /// Whether an old side can change anything: not while nothing was found that could be known
    /// from there. Sources ask once all that is new was pushed.
    fn wants_old(&self) -> bool {
        true
    }
    /// Whether it matters which values also stand in what a change leaves alone; if so, tells which texts may
    /// hold one.
    fn wants_base(&self) -> Option<MayHold<'_>> {
        None
    }
}

/// Tells whether a text may hold a value that was found.
pub type MayHold<'a> = Box<dyn Fn(&[u8]) -> bool + Sync + 'a>;

/// Gives whatever a source pushes a role, the members of its archives too. What cannot be read is not
/// counted: of an old side it could only have taken findings away.
pub struct Side<'a>(pub &'a dyn Sink, pub Role);

impl Sink for Side<'_> {
    fn blob(&self, blob: Blob<'_>) {
        self.0.blob(Blob { role: self.1, ..blob });
    }

    fn skipped(&self, _: Skipped) {}

    fn stopped(&self) -> bool {
        self.0.stopped()
    }

    fn wants_old(&self) -> bool {
        self.0.wants_old()
    }
}
