//! Patterns of Go's `regexp`, which are those of RE2, as patterns of ours.
//!
//! All are linear and prefer the leftmost match and the first alternative. Where they differ, the
//! pattern is written so that it means here what it means there: they count characters where we count
//! bytes, take `[` in a class for itself, have no `\v` in `\s`, and know `\Q…\E`. What cannot be said
//! here is an error: classes by Unicode property. One difference is left: `(?i)` joins letters of ASCII
//! only, so that `s` and `k` do not stand for U+017F and U+212A.

mod class;

use class::{Ranges, complement, normal, perl, posix, push_member};
use std::fmt::Write;

/// Largest count of a repetition that Go takes.
const MOST: u32 = 1000;

/// What a pattern came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    /// The pattern as the engine takes it.
    pub(super) pattern: String,
    /// How many groups it has.
    pub(super) groups: usize,
    /// Whether it sets flags that hold for what is joined behind it.
    pub(super) leaks: bool,
}

/// Translates a pattern. The group of that number, if one is asked for, is named `secret`.
///
/// # Errors
/// A sentence with the place, in characters from 1.
pub(super) fn translate(pattern: &str, secret: Option<usize>) -> Result<Translated, String> {
    let mut run = Run {
        text: pattern.chars().collect(),
        at: 0,
        out: String::with_capacity(pattern.len() + 16),
        fold: false,
        saved: Vec::new(),
        groups: 0,
        secret,
        leaks: false,
        repeats: Last::Nothing,
    };
    run.all().map_err(|(at, message)| format!("character {} of the pattern: {message}", at + 1))?;
    Ok(Translated { pattern: run.out, groups: run.groups, leaks: run.leaks })
}

/// What a repetition would repeat.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Nothing,
    Atom,
    Repetition,
}

struct Run {
    text: Vec<char>,
    at: usize,
    out: String,
    /// Whether letters stand for both cases.
    fold: bool,
    /// `fold` outside of each open group.
    saved: Vec<bool>,
    groups: usize,
    secret: Option<usize>,
    leaks: bool,
    repeats: Last,
}

type Fault = (usize, String);

