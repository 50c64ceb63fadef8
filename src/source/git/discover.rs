//! Where the repository of a path is.

use super::GitError;
use super::file::{self, Bounds};
use crate::model::RawPath;
use std::fs;
use std::path::{Path, PathBuf};

/// Largest `.git` or `commondir` file.
const POINTER: u64 = 1 << 16;

/// The folders of a repository, symbolic links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where its HEAD and index are.
    pub(super) git_dir: PathBuf,
    /// Where its objects and refs are; that of the main repository for a linked work tree.
    pub(super) common_dir: PathBuf,
    /// The folder above `.git`, or of a linked work tree.
    pub(super) work_tree: Option<PathBuf>,
}

/// Finds the repository that holds `path`, as git does: up from folder to folder. A folder that looks
/// like a bare repository is one only if it is `path` itself, since a tree can hold such a folder.
///
/// # Errors
/// There is none, or what stands in its place is damaged.
pub(super) fn find(path: &Path, git_dir: Option<&Path>) -> Result<Place, GitError> {
    if let Some(dir) = git_dir {
        // GIT_DIR may name a `.git` file as well.
        let dir = dot_git(dir)?.ok_or_else(|| none(dir))?;
        let work_tree = work_tree_of(&dir, Some(path));
        return place(dir, work_tree);
    }
    let start = match path.canonicalize() {
        Ok(start) => start,
        Err(error) if file::is_absent(&error) => return Err(none(path)),
        Err(source) => return Err(GitError::Unreadable { path: RawPath::from_path(path), source }),
    };
    for folder in start.ancestors() {
        if let Some(dir) = dot_git(&folder.join(".git"))? {
            return place(dir, Some(folder.to_owned()));
        }
        let named = folder == start || folder.file_name().is_some_and(|n| n == ".git");
        if named && is_git_dir(folder) {
            let work_tree = work_tree_of(folder, None);
            return place(folder.to_owned(), work_tree);
        }
    }
    Err(none(path))
}

/// The git directory that an entry `.git` is or points at; `None` if the search goes on above it.
fn dot_git(entry: &Path) -> Result<Option<PathBuf>, GitError> {
    let damaged = |what: String| GitError::Damaged { path: RawPath::from_path(entry), what };
    let kind = match fs::symlink_metadata(entry).and_then(|_| fs::metadata(entry)) {
        Ok(found) => found.file_type(),
        Err(error) if file::is_absent(&error) => return Ok(None),
        Err(source) => return Err(GitError::Unreadable { path: RawPath::from_path(entry), source }),
    };
    if kind.is_dir() {
        return Ok(if is_git_dir(entry) { Some(real(entry)?) } else { None });
    }
    let text = file::open(entry).and_then(|f| file::read(f, POINTER)).map_err(|e| damaged(e.to_string()))?;
    let target = text.strip_prefix(b"gitdir:").map(<[u8]>::trim_ascii).filter(|t| !t.is_empty());
    let target = target.ok_or_else(|| damaged("it names no git directory".to_owned()))?;
    let target = entry.parent().unwrap_or(entry).join(file::path_of(target));
    if !is_git_dir(&target) {
        let gone = format!("there is no git directory at `{}`", RawPath::from_path(&target));
        return Err(damaged(format!("{gone}; see `git worktree repair` or `git submodule update --init`")));
    }
    real(&target).map(Some)
}

/// Whether a folder is a git directory, a damaged one included: git goes on to the folder above where
/// HEAD is damaged, and a scan would then read another repository than the one that is meant.
fn is_git_dir(dir: &Path) -> bool {
    let is_there = |name: &str| dir.join(name).symlink_metadata().is_ok();
    let linked = is_there("commondir");
    is_there("HEAD") && (linked || is_there("objects") || is_there("refs"))
        || is_there("objects") && is_there("refs")
}

/// Completes the place of a git directory.
fn place(git_dir: PathBuf, work_tree: Option<PathBuf>) -> Result<Place, GitError> {
    let pointer = git_dir.join("commondir");
    let damaged = |what: String| GitError::Damaged { path: RawPath::from_path(&pointer), what };
    let text = match Bounds::new([git_dir.as_path()]).read(&pointer, POINTER) {
        Ok(text) => text,
        Err(error) if file::is_absent(&error) => {
            return Ok(Place { common_dir: git_dir.clone(), git_dir, work_tree });
        }
        Err(error) => return Err(damaged(error.to_string())),
    };
    let common_dir = real(&git_dir.join(file::path_of(file::first_line(&text))))?;
    // Git puts a linked work tree's directory into the repository's own. A pointer to anywhere else
    // would let one repository pass off another's objects as its own.
    if git_dir.parent().is_none_or(|p| p != common_dir.join("worktrees")) {
        return Err(damaged("it points at a repository that does not hold this work tree".to_owned()));
    }
    let own = work_tree.or_else(|| work_tree_of(&git_dir, None));
    Ok(Place { git_dir, common_dir, work_tree: own })
}

