//! Numbers in the place of words, so that rows can be summed and put in order without looking at text.

use crate::usage::store::Names;
use crate::usage::time;
use std::collections::{BTreeSet, HashMap};

/// Words that numbers stand for.
#[derive(Default)]
pub(super) struct Words {
    numbers: HashMap<String, i64>,
    /// In order, once there are all.
    pub(super) texts: Vec<String>,
}

impl Words {
    pub(super) fn number(&mut self, word: String) -> i64 {
        let next = i64::try_from(self.numbers.len()).unwrap_or(i64::MAX);
        *self.numbers.entry(word).or_insert(next)
    }

    pub(super) fn text(&self, number: i64) -> &str {
        usize::try_from(number).ok().and_then(|n| self.texts.get(n)).map_or("", String::as_str)
    }

    /// The words in order; the numbers of a column become their places in it.
    pub(super) fn sorted<'a>(self, column: impl Iterator<Item = &'a mut i64>) -> Vec<String> {
        placed(self.numbers.into_iter().map(|(word, number)| (number, word)), column)
    }
}

/// The moments of a column in order; they become their places in it.
pub(super) fn moments<'a>(column: impl Iterator<Item = &'a mut i64>, step: i64) -> Vec<String> {
    let column: Vec<_> = column.collect();
    let all: BTreeSet<i64> = column.iter().map(|at| **at).collect();
    placed(all.into_iter().map(|at| (at, time::shown(at, step))), column.into_iter())
}

/// The models or places of a column in order; they become their places in it.
pub(super) fn labels<'a>(column: impl Iterator<Item = &'a mut i64>, names: &Names) -> Vec<String> {
    let column: Vec<_> = column.collect();
    let all: BTreeSet<i64> = column.iter().map(|id| **id).collect();
    let text = |id: i64| names.labels.get(&id).cloned().unwrap_or_default();
    placed(all.into_iter().map(|id| (id, text(id))), column.into_iter())
}

/// Puts words in order, and in a column the place of each in the place of its number.
fn placed<'a>(
    words: impl Iterator<Item = (i64, String)>,
    column: impl Iterator<Item = &'a mut i64>,
) -> Vec<String> {
    let mut order: Vec<(String, i64)> = words.map(|(number, word)| (word, number)).collect();
    order.sort_unstable();
    let place: ahash::HashMap<i64, i64> = order.iter().map(|(_, number)| *number).zip(0..).collect();
    for number in column {
        *number = place.get(number).copied().unwrap_or(*number);
    }
    order.into_iter().map(|(word, _)| word).collect()
}
