//! Names and words around a secret.

use std::ops::Range;

/// Farthest that a name is looked for before a secret.
const REACH: usize = 80;

/// The start of the run of characters without white space, quotes, `=`, `>` and `;` that ends at `at`;
/// at most a few dozen bytes back.
pub(super) fn token_start(hay: &[u8], at: usize) -> usize {
    let edge = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'=' | b'>' | b';');
    let low = at.saturating_sub(REACH);
    hay[low..at].iter().rposition(edge).map_or(low, |i| low + i + 1)
}

/// The name that a value is given to: the nearest run of name characters before it on its line,
/// over at most a few marks of assignment. Dots, dashes, slashes and `@` belong to a name.
pub(super) fn name_before(hay: &[u8], at: usize) -> &[u8] {
    &hay[name_span(hay, at)]
}

/// Where [`name_before`] stands; empty if there is none.
pub(super) fn name_span(hay: &[u8], at: usize) -> Range<usize> {
    let low = at.saturating_sub(REACH);
    let low = hay[low..at].iter().rposition(|&b| b == b'\n').map_or(low, |i| low + i + 1);
    let line = &hay[low..at];
    let mark = |b: &u8| {
        matches!(
            b,
            b' ' | b'\t'
                | b'"'
                | b'\''
                | b'`'
                | b'='
                | b':'
                | b'>'
                | b'('
                | b'['
                | b'{'
                | b'|'
                | b'\\'
                | b'?'
                | b'+'
        )
    };
    let Some(end) = line.iter().rposition(|b| !mark(b)) else { return at..at };
    let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b'@' | b'$');
    let start = line[..=end].iter().rposition(|b| !name(b)).map_or(0, |i| i + 1);
    low + start.min(end + 1)..low + end + 1
}

/// The words of a name: split at what is no letter or digit, and where lower case turns upper.
pub(super) fn words(name: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.split(|b| !b.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .flat_map(|part| part.chunk_by(|a, b| !turns(*a, *b)))
}

fn turns(a: u8, b: u8) -> bool {
    (a.is_ascii_lowercase() || a.is_ascii_digit()) && b.is_ascii_uppercase()
}

/// Whether a list has a word, without regard to case.
pub(super) fn listed(list: &[&str], word: &[u8]) -> bool {
    list.iter().any(|w| w.as_bytes().eq_ignore_ascii_case(word))
}

/// The quote right before a span, if the same one closes it.
pub(super) fn quoted(hay: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|i| hay.get(i));
    matches!(before, Some(b'"' | b'\'' | b'`')) && hay.get(end) == before
}

/// Whether a name is that of a password: what a person chooses may be a plain word.
pub(super) fn is_password(name: &[u8]) -> bool {
    const WORDS: &[&str] = &["password", "passwd", "passphrase", "pass", "pwd", "pw", "passwort", "userpass"];
    words(name)
        .next_back()
        .is_some_and(|last| listed(WORDS, last) || last.to_ascii_lowercase().ends_with(b"password"))
}

/// Whether letters could be a word of a human language: a vowel, no long row of consonants, and
/// capitals only at the start or throughout.
pub(super) fn is_wordlike(word: &[u8]) -> bool {
    if !(1..=20).contains(&word.len()) || !word.iter().all(u8::is_ascii_alphabetic) {
        return false;
    }
    let vowel = |b: &u8| matches!(b.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let longest_row = word.split(|b| vowel(b)).map(<[u8]>::len).max().unwrap_or(0);
    let rest = &word[1..];
    let cased = rest.iter().all(u8::is_ascii_lowercase) || word.iter().all(u8::is_ascii_uppercase);
    cased && longest_row <= 4 && (word.len() <= 3 || word.iter().any(vowel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_over_marks_of_assignment() {
        for (text, expected) in [
            ("api_key = «", "api_key"),
            ("  \"commitSha\": \"«", "commitSha"),
            ("user.password := '«", "user.password"),
            ("x => «", "x"),
            ("https://h/commit/«", "//h/commit/"),
            ("a: b\n«", ""),
            ("key: |\n«", ""),
            ("set(\"token\", \"«", ""),
            ("<token>«", "token"),
            ("«", ""),
        ] {
            let at = text.find('«').unwrap();
            let name = name_before(text.as_bytes(), at);
            assert_eq!(String::from_utf8_lossy(name), expected, "{text}");
        }
    }

    #[test]
    fn names_are_split_into_words() {
        let split = |name: &str| {
            words(name.as_bytes()).map(|w| String::from_utf8_lossy(w).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(split("api_key-id"), ["api", "key", "id"]);
        assert_eq!(split("commitSha256"), ["commit", "Sha256"]);
        assert_eq!(split("MAX_TOKENS"), ["MAX", "TOKENS"]);
        assert_eq!(split("tokenURL.x"), ["token", "URL", "x"]);
        assert_eq!(words(b"keyVaultName").next_back(), Some(&b"Name"[..]));
        assert_eq!(words(b"").count(), 0);
    }

    #[test]
    fn words_are_told_from_random_letters() {
        for word in ["Password", "the", "LOGIN", "strength", "mot", "de", "ihr"] {
            assert!(is_wordlike(word.as_bytes()), "{word}");
        }
        for text in ["xKcD", "bcdfg", "qwrtzpsd", "a1", "", "hUnter"] {
            assert!(!is_wordlike(text.as_bytes()), "{text}");
        }
    }
}
