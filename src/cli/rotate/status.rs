//! `keywheel rotate status` and `keywheel rotate runbook`.

use super::desk;
use super::office::{Office, OfficeArgs};
use super::plan::Form;
use crate::cli::organisation::{Organisation, OrganisationArgs};
use crate::cli::policy::json_line;
use crate::cli::terminal::plain;
use crate::cli::{code, output, usage};
use anyhow::Result;
use clap::Args;
use keywheel::report::{markdown_code, markdown_text};
use keywheel::rotate::RotationId;
use keywheel::rotate::journal::Record;
use keywheel::rotate::machine::{Action, Ask, Kind, Rotation, next};
use keywheel::rotate::news::named;
use keywheel::rotate::time::Moment;
use keywheel::rotate::told::told;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How many ended rotations are listed.
const LAST: u32 = 10;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Only this key, with all that happened in its newest rotation
    #[arg(long, value_name = "ID")]
    lineage: Option<String>,
    #[command(flatten)]
    office: OfficeArgs,
    /// How to write the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Form,
}

#[derive(Debug, Args)]
pub(super) struct RunbookArgs {
    /// The key, by its id in the policy
    #[arg(value_name = "KEY")]
    lineage: String,
    /// The key is known to be leaked
    #[arg(long)]
    leaked: bool,
    #[command(flatten)]
    files: OrganisationArgs,
    #[command(flatten)]
    office: OfficeArgs,
}

pub(super) fn status(args: &StatusArgs) -> Result<u8> {
    let office = args.office.look()?;
    let ids: Vec<RotationId> = match &args.lineage {
        Some(lineage) => {
            let newest = office.journal.newest(lineage)?;
            vec![newest.ok_or_else(|| usage(format!("there was no rotation of `{lineage}`")))?]
        }
        None => [office.journal.active()?, office.journal.ended(LAST)?].concat(),
    };
    let records = ids.into_iter().map(|id| office.journal.load(id)).collect::<Result<Vec<_>, _>>()?;
    let now = office.now();
    let pools = super::pool::levels(&office, args.lineage.as_deref())?;
    let asks = records.iter().any(|r| matches!(next(&r.rotation, now), Action::Ask(_)));
    let text = match args.format {
        Form::Text => {
            let mut out = String::new();
            for record in &records {
                out.push_str(&line(record, now));
                out.push_str(&answer(&office, record)?);
            }
            if records.is_empty() {
                out.push_str("no rotation yet\n");
            }
            for (lineage, waiting) in &pools {
                let low = if *waiting == 0 { "; the next rotation asks a person" } else { "" };
                out.push_str(&plain(&format!("{lineage}: {waiting} keys wait in its pool{low}")));
                out.push('\n');
            }
            if let (Some(_), [record]) = (&args.lineage, &records[..]) {
                for one in history(&office, record)? {
                    writeln!(out, "  {} {}", one.0, one.1)?;
                }
            }
            out
        }
        Form::Markdown => markdown(&office, &records, args.lineage.is_some(), now)?,
        Form::Json => {
            let mut list = Vec::new();
            for record in &records {
                let mut one = object(record, now);
                if record.rotation.halt.is_some() {
                    one["answer"] = Value::from(office.journal.answered(record.id)?);
                }
                if args.lineage.is_some() {
                    let told: Vec<_> = history(&office, record)?
                        .into_iter()
                        .map(|(at, text)| json!({"at": at, "text": text}))
                        .collect();
                    one["history"] = Value::from(told);
                }
                list.push(one);
            }
            let one = |(lineage, waiting): &(String, u32)| json!({"lineage": lineage, "waiting": waiting});
            let pools: Vec<_> = pools.iter().map(one).collect();
            json_line(&json!({ "version": 1, "rotations": list, "pools": pools }))?
        }
    };
    output::print(text.as_bytes())?;
    Ok(if asks { code::FINDINGS } else { code::CLEAN })
}

