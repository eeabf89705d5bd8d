//! Whether a moment lies in a window of the week.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZoneDatabase;

use super::model::Window;

/// Whether `now` lies in the window. `None` if its time zone is unknown, which the check of the file refuses.
pub fn is_inside(window: &Window, now: Timestamp) -> Option<bool> {
    let zone = TimeZoneDatabase::bundled().get(&window.zone).ok()?;
    let local = now.to_zoned(zone);
    let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
    let begins_on = |day: Weekday| window.days.contains(&(day.to_monday_zero_offset()));
    let today = local.weekday();
    if window.from < window.to {
        return Some(begins_on(today) && (window.from..window.to).contains(&minute));
    }
    // It goes past midnight: the evening of a day, or the morning after.
    Some((begins_on(today) && minute >= window.from) || (begins_on(today.previous()) && minute < window.to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::model::Word;
    use crate::runbook::source::place::{FileName, Place, Span};

    fn window(days: &[i8], from: i32, to: i32) -> Window {
        let place = Place { file: FileName::new("policy.yaml"), span: Span::default() };
        Window { days: days.to_vec(), from, to, zone: Word::new("Europe/Berlin".into(), place) }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_past_midnight_belongs_to_the_day_on_which_it_begins() {
        let quiet = window(&[0, 1, 2, 3], 20 * 60, 6 * 60);

        assert_eq!(is_inside(&quiet, at("2026-11-19T21:00:00+01:00")), Some(true), "Thursday evening");
        assert_eq!(is_inside(&quiet, at("2026-11-20T05:59:00+01:00")), Some(true), "the morning after");
        assert_eq!(is_inside(&quiet, at("2026-11-20T06:00:00+01:00")), Some(false));
        assert_eq!(is_inside(&quiet, at("2026-11-20T21:00:00+01:00")), Some(false), "Friday evening");
        assert_eq!(is_inside(&quiet, at("2026-11-16T05:00:00+01:00")), Some(false), "after Sunday evening");
    }

    #[test]
    fn a_window_follows_daylight_saving() {
        let office = window(&[0], 9 * 60, 17 * 60);

        assert_eq!(is_inside(&office, at("2026-07-06T07:30:00Z")), Some(true), "9:30 in summer");
        assert_eq!(is_inside(&office, at("2026-12-07T07:30:00Z")), Some(false), "8:30 in winter");
    }
}
