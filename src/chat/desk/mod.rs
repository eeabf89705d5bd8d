//! Answers commands: looks things up, hands what acts to the engine, and finds the words.
//!
//! A desk without an engine only looks: it needs no lock on the journal.

mod incidents;
mod known;
mod looks;
mod reports;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::grammar::{Command, OfNotices, OnCall};
use crate::duty::Override;
use crate::engine::clock::Clock;
use crate::engine::{Engine, Planner, Refused, Speaker, ToRun, overrides};
use crate::journal::{AppendError, JournalView};
use crate::library::{Library, NotLoaded, Said, Snapshot};
use crate::policy::Policy;
use crate::run::model::{Far, Outcome, Phase};
use crate::run::{Event, Run, RunId};
use crate::wording::incident::refusal as incident_refusal;
use crate::wording::look::Opening;
use crate::wording::{Moment, Page, duty, incident, look, plan, refusal, run as run_words};

/// How a line came out: the exit code of one-shot use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CameOut {
    /// Done.
    Done = 0,
    /// The world broke.
    Broke = 1,
    /// Not understood.
    NotUnderstood = 2,
    /// Refused, or ended by somebody else before it was carried out.
    Refused = 3,
    /// A person is needed, or an outcome is unknown.
    NeedsPerson = 4,
}

/// What is said back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The words.
    pub page: Page,
    /// How it came out.
    pub came_out: CameOut,
    /// The run that goes on, for those who follow it, as it was when the words were found.
    pub run: Option<Arc<Run>>,
}

impl Reply {
    fn done(page: Page) -> Self {
        Self { page, came_out: CameOut::Done, run: None }
    }

    fn refused(page: Page) -> Self {
        Self { page, came_out: CameOut::Refused, run: None }
    }

    /// The run, if the words say that it is closed and nothing ran: then there is nothing to follow.
    pub fn closed(&self) -> Option<&Run> {
        self.run.as_deref().filter(|run| run.is_ended() && run.started.is_none())
    }

    /// A line that is no command.
    pub fn not_understood(page: Page) -> Self {
        Self { page, came_out: CameOut::NotUnderstood, run: None }
    }
}

/// Where commands are answered.
#[derive(Clone)]
pub struct Desk {
    /// What acts; a desk without it only looks.
    pub engine: Option<Engine>,
    /// Makes plans to look at, and knows the folder of runbooks.
    pub planner: Planner,
    /// The journal, if there is one yet.
    pub journal: Option<JournalView>,
    /// The time.
    pub clock: Clock,
    /// The team's zone.
    pub zone: TimeZone,
    /// Words of the demo work.
    pub demo: bool,
}

