//! Lines that are safe to show.

use crate::model::{Excerpt, RawPath};
use std::ops::Range;

/// Bytes shown before and after the secret at the most.
const BEFORE: usize = 80;
const AFTER: usize = 40;
/// What stands for a secret.
const HIDDEN: &str = "[redacted]";

/// The line around `span` with every span of `secrets` replaced (sorted, disjoint), and every
/// literal repetition of `value` too. `shown` stands in the place of the secret itself.
pub(super) fn excerpt(
    bytes: &[u8],
    span: &Range<usize>,
    secrets: &[Range<usize>],
    value: &[u8],
    shown: &str,
) -> Excerpt {
    // What is not shown is not looked at: a line may be as long as the buffer, and hold many secrets.
    let reach = span.start.saturating_sub(BEFORE);
    let (from, cut) = match memchr::memrchr(b'\n', &bytes[reach..span.start]) {
        Some(n) => (reach + n + 1, false),
        None => (reach, reach > 0 && bytes[reach - 1] != b'\n'),
    };
    let reach = bytes.len().min(span.end + AFTER);
    let (to, more) = match memchr::memchr(b'\n', &bytes[span.end..reach]) {
        Some(n) => (span.end + n, false),
        None => (reach, bytes.get(reach).is_some_and(|b| *b != b'\n')),
    };
    let mut text = String::with_capacity(span.start - from + shown.len() + to - span.end);
    if cut {
        text.push('…');
    }
    push(&mut text, bytes, from..span.start, secrets, value);
    let mark = text.len();
    text.push_str(shown);
    let mark = mark..text.len();
    push(&mut text, bytes, span.end..to, secrets, value);
    if more {
        text.push('…');
    }
    Excerpt { text, mark }
}

/// Whether more than the secret itself is hidden in it.
pub(super) fn hides(excerpt: &Excerpt) -> bool {
    let Excerpt { text, mark } = excerpt;
    let beside = [text.get(..mark.start), text.get(mark.end..)];
    beside.iter().any(|part| part.is_none_or(|p| p.contains(HIDDEN)))
}

/// Appends a stretch with the secrets in it hidden, and control characters escaped.
fn push(text: &mut String, bytes: &[u8], stretch: Range<usize>, secrets: &[Range<usize>], value: &[u8]) {
    let mut at = stretch.start;
    let first = secrets.partition_point(|s| s.end <= stretch.start);
    for secret in
        secrets[first..].iter().take_while(|s| s.start < stretch.end).filter(|s| s.end > stretch.start)
    {
        if secret.start > at {
            plain(text, &bytes[at..secret.start], value);
        }
        if secret.end > at {
            text.push_str(HIDDEN);
            at = secret.end;
        }
    }
    if at < stretch.end {
        plain(text, &bytes[at..stretch.end], value);
    }
}

fn plain(text: &mut String, bytes: &[u8], value: &[u8]) {
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, value).filter(|_| !value.is_empty()) {
        text.push_str(&shown(&rest[..at]));
        text.push_str(HIDDEN);
        rest = &rest[at + value.len()..];
    }
    text.push_str(&shown(rest));
}

fn shown(bytes: &[u8]) -> String {
    // A tab is common and harmless as a space; a carriage return at the end of a line is no news.
    let tidy: Vec<u8> = bytes
        .strip_suffix(b"\r")
        .unwrap_or(bytes)
        .iter()
        .map(|&b| if b == b'\t' { b' ' } else { b })
        .collect();
    RawPath::new(&tidy).text().replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_of_the_line_is_hidden() {
        let text = b"first\nuser=alice:s3cr3t key=TOPVALUE # TOPVALUE \x1b[31m\nlast";
        let at =
            |s: &[u8]| memchr::memmem::find(text, s).map(|i| i..i + s.len()).expect("because it is there");
        let (other, own) = (at(b"s3cr3t"), at(b"TOPVALUE"));
        let e = excerpt(text, &own, &[other, own.clone()], b"TOPVALUE", "TOP…");
        assert_eq!(e.text, "user=alice:[redacted] key=TOP… # [redacted] \\u{1b}[31m");
        assert_eq!(&e.text[e.mark], "TOP…");
    }

    #[test]
    fn long_lines_are_cut_around_the_secret() {
        let text = [vec![b'a'; 500], b"KEY".to_vec(), vec![b'b'; 500]].concat();
        let e = excerpt(&text, &(500..503), &[], b"KEY", "K");
        assert!(e.text.starts_with("…aa") && e.text.ends_with("bb…") && e.text.len() < 140);
        let exact =
            [b"x\n".to_vec(), vec![b'a'; BEFORE], b"KEY".to_vec(), vec![b'b'; AFTER], b"\ny".to_vec()];
        let at = 2 + BEFORE;
        let e = excerpt(&exact.concat(), &(at..at + 3), &[], b"KEY", "K");
        assert_eq!(e.text, format!("{}K{}", "a".repeat(BEFORE), "b".repeat(AFTER)));
    }
}
