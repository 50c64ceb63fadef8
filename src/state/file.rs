//! The file itself: whether it is ours, making one that is private, moving one out of the way.

use super::{APPLICATION, StateError};
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Bytes of its header.
const HEADER: usize = 100;
/// Where in the header the form of the tables stands, and whose file it is; both with the high byte
/// first. <https://www.sqlite.org/fileformat.html#the_database_header>
const USER_VERSION: usize = 60;
const APPLICATION_ID: usize = 68;
/// What SQLite puts beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What a path leads to.
pub(super) enum Is {
    /// No file, or an empty one.
    Nothing,
    /// A state of that form.
    Ours(u32),
}

/// Looks at a file before SQLite does: SQLite would take an empty file, and write into any database.
pub(super) fn examine(path: &Path) -> Result<Is, StateError> {
    let unreadable = |source| StateError::Io { path: path.to_owned(), source };
    let foreign = |what| StateError::Foreign { path: path.to_owned(), what };
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Is::Nothing),
        Err(e) => return Err(unreadable(e)),
        Ok(found) if !found.is_file() => return Err(foreign("it is no regular file")),
        Ok(found) if found.len() == 0 => return Ok(Is::Nothing),
        Ok(_) => {}
    }
    let mut head = Vec::with_capacity(HEADER);
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(HEADER as u64).read_to_end(&mut head).map_err(unreadable)?;
    let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    if !head.starts_with(MAGIC) {
        return Err(foreign("it is no SQLite database"));
    }
    match (word(APPLICATION_ID), word(USER_VERSION)) {
        (Some(APPLICATION), Some(version)) => Ok(Is::Ours(version)),
        _ => Err(foreign("it is another program's database")),
    }
}

/// Makes an empty file for its owner alone; one that is there is made private.
pub(super) fn make(path: &Path) -> Result<(), StateError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(path).and_then(|file| {
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        file.metadata()
    });
    made.map(drop).map_err(|source| StateError::Io { path: path.to_owned(), source })
}

/// Gives a file the first free name of `FILE.broken-1`, `FILE.broken-2`, …, with whatever SQLite has
/// put beside it; the name.
pub(super) fn move_aside(path: &Path) -> Result<PathBuf, StateError> {
    let with = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let free = |to: &PathBuf| ["", "-wal"].iter().all(|end| fs::symlink_metadata(with(to, end)).is_err());
    let to = (1u32..).map(|n| with(path, &format!(".broken-{n}"))).find(free).unwrap_or_default();
    let moved = fs::rename(path, &to).and_then(|()| {
        BESIDE.iter().try_for_each(|end| match fs::rename(with(path, end), with(&to, end)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        })
    });
    moved.map(|()| to).map_err(|source| StateError::Io { path: path.to_owned(), source })
}
