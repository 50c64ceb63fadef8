//! What every database that several processes open needs of SQLite.

use rusqlite::{Connection, ErrorCode};
use std::time::{Duration, Instant};

/// How often is tried again.
const BEAT: Duration = Duration::from_millis(20);

/// Turns the write-ahead log on and gives the journal mode that came of it, `wal` where it is on. SQLite's own busy
/// handler is not asked here, so that of several processes that open a new file at once all but one would be refused.
///
/// # Errors
/// SQLite's; that the file is busy only after `patience`.
pub(crate) fn write_ahead(db: &Connection, patience: Duration) -> rusqlite::Result<String> {
    let began = Instant::now();
    loop {
        match db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(e) if is_busy(&e) && began.elapsed() < patience => std::thread::sleep(BEAT),
            done => return done,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn many_that_open_a_new_file_at_once_all_get_the_log() {
        let folder = std::env::temp_dir().join(format!("keywheel-wal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for round in 0..20 {
            let path = folder.join(format!("{round}.db"));
            let gate = Barrier::new(8);
            let open = || {
                let db = Connection::open(&path).unwrap();
                db.busy_timeout(Duration::from_secs(10)).unwrap();
                gate.wait();
                let mode = write_ahead(&db, Duration::from_secs(10)).unwrap();
                db.execute_batch("BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS t(x); COMMIT").unwrap();
                mode
            };
            let modes: Vec<String> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert!(modes.iter().all(|mode| mode == "wal"), "{modes:?}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn patience_ends() {
        let path = std::env::temp_dir().join(format!("keywheel-wal-end-{}.db", std::process::id()));
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let other = Connection::open(&path).unwrap();
        other.busy_timeout(Duration::ZERO).unwrap();
        assert!(is_busy(&write_ahead(&other, Duration::from_millis(50)).unwrap_err()));
        drop(holder);
        assert_eq!(write_ahead(&other, Duration::from_secs(5)).unwrap(), "wal");
        drop(other);
        std::fs::remove_file(&path).unwrap();
    }
}
