//! Text rules: a text is searched whole for each rule of which a keyword stands in it, match after
//! match, the leftmost first, and what is found is judged by the rule's own words alone.
//!
//! What the places, the secret and the entropy of a match are is what Gitleaks takes for them, so
//! that a rule that was written for it finds the same; `docs/migrate.md` tells where it does not.

mod allow;

use super::engine::{Found, Why};
use super::filter::Reason;
use crate::model::Secret;
use crate::rule::{Kind, RuleSet};
use aho_corasick::AhoCorasick;
use allow::{Allow, Subject};
use regex_automata::meta::Regex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

/// The text rules of a rule set.
#[derive(Debug, Default)]
pub(super) struct Texts {
    rules: Vec<TextRule>,
    /// Every keyword once, and for each the rules that it opens, as places in `rules`.
    keywords: OnceLock<AhoCorasick>,
    words: Vec<String>,
    opens: Vec<Vec<usize>>,
    allowed: Vec<OnceLock<Allow>>,
}

#[derive(Debug)]
struct TextRule {
    kind: usize,
    pattern: OnceLock<Regex>,
    path: OnceLock<Option<Regex>>,
}

/// A text and where it stands.
pub(super) struct Page<'a> {
    pub(super) hay: &'a [u8],
    pub(super) path: &'a [u8],
    /// Whether it is the text of the file itself and no layer of it.
    pub(super) outermost: bool,
}

impl Texts {
    pub(super) fn new(rules: &RuleSet) -> Self {
        let mut out =
            Texts { allowed: rules.allowed().iter().map(|_| OnceLock::new()).collect(), ..Texts::default() };
        let mut at: HashMap<&str, usize> = HashMap::new();
        for (kind, text) in rules.kinds().iter().enumerate().filter_map(|(i, k)| Some((i, k.text.as_ref()?)))
        {
            for word in &text.keywords {
                let n = *at.entry(word).or_insert_with(|| {
                    out.words.push(word.clone());
                    out.opens.push(Vec::new());
                    out.words.len() - 1
                });
                out.opens[n].push(out.rules.len());
            }
            out.rules.push(TextRule { kind, pattern: OnceLock::new(), path: OnceLock::new() });
        }
        out
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What stands in a text, by rule and place; `dropped` is told what was not believed.
    pub(super) fn search(
        &self,
        rules: &RuleSet,
        page: &Page<'_>,
        stop: &dyn Fn() -> bool,
        dropped: &mut dyn FnMut(usize, Range<usize>, Why),
    ) -> Vec<Found> {
        let mut found = Vec::new();
        if self.rules.is_empty() || page.hay.is_empty() {
            return found;
        }
        let path = String::from_utf8_lossy(page.path);
        let open = self.open(rules, page.hay);
        for (rule, _) in self.rules.iter().zip(open).filter(|(_, open)| *open) {
            if stop() {
                break;
            }
            let kind = &rules.kinds()[rule.kind];
            if !self.wants(rules, rule, kind, &path) {
                continue;
            }
            if kind.pattern.is_empty() {
                found.extend(page.outermost.then(|| whole_file(rule.kind, kind, page.hay)));
                continue;
            }
            let regex = rule.pattern.get_or_init(|| compile(&kind.pattern));
            for place in regex.find_iter(page.hay).map(|m| m.range()) {
                let hit = Hit::new(regex, page.hay, place);
                if hit.whole.is_empty() {
                    continue;
                }
                // A search for all matches may take time in the square of the text.
                if stop() {
                    break;
                }
                match self.judge(rules, kind, &hit, page.hay, &path) {
                    Some(why) => dropped(rule.kind, hit.secret, why),
                    None => {
                        found.push(one(rule.kind, kind, &page.hay[hit.secret.clone()], hit.span(page.hay)))
                    }
                }
            }
        }
        found
    }

    /// Which rules a text may hold something for.
    fn open(&self, rules: &RuleSet, text: &[u8]) -> Vec<bool> {
        let has_words =
            |r: &TextRule| rules.kinds()[r.kind].text.as_ref().is_some_and(|t| !t.keywords.is_empty());
        let mut open: Vec<bool> = self.rules.iter().map(|r| !has_words(r)).collect();
        let automaton = self.keywords.get_or_init(|| {
            let built = AhoCorasick::builder().ascii_case_insensitive(true).build(&self.words);
            built.expect("because the keywords are few and short")
        });
        let lower = (!text.is_ascii()).then(|| String::from_utf8_lossy(text).to_lowercase());
        let mut seen = vec![false; self.words.len()];
        for hit in automaton.find_overlapping_iter(lower.as_ref().map_or(text, |l| l.as_bytes())) {
            let word = hit.pattern().as_usize();
            if !std::mem::replace(&mut seen[word], true) {
                self.opens[word].iter().for_each(|&rule| open[rule] = true);
            }
        }
        open
    }

    /// Whether a rule is for the file at `path`.
    fn wants(&self, rules: &RuleSet, rule: &TextRule, kind: &Kind, path: &str) -> bool {
        let wanted = rule.path.get_or_init(|| kind.text.as_ref()?.path.as_deref().map(compile));
        wanted.as_ref().is_none_or(|p| p.is_match(path))
            && !self.lists(rules, kind).any(|l| l.leaves_out(path))
    }

    fn lists<'a>(&'a self, rules: &'a RuleSet, kind: &'a Kind) -> impl Iterator<Item = &'a Allow> {
        let places = kind.text.iter().flat_map(|t| &t.allowed).map(|&at| at as usize);
        places.map(|at| self.allowed[at].get_or_init(|| Allow::new(&rules.allowed()[at])))
    }

    fn judge(&self, rules: &RuleSet, kind: &Kind, hit: &Hit, text: &[u8], path: &str) -> Option<Why> {
        // An empty group is as random as nothing, even where the whole match is reported for it.
        let weighed = if hit.hollow { &[] } else { &text[hit.secret.clone()] };
        if kind.entropy.is_some_and(|least| least != 0.0 && entropy(weighed) <= least) {
            return Some(Why::Filter(Reason::Entropy));
        }
        let line = &text[hit.lines(text)];
        let subject = Subject { secret: weighed, whole: &text[hit.whole.clone()], line };
        let allowed = self.lists(rules, kind).any(|list| list.allows(&subject, path));
        allowed.then_some(Why::Filter(Reason::Allowed))
    }
}

