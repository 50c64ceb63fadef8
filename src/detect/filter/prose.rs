//! Ordinary text beside a name: labels, help, translations.

use super::words::is_wordlike;
use super::{Candidate, FileKind, Outcome, Reason};

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if !c.is_generic() {
        return Outcome::Keep;
    }
    if c.file == FileKind::Translation {
        return Outcome::Drop(Reason::Translation);
    }
    if is_text(c.secret()) || is_in_sentence(c) || is_an_order(c) {
        Outcome::Drop(Reason::Prose)
    } else {
        Outcome::Keep
    }
}

/// A bare word with a bare word after it: `password: encrypt private key`.
fn is_in_sentence(c: &Candidate<'_>) -> bool {
    let Some(rest) = c.after().strip_prefix(b" ") else { return false };
    let next = &rest[..rest.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(rest.len())];
    let ends = rest.get(next.len()).is_none_or(|b| b.is_ascii_whitespace() || b",.;)".contains(b));
    is_wordlike(c.secret()) && next.len() >= 2 && ends && is_wordlike(next)
}

/// The verb: `pass 'float64' explicitly`. Words that can only name a secret say more than what stands after it.
pub(super) fn is_an_order(c: &Candidate<'_>) -> bool {
    let Some((quote @ (b'\'' | b'"' | b'`'), before)) = c.before().split_last() else { return false };
    let Some(before) = before.strip_suffix(b"pass ") else { return false };
    let verb = before.last().is_none_or(|b| !b.is_ascii_alphanumeric() && !b"-_.$@".contains(b));
    let Some(rest) = c.after().strip_prefix(&[*quote, b' ']) else { return false };
    let next = &rest[..rest.iter().position(|b| !b.is_ascii_lowercase()).unwrap_or(rest.len())];
    verb && next.len() >= 2 && is_wordlike(next)
}

/// Several words and nothing else, or words of a script other than Latin.
fn is_text(value: &[u8]) -> bool {
    if std::str::from_utf8(value).is_ok_and(|text| text.chars().any(|c| c.is_alphabetic() && !c.is_ascii())) {
        return true;
    }
    let (mut words, mut numbers) = (0, 0);
    for word in value.split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty()) {
        let bare = word.trim_ascii_punctuation();
        // A lone mark or a short number is part of a sentence too.
        let ok = bare.is_empty()
            || is_wordlike(bare)
            || bare.split(|b| matches!(b, b'-' | b'/' | b'\'' | b'.' | b',')).all(is_wordlike)
            || (bare.len() <= 2 && bare.iter().all(u8::is_ascii_digit));
        if !ok {
            return false;
        }
        words += 1;
        numbers += usize::from(!bare.is_empty() && bare.iter().all(u8::is_ascii_digit));
    }
    // A few words and a number are a passphrase.
    words >= 2 && (numbers == 0 || words >= 5)
}

trait Trim {
    fn trim_ascii_punctuation(&self) -> &[u8];
}

impl Trim for [u8] {
    fn trim_ascii_punctuation(&self) -> &[u8] {
        let start = self.iter().position(|b| !b.is_ascii_punctuation()).unwrap_or(self.len());
        let end = self.iter().rposition(|b| !b.is_ascii_punctuation()).map_or(start, |i| i + 1);
        &self[start..end]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, table};
    use super::*;

    #[test]
    fn sentences_are_no_secrets() {
        table(
            &Rule::generic(),
            run,
            Reason::Prose,
            &[
                "password: '«Mot de passe»'",
                "password: '«Enter your password, please!»'",
                "password = \"«Пароль»\"",
                "password = \"«Contraseña»\"",
                "password: «encrypt» private key",
                "pass '«float64»' explicitly",
                "token: \"«The token (or key) to use - max. 20 characters.»\"",
            ],
            &[
                "password: '«Zk3mQ9xPw1»'",
                "password: '«correcthorse»'",
                "pw = \"«correct horse 9»\"",
                "pw = \"«tr7 xq9 zk3»\"",
                "pw = \"«hunter two2 x9z»\"",
                "password: «hunter2» on",
                "password: «hunter» # old",
                "--password «hunter» -u x",
                "pass '«hunter2x»'",
                "PASSWORD '«hunter2x»' VALID UNTIL",
                "--pass '«hunter2x»' start",
            ],
        );
        table(&Rule::structured(0), run, Reason::Prose, &[], &["x: '«Mot de passe»'"]);
    }

    #[test]
    fn translation_files_have_no_generic_secrets() {
        let rule = Rule::generic().at("locales/de.json");
        table(&rule, run, Reason::Translation, &["\"password\": \"«Passwort»\""], &[]);
    }
}
