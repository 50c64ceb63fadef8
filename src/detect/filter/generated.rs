//! Files in which a name beside a value says nothing: lock files, bundles, bytes.

use super::{Candidate, FileKind, Outcome, Reason};
use memchr::memchr;

/// How far around a secret bytes are looked at.
const AROUND: usize = 64;

pub(super) fn run(c: &Candidate<'_>) -> Outcome {
    if !c.is_generic() {
        return Outcome::Keep;
    }
    if matches!(c.file, FileKind::Lock | FileKind::Minified) {
        return Outcome::Drop(Reason::GeneratedFile);
    }
    let low = c.span.start.saturating_sub(AROUND);
    let high = (c.span.end + AROUND).min(c.hay.len());
    let control = |b: &u8| b.is_ascii_control();
    if memchr(0, &c.hay[low..high]).is_some() || c.secret().iter().any(control) {
        return Outcome::Drop(Reason::Binary);
    }
    Outcome::Keep
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rule, table};
    use super::*;

    #[test]
    fn generic_kinds_are_off_in_generated_files() {
        let text = "token: «Zk3mQ9xPw1»";
        let generic = Rule::generic();
        for path in ["yarn.lock", "dist/app.min.js", "a.js.map"] {
            table(&generic.clone().at(path), run, Reason::GeneratedFile, &[text], &[]);
            table(&Rule::structured(4).at(path), run, Reason::GeneratedFile, &[], &[text]);
        }
        table(&generic, run, Reason::Binary, &["\0\u{1}key=«Zk3mQ9xPw1»", "key=«Zk3\u{1}mQ9»"], &[text]);
    }
}
