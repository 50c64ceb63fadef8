//! Kinds of files, told by name and a look at the lines.

use memchr::{memchr_iter, memmem};

/// What a file is to the filters of unnamed secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A programming language in which strings are quoted.
    Code,
    /// Settings and shell, where bare words are values.
    Config,
    /// Tables, dumps, logs and whatever else.
    Data,
    /// Text for people.
    Prose,
    /// Pinned versions and their checksums.
    Lock,
    /// Bundles, minified and compiled code, and source maps.
    Minified,
    /// Texts of a user interface.
    Translation,
}

#[rustfmt::skip]
const CODE: &[&str] = &[
    "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "inl", "cs", "java", "kt", "kts", "go", "rs", "py",
    "pyi", "pyx", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "rb", "php", "swift", "scala", "sc",
    "m", "mm", "pl", "pm", "lua", "dart", "ex", "exs", "erl", "hs", "clj", "cljs", "groovy", "gradle", "vb",
    "fs", "fsx", "r", "jl", "vue", "svelte", "zig", "nim", "d", "ml", "mli", "cr", "sol", "proto", "asm",
    "s", "v", "sv", "vhd", "pas", "f90", "el", "lisp", "scm", "coffee", "elm", "astro",
];
const PROSE: &[&str] = &[
    "md", "markdown", "mdx", "rst", "adoc", "asciidoc", "tex", "org", "textile", "pod", "man", "html", "htm",
    "xhtml",
];
const DATA: &[&str] = &[
    "csv", "tsv", "log", "sql", "har", "ipynb", "jsonl", "ndjson", "txt", "dump", "bin", "svg", "eml",
    "diff", "patch",
];
const TRANSLATION: &[&str] =
    &["po", "pot", "resx", "strings", "stringsdict", "xliff", "xlf", "arb", "ftl", "lproj", "xcstrings"];
#[rustfmt::skip]
const LOCK: &[&str] = &[
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb",
    "deno.lock", "cargo.lock", "go.sum", "go.work.sum", "poetry.lock", "pipfile.lock", "pdm.lock", "uv.lock",
    "conda-lock.yml", "gemfile.lock", "composer.lock", "gradle.lockfile", "podfile.lock",
    "cartfile.resolved", "package.resolved", "mix.lock", "pubspec.lock", "packages.lock.json", "paket.lock",
    "flake.lock", "stack.yaml.lock", "cabal.project.freeze", "module.bazel.lock", ".terraform.lock.hcl",
    "chart.lock", "project.assets.json", "verification-metadata.xml",
];
const COMPILED: &[&str] =
    &["pyc", "pyo", "class", "wasm", "o", "a", "so", "dll", "exe", "dylib", "node", "pdb", "rlib", "rmeta"];
/// Folders of translations.
const LOCALE: &[&str] = &[
    "i18n",
    "locale",
    "locales",
    "_locales",
    "lang",
    "langs",
    "language",
    "languages",
    "l10n",
    "translations",
    "nls",
];
/// A file with lines this long on average was made by a program.
const LONG_LINES: usize = 300;
/// How much of a file is looked at.
const LOOK: usize = 64 * 1024;

