//! Makes the offer for a run: bind, measure the topology, bind the hosts, ask preflight, build.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::ask::{Asker, Known, came_to};
use super::clock::Clock;
use super::context::Context;
use crate::library::{Library, Snapshot};
use crate::plan::beside::beside;
use crate::plan::bind::{Asked, WrongValue, bind, bind_hosts};
use crate::plan::build::{NotPlanned, Request, build};
use crate::plan::measure::{Errand, ErrandBody, Inquiry};
use crate::plan::model::{CheckSeen, GuardSeen, Offer, Plan, Verdict};
use crate::plan::situation::{RunWords, Situation};
use crate::plan::topology::{NoTopology, topology, topology_inquiries};
use crate::plan::usual::Usual;
use crate::plan::{Digest, question};
use crate::policy::decide::{Holds, policy_of, role_names};
use crate::run::model::{Approval, Requested};
use crate::run::next::history_key;
use crate::run::{Run, RunId, World};
use crate::runbook::expression::{Facts, NoAnswer, Reading, Type, Value};
use crate::runbook::model::{Runbook, ValueType};
use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{ClusterName, HostName, Person};
use crate::target::{Ending, Target};

/// Why there is no offer.
#[derive(Debug, Clone, PartialEq)]
pub struct NotOffered {
    /// The stable code.
    pub code: String,
    /// Why, as sentences; the last one says what to do.
    pub why: Vec<String>,
    /// The checks that stand in the way.
    pub failed: Vec<CheckSeen>,
}

impl NotOffered {
    fn new(code: &str, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code: code.to_owned(), why: vec![why.into(), next.into()], failed: Vec::new() }
    }

    fn role_unknown(person: &Person, why: &str) -> Self {
        let what = format!("Whether {person} still has the role for it could not be found out: {why}.");
        Self::new(
            "role-unknown",
            what,
            "Next: ask for it again when Discord answers; `steadyhand doctor` says what is wrong.",
        )
    }
}

/// Whether the person who asked for a run may run it.
fn may_run(snapshot: &Snapshot, request: &Requested) -> Result<(), NotOffered> {
    let (Ok(policy), Some(runbook)) = (&snapshot.set.policy, snapshot.set.runbooks.get(&request.runbook))
    else {
        return Ok(());
    };
    match policy.holds(&request.by, &role_names(&runbook.access.start)) {
        Holds::Yes => Ok(()),
        Holds::No => {
            let what = format!("{} may not run {} any more.", request.by, request.runbook);
            Err(NotOffered::new("no-role", what, "Next: somebody who may asks for it."))
        }
        Holds::Unknown(why) => Err(NotOffered::role_unknown(&request.by, &why)),
    }
}

/// Right before the start: those who approved a run, and whose role for it was taken from them on Discord since, as
/// sentences. An error if who asked for it may not run it any more, or if nobody knows who may what.
pub(super) fn who_may_no_more(snapshot: &Snapshot, run: &Run) -> Result<Vec<String>, NotOffered> {
    may_run(snapshot, &run.request)?;
    let (Ok(policy), Some(plan)) = (&snapshot.set.policy, run.plan()) else { return Ok(Vec::new()) };
    let commander = ["commander".to_owned()];
    let mut gone = Vec::new();
    for Approval { by, roles, commander: as_commander, .. } in &run.approvals {
        let as_commander = *as_commander && plan.approvals.commander.is_some();
        let needs =
            [plan.approvals.by.as_slice()].into_iter().chain(as_commander.then_some(commander.as_slice()));
        for needs in needs {
            match policy.still_counts(by, roles, needs) {
                Holds::Yes => {}
                Holds::No => {
                    let by_which: Vec<_> =
                        needs.iter().filter(|role| roles.contains(role)).cloned().collect();
                    let role = by_which.join(" and ");
                    gone.push(format!(
                        "{by} approved it as {role}, which Discord does not give them any more."
                    ));
                }
                Holds::Unknown(why) => return Err(NotOffered::role_unknown(by, &why)),
            }
        }
    }
    Ok(gone)
}

impl From<NotOffered> for World {
    fn from(not: NotOffered) -> Self {
        Self::NotPlanned { code: not.code, why: not.why, failed: not.failed }
    }
}