impl Run {
    fn all(&mut self) -> Result<(), Fault> {
        while let Some(c) = self.peek() {
            let start = self.at;
            self.at += 1;
            match c {
                '\\' => self.escape(start)?,
                '[' => self.class(start)?,
                '.' => self.atom("(?u:.)"),
                '(' => self.open(start)?,
                ')' => {
                    self.fold = self.saved.pop().ok_or((start, "`)` closes nothing".to_owned()))?;
                    self.atom(")");
                }
                '|' => self.between("|"),
                '^' | '$' => {
                    self.out.push(c);
                    self.repeats = Last::Atom;
                }
                '*' | '+' | '?' => self.repeat(start, &c.to_string())?,
                '{' => match self.counts() {
                    Some(counts) => {
                        let (low, high) = counts;
                        if low > MOST || high.flatten().is_some_and(|h| h > MOST || h < low) {
                            return Err((start, format!("Go takes counts up to {MOST}, the lower first")));
                        }
                        let said: String = self.text[start..self.at].iter().collect();
                        self.repeat(start, &said)?;
                    }
                    None => self.literal('{'),
                },
                c => self.literal(c),
            }
        }
        match self.saved.is_empty() {
            true => Ok(()),
            false => Err((self.at, "a group is not closed".to_owned())),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn ahead(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.text.get(self.at + i) == Some(&c))
    }

    fn atom(&mut self, text: &str) {
        self.out.push_str(text);
        self.repeats = Last::Atom;
    }

    fn between(&mut self, text: &str) {
        self.out.push_str(text);
        self.repeats = Last::Nothing;
    }

    fn repeat(&mut self, start: usize, operator: &str) -> Result<(), Fault> {
        match self.repeats {
            Last::Nothing => return Err((start, format!("`{operator}` repeats nothing"))),
            Last::Repetition => return Err((start, format!("`{operator}` follows another repetition"))),
            Last::Atom => {}
        }
        self.out.push_str(operator);
        if self.peek() == Some('?') {
            self.at += 1;
            self.out.push('?');
        }
        self.repeats = Last::Repetition;
        Ok(())
    }

    /// The counts behind a `{`, if that is what stands there; else it is a brace.
    fn counts(&mut self) -> Option<(u32, Option<Option<u32>>)> {
        let close = self.text[self.at..].iter().position(|&c| c == '}')?;
        let inner: String = self.text[self.at..self.at + close].iter().collect();
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse().unwrap_or(u32::MAX))
        };
        let counts = match inner.split_once(',') {
            None => (number(&inner)?, None),
            Some((low, "")) => (number(low)?, Some(None)),
            Some((low, high)) => (number(low)?, Some(Some(number(high)?))),
        };
        self.at += close + 1;
        Some(counts)
    }

    fn literal(&mut self, c: char) {
        if !c.is_ascii() {
            let ranges = self.folded(vec![(c as u32, c as u32)]);
            return self.set(&ranges, false);
        }
        if is_special(c) {
            self.out.push('\\');
        }
        match c {
            ' '..='~' => self.out.push(c),
            c => {
                // A line break in a pattern reads better by name.
                let _ = write!(self.out, "\\x{:02X}", c as u32);
            }
        }
        self.repeats = Last::Atom;
    }

    fn open(&mut self, start: usize) -> Result<(), Fault> {
        if self.peek() != Some('?') {
            self.saved.push(self.fold);
            self.groups += 1;
            let open = if self.secret == Some(self.groups) { "(?<secret>" } else { "(" };
            self.between(open);
            return Ok(());
        }
        self.at += 1;
        for head in ["P<", "<"] {
            if self.ahead(head) && !self.ahead("<=") && !self.ahead("<!") {
                self.at += head.len();
                let close = self.text[self.at..].iter().position(|&c| c == '>');
                let close = close.ok_or((start, "the name of a group is not closed".to_owned()))?;
                let name: String = self.text[self.at..self.at + close].iter().collect();
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err((start, format!("`{name}` is no name of a group")));
                }
                self.at += close + 1;
                self.saved.push(self.fold);
                self.groups += 1;
                // Names mean nothing there, and `secret` would here.
                let open = if self.secret == Some(self.groups) { "(?<secret>" } else { "(" };
                self.between(open);
                return Ok(());
            }
        }
        if self.ahead("=") || self.ahead("!") || self.ahead("<") || self.ahead(">") {
            return Err((
                start,
                "a look-around or an atomic group is not regular; Go has none either".to_owned(),
            ));
        }
        self.flags(start)
    }

    fn flags(&mut self, start: usize) -> Result<(), Fault> {
        let (mut on, mut fold, mut any, mut other) = (true, self.fold, false, [String::new(), String::new()]);
        loop {
            let c = self.peek().ok_or((start, "a group is not closed".to_owned()))?;
            self.at += 1;
            match c {
                'i' => fold = on,
                'm' | 's' | 'U' => other[usize::from(!on)].push(c),
                '-' if on => on = false,
                ':' | ')' => {
                    if !any && c == ')' || !on && self.text[self.at - 2] == '-' {
                        return Err((start, "the flags of a group are missing".to_owned()));
                    }
                    let mut said = String::from("(?");
                    said.push_str(&other[0]);
                    said.push_str(if fold && !self.fold { "i" } else { "" });
                    let off = format!("{}{}", other[1], if self.fold && !fold { "i" } else { "" });
                    if !off.is_empty() {
                        said.push('-');
                        said.push_str(&off);
                    }
                    if c == ':' {
                        self.saved.push(self.fold);
                        said.push(':');
                    } else {
                        self.leaks |= self.saved.is_empty();
                        said.push(')');
                    }
                    self.fold = fold;
                    if said != "(?)" {
                        self.out.push_str(&said);
                    }
                    self.repeats = Last::Nothing;
                    return Ok(());
                }
                other => return Err((start, format!("`(?{other}` is no group that Go knows"))),
            }
            any = true;
        }
    }

    fn escape(&mut self, start: usize) -> Result<(), Fault> {
        let c = self.peek().ok_or((start, "a backslash ends the pattern".to_owned()))?;
        match c {
            'A' | 'z' | 'b' | 'B' => {
                self.at += 1;
                self.out.push('\\');
                self.atom(&c.to_string());
            }
            'Q' => {
                self.at += 1;
                while self.at < self.text.len() && !self.ahead("\\E") {
                    let c = self.text[self.at];
                    self.at += 1;
                    self.literal(c);
                }
                self.at = (self.at + 2).min(self.text.len());
            }
            'd' | 'w' => {
                self.at += 1;
                self.out.push('\\');
                self.atom(&c.to_string());
            }
            'D' | 'W' | 's' | 'S' => {
                self.at += 1;
                let ranges = self.folded(perl(c.to_ascii_lowercase()));
                self.set(&ranges, c.is_ascii_uppercase());
            }
            _ => {
                let c = self.point(start)?;
                self.literal(c);
            }
        }
        Ok(())
    }

    /// The character that an escape stands for; `at` is behind the backslash.
    fn point(&mut self, start: usize) -> Result<char, Fault> {
        let c = self.peek().ok_or((start, "a backslash ends the pattern".to_owned()))?;
        self.at += 1;
        let code = match c {
            'a' => 7,
            'f' => 0xc,
            'n' => 0xa,
            'r' => 0xd,
            't' => 9,
            'v' => 0xb,
            'x' => self.hex(start)?,
            '0' => self.octal(0),
            '1'..='7' if matches!(self.peek(), Some('0'..='7')) => self.octal(c as u32 - '0' as u32),
            '1'..='9' => return Err((start, format!("`\\{c}` refers back, which is not regular"))),
            'p' | 'P' => {
                return Err((
                    start,
                    format!("`\\{c}` asks for a property of Unicode; write the ranges instead"),
                ));
            }
            c if c.is_ascii_punctuation() => c as u32,
            c => return Err((start, format!("`\\{c}` is no escape that Go knows"))),
        };
        char::from_u32(code).ok_or((start, "the escape is no character".to_owned()))
    }

    fn hex(&mut self, start: usize) -> Result<u32, Fault> {
        let fault = || (start, "`\\x` is followed by two digits, or by digits in braces".to_owned());
        let digits: String = if self.peek() == Some('{') {
            let close = self.text[self.at..].iter().position(|&c| c == '}').ok_or_else(fault)?;
            let inner = self.text[self.at + 1..self.at + close].iter().collect();
            self.at += close + 1;
            inner
        } else {
            let inner = self.text.get(self.at..self.at + 2).ok_or_else(fault)?.iter().collect();
            self.at += 2;
            inner
        };
        u32::from_str_radix(&digits, 16).map_err(|_| fault())
    }

    fn octal(&mut self, first: u32) -> u32 {
        let mut code = first;
        for _ in 0..2 {
            let Some(c @ '0'..='7') = self.peek() else { break };
            code = code * 8 + (c as u32 - '0' as u32);
            self.at += 1;
        }
        code
    }

    /// A class in brackets; `at` is behind the first.
    fn class(&mut self, start: usize) -> Result<(), Fault> {
        let open = || (start, "a class is not closed".to_owned());
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let (mut ranges, mut first) = (Ranges::new(), true);
        loop {
            let c = self.peek().ok_or_else(open)?;
            if c == ']' && !first {
                self.at += 1;
                break;
            }
            first = false;
            if self.ahead("[:") {
                let end = self.text[self.at..].windows(2).position(|w| w == [':', ']']);
                if let Some(end) = end {
                    let name: String = self.text[self.at + 2..self.at + end].iter().collect();
                    let bare = name.strip_prefix('^').unwrap_or(&name);
                    let class = posix(bare)
                        .ok_or_else(|| (self.at, format!("`[:{name}:]` is no class that Go knows")))?;
                    let class = self.folded(class);
                    ranges.extend(if bare == name { class } else { complement(&class) });
                    self.at += end + 2;
                    continue;
                }
            }
            if c == '\\'
                && let Some(k @ ('d' | 'w' | 's' | 'D' | 'W' | 'S')) = self.text.get(self.at + 1)
            {
                let class = self.folded(perl(k.to_ascii_lowercase()));
                ranges.extend(if k.is_ascii_uppercase() { complement(&class) } else { class });
                self.at += 2;
                continue;
            }
            let low = self.member()?;
            let mut high = low;
            if self.ahead("-") && self.text.get(self.at + 1).is_some_and(|&c| c != ']') {
                self.at += 1;
                high = self.member()?;
                if high < low {
                    return Err((start, format!("the range from `{low}` to `{high}` is empty")));
                }
            }
            ranges.push((low as u32, high as u32));
        }
        let ranges = self.folded(ranges);
        self.set(&ranges, negated);
        Ok(())
    }

    /// One character of a class.
    fn member(&mut self) -> Result<char, Fault> {
        let start = self.at;
        let c = self.peek().ok_or((start, "a class is not closed".to_owned()))?;
        self.at += 1;
        if c == '\\' { self.point(start) } else { Ok(c) }
    }

    /// Ranges with the other cases of their letters, if those count as the same.
    fn folded(&self, mut ranges: Ranges) -> Ranges {
        if self.fold {
            for (low, high) in ranges.clone() {
                for (from, to) in [('a' as u32, 'A' as u32), ('A' as u32, 'a' as u32)] {
                    let (first, last) = (low.max(from), high.min(from + 25));
                    if first <= last {
                        ranges.push((first - from + to, last - from + to));
                    }
                }
                // Beyond ASCII one character at a time; a range of them is meant as it is.
                if let Some(c) = char::from_u32(low).filter(|c| low == high && !c.is_ascii()) {
                    for mut other in [c.to_lowercase().collect::<Vec<_>>(), c.to_uppercase().collect()] {
                        if let (Some(one), true) = (other.pop(), other.is_empty()) {
                            ranges.push((one as u32, one as u32));
                        }
                    }
                }
            }
        }
        normal(ranges)
    }

    /// Writes a class. What may be more than one byte is matched as characters.
    fn set(&mut self, ranges: &Ranges, negated: bool) {
        let ascii = ranges.iter().all(|r| r.1 < 128);
        let mut inner = String::new();
        for &(low, high) in ranges {
            push_member(&mut inner, low);
            if high > low {
                if high > low + 1 {
                    inner.push('-');
                }
                push_member(&mut inner, high);
            }
        }
        // An empty class matches nothing, and its complement everything.
        let class = match (inner.is_empty(), negated) {
            (false, _) => format!("[{}{inner}]", if negated { "^" } else { "" }),
            (true, false) => "[a&&b]".to_owned(),
            (true, true) => "(?s:.)".to_owned(),
        };
        let flags = if self.fold { "(?u-i:" } else { "(?u:" };
        match ascii && !negated {
            true => self.atom(&class),
            false => self.atom(&format!("{flags}{class})")),
        }
    }
}

fn is_special(c: char) -> bool {
    "\\.+*?()|[]{}^$".contains(c)
}

#[cfg(test)]
mod tests;
