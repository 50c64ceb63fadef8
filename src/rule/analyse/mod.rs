//! What every match of a pattern is guaranteed to contain, read off its syntax tree. The
//! prefilter's gates rest on these guarantees alone, so they are sound by construction.

mod run;
#[cfg(test)]
mod tests;
mod text;

use regex_syntax::hir::{Class, Hir, HirKind, Look};
use run::{Run, run};
use serde::{Deserialize, Serialize};
use text::{Required, before, leading, prefixes, required};

/// Token characters a gate by prefix waits for, counted from the start of the match.
pub const PREFIX_RUN: usize = 16;
/// Alphanumerics in a row a gate by run waits for.
pub const VALUE_RUN: usize = 16;
/// Base64 characters in a row that a gate by an opaque run waits for.
pub const OPAQUE_RUN: usize = 20;
/// Longest match and reach of its words, together, of a gate by an opaque run.
pub const OPAQUE_REACH: usize = 240;
/// Bytes without white space, quotes or brackets that a gate by word waits for.
pub const SOLID_RUN: usize = 12;
/// Farthest that a gate by run looks for its words, in bytes before and after the run.
pub const VALUE_REACH: usize = 160;
/// What stands between the scheme of a URL and the rest.
pub const SCHEME: &[u8] = b"://";
/// Most bytes of a match before its [`SCHEME`], for a gate by scheme.
pub const SCHEME_REACH: usize = 64;
/// Alphanumerics in a row that are rare enough to look at without any word near.
pub const BARE_RUN: usize = 20;
/// Bytes without white space in a row that are never cut in two.
pub const SOLID_CUT: usize = 256;
/// Shortest literal that opens a gate.
pub const LITERAL_MIN: usize = 3;

/// How the prefilter finds the places where a rule may match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gate {
    /// The match starts at the start of a word with one of these bytes, and at least
    /// [`PREFIX_RUN`] token characters stand there.
    Prefix(Vec<Vec<u8>>),
    /// The match holds [`VALUE_RUN`] alphanumerics in a row, and one of these lower-case needles
    /// stands in or near it.
    Value {
        /// Alphanumerics in a row that every match holds.
        run: usize,
        /// Whether the match starts exactly where that run starts.
        at_start: bool,
        /// Lower-case words or literals, of which one is near; none for a run of [`BARE_RUN`].
        needles: Vec<Vec<u8>>,
    },
    /// The match holds a run of base64 characters that is at least [`OPAQUE_RUN`] long and looks
    /// drawn rather than named (see `detect::prefilter::drawn`), and one of these lower-case words is near.
    Opaque {
        /// Lower-case words.
        needles: Vec<Vec<u8>>,
        /// Most bytes of the match before the run begins or after it ends; 0 if all of the match is
        /// base64 characters.
        around: usize,
    },
    /// The match starts at the start of a word with one of these lower-case literals, and at least
    /// [`SOLID_RUN`] bytes without white space, quotes or brackets stand there.
    Word(Vec<Vec<u8>>),
    /// The match begins with one of these lower-case literals.
    Start(Vec<Vec<u8>>),
    /// The match holds one of these lower-case literals, at a place that varies.
    Inside {
        /// The literals.
        literals: Vec<Vec<u8>>,
        /// Most bytes of the match before the literal.
        back: usize,
        /// The pattern of what the match has before the literal, if it can be told apart.
        front: Option<String>,
    },
    /// The match holds [`SCHEME`], before it at most [`SCHEME_REACH`] bytes, all of which a scheme may
    /// have (see `is_scheme`), and among them one of these lower-case literals.
    Scheme {
        /// The literals.
        literals: Vec<Vec<u8>>,
        /// Most bytes of the match before the literal; 0 if it starts with it.
        back: usize,
    },
    /// One of these lower-case words stands near the match.
    Near(Vec<Vec<u8>>),
    /// The match is only wanted near a match of a required partner.
    Partner,
    /// The rule is for a few paths only, and their files are searched whole.
    Path,
    /// A text rule: texts are searched whole, apart from all others (see `detect::text`).
    Text,
}

