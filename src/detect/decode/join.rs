//! String literals that the language glues together.

use super::{Growing, View};
use crate::model::Encoding;
use memchr::{memchr3, memrchr};

const BACK: usize = 1024;
const LONGEST: usize = 16 << 10;
const GAP: usize = 200;
const SHORTEST: usize = 16;

const OPERATORS: [&[u8]; 6] = [b"..", b".", b"+", b"&", b"<>", b"||"];

/// Whether another literal follows the quote at `at`, should that close one.
#[inline]
pub(super) fn wanted(hay: &[u8], at: usize) -> bool {
    let quote = hay[at];
    // Nearly every quote is followed by a comma, a bracket or a letter.
    let start = match hay.get(at + 1) {
        Some(b' ' | b'\t' | b'\r' | b'\n' | b'+' | b'.' | b'&' | b'<' | b'|' | b'\\') => true,
        Some(&b) => b == quote,
        None => false,
    };
    // A quote before it would make its literal empty, a backslash makes it a letter.
    let closes = at > 0 && hay[at - 1] != b'\\' && hay[at - 1] != quote;
    start && closes && gap(hay, at + 1, quote).is_some()
}

/// Where the next literal opens if nothing but blanks and one operator stand from `at` to it.
fn gap(hay: &[u8], at: usize, quote: u8) -> Option<usize> {
    let hay = &hay[..hay.len().min(at + GAP + 1)];
    let mut joined = false;
    let mut i = at;
    loop {
        i += match *hay.get(i)? {
            // No language glues what stands in backticks together by itself, and Markdown has them side by side.
            b if b == quote => return (joined || quote != b'`').then_some(i),
            b' ' | b'\t' | b'\r' | b'\n' => 1,
            b'\\' => match hay.get(i + 1..)? {
                [b'\n', ..] => 2,
                [b'\r', b'\n', ..] => 3,
                _ => return None,
            },
            // Visual Basic goes on to the next line after a lone underscore.
            b'_' if joined => {
                let blanks = hay[i + 1..].iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
                (hay.get(i + 1 + blanks) == Some(&b'\n')).then_some(blanks + 2)?
            }
            _ if !joined => {
                joined = true;
                OPERATORS.iter().find(|op| hay[i..].starts_with(op))?.len()
            }
            _ => return None,
        };
    }
}

/// Where the literal that the quote at `at` closes opens, on the same line.
fn opening(hay: &[u8], at: usize, quote: u8) -> Option<usize> {
    let floor = at.saturating_sub(BACK);
    let line = memrchr(b'\n', &hay[floor..at]).map(|i| floor + i + 1);
    let from = line.unwrap_or(floor);
    let before = &hay[from..at];
    let mut open = memrchr(quote, before)?;
    while open > 0 && before[open - 1] == b'\\' {
        open = memrchr(quote, &before[..open])?;
    }
    // Where the line's beginning is in sight, an even number of quotes before this one means
    // that it opens a literal itself.
    if line.is_some() || floor == 0 {
        let first = usize::from(before[0] == quote);
        let rest = before.windows(2).filter(|w| w[1] == quote && w[0] != b'\\').count();
        if (first + rest).is_multiple_of(2) {
            return None;
        }
    }
    Some(from + open)
}

/// Where the literal that opens at `open` closes, on the same line and before `limit`.
fn closing(hay: &[u8], open: usize, limit: usize, quote: u8) -> Option<usize> {
    let hay = &hay[..hay.len().min(limit)];
    let mut i = open + 1;
    loop {
        i += memchr3(quote, b'\\', b'\n', hay.get(i..)?)?;
        match hay[i] {
            b'\\' => i += 2,
            b'\n' => return None,
            _ => return Some(i),
        }
    }
}

