//! Files of a tree and single files.

use super::archive::{self, Budget, Input};
use super::gitignore::GitIgnore;
use crate::model::{Blob, Provenance, RawPath, Sink, SkipReason, Skipped};
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files up to this size are read whole; larger ones in overlapping parts.
pub const WHOLE: u64 = 2 << 20;

/// Bytes of the record that ends a zip without a comment.
pub(super) const TAIL: usize = 22;

/// What of a tree to read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Globs that leave files and folders out, relative to the root.
    pub exclude: Vec<String>,
    /// Whether ignore files of git are honoured.
    pub gitignore: bool,
    /// Larger files are skipped, and counted as not read.
    pub max_file_size: u64,
    /// Threads.
    pub jobs: usize,
    /// Whether archives are opened.
    pub archives: bool,
    /// Bounds for archives.
    pub budget: Budget,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            exclude: Vec::new(),
            gitignore: false,
            max_file_size: u64::MAX,
            jobs: 1,
            archives: true,
            budget: Budget::default(),
        }
    }
}

/// Why a source cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path does not exist or cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Root {
        /// What was to be scanned.
        path: RawPath,
        /// What the system said.
        source: io::Error,
    },
    /// A repository cannot be read.
    #[error(transparent)]
    Git(#[from] super::git::GitError),
    /// An exclude glob is malformed.
    #[error("the exclude `{glob}` is not a glob: {message}")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Pushes everything under `root`, in no particular order, from `options.jobs` threads.
///
/// # Errors
/// The root cannot be read, or an exclude is not a glob. All else is counted by the sink.
pub fn walk(root: &Path, options: &Options, sink: &dyn Sink) -> Result<(), SourceError> {
    let unreadable = |source| SourceError::Root { path: RawPath::from_path(root), source };
    let metadata = std::fs::metadata(root).map_err(unreadable)?;
    if !metadata.is_dir() {
        let name = RawPath::from_path(root);
        Reader::new(options, sink).file(root, &name, &metadata);
        return Ok(());
    }
    let canonical = root.canonicalize().map_err(unreadable)?;
    let excludes = excludes(&options.exclude)?;
    let mut builder = WalkBuilder::new(root);
    builder.standard_filters(false).follow_links(false).threads(options.jobs.max(1));
    let large = std::sync::Mutex::new(Vec::new());
    {
        let excludes = &excludes;
        let root_owned = root.to_owned();
        builder.filter_entry(move |e| {
            e.depth() == 0 || e.file_name() != ".git" || under_glob(&root_owned, e.path()).is_empty()
        });
        builder.build_parallel().run(|| {
            let mut reader = Reader::new(options, sink);
            let mut ignored = options.gitignore.then(|| GitIgnore::new(&canonical));
            let (large, canonical) = (&large, &canonical);
            Box::new(move |entry| {
                if sink.stopped() {
                    return WalkState::Quit;
                }
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        sink.skipped(walk_error(root, &error));
                        return WalkState::Continue;
                    }
                };
                if entry.depth() == 0 {
                    return WalkState::Continue;
                }
                let relative = under_glob(root, entry.path());
                let is_dir = entry.file_type().is_some_and(|t| t.is_dir());
                let name = RawPath::new(relative);
                let under = entry.path().strip_prefix(root).unwrap_or(entry.path());
                let left_out = if excludes.is_match(under) {
                    Some(SkipReason::Excluded)
                } else if ignored.as_mut().is_some_and(|i| i.ignores(under, is_dir)) {
                    Some(SkipReason::Ignored)
                } else {
                    None
                };
                if let Some(reason) = left_out {
                    reader.skip(&name, reason, "");
                    return if is_dir { WalkState::Skip } else { WalkState::Continue };
                }
                if !is_dir {
                    match reader.entry(&entry, &name, canonical) {
                        Step::Done => {}
                        Step::Large => lock(large).push((entry.into_path(), name)),
                    }
                }
                WalkState::Continue
            })
        });
    }
    let mut large = large.into_inner().unwrap_or_default();
    large.sort();
    for (path, name) in large {
        match std::fs::metadata(&path) {
            Ok(metadata) => Reader::new(options, sink).in_parts(&path, &name, &metadata),
            Err(error) => Reader::new(options, sink).skip(&name, SkipReason::Unreadable, &error.to_string()),
        }
    }
    Ok(())
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn under_glob<'a>(root: &Path, path: &'a Path) -> &'a [u8] {
    path.strip_prefix(root).unwrap_or(path).as_os_str().as_encoded_bytes()
}

pub(super) fn excludes(globs: &[String]) -> Result<globset::GlobSet, SourceError> {
    let mut set = globset::GlobSetBuilder::new();
    for glob in globs {
        let error =
            |e: globset::Error| SourceError::Glob { glob: glob.clone(), message: e.kind().to_string() };
        set.add(globset::GlobBuilder::new(glob).literal_separator(true).build().map_err(error)?);
        // A bare name excludes it at any depth, and a folder with all that it holds.
        for form in [format!("**/{glob}"), format!("{glob}/**"), format!("**/{glob}/**")] {
            set.add(globset::GlobBuilder::new(&form).literal_separator(true).build().map_err(error)?);
        }
    }
    set.build().map_err(|e| SourceError::Glob { glob: globs.join(", "), message: e.to_string() })
}

