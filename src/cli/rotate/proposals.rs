//! What a scan's proved keys lead to: for each the plan, or why there is none. Nothing is written and nobody is called.

use super::desk;
use super::office::{self, Office};
use crate::cli::ci::add_to_summary;
use crate::cli::organisation::{Organisation, OrganisationArgs, report};
use crate::cli::output;
use crate::cli::terminal::plain;
use crate::cli::verify::Caller;
use anyhow::Result;
use clap::Args;
use keywheel::model::Finding;
use keywheel::report::{markdown_code, markdown_text};
use keywheel::rotate::inventory::{Key, Nearest, nearest};
use keywheel::rotate::machine::Kind;
use keywheel::rotate::plan::Plan;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Whether a scan goes on to what follows from it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProposalArgs {
    /// The organisation's policy: for each key that is proved to work it is said how it would be rotated, or why there is
    /// no plan: in the job's summary, or else on standard error. Takes --verify; never for a proposed change
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_POLICY")]
    policy: Option<PathBuf>,
}

/// How proposals are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// For a job's summary.
    Markdown,
    /// For a terminal or a log.
    Text,
}

impl ProposalArgs {
    /// Says what follows. What was found counts for more than what could be done about it, so nothing here ends a run.
    pub(crate) fn tell(&self, findings: &[Finding], caller: Caller) {
        let Some(policy) = self.policy.as_deref().filter(|p| !p.as_os_str().is_empty()) else { return };
        // Whoever pushes to a server need not know the organisation's policy.
        if caller != Caller::Person || !findings.iter().any(|f| f.validity.is_active()) {
            return;
        }
        if let Err(error) = told(policy, findings) {
            output::tell(&format!("no plans of rotation: {error:#}"));
        }
    }
}

fn told(policy: &Path, findings: &[Finding]) -> Result<()> {
    if office::is_proposed() {
        anyhow::bail!(
            "this job runs for a proposed change, and a scan cannot tell whose; `keywheel ci github` can, and gives plans \
             for changes of the repository's own"
        );
    }
    let summary = env::var_os("GITHUB_STEP_SUMMARY").filter(|v| !v.is_empty()).map(PathBuf::from);
    match summary {
        Some(path) => add_to_summary(
            &path,
            &proposals(policy, findings, Shape::Markdown)?,
            "\n## Rotation\n\nThe plans are too long for this summary; `keywheel rotate plan` prints them.\n",
        ),
        None => {
            let text = proposals(policy, findings, Shape::Text)?;
            text.lines().for_each(output::tell);
            Ok(())
        }
    }
}

/// What follows from one key that is proved to work.
pub(super) struct Proposal {
    print: String,
    rule: String,
    /// The plan, or why there is none.
    follows: Result<Plan, String>,
}

impl Proposal {
    fn new(
        organisation: &Organisation,
        office: Option<&Office>,
        print: String,
        rule: &str,
        key: Result<&Key, String>,
    ) -> Self {
        let plan = |key: &Key| {
            let plan = desk::plan(organisation, office, key.id.as_str(), Kind::Emergency);
            plan.map_err(|e| format!("{e:#}"))
        };
        Proposal { print, rule: rule.to_owned(), follows: key.and_then(plan) }
    }

    /// Whether nothing stands in the way of the plan.
    pub(super) fn is_whole(&self) -> bool {
        self.follows.as_ref().is_ok_and(|plan| plan.gaps.is_empty())
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        match &self.follows {
            Ok(plan) => json!({ "fingerprint": self.print, "rule": self.rule, "plan": plan.json() }),
            Err(why) => json!({ "fingerprint": self.print, "rule": self.rule, "gap": why }),
        }
    }
}

/// Proposals for people; empty if there are none.
pub(super) fn written(proposals: &[Proposal], shape: Shape) -> String {
    if proposals.is_empty() {
        return String::new();
    }
    let markdown = shape == Shape::Markdown;
    let mut out = if markdown { String::from("\n## Rotation\n\n") } else { String::new() };
    for Proposal { print, rule, follows } in proposals {
        let apply = format!("keywheel rotate apply --report REPORT --fingerprint {print}");
        let _ = match follows {
            Ok(plan) if markdown => {
                writeln!(out, "{}\nA trusted job carries it out: `{apply}`\n", plan.markdown())
            }
            Ok(plan) => writeln!(out, "{}  to carry it out: {apply}", plan.text()),
            Err(why) if markdown => {
                let (print, rule) = (markdown_code(print), markdown_code(rule));
                writeln!(out, "- {print} ({rule}): no plan: {}", markdown_text(why))
            }
            Err(why) => {
                writeln!(out, "{print} ({}): no plan: {}", plain(rule), plain(&why.replace('`', "")))
            }
        };
    }
    out
}

/// What follows from the findings that were proved to work; empty if none was.
pub(crate) fn proposals(policy: &Path, findings: &[Finding], shape: Shape) -> Result<String> {
    let active: Vec<&Finding> = findings.iter().filter(|f| f.validity.is_active()).collect();
    if active.is_empty() {
        return Ok(String::new());
    }
    let organisation = Organisation::new(&OrganisationArgs::of(policy))?;
    let one = |finding: &&Finding| {
        let (print, rule) = (finding.fingerprint.to_string(), finding.rule.id.to_string());
        Proposal::new(&organisation, None, print, &rule, lineage(&organisation, finding))
    };
    Ok(written(&active.iter().map(one).collect::<Vec<_>>(), shape))
}

