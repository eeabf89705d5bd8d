//! Times as people read them: with the team's zone, the distance, and the date when it is not today.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::runbook::source::literal::Millis;

/// Now, in the team's zone.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// The team's zone, the same for all readers.
    pub zone: TimeZone,
}

impl Moment {
    /// `03:12 CET`, or `2026-11-18 03:12 CET` when it is not today.
    pub fn time(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        let today = self.now.to_zoned(self.zone.clone()).date() == local.date();
        local.strftime(if today { "%H:%M %Z" } else { "%Y-%m-%d %H:%M %Z" }).to_string()
    }

    /// `03:12:07 CET`, for what happens within a minute.
    pub fn second(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        let today = self.now.to_zoned(self.zone.clone()).date() == local.date();
        local.strftime(if today { "%H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S %Z" }).to_string()
    }

    /// `03:12 CET (in 5 min)`, `03:12 CET (5 min ago)`.
    pub fn with_distance(&self, at: Timestamp) -> String {
        let ms = at.duration_since(self.now).as_millis();
        let distance = Millis(i64::try_from(ms.abs()).unwrap_or(i64::MAX));
        let distance = rounded(distance);
        if ms >= 0 {
            format!("{} (in {distance})", self.time(at))
        } else {
            format!("{} ({distance} ago)", self.time(at))
        }
    }

    /// `03:09:21-03:09:58 CET`, with both dates when it was not all today.
    pub fn span(&self, from: Timestamp, to: Timestamp) -> String {
        let date = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        if date(from) == date(self.now) && date(to) == date(self.now) {
            let from = from.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
            format!("{from}-{}", self.second(to))
        } else {
            format!("{} to {}", self.second(from), self.second(to))
        }
    }

    /// How long ago: `40 s`.
    pub fn ago(&self, at: Timestamp) -> Millis {
        Millis(i64::try_from(self.now.duration_since(at).as_millis()).unwrap_or(i64::MAX).max(0))
    }

    /// `2026-11-18T03:09:22+01:00`, for lines that programs read.
    pub fn stamp(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

/// To whole minutes from two minutes on: a distance is read, not calculated with.
fn rounded(distance: Millis) -> Millis {
    if distance.0 >= 120_000 {
        Millis((distance.0 + 30_000) / 60_000 * 60_000)
    } else {
        Millis(distance.0 / 1000 * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_zone_and_a_date_only_when_it_is_not_today() {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
        let moment = Moment { now: "2026-11-18T03:07:00+01:00".parse().unwrap(), zone };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();

        assert_eq!(moment.with_distance(at("2026-11-18T03:12:00+01:00")), "03:12 CET (in 5 min)");
        assert_eq!(moment.with_distance(at("2026-11-18T03:06:20+01:00")), "03:06 CET (40 s ago)");
        assert_eq!(moment.time(at("2026-07-18T03:06:20+02:00")), "2026-07-18 03:06 CEST");
        assert_eq!(moment.stamp(at("2026-11-18T02:09:22Z")), "2026-11-18T03:09:22+01:00");
    }
}
