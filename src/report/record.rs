//! The fields that `json` and `jsonl` share. Their names and meaning are a promise to programs:
//! adding one is fine, changing one needs another document version.

use super::verdict::{Proof, Rights};
use super::view::{View, day_and_time, lossless};
use super::{Report, Veil};
use crate::model::{
    Coverage, Lifecycle, Occurrence, Past, RawPath, Skipped, Suppression, Unchecked, Validity,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What accepts a finding or a place.
#[derive(Serialize)]
pub(super) struct Acceptance {
    by: &'static str,
    reason: String,
    owner: String,
    until: String,
}

impl Acceptance {
    fn of(view: &View<'_>, s: &Suppression) -> Self {
        Acceptance {
            by: s.by.as_str(),
            reason: view.words(&s.reason),
            owner: view.words(&s.owner),
            until: view.words(&s.until),
        }
    }
}

/// What a finding is, wherever it stands.
#[derive(Serialize)]
pub(super) struct Identity<'a> {
    fingerprint: &'a str,
    rule: &'a str,
    rule_name: &'a str,
    provider: &'a str,
    provider_name: &'a str,
    class: &'static str,
    severity: &'static str,
    confidence: &'static str,
    validity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_because: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_checked_because: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<Rights>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    identity: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    also: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'static str>,
    redacted: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Present if the value is not UTF-8; then `secret` writes the other bytes as `\xNN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_encoding: Option<&'static str>,
}

impl<'a> Identity<'a> {
    /// Of one finding.
    pub(super) fn of(view: &View<'a>, report: &Report<'_>) -> Self {
        let f = view.finding;
        let secret = report.show_secrets.then(|| lossless(&f.secret));
        let odd = report.show_secrets && std::str::from_utf8(f.secret.expose()).is_err();
        Identity {
            fingerprint: f.fingerprint.as_str(),
            rule: &f.rule.id,
            rule_name: &f.rule.name,
            provider: &f.rule.provider,
            provider_name: &f.rule.provider_name,
            class: f.rule.class.as_str(),
            severity: f.severity.as_str(),
            confidence: f.confidence.as_str(),
            validity: f.validity.as_str(),
            unknown_because: if let Validity::Unknown(why) = f.validity { Some(why.as_str()) } else { None },
            not_checked_because: match f.validity {
                Validity::NotChecked(why) if why != Unchecked::NotAsked => Some(why.as_str()),
                _ => None,
            },
            evidence: view.evidence(),
            access: view.rights(),
            identity: match &f.validity {
                Validity::Active { identity, .. } => {
                    identity.iter().map(|(k, v)| (k.as_str(), view.words(v))).collect()
                }
                _ => BTreeMap::new(),
            },
            also: &f.also,
            notes: f.notes.iter().map(|n| n.as_str()).collect(),
            redacted: f.secret.redacted(),
            secret,
            secret_encoding: odd.then_some("escaped"),
        }
    }
}

/// One place. Lines count from 1, `start` and `end` are 0-based characters of their lines with the
/// end exclusive. A path's text writes what is not printable UTF-8 as `\xNN` or `\u{N}` and doubles
/// backslashes, so that it can be turned back into bytes.
#[derive(Serialize)]
pub(super) struct Place<'a> {
    path: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<String>,
    line: u64,
    end_line: u64,
    start: u64,
    end: u64,
    byte_start: u64,
    byte_end: u64,
    via: Vec<&'static str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    acceptance: Option<Acceptance>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partners: Vec<Other<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<History>,
}

/// Where in a repository's history it stands.
#[derive(Serialize)]
struct History {
    /// `blob`, `commit`, `tag`, `name` or `ref`.
    held: &'static str,
    object: String,
    /// The first commit that has it under this path.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    /// When that was written, as RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    authored: Option<String>,
    reachable: bool,
    at_head: bool,
    versions: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also_at: Vec<String>,
}

impl History {
    fn of(view: &View<'_>, o: &Occurrence) -> Option<Self> {
        let origin = o.provenance.origin.as_ref()?;
        let commit = origin.commit.as_ref();
        let name = |path| RawPath::new(&view.name(path)).text();
        Some(History {
            held: origin.held.as_str(),
            object: origin.object.to_string(),
            commit: commit.map(|c| c.id.to_string()),
            author: commit.map(|c| name(&c.author)),
            authored: commit.map(|c| day_and_time(c.authored)),
            reachable: origin.reachable,
            at_head: origin.at_head,
            versions: o.versions,
            also_at: origin.also_at.iter().map(name).collect(),
        })
    }
}

/// Another part of the credential. Its value may be secret too and is never written.
#[derive(Serialize)]
struct Other<'a> {
    name: &'a str,
    line: u64,
}

/// A redacted line; `start` and `end` are the characters that stand for the secret.
#[derive(Serialize)]
struct Shown {
    text: String,
    start: usize,
    end: usize,
}

impl<'a> Place<'a> {
    /// Of one occurrence.
    pub(super) fn of(view: &View<'a>, o: &'a Occurrence) -> Self {
        let l = o.location;
        let (status, by) = view.standing(o);
        Place {
            path: view.path(&o.provenance),
            members: view.members(&o.provenance),
            line: l.line,
            end_line: l.end_line,
            start: l.start,
            end: l.end,
            byte_start: l.byte_start,
            byte_end: l.byte_end,
            via: o.via.iter().map(|e| e.as_str()).collect(),
            status,
            acceptance: by.map(|s| Acceptance::of(view, s)),
            partners: o.partners.iter().map(|p| Other { name: &p.name, line: p.line }).collect(),
            excerpt: view.excerpt(o).map(|m| {
                let [before, mark, _] = m.parts();
                let start = before.chars().count();
                Shown { start, end: start + mark.chars().count(), text: m.text }
            }),
            history: History::of(view, o),
        }
    }
}

/// A finding with all its places: an element of `json`.
#[derive(Serialize)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    identity: Identity<'a>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    acceptance: Option<Acceptance>,
    docs: Option<&'a str>,
    next: String,
    occurrences: Vec<Place<'a>>,
}

impl<'a> Whole<'a> {
    /// Of one finding.
    pub(super) fn of(view: &View<'a>, report: &Report<'_>) -> Self {
        Whole {
            identity: Identity::of(view, report),
            status: view.finding.status.as_str(),
            acceptance: view.acceptance().map(|s| Acceptance::of(view, s)),
            docs: view.docs(),
            next: view.next(),
            occurrences: view.finding.occurrences.iter().map(|o| Place::of(view, o)).collect(),
        }
    }
}

/// The account of what was read.
#[derive(Serialize)]
pub(super) struct Account {
    complete: bool,
    blobs: u64,
    bytes: u64,
    failed: u64,
    out_of_scope: u64,
    skipped: Vec<Reason>,
    list: Vec<Left>,
}

#[derive(Serialize)]
struct Reason {
    reason: &'static str,
    count: u64,
    makes_incomplete: bool,
    cure: &'static str,
}

#[derive(Serialize)]
struct Left {
    path: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<String>,
    reason: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

impl Account {
    /// Of one scan.
    pub(super) fn of(c: &Coverage, veil: &Veil) -> Self {
        let reason = |(r, n): (&crate::model::SkipReason, &u64)| Reason {
            reason: r.as_str(),
            count: *n,
            makes_incomplete: r.scope() == crate::model::Scope::Failed,
            cure: r.cure(),
        };
        let left = |s: &Skipped| Left {
            path: veil.name(&s.provenance.path),
            members: s.provenance.members.iter().map(|m| veil.name(m)).collect(),
            reason: s.reason.as_str(),
            detail: veil.text(&s.detail).into_owned(),
        };
        Account {
            complete: c.is_complete(),
            blobs: c.blobs,
            bytes: c.bytes,
            failed: c.failed(),
            out_of_scope: c.out_of_scope(),
            skipped: c.skipped.iter().map(reason).collect(),
            list: c.list.iter().map(left).collect(),
        }
    }
}

/// What a sweep knows of earlier ones.
#[derive(Serialize)]
pub(super) struct Sweep<'a> {
    /// Objects that were looked at before and not again.
    remembered: u64,
    fixed: Vec<Gone<'a>>,
    withdrawn: Vec<Gone<'a>>,
}

#[derive(Serialize)]
struct Gone<'a> {
    fingerprint: &'a str,
    rule: &'a str,
    severity: &'static str,
    repository: String,
}

impl<'a> Sweep<'a> {
    /// Of one sweep.
    pub(super) fn of(life: &'a Lifecycle, veil: &Veil) -> Self {
        let gone = |past: &'a Past| Gone {
            fingerprint: past.fingerprint.as_str(),
            rule: &past.rule,
            severity: past.severity.as_str(),
            repository: veil.text(&past.repository).into_owned(),
        };
        Sweep {
            remembered: life.remembered,
            fixed: life.fixed.iter().map(gone).collect(),
            withdrawn: life.withdrawn.iter().map(gone).collect(),
        }
    }
}
