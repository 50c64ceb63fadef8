//! From a scan's report to the keys of the inventory: which known keys stand in code, and which keys in
//! code nobody knows. A report is a hint and may be anybody's: it is matched, never trusted.

use super::{CodeOwners, Key};
use crate::model::Fingerprint;
use crate::rotate::policy::Policy;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the `json` format that is read.
const VERSION: u32 = 1;

/// A report of `keywheel scan --format json`, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct ScanReport {
    version: u32,
    findings: Vec<Seen>,
}

/// A finding of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Seen {
    /// The value's identity.
    #[serde(deserialize_with = "fingerprint")]
    pub fingerprint: Fingerprint,
    /// The rule that found it.
    pub rule: String,
    /// Who issues such keys.
    pub provider: String,
    /// `active`, `inactive`, `unknown` or `not-checked`.
    pub validity: String,
    /// `new`, `known` or `suppressed`.
    pub status: String,
    /// Where it stands.
    pub occurrences: Vec<Spot>,
}

/// A place of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The file, as reports write it.
    pub path: String,
    /// From 1.
    pub line: u64,
    /// What a scan of a history knows of it.
    #[serde(default, skip_serializing)]
    history: Option<Origin>,
}

/// Where in a history it stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Origin {
    authored: Option<String>,
}

impl Spot {
    /// When the first commit that has it was written, as its author says.
    pub fn since(&self) -> Option<Timestamp> {
        self.history.as_ref()?.authored.as_ref()?.parse().ok()
    }
}

impl Seen {
    /// Whether it was proved to work.
    pub fn is_active(&self) -> bool {
        self.validity == "active"
    }

    /// Whether it counts: a suppression is the word of a repository, and does not hold for a live key.
    fn counts(&self) -> bool {
        self.status != "suppressed" || self.is_active()
    }
}

/// Why a report cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GapError {
    /// It is not such a report.
    #[error("line {}, column {}: this is no report of `keywheel scan --format json`: {}", .0.line(), .0.column(), kind(.0))]
    Json(#[from] serde_json::Error),
    /// Its form is newer or older.
    #[error("the report has version {0}; this Keywheel reads version {VERSION}: scan again with this one")]
    Version(u32),
    /// No fingerprint could be the same, whatever the values are.
    #[error(
        "the report's fingerprints were made with the key `{report}`, those of the inventory with {inventory}; \
         scan with the baseline or key of the inventory, or no key would ever be recognised"
    )]
    OtherKey {
        /// The key id of the report.
        report: String,
        /// Those of the inventory.
        inventory: String,
    },
}

/// The error without the text that it is about, which is the report's.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a field is missing or of another form",
        _ => "it is no JSON",
    }
}

impl ScanReport {
    /// Reads a report.
    ///
    /// # Errors
    /// See [`GapError`].
    pub fn parse(text: &str) -> Result<Self, GapError> {
        let report: ScanReport = serde_json::from_str(text)?;
        if report.version != VERSION {
            return Err(GapError::Version(report.version));
        }
        Ok(report)
    }
}

/// What a report says about the inventory.
#[derive(Clone, Debug, Default)]
pub struct Matched<'a> {
    /// Keys of the inventory that stand in code, by id.
    pub hits: Vec<Hit<'a>>,
    /// Keys in code that no lineage lists.
    pub gaps: Vec<Gap>,
}

/// A key of the inventory that stands in code.
#[derive(Clone, Debug)]
pub struct Hit<'a> {
    /// The lineage.
    pub key: &'a Key,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Whether the value is the lineage's current one, which is listed first.
    pub current: bool,
    /// Whether the scan proved that it works.
    pub active: bool,
    /// Where it stands.
    pub spots: Vec<Spot>,
}

/// A key in code that no lineage lists.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The rule that found it.
    pub rule: String,
    /// Who issues such keys.
    pub provider: String,
    /// Whether the scan proved that it works.
    pub active: bool,
    /// Where it stands.
    pub spots: Vec<Spot>,
    /// Who is the nearest to ask.
    pub nearest: Option<Nearest>,
}

