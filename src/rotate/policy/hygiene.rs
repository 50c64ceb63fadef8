//! How well each team keeps its keys: what is late, unowned, over quota, in code, or known to nobody.

use super::check::{Code, Facts, check};
use super::{Period, Policy};
use crate::report::escape::{markdown, markdown_code, plain};
use crate::rotate::inventory::{Gap, Matched, Spot};
use crate::rotate::schedule::{History, turn};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

/// Places listed for one key.
const SPOTS: usize = 3;

/// The account of one day.
#[derive(Clone, Debug, Serialize)]
pub struct Hygiene {
    /// One line a team.
    pub teams: Vec<TeamLine>,
    /// Keys whose rotation should have begun, the latest first.
    pub late: Vec<Late>,
    /// Keys that nobody answers for.
    pub unowned: Vec<String>,
    /// Keys whose account has no room for a new one.
    pub over_quota: Vec<String>,
    /// What a scan adds; `None` if none was given.
    pub code: Option<InCode>,
}

/// The numbers of one team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TeamLine {
    /// Its name.
    pub team: String,
    /// Its keys.
    pub keys: usize,
    /// Those whose rotation should have begun.
    pub late: usize,
    /// Those that were never rotated, late or not.
    pub never_rotated: usize,
    /// Those that nobody answers for.
    pub unowned: usize,
    /// Those whose account is full.
    pub over_quota: usize,
    /// Those that stand in code.
    pub in_code: usize,
}

/// A key whose rotation should have begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// The key.
    pub key: String,
    /// Whose it is.
    pub team: String,
    /// How old its value is; unknown if nobody wrote it down.
    pub age: Option<Period>,
    /// How old it may get.
    pub cadence: Period,
    /// For how long its rotation is late.
    pub late: Period,
}

/// What a scan says.
#[derive(Clone, Debug, Serialize)]
pub struct InCode {
    /// Keys of the inventory that stand in code.
    pub known: Vec<Known>,
    /// Keys in code that no lineage lists.
    pub unknown: Vec<Gap>,
    /// Keys of the inventory that the scan did not see, which is as it should be.
    pub unseen: usize,
    /// Of those, keys without any fingerprint, which no scan can recognise.
    pub blind: Vec<String>,
}

/// A key of the inventory that stands in code.
#[derive(Clone, Debug, Serialize)]
pub struct Known {
    /// The key.
    pub key: String,
    /// Whether it is the current value.
    pub current: bool,
    /// Whether the scan proved that it works.
    pub active: bool,
    /// Where it stands.
    pub spots: Vec<Spot>,
}

impl Hygiene {
    /// The account of a policy, and of a scan that was matched with it.
    pub fn new(policy: &Policy, facts: Facts<'_>, scan: Option<&Matched<'_>>) -> Self {
        let faults = check(policy, facts);
        let with = |code| -> BTreeSet<&str> {
            faults.iter().filter(|f| f.code == code).flat_map(|f| &f.keys).map(String::as_str).collect()
        };
        let (unowned, full) = (with(Code::Unowned), with(Code::QuotaFull));
        let hit: BTreeSet<&str> = scan.iter().flat_map(|m| &m.hits).map(|hit| hit.key.id.as_str()).collect();
        let mut teams: BTreeMap<&str, TeamLine> = BTreeMap::new();
        let mut all_late = Vec::new();
        for key in &policy.file.key {
            let (id, resolved) = (key.id.as_str(), policy.resolve(key));
            let since = key.since();
            let first = turn(&key.id, &resolved, History { since, paused: None }, facts.now);
            let line = teams.entry(key.team.as_str()).or_default();
            line.keys += 1;
            line.never_rotated += usize::from(key.rotated.is_none());
            line.unowned += usize::from(unowned.contains(id));
            line.over_quota += usize::from(full.contains(id));
            line.in_code += usize::from(hit.contains(id));
            let whole =
                |time: jiff::SignedDuration| Period::seconds(u64::try_from(time.as_secs()).unwrap_or(0));
            let late = first.late(facts.now).map(whole);
            // Of an unknown age nobody can say that it is young enough.
            if late.is_some() || since.is_none() {
                line.late += 1;
                all_late.push(Late {
                    key: id.to_owned(),
                    team: key.team.to_string(),
                    age: since.map(|since| whole(facts.now.duration_since(since))),
                    cadence: resolved.cadence.value,
                    late: late.unwrap_or(Period::ZERO),
                });
            }
        }
        all_late.sort_by(|a, b| (a.age.is_some(), b.late, &a.key).cmp(&(b.age.is_some(), a.late, &b.key)));
        let listed = |set: &BTreeSet<&str>| set.iter().map(|id| (*id).to_owned()).collect();
        let blind = || policy.file.key.iter().filter(|key| key.fingerprints.is_empty());
        Hygiene {
            teams: teams.into_iter().map(|(team, line)| TeamLine { team: team.to_owned(), ..line }).collect(),
            late: all_late,
            unowned: listed(&unowned),
            over_quota: listed(&full),
            code: scan.map(|matched| InCode {
                known: matched
                    .hits
                    .iter()
                    .map(|hit| Known {
                        key: hit.key.id.to_string(),
                        current: hit.current,
                        active: hit.active,
                        spots: hit.spots.clone(),
                    })
                    .collect(),
                unknown: matched.gaps.clone(),
                unseen: policy.file.key.len() - hit.len(),
                blind: blind().map(|key| key.id.to_string()).collect(),
            }),
        }
    }

