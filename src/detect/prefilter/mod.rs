//! One pass over the bytes that finds every place worth a closer look.
//!
//! The pass is value first: a key is a long run of token characters, and such runs are rare. A rule
//! whose pattern guarantees a prefix at the start of a word and a run behind it is looked up by its
//! first bytes, only there. A rule that guarantees a run of alphanumerics is looked at only where one
//! stands and one of its words is near. A rule for URLs of certain schemes is looked up before each
//! `://`. Only rules that guarantee none of these have their literals searched for everywhere.

mod drawn;
mod lanes;
mod literals;
mod needles;

use crate::rule::Kind;
use crate::rule::analyse::{
    Gate, OPAQUE_RUN, PREFIX_RUN, SCHEME, SCHEME_REACH, SOLID_RUN, VALUE_RUN, is_base64, is_scheme, is_token,
};
use drawn::Pair;
pub(crate) use drawn::drawn_near;
use lanes::{Masks, NEED};
use literals::{Heads, Keyed, Windows, folded, key};
pub(crate) use needles::Needles;
use std::collections::BTreeMap;

/// Shortest run that is tried as base64 or hexadecimal.
pub(crate) const DECODE_RUN: usize = 24;

/// A literal that is searched for, and what it leads to.
#[derive(Clone, Debug)]
struct Literal {
    text: Vec<u8>,
    /// Where in the text the window stands.
    window: usize,
    leads: Vec<Leads>,
}

/// Literals by text, and what each leads to.
type Found = BTreeMap<Vec<u8>, Vec<Leads>>;

#[derive(Clone, Copy, Debug)]
enum Leads {
    /// A match of this kind starts with it.
    Start(u32),
    /// A match of this kind is around it.
    Near(u32),
    /// It is [`SCHEME`], and the schemes are looked up before it.
    Scheme,
}

/// The gates of a rule set, laid out for the pass.
#[derive(Clone, Debug)]
pub(crate) struct Prefilter {
    windows: Windows,
    /// Of the windows of literals.
    window_heads: Heads,
    literals: Keyed<Literal>,
    /// Of prefixes and of words.
    heads: Heads,
    prefixes: Keyed<(Vec<u8>, u32)>,
    words: Keyed<(Vec<u8>, u32)>,
    scheme_heads: Heads,
    schemes: Keyed<Literal>,
}

/// Receives the places, in ascending order of block; within a block by sort of place.
pub(crate) trait Visit {
    /// `kind` may match with its start at `at`.
    fn start(&mut self, kind: usize, at: usize);
    /// A literal or word of `kind` stands at `at..end`; the match is around it.
    fn near(&mut self, kind: usize, at: usize, end: usize);
    /// A maximal run of alphanumerics of at least [`VALUE_RUN`] begins at `at`.
    fn value(&mut self, at: usize);
    /// A maximal run of `len` base64 characters, at least [`OPAQUE_RUN`], begins at `at` and looks drawn.
    fn opaque(&mut self, at: usize, len: usize);
    /// A maximal run of base64 characters of at least [`DECODE_RUN`] begins at `at`.
    fn run(&mut self, at: usize);
    /// A quote, `%`, `&` or a backslash stands at `at`, and behind it what a decoder waits for.
    fn sign(&mut self, at: usize);
}

