//! Looking: runbooks, plans, runs, outputs, the journal. Nothing of it changes anything.

use super::{CameOut, Desk, Reply, only_looks};
use std::sync::Arc;

use crate::chat::grammar::{Command, OfNotices, OnCall};
use crate::duty::on_duty::two_weeks_after;
use crate::duty::{NoStandIn, OnDuty};
use crate::engine::{NotOffered, Refused, Speaker};
use crate::journal::OutputKey;
use crate::library::Snapshot;
use crate::plan::model::CheckSeen;
use crate::policy::Policy;
use crate::policy::decide::{Denial, Holds, policy_of, role_names};
use crate::policy::model::HeldBy;
use crate::run::RunId;
use crate::run::model::Requested;
use crate::runbook::model::Runbook;
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::{Person, RunbookName, ScheduleName};
use crate::wording::duty::Seat;
use crate::wording::look::Listed;
use crate::wording::record::Recorded;
use crate::wording::refusal::quoted;
use crate::wording::{Moment, Page, duty, incident, look, paths, plan, record, refusal};

impl Desk {
    pub(super) async fn look(
        &self,
        snapshot: &Arc<Snapshot>,
        speaker: &Speaker,
        command: Command,
    ) -> Result<Reply, Refused> {
        let (moment, policy) = (self.moment(), snapshot.set.policy.as_ref().ok());
        let page = match command {
            Command::Runbooks(word) => Self::runbooks(snapshot, speaker, word.as_deref()),
            Command::Show(name) => match snapshot.set.runbooks.get(name.as_str()) {
                Some(runbook) => look::show(runbook, self.library().commit().as_deref(), policy),
                None => return Err(Refused::UnknownRunbook(name)),
            },
            Command::Status(None) => {
                let incidents = self.open_incidents()?;
                let page = look::status(&self.open_runs()?, self.is_carried(), &moment);
                let page = page.join(incident::section(&incidents, &moment));
                // Files with a mistake are said elsewhere; what goes on is shown all the same.
                let page = page.join(paths::line(&self.paths(&moment).unwrap_or_default()));
                let parked = self.parked();
                parked
                    .iter()
                    .fold(page, |page, (id, why)| page.join(look::parked(*id, why, self.run(*id).is_ok())))
            }
            Command::Status(Some(of)) => return self.status_of(snapshot, &of, &moment),
            Command::Plan { run, long } => {
                let run = self.run(run)?;
                return Ok(answered(look::plan_of_run(&run, long, policy, &moment)));
            }
            Command::Look { runbook, arguments, reason, long } => {
                return self.look_at_plan(snapshot, speaker, &runbook, arguments, reason, long).await;
            }
            Command::WhoOwns(host) => return Ok(self.who_owns(snapshot, policy, &host)),
            Command::OnCall(about) => return self.on_call(snapshot, about),
            Command::Output { run, number, host } => {
                return Ok(answered(self.output(run, number, host.as_deref())?));
            }
            Command::JournalShow(id) => self.journal_of(id, &moment)?,
            Command::JournalOfIncident(id) => self.journal_of_incident(id)?,
            Command::Incident(of) => return self.look_at_incidents(&of),
            Command::Notify(OfNotices::Log(id)) => self.log_of_notices(id)?,
            Command::Notify(OfNotices::Paths) => self.paths_of_notices()?,
            Command::JournalVerify => return self.verify(),
            _ => return Ok(Reply::refused(only_looks())),
        };
        Ok(Reply::done(page))
    }

    /// May run, may approve, of how many.
    pub(super) fn rights(&self, speaker: &Speaker) -> Option<(usize, usize, usize)> {
        let snapshot = self.files().ok()?;
        let policy = snapshot.set.policy.as_ref().ok()?;
        let person = speaker.person.as_ref()?;
        let listed: Vec<Listed> =
            snapshot.set.runbooks.values().map(|runbook| listed(runbook, policy, Some(person))).collect();
        let may_run = listed.iter().filter(|runbook| runbook.may_run).count();
        let may_approve = listed.iter().filter(|runbook| runbook.may_approve).count();
        Some((may_run, may_approve, listed.len()))
    }

    fn runbooks(snapshot: &Snapshot, speaker: &Speaker, word: Option<&str>) -> Page {
        let Ok(policy) = &snapshot.set.policy else { return look::runbooks(&[], 0, word) };
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
        look::runbooks(&shown, all.len() - shown.len(), word)
    }

