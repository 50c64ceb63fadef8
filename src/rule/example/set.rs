//! The named sets of characters that examples draw from.

use super::Draw;

/// A named set of characters.
pub(super) struct Set {
    name: &'static str,
    pub(super) characters: &'static [u8],
}

const UPPER_LOWER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BY_CODE: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/-_";
const LOWER_FIRST: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// In the order of `docs/rules.md`.
const SETS: &[Set] = &[
    Set { name: "a62", characters: BY_CODE.split_at(62).0 },
    Set { name: "hex", characters: b"0123456789abcdef" },
    Set { name: "HEX", characters: b"0123456789ABCDEF" },
    Set { name: "lnum", characters: LOWER_FIRST.split_at(36).0 },
    Set { name: "unum", characters: BY_CODE.split_at(36).0 },
    Set { name: "lower", characters: UPPER_LOWER.split_at(26).1 },
    Set { name: "upper", characters: UPPER_LOWER.split_at(26).0 },
    Set { name: "alpha", characters: UPPER_LOWER },
    Set { name: "w", characters: b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_" },
    Set { name: "dig", characters: BY_CODE.split_at(10).0 },
    Set { name: "b64", characters: BY_CODE.split_at(64).0 },
    Set { name: "b64u", characters: b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_" },
    Set { name: "b32", characters: b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" },
    Set { name: "b32l", characters: b"abcdefghijklmnopqrstuvwxyz234567" },
    Set { name: "b58", characters: b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" },
    Set { name: "z32", characters: b"ybndrfg8ejkmcpqxot1uwisza345h769" },
    Set { name: "bech32", characters: b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" },
    Set { name: "x", characters: b"x" },
    Set { name: "lnumd", characters: LOWER_FIRST.split_at(37).0 },
    Set { name: "lnumu", characters: b"0123456789abcdefghijklmnopqrstuvwxyz_" },
    Set {
        name: "printable",
        characters: b"!#$%&*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ^_abcdefghijklmnopqrstuvwxyz|~",
    },
];

impl Set {
    pub(super) fn by_name(name: &str) -> Option<&'static Set> {
        SETS.iter().find(|set| set.name == name)
    }

    /// `n` characters. From eight on they are typical rather than merely possible: each kind of
    /// character that the set has occurs, and of a few draws the most varied is taken, so that a
    /// rule's own example does not fall to the filters by bad luck.
    pub(super) fn draw(&self, draw: &mut Draw, n: usize) -> Vec<u8> {
        if n < 8 || self.characters.len() == 1 {
            return draw.text(self.characters, n);
        }
        let mut best: Option<(usize, Vec<u8>)> = None;
        for attempt in 0..1000 {
            let text = draw.text(self.characters, n);
            if self.has_each_kind(&text) {
                let score = repeats(&text);
                if best.as_ref().is_none_or(|(least, _)| score < *least) {
                    best = Some((score, text));
                }
            }
            if attempt >= 3 && best.is_some() {
                break;
            }
        }
        best.map_or_else(|| draw.text(self.characters, n), |(_, text)| text)
    }

    fn has_each_kind(&self, text: &[u8]) -> bool {
        [u8::is_ascii_digit, u8::is_ascii_lowercase, u8::is_ascii_uppercase]
            .iter()
            .all(|kind| !self.characters.iter().any(kind) || text.iter().any(kind))
    }
}

/// Pairs of equal characters: low for a varied text.
fn repeats(text: &[u8]) -> usize {
    let mut counts = [0usize; 256];
    for b in text {
        counts[*b as usize] += 1;
    }
    counts.iter().map(|n| n * n).sum()
}

/// A random UUID (version 4), lower case.
pub(super) fn uuid(draw: &mut Draw) -> Vec<u8> {
    let mut hex = draw.text(b"0123456789abcdef", 32);
    hex[12] = b'4';
    hex[16] = b"89ab"[draw.below(4)];
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sets_are_distinct_and_have_the_documented_sizes() {
        let sizes: &[(&str, usize)] = &[
            ("a62", 62),
            ("hex", 16),
            ("HEX", 16),
            ("lnum", 36),
            ("unum", 36),
            ("lower", 26),
            ("upper", 26),
            ("alpha", 52),
            ("w", 63),
            ("dig", 10),
            ("b64", 64),
            ("b64u", 64),
            ("b32", 32),
            ("b32l", 32),
            ("b58", 58),
            ("z32", 32),
            ("bech32", 32),
            ("x", 1),
            ("lnumd", 37),
            ("lnumu", 37),
            ("printable", 82),
        ];
        assert_eq!(sizes.len(), SETS.len());
        for (name, size) in sizes {
            let set = Set::by_name(name).unwrap();
            assert_eq!(set.characters.iter().collect::<BTreeSet<_>>().len(), *size, "{name}");
        }
        assert!(Set::by_name("printable").unwrap().characters.iter().all(u8::is_ascii_graphic));
    }

    #[test]
    fn drawn_values_have_each_kind_of_character() {
        for set in SETS {
            for seed in 0..200 {
                let text = set.draw(&mut Draw::new(seed), 8);
                assert!(text.len() == 8 && text.iter().all(|b| set.characters.contains(b)));
                assert!(set.has_each_kind(&text), "{}", set.name);
            }
        }
    }

    #[test]
    fn uuids_are_of_version_four() {
        let text = String::from_utf8(uuid(&mut Draw::new(1))).unwrap();
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&text[14..15], "4");
    }
}