/// Somebody who may know a key, and why they are thought to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// Users, teams, mail addresses.
    pub owners: Vec<String>,
    /// The reason.
    pub because: String,
}

/// Holds a report against the inventory. Lineages that share a value on purpose are all hit.
///
/// # Errors
/// A report whose fingerprints were all made with a key that the inventory does not use.
pub fn match_report<'a>(
    policy: &'a Policy,
    report: &ScanReport,
    owners: Option<&CodeOwners>,
) -> Result<Matched<'a>, GapError> {
    let mut lineages: BTreeMap<&Fingerprint, Vec<(&Key, bool)>> = BTreeMap::new();
    for key in &policy.file.key {
        for (n, fingerprint) in key.fingerprints.iter().enumerate() {
            lineages.entry(fingerprint).or_default().push((key, n == 0));
        }
    }
    let seen = || report.findings.iter().filter(|seen| seen.counts());
    let known: BTreeSet<&str> = lineages.keys().map(|f| f.key_id()).collect();
    if let Some(other) = seen().find(|seen| !known.is_empty() && !known.contains(seen.fingerprint.key_id())) {
        return Err(GapError::OtherKey {
            report: other.fingerprint.key_id().to_owned(),
            inventory: known.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "),
        });
    }
    let mut matched = Matched::default();
    for seen in seen() {
        let (fingerprint, active, spots) = (&seen.fingerprint, seen.is_active(), &seen.occurrences);
        match lineages.get(fingerprint) {
            Some(keys) => matched.hits.extend(keys.iter().map(|(key, current)| Hit {
                key,
                fingerprint: fingerprint.clone(),
                current: *current,
                active,
                spots: spots.clone(),
            })),
            None => matched.gaps.push(Gap {
                fingerprint: fingerprint.to_string(),
                rule: seen.rule.clone(),
                provider: seen.provider.clone(),
                active,
                spots: spots.clone(),
                nearest: nearest(policy, &spots.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), owners),
            }),
        }
    }
    matched.hits.sort_by(|a, b| a.key.id.cmp(&b.key.id));
    // What works comes first.
    matched.gaps.sort_by_key(|gap| !gap.active);
    Ok(matched)
}

/// Who answers for the first of these places that anybody answers for, by CODEOWNERS, or by the paths of the policy's
/// teams.
pub fn nearest(policy: &Policy, paths: &[&str], owners: Option<&CodeOwners>) -> Option<Nearest> {
    let by_file = |path: &&str| {
        let found = owners?.of(path)?;
        Some(Nearest { owners: found.names, because: format!("CODEOWNERS line {}", found.line) })
    };
    let by_team = |path: &&str| {
        let fits = |glob: &globset::Glob| glob.compile_matcher().is_match(path);
        let (name, team) = policy.file.team.iter().find(|(_, team)| team.paths.iter().any(fits))?;
        let said = team.policy.owners.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
        let owners = if said.is_empty() { vec![name.to_string()] } else { said };
        Some(Nearest { owners, because: format!("a path of team {name}") })
    };
    paths.iter().find_map(by_file).or_else(|| paths.iter().find_map(by_team))
}

