//! A run that is driven by inputs, as the engine drives one: decide, record, apply. Everything that happens is held
//! against the rules of `held`, and recorded in the form in which the journal keeps it.

use jiff::{SignedDuration, Timestamp};
use steadyhand::journal::entry::ENTRY_FORMAT;
use steadyhand::journal::{self, Actor, Entry, NewEntry};
use steadyhand::plan::Plan;
use steadyhand::policy::decide::Door;
use steadyhand::run::model::{Phase, Requested, Token, UnitState};
use steadyhand::run::{
    Act, Decided, Event, Input, Refusal, Run, RunId, Says, Stamped, World, apply, deadline, decide, next,
};
use steadyhand::runbook::source::name::RunbookName;

use super::held::{Rules, is_no_dead_end};
use super::plans::{noon, offer, person};

/// A run with all that was ever said to it.
pub(crate) struct Driven {
    pub(crate) run: Run,
    /// The plan that is made when one is wanted.
    pub(crate) plan: Plan,
    pub(crate) now: Timestamp,
    /// Every event, as the lines of a journal.
    pub(crate) lines: Vec<String>,
    /// Every event.
    pub(crate) log: Vec<Stamped>,
    /// Everything that was said, to be said again later.
    pub(crate) said: Vec<Input>,
    /// What was wanted before the last thing was said, and may still be under way.
    pub(crate) under_way: Vec<Act>,
    rules: Rules,
    /// The same run, made of what was recorded and nothing else.
    shadow: Run,
    tokens: u64,
}

/// A run of this plan that ana has asked for.
pub(crate) fn a_run_of(plan: &Plan) -> Driven {
    let request = Requested {
        runbook: RunbookName::new("failover-database").unwrap(),
        arguments: vec![("cluster".to_owned(), "orders".to_owned())],
        reason: "the primary is frozen".to_owned(),
        by: person("ana"),
        account: "ana".to_owned(),
        door: Door::Console,
    };
    let run = Run::new(RunId(7), request.clone(), noon());
    let mut driven = Driven {
        shadow: run.clone(),
        run,
        plan: plan.clone(),
        now: noon(),
        lines: Vec::new(),
        log: Vec::new(),
        said: Vec::new(),
        under_way: Vec::new(),
        rules: Rules::default(),
        tokens: 0,
    };
    driven.record(Stamped { at: noon(), by: Some(person("ana")), event: Event::Requested(request) });
    driven
}

impl Driven {
    /// The run hears something; what follows is recorded, applied and held against every rule.
    pub(crate) fn hears(&mut self, input: Input) -> Decided {
        self.rules.input(&input);
        self.under_way = next(&self.run);
        let is_due = deadline(&self.run).is_some_and(|moment| moment <= self.now);
        let decided = decide(&self.run, &input, self.now);
        // Else whoever waits for the deadline would ask again and again.
        let is_idle = matches!(input, Input::Tick) && decided.events.is_empty();
        assert!(!(is_due && is_idle), "a deadline has come, and nothing happens");
        let by = match &input {
            Input::Person { by, .. } => Some(by.clone()),
            _ => None,
        };
        let mut before = self.run.clone();
        for event in &decided.events {
            let stamped = Stamped { at: self.now, by: by.clone(), event: event.clone() };
            self.rules.event(&before, &stamped);
            self.record(stamped);
            before.clone_from(&self.run);
        }
        // Nothing recorded is nothing changed: the state was held against the rules before.
        if !decided.events.is_empty() {
            is_no_dead_end(&self.run);
            self.same_after_replay();
        }
        self.said.push(input);
        decided
    }

    /// Appends an event as the journal does, and applies it: to the run as it is, to its shadow as it was read again.
    fn record(&mut self, stamped: Stamped) {
        let actor = stamped.by.as_ref().map(|by| Actor {
            person: Some(by.clone()),
            account: by.to_string(),
            door: Door::Console,
        });
        let NewEntry { time, actor, kind, data } = NewEntry::of_event(&stamped, actor);
        let nth = self.log.len() as u64 + 1;
        let entry = Entry {
            v: ENTRY_FORMAT,
            seq: nth,
            prev: String::new(),
            time,
            bot: "0.1.0".to_owned(),
            actor,
            run: Some(self.run.id),
            incident: None,
            nth: Some(nth),
            kind,
            data,
        };
        let line = entry.line();
        let read: Entry = serde_json::from_str(&line).expect("an entry is read again");
        let read = journal::stamped(&read).expect("an event is read again");
        assert_eq!(read, stamped, "an event comes back from the journal as it went in");
        apply(&mut self.shadow, &read);
        apply(&mut self.run, &stamped);
        self.log.push(stamped);
        self.lines.push(line);
    }

