//! What becomes of findings from sweep to sweep.

use crate::model::{By, Finding, Fingerprint, Past, Severity, Status, Suppression};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The rule that named it.
    pub rule: String,
    /// How bad it was.
    pub severity: Severity,
    /// Whether it stood somewhere at the end of the last sweep; `false` once it was fixed.
    pub open: bool,
    /// Whether a ref led to it.
    pub reachable: bool,
    /// Whether a baseline, a comment or the configuration accepted it.
    pub accepted: bool,
    /// The sweep that saw it first.
    pub first: i64,
}

/// What may be concluded from a finding that was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing: not everything was read.
    None,
    /// That it is withdrawn: rules or options are others than in the last sweep.
    Changed,
    /// That it is fixed.
    Whole,
}

/// The sweep that judges.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// Its number.
    pub sweep: i64,
    /// What it may conclude.
    pub trust: Trust,
    /// The repository, as it was named to the sweep.
    pub repository: &'a str,
}

/// What a sweep concludes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// What is remembered from now on.
    pub rows: BTreeMap<Fingerprint, Row>,
    /// Findings that were fixed since the last sweep.
    pub fixed: Vec<Past>,
    /// Findings that are not reported any more, for all we know because rules or options changed.
    pub withdrawn: Vec<Past>,
}

/// Tells new findings from those that were seen before, by their status, and concludes what is gone.
/// `findings` are reported; `others` were found too, and are not.
pub fn judge(
    before: &BTreeMap<Fingerprint, Row>,
    findings: &mut [Finding],
    others: &BTreeSet<Fingerprint>,
    of: &Of<'_>,
) -> Judged {
    let &Of { sweep, trust, repository } = of;
    let mut out = Judged::default();
    let past = |fingerprint: &Fingerprint, row: &Row| Past {
        fingerprint: fingerprint.clone(),
        rule: row.rule.clone(),
        severity: row.severity,
        repository: repository.to_owned(),
    };
    for finding in findings {
        let old = before.get(&finding.fingerprint);
        let mut row = Row {
            rule: finding.rule.id.clone(),
            severity: finding.severity,
            open: true,
            reachable: is_reachable(finding),
            accepted: !finding.status.counts(),
            first: old.map_or(sweep, |r| r.first),
        };
        match old.filter(|_| !row.accepted) {
            // Nobody was told of it while it was accepted.
            None => {}
            Some(old) if old.accepted => {}
            Some(old) if !old.open && row.reachable => finding.status = Status::Reopened,
            Some(old) if !old.open || old.reachable && !row.reachable && trust == Trust::Whole => {
                if old.open {
                    out.fixed.push(past(&finding.fingerprint, &row));
                }
                row.open = false;
                finding.status = known("fixed: no ref leads to it any more");
            }
            Some(old) => {
                // What was not read may be what leads to it.
                row.reachable |= old.reachable && trust == Trust::None;
                finding.status = known("reported by an earlier sweep");
            }
        }
        out.rows.insert(finding.fingerprint.clone(), row);
    }
    for (fingerprint, row) in before {
        if out.rows.contains_key(fingerprint) {
            continue;
        }
        let stays = !row.open || trust == Trust::None || others.contains(fingerprint);
        if stays {
            out.rows.insert(fingerprint.clone(), row.clone());
        } else if trust == Trust::Changed {
            out.withdrawn.push(past(fingerprint, row));
        } else {
            out.fixed.push(past(fingerprint, row));
            out.rows.insert(fingerprint.clone(), Row { open: false, ..row.clone() });
        }
    }
    out.fixed.sort();
    out
}

fn known(reason: &str) -> Status {
    Status::Known(Suppression {
        by: By::Sweep,
        reason: reason.to_owned(),
        owner: String::new(),
        until: String::new(),
    })
}

fn is_reachable(finding: &Finding) -> bool {
    finding.occurrences.iter().any(|o| o.provenance.origin.as_ref().is_none_or(|origin| origin.reachable))
}