impl From<NotPlanned> for NotOffered {
    fn from(not: NotPlanned) -> Self {
        Self::new(not.code, not.what, not.next)
    }
}

/// What is known from before: it comes from the journal.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// The primary of each cluster when a plan was last made.
    pub primaries: BTreeMap<ClusterName, HostName>,
    /// When this runbook last ended on one of the clusters.
    pub last_end: Option<Timestamp>,
    /// How long the steps of this runbook took that went well, newest first, by the key of each.
    pub took: BTreeMap<String, Vec<Millis>>,
}

/// Makes offers.
#[derive(Clone)]
pub struct Planner {
    /// The folder of runbooks.
    pub library: Arc<Library>,
    /// Where hosts are asked.
    pub target: Arc<dyn Target>,
    /// The time.
    pub clock: Clock,
}

impl Planner {
    /// Makes the offer of a run, if the person who asked for it still may.
    pub async fn offer_of(
        &self,
        snapshot: &Arc<Snapshot>,
        id: RunId,
        request: &Requested,
        before: &Before,
    ) -> Result<(Offer, Context), NotOffered> {
        may_run(snapshot, request)?;
        self.offer(snapshot, id, request, before).await
    }

    /// Makes an offer from these files. Everything that fails is told at once.
    pub async fn offer(
        &self,
        snapshot: &Arc<Snapshot>,
        id: RunId,
        request: &Requested,
        before: &Before,
    ) -> Result<(Offer, Context), NotOffered> {
        let set = &snapshot.set;
        let policy = policy_of(&set.policy).map_err(|_| {
            NotOffered::new("no-policy", "There is no policy that could allow it.", "Next: steadyhand check")
        })?;
        let runbook = set.runbooks.get(&request.runbook).ok_or_else(|| {
            let what = format!("There is no runbook {} any more.", request.runbook);
            NotOffered::new("unknown-runbook", what, "Next: runbooks")
        })?;
        let reason = (!request.reason.is_empty()).then_some(request.reason.as_str());
        let values = bind(set, runbook, &request.arguments, reason).map_err(|wrong| wrong_values(&wrong))?;
        let words = RunWords { id: id.0, reason: request.reason.clone(), started_by: request.by.to_string() };
        let first = Situation::new(set, runbook, values.clone(), &BTreeMap::new(), &words);
        let context = |situation| Context {
            snapshot: snapshot.clone(),
            runbook: request.runbook.clone(),
            situation: Arc::new(situation),
        };
        let asker = |context| Asker { context, target: self.target.clone(), clock: self.clock.clone() };
        let began = self.clock.now();
        let mut known = Known::new();
        let asked = self.topology(&asker(context(first)), before, &mut known).await?;
        let situation = Situation::new(set, runbook, values.clone(), &asked.topology, &words);
        let wrong = bind_hosts(runbook, &values, &situation.meaning(&Facts::default()), &asked);
        if !wrong.is_empty() {
            return Err(wrong_values(&wrong));
        }
        let context = context(situation);
        let build_request = Request {
            asked_by: request.by.clone(),
            reason: request.reason.clone(),
            now: began,
            last_end: before.last_end,
            keys: self.library.pinned_keys(set),
            secrets: self.secrets(runbook)?,
        };
        let plan = build(set, runbook, policy, &context.situation, &asked.topology, &build_request)?;
        let asker = asker(context.clone());
        let (mut preflight, (guards, cannot)) =
            tokio::join!(self.preflight(&asker, &plan, &mut known), self.guards(&context, &plan));
        preflight.extend(cannot);
        let mut beside = beside(set, runbook, policy, &context.situation, &plan);
        for (number, written) in &beside.written {
            let took = before.took.get(&history_key(&plan.runbook, written));
            beside.learnt.extend(took.and_then(|took| Usual::learnt(took)).map(|usual| (*number, usual)));
        }
        let offer = Offer {
            beside,
            digest: Digest::of(&plan),
            plan,
            commit: self.library.commit(),
            sources: snapshot.blobs().0,
            preflight,
            guards,
            measured: measured(&known, began, self.clock.now()),
        };
        Ok((offer, context))
    }