impl Prefilter {
    /// Lays out the gates of `kinds`.
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let (mut literals, mut schemes) = (Found::new(), Found::new());
        let mut prefixes = Vec::new();
        let mut words = Vec::new();
        let put = |to: &mut Found, list: &[Vec<u8>], leads| {
            list.iter().for_each(|text| to.entry(text.clone()).or_default().push(leads));
        };
        for (i, kind) in kinds.iter().enumerate() {
            let i = i as u32;
            match &kind.analysis.gate {
                Gate::Prefix(list) => prefixes.extend(list.iter().map(|p| (key(p), (p.clone(), i)))),
                Gate::Word(list) => words.extend(list.iter().map(|w| (folded(w), (w.clone(), i)))),
                Gate::Start(list) => put(&mut literals, list, Leads::Start(i)),
                Gate::Inside { literals: list, .. } | Gate::Near(list) => {
                    put(&mut literals, list, Leads::Near(i));
                }
                Gate::Scheme { literals: list, back: 0 } => put(&mut schemes, list, Leads::Start(i)),
                Gate::Scheme { literals: list, .. } => put(&mut schemes, list, Leads::Near(i)),
                Gate::Value { .. } | Gate::Opaque { .. } | Gate::Partner | Gate::Path | Gate::Text => {}
            }
        }
        if !schemes.is_empty() {
            put(&mut literals, &[SCHEME.to_vec()], Leads::Scheme);
        }
        let offsets = literals::choose(&literals.keys().map(Vec::as_slice).collect::<Vec<_>>());
        let literal = |((text, leads), window): ((Vec<u8>, _), _)| Literal { text, window, leads };
        let literals: Vec<_> = literals.into_iter().zip(offsets).map(literal).collect();
        let schemes: Vec<_> = schemes.into_iter().map(|found| literal((found, 0))).collect();
        let wanted: Vec<_> = literals.iter().map(|l| literals::window(&l.text, l.window)).collect();
        Prefilter {
            windows: Windows::new(&wanted),
            window_heads: Heads::new(literals.iter().map(|l| &l.text[l.window..])),
            heads: Heads::new(prefixes.iter().chain(&words).map(|(_, (text, _))| text.as_slice())),
            scheme_heads: Heads::new(schemes.iter().map(|l| l.text.as_slice())),
            literals: Keyed::new(literals.into_iter().map(|l| (folded(&l.text[l.window..]), l)).collect()),
            prefixes: Keyed::new(prefixes),
            words: Keyed::new(words),
            schemes: Keyed::new(schemes.into_iter().map(|l| (folded(&l.text), l)).collect()),
        }
    }

    /// Runs the pass over `hay`.
    pub(crate) fn sweep(&self, hay: &[u8], to: &mut impl Visit) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was just detected; the blocks are of the length `avx2` asks for.
            return unsafe { self.sweep_avx2(hay, to) };
        }
        self.blocks(hay, to, |block| lanes::scalar(block, &self.windows));
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    unsafe fn sweep_avx2(&self, hay: &[u8], to: &mut impl Visit) {
        // SAFETY: see `sweep`.
        self.blocks(hay, to, |block| unsafe { lanes::avx2(block, &self.windows) });
    }

    #[inline(always)]
    fn blocks<V: Visit>(&self, hay: &[u8], to: &mut V, masks: impl Fn(&[u8]) -> Masks) {
        // What stands behind the last whole block, and nothing behind that.
        let whole = if hay.len() < NEED { 0 } else { (hay.len() - NEED) / 64 * 64 + 64 };
        let mut tail = [0u8; 3 * 64 + NEED];
        tail[..hay.len() - whole].copy_from_slice(&hay[whole..]);
        // A run may reach into the block behind, so that each waits for the next one's masks.
        let mut next = Masks::default();
        let (mut word, mut alnum, mut base64) = (0u64, 0u64, 0u64);
        let (mut words, mut windows) = (Stops::new(), Stops::new());
        let mut ahead = 0;
        while ahead < hay.len() + 64 {
            let now = next;
            next = masks(if ahead < whole { &hay[ahead..] } else { &tail[ahead - whole..] });
            let Some(offset) = ahead.checked_sub(64) else {
                ahead += 64;
                continue;
            };
            ahead += 64;
            let starts = now.word & !(now.word << 1 | word);
            let runs = now.alnum & !(now.alnum << 1 | alnum);
            let coded = now.base64 & !(now.base64 << 1 | base64);
            (word, alnum, base64) = (now.word >> 63, now.alnum >> 63, now.base64 >> 63);
            // Where a prefix may stand, a word may stand as well.
            words.push(starts & in_a_row::<SOLID_RUN>(now.solid, next.solid), offset);
            windows.push(now.window, offset);
            if offset % Stops::BYTES == Stops::BYTES - 64 || ahead >= hay.len() + 64 {
                let from = offset - offset % Stops::BYTES;
                for at in words.drain(from) {
                    if self.heads.may(hay, at) {
                        self.word(hay, at, to);
                    }
                }
                for at in windows.drain(from) {
                    if self.window_heads.may(hay, at) {
                        self.literal(&self.literals, hay, at, to);
                    }
                }
            }
            each(runs & in_a_row::<VALUE_RUN>(now.alnum, next.alnum), |i| to.value(offset + i));
            let long = coded & in_a_row::<OPAQUE_RUN>(now.base64, next.base64);
            if long != 0 {
                let pair = Pair::new(&now, &next);
                each(long, |i| {
                    let drawn = pair.drawn(i);
                    if drawn != Some(false) {
                        opaque(hay, offset + i, drawn.is_some(), to);
                    }
                });
                each(long & in_a_row::<DECODE_RUN>(now.base64, next.base64), |i| to.run(offset + i));
            }
            each(now.sign, |i| to.sign(offset + i));
        }
    }

    /// The prefixes and words that begin at `at`.
    #[inline(never)]
    fn word<V: Visit>(&self, hay: &[u8], at: usize, to: &mut V) {
        let rest = &hay[at..];
        if rest.len() < 3 {
            return;
        }
        if rest.get(..PREFIX_RUN).is_some_and(|run| run.iter().all(|b| is_token(*b))) {
            for (prefix, kind) in self.prefixes.get(key(rest)) {
                if rest.starts_with(prefix) {
                    to.start(*kind as usize, at);
                }
            }
        }
        for (word, kind) in self.words.get(folded(rest)) {
            if rest.get(..word.len()).is_some_and(|h| h.eq_ignore_ascii_case(word)) {
                to.start(*kind as usize, at);
            }
        }
    }

    /// The literals of which the window stands at `at`.
    #[inline(never)]
    fn literal<V: Visit>(&self, literals: &Keyed<Literal>, hay: &[u8], at: usize, to: &mut V) {
        let Some(rest) = hay.get(at..).filter(|rest| rest.len() >= 3) else { return };
        for l in literals.get(folded(rest)) {
            let Some(from) = at.checked_sub(l.window) else { continue };
            let end = from + l.text.len();
            if end <= hay.len() && hay[from..end].eq_ignore_ascii_case(&l.text) {
                for lead in &l.leads {
                    match *lead {
                        Leads::Start(kind) => to.start(kind as usize, from),
                        Leads::Near(kind) => to.near(kind as usize, from, end),
                        Leads::Scheme => self.schemes(hay, from, to),
                    }
                }
            }
        }
    }

    /// The schemes, or texts in them, in front of the [`SCHEME`] at `at`.
    fn schemes<V: Visit>(&self, hay: &[u8], at: usize, to: &mut V) {
        let before = &hay[at.saturating_sub(SCHEME_REACH)..at];
        let len = before.iter().rev().take_while(|b| is_scheme(**b)).count();
        for from in at - len..at {
            if self.scheme_heads.may(hay, from) {
                self.literal(&self.schemes, hay, from, to);
            }
        }
    }
}

