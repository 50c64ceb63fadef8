//! What is remembered of one repository beside its objects: one sealed row.

use super::lifecycle::Row;
use super::{State, StateError};
use crate::model::{Fingerprint, FingerprintKey, Kept};
use crate::source::git::sweep::Group;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A digest.
type Digest = [u8; 32];

/// Stands for rules and options of several sweeps: no digest is this.
const SEVERAL: Digest = [0; 32];

/// A repository in a state.
#[derive(Debug)]
pub struct Entry {
    pub(super) id: i64,
    /// The number of the sweep that is under way; the first is 1.
    pub sweep: i64,
    /// Whether everything is looked at anew, since what is looked for has changed.
    pub anew: bool,
    body: Body,
}

/// What a sweep leaves for the next, which tells the same as long as nothing changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Places that are searched again: members of archives, and what is counted as not read.
    pub searched: Vec<Group>,
    /// Places of which only the value is read again.
    pub placed: Vec<Group>,
    /// What stands there, by the numbers of those places.
    pub kept: Vec<Kept>,
}

/// As it is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Body {
    eyes: Digest,
    sweeps: u32,
    /// What decided which findings are remembered.
    view: Option<Digest>,
    /// What decided what the last sweep reported, how the repository stood, and where something was found.
    left: Option<(Digest, Digest, Left)>,
    findings: BTreeMap<String, Row>,
}

/// What a finished sweep leaves of a repository.
pub struct Finished<'a> {
    /// The repository.
    pub entry: &'a Entry,
    /// What decided which findings are reported.
    pub view: Digest,
    /// Whether all was read, so that what is remembered was all weighed under that.
    pub complete: bool,
    /// How the repository stood, and where something was found; none if not all of it was read.
    pub left: Option<(Digest, Left)>,
    /// What is remembered of findings.
    pub rows: BTreeMap<Fingerprint, Row>,
}

impl Entry {
    /// Whether all that is remembered was seen with the same rules and options.
    pub fn is_same_view(&self, view: &Digest) -> bool {
        self.body.view.as_ref().is_none_or(|v| v == view)
    }

    /// Where something was found when the repository stood as it stands now, if the last sweep saw it
    /// so, and saw it with the same rules and options.
    pub fn unchanged(&self, view: &Digest, digest: &Digest) -> Option<&Left> {
        let (seen, then, left) = self.body.left.as_ref()?;
        (then == digest && seen == view).then_some(left)
    }

    /// Under what all will have been seen after a sweep. One that could not read everything tells
    /// nothing of what it did not see: that was seen under other rules, and is withdrawn, not fixed,
    /// should a later sweep not see it either.
    fn view_after(&self, sweep: &Finished<'_>) -> Digest {
        match self.body.view {
            Some(before) if !sweep.complete && before != sweep.view => SEVERAL,
            _ => sweep.view,
        }
    }
}