/// A match in a text.
struct Hit {
    /// Where the pattern began to match.
    start: usize,
    /// All that it matched, without line breaks at its ends.
    whole: Range<usize>,
    secret: Range<usize>,
    /// Whether the group that is the secret holds nothing.
    hollow: bool,
}

impl Hit {
    fn new(regex: &Regex, text: &[u8], place: Range<usize>) -> Self {
        let matched = &text[place.clone()];
        let other = |b: &u8| *b != b'\n';
        let from = place.start + matched.iter().position(other).unwrap_or(0);
        let whole = from..place.start + matched.iter().rposition(other).map_or(from - place.start, |n| n + 1);
        // The groups are those of a match in what was matched, by itself.
        let alone = &text[whole.clone()];
        let mut groups = regex.create_captures();
        regex.captures(alone, &mut groups);
        let named = groups.pattern().is_some()
            && regex.group_info().to_index(regex_automata::PatternID::ZERO, "secret").is_some();
        let group = if named {
            groups.get_group_by_name("secret").map(|g| g.range()).or(Some(0..0))
        } else {
            (1..groups.group_len())
                .filter_map(|n| groups.get_group(n))
                .map(|g| g.range())
                .find(|g| !g.is_empty())
        };
        let hollow = named && group.as_ref().is_some_and(Range::is_empty);
        let secret = match group {
            Some(g) if !g.is_empty() => from + g.start..from + g.end,
            _ => whole.clone(),
        };
        Hit { start: place.start, whole, secret, hollow }
    }

    /// Where the finding stands: at the secret, or, if the match begins on an earlier line, from there.
    fn span(&self, text: &[u8]) -> Range<usize> {
        // A line break at the start of a match belongs to the line that it opens.
        let start = self.start + usize::from(text[self.start] == b'\n');
        let start = start.min(self.secret.start);
        let lines = memchr::memchr(b'\n', &text[start..self.secret.start]);
        if lines.is_some() { start..self.secret.end } else { self.secret.clone() }
    }

    /// The lines of the match: from the line break before it to the one after it. If only the last line
    /// has none, a match of several lines ends it, and so does a carriage return.
    fn lines(&self, bytes: &[u8]) -> Range<usize> {
        let end = self.start + self.whole.len();
        let from = memchr::memrchr(b'\n', &bytes[..=self.start]).unwrap_or(0);
        let after = memchr::memchr(b'\n', &bytes[end..]).map(|n| end + n);
        let to = match after {
            Some(to) => to,
            None if memchr::memchr(b'\n', &bytes[self.start + 1..]).is_some() => end,
            None if from == 0 => bytes.len(),
            None => memchr::memchr(b'\r', &bytes[end..]).map_or(bytes.len(), |n| end + n),
        };
        from..to.max(self.whole.end)
    }
}

fn one(at: usize, kind: &Kind, secret: &[u8], span: Range<usize>) -> Found {
    Found {
        kind: at,
        secret: Secret::new(secret),
        span,
        via: Vec::new(),
        confidence: kind.confidence,
        severity: kind.severity,
        notes: Vec::new(),
        parts: Vec::new(),
        also: Vec::new(),
        score: None,
    }
}

/// A file that is the finding, known by its digest: what it holds may be of any size.
fn whole_file(at: usize, kind: &Kind, hay: &[u8]) -> Found {
    let digest: String = Sha256::digest(hay).iter().map(|b| format!("{b:02x}")).collect();
    one(at, kind, format!("sha256:{digest}").as_bytes(), 0..hay.len())
}

/// Bits a character, where a character of several bytes counts as one of as many: how Gitleaks and the
/// thresholds that were written for it count.
fn entropy(text: &[u8]) -> f64 {
    let mut counts: HashMap<char, usize> = HashMap::new();
    for chunk in text.utf8_chunks() {
        let wrong = chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(wrong).for_each(|c| *counts.entry(c).or_default() += 1);
    }
    // In a fixed order, so that the last digit is the same on every run.
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable();
    let part = |n: &usize| *n as f64 / text.len() as f64;
    -counts.iter().map(part).map(|p| p * p.log2()).sum::<f64>()
}

fn compile(pattern: &str) -> Regex {
    super::pattern::compile(pattern)
}

#[cfg(test)]
mod tests;