    /// Whether a bot carries on what is open: this one, or another process.
    fn is_carried(&self) -> bool {
        self.engine.is_some() || self.journal.as_ref().is_none_or(crate::journal::JournalView::has_writer)
    }

    fn status_of(&self, snapshot: &Snapshot, of: &str, moment: &Moment) -> Result<Reply, Refused> {
        let policy = snapshot.set.policy.as_ref().ok();
        if let Ok(id) = of.parse() {
            let run = self.run(RunId(id))?;
            if run.is_ended() && run.started.is_none() {
                // Looking at it is not refused: the code belongs to the answer of then.
                return Ok(Reply::done(self.why_not(&run).without_code()));
            }
            let held_by = self.held_back_by(&run);
            let page = match self.parked().get(&run.id) {
                Some(why) => look::parked(run.id, why, true),
                None => look::status_of_run(&run, &self.far(run.id), held_by.as_deref(), policy, moment),
            };
            let is_still = !run.is_ended() && !self.is_carried();
            return Ok(Reply::done(if is_still { look::no_bot().join(page) } else { page }));
        }
        if let Ok(id) = of.parse() {
            return Ok(Reply::done(self.card_of(id)?));
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
                "{} is no run, incident, cluster or host. There are: {}.",
                quoted(of),
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
                let page =
                    if fails { page } else { page.next(refusal::asked_again(&request), "asks for it") };
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
        let view = self.view_of(id)?;
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
                .next(format!("status {id}"), String::new())
                .code("no-such-step"));
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
                        output.sha256.get(..12).unwrap_or(&output.sha256)
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
        let view = self.view_of(id)?;
        let run = view.run(id)?.ok_or(Refused::UnknownRun(id))?;
        let mut recorded = Vec::new();
        for (entry, hash) in view.hashed_entries_of(id)? {
            recorded.push(Recorded { seq: entry.seq, hash, stamped: crate::journal::stamped(&entry)? });
        }
        Ok(record::journal_of(&run, &recorded, moment))
    }

    /// Whether anything in the journal was changed. It names nobody and nothing of any run, so no right is asked here.
    pub fn verify(&self) -> Result<Reply, Refused> {
        let Some(view) = &self.journal else { return Ok(Reply::done(look::no_journal())) };
        let verified = view.verify()?;
        let broken = verified.broken.as_ref().map(|(seq, why)| (*seq, why.to_string()));
        let broken = broken.as_ref().map(|(seq, why)| (*seq, why.as_str()));
        let page = record::verified(verified.entries, &verified.head, broken, &verified.beside);
        Ok(if verified.holds() {
            Reply::done(page)
        } else {
            Reply { page, came_out: CameOut::Broke, run: None }
        })
    }
}

