//! The detector proper: raw matches of a buffer and of every layer under it, filtered, joined with
//! their partners, and reduced to one finding a place.

use super::decode::{self, View};
use super::filter::{self, Candidate, FileKind, Judged, Reason, RuleFacts};
use super::gather::{Gatherer, Raw, Scratch};
use super::look::Lookout;
use super::merge;
use super::paths::PathRules;
use super::rank::{Feature, Place, Score, explain};
use super::text::{Page, Texts};
use crate::model::{Class, Confidence, Encoding, Note, Secret, Severity};
use crate::rule::RuleSet;
use crate::rule::analyse::Gate;
use std::ops::Range;
use std::sync::Arc;

/// Layers of encoding that are undone inside each other.
pub const DEPTH: usize = 3;

/// One secret at one place of a buffer.
#[derive(Clone, Debug)]
pub struct Found {
    /// Index of the rule.
    pub kind: usize,
    /// The secret as decoded.
    pub secret: Secret,
    /// Where it stands, as encoded, in the scanned buffer.
    pub span: Range<usize>,
    /// Layers undone, outermost first.
    pub via: Vec<Encoding>,
    /// How sure, after the filters.
    pub confidence: Confidence,
    /// How bad, after the filters.
    pub severity: Severity,
    /// What the filters learned.
    pub notes: Vec<Note>,
    /// Named parts: groups of the pattern and partners, nearest first.
    pub parts: Vec<Part>,
    /// Other rules that saw the same value.
    pub also: Vec<usize>,
    /// Its score, if it was ranked.
    pub score: Option<Score>,
}

/// A named part of a credential besides its secret.
#[derive(Clone, Debug)]
pub struct Part {
    /// The name under which calls use it.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// Where it stands, as encoded, in the scanned buffer.
    pub span: Range<usize>,
}

/// A candidate that was dropped.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// Index of the rule.
    pub kind: usize,
    /// Where, in the scanned buffer.
    pub span: Range<usize>,
    /// Layers undone.
    pub via: Vec<Encoding>,
    /// Why.
    pub why: Why,
}

/// A candidate that was ranked, and what decided.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Index of the rule.
    pub kind: usize,
    /// Where, in the scanned buffer.
    pub span: Range<usize>,
    /// Layers undone.
    pub via: Vec<Encoding>,
    /// Its score.
    pub score: Score,
    /// The weightiest features, with their points.
    pub why: Vec<(Feature, i32)>,
}

/// Why a candidate is not a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A filter dropped it.
    Filter(Reason),
    /// A required partner is not near.
    NoPartner,
    /// Another rule names the same value better.
    Merged(usize),
}

/// Searches buffers with one rule set. Shared between threads; each brings its own [`Workspace`].
#[derive(Debug)]
pub struct Detector {
    pub(super) rules: Arc<RuleSet>,
    pub(super) gatherer: Gatherer,
    pub(super) facts: Vec<RuleFacts>,
    pub(super) lookout: Lookout,
    partners: Vec<Vec<usize>>,
    paths: PathRules,
    texts: Texts,
    ranking: bool,
}

/// A thread's working memory, and the record of what was dropped if that is wanted.
#[derive(Default)]
pub struct Workspace {
    pub(super) scratch: Scratch,
    /// Filled if it is `Some`.
    pub dropped: Option<Vec<Dropped>>,
    /// What was ranked and kept; filled if `dropped` is.
    pub ranked: Vec<Ranked>,
    /// What text rules found, in all layers.
    texts: Vec<Found>,
    /// Set if the last search was stopped before its end.
    pub cut: bool,
}

/// Candidates judged between two looks at whether to stop.
const PACE: usize = 256;

impl Workspace {
    /// Whether to do no more, now or since an earlier look.
    fn stopped(&mut self, stop: &dyn Fn() -> bool) -> bool {
        self.cut = self.cut || stop();
        self.cut
    }
}

struct Layer<'a> {
    hay: &'a [u8],
    path: &'a [u8],
    /// The kinds for certain paths that are for this one.
    fitting: &'a [usize],
    file: FileKind,
    place: Place,
    depth: usize,
    stop: &'a dyn Fn() -> bool,
}

