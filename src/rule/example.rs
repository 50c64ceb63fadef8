//! The small language of a rule's examples: random characters, checksums and encodings take the
//! place of literals, so that no key-shaped text stands in a rule file. See `docs/rules.md`.

mod random;
mod reader;
mod set;

pub use random::random;

use super::checksum::Checksum;
use super::checksum::Verdict;
use super::checksum::bytes::{BASE64, BASE64_URL, Draw, base64_encode};
use reader::Reader;
use set::Set;
use std::ops::Range;

/// Most characters that one hole may ask for.
const MOST: usize = 100_000;

/// An expanded example with its marked secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The text as it would stand in a file.
    pub text: Vec<u8>,
    /// Where the secret stands in `text`; inside an encoding, the encoded characters that hold it.
    pub secret: Range<usize>,
    /// The secret itself, decoded.
    pub value: Vec<u8>,
}

/// Expands an entry of `matches`, which marks exactly one secret with `<…>`.
pub fn expand(example: &str, checksum: Option<&dyn Checksum>, seed: u64) -> Result<Expanded, String> {
    let mut run = Run { draw: Draw::new(seed), checksum, seed, marks: true };
    let made = run.pieces(&mut Reader { rest: example, open: None })?;
    let (secret, value) = made.secret.ok_or(
        "marks no secret: put `<` and `>` around the one the rule must report (`\\<` is a plain `<`)",
    )?;
    Ok(Expanded { text: made.text, secret, value })
}

/// Expands an entry of `rejects`, where `<` and `>` are plain characters. `{checksum}` is made for
/// the run of characters around it, up to white space, quotes, brackets and separators.
pub fn expand_plain(example: &str, checksum: Option<&dyn Checksum>, seed: u64) -> Result<Vec<u8>, String> {
    let mut run = Run { draw: Draw::new(seed), checksum, seed, marks: false };
    let mut made = run.pieces(&mut Reader { rest: example, open: None })?;
    if let Some(hole) = made.hole.take() {
        let edge = |b: u8| b.is_ascii_whitespace() || b"\"'`<>()[]{},;:".contains(&b);
        let start = made.text[..hole.start]
            .iter()
            .enumerate()
            .rposition(|(i, &b)| edge(b) || (b == b'=' && i + 1 < hole.start))
            .map_or(0, |i| i + 1);
        let end =
            made.text[hole.end..].iter().position(|&b| edge(b)).map_or(made.text.len(), |i| hole.end + i);
        let mut value = made.text[start..end].to_vec();
        run.fill(&mut value, hole.start - start..hole.end - start)?;
        made.text.splice(start..end, value);
    }
    Ok(made.text)
}

/// What a stretch of an example came to.
#[derive(Default)]
struct Made {
    text: Vec<u8>,
    secret: Option<(Range<usize>, Vec<u8>)>,
    /// A checksum's place that is not filled yet.
    hole: Option<Range<usize>>,
}

struct Run<'c> {
    draw: Draw,
    checksum: Option<&'c dyn Checksum>,
    seed: u64,
    /// Whether `<…>` marks a secret here.
    marks: bool,
}