    /// Where each secret of a runbook is read from. None is read here.
    fn secrets(&self, runbook: &Runbook) -> Result<BTreeMap<String, String>, NotOffered> {
        let from = |name: &str| {
            self.target.secret(name).ok_or_else(|| {
                let what = format!("The configuration of the bot says nothing of the secret `{name}`.");
                NotOffered::new("no-secret", what, "Next: add it to [secrets], and start the bot anew.")
            })
        };
        runbook.secrets.iter().map(|name| Ok((name.value.clone(), from(name)?))).collect()
    }

    /// Who is primary and who a replica, of every cluster that was given.
    async fn topology(&self, asker: &Asker, before: &Before, known: &mut Known) -> Result<Asked, NotOffered> {
        let set = &asker.context.snapshot.set;
        let clusters: Vec<ClusterName> = asker
            .context
            .situation
            .values
            .values()
            .filter_map(|value| match value {
                Value::Cluster(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let mut inquiries = BTreeMap::new();
        for cluster in &clusters {
            for (host, inquiry) in topology_inquiries(set, cluster, &asker.context.situation) {
                inquiries.insert((cluster.clone(), host), inquiry);
            }
        }
        asker.ask(inquiries.values().filter_map(|inquiry| inquiry.clone().ok()).collect(), known).await;
        let mut asked = Asked::default();
        for cluster in clusters {
            let of_cluster = inquiries.iter().filter(|((name, _), _)| *name == cluster);
            let readings: BTreeMap<HostName, Reading> = of_cluster
                .map(|((_, host), inquiry)| {
                    let reading = match inquiry {
                        Ok(inquiry) => known.get(&inquiry.errand).map(|(reading, _)| reading.clone()),
                        Err(why) => Some(Err(why.clone())),
                    };
                    (host.clone(), reading.unwrap_or_else(|| Err(NoAnswer(format!("{host} was not asked")))))
                })
                .collect();
            let seen = topology(set, &cluster, &readings, before.primaries.get(&cluster));
            asked.topology.insert(cluster.clone(), seen.map_err(|why| no_topology(&cluster, &why))?);
            asked
                .silent
                .extend(readings.into_iter().filter_map(|(host, reading)| Some((host, reading.err()?))));
        }
        Ok(asked)
    }

    /// What the guards say of themselves on all hosts that the plan may change, and what stands in the way. A host that
    /// does not answer is not held back here: what needs it says so.
    async fn guards(
        &self,
        context: &Context,
        plan: &Plan,
    ) -> (BTreeMap<HostName, GuardSeen>, Vec<CheckSeen>) {
        let mut asked = JoinSet::new();
        for host in plan.guarded_hosts() {
            let Some(to) = context.destination(host) else { continue };
            let target = self.target.clone();
            asked.spawn(async move { (to.name.clone(), target.hello(to).await) });
        }
        let (mut guards, mut cannot) = (BTreeMap::new(), BTreeMap::new());
        while let Some(said) = asked.join_next().await {
            match came_to(said).await {
                Some((host, Ok(guard))) => {
                    guards.insert(host, guard);
                }
                Some((host, Err(Ending::NotStarted { code, why }))) if code != "unreachable" => {
                    cannot.insert(host.clone(), not_guarded(&host, why));
                }
                _ => {}
            }
        }
        (guards, cannot.into_values().collect())
    }

    /// Every check of preflight, and that the commands of the packs are on the hosts.
    async fn preflight(&self, asker: &Asker, plan: &Plan, known: &mut Known) -> Vec<CheckSeen> {
        let runbook = asker.context.runbook();
        let checks = question::checks(runbook, &runbook.preflight);
        let commands = command_inquiries(&asker.context, plan);
        let asks = question::wanted(&asker.context.situation, None, &checks);
        // Both at once: the answers of the first are in `known` when the second is evaluated.
        let mut for_commands = Known::new();
        let asked_commands = commands.iter().map(|(_, inquiry)| inquiry.clone()).collect();
        let (facts, ()) =
            tokio::join!(asker.facts(asks, known), asker.ask(asked_commands, &mut for_commands));
        let mut seen: Vec<CheckSeen> = checks
            .iter()
            .map(|check| question::answer(&asker.context.situation, None, check, &facts))
            .collect();
        for (pack, inquiry) in commands {
            let Some((Ok(results), _)) = for_commands.get(&inquiry.errand) else { continue };
            let Some(Value::Text(missing)) = results.get("missing") else { continue };
            if !missing.is_empty() {
                seen.push(CheckSeen {
                    that: format!("the commands of {pack} are on {}", inquiry.errand.host),
                    says: format!("{} lacks {missing}, which {pack} needs", inquiry.errand.host),
                    warns: false,
                    verdict: Verdict::Fails,
                    read: Vec::new(),
                });
            }
        }
        seen
    }
}

/// What stands in the way on a host whose guard cannot be used.
fn not_guarded(host: &HostName, why: String) -> CheckSeen {
    CheckSeen {
        that: format!("what changes something can be guarded on {host}"),
        says: format!("{host} cannot carry out what changes something"),
        warns: false,
        verdict: Verdict::NoAnswer(why),
        read: Vec::new(),
    }
}

/// When the first and the last answer came.
fn measured(known: &Known, began: Timestamp, ended: Timestamp) -> (Timestamp, Timestamp) {
    let times = || known.values().map(|(_, at)| *at);
    (times().min().unwrap_or(began), times().max().unwrap_or(ended))
}

/// Whether the commands of a pack are on a host, for every host that an action of it runs on. A host that does not
/// answer is not held back here: what needs it says so.
fn command_inquiries(context: &Context, plan: &Plan) -> Vec<(String, Inquiry)> {
    const SCRIPT: &str = "m=; for c in $commands; do command -v \"$c\" >/dev/null || m=\"$m $c\"; done\nprintf '{\"missing\":\"%s\"}' \"${m# }\"\n";
    let mut wanted: BTreeSet<(String, HostName)> = BTreeSet::new();
    for (_, unit) in plan.units() {
        let Some(step) = unit.step() else { continue };
        for command in std::iter::once(&step.command).chain(&step.instead) {
            let pack = command.action.as_ref().and_then(|action| action.split_once('/'));
            wanted.extend(pack.map(|(pack, _)| (pack.to_owned(), command.host.clone())));
        }
    }
    wanted
        .into_iter()
        .filter_map(|(pack, host)| {
            let commands = &context.snapshot.set.packs.get(pack.as_str())?.commands;
            let names: Vec<&str> = commands.iter().map(|word| word.value.as_str()).collect();
            let variables = BTreeMap::from([("commands".to_owned(), names.join(" "))]);
            let body = ErrandBody::Script { text: SCRIPT.to_owned(), variables };
            let errand = Errand { host, body, secrets: Vec::new(), at_most: Millis::seconds(5) };
            let results = vec![("missing".to_owned(), ValueType { kind: Type::Text, optional: false })];
            let inquiry = Inquiry { errand, probe: format!("{pack} commands"), results };
            (!names.is_empty()).then_some((pack, inquiry))
        })
        .collect()
}

fn wrong_values(wrong: &[WrongValue]) -> NotOffered {
    let why = wrong.iter().map(|wrong| format!("{}  {}", wrong.name, wrong.what)).collect();
    NotOffered { code: "bad-parameters".to_owned(), why, failed: Vec::new() }
}

fn no_topology(cluster: &ClusterName, why: &NoTopology) -> NotOffered {
    match why {
        NoTopology::TwoPrimaries(hosts) => {
            let names: Vec<_> = hosts.iter().map(ToString::to_string).collect();
            let what = format!("{} of {cluster} all answer as primary.", names.join(" and "));
            NotOffered::new(
                "two-primaries",
                what,
                "Next: fence all but one by hand, and find out which one has the data.",
            )
        }
        NoTopology::NoPrimary => {
            let what = format!("No host of {cluster} answers as primary, and none is known from before.");
            NotOffered::new("no-primary", what, "Next: write `primary:` of the cluster into the inventory.")
        }
        NoTopology::Unknown => {
            let what =
                format!("{cluster} is not in the inventory any more, or there is no pack of its kind.");
            NotOffered::new("no-topology", what, "Next: steadyhand check")
        }
    }
}
