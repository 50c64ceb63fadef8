//! A verdict in words and as data: what was found out, and what says so.

use super::escape::plain;
use super::view::{View, day_and_time};
use crate::model::{Evidence, Unchecked, Validity};
use serde::Serialize;
use std::collections::BTreeMap;

impl View<'_> {
    /// The verdict in words, with what is known of the owner, and its proof.
    pub(super) fn validity(&self) -> String {
        let mut out = match &self.finding.validity {
            Validity::NotChecked(Unchecked::NotAsked) => "not checked".to_owned(),
            Validity::NotChecked(why) => format!("not checked, {}", why.sentence()),
            Validity::Inactive => "inactive".to_owned(),
            Validity::Unknown(why) => format!("unknown, {}", why.sentence()),
            Validity::Active { restricted, identity } => {
                let who: Vec<_> = identity.iter().map(|(k, v)| format!("{k} {}", self.words(v))).collect();
                let grade = if *restricted { "active, restricted" } else { "active" };
                if who.is_empty() { grade.to_owned() } else { format!("{grade} ({})", who.join(", ")) }
            }
        };
        let proof = self.proof();
        if !proof.is_empty() {
            let proved = matches!(self.finding.validity, Validity::Active { .. } | Validity::Inactive);
            out += if proved { ": proved by " } else { ": " };
            out += &proof;
        }
        plain(&out).into_owned()
    }

    /// The verdict, and what the credential may do.
    pub(super) fn verdict(&self) -> String {
        match self.access() {
            Some(access) => format!("{}; access: {access}", self.validity()),
            None => self.validity(),
        }
    }

    /// `200 from api.acme.example at 2026-01-02T03:04:05Z, as active[0]`; empty if nothing was sent.
    pub(super) fn proof(&self) -> String {
        let Some(e) = self.finding.evidence.as_deref() else { return String::new() };
        let mut out = match (e.status, e.host.is_empty()) {
            (Some(status), _) => format!("{status} from {} at {}", e.host, day_and_time(e.at)),
            (None, false) => format!("{} at {}", e.host, day_and_time(e.at)),
            (None, true) => String::new(),
        };
        let mut add = |text: &str| {
            if !text.is_empty() {
                out += if out.is_empty() { "" } else { ", " };
                out += text;
            }
        };
        if !e.expectation.is_empty() {
            add(&format!("as {}", e.expectation));
        }
        if e.rule != self.finding.rule.id && !e.rule.is_empty() {
            add(&format!("by the call of {}", e.rule));
        }
        if e.cached {
            add("from the cache");
        }
        add(&self.words(&e.detail));
        plain(&out).into_owned()
    }

    /// `admin: can make and delete keys (organisation acme, scopes all)`.
    pub(super) fn access(&self) -> Option<String> {
        let access = self.finding.access.as_deref()?;
        let facts: Vec<_> = access.facts.iter().map(|(k, v)| format!("{k} {}", self.words(v))).collect();
        let facts = facts.join(", ");
        let out = match (&access.grade, facts.is_empty()) {
            (Some(g), true) => format!("{}: {}", g.level.as_str(), g.means),
            (Some(g), false) => format!("{}: {} ({facts})", g.level.as_str(), g.means),
            (None, false) => facts,
            (None, true) => return None,
        };
        Some(plain(&out).into_owned())
    }

    /// The proof as data.
    pub(super) fn evidence(&self) -> Option<Proof> {
        let e = self.finding.evidence.as_deref()?;
        let Evidence { status, expectation, host, at, cached, detail, rule } = e.clone();
        Some(Proof {
            rule,
            status,
            expectation,
            host,
            at: day_and_time(at),
            cached,
            detail: self.words(&detail),
        })
    }

    /// What the credential may do, as data.
    pub(super) fn rights(&self) -> Option<Rights> {
        let access = self.finding.access.as_deref()?;
        Some(Rights {
            level: access.grade.as_ref().map(|g| g.level.as_str()),
            means: access.grade.as_ref().map(|g| g.means.clone()),
            facts: access.facts.iter().map(|(k, v)| (k.clone(), self.words(v))).collect(),
        })
    }
}

/// [`Evidence`] as programs read it.
#[derive(Serialize)]
pub(super) struct Proof {
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "String::is_empty")]
    expectation: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    host: String,
    at: String,
    cached: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// [`Access`](crate::model::Access) as programs read it.
#[derive(Serialize)]
pub(super) struct Rights {
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    means: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    facts: BTreeMap<String, String>,
}