    /// Whether a gate lets it pass: nothing late, unowned or full, and no key in code.
    pub fn is_clean(&self) -> bool {
        let code = self.code.iter().all(|code| code.known.is_empty() && code.unknown.is_empty());
        self.late.is_empty() && self.unowned.is_empty() && self.over_quota.is_empty() && code
    }

    /// For a job summary or a comment.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let _ = self.write_markdown(&mut out);
        out
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "## Keywheel: keys by team\n")?;
        writeln!(out, "| Team | Keys | Late | Never rotated | Unowned | Over quota | In code |")?;
        writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
        for t in &self.teams {
            let name = markdown(&t.team);
            let (never, full) = (t.never_rotated, t.over_quota);
            writeln!(
                out,
                "| {name} | {} | {} | {never} | {} | {full} | {} |",
                t.keys, t.late, t.unowned, t.in_code
            )?;
        }
        self.lists(out, "\n### ", "- ", &|text| markdown(text), &|text| markdown_code(text))?;
        writeln!(out, "\n**{}**", self.verdict())
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = self.write_text(&mut out);
        out
    }

    fn write_text(&self, out: &mut String) -> fmt::Result {
        let head = ["team", "keys", "late", "never rotated", "unowned", "over quota", "in code"];
        let width = self.teams.iter().map(|t| t.team.len()).chain([head[0].len()]).max().unwrap_or(0);
        let [a, b, c, d, e, f, g] = head;
        writeln!(out, "{a:width$}  {b:>4}  {c:>4}  {d:>13}  {e:>7}  {f:>10}  {g:>7}")?;
        for t in &self.teams {
            let (name, never, full) = (plain(&t.team), t.never_rotated, t.over_quota);
            let (unowned, code) = (t.unowned, t.in_code);
            writeln!(
                out,
                "{name:width$}  {:>4}  {:>4}  {never:>13}  {unowned:>7}  {full:>10}  {code:>7}",
                t.keys, t.late
            )?;
        }
        self.lists(out, "\n", "  ", &|text| plain(text).into_owned(), &|text| plain(text).into_owned())?;
        writeln!(out, "\n{}", self.verdict())
    }

    fn lists(
        &self,
        out: &mut String,
        heading: &str,
        item: &str,
        words: &dyn Fn(&str) -> String,
        code: &dyn Fn(&str) -> String,
    ) -> fmt::Result {
        if !self.late.is_empty() {
            writeln!(out, "{heading}Late\n")?;
        }
        for l in &self.late {
            let age = l.age.map_or("of unknown age".to_owned(), |age| {
                format!("{} old, late by {}", rough(age), rough(l.late))
            });
            writeln!(out, "{item}{} (team {}): {age}; cadence {}", code(&l.key), words(&l.team), l.cadence)?;
        }
        for (title, list) in
            [("Nobody answers for", &self.unowned), ("No room for a new key", &self.over_quota)]
        {
            if !list.is_empty() {
                writeln!(out, "{heading}{title}\n")?;
            }
            for key in list {
                writeln!(out, "{item}{}", code(key))?;
            }
        }
        let Some(found) = &self.code else { return Ok(()) };
        if !found.known.is_empty() {
            writeln!(out, "{heading}In the inventory and in code\n")?;
        }
        for k in &found.known {
            let value = if k.current { "its current value" } else { "an earlier value" };
            let live = if k.active { ", proved active" } else { "" };
            writeln!(out, "{item}{}: {value}{live}: {}", code(&k.key), spots(&k.spots, code))?;
        }
        if !found.unknown.is_empty() {
            writeln!(out, "{heading}In code and not in the inventory\n")?;
        }
        for gap in &found.unknown {
            let live = if gap.active { ", proved active" } else { "" };
            let ask = gap.nearest.as_ref().map_or("nobody is known to ask".to_owned(), |n| {
                format!("ask {} ({})", words(&n.owners.join(" ")), words(&n.because))
            });
            writeln!(out, "{item}{}{live}: {}; {ask}", words(&gap.rule), spots(&gap.spots, code))?;
        }
        writeln!(out, "\n{} of the inventory not seen in code.", count(found.unseen, "key"))?;
        if !found.blind.is_empty() {
            let n = found.blind.len();
            writeln!(out, "{} without a fingerprint, which no scan can recognise.", count(n, "key"))?;
        }
        Ok(())
    }

    fn verdict(&self) -> &'static str {
        if self.is_clean() { "The gate passes." } else { "The gate fails." }
    }
}

