//! YAML as a tree with lines. saphyr-parser is there for stores already: maintained, with places, and it
//! builds nothing from what it reads.

use super::MigrateError;
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::path::Path;

/// Deepest nesting that is read.
const DEPTH: usize = 64;

/// A node and its line, from 1.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) is: Is,
}

#[derive(Debug)]
pub(super) enum Is {
    /// A text, and whether it stands without quotes.
    Text(String, bool),
    List(Vec<Node>),
    /// Names with their lines.
    Map(Vec<(String, usize, Node)>),
}

/// Reads the one document of a file.
pub(super) fn read(path: &Path, text: &str) -> Result<Node, MigrateError> {
    let fault = |line: usize, message: &str| MigrateError::At {
        path: path.to_owned(),
        line,
        column: 1,
        message: message.to_owned(),
    };
    // What is open, from outside to inside, each with the name that waits for its value.
    let mut open: Vec<(Node, Option<(String, usize)>)> = Vec::new();
    let (mut root, mut last) = (None, 1);
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|e| fault(e.marker().line().max(1), "the file is not valid YAML"))?;
        let line = span.start.line().max(1);
        last = line;
        let done = match event {
            Event::Scalar(said, style, 0, None) => {
                let plain = style == ScalarStyle::Plain;
                if let Some((Node { is: Is::Map(fields), .. }, name @ None)) = open.last_mut() {
                    if fields.iter().any(|(other, _, _)| *other == said) {
                        return Err(fault(line, &format!("`{said}` stands twice; keep one of them")));
                    }
                    *name = Some((said.into_owned(), line));
                    continue;
                }
                Node { line, is: Is::Text(said.into_owned(), plain) }
            }
            Event::SequenceStart(0, None) => {
                open.push((Node { line, is: Is::List(Vec::new()) }, None));
                continue;
            }
            Event::MappingStart(0, None) => {
                open.push((Node { line, is: Is::Map(Vec::new()) }, None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some((node, _)) => node,
                None => continue,
            },
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => {
                return Err(fault(line, "anchors, aliases and tags are not read; write what they stand for"));
            }
            _ => continue,
        };
        match open.last_mut() {
            None if root.is_some() => return Err(fault(line, "the file holds several documents; split it")),
            None => root = Some(done),
            Some((Node { is: Is::List(items), .. }, _)) => items.push(done),
            Some((Node { is: Is::Map(fields), .. }, name)) => match name.take() {
                Some((name, at)) => fields.push((name, at, done)),
                None => return Err(fault(line, "a name that is no text is not read; write a text")),
            },
            Some(_) => {}
        }
        if open.len() > DEPTH {
            return Err(fault(line, "the file is nested too deeply"));
        }
    }
    root.ok_or_else(|| fault(last, "the file holds nothing"))
}

/// The fields of a mapping, each taken once.
pub(super) struct Fields<'p> {
    path: &'p Path,
    name: &'static str,
    pub(super) line: usize,
    fields: Vec<(String, usize, Node)>,
    known: Vec<&'static str>,
}

impl<'p> Fields<'p> {
    pub(super) fn new(path: &'p Path, name: &'static str, node: Node) -> Result<Self, MigrateError> {
        let line = node.line;
        match node.is {
            Is::Map(fields) => Ok(Fields { path, name, line, fields, known: Vec::new() }),
            _ => Err(Self::fault(path, line, format!("{name} is no mapping; write it as one"))),
        }
    }

    fn fault(path: &Path, line: usize, message: String) -> MigrateError {
        MigrateError::At { path: path.to_owned(), line, column: 1, message }
    }

    pub(super) fn error(&self, line: usize, message: impl Into<String>) -> MigrateError {
        Self::fault(self.path, line, message.into())
    }

    /// A field's node and the line of its name.
    pub(super) fn take(&mut self, key: &'static str) -> Option<(usize, Node)> {
        self.known.push(key);
        let at = self.fields.iter().position(|(name, _, _)| name == key)?;
        let (_, line, node) = self.fields.remove(at);
        Some((line, node))
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<(usize, String)>, MigrateError> {
        match self.take(key) {
            None => Ok(None),
            Some((line, Node { is: Is::Text(text, _), .. })) => Ok(Some((line, text))),
            Some((line, _)) => Err(self.error(line, format!("`{key}` is no text; write it as one"))),
        }
    }

    pub(super) fn needed(&mut self, key: &'static str) -> Result<(usize, String), MigrateError> {
        let found = self.text(key)?;
        found.ok_or_else(|| self.error(self.line, format!("{} has no `{key}`; give it one", self.name)))
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<String>, MigrateError> {
        let Some((line, node)) = self.take(key) else { return Ok(Vec::new()) };
        let wrong = || self.error(line, format!("`{key}` is no list of texts; write it as one"));
        let Is::List(items) = node.is else { return Err(wrong()) };
        items
            .into_iter()
            .map(|n| if let Is::Text(text, _) = n.is { Ok(text) } else { Err(wrong()) })
            .collect()
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<(usize, bool)>, MigrateError> {
        match self.take(key) {
            None => Ok(None),
            Some((line, Node { is: Is::Text(text, true), .. })) if text == "true" || text == "false" => {
                Ok(Some((line, text == "true")))
            }
            Some((line, _)) => {
                Err(self.error(line, format!("`{key}` is neither true nor false; write one of them")))
            }
        }
    }

    /// That nothing is left unread.
    pub(super) fn done(self) -> Result<(), MigrateError> {
        match self.fields.first() {
            None => Ok(()),
            Some((key, line, _)) => Err(self.error(
                *line,
                format!(
                    "{} has no field `{key}`: remove it, or write one of {}",
                    self.name,
                    self.known.join(", ")
                ),
            )),
        }
    }
}