/// Tells of the run at `at` if it looks drawn, as may be known.
#[inline(never)]
fn opaque<V: Visit>(hay: &[u8], at: usize, known: bool, to: &mut V) {
    let run = &hay[at..];
    let run = &run[..run.iter().take_while(|b| is_base64(**b)).count()];
    if known || drawn::drawn(run) {
        to.opaque(at, run.len());
    }
}

/// Places of some blocks in a row, written down without a branch that the processor would guess wrong in every other
/// block, and looked at together.
struct Stops {
    places: [u16; Stops::BYTES + Stops::AT_ONCE],
    len: usize,
}

impl Stops {
    /// Bytes that the blocks hold.
    const BYTES: usize = 16 * 64;
    /// How many of a block are written whether they are there or not: more are rare.
    const AT_ONCE: usize = 4;

    fn new() -> Self {
        Stops { places: [0; Stops::BYTES + Stops::AT_ONCE], len: 0 }
    }

    /// The places that have a bit in the block at `offset`.
    #[inline(always)]
    fn push(&mut self, mut bits: u64, offset: usize) {
        let base = (offset % Stops::BYTES) as u16;
        let count = bits.count_ones() as usize;
        let room = &mut self.places[self.len..self.len + Stops::AT_ONCE];
        for place in room {
            *place = base + bits.trailing_zeros() as u16;
            bits &= bits.wrapping_sub(1);
        }
        let mut at = self.len + Stops::AT_ONCE;
        while bits != 0 {
            self.places[at] = base + bits.trailing_zeros() as u16;
            bits &= bits - 1;
            at += 1;
        }
        self.len += count;
    }

    /// The places, the first block being at `from`; there are none then.
    #[inline(always)]
    fn drain(&mut self, from: usize) -> impl Iterator<Item = usize> {
        let len = std::mem::take(&mut self.len);
        self.places[..len].iter().map(move |&place| from + usize::from(place))
    }
}

