//! When a rotation may begin: weekly windows in a time zone, and frozen days.

use super::Text;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use std::fmt;
use std::sync::LazyLock;

/// The zones that are built in: the same file means the same hours on every machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Zone(TimeZone::UTC)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let wrong =
            || "there is no such time zone; write one of the IANA database, such as Europe/Berlin".to_owned();
        ZONES.get(&name).map(Zone).map_err(|_| wrong())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl Zone {
    /// The moment at which a clock there shows so many minutes after midnight of `date`. Where clocks
    /// go forward over it, as much later; where they show it twice, the first time.
    fn moment(&self, date: Date, minutes: u16) -> Option<Timestamp> {
        let day = if minutes >= DAY { date.tomorrow().ok()? } else { date };
        let minutes = minutes % DAY;
        let time = Time::new((minutes / 60) as i8, (minutes % 60) as i8, 0, 0).ok()?;
        self.0.to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok()
    }

    fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.0.clone()).date()
    }
}

const DAY: u16 = 24 * 60;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    const WEEK: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

    fn is(self, weekday: Weekday) -> bool {
        Day::WEEK[usize::from(weekday.to_monday_zero_offset().unsigned_abs())] == self
    }
}

/// A time of day, `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Clock(u16);

impl TryFrom<String> for Clock {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let read = || {
            let (hours, minutes) = text.split_once(':')?;
            let digits = |s: &str| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit());
            let (true, true) = (digits(hours), digits(minutes)) else { return None };
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            (minutes < 60 && hours * 60 + minutes <= DAY).then_some(Clock(hours * 60 + minutes))
        };
        read().ok_or_else(|| "this is no time of day; write 09:00, or 24:00 for the end of a day".to_owned())
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A part of each week in which a rotation may begin.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Days on which it opens.
    #[serde(default = "Window::every_day")]
    pub days: Vec<Day>,
    /// When it opens.
    pub from: Clock,
    /// When it closes; on the next day if that is not later than `from`.
    pub until: Clock,
    /// Whose clock that is.
    #[serde(default)]
    pub zone: Zone,
}

impl Window {
    fn every_day() -> Vec<Day> {
        Day::WEEK.to_vec()
    }

    /// Opening and closing on the window's day `date`, if it opens then.
    fn on(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        if self.from == self.until || !self.days.iter().any(|d| d.is(date.weekday())) {
            return None;
        }
        let last = if self.until > self.from { date } else { date.tomorrow().ok()? };
        let open = self.zone.moment(date, self.from.0)?;
        let close = self.zone.moment(last, self.until.0)?;
        // Where clocks go forward over the whole of it, it does not open.
        (open < close).then_some((open, close))
    }

    /// The first opening that closes after `at`.
    pub fn after(&self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        // One day back for a window over midnight; two weeks on, since one opening can fall out.
        let first = self.zone.date(at).checked_sub(1.day()).ok()?;
        first.series(1.day()).take(16).filter_map(|date| self.on(date)).find(|(_, close)| *close > at)
    }

    /// How long it is open on an ordinary day, in seconds.
    pub fn seconds(&self) -> u64 {
        let (from, until) = (u64::from(self.from.0), u64::from(self.until.0));
        let minutes = if until > from { until - from } else { until + u64::from(DAY) - from };
        if self.from == self.until || self.days.is_empty() { 0 } else { minutes * 60 }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Day::WEEK.iter().all(|d| self.days.contains(d));
        let days: Vec<_> = self.days.iter().map(|d| format!("{d:?}")).collect();
        let days = if all { "every day".to_owned() } else { days.join(" ") };
        write!(f, "{days} {}-{} {}", self.from, self.until, self.zone)
    }
}

/// Days on which no scheduled rotation begins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The first day.
    #[serde(deserialize_with = "date")]
    pub from: Date,
    /// The last day. Without it the freeze goes on, which the checks refuse.
    #[serde(default, deserialize_with = "some_date")]
    pub until: Option<Date>,
    /// Whose days they are.
    #[serde(default)]
    pub zone: Zone,
    /// Why.
    pub reason: Text,
}

impl Freeze {
    /// When it begins and ends, the end exclusive.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let from = self.zone.moment(self.from, 0).unwrap_or(Timestamp::MIN);
        let until = self.until.and_then(|last| self.zone.moment(last, DAY)).unwrap_or(Timestamp::MAX);
        (from, until)
    }

    /// Whether `at` lies in it.
    pub fn holds(&self, at: Timestamp) -> bool {
        let (from, until) = self.span();
        from <= at && at < until
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = self.until.map_or("no end".to_owned(), |d| d.to_string());
        write!(f, "{} to {until} {} ({})", self.from, self.zone, self.reason)
    }
}

fn date<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    let value = toml::value::Datetime::deserialize(from)?;
    let whole = value.time.is_none() && value.offset.is_none();
    let read = value.date.filter(|_| whole).and_then(|d| {
        Date::new(i16::try_from(d.year).ok()?, i8::try_from(d.month).ok()?, i8::try_from(d.day).ok()?).ok()
    });
    read.ok_or_else(|| serde::de::Error::custom("this is no day; write 2027-01-04, without quotes"))
}

