//! What happened, as it is told: one line an event, and the reply to the one who caused it.

use super::live::between;

use crate::plan::model::CheckSeen;
use crate::policy::Policy;
use crate::run::event::{Exit, still_run};
use crate::run::model::{Failure, UnitState};
use crate::run::{Event, Run, Stamped, UnitAt};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::literal::Millis;
use crate::wording::moment::Moment;
use crate::wording::page::Page;
use crate::wording::plan::{approvers, needed, usually};
use crate::wording::refusal::{again, ended_how, step as step_words};
use crate::wording::states;

/// What happened, as a line for those who follow without a screen: its fields, and a sentence. `None` for what is not
/// worth a line.
#[expect(clippy::too_many_lines, reason = "a table: one case an event")]
pub fn event_line(run: &Run, stamped: &Stamped) -> Option<(Vec<(&'static str, String)>, String)> {
    let mut fields = vec![("run", run.id.to_string())];
    let by = stamped.by.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut of_unit = |unit: &UnitAt, state: &str| {
        fields.push(("step", unit.number.to_string()));
        let host = run.command(unit, run.variant(unit)).map(|command| command.host.to_string());
        let lane = unit.lane.as_ref().map(ToString::to_string);
        // Where it runs; the host at hand of an `each` may be another.
        if let (Some(lane), Some(host)) = (&lane, &host)
            && lane != host
        {
            fields.push(("for", lane.clone()));
        }
        if let Some(host) = host.or(lane) {
            fields.push(("host", host));
        }
        fields.push(("state", state.to_owned()));
        run.unit(unit).map(|unit| visible(&unit.title)).unwrap_or_default()
    };
    let sentence = match &stamped.event {
        Event::Started { .. } => {
            format!("Everything still holds. The first step begins; {} drives.", run.driver)
        }
        Event::StepSent { unit, attempt, variant, host, .. } => {
            let title = of_unit(unit, "working");
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            match variant {
                crate::run::model::Variant::Main => format!("{title}{again}."),
                crate::run::model::Variant::Instead => {
                    format!("{title}: the host cannot be reached, so it is done from {host} instead{again}.")
                }
            }
        }
        Event::StepUnreached { unit, why } => {
            let title = of_unit(unit, "waiting");
            format!("{title}: not started, because {}.", visible(why))
        }
        Event::StepSucceeded { unit, took, proof, .. } => {
            let title = of_unit(unit, "succeeded");
            fields.push(("took", short_time(*took)));
            let proven = if proof.is_empty() { "" } else { ", and proven" };
            format!("{title}: done{proven}.")
        }
        Event::StepFailed { unit, failure } => {
            let title = of_unit(unit, "FAILED");
            format!("{title}: {}.", failure_words(failure))
        }
        Event::DoorShut { unit, failed } => {
            let title = of_unit(unit, "AWAITING");
            format!("{title}: {}. {}", door_words(run, unit), sentences(failed))
        }
        Event::StepUnknown { unit, why } => {
            let title = of_unit(unit, "UNKNOWN");
            format!("{title}: nobody knows whether it ended: {}. The bot is finding out.", visible(why))
        }
        Event::StillUnknown { unit, .. } => {
            let title = of_unit(unit, "UNKNOWN");
            format!("{title}: it could not be found out. A person must say.")
        }
        Event::Settled { unit, done, how } => {
            let title = of_unit(unit, if *done { "succeeded" } else { "waiting" });
            let what = if *done { "done" } else { "not done" };
            format!("{title}: {what}, because {}.", visible(how))
        }
        Event::GateEntered { unit } => format!("{}: waiting for it.", of_unit(unit, "working")),
        Event::GateOpened { unit, took, .. } => {
            let title = of_unit(unit, "succeeded");
            fields.push(("took", short_time(*took)));
            format!("{title}: it holds.")
        }
        Event::GateOverdue { unit, failed } => {
            let title = of_unit(unit, "OVERDUE");
            format!("{title}: its time is over. {}", sentences(failed))
        }
        Event::Asked { unit, .. } => of_unit(unit, "AWAITING"),
        Event::Reminded { unit, time } => {
            let title = of_unit(unit, "AWAITING");
            let when = if *time == 1 { "half of its time is over" } else { "its time is over" };
            format!("{title} Nobody has answered, and {when}. It still waits.")
        }
        Event::Answered { unit, go_on } => {
            let title = of_unit(unit, "answered");
            format!("{title} {}, says {by}.", if *go_on { "Go on" } else { "Stop" })
        }
        Event::WatchBroke { watch, seen, ends } => {
            let title =
                watch.unit.as_ref().map(|unit| format!("{}: ", of_unit(unit, "PAUSED"))).unwrap_or_default();
            let then = if *ends {
                "What works is ended, and nothing new begins"
            } else {
                "It is halted until that holds again"
            };
            format!("{title}{}{}. {then}.", visible(&seen.says), read_words(seen))
        }
        Event::WatchHolds { watch } => {
            let title =
                watch.unit.as_ref().map(|unit| format!("{}: ", of_unit(unit, "working"))).unwrap_or_default();
            format!("{title}what was watched holds again.")
        }
        Event::StepStalled { unit, done, since, rate } => {
            let title = of_unit(unit, "STALLED");
            let still = between(*since, stamped.at);
            let before =
                rate.as_ref().map(|rate| format!(" Before that it went at {rate}.")).unwrap_or_default();
            format!("{title}: it has not moved for {still}, at {}.{before}", visible(done))
        }
        Event::StepLate { unit, usual } => {
            let title = of_unit(unit, "OVERDUE");
            let worked = worked(run, unit, stamped.at).map(|it| format!(" for {it}")).unwrap_or_default();
            format!("{title}: it works{worked}, {}.", usually(usual))
        }
        Event::LinkLost { unit, why } => {
            let title = of_unit(unit, "working");
            format!("{title}: {}. What runs there goes on; its host is asked again.", visible(why))
        }
        Event::LinkFound { unit } => {
            let title = of_unit(unit, "working");
            format!("{title}: its host answers again, and is followed.")
        }
        Event::LogSeen { unit, log } => {
            let title = of_unit(unit, "FAILED");
            let path = visible(&log.path);
            match (&log.why_not, log.lines.last()) {
                (Some(why), _) => format!("{title}: {path} could not be read: {}.", visible(why)),
                (None, Some(last)) => format!("{title}: {path} ends with: {}", visible(last)),
                (None, None) => format!("{title}: {path} is empty."),
            }
        }
        Event::AskedNext { unit, role } => {
            let title = of_unit(unit, "AWAITING");
            {
                let end = if title.ends_with(['?', '.']) { "" } else { "." };
                format!(
                    "{title}{end} Nobody has answered: {role} is asked too. Nothing runs until somebody does."
                )
            }
        }
        Event::StepMoves { unit, done } => {
            let title = of_unit(unit, "working");
            format!("{title}: it moves again, at {}.", visible(done))
        }
        Event::Skipped { unit, why } => {
            let title = of_unit(unit, "skipped");
            format!("{title}: skipped by {by}: \"{}\".", visible(why))
        }
        Event::StopAsked { now } => {
            let what = if *now {
                "no step begins any more, and what runs is ended"
            } else {
                "no step begins any more"
            };
            format!("Stopped by {by}: {what}.")
        }
        Event::Paused => format!("Paused by {by}: nothing new begins."),
        Event::PlaceLost { why } => {
            format!("Paused: nothing new begins until somebody says resume. {}", visible(why))
        }
        Event::Resumed => format!("Resumed by {by}."),
        Event::Known => "Everybody knows who must know: the first change begins.".to_owned(),
        Event::UndoConfirmed => format!("The undo is confirmed by {by} and begins."),
        Event::UndoSent { unit, host, .. } => {
            format!("{}: being taken back on {host}.", of_unit(unit, "undoing"))
        }
        Event::UndoDone { unit, ended } => {
            let title = of_unit(unit, "undone");
            if ended.is_some() {
                format!("{title}: taken back.")
            } else {
                format!("{title}: nothing is left to take back.")
            }
        }
        Event::UndoFailed { unit, why, .. } => {
            let title = of_unit(unit, "STUCK");
            format!("{title}: taking it back failed: {}.", visible(why))
        }
        Event::NotPlanned { why, failed, .. } if run.confirmed.is_some() => {
            fields.push(("state", "refused".to_owned()));
            let why: Vec<_> = why.iter().map(|why| visible(why)).collect();
            format!("Not started: {}{}", why.join(" "), sentences(failed))
        }
        Event::PlanChanged { changes, .. } => {
            fields.push(("state", "offered".to_owned()));
            format!("Not started: the plan changed. {} All agreements are void.", changes.join(" "))
        }
        Event::UndoExpired if by.is_empty() => {
            "The undo was not confirmed in time. Nothing was taken back.".to_owned()
        }
        Event::UndoExpired => format!("The undo was given up by {by}. Nothing was taken back."),
        Event::Expired { what } => {
            fields.push(("state", "expired".to_owned()));
            format!("Expired: no {what} came in time. Nothing ran.")
        }
        Event::Ended { outcome, .. } => {
            fields.push(("state", states::of_outcome(*outcome).word.to_owned()));
            let (done, all) = run.steps_done();
            match (run.started, run.ended) {
                (Some(started), Some(ended)) => {
                    format!(
                        "Run {} {} after {}, {done} of {all} steps done.",
                        run.id,
                        ended_how(*outcome),
                        between(started, ended),
                    )
                }
                _ => format!("Run {} {}. Nothing ran.", run.id, ended_how(*outcome)),
            }
        }
        Event::Requested(_)
        | Event::Offered { .. }
        | Event::NotPlanned { .. }
        | Event::WrongToken { .. }
        | Event::Confirmed { .. }
        | Event::Approved { .. }
        | Event::Withdrawn
        | Event::Refused { .. }
        | Event::HoldsTaken { .. }
        | Event::StepEnded { .. }
        | Event::AskedAgain { .. }
        | Event::Retried { .. }
        | Event::ApprovedAgain { .. }
        | Event::BatchEnded { .. }
        | Event::BatchRested { .. }
        | Event::UndoOffered { .. }
        | Event::UndoRetried
        | Event::Driven { .. }
        | Event::HandedOver { .. } => return None,
    };
    Some((fields, sentence))
}

/// ` (load.per_cpu = 2.5)`: what was read to find it.
fn read_words(seen: &CheckSeen) -> String {
    let read: Vec<_> = crate::wording::plan::values(seen).collect();
    if read.is_empty() { String::new() } else { format!(" ({})", read.join(", ")) }
}

/// For how long a step works that is at work.
fn worked(run: &Run, unit: &UnitAt, now: jiff::Timestamp) -> Option<Millis> {
    match run.units.get(unit) {
        Some(UnitState::Sent { at, .. }) => Some(between(*at, now)),
        _ => None,
    }
}

/// What it means that the door of a step did not open.
pub(super) fn door_words(run: &Run, unit: &UnitAt) -> &'static str {
    if run.sent.contains(unit) {
        "its door did not open, it was not sent again"
    } else {
        "its door did not open, it was not sent"
    }
}

