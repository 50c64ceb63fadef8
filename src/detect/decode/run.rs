//! Long runs of letters: hexadecimal or base64, or just a long name.

use super::base64::{self, Promise};
use super::{View, hex};

/// How many separators a run may have before its encoded part.
const SEPARATORS: usize = 4;

/// How far into a run they are looked for.
const REACH: usize = 96;

/// The letters that the shortest decoded text takes.
const LETTERS: usize = (base64::SHORTEST * 4).div_ceil(3);

/// Whether anything in the run at `at` begins like an encoded text.
#[inline]
pub(super) fn wanted(hay: &[u8], at: usize) -> bool {
    hex::promising(hay, at) || starts(hay, at, |_, _| Some(())).is_some()
}

/// The view of the run at `at`.
pub(super) fn build(hay: &[u8], at: usize) -> Option<View> {
    if hex::promising(hay, at)
        && let Some(view) = hex::view(hay, at)
    {
        return Some(view);
    }
    starts(hay, at, |start, promise| match promise {
        Promise::Text => base64::text(hay, start),
        Promise::Wide => base64::wide(hay, start),
        Promise::Gzip => base64::gzip(hay, start),
    })
}

/// Tries the places in the run at `at` where base64 may begin: its own first letter, the one
/// after an escape's, and those after its first separators (`secrets/ZXhh...`).
#[inline]
fn starts<T>(hay: &[u8], at: usize, mut each: impl FnMut(usize, Promise) -> Option<T>) -> Option<T> {
    let escaped = at > 0 && hay[at - 1] == b'\\' && matches!(hay[at], b'n' | b'r' | b't');
    let own = at + usize::from(escaped);
    if let Some(promise) = base64::promise(hay, own)
        && let Some(found) = each(own, promise)
    {
        return Some(found);
    }
    let mut left = SEPARATORS;
    // Most names are nearly over at their first separators: only the places that enough letters
    // follow are looked at, and those are few.
    for sign in at..at + REACH {
        if !base64::is_letter(*hay.get(sign + LETTERS)?) {
            return None;
        }
        if base64::is_sign(hay[sign]) {
            if let Some(promise) = base64::promise(hay, sign + 1)
                && let Some(found) = each(sign + 1, promise)
            {
                return Some(found);
            }
            left -= 1;
            if left == 0 {
                return None;
            }
        }
    }
    None
}