/// The bits of `now` at which at least `N` set bits follow in `now` and `next`; `N` is at most 32.
#[inline(always)]
fn in_a_row<const N: usize>(now: u64, next: u64) -> u64 {
    // `have` bits in a row are known at each place; double them while that does not exceed N.
    let mut within = now;
    let mut have = 1;
    while 2 * have <= N {
        within &= within >> have;
        have *= 2;
    }
    if have < N {
        within &= within >> (N - have);
    }
    // Only the last run of `now` goes on in `next`. Shifts over both words would say the same and be double shifts,
    // which are slow on many processors. A word of ones only counts as one less: `within` has its first bit.
    let last = (!now | 1).leading_zeros();
    let more = next.trailing_ones();
    let enough = u64::MAX >> (N as u32 - 1).saturating_sub(more);
    within | !(u64::MAX >> last) & enough
}

#[inline(always)]
fn each(mut bits: u64, mut f: impl FnMut(usize)) {
    while bits != 0 {
        f(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells where a sweep stops: `KEYWHEEL_SWEEP=file cargo test --profile quick -- --ignored --nocapture stops`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn stops() {
        struct Count((), std::collections::BTreeMap<(usize, Vec<u8>), u64>, Vec<u8>, [u64; 4]);
        impl Visit for Count {
            fn start(&mut self, kind: usize, at: usize) {
                *self.1.entry((kind, self.2[at..(at + 4).min(self.2.len())].to_vec())).or_default() += 1;
            }
            fn near(&mut self, kind: usize, at: usize, _: usize) {
                self.start(kind, at);
            }
            fn value(&mut self, _: usize) {
                self.3[0] += 1;
            }
            fn opaque(&mut self, _: usize, _: usize) {
                self.3[1] += 1;
            }
            fn run(&mut self, _: usize) {
                self.3[2] += 1;
            }
            fn sign(&mut self, _: usize) {
                self.3[3] += 1;
            }
        }
        let hay = std::fs::read(std::env::var("KEYWHEEL_SWEEP").unwrap()).unwrap();
        let rules = crate::rule::RuleSet::embedded();
        let prefilter = Prefilter::new(rules.kinds());
        let mut windows = 0u64;
        for block in hay.windows(NEED).step_by(64) {
            windows += u64::from(lanes::scalar(block, &prefilter.windows).window.count_ones());
        }
        let mut count = Count((), Default::default(), hay.clone(), [0; 4]);
        prefilter.sweep(&hay, &mut count);
        let texts: std::collections::BTreeSet<_> = prefilter
            .literals
            .values()
            .map(|l| l.text[l.window..].iter().take(4).map(|&b| char::from(b)).collect::<String>())
            .collect();
        println!("{} windows: {texts:?}", texts.len());
        println!("{} bytes, {windows} windows, [value opaque run sign] {:?}", hay.len(), count.3);
        let mut list: Vec<_> = count.1.into_iter().collect();
        list.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        for ((kind, text), n) in list.iter().take(40) {
            println!("{n:9} {} {:?}", rules.kinds()[*kind].id, String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn runs_are_counted_across_blocks() {
        assert_eq!(in_a_row::<16>(u64::MAX << 56, 0xff), 1 << 56);
        assert_eq!(in_a_row::<24>(u64::MAX << 56, 0xffff), 1 << 56);
        assert_eq!(in_a_row::<24>(u64::MAX << 56, 0x7fff), 0);
        assert_eq!(in_a_row::<12>(u64::MAX << 56, 0xf), 1 << 56);
        assert_eq!(in_a_row::<20>(u64::MAX << 56, 0x7ff), 0);
        assert_eq!(in_a_row::<20>(u64::MAX << 56, 0xfff), 1 << 56);
        let mut seed = 3u64;
        let mut draw = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            seed.rotate_left(32)
        };
        for round in 0..20_000 {
            // Runs of all lengths: of every other bit to of nearly all.
            let mut dense = || (0..round % 8).fold(draw(), |bits, _| bits | draw());
            let (now, next) = (dense(), dense());
            let both = u128::from(now) | u128::from(next) << 64;
            let naive = |n: u32| {
                (0..64).filter(|&i| (both >> i).trailing_ones() >= n).fold(0u64, |bits, i| bits | 1 << i)
            };
            assert_eq!(in_a_row::<12>(now, next), naive(12), "{now:x} {next:x}");
            assert_eq!(in_a_row::<24>(now, next), naive(24), "{now:x} {next:x}");
        }
        assert_eq!(in_a_row::<24>(u64::MAX, 0), u64::MAX >> 23);
        assert_eq!(in_a_row::<24>(u64::MAX, 3), u64::MAX >> 21);
    }
}
