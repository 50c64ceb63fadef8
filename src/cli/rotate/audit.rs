//! `keywheel rotate audit`.

use super::office::OfficeArgs;
use crate::cli::{code, organisation, output, usage};
use anyhow::Result;
use clap::{Args, Subcommand};
use keywheel::rotate::audit::Head;
use keywheel::rotate::journal::{JournalError, Wrapper};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell whether an entry was changed, moved, put in or taken away
    #[command(after_help = "Exit codes: 0 the chain holds, 1 it does not.")]
    Verify {
        #[command(flatten)]
        office: OfficeArgs,
        /// A head that was kept elsewhere, which shows what was cut off or written anew
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
    },
    /// Write every entry, one JSON object a line
    Export {
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// Write the newest entry's number and MAC, to be kept elsewhere
    Head {
        #[command(flatten)]
        office: OfficeArgs,
    },
}

/// Wraps the journal's data key anew.
pub(super) fn rewrap(args: &OfficeArgs) -> Result<u8> {
    let wrapper = args.wrapper()?;
    let office = args.open()?;
    office.journal.rewrap(&wrapper, office.now()).map_err(usage)?;
    office.export_head()?;
    output::tell(&format!("the journal's data key is wrapped by the newest version of {}", wrapper.name()));
    Ok(code::CLEAN)
}

pub(super) fn run(args: &AuditArgs) -> Result<u8> {
    match &args.what {
        What::Verify { office, head } => {
            let office = office.look()?;
            let head = head.as_deref().map(|path| {
                let text = organisation::read(path)?;
                text.parse::<Head>().map_err(|e| usage(format!("{}: {e}", path.display())))
            });
            match office.journal.verify_audit(head.transpose()?.as_ref()) {
                Ok(head) => {
                    output::print(format!("{} entries, and the chain holds\n", head.seq).as_bytes())?;
                    Ok(code::CLEAN)
                }
                Err(JournalError::Audit(fault)) => {
                    output::tell(&fault.to_string());
                    Ok(code::FINDINGS)
                }
                Err(e) => Err(e.into()),
            }
        }
        What::Export { office } => {
            let office = office.look()?;
            let mut text = String::new();
            for entry in office.journal.audit_entries()? {
                text.push_str(&serde_json::to_string(&entry)?);
                text.push('\n');
            }
            output::print(text.as_bytes())?;
            Ok(code::CLEAN)
        }
        What::Head { office } => {
            let head = office.look()?.journal.audit_head()?;
            output::print(format!("{head}\n").as_bytes())?;
            Ok(code::CLEAN)
        }
    }
}
