//! From a spike of a key that stands in code to its emergency rotation, where the policy lets one begin by itself.
//! What a report says is a hint: the key is read from its place again, and checked again.

use super::desk::{Desk, Stop};
use super::office::{Office, OfficeArgs};
use super::subject::{AskArgs, SubjectArgs};
use super::{plan, tell};
use crate::cli::organisation::{Organisation, OrganisationArgs};
use crate::cli::usage;
use anyhow::Result;
use clap::Args;
use keywheel::model::Fingerprint;
use keywheel::rotate::time::{Moment, Span};
use std::path::{Path, PathBuf};

/// Whether and how emergencies begin.
#[derive(Debug, Args)]
pub(crate) struct EscalateArgs {
    /// Begin an emergency rotation for a spike of a key of --findings, where the policy's `emergency-auto` says so
    #[arg(long, requires = "findings")]
    escalate: bool,
    /// Folder that was scanned for --findings
    #[arg(long, value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// The baseline whose key made the fingerprints of --findings
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    office: OfficeArgs,
    #[command(flatten)]
    ask: AskArgs,
}

/// A key that stands in code and is used more than usual.
pub(crate) struct Leak {
    /// The lineage.
    pub(crate) lineage: String,
    /// The finding.
    pub(crate) fingerprint: Fingerprint,
    /// When the spike was told, in seconds.
    pub(crate) at: i64,
}

/// What came of a leak.
pub(crate) struct Escalated {
    /// The lineage.
    pub(crate) lineage: String,
    /// The number of the emergency rotation that is under way; none if there is none.
    pub(crate) rotation: Option<i64>,
    /// A sentence, after the lineage.
    pub(crate) text: String,
    /// Whether somebody must hear of it: something began, or should have and could not.
    pub(crate) news: bool,
}

/// Begins emergencies.
pub(crate) struct Escalation<'a> {
    args: &'a EscalateArgs,
    files: &'a OrganisationArgs,
    office: Office,
}

impl EscalateArgs {
    /// Opens the journal, if emergencies are to begin. Refused in jobs for proposed changes, and in CI without a journal
    /// that outlives the job.
    pub(crate) fn open<'a>(&'a self, files: &'a OrganisationArgs) -> Result<Option<Escalation<'a>>> {
        if !self.escalate {
            return Ok(None);
        }
        Ok(Some(Escalation { args: self, files, office: self.office.open()? }))
    }
}

impl Escalation<'_> {
    /// Begins what the policy lets begin, one leak after the other: the trouble of one is not another's.
    pub(crate) fn run(
        &self,
        organisation: &Organisation,
        report: &Path,
        leaks: &[Leak],
    ) -> Result<Vec<Escalated>> {
        let asker = self.args.ask.asker(organisation)?;
        let worker = self.office.worker()?;
        let desk = Desk { office: &self.office, organisation, asker: &asker, worker };
        let one = |leak: &Leak| {
            let (rotation, text, news) = match self.begin(&desk, report, leak) {
                Ok((rotation, text)) => (rotation, text, rotation.is_some()),
                Err(error) => (None, format!("no emergency rotation could begin: {error:#}"), true),
            };
            Escalated { lineage: leak.lineage.clone(), rotation, text, news }
        };
        Ok(leaks.iter().map(one).collect())
    }

    fn begin(&self, desk: &Desk<'_>, report: &Path, leak: &Leak) -> Result<(Option<i64>, String)> {
        let journal = &desk.office.journal;
        let policy = &desk.organisation.policy;
        let key = policy.key(&leak.lineage).ok_or_else(|| usage("the policy has no such key"))?;
        if !policy.resolve(key).emergency_auto.value {
            let why = "the policy lets no emergency begin by itself (`emergency-auto`); `keywheel rotate plan` shows it";
            return Ok((None, why.to_owned()));
        }
        // The spike is looked at for a week; what was done about it counts from then on.
        if journal.done_since(&leak.lineage)?.is_some_and(|done| done >= Moment(leak.at.saturating_mul(1000)))
        {
            return Ok((None, "it was rotated since".to_owned()));
        }
        let args =
            SubjectArgs::of_report(report, &leak.fingerprint, &self.args.root, self.args.baseline.as_deref());
        let subject = args.settle(desk.organisation, self.files, &self.args.ask, desk.asker)?;
        let before = journal.active()?;
        let id = plan::begin(desk, &subject, None, true, None)?;
        let stop = desk.drive(id, Span::ZERO, None)?;
        tell(desk, id, &stop);
        let rotation = journal.load(id)?.rotation;
        let state = match stop {
            Stop::Ended(phase) => phase.to_string(),
            Stop::Waits(at) => format!("{}, waits until {at}", rotation.phase),
            Stop::Brings => "a person must bring the new key".to_owned(),
            Stop::Asks(_) => format!("{}, a person must act", rotation.phase),
            Stop::Busy | Stop::Signal(_) => format!("{}, goes on with `keywheel rotate run`", rotation.phase),
        };
        let verb = if before.contains(&id) { "goes on" } else { "began" };
        Ok((
            Some(id.0),
            format!("its emergency rotation to generation {} {verb}: {state}", rotation.generation),
        ))
    }
}