/// A page with a code says that what was asked for is not there.
pub(super) fn answered(page: Page) -> Reply {
    if page.refusal_code().is_some() { Reply::refused(page) } else { Reply::done(page) }
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

impl Desk {
    fn on_call(&self, snapshot: &Snapshot, about: OnCall) -> Result<Reply, Refused> {
        let policy = policy_of(&snapshot.set.policy).map_err(Refused::Denied)?;
        let (moment, overrides) = (self.moment(), self.overrides());
        let known = snapshot.set.duty(policy, &overrides);
        let schedules = match known.notify {
            Ok(notify) => notify.schedules.keys().cloned().collect(),
            // Without the file every role has its people; broken, it is no empty rota.
            Err(_) if !policy.roles.values().any(|role| matches!(role.held_by, HeldBy::Schedule { .. })) => {
                Vec::new()
            }
            Err(why) => return Err(Refused::StandIn(NoStandIn::NotKnown(why.to_owned()))),
        };
        let unknown = |why| Refused::StandIn(NoStandIn::NotKnown(why));
        Ok(match about {
            OnCall::Now | OnCall::StandIn(_) => {
                let seat = |schedule: ScheduleName| {
                    let on_duty = known.on_schedule(schedule.as_str(), moment.now)?;
                    Ok(Seat { roles: known.roles_held_by(schedule.as_str()), schedule, on_duty })
                };
                let seats = schedules.into_iter().map(seat).collect::<Result<Vec<_>, String>>();
                Reply::done(duty::on_duty(&seats.map_err(unknown)?, &moment))
            }
            OnCall::Gaps => {
                let end = two_weeks_after(moment.now);
                let gaps = schedules.into_iter().map(|schedule| {
                    let gaps = known.gaps(schedule.as_str(), moment.now, end)?;
                    Ok((schedule, gaps))
                });
                Reply::done(duty::gaps(&gaps.collect::<Result<Vec<_>, String>>().map_err(unknown)?, &moment))
            }
            OnCall::Who(name) => {
                let Some((role, held)) = policy.roles.get_key_value(name.as_str()) else {
                    let all: Vec<_> = policy.roles.keys().map(ToString::to_string).collect();
                    let page = format!("{} is no role. There are: {}.", quoted(&name), all.join(", "));
                    return Ok(Reply::refused(Page::sentence(page).code("unknown-role")));
                };
                match known.on_duty(role.as_str(), moment.now) {
                    Ok(on_duty) => Reply::done(duty::who_of(role, &on_duty, &known, &moment)),
                    Err(why) if matches!(held.held_by, HeldBy::Discord { .. }) => {
                        let page = Page::sentence(format!("Nobody knows who has {role} now: {why}."));
                        Reply::refused(page.code("role-unknown"))
                    }
                    Err(why) => return Err(unknown(why)),
                }
            }
        })
    }

    fn who_owns(&self, snapshot: &Snapshot, policy: Option<&Policy>, host: &str) -> Reply {
        let (moment, overrides) = (self.moment(), self.overrides());
        let owner = snapshot.set.inventory.owner_of(host);
        let duty = policy.map(|policy| snapshot.set.duty(policy, &overrides));
        let on_duty = duty.zip(owner).and_then(|(duty, owner)| duty.on_duty(owner, moment.now).ok());
        who_owns(snapshot, policy, host, on_duty.as_ref(), &moment)
    }
}

fn who_owns(
    snapshot: &Snapshot,
    policy: Option<&Policy>,
    host: &str,
    on_duty: Option<&OnDuty>,
    moment: &Moment,
) -> Reply {
    let inventory = &snapshot.set.inventory;
    let Some(owner) = inventory.owner_of(host) else {
        let known: Vec<_> = inventory.hosts.keys().map(ToString::to_string).collect();
        let page = Page::sentence(format!("{} is no host. There are: {}.", quoted(host), known.join(", ")));
        return Reply::refused(page.code("unknown-host"));
    };
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
    Reply::done(look::who_owns(host, owner, on_duty, &escalates, cluster, moment))
}

/// The first runbook that the speaker may run.
pub(super) fn first_to_run(snapshot: &Snapshot, speaker: &Speaker) -> Option<RunbookName> {
    let policy = snapshot.set.policy.as_ref().ok()?;
    let all = snapshot.set.runbooks.values().map(|runbook| listed(runbook, policy, speaker.person.as_ref()));
    all.into_iter().find(|runbook| runbook.may_run).map(|runbook| runbook.name)
}

/// Who has no role at all is told no names.
pub(super) fn may_look(speaker: &Speaker, snapshot: &Snapshot) -> Result<(), Denial> {
    let policy = policy_of(&snapshot.set.policy)?;
    if !policy.is_open(speaker.door) {
        return Err(Denial::DoorClosed(speaker.door));
    }
    match &speaker.person {
        Some(person) if !policy.roles_of(person).is_empty() => Ok(()),
        // Who takes turns may look between them.
        Some(person) if takes_turns(person, policy, snapshot) => Ok(()),
        Some(person) => {
            let roles: Vec<String> = policy.roles.keys().map(ToString::to_string).collect();
            Err(match policy.holds(person, &roles) {
                Holds::Unknown(why) => Denial::RoleUnknown { deed: "Looking", why },
                _ => Denial::NoPerson(speaker.account.clone()),
            })
        }
        None => Err(Denial::NoPerson(speaker.account.clone())),
    }
}

/// Whether a person has a role at some time by a schedule.
fn takes_turns(person: &Person, policy: &Policy, snapshot: &Snapshot) -> bool {
    let duty = snapshot.set.duty(policy, &[]);
    policy.roles.keys().any(|role| duty.reach_of(role.as_str()).contains(person))
}
