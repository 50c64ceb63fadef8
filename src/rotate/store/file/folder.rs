//! Reading and replacing one file in a folder that is held open, so that no name is looked up twice.

use crate::rotate::engine::StoreError;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};
use std::time::{Duration, Instant, SystemTime};
use zeroize::Zeroizing;

/// Most bytes of a file.
const MOST: u64 = 4 << 20;

/// A folder whose lock is held. It ends with the process, however that ends.
pub(super) struct Folder {
    folder: File,
    name: OsString,
    /// The file that becomes the new one. Its name is fixed, so that one left behind is found.
    draft: OsString,
}

/// A file as it was read.
pub(super) struct Opened {
    pub(super) text: Zeroizing<String>,
    /// When it was changed last.
    pub(super) modified: SystemTime,
    file: File,
    stat: Stat,
}

fn refused(why: &str) -> StoreError {
    StoreError::Refused(why.to_owned())
}

/// An error before anything was changed.
fn before(what: &'static str) -> impl Fn(Errno) -> StoreError {
    move |e| StoreError::Refused(format!("{what}: {e}"))
}

impl Folder {
    /// Opens the folder of `path`, following no link, and waits for its lock.
    pub(super) fn lock(path: &Path, deadline: Instant) -> Result<Folder, StoreError> {
        let name = path.file_name().ok_or_else(|| refused("the path names no file"))?.to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut fd = fs::open("/", flags, Mode::empty()).map_err(before("the folder cannot be opened"))?;
        for step in path.parent().into_iter().flat_map(Path::components) {
            if let Component::Normal(step) = step {
                fd = fs::openat(&fd, step, flags, Mode::empty()).map_err(|e| match e {
                    Errno::LOOP | Errno::NOTDIR => {
                        refused("the path leads through a link; name the folder by its real path")
                    }
                    e => before("the folder cannot be opened")(e),
                })?;
            }
        }
        let stat = fs::fstat(&fd).map_err(before("the folder cannot be read"))?;
        if stat.st_mode & 0o1002 == 0o002 {
            return Err(refused(
                "everybody may write to the folder, and could put another file in its place",
            ));
        }
        let folder = File::from(fd);
        loop {
            match folder.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Retry("another process holds the folder's lock".to_owned()));
                }
                Err(TryLockError::Error(e)) => {
                    return Err(StoreError::Refused(format!("the folder cannot be locked: {e}")));
                }
            }
        }
        let mut draft = OsString::from(".");
        draft.push(&name);
        draft.push(".keywheel-new");
        Ok(Folder { folder, name, draft })
    }

    /// Reads the file; none if it is not there.
    pub(super) fn open(&self) -> Result<Option<Opened>, StoreError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match fs::openat(&self.folder, &self.name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(refused("the file is a link; name the file that it leads to")),
            Err(e) => return Err(before("the file cannot be opened")(e)),
        };
        let stat = fs::fstat(&fd).map_err(before("the file cannot be read"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refused("it is no regular file"));
        }
        let file = File::from(fd);
        let modified = file
            .metadata()
            .and_then(|meta| meta.modified())
            .map_err(|e| StoreError::Refused(format!("the file's time cannot be read: {e}")))?;
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if size > MOST {
            return Err(refused("the file is larger than 4 MiB"));
        }
        // One byte more than it should have shows a file that grows; the room keeps it from being moved.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size as usize + 64));
        (&file)
            .take(size + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| StoreError::Refused(format!("the file cannot be read: {e}")))?;
        if bytes.len() as u64 != size {
            return Err(StoreError::Retry("the file changes while it is read".to_owned()));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| refused("the file is not UTF-8"))?;
        Ok(Some(Opened { text: Zeroizing::new(text.to_owned()), modified, file, stat }))
    }

    /// Removes what a killed writer left behind.
    pub(super) fn tidy(&self) -> Result<(), StoreError> {
        match fs::unlinkat(&self.folder, &self.draft, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // Whoever may only read the folder left nothing in it.
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ok(()),
            Err(e) => Err(before("a leftover beside the file cannot be removed")(e)),
        }
    }

    /// Puts `text` in the place of `old`, with its mode, owner and attributes, and gives the time of the change: later
    /// than that of any before.
    pub(super) fn replace(&self, old: &Opened, text: &str, step: fn(u8)) -> Result<SystemTime, StoreError> {
        if old.stat.st_nlink > 1 {
            return Err(refused(
                "the file has a second name (a hard link), which would keep the old content",
            ));
        }
        self.tidy()?;
        step(0);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.folder, &self.draft, flags, Mode::RUSR | Mode::WUSR)
            .map_err(before("no file can be made beside it"))?;
        let done = self.fill(old, text, fd, step);
        if done.is_err() {
            // Nothing more can be done about one that stays; the next call removes it.
            let _ = self.tidy();
        }
        let modified = done?;
        step(4);
        // The name has changed: from here on nothing is certain until the folder is on the disk.
        self.folder
            .sync_all()
            .map_err(|e| StoreError::Unknown(format!("the folder could not be written to the disk: {e}")))?;
        step(5);
        Ok(modified)
    }

    fn fill(&self, old: &Opened, text: &str, fd: OwnedFd, step: fn(u8)) -> Result<SystemTime, StoreError> {
        let io = |e: std::io::Error| StoreError::Refused(format!("the new file cannot be written: {e}"));
        step(1);
        // Owner first: changing it takes rights away from the mode.
        let mine = fs::fstat(&fd).map_err(before("the new file cannot be read"))?;
        if (mine.st_uid, mine.st_gid) != (old.stat.st_uid, old.stat.st_gid) {
            let owner = rustix::process::Uid::from_raw(old.stat.st_uid);
            let group = rustix::process::Gid::from_raw(old.stat.st_gid);
            fs::fchown(&fd, Some(owner), Some(group)).map_err(before("the owner cannot be kept"))?;
        }
        attributes(&old.file, &fd)?;
        fs::fchmod(&fd, Mode::from_raw_mode(old.stat.st_mode & 0o7777))
            .map_err(before("the mode cannot be kept"))?;
        let mut file = File::from(fd);
        file.write_all(text.as_bytes()).map_err(io)?;
        let modified = later(&file, old.modified).map_err(io)?;
        step(2);
        file.sync_all().map_err(io)?;
        step(3);
        // Others do not ask for our lock: what they wrote meanwhile is not thrown away.
        match self.open()? {
            Some(now) if now.text == old.text && now.stat.st_ino == old.stat.st_ino => {}
            _ => return Err(StoreError::Conflict),
        }
        fs::renameat(&self.folder, &self.draft, &self.folder, &self.name)
            .map_err(before("the new file cannot take the place of the old one"))?;
        Ok(modified)
    }
}

