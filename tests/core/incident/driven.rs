//! An incident that is driven as the engine does it: what is decided is recorded, what may be sent is sent, what is due
//! is done when its time comes. Paths take everything, refuse, are busy or silent, as a test says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use steadyhand::duty::read::read_notify;
use steadyhand::duty::{Duty, Notify, Override};
use steadyhand::incident::decide::open;
use steadyhand::incident::input::Answer;
use steadyhand::incident::model::{
    About, Cause, Delivery, Notice, Obligation, Opened, Owed, Severity, Trouble,
};
use steadyhand::incident::{
    Decided, Event, Incident, IncidentId, Input, Refusal, Says, Stamped, apply, deadline, decide, next,
};
use steadyhand::plan::model::TellPlan;
use steadyhand::policy::Policy;
use steadyhand::policy::read::read_policy;
use steadyhand::run::RunId;
use steadyhand::runbook::source::literal::Millis;
use steadyhand::runbook::source::name::{Person, Role};
use steadyhand::runbook::source::place::FileName;
use steadyhand::runbook::source::problem::Problems;
use steadyhand::runbook::source::yaml::read_yaml;

pub(super) const POLICY: &str = "policy: sample
people:
  anna: { discord: \"214600000000000001\" }
  ben: { discord: \"214600000000000002\" }
  chidi: { discord: \"214600000000000003\" }
  sue: { discord: \"214600000000000004\" }
  tom: { discord: \"214600000000000005\" }
  zoe: {}
roles:
  on-call: { schedule: primary, escalates_to: commander }
  commander: { people: [chidi] }
  support: { schedule: help, escalates_to: commander }
  nobody: { people: [zoe] }
";

/// A Tuesday in the morning: anna is on call, sue is of Support.
pub(super) const TUESDAY: &str = "2026-11-17T08:00:00Z";

const PATHS: &str = "notify: sample
paths:
  chat: { kind: discord, channel: \"214600000000000100\", depends_on: [discord] }
  mail: { kind: mail, server: \"mail:25\", from: a@b.example, depends_on: [relay] }
  pager: { kind: pagerduty, routing_key: k, depends_on: [pagerduty] }
  sms: { kind: webhook, url: \"https://sms.example\", secret: s, depends_on: [gsm] }
  siren: { kind: webhook, url: \"https://siren.example\", secret: s, depends_on: [modem] }
  page: { kind: webhook, url: \"https://page.example\", secret: s, depends_on: [page] }
people:
  anna: [chat, { path: mail, to: anna@x.example }, pager, sms]
  ben: [chat, { path: mail, to: ben@x.example }]
  chidi: [chat, { path: mail, to: chidi@x.example }]
  sue: [chat, { path: mail, to: sue@x.example }, sms]
  tom: [chat, { path: mail, to: tom@x.example }]
public: [page]
";

const SCHEDULES: &str = "schedules:
  primary:
    zone: Europe/Berlin
    layers:
      - { people: [anna, ben], every: 7d, from: \"2026-11-16 09:00\" }
  help:
    zone: Europe/Berlin
    layers:
      - { people: [sue], days: [mon, tue, wed, thu, fri] }
";

const ESCALATIONS: &str = "escalations:
  on-call: { steps: [{ tell: [on-call], wait: 5m }, { tell: [commander], wait: 5m }], last_resort: [siren] }
  support: { steps: [{ tell: [support], wait: 10m }, { tell: [commander], wait: 10m }], last_resort: [siren] }
  commander: { steps: [{ tell: [commander], wait: 5m }], last_resort: [siren] }
";

pub(super) fn person(name: &str) -> Person {
    Person::new(name).unwrap()
}

pub(super) fn role(name: &str) -> Role {
    Role::new(name).unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn policy() -> Policy {
    let (file, mut problems) = (FileName::new("policy.yaml"), Problems::default());
    let root = read_yaml(&file, POLICY, &mut problems).unwrap();
    read_policy(&file, &root, &mut problems)
}

pub(super) fn notify(text: &str) -> Notify {
    let (file, mut problems) = (FileName::new("notify.yaml"), Problems::default());
    let root = read_yaml(&file, text, &mut problems).unwrap_or_else(|| panic!("{problems:?}\n{text}"));
    let notify = read_notify(&file, &root, &mut problems);
    assert_eq!(problems.count(), 0, "{problems:?}\n{text}");
    notify
}

/// The usual file.
pub(super) fn usual() -> Notify {
    notify(&format!("{PATHS}{SCHEDULES}{ESCALATIONS}"))
}

/// The usual file, but the chat is Slack, which knows no keys.
pub(super) fn over_slack() -> Notify {
    let discord = "kind: discord, channel: \"214600000000000100\", depends_on: [discord]";
    let paths = PATHS.replace(discord, "kind: slack, url: slack_url, depends_on: [slack]");
    assert_ne!(paths, PATHS);
    notify(&format!("{paths}{SCHEDULES}{ESCALATIONS}"))
}

/// The usual paths, people and escalations, and other schedules.
pub(super) fn with_schedules(schedules: &str) -> Notify {
    notify(&format!("{PATHS}{schedules}{ESCALATIONS}"))
}

/// The usual paths, people and schedules, and other escalations.
pub(super) fn with_escalations(escalations: &str) -> Notify {
    notify(&format!("{PATHS}{SCHEDULES}{escalations}"))
}

/// What a path does with what it is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Path {
    Takes,
    Busy(Option<Millis>),
    Refuses,
    /// Says nothing at all: the attempt is over when its time is.
    Silent,
}

pub(super) fn opened(severity: Severity) -> Opened {
    Opened {
        cause: Cause::Person { by: person("ben"), why: "customers call".to_owned() },
        severity,
        service: None,
        title: "Orders".to_owned(),
        components: Vec::new(),
        what: "web1 answers 500 to POST /orders".to_owned(),
        owner: role("on-call"),
        drill: None,
        news: None,
        follows: None,
    }
}

pub(super) fn by_run(run: u64, severity: Severity, trouble: Trouble) -> Opened {
    Opened { cause: Cause::Run { run: RunId(run), trouble }, ..opened(severity) }
}

pub(super) fn tell(who: &str, at: &str, until: &str, minutes: i64) -> TellPlan {
    TellPlan {
        who: who.to_owned(),
        at: at.to_owned(),
        until: until.to_owned(),
        within: Millis::minutes(minutes),
    }
}

#[derive(Clone)]
pub(super) struct Driven {
    pub(super) policy: Policy,
    pub(super) notify: Option<Notify>,
    pub(super) overrides: Vec<Override>,
    pub(super) incident: Incident,
    pub(super) now: Timestamp,
    pub(super) log: Vec<Stamped>,
    pub(super) paths: BTreeMap<String, Path>,
}

pub(super) fn an_incident(severity: Severity) -> Driven {
    Driven::open(&opened(severity), &[], TUESDAY, Some(usual()))
}

impl Driven {
    pub(super) fn open(opened: &Opened, tell: &[TellPlan], now: &str, notify: Option<Notify>) -> Self {
        let (policy, now) = (policy(), at(now));
        let duty = Duty { policy: &policy, notify: notify.as_ref().ok_or("it is not there"), overrides: &[] };
        let events = open(IncidentId(31), opened, tell, now, &duty);
        let by = match &opened.cause {
            Cause::Person { by, .. } => Some(by.clone()),
            _ => None,
        };
        let log: Vec<_> =
            events.into_iter().map(|event| Stamped { at: now, by: by.clone(), event }).collect();
        let incident = replayed(&log);
        let driven =
            Self { policy, notify, overrides: Vec::new(), incident, now, log, paths: BTreeMap::new() };
        driven.is_sound();
        driven
    }

    fn duty(&self) -> Duty<'_> {
        let notify = self.notify.as_ref().ok_or("it is not there");
        Duty { policy: &self.policy, notify, overrides: &self.overrides }
    }

    pub(super) fn hears(&mut self, input: &Input) -> Decided {
        let decided = decide(&self.incident, input, self.now, &self.duty());
        let by = match input {
            Input::Person { by, .. } => Some(by.clone()),
            _ => None,
        };
        let free = self.released();
        for event in &decided.events {
            let stamped = Stamped { at: self.now, by: by.clone(), event: event.clone() };
            apply(&mut self.incident, &stamped);
            self.log.push(stamped);
        }
        for run in self.released().difference(&free) {
            let waited_for = self.incident.runs[run].waits_for.iter();
            let open = waited_for.filter(|it| self.incident.obligation(**it).unwrap().is_open()).count();
            assert_eq!(open, 0, "a run begins when everybody knows");
        }
        assert!(decided.refusal.is_none() || decided.events.is_empty(), "{decided:?}");
        self.is_sound();
        decided
    }

    fn released(&self) -> BTreeSet<RunId> {
        self.incident.runs.iter().filter(|(_, seen)| seen.released).map(|(run, _)| *run).collect()
    }

    /// What holds after every input.
    fn is_sound(&self) {
        let queued = self.log.iter().filter(|it| matches!(it.event, Event::NoticeQueued { .. })).count();
        assert_eq!(queued, self.incident.notices.len(), "no notice vanishes");
        assert_eq!(self.incident.version, self.log.len() as u64);
        let heads = next(&self.incident, self.now);
        for number in &heads {
            assert!(matches!(self.notice(*number).delivery, Delivery::Waiting(_)));
        }
        if self.incident.is_drill() {
            let people = self.incident.opened.drill.clone().unwrap();
            for notice in &self.incident.notices {
                assert!(notice.to.as_ref().is_some_and(|to| people.contains(to)), "{notice:?}");
            }
        }
    }

    pub(super) fn says(&mut self, by: &str, says: Says) -> Decided {
        let decided = self.hears(&Input::Person { by: person(by), says });
        assert_eq!(decided.refusal, None);
        decided
    }

    pub(super) fn refuses(&mut self, by: &str, says: Says) -> Refusal {
        self.hears(&Input::Person { by: person(by), says }).refusal.expect("it is refused")
    }

    pub(super) fn acknowledges(&mut self, by: &str) -> Decided {
        self.says(by, Says::Acknowledge { how: "console".to_owned() })
    }

    /// What names the draft as it stands.
    pub(super) fn digest(&self) -> Option<String> {
        self.incident.draft_digest().map(|digest| digest.short().to_owned())
    }

    /// Somebody publishes what stands there now.
    pub(super) fn publishes(&mut self, by: &str) -> Decided {
        let digest = self.digest();
        self.says(by, Says::Publish { digest })
    }

    pub(super) fn path(&mut self, path: &str, does: Path) {
        self.paths.insert(path.to_owned(), does);
    }

    /// Sends what may be sent, and hears what the paths answer, until nothing may be sent any more.
    pub(super) fn sends(&mut self) {
        loop {
            let notices = next(&self.incident, self.now);
            if notices.is_empty() {
                return;
            }
            self.hears(&Input::Sends { notices: notices.clone() });
            for number in notices {
                let notice = self.notice(number).clone();
                let Delivery::Sending(_) = notice.delivery else { continue };
                let answer = match self.paths.get(notice.way.path.as_str()).unwrap_or(&Path::Takes) {
                    Path::Takes => Answer::Accepted(None),
                    Path::Busy(pause) => Answer::NotNow("busy".to_owned(), *pause),
                    Path::Refuses => Answer::Never("no such reader".to_owned()),
                    Path::Silent => continue,
                };
                self.hears(&Input::Sent { notice: number, attempt: notice.attempts, answer });
            }
        }
    }

    /// So much later: whatever is due on the way is done when it is due.
    pub(super) fn later(&mut self, seconds: i64) {
        let end = self.now + SignedDuration::from_secs(seconds);
        self.sends();
        let mut ticks = 0;
        while let Some(due) = deadline(&self.incident).filter(|due| *due <= end) {
            ticks = if due > self.now { 0 } else { ticks + 1 };
            assert!(ticks < 20, "it spins: {due}, and it is {}", self.now);
            self.now = self.now.max(due);
            self.hears(&Input::Tick);
            self.sends();
        }
        self.now = end;
    }

    pub(super) fn minutes(&mut self, minutes: i64) {
        self.later(minutes * 60);
    }

    pub(super) fn notice(&self, number: u32) -> &Notice {
        self.incident.notice(number).unwrap()
    }

    pub(super) fn owed(&self, owed: Owed) -> &Obligation {
        self.incident.obligations.iter().rev().find(|it| it.owed == owed).unwrap()
    }

    /// What is owed still: `acknowledged on-call`.
    pub(super) fn owes(&self) -> Vec<String> {
        let open = self.incident.obligations.iter().filter(|it| it.is_open());
        open.map(|it| format!("{} {}", word(it.owed), it.who)).collect()
    }

    /// The notices of some kind, each `anna chat`, of those queued at this moment.
    pub(super) fn queued_now(&self, which: impl Fn(&About) -> bool) -> Vec<String> {
        self.told(|it| it.queued == self.now && which(&it.about))
    }

    pub(super) fn told(&self, which: impl Fn(&Notice) -> bool) -> Vec<String> {
        let notices = self.incident.notices.iter().filter(|it| which(it));
        let name = |it: &Notice| it.to.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        notices.map(|it| format!("{} {}", name(it), it.way.path)).collect()
    }

    pub(super) fn alarms(&self) -> Vec<String> {
        let alarm = |it: &Notice| match &it.about {
            About::Alarm(why) => Some(why.clone()),
            _ => None,
        };
        self.incident.notices.iter().filter_map(alarm).collect()
    }
}

pub(super) const fn is_call(about: &About) -> bool {
    matches!(about, About::Call(_))
}

pub(super) const fn word(owed: Owed) -> &'static str {
    match owed {
        Owed::Acknowledged => "acknowledged",
        Owed::Delivered => "delivered",
        Owed::Published => "published",
        Owed::AllClear => "all-clear",
        Owed::Commander => "commander",
        Owed::Update => "update",
        Owed::Postmortem => "postmortem",
    }
}

/// The state that these events make.
pub(super) fn replayed(log: &[Stamped]) -> Incident {
    let Some((first, others)) = log.split_first() else { panic!("no event") };
    let Event::IncidentOpened(opened) = &first.event else { panic!("{first:?}") };
    let mut incident = Incident::new(IncidentId(31), opened.clone(), first.at);
    for stamped in others {
        apply(&mut incident, stamped);
    }
    incident
}
