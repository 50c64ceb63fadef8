//! One finding as the formats show it: what stands where, and what a person should do.

use super::escape::{plain, plain_marked};
use super::{Report, Veil};
use crate::model::{
    By, Finding, Held, Note, Occurrence, Provenance, RawPath, Secret, Status, Suppression, Unchecked,
    Validity,
};
use memchr::memmem;
use std::borrow::Cow;
use std::ops::Range;

/// Read where a rule names no page of its own.
pub(super) const GENERAL_DOCS: &str =
    "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html";

/// The name given to what has no file, so that alerts on it stay the same from run to run.
pub(super) const STDIN: &str = "stdin";

/// A finding with what has to be known of all its places before one of them can be shown.
pub(super) struct View<'a> {
    /// The finding.
    pub(super) finding: &'a Finding,
    /// Index of the place to show first: the first that nothing accepts.
    pub(super) lead: usize,
    /// Whether an acceptance of single places counts.
    lenient: bool,
    veil: &'a Veil,
}

/// A line that is safe to show, and the part of it that stands for the secret.
pub(super) struct Marked {
    /// The line.
    pub(super) text: String,
    /// Bytes of it.
    pub(super) mark: Range<usize>,
}

impl Marked {
    /// What stands before, in and after the mark.
    pub(super) fn parts(&self) -> [&str; 3] {
        [&self.text[..self.mark.start], &self.text[self.mark.clone()], &self.text[self.mark.end..]]
    }
}

impl<'a> View<'a> {
    /// Looks at all places once.
    pub(super) fn new(finding: &'a Finding, veil: &'a Veil) -> Self {
        let free = finding.occurrences.iter().position(|o| o.suppression.is_none());
        // A finding that counts although each of its places is accepted (the gate overruled the
        // comments, or the key is proved to work) must not look accepted anywhere.
        let overruled = finding.status.counts() && (free.is_none() || finding.validity.is_active());
        View { finding, lead: free.unwrap_or(0), lenient: !overruled, veil }
    }

