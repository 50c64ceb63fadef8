//! Words near a match.

use crate::rule::Context;
use std::ops::Range;

/// Words of up to this many letters count only as a whole part of a name.
const SHORT: usize = 4;

/// Whether one of the words stands near enough to the match, outside of the secret itself.
pub(crate) fn holds(context: &Context, hay: &[u8], whole: &Range<usize>, secret: &Range<usize>) -> bool {
    let from = whole.start.saturating_sub(context.before);
    let to = hay.len().min(whole.end + context.after);
    context.words.iter().any(|w| {
        find(hay, from..secret.start, w.as_bytes()) || find(hay, secret.end..to.max(secret.end), w.as_bytes())
    })
}

fn find(hay: &[u8], within: Range<usize>, word: &[u8]) -> bool {
    let Some(&first) = word.first() else { return false };
    let Some(starts) = hay[within.clone()].len().checked_sub(word.len() - 1) else { return false };
    let region = &hay[within.start..within.start + starts];
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), region).any(|i| {
        let at = within.start + i;
        let end = at + word.len();
        hay[at..end].eq_ignore_ascii_case(word) && (word.len() > SHORT || is_part(hay, at, end))
    })
}

/// Whether `hay[at..end]` is a whole part of a name: names are cut where letters end and where a
/// capital follows a small letter.
fn is_part(hay: &[u8], at: usize, end: usize) -> bool {
    let before = at.checked_sub(1).map(|i| hay[i]);
    let opens = before
        .is_none_or(|b| !b.is_ascii_alphabetic() || (b.is_ascii_lowercase() && hay[at].is_ascii_uppercase()));
    let closes = hay.get(end).is_none_or(|&b| {
        !b.is_ascii_alphabetic() || (hay[end - 1].is_ascii_lowercase() && b.is_ascii_uppercase())
    });
    opens && closes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(words: &[&str], before: usize, text: &str) -> bool {
        let at = text.find('#').expect("because the text marks the secret");
        let context = Context { words: words.iter().map(|w| (*w).to_owned()).collect(), before, after: 0 };
        holds(&context, text.as_bytes(), &(at..at + 1), &(at..at + 1))
    }

    #[test]
    fn short_words_are_whole_parts_of_names() {
        for yes in ["BOX_TOKEN=#", "boxToken=#", "my-box: #", "myBox=#", "box#"] {
            assert!(near(&["box"], 80, yes), "{yes}");
        }
        for no in ["checkbox=#", "boxes=#", "BOXER=#"] {
            assert!(!near(&["box"], 80, no), "{no}");
        }
        assert!(near(&["datadog"], 80, "mydatadogs=#"));
    }

    #[test]
    fn words_count_only_within_reach_and_outside_the_secret() {
        assert!(near(&["acme"], 8, "acme   =#"));
        assert!(!near(&["acme"], 7, "acme   =#"));
        let c = Context { words: vec!["acme".to_owned()], before: 80, after: 0 };
        assert!(!holds(&c, b"x=acme0", &(2..7), &(2..7)));
    }
}
