//! What a text that holds one of a few values must hold itself, so that most texts need no search.

use crate::model::Secret;
use crate::rule::checksum::bytes::{BASE64, BASE64_URL, base64_encode};
use aho_corasick::{AhoCorasick, packed};

/// Bytes of a value that are looked for.
const PIECE: usize = 24;
/// Values beyond which a search is no dearer.
const MOST: usize = 256;

/// Looks for values as they stand, in base64, in hexadecimal and in UTF-16.
pub(super) enum Traces {
    /// Of few values: many bytes at once.
    Few(packed::Searcher),
    /// Of more, byte by byte.
    Many(AhoCorasick),
}

impl Traces {
    /// `None` if there are too many values, or one is too short to be told from chance.
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a Secret>) -> Option<Self> {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for (n, value) in values.enumerate() {
            // A block is wrapped in other places than here: one of its lines is enough.
            let lines = value.expose().split(|b| b.is_ascii_whitespace());
            let line = lines.max_by_key(|l| l.len()).unwrap_or_default();
            let piece = &line[..line.len().min(PIECE)];
            if n >= MOST || piece.len() < 6 {
                return None;
            }
            patterns.push(piece.to_vec());
            patterns.push(piece.iter().flat_map(|&b| [b, 0]).take(2 * piece.len() - 1).collect());
            for upper in [false, true] {
                let digits = |b: &u8| if upper { format!("{b:02X}") } else { format!("{b:02x}") };
                patterns.push(piece.iter().map(digits).collect::<String>().into_bytes());
            }
            for (alphabet, skip) in [BASE64, BASE64_URL].iter().flat_map(|a| [(a, 0), (a, 1), (a, 2)]) {
                let whole = &piece[skip..];
                patterns.push(base64_encode(&whole[..whole.len() / 3 * 3], alphabet, false));
            }
        }
        patterns.sort();
        patterns.dedup();
        if let Some(few) = packed::Searcher::new(&patterns) {
            return Some(Traces::Few(few));
        }
        // Building fails only beyond sizes that the bounds above exclude; then everything is searched.
        AhoCorasick::new(patterns).ok().map(Traces::Many)
    }

    /// Whether a text may hold one of the values.
    pub(super) fn may_be_in(&self, text: &[u8]) -> bool {
        match self {
            Traces::Few(few) => few.find(text).is_some(),
            Traces::Many(many) => many.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(values: &[&str]) -> Option<Traces> {
        let values: Vec<Secret> = values.iter().map(|v| Secret::new(v.as_bytes())).collect();
        Traces::new(values.iter())
    }

    #[test]
    fn a_value_is_seen_in_each_dress() {
        let value = "s3cr~t?>value/of+some&length";
        let traces = traces(&["another one", value]).unwrap();
        assert!(traces.may_be_in(format!("a = {value}").as_bytes()));
        assert!(!traces.may_be_in(&value.as_bytes()[1..]));
        for before in ["", "x", "xy", "xyz"] {
            let text = format!("{before}{value} and more");
            for alphabet in [BASE64, BASE64_URL] {
                assert!(traces.may_be_in(&base64_encode(text.as_bytes(), alphabet, true)), "{text}");
            }
            let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
            assert!(traces.may_be_in(hex.as_bytes()) && traces.may_be_in(hex.to_uppercase().as_bytes()));
            let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
            assert!(traces.may_be_in(&wide(u16::to_le_bytes)) && traces.may_be_in(&wide(u16::to_be_bytes)));
        }
    }

    #[test]
    fn a_block_is_seen_by_a_line_and_short_values_search_everything() {
        let block = "-----BEGIN X-----\nQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3\n-----END X-----";
        assert!(traces(&[block]).unwrap().may_be_in(block.replace('\n', "\\n").as_bytes()));
        assert!(traces(&["short"]).is_none());
        assert!(traces(&["long enough"; MOST + 1]).is_none());
    }
}
