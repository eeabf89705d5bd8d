//! Incidents: what they are is looked up, also without an engine; what people say of them goes to the engine.

use std::sync::Arc;

use super::looks::answered;
use super::{CameOut, Desk, Reply, only_looks};
use crate::chat::grammar::{OfIncidents, OfNotices};
use crate::engine::incidents::{Begin, known_paths};
use crate::engine::{Engine, Refused, Speaker};
use crate::incident::model::RunSeen;
use crate::incident::paths::{Seen, seen};
use crate::incident::{self, Incident, IncidentId, Refusal, Says};
use crate::policy::decide::{Denial, Door, policy_of};
use crate::run::{Run, RunId};
use crate::wording::incident as words;
use crate::wording::{Moment, Page, record, run as run_words};

/// What an incident is has at most so many characters.
const MAX_WHAT: usize = 1_000;

impl Desk {
    /// What somebody wants of incidents that changes nothing.
    pub(super) fn look_at_incidents(&self, of: &OfIncidents) -> Result<Reply, Refused> {
        let moment = self.moment();
        let page = match of {
            OfIncidents::Reports => self.reports()?,
            OfIncidents::List => words::list(&self.open_incidents()?, &moment),
            OfIncidents::Status(id) => return Ok(Reply::done(self.card_of(*id)?)),
            OfIncidents::Timeline(id) => {
                let incident = self.incident(*id)?;
                words::timeline(&incident, &self.lines_of(&incident)?, &moment)
            }
            OfIncidents::Export(id) => {
                let incident = self.incident(*id)?;
                let runs = self.runs_of(&incident);
                let runs: Vec<&Run> = runs.iter().map(|run| &**run).collect();
                words::export(&incident, &self.events_of(*id)?, &runs, &self.lines_of(&incident)?, &self.zone)
            }
            _ => return Ok(Reply::refused(only_looks())),
        };
        Ok(Reply::done(page))
    }