impl Detector {
    /// Prepares the rules for searching. Patterns are compiled when first needed.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        Detector::with_ranking(rules, true)
    }

    /// Like [`new`](Self::new), and says whether unnamed secrets are ranked. Without ranking their
    /// confidence is what the rule says, and the filters drop all that looks like something else.
    pub fn with_ranking(rules: Arc<RuleSet>, ranking: bool) -> Self {
        let facts = rules.kinds().iter().map(|k| RuleFacts::new(k, ranking)).collect();
        let partners = rules
            .kinds()
            .iter()
            .map(|k| k.with.iter().map(|w| rules.position(&w.rule).unwrap_or(usize::MAX)).collect())
            .collect();
        let lookout = Lookout::new(&rules);
        let far = (0..rules.kinds().len()).map(|k| lookout.is_far(k)).collect();
        Detector {
            gatherer: Gatherer::new(&rules, far),
            facts,
            lookout,
            partners,
            paths: PathRules::new(rules.kinds()),
            texts: Texts::new(&rules),
            ranking,
            rules,
        }
    }

    /// The rules it searches with.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Whether unnamed secrets are ranked.
    pub fn ranks(&self) -> bool {
        self.ranking
    }

    /// Whether what it finds may depend on more of a text than windows show, wherever it stands: text
    /// rules search whole texts.
    pub fn needs_whole_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    /// Whether a file of this name may hold something for rules that search certain files whole.
    pub fn wants_name(&self, name: &[u8]) -> bool {
        self.paths.names(self.rules.kinds(), name)
    }

    /// Every secret in `hay`, sorted by place. `path` tells the kind of file.
    pub fn scan(&self, hay: &[u8], path: &[u8], work: &mut Workspace) -> Vec<Found> {
        self.scan_until(hay, path, &|| false, work)
    }

    /// Like [`scan`](Self::scan), but ends early once `stop` says so, which is asked between layers and
    /// between candidates; [`Workspace::cut`] tells whether it did. What was found by then is given.
    pub fn scan_until(
        &self,
        hay: &[u8],
        path: &[u8],
        stop: &dyn Fn() -> bool,
        work: &mut Workspace,
    ) -> Vec<Found> {
        work.cut = false;
        work.ranked.clear();
        work.texts.clear();
        let fitting = self.paths.fitting(path);
        let file = FileKind::of(path, hay);
        let layer = Layer { hay, path, fitting: &fitting, file, place: Place::of(path), depth: 0, stop };
        let mut found = self.layer(&layer, work);
        if !self.texts.is_empty() {
            let texts = std::mem::take(&mut work.texts);
            merge::texts(&self.rules, &mut found, texts, work.dropped.as_mut());
        }
        found.sort_by_key(|f| (f.span.start, f.span.end, f.kind));
        found
    }

    /// Every raw match in `hay` itself, before filters: what a search of the whole buffer with each
    /// pattern must give too.
    pub fn raw(&self, hay: &[u8], work: &mut Workspace) -> Vec<Raw> {
        self.gatherer.gather(self.rules.kinds(), hay, false, &[], &mut work.scratch).0
    }

    fn layer(&self, layer: &Layer<'_>, work: &mut Workspace) -> Vec<Found> {
        let kinds = self.rules.kinds();
        let decode = layer.depth < DEPTH;
        let whole: Vec<usize> =
            layer.fitting.iter().copied().filter(|&k| kinds[k].analysis.gate == Gate::Path).collect();
        let (raws, views) = self.gatherer.gather(kinds, layer.hay, decode, &whole, &mut work.scratch);
        let here = |raw: &&Raw| kinds[raw.kind].paths.is_empty() || layer.fitting.contains(&raw.kind);
        let mut kept: Vec<Found> = Vec::new();
        for some in raws.chunks(PACE) {
            if work.stopped(layer.stop) {
                break;
            }
            kept.extend(some.iter().filter(here).filter_map(|raw| self.judge(layer, raw, work)));
        }
        self.join_partners(layer, &mut kept, work);
        if !self.texts.is_empty() {
            self.texts(layer, work);
        }
        let mut found = merge::same_place(&self.rules, kept, work.dropped.as_mut());
        let wide = if layer.depth == 0 { decode::utf16(layer.hay) } else { None };
        let mut below = Vec::new();
        for view in views.into_iter().chain(wide) {
            if work.stopped(layer.stop) {
                break;
            }
            below.append(&mut self.below(layer, &view, work));
        }
        merge::layers(&self.rules, &mut found, below);
        found
    }

    /// What text rules find in a layer.
    fn texts(&self, layer: &Layer<'_>, work: &mut Workspace) {
        let page = Page { hay: layer.hay, path: layer.path, outermost: layer.depth == 0 };
        let mut dropped = work.dropped.take();
        let mut tell = |kind, span, why| {
            if let Some(list) = &mut dropped {
                list.push(Dropped { kind, span, via: Vec::new(), why });
            }
        };
        let mut found = self.texts.search(&self.rules, &page, layer.stop, &mut tell);
        work.dropped = dropped;
        work.stopped(layer.stop);
        self.join_partners(layer, &mut found, work);
        merge::unnamed(&self.rules, layer.hay, &mut found, work.dropped.as_mut());
        work.texts.append(&mut found);
    }

    /// What stands in a decoded view, with its places mapped back.
    fn below(&self, layer: &Layer<'_>, view: &View, work: &mut Workspace) -> Vec<Found> {
        let inner = Layer { hay: &view.bytes, depth: layer.depth + 1, ..*layer };
        let known = (work.dropped.as_ref().map_or(0, Vec::len), work.ranked.len());
        let texts = work.texts.len();
        let mut found = self.layer(&inner, work);
        let outward = |span: &mut Range<usize>, via: Option<&mut Vec<Encoding>>| {
            *span = view.outer_of(span.clone());
            if let Some(via) = via {
                via.splice(0..0, view.via.iter().copied());
            }
        };
        for f in found.iter_mut().chain(&mut work.texts[texts..]) {
            outward(&mut f.span, Some(&mut f.via));
            f.parts.iter_mut().for_each(|p| outward(&mut p.span, None));
        }
        for d in work.dropped.iter_mut().flat_map(|list| &mut list[known.0..]) {
            outward(&mut d.span, Some(&mut d.via));
        }
        for r in &mut work.ranked[known.1..] {
            outward(&mut r.span, Some(&mut r.via));
        }
        found
    }

    fn judge(&self, layer: &Layer<'_>, raw: &Raw, work: &mut Workspace) -> Option<Found> {
        let kind = &self.rules.kinds()[raw.kind];
        let candidate = Candidate {
            hay: layer.hay,
            span: raw.secret.clone(),
            whole: raw.whole.clone(),
            rule: &self.facts[raw.kind],
            path: layer.path,
            file: layer.file,
            place: Some(layer.place),
        };
        let (judged, features) = filter::weigh(&candidate);
        if let (Some(features), Judged::Keep { score: Some(score), .. }, Some(_)) =
            (&features, &judged, &work.dropped)
        {
            let (kind, span, why) = (raw.kind, raw.secret.clone(), explain(features));
            work.ranked.push(Ranked { kind, span, via: Vec::new(), score: *score, why });
        }
        match judged {
            Judged::Keep { confidence, severity, notes, score } => Some(Found {
                kind: raw.kind,
                secret: Secret::new(&layer.hay[raw.secret.clone()]),
                span: raw.secret.clone(),
                via: Vec::new(),
                confidence: match (score, confidence) {
                    (Some(_), Some(rated)) => rated,
                    (_, most) => most.unwrap_or(kind.confidence).min(kind.confidence),
                },
                severity: severity.unwrap_or(kind.severity),
                notes,
                parts: self.groups(layer, raw, work),
                also: Vec::new(),
                score,
            }),
            Judged::Drop(reason) => {
                drop_to(work, raw.kind, &raw.secret, Why::Filter(reason));
                None
            }
        }
    }

    /// The pattern's named groups besides `secret`.
    fn groups(&self, layer: &Layer<'_>, raw: &Raw, work: &mut Workspace) -> Vec<Part> {
        if !self.facts[raw.kind].has_groups {
            return Vec::new();
        }
        let kinds = self.rules.kinds();
        let names = self.gatherer.patterns.groups(kinds, raw.kind);
        let at = raw.whole.start;
        let caches = &mut work.scratch.caches;
        let Some(found) = self.gatherer.patterns.find(kinds, raw.kind, layer.hay, at..at + 1, true, caches)
        else {
            return Vec::new();
        };
        let part = |(i, name): (usize, &Option<String>)| {
            let name = name.as_ref().filter(|n| *n != "secret")?;
            let span = found.get_group(i)?.range();
            Some(Part { name: name.clone(), value: Secret::new(&layer.hay[span.clone()]), span })
        };
        names.iter().enumerate().filter_map(part).collect()
    }

    fn join_partners(&self, layer: &Layer<'_>, kept: &mut Vec<Found>, work: &mut Workspace) {
        let kinds = self.rules.kinds();
        if !kept.iter().any(|f| !kinds[f.kind].with.is_empty()) {
            return;
        }
        let places: Vec<(usize, Range<usize>)> = kept.iter().map(|f| (f.kind, f.span.clone())).collect();
        let hay = layer.hay;
        kept.retain_mut(|f| {
            for (with, &partner) in kinds[f.kind].with.iter().zip(&self.partners[f.kind]) {
                let mut near: Vec<(usize, &Range<usize>)> = places
                    .iter()
                    .filter(|(kind, span)| *kind == partner && *span != f.span)
                    .map(|(_, span)| (between(&f.span, span).len(), span))
                    .filter(|(distance, _)| *distance <= with.bytes)
                    .filter(|(_, span)| {
                        memchr::memchr_iter(b'\n', &hay[between(&f.span, span)]).count() as u64 <= with.lines
                    })
                    .collect();
                near.sort_by_key(|(distance, span)| (*distance, span.start));
                near.dedup_by(|a, b| hay[a.1.clone()] == hay[b.1.clone()]);
                if near.is_empty() && with.required {
                    drop_to(work, f.kind, &f.span, Why::NoPartner);
                    return false;
                }
                f.parts.extend(near.into_iter().take(4).map(|(_, span)| Part {
                    name: with.name.clone(),
                    value: Secret::new(&hay[span.clone()]),
                    span: span.clone(),
                }));
            }
            true
        });
    }
}

