//! Classes of characters as ranges of code points.

use std::fmt::Write;

/// Largest code point.
const LAST: u32 = 0x10_ffff;

/// First and last of each range.
pub(super) type Ranges = Vec<(u32, u32)>;

/// Writes a character of a class.
pub(super) fn push_member(out: &mut String, code: u32) {
    match char::from_u32(code) {
        Some(c @ ('\\' | ']' | '[' | '^' | '-' | '&' | '~')) => {
            out.push('\\');
            out.push(c);
        }
        Some(c @ ' '..='}') => out.push(c),
        Some('\t') => out.push_str("\\t"),
        Some('\n') => out.push_str("\\n"),
        Some('\x0b') => out.push_str("\\v"),
        Some('\x0c') => out.push_str("\\f"),
        Some('\r') => out.push_str("\\r"),
        _ => {
            let _ = write!(out, "\\x{{{code:X}}}");
        }
    }
}

/// Sorted and joined.
pub(super) fn normal(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut out: Ranges = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match out.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => out.push((low, high)),
        }
    }
    out
}

/// Everything else. Surrogates are no characters.
pub(super) fn complement(ranges: &Ranges) -> Ranges {
    let (mut out, mut from) = (Ranges::new(), 0);
    for &(low, high) in ranges {
        if low > from {
            out.push((from, low - 1));
        }
        from = high + 1;
    }
    if from <= LAST {
        out.push((from, LAST));
    }
    let split = |(low, high): (u32, u32)| match low < 0xd800 && high > 0xdfff {
        true => vec![(low, 0xd7ff), (0xe000, high)],
        false => vec![(low, high)],
    };
    out.into_iter().flat_map(split).collect()
}

fn chars(text: &[&str]) -> Ranges {
    let range = |t: &&str| {
        let mut c = t.chars().map(|c| c as u32);
        let low = c.next().unwrap_or(0);
        (low, c.next().unwrap_or(low))
    };
    normal(text.iter().map(range).collect())
}

/// What `\d`, `\w` and `\s` stand for.
pub(super) fn perl(name: char) -> Ranges {
    match name {
        'd' => chars(&["09"]),
        'w' => chars(&["09", "AZ", "az", "_"]),
        _ => chars(&["\t\n", "\x0c\r", " "]),
    }
}

/// What `[:name:]` stands for.
pub(super) fn posix(name: &str) -> Option<Ranges> {
    Some(match name {
        "alnum" => chars(&["09", "AZ", "az"]),
        "alpha" => chars(&["AZ", "az"]),
        "ascii" => chars(&["\0\x7f"]),
        "blank" => chars(&["\t", " "]),
        "cntrl" => chars(&["\0\x1f", "\x7f"]),
        "digit" => chars(&["09"]),
        "graph" => chars(&["!~"]),
        "lower" => chars(&["az"]),
        "print" => chars(&[" ~"]),
        "punct" => chars(&["!/", ":@", "[`", "{~"]),
        "space" => chars(&["\t\r", " "]),
        "upper" => chars(&["AZ"]),
        "word" => perl('w'),
        "xdigit" => chars(&["09", "AF", "af"]),
        _ => return None,
    })
}
