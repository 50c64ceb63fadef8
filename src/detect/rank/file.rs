//! Features of the path.

use super::features::{Feature, Features};
use crate::detect::filter::FileKind;

/// What a path says, worked out once a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    language: u8,
    test: bool,
    example: bool,
    settings: bool,
    hidden: bool,
}

/// Languages and forms, by extension.
#[rustfmt::skip]
const LANGUAGES: &[&[&str]] = &[
    &["py", "pyi", "pyx", "ipynb"],
    &["js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "vue", "svelte", "coffee"],
    &["java", "kt", "kts", "scala", "groovy", "gradle", "clj"],
    &["c", "h", "cc", "cpp", "cxx", "hh", "hpp", "m", "mm", "inl"],
    &["go"],
    &["rs"],
    &["rb", "erb", "rake"],
    &["php", "phtml", "inc"],
    &["cs", "vb", "fs"],
    &["swift", "dart", "lua", "pl", "pm", "r", "jl", "ex", "exs", "erl", "hs", "zig", "sol"],
    &["sh", "bash", "zsh", "ksh", "fish", "ps1", "psm1", "bat", "cmd"],
    &["yml", "yaml"],
    &["json", "json5", "jsonc", "jsonl", "har"],
    &["xml", "xaml", "plist", "config", "csproj", "storyboard", "props", "targets", "wsdl", "xsd"],
    &["properties", "ini", "cfg", "conf", "env", "cnf", "toml", "tfvars", "tf", "hcl", "tpl", "j2", "template"],
    &["md", "markdown", "mdx", "rst", "adoc", "asciidoc", "tex", "org", "pod"],
    &["html", "htm", "xhtml", "jsp", "cshtml", "hbs", "ejs"],
    &["sql", "csv", "tsv", "dump"],
    &["txt", "log", "eml", "patch", "diff"],
];

const TEST: &[&str] = &[
    "test", "tests", "testing", "testdata", "spec", "specs", "fixture", "fixtures", "mock", "mocks", "e2e",
    "it",
];
const EXAMPLE: &[&str] = &[
    "example", "examples", "sample", "samples", "demo", "demos", "doc", "docs", "tutorial", "readme",
    "template",
];
const SETTINGS: &[&str] = &[
    "config",
    "configs",
    "configuration",
    "settings",
    "setting",
    "secret",
    "secrets",
    "credential",
    "credentials",
    "env",
    "environment",
    "deploy",
    "deployment",
    "docker",
    "compose",
    "dockerfile",
    "k8s",
    "helm",
    "values",
    "application",
    "properties",
    "conf",
    "vars",
    "vault",
    "auth",
    "prod",
    "production",
    "staging",
];

impl Place {
    /// What a path says.
    pub fn of(path: &[u8]) -> Self {
        let mut buffer = [0u8; 160];
        let tail = &path[path.len().saturating_sub(buffer.len())..];
        let lower = &mut buffer[..tail.len()];
        lower.copy_from_slice(tail);
        lower.make_ascii_lowercase();
        let lower = &*lower;
        let name = lower.rsplit(|b| matches!(b, b'/' | b'\\' | b'!')).next().unwrap_or(lower);
        let dot = name.iter().rposition(|&b| b == b'.');
        let extension = dot.map_or(&b""[..], |i| &name[i + 1..]);
        let language = LANGUAGES.iter().position(|l| l.iter().any(|e| e.as_bytes() == extension));
        let words = || lower.split(|b| !b.is_ascii_alphanumeric());
        let any = |list: &[&str]| words().any(|w| list.iter().any(|l| l.as_bytes() == w));
        Place {
            language: language.map_or(0, |i| i as u8 + 1),
            test: any(TEST),
            example: any(EXAMPLE),
            settings: any(SETTINGS),
            hidden: dot.is_none_or(|i| i == 0),
        }
    }
}

pub(super) fn measure(f: &mut Features, kind: FileKind, place: &Place) {
    let number = match kind {
        FileKind::Code => 0,
        FileKind::Config => 1,
        FileKind::Data => 2,
        FileKind::Prose => 3,
        FileKind::Translation | FileKind::Lock | FileKind::Minified => 4,
    };
    f.set(Feature::File, number);
    f.set(Feature::FileLanguage, usize::from(place.language));
    f.flag(Feature::FileTest, place.test);
    f.flag(Feature::FileExample, place.example);
    f.flag(Feature::FileSettings, place.settings);
    f.flag(Feature::FileHidden, place.hidden);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_measured() {
        let place = Place::of(b"src/test/resources/Application.YML");
        assert_eq!((place.language, place.test, place.settings), (12, true, true));
        assert!(Place::of(b".env").hidden && Place::of(b"x/Makefile").hidden);
        assert!(!Place::of(b"src/contest.py").test);
        assert_eq!(Place::of(b""), Place { hidden: true, ..Place::default() });
    }
}
