//! A made-up credential of the same shape. An endpoint that takes it takes anything, be it a portal, a
//! wildcard gateway or a host that somebody planted, so that what it says of real ones proves nothing.

use crate::call::{Request, Values, holes};
use crate::model::{Secret, Unknown};
use crate::rule::{Declared, checksum, example};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How often a control that got no clear answer is sent again for later credentials.
const TRIES: u32 = 3;

/// What the control of one rule at one host showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The made-up credential was not taken.
    Passed,
    /// It was: nothing that this endpoint says is believed.
    Loose,
    /// It got no clear answer.
    Unanswered(Unknown),
    /// No credential can be made up that differs from the real one.
    Impossible,
}

/// A rule and a host.
type Pair = (String, String);

/// The controls of a run.
#[derive(Default)]
pub(super) struct Controls(Mutex<HashMap<Pair, Arc<Mutex<State>>>>);

#[derive(Default)]
struct State {
    tries: u32,
    last: Option<Control>,
}

impl Controls {
    /// The control of a rule at a host, sent by `send` if it has not been yet. Whoever needs it too waits.
    pub(super) fn of(&self, rule: &str, host: &str, send: impl FnOnce() -> Control) -> Control {
        let state = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry((rule.to_owned(), host.to_owned())).or_default().clone()
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.last {
            Some(Control::Unanswered(_)) if state.tries < TRIES => {}
            Some(known) => return known,
            None => {}
        }
        state.tries += 1;
        let control = send();
        state.last = Some(control);
        control
    }

    /// Rules and hosts that take anything, sorted.
    pub(super) fn loose(&self) -> Vec<Pair> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_loose = |state: &Arc<Mutex<State>>| {
            state.lock().unwrap_or_else(PoisonError::into_inner).last == Some(Control::Loose)
        };
        let mut out: Vec<_> = all.iter().filter(|(_, s)| is_loose(s)).map(|(k, _)| k.clone()).collect();
        out.sort();
        out
    }
}

/// The values of a made-up credential, to be sent where those in `real` would be. Parts of the host stay, and so
/// do other parts of the credential, so that the same account is asked. `None` if nothing could be made up.
pub(super) fn made_up(declared: &Declared, request: &Request, real: &Values, seed: u64) -> Option<Values> {
    let rule = &declared.rule;
    let algorithm = rule.checksum.as_ref().and_then(|c| checksum::by_name(&c.algorithm));
    let own = rule.verify.as_ref().and_then(|v| v.control.as_deref());
    let mut texts = own.into_iter().chain(rule.matches.iter().map(String::as_str));
    let example = texts.find_map(|text| example::expand(text, algorithm, seed).ok())?;
    let mut values = real.clone();
    values.set("secret", Secret::new(&example.value));
    let fixed = request.host().map(|host| holes(host).unwrap_or_default()).unwrap_or_default();
    for (name, value) in groups(&rule.pattern, &example.text) {
        if name != "secret" && !fixed.contains(&name.as_str()) && real.get(&name).is_some() {
            values.set(&name, value);
        }
    }
    Some(values)
}

/// The named groups of a rule's pattern in a text, at its first match.
pub fn groups(pattern: &str, text: &[u8]) -> Vec<(String, Secret)> {
    let plain = syntax::Config::new().unicode(false).utf8(false).nest_limit(64);
    let Ok(regex) = Regex::builder().syntax(plain).build(pattern) else { return Vec::new() };
    let mut captures = regex.create_captures();
    regex.captures(text, &mut captures);
    let names = regex.group_info().pattern_names(regex_automata::PatternID::ZERO);
    names
        .enumerate()
        .filter_map(|(n, name)| Some((name?.to_owned(), Secret::new(&text[captures.get_group(n)?.range()]))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::RuleSet;
    use std::path::PathBuf;

    #[test]
    fn a_made_up_credential_has_the_shape_and_keeps_the_host() {
        let text = "[provider]\nid = 'acmec'\nname = 'A'\nhosts = ['*.acme.example']\n[[rule]]\nid = 'acmec-key'\n\
            name = 'x'\nseverity = 'low'\nconfidence = 'low'\n\
            pattern = '(?<region>[a-z]{2})-(?<id>[0-9]{8})-(?<secret>k_[a-z0-9]{20})'\n\
            matches = ['key = eu-{dig:8}-<k_{lnum:20}>']\n[rule.verify]\n\
            request = { method = 'GET', url = 'https://{{ region }}.acme.example/{{ id }}', basic = { password = '{{ secret }}' } }\n";
        let mut rules = RuleSet::embedded();
        rules.add_texts(vec![(PathBuf::from("acmec.toml"), text.to_owned())]).unwrap();
        let declared = rules.declared("acmec-key").unwrap();
        let request = declared.rule.verify.as_ref().and_then(|v| v.request.clone()).unwrap();
        let mut real = Values::new();
        for (name, value) in [("secret", "k_real"), ("region", "us"), ("id", "00000000")] {
            real.set(name, Secret::new(value.as_bytes()));
        }
        let text = |v: &Values, n: &str| String::from_utf8_lossy(v.get(n).unwrap().expose()).into_owned();
        let one = made_up(&declared, &request, &real, 1).unwrap();
        assert_eq!(text(&one, "region"), "us");
        assert!(text(&one, "id") != "00000000" && text(&one, "id").len() == 8);
        assert!(text(&one, "secret").starts_with("k_") && text(&one, "secret").len() == 22);
        let two = made_up(&declared, &request, &real, 2).unwrap();
        assert_ne!(text(&one, "secret"), text(&two, "secret"));
    }

    #[test]
    fn a_control_is_sent_once_and_again_only_if_it_was_not_answered() {
        let controls = Controls::default();
        let mut sent = 0;
        let mut of = |host, answer| {
            controls.of("r", host, || {
                sent += 1;
                answer
            })
        };
        let none = Control::Unanswered(Unknown::Unreachable);
        assert_eq!(of("a", none), none);
        assert_eq!(of("a", Control::Loose), Control::Loose);
        assert_eq!(of("a", Control::Passed), Control::Loose);
        for _ in 0..9 {
            assert_eq!(of("b", none), none);
        }
        assert_eq!(sent, 2 + TRIES);
        assert_eq!(controls.loose(), [("r".to_owned(), "a".to_owned())]);
    }
}