/// A table of rotations for a comment, and with `whole` what happened in them. Nothing in it becomes markup.
fn markdown(office: &Office, records: &[Record], whole: bool, now: Moment) -> Result<String> {
    if records.is_empty() {
        return Ok("No rotation yet.\n".to_owned());
    }
    let mut out = String::from(
        "| key | rotation | kind | phase | since | what comes next |\n|---|---|---|---|---|---|\n",
    );
    for record in records {
        let r = &record.rotation;
        let said = answer(office, record)?;
        let comes = match said.trim() {
            "" => comes(r, now),
            said => format!("{}; {said}", comes(r, now)),
        };
        writeln!(
            out,
            "| {} | {}, generation {} | {} | {} | {} | {} |",
            markdown_code(&r.lineage),
            record.id.0,
            r.generation,
            kind(r),
            r.phase,
            r.since,
            markdown_text(&comes)
        )?;
    }
    if whole {
        for record in records {
            out.push('\n');
            for (at, text) in history(office, record)? {
                writeln!(out, "- {at} {}", markdown_text(&text))?;
            }
        }
    }
    Ok(out)
}

/// What the audit tells of a rotation, after its chain was checked.
fn history(office: &Office, record: &Record) -> Result<Vec<(String, String)>> {
    office.journal.verify_audit(None)?;
    let entries = office.journal.audit_entries()?;
    let told = told(&entries, record.id.0, &record.rotation.frozen.stores);
    Ok(told.into_iter().map(|one| (one.at.to_string(), plain(&one.text))).collect())
}

/// What comes next, in words.
pub(super) fn comes(rotation: &Rotation, now: Moment) -> String {
    match next(rotation, now) {
        Action::Finish(_) => "ended".to_owned(),
        Action::Wait(at) => format!("waits until {at}"),
        Action::Ask(Ask::Approve(n)) => {
            format!("waits for {n} approvals: `keywheel rotate approve --lineage {}`", rotation.lineage)
        }
        Action::Ask(Ask::Resolve(halt)) => named(&halt.words(), rotation),
        Action::Reconcile(_) => "must find out what became of its last step".to_owned(),
        Action::Begin | Action::Read(_) | Action::Effect(_) | Action::Advance => "goes on".to_owned(),
    }
}

fn kind(rotation: &Rotation) -> &'static str {
    if rotation.is_emergency() { "emergency" } else { "scheduled" }
}

pub(super) fn line(record: &Record, now: Moment) -> String {
    let r = &record.rotation;
    let comes = comes(r, now);
    plain(&format!(
        "{} #{} generation {} {}: {} since {}; {comes}",
        r.lineage,
        record.id.0,
        r.generation,
        kind(r),
        r.phase,
        r.since
    )) + "\n"
}

/// What the provider or a store answered, where that is why a person must act.
pub(super) fn answer(office: &Office, record: &Record) -> Result<String> {
    let said = match record.rotation.halt {
        Some(_) => office.journal.answered(record.id)?,
        None => None,
    };
    Ok(said.map_or_else(String::new, |said| plain(&format!("  the last answer: {said}")) + "\n"))
}

fn object(record: &Record, now: Moment) -> Value {
    let r = &record.rotation;
    json!({
        "lineage": r.lineage, "rotation": record.id.0, "generation": r.generation, "kind": kind(r),
        "phase": r.phase, "since": r.since.to_string(), "next": comes(r, now), "halt": r.halt,
        "asks": matches!(next(r, now), Action::Ask(_)), "old": r.old.id,
        "new": r.new.as_ref().map(|key| &key.id), "approvals": r.approvals, "acks": r.acks, "proof": r.proof,
        "exported": r.exported, "plan": r.plan_hash(),
    })
}

/// The plan and what was done of it, for a person who has to go on by hand.
pub(super) fn runbook(args: &RunbookArgs) -> Result<u8> {
    let organisation = Organisation::new(&args.files)?;
    let kind = if args.leaked { Kind::Emergency } else { Kind::Scheduled };
    let office = args.office.named().then(|| args.office.look()).transpose()?;
    let plan = desk::plan(&organisation, office.as_ref(), &args.lineage, kind)?;
    let mut done = Vec::new();
    if let Some(office) = &office
        && let Some(id) = office.journal.newest(&args.lineage)?
    {
        let record = office.journal.load(id)?;
        done.push(line(&record, office.now()).trim_end().to_owned());
        done.extend(history(office, &record)?.into_iter().map(|(at, text)| format!("{at} {text}")));
    }
    output::print(plan.runbook(&done).as_bytes())?;
    Ok(code::CLEAN)
}