    /// What somebody says of incidents.
    pub(super) async fn say_of_incidents(
        &self,
        engine: &Engine,
        speaker: &Speaker,
        of: OfIncidents,
    ) -> Result<Reply, Refused> {
        let moment = self.moment();
        let (id, says) = match of {
            OfIncidents::Open { severity, what, service, drill } => {
                if what.trim().chars().count() > MAX_WHAT {
                    return Err(Refused::Incident(Refusal::TooLong(MAX_WHAT)));
                }
                let drill = drill.map(|people| people.iter().map(ToString::to_string).collect());
                let begin = Begin { severity, service, what, drill };
                let incident = engine.incidents().begin(speaker, begin).await?;
                let problems = self.problems_of_notify();
                return Ok(Reply::done(words::heard::opened(&incident, problems.as_deref(), &moment)));
            }
            OfIncidents::Report(of, said) => return self.report(engine, speaker, &of, &said).await,
            OfIncidents::Acknowledge(id) => (id, Says::Acknowledge { how: way_in(speaker.door).to_owned() }),
            OfIncidents::Take { incident, part, person } => {
                let person = person.or_else(|| speaker.person.clone());
                let person =
                    person.ok_or_else(|| Refused::Denied(Denial::NoPerson(speaker.account.clone())))?;
                (incident, Says::Take { part, person })
            }
            OfIncidents::Say(id, says) => (id, says),
            looks => return self.look_at_incidents(&looks),
        };
        match engine.incidents().say(speaker, id, says.clone()).await {
            Ok(incident) => {
                let by = speaker.person.as_ref();
                let page = by.map(|by| words::heard(&incident, by, &says, &moment));
                Ok(Reply::done(page.unwrap_or_default()))
            }
            Err(Refused::Incident(Refusal::NotOwed(_))) if says == Says::Escalate => {
                Ok(Reply::refused(words::refusal::nothing_called(id)))
            }
            Err(Refused::Incident(refusal @ Refusal::DraftUnread { .. })) => {
                let page = words::refusal::of_incident(&refusal, Some(id), &moment);
                Ok(Reply { page, came_out: CameOut::NeedsPerson, run: None })
            }
            Err(Refused::Incident(refusal)) => {
                Ok(Reply::refused(words::refusal::of_incident(&refusal, Some(id), &moment)))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Who was told, of one incident or of all that are open.
    pub(super) fn log_of_notices(&self, id: Option<IncidentId>) -> Result<Page, Refused> {
        let incidents = match id {
            Some(id) => vec![self.incident(id)?],
            None => self.open_incidents()?,
        };
        if incidents.is_empty() {
            return Ok(words::log::none_open(self.newest_incident()?));
        }
        let with_post =
            incidents.into_iter().map(|incident| Ok((incident.clone(), self.post_of(incident.id)?)));
        Ok(words::log::log(&with_post.collect::<Result<Vec<_>, Refused>>()?, &self.moment()))
    }

    /// How each path is; where none is known because notify.yaml cannot be used, that.
    pub(super) fn paths_of_notices(&self) -> Result<Page, Refused> {
        let moment = self.moment();
        let seen = self.paths(&moment)?;
        Ok(match self.problems_of_notify() {
            Some(why) if seen.is_empty() => words::refusal::notify_broken(&why),
            _ => crate::wording::paths::list(&seen, &moment),
        })
    }

    /// How the paths are.
    pub(super) fn paths(&self, moment: &Moment) -> Result<Vec<Seen>, Refused> {
        if let Some(engine) = &self.engine {
            return engine.incidents().paths();
        }
        let snapshot = self.files().map_err(Refused::NotLoaded)?;
        let policy = policy_of(&snapshot.set.policy).map_err(Refused::Denied)?;
        let overrides = self.overrides();
        let known = self.journal.as_ref().map(known_paths).unwrap_or_default();
        let duty = snapshot.set.duty(policy, &overrides);
        let open = self.open_incidents()?;
        Ok(seen(&duty, &known, &open, &moment.zone, (moment.now, moment.now)))
    }

    /// Why notify.yaml cannot be used as it is now, if it cannot.
    pub(super) fn problems_of_notify(&self) -> Option<String> {
        self.files().ok()?.set.notify.as_ref().err().cloned()
    }

    /// What its events say of the notices of an incident.
    pub fn post_of(&self, id: IncidentId) -> Result<words::Post, Refused> {
        Ok(words::Post::of(&self.events_of(id)?))
    }

    /// The newest incident, also if it is closed.
    fn newest_incident(&self) -> Result<Option<IncidentId>, Refused> {
        let Some(view) = &self.journal else { return Ok(None) };
        Ok(view.incidents()?.into_iter().max())
    }

    /// Whether a path works: a letter to the one who asks.
    pub(super) async fn of_notices(
        &self,
        engine: &Engine,
        speaker: &Speaker,
        of: OfNotices,
    ) -> Result<Reply, Refused> {
        match of {
            OfNotices::Log(id) => Ok(Reply::done(self.log_of_notices(id)?)),
            OfNotices::Paths => Ok(Reply::done(self.paths_of_notices()?)),
            OfNotices::Test(path) => {
                let tried = engine.incidents().tries(speaker, &path).await?;
                Ok(answered(words::log::tried(&tried.path, tried.to.as_ref(), &tried.answer)))
            }
        }
    }

    /// Incidents that are not closed.
    pub fn open_incidents(&self) -> Result<Vec<Arc<Incident>>, Refused> {
        match (&self.engine, &self.journal) {
            (Some(engine), _) => Ok(engine.incidents().open()),
            (None, None) => Ok(Vec::new()),
            (None, Some(view)) => {
                let incidents = view.open_incidents()?.into_iter();
                Ok(incidents.filter_map(|id| view.incident(id).ok().flatten()).map(Arc::new).collect())
            }
        }
    }

    /// One incident, also if it is closed.
    pub fn incident(&self, id: IncidentId) -> Result<Arc<Incident>, Refused> {
        let unknown = || Refused::UnknownIncident(id.to_string());
        match (&self.engine, &self.journal) {
            (Some(engine), _) => engine.incidents().get(id)?.ok_or_else(unknown),
            (None, Some(view)) => view.incident(id)?.map(Arc::new).ok_or_else(unknown),
            (None, None) => Err(unknown()),
        }
    }

    /// The incident of those who must know before a run begins, while it waits for them.
    pub fn held_back_by(&self, run: &Run) -> Option<Arc<Incident>> {
        let holds = |it: &Arc<Incident>| it.runs.get(&run.id).is_some_and(RunSeen::is_held_back);
        run.waits_to_be_known().then(|| self.open_incidents().ok()?.into_iter().find(holds))?
    }

    /// How an incident stands.
    pub(super) fn card_of(&self, id: IncidentId) -> Result<Page, Refused> {
        let incident = self.incident(id)?;
        let post = self.post_of(id)?;
        let page = words::card(&incident, &self.run_lines(&incident), &post, &self.moment());
        Ok(match self.problems_of_notify() {
            Some(why) if !incident.is_closed() => words::refusal::notify_broken(&why).join(page),
            _ => page,
        })
    }

    /// The runs of an incident, each in a sentence.
    pub fn run_lines(&self, incident: &Incident) -> Vec<String> {
        self.runs_of(incident).iter().map(|run| run_words::headline(run)).collect()
    }

    /// Its entries in the journal.
    pub(super) fn journal_of_incident(&self, id: IncidentId) -> Result<Page, Refused> {
        let incident = self.incident(id)?;
        let view = self.journal.as_ref().ok_or_else(|| Refused::UnknownIncident(id.to_string()))?;
        let mut recorded = Vec::new();
        for entry in view.incident_entries(id)? {
            recorded.push((entry.seq, crate::journal::incident_stamped(&entry)?));
        }
        Ok(record::journal_of_incident(&incident, &recorded, &self.moment()))
    }

    fn events_of(&self, id: IncidentId) -> Result<Vec<incident::Stamped>, Refused> {
        let Some(view) = &self.journal else { return Ok(Vec::new()) };
        let entries = view.incident_entries(id)?;
        Ok(entries.iter().map(crate::journal::incident_stamped).collect::<Result<_, _>>()?)
    }

    /// Those that can be read; a run that cannot keeps nobody from what is known of the incident.
    fn runs_of(&self, incident: &Incident) -> Vec<Arc<Run>> {
        incident.runs.keys().filter_map(|id| self.run(*id).ok()).collect()
    }

    fn lines_of(&self, incident: &Incident) -> Result<Vec<words::Line>, Refused> {
        let mut of_runs = Vec::new();
        for run in self.runs_of(incident) {
            of_runs.extend(words::timeline::of_run(&run, &self.events_of_run(run.id)?));
        }
        Ok(words::timeline::lines(incident, &self.events_of(incident.id)?, of_runs))
    }

    fn events_of_run(&self, id: RunId) -> Result<Vec<crate::run::Stamped>, Refused> {
        let entries = self.view_of(id)?.entries_of(id)?;
        Ok(entries.iter().map(crate::journal::stamped).collect::<Result<_, _>>()?)
    }
}

/// As it stands in the journal.
const fn way_in(door: Door) -> &'static str {
    match door {
        Door::Console => "console",
        Door::Discord => "discord",
        Door::Link => "link",
    }
}
