//! Reports of people and alerts, as the keeper hears them: each is an entry of the journal first, and what becomes of it
//! is decided when that entry is heard. So nothing is forgotten by a restart, and nothing is opened twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::keeper::Keeper;
use super::say::whoever_answers;
use super::take::{From, NotTaken};
use super::{Incidents, Mail};
use crate::duty::model::ReportRules;
use crate::engine::{Refused, Speaker, lock};
use crate::incident::input::{Input, Refusal};
use crate::incident::model::{Cause, Opened, Severity};
use crate::incident::next::after;
use crate::incident::report::place::{calls_at_once, counted, wait};
use crate::incident::report::{KIND, Of, Place, Report, Reported, Source, distinct, place};
use crate::incident::{Incident, IncidentId};
use crate::journal::{Append, AppendError, Entry, NewEntry, OpenError};
use crate::library::Snapshot;
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Person, Role, ServiceName};
use crate::wording::incident::reports::{Became, what};

/// The words of a person have at least and at most so many characters.
const MIN_WORDS: usize = 3;
const MAX_WORDS: usize = 1_000;
/// At a start so many of the newest reports are read: more do not wait for each other.
const READ_AGAIN: u32 = 2_000;
/// The newest incidents that may have them.
const RECENT: usize = 50;
/// An alert that says the same again within this time is no new fact. Later it is: it may have outlived its incident.
const SAME_WITHIN: Millis = Millis::minutes(60);

/// What somebody reports something of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportOf {
    /// A service, by its name in the inventory.
    Service(String),
    /// An incident that is open.
    Incident(IncidentId),
}

/// Alerts that were recorded lately, and when.
#[derive(Debug, Default)]
pub(super) struct Lately(BTreeMap<(String, Timestamp, bool), Timestamp>);

impl Lately {
    /// Whether it was recorded not long ago.
    fn has(&self, reported: &Reported, now: Timestamp) -> bool {
        same(reported).and_then(|same| self.0.get(&same)).is_some_and(|at| after(*at, SAME_WITHIN) > now)
    }

    fn note(&mut self, reported: &Reported, now: Timestamp) {
        self.0.retain(|_, at| after(*at, SAME_WITHIN) > now);
        if let Some(same) = same(reported) {
            self.0.insert(same, now);
        }
    }
}

/// What an alert says, if it is one.
fn same(reported: &Reported) -> Option<(String, Timestamp, bool)> {
    match &reported.source {
        Source::Alert(alert) => Some((alert.fingerprint.clone(), alert.since, reported.over)),
        Source::Person(_) => None,
    }
}

impl Incidents {
    /// Somebody reports something, in their words. It is recorded before anything comes of it.
    pub async fn report(
        &self,
        speaker: &Speaker,
        of: &ReportOf,
        words: &str,
    ) -> Result<(Of, Became), Refused> {
        let what = "report".to_owned();
        let snapshot = self.files()?;
        let person = self.engine.person(speaker, &snapshot, &what).await?;
        self.has_a_role(speaker, &snapshot, &person, &what).await?;
        let words = words.trim();
        let located = fits(words).and_then(|()| self.located(&snapshot, &person, of));
        let (of, incident, drill) = match located {
            Ok(located) => located,
            Err(refused) => {
                let code = match &refused {
                    Refused::Incident(refusal) => refusal.code(),
                    Refused::UnknownService(..) => "unknown-service",
                    Refused::NotOfDrill(..) => "not-of-drill",
                    _ => "unknown-incident",
                };
                self.engine.note_denied(speaker, &what, code, None).await?;
                return Err(refused);
            }
        };
        let source = Source::Person(person);
        let said = Reported { source, of: of.clone(), words: words.to_owned(), incident, drill, over: false };
        let mut entry = self.entry(&said);
        entry.actor = Some(speaker.actor());
        let entries = self.record(vec![entry]).await.map_err(Refused::NotWritten)?;
        let seq = entries.first().map_or(0, |entry| entry.seq);
        let (reply, became) = oneshot::channel();
        let is_sent = self.room().mailbox.send(Mail::Became { seq, reply }).is_ok();
        let became = if is_sent { became.await.unwrap_or(Became::Recorded) } else { Became::Recorded };
        Ok((of, became))
    }

