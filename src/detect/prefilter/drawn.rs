//! Whether a long run of base64 characters looks drawn at random or is a name. It is a heuristic,
//! and the one condition on a match that no pattern states.
//!
//! What tells them apart is how often neighbours change between small letters, capitals and digits.
//! Of a million fair values each, these were lost: base62 of 20 characters 0.01 %, base64url of 20
//! 0.05 %, of 24 and more under 0.01 %; lower-case hexadecimal of 32 under 0.01 %, a UUID 0.03 %,
//! small letters and digits, 32 of them, 0.13 %.

use super::lanes::Masks;
use crate::rule::analyse::{OPAQUE_RUN, is_base64};
use std::ops::Range;

/// Least changes in a window. `SOME_NAME_2_X64` has two.
const CHANGES: usize = 4;

/// A value of both cases and digits shows itself in any window of the shortest run.
const MIXED: usize = OPAQUE_RUN;

/// A value of one case and digits is longer; a window holds all of a UUID.
const SINGLE: Range<usize> = 32..36;

/// Most signs in such a window: a UUID has four, a register's name more.
const SIGNS: usize = 4;

/// What a window holds.
#[derive(Default)]
struct Counts {
    changes: usize,
    small: usize,
    capital: usize,
    signs: usize,
}

/// Classes between which a change counts; a sign is none.
const SMALL: u8 = 1;
const CAPITAL: u8 = 2;
const DIGIT: u8 = 3;

const fn class(b: u8) -> u8 {
    match b {
        b'a'..=b'z' => SMALL,
        b'A'..=b'Z' => CAPITAL,
        b'0'..=b'9' => DIGIT,
        _ => 0,
    }
}

const CLASSES: [u8; 256] = {
    let mut t = [0; 256];
    let mut b = 0;
    while b < 256 {
        t[b] = class(b as u8);
        b += 1;
    }
    t
};

/// Whether `run`, which is base64 characters throughout, looks drawn.
pub(super) fn drawn(run: &[u8]) -> bool {
    some_window(run, MIXED, |c| c.changes >= CHANGES && c.small > 0 && c.capital > 0)
        || (run.len() >= SINGLE.start
            && some_window(run, run.len().min(SINGLE.end), |c| c.changes >= CHANGES && c.signs <= SIGNS))
}

/// Whether some window of `size` bytes of `run` satisfies `ok`.
#[inline]
fn some_window(run: &[u8], size: usize, ok: impl Fn(&Counts) -> bool) -> bool {
    let mut c = Counts::default();
    let of = |i: usize| CLASSES[usize::from(run[i])];
    let change = |i: usize| usize::from(of(i) != of(i + 1) && of(i) != 0 && of(i + 1) != 0);
    for i in 0..run.len() {
        c.small += usize::from(of(i) == SMALL);
        c.capital += usize::from(of(i) == CAPITAL);
        c.signs += usize::from(of(i) == 0);
        c.changes += if i > 0 { change(i - 1) } else { 0 };
        if i + 1 >= size {
            if ok(&c) {
                return true;
            }
            let first = i + 1 - size;
            c.small -= usize::from(of(first) == SMALL);
            c.capital -= usize::from(of(first) == CAPITAL);
            c.signs -= usize::from(of(first) == 0);
            c.changes -= change(first);
        }
    }
    false
}

/// Whether a run that touches `whole` looks drawn there, or not farther away than a window is long.
pub(crate) fn drawn_near(hay: &[u8], whole: &Range<usize>) -> bool {
    let from = whole.start.saturating_sub(SINGLE.end);
    let to = hay.len().min(whole.end + SINGLE.end);
    let mut at = from;
    while at < whole.end {
        let len = hay[at..to].iter().take_while(|b| is_base64(**b)).count();
        if at + len > whole.start && len >= OPAQUE_RUN && drawn(&hay[at..at + len]) {
            return true;
        }
        at += len + 1;
    }
    false
}

/// Two blocks seen as one.
pub(super) struct Pair {
    base64: u128,
    changes: u128,
    small: u128,
    capital: u128,
    signs: u128,
}

impl Pair {
    #[inline]
    pub(super) fn new(now: &Masks, next: &Masks) -> Self {
        let pair = |f: fn(&Masks) -> u64| u128::from(f(now)) | u128::from(f(next)) << 64;
        let (alnum, digit, capital) = (pair(|m| m.alnum), pair(|m| m.digit), pair(|m| m.upper));
        Pair {
            base64: pair(|m| m.base64),
            changes: ((digit ^ digit >> 1) | (capital ^ capital >> 1)) & alnum & alnum >> 1,
            small: alnum & !digit & !capital,
            capital,
            signs: pair(|m| m.base64) & !alnum,
        }
    }

