//! The table of every rule and what can be done with what it finds: `docs/catalogue.md`.

use super::checksum;
use super::{ChecksumMode, Declared, RuleSet};
use crate::call::Ending;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const HEAD: &str = "# Catalogue

Made by `keywheel rules list --format catalogue`; a test holds it current. [The checks](verification.md) have a table of
their own.

- *Confidence* of a match as such; the default gate shows medium and high. *By score*: the value is [ranked](ranking.md).
- *Checksum*: a value that fails it is *dropped*, where the algorithm was reproduced on published samples, or *lowered*.
- *Verify*: what tells whether the credential works.
- *Revoke*: what a call makes of it.
- *Rotate*: *calls* where keys are made and deleted by calls; *roles* where two roles of a database take turns, else by
  hand; *by hand* where a person makes the new key, and everything else is done and proved.

";

/// Something that can be done with what a rule finds.
type Has = fn(&Declared) -> bool;

/// The table of a rule set, in Markdown.
pub fn catalogue(rules: &RuleSet) -> String {
    let all: Vec<Declared> = rules.kinds().iter().filter_map(|k| rules.declared(&k.id)).collect();
    let count = |has: Has| {
        let providers: BTreeSet<&str> =
            all.iter().filter(|d| has(d)).map(|d| d.provider.id.as_str()).collect();
        (all.iter().filter(|d| has(d)).count(), providers.len())
    };
    let mut out = HEAD.to_owned();
    out.push_str("| | Rules | Providers |\n|---|---:|---:|\n");
    let rows: [(&str, Has); 5] = [
        ("detect", |_| true),
        ("checksum", |d| d.rule.checksum.is_some()),
        ("verify", |d| d.rule.verify.is_some()),
        ("revoke", |d| d.rule.revoke.is_some()),
        ("rotate by calls", by_calls),
    ];
    for (what, has) in rows {
        let (rules, providers) = count(has);
        let _ = writeln!(out, "| {what} | {rules} | {providers} |");
    }
    out.push_str(
        "\n| Provider | Rule | Severity | Confidence | Checksum | Verify | Revoke | Rotate |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for declared in &all {
        row(declared, &mut out);
    }
    out
}

fn by_calls(declared: &Declared) -> bool {
    declared.rule.rotate.as_ref().is_some_and(|r| r.off.is_none() && r.calls.is_some())
}

fn row(declared: &Declared, out: &mut String) {
    let rule = &declared.rule;
    let checksum = match &rule.checksum {
        Some(used) if used.mode == ChecksumMode::Drop => "dropped",
        Some(used) if checksum::by_name(&used.algorithm).is_some() => "lowered",
        _ => "",
    };
    let verify = match &rule.verify {
        Some(verify) if verify.probe.is_some() => "probe",
        Some(_) => "call",
        None => "",
    };
    let revoke = match rule.revoke.as_ref().map(|r| r.effect) {
        Some(Ending::Disable) => "disabled",
        Some(Ending::Delete) => "deleted",
        None => "",
    };
    let rotate = match () {
        () if by_calls(declared) => "calls",
        () if rule.rotate.as_ref().is_some_and(|r| r.off.is_none() && r.native.is_some()) => "roles",
        // The death of the old key and the life of the new one must be proved.
        () if rule.verify.is_some() => "by hand",
        () => "",
    };
    let ranked = rule.class == crate::model::Class::Generic;
    let confidence = if ranked { "by score".to_owned() } else { rule.confidence.to_string() };
    let name = declared.provider.name.replace('|', "\\|");
    let severity = rule.severity;
    let _ = writeln!(
        out,
        "| {name} | `{}` | {severity} | {confidence} | {checksum} | {verify} | {revoke} | {rotate} |",
        rule.id
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_in_the_documentation_is_current() {
        let made = catalogue(&RuleSet::embedded());
        let there = include_str!("../../docs/catalogue.md");
        let stale = made.lines().zip(there.lines()).find(|(a, b)| a != b);
        assert!(
            made == there,
            "docs/catalogue.md is stale: keywheel rules list --format catalogue > docs/catalogue.md\n{stale:?}"
        );
    }

    #[test]
    fn every_rule_has_a_row() {
        let made = catalogue(&RuleSet::embedded());
        let rows = made.lines().filter(|l| l.contains(" | `")).collect::<Vec<_>>();
        assert_eq!(rows.len(), RuleSet::embedded().kinds().len());
        assert!(rows.iter().all(|row| row.replace("\\|", "").matches('|').count() == 9));
    }
}
