//! Patterns: compiled when first needed, searched through per-thread caches.

use crate::rule::Kind;
use regex_automata::meta::{Cache, Config, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use std::ops::Range;
use std::sync::OnceLock;

/// The patterns of a rule set.
#[derive(Debug)]
pub(crate) struct Patterns(Vec<OnceLock<Regex>>);

/// One thread's working memory for searching.
#[derive(Default)]
pub(crate) struct Caches(Vec<Option<Box<(Cache, Captures)>>>);

impl Patterns {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        Patterns(kinds.iter().map(|_| OnceLock::new()).collect())
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
        let regex = self.0[kind].get_or_init(|| compile(&kinds[kind].pattern));
        if caches.0.len() <= kind {
            caches.0.resize_with(self.0.len(), || None);
        }
        let (cache, captures) = &mut **caches.0[kind]
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
        let regex = self.0[kind].get_or_init(|| compile(&kinds[kind].pattern));
        regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO)
            .map(|n| n.map(str::to_owned))
            .collect()
    }
}

fn compile(pattern: &str) -> Regex {
    Regex::builder()
        .configure(
            Config::new().utf8_empty(false).onepass_size_limit(Some(1 << 20)).nfa_size_limit(Some(32 << 20)),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false).nest_limit(64))
        .build(pattern)
        .expect("because the pattern was parsed and bounded when the rule was loaded")
}
