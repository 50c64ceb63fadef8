//! The values with which a call is made: the secret, the groups of its pattern, and the other parts of
//! the credential that stand near it.
//!
//! The detector keeps both groups and partners with each place, so nothing is matched again: what stood
//! on the line when it was scanned is what is sent, whatever the file holds now.

use crate::call::{CAPTURED_HOST, Request, Values, holes};
use crate::model::{Finding, Occurrence, Secret};
use std::collections::BTreeSet;

/// Combinations of parts that are tried for one secret.
pub(super) const MOST: usize = 4;

/// What a credential can be tried with.
pub(super) struct Parts {
    /// Combinations, those of the first places and of the nearest partners first; at least one.
    pub(super) sets: Vec<Values>,
    /// Whether there were more than [`MOST`].
    pub(super) cut: bool,
}

/// The names that a call takes values for.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Without these there is no call.
    pub(super) needed: BTreeSet<String>,
    /// Used if they are there: the token of a temporary key, and the host of a self-hosted service.
    pub(super) optional: BTreeSet<String>,
}

/// The names that the templates of a request use.
pub(super) fn names(request: &Request) -> Names {
    let mut names = Names::default();
    for (field, template) in request.templates() {
        let set = if field == "sign.token" { &mut names.optional } else { &mut names.needed };
        set.extend(holes(template).unwrap_or_default().into_iter().map(str::to_owned));
    }
    names.optional.insert(CAPTURED_HOST.to_owned());
    names
}

/// The combinations of parts. `None` if some name has no value at any place.
pub(super) fn combine(finding: &Finding, names: &Names) -> Option<Parts> {
    let mut found: Vec<Vec<(&str, &Secret)>> = Vec::new();
    let mut cut = false;
    let others: Vec<&str> = names.needed.iter().map(String::as_str).filter(|n| *n != "secret").collect();
    let optional = names.optional.iter().map(String::as_str).filter(|n| !others.contains(n));
    for place in &finding.occurrences {
        let there = optional.clone().filter(|name| place.partners.iter().any(|p| p.name == *name));
        let names: Vec<&str> = others.iter().copied().chain(there).collect();
        for set in product(place, &names) {
            if found.contains(&set) {
                continue;
            }
            if found.len() == MOST {
                cut = true;
                break;
            }
            found.push(set);
        }
        if cut {
            break;
        }
    }
    if found.is_empty() && others.is_empty() {
        // A finding without a place, as it comes from standard input.
        found.push(Vec::new());
    }
    let values = |set: Vec<(&str, &Secret)>| {
        let mut values = Values::new();
        values.set("secret", finding.secret.clone());
        for (name, value) in set {
            values.set(name, value.clone());
        }
        values
    };
    (!found.is_empty()).then(|| Parts { sets: found.into_iter().map(values).collect(), cut })
}

/// Every choice of one value a name at one place, the nearest ones first, one more than [`MOST`] at most.
fn product<'a>(place: &'a Occurrence, names: &[&'a str]) -> Vec<Vec<(&'a str, &'a Secret)>> {
    let mut sets = vec![Vec::new()];
    for name in names {
        let values: Vec<&Secret> =
            place.partners.iter().filter(|p| p.name == *name).map(|p| &p.value).collect();
        let longer = |set: &Vec<(&'a str, &'a Secret)>, value| {
            let mut set = set.clone();
            set.push((*name, value));
            set
        };
        // The first name varies slowest, so that the nearest of all come first.
        sets = sets
            .iter()
            .flat_map(|set| values.iter().map(move |value| longer(set, *value)))
            .take(MOST + 1)
            .collect();
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, place};
    use super::*;

    fn shown(parts: &Parts, names: &[&str]) -> Vec<String> {
        let text = |v: &Values, n: &str| String::from_utf8_lossy(v.get(n).unwrap().expose()).into_owned();
        parts.sets.iter().map(|v| names.iter().map(|n| text(v, n)).collect::<Vec<_>>().join("/")).collect()
    }

    fn needed(names: &[&str]) -> Names {
        let optional = BTreeSet::from(["token".to_owned()]);
        Names { needed: names.iter().map(|n| (*n).to_owned()).collect(), optional }
    }

    #[test]
    fn the_nearest_parts_come_first_and_a_missing_one_is_told() {
        let f = finding("k", vec![place(&[("a", "1"), ("a", "2"), ("b", "x"), ("b", "y")])]);
        let parts = combine(&f, &needed(&["secret", "a", "b"])).unwrap();
        assert_eq!(shown(&parts, &["secret", "a", "b"]), ["k/1/x", "k/1/y", "k/2/x", "k/2/y"]);
        assert!(!parts.cut);
        assert!(combine(&f, &needed(&["secret", "c"])).is_none());
        let plain = combine(&f, &needed(&["secret"])).unwrap();
        assert_eq!((plain.sets.len(), plain.cut), (1, false));
        let f = finding("k", vec![place(&[("a", "1"), ("token", "t")])]);
        assert_eq!(shown(&combine(&f, &needed(&["a"])).unwrap(), &["a", "token"]), ["1/t"]);
    }

    #[test]
    fn places_add_to_each_other_up_to_a_bound() {
        let f = finding("k", vec![place(&[]), place(&[("a", "1")]), place(&[("a", "1"), ("a", "2")])]);
        assert_eq!(shown(&combine(&f, &needed(&["a"])).unwrap(), &["a"]), ["1", "2"]);
        let many: Vec<(&str, &str)> = ["1", "2", "3", "4", "5"].map(|v| ("a", v)).to_vec();
        let parts = combine(&finding("k", vec![place(&many)]), &needed(&["a"])).unwrap();
        assert_eq!((parts.sets.len(), parts.cut), (MOST, true));
    }
}