/// Sees that a file's time is later than `before`, and gives it. A clock may stand still between two changes, or go
/// back; some file systems count in steps of two seconds.
fn later(file: &File, before: SystemTime) -> std::io::Result<SystemTime> {
    for step in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(3)] {
        if !step.is_zero() {
            file.set_modified(before + step)?;
        }
        let now = file.metadata()?.modified()?;
        if now > before {
            return Ok(now);
        }
    }
    Err(std::io::Error::other("its time of change cannot be set"))
}

/// Copies extended attributes, among them access control lists.
#[cfg(target_os = "linux")]
fn attributes(from: &File, to: &OwnedFd) -> Result<(), StoreError> {
    use rustix::fs::XattrFlags;
    let failed = before("the file's attributes (access control lists, labels) cannot be kept");
    let mut names = vec![0; 64 << 10];
    let len = match fs::flistxattr(from, &mut names) {
        Ok(len) => len,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    let mut value = vec![0; 64 << 10];
    let mut own = vec![0; 64 << 10];
    for name in names[..len].split(|&b| b == 0).filter(|name| !name.is_empty()) {
        let len = fs::fgetxattr(from, name, &mut value).map_err(&failed)?;
        // The system gives labels by itself; what is there already needs no right to be set.
        if fs::fgetxattr(to, name, &mut own).is_ok_and(|n| own[..n] == value[..len]) {
            continue;
        }
        fs::fsetxattr(to, name, &value[..len], XattrFlags::empty()).map_err(&failed)?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn attributes(_: &File, _: &OwnedFd) -> Result<(), StoreError> {
    Ok(())
}
