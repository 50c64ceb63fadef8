//! A data key that seals the journal, wrapped by a key that never leaves its keeper. The wrapped form stands in the
//! journal; the data key itself is in memory alone.
//!
//! It is made once, when the journal is first opened with that keeper. It is bound to an id that is drawn with it, so
//! that the wrapped form of another journal does not open here.

use super::open::connect;
use super::{Journal, JournalError};
use crate::model::Secret;
use crate::rotate::seal::hex;
use crate::rotate::time::Moment;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde_json::json;
use std::path::Path;
use zeroize::Zeroizing;

/// Made when it is first needed: journals that are sealed otherwise have no such table.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS wrapped(
  by TEXT PRIMARY KEY,
  journal TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;";

/// Keeps a key that wraps others.
pub trait Wrapper {
    /// Names the key for good.
    fn name(&self) -> &str;

    /// Wraps a data key, bound to the id of a journal.
    ///
    /// # Errors
    /// See [`WrapError`].
    fn wrap(&self, journal: &str, key: &Secret) -> Result<String, WrapError>;

    /// Opens what was wrapped for that journal.
    ///
    /// # Errors
    /// See [`WrapError`].
    fn unwrap(&self, journal: &str, text: &str) -> Result<Secret, WrapError>;
}

/// Why a data key cannot be wrapped or opened. Holds no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// The keeper cannot be asked now.
    #[error("{0}")]
    Away(String),
    /// It refuses, or does not have the key.
    #[error("{0}")]
    Refused(String),
    /// It does not open what the journal holds.
    #[error("{0}")]
    Broken(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// A row of the table.
struct Row {
    journal: String,
    text: String,
}

fn row(db: &Connection, by: &str) -> Result<Option<Row>, JournalError> {
    let read = |row: &rusqlite::Row<'_>| Ok(Row { journal: row.get(0)?, text: row.get(1)? });
    Ok(db.query_row("SELECT journal, text FROM wrapped WHERE by = ?1", [by], read).optional()?)
}

fn drawn() -> Result<Zeroizing<[u8; 32]>, WrapError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| WrapError::Random)?;
    Ok(bytes)
}

impl Journal {
    /// The data key of the journal at `path` that `wrapper` wraps. With `make`, one is drawn if there is none yet; of
    /// several workers that do so at once all get the same.
    ///
    /// # Errors
    /// See [`JournalError`]. Whenever the keeper does not answer with the key, the journal stays closed.
    pub fn data_key(path: &Path, wrapper: &dyn Wrapper, make: bool) -> Result<Secret, JournalError> {
        let mut db = connect(path)?;
        db.execute_batch(TABLE)?;
        if let Some(row) = row(&db, wrapper.name())? {
            return Ok(wrapper.unwrap(&row.journal, &row.text)?);
        }
        if !make {
            return Err(JournalError::Unwrapped(wrapper.name().to_owned()));
        }
        let journal = hex(&drawn()?[..16]);
        let key = Secret::new(drawn()?.as_slice());
        let text = wrapper.wrap(&journal, &key)?;
        // What cannot be opened again must seal nothing.
        if wrapper.unwrap(&journal, &text)? != key {
            return Err(WrapError::Broken("what was wrapped opens as another key".to_owned()).into());
        }
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let first = row(&tx, wrapper.name())?;
        if first.is_none() {
            tx.execute("INSERT INTO wrapped VALUES (?1, ?2, ?3)", params![wrapper.name(), journal, text])?;
        }
        tx.commit()?;
        match first {
            Some(row) => Ok(wrapper.unwrap(&row.journal, &row.text)?),
            None => Ok(key),
        }
    }

