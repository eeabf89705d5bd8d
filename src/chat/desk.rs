//! Answers commands: looks things up, hands what acts to the engine, and finds the words.
//!
//! A desk without an engine only looks: it needs no lock on the journal.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::grammar::Command;
use crate::engine::clock::Clock;
use crate::engine::{Engine, NotOffered, Planner, Refused, Speaker, ToRun};
use crate::journal::{AppendError, JournalView, OpenError, OutputKey};
use crate::library::{Library, NotLoaded, Snapshot};
use crate::plan::model::CheckSeen;
use crate::policy::Policy;
use crate::policy::decide::{Denial, Holds, policy_of, role_names};
use crate::run::model::{Outcome, Phase, Requested};
use crate::run::{Event, Run, RunId};
use crate::runbook::model::Runbook;
use crate::runbook::source::hidden::visible;
use crate::wording::look::{Listed, Opening};
use crate::wording::record::Recorded;
use crate::wording::{Moment, Page, look, plan, record, refusal, run as run_words};

/// How a line came out: the exit code of one-shot use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CameOut {
    /// Done.
    Done = 0,
    /// The world broke.
    Broke = 1,
    /// Not understood.
    NotUnderstood = 2,
    /// Refused.
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
    /// The run that goes on, for those who follow it.
    pub run: Option<RunId>,
}

impl Reply {
    fn done(page: Page) -> Self {
        Self { page, came_out: CameOut::Done, run: None }
    }