/// What is known of a pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Analysis {
    /// How to find it.
    pub gate: Gate,
    /// Longest match in bytes.
    pub max_len: usize,
    /// The bytes that the variable part of the secret may hold, as a set of 256 bits.
    pub alphabet: [u64; 4],
    /// Bytes of fixed text at the front of the secret.
    pub fixed: usize,
    /// Longest match in bytes, each run without white space counted as at most [`SOLID_CUT`]: what
    /// has to be shown of a text around a place where no such run is cut.
    pub loose_len: usize,
}

/// What the analysis needs to know of a rule besides its pattern.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Context words, lower case.
    pub words: &'a [String],
    /// How far before the match a word may begin.
    pub before: usize,
    /// How far after the match a word may end.
    pub after: usize,
    /// Whether a partner is required.
    pub partner: bool,
    /// The declared bound of a block rule.
    pub max_len: Option<usize>,
    /// Whether it is a block rule.
    pub block: bool,
    /// Whether it is for certain paths only.
    pub paths: bool,
}

/// Parses a pattern the way the engine compiles it.
///
/// # Errors
/// The parser's message, which shows the place.
pub fn parse(pattern: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(64)
        .build()
        .parse(pattern)
        .map_err(|e| e.to_string())
}

/// Analyses a pattern.
///
/// # Errors
/// A sentence with the cure: no bound, no group `secret`, nothing to anchor on.
pub fn analyse(pattern: &str, facts: Facts<'_>) -> Result<Analysis, String> {
    let hir = parse(pattern)?;
    let max_len = match (hir.properties().maximum_len(), facts.max_len) {
        (Some(n), None) => n,
        (Some(n), Some(m)) => n.min(m),
        (None, Some(m)) if facts.block => m,
        (None, _) if facts.block => return Err("a block rule needs `max_len`".to_owned()),
        (None, _) => return Err("a repetition has no upper bound; write {m,n} in place of + or *".to_owned()),
    };
    if hir.properties().minimum_len().unwrap_or(0) == 0 {
        return Err("the pattern matches nothing at all; give it a least length".to_owned());
    }
    let secret = group(&hir, "secret").ok_or("the pattern has no group (?<secret>…)")?;
    let mut alphabet = [0u64; 4];
    letters(secret, &mut alphabet, false);
    if alphabet == [0; 4] {
        letters(secret, &mut alphabet, true);
    }
    let gate = gate(&hir, facts)
        .ok_or("nothing to search for: give the pattern a fixed text of three bytes or more, or give the rule context words")?;
    Ok(Analysis { gate, max_len, alphabet, fixed: fixed(secret).0, loose_len: loose_len(&hir).min(max_len) })
}

/// See [`Analysis::loose_len`].
fn loose_len(hir: &Hir) -> usize {
    if !spaced(hir) {
        return hir.properties().maximum_len().unwrap_or(usize::MAX).min(SOLID_CUT);
    }
    match hir.kind() {
        HirKind::Repetition(r) => r.max.map_or(usize::MAX, |n| loose_len(&r.sub).saturating_mul(n as usize)),
        HirKind::Capture(c) => loose_len(&c.sub),
        HirKind::Concat(list) => list.iter().map(loose_len).fold(0, usize::saturating_add),
        HirKind::Alternation(list) => list.iter().map(loose_len).max().unwrap_or(0),
        _ => hir.properties().maximum_len().unwrap_or(usize::MAX),
    }
}

/// Whether a match can hold white space.
fn spaced(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(l) => l.0.iter().any(u8::is_ascii_whitespace),
        HirKind::Class(Class::Bytes(c)) => {
            c.iter().any(|r| (r.start()..=r.end()).any(|b| b.is_ascii_whitespace()))
        }
        // Patterns are compiled with Unicode off; a class of characters would hold anything.
        HirKind::Class(Class::Unicode(_)) => true,
        HirKind::Repetition(r) => spaced(&r.sub),
        HirKind::Capture(c) => spaced(&c.sub),
        HirKind::Concat(list) | HirKind::Alternation(list) => list.iter().any(spaced),
    }
}