    /// The place to show first; `None` only for a finding without any.
    pub(super) fn first(&self) -> Option<&'a Occurrence> {
        self.finding.occurrences.get(self.lead)
    }

    /// All places but the first shown, in order.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a Occurrence> + use<'a> {
        let lead = self.lead;
        self.finding.occurrences.iter().enumerate().filter(move |(i, _)| *i != lead).map(|(_, o)| o)
    }

    /// `new`, `known` or `suppressed` for one place, and by what.
    pub(super) fn standing(&self, o: &'a Occurrence) -> (&'static str, Option<&'a Suppression>) {
        match (&o.suppression, &self.finding.status) {
            (Some(s), _) if self.lenient => (
                if matches!(s.by, By::Baseline | By::Old | By::Sweep) { "known" } else { "suppressed" },
                Some(s),
            ),
            (_, status) => (status.as_str(), self.acceptance()),
        }
    }

    /// What accepts the finding as a whole.
    pub(super) fn acceptance(&self) -> Option<&'a Suppression> {
        match &self.finding.status {
            Status::New | Status::Reopened => None,
            Status::Known(s) | Status::Suppressed(s) => Some(s),
        }
    }

    /// The value as a report may show it in text.
    pub(super) fn secret(&self, report: &Report<'_>) -> String {
        if report.show_secrets {
            plain(&lossless(&self.finding.secret)).into_owned()
        } else {
            plain(&self.finding.secret.redacted()).into_owned()
        }
    }

    /// The bytes of a name, without any secret that it holds.
    pub(super) fn name<'n>(&self, name: &'n RawPath) -> Cow<'n, [u8]> {
        self.veil.bytes(name.as_bytes())
    }

    /// The file or archive as text.
    pub(super) fn path(&self, p: &Provenance) -> String {
        self.veil.name(&p.path)
    }

    /// The file, or [`STDIN`] where there is none.
    pub(super) fn file(&self, p: &Provenance) -> String {
        if is_stdin(p) { STDIN.to_owned() } else { self.path(p) }
    }

    /// The names inside the archive as text, outermost first.
    pub(super) fn members(&self, p: &Provenance) -> Vec<String> {
        p.members.iter().map(|m| self.veil.name(m)).collect()
    }

    /// `dir/a.zip!b.txt`, as one line.
    pub(super) fn whole(&self, p: &Provenance) -> String {
        plain(&self.veil.place(p)).into_owned()
    }

    /// `dir/a.zip!b.txt:12:9`, columns from 1.
    pub(super) fn place(&self, o: &Occurrence) -> String {
        format!("{}:{}:{}", self.whole(&o.provenance), o.location.line, o.location.start + 1)
    }

    /// Since when it stands there and whether it still does, as clauses; `None` outside of a history.
    pub(super) fn since(&self, o: &Occurrence) -> Option<String> {
        let origin = o.provenance.origin.as_ref()?;
        let mut out = match &origin.commit {
            Some(c) => {
                let author = RawPath::new(&self.name(&c.author)).text();
                format!("{} of {} by {}", c.id.short(), &day_and_time(c.authored)[..10], plain(&author))
            }
            None => format!("no commit; {} {}", origin.held.as_str(), origin.object.short()),
        };
        if o.versions > 1 {
            out += &format!(", {} versions", o.versions);
        }
        if origin.held == Held::Blob || origin.held == Held::Name {
            out += if origin.at_head { ", still at HEAD" } else { ", not at HEAD" };
        }
        if !origin.reachable {
            out += ", no ref leads to it";
        }
        Some(out)
    }

    /// The line around a place. `None` if there is none, or if it still holds the raw value, which
    /// would be a fault of whoever made it and must not become a leak.
    pub(super) fn excerpt(&self, o: &Occurrence) -> Option<Marked> {
        let e = &o.excerpt;
        let secret = self.finding.secret.expose();
        let leaks = secret.len() >= 4 && memmem::find(e.text.as_bytes(), secret).is_some();
        if e.text.is_empty() || leaks {
            return None;
        }
        let mark = if e.text.get(e.mark.clone()).is_some() { e.mark.clone() } else { 0..0 };
        // What stands around it may be the value of another finding, which a filter let pass here.
        let before = self.veil.text(&e.text[..mark.start]);
        let text = format!("{before}{}{}", &e.text[mark.clone()], self.veil.text(&e.text[mark.end..]));
        let (text, mark) = plain_marked(&text, before.len()..before.len() + mark.len());
        Some(Marked { text, mark })
    }

    /// Words of a person or a provider, without this secret or any other that they hold.
    pub(super) fn words(&self, text: &str) -> String {
        let veiled = self.veil.text(text);
        let shown = without(veiled.as_bytes(), &self.finding.secret);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// `baseline: reason (owner; until 2027-01-01)`.
    pub(super) fn accepted(&self, s: &Suppression) -> String {
        let mut out = s.by.as_str().to_owned();
        if !s.reason.is_empty() {
            out += &format!(": {}", self.words(&s.reason));
        }
        let until =
            if s.until.is_empty() { String::new() } else { format!("until {}", self.words(&s.until)) };
        let tail: Vec<_> = [self.words(&s.owner), until].into_iter().filter(|p| !p.is_empty()).collect();
        if !tail.is_empty() {
            out += &format!(" ({})", tail.join("; "));
        }
        plain(&out).into_owned()
    }

    /// The rule's page, if it is an address that may be shown as one.
    pub(super) fn docs(&self) -> Option<&'a str> {
        let docs = self.finding.rule.docs.as_str();
        let legal = |b: u8| b.is_ascii_graphic() && !b"\"'*<>[]\\^`{|}".contains(&b);
        let web = docs.strip_prefix("https://").or_else(|| docs.strip_prefix("http://"));
        web.filter(|rest| !rest.is_empty() && rest.bytes().all(legal)).map(|_| docs)
    }

    /// What a person should do, as a clause without a full stop.
    pub(super) fn next(&self) -> String {
        let f = self.finding;
        if let Some(s) = self.acceptance() {
            return format!("nothing now, accepted by {}", self.accepted(s));
        }
        let at = self.docs().map(|d| format!(" at {d}")).unwrap_or_default();
        if f.validity.is_active() {
            return format!("it works: rotate and revoke it now{at}, then remove it here");
        }
        if f.notes.contains(&Note::DevelopmentDefault) {
            return "make sure that no real system uses this well-known value".to_owned();
        }
        if f.notes.contains(&Note::PublicByDesign) {
            return format!("restrict what it may do{at}; it is public by design");
        }
        if f.validity == Validity::NotChecked(Unchecked::Canary) {
            return "leave it: it is a trap, and somebody is told of every use".to_owned();
        }
        if f.validity == Validity::Inactive {
            return "remove it; it no longer works".to_owned();
        }
        format!("rotate it{at} and remove it here, or allow it with 'keywheel:allow reason=...'")
    }

    /// The notes in words.
    pub(super) fn notes(&self) -> Vec<&'static str> {
        self.finding.notes.iter().map(|n| note(*n)).collect()
    }
}

/// Seconds since 1970 as RFC 3339 in UTC; what no calendar holds as the number.
pub(super) fn day_and_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| format!("{seconds:010} s"), |t| t.to_string())
}

/// Whether the bytes came from standard input.
pub(super) fn is_stdin(p: &Provenance) -> bool {
    matches!(p.path.as_bytes(), b"-" | b"")
}

/// `base64, gzip`; empty if the value stands there as it is.
pub(super) fn via(o: &Occurrence) -> String {
    o.via.iter().map(|e| e.as_str()).collect::<Vec<_>>().join(", ")
}

/// The value as text that shows every byte.
pub(super) fn lossless(secret: &Secret) -> String {
    match std::str::from_utf8(secret.expose()) {
        Ok(text) => text.to_owned(),
        Err(_) => RawPath::new(secret.expose()).text(),
    }
}

fn note(n: Note) -> &'static str {
    match n {
        Note::ChecksumHolds => "its checksum holds",
        Note::ChecksumFails => "its checksum fails, so it may be made up",
        Note::DevelopmentDefault => "a well-known development default",
        Note::PublicByDesign => "meant to be public by its provider",
        Note::Guessable => "short or regular enough to be guessed",
        Note::Copied => "a copy: it stands in a file that this change leaves alone as well",
        Note::TestPath => "stands among tests, fixtures or examples",
    }
}

fn without<'n>(bytes: &'n [u8], secret: &Secret) -> Cow<'n, [u8]> {
    let raw = secret.expose();
    if raw.len() < 4 || memmem::find(bytes, raw).is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for at in memmem::find_iter(bytes, raw) {
        out.extend_from_slice(&bytes[done..at]);
        out.extend_from_slice(secret.redacted().as_bytes());
        done = at + raw.len();
    }
    out.extend_from_slice(&bytes[done..]);
    Cow::Owned(out)
}
