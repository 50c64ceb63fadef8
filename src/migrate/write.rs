//! Rule files and settings as text.

use crate::model::{Class, Confidence, Severity};
use crate::rule::{Allowed, On, With};
use std::fmt::Write;

/// A text rule to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct NewRule {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) severity: Option<Severity>,
    pub(super) confidence: Option<Confidence>,
    pub(super) pattern: String,
    pub(super) entropy: Option<f64>,
    pub(super) keywords: Vec<String>,
    pub(super) path: Option<String>,
    pub(super) allow: Vec<Allowed>,
    pub(super) with: Vec<With>,
    pub(super) source: Vec<String>,
}

/// A rule file to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct NewFile {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) docs: &'static str,
    pub(super) rules: Vec<NewRule>,
    pub(super) allow: Vec<Allowed>,
}

impl NewFile {
    pub(super) fn render(&self) -> String {
        let mut out = format!(
            "[provider]\nid = \"{}\"\nname = {}\ndocs = {}\n",
            self.id,
            quoted(self.name),
            quoted(self.docs)
        );
        for list in &self.allow {
            out.push_str("\n[[allow]]\n");
            allowed(&mut out, list);
        }
        for rule in &self.rules {
            out.push_str("\n[[rule]]\n");
            rule.render(&mut out);
        }
        out
    }
}

impl NewRule {
    fn render(&self, out: &mut String) {
        let mut put = |key: &str, value: String| {
            let _ = writeln!(out, "{key} = {value}");
        };
        put("id", format!("\"{}\"", self.id));
        put("name", quoted(&self.name));
        if self.class != Class::Structured {
            put("class", format!("\"{}\"", self.class));
        }
        put("severity", format!("\"{}\"", self.severity.unwrap_or(Severity::High)));
        put("confidence", format!("\"{}\"", self.confidence.unwrap_or(Confidence::Medium)));
        put("pattern", quoted(&self.pattern));
        if let Some(least) = self.entropy {
            put("entropy", format!("{least:?}"));
        }
        if !self.with.is_empty() {
            let one = |w: &With| {
                format!(
                    "{{ rule = \"{}\", as = \"{}\", lines = {}, bytes = {}, required = {} }}",
                    w.rule, w.name, w.lines, w.bytes, w.required
                )
            };
            put("with", format!("[{}]", self.with.iter().map(one).collect::<Vec<_>>().join(", ")));
        }
        if !self.source.is_empty() {
            put("source", list(&self.source));
        }
        out.push_str("\n[rule.text]\n");
        if !self.keywords.is_empty() {
            let _ = writeln!(out, "keywords = {}", list(&self.keywords));
        }
        if let Some(path) = &self.path {
            let _ = writeln!(out, "path = {}", quoted(path));
        }
        for one in &self.allow {
            out.push_str("\n[[rule.text.allow]]\n");
            allowed(out, one);
        }
    }
}

fn allowed(out: &mut String, one: &Allowed) {
    let mut put = |key: &str, value: String| {
        let _ = writeln!(out, "{key} = {value}");
    };
    if !one.rules.is_empty() {
        put("rules", list(&one.rules));
    }
    if !one.reason.is_empty() {
        put("reason", quoted(&one.reason));
    }
    if one.all {
        put("all", "true".to_owned());
    }
    for (key, texts) in [("paths", &one.paths), ("patterns", &one.patterns), ("words", &one.words)] {
        if !texts.is_empty() {
            put(key, list(texts));
        }
    }
    match one.on {
        On::Secret => {}
        On::Match => put("on", "\"match\"".to_owned()),
        On::Line => put("on", "\"line\"".to_owned()),
    }
}

/// A list of texts, one a line if it is long.
pub(super) fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|t| quoted(t)).collect();
    match quoted.iter().map(String::len).sum::<usize>() {
        0..=80 => format!("[{}]", quoted.join(", ")),
        _ => format!("[\n    {},\n]", quoted.join(",\n    ")),
    }
}

/// A text in the form that needs the fewest signs.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| !c.is_control() || c == '\t';
    if !text.chars().all(plain) || text.contains("'''") || text.ends_with('\'') {
        let mut out = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push('\t'),
                c if c.is_control() => {
                    let _ = write!(out, "\\u{:04X}", c as u32);
                }
                c => out.push(c),
            }
        }
        out.push('"');
        return out;
    }
    match (text.contains('\''), text.contains(['"', '\\'])) {
        (_, false) => format!("\"{text}\""),
        (false, true) => format!("'{text}'"),
        (true, true) => format!("'''{text}'''"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in
            ["", "a", "it's", "a\"b", "\\d+", "'\"", "a'''b", "end'", "a\nb\t\u{1b}\u{7f}", "\u{e9}\\'"]
        {
            let line = format!("x = {}", quoted(text));
            let table: toml::Table = toml::from_str(&line).expect(&line);
            assert_eq!(table["x"].as_str(), Some(text), "{line}");
        }
    }
}