/// The literals chained at the quote at `at`, joined.
pub(super) fn build(hay: &[u8], at: usize) -> Option<View> {
    let quote = hay[at];
    let start = opening(hay, at, quote)?;
    // An empty literal ends a chain: three quotes in a row are another kind of literal, and a
    // chain of nothing else would be walked again from each of its quotes.
    let next = |end: usize| {
        let open = gap(hay, end + 1, quote)?;
        let close = closing(hay, open, start + LONGEST, quote)?;
        (close > open + 1).then_some((open, close))
    };
    let mut part = next(at)?;
    let mut grown = Growing::default();
    let mut add = |from: usize, to: usize| (from..to).for_each(|i| grown.push(hay[i], i));
    add(start + 1, at);
    let end = loop {
        add(part.0 + 1, part.1);
        match next(part.1) {
            Some(after) => part = after,
            None => break part.1,
        }
    };
    // The last quote stays outside, so that a chain too long for one view goes on in another.
    (grown.bytes.len() >= SHORTEST).then(|| grown.finish(&[Encoding::Joined], start..end))
}

#[cfg(test)]
mod tests {
    use super::super::Trigger::Join;
    use super::super::tests::{first, places};

    #[test]
    fn chains_become_one_text() {
        let hay = "k = \"sk-0123\" +\n    \"4567\" \"89abcdef\";";
        let v = first(Join, hay.as_bytes()).unwrap();
        assert_eq!(v.bytes, b"sk-0123456789abcdef");
        assert_eq!(v.outer, 4..hay.len() - 2);
        assert_eq!(places(&v, hay.as_bytes(), "3456"), ["3\" +\n    \"456"]);
        assert_eq!((v.map[0], v.map[18], v.map[19]), (5, 35, 36));
    }

    #[test]
    fn every_language_has_its_sign() {
        for sign in [
            " + ", "+", " . ", " .. ", " & ", " <> ", " || ", "", " ", "\n\t", " \\\n  ", "\n  + ", " +\r\n ",
        ] {
            let glued = sign.trim_matches(['\\', ' ', '\n', '\t']).is_empty();
            for quote in ["\"", "'", "`"] {
                if quote == "`" && glued {
                    continue;
                }
                let hay = format!("f(x, {quote}sk-01234567{quote}{sign}{quote}89abcdef{quote})");
                let v = first(Join, hay.as_bytes()).unwrap_or_else(|| panic!("{hay}"));
                assert_eq!(v.bytes, b"sk-0123456789abcdef", "{hay}");
                assert_eq!(v.outer, 5..hay.len() - 2, "{hay}");
            }
        }
    }

    #[test]
    fn escaped_quotes_stay_inside() {
        let hay = r#"x = "say \"hello\" " + "to the \\";"#;
        assert_eq!(first(Join, hay.as_bytes()).unwrap().bytes, br#"say \"hello\" to the \\"#);
    }

    #[test]
    fn a_long_chain_goes_on_in_another_view() {
        let hay = "\"abcdefgh\" ".repeat(4000);
        let mut at = 0;
        let mut views = 0;
        while let Some(v) = (at..hay.len()).find_map(|i| super::super::tests::from(Join, hay.as_bytes(), i)) {
            assert!(v.outer.len() <= super::LONGEST && v.bytes.len() >= 16);
            at = v.outer.end;
            views += 1;
        }
        assert_eq!(views, 3);
    }

    #[test]
    fn other_quotes_are_left_alone() {
        for hay in [
            "{\"first name\", \"second name\"}",
            "{\"first name\": \"second name\"}",
            "f(a + \" + \" + b, \"------------------\")",
            "'sixteen letters!' \"sixteen letters!\"",
            "\"\"\"a docstring of some length\"\"\"",
            "\"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\" \"\"",
            "\"short\" \"too\"",
            "\"sixteen letters!\"\n\n\nint x; \"sixteen letters!\"",
            "\"sixteen letters!\" \"no end of it\n",
            "\"sixteen letters!\" + + \"sixteen letters!\"",
            "`sixteen letters!`\n`sixteen letters!`",
        ] {
            assert!(first(Join, hay.as_bytes()).is_none(), "{hay}");
        }
        let far = format!("\"sixteen letters!\"{}\"sixteen letters!\"", " ".repeat(201));
        assert!(first(Join, far.as_bytes()).is_none());
    }
}
