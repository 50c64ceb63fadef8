//! A repository, opened without obeying it: its configuration decides only whether it can be read.

use super::alternates::Stores;
use super::config::{Config, REFTABLE, SHA256};
use super::discover::{self, Place};
use super::file::{self, Bounds};
use super::packed::Packed;
use super::{GitError, Objects};
use crate::model::{ObjectId, Provenance, RawPath, SkipReason, Skipped};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Largest list of shallow commits.
const SHALLOW: u64 = 64 << 20;

/// What the caller's environment says; the library reads no environment itself.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `GIT_DIR`: the git directory, instead of the one that is found from a path.
    pub git_dir: Option<PathBuf>,
    /// `GIT_OBJECT_DIRECTORY`: where objects are, instead of in the git directory.
    pub object_directory: Option<PathBuf>,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`, see [`super::alternates_from_env`].
    pub alternates: Vec<PathBuf>,
    /// `GIT_QUARANTINE_PATH`: where the objects of a push wait to be accepted.
    pub quarantine: Option<PathBuf>,
    /// `GIT_INDEX_FILE`: the index, instead of that of the work tree.
    pub index_file: Option<PathBuf>,
    /// The folder below which the operator trusts what a repository names: alternates, and symbolic
    /// links in place of its own files.
    pub storage_root: Option<PathBuf>,
}

/// A repository.
#[derive(Debug)]
pub struct Repository {
    /// Where its HEAD and index are.
    pub git_dir: PathBuf,
    /// Where its objects and refs are; that of the main repository for a linked work tree.
    pub common_dir: PathBuf,
    /// Its work tree; `None` for a bare repository.
    pub work_tree: Option<PathBuf>,
    /// The index of the work tree, which need not exist.
    pub index_file: PathBuf,
    /// Its objects: of the quarantine first, then its own, then those of alternates.
    pub objects: Objects,
    /// Commits whose parents were left out when it was cloned.
    pub shallow: BTreeSet<ObjectId>,
    /// Whether objects may be missing because a remote promises them.
    pub partial: bool,
    /// What could not be followed when it was opened: alternates, damaged lines.
    pub skipped: Vec<Skipped>,
    pub(super) bounds: Bounds,
    pub(super) packed: OnceLock<Packed>,
}

impl Repository {
    /// Opens the repository that holds `path`. Its owner does not matter, and nothing is written.
    ///
    /// # Errors
    /// There is none; it is of a form that is not read; its configuration or objects cannot be read.
    pub fn open(path: &Path, around: &Surroundings) -> Result<Self, GitError> {
        let Place { git_dir, common_dir, work_tree } = discover::find(path, around.git_dir.as_deref())?;
        let root = around.storage_root.as_deref();
        let bounds = Bounds::new([git_dir.as_path(), &common_dir].into_iter().chain(root));
        let config = Config::read(&common_dir, &git_dir, &bounds)?;
        refuse_what_head_tells(&git_dir, &common_dir, &bounds)?;

        let own = match &around.object_directory {
            Some(dir) => dir.clone(),
            None => objects_of(&common_dir, &bounds)?,
        };
        let own = match &around.quarantine {
            Some(quarantine) if *quarantine != own => vec![quarantine.clone(), own],
            _ => vec![own],
        };
        let Stores { dirs, mut skipped, .. } = Stores::gather(&own, &around.alternates, &bounds);
        let objects = Objects::open(&dirs)?;
        let promised = objects.stores().iter().any(|s| s.promised);

        let linked = git_dir != common_dir;
        let mut repository = Repository {
            work_tree: work_tree.filter(|_| linked || !config.bare),
            index_file: around.index_file.clone().unwrap_or_else(|| git_dir.join("index")),
            partial: config.partial || promised,
            shallow: BTreeSet::new(),
            skipped: Vec::new(),
            packed: OnceLock::new(),
            git_dir,
            common_dir,
            objects,
            bounds,
        };
        repository.shallow = repository.read_shallow(&mut skipped)?;
        repository.skipped = skipped;
        Ok(repository)
    }

    fn read_shallow(&self, skipped: &mut Vec<Skipped>) -> Result<BTreeSet<ObjectId>, GitError> {
        let path = self.common_dir.join("shallow");
        let text = match self.bounds.read(&path, SHALLOW) {
            Ok(text) => text,
            Err(error) if file::is_absent(&error) => return Ok(BTreeSet::new()),
            Err(source) => return Err(GitError::Unreadable { path: RawPath::from_path(&path), source }),
        };
        let mut found = BTreeSet::new();
        for line in text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()) {
            match ObjectId::parse(line) {
                Some(id) => drop(found.insert(id)),
                None => skipped.push(self.broken(&path, "a line of it is no commit's name")),
            }
        }
        Ok(found)
    }

    /// Counts a file of the repository that cannot be read, by its path in there.
    pub(super) fn broken(&self, path: &Path, detail: impl Into<String>) -> Skipped {
        let within = [&self.common_dir, &self.git_dir].into_iter().find_map(|d| path.strip_prefix(d).ok());
        Skipped {
            provenance: Provenance::file(RawPath::from_path(within.unwrap_or(path))),
            reason: SkipReason::Broken,
            detail: detail.into(),
        }
    }
}

/// The directory of a repository's own objects.
fn objects_of(common_dir: &Path, bounds: &Bounds) -> Result<PathBuf, GitError> {
    let path = common_dir.join("objects");
    bounds.real(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => GitError::Unsupported {
            path: RawPath::from_path(common_dir),
            what: "keeps its objects elsewhere, by a symbolic link".to_owned(),
            cure: "name a folder that holds them: --storage-root DIR".to_owned(),
        },
        _ => GitError::Unreadable { path: RawPath::from_path(&path), source: error },
    })
}

/// HEAD tells of forms that a configuration which is gone or lies does not.
fn refuse_what_head_tells(git_dir: &Path, common_dir: &Path, bounds: &Bounds) -> Result<(), GitError> {
    let text = bounds.read(&git_dir.join("HEAD"), 1 << 16).unwrap_or_default();
    let line = file::first_line(&text);
    let tables =
        line == b"ref: refs/heads/.invalid" || bounds.real(&common_dir.join("reftable/tables.list")).is_ok();
    let form = match () {
        () if tables => REFTABLE,
        () if line.len() == 64 && line.iter().all(u8::is_ascii_hexdigit) => SHA256,
        () => return Ok(()),
    };
    let (what, cure) = (form.0.to_owned(), form.1.to_owned());
    Err(GitError::Unsupported { path: RawPath::from_path(common_dir), what, cure })
}
