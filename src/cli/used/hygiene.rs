//! The use of keys for `keywheel policy report`.

use super::{StoreArgs, now, period};
use crate::cli::usage;
use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use keywheel::rotate::policy::Period;
use keywheel::rotate::policy::hygiene::{Hygiene, Past, Seen, Usage};
use keywheel::usage::account::{Held, Spell, account};
use keywheel::usage::{Store, time};
use std::path::PathBuf;

/// Weeks of the trend.
const WEEKS: usize = 12;

/// What is known of use.
#[derive(Debug, Args)]
pub(crate) struct HygieneArgs {
    /// The file of `keywheel usage`, to tell spend, last use, unused keys and strange places
    #[arg(long, value_name = "FILE", env = "KEYWHEEL_USAGE")]
    usage: Option<PathBuf>,
    /// Use from so long ago
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = period, requires = "usage")]
    since: i64,
    /// A key of which no use is told for so long is unused
    #[arg(long, value_name = "TIME", default_value = "60d", requires = "usage")]
    unused_after: Period,
    /// Keep the numbers of this report in the file of usage, for the trend
    #[arg(long, requires = "usage")]
    record: bool,
}

impl HygieneArgs {
    /// Adds what is known of use to an account.
    pub(crate) fn add(
        &self,
        hygiene: Hygiene,
        organisation: &crate::cli::organisation::Organisation,
    ) -> Result<Hygiene> {
        let Some(path) = self.usage.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(hygiene);
        };
        let store = StoreArgs { store: path.clone() }.existing()?;
        let used = self.read(&store)?;
        let hygiene = hygiene.with_usage(&organisation.policy, &used, self.unused_after, organisation.now);
        if self.record {
            store.keep_counts(now(), &hygiene.counts()).map_err(usage)?;
        }
        Ok(hygiene)
    }

    fn read(&self, store: &Store) -> Result<Usage> {
        let now = now();
        let from = time::floor(now.saturating_sub(self.since), time::DAY).max(0);
        let to = time::floor(now, time::HOUR) + time::HOUR;
        let told = account(store, Spell { from, to, weeks: WEEKS }).map_err(usage)?;
        let last = time::floor(to + time::DAY - 1, time::DAY);
        let weeks = (0..WEEKS).map(|n| {
            let ago = i64::try_from(WEEKS - n).unwrap_or(0) * 7 * time::DAY;
            moment(last - ago)
        });
        let past = store.counts().map_err(usage)?.into_iter();
        Ok(Usage {
            from: moment(from),
            to: moment(to - time::HOUR),
            // A reading of a key is no use of it.
            keys: told.into_iter().filter(|(_, held)| !held.weak).map(|(k, held)| (k, seen(&held))).collect(),
            weeks: weeks.collect(),
            past: past.map(|(day, counts)| Past { day: time::shown(day, time::DAY), counts }).collect(),
        })
    }
}

fn seen(held: &Held) -> Seen {
    let n = &held.numbers;
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    Seen {
        requests: whole(n.requests),
        tokens: whole(n.input.saturating_add(n.output)),
        dollars: n.dollars(),
        dollars_before: held.before.dollars(),
        errors: whole(n.errors),
        last: held.last.map(moment),
        places: held.places.iter().map(|(place, at)| (place.clone(), moment(*at))).collect(),
        covered: held.covered.map(|(from, to)| (moment(from), moment(to))),
        weeks: held.weeks.iter().map(|n| (whole(n.requests), n.dollars())).collect(),
    }
}

fn moment(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH)
}
