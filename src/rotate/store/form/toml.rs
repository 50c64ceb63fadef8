//! One text in a TOML document, by its place in the file.

use super::{FormError, Quote, Spot};
use crate::model::Secret;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

pub(super) fn find(text: &str, steps: &[String]) -> Result<Option<Spot>, FormError> {
    let document = DeTable::parse(text).map_err(|_| FormError("the file is not valid TOML"))?;
    let Some((first, rest)) = steps.split_first() else { return Ok(None) };
    let mut at = document.get_ref().get(first.as_str());
    for step in rest {
        at = match at.map(|value| value.get_ref()) {
            Some(DeValue::Table(table)) => table.get(step.as_str()),
            Some(DeValue::Array(items)) => step.parse().ok().and_then(|n: usize| items.get(n)),
            _ => None,
        };
    }
    let Some(value) = at else { return Ok(None) };
    let DeValue::String(says) = value.get_ref() else { return Err(FormError("the field is not a text")) };
    let span = value.span();
    let spelled = &text[span.clone()];
    if spelled.starts_with("\"\"\"") || spelled.starts_with("'''") {
        return Err(FormError("the field is a text of several lines"));
    }
    let quote = if spelled.starts_with('\'') { Quote::Single } else { Quote::Double };
    Ok(Some(Spot { span, value: Secret::new(says.as_bytes()), quote }))
}

pub(super) fn spell(quote: Quote, value: &str) -> Zeroizing<String> {
    if quote == Quote::Single && !value.contains('\'') {
        let mut out = super::room(value);
        ["'", value, "'"].iter().for_each(|part| out.push_str(part));
        return out;
    }
    // A basic string has JSON's escapes for what a value may hold here.
    super::json::spell(value)
}
