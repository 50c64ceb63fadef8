//! Pieces of names and texts.

/// The words of a name: split at what is no letter or digit, where lower case turns upper, and
/// before the last capital of a row: `APIKeyFile` is `API`, `Key`, `File`.
pub(super) fn pieces(name: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.split(|b| !b.is_ascii_alphanumeric()).flat_map(humps)
}

/// The words of a row of letters and digits.
pub(super) fn humps(row: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let cut = move |i: usize| {
        let (a, b) = (row[i - 1], row[i]);
        b.is_ascii_uppercase()
            && (!a.is_ascii_uppercase() || row.get(i + 1).is_some_and(u8::is_ascii_lowercase))
    };
    let mut cuts = [0usize; 32];
    let mut n = 0;
    for i in 1..row.len() {
        if n < cuts.len() && cut(i) {
            cuts[n] = i;
            n += 1;
        }
    }
    (0..=n).filter_map(move |k| {
        let from = if k == 0 { 0 } else { cuts[k - 1] };
        let to = if k == n { row.len() } else { cuts[k] };
        (from < to).then(|| &row[from..to])
    })
}

/// Whether a text holds a word, without regard to case.
pub(super) fn contains(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty()
        && text.len() >= word.len()
        && text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_humps_and_signs() {
        let split = |name: &str| {
            pieces(name.as_bytes()).map(|w| String::from_utf8_lossy(w).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(split("APIKeyFile"), ["API", "Key", "File"]);
        assert_eq!(split("db.user-passWord"), ["db", "user", "pass", "Word"]);
        assert_eq!(split("MAX_TOKENS"), ["MAX", "TOKENS"]);
        assert_eq!(split("aB"), ["a", "B"]);
        assert_eq!(split("--"), Vec::<String>::new());
        assert_eq!(pieces(b"apiKeyFile").next_back(), Some(&b"File"[..]));
    }
}
