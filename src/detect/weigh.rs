//! Every ranked candidate of a text with what was measured of it, kept or not: for the scoring of
//! labelled folders, and for the training of the model.

use super::engine::{Detector, Workspace};
use super::filter::{self, Candidate, FileKind, Judged, Reason};
use super::rank::{Features, Place, Score};
use crate::rule::analyse::Gate;
use std::ops::Range;

/// A ranked candidate.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// Index of the rule.
    pub kind: usize,
    /// Where.
    pub span: Range<usize>,
    /// What was measured.
    pub features: Features,
    /// What that comes to.
    pub score: Score,
    /// Why it is dropped, if it is.
    pub dropped: Option<Reason>,
}

impl Detector {
    /// The ranked candidates of `hay` itself, sorted by place. What a filter drops that the ranking
    /// may not overrule is left out, and so is all in encoded layers.
    pub fn weigh(&self, hay: &[u8], path: &[u8], work: &mut Workspace) -> Vec<Weighed> {
        let kinds = self.rules.kinds();
        let whole: Vec<usize> = (0..kinds.len()).filter(|&k| kinds[k].analysis.gate == Gate::Path).collect();
        let (raws, _) = self.gatherer.gather(kinds, hay, false, &whole, &mut work.scratch);
        let (file, place) = (FileKind::of(path, hay), Place::of(path));
        let weighed = |raw: super::Raw| {
            let rule = &self.facts[raw.kind];
            let span = raw.secret.clone();
            let c = Candidate { hay, span, whole: raw.whole, rule, path, file, place: Some(place) };
            let (judged, features) = rule.ranked.then(|| filter::weigh(&c))?;
            let features = features?;
            let dropped = match judged {
                Judged::Drop(reason) => Some(reason),
                Judged::Keep { .. } => None,
            };
            let score = super::rank::score(&features, true);
            Some(Weighed { kind: raw.kind, span: raw.secret, features, score, dropped })
        };
        let mut list: Vec<Weighed> = raws.into_iter().filter_map(weighed).collect();
        list.sort_by_key(|w| (w.span.start, w.span.end, w.kind));
        list
    }
}
