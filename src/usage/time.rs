//! Moments as seconds since 1970, as providers and logs write them.

use crate::rule::TimeForm;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Seconds of an hour.
pub const HOUR: i64 = 3_600;
/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// What is later than this (the year 5138) are milliseconds.
const MILLISECONDS: f64 = 1e11;

/// The beginning of the bucket of that many seconds that `at` lies in.
pub fn floor(at: i64, seconds: i64) -> i64 {
    at - at.rem_euclid(seconds.max(1))
}

/// Reads a moment: seconds or milliseconds since 1970, RFC 3339, a date and time without offset (taken for UTC),
/// or a day.
pub fn read(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => number(n.as_f64()?),
        Value::String(text) => text.parse().ok().and_then(number).or_else(|| written(text.trim())),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation)] // because the range is checked
fn number(n: f64) -> Option<i64> {
    let seconds = if n.abs() > MILLISECONDS { n / 1000.0 } else { n };
    (seconds.is_finite() && (0.0..MILLISECONDS).contains(&seconds)).then_some(seconds.floor() as i64)
}

fn written(text: &str) -> Option<i64> {
    let zoned = || text.parse::<Timestamp>().ok();
    let plain = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let at = zoned().or_else(plain)?.as_second();
    (0..100_000_000_000).contains(&at).then_some(at)
}

/// Writes a moment for a request.
pub fn write(at: i64, form: TimeForm) -> String {
    match (form, Timestamp::from_second(at)) {
        (TimeForm::Unix, _) | (_, Err(_)) => at.to_string(),
        (TimeForm::Rfc3339, Ok(at)) => at.to_string(),
        (TimeForm::Date, Ok(at)) => at.to_zoned(TimeZone::UTC).date().to_string(),
        (TimeForm::DateTime, Ok(at)) => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

/// The hour or day as people read it: `2026-01-01` or `2026-01-01T05:00Z`.
pub fn shown(at: i64, seconds: i64) -> String {
    match Timestamp::from_second(at) {
        Ok(t) if seconds >= DAY => t.to_zoned(TimeZone::UTC).date().to_string(),
        Ok(t) => t.strftime("%Y-%m-%dT%H:%MZ").to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for value in [
            json!(1_767_225_600),
            json!("1767225600"),
            json!(1_767_225_600_000_i64),
            json!(1_767_225_600.9),
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T01:00:00+01:00"),
            json!("2026-01-01T00:00:00.123456"),
            json!("2026-01-01 00:00:00"),
            json!("2026-01-01"),
        ] {
            assert_eq!(read(&value), Some(1_767_225_600), "{value}");
        }
        for value in [json!(null), json!("soon"), json!(-1), json!("NaN"), json!(true), json!("1e300")] {
            assert_eq!(read(&value), None, "{value}");
        }
        assert_eq!(write(1_767_225_600, TimeForm::Date), "2026-01-01");
        assert_eq!(write(1_767_225_600, TimeForm::Rfc3339), "2026-01-01T00:00:00Z");
        assert_eq!(write(1_767_229_199, TimeForm::DateTime), "2026-01-01 00:59:59");
        assert_eq!(shown(1_767_229_200, HOUR), "2026-01-01T01:00Z");
        assert_eq!((floor(-1, HOUR), floor(7201, HOUR)), (-3600, 7200));
    }
}
