//! One scalar in a YAML document, by its place in the file.

use super::{FormError, Quote, Spot};
use crate::model::Secret;
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::ops::Range;
use zeroize::Zeroizing;

/// What is being read, from outside to inside.
enum Level {
    /// A mapping: the name whose value comes next, and how many steps of the pointer led here, if all fit.
    Mapping { name: Option<String>, fits: Option<usize> },
    /// A sequence, with the number of the next item.
    Sequence { next: usize, fits: Option<usize> },
}

pub(super) fn find(text: &str, steps: &[String]) -> Result<Option<Spot>, FormError> {
    let bad = FormError("the file is not valid YAML");
    let mut levels: Vec<Level> = Vec::new();
    let (mut found, mut documents) = (None, 0);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|_| bad)?;
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(FormError("the file holds several YAML documents"));
                }
            }
            Event::Scalar(says, style, anchor, tag) => {
                if let Some(Level::Mapping { name: name @ None, .. }) = levels.last_mut() {
                    *name = Some(says.into_owned());
                    continue;
                }
                if step(&mut levels, steps) != Some(steps.len()) {
                    continue;
                }
                let quote = match style {
                    ScalarStyle::Plain => Quote::None,
                    ScalarStyle::SingleQuoted => Quote::Single,
                    ScalarStyle::DoubleQuoted => Quote::Double,
                    _ => return Err(FormError("the field is a text of several lines")),
                };
                if anchor != 0 || tag.is_some() {
                    return Err(FormError("the field has an anchor or a tag"));
                }
                let span = bytes(text, span.start.index()..span.end.index());
                if text[span.clone()].contains('\n') {
                    return Err(FormError("the field is a text of several lines"));
                }
                let spot = Spot { span, value: Secret::new(says.as_bytes()), quote };
                if found.replace(spot).is_some() {
                    return Err(FormError("a mapping has the name more than once"));
                }
            }
            Event::Alias(_) => {
                if let Some(Level::Mapping { name: name @ None, .. }) = levels.last_mut() {
                    // A name that is an alias is none that a pointer could mean.
                    *name = Some(String::new());
                } else if step(&mut levels, steps) == Some(steps.len()) {
                    return Err(FormError("the field is an alias"));
                }
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                let fits = match levels.last_mut() {
                    None => Some(0),
                    Some(Level::Mapping { name: name @ None, .. }) => {
                        // A mapping as a name: what is in it leads nowhere.
                        *name = Some(String::new());
                        levels.push(level(&event, None));
                        continue;
                    }
                    Some(_) => step(&mut levels, steps),
                };
                if fits == Some(steps.len()) {
                    return Err(FormError("the field is not a text"));
                }
                levels.push(level(&event, fits));
            }
            Event::MappingEnd | Event::SequenceEnd => {
                levels.pop();
            }
            _ => {}
        }
    }
    Ok(found)
}

fn level(event: &Event<'_>, fits: Option<usize>) -> Level {
    match event {
        Event::MappingStart(..) => Level::Mapping { name: None, fits },
        _ => Level::Sequence { next: 0, fits },
    }
}

/// A value comes: how many steps of the pointer lead to it, if all of them fit.
fn step(levels: &mut [Level], steps: &[String]) -> Option<usize> {
    let (here, fits) = match levels.last_mut()? {
        Level::Mapping { name, fits } => (name.take()?, *fits),
        Level::Sequence { next, fits } => {
            *next += 1;
            ((*next - 1).to_string(), *fits)
        }
    };
    let fits = fits?;
    (steps.get(fits) == Some(&here)).then_some(fits + 1)
}

/// A range of characters as one of bytes.
fn bytes(text: &str, chars: Range<usize>) -> Range<usize> {
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    at(chars.start)..at(chars.end)
}

pub(super) fn spell(quote: Quote, value: &str) -> Zeroizing<String> {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"_-./+=".contains(&b);
    // A long word that begins with a letter is no number, date, truth value or null.
    let word =
        value.starts_with(|c: char| c.is_ascii_alphabetic()) && value.len() > 8 && value.bytes().all(safe);
    let mut out = super::room(value);
    match quote {
        Quote::None if word => out.push_str(value),
        Quote::Single => {
            out.push('\'');
            for c in value.chars() {
                out.push_str(if c == '\'' { "'" } else { "" });
                out.push(c);
            }
            out.push('\'');
        }
        _ => return super::json::spell(value),
    }
    out
}