/// Whole days of more than one.
fn rough(time: Period) -> Period {
    const DAY: u64 = 86_400;
    if time.as_secs() < DAY { time } else { Period::days(time.as_secs() / DAY) }
}

fn spots(spots: &[Spot], code: &dyn Fn(&str) -> String) -> String {
    let shown: Vec<_> = spots.iter().take(SPOTS).map(|s| code(&format!("{}:{}", s.path, s.line))).collect();
    let more = spots.len().saturating_sub(SPOTS);
    let more = if more == 0 { String::new() } else { format!(" and {}", count(more, "other place")) };
    format!("{}{more}", shown.join(", "))
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotate::inventory::{CodeOwners, ScanReport, match_report};
    use crate::rotate::policy::tests::{catalogue, fingerprint, policy};

    const NOW: &str = "2026-11-23T00:00:00Z";

    fn key(id: &str, team: &str, more: &str) -> String {
        format!(
            "[[key]]\nid = '{id}'\nteam = '{team}'\nservice = 's'\nenvironment = 'staging'\nprovider = 'acme'\n\
             rule = 'acme-key'\naccount = '{id}'\n{more}\n"
        )
    }

    fn sample() -> Policy {
        policy(&[
            "[default]\njitter = '0s'\ncadence = '30d'\n[team.web]\n[team.ops]\npolicy.owners = ['@ops']\n",
            &key("young", "ops", "rotated = 2026-11-01"),
            &key("old", "ops", "rotated = 2026-01-01"),
            &key("ancient", "ops", "created = 2020-01-01"),
            &key("ageless", "web", "owner = 'ann'"),
            &key("full-1", "web", "created = 2026-11-20").replace("account = 'full-1'", "account = 'one'"),
            &key("full-2", "ops", "rotated = 2026-11-20").replace("account = 'full-2'", "account = 'one'"),
            &key("leaked", "ops", &format!("rotated = 2026-11-20\nfingerprints = ['{}']", fingerprint("v"))),
        ])
    }

    fn report(policy: &Policy) -> ScanReport {
        let _ = policy;
        let one = |value: &str, path: &str| {
            format!(
                r#"{{"fingerprint":"{}","rule":"acme-key","provider":"acme","validity":"active","status":"new",
                "occurrences":[{{"path":"{path}","line":7}}]}}"#,
                fingerprint(value)
            )
        };
        let list = [one("v", "src/a.rs"), one("stranger", "docs/<b>|@all.md")].join(",");
        ScanReport::parse(&format!(r#"{{"version":1,"findings":[{list}]}}"#)).unwrap()
    }

    fn hygiene(policy: &Policy, scan: Option<&Matched<'_>>) -> Hygiene {
        let catalogue = catalogue();
        Hygiene::new(
            policy,
            Facts { catalogue: &catalogue, now: NOW.parse().unwrap(), discovered: None },
            scan,
        )
    }

    #[test]
    fn every_team_is_counted() {
        let policy = sample();
        let h = hygiene(&policy, None);
        let line = |team: &str, keys, late, never_rotated, unowned, over_quota| TeamLine {
            team: team.to_owned(),
            keys,
            late,
            never_rotated,
            unowned,
            over_quota,
            in_code: 0,
        };
        assert_eq!(h.teams, [line("ops", 5, 2, 1, 0, 1), line("web", 2, 1, 2, 1, 1)]);
        let late: Vec<_> = h.late.iter().map(|l| (l.key.as_str(), l.age.map(|a| a.to_string()))).collect();
        assert_eq!(
            late,
            [("ageless", None), ("ancient", Some("2518d".into())), ("old", Some("326d".into()))]
        );
        assert_eq!(
            (h.unowned, h.over_quota),
            (vec!["full-1".to_owned()], vec!["full-1".to_owned(), "full-2".to_owned()])
        );
        assert!(h.code.is_none());
    }

    #[test]
    fn a_scan_adds_what_stands_in_code() {
        let policy = sample();
        let owners = CodeOwners::parse("docs/ @org/writers");
        let matched = match_report(&policy, &report(&policy), Some(&owners)).unwrap();
        let h = hygiene(&policy, Some(&matched));
        let code = h.code.as_ref().unwrap();
        assert_eq!((code.known.len(), code.unknown.len(), code.unseen, code.blind.len()), (1, 1, 6, 6));
        let text = h.text();
        assert!(text.contains("leaked: its current value, proved active: src/a.rs:7"), "{text}");
        assert!(text.contains("ask @org/writers (CODEOWNERS line 1)"), "{text}");
        let md = h.markdown();
        assert!(!md.contains("<b>") && !md.contains("@org") && md.contains("**The gate fails.**"), "{md}");
        // Each row of the table has the same number of cells.
        let cells: BTreeSet<_> =
            md.lines().filter(|l| l.starts_with('|')).map(|l| l.matches('|').count()).collect();
        assert_eq!(cells.len(), 1, "{md}");
    }

    #[test]
    fn the_gate_fails_for_each_reason_and_passes_without() {
        let clean = [
            "[default]\njitter = '0s'\nowners = ['@ops']\n[team.ops]\n",
            &key("young", "ops", "rotated = 2026-11-01"),
        ];
        assert!(hygiene(&policy(&clean), None).is_clean());
        assert!(hygiene(&policy(&clean), None).text().ends_with("The gate passes.\n"));
        for more in ["rotated = 2026-01-01", "", "rotated = 2026-11-01\naccount = 'one'"] {
            let extra = key("other", "ops", more);
            // An account may be named once only.
            let extra =
                if more.contains("account") { extra.replace("account = 'other'\n", "") } else { extra };
            let twin =
                key("twin", "ops", "rotated = 2026-11-01").replace("account = 'twin'", "account = 'one'");
            let all =
                if more.contains("account") { vec![clean[0], &extra, &twin] } else { vec![clean[0], &extra] };
            assert!(!hygiene(&policy(&all), None).is_clean(), "{more}");
        }
        let unowned = key("young", "ops", "rotated = 2026-11-01");
        assert!(!hygiene(&policy(&["[default]\njitter = '0s'\n[team.ops]\n", &unowned]), None).is_clean());
        let known =
            key("young", "ops", &format!("rotated = 2026-11-01\nfingerprints = ['{}']", fingerprint("v")));
        let policy = policy(&[clean[0], &known]);
        let matched = match_report(&policy, &report(&policy), None).unwrap();
        assert!(!hygiene(&policy, Some(&matched)).is_clean());
    }
}
