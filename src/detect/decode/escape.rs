//! Backslash escapes in string literals, JSON and shell, and lines continued by a backslash.

use super::{Growing, View, hex_digit, hex_pair};
use crate::model::Encoding;

const BACK: usize = 512;
const FORWARD: usize = 16 << 10;

/// A token this long after a short escape may be a secret that the escape's letter hides.
const TOKEN: usize = 16;

/// A `\/` counts as part of base64 in a run this long.
const BASE64: usize = 24;

fn in_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

/// Whether undoing the escape at `at` could bring a secret to light.
#[inline]
pub(super) fn wanted(hay: &[u8], at: usize) -> bool {
    let telling = |b: u8| matches!(b, b' '..=b'~' | b'\n');
    match hay.get(at + 1) {
        Some(b'x') => hex_pair(hay, at + 2).is_some_and(telling),
        Some(b'u') => matches!(long(hay, at), Some((c, _)) if u8::try_from(c).is_ok_and(telling)),
        Some(b'0'..=b'3') => octal(hay, at).is_some_and(telling),
        Some(b'/') if within_base64(hay, at) => true,
        Some(b'n' | b't' | b'r' | b'"' | b'/') => before_token(hay, at + 2),
        Some(b'\n' | b'\r') => continued(hay, at).is_some(),
        _ => false,
    }
}

fn before_token(hay: &[u8], at: usize) -> bool {
    let Some(next) = hay.get(at..at + TOKEN) else { return false };
    next.iter().all(|&b| in_token(b)) || next.starts_with(b"-----BEGIN")
}

/// Whether the `\/` at `at` stands inside what looks like base64 written into JSON.
fn within_base64(hay: &[u8], at: usize) -> bool {
    let letter = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'\\' | b'=');
    let back = hay[at.saturating_sub(2 * BASE64)..at].iter().rev().take_while(letter).count();
    let ahead = hay[at + 2..].iter().take(2 * BASE64).take_while(letter).count();
    let run = &hay[at - back..at + 2 + ahead];
    let slashes = run.iter().filter(|&&b| b == b'\\').count();
    back > 0
        && ahead > 0
        && run.len() - slashes >= BASE64
        // Paths are words; base64 this long has digits and both cases.
        && run.iter().any(u8::is_ascii_digit)
        && run.iter().any(u8::is_ascii_uppercase)
        && run.iter().any(u8::is_ascii_lowercase)
}

fn octal(hay: &[u8], at: usize) -> Option<u8> {
    let &[a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] = hay.get(at + 1..)?.first_chunk()? else {
        return None;
    };
    Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
}

