//! One pass over the bytes that finds every place worth a closer look.
//!
//! The pass is value first: a key is a long run of token characters, and such runs are rare. A rule
//! whose pattern guarantees a prefix at the start of a word and a run behind it is looked up by its
//! first three bytes, only there. A rule that guarantees a run of alphanumerics is looked at only
//! where one stands and one of its words is near. Only rules that guarantee neither have their
//! literals searched for everywhere.

mod drawn;
mod lanes;
mod literals;

use crate::rule::Kind;
use crate::rule::analyse::{Gate, OPAQUE_RUN, PREFIX_RUN, SOLID_RUN, VALUE_RUN, is_base64};
use drawn::Pair;
pub(crate) use drawn::drawn_near;
use lanes::{Masks, NEED};
use literals::{Keyed, Windows, folded, key};

/// Shortest run that is tried as base64 or hexadecimal.
pub(crate) const DECODE_RUN: usize = 24;

/// What a literal found anywhere leads to.
#[derive(Clone, Debug)]
struct Literal {
    text: Vec<u8>,
    /// Where in the text the window stands.
    window: usize,
    kind: u32,
    /// Whether the match starts with it.
    start: bool,
}

/// The gates of a rule set, laid out for the pass.
#[derive(Clone, Debug)]
pub(crate) struct Prefilter {
    windows: Windows,
    literals: Keyed<Literal>,
    prefixes: Keyed<(Vec<u8>, u32)>,
    words: Keyed<(Vec<u8>, u32)>,
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
    /// A quote stands at `at`.
    fn quote(&mut self, at: usize);
    /// `%`, `&` or a backslash stands at `at`.
    fn mark(&mut self, at: usize);
}

impl Prefilter {
    /// Lays out the gates of `kinds`.
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let mut literals: Vec<Literal> = Vec::new();
        let mut prefixes = Vec::new();
        let mut words = Vec::new();
        for (i, kind) in kinds.iter().enumerate() {
            let kind_index = i as u32;
            let mut put = |list: &[Vec<u8>], start| {
                literals.extend(list.iter().map(|text| Literal {
                    text: text.clone(),
                    window: 0,
                    kind: kind_index,
                    start,
                }));
            };
            match &kind.analysis.gate {
                Gate::Prefix(list) => prefixes.extend(list.iter().map(|p| (key(p), (p.clone(), kind_index)))),
                Gate::Word(list) => words.extend(list.iter().map(|w| (folded(w), (w.clone(), kind_index)))),
                Gate::Start(list) => put(list, true),
                Gate::Inside { literals: list, .. } | Gate::Near(list) => put(list, false),
                Gate::Value { .. } | Gate::Opaque { .. } | Gate::Partner | Gate::Path => {}
            }
        }
        let offsets = literals::choose(&literals.iter().map(|l| l.text.as_slice()).collect::<Vec<_>>());
        let literals: Vec<(u32, Literal)> = literals
            .into_iter()
            .zip(offsets)
            .map(|(l, window)| (folded(&l.text[window..]), Literal { window, ..l }))
            .collect();
        let wanted: Vec<_> = literals.iter().map(|(_, l)| literals::window(&l.text, l.window)).collect();
        Prefilter {
            windows: Windows::new(&wanted),
            literals: Keyed::new(literals),
            prefixes: Keyed::new(prefixes),
            words: Keyed::new(words),
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
        let mut tail = [0u8; 2 * NEED];
        let mut at = |offset: usize| -> Masks {
            if offset + NEED <= hay.len() {
                masks(&hay[offset..offset + NEED])
            } else if offset < hay.len() {
                let rest = &hay[offset..];
                tail[..rest.len()].copy_from_slice(rest);
                tail[rest.len()..rest.len() + NEED].fill(0);
                masks(&tail[..NEED])
            } else {
                Masks::default()
            }
        };
        // Two places in turn, since copying freshly written masks would wait for the writes.
        let mut masks = [at(0), Masks::default()];
        let (mut word, mut alnum, mut base64) = (0u64, 0u64, 0u64);
        let mut offset = 0;
        let mut turn = 0;
        while offset < hay.len() {
            masks[1 - turn] = at(offset + 64);
            let (now, next) = (&masks[turn], &masks[1 - turn]);
            let starts = now.word & !(now.word << 1 | word);
            let runs = now.alnum & !(now.alnum << 1 | alnum);
            let coded = now.base64 & !(now.base64 << 1 | base64);
            (word, alnum, base64) = (now.word >> 63, now.alnum >> 63, now.base64 >> 63);
            each(starts & in_a_row::<PREFIX_RUN>(now.token, next.token), |i| {
                self.prefix(hay, offset + i, to)
            });
            each(runs & in_a_row::<VALUE_RUN>(now.alnum, next.alnum), |i| to.value(offset + i));
            each(starts & in_a_row::<SOLID_RUN>(now.solid, next.solid), |i| self.word(hay, offset + i, to));
            let long = coded & in_a_row::<OPAQUE_RUN>(now.base64, next.base64);
            if long != 0 {
                let pair = Pair::new(now, next);
                each(long, |i| {
                    if pair.may_be_drawn(i) {
                        self.opaque(hay, offset + i, to);
                    }
                });
                each(long & in_a_row::<DECODE_RUN>(now.base64, next.base64), |i| to.run(offset + i));
            }
            each(now.window, |i| self.literal(hay, offset + i, to));
            each(now.quote, |i| to.quote(offset + i));
            each(now.mark, |i| to.mark(offset + i));
            turn = 1 - turn;
            offset += 64;
        }
    }