    /// What somebody reports something of; the incident, if it is said of one, and whether that is a drill.
    fn located(
        &self,
        snapshot: &Snapshot,
        person: &Person,
        of: &ReportOf,
    ) -> Result<(Of, Option<IncidentId>, bool), Refused> {
        let id = match of {
            ReportOf::Incident(id) => *id,
            ReportOf::Service(name) => {
                let services = &snapshot.set.inventory.services;
                let known = ServiceName::new(name).filter(|name| services.contains_key(name));
                let all = || services.keys().map(ToString::to_string).collect();
                let service = known.ok_or_else(|| Refused::UnknownService(name.clone(), all()))?;
                return Ok((Of::Service(service), None, false));
            }
        };
        let incident = self.get(id)?.ok_or_else(|| Refused::UnknownIncident(id.to_string()))?;
        if incident.is_closed() {
            return Err(Refused::Incident(Refusal::Closed));
        }
        if let Some(people) = incident.opened.drill.as_ref().filter(|people| !people.contains(person)) {
            return Err(Refused::NotOfDrill(id, people.clone()));
        }
        let service = incident.opened.service.clone();
        let of = service.map_or_else(|| Of::Unknown(id.to_string()), Of::Service);
        Ok((of, Some(id), incident.is_drill()))
    }

    /// Alerts came in. Those that say something new are recorded, all at one time; how many those are. What was recorded is
    /// never lost any more, so that whoever sent them can be told so.
    pub async fn alerts(&self, alerts: Vec<Reported>) -> Result<usize, AppendError> {
        let now = self.engine.clock().now();
        let mut new = alerts;
        {
            let lately = lock(&self.room().lately);
            new.retain(|reported| !lately.has(reported, now));
        }
        if new.is_empty() {
            return Ok(0);
        }
        let entries = new.iter().map(|reported| self.entry(reported)).collect();
        self.record(entries).await?;
        let mut lately = lock(&self.room().lately);
        for reported in &new {
            lately.note(reported, now);
        }
        Ok(new.len())
    }

    fn entry(&self, reported: &Reported) -> NewEntry {
        // A struct of texts: it always is an object.
        let data = serde_json::to_value(reported).unwrap_or_default();
        NewEntry { time: self.engine.clock().now(), actor: None, kind: KIND.to_owned(), data }
    }

    async fn record(&self, entries: Vec<NewEntry>) -> Result<Vec<Entry>, AppendError> {
        let written = self.engine.inner.journal.append(Append { entries, ..Append::default() }).await;
        if let Err(AppendError::Fatal { why }) = &written {
            self.engine.inner.journal_is_lost(why);
        }
        written
    }
}

fn fits(words: &str) -> Result<(), Refused> {
    match words.chars().count() {
        length if length < MIN_WORDS => Err(Refused::Incident(Refusal::TooShort(MIN_WORDS))),
        length if length > MAX_WORDS => Err(Refused::Incident(Refusal::TooLong(MAX_WORDS))),
        _ => Ok(()),
    }
}

/// A report as the journal has it.
pub fn read(entry: &Entry) -> Option<Report> {
    let said = serde_json::from_value(entry.data.clone()).ok().filter(|_| entry.kind == KIND)?;
    Some(Report { entry: entry.seq, at: entry.time, said })
}

impl Keeper {
    /// Hears a report.
    pub(super) async fn hear_report(&mut self, entry: &Entry) -> Result<(), NotTaken> {
        let Some(report) = read(entry) else {
            tracing::error!("the report of entry {} cannot be read, and is not heard", entry.seq);
            return Ok(());
        };
        let known = self.known();
        let rules = known.duty().notify.map(|notify| notify.reports.clone()).unwrap_or_default();
        let incidents = self.open.values().filter(|it| !self.is_parked(it.id)).chain(&self.closed);
        let incidents: Vec<&Incident> = incidents.collect();
        let at_once = calls_at_once(&report, &rules);
        match place(&report, &self.waiting, incidents.into_iter(), &rules) {
            Place::Known(_) | Place::Nothing => {}
            Place::Waits => {
                wait(&mut self.waiting, report, rules.within);
                return Ok(());
            }
            Place::Joins(id) => {
                let input = Input::Reported { report: report.clone(), at_once };
                self.take(id, &[input], From { actor: None, entry: Some(entry.seq) }).await?;
            }
            Place::Opens { severity, reports } => {
                let mut opened = self.opened_by(severity, reports);
                opened.follows = self.follows(&opened);
                self.begin(&opened, &[], From { actor: None, entry: Some(entry.seq) }).await?;
                self.waiting.retain(|other| other.said.of != report.said.of);
            }
        }
        if report.said.over {
            wait(&mut self.waiting, report, rules.within);
        }
        Ok(())
    }