fn some_date<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    date(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        toml::from_str(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn after(window: &Window, text: &str) -> String {
        window.after(at(text)).map_or("never".to_owned(), |(open, close)| format!("{open} {close}"))
    }

    #[test]
    fn an_opening_is_the_one_that_closes_next() {
        let w = window("days = ['tue', 'thu']\nfrom = '09:00'\nuntil = '16:00'\nzone = 'Europe/Berlin'");
        // 2026-11-24 is a Tuesday; Berlin is one hour ahead then.
        let tuesday = "2026-11-24T08:00:00Z 2026-11-24T15:00:00Z";
        let thursday = "2026-11-26T08:00:00Z 2026-11-26T15:00:00Z";
        assert_eq!(after(&w, "2026-11-23T12:00:00Z"), tuesday);
        assert_eq!(after(&w, "2026-11-24T14:59:59Z"), tuesday);
        assert_eq!(after(&w, "2026-11-24T15:00:00Z"), thursday);
        assert_eq!(w.to_string(), "Tue Thu 09:00-16:00 Europe/Berlin");
        assert_eq!(w.seconds(), 7 * 3600);
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_opens() {
        let w = window("days = ['fri']\nfrom = '22:00'\nuntil = '02:00'");
        assert_eq!(after(&w, "2026-11-28T01:00:00Z"), "2026-11-27T22:00:00Z 2026-11-28T02:00:00Z");
        assert_eq!(after(&w, "2026-11-28T02:00:00Z"), "2026-12-04T22:00:00Z 2026-12-05T02:00:00Z");
        assert_eq!(w.seconds(), 4 * 3600);
        let day = window("from = '00:00'\nuntil = '24:00'");
        assert_eq!(after(&day, "2026-11-28T13:00:00Z"), "2026-11-28T00:00:00Z 2026-11-29T00:00:00Z");
        assert_eq!(day.to_string(), "every day 00:00-24:00 UTC");
    }

    #[test]
    fn clocks_that_change_move_an_opening_and_lose_none() {
        // Berlin, 2027-03-28: 02:00 becomes 03:00. 2026-10-25: 03:00 becomes 02:00.
        let w = |from: &str, until: &str| {
            window(&format!("from = '{from}'\nuntil = '{until}'\nzone = 'Europe/Berlin'"))
        };
        let spring = "2027-03-28T00:00:00Z";
        assert_eq!(after(&w("02:15", "02:45"), spring), "2027-03-28T01:15:00Z 2027-03-28T01:45:00Z");
        assert_eq!(after(&w("01:30", "03:30"), spring), "2027-03-28T00:30:00Z 2027-03-28T01:30:00Z");
        // Its opening falls into the gap and moves beyond its closing: that day is left out.
        assert_eq!(after(&w("02:30", "03:15"), spring), "2027-03-29T00:30:00Z 2027-03-29T01:15:00Z");
        let autumn = "2026-10-24T23:00:00Z";
        assert_eq!(after(&w("02:15", "02:45"), autumn), "2026-10-25T00:15:00Z 2026-10-25T00:45:00Z");
        assert_eq!(after(&w("01:00", "04:00"), autumn), "2026-10-24T23:00:00Z 2026-10-25T03:00:00Z");
        // A whole day there has 25 hours, and the next one begins where it ends.
        assert_eq!(after(&w("00:00", "24:00"), autumn), "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z");
    }

    #[test]
    fn some_windows_never_open() {
        for text in ["from = '09:00'\nuntil = '09:00'", "days = []\nfrom = '09:00'\nuntil = '10:00'"] {
            assert_eq!(
                (after(&window(text), "2026-11-23T00:00:00Z").as_str(), window(text).seconds()),
                ("never", 0)
            );
        }
    }

    #[test]
    fn a_freeze_holds_whole_days_of_its_zone() {
        let text = "from = 2026-12-18\nuntil = 2026-12-19\nzone = 'Asia/Tokyo'\nreason = 'sale'";
        let freeze: Freeze = toml::from_str(text).unwrap();
        let held = |text: &str| freeze.holds(at(text));
        assert!(held("2026-12-17T15:00:00Z") && held("2026-12-19T14:59:59Z"));
        assert!(!held("2026-12-17T14:59:59Z") && !held("2026-12-19T15:00:00Z"));
        let open: Freeze = toml::from_str("from = 2026-12-18\nreason = 'sale'").unwrap();
        assert!(open.holds(at("2100-01-01T00:00:00Z")));
        assert_eq!(open.to_string(), "2026-12-18 to no end UTC (sale)");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["9:00", "09:60", "24:01", "25:00", "09-00", "", "0a:00", "+1:00"] {
            assert!(Clock::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!(Zone::try_from("Europe/Nowhere".to_owned()).is_err());
        assert!(Zone::try_from("../../etc/passwd".to_owned()).is_err());
        for text in ["from = '2026-12-18'", "from = 2026-12-18T10:00:00Z", "from = 10:00:00"] {
            let told = toml::from_str::<Freeze>(&format!("{text}\nreason = 'x'")).unwrap_err().to_string();
            assert!(told.contains("no day") || told.contains("datetime"), "{told}");
        }
    }
}
