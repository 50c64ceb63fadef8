//! Stand-ins: words that tell a person to put a value there.
//!
//! Words are looked for in the value, never in the line, and count by the share of the value that
//! they cover: `test` in 64 random characters is chance, `test_key` is a placeholder.

mod list;

use super::{Candidate, Outcome, Reason};
use crate::model::Class;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use list::{DECISIVE, SET_OFF, WEAK};
use std::ops::Range;
use std::sync::OnceLock;

/// Most of a value that is looked at; of a longer one only decisive words count.
const LONGEST: usize = 256;
/// Share of the letters and digits that weak words must cover, in percent.
const SHARE: usize = 75;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if c.rule.block || c.secret().starts_with(b"-----BEGIN") {
        return Outcome::Keep;
    }
    let value = own_part(c.secret()).unwrap_or_else(|| c.variable());
    // An identifier is often a name.
    let placeholder = is_masked(value) || (c.rule.class != Class::Identifier && is_wordy(value));
    if placeholder { Outcome::Drop(Reason::Placeholder) } else { Outcome::Keep }
}

/// Of a URL only the part that authenticates: its host is `db.example.com` in many a manual, and
/// in many a test of a genuine value.
fn own_part(secret: &[u8]) -> Option<&[u8]> {
    let rest = &secret[memchr::memmem::find(secret, b"://")? + 3..];
    let host = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
    Some(match rest[..host].iter().rposition(|&b| b == b'@') {
        Some(end) => {
            let user = &rest[..end];
            user.iter().position(|&b| b == b':').map_or(user, |colon| &user[colon + 1..])
        }
        None => &rest[host..],
    })
}

/// Whether part of the value is blotted out or left out.
pub(super) fn is_masked(value: &[u8]) -> bool {
    let marks = |b: u8| matches!(b, b'*' | b'.' | b'#' | b'?' | b'_' | b'-');
    let mut run = 0;
    for (i, &b) in value.iter().enumerate() {
        run = if marks(b) && i > 0 && value[i - 1] == b { run + 1 } else { usize::from(marks(b)) };
        let enough = if matches!(b, b'*' | b'.') { 3 } else { 5 };
        if run >= enough {
            return true;
        }
    }
    value.windows(3).any(|w| w == "…".as_bytes() || w == "•".as_bytes() || w == "●".as_bytes())
}

struct Words {
    find: AhoCorasick,
}

fn words() -> Option<&'static Words> {
    static WORDS: OnceLock<Option<Words>> = OnceLock::new();
    WORDS
        .get_or_init(|| {
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::DFA))
                .build(DECISIVE.iter().chain(SET_OFF).chain(WEAK))
                .ok()
                .map(|find| Words { find })
        })
        .as_ref()
}

fn is_wordy(whole: &[u8]) -> bool {
    share(whole) >= SHARE
}

/// Percent of the letters and digits that words of placeholders cover; 100 for a decisive word.
pub(super) fn share(whole: &[u8]) -> usize {
    let mut buffer = [0; LONGEST];
    let value = &whole[..whole.len().min(LONGEST)];
    let lower = &mut buffer[..value.len()];
    lower.copy_from_slice(value);
    lower.make_ascii_lowercase();
    let Some(words) = words() else { return 0 };
    let mut covered = [false; LONGEST];
    let mut any = false;
    for found in words.find.find_overlapping_iter(&*lower) {
        let n = found.pattern().as_usize();
        let span = found.start()..found.end();
        if n < DECISIVE.len() || (n < DECISIVE.len() + SET_OFF.len() && is_set_off(value, &span)) {
            return 100;
        }
        if is_bounded(value, &span) {
            covered[span].fill(true);
            any = true;
        }
    }
    if !any || value.len() < whole.len() {
        return 0;
    }
    let letters = value.iter().filter(|b| b.is_ascii_alphanumeric()).count();
    let inside = value.iter().zip(covered).filter(|(b, c)| *c && b.is_ascii_alphanumeric()).count();
    inside * 100 / letters.max(1)
}

/// Whether neither neighbour is a letter or digit.
fn is_set_off(value: &[u8], span: &Range<usize>) -> bool {
    let free = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric());
    free(span.start.checked_sub(1).and_then(|i| value.get(i))) && free(value.get(span.end))
}