fn gate(hir: &Hir, facts: Facts<'_>) -> Option<Gate> {
    let words: Vec<Vec<u8>> = facts.words.iter().map(|w| w.as_bytes().to_ascii_lowercase()).collect();
    let at_least = |n: usize, list: &[Vec<u8>]| !list.is_empty() && list.iter().all(|l| l.len() >= n);
    let prefixes = prefixes(hir);
    if let Some(list) = &prefixes
        && starts_word(hir)
        && run(hir, is_token).front() >= PREFIX_RUN
        && list.len() <= 128
        && list.iter().all(|l| l.len() >= LITERAL_MIN && is_word(l[0]))
    {
        return Some(Gate::Prefix(list.clone()));
    }
    let inner = required(hir);
    let value = run(hir, |b| b.is_ascii_alphanumeric());
    let at_start = value.front() >= VALUE_RUN && starts_word(hir);
    let length = if at_start { value.front() } else { value.best() };
    if length >= VALUE_RUN {
        let around = hir.properties().maximum_len().unwrap_or(usize::MAX).saturating_sub(length);
        let near = around.saturating_add(facts.after) <= VALUE_REACH
            && (if at_start { 0 } else { around }).saturating_add(facts.before) <= VALUE_REACH;
        let literals = |n| inner.as_ref().map(|i| &i.literals).filter(|l| at_least(n, l)).cloned();
        let needles = literals(5)
            .or_else(|| Some(words.clone()).filter(|w| at_least(2, w)))
            .or_else(|| literals(LITERAL_MIN))
            .or_else(|| (length >= BARE_RUN && words.is_empty()).then(Vec::new));
        if let Some(needles) = needles.filter(|_| near) {
            return Some(Gate::Value { run: length, at_start, needles });
        }
    }
    let mut start = None;
    if let Some(lower) = leading(hir) {
        let shortest = |l: &[Vec<u8>]| l.iter().map(Vec::len).min().unwrap_or(0);
        // A much longer text inside is much rarer: `db_password` against `define`.
        let rarer = inner
            .as_ref()
            .is_some_and(|i| i.back <= VALUE_REACH && shortest(&i.literals) >= shortest(&lower) + 3);
        let solid = starts_word(hir)
            && run(hir, is_solid).front() >= SOLID_RUN
            && lower.iter().all(|l| is_word(l[0]));
        if at_least(LITERAL_MIN, &lower) && lower.len() <= 128 && solid {
            return Some(Gate::Word(lower));
        }
        start = (at_least(LITERAL_MIN, &lower) && lower.len() <= 128 && !rarer).then_some(lower);
    }
    let mut both = [0; 4];
    letters(group(hir, "secret").unwrap_or(hir), &mut both, false);
    // Values of one case change class less often, and need more characters to look drawn.
    let cases = [both[0] >> b'0' & 0x3ff, both[1] >> 1 & 0x3ff_ffff, both[1] >> 33 & 0x3ff_ffff];
    let mixed = match cases.iter().filter(|c| **c != 0).count() {
        3 => true,
        // With signs among them they look like names.
        2 => cases[0] != 0 && run(hir, is_base64).best() >= 32 && !b"+-/_".iter().any(|b| has(&both, *b)),
        _ => false,
    };
    let around = hir.properties().maximum_len().unwrap_or(usize::MAX);
    if mixed
        && run(hir, is_base64).best() >= OPAQUE_RUN
        && around.saturating_add(facts.before.max(facts.after)) <= OPAQUE_REACH
    {
        let literals = inner.as_ref().map(|i| &i.literals).filter(|l| at_least(LITERAL_MIN, l)).cloned();
        if let Some(needles) = literals.or_else(|| Some(words.clone()).filter(|w| at_least(2, w))) {
            let around = if matches!(run(hir, is_base64), Run::All(_)) { 0 } else { around };
            return Some(Gate::Opaque { needles, around });
        }
    }
    if let Some(gate) = scheme(hir) {
        return Some(gate);
    }
    if let Some(list) = start {
        return Some(Gate::Start(list));
    }
    if facts.partner {
        return Some(Gate::Partner);
    }
    match inner {
        Some(Required { literals, back, front }) if at_least(LITERAL_MIN, &literals) => {
            Some(Gate::Inside { literals, back, front: front.map(|front| front.to_string()) })
        }
        _ if at_least(LITERAL_MIN, &words) => Some(Gate::Near(words)),
        _ => facts.paths.then_some(Gate::Path),
    }
}

