//! Reading what is due from a provider: stretch by stretch, each written whole or not at all, so that whenever the
//! process ends the next one goes on behind the last stretch.

use super::rows::{RowError, Rows};
use super::store::{Changed, Measures, SourceInfo, Store, StoreError, Stretch};
use super::time::{self, DAY, HOUR};
use crate::call::{Caller, StepError, Values};
use crate::model::Secret;
use crate::rule::{Each, Grain, Meter, TimeForm};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most pages of a list of keys that is read by offset.
const MOST_PAGES: usize = 1000;

/// What a read needs beside the meter.
pub struct Pull<'a> {
    /// Where figures go.
    pub store: &'a Store,
    /// Makes the calls.
    pub caller: &'a Caller<'a>,
    /// What is read.
    pub meter: &'a Meter,
    /// The provider's id.
    pub provider: &'a str,
    /// What the operator calls the credential.
    pub account: &'a str,
    /// The credential as `admin`, and what the meter asks for.
    pub values: &'a Values,
    /// How far back the first read goes.
    pub since: i64,
    /// Now, in seconds.
    pub now: i64,
    /// What to call a key in the place of a name that must not be kept, such as the key itself.
    pub screen: &'a dyn Fn(&str) -> Option<String>,
}

impl std::fmt::Debug for Pull<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pull({}@{})", self.meter.id, self.account)
    }
}

/// What a pull did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// First second that was read.
    pub from: i64,
    /// First second that was not.
    pub to: i64,
    /// Stretches that were written.
    pub stretches: u64,
    /// Rows that were read.
    pub rows: u64,
    /// What they changed.
    pub changed: Changed,
    /// A time that cannot be read any more since the provider no longer keeps it.
    pub lost: Option<(i64, i64)>,
}