/// Whether a word begins and ends where a person would see a word: at punctuation, at a change
/// between letters and digits, or at a capital. Words beside words count too, as in `secretkey`,
/// because the share decides.
fn is_bounded(value: &[u8], span: &Range<usize>) -> bool {
    let edge = |a: Option<u8>, b: Option<u8>| match (a, b) {
        (Some(a), Some(b)) => {
            !a.is_ascii_alphanumeric()
                || !b.is_ascii_alphanumeric()
                || a.is_ascii_digit() != b.is_ascii_digit()
                || (a.is_ascii_lowercase() && b.is_ascii_uppercase())
                || span.len() >= 3
        }
        _ => true,
    };
    let at = |i: usize| value.get(i).copied();
    edge(span.start.checked_sub(1).and_then(at), at(span.start)) && edge(at(span.end - 1), at(span.end))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, random, table};
    use super::*;

    #[test]
    fn placeholders_of_every_style() {
        table(
            &Rule::generic(),
            run,
            Reason::Placeholder,
            &[
                "«your_api_key_here»",
                "«YOUR-API-KEY»",
                "«changeme»",
                "«REPLACE_ME_PLEASE»",
                "«insert-token-here»",
                "«xxxxxxxxxxxxxxxx»",
                "«abcXXXXXXXXXXXXdef»",
                "«********»",
                "«sk-...»",
                "«abc***def»",
                "«test_key»",
                "«test123»",
                "«MySecretPassword»",
                "«secret»",
                "«password123»",
                "«dummy-token-1»",
                "«fake_secret_42»",
                "«not-a-real-key-4f8a»",
                "«todo»",
                "«foo»",
                "«foobar42x»",
                "«sample»",
                "«example»",
                "«SuperSecretValue»",
                "«none»",
                "«some-default-value»",
                "«12345678»",
                "postgres://«postgres»@localhost",
            ],
            &[
                "«hunter2Quk7»",
                "«Tr0ub4dor&3»",
                "«correcthorsebattery»",
                "«k8Jx2mPq9wLz»",
                "«contestwinner7»",
                "«p4ssw0rd!Zq9»",
            ],
        );
    }

    #[test]
    fn words_in_random_characters_are_chance() {
        let rule = Rule::structured(4);
        let (a, b) = (random(1, 30), random(2, 30));
        let chance = ["test", "key", "Key", "foo", "abc", "here", "API", "fake", "xxx", "1234"];
        let kept: Vec<String> = chance.iter().map(|w| format!("«acm_{a}{w}{b}»")).collect();
        table(&rule, run, Reason::Placeholder, &[], &kept.iter().map(String::as_str).collect::<Vec<_>>());
        let long = format!("«acm_{a}wEXAMPLE{}»", random(3, 400));
        table(&rule, run, Reason::Placeholder, &[&long], &[&long.replace("EXAMPLE", "KEY")]);
        let meant = format!("«acm_{}EXAMPLE»", &a[..13]);
        let worded = "«acm_your_test_token_value_1234»";
        table(&rule, run, Reason::Placeholder, &[&meant, worded, "«acm_xxxxxxxxxxxxxxxx»"], &[]);
        for seed in 0..3000 {
            table(&rule, run, Reason::Placeholder, &[], &[&format!("«acm_{}»", random(seed, 40))]);
        }
    }

    #[test]
    fn of_a_url_only_the_password_counts() {
        let r = random(1, 20);
        table(
            &Rule { fixed: 8, ..Rule::structured(8) },
            run,
            Reason::Placeholder,
            &["«postgres://user:password@db.internal/x»", "«https://hooks.io/services/XXXXXXXXX/XXXXXXX»"],
            &[
                &format!("«postgres://user:{r}@db.example.com/test»"),
                &format!("«https://hooks.example.com/services/{r}»"),
            ],
        );
    }

    #[test]
    fn lists_are_lower_case() {
        for word in DECISIVE.iter().chain(SET_OFF).chain(WEAK) {
            assert_eq!(word.to_lowercase(), **word);
        }
        assert!(words().is_some());
    }
}
