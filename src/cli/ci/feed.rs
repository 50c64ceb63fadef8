//! Hands the work to the sources.

use super::resolve::Work;
use crate::cli::usage;
use anyhow::Result;
use keywheel::scan::Collector;
use keywheel::source::git::range::{self, Range};
use keywheel::source::git::{Repository, history};
use keywheel::source::{self, Options};
use std::path::Path;

/// Pushes what the work names into `sink`; gives the number of commits whose content was read.
pub(super) fn push(
    repository: &mut Repository,
    work: &Work,
    root: &Path,
    options: &Options,
    sink: &Collector,
) -> Result<u64> {
    match work {
        Work::Tree => source::walk(root, options, sink).map(|()| 0).map_err(usage),
        Work::Range { base, head } => {
            let range = Range { tips: vec![*head], hidden: base.iter().copied().collect() };
            Ok(range::push(repository, &range, options, sink).map_err(usage)?.commits)
        }
        Work::History => Ok(history::push(repository, false, options, sink).map_err(usage)?.commits),
    }
}