fn fingerprint<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Fingerprint, D::Error> {
    let text = String::deserialize(from)?;
    Fingerprint::parse(&text).ok_or_else(|| serde::de::Error::custom("no fingerprint"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotate::policy::tests::{fingerprint, policy};

    fn finding(value: &str, status: &str, validity: &str, path: &str) -> String {
        format!(
            r#"{{"fingerprint":"{}","rule":"acme-key","provider":"acme","validity":"{validity}","status":"{status}",
            "occurrences":[{{"path":"{path}","line":3,"via":[]}}],"extra":1}}"#,
            fingerprint(value)
        )
    }

    fn report(findings: &[String]) -> ScanReport {
        ScanReport::parse(&format!(r#"{{"version":1,"findings":[{}]}}"#, findings.join(","))).unwrap()
    }

    fn inventory() -> Policy {
        let key = |id: &str, prints: &[String]| {
            format!(
                "[[key]]\nid = '{id}'\nteam = 'web'\nservice = 's'\nenvironment = 'production'\nprovider = 'acme'\n\
                 rule = 'acme-key'\naccount = 'a'\nfingerprints = {prints:?}\n"
            )
        };
        let team =
            "[team.web]\npaths = ['web/**']\n[team.ops]\npaths = ['ops/**']\npolicy.owners = ['@ops']\n";
        policy(&[
            team,
            &key("b", &[fingerprint("now"), fingerprint("before")]),
            &key("a", &[fingerprint("shared")]),
            &key("c", &[fingerprint("shared")]),
        ])
    }

    #[test]
    fn findings_are_matched_by_value_alone() {
        let policy = inventory();
        let report = report(&[
            finding("now", "new", "active", "web/a"),
            finding("before", "known", "unknown", "x"),
            finding("shared", "new", "inactive", "x"),
            finding("stranger", "new", "unknown", "ops/x"),
            finding("live", "suppressed", "active", "web/y"),
            finding("sample", "suppressed", "unknown", "web/z"),
        ]);
        let matched = match_report(&policy, &report, None).unwrap();
        let hits: Vec<_> = matched.hits.iter().map(|h| (h.key.id.as_str(), h.current, h.active)).collect();
        assert_eq!(hits, [("a", true, false), ("b", true, true), ("b", false, false), ("c", true, false)]);
        let gaps: Vec<_> = matched.gaps.iter().map(|g| (g.spots[0].path.as_str(), g.active)).collect();
        assert_eq!(gaps, [("web/y", true), ("ops/x", false)], "a live key counts whatever suppresses it");
    }

    #[test]
    fn the_nearest_owner_is_named_with_the_reason() {
        let policy = inventory();
        let owners = CodeOwners::parse("/ops/db @dba\n");
        let nearest = |path: &str, owners: Option<&CodeOwners>| {
            let report = report(&[finding("stranger", "new", "unknown", path)]);
            let gap = match_report(&policy, &report, owners).unwrap().gaps.remove(0);
            gap.nearest.map_or("-".to_owned(), |n| format!("{} ({})", n.owners.join(" "), n.because))
        };
        assert_eq!(nearest("ops/db/x", Some(&owners)), "@dba (CODEOWNERS line 1)");
        assert_eq!(nearest("ops/db/x", None), "@ops (a path of team ops)");
        assert_eq!(nearest("web/x", Some(&owners)), "web (a path of team web)");
        assert_eq!(nearest("else", Some(&owners)), "-");
    }

    #[test]
    fn a_report_that_cannot_be_matched_is_refused() {
        let policy = inventory();
        let other = finding("now", "new", "active", "x");
        let other = other.replace(&fingerprint("now")[4..12], "00000000");
        let told = match_report(&policy, &report(&[other]), None).unwrap_err().to_string();
        assert!(told.contains("`00000000`") && told.contains("would ever be recognised"), "{told}");
        let secret = "a1B2".repeat(8);
        for (text, told) in [
            (r#"{"version":2,"findings":[]}"#.to_owned(), "version 2"),
            (r#"{"version":1}"#.to_owned(), "a field is missing"),
            ("{".to_owned(), "ends too early"),
            (secret.clone(), "no JSON"),
            (format!(r#"{{"version":1,"findings":[{{"fingerprint":"{secret}"}}]}}"#), "another form"),
        ] {
            let said = ScanReport::parse(&text).unwrap_err().to_string();
            assert!(said.contains(told) && !said.contains(&secret), "{said}");
        }
        assert!(match_report(&policy, &report(&[]), None).unwrap().hits.is_empty());
    }
}
