//! Texts of a list: in `["user", "password", "email"]` no text is the value of the one before it.

use super::{Candidate, Outcome, Reason};

/// Most texts of a list that are counted.
const MOST: usize = 64;
/// Longest of them.
const LONGEST: usize = 80;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if c.is_generic() && (is_listed(c) || is_in_row(c)) {
        Outcome::Drop(Reason::Listed)
    } else {
        Outcome::Keep
    }
}

fn is_quote(b: &u8) -> bool {
    matches!(b, b'"' | b'\'' | b'`')
}

/// Whether a value is one of a list, by what stands before and after it.
fn is_listed(c: &Candidate<'_>) -> bool {
    let after = c.after();
    let Some((quote, rest)) = c.before().split_last().filter(|(q, _)| is_quote(q)) else { return false };
    let Some(rest) = rest.trim_ascii_end().strip_suffix(b",") else { return false };
    let Some((name, rest)) = last_text(rest.trim_ascii_end()) else { return false };
    // An option is followed by its value: `["mysql", "--password", "…"]`.
    if after.first() != Some(quote) || name.starts_with(b"-") {
        return false;
    }
    // A pattern that begins farther off knows the call: `connect("host", "user", "…")`.
    if c.whole.start < rest.len() {
        return false;
    }
    let (mut rest, mut index) = (rest.trim_ascii_end(), 0);
    while let Some(front) = rest.strip_suffix(b",") {
        // What is no text may be anything, so that nothing can be said.
        let Some((_, front)) = last_text(front.trim_ascii_end()) else { return false };
        (rest, index) = (front.trim_ascii_end(), index + 1);
        if index == MOST {
            return true;
        }
    }
    match rest.last() {
        // Calls take names and values in turn: `Map.of("user", "…", "password", "…")`.
        Some(b'(') => index % 2 == 1,
        Some(b'[' | b'{') => index > 0 || goes_on(&after[1..]),
        // Marked words of a sentence: `PASSWORD`, `PROTOCOL`.
        _ => *quote == b'`' || index > 0,
    }
}

/// Whether it is a bare word after a comma: `defprint, nokeyword, etnriaos`.
fn is_in_row(c: &Candidate<'_>) -> bool {
    c.before().trim_ascii_end().ends_with(b",") && c.secret().iter().all(u8::is_ascii_alphabetic)
}

/// Whether another text follows.
fn goes_on(after: &[u8]) -> bool {
    let next = after.trim_ascii_start().strip_prefix(b",").map(<[u8]>::trim_ascii_start);
    next.and_then(<[u8]>::first).is_some_and(is_quote)
}

/// The quoted text at the end, and what stands before it.
fn last_text(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (quote, rest) = text.split_last().filter(|(q, _)| is_quote(q))?;
    let start = rest.iter().rev().take(LONGEST).position(|b| b == quote || *b == b'\n')?;
    let at = rest.len() - start;
    (rest[at - 1] == *quote).then(|| (&rest[at..], &rest[..at - 1]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, table};
    use super::*;

    #[test]
    fn texts_of_a_list_are_no_values() {
        table(
            &Rule::generic(),
            run,
            Reason::Listed,
            &[
                "kind = (\"plain\", \"password\", \"«base64»\", \"joined\")",
                "own = [\"PATH\", \"PWD\", \"«SHLVL»\"]",
                "['password', '«passwort2»', 'kennwort']",
                "{\"token\", \"«lexeme7»\",\n  \"span\"}",
                "Flags: `LONG_PASSWORD`, `«PROTOCOL_41»`.",
                "x = \"user\", \"password\", \"«mail2»\"",
                "defprint, nokeyword, «etnriaoslucdfm», x",
            ],
            &[
                "setProperty(\"password\", \"«w1nter23»\")",
                "Map.of(\"user\", \"svc\", \"password\", \"«w1nter23»\")",
                "[\"mysql\", \"--password\", \"«w1nter23»\"]",
                "[\"password\", \"«w1nter23»\"]",
                "login(user, \"password\", \"«w1nter23»\")",
                "(\"password\", \"«w1nter23»\"), (\"x\", \"y\")",
                "password = \"«w1nter23»\", \"x\"",
                "«\"»",
            ],
        );
    }
}