    /// Wraps the data key anew, by the newest version of the wrapper's key, and writes that into the audit.
    ///
    /// # Errors
    /// See [`JournalError`]. Then the old wrapped form stands as it was.
    pub fn rewrap(&self, wrapper: &dyn Wrapper, now: Moment) -> Result<(), JournalError> {
        let by = wrapper.name();
        let lacks = || JournalError::Unwrapped(by.to_owned());
        let old = {
            let db = self.db.borrow();
            db.execute_batch(TABLE)?;
            row(&db, by)?.ok_or_else(lacks)?
        };
        let key = wrapper.unwrap(&old.journal, &old.text)?;
        let text = wrapper.wrap(&old.journal, &key)?;
        if wrapper.unwrap(&old.journal, &text)? != key {
            return Err(WrapError::Broken("what was wrapped opens as another key".to_owned()).into());
        }
        self.transact(|tx| {
            // The same data key under the same name, whoever was quicker.
            let done = tx.execute("UPDATE wrapped SET text = ?2 WHERE by = ?1", params![by, text])?;
            if done != 1 {
                return Err(lacks());
            }
            self.note(tx, 0, now, &json!({ "rewrapped": by }).to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotate::seal::Keyring;
    use std::cell::RefCell;
    use std::path::PathBuf;

    /// A keeper that writes the key down with what it is bound to, and may do something before it answers.
    struct Keeper<'a> {
        before: &'a dyn Fn(),
        asked: RefCell<Vec<&'static str>>,
        away: bool,
    }

    impl Keeper<'_> {
        fn new(before: &dyn Fn()) -> Keeper<'_> {
            Keeper { before, asked: RefCell::default(), away: false }
        }
    }

    impl Wrapper for Keeper<'_> {
        fn name(&self) -> &str {
            "transit/test"
        }
        fn wrap(&self, journal: &str, key: &Secret) -> Result<String, WrapError> {
            self.asked.borrow_mut().push("wrap");
            (self.before)();
            let turned: Vec<u8> = key.expose().iter().map(|b| !b).collect();
            Ok(format!("{journal}:{}", hex(&turned)))
        }
        fn unwrap(&self, journal: &str, text: &str) -> Result<Secret, WrapError> {
            self.asked.borrow_mut().push("unwrap");
            if self.away {
                return Err(WrapError::Away("it is sealed".to_owned()));
            }
            let broken = || WrapError::Broken("it belongs elsewhere".to_owned());
            let coded = text.strip_prefix(journal).and_then(|t| t.strip_prefix(':')).ok_or_else(broken)?;
            let byte = |n: usize| u8::from_str_radix(&coded[n..n + 2], 16).map(|b| !b).map_err(|_| broken());
            let bytes = (0..coded.len()).step_by(2).map(byte).collect::<Result<Vec<_>, _>>()?;
            Ok(Secret::new(&bytes))
        }
    }

    fn place(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("keywheel-wrapped-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder.join("journal.db")
    }

    #[test]
    fn it_is_made_once_and_the_same_ever_after() {
        let (path, nothing) = (place("once"), || {});
        let keeper = Keeper::new(&nothing);
        let lacks = Journal::data_key(&path, &keeper, false);
        assert!(matches!(lacks, Err(JournalError::Unwrapped(_))));
        let key = Journal::data_key(&path, &keeper, true).unwrap();
        assert_eq!(key.expose().len(), 32);
        assert_eq!(*keeper.asked.borrow(), ["wrap", "unwrap"]);
        assert_eq!(Journal::data_key(&path, &keeper, false).unwrap(), key);
        for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(32).any(|w| w == key.expose()), "the data key lies in the journal");
        }
        // Another journal draws another, and its wrapped form does not open here.
        let other = place("other");
        assert_ne!(Journal::data_key(&other, &keeper, true).unwrap(), key);
        let moved = row(&connect(&other).unwrap(), keeper.name()).unwrap().unwrap().text;
        connect(&path).unwrap().execute("UPDATE wrapped SET text = ?1", [moved]).unwrap();
        assert!(matches!(
            Journal::data_key(&path, &keeper, true),
            Err(JournalError::Wrap(WrapError::Broken(_)))
        ));
    }

    #[test]
    fn two_that_make_one_at_once_end_with_one() {
        let path = place("race");
        let nothing = || {};
        let quick = RefCell::new(None);
        // While the slow one waits for its keeper the quick one has made a key and is done.
        let meanwhile = || {
            let made = Journal::data_key(&path, &Keeper::new(&nothing), true).unwrap();
            quick.borrow_mut().get_or_insert(made);
        };
        let slow = Journal::data_key(&path, &Keeper::new(&meanwhile), true).unwrap();
        assert_eq!(Some(slow), *quick.borrow());
    }

    #[test]
    fn a_keeper_that_does_not_answer_keeps_it_closed() {
        let (path, nothing) = (place("away"), || {});
        let mut keeper = Keeper::new(&nothing);
        let key = Journal::data_key(&path, &keeper, true).unwrap();
        keeper.away = true;
        let told = Journal::data_key(&path, &keeper, true).unwrap_err().to_string();
        assert_eq!(told, "the key that seals the journal: it is sealed");
        // Nothing was made in its place.
        keeper.away = false;
        assert_eq!(Journal::data_key(&path, &keeper, true).unwrap(), key);
    }

    #[test]
    fn rewrapping_keeps_the_key_and_is_audited() {
        let (path, nothing) = (place("rewrap"), || {});
        let keeper = Keeper::new(&nothing);
        let key = Journal::data_key(&path, &keeper, true).unwrap();
        let journal = Journal::open(&path, Keyring::new(key.expose()).unwrap()).unwrap();
        journal.rewrap(&keeper, Moment(7)).unwrap();
        assert_eq!(Journal::data_key(&path, &keeper, false).unwrap(), key);
        let entries = journal.audit_entries().unwrap();
        assert!(entries.iter().any(|e| e.body.contains("rewrapped")), "{entries:?}");
        journal.verify_audit(None).unwrap();
    }
}