/// The `\uHHHH` or `\u{H...}` at `at`: its character and length.
fn long(hay: &[u8], at: usize) -> Option<(char, usize)> {
    if hay.get(at + 2) == Some(&b'{') {
        let digits = hay[at + 3..].iter().take(7).take_while(|b| b.is_ascii_hexdigit()).count();
        if !(1..=6).contains(&digits) || hay.get(at + 3 + digits) != Some(&b'}') {
            return None;
        }
        let value = hay[at + 3..at + 3 + digits]
            .iter()
            .fold(0, |v, &b| v << 4 | u32::from(hex_digit(b).unwrap_or(0)));
        return Some((char::from_u32(value)?, digits + 4));
    }
    let unit = |at: usize| {
        let marked = hay.get(at..at + 2)? == b"\\u";
        marked.then_some(u32::from(hex_pair(hay, at + 2)?) << 8 | u32::from(hex_pair(hay, at + 4)?))
    };
    let first = unit(at)?;
    if let (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) = (first, unit(at + 6)) {
        let c = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
        return Some((c, 12));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

/// The length of the line break after the backslash at `at`, with it.
fn line_break(hay: &[u8], at: usize) -> Option<usize> {
    match hay.get(at + 1..)? {
        [b'\n', ..] => Some(2),
        [b'\r', b'\n', ..] => Some(3),
        _ => None,
    }
}

/// The length of a line break, escaped at `at`, that splits a token: with the indentation.
fn continued(hay: &[u8], at: usize) -> Option<usize> {
    let next = at + line_break(hay, at)?;
    // The indentation counts as far as a view could show the token after it.
    let indent = hay[next..].iter().take(BACK).take_while(|&&b| b == b' ' || b == b'\t').count();
    let split = at > 0 && in_token(hay[at - 1]) && hay.get(next + indent).is_some_and(|&b| in_token(b));
    split.then_some(next + indent - at)
}

/// Adds what the escape at `at` stands for; its length, or `None` if it stands for itself.
fn unescape(hay: &[u8], at: usize, grown: &mut Growing) -> Option<usize> {
    let short = match hay.get(at + 1)? {
        b'x' => {
            grown.push(hex_pair(hay, at + 2)?, at);
            return Some(4);
        }
        b'u' => {
            let (c, len) = long(hay, at)?;
            grown.push_char(c, at);
            return Some(len);
        }
        b'0'..=b'3' => {
            grown.push(octal(hay, at)?, at);
            return Some(4);
        }
        b'\n' | b'\r' => return continued(hay, at).or_else(|| line_break(hay, at)),
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        &b @ (b'"' | b'\'' | b'`' | b'/' | b'\\') => b,
        _ => return None,
    };
    grown.push(short, at);
    Some(2)
}

/// Where the literal or line around `at` begins, and the quote that opened it.
fn opening(hay: &[u8], at: usize) -> (usize, Option<u8>) {
    let floor = at.saturating_sub(BACK);
    for i in (floor..at).rev() {
        match hay[i] {
            b'\n' => return (i + 1, None),
            quote @ (b'"' | b'\'' | b'`') => {
                let slashes = hay[floor..i].iter().rev().take_while(|&&b| b == b'\\').count();
                if slashes.is_multiple_of(2) {
                    return (i + 1, Some(quote));
                }
            }
            _ => {}
        }
    }
    (floor, None)
}

/// Where what begins at `start` ends: at its quote, at the line's end, or at a bound.
fn closing(hay: &[u8], start: usize, quote: Option<u8>) -> usize {
    let limit = hay.len().min(start + BACK + FORWARD);
    let mut i = start;
    while i < limit && hay[i] != b'\n' && Some(hay[i]) != quote {
        i += if hay[i] == b'\\' { line_break(hay, i).unwrap_or(2) } else { 1 };
    }
    i.min(limit)
}

/// The literal or line around `at`, unescaped.
pub(super) fn build(hay: &[u8], at: usize) -> Option<View> {
    let (start, quote) = opening(hay, at);
    let end = closing(hay, start, quote);
    let mut grown = Growing::with_capacity(end - start);
    let mut progress = false;
    let mut i = start;
    while i < end {
        let len = if hay[i] == b'\\' { unescape(&hay[..end], i, &mut grown) } else { None };
        progress |= len.is_some();
        if len.is_none() {
            grown.push(hay[i], i);
        }
        i += len.unwrap_or(1);
    }
    progress.then(|| grown.finish(&[Encoding::Escape], start..end))
}

#[cfg(test)]
mod tests {
    use super::super::Trigger::Escape;
    use super::super::tests::{first, places, view};

    #[test]
    fn escapes_become_what_they_spell() {
        let cases: &[(&str, &str, &str, &str)] = &[
            (r#"k = "sk-\x41\u0042\u{43}\104e";"#, "sk-ABCDe", "ABCD", r"\x41\u0042\u{43}\104"),
            (r#"{"k": "\u003d\ud83d\ude00\ud800z"}"#, "=😀\u{fffd}z", "😀", r"\ud83d\ude00"),
            (
                r#""-----\n-----BEGIN KEY-----\nMIIE\n""#,
                "-----\n-----BEGIN KEY-----\nMIIE\n",
                "\nMIIE",
                r"\nMIIE",
            ),
            (r#""{\"key\":\"abcdefghijklmnop\"}""#, r#"{"key":"abcdefghijklmnop"}"#, "\"abc", r#"\"abc"#),
            (r#""wJalrXUtnFEMI\/K7MDENG\/bPxRfiCYEX""#, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEX", "I/K", r"I\/K"),
            ("x = 'sk-abc\\\n    def'\n", "sk-abcdef", "cdef", "c\\\n    def"),
            ("x = 'sk-abc\\\r\ndef \\\n g'\n", "sk-abcdef  g", "cd", "c\\\r\nd"),
            (r"echo \x41 \d \q\xzz", r"echo A \d \q\xzz", "A", r"\x41"),
            (r#"f("it\"s", "\\nabcdefghijklmnop")"#, r"\nabcdefghijklmnop", r"\n", r"\\n"),
            (r#""\xc3\xa9\x0a""#, "é\n", "é", r"\xc3\xa9"),
        ];
        for &(hay, decoded, part, place) in cases {
            let v = first(Escape, hay.as_bytes()).unwrap_or_else(|| panic!("{hay}"));
            assert_eq!(String::from_utf8_lossy(&v.bytes), decoded, "{hay}");
            assert_eq!(places(&v, hay.as_bytes(), part), [place], "{hay}");
        }
    }

    #[test]
    fn common_escapes_are_left_alone() {
        for hay in [
            r#"printf("%d\n", x); "\t\x1b[0m\0" '\\' "\033[1m" "a\"b" C:\dir\new_file \u00e9 \u{110000} \u{}"#,
            "#define X(a) do { \\\n\tfoo(a); \\\n} while (0)\n",
            r#""https:\/\/example.com\/some\/path\/to\/a\/file""#,
            "\\",
            "\\x4",
            "\\u{41",
        ] {
            assert!(first(Escape, hay.as_bytes()).is_none(), "{hay}");
        }
    }

    #[test]
    fn a_long_line_is_bounded_on_both_sides() {
        let hay = "x\\x41".repeat(9000);
        let v = view(Escape, hay.as_bytes(), 5001).unwrap();
        assert_eq!(v.outer.start, 5001 - 512);
        assert!((16_890..=16_896).contains(&v.outer.len()));
    }
}
