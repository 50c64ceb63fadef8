//! Verdicts alone, for `keywheel verify`: who was asked, and what that proved.

use super::Veil;
use super::escape::{self, plain};
use super::verdict::{Proof, Rights};
use super::view::View;
use super::words::asked_of;
use crate::model::{Checks, Finding, Unchecked, Validity};
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};

/// What was asked again.
pub struct Verdicts<'a> {
    /// With their verdicts.
    pub findings: &'a [Finding],
    /// Fingerprints that stand nowhere any more.
    pub gone: &'a [String],
    /// What the run says of itself.
    pub checks: &'a Checks,
    /// Hides all values.
    pub veil: &'a Veil,
    /// Whether the sink is a terminal that shows colours.
    pub color: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    fingerprint: &'a str,
    rule: &'a str,
    provider: &'a str,
    redacted: String,
    validity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'static str>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    identity: std::collections::BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<Rights>,
}

impl Verdicts<'_> {
    /// For a person.
    ///
    /// # Errors
    /// The sink failed.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for f in self.findings {
            let view = View::new(f, self.veil);
            let verdict = view.validity();
            match (self.color, &f.validity) {
                (true, Validity::Active { .. }) => writeln!(out, "\x1b[1;31m{verdict}\x1b[0m")?,
                _ => writeln!(out, "{verdict}")?,
            }
            let (name, provider) = (plain(&f.rule.name), plain(&f.rule.provider_name));
            writeln!(out, "  {name} · {provider} · {}", plain(&f.secret.redacted()))?;
            if let Some(access) = view.access() {
                writeln!(out, "  access {access}")?;
            }
            writeln!(out, "  next   {}", view.next())?;
            writeln!(out, "  id     {} {}", f.fingerprint, plain(&f.rule.id))?;
        }
        for fingerprint in self.gone {
            writeln!(out, "not checked, {}\n  id     {}", Unchecked::Gone.sentence(), plain(fingerprint))?;
        }
        writeln!(out, "{}.", asked_of(self.checks))?;
        for notice in &self.checks.notices {
            writeln!(out, "  {}", plain(&self.veil.text(notice)))?;
        }
        Ok(())
    }

    /// For a program: one document.
    ///
    /// # Errors
    /// The sink failed.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let c = self.checks;
        let notices: Vec<_> = c.notices.iter().map(|n| self.veil.text(n)).collect();
        let checks = json!({"calls": c.calls, "controls": c.controls, "reads": c.reads, "cached": c.cached, "notices": notices});
        let mut text = b"{\n\"version\":1,\n\"checks\":".to_vec();
        escape::json(&mut text, &checks)?;
        text.extend_from_slice(b",\n\"verdicts\":[");
        let mut first = true;
        let mut next = |text: &mut Vec<u8>| {
            text.extend_from_slice(if std::mem::take(&mut first) { b"\n" } else { b",\n" });
        };
        for f in self.findings {
            next(&mut text);
            escape::json(&mut text, &self.line(f))?;
        }
        for fingerprint in self.gone {
            next(&mut text);
            let because = Unchecked::Gone.as_str();
            escape::json(
                &mut text,
                &json!({"fingerprint": fingerprint, "validity": "not-checked", "because": because}),
            )?;
        }
        text.extend_from_slice(b"\n]\n}\n");
        out.write_all(&text)
    }

    fn line<'f>(&self, f: &'f Finding) -> Line<'f> {
        let view = View::new(f, self.veil);
        Line {
            fingerprint: f.fingerprint.as_str(),
            rule: &f.rule.id,
            provider: &f.rule.provider,
            redacted: f.secret.redacted(),
            validity: f.validity.as_str(),
            because: match f.validity {
                Validity::Unknown(why) => Some(why.as_str()),
                Validity::NotChecked(why) => Some(why.as_str()),
                _ => None,
            },
            identity: match &f.validity {
                Validity::Active { identity, .. } => {
                    identity.iter().map(|(k, v)| (k.as_str(), view.words(v))).collect()
                }
                _ => Default::default(),
            },
            evidence: view.evidence(),
            access: view.rights(),
        }
    }
}
