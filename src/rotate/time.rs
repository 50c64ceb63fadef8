//! Points and lengths of time as the rotation sees them. Nothing here reads a clock.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// That many milliseconds.
    pub const fn millis(n: u64) -> Span {
        Span(n)
    }

    /// That many seconds.
    pub const fn seconds(n: u64) -> Span {
        Span(n.saturating_mul(1000))
    }

    /// That many hours.
    pub const fn hours(n: u64) -> Span {
        Span::seconds(n.saturating_mul(3600))
    }

    /// That many days of 24 hours.
    pub const fn days(n: u64) -> Span {
        Span::hours(n.saturating_mul(24))
    }
}

impl Moment {
    /// Days since 1970-01-01 in UTC: what daily caps count by.
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// The time from `earlier` to here; none if `earlier` is later.
    pub fn since(self, earlier: Moment) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Span> for Moment {
    type Output = Moment;
    fn add(self, span: Span) -> Moment {
        Moment(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl Sub<Span> for Moment {
    type Output = Moment;
    fn sub(self, span: Span) -> Moment {
        Moment(self.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.div_euclid(1000)) {
            Ok(at) => write!(f, "{at}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Display for Span {
    /// The two largest units: `3 d 4 h`, `20 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
        let mut rest = self.0;
        let mut parts = Vec::new();
        for (size, unit) in units {
            if rest >= size && parts.len() < 2 {
                parts.push(format!("{} {unit}", rest / size));
                rest %= size;
            }
        }
        f.write_str(if parts.is_empty() { "0 s" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_as_people_read_it() {
        assert_eq!(Moment(0).to_string(), "1970-01-01T00:00:00Z");
        for (ms, shown) in [(0, "0 s"), (1500, "1 s 500 ms"), (90_061_000, "1 d 1 h"), (20_000, "20 s")] {
            assert_eq!(Span(ms).to_string(), shown);
        }
    }

    #[test]
    fn hostile_numbers_do_not_overflow() {
        assert_eq!(Moment(i64::MAX) + Span(u64::MAX), Moment(i64::MAX));
        assert_eq!(Moment(i64::MIN) - Span(u64::MAX), Moment(i64::MIN));
        assert_eq!(Moment(5).since(Moment(9)), Span::ZERO);
        assert_eq!(Moment(-1).day(), -1);
        assert_eq!(Span::days(u64::MAX).0, u64::MAX);
    }
}