    fn refused(page: Page) -> Self {
        Self { page, came_out: CameOut::Refused, run: None }
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

    /// Answers a command of a speaker.
    pub async fn answer(&self, speaker: &Speaker, command: Command) -> Reply {
        match self.try_answer(speaker, command).await {
            Ok(reply) => reply,
            Err(refused) => self.refused(&refused),
        }
    }

    async fn try_answer(&self, speaker: &Speaker, command: Command) -> Result<Reply, Refused> {
        let snapshot = || self.library().load().map_err(Refused::NotLoaded);
        match command {
            Command::Help(None) => Ok(Reply::done(look::help(self.rights(speaker), self.demo))),
            Command::Help(Some(word)) => Ok(Reply::done(look::help_word(&word))),
            Command::Later(word, what) => Ok(Reply::refused(look::not_yet(word, what))),
            Command::Run { runbook, arguments, reason } => {
                let Some(engine) = &self.engine else { return Ok(Reply::refused(only_looks())) };
                let run = engine.request(speaker, &runbook, arguments, reason).await?;
                Ok(self.requested(&run, snapshot()?.set.policy.as_ref().ok()))
            }
            Command::ToRun(id, to_run) => {
                let Some(engine) = &self.engine else { return Ok(Reply::refused(only_looks())) };
                self.to_run(engine, speaker, id, to_run).await
            }
            Command::As(_) | Command::Next | Command::Lab(_) | Command::Exit => {
                let page = Page::sentence("That works in the chat of the demo only. Nothing was done.");
                Ok(Reply::refused(page.code("demo-only")))
            }
            looking => {
                let snapshot = snapshot()?;
                self.may_look(speaker, &snapshot)?;
                self.look(&snapshot, speaker, looking).await
            }
        }
    }

    /// Who has no role at all is told no names.
    fn may_look(&self, speaker: &Speaker, snapshot: &Snapshot) -> Result<(), Refused> {
        let policy = policy_of(&snapshot.set.policy).map_err(Refused::Denied)?;
        if !policy.is_open(speaker.door) {
            return Err(Refused::Denied(Denial::DoorClosed(speaker.door)));
        }
        match &speaker.person {
            Some(person) if policy.people.contains_key(person) => Ok(()),
            _ => Err(Refused::Denied(Denial::NoPerson(speaker.account.clone()))),
        }
    }

    async fn look(
        &self,
        snapshot: &Arc<Snapshot>,
        speaker: &Speaker,
        command: Command,
    ) -> Result<Reply, Refused> {
        let (moment, policy) = (self.moment(), snapshot.set.policy.as_ref().ok());
        let page = match command {
            Command::Runbooks(word) => self.runbooks(snapshot, speaker, word.as_deref()),
            Command::Show(name) => match snapshot.set.runbooks.get(name.as_str()) {
                Some(runbook) => look::show(runbook, snapshot.commit.as_deref(), policy),
                None => return Err(Refused::UnknownRunbook(name)),
            },
            Command::Status(None) => look::status(&self.open_runs()?, &moment),
            Command::Status(Some(of)) => return self.status_of(snapshot, &of, &moment),
            Command::Plan { run, long } => {
                let run = self.run(run)?;
                look::plan_of_run(&run, long, policy, &moment)
            }
            Command::Look { runbook, arguments, reason, long } => {
                return self.look_at_plan(snapshot, speaker, &runbook, arguments, reason, long).await;
            }
            Command::WhoOwns(host) => return Ok(who_owns(snapshot, policy, &host)),
            Command::Output { run, number, host } => self.output(run, number, host.as_deref())?,
            Command::JournalShow(id) => self.journal_of(id, &moment)?,
            Command::JournalVerify => return self.verify(),
            _ => return Ok(Reply::refused(only_looks())),
        };
        Ok(Reply::done(page))
    }

    fn view(&self) -> Result<&JournalView, Refused> {
        let missing = || OpenError::Read("there is no journal yet: nothing has run".to_owned());
        self.journal.as_ref().ok_or_else(|| Refused::Journal(missing()))
    }

    fn run(&self, id: RunId) -> Result<Arc<Run>, Refused> {
        match &self.engine {
            Some(engine) => engine.run(id),
            None => self.view()?.run(id)?.map(Arc::new).ok_or(Refused::UnknownRun(id)),
        }
    }

    /// How far the steps of a run are.
    pub fn far(&self, id: RunId) -> run_words::Far {
        let progress = self.engine.as_ref().map(|engine| engine.progress(id)).unwrap_or_default();
        progress.into_iter().map(|(unit, far)| (unit, (far.percent, far.text))).collect()
    }

    fn open_runs(&self) -> Result<Vec<Arc<Run>>, Refused> {
        match (&self.engine, &self.journal) {
            (Some(engine), _) => Ok(engine.open_runs()),
            (None, None) => Ok(Vec::new()),
            (None, Some(view)) => {
                let runs = view.open_runs()?.into_iter().map(|id| view.run(id));
                Ok(runs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().map(Arc::new).collect())
            }
        }
    }

    /// May run, may approve, of how many.
    fn rights(&self, speaker: &Speaker) -> Option<(usize, usize, usize)> {
        let snapshot = self.library().load().ok()?;
        let policy = snapshot.set.policy.as_ref().ok()?;
        let person = speaker.person.as_ref()?;
        let listed: Vec<Listed> =
            snapshot.set.runbooks.values().map(|runbook| listed(runbook, policy, Some(person))).collect();
        let may_run = listed.iter().filter(|runbook| runbook.may_run).count();
        let may_approve = listed.iter().filter(|runbook| runbook.may_approve).count();
        Some((may_run, may_approve, listed.len()))
    }

    fn runbooks(&self, snapshot: &Snapshot, speaker: &Speaker, word: Option<&str>) -> Page {
        let Ok(policy) = &snapshot.set.policy else { return look::runbooks(&[], 0) };
        let all: Vec<Listed> = snapshot
            .set
            .runbooks
            .values()
            .map(|runbook| listed(runbook, policy, speaker.person.as_ref()))
            .collect();
        let shown: Vec<Listed> = all
            .iter()
            .filter(|runbook| match word {
                Some("all") => true,
                Some(word) => runbook.name.as_str().contains(word) || runbook.use_when.contains(word),
                None => runbook.may_run || runbook.may_approve,
            })
            .cloned()
            .collect();
        look::runbooks(&shown, all.len() - shown.len())
    }

    fn status_of(&self, snapshot: &Snapshot, of: &str, moment: &Moment) -> Result<Reply, Refused> {
        let policy = snapshot.set.policy.as_ref().ok();
        if let Ok(id) = of.parse() {
            let run = self.run(RunId(id))?;
            return Ok(Reply::done(look::status_of_run(&run, &self.far(run.id), policy, moment)));
        }
        let inventory = &snapshot.set.inventory;
        let resource = if inventory.clusters.contains_key(of) {
            format!("cluster/{of}")
        } else if inventory.hosts.contains_key(of) {
            format!("host/{of}")
        } else {
            let hosts = inventory.hosts.keys().map(ToString::to_string);
            let known: Vec<_> = inventory.clusters.keys().map(ToString::to_string).chain(hosts).collect();
            let page = Page::sentence(format!(
                "`{}` is no run, cluster or host. There are: {}.",
                visible(of),
                known.join(", ")
            ));
            return Ok(Reply::refused(page.code("unknown-target")));
        };
        let held = match &self.journal {
            Some(view) => view.holds()?.into_iter().find(|held| held.resource.0 == resource),
            None => None,
        };
        let run = held.map(|held| self.run(held.run)).transpose()?;
        Ok(Reply::done(look::holds(&resource, run.as_deref(), moment)))
    }

    async fn look_at_plan(
        &self,
        snapshot: &Arc<Snapshot>,
        speaker: &Speaker,
        name: &str,
        arguments: Vec<(String, String)>,
        reason: Option<String>,
        long: bool,
    ) -> Result<Reply, Refused> {
        let runbook =
            snapshot.set.runbooks.get(name).ok_or_else(|| Refused::UnknownRunbook(name.to_owned()))?;
        let person = speaker
            .person
            .clone()
            .ok_or_else(|| Refused::Denied(Denial::NoPerson(speaker.account.clone())))?;
        // A look needs no reason, but the plan has a place for one.
        let reason = reason.unwrap_or_else(|| "only a look".to_owned());
        crate::plan::bind::bind(&snapshot.set, runbook, &arguments, Some(&reason))
            .map_err(|wrong| Refused::WrongValues(runbook.name.clone(), wrong))?;
        let request = Requested {
            runbook: runbook.name.clone(),
            arguments,
            reason,
            by: person.clone(),
            account: speaker.account.clone(),
            door: speaker.door,
        };
        let moment = self.moment();
        match crate::engine::look(&self.planner, snapshot, &request).await {
            Ok(offer) => {
                let fails = offer.preflight.iter().any(CheckSeen::stops);
                let page = if long {
                    look::long_look(&offer, &moment)
                } else {
                    plan::looked_at(&offer, &person, snapshot.set.policy.as_ref().ok(), &moment)
                };
                Ok(if fails { Reply::refused(page) } else { Reply::done(page) })
            }
            Err(NotOffered { why, failed, .. }) => {
                let page =
                    why.iter().fold(Page::sentence("There is no plan."), |page, why| page.text(visible(why)));
                let rows = failed.iter().map(plan::seen_row).collect();
                let table = crate::wording::page::Table { rows, ..Default::default() };
                let page = if failed.is_empty() {
                    page
                } else {
                    page.with(crate::wording::page::Block::Table(table))
                };
                Ok(Reply::refused(page.code("no-plan")))
            }
        }
    }

    fn output(&self, id: RunId, number: u32, host: Option<&str>) -> Result<Page, Refused> {
        let run = self.run(id)?;
        let view = self.view()?;
        let unit = run.units.keys().find(|at| {
            let step = run.step(at);
            let is_host = host.is_none_or(|host| {
                at.lane.as_ref().is_some_and(|lane| lane.as_str() == host)
                    || (at.lane.is_none() && step.is_some_and(|step| step.command.host.as_str() == host))
            });
            at.number == number && is_host && step.is_some()
        });
        let Some(unit) = unit else {
            return Ok(Page::sentence(format!("Run {id} has no step {number} there."))
                .next(format!("status {id}"), String::new()));
        };
        let mut streams = Vec::new();
        for attempt in 1..=run.units.get(unit).map_or(0, crate::run::model::UnitState::attempts).max(9) {
            for (undo, what) in [(false, "attempt"), (true, "undo, attempt")] {
                for stream in ["out", "err"] {
                    let key = OutputKey { run: id, unit: unit.clone(), attempt, undo, stream };
                    let Some(output) = view.output(&key)? else { continue };
                    let head = format!(
                        "Standard {} of {}, {what} {attempt}: {} bytes, sha256 {}",
                        if stream == "out" { "output" } else { "error" },
                        refusal::step(unit),
                        output.bytes,
                        &output.sha256[..12.min(output.sha256.len())]
                    );
                    let mut lines: Vec<String> = text_lines(&output.head);
                    let kept = (output.head.len() + output.tail.len()) as u64;
                    if output.bytes > kept {
                        lines.push(format!("… {} bytes were not kept …", output.bytes - kept));
                    }
                    lines.extend(text_lines(&output.tail));
                    streams.push((head, lines));
                }
            }
        }
        Ok(look::output(&refusal::capital(&refusal::step(unit)), &streams))
    }

    fn journal_of(&self, id: RunId, moment: &Moment) -> Result<Page, Refused> {
        let view = self.view()?;
        let run = view.run(id)?.ok_or(Refused::UnknownRun(id))?;
        let mut recorded = Vec::new();
        for entry in view.entries_of(id)? {
            let hash = crate::journal::entry::leaf(&entry.line());
            recorded.push(Recorded { seq: entry.seq, hash, stamped: crate::journal::stamped(&entry)? });
        }
        Ok(record::journal_of(&run, &recorded, moment))
    }

    fn verify(&self) -> Result<Reply, Refused> {
        let verified = self.view()?.verify()?;
        let broken = verified.broken.as_ref().map(|(seq, why)| (*seq, why.to_string()));
        let broken = broken.as_ref().map(|(seq, why)| (*seq, why.as_str()));
        let page = record::verified(verified.entries, &verified.head, broken, &verified.beside);
        Ok(if verified.holds() {
            Reply::done(page)
        } else {
            Reply { page, came_out: CameOut::Broke, run: None }
        })
    }

    /// A run was asked for: its plan, or why there is none.
    fn requested(&self, run: &Run, policy: Option<&Policy>) -> Reply {
        let moment = self.moment();
        if run.phase == Phase::Confirming {
            let page = plan::offered(run, policy, &moment);
            return Reply { page, came_out: CameOut::NeedsPerson, run: Some(run.id) };
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
                return run_words::not_planned(run, static_code(&code), &why, &failed);
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
        let mut page = run_words::heard(&heard.run, &by, &heard.events, &moment);
        let offered_undo = heard.events.iter().any(|event| matches!(event, Event::UndoOffered { .. }));
        if offered_undo {
            page = page.join(run_words::questions(&heard.run, &moment));
        }
        let came_out = match heard.run.phase {
            Phase::Approving | Phase::Confirming => CameOut::NeedsPerson,
            _ if offered_undo => CameOut::NeedsPerson,
            _ => CameOut::Done,
        };
        Ok(Reply { page, came_out, run: Some(id) })
    }

    /// The words for why a request was not taken.
    fn refused(&self, refused: &Refused) -> Reply {
        let moment = self.moment();
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
            Refused::Run(refusal, run) => refusal::of_run(refusal, run, &moment),
            Refused::PlanChanged(run) => refusal::made_anew(run, &moment),
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

    /// How a run that is at rest counts for the one who waited for it.
    pub fn came_out(run: &Run) -> CameOut {
        match run.phase {
            Phase::Ended(Outcome::Succeeded | Outcome::WithIssues | Outcome::Undone | Outcome::Stopped) => {
                CameOut::Done
            }
            Phase::Ended(Outcome::Refused | Outcome::Expired) => CameOut::Refused,
            Phase::Ended(Outcome::Stuck) => CameOut::Broke,
            _ => CameOut::NeedsPerson,
        }
    }

    /// The greeting of the console.
    pub fn greeting(&self, speaker: &Speaker, is_new: bool) -> Page {
        let (runbooks, commit, roles) = match self.library().load() {
            Ok(snapshot) => {
                let roles = match (&snapshot.set.policy, &speaker.person) {
                    (Ok(policy), Some(person)) => policy.roles_of(person),
                    _ => Vec::new(),
                };
                (snapshot.set.runbooks.len(), snapshot.commit.clone(), roles)
            }
            Err(NotLoaded::Problems(report)) => return refusal::runbooks_broken(&report.problems),
            Err(NotLoaded::Unreadable(why)) => return refusal::runbooks_unreadable(&why),
        };
        let journal =
            self.journal.as_ref().and_then(|view| view.path().file_name()?.to_str().map(str::to_owned));
        look::greeting(&Opening {
            person: speaker.person.as_ref(),
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

fn text_lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(visible).collect()
}

fn listed(
    runbook: &Runbook,
    policy: &Policy,
    person: Option<&crate::runbook::source::name::Person>,
) -> Listed {
    let has = |roles: &[String]| person.is_some_and(|person| policy.holds(person, roles) == Holds::Yes);
    let approvers =
        runbook.access.approve.as_ref().map(|approve| role_names(&approve.by)).unwrap_or_default();
    Listed {
        name: runbook.name.clone(),
        use_when: runbook.use_when.clone(),
        owner: runbook.owner.value.clone(),
        may_run: has(&role_names(&runbook.access.start)),
        may_approve: has(&approvers),
    }
}

fn who_owns(snapshot: &Snapshot, policy: Option<&Policy>, host: &str) -> Reply {
    let inventory = &snapshot.set.inventory;
    let Some(owner) = inventory.owner_of(host) else {
        let known: Vec<_> = inventory.hosts.keys().map(ToString::to_string).collect();
        let page =
            Page::sentence(format!("`{}` is no host. There are: {}.", visible(host), known.join(", ")));
        return Reply::refused(page.code("unknown-host"));
    };
    let people = policy.map(|policy| policy.holders(&[owner.to_owned()])).unwrap_or_default();
    let mut escalates: Vec<String> = Vec::new();
    let mut role = owner.to_owned();
    while let Some(next) = policy.and_then(|policy| policy.roles.get(role.as_str())?.escalates_to.as_ref()) {
        if escalates.contains(&next.value) {
            break;
        }
        escalates.push(next.value.clone());
        role.clone_from(&next.value);
    }
    let cluster = inventory.cluster_of(host).map(|(name, _)| name.as_str());
    Reply::done(look::who_owns(host, owner, &people, &escalates, cluster))
}

/// Codes of stored events as codes of pages.
fn static_code(code: &str) -> &'static str {
    const CODES: [&str; 24] = [
        "preflight",
        "not-started",
        "held",
        "bad-parameters",
        "no-policy",
        "unknown-runbook",
        "two-primaries",
        "no-primary",
        "no-topology",
        "nothing-to-do",
        "when-unknown",
        "target-unknown",
        "target-empty",
        "target-twice",
        "too-many-units",
        "input-unknown",
        "step-unknown",
        "service-unknown",
        "not-rehearsed",
        "outside-window",
        "too-many-hosts",
        "too-much-of-cluster",
        "runbooks-broken",
        "journal-unreadable",
    ];
    CODES.iter().find(|known| **known == code).copied().unwrap_or("not-planned")
}
