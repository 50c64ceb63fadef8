//! Hands the work to the sources.

use super::resolve::Work;
use crate::cli::usage;
use anyhow::Result;
use keywheel::model::{ObjectId, Sink};
use keywheel::scan::Collector;
use keywheel::source::git::Repository;
use keywheel::source::git::range::{self, Range};
use keywheel::source::{self, Options};
use std::path::Path;

/// Pushes what the work names into `sink`; gives the number of commits whose content was read.
pub(super) fn push(
    repository: &Repository,
    work: &Work,
    root: &Path,
    options: &Options,
    sink: &Collector,
) -> Result<u64> {
    let range = match work {
        Work::Tree => {
            source::walk(root, options, sink).map_err(usage)?;
            return Ok(0);
        }
        Work::Range { base, head } => Range { tips: vec![*head], hidden: base.iter().copied().collect() },
        Work::History => Range { tips: everything(repository, sink), hidden: Vec::new() },
    };
    Ok(range::push(repository, &range, options, sink).map_err(usage)?.commits)
}

/// Where every ref and reflog leads to.
fn everything(repository: &Repository, sink: &Collector) -> Vec<ObjectId> {
    let (references, broken) = repository.references();
    let (logged, lost) = repository.reflogs();
    broken.into_iter().chain(lost).for_each(|s| sink.skipped(s));
    let mut tips: Vec<ObjectId> = references.iter().filter_map(|r| r.target).chain(logged).collect();
    tips.sort();
    tips.dedup();
    tips
}