impl Desk {
    /// Now, for sentences.
    pub fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), zone: self.zone.clone() }
    }

    /// The folder of runbooks.
    pub fn library(&self) -> &Arc<Library> {
        &self.planner.library
    }

    /// Who stands in on a schedule.
    pub fn overrides(&self) -> Arc<[Override]> {
        self.said().overrides
    }

    /// What was said of roles. What Discord says is known only where it is asked.
    fn said(&self) -> Said {
        match (&self.engine, &self.journal) {
            (Some(engine), _) => engine.said(),
            (None, Some(view)) => {
                Said { overrides: overrides(view).unwrap_or_default().into(), ..Said::default() }
            }
            (None, None) => Said::default(),
        }
    }

    /// The files as they are now, and who has which role now.
    pub fn files(&self) -> Result<Arc<Snapshot>, NotLoaded> {
        self.library().load_at(self.clock.now(), &self.said())
    }

    /// The files as they were when they could last be used, and who has which role now.
    pub fn last_files(&self) -> Option<Arc<Snapshot>> {
        self.library().last_at(self.clock.now(), &self.said())
    }

    /// Answers a command of a speaker.
    pub async fn answer(&self, speaker: &Speaker, command: Command) -> Reply {
        match self.try_answer(speaker, command).await {
            Ok(reply) => reply,
            Err(refused) => self.refused(&refused),
        }
    }

    async fn try_answer(&self, speaker: &Speaker, command: Command) -> Result<Reply, Refused> {
        let snapshot = || self.files().map_err(Refused::NotLoaded);
        match command {
            Command::Help(None) => Ok(Reply::done(look::help(self.rights(speaker), self.demo))),
            Command::Help(Some(word)) => {
                let page = look::help_word(&word);
                Ok(match page.refusal_code() {
                    Some("not-yet") => Reply::refused(page),
                    Some(_) => Reply::not_understood(page),
                    None => Reply::done(page),
                })
            }
            Command::Later(word, what) => Ok(Reply::refused(look::not_yet(word, what))),
            Command::Run { runbook, arguments, reason } => {
                let Some(engine) = &self.engine else { return Ok(Reply::refused(only_looks())) };
                let run = engine.request(speaker, &runbook, arguments, reason).await?;
                Ok(self.requested(&run, snapshot()?.set.policy.as_ref().ok()))
            }
            Command::Incident(of) if of.acts() => {
                let Some(engine) = &self.engine else { return Ok(Reply::refused(only_looks())) };
                self.say_of_incidents(engine, speaker, of).await
            }
            Command::Notify(of @ OfNotices::Test(_)) => {
                let Some(engine) = &self.engine else { return Ok(Reply::refused(only_looks())) };
                self.of_notices(engine, speaker, of).await
            }
            Command::ToRun(id, to_run) => {
                let Some(engine) = &self.engine else { return Ok(Reply::refused(only_looks())) };
                self.to_run(engine, speaker, id, to_run).await
            }
            Command::OnCall(OnCall::StandIn(asked)) => {
                let Some(engine) = &self.engine else { return Ok(Reply::refused(only_looks())) };
                let it = engine.stand_in(speaker, &asked).await?;
                let snapshot = snapshot()?;
                let overrides = self.overrides();
                let policy = snapshot.set.policy.as_ref().ok();
                let roles = policy
                    .map(|policy| snapshot.set.duty(policy, &overrides).roles_held_by(it.schedule.as_str()));
                Ok(Reply::done(duty::stands_in(&it, &roles.unwrap_or_default(), &self.moment())))
            }
            Command::As(_) | Command::Next | Command::Lab(_) | Command::Exit => {
                let page = Page::sentence("That works in the chat of the demo only. Nothing was done.");
                Ok(Reply::refused(page.code("demo-only")))
            }
            looking => {
                let snapshot = match snapshot() {
                    // What runs can be looked at though the folder is broken meanwhile.
                    Err(refused) if looking.is_about_runs() => self.last_files().ok_or(refused)?,
                    now => now?,
                };
                if let Err(denial) = looks::may_look(speaker, &snapshot) {
                    return Err(match &self.engine {
                        Some(engine) => engine.turn_away(speaker, "look", denial).await,
                        None => Refused::Denied(denial),
                    });
                }
                self.look(&snapshot, speaker, looking).await
            }
        }
    }

    /// The journal to look for a run in. Before the first run there is none, and so no run either.
    fn view_of(&self, id: RunId) -> Result<&JournalView, Refused> {
        self.journal.as_ref().ok_or(Refused::UnknownRun(id))
    }

    fn run(&self, id: RunId) -> Result<Arc<Run>, Refused> {
        match &self.engine {
            Some(engine) => engine.run(id),
            None => self.view_of(id)?.run(id)?.map(Arc::new).ok_or(Refused::UnknownRun(id)),
        }
    }

    /// How far the steps of a run are that work.
    pub fn far(&self, id: RunId) -> Far {
        self.engine.as_ref().map(|engine| engine.far(id)).unwrap_or_default()
    }

    fn open_runs(&self) -> Result<Vec<Arc<Run>>, Refused> {
        match (&self.engine, &self.journal) {
            (Some(engine), _) => Ok(engine.open_runs()),
            (None, None) => Ok(Vec::new()),
            (None, Some(view)) => {
                // One that cannot be read is said beside them.
                let runs = view.open_runs()?.into_iter().filter_map(|id| view.run(id).ok().flatten());
                Ok(runs.map(Arc::new).collect())
            }
        }
    }

    /// Open runs that stand still because of a fault, and why.
    pub fn parked(&self) -> BTreeMap<RunId, String> {
        match (&self.engine, &self.journal) {
            (Some(engine), _) => engine.parked(),
            (None, None) => BTreeMap::new(),
            (None, Some(view)) => {
                let broken = |id: RunId| Some((id, view.run(id).err()?.to_string()));
                view.open_runs().unwrap_or_default().into_iter().filter_map(broken).collect()
            }
        }
    }

    /// A run was asked for: its plan, or why there is none.
    fn requested(&self, run: &Arc<Run>, policy: Option<&Policy>) -> Reply {
        let moment = self.moment();
        if run.phase == Phase::Confirming {
            let page = plan::offered(run, policy, &moment);
            return Reply { page, came_out: CameOut::NeedsPerson, run: Some(run.clone()) };
        }
        Reply { page: self.why_not(run), came_out: CameOut::Refused, run: None }
    }

    /// Why a run that was asked for did not begin, from its last events.
    pub fn why_not(&self, run: &Run) -> Page {
        let moment = self.moment();
        let entries = self.journal.as_ref().and_then(|view| view.entries_of(run.id).ok()).unwrap_or_default();
        for entry in entries.iter().rev() {
            if let Ok(stamped) = crate::journal::stamped(entry)
                && let Event::NotPlanned { code, why, failed } = stamped.event
            {
                return run_words::not_planned(run, &code, &why, &failed);
            }
        }
        run_words::ended(run, &moment)
    }

    async fn to_run(
        &self,
        engine: &Engine,
        speaker: &Speaker,
        id: RunId,
        to_run: ToRun,
    ) -> Result<Reply, Refused> {
        let heard = engine.say(speaker, id, to_run).await?;
        let moment = self.moment();
        let by = speaker.person.as_ref().map(ToString::to_string).unwrap_or_default();
        let snapshot = self.files().ok();
        let policy = snapshot.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
        let mut page = run_words::heard(&heard.run, &by, &heard.events, policy, &moment);
        let offered_undo = heard.events.iter().any(|event| matches!(event, Event::UndoOffered { .. }));
        if offered_undo {
            page = page.join(run_words::questions(&heard.run, None, &moment));
        }
        let came_out = match heard.run.phase {
            Phase::Approving | Phase::Confirming => CameOut::NeedsPerson,
            _ if offered_undo => CameOut::NeedsPerson,
            _ => CameOut::Done,
        };
        Ok(Reply { page, came_out, run: Some(heard.run) })
    }

    /// The words for why a request was not taken.
    pub fn refused(&self, refused: &Refused) -> Reply {
        let moment = self.moment();
        let snapshot = self.files().ok();
        let policy = snapshot.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
        let page = match refused {
            Refused::Denied(denial) => refusal::denied(denial),
            Refused::UnknownRunbook(name) => {
                let names = self.library().load().map(|snapshot| {
                    snapshot.set.runbooks.keys().map(ToString::to_string).collect::<Vec<_>>()
                });
                refusal::unknown_runbook(name, &names.unwrap_or_default())
            }
            Refused::UnknownRun(id) => refusal::unknown_run(*id),
            Refused::WrongValues(runbook, wrong) => refusal::wrong_values(runbook, wrong),
            Refused::Held { resource, by, since } => refusal::held(resource, by, *since, &moment),
            Refused::Run(refusal, run) => refusal::of_run(refusal, run, policy, &moment),
            Refused::PlanChanged(run, changes) => refusal::made_anew(run, changes, &moment),
            Refused::UnknownPerson(name, people) => refusal::unknown_person(name, people),
            Refused::StandIn(refusal) => duty::no_stand_in(refusal),
            Refused::Incident(refusal) => incident_refusal::of_incident(refusal, None, &moment),
            Refused::UnknownIncident(typed) => {
                let open = self.open_incidents().unwrap_or_default();
                incident_refusal::unknown(typed, &open.iter().map(|it| it.id).collect::<Vec<_>>())
            }
            Refused::NotOfDrill(id, people) => incident_refusal::not_of_drill(*id, people),
            Refused::UnknownService(typed, services) => incident_refusal::unknown_service(typed, services),
            Refused::UnknownParticipant(name, people) => refusal::unknown_name(name, people),
            Refused::UnknownPath(typed, yours) => {
                incident::log::no_path(typed, yours, self.problems_of_notify().as_deref())
            }
            Refused::NoMessenger => incident::log::no_messenger(),
            Refused::Parked(id, why) => incident_refusal::parked(*id, why),
            Refused::Busy(id) => refusal::busy(*id),
            Refused::NotLoaded(NotLoaded::Problems(report)) => refusal::runbooks_broken(&report.problems),
            Refused::NotLoaded(NotLoaded::Unreadable(why)) => refusal::runbooks_unreadable(why),
            Refused::NotWritten(AppendError::Fatal { why }) => refusal::journal_fault(why),
            Refused::NotWritten(error) => refusal::not_written(&error.to_string()),
            Refused::Journal(error) => refusal::journal_unreadable(&error.to_string()),
        };
        let came_out = match refused {
            Refused::NotWritten(_) | Refused::Journal(_) | Refused::NotLoaded(_) => CameOut::Broke,
            Refused::WrongValues(..) | Refused::UnknownRunbook(_) => CameOut::NotUnderstood,
            _ => CameOut::Refused,
        };
        Reply { page, came_out, run: None }
    }

    /// How a run that is at rest counts for the one who waited for it since their line was `answered`. A stop or an undo
    /// is what somebody wanted who had said so by then; for anybody else the run was not carried out.
    pub fn came_out(run: &Run, answered: &Run) -> CameOut {
        let wanted = answered.is_ended() || answered.stop.is_some() || answered.undo.is_some();
        match run.phase {
            Phase::Ended(Outcome::Succeeded | Outcome::WithIssues) => CameOut::Done,
            Phase::Ended(Outcome::Undone | Outcome::Stopped) if wanted => CameOut::Done,
            Phase::Ended(Outcome::Undone | Outcome::Stopped) => CameOut::Refused,
            Phase::Ended(Outcome::Refused | Outcome::Expired) => CameOut::Refused,
            Phase::Ended(Outcome::Stuck) => CameOut::Broke,
            _ => CameOut::NeedsPerson,
        }
    }

    /// The greeting of the console.
    pub fn greeting(&self, speaker: &Speaker, is_new: bool) -> Page {
        let (runbooks, commit, roles, first) = match self.files() {
            Ok(snapshot) => {
                let roles = match (&snapshot.set.policy, &speaker.person) {
                    (Ok(policy), Some(person)) => policy.roles_of(person),
                    _ => Vec::new(),
                };
                let first = looks::first_to_run(&snapshot, speaker);
                (snapshot.set.runbooks.len(), self.library().commit(), roles, first)
            }
            Err(NotLoaded::Problems(report)) => return refusal::runbooks_broken(&report.problems),
            Err(NotLoaded::Unreadable(why)) => return refusal::runbooks_unreadable(&why),
        };
        let journal =
            self.journal.as_ref().and_then(|view| view.path().file_name()?.to_str().map(str::to_owned));
        look::greeting(&Opening {
            first,
            person: speaker.person.as_ref(),
            account: &speaker.account,
            roles,
            journal: (journal.unwrap_or_default(), is_new),
            runbooks: (runbooks, self.library().folders().runbooks.display().to_string(), commit),
            demo: self.demo,
            open: self.open_runs().map_or(0, |runs| runs.len()),
        })
    }
}

fn only_looks() -> Page {
    Page::sentence("This only looks: another process writes the journal. Nothing was done.")
        .code("only-looks")
}