/// The work tree of a git directory that was not found through one. `core.worktree` is not asked.
fn work_tree_of(git_dir: &Path, asked: Option<&Path>) -> Option<PathBuf> {
    if let Ok(back) = file::open(&git_dir.join("gitdir")).and_then(|f| file::read(f, POINTER)) {
        // A linked work tree: the path of its `.git` file.
        let file = git_dir.join(file::path_of(file::first_line(&back)));
        return file.parent().and_then(|p| p.canonicalize().ok());
    }
    if git_dir.file_name().is_some_and(|n| n == ".git") {
        return git_dir.parent().map(Path::to_owned);
    }
    // With GIT_DIR alone git takes the current folder, unless that lies in the git directory.
    let asked = asked?.canonicalize().ok()?;
    (asked.is_dir() && !asked.starts_with(git_dir)).then_some(asked)
}

fn real(path: &Path) -> Result<PathBuf, GitError> {
    path.canonicalize().map_err(|source| match file::is_absent(&source) {
        true => none(path),
        false => GitError::Unreadable { path: RawPath::from_path(path), source },
    })
}

fn none(path: &Path) -> GitError {
    GitError::NotARepository { path: RawPath::from_path(path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::tests::Scratch;

    fn repository(dir: &Scratch, at: &str) {
        dir.put(format!("{at}/HEAD"), "ref: refs/heads/main\n");
        dir.put(format!("{at}/objects/info/x"), "");
        dir.put(format!("{at}/refs/heads/x"), "");
    }

    #[test]
    fn the_search_goes_up_and_passes_embedded_bare_repositories() {
        let dir = Scratch::new();
        repository(&dir, "top/.git");
        repository(&dir, "top/deep/bare.git");
        dir.put("top/deep/empty/.git/x", "");
        let top = dir.path("top");
        for name in
            ["top", "top/deep", "top/.git/refs", "top/.git", "top/deep/bare.git/refs", "top/deep/empty"]
        {
            let place = find(&dir.path(name), None).unwrap();
            assert_eq!((&place.git_dir, place.work_tree.as_ref()), (&top.join(".git"), Some(&top)), "{name}");
            assert_eq!(place.git_dir, place.common_dir);
        }
        let bare = find(&dir.path("top/deep/bare.git"), None).unwrap();
        assert_eq!((bare.git_dir, bare.work_tree), (dir.path("top/deep/bare.git"), None));
        // The caller's environment wins.
        let named = find(&top, Some(&dir.path("top/deep/bare.git"))).unwrap();
        assert_eq!((named.git_dir, named.work_tree), (dir.path("top/deep/bare.git"), Some(top)));
    }

    #[test]
    fn pointers_are_followed() {
        let dir = Scratch::new();
        repository(&dir, "main/.git");
        repository(&dir, "main/.git/modules/sub");
        dir.put("main/.git/worktrees/side/HEAD", "ref: refs/heads/side\n");
        dir.put("main/.git/worktrees/side/commondir", "../..\n");
        dir.put("main/.git/worktrees/side/gitdir", format!("{}\n", dir.path("side/.git").display()));
        dir.put("side/.git", format!("gitdir: {}\n", dir.path("main/.git/worktrees/side").display()));
        dir.put("main/sub/.git", "gitdir: ../.git/modules/sub\n");
        let side = find(&dir.path("side"), None).unwrap();
        assert_eq!((side.common_dir, side.work_tree), (dir.path("main/.git"), Some(dir.path("side"))));
        let by_dir = find(&dir.path("."), Some(&side.git_dir)).unwrap();
        assert_eq!(by_dir.work_tree, Some(dir.path("side")));
        let sub = find(&dir.path("main/sub"), None).unwrap();
        assert_eq!(
            (sub.git_dir, sub.work_tree),
            (dir.path("main/.git/modules/sub"), Some(dir.path("main/sub")))
        );
    }

    #[test]
    fn damage_is_no_reason_to_read_another_repository() {
        let dir = Scratch::new();
        repository(&dir, ".git");
        repository(&dir, "a/.git");
        fs::remove_file(dir.path("a/.git/HEAD")).unwrap();
        assert_eq!(find(&dir.path("a"), None).unwrap().git_dir, dir.path("a/.git"));
        dir.put("b/.git", "gitdir: /none\n");
        dir.put("c/.git", "other\n");
        repository(&dir, "foreign/.git");
        dir.put("foreign/.git/commondir", "../../.git\n");
        for (name, told) in [("b", "git worktree repair"), ("c", "names no"), ("foreign", "does not hold")] {
            let error = find(&dir.path(name), None).unwrap_err();
            assert!(matches!(error, GitError::Damaged { .. }) && error.to_string().contains(told), "{error}");
        }
        let none = find(&dir.path("nowhere"), None).unwrap_err();
        assert!(matches!(none, GitError::NotARepository { .. }));
    }

    #[cfg(unix)]
    #[test]
    fn fifos_in_place_of_pointers_are_refused() {
        let dir = Scratch::new();
        dir.fifo("a/.git");
        repository(&dir, "b/.git");
        dir.fifo("b/.git/commondir");
        for name in ["a", "b"] {
            assert!(matches!(find(&dir.path(name), None), Err(GitError::Damaged { .. })), "{name}");
        }
    }
}
