//! Pieces of something longer: the byte beside the secret belongs to it too.

use super::{Candidate, Outcome, Reason};

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    // A generic value ends where its quotes end, and a block has edges of its own.
    if c.is_generic() || c.rule.block {
        return Outcome::Keep;
    }
    // An edge inside the match was set by the pattern.
    let front = c.span.start == c.whole.start && cut_before(c);
    let back = c.span.end == c.whole.end && cut_after(c);
    if front || back || inside_base64(c) { Outcome::Drop(Reason::Slice) } else { Outcome::Keep }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn cut_before(c: &Candidate<'_>) -> bool {
    let (Some(&b), Some(&first)) = (c.before().last(), c.secret().first()) else { return false };
    if !is_word(first) && !c.rule.allows(first) {
        return false;
    }
    if is_word(b) {
        return !ends_in_escape(c.before());
    }
    matches!(b, b'-' | b'+' | b'/') && c.rule.allows(b)
}

/// Whether text ends in `\n` and the like, written as two characters.
fn ends_in_escape(text: &[u8]) -> bool {
    let Some((b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0', rest)) = text.split_last() else {
        return false;
    };
    rest.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 1
}

fn cut_after(c: &Candidate<'_>) -> bool {
    let Some(&b) = c.after().first() else { return false };
    is_word(b) || (matches!(b, b'-' | b'+' | b'/' | b'=') && c.rule.allows(b))
}

/// Whether the secret lies within a long run of base64 that its own alphabet does not span.
fn inside_base64(c: &Candidate<'_>) -> bool {
    let edge = |b: Option<&u8>| matches!(b, Some(b'+' | b'/'));
    if !edge(c.before().last()) && !edge(c.after().first()) {
        return false;
    }
    let member = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let reach = 3 * c.span.len() + 64;
    let front = c.before().iter().rev().take(reach).take_while(member).count();
    let back = c.after().iter().take(reach).take_while(member).count();
    // A path has no `+`.
    let around = &c.hay[c.span.start - front..c.span.end + back];
    front + back > 2 * c.span.len() && around.contains(&b'+')
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, random, table};
    use super::*;

    #[test]
    fn neighbours_of_the_alphabet_make_a_slice() {
        table(
            &Rule::structured(4),
            run,
            Reason::Slice,
            &["x«acm_1»", "_«acm_1»", "0«acm_1» ", "«acm_1»2", "«acm_1»_", r"\\n«acm_1»"],
            &[
                "«acm_1»",
                "\"«acm_1»\"",
                "=«acm_1».",
                "«acm_1»-x",
                "x-«acm_1»",
                "/«acm_1»/",
                "«acm_1»=",
                r"\n«acm_1»\n",
                "key«!acm»",
                "é«acm_1»",
            ],
        );
        let dashed = Rule { alphabet: b"abc-/=+", ..Rule::structured(4) };
        table(
            &dashed,
            run,
            Reason::Slice,
            &["-«acm_1»", "/«acm_1»", "«acm_1»-", "«acm_1»=", "«acm_1»/"],
            &["=«acm_1»", "«acm_1».", ":«acm_1»;"],
        );
        table(&Rule::generic(), run, Reason::Slice, &[], &["x«secret»y"]);
        table(&Rule { block: true, ..Rule::structured(4) }, run, Reason::Slice, &[], &["x«acm»y"]);
    }

    #[test]
    fn a_run_of_base64_is_not_cut_at_its_punctuation() {
        let (a, b) = (random(1, 60), random(2, 60));
        let blob = format!("{a}+{b}/«acm_1234567890»/{b}{a}");
        table(&Rule::structured(4), run, Reason::Slice, &[&blob], &[&blob.replace('+', ".")]);
    }

    #[test]
    fn edges_inside_the_match_are_the_patterns_own() {
        super::super::testing::with(&Rule::structured(0), "idx«abc»y ", |c| {
            let wide = Candidate {
                whole: 0..7,
                ..Candidate {
                    hay: c.hay,
                    span: c.span.clone(),
                    whole: 0..0,
                    rule: c.rule,
                    path: c.path,
                    file: c.file,
                    place: None,
                }
            };
            assert_eq!(run(&wide), Outcome::Keep);
        });
    }
}