impl State {
    /// Finds or begins what is remembered of the repository at `place`. `eyes` is a digest over all
    /// that decides what is looked for: where it has changed, no object was looked at.
    ///
    /// # Errors
    /// The state cannot be read or written, or is damaged.
    pub fn entry(&self, place: &Path, eyes: &Digest) -> Result<Entry, StateError> {
        let place = place.as_os_str().as_encoded_bytes();
        let row = self.ask(|db| {
            let columns = "SELECT id, body, seal FROM repository WHERE place = ?1";
            db.query_row(columns, [place], |r| {
                Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?, r.get::<_, Vec<u8>>(2)?))
            })
            .optional()
        })?;
        let Some((id, bytes, seal)) = row else {
            let body = Body { eyes: *eyes, ..Body::default() };
            let id = self.ask(|db| {
                let work = db.transaction()?;
                work.execute("INSERT INTO repository (place, body, seal) VALUES (?1, x'', x'')", [place])?;
                let id = work.last_insert_rowid();
                let (bytes, seal) = self.sealed(id, &body);
                work.execute(UPDATE, params![id, bytes, seal])?;
                work.commit()?;
                Ok(id)
            })?;
            return Ok(Entry { id, sweep: 1, anew: false, body });
        };
        if seal != self.key.seal(&[b"repository", &id.to_le_bytes(), &bytes]) {
            return Err(self.broken("a row of it is not as it was written"));
        }
        let mut body: Body =
            postcard::from_bytes(&bytes).map_err(|_| self.broken("a row of it does not parse"))?;
        let anew = body.eyes != *eyes;
        if anew {
            body.eyes = *eyes;
            body.left = None;
            self.anew(id, &body)?;
        }
        Ok(Entry { id, sweep: i64::from(body.sweeps) + 1, anew, body })
    }

    /// Forgets all of a repository: another stands in its place. At once, so that a sweep that is ended
    /// early does not take the other's objects for its own when it goes on.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn forget(&self, entry: &mut Entry) -> Result<(), StateError> {
        entry.body = Body { eyes: entry.body.eyes, sweeps: entry.body.sweeps, ..Body::default() };
        self.anew(entry.id, &entry.body)
    }

    /// Forgets which objects were looked at.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn look_anew(&self, entry: &Entry) -> Result<(), StateError> {
        self.anew(entry.id, &entry.body)
    }

    /// Writes a repository, and drops what is remembered of its objects.
    fn anew(&self, id: i64, body: &Body) -> Result<(), StateError> {
        let (bytes, seal) = self.sealed(id, body);
        self.ask(|db| {
            let work = db.transaction()?;
            work.execute("DELETE FROM batch WHERE repository = ?1", [id])?;
            work.execute(UPDATE, params![id, bytes, seal])?;
            work.commit()
        })
    }

    /// Objects that earlier sweeps had looked at.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn remembered(&self, entry: &Entry) -> Result<u64, StateError> {
        self.ask(|db| {
            db.query_row(
                "SELECT coalesce(sum(objects), 0) FROM batch WHERE repository = ?1 AND sweep < ?2",
                params![entry.id, entry.sweep],
                |r| r.get::<_, i64>(0).map(i64::unsigned_abs),
            )
        })
    }

    /// What is remembered of findings.
    ///
    /// # Errors
    /// Their fingerprints were made with another key than `key`.
    pub fn findings(
        &self,
        entry: &Entry,
        key: &FingerprintKey,
    ) -> Result<BTreeMap<Fingerprint, Row>, StateError> {
        let mut rows = BTreeMap::new();
        for (text, row) in &entry.body.findings {
            let fingerprint =
                Fingerprint::parse(text).ok_or_else(|| self.broken("a fingerprint does not parse"))?;
            if fingerprint.key_id() != key.id() {
                return Err(StateError::OtherKey {
                    path: self.path.clone(),
                    found: fingerprint.key_id().to_owned(),
                    expected: key.id().to_owned(),
                });
            }
            rows.insert(fingerprint, row.clone());
        }
        Ok(rows)
    }

    /// Writes what finished sweeps leave, all of it or nothing.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(&self, all: Vec<Finished<'_>>) -> Result<(), StateError> {
        self.ask(|db| {
            let work = db.transaction()?;
            for one in all {
                let body = Body {
                    eyes: one.entry.body.eyes,
                    sweeps: one.entry.body.sweeps.saturating_add(1),
                    view: Some(one.entry.view_after(&one)),
                    left: one.left.map(|(digest, left)| (one.view, digest, left)),
                    findings: one.rows.into_iter().map(|(f, row)| (f.as_str().to_owned(), row)).collect(),
                };
                let (bytes, seal) = self.sealed(one.entry.id, &body);
                work.execute(UPDATE, params![one.entry.id, bytes, seal])?;
            }
            work.commit()
        })
    }

    fn sealed(&self, id: i64, body: &Body) -> (Vec<u8>, Vec<u8>) {
        let bytes = postcard::to_stdvec(body).expect("because names and numbers have a form");
        let seal = self.key.seal(&[b"repository", &id.to_le_bytes(), &bytes]);
        (bytes, seal)
    }
}

const UPDATE: &str = "UPDATE repository SET body = ?2, seal = ?3 WHERE id = ?1";
