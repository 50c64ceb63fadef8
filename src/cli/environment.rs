//! What git says of a repository in the environment of its hooks.

use keywheel::source::git::{Surroundings, alternates_from_env};
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// Reads the variables by which git tells its hooks where everything is.
pub(crate) fn surroundings() -> Surroundings {
    from(|name| env::var_os(name))
}

fn from(var: impl Fn(&str) -> Option<OsString>) -> Surroundings {
    let path = |name| var(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let alternates = var("GIT_ALTERNATE_OBJECT_DIRECTORIES").unwrap_or_default();
    Surroundings {
        git_dir: path("GIT_DIR"),
        object_directory: path("GIT_OBJECT_DIRECTORY"),
        alternates: alternates_from_env(alternates.as_encoded_bytes()),
        quarantine: path("GIT_QUARANTINE_PATH"),
        index_file: path("GIT_INDEX_FILE"),
        storage_root: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_say_nothing() {
        let all = from(|name| Some(if name == "GIT_DIR" { "".into() } else { name.to_lowercase().into() }));
        assert_eq!(all.git_dir, None);
        assert_eq!(all.index_file, Some(PathBuf::from("git_index_file")));
        assert_eq!(all.quarantine, Some(PathBuf::from("git_quarantine_path")));
        assert_eq!(all.alternates, [PathBuf::from("git_alternate_object_directories")]);
        assert_eq!(from(|_| None).alternates, Vec::<PathBuf>::new());
    }
}
