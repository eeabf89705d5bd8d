//! What holds for every sequence of inputs: the same events give the same state, nothing spins, no notice vanishes, who
//! was called and has not answered is called again.

use jiff::SignedDuration;
use proptest::prelude::*;
use steadyhand::duty::Duty;
use steadyhand::incident::input::Answer;
use steadyhand::incident::model::{
    Audience, Delivery, Obligation, Opened, Owed, Part, Severity, Status, Trouble,
};
use steadyhand::incident::{Event, Input, Says, apply, deadline, decide, next};
use steadyhand::run::RunId;
use steadyhand::run::model::Outcome;
use steadyhand::runbook::source::literal::Millis;

use super::driven::{Driven, Path, TUESDAY, by_run, opened, person, replayed, tell, usual, with_schedules};
use super::reports;

#[derive(Debug, Clone, Copy)]
struct Move {
    kind: u8,
    which: u8,
    how: u8,
}

const PEOPLE: [&str; 6] = ["anna", "ben", "chidi", "sue", "tom", "zoe"];
const SEVERITIES: [Severity; 4] = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Planned];
const STATUSES: [Status; 5] =
    [Status::Investigating, Status::Identified, Status::Monitoring, Status::Resolved, Status::Closed];

fn some_opened() -> impl Strategy<Value = (Opened, u8)> {
    (0..4_usize, any::<bool>(), any::<u8>(), any::<u8>()).prop_map(|(severity, run, drill, tells)| {
        let severity = SEVERITIES[severity];
        let base = if run { by_run(7, severity, Trouble::Starts) } else { opened(severity) };
        let drill = (drill % 5 == 0).then(|| vec![person("tom"), person("zoe")]);
        (Opened { drill, ..base }, tells)
    })
}

fn some_tells(which: u8) -> Vec<steadyhand::plan::model::TellPlan> {
    let all = [
        tell("support", "before-start", "acknowledged", 10),
        tell("status-page", "before-start", "published", 10),
        tell("support", "start", "delivered", 5),
        tell("on-call", "start", "acknowledged", 7),
    ];
    all.into_iter().enumerate().filter(|(nth, _)| which & (1 << nth) != 0).map(|(_, tell)| tell).collect()
}