/// `1.3s`, for fields of a line.
fn short_time(took: Millis) -> String {
    let (seconds, rest) = (took.0 / 1000, took.0 % 1000);
    if seconds == 0 { format!("0.{:02}s", rest / 10) } else { format!("{seconds}.{}s", rest / 100) }
}

fn sentences(failed: &[CheckSeen]) -> String {
    failed.iter().map(|seen| format!("{}.", visible(&seen.says))).collect::<Vec<_>>().join(" ")
}

fn exit_words(exit: Exit, took: Millis, escaped: &[u32]) -> String {
    let gone = if escaped.is_empty() {
        "nothing of it runs there any more".to_owned()
    } else {
        format!("but {}", still_run(escaped))
    };
    match exit {
        Exit::Code(code) => format!("exit {code} after {took}"),
        Exit::NotFound => format!("exit 127 after {took}: a program is not there"),
        Exit::Signal(code) => format!("exit {code} after {took}: killed, or it said so"),
        Exit::TimedOut => format!("its limit of {took} was reached and it was ended, {gone}"),
        Exit::Stopped => format!("it was stopped after {took}, {gone}"),
    }
}

pub(super) fn failure_words(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(why) => format!("nothing was sent: {}", visible(why)),
        Failure::Exit { exit, took, escaped, .. } => exit_words(*exit, *took, escaped),
        Failure::NotProven(failed) => {
            let says: Vec<_> = failed.iter().map(|seen| visible(&seen.says)).collect();
            format!("its command ended well, but {}", says.join("; "))
        }
        Failure::WatchBroke(seen) => format!("it was ended, because {}", visible(&seen.says)),
    }
}