    #[inline]
    fn prefix<V: Visit>(&self, hay: &[u8], at: usize, to: &mut V) {
        for (prefix, kind) in self.prefixes.get(key(&hay[at..])) {
            if hay[at..].starts_with(prefix) {
                to.start(*kind as usize, at);
            }
        }
    }

    #[inline]
    fn word<V: Visit>(&self, hay: &[u8], at: usize, to: &mut V) {
        for (word, kind) in self.words.get(folded(&hay[at..])) {
            if hay[at..].get(..word.len()).is_some_and(|h| h.eq_ignore_ascii_case(word)) {
                to.start(*kind as usize, at);
            }
        }
    }

    fn opaque<V: Visit>(&self, hay: &[u8], at: usize, to: &mut V) {
        let run = &hay[at..];
        let run = &run[..run.iter().take_while(|b| is_base64(**b)).count()];
        if drawn::drawn(run) {
            to.opaque(at, run.len());
        }
    }

    #[inline]
    fn literal<V: Visit>(&self, hay: &[u8], at: usize, to: &mut V) {
        if at + 3 > hay.len() {
            return;
        }
        for l in self.literals.get(folded(&hay[at..])) {
            let Some(from) = at.checked_sub(l.window) else { continue };
            let end = from + l.text.len();
            if end <= hay.len() && hay[from..end].eq_ignore_ascii_case(&l.text) {
                if l.start {
                    to.start(l.kind as usize, from);
                } else {
                    to.near(l.kind as usize, from, end);
                }
            }
        }
    }
}

/// The bits of `now` at which at least `N` set bits follow in `now` and `next`; `N` is at most 32.
#[inline(always)]
fn in_a_row<const N: usize>(now: u64, next: u64) -> u64 {
    // Two words by hand: on a `u128` each shift would be a double shift, slow on many processors.
    let (mut low, mut high) = (now, next);
    let mut shrink = |by: usize| {
        low &= low >> by | high << (64 - by);
        high &= high >> by;
    };
    // `have` bits in a row are known at each place; double them while that does not exceed N.
    let mut have = 1;
    while 2 * have <= N {
        shrink(have);
        have *= 2;
    }
    if have < N {
        shrink(N - have);
    }
    low
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
        struct Count((), std::collections::BTreeMap<(usize, Vec<u8>), u64>, Vec<u8>, [u64; 5]);
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
            fn quote(&mut self, _: usize) {
                self.3[3] += 1;
            }
            fn mark(&mut self, _: usize) {
                self.3[4] += 1;
            }
        }
        let hay = std::fs::read(std::env::var("KEYWHEEL_SWEEP").unwrap()).unwrap();
        let rules = crate::rule::RuleSet::embedded();
        let prefilter = Prefilter::new(rules.kinds());
        let mut windows = 0u64;
        for block in hay.windows(NEED).step_by(64) {
            windows += u64::from(lanes::scalar(block, &prefilter.windows).window.count_ones());
        }
        let mut count = Count((), Default::default(), hay.clone(), [0; 5]);
        prefilter.sweep(&hay, &mut count);
        let texts: std::collections::BTreeSet<_> = prefilter
            .literals
            .values()
            .map(|l| l.text[l.window..].iter().take(4).map(|&b| char::from(b)).collect::<String>())
            .collect();
        println!("{} windows: {texts:?}", texts.len());
        println!("{} bytes, {windows} windows, [value opaque run quote mark] {:?}", hay.len(), count.3);
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
    }
}