    fn same_after_replay(&self) {
        assert_eq!(seen(&self.shadow), seen(&self.run), "the state after replay is the live one");
        assert_eq!(next(&self.shadow), next(&self.run), "what is wanted next is the same after replay");
        assert_eq!(deadline(&self.shadow), deadline(&self.run), "the deadline is the same after replay");
    }

    /// The process ends and another one reads everything again, from the first line.
    pub(crate) fn restarts(&mut self) {
        let mut run: Option<Run> = None;
        for line in &self.lines {
            let entry: Entry = serde_json::from_str(line).unwrap();
            let stamped = journal::stamped(&entry).unwrap();
            if let (None, Event::Requested(request)) = (&run, &stamped.event) {
                run = Some(Run::new(RunId(7), request.clone(), stamped.at));
            }
            apply(run.as_mut().expect("a run begins with a request"), &stamped);
        }
        let again = run.expect("a run has a first line");
        assert_eq!(seen(&again), seen(&self.run), "a run is the same after a restart");
        assert_eq!(again.offer, self.run.offer);
        self.run = again;
    }

    pub(crate) fn world(&mut self, world: World) -> Decided {
        self.hears(Input::World(world))
    }

    pub(crate) fn says(&mut self, by: &str, says: Says) -> Decided {
        self.hears(Input::Person { by: person(by), says })
    }

    /// Somebody says something and is refused, and nothing is recorded.
    pub(crate) fn refuses(&mut self, by: &str, says: Says) -> Refusal {
        let decided = self.says(by, says);
        assert!(decided.events.is_empty(), "a refusal records nothing: {:?}", names(&decided));
        decided.refusal.expect("a refusal")
    }

    /// Time goes on, and the clock is asked.
    pub(crate) fn later(&mut self, seconds: i64) -> Decided {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).expect("a time");
        self.hears(Input::Tick)
    }

    /// A token that was never there before.
    pub(crate) fn token(&mut self) -> Token {
        self.tokens += 1;
        let expires = self.now.checked_add(SignedDuration::from_mins(5)).expect("a time");
        Token { text: format!("orders-{:04}", self.tokens), expires }
    }

    pub(crate) fn state(&self, at: &steadyhand::run::UnitAt) -> &UnitState {
        &self.run.units[at]
    }

    /// The plan is made and shown.
    pub(crate) fn planned(mut self) -> Self {
        let token = self.token();
        let offer = Box::new(offer(&self.plan));
        self.world(World::Planned { offer, token });
        assert_eq!(self.run.phase, Phase::Confirming);
        self
    }

    /// The requester reads it back.
    pub(crate) fn confirmed(mut self) -> Self {
        let token = self.run.token.clone().expect("a token").text;
        self.says("ana", Says::Confirm { token });
        assert!(matches!(self.run.phase, Phase::Approving | Phase::Ready));
        self
    }

    /// Another person agrees.
    pub(crate) fn approved_by(mut self, by: &str) -> Self {
        let decided = self.says(by, self.approval());
        assert_eq!(decided.refusal, None);
        self
    }

    /// The approval of the plan as it is now.
    pub(crate) fn approval(&self) -> Says {
        let digest = self.run.digest().expect("a digest").short().to_owned();
        Says::Approve { digest, step: None, roles: vec!["dba".to_owned()], is_commander: false }
    }

    /// Everything is claimed and measured again, and the first step may begin.
    pub(crate) fn started(mut self) -> Self {
        if self.run.phase == Phase::Approving {
            self = self.approved_by("ben");
        }
        if let Some(claims) = self.claims() {
            self.world(World::Claimed(claims));
        }
        let token = self.token();
        let offer = Box::new(offer(&self.plan));
        self.world(World::Rechecked { offer, token, changes: Vec::new() });
        assert!(self.run.started.is_some());
        self
    }

    /// A run of this plan whose first step may begin.
    pub(crate) fn working(plan: &Plan) -> Self {
        a_run_of(plan).planned().confirmed().started()
    }

    /// What the run claims, with tokens; nothing if it claims nothing.
    pub(crate) fn claims(&self) -> Option<Vec<(steadyhand::plan::Resource, u64)>> {
        let holds = &self.run.plan()?.holds;
        (!holds.is_empty()).then(|| holds.iter().cloned().zip(1..).collect())
    }
}

/// The names of what was decided.
pub(crate) fn names(decided: &Decided) -> Vec<&'static str> {
    decided.events.iter().map(super::reached::name).collect()
}

/// All of a state but the plan, which is large and compared apart.
pub(crate) fn seen(run: &Run) -> String {
    let digest = run.digest().cloned();
    format!("{digest:?} {:?}", Run { offer: None, ..run.clone() })
}
