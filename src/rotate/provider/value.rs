//! Values of keys that have several parts, and times as providers write them.

use crate::call::Values;
use crate::model::Secret;
use crate::rotate::time::Moment;
use crate::rule::{Calls, example};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Seconds of use that are asked for unless the rule says otherwise.
const WINDOW: u64 = 30 * 86_400;
/// Fewest bytes of a secret for which it is looked for in a text.
const TELLING: usize = 8;

/// The text of a value that is no secret.
pub(super) fn text(values: &Values, name: &str) -> Option<String> {
    String::from_utf8(values.get(name)?.expose().to_vec()).ok()
}

/// The parts of a key's value; none if it has not the form that [`join`] gives it.
pub(super) fn split(calls: &Calls, value: &Secret) -> Option<Values> {
    let mut values = Values::new();
    if calls.parts.is_empty() {
        values.set("secret", value.clone());
        return Some(values);
    }
    let fields: BTreeMap<String, Zeroizing<String>> = serde_json::from_slice(value.expose()).ok()?;
    let wanted = || calls.parts.iter().map(String::as_str).chain(["secret"]);
    if fields.len() != calls.parts.len() + 1 || wanted().any(|name| !fields.contains_key(name)) {
        return None;
    }
    for (name, part) in &fields {
        values.set(name, Secret::new(part.as_bytes()));
    }
    Some(values)
}

/// The value of a key from what was captured: the secret, or where there are parts a JSON object of both, its names
/// in order. None without one of them.
pub(super) fn join(calls: &Calls, captured: &Values) -> Option<Secret> {
    if calls.parts.is_empty() {
        return captured.get("secret").cloned();
    }
    let mut fields = BTreeMap::new();
    for name in calls.parts.iter().map(String::as_str).chain(["secret"]) {
        fields.insert(name, std::str::from_utf8(captured.get(name)?.expose()).ok()?);
    }
    let mut out = Zeroizing::new(Vec::with_capacity(4096));
    serde_json::to_writer(&mut *out, &fields).ok()?;
    Some(Secret::new(&out))
}

/// A value that the caller makes up; none where the rule does not let it, or without randomness.
pub(super) fn propose(calls: &Calls) -> Option<Secret> {
    let mut made = Values::new();
    for (name, template) in &calls.choose {
        made.set(name, Secret::new(&example::random(template).ok()?));
    }
    join(calls, &made)
}

/// What the pattern of a rule finds within a value, such as the id that it begins with.
pub(super) fn within(pattern: &str, parts: &Values) -> Values {
    let mut values = Values::new();
    let Some(secret) = parts.get("secret") else { return values };
    for (name, value) in crate::verify::groups(pattern, secret.expose()) {
        if name != "secret" {
            values.set(&name, value);
        }
    }
    values
}

/// Whether a text holds a secret.
pub(super) fn holds(text: &[u8], secret: &[u8]) -> bool {
    secret.len() >= TELLING && text.windows(secret.len()).any(|w| w == secret)
}

/// The points in time that templates may use, all in UTC.
pub(super) fn times(calls: &Calls, now: Timestamp, values: &mut Values) {
    let seconds = |n: u64| SignedDuration::from_secs(i64::try_from(n).unwrap_or(i64::MAX));
    let from = now.checked_sub(seconds(calls.window.unwrap_or(WINDOW))).unwrap_or(Timestamp::MIN);
    let until = now.checked_add(seconds(calls.lifetime.unwrap_or(0))).unwrap_or(Timestamp::MAX);
    for (name, at) in [("now", now), ("from", from), ("until", until)] {
        let zoned = at.to_zoned(TimeZone::UTC);
        let forms = [
            ("unix", at.as_second().to_string()),
            ("time", zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("date", zoned.strftime("%Y-%m-%d").to_string()),
        ];
        for (form, text) in forms {
            values.set(&format!("{name}_{form}"), Secret::new(text.as_bytes()));
        }
    }
}

/// A time as providers write it: RFC 3339, the same without zone (taken for UTC), a date, or seconds or milliseconds
/// since 1970.
pub(super) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(n) = text.parse::<f64>() {
        // Seconds reach this size in the year 5138.
        let ms = if n < 1e11 { n * 1000.0 } else { n };
        return (n.is_finite() && (0.0..1e15).contains(&ms)).then_some(Moment(ms as i64));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Moment(at.as_millisecond()));
    }
    let there = text.parse::<civil::DateTime>().ok()?;
    Some(Moment(there.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(toml: &str) -> Calls {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn parts_go_there_and_back_as_the_same_bytes() {
        let calls =
            calls("parts = ['public_key']\nchoose = { secret = 's_{a62:30}', public_key = 'p_{uuid}' }");
        let value = propose(&calls).unwrap();
        let parts = split(&calls, &value).unwrap();
        assert!(parts.get("secret").unwrap().expose().starts_with(b"s_"));
        assert_eq!(join(&calls, &parts).unwrap(), value);
        for bad in [
            r#"{"secret":"a"}"#,
            r#"{"secret":"a","public_key":1}"#,
            "s",
            r#"{"secret":"a","public_key":"b","x":"c"}"#,
        ] {
            assert!(split(&calls, &Secret::new(bad.as_bytes())).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_plain_value_is_itself() {
        let plain = Calls::default();
        let value = Secret::new(b"{\"secret\":1}");
        assert_eq!(join(&plain, &split(&plain, &value).unwrap()).unwrap(), value);
        assert!(propose(&plain).is_none() && join(&plain, &Values::new()).is_none());
    }

    #[test]
    fn times_are_read_as_providers_write_them() {
        let at = Some(Moment(1_800_000_000_000));
        for text in [
            "1800000000",
            "1800000000000",
            "2027-01-15T08:00:00Z",
            "2027-01-15T09:00:00+01:00",
            "2027-01-15T08:00:00",
            "2027-01-15 08:00:00",
        ] {
            assert_eq!(moment(text), at, "{text}");
        }
        assert_eq!(moment("2027-01-15"), Some(Moment(1_799_971_200_000)));
        for bad in ["", "never", "-1", "inf", "NaN", "1e300", "2027-13-01"] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }

    #[test]
    fn windows_begin_and_end_where_the_rule_says() {
        let mut values = Values::new();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        times(&calls("window = 86400\nlifetime = 86400"), now, &mut values);
        assert_eq!(text(&values, "from_time").unwrap(), "2027-01-14T08:00:00Z");
        assert_eq!(text(&values, "now_unix").unwrap(), "1800000000");
        assert_eq!(text(&values, "until_date").unwrap(), "2027-01-16");
        times(&calls("window = 18446744073709551615\nlifetime = 18446744073709551615"), now, &mut values);
    }
}