/// The steps that were sent and have not ended, as one phrase.
fn still_runs(run: &Run) -> Option<String> {
    let sent = run.units.iter().filter(|(_, state)| matches!(state, UnitState::Sent { .. }));
    let steps: Vec<_> = sent
        .map(|(at, _)| {
            let title = run.unit(at).map(|unit| visible(&unit.title)).unwrap_or_default();
            let host = run.step(at).map(|step| format!(" on {}", step.command.host)).unwrap_or_default();
            format!("Step {} ({title}){host}", at.number)
        })
        .collect();
    (!steps.is_empty()).then(|| steps.join(", "))
}

/// What was said when somebody agreed, refused or steered.
pub fn heard(run: &Run, by: &str, events: &[Event], policy: Option<&Policy>, moment: &Moment) -> Page {
    let id = run.id;
    let now = moment.time(moment.now);
    let mut page = Page::new();
    for event in events {
        page = match event {
            Event::Confirmed { digest, approve_until } => {
                let alone = run.plan().is_some_and(|plan| plan.approvals.count == 0);
                if alone {
                    page.text(format!("Confirmed by {by} at {now}. Run {id} starts now, {} drives.", run.driver))
                } else {
                    let approvals = run.plan().map(|plan| &plan.approvals);
                    let needed = approvals.map(needed).unwrap_or_default();
                    let people = approvals.map(|it| approvers(it, &run.request.by, policy)).unwrap_or_default();
                    page.text(format!("Confirmed by {by} at {now}. {needed}: {people}."))
                        .next(
                            format!("approve {id} {}", digest.short()),
                            format!("said by one of them, until {}", moment.with_distance(*approve_until)),
                        )
                }
            }
            Event::Approved { digest, .. } => {
                let needed = run.plan().map_or(1, |plan| plan.approvals.count) as usize;
                let left = needed.saturating_sub(run.approvals.len());
                if left == 0 {
                    page.text(format!("Approved by {by} at {now}. Run {id} starts now, {} drives.", run.driver))
                } else {
                    page.text(format!("Approved by {by} at {now}. {left} more must approve."))
                        .next(format!("approve {id} {}", digest.short()), String::new())
                }
            }
            Event::Withdrawn => page.text(format!("{by} took the approval of run {id} back at {now}. It has not started.")),
            Event::Refused { why } => page.head(states::REFUSED, vec![format!("run {id}, by {by} at {now}: \"{}\"", visible(why))], "")
                .text("It is closed, nothing ran.")
                .next(again(run), format!("for {}, with what is to be different", run.request.by)),
            // What else was said with it says it already.
            Event::StopAsked { .. } if events.iter().any(|event| matches!(event, Event::UndoExpired | Event::Answered { .. })) => page,
            Event::StopAsked { .. } if run.started.is_none() => {
                page.text(format!("Stopped by {by} at {now}: run {id} is closed, nothing ran.")).next(again(run), "makes a new plan")
            }
            Event::StopAsked { now: true } => page.text(format!("Stopped by {by} at {now}: run {id} begins no new step, and what runs is being ended.")),
            Event::StopAsked { now: false } => {
                let page = page.text(format!("Stopped by {by} at {now}: run {id} begins no new step."));
                still_runs(run).into_iter().fold(page, |page, what| {
                    page.text(format!("{what} still runs; when it has ended, run {id} ends."))
                        .next(format!("stop {id} now"), "ends it there at once; or nothing")
                })
            }
            Event::Paused => page
                .text(format!("Paused by {by} at {now}: run {id} finishes what it is doing, then it waits. The hold stays."))
                .next(format!("resume {id}"), String::new()),
            Event::Resumed => page.text(format!("Resumed by {by} at {now}: run {id} goes on.")),
            Event::Retried { unit } => page.text(format!("{by} at {now}: {} of run {id} is tried again.", step_words(unit))),
            Event::AskedAgain { unit } => page.text(format!("{by} at {now}: {} of run {id} is asked about again. Nothing is sent.", step_words(unit))),
            Event::Skipped { unit, why } => page.text(format!("{by} at {now}: run {id} goes on without {}: \"{}\".", step_words(unit), visible(why))),
            Event::Settled { unit, done, how } => {
                let what = if *done { "done" } else { "not done" };
                page.text(format!("{by} at {now}: {} of run {id} is {what}: \"{}\".", step_words(unit), visible(how)))
            }
            Event::Answered { go_on, .. } => {
                let what = if *go_on { "goes on" } else { "ends here" };
                page.text(format!("Answered by {by} at {now}: run {id} {what}."))
            }
            Event::ApprovedAgain { unit } => page.text(format!("Approved by {by} at {now}: {} of run {id} goes back to its door.", step_words(unit))),
            Event::UndoConfirmed => page.text(format!("Confirmed by {by} at {now}. Run {id} is being taken back.")),
            Event::UndoExpired => page.text(format!("Given up by {by} at {now}: nothing of run {id} is taken back.")),
            Event::UndoRetried => page.text(format!("{by} at {now}: the undo is tried again.")),
            Event::Driven { driver } => page.text(format!("{driver} drives run {id} since {now}.")),
            Event::HandedOver { to } => page
                .text(format!("{by} offers run {id} to {to} at {now}; {} drives until then.", run.driver))
                .next(format!("take {id}"), format!("by {to}")),
            _ => page,
        };
    }
    page
}
