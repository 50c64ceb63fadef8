//! What a commit would record now: the index against the commits it would follow.

mod tree;

use super::diff::{self, Trees};
use super::parse::{Commit, Kind};
use super::{GitError, Index, Repository, file, range};
use crate::model::{ObjectId, Provenance, RawPath, Sink, SkipReason, Skipped};
use crate::source::{Options, SourceError};

/// Largest list of the commits that a merge brings together.
const MERGE_HEAD: u64 = 1 << 20;

/// Pushes what the index would change: each added or changed entry whole, new names, and as old
/// sides what the parents have at these paths, or had and lose. Entries that are only announced
/// (`git add -N`) are in no commit and are left out; of an unmerged path every side is read.
///
/// # Errors
/// The repository's index or checked-out commit cannot be read, or an exclude is not a glob.
pub fn push(repository: &Repository, options: &Options, sink: &dyn Sink) -> Result<(), SourceError> {
    repository.skipped.iter().chain(repository.objects.broken()).for_each(|s| sink.skipped(s.clone()));
    let path = &repository.index_file;
    let index = match Index::read(path, &repository.git_dir) {
        // Before the first `git add` there is none; but one that is named has to be there.
        Err(GitError::Unreadable { path: at, source })
            if file::is_absent(&source)
                && at == RawPath::from_path(path)
                && *path == repository.git_dir.join("index") =>
        {
            Index::default()
        }
        other => other?,
    };
    let parents = parents(repository)?;
    let (root, made) = tree::make(&index);
    let mut trees = Trees::with(&repository.objects, made);
    let found = diff::changes(&mut trees, &root, &parents, &|| sink.stopped());
    // A scan that passes over what an index holds must never look clean.
    let quiet = found.new.is_empty() && found.old.is_empty() && found.names.is_empty();
    if quiet && found.unread.is_empty() && !parents.contains(&root) && root != ObjectId::EMPTY_TREE {
        let detail = format!("no change was seen among {} entries", index.entries().len());
        let provenance = Provenance::file(RawPath::from_path(path));
        sink.skipped(Skipped { provenance, reason: SkipReason::Internal, detail });
    }

    range::push_changes(repository, parents.len(), found, options, sink)?;
    Ok(())
}

/// The trees of the commits that the next one would follow: what is checked out, and what is being
/// merged into it. None before the first commit.
fn parents(repository: &Repository) -> Result<Vec<ObjectId>, GitError> {
    let mut commits: Vec<ObjectId> = repository.head()?.into_iter().collect();
    let path = repository.git_dir.join("MERGE_HEAD");
    if !commits.is_empty()
        && let Ok(text) = file::open(&path).and_then(|f| file::read(f, MERGE_HEAD))
    {
        commits.extend(text.split(|&b| b == b'\n').filter_map(ObjectId::parse));
    }
    let mut trees = Vec::new();
    for (i, id) in commits.iter().enumerate() {
        let tree = repository.objects.read_as(id, Kind::Commit).and_then(|bytes| {
            let bad = || GitError::BadObject { id: *id, what: "it does not parse".to_owned() };
            Commit::parse(&bytes).map(|c| c.tree).ok_or_else(bad)
        });
        match tree {
            Ok(tree) => trees.push(tree),
            Err(error) if i == 0 => return Err(error),
            // Without it more is new than would be, and nothing is missed.
            Err(_) => {}
        }
    }
    Ok(trees)
}
