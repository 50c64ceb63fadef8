//! `keywheel migrate`, and another scanner's rules read as they are.

use super::Folder;
use std::fs;

const CONFIG: &str = "[[rules]]\nid = 'acme'\ntags = ['x']\nregex = '''acme=(\\w{12})'''\nkeywords = ['acme']\n\
                      [[allowlists]]\nstopwords = ['zzzz']\n";

#[test]
fn a_configuration_is_shown_or_written_or_read_as_it_is() {
    let folder = Folder::new();
    folder.put(".gitleaks.toml", CONFIG).put("tree/a.txt", "acme=abcdefghijkl\nacme=zzzzefghijkl\n");
    let told = "differs: .gitleaks.toml:3: tags are not kept";
    let shown = folder.run(&["migrate", ".gitleaks.toml"]).gives(0, told).out;
    assert!(
        shown.starts_with("# rules/gitleaks.toml\n[provider]") && shown.contains("id = \"gitleaks-acme\""),
        "{shown}"
    );

    folder.run(&["migrate", ".gitleaks.toml", "--out", "out"]).gives(0, "keywheel.toml written");
    let listed = folder.run(&["rules", "list", "--rules", "out/rules/gitleaks.toml"]).gives(0, "").out;
    assert!(listed.contains("gitleaks-acme"), "{listed}");
    folder.run(&["migrate", ".gitleaks.toml", "--out", "out"]).gives(2, "is there already");

    let scan = [
        "scan",
        "tree",
        "--rules",
        ".gitleaks.toml",
        "--rule",
        "gitleaks",
        "--format",
        "jsonl=found",
        "--show-secrets",
    ];
    folder.run(&scan).gives(1, "");
    let found = fs::read_to_string(folder.0.join("found")).unwrap();
    assert!(found.contains("abcdefghijkl") && !found.contains("zzzzefghijkl"), "{found}");
    fs::copy(folder.0.join("out/keywheel.toml"), folder.0.join("keywheel.toml")).unwrap();
    fs::rename(folder.0.join("out/rules"), folder.0.join("rules")).unwrap();
    let found = folder.run(&["scan", "tree", "--rule", "gitleaks-acme"]).gives(1, "").out;
    assert!(found.contains("gitleaks-acme"), "{found}");
}

#[test]
fn what_has_no_counterpart_ends_it_with_its_place() {
    let folder = Folder::new();
    folder.put(".gitleaks.toml", "[[rules]]\nid = 'a'\nregex = 'b'\nwhat = 1\n").put("x.ini", "a");
    folder
        .run(&["migrate", ".gitleaks.toml"])
        .gives(2, ".gitleaks.toml:4:1: a rule has no field `what`: remove it");
    folder.run(&["scan", "tree", "--rules", ".gitleaks.toml"]).gives(2, ".gitleaks.toml:4:1:");
    folder.run(&["migrate", "x.ini"]).gives(2, "no file of another scanner by its name");
    folder.run(&["migrate", "gone.toml"]).gives(2, "cannot read `gone.toml`");
    let commits =
        format!("[[rules]]\nid = 'a'\nregex = 'b'\n[allowlist]\ncommits = ['{}']\n", "a".repeat(40));
    folder.put("c.gitleaks.toml", commits);
    folder
        .run(&["scan", "tree", "--rules", "c.gitleaks.toml"])
        .gives(2, "run `keywheel migrate c.gitleaks.toml");
}

#[test]
fn what_was_ignored_is_accepted_by_its_value() {
    let folder = Folder::new();
    folder.put(".gitleaks.toml", CONFIG).put("tree/a.txt", "x\nacme=abcdefghijkl\nacme=mnopqrstuvwx\n");
    folder.put("tree/.gitleaksignore", "a.txt:acme:2\ngone.txt:acme:1\n");
    let args = ["migrate", ".gitleaks.toml", "tree/.gitleaksignore", "--root", "tree", "--out", "."];
    let told = folder.run(&args).gives(0, ".keywheel-baseline written");
    assert!(
        told.err.contains("tree/.gitleaksignore:2: nothing that fits is found at gone.txt:1"),
        "{}",
        told.err
    );
    let scan = [
        "scan",
        "tree",
        "--rule",
        "gitleaks",
        "--baseline",
        ".keywheel-baseline",
        "--format",
        "jsonl=found",
        "--show-secrets",
    ];
    folder.run(&scan).gives(1, "");
    let found = fs::read_to_string(folder.0.join("found")).unwrap();
    assert!(found.contains("mnopqrstuvwx"), "{found}");
    let known = found.lines().find(|l| l.contains("abcdefghijkl")).unwrap();
    assert!(known.contains("in .gitleaksignore"), "{known}");
}
