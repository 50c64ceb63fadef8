//! Texts of a list: in `["user", "password", "email"]` no text is the value of the one before it.

use super::{Candidate, Outcome, Reason};

/// Most texts of a list that are counted.
const MOST: usize = 64;
/// Longest of them.
const LONGEST: usize = 80;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if c.is_generic() && (is_listed(c) || is_in_row(c) || is_counted(c)) {
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
    let rest = match rest {
        [more @ .., b'b' | b'r' | b'u' | b'f' | b'B' | b'R' | b'U' | b'L'] => more,
        _ => rest,
    };
    let Some(rest) = rest.trim_ascii_end().strip_suffix(b",") else { return false };
    let Some((name, rest)) = last_text(rest.trim_ascii_end()) else { return false };
    // An option is followed by its value: `["mysql", "--password", "…"]`.
    if after.first() != Some(quote) || name.starts_with(b"-") {
        return false;
    }
    if name.contains(&b' ') {
        return true;
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

/// Whether it is one of the numbers of an index: `"login":4711,"password":4712,`.
fn is_counted(c: &Candidate<'_>) -> bool {
    let numeral = |text: &[u8]| text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    if numeral(c.secret()) < c.secret().len() {
        return false;
    }
    let before = c.before().trim_ascii_end();
    let name = before.strip_suffix(b":").and_then(|b| last_text(b.trim_ascii_end()));
    let Some(rest) = name.and_then(|(_, rest)| rest.trim_ascii_end().strip_suffix(b",")) else {
        return false;
    };
    let rest = &rest[..rest.len() - numeral(rest)];
    rest.len() < c.before().len() && rest.trim_ascii_end().ends_with(b"\":")
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
    let mut front = &rest[..at - 1];
    // The letter of a literal of its own kind: `b"…"`.
    if let [more @ .., b'b' | b'r' | b'u' | b'f' | b'B' | b'R' | b'U' | b'L'] = front
        && more.last().is_none_or(|b| !b.is_ascii_alphanumeric())
    {
        front = more;
    }
    (rest[at - 1] == *quote).then(|| (&rest[at..], front))
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
                "f(b\"user\", b\"realm\", b\"x\", b\"password\", b\"«preHA1»\")",
                "(OID, 'Modify Password', '«RFC3062»')",
                "{\"login\":4711,\"password\":«4712»,",
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
                "{\"port\":\"x\",\"password\":«4712»,",
                "{\"password\":«4712»}",
            ],
        );
    }
}
