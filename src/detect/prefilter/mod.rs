//! One pass over the bytes that finds every place worth a closer look.
//!
//! The pass is value first: a key is a long run of token characters, and such runs are rare. A rule
//! whose pattern guarantees a prefix at the start of a word and a run behind it is looked up by its
//! first three bytes, only there. A rule that guarantees a run of alphanumerics is looked at only
//! where one stands and one of its words is near. Only rules that guarantee neither have their
//! literals searched for everywhere.

mod lanes;
mod literals;

use crate::rule::Kind;
use crate::rule::analyse::{Gate, PREFIX_RUN, VALUE_RUN};
use lanes::{Masks, NEED};
use literals::{Keyed, Windows, folded, key, rarest};

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
}

/// Receives the places, in ascending order of block; within a block by sort of place.
pub(crate) trait Visit {
    /// `kind` may match with its start at `at`.
    fn start(&mut self, kind: usize, at: usize);
    /// A literal or word of `kind` stands at `at..end`; the match is around it.
    fn near(&mut self, kind: usize, at: usize, end: usize);
    /// A maximal run of alphanumerics of at least [`VALUE_RUN`] begins at `at`.
    fn value(&mut self, at: usize);
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
        let mut literals = Vec::new();
        let mut prefixes = Vec::new();
        for (i, kind) in kinds.iter().enumerate() {
            let kind_index = i as u32;
            let mut put = |list: &[Vec<u8>], start| {
                for text in list {
                    let window = rarest(text);
                    let entry = Literal { text: text.clone(), window, kind: kind_index, start };
                    literals.push((folded(&text[window..]), entry));
                }
            };
            match &kind.analysis.gate {
                Gate::Prefix(list) => prefixes.extend(list.iter().map(|p| (key(p), (p.clone(), kind_index)))),
                Gate::Start(list) => put(list, true),
                Gate::Inside { literals: list, .. } | Gate::Near(list) => put(list, false),
                Gate::Value { .. } | Gate::Partner | Gate::Path => {}
            }
        }
        let wanted: Vec<[u8; 3]> =
            literals.iter().map(|(k, _)| [*k as u8, (*k >> 8) as u8, (*k >> 16) as u8]).collect();
        Prefilter {
            windows: Windows::new(&wanted.iter().collect::<Vec<_>>()),
            literals: Keyed::new(literals),
            prefixes: Keyed::new(prefixes),
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
        let mut now = at(0);
        let (mut word, mut alnum, mut base64) = (0u64, 0u64, 0u64);
        let mut offset = 0;
        while offset < hay.len() {
            let next = at(offset + 64);
            let starts = now.word & !(now.word << 1 | word);
            let runs = now.alnum & !(now.alnum << 1 | alnum);
            let coded = now.base64 & !(now.base64 << 1 | base64);
            (word, alnum, base64) = (now.word >> 63, now.alnum >> 63, now.base64 >> 63);
            each(starts & in_a_row::<PREFIX_RUN>(now.token, next.token), |i| {
                self.prefix(hay, offset + i, to)
            });
            each(runs & in_a_row::<VALUE_RUN>(now.alnum, next.alnum), |i| to.value(offset + i));
            each(coded & in_a_row::<DECODE_RUN>(now.base64, next.base64), |i| to.run(offset + i));
            each(now.window, |i| self.literal(hay, offset + i, to));
            each(now.quote, |i| to.quote(offset + i));
            each(now.mark, |i| to.mark(offset + i));
            now = next;
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

/// The bits of `now` at which at least `N` set bits follow in `now` and `next`; `N` is 16 or 24.
#[inline(always)]
fn in_a_row<const N: usize>(now: u64, next: u64) -> u64 {
    let mut x = u128::from(now) | u128::from(next) << 64;
    x &= x >> 1;
    x &= x >> 2;
    x &= x >> 4;
    let eight = x;
    x &= x >> 8;
    if N == 24 {
        x &= eight >> 16;
    }
    x as u64
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

    #[test]
    fn runs_are_counted_across_blocks() {
        assert_eq!(in_a_row::<16>(u64::MAX << 56, 0xff), 1 << 56);
        assert_eq!(in_a_row::<24>(u64::MAX << 56, 0xffff), 1 << 56);
        assert_eq!(in_a_row::<24>(u64::MAX << 56, 0x7fff), 0);
    }
}
