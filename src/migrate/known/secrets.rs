//! `.secrets.baseline` of detect-secrets: files, lines and the SHA-1 of each value.

use super::super::{MigrateError, Note};
use super::gitleaks::places;
use super::{Accepted, Known, Told};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    #[serde(rename = "version", default)]
    _version: String,
    #[serde(default)]
    plugins_used: Vec<Plugin>,
    #[serde(default)]
    filters_used: Vec<Filter>,
    results: BTreeMap<String, Vec<Found>>,
    #[serde(rename = "generated_at", default)]
    _generated_at: String,
    // What the older form has in place of the filters.
    #[serde(default)]
    exclude: Option<Exclude>,
    #[serde(rename = "custom_plugin_paths", default)]
    custom_plugins: Vec<Value>,
    #[serde(rename = "word_list", default)]
    word_list: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclude {
    files: Option<String>,
    lines: Option<String>,
}

#[derive(Deserialize)]
struct Plugin {
    #[serde(default)]
    name: String,
    #[serde(default)]
    path: Option<String>,
}

#[derive(Deserialize)]
struct Filter {
    path: String,
    #[serde(flatten)]
    settings: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    filename: Option<String>,
    hashed_secret: String,
    #[serde(default)]
    is_secret: Option<bool>,
    #[serde(rename = "is_verified", default)]
    _verified: bool,
    #[serde(default)]
    line_number: Option<u64>,
}

/// Reads a baseline.
pub(super) fn baseline(path: &Path, text: &str) -> Result<Accepted, MigrateError> {
    let read: Baseline = serde_json::from_str(text).map_err(|e| super::json_fault(path, &e))?;
    let mut out = Accepted::default();
    let lines = places(text, "\"hashed_secret\"");
    let mut nth = 0;
    for (file, list) in read.results {
        for one in list {
            let line = lines.get(nth).copied().unwrap_or(1);
            nth += 1;
            let digest = digest(&one.hashed_secret).ok_or_else(|| MigrateError::At {
                path: path.to_owned(),
                line,
                column: 1,
                message: "`hashed_secret` is no SHA-1 in hexadecimal digits; remove the entry".to_owned(),
            })?;
            let audited = match one.is_secret {
                Some(true) => ", audited as a secret",
                Some(false) => ", audited as none",
                None => "",
            };
            out.known.push(Known {
                said: (path.to_owned(), line),
                file: one.filename.unwrap_or_else(|| file.clone()).replace('\\', "/"),
                line: one.line_number,
                rule: None,
                value: Told::Sha1(digest),
                reason: format!("in .secrets.baseline as {}{audited}", one.kind),
            });
        }
    }
    let mut note = |what: &str, message: String| {
        let line = places(text, what).first().copied().unwrap_or(1);
        out.notes.push(Note { path: path.to_owned(), line, message });
    };
    let exclude = "give `exclude` in keywheel.toml a glob for the same files";
    let old = read.exclude.map(|e| (e.files, e.lines)).unwrap_or_default();
    if let Some(files) = old.0 {
        note("\"exclude\"", format!("files like `{files}` are not left out; {exclude}"));
    }
    if let Some(lines) = old.1 {
        note("\"exclude\"", format!("lines like `{lines}` are not left out; mark them with keywheel:allow"));
    }
    for filter in &read.filters_used {
        // The others weigh how a value looks, as the engine's own filters do.
        let name = filter.path.rsplit('.').next().unwrap_or_default();
        let patterns = filter.settings.get("pattern").map(Value::to_string).unwrap_or_default();
        match name {
            "should_exclude_file" => {
                note(&filter.path, format!("files like {patterns} are not left out; {exclude}"))
            }
            "should_exclude_line" | "should_exclude_secret" => {
                note(
                    &filter.path,
                    format!("what is like {patterns} is not left out; mark it with keywheel:allow"),
                );
            }
            _ if !filter.path.starts_with("detect_secrets.") => {
                note(&filter.path, format!("the filter `{}` is a program, and is not run", filter.path));
            }
            _ => {}
        }
    }
    let own = read.plugins_used.iter().filter(|p| p.path.is_some());
    for plugin in own {
        note(&plugin.name, format!("the plugin `{}` is a program, and is not run", plugin.name));
    }
    if !read.custom_plugins.is_empty() {
        note("\"custom_plugin_paths\"", "plugins of your own are programs, and are not run".to_owned());
    }
    if read.word_list.as_ref().is_some_and(|w| w.get("file").is_some_and(|f| !f.is_null())) {
        note("\"word_list\"", "the list of words is not used".to_owned());
    }
    Ok(out)
}

fn digest(hex: &str) -> Option<[u8; 20]> {
    crate::model::ObjectId::parse(hex.as_bytes()).map(|id| *id.as_bytes())
}