    /// What [`drawn`] says of the run at `i`, or `None` if it goes on behind the two blocks.
    #[inline]
    pub(super) fn drawn(&self, i: usize) -> Option<bool> {
        let len = (!(self.base64 >> i)).trailing_zeros() as usize;
        if i + len >= 128 {
            return None;
        }
        let all = |bits: u128| bits >> i & ((1 << len) - 1);
        let changes = all(self.changes) & ((1 << (len - 1)) - 1);
        Some((changes.count_ones() as usize) >= CHANGES && self.drawn_in(len, changes, all))
    }

    /// The same for a run of `len` with enough `changes`, given as the places before them.
    fn drawn_in(&self, len: usize, changes: u128, all: impl Fn(u128) -> u128) -> bool {
        let (small, capital, signs) = (all(self.small), all(self.capital), all(self.signs));
        let mixed = small != 0 && capital != 0;
        let mut places = [0; 64];
        let mut count = 0;
        let mut left = changes;
        while left != 0 {
            places[count % 64] = left.trailing_zeros() as usize;
            left &= left - 1;
            count += 1;
            if count < CHANGES {
                continue;
            }
            // The windows that hold these neighbouring changes.
            let (first, last) = (places[(count - CHANGES) % 64], places[(count - 1) % 64] + 1);
            let some = |size: usize, ok: &dyn Fn(u128) -> bool| {
                let window = (1u128 << size) - 1;
                ((last + 1).saturating_sub(size)..=first.min(len - size)).any(|at| ok(window << at))
            };
            if (mixed && some(MIXED, &|w| small & w != 0 && capital & w != 0))
                || (len >= SINGLE.start
                    && some(len.min(SINGLE.end), &|w| (signs & w).count_ones() as usize <= SIGNS))
            {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_drawn(text: &str) -> bool {
        drawn_near(text.as_bytes(), &(6..7))
    }

    #[test]
    fn names_are_not_drawn_and_fair_values_are() {
        for name in [
            "CONFIG_DRM_AMD_DC_DCN3_01_x",
            "some_rather_long_name_of_things",
            "https-//a/b/c/d/e/f/g/h/i/j",
            "C20_PHY_CR0_LANEX_DIG_RX_PWRCTL_RX_PSTATE_P0S__RX_P0S_ANA_BYPASS",
        ] {
            assert!(!is_drawn(name), "{name}");
        }
        assert!(is_drawn("x=k9Qz_3mT-7wLp2_RbV8xN5"));
        assert!(is_drawn(&format!("id=3f9a{}-7c1e-4b5d-8a2f-9c4e1b7d3a6f", "12b4")));
    }

    #[test]
    fn only_runs_that_touch_count_and_only_nearby() {
        let value = "k9Qz3mT7wLp2RbV8xN5q";
        let text = format!("{value}={}", "a".repeat(30));
        assert!(drawn_near(text.as_bytes(), &(0..1)) && !drawn_near(text.as_bytes(), &(22..30)));
        let text = format!("{value}{}", "a".repeat(60));
        assert!(drawn_near(text.as_bytes(), &(24..25)) && !drawn_near(text.as_bytes(), &(70..71)));
    }

    #[test]
    fn bits_and_bytes_say_the_same() {
        let windows = super::super::literals::Windows::new(&[]);
        let mut seed = 11u64;
        let mut below = |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let mut said = [0; 2];
        for round in 0..8000 {
            let alphabets =
                [&b"aB3_"[..], b"ab1290-", b"AB_4", b"abcdefghijkl_1", b"xyzXYZ019/+_-", b"ABCDEFGHIxyz_"];
            let alphabet = alphabets[round % 6];
            let mut hay = [b' '; 256];
            let (from, len) = (below(64) as usize, 20 + below(60) as usize);
            hay[from..from + len].fill_with(|| alphabet[below(alphabet.len() as u64) as usize]);
            let pair = Pair::new(
                &super::super::lanes::scalar(&hay, &windows),
                &super::super::lanes::scalar(&hay[64..], &windows),
            );
            let bytes = drawn(&hay[from..from + len]);
            assert_eq!(pair.drawn(from), (from + len < 128).then_some(bytes), "{round}");
            said[usize::from(bytes)] += 1;
        }
        assert!(said.iter().all(|n| *n > 1000), "{said:?}");
    }
}