    /// What an incident begins with that is opened by reports. Nobody of Support or outside is told by it: how bad it is
    /// for customers is for a person to say.
    fn opened_by(&self, severity: Severity, reports: Vec<Report>) -> Opened {
        let known = self.known();
        let service = reports.first().and_then(|first| match &first.said.of {
            Of::Service(service) => Some(service.clone()),
            Of::Unknown(_) => None,
        });
        let found = service.as_ref().zip(known.inventory()).and_then(|(name, it)| it.services.get(name));
        Opened {
            severity,
            title: found.map_or_else(|| "Our services".to_owned(), |service| service.title.clone()),
            components: found.map(|service| service.shown_as.clone()).unwrap_or_default(),
            what: what(&reports),
            owner: found
                .and_then(|service| Role::new(&service.owner))
                .unwrap_or_else(|| whoever_answers(known.duty().notify.ok(), known.policy())),
            cause: Cause::Reports { reports },
            service,
            drill: None,
            news: None,
            follows: None,
        }
    }

    /// What became of the report of this entry. All that was written before is heard first.
    pub(super) fn became_of(&self, seq: u64) -> Became {
        let holder = self.open.values().find_map(|incident| {
            let at = incident.reports.iter().position(|report| report.entry == seq)?;
            Some((incident, u32::try_from(at + 1).unwrap_or(u32::MAX)))
        });
        if let Some((incident, number)) = holder {
            let opened = match &incident.opened.cause {
                Cause::Reports { reports } => reports.last().is_some_and(|report| report.entry == seq),
                _ => false,
            };
            if opened {
                return Became::Opened(Arc::new(incident.clone()));
            }
            return Became::Joined(incident.id, incident.reporters_up_to(number));
        }
        let known = self.known();
        let rules = known.duty().notify.map(|notify| notify.reports.clone()).unwrap_or_default();
        if let Some(report) = self.waiting.iter().find(|report| report.entry == seq) {
            let others = counted(report, &self.waiting, rules.within).chain([report]);
            return Became::Waits { count: distinct(others), burst: rules.burst, within: rules.within };
        }
        let report = self.inner.journal.view().entries_after(seq.saturating_sub(1)).ok();
        let report = report.and_then(|entries| read(entries.first()?));
        let has = |it: &&Incident| report.as_ref().is_some_and(|report| it.last_of(report).is_some());
        let heard = self.has_heard(seq);
        let knows = self.open.values().filter(|_| heard).find(has);
        knows.map_or(Became::Recorded, |incident| Became::Known(incident.id))
    }

    /// The reports that wait for others, and the alerts that were recorded lately, as the journal has them up to what was
    /// heard.
    pub(super) fn load_reports(&mut self) -> Result<(), OpenError> {
        let view = self.inner.journal.view().clone();
        let mut entries = view.newest_of_kind(KIND, READ_AGAIN)?;
        entries.reverse();
        let heard = self.inner.incidents.heard.load(std::sync::atomic::Ordering::Acquire);
        let now = self.inner.clock.now();
        let known = self.known();
        let rules: ReportRules = known.duty().notify.map(|notify| notify.reports.clone()).unwrap_or_default();
        let is_late = |at: Timestamp| after(at, rules.within.max(SAME_WITHIN)) >= now;
        let reports: Vec<Report> =
            entries.iter().filter(|entry| is_late(entry.time)).filter_map(read).collect();
        if reports.is_empty() {
            return Ok(());
        }
        let recent =
            view.incidents()?.into_iter().rev().take(RECENT).filter(|id| !self.open.contains_key(id));
        let recent: Vec<Incident> = recent.filter_map(|id| view.incident(id).ok().flatten()).collect();
        let belongs = |report: &Report| {
            self.open.values().chain(&recent).any(|incident| {
                let goes_on = incident.resolved.is_none_or(|resolved| resolved > report.at);
                incident.reports.iter().any(|other| {
                    other.entry == report.entry
                        || (goes_on && other.entry < report.entry && other.is_same(report))
                })
            })
        };
        let mut waiting = Vec::new();
        let mut lately = lock(&self.inner.incidents.lately);
        for report in reports {
            lately.note(&report.said, report.at);
            if report.entry <= heard && (report.said.over || !belongs(&report)) && !report.said.drill {
                wait(&mut waiting, report, rules.within);
            }
        }
        drop(lately);
        self.waiting = waiting;
        Ok(())
    }
}
