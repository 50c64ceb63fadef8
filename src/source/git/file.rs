//! Files of a repository, opened so that nothing that stands in their place can block, act, or lead
//! out of the repository.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Folders that a repository's files may stand in, symbolic links followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    roots: Vec<PathBuf>,
}

impl Bounds {
    /// The folders that exist of those named.
    pub(super) fn new<'a>(roots: impl IntoIterator<Item = &'a Path>) -> Self {
        Bounds { roots: roots.into_iter().filter_map(|r| r.canonicalize().ok()).collect() }
    }

    /// The path with every symbolic link followed.
    ///
    /// # Errors
    /// It is not there, or leads out of the folders.
    pub(super) fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let real = path.canonicalize()?;
        if self.roots.iter().any(|root| real.starts_with(root)) {
            return Ok(real);
        }
        Err(refused(
            "it leads out of the repository by a symbolic link; if that is meant: --storage-root DIR",
        ))
    }

    /// Opens a regular file within the folders.
    ///
    /// # Errors
    /// As [`Bounds::real`] and [`open`].
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        open(&self.real(path)?)
    }

    /// Reads a regular file within the folders.
    ///
    /// # Errors
    /// As [`Bounds::real`] and [`read`].
    pub(super) fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        read(self.open(path)?, most)
    }
}

/// Opens a regular file that is no symbolic link: git makes none among its objects.
///
/// # Errors
/// As [`open`].
pub(super) fn open_own(path: &Path) -> io::Result<File> {
    match fs::symlink_metadata(path)? {
        found if found.is_symlink() => Err(refused("it is a symbolic link")),
        found if found.is_file() => open_checked(path),
        _ => Err(refused("it is no regular file")),
    }
}

/// Opens a regular file. A FIFO or device is not opened; should one take the file's place at that
/// moment, the opening does not wait for it.
///
/// # Errors
/// The system's, or that it is no regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let check = |found: fs::Metadata| match found.is_file() {
        true => Ok(()),
        false => Err(refused("it is no regular file")),
    };
    check(fs::metadata(path)?)?;
    open_checked(path)
}

/// As [`open`], for a path of which a folder's listing has just said that it is a regular file.
pub(super) fn open_checked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    }
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(refused("it is no regular file")),
    }
}

/// Reads an open file whole.
///
/// # Errors
/// The system's, or that it is longer than `most` bytes.
pub(super) fn read(file: File, most: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    if size > most {
        return Err(refused("it is larger than the bound for such a file"));
    }
    let mut bytes = Vec::with_capacity(size as usize + 1);
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(refused("it is larger than the bound for such a file"));
    }
    Ok(bytes)
}

/// Whether an error means that there is no such file.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The path that bytes of a repository's own file name.
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
    }
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// The first line, without white space at its end.
pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii_end()
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::source::git::tests::Scratch;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = Scratch::new();
        dir.fifo("fifo");
        symlink("fifo", dir.path("link")).unwrap();
        symlink("/dev/zero", dir.path("device")).unwrap();
        for name in ["fifo", "link", "device", "."] {
            assert!(open(&dir.path(name)).unwrap_err().to_string().contains("no regular file"), "{name}");
            assert!(open_checked(&dir.path(name)).is_err(), "{name}");
            assert!(open_own(&dir.path(name)).is_err(), "{name}");
        }
        assert!(is_absent(&open(&dir.path("none")).unwrap_err()));
    }

    #[test]
    fn links_out_are_refused_and_links_within_followed() {
        let dir = Scratch::new();
        dir.put("in/a", "text");
        dir.put("out/b", "text");
        symlink("../out/b", dir.path("in/leaves")).unwrap();
        symlink("a", dir.path("in/stays")).unwrap();
        symlink("../out", dir.path("in/folder")).unwrap();
        let bounds = Bounds::new([dir.path("in").as_path()]);
        assert_eq!(bounds.read(&dir.path("in/stays"), 10).unwrap(), b"text");
        for name in ["in/leaves", "in/folder/b", "out/b"] {
            let error = bounds.read(&dir.path(name), 10).unwrap_err().to_string();
            assert!(error.contains("--storage-root"), "{name}: {error}");
        }
        assert!(bounds.read(&dir.path("in/a"), 3).is_err());
    }
}
