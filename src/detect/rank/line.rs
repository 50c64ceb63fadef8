//! Features of the line: how the value is given to the name, and what else stands there.

use super::features::{Feature, Features};
use super::value::edge;
use std::ops::Range;

/// How far a line is looked at, before and after the value.
const BEFORE: usize = 300;
const AFTER: usize = 160;

const COMMENTS: [&[u8]; 9] = [b"//", b"#", b"*", b"/*", b"--", b";", b"<!--", b"%", b"\"\"\""];

/// The line of a value, cut where it is very long.
pub(super) fn of(hay: &[u8], name: &Range<usize>, span: &Range<usize>) -> Range<usize> {
    let from = name.start.min(span.start);
    let low = from.saturating_sub(BEFORE);
    let start = memchr::memrchr(b'\n', &hay[low..from]).map_or(low, |i| low + i + 1);
    let high = (span.end + AFTER).min(hay.len());
    let end = memchr::memchr(b'\n', &hay[span.end..high]).map_or(high, |i| span.end + i);
    start..end
}

pub(super) fn measure(
    f: &mut Features,
    hay: &[u8],
    line: &Range<usize>,
    name: &Range<usize>,
    span: &Range<usize>,
) {
    let front = &hay[line.start..name.start.clamp(line.start, span.start)];
    let between = &hay[name.end.min(span.start)..span.start];
    let rest = &hay[span.end..line.end];
    let before = span.start.checked_sub(1).map(|i| hay[i]);
    let after = hay.get(span.end).copied();
    let quote = match (before, after) {
        (Some(a @ (b'"' | b'\'' | b'`')), Some(b)) if a == b => match a {
            b'"' => 1,
            b'\'' => 2,
            _ => 3,
        },
        (Some(b'"' | b'\'' | b'`'), _) => 4,
        (Some(b'>'), Some(b'<')) => 5,
        (Some(b':'), Some(b'@')) => 6,
        _ => 0,
    };
    f.set(Feature::Quote, quote);
    f.set(Feature::Operator, operator(between));
    f.set(Feature::OperatorLength, between.len());
    f.set(Feature::Form, form(quote, between));
    f.set(Feature::NextByte, if quote == 0 { edge(after) } else { edge(rest.get(1).copied()) });
    f.set(Feature::RestOfLine, rest.trim_ascii_end().len());
    // A quote around the name belongs to it.
    let bare = match front {
        [rest @ .., b'"' | b'\'' | b'`'] => rest,
        _ => front,
    };
    f.set(Feature::NameOpens, edge(bare.trim_ascii_end().last().copied()));
    f.set(Feature::Before, front.trim_ascii_start().len());
    f.set(Feature::LineWords, spoken(front) + spoken(rest));
    let marks = |text: &[u8]| text.iter().filter(|b| matches!(b, b'"' | b'\'' | b'`')).count();
    f.set(Feature::LineQuotes, marks(front) + marks(between) + marks(rest));
    f.set(Feature::LineCalls, calls(front) + calls(between) + calls(rest));
    let start = front.trim_ascii_start();
    f.flag(Feature::Comment, COMMENTS.iter().any(|m| start.starts_with(m)));
    f.flag(Feature::LineBreak, between.contains(&b'\n'));
}

/// A number for the mark that assigns.
fn operator(between: &[u8]) -> usize {
    let has = |text: &[u8]| memchr::memmem::find(between, text).is_some();
    if has(b"==") {
        1
    } else if has(b"=>") {
        2
    } else if has(b":=") {
        3
    } else if has(b"=") {
        4
    } else if has(b":") {
        5
    } else if has(b"(") {
        6
    } else if has(b",") {
        7
    } else if has(b">") {
        8
    } else if between.iter().all(u8::is_ascii_whitespace) {
        9
    } else {
        10
    }
}

/// A number for the whole of it.
fn form(quote: usize, between: &[u8]) -> usize {
    match quote {
        0 if between.is_empty() => 0,
        0 if between.iter().any(|b| matches!(b, b'"' | b'\'' | b'`')) => 1,
        0 => 2,
        1..=3 if between.contains(&b'(') => 3,
        1..=3 if between.iter().any(u8::is_ascii_alphabetic) => 4,
        1..=3 => 5,
        4 => 6,
        5 => 7,
        _ => 8,
    }
}

/// Words of two letters or more.
fn spoken(text: &[u8]) -> usize {
    text.split(|b| !b.is_ascii_alphabetic()).filter(|w| w.len() >= 2).count()
}

fn calls(text: &[u8]) -> usize {
    text.windows(2)
        .filter(|w| matches!(w[1], b'(' | b'[') && (w[0].is_ascii_alphanumeric() || w[0] == b'_'))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str, name: &str) -> Features {
        let start = text.find('«').unwrap();
        let end = text.find('»').unwrap() - '«'.len_utf8();
        let hay = text.replacen(['«', '»'], "", 2).replace(['«', '»'], "");
        let at = hay.find(name).unwrap();
        let (name, span) = (at..at + name.len(), start..end);
        let line = of(hay.as_bytes(), &name, &span);
        let mut f = Features::new();
        measure(&mut f, hay.as_bytes(), &line, &name, &span);
        f
    }

    #[test]
    fn lines_are_measured() {
        let f = of_text("x = 1\n  db.password = \"«abc»\"; // for it\ny", "db.password");
        for (feature, value) in [
            (Feature::Quote, 1),
            (Feature::Operator, 4),
            (Feature::Form, 5),
            (Feature::NextByte, 4),
            (Feature::RestOfLine, 12),
            (Feature::Before, 0),
            (Feature::LineWords, 2),
            (Feature::Comment, 0),
            (Feature::LineCalls, 0),
        ] {
            assert_eq!(f.get(feature), value, "{feature:?}");
        }
        assert_eq!(of_text("# password: «abc»", "password").get(Feature::Comment), 1);
        assert_eq!(of_text("f(password=«abc»)", "password").get(Feature::LineCalls), 1);
        assert_eq!(of_text("password: &str = '«abc»'", "password").get(Feature::Form), 4);
        assert_eq!(of_text("<password>«abc»</password>", "password").get(Feature::Form), 7);
        assert_eq!(of_text("password:\n  - «abc»", "password").get(Feature::LineBreak), 1);
    }
}
