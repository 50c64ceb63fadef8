//! One secret from standard input.

use super::{VerifyCommand, check, secret_text};
use crate::cli::settings::Settings;
use crate::cli::usage;
use anyhow::Result;
use keywheel::detect::{Detector, Workspace};
use keywheel::model::{
    Checks, Excerpt, Finding, FingerprintKey, Location, Occurrence, Partner, Provenance, RawPath, Secret,
    Status, Validity,
};
use keywheel::rule::RuleSet;
use keywheel::scan::fingerprint;
use keywheel::verify;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What standard input holds with `--stdin-json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    secret: Zeroizing<String>,
    #[serde(default)]
    with: BTreeMap<String, Zeroizing<String>>,
}

pub(super) fn run(args: &VerifyCommand) -> Result<(Vec<Finding>, Vec<String>, Checks)> {
    let settings = Settings::new(&args.selection())?;
    let policy = args.calls.policy(&settings.config);
    let mut findings = vec![find(&settings, &args.with, args.stdin_json, &args.rules.only)?];
    let rules = settings.detector.rules();
    let checks = check(&mut findings, rules, &settings.config, &policy, args.quiet)?;
    Ok((findings, Vec::new(), checks))
}

/// The secret of standard input, with further parts from files, as a finding of the rule that is named or that
/// knows it by its look.
///
/// # Errors
/// Standard input or a file cannot be used, or no rule fits.
pub(crate) fn find(
    settings: &Settings,
    with: &[String],
    stdin_json: bool,
    only: &[String],
) -> Result<Finding> {
    let text = secret_text(io::stdin().lock(), "standard input")?;
    let (secret, mut parts) = if stdin_json {
        // The parser's own words could quote the input.
        let given: Given = serde_json::from_slice(&text).map_err(|e| {
            usage(format!(
                "standard input is not {{\"secret\": \"…\", \"with\": {{…}}}} (line {}, column {})",
                e.line(),
                e.column()
            ))
        })?;
        let part = |(name, value): (String, Zeroizing<String>)| (name, Secret::new(value.as_bytes()));
        (Secret::new(given.secret.as_bytes()), given.with.into_iter().map(part).collect())
    } else {
        (Secret::new(&text), Vec::new())
    };
    for pair in with {
        let (name, path) = pair.split_once('=').ok_or_else(|| {
            usage("--with takes NAME=FILE: the name that the rule gives a part, and its file")
        })?;
        let file = File::open(path).map_err(|e| usage(format!("cannot read `{path}`: {e}")))?;
        parts.push((name.to_owned(), Secret::new(&secret_text(file, path)?)));
    }
    let rules = settings.detector.rules();
    let mut finding = match only {
        [] => named(&settings.detector, &secret, &settings.options.key)?,
        [id] => of_rule(rules, id, &secret, &settings.options.key)?,
        _ => return Err(usage("name one rule")),
    };
    let place = &mut finding.occurrences[0].partners;
    // What is given stands before what the pattern takes out of the value.
    let given = parts.into_iter().map(|(name, value)| Partner { name, value, line: 1 });
    *place = given.chain(std::mem::take(place)).collect();
    Ok(finding)
}

/// The rule that the search itself names: a value that no rule knows by its look is sent to nobody by guess.
fn named(detector: &Detector, secret: &Secret, key: &FingerprintKey) -> Result<Finding> {
    let found = detector.scan(secret.expose(), b"", &mut Workspace::default());
    let whole = found.into_iter().find(|f| f.secret == *secret).ok_or_else(|| {
        usage("no rule knows this value by its look; name one with --rule (`keywheel rules list` lists them)")
    })?;
    let parts = whole.parts.into_iter().map(|p| (p.name, p.value)).collect();
    let mut finding = finding(detector.rules(), whole.kind, secret, parts, key);
    finding.also = whole.also.iter().map(|&kind| detector.rules().kinds()[kind].id.clone()).collect();
    finding.notes = whole.notes;
    Ok(finding)
}

/// A value as a finding of the rule that is named.
///
/// # Errors
/// There is no such rule.
pub(crate) fn of_rule(rules: &RuleSet, id: &str, secret: &Secret, key: &FingerprintKey) -> Result<Finding> {
    let kind = rules
        .position(id)
        .ok_or_else(|| usage(format!("there is no rule `{id}`; `keywheel rules list` names them")))?;
    let mut parts = verify::groups(&rules.kinds()[kind].pattern, secret.expose());
    parts.retain(|(name, _)| name != "secret");
    Ok(finding(rules, kind, secret, parts, key))
}

fn finding(
    rules: &RuleSet,
    kind: usize,
    secret: &Secret,
    parts: Vec<(String, Secret)>,
    key: &FingerprintKey,
) -> Finding {
    let partner = |(name, value)| Partner { name, value, line: 1 };
    let place = Occurrence {
        provenance: Arc::new(Provenance::file(RawPath::new(b"-"))),
        location: Location {
            byte_start: 0,
            byte_end: secret.len() as u64,
            line: 1,
            end_line: 1,
            start: 0,
            end: 0,
        },
        via: Vec::new(),
        excerpt: Excerpt::default(),
        partners: parts.into_iter().map(partner).collect(),
        suppression: None,
        versions: 1,
    };
    Finding {
        fingerprint: fingerprint(key, secret.expose()),
        rule: rules.reference(kind).clone(),
        also: Vec::new(),
        severity: rules.kinds()[kind].severity,
        confidence: rules.kinds()[kind].confidence,
        validity: Validity::default(),
        evidence: None,
        access: None,
        status: Status::New,
        secret: secret.clone(),
        notes: Vec::new(),
        occurrences: vec![place],
    }
}
