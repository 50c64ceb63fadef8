//! What a scan's proved keys lead to: for each the plan, or why there is none. Nothing is written and nobody is called.

use super::desk;
use crate::cli::organisation::{Organisation, OrganisationArgs};
use anyhow::Result;
use keywheel::model::{Finding, Fingerprint};
use keywheel::rotate::inventory::Key;
use keywheel::rotate::machine::Kind;
use std::fmt::Write as _;
use std::path::Path;

/// Markdown for a job summary; empty if nothing was proved to work.
pub(crate) fn proposals(policy: &Path, findings: &[Finding]) -> Result<String> {
    let active: Vec<&Finding> = findings.iter().filter(|f| f.validity.is_active()).collect();
    if active.is_empty() {
        return Ok(String::new());
    }
    let organisation = Organisation::new(&OrganisationArgs::of(policy))?;
    let mut out = String::from("\n## Rotation\n\n");
    for finding in active {
        match lineage(&organisation, &finding.fingerprint) {
            Ok(key) => {
                let plan = desk::plan(&organisation, None, key.id.as_str(), Kind::Emergency)?;
                out.push_str(&plan.markdown());
                let _ = writeln!(
                    out,
                    "\nA trusted job carries it out: `keywheel rotate apply --report REPORT --fingerprint {}`\n",
                    finding.fingerprint
                );
            }
            Err(why) => {
                let _ = writeln!(out, "- `{}` ({}): no plan: {why}", finding.fingerprint, finding.rule.id);
            }
        }
    }
    Ok(out)
}

/// The lineage whose current value it is, or why there is none.
fn lineage<'o>(organisation: &'o Organisation, print: &Fingerprint) -> Result<&'o Key, String> {
    let keys = &organisation.policy.file.key;
    let known: Vec<&Key> = keys.iter().filter(|key| key.fingerprints.contains(print)).collect();
    match known[..] {
        [key] if key.fingerprints.first() == Some(print) => Ok(key),
        [key] => Err(format!("it is a former value of `{}`; `keywheel rotate revoke` ends it", key.id)),
        [] if keys.iter().flat_map(|key| &key.fingerprints).all(|f| f.key_id() != print.key_id()) => {
            Err("the inventory's fingerprints were made with another key than this scan's".to_owned())
        }
        [] => Err("no lineage of the inventory has it; `keywheel inventory check` names the nearest owner"
            .to_owned()),
        _ => Err("several lineages have this value".to_owned()),
    }
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
            "version = 1\n[team.web]\n[store.env]\nkind = 'file'\n[[key]]\nid = 'shop/github'\nteam = 'web'\nservice = 's'\n\
             environment = 'staging'\nprovider = 'github'\nrule = 'github-pat-classic'\naccount = 'a'\nowner = 'ann'\n\
             fingerprints = ['{}', '{}']\nstores = [{{ store = 'env', path = '/srv/.env', field = 'T' }}]\n",
            print("now"),
            print("before")
        );
        std::fs::write(&path, text).expect("because the folder can be written");
        let told = |values: &[(&str, bool)]| {
            let list: Vec<_> = values.iter().map(|(value, active)| finding(value, *active)).collect();
            proposals(&path, &list).map_err(|e| e.to_string())
        };
        assert_eq!(told(&[("now", false)]), Ok(String::new()), "nothing is proposed for what is not proved");
        let text = told(&[("now", true), ("before", true), ("other", true)]).unwrap_or_default();
        assert!(text.contains("### `shop/github`: emergency rotation to generation 2"), "{text}");
        assert!(text.contains(&format!("--fingerprint {}", print("now"))), "{text}");
        assert!(text.contains("no plan: it is a former value of `shop/github`"), "{text}");
        assert!(text.contains("no plan: no lineage of the inventory has it"), "{text}");
        std::fs::remove_file(&path).expect("because it was written");
        assert!(told(&[("now", true)]).is_err(), "a policy that is not there is told");
    }
}