fn walk_error(root: &Path, error: &ignore::Error) -> Skipped {
    let mut path = None;
    let mut inner = error;
    loop {
        match inner {
            ignore::Error::WithPath { path: p, err } => {
                path = Some(p.clone());
                inner = err;
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => inner = err,
            _ => break,
        }
    }
    let path: PathBuf = path.unwrap_or_else(|| root.to_owned());
    let provenance = Provenance::file(RawPath::new(under_glob(root, &path)));
    let detail = inner.io_error().map_or_else(|| inner.to_string(), ToString::to_string);
    Skipped { provenance, reason: SkipReason::Unreadable, detail }
}

enum Step {
    Done,
    /// Read after the walk, by all threads together.
    Large,
}

/// Reads files one after another into one buffer.
struct Reader<'a> {
    options: &'a Options,
    sink: &'a dyn Sink,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(options: &'a Options, sink: &'a dyn Sink) -> Self {
        Reader { options, sink, buffer: Vec::new() }
    }

    fn skip(&self, name: &RawPath, reason: SkipReason, detail: &str) {
        self.sink.skipped(Skipped {
            provenance: Provenance::file(name.clone()),
            reason,
            detail: detail.to_owned(),
        });
    }

    fn entry(&mut self, entry: &DirEntry, name: &RawPath, root: &Path) -> Step {
        let Some(kind) = entry.file_type() else { return Step::Done };
        if kind.is_symlink() {
            self.link(entry.path(), name, root);
            return Step::Done;
        }
        if !kind.is_file() {
            self.skip(name, SkipReason::NotAFile, "");
            return Step::Done;
        }
        match File::open(entry.path()) {
            Ok(file) => self.open(file, name),
            Err(error) => {
                self.skip(name, SkipReason::Unreadable, &error.to_string());
                Step::Done
            }
        }
    }

    /// A link inside of the root names a file that the walk reads anyway; its target's text is
    /// scanned as a link, since a name can hold a key as well.
    fn link(&mut self, path: &Path, name: &RawPath, root: &Path) {
        match std::fs::read_link(path) {
            Ok(target) => {
                let provenance = Arc::new(Provenance::file(name.clone()));
                self.sink.blob(Blob::whole(target.as_os_str().as_encoded_bytes(), provenance));
            }
            Err(error) => return self.skip(name, SkipReason::Unreadable, &error.to_string()),
        }
        match path.canonicalize() {
            Ok(target) if target.starts_with(root) => {}
            Ok(_) => self.skip(name, SkipReason::OutwardLink, "leaves the scanned folder"),
            Err(error) => self.skip(name, SkipReason::OutwardLink, &error.to_string()),
        }
    }

    /// A file that was named on the command line.
    fn file(&mut self, path: &Path, name: &RawPath, metadata: &Metadata) {
        if !metadata.is_file() {
            return self.skip(name, SkipReason::NotAFile, "");
        }
        match File::open(path) {
            Ok(file) => {
                if let Step::Large = self.open(file, name) {
                    self.in_parts(path, name, metadata);
                }
            }
            Err(error) => self.skip(name, SkipReason::Unreadable, &error.to_string()),
        }
    }

    fn open(&mut self, mut file: File, name: &RawPath) -> Step {
        let size = match file.metadata() {
            Ok(m) if !m.is_file() => {
                self.skip(name, SkipReason::NotAFile, "");
                return Step::Done;
            }
            Ok(m) => m.len(),
            Err(error) => {
                self.skip(name, SkipReason::Unreadable, &error.to_string());
                return Step::Done;
            }
        };
        if size > self.options.max_file_size {
            self.skip(name, SkipReason::TooLarge, &format!("{size} bytes"));
            return Step::Done;
        }
        if size > WHOLE {
            return Step::Large;
        }
        self.buffer.clear();
        // One byte more than the size tells at once whether the file has grown.
        self.buffer.reserve(size as usize + 1);
        if let Err(error) = (&mut file).take(WHOLE + 1).read_to_end(&mut self.buffer) {
            self.skip(name, SkipReason::Unreadable, &error.to_string());
            return Step::Done;
        }
        if self.buffer.len() as u64 > WHOLE {
            return Step::Large;
        }
        if (self.buffer.len() as u64) < size {
            self.skip(name, SkipReason::Changed, "it shrank while it was read");
        }
        let provenance = Arc::new(Provenance::file(name.clone()));
        super::bytes::push(&self.buffer, &provenance, self.options, self.sink);
        Step::Done
    }

    /// A large file: an archive is streamed, anything else is scanned in parts by several threads.
    fn in_parts(&mut self, path: &Path, name: &RawPath, metadata: &Metadata) {
        let provenance = Arc::new(Provenance::file(name.clone()));
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return self.skip(name, SkipReason::Unreadable, &error.to_string()),
        };
        let mut head = Vec::new();
        if let Err(error) = (&mut file).take(archive::HEAD as u64).read_to_end(&mut head) {
            return self.skip(name, SkipReason::Unreadable, &error.to_string());
        }
        // A program or script may have a zip behind it, which only the end of the file shows.
        let mut tail = Vec::new();
        if io::Seek::seek(&mut file, io::SeekFrom::End(-(TAIL as i64))).is_ok() {
            let _ = (&mut file).take(TAIL as u64).read_to_end(&mut tail);
        }
        let kind =
            archive::kind(&head, name.as_bytes()).or(archive::ends_zip(&tail).then_some(archive::Kind::Zip));
        if let Some(kind) = kind.filter(|_| self.options.archives) {
            return archive::unpack(kind, Input::File(&file), &provenance, &self.options.budget, self.sink);
        }
        super::parts::push(path, metadata, self.options.jobs, &provenance, self.sink);
    }
}