impl FileKind {
    /// The kind of a file by its path and, for code, by its lines.
    pub fn of(path: &[u8], hay: &[u8]) -> Self {
        let mut buffer = [0u8; 64];
        let name = path.rsplit(|b| matches!(b, b'/' | b'\\')).next().unwrap_or(path);
        let tail = &name[name.len().saturating_sub(buffer.len())..];
        let lower = &mut buffer[..tail.len()];
        lower.copy_from_slice(tail);
        lower.make_ascii_lowercase();
        let lower = &*lower;
        let extension = lower.rsplit(|&b| b == b'.').next().filter(|e| e.len() < lower.len()).unwrap_or(b"");
        let is = |list: &[&str]| list.iter().any(|e| e.as_bytes() == extension);
        if LOCK.iter().any(|l| l.as_bytes() == lower) || extension == b"lock" {
            return FileKind::Lock;
        }
        let ends = |end: &str| lower.ends_with(end.as_bytes());
        if ends(".min.js")
            || ends(".min.css")
            || ends(".min.mjs")
            || ends(".bundle.js")
            || ends(".map")
            || ends(".chunk.js")
            || is(COMPILED)
        {
            return FileKind::Minified;
        }
        if is(TRANSLATION) || lower == b"strings.xml" || is_locale(path, name) {
            return FileKind::Translation;
        }
        if is(CODE) || extension == b"css" {
            return if is_bundled(hay) { FileKind::Minified } else { FileKind::Code };
        }
        if is(PROSE) {
            FileKind::Prose
        } else if is(DATA) {
            FileKind::Data
        } else {
            FileKind::Config
        }
    }
}

/// A folder of translations, or a name such as `messages_de.properties`.
fn is_locale(path: &[u8], name: &[u8]) -> bool {
    let folders = &path[..path.len() - name.len()];
    let folder = |part: &[u8]| LOCALE.iter().any(|l| l.as_bytes().eq_ignore_ascii_case(part));
    // `lang/` and `language/` also hold the code of a language; only texts count there.
    let text = [
        &b".json"[..],
        b".yml",
        b".yaml",
        b".properties",
        b".xml",
        b".php",
        b".ini",
        b".toml",
        b".txt",
        b".rb",
        b".js",
        b".ts",
    ];
    (folders.split(|b| matches!(b, b'/' | b'\\')).any(folder) && text.iter().any(|t| name.ends_with(t)))
        || (name.starts_with(b"messages") && name.ends_with(b".properties"))
}

fn is_bundled(hay: &[u8]) -> bool {
    let head = &hay[..hay.len().min(LOOK)];
    let lines = memchr_iter(b'\n', head).count() + 1;
    let tail = &hay[hay.len().saturating_sub(2048)..];
    (head.len() > 2 * LONG_LINES && head.len() / lines > LONG_LINES)
        || memmem::find(tail, b"sourceMappingURL=").is_some()
}

#[cfg(test)]
mod tests {
    use super::FileKind::{self, *};

    #[test]
    fn names_tell_the_kind() {
        for (path, kind) in [
            ("src/main.py", Code),
            ("A.JAVA", Code),
            ("Makefile", Config),
            (".env", Config),
            ("config/app.yaml", Config),
            ("main.tf", Config),
            ("run.sh", Config),
            ("README.md", Prose),
            ("dump.sql", Data),
            ("web/package-lock.json", Lock),
            ("Cargo.lock", Lock),
            ("go.sum", Lock),
            ("any.lock", Lock),
            ("jquery.min.js", Minified),
            ("app.js.map", Minified),
            ("x/mod.cpython-311.pyc", Minified),
            ("po/de.po", Translation),
            ("src/locales/de.json", Translation),
            ("lang/en/auth.php", Translation),
            ("lang/parser.go", Code),
            ("res/values/strings.xml", Translation),
            ("messages_fr.properties", Translation),
            ("a/b.zip!c/yarn.lock", Lock),
        ] {
            assert_eq!(FileKind::of(path.as_bytes(), b""), kind, "{path}");
        }
    }

    #[test]
    fn long_lines_and_source_maps_make_a_bundle() {
        let long = "a=1;".repeat(1000);
        assert_eq!(FileKind::of(b"x.js", long.as_bytes()), Minified);
        assert_eq!(FileKind::of(b"x.js", b"let a = 1;\n//# sourceMappingURL=x.js.map\n"), Minified);
        assert_eq!(FileKind::of(b"x.js", "let a = 1;\n".repeat(400).as_bytes()), Code);
        assert_eq!(FileKind::of(b"x.json", long.as_bytes()), Config);
    }
}