/// Why a pull stopped. What was written before stays.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// A call.
    #[error(transparent)]
    Call(#[from] StepError),
    /// An answer that cannot be right. Nothing of it is kept.
    #[error("the answer cannot be right: {0}")]
    Row(#[from] RowError),
    /// The list of keys holds none at the place where one must be.
    #[error("the list of keys holds none at `{0}`")]
    NoKey(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Pull<'_> {
    /// The name under which its figures are kept.
    pub fn source(&self) -> SourceInfo {
        SourceInfo {
            name: format!("{}@{}", self.meter.id, self.account),
            provider: self.provider.to_owned(),
            class: self.meter.class,
            grain: self.meter.grain.seconds(),
            measures: Measures::of(&self.meter.columns, self.meter.grain),
        }
    }

    /// Reads what is due.
    ///
    /// # Errors
    /// The first stretch that could not be read or written.
    pub fn run(&self) -> Result<Pulled, PullError> {
        let source = self.source();
        let (from, to, lost) = self.due(&source)?;
        let mut done = Pulled { from, to, lost, ..Pulled::default() };
        let keys = match &self.meter.each {
            Some(each) if from < to => Some(self.keys(each)?),
            _ => None,
        };
        if self.meter.grain == Grain::LastUsed {
            return self.stretch(&source, to, to, keys.as_deref(), done);
        }
        let span = i64::try_from(self.meter.span).unwrap_or(DAY);
        let mut at = from;
        while at < to {
            let end = (at + span).min(to);
            done = self.stretch(&source, at, end, keys.as_deref(), done)?;
            at = end;
        }
        Ok(done)
    }

    /// From where to where is read, and what is lost before that.
    #[allow(clippy::type_complexity)]
    fn due(&self, source: &SourceInfo) -> Result<(i64, i64, Option<(i64, i64)>), StoreError> {
        let seconds = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let meter = self.meter;
        // Days are asked for whole, whatever a row stands for.
        let step = if meter.time == TimeForm::Date { DAY } else { meter.grain.seconds() };
        let end = self.now.saturating_sub(seconds(meter.lag));
        let to = match (meter.grain, meter.time) {
            // Requests of a day that has not ended are read with it, and again with the next pull.
            (Grain::Request, TimeForm::Date) => time::floor(self.now, DAY) + DAY,
            (Grain::LastUsed, _) => time::floor(self.now, HOUR),
            _ => time::floor(end, step),
        };
        // What was read before the figures had settled is read again.
        let mark = self.store.mark(&source.name)?.map(|mark| mark.to.min(mark.read_at));
        let wanted = mark.map_or(self.since, |read| read.saturating_sub(seconds(meter.settle)));
        let wanted = time::floor(wanted.max(0), step);
        let oldest = meter.retention.map_or(0, |r| self.now.saturating_sub(seconds(r)));
        // The first bucket may be kept in part only.
        let oldest = time::floor(oldest.saturating_add(step - 1), step);
        let lost = mark.map(|read| time::floor(read, step)).filter(|read| *read < oldest);
        let from = wanted.max(oldest).max(time::floor(self.store.kept()?, step));
        Ok((from.min(to), to, lost.map(|read| (read, oldest))))
    }

    fn keys(&self, each: &Each) -> Result<Vec<String>, PullError> {
        let mut keys = BTreeSet::new();
        let mut values = self.values.clone();
        let mut read = 0_usize;
        for _ in 0..MOST_PAGES {
            values.set("offset", Secret::new(read.to_string().as_bytes()));
            let (before, known) = (read, keys.len());
            self.caller.pages(
                &each.request,
                &each.done,
                each.next.as_ref(),
                &values,
                &mut |page: &Value| {
                    let items = page.pointer(&each.items).and_then(Value::as_array);
                    let items = items.ok_or_else(|| RowError::NoList(each.items.clone()))?;
                    for item in items {
                        read += 1;
                        match item.pointer(&each.key) {
                            Some(Value::String(key)) if !key.is_empty() => keys.insert(key.clone()),
                            _ => return Err(PullError::NoKey(each.key.clone())),
                        };
                    }
                    Ok::<usize, PullError>(items.len())
                },
            )?;
            if !each.offset || read == before {
                return Ok(keys.into_iter().collect());
            }
            if keys.len() == known {
                break;
            }
        }
        Err(StepError::Endless.into())
    }

    fn stretch(
        &self,
        source: &SourceInfo,
        from: i64,
        to: i64,
        keys: Option<&[String]>,
        mut done: Pulled,
    ) -> Result<Pulled, PullError> {
        let meter = self.meter;
        let mut values = self.values.clone();
        values.set("from", Secret::new(time::write(from, meter.time).as_bytes()));
        values.set("to", Secret::new(time::write(to, meter.time).as_bytes()));
        let within = (meter.grain != Grain::LastUsed).then_some((from, to));
        let mut rows = Rows::new(&meter.columns, meter.grain, within);
        let read = |rows: &mut Rows<'_>, values: &Values| -> Result<(), PullError> {
            self.caller.pages(
                &meter.request,
                &meter.done,
                meter.next.as_ref(),
                values,
                &mut |page: &Value| {
                    let before = rows.read();
                    rows.page(&meter.rows, page)?;
                    Ok::<usize, PullError>(rows.read() - before)
                },
            )?;
            if meter.rows.dense {
                rows.whole()?;
            }
            Ok(())
        };
        match keys {
            None => read(&mut rows, &values)?,
            Some(keys) => {
                for key in keys {
                    values.set("key", Secret::new(key.as_bytes()));
                    rows.of_key(key);
                    read(&mut rows, &values)?;
                }
            }
        }
        done.rows += rows.read() as u64;
        let (mut rows, last) = rows.finish();
        screened(&mut rows, self.screen);
        let last: BTreeMap<_, _> =
            last.into_iter().map(|(key, at)| ((self.screen)(&key).unwrap_or(key), at)).collect();
        let stretch = Stretch { source, from, to, rows: &rows, last: &last, now: self.now };
        done.changed.add(self.store.replace(&stretch)?);
        done.stretches += 1;
        Ok(done)
    }
}

/// Gives keys another name whose own must not be kept.
pub(super) fn screened(rows: &mut [super::Row], screen: &dyn Fn(&str) -> Option<String>) {
    let mut known: BTreeMap<String, Option<String>> = BTreeMap::new();
    for row in rows {
        if !known.contains_key(&row.key) {
            known.insert(row.key.clone(), screen(&row.key));
        }
        if let Some(Some(name)) = known.get(&row.key) {
            row.key.clone_from(name);
        }
    }
}

#[cfg(test)]
mod tests;
