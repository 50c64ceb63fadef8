//! Which key is meant, and why it is rotated: by the calendar, or because it leaked.

use super::asker::Asker;
use crate::cli::args::{RuleChoice, Selection};
use crate::cli::organisation::{Organisation, OrganisationArgs, report};
use crate::cli::settings::Settings;
use crate::cli::{usage, verify};
use anyhow::Result;
use clap::Args;
use keywheel::config::Config;
use keywheel::model::{Fingerprint, Secret, Validity};
use keywheel::rotate::machine::Kind;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
pub(super) struct SubjectArgs {
    /// The key, by its id in the policy
    #[arg(long, value_name = "ID", required_unless_present = "report")]
    pub(super) lineage: Option<String>,
    /// A scan's report (format json) that lists the key; it is read from its place again, and checked again
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Which finding of the report is meant; `rotate plan` without it takes every key that the report says is proved to work
    #[arg(long, value_name = "FINGERPRINT", requires = "report")]
    fingerprint: Option<String>,
    /// Folder that was scanned for the report
    #[arg(long, value_name = "DIR", default_value = ".", requires = "report")]
    root: PathBuf,
    /// The baseline whose key made the fingerprints of the report
    #[arg(long, value_name = "FILE", requires = "report")]
    baseline: Option<PathBuf>,
    /// Declare the key leaked, whether or not it can be proved to work
    #[arg(long)]
    leaked: bool,
}

/// How providers are asked.
#[derive(Clone, Debug, Args)]
pub(crate) struct AskArgs {
    /// The organisation's configuration
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_ORG_CONFIG")]
    org_config: Option<PathBuf>,
    /// Let this host have an address that is not public
    #[arg(long, value_name = "HOST")]
    allow_internal: Vec<String>,
}

/// A key, and why it is rotated.
pub(super) struct Subject {
    /// The lineage.
    pub(super) id: String,
    /// Why.
    pub(super) kind: Kind,
    /// The leaked value, as it stands in its place today.
    pub(super) value: Option<Secret>,
    /// Whether it was proved to work just now.
    pub(super) active: bool,
}

impl AskArgs {
    fn selection(&self, rules: &[PathBuf], baseline: Option<&Path>) -> Selection {
        Selection {
            paths: vec![PathBuf::from("-")],
            rules: RuleChoice { rule_paths: rules.to_vec(), ..RuleChoice::default() },
            no_config: true,
            org_config: self.org_config.clone(),
            baseline: baseline.map(Path::to_owned),
            quiet: true,
            ..Selection::default()
        }
    }

    fn config(&self) -> Result<Config> {
        Ok(Settings::new(&self.selection(&[], None))?.config)
    }

    /// What asks.
    pub(super) fn asker(&self, organisation: &Organisation) -> Result<Asker> {
        Ok(Asker::new(&organisation.rules, self.config()?, &self.allow_internal))
    }
}

impl SubjectArgs {
    /// A key of a report that was scanned from `root`.
    pub(super) fn of_report(
        report: &Path,
        print: &Fingerprint,
        root: &Path,
        baseline: Option<&Path>,
    ) -> Self {
        SubjectArgs {
            lineage: None,
            report: Some(report.to_owned()),
            fingerprint: Some(print.to_string()),
            root: root.to_owned(),
            baseline: baseline.map(Path::to_owned),
            leaked: false,
        }
    }

    /// The report, if all that it says is proved to work is meant.
    pub(super) fn whole_report(&self) -> Option<&Path> {
        let one = self.lineage.is_some() || self.fingerprint.is_some();
        self.report.as_deref().filter(|_| !one)
    }

    /// Why the key is rotated, as far as the command line says.
    pub(super) fn kind(&self) -> Kind {
        if self.leaked { Kind::Emergency } else { Kind::Scheduled }
    }

    /// Finds out which key is meant. A report is a hint: what stands in its place is read and checked again.
    pub(super) fn settle(
        &self,
        organisation: &Organisation,
        files: &OrganisationArgs,
        ask: &AskArgs,
        asker: &Asker,
    ) -> Result<Subject> {
        let kind = self.kind();
        if self.report.is_some() && self.fingerprint.is_none() {
            return Err(usage("say which finding of the report is meant: --fingerprint FINGERPRINT"));
        }
        let (Some(path), Some(print)) = (&self.report, &self.fingerprint) else {
            let id = self.lineage.clone().ok_or_else(|| usage("name the key: --lineage ID"))?;
            return Ok(Subject { id, kind, value: None, active: false });
        };
        let print = Fingerprint::parse(print)
            .ok_or_else(|| usage("--fingerprint: that is no fingerprint; copy one from the report"))?;
        let mut settings = Settings::new(&ask.selection(&files.rule_paths, self.baseline.as_deref()))?;
        settings.load_baseline()?;
        let (found, _) = verify::again(path, &self.root, settings, Some(&print))?;
        let mut finding = found.into_iter().find(|f| f.fingerprint == print).ok_or_else(|| {
            usage("the key does not stand there any more; rotate it by its id: --lineage ID --leaked")
        })?;
        let id = self.lineage_of(organisation, path, &print)?;
        asker.check(&mut finding)?;
        let active = finding.validity.is_active();
        if !active && !self.leaked {
            return Err(usage(format!(
                "the key is not proved to work ({}): add --leaked to rotate it all the same",
                why(&finding.validity)
            )));
        }
        Ok(Subject { id, kind: Kind::Emergency, value: Some(finding.secret.clone()), active })
    }

    /// The lineage whose current value has that fingerprint.
    fn lineage_of(&self, organisation: &Organisation, path: &Path, print: &Fingerprint) -> Result<String> {
        if let Some(id) = &self.lineage {
            return Ok(id.clone());
        }
        let keys = &organisation.policy.file.key;
        let known: Vec<_> = keys.iter().filter(|key| key.fingerprints.contains(print)).collect();
        match known[..] {
            [key] if key.fingerprints.first() == Some(print) => Ok(key.id.to_string()),
            [key] => Err(usage(format!(
                "this is a former value of `{}`, so that a new one would change nothing: `keywheel rotate revoke` ends it",
                key.id
            ))),
            [] => {
                let scanned = report(path, None)?;
                let matched = scanned.matched(&organisation.policy)?;
                let gap = matched.gaps.iter().find(|gap| gap.fingerprint == print.as_str());
                let nearest = gap.and_then(|gap| gap.nearest.as_ref()).map_or(String::new(), |nearest| {
                    format!("; the nearest to ask: {} ({})", nearest.owners.join(", "), nearest.because)
                });
                Err(usage(format!(
                    "no lineage of the inventory has this fingerprint{nearest}; name it with --lineage ID"
                )))
            }
            _ => Err(usage("several lineages have this value: name one with --lineage ID")),
        }
    }
}

/// Why a key is not proved to work.
fn why(validity: &Validity) -> &'static str {
    match validity {
        Validity::NotChecked(why) => why.sentence(),
        Validity::Unknown(why) => why.sentence(),
        Validity::Inactive | Validity::Active { .. } => validity.as_str(),
    }
}