/// Whether a finding of this class is reported by itself.
pub fn is_reported(class: Class) -> bool {
    class != Class::Identifier
}

/// The bytes between two spans; empty if they touch or overlap.
fn between(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    let (first, second) = if a.start <= b.start { (a, b) } else { (b, a) };
    first.end..second.start.max(first.end)
}

fn drop_to(work: &mut Workspace, kind: usize, span: &Range<usize>, why: Why) {
    if let Some(list) = &mut work.dropped {
        list.push(Dropped { kind, span: span.clone(), via: Vec::new(), why });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_stop_cuts_a_search_off_between_its_layers() {
        let detector = Detector::new(Arc::new(RuleSet::embedded()));
        let mut work = Workspace::default();
        // Each word holds a text, and each text asks once more whether to go on.
        let hay = "JTQxIGEgdGV4dCBvZiBlbm91Z2ggd29yZHM=\n".repeat(50);
        let asked = Cell::new(0);
        let mut run = |after: usize| {
            asked.set(0);
            let stop = || {
                asked.set(asked.get() + 1);
                asked.get() > after
            };
            detector.scan_until(hay.as_bytes(), b"a.txt", &stop, &mut work);
            (asked.get(), work.cut)
        };
        let (all, cut) = run(usize::MAX);
        assert!(all >= 50 && !cut, "{all}");
        assert_eq!(run(10), (11, true));
        assert_eq!(run(usize::MAX), (all, false));
    }
}