/// Every third file has a weekday rota only; every fifth world has no file at all.
fn world(which: u8) -> Option<steadyhand::duty::Notify> {
    let weekdays = "schedules:
  primary: { zone: Europe/Berlin, layers: [{ people: [anna, ben], every: 1d, from: \"2026-11-17 12:00\" }] }
  help: { zone: Europe/Berlin, layers: [{ people: [sue], days: [wed], between: [\"08:00\", \"20:00\"] }] }
";
    match which % 5 {
        0 => None,
        1 | 2 => Some(with_schedules(weekdays)),
        _ => Some(usual()),
    }
}

impl Driven {
    fn moves(&mut self, Move { kind, which, how }: Move) {
        let who = PEOPLE[usize::from(which) % PEOPLE.len()];
        let severity = SEVERITIES[usize::from(how) % 4];
        let says = |says| Input::Person { by: person(who), says };
        let why = || "a long enough reason".to_owned();
        let notices = u32::try_from(self.incident.notices.len()).unwrap();
        let number = u32::from(how) % (notices + 2);
        let input = match kind % 24 {
            0 | 1 => says(Says::Acknowledge { how: "console".to_owned() }),
            2 => says(Says::Update { text: "some news".to_owned(), for_support: how % 2 == 0 }),
            3 => says(Says::Draft { text: "Orders are slow.".to_owned() }),
            4 => says(Says::Publish { digest: self.digest().filter(|_| how % 7 != 0) }),
            5 => says(Says::Severity { severity, why: why() }),
            6 => says(Says::Status { status: STATUSES[usize::from(how) % 5] }),
            7 => says(Says::Resolve),
            8 => says(Says::Waive { obligation: u32::from(how) % 9, why: why() }),
            9 => says(Says::Escalate),
            10 => says(Says::Take { part: Part::Commander, person: person("ben") }),
            11 => {
                let texts = [Trouble::Starts, Trouble::Stopped, Trouble::Failed("x".to_owned())];
                let trouble = texts[usize::from(how) % 3].clone();
                let run = RunId(7 + u64::from(which % 3));
                Input::Run { run, trouble, severity, tell: some_tells(how / 3) }
            }
            12 => {
                let outcome = [Outcome::Succeeded, Outcome::Stopped, Outcome::Stuck][usize::from(how) % 3];
                let tell = some_tells(how & 4);
                Input::RunEnded { run: RunId(7 + u64::from(which % 3)), outcome, tell }
            }
            13 => Input::Sends { notices: (1..u32::from(how)).collect() },
            14 | 15 => {
                let answer = match which % 4 {
                    0 => Answer::Accepted(None),
                    1 => Answer::NotNow("busy".to_owned(), Some(Millis::seconds(i64::from(how)))),
                    2 => Answer::Never("no".to_owned()),
                    _ => Answer::Unknown("it broke".to_owned()),
                };
                let attempt = self.incident.notice(number).map_or(1, |it| it.attempts);
                Input::Sent { notice: number, attempt: attempt + u32::from(which > 250), answer }
            }
            16 => {
                let path = ["chat", "mail", "pager", "sms", "siren", "page"][usize::from(which) % 6];
                let does = [Path::Takes, Path::Busy(None), Path::Refuses, Path::Silent];
                self.path(path, does[usize::from(how) % 4].clone());
                return;
            }
            17 => return self.sends(),
            // Time passes while nobody looks: the process was away.
            18 => {
                self.now += SignedDuration::from_secs(i64::from(which) * i64::from(how));
                Input::Tick
            }
            19 | 20 => return self.minutes(i64::from(how % 40)),
            21 | 22 => {
                let mut report = reports::alert(20, &format!("a{}", which % 5), None);
                report.said.over = how % 3 == 0;
                Input::Reported { report, at_once: how % 5 == 0 }
            }
            _ => Input::Tick,
        };
        self.hears(&input);
    }

    /// What is due is done, and then nothing is due any more.
    fn does_not_spin(&self) {
        let mut driven = self.clone();
        driven.paths.clear();
        if let Some(due) = deadline(&driven.incident) {
            driven.now = driven.now.max(due);
        }
        for _ in 0..50 {
            let ticked = driven.hears(&Input::Tick).events.len();
            driven.sends();
            if ticked == 0 {
                break;
            }
        }
        assert_eq!(driven.hears(&Input::Tick).events, []);
        assert!(next(&driven.incident, driven.now).is_empty());
        let due = deadline(&driven.incident);
        assert!(due.is_none_or(|due| due > driven.now), "{due:?} {} {:#?}", driven.now, driven.incident);
    }

    fn duty_of(&self) -> Duty<'_> {
        let notify = self.notify.as_ref().ok_or("it is not there");
        Duty { policy: &self.policy, notify, overrides: &self.overrides }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_spins_nothing_vanishes_and_a_replay_is_the_same(
        (opened, tells) in some_opened(),
        file in any::<u8>(),
        moves in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 1..40),
    ) {
        let mut driven = Driven::open(&opened, &some_tells(tells), TUESDAY, world(file));
        for (kind, which, how) in moves {
            driven.moves(Move { kind, which, how });
            driven.does_not_spin();
            // What is decided is a matter of state, input and time, and of nothing else.
            let tick = || decide(&driven.incident, &Input::Tick, driven.now, &driven.duty_of());
            prop_assert_eq!(tick(), tick());
        }
        prop_assert_eq!(&replayed(&driven.log), &driven.incident);
        // From any prefix the rest leads to the same.
        for cut in (1..driven.log.len()).step_by(driven.log.len() / 15 + 1) {
            let mut incident = replayed(&driven.log[..cut]);
            let _ = (next(&incident, driven.now), deadline(&incident));
            driven.log[cut..].iter().for_each(|stamped| apply(&mut incident, stamped));
            prop_assert_eq!(&incident, &driven.incident);
        }
        // It is never over for us and not for customers.
        let mut incident = replayed(&driven.log[..1]);
        for stamped in &driven.log[1..] {
            let ends = matches!(stamped.event, Event::IncidentStatus { status: Status::Resolved });
            prop_assert!(!(ends && incident.customers_wait()), "{:#?}", incident);
            apply(&mut incident, stamped);
        }
        let wants = driven.incident.wants_all_clear();
        prop_assert!(!wants || driven.incident.owed_to_customers().is_some());
        let cleared = |it: &Obligation| it.owed == Owed::AllClear && it.is_open();
        prop_assert!(wants || !driven.incident.obligations.iter().any(cleared));
        for notice in &driven.incident.notices {
            // Only Support and the public have audiences of their own, and the public reads what a person published.
            let published = matches!(notice.about, steadyhand::incident::model::About::Published(_));
            prop_assert_eq!(notice.audience == Audience::Public, published);
            prop_assert!(!(driven.incident.is_closed() && matches!(notice.delivery, Delivery::Waiting(_))));
        }
        // Somebody ended each call that ended before its time; an acknowledgement has a name.
        for obligation in driven.incident.obligations.iter().filter(|it| it.owed == Owed::Acknowledged) {
            prop_assert!(!matches!(obligation.end, Some(steadyhand::incident::model::End::Met(None))));
            prop_assert!(!obligation.is_open() || obligation.call.is_some() || driven.incident.is_closed());
        }
    }
}