/// The gate of a pattern that describes a URL by its scheme.
fn scheme(hir: &Hir) -> Option<Gate> {
    let front = before(hir, SCHEME)?;
    let mut set = [0; 4];
    letters(&front, &mut set, true);
    let fits = front.properties().maximum_len().is_some_and(|n| n <= SCHEME_REACH)
        && (0..=255u8).filter(|&b| has(&set, b)).all(is_scheme);
    let long = |list: &[Vec<u8>]| list.iter().all(|l| l.len() >= LITERAL_MIN);
    let (literals, back) = match leading(&front) {
        Some(list) if long(&list) => (list, 0),
        _ => required(&front).map(|r| (r.literals, r.back)).filter(|(list, _)| long(list))?,
    };
    (fits && !literals.is_empty()).then_some(Gate::Scheme { literals, back })
}

fn starts_word(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Look(Look::WordAscii | Look::WordStartAscii) => true,
        HirKind::Capture(c) => starts_word(&c.sub),
        HirKind::Concat(parts) => parts.first().is_some_and(starts_word),
        HirKind::Alternation(parts) => parts.iter().all(starts_word),
        _ => false,
    }
}

pub(crate) fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

pub(crate) fn is_token(b: u8) -> bool {
    is_word(b) || b == b'-'
}

pub(crate) fn is_base64(b: u8) -> bool {
    is_token(b) || b == b'+' || b == b'/'
}

/// What a URL may have before its [`SCHEME`], with such forms as `jdbc:mysql` and `git+ssh`.
pub(crate) fn is_scheme(b: u8) -> bool {
    is_word(b) || b"+-.:".contains(&b)
}

/// No white space, no control character, no quote, no bracket, no comma or semicolon, and ASCII.
pub(crate) fn is_solid(b: u8) -> bool {
    b.is_ascii_graphic() && !b"\"'`<>()[]{},;".contains(&b)
}

fn group<'a>(hir: &'a Hir, name: &str) -> Option<&'a Hir> {
    match hir.kind() {
        HirKind::Capture(c) if c.name.as_deref() == Some(name) => Some(&c.sub),
        HirKind::Capture(c) => group(&c.sub, name),
        HirKind::Repetition(rep) => group(&rep.sub, name),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(|p| group(p, name)),
        _ => None,
    }
}

/// Adds the bytes of classes (and of literals, if asked) to a set.
fn letters(hir: &Hir, set: &mut [u64; 4], literals: bool) {
    match hir.kind() {
        HirKind::Literal(l) if literals => l.0.iter().for_each(|&b| add(set, b)),
        HirKind::Class(class) => {
            if let Some(more) = bytes_of(class) {
                set.iter_mut().zip(more).for_each(|(a, b)| *a |= b);
            }
        }
        HirKind::Repetition(rep) => letters(&rep.sub, set, literals),
        HirKind::Capture(c) => letters(&c.sub, set, literals),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|p| letters(p, set, literals));
        }
        _ => {}
    }
}

/// Bytes of fixed text at the front, and whether the part is nothing else.
fn fixed(hir: &Hir) -> (usize, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, true),
        HirKind::Literal(l) => (l.0.len(), true),
        HirKind::Capture(c) => fixed(&c.sub),
        HirKind::Concat(parts) => {
            let mut sum = 0;
            for part in parts {
                let (n, whole) = fixed(part);
                sum += n;
                if !whole {
                    return (sum, false);
                }
            }
            (sum, true)
        }
        HirKind::Alternation(parts) => {
            let all: Vec<_> = parts.iter().map(fixed).collect();
            let least = all.iter().map(|f| f.0).min().unwrap_or(0);
            (least, all.iter().all(|f| f.1 && f.0 == least))
        }
        _ => (0, false),
    }
}

fn bytes_of(class: &Class) -> Option<[u64; 4]> {
    let mut set = [0; 4];
    match class {
        Class::Bytes(c) => {
            c.ranges().iter().for_each(|r| (r.start()..=r.end()).for_each(|b| add(&mut set, b)))
        }
        Class::Unicode(c) => {
            for r in c.ranges() {
                if !r.end().is_ascii() {
                    return None;
                }
                (r.start() as u8..=r.end() as u8).for_each(|b| add(&mut set, b));
            }
        }
    }
    Some(set)
}

fn add(set: &mut [u64; 4], b: u8) {
    set[usize::from(b >> 6)] |= 1 << (b & 63);
}

/// Whether a 256-bit set holds a byte.
pub fn has(set: &[u64; 4], b: u8) -> bool {
    set[usize::from(b >> 6)] >> (b & 63) & 1 == 1
}
