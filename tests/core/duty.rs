//! Who is on duty: the same as plain arithmetic says, at every moment of years with daylight saving, north and south.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use proptest::prelude::*;
use steadyhand::duty::on_duty::Stretch;
use steadyhand::duty::read::read_notify;
use steadyhand::duty::tell::{Step, WAIT};
use steadyhand::duty::{Duty, Notify, OnDuty, Override, Why};
use steadyhand::policy::Policy;
use steadyhand::policy::decide::Holds;
use steadyhand::policy::read::read_policy;
use steadyhand::runbook::source::literal::Millis;
use steadyhand::runbook::source::name::{Person, Role, ScheduleName};
use steadyhand::runbook::source::place::FileName;
use steadyhand::runbook::source::problem::Problems;
use steadyhand::runbook::source::yaml::read_yaml;

const POLICY: &str = "policy: sample
people:
  anna: { discord: \"214600000000000001\" }
  ben: {}
  chidi: {}
  dana: {}
  emil: {}
roles:
  on-call: { schedule: primary, escalates_to: commander }
  commander: { people: [chidi, emil], escalates_to: board }
  board: { people: [dana], escalates_to: on-call }
";

fn policy() -> Policy {
    let (file, mut problems) = (FileName::new("policy.yaml"), Problems::default());
    let root = read_yaml(&file, POLICY, &mut problems).unwrap();
    read_policy(&file, &root, &mut problems)
}

fn notify(zone: &str, schedule: &str) -> Notify {
    let text = format!(
        "notify: sample
paths:
  chat: {{ kind: discord, channel: \"214600000000000100\", depends_on: [discord, egress] }}
  hook: {{ kind: webhook, url: \"https://hook.example\", secret: s, depends_on: [egress] }}
  mail: {{ kind: mail, server: \"mail:25\", from: a@b, depends_on: [host/web1] }}
people:
  anna: [chat, hook, {{ path: mail, to: anna@example.com }}]
schedules:
  primary:
    zone: {zone}
{schedule}"
    );
    let (file, mut problems) = (FileName::new("notify.yaml"), Problems::default());
    let root = read_yaml(&file, &text, &mut problems).unwrap_or_else(|| panic!("{problems:?}\n{text}"));
    let notify = read_notify(&file, &root, &mut problems);
    assert_eq!(problems.count(), 0, "{problems:?}\n{text}");
    notify
}

fn person(name: &str) -> Person {
    Person::new(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn on_schedule(notify: &Notify, overrides: &[Override], moment: Timestamp) -> OnDuty {
    let policy = policy();
    Duty { policy: &policy, notify: Ok(notify), overrides }.on_schedule("primary", moment).unwrap()
}

/// Who is on duty, `-` being nobody.
fn who(notify: &Notify, moment: &str) -> String {
    name(&on_schedule(notify, &[], at(moment)).people)
}

fn name(people: &[Person]) -> String {
    people.first().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// A zone as a list of changes of its offset: second, and minutes east of UTC from then on. Written down by hand.
struct Written {
    name: &'static str,
    before: i64,
    changes: &'static [(&'static str, i64)],
}

/// The same in minutes since 1970.
struct Zone {
    name: &'static str,
    before: i64,
    changes: Vec<(i64, i64)>,
}

const ZONES: [Written; 4] = [
    Written {
        name: "Europe/Berlin",
        before: 60,
        changes: &[
            ("2026-03-29T01:00:00Z", 120),
            ("2026-10-25T01:00:00Z", 60),
            ("2027-03-28T01:00:00Z", 120),
            ("2027-10-31T01:00:00Z", 60),
            ("2028-03-26T01:00:00Z", 120),
            ("2028-10-29T01:00:00Z", 60),
        ],
    },
    Written {
        name: "Australia/Sydney",
        before: 660,
        changes: &[
            ("2026-04-04T16:00:00Z", 600),
            ("2026-10-03T16:00:00Z", 660),
            ("2027-04-03T16:00:00Z", 600),
            ("2027-10-02T16:00:00Z", 660),
            ("2028-04-01T16:00:00Z", 600),
            ("2028-09-30T16:00:00Z", 660),
        ],
    },
    Written { name: "Asia/Kolkata", before: 330, changes: &[] },
    // Its clock is moved by half an hour.
    Written {
        name: "Australia/Lord_Howe",
        before: 660,
        changes: &[
            ("2026-04-04T15:00:00Z", 630),
            ("2026-10-03T15:30:00Z", 660),
            ("2027-04-03T15:00:00Z", 630),
            ("2027-10-02T15:30:00Z", 660),
            ("2028-04-01T15:00:00Z", 630),
            ("2028-09-30T15:30:00Z", 660),
        ],
    },
];

impl Zone {
    fn of(written: &Written) -> Self {
        let changes = written.changes.iter().map(|(from, offset)| (at(from).as_second() / 60, *offset));
        Self { name: written.name, before: written.before, changes: changes.collect() }
    }

    /// Minutes east of UTC at a minute since 1970.
    fn offset(&self, minute: i64) -> i64 {
        let past = self.changes.iter().rev().find(|(from, _)| *from <= minute);
        past.map_or(self.before, |(_, offset)| *offset)
    }

    /// The minute since 1970 of what the wall shows: the first of two; left out, as much later as the clock was moved.
    fn minute(&self, wall: i64) -> i64 {
        let offsets: BTreeSet<i64> =
            self.changes.iter().map(|(_, offset)| *offset).chain([self.before]).collect();
        let shown =
            offsets.iter().map(|offset| wall - offset).filter(|minute| minute + self.offset(*minute) == wall);
        shown.min().unwrap_or_else(|| wall - offsets.first().unwrap())
    }
}

/// Hours of the week, as a test writes them.
#[derive(Debug, Clone)]
struct Hours {
    days: Vec<i64>,
    from: i64,
    to: i64,
}

/// A layer, as a test writes it.
#[derive(Debug, Clone)]
struct Layer {
    people: Vec<&'static str>,
    /// Minutes, and what the wall shows at the first turn.
    turn: Option<(i64, i64)>,
    hours: Hours,
}

const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Hours {
    fn yaml(&self) -> String {
        let days: Vec<&str> = self.days.iter().map(|day| DAY_NAMES[usize::try_from(*day).unwrap()]).collect();
        let clock = |minute: i64| format!("\"{:02}:{:02}\"", minute / 60, minute % 60);
        format!("days: [{}], between: [{}, {}]", days.join(", "), clock(self.from), clock(self.to))
    }

    fn hold(&self, zone: &Zone, minute: i64) -> bool {
        let today = (minute + zone.offset(minute)).div_euclid(1440);
        (today - 2..=today + 1).any(|day| {
            // 1970-01-01 was a Thursday.
            let end = if self.from < self.to { self.to } else { self.to + 1440 };
            self.days.contains(&(day + 3).rem_euclid(7))
                && zone.minute(day * 1440 + self.from) <= minute
                && minute < zone.minute(day * 1440 + end)
        })
    }
}

impl Layer {
    fn yaml(&self) -> String {
        let turn = self.turn.map(|(every, from)| {
            let from = Timestamp::from_second(from * 60).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
            format!("every: {every}m, from: \"{}\", ", from.strftime("%Y-%m-%d %H:%M"))
        });
        format!(
            "      - {{ people: [{}], {}{} }}\n",
            self.people.join(", "),
            turn.unwrap_or_default(),
            self.hours.yaml()
        )
    }

    fn who(&self, zone: &Zone, minute: i64) -> Option<&'static str> {
        if !self.hours.hold(zone, minute) {
            return None;
        }
        let Some((every, from)) = self.turn else { return Some(self.people[0]) };
        if minute < zone.minute(from) {
            return None;
        }
        // Turn after turn; those that are long over are not looked at.
        let mut turn = ((minute - zone.minute(from)) / every - 2).max(0);
        while zone.minute(from + (turn + 1) * every) <= minute {
            turn += 1;
        }
        Some(self.people[usize::try_from(turn).unwrap() % self.people.len()])
    }
}

fn expected(zone: &Zone, layers: &[Layer], gap: Option<&Hours>, minute: i64) -> &'static str {
    if gap.is_some_and(|gap| gap.hold(zone, minute)) {
        return "-";
    }
    layers.iter().rev().find_map(|layer| layer.who(zone, minute)).unwrap_or("-")
}

fn schedule(layers: &[Layer], gap: Option<&Hours>) -> String {
    let layers: String = layers.iter().map(Layer::yaml).collect();
    let gap = gap.map(|gap| format!("    gaps:\n      - {{ {}, why: \"others answer\" }}\n", gap.yaml()));
    format!("    layers:\n{layers}{}", gap.unwrap_or_default())
}

/// What the wall shows, in minutes since 1970.
fn wall(text: &str) -> i64 {
    let shown: DateTime = text.parse().unwrap();
    shown.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second() / 60
}

#[test]
fn at_every_moment_of_three_years_it_is_who_plain_arithmetic_says() {
    let always = Hours { days: (0..7).collect(), from: 0, to: 1440 };
    let layers = [
        Layer {
            people: vec!["anna", "ben", "chidi"],
            turn: Some((7 * 1440, wall("2025-12-29 09:00"))),
            hours: always,
        },
        Layer { people: vec!["dana"], turn: None, hours: Hours { days: vec![5, 6], from: 0, to: 1440 } },
        Layer {
            people: vec!["emil", "ben"],
            turn: Some((2 * 1440, wall("2026-01-01 12:00"))),
            hours: Hours { days: vec![0, 1, 2, 3], from: 22 * 60, to: 6 * 60 },
        },
    ];
    let gap = Hours { days: vec![6], from: 120, to: 240 };
    let (mut moments, mut seen) = (0, BTreeSet::new());
    let policy = policy();
    for zone in ZONES.iter().map(Zone::of) {
        let notify = notify(zone.name, &schedule(&layers, Some(&gap)));
        // With the leap day of 2028, and three ends of a year.
        for (from, to) in [("2025-12-28 00:00", "2026-12-31 12:00"), ("2027-12-20 00:00", "2028-04-10 00:00")]
        {
            let mut minute = wall(from);
            while minute < wall(to) {
                let moment = Timestamp::from_second(minute * 60).unwrap();
                let duty = Duty { policy: &policy, notify: Ok(&notify), overrides: &[] };
                let found = name(&duty.who("primary", moment).unwrap());
                let wanted = expected(&zone, &layers, Some(&gap), minute);
                assert_eq!(found, wanted, "{} at {moment}", zone.name);
                (moments, minute) = (moments + 1, minute + 17);
                seen.insert(found);
            }
        }
    }
    assert!(moments > 100_000, "{moments}");
    assert_eq!(seen.len(), 6, "{seen:?}");
}

fn hours() -> impl Strategy<Value = Hours> {
    let day = prop::collection::btree_set(0..7_i64, 1..=7);
    // Around the hours in which clocks are moved, and anywhere.
    let clock = || prop_oneof![Just(0), Just(120), Just(150), Just(180), 0..1440_i64];
    (day, clock(), prop_oneof![Just(1440), clock()]).prop_map(|(days, from, to)| Hours {
        days: days.into_iter().collect(),
        from,
        to,
    })
}

fn layer() -> impl Strategy<Value = Layer> {
    let people = prop::sample::subsequence(vec!["anna", "ben", "chidi", "dana", "emil"], 1..=4);
    let every = prop_oneof![Just(1440), Just(7 * 1440), Just(720), 60..20_000_i64];
    let from = prop_oneof![
        Just(wall("2026-03-28 02:30")),
        Just(wall("2026-10-24 02:30")),
        wall("2025-12-01 00:00")..wall("2026-06-01 00:00")
    ];
    (people, every, from, hours()).prop_map(|(people, every, from, hours)| Layer {
        people,
        turn: Some((every, from)),
        hours,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_schedule_it_is_who_plain_arithmetic_says(
        zone in 0..ZONES.len(),
        layers in prop::collection::vec(layer(), 1..=3),
        gap in prop::option::of(hours()),
        minutes in prop::collection::vec(wall("2026-01-01 00:00")..wall("2026-12-31 00:00"), 20),
    ) {
        let zone = &Zone::of(&ZONES[zone]);
        let notify = notify(zone.name, &schedule(&layers, gap.as_ref()));
        // The hours around each change of the clock as well, minute for minute but three.
        let near = zone.changes.iter().take(2).flat_map(|(change, _)| (change - 150..change + 150).step_by(15));
        for minute in minutes.into_iter().chain(near) {
            let moment = Timestamp::from_second(minute * 60).unwrap();
            let found = on_schedule(&notify, &[], moment);
            prop_assert_eq!(name(&found.people), expected(zone, &layers, gap.as_ref(), minute), "{}", moment);
            // The end of the duty is where the arithmetic has it: not a minute earlier, not a minute later.
            if let Some(until) = found.until {
                let end = until.as_second() / 60;
                prop_assert!(end > minute && until.as_second() % 60 == 0);
                prop_assert_eq!(name(&found.next), expected(zone, &layers, gap.as_ref(), end));
                for between in (minute..end).rev().take(10) {
                    prop_assert_eq!(expected(zone, &layers, gap.as_ref(), between), name(&found.people));
                }
            }
        }
    }
}

const WEEKLY: &str = "    layers:\n      - { people: [anna, ben], every: 7d, from: \"2026-01-05 09:00\" }\n";

#[test]
fn a_hand_over_at_nine_stays_at_nine_when_the_clock_is_moved() {
    let notify = notify("Europe/Berlin", WEEKLY);

    // Summer time begins on Sunday, 29 March: the hand-over on Monday is at 9:00 CEST.
    assert_eq!(who(&notify, "2026-03-30T08:59:59+02:00"), "ben");
    assert_eq!(who(&notify, "2026-03-30T09:00:00+02:00"), "anna");
    let duty = on_schedule(&notify, &[], at("2026-03-24T12:00:00+01:00"));
    assert_eq!((duty.until, name(&duty.next)), (Some(at("2026-03-30T09:00:00+02:00")), "anna".to_owned()));
    // Winter time again.
    assert_eq!(who(&notify, "2026-10-26T08:59:59+01:00"), "ben");
    assert_eq!(who(&notify, "2026-10-26T09:00:00+01:00"), "anna");
    assert_eq!(who(&notify, "2026-01-05T08:59:00+01:00"), "-", "before the first turn");
}

#[test]
fn a_hand_over_at_a_time_that_daylight_saving_leaves_out_is_as_much_later_and_one_that_comes_twice_is_the_first()
 {
    let daily = "    layers:\n      - { people: [anna, ben], every: 1d, from: \"2026-03-27 02:30\" }\n";
    let notify = notify("Europe/Berlin", daily);

    // 29 March: 02:30 is not there; what would have been 02:30 is 03:30 CEST.
    assert_eq!(who(&notify, "2026-03-29T01:59:59+01:00"), "ben");
    assert_eq!(who(&notify, "2026-03-29T03:29:59+02:00"), "ben");
    assert_eq!(who(&notify, "2026-03-29T03:30:00+02:00"), "anna");
    // The day after it is 02:30 again.
    assert_eq!(who(&notify, "2026-03-30T02:29:59+02:00"), "anna");
    assert_eq!(who(&notify, "2026-03-30T02:30:00+02:00"), "ben");
    // 25 October: 02:30 comes twice, and the clock that goes back takes nobody off duty again.
    assert_eq!(who(&notify, "2026-10-25T02:29:59+02:00"), "ben");
    assert_eq!(who(&notify, "2026-10-25T02:30:00+02:00"), "anna");
    assert_eq!(who(&notify, "2026-10-25T02:10:00+01:00"), "anna");
    assert_eq!(who(&notify, "2026-10-26T02:29:59+01:00"), "anna");
    assert_eq!(who(&notify, "2026-10-26T02:30:00+01:00"), "ben");
}

fn stands_in(person_name: &str, from: &str, to: &str) -> Override {
    Override {
        schedule: ScheduleName::new("primary").unwrap(),
        person: person(person_name),
        from: at(from),
        to: at(to),
        by: person("chidi"),
        why: "a swap of days".to_owned(),
    }
}

#[test]
fn who_stands_in_goes_before_the_file_the_newest_first_and_only_those_whom_the_files_trust() {
    let notify = notify("UTC", WEEKLY);
    let overrides = [
        stands_in("ben", "2026-01-06T00:00:00Z", "2026-01-08T00:00:00Z"),
        stands_in("emil", "2026-01-07T00:00:00Z", "2026-01-07T12:00:00Z"),
        // Neither takes turns there, nor is a commander.
        stands_in("dana", "2026-01-06T00:00:00Z", "2026-01-10T00:00:00Z"),
    ];
    let who = |moment: &str| on_schedule(&notify, &overrides, at(moment));

    assert_eq!(name(&who("2026-01-05T23:59:59Z").people), "anna");
    let duty = who("2026-01-06T00:00:00Z");
    assert_eq!(name(&duty.people), "ben");
    assert_eq!(duty.why, Why::StandsIn { by: person("chidi"), why: "a swap of days".to_owned() });
    assert_eq!((duty.until, name(&duty.next)), (Some(at("2026-01-07T00:00:00Z")), "emil".to_owned()));
    assert_eq!(name(&who("2026-01-07T11:59:59Z").people), "emil");
    assert_eq!(name(&who("2026-01-07T12:00:00Z").people), "ben");
    assert_eq!(name(&who("2026-01-08T00:00:00Z").people), "anna");
    assert_eq!(who("2026-01-08T00:00:00Z").until, Some(at("2026-01-12T09:00:00Z")), "the turn goes on");
}

#[test]
fn gaps_are_the_hours_that_nobody_holds_and_nobody_declares() {
    let office = "    layers:\n      - { people: [anna], days: [mon, tue, wed, thu, fri] }\n    gaps:\n      - { days: [sat], why: \"closed on Saturdays\" }\n";
    let notify = notify("Europe/Berlin", office);
    let policy = policy();
    let gaps = |overrides: &[Override], from, to| {
        Duty { policy: &policy, notify: Ok(&notify), overrides }.gaps("primary", at(from), at(to)).unwrap()
    };
    let sunday = |from, to| Stretch { from: at(from), to: at(to) };

    // A Sunday of 23 hours, and the next.
    assert_eq!(
        gaps(&[], "2026-03-26T12:00:00+01:00", "2026-04-05T12:00:00+02:00"),
        [
            sunday("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
            sunday("2026-04-05T00:00:00+02:00", "2026-04-05T12:00:00+02:00"),
        ]
    );
    let covered = [stands_in("emil", "2026-03-29T06:00:00+02:00", "2026-03-30T00:00:00+02:00")];
    assert_eq!(
        gaps(&covered, "2026-03-28T12:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        [sunday("2026-03-29T00:00:00+01:00", "2026-03-29T06:00:00+02:00")]
    );
    let saturday = on_schedule(&notify, &[], at("2026-03-28T12:00:00+01:00"));
    assert_eq!(saturday.why, Why::Declared("closed on Saturdays".to_owned()));
    assert_eq!(saturday.until, Some(at("2026-03-29T00:00:00+01:00")), "an undeclared gap begins");
    let always = on_schedule(
        &self::notify("UTC", "    layers:\n      - { people: [anna] }\n"),
        &[],
        at("2026-01-01T00:00:00Z"),
    );
    assert_eq!((name(&always.people), always.until), ("anna".to_owned(), None));
}

#[test]
fn a_role_of_a_schedule_is_held_by_whoever_is_on_duty_at_that_moment() {
    let (policy, notify) = (policy(), notify("UTC", WEEKLY));
    let duty = Duty { policy: &policy, notify: Ok(&notify), overrides: &[] };
    let role = ["on-call".to_owned()];
    let before = duty.policy_at(at("2026-01-12T08:59:59Z"));
    let after = duty.policy_at(at("2026-01-12T09:00:00Z"));

    assert_eq!(
        (before.holds(&person("anna"), &role), before.holds(&person("ben"), &role)),
        (Holds::Yes, Holds::No)
    );
    assert_eq!(
        (after.holds(&person("anna"), &role), after.holds(&person("ben"), &role)),
        (Holds::No, Holds::Yes)
    );
    assert_eq!(after.holders(&role), [person("ben")]);
    assert!(Duty { policy: &after, ..duty }.is_policy_of(at("2026-01-15T00:00:00Z")));
    assert!(!Duty { policy: &after, ..duty }.is_policy_of(at("2026-01-19T09:00:00Z")));
    // As the file says it alone, nobody can know; and no schedules are not an empty rota.
    assert!(matches!(policy.holds(&person("anna"), &role), Holds::Unknown(_)));
    let none =
        Duty { notify: Err("notify.yaml has 2 problems"), ..duty }.policy_at(at("2026-01-12T09:00:00Z"));
    let Holds::Unknown(why) = none.holds(&person("ben"), &role) else { panic!("somebody knows") };
    assert!(why.ends_with("notify.yaml has 2 problems"), "{why}");
}

#[test]
fn ways_have_the_address_that_their_path_needs_and_the_two_at_once_share_nothing() {
    let (policy, notify) = (policy(), notify("UTC", WEEKLY));
    let duty = Duty { policy: &policy, notify: Ok(&notify), overrides: &[] };
    let ways = duty.ways(&person("anna"));
    let addresses: Vec<_> = ways.iter().map(|way| (way.path.as_str(), way.address.as_str())).collect();

    assert_eq!(addresses, [("chat", "214600000000000001"), ("hook", ""), ("mail", "anna@example.com")]);
    let two: Vec<_> = Duty::first_two(&ways).into_iter().map(|way| way.path.as_str()).collect();
    assert_eq!(two, ["chat", "mail"], "the hook goes over the same egress");
    assert_eq!(Duty::first_two(&ways[..2]).len(), 2, "better two that share than one");
    assert!(duty.ways(&person("ben")).is_empty());
}

#[test]
fn a_role_without_an_escalation_escalates_as_the_policy_says_and_comes_to_an_end() {
    let (policy, notify) = (policy(), notify("UTC", WEEKLY));
    let duty = Duty { policy: &policy, notify: Ok(&notify), overrides: &[] };
    let step = |role| Step { tell: vec![Role::new(role).unwrap()], wait: WAIT };

    let escalation = duty.escalation(&Role::new("on-call").unwrap());
    assert_eq!(escalation.steps, [step("on-call"), step("commander"), step("board")]);
    assert_eq!(WAIT, Millis(300_000));
}
