#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn the_nearest_list_decides_and_the_repository_ends_them() {
    let dir = std::env::temp_dir().join(format!("keywheel-ignore-{}", std::process::id()));
    let put = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(".gitignore", "*.txt\n");
    put("repo/.git/info/exclude", "secret\n*.log\n");
    put("repo/.gitignore", "/build/\n*.tmp\n[\n");
    put("repo/src/.gitignore", "!keep.tmp\n");
    let root = dir.canonicalize().unwrap().join("repo/src");
    let mut ignore = GitIgnore::new(&root);
    let mut is = |name: &str, dir| ignore.ignores(Path::new(name), dir);
    assert!(is("a.tmp", false) && is("deep/a.tmp", false) && is("secret", true) && is("b.log", false));
    assert!(!is("keep.tmp", false) && !is("build", true), "a slash binds a pattern to its folder");
    assert!(!is("a.txt", false), "what lies above the repository does not count");
    let mut ignore = GitIgnore::new(root.parent().unwrap());
    assert!(ignore.ignores(Path::new("build"), true) && !ignore.ignores(Path::new("build"), false));
    fs::remove_dir_all(&dir).unwrap();
}