/// What follows from the keys that a report says were proved to work, the inventory's first. They are not read from
/// their places again: a plan changes nothing, and `rotate apply` does.
pub(super) fn of_report(
    organisation: &Organisation,
    office: Option<&Office>,
    path: &Path,
) -> Result<Vec<Proposal>> {
    let scanned = report(path, None)?;
    let matched = scanned.matched(&organisation.policy)?;
    let mut known: BTreeMap<String, Vec<(&Key, bool)>> = BTreeMap::new();
    for hit in matched.hits.iter().filter(|hit| hit.active) {
        known.entry(hit.fingerprint.to_string()).or_default().push((hit.key, hit.current));
    }
    let mut out = Vec::new();
    for (print, keys) in known {
        let rule = keys.first().map_or("", |(key, _)| key.rule.as_str());
        out.push(Proposal::new(organisation, office, print, rule, holder(&keys)));
    }
    for gap in matched.gaps.iter().filter(|gap| gap.active) {
        let why = Err(nobody(gap.nearest.as_ref()));
        out.push(Proposal::new(organisation, office, gap.fingerprint.clone(), &gap.rule, why));
    }
    Ok(out)
}

/// The lineage whose current value it is, or why there is none.
fn lineage<'o>(organisation: &'o Organisation, finding: &Finding) -> Result<&'o Key, String> {
    let print = &finding.fingerprint;
    let keys = &organisation.policy.file.key;
    let known = keys.iter().filter(|key| key.fingerprints.contains(print));
    let known: Vec<_> = known.map(|key| (key, key.fingerprints.first() == Some(print))).collect();
    if !known.is_empty() {
        return holder(&known);
    }
    let mut prints = keys.iter().flat_map(|key| &key.fingerprints).peekable();
    if prints.peek().is_some() && prints.all(|f| f.key_id() != print.key_id()) {
        return Err("the inventory's fingerprints were made with another key than this scan's".to_owned());
    }
    let paths: Vec<String> = finding.occurrences.iter().map(|o| o.provenance.path.text()).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    Err(nobody(nearest(&organisation.policy, &paths, None).as_ref()))
}

/// The one of the lineages that know a value whose current one it is.
fn holder<'o>(known: &[(&'o Key, bool)]) -> Result<&'o Key, String> {
    match known {
        [(key, true)] => Ok(key),
        [(key, false)] => {
            Err(format!("it is a former value of `{}`; `keywheel rotate revoke` ends it", key.id))
        }
        _ => {
            let names: Vec<_> = known.iter().map(|(key, _)| key.id.as_str()).collect();
            Err(format!("several lineages have this value ({}): name one with --lineage", names.join(", ")))
        }
    }
}

/// Why a value that no lineage has gets no plan, and whom to ask.
fn nobody(nearest: Option<&Nearest>) -> String {
    let nearest = nearest.map_or_else(
        || "nobody answers for its place".to_owned(),
        |n| format!("the nearest to ask: {} ({})", n.owners.join(", "), n.because),
    );
    format!("no lineage of the inventory has it; {nearest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::verify::of_rule;
    use keywheel::model::{FingerprintKey, Secret, Validity};
    use keywheel::rule::RuleSet;

    fn finding(value: &str, active: bool) -> Finding {
        let secret = Secret::new(value.as_bytes());
        let rule = of_rule(&RuleSet::embedded(), "github-pat-classic", &secret, &FingerprintKey::default());
        let mut finding = rule.expect("because there is such a rule");
        if active {
            finding.validity = Validity::Active { restricted: false, identity: Default::default() };
        }
        finding
    }

    #[test]
    fn each_proved_key_gets_its_plan_or_the_reason_why_not() {
        let print = |value: &str| finding(value, false).fingerprint.to_string();
        let path = std::env::temp_dir().join(format!("keywheel-proposals-{}.toml", std::process::id()));
        let text = format!(
            "version = 1\n[team.web]\npaths = ['shop/**']\n[store.env]\nkind = 'file'\n[[key]]\nid = 'shop/github'\nteam = 'web'\nservice = 's'\n\
             environment = 'staging'\nprovider = 'github'\nrule = 'github-pat-classic'\naccount = 'a'\nowner = 'ann'\n\
             fingerprints = ['{}', '{}']\nstores = [{{ store = 'env', path = '/srv/.env', field = 'T' }}]\n",
            print("now"),
            print("before")
        );
        std::fs::write(&path, text).expect("because the folder can be written");
        let told = |values: &[(&str, bool)]| {
            let list: Vec<_> = values.iter().map(|(value, active)| finding(value, *active)).collect();
            proposals(&path, &list, Shape::Markdown).map_err(|e| e.to_string())
        };
        assert_eq!(told(&[("now", false)]), Ok(String::new()), "nothing is proposed for what is not proved");
        let text = told(&[("now", true), ("before", true), ("other", true)]).unwrap_or_default();
        assert!(text.contains("### `shop/github`: emergency rotation to generation 2"), "{text}");
        assert!(text.contains(&format!("--fingerprint {}", print("now"))), "{text}");
        assert!(text.contains("no plan: it is a former value of &#96;shop/github&#96;"), "{text}");
        assert!(text.contains("no plan: no lineage of the inventory has it"), "{text}");
        std::fs::remove_file(&path).expect("because it was written");
        assert!(told(&[("now", true)]).is_err(), "a policy that is not there is told");
    }
}
