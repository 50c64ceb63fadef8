//! Ordered filters.
use crate::model::{Confidence, Note, Severity};
use crate::rule::Kind;
use std::ops::Range;

#[derive(Debug)]
pub struct RuleFacts {
    pub has_groups: bool,
    pub alphabet: [u64; 4],
    block: bool,
    generic: bool,
}
impl RuleFacts {
    pub fn new(k: &Kind) -> Self {
        RuleFacts {
            has_groups: k.pattern.matches("(?<").count() > 1,
            alphabet: k.analysis.alphabet,
            block: k.block,
            generic: k.class == crate::model::Class::Generic,
        }
    }
}
#[derive(Clone, Copy, Debug)]
pub enum FileKind {
    Code,
}
impl FileKind {
    pub fn of(_p: &[u8], _h: &[u8]) -> Self {
        FileKind::Code
    }
}
pub struct Candidate<'a> {
    pub hay: &'a [u8],
    pub span: Range<usize>,
    pub whole: Range<usize>,
    pub rule: &'a RuleFacts,
    pub path: &'a [u8],
    pub file: FileKind,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Slice,
}
impl Reason {
    pub fn as_str(self) -> &'static str {
        "slice"
    }
    pub fn sentence(self) -> &'static str {
        "slice"
    }
}
pub enum Judged {
    Keep { confidence: Option<Confidence>, severity: Option<Severity>, notes: Vec<Note> },
    Drop(Reason),
}
pub fn judge(_c: &Candidate<'_>) -> Judged {
    Judged::Keep { confidence: None, severity: None, notes: vec![] }
}
