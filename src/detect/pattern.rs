//! Patterns: compiled when first needed, searched through per-thread caches.

use crate::rule::Kind;
use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use std::ops::Range;
use std::sync::OnceLock;

/// The patterns of a rule set.
#[derive(Debug)]
pub(crate) struct Patterns {
    whole: Vec<OnceLock<Regex>>,
    /// What stands before a literal inside, to be read backwards from it.
    fronts: Vec<OnceLock<Option<DFA>>>,
}

/// One thread's working memory for searching.
#[derive(Default)]
pub(crate) struct Caches {
    whole: Vec<Option<Box<(Cache, Captures)>>>,
    fronts: Vec<Option<Box<dfa::Cache>>>,
}

impl Patterns {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        Patterns {
            whole: kinds.iter().map(|_| OnceLock::new()).collect(),
            fronts: kinds.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// The first place in `before` from which the text up to its end is what `front`, the pattern of
    /// what `kind` has before its literal, allows. Few literals have that, and the first bytes tell:
    /// a search of the whole pattern would look at all of `before`.
    pub(crate) fn starts(
        &self,
        kind: usize,
        front: &str,
        hay: &[u8],
        before: Range<usize>,
        caches: &mut Caches,
    ) -> Option<usize> {
        let Some(dfa) = self.fronts[kind].get_or_init(|| backwards(front)) else { return Some(before.start) };
        if caches.fronts.len() <= kind {
            caches.fronts.resize_with(self.fronts.len(), || None);
        }
        let cache = caches.fronts[kind].get_or_insert_with(|| Box::new(dfa.create_cache()));
        let input = Input::new(hay).range(before.clone()).anchored(Anchored::Yes);
        match dfa.try_search_rev(cache, &input) {
            Ok(found) => found.map(|half| half.offset()),
            // What cannot be told is left to the pattern.
            Err(_) => Some(before.start),
        }
    }

    /// Searches for `kind` with its start in `starts`; only at the very start of it if `anchored`.
    /// Text outside of the match counts for `\b` and its like as it stands in `hay`.
    pub(crate) fn find<'c>(
        &self,
        kinds: &[Kind],
        kind: usize,
        hay: &[u8],
        starts: Range<usize>,
        anchored: bool,
        caches: &'c mut Caches,
    ) -> Option<&'c Captures> {
        let regex = self.whole[kind].get_or_init(|| compile(&kinds[kind].pattern));
        if caches.whole.len() <= kind {
            caches.whole.resize_with(self.whole.len(), || None);
        }
        let (cache, captures) = &mut **caches.whole[kind]
            .get_or_insert_with(|| Box::new((regex.create_cache(), regex.create_captures())));
        let last = if anchored { starts.start } else { starts.end.saturating_sub(1) };
        let end = hay.len().min(last.saturating_add(kinds[kind].analysis.max_len));
        if starts.start > end {
            return None;
        }
        let mode = if anchored { Anchored::Yes } else { Anchored::No };
        let input = Input::new(hay).range(starts.start..end).anchored(mode);
        regex.search_captures_with(cache, &input, captures);
        captures.get_match().filter(|m| m.start() <= last)?;
        Some(captures)
    }

    /// The names of the groups of `kind`, in order of index.
    pub(crate) fn groups(&self, kinds: &[Kind], kind: usize) -> Vec<Option<String>> {
        let regex = self.whole[kind].get_or_init(|| compile(&kinds[kind].pattern));
        regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO)
            .map(|n| n.map(str::to_owned))
            .collect()
    }
}

/// An automaton that reads from the end; `None` if it would be too large.
fn backwards(front: &str) -> Option<DFA> {
    DFA::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false).nest_limit(64))
        .thompson(thompson::Config::new().reverse(true).utf8(false).which_captures(WhichCaptures::None))
        .configure(DFA::config().match_kind(MatchKind::All))
        .build(front)
        .ok()
}

/// Compiles a pattern that was parsed and bounded when its rule was loaded.
pub(super) fn compile(pattern: &str) -> Regex {
    Regex::builder()
        .configure(
            Config::new().utf8_empty(false).onepass_size_limit(Some(1 << 20)).nfa_size_limit(Some(32 << 20)),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false).nest_limit(64))
        .build(pattern)
        .expect("because the pattern was parsed and bounded when the rule was loaded")
}
