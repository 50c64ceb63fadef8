//! One text in a JSON tree, by its place in the file.

use super::{FormError, Quote, Spot};
use crate::model::Secret;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use zeroize::Zeroizing;

/// The members of an object as they stand, in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut out = Vec::new();
                while let Some(member) = map.next_entry()? {
                    out.push(member);
                }
                Ok(Members(out))
            }
        }
        from.deserialize_map(Collect)
    }
}

/// The part of a text that a pointer leads to, as it stands.
pub(in crate::rotate::store) fn part<'a>(
    text: &'a str,
    steps: &[&str],
) -> Result<Option<&'a str>, FormError> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| FormError("the text is not valid JSON"))?;
    let mut at = whole;
    for step in steps {
        let next = if at.get().starts_with('{') {
            let members: Members<'a> =
                serde_json::from_str(at.get()).map_err(|_| FormError("the text is not valid JSON"))?;
            let mut fitting = members.0.into_iter().filter(|(name, _)| name == step);
            let first = fitting.next();
            if fitting.next().is_some() {
                return Err(FormError("an object has the name more than once"));
            }
            first.map(|(_, value)| value)
        } else if at.get().starts_with('[') {
            let items: Vec<&'a RawValue> =
                serde_json::from_str(at.get()).map_err(|_| FormError("the text is not valid JSON"))?;
            let plain = step.len() == 1 || !step.starts_with('0');
            step.parse::<usize>().ok().filter(|_| plain).and_then(|n| items.get(n).copied())
        } else {
            None
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at.get()))
}

pub(in crate::rotate::store) fn find(text: &str, steps: &[String]) -> Result<Option<Spot>, FormError> {
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let Some(part) = part(text, &steps)? else { return Ok(None) };
    if !part.starts_with('"') {
        return Err(FormError("the field is not a text"));
    }
    let value: Zeroizing<String> =
        Zeroizing::new(serde_json::from_str(part).map_err(|_| FormError("the field is not a text"))?);
    // The part is a slice of the text.
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    Ok(Some(Spot {
        span: start..start + part.len(),
        value: Secret::new(value.as_bytes()),
        quote: Quote::Double,
    }))
}

/// The names of the object that a pointer leads to, in order; none where something else stands, or nothing.
pub(in crate::rotate::store) fn names(text: &str, steps: &[&str]) -> Result<Option<Vec<String>>, FormError> {
    let Some(part) = part(text, steps)?.filter(|part| part.starts_with('{')) else { return Ok(None) };
    let members: Members<'_> =
        serde_json::from_str(part).map_err(|_| FormError("the text is not valid JSON"))?;
    Ok(Some(members.0.into_iter().map(|(name, _)| name).collect()))
}

/// The pointers of all texts (RFC 6901).
pub(super) fn texts(text: &str) -> Result<Vec<String>, FormError> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| FormError("the text is not valid JSON"))?;
    let (mut out, mut open) = (Vec::new(), vec![(String::new(), whole.get())]);
    while let Some((at, part)) = open.pop() {
        let step = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        if part.starts_with('"') {
            out.push(at);
        } else if part.starts_with('{') {
            let members: Members<'_> =
                serde_json::from_str(part).map_err(|_| FormError("the text is not valid JSON"))?;
            open.extend(members.0.into_iter().map(|(name, value)| (step(&name), value.get())));
        } else if part.starts_with('[') {
            let items: Vec<&RawValue> =
                serde_json::from_str(part).map_err(|_| FormError("the text is not valid JSON"))?;
            open.extend(items.into_iter().enumerate().map(|(n, value)| (step(&n.to_string()), value.get())));
        }
    }
    Ok(out)
}

/// A whole number.
pub(in crate::rotate::store) fn number(text: &str, steps: &[&str]) -> Option<u64> {
    part(text, steps).ok().flatten()?.parse().ok()
}

/// A text as JSON writes it.
pub(in crate::rotate::store) fn spell(value: &str) -> Zeroizing<String> {
    let mut out = super::room(value);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}
