//! `keywheel rotate apply --rehearse`.

use crate::cli::{code, output, random};
use anyhow::{Context, Result};
use keywheel::rotate::machine::Phase;
use keywheel::rotate::plan::Plan;
use keywheel::rotate::rehearsal::{Rehearsal, Stress, rehearse};
use std::fmt::Write as _;
use std::path::PathBuf;

/// A folder that goes away with its owner.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed holds nothing but made-up keys.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn run(plan: &Plan, seed: u64, per_mille: u64) -> Result<u8> {
    let path = std::env::temp_dir().join(format!("keywheel-rehearsal-{}", random::hex(8)?));
    crate::cli::verify::private_folder(&path)
        .with_context(|| format!("cannot make the folder {}", path.display()))?;
    let stage = Stage(path);
    let done = rehearse(plan, Stress { seed, per_mille }, &stage.0)?;
    output::print((plan.text() + &account(&done)?).as_bytes())?;
    let well = done.end == Some(Phase::Done) && done.left_over == 0 && (done.cut_off == 0 || plan.cuts_off());
    Ok(if well { code::CLEAN } else { code::FINDINGS })
}

fn account(done: &Rehearsal) -> Result<String> {
    let mut out = String::from("\nrehearsal, on doubles; nothing outside was called:\n");
    for (after, text) in &done.told {
        writeln!(out, "  +{:<12} {text}", after.to_string())?;
    }
    if !done.asked.is_empty() {
        writeln!(out, "a person was asked, and did it:")?;
        done.asked.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    let end = done.end.map_or("not at an end".to_owned(), |phase| phase.to_string());
    writeln!(
        out,
        "{end} after {}: {} calls, {} of them failed on purpose; looks without a working key in a store: {}; keys left over: {}",
        done.took, done.calls, done.faults, done.cut_off, done.left_over
    )?;
    Ok(out)
}