impl Run<'_> {
    /// Expands up to the end, or inside braces up to the closing one.
    fn pieces(&mut self, from: &mut Reader) -> Result<Made, String> {
        let mut made = Made::default();
        let mut mark: Option<usize> = None;
        while let Some(c) = from.take() {
            match c {
                '\\' => match from.rest.chars().next() {
                    Some(next @ ('<' | '>' | '{' | '\\')) => {
                        from.take();
                        made.text.push(next as u8);
                    }
                    Some('}') if from.open.is_some() => {
                        from.take();
                        made.text.push(b'}');
                    }
                    _ => made.text.push(b'\\'),
                },
                '<' if self.marks && mark.is_some() => {
                    return Err("has a `<` inside the marked secret: write `\\<` for a plain one".into());
                }
                '<' if self.marks => {
                    if made.secret.is_some() {
                        return Err("marks two secrets: mark one, and write `\\<` for a plain `<`".into());
                    }
                    mark = Some(made.text.len());
                }
                '>' if mark.is_some() => {
                    let start = mark.take().unwrap_or_default();
                    made.secret = Some(self.marked(&mut made, start)?);
                }
                '{' => self.brace(from, &mut made, mark.is_some())?,
                '}' if from.open == Some(0) => {
                    return if mark.is_some() { Err(UNCLOSED.into()) } else { Ok(made) };
                }
                c => {
                    if let ('}', Some(open)) = (c, &mut from.open) {
                        *open -= 1;
                    }
                    made.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        match (mark, from.open) {
            (Some(_), _) => Err(UNCLOSED.into()),
            (None, Some(_)) => Err("has no `}` at the end of `{base64|…}`".into()),
            (None, None) => Ok(made),
        }
    }

    /// What follows a `{`: a hole, an encoding, or a plain brace.
    fn brace(&mut self, from: &mut Reader, made: &mut Made, marked: bool) -> Result<(), String> {
        for (word, alphabet, pad) in [("base64|", BASE64, true), ("base64url|", BASE64_URL, false)] {
            if from.skip(word) {
                let mut inner = Reader { rest: from.rest, open: Some(0) };
                let content = self.pieces(&mut inner)?;
                from.rest = inner.rest;
                return encode(content, alphabet, pad, made, marked);
            }
        }
        let Some((name, count)) = from.hole() else {
            made.text.push(b'{');
            if let Some(open) = &mut from.open {
                *open += 1;
            }
            return Ok(());
        };
        match name {
            "checksum" => {
                let algorithm = self.checksum.ok_or("has `{checksum}`, but the rule names no algorithm")?;
                if self.marks && !marked {
                    return Err("has `{checksum}` outside the marked secret".into());
                }
                if made.hole.is_some() {
                    return Err("has two checksums".into());
                }
                let start = made.text.len();
                made.text.resize(start + algorithm.width(), b'0');
                made.hole = Some(start..made.text.len());
            }
            "uuid" => made.text.extend(set::uuid(&mut self.draw)),
            _ => {
                let n = count.and_then(|n| n.parse().ok()).filter(|n| (1..=MOST).contains(n)).ok_or_else(
                    || format!("has `{{{name}}}` without a count from 1 to {MOST}: `{{{name}:32}}`"),
                )?;
                if let Some(set) = Set::by_name(name) {
                    made.text.extend(set.draw(&mut self.draw, n));
                }
            }
        }
        Ok(())
    }

    /// Closes a marked secret that begins at `start`: fills its checksum, which may change its length.
    fn marked(&mut self, made: &mut Made, start: usize) -> Result<(Range<usize>, Vec<u8>), String> {
        let mut value = made.text.split_off(start);
        if let Some(hole) = made.hole.take() {
            self.fill(&mut value, hole.start - start..hole.end - start)?;
        }
        if value.is_empty() {
            return Err("marks nothing: `<>` holds no characters".into());
        }
        made.text.extend_from_slice(&value);
        Ok((start..made.text.len(), value))
    }

    fn fill(&mut self, value: &mut Vec<u8>, hole: Range<usize>) -> Result<(), String> {
        let Some(algorithm) = self.checksum else { return Ok(()) };
        if hole.len() == value.len() && !algorithm.makes_whole() {
            return Err(format!(
                "has `{{checksum}}` alone: `{}` needs the rest of the secret before it",
                algorithm.name()
            ));
        }
        algorithm.fill(value, hole, self.seed);
        match algorithm.verify(value) {
            Verdict::Holds => Ok(()),
            _ => Err(format!(
                "has a secret of {} characters in which `{}` cannot be made to hold: check the form",
                value.len(),
                algorithm.name()
            )),
        }
    }
}

const UNCLOSED: &str = "has no `>` after the marked secret";

/// Appends the base64 of `content`. A secret marked inside stays marked, on the characters that
/// its bytes begin in.
fn encode(
    content: Made,
    alphabet: &[u8; 64],
    pad: bool,
    made: &mut Made,
    marked: bool,
) -> Result<(), String> {
    if content.hole.is_some() {
        return Err("has `{checksum}` of the secret inside an encoding: mark the secret there".into());
    }
    let base = made.text.len();
    let encoded = base64_encode(&content.text, alphabet, pad);
    if let Some((range, value)) = content.secret {
        if marked || made.secret.is_some() {
            return Err("marks two secrets: mark one, and write `\\<` for a plain `<`".into());
        }
        let at = |i: usize| if i == content.text.len() { encoded.len() } else { i * 8 / 6 };
        made.secret = Some((base + at(range.start)..base + at(range.end), value));
    }
    made.text.extend(encoded);
    Ok(())
}

#[cfg(test)]
mod tests;
