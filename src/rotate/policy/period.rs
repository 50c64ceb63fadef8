//! Lengths of time as people write them: `90d`, `36h`, `1d12h`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const UNITS: &[(char, u64)] = &[('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// A hundred years: more is a slip of the pen, and less keeps all sums in range.
const MOST: u64 = 100 * 365 * 86_400;

/// A length of time in whole seconds. A day has 24 hours, whatever the clocks on the wall do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(u64);

impl Period {
    /// No time at all.
    pub const ZERO: Period = Period(0);

    /// So many seconds.
    pub const fn seconds(n: u64) -> Self {
        Period(n)
    }

    /// So many hours.
    pub const fn hours(n: u64) -> Self {
        Period(n * 3_600)
    }

    /// So many days.
    pub const fn days(n: u64) -> Self {
        Period(n * 86_400)
    }

    /// In seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// For adding to a point in time.
    pub fn signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(i64::try_from(self.0).unwrap_or(i64::MAX))
    }

    /// Both together.
    pub const fn plus(self, other: Period) -> Self {
        Period(self.0.saturating_add(other.0))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text is not repeated: a credential may stand in the wrong field.
        let wrong = || "this is no length of time; write 90d, 36h, 30m or 1d12h".to_owned();
        let (mut sum, mut rest, mut below) = (0u64, text, u64::MAX);
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let n: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            let sign = rest[digits..].chars().next().unwrap_or(' ');
            let unit = UNITS.iter().find(|(c, _)| *c == sign).ok_or_else(wrong)?.1;
            if unit >= below {
                return Err(wrong());
            }
            below = unit;
            sum = n.checked_mul(unit).and_then(|n| sum.checked_add(n)).ok_or_else(wrong)?;
            rest = rest[digits + 1..].trim_start_matches(' ');
        }
        match sum {
            _ if text.is_empty() => Err(wrong()),
            s if s > MOST => Err("this is more than a hundred years".to_owned()),
            s => Ok(Period(s)),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> String {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut rest, mut out) = (self.0, String::new());
        // Weeks are read, not written: 90d is what people compare.
        for (sign, unit) in &UNITS[1..] {
            if rest >= *unit {
                out.push_str(&format!("{}{sign}", rest / unit));
                rest %= unit;
            }
        }
        f.pad(if out.is_empty() { "0s" } else { &out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for (text, seconds, back) in [
            ("90d", 7_776_000, "90d"),
            ("2w", 1_209_600, "14d"),
            ("1d12h", 129_600, "1d12h"),
            ("1d 12h", 129_600, "1d12h"),
            ("90m", 5_400, "1h30m"),
            ("0s", 0, "0s"),
        ] {
            let read: Period = text.parse().unwrap();
            assert_eq!((read.as_secs(), read.to_string().as_str()), (seconds, back), "{text}");
            assert_eq!(back.parse::<Period>(), Ok(read));
        }
    }

    #[test]
    fn anything_else_is_refused_and_not_repeated() {
        for text in
            ["", "90", "d", "-1d", "1.5d", "12h1d", "1d1d", "1y", "37000d", "99999999999999999999s", "ä"]
        {
            let told = text.parse::<Period>().expect_err(text);
            assert!(text.is_empty() || !told.contains(&format!("`{text}`")), "{told}");
        }
    }
}
