//! What is counted, in the text format of Prometheus. Labels are few and known: no host, no person, no run.
//!
//! Counters are counted from the journal's own entries. A follower that was too far behind reads what it missed, so none
//! is lost; they begin at zero with the process, as Prometheus expects.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;

use super::health::{Finding, Report};
use crate::chat::discord;
use crate::duty::path;
use crate::engine::Standing;
use crate::incident::Incident;
use crate::incident::model::Severity;
use crate::incident::paths::Seen;
use crate::incident::report::KIND;
use crate::journal::figures::Times;
use crate::journal::{Entry, Figures, Journal, stamped};
use crate::run::Event;
use crate::run::model::Outcome;

/// The upper bounds in seconds by which steps are counted.
const STEP_BOUNDS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 28800.0];

/// Everything that is served of every service: name, kind, and what it is.
pub const FAMILIES: [(&str, &str, &str); 17] = [
    ("steadyhand_build_info", "gauge", "Always 1; the version is its label."),
    ("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970."),
    ("steadyhand_runs_open", "gauge", "Runs that have not ended."),
    ("steadyhand_runs_waiting", "gauge", "Open runs that wait for a person."),
    ("steadyhand_runs_parked", "gauge", "Open runs that stand still because of a fault in the bot."),
    ("steadyhand_steps_unknown", "gauge", "Steps of open runs of which nobody knows how they ended."),
    ("steadyhand_runs_ended_total", "counter", "Runs that ended, by outcome."),
    (
        "steadyhand_steps_total",
        "counter",
        "Steps that came to this, by outcome; one that is tried again may count twice.",
    ),
    (
        "steadyhand_step_duration_seconds",
        "histogram",
        "How long steps took that succeeded, from the sending to the proof.",
    ),
    (
        "steadyhand_events_total",
        "counter",
        "Events that were written to the journal, of runs and of the bot.",
    ),
    (
        "steadyhand_notices_total",
        "counter",
        "What became of notices: queued, accepted by a path, delayed, unknown, failed, dropped.",
    ),
    (
        "steadyhand_reports_total",
        "counter",
        "Reports that were recorded, by source: of people, and of alerts; the end of an alert is one too.",
    ),
    (
        "steadyhand_alert_posts_total",
        "counter",
        "Posts of alerts, by result: taken, refused for their token, malformed, unavailable.",
    ),
    (
        "steadyhand_journal_appends_total",
        "counter",
        "Appends by result: written, refused in favour of another one, failed.",
    ),
    (
        "steadyhand_journal_append_duration_seconds",
        "histogram",
        "How long appends took until they were durable, or refused.",
    ),
    ("steadyhand_ssh_connections", "gauge", "Connections to hosts that are open."),
    ("steadyhand_health", "gauge", "Parts of the process as last asked: 0 ok, 1 attention, 2 down, 3 stuck."),
];

/// What is served beside it of incidents, once the engine has started.
pub const OF_INCIDENTS: [(&str, &str, &str); 3] = [
    (
        "steadyhand_incidents_open",
        "gauge",
        "Incidents that are not closed, by severity; planned work among them.",
    ),
    ("steadyhand_obligations_late", "gauge", "What is owed of open incidents and was not done in time."),
    (
        "steadyhand_notices_waiting",
        "gauge",
        "Notices of open incidents that no path has taken or refused yet.",
    ),
];

/// What is served beside it of the paths of notify.yaml, each by its name.
pub const OF_PATHS: [(&str, &str, &str); 2] = [
    (
        "steadyhand_path_red",
        "gauge",
        "1 for a path that fails or took nothing for too long, 0 for any other.",
    ),
    (
        "steadyhand_path_last_success_age_seconds",
        "gauge",
        "How long ago a path took something last; a path that never did has no value.",
    ),
];

/// What is served beside it where Discord is a chat.
pub const OF_DISCORD: [(&str, &str, &str); 4] = [
    ("steadyhand_discord_connected", "gauge", "1 while the events of Discord come in, 0 while it is away."),
    (
        "steadyhand_discord_events_not_understood_total",
        "counter",
        "Events of Discord that could not be understood: somebody may not have been heard.",
    ),
    (
        "steadyhand_discord_interactions_total",
        "counter",
        "Commands, presses, forms and completions, by whether Discord took the first response.",
    ),
    (
        "steadyhand_discord_first_response_seconds",
        "histogram",
        "From an interaction that came in until Discord had its first response; it waits for 3 s.",
    ),
];

/// How a step can come out, and the event that says so.
const STEP_OUTCOMES: [(&str, &str); 5] = [
    ("step-succeeded", "succeeded"),
    ("step-failed", "failed"),
    ("step-unknown", "unknown"),
    ("skipped", "skipped"),
    ("undo-done", "undone"),
];
/// What can become of a notice, and the event that says so.
const NOTICE_RESULTS: [(&str, &str); 6] = [
    ("notice-queued", "queued"),
    ("notice-accepted", "accepted"),
    ("notice-delayed", "delayed"),
    ("notice-unknown", "unknown"),
    ("notice-failed", "failed"),
    ("notice-dropped", "dropped"),
];
/// Who reports.
const SOURCES: [&str; 2] = ["person", "alert"];

/// What became of a post of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Post {
    /// It was recorded, or had been before.
    Taken,
    /// It did not show the token.
    Refused,
    /// It is no post of Alertmanager, or too large.
    Malformed,
    /// It could not be recorded now.
    Unavailable,
}

const POST_RESULTS: [(Post, &str); 4] = [
    (Post::Taken, "taken"),
    (Post::Refused, "refused"),
    (Post::Malformed, "malformed"),
    (Post::Unavailable, "unavailable"),
];
const RUN_OUTCOMES: [Outcome; 7] = [
    Outcome::Succeeded,
    Outcome::WithIssues,
    Outcome::Undone,
    Outcome::Stopped,
    Outcome::Refused,
    Outcome::Expired,
    Outcome::Stuck,
];

/// What was counted since the process began.
pub struct Metrics {
    started: Timestamp,
    counted: Mutex<Counted>,
    steps: Times,
}

#[derive(Default)]
struct Counted {
    events: u64,
    steps: BTreeMap<&'static str, u64>,
    runs: BTreeMap<String, u64>,
    notices: BTreeMap<&'static str, u64>,
    reports: BTreeMap<&'static str, u64>,
    posts: BTreeMap<Post, u64>,
}

impl Metrics {
    /// Nothing has happened yet.
    pub fn new(started: Timestamp) -> Self {
        Self { started, counted: Mutex::default(), steps: Times::new(STEP_BOUNDS) }
    }

    /// Counts every entry behind this one, for as long as the journal is written.
    pub async fn follow(&self, journal: &Journal, mut seen: u64) {
        let mut entries = journal.follow();
        loop {
            // What was written before we listened, or while we were too far behind. What cannot be read now is read when the
            // next entry shows that some are missing.
            while let Ok(missed) = journal.view().entries_after(seen)
                && let Some(last) = missed.last()
            {
                seen = last.seq;
                for entry in &missed {
                    self.count(entry);
                }
            }
            loop {
                match entries.recv().await {
                    Ok(entry) if entry.seq > seen + 1 => break,
                    Ok(entry) if entry.seq > seen => {
                        seen = entry.seq;
                        self.count(&entry);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }

    /// One more entry. Only few kinds are looked into: a plan can be long.
    pub fn count(&self, entry: &Entry) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.events += 1;
        if let Some((kind, _)) = STEP_OUTCOMES.iter().find(|(kind, _)| *kind == entry.kind) {
            *counted.steps.entry(kind).or_default() += 1;
        }
        if let Some((kind, _)) = NOTICE_RESULTS.iter().find(|(kind, _)| *kind == entry.kind) {
            *counted.notices.entry(kind).or_default() += 1;
        }
        if entry.kind == KIND {
            let source = SOURCES.into_iter().find(|source| !entry.data["source"][source].is_null());
            if let Some(source) = source {
                *counted.reports.entry(source).or_default() += 1;
            }
        }
        if !["ended", "step-succeeded"].contains(&entry.kind.as_str()) {
            return;
        }
        match stamped(entry).map(|stamped| stamped.event) {
            Ok(Event::Ended { outcome, .. }) => *counted.runs.entry(name_of(outcome)).or_default() += 1,
            Ok(Event::StepSucceeded { took, .. }) => {
                self.steps.add(Duration::from_millis(took.0.try_into().unwrap_or_default()));
            }
            _ => {}
        }
    }

    /// Alerts were posted.
    pub fn posted(&self, result: Post) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.posts.entry(result).or_default() += 1;
    }

    /// Everything, in the text format.
    pub fn text(&self, standing: Standing, journal: &Figures, connections: usize, health: &Report) -> String {
        let mut text = Text::default();
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for family in FAMILIES {
            let name = text.family(family);
            match name {
                "steadyhand_build_info" => {
                    text.line(&format!("{name}{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")), 1);
                }
                "process_start_time_seconds" => text.line(name, self.started.as_second()),
                "steadyhand_runs_open" => text.line(name, standing.open),
                "steadyhand_runs_waiting" => text.line(name, standing.waiting),
                "steadyhand_runs_parked" => text.line(name, standing.parked),
                "steadyhand_steps_unknown" => text.line(name, standing.unknown),
                "steadyhand_runs_ended_total" => {
                    let of = |outcome: Outcome| {
                        let outcome = name_of(outcome);
                        let count = counted.runs.get(&outcome).copied().unwrap_or_default();
                        (outcome, count)
                    };
                    text.labelled(name, "outcome", RUN_OUTCOMES.map(of));
                }
                "steadyhand_steps_total" => {
                    let of =
                        |(kind, outcome)| (outcome, counted.steps.get(kind).copied().unwrap_or_default());
                    text.labelled(name, "outcome", STEP_OUTCOMES.map(of));
                }
                "steadyhand_step_duration_seconds" => text.histogram(name, &self.steps),
                "steadyhand_notices_total" => {
                    let of =
                        |(kind, result)| (result, counted.notices.get(kind).copied().unwrap_or_default());
                    text.labelled(name, "result", NOTICE_RESULTS.map(of));
                }
                "steadyhand_reports_total" => {
                    let of = |source| (source, counted.reports.get(source).copied().unwrap_or_default());
                    text.labelled(name, "source", SOURCES.map(of));
                }
                "steadyhand_alert_posts_total" => {
                    let of = |(post, result)| (result, counted.posts.get(&post).copied().unwrap_or_default());
                    text.labelled(name, "result", POST_RESULTS.map(of));
                }
                "steadyhand_events_total" => text.line(name, counted.events),
                "steadyhand_journal_appends_total" => text.labelled(name, "result", journal.appends()),
                "steadyhand_journal_append_duration_seconds" => text.histogram(name, &journal.took),
                "steadyhand_ssh_connections" => text.line(name, connections),
                _ => {
                    let of = |(part, finding): (&&'static str, &Finding)| (*part, finding.state as u8);
                    text.labelled(name, "part", health.parts.iter().map(of));
                }
            }
        }
        text.0
    }
}

/// How many incidents are open, and what of them waits or is late, in the text format.
pub fn of_incidents(open: &[Arc<Incident>]) -> String {
    let mut text = Text::default();
    for family in OF_INCIDENTS {
        let name = text.family(family);
        match name {
            "steadyhand_incidents_open" => {
                let severities = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Planned];
                let of = |severity: Severity| {
                    (severity.word(), open.iter().filter(|it| it.severity == severity).count())
                };
                text.labelled(name, "severity", severities.map(of));
            }
            "steadyhand_obligations_late" => {
                let obligations = open.iter().flat_map(|it| &it.obligations);
                text.line(name, obligations.filter(|it| it.is_open() && it.late.is_some()).count());
            }
            _ => {
                let notices = open.iter().flat_map(|it| &it.notices);
                text.line(name, notices.filter(|it| it.delivery.is_open()).count());
            }
        }
    }
    text.0
}

/// How the paths are, in the text format.
pub fn of_paths(paths: &[Seen], now: Timestamp) -> String {
    let mut text = Text::default();
    for family in OF_PATHS {
        let name = text.family(family);
        if name == "steadyhand_path_red" {
            let red = paths.iter().map(|seen| (&seen.path, u8::from(seen.state == path::State::Red)));
            text.labelled(name, "path", red);
        } else {
            let took = paths.iter().filter_map(|seen| Some((&seen.path, seen.known.took?)));
            let age = took.map(|(path, took)| (path, now.duration_since(took).as_secs().max(0)));
            text.labelled(name, "path", age);
        }
    }
    text.0
}

/// What is counted of the chat on Discord, in the text format.
pub fn of_discord(health: &discord::Health, responses: &Times) -> String {
    let mut text = Text::default();
    for family in OF_DISCORD {
        let name = text.family(family);
        match name {
            "steadyhand_discord_connected" => text.line(name, u8::from(health.connected)),
            "steadyhand_discord_events_not_understood_total" => text.line(name, health.not_understood),
            "steadyhand_discord_interactions_total" => {
                let (_, answered, _) = responses.read();
                text.labelled(name, "result", [("answered", answered), ("unanswered", health.unanswered)]);
            }
            _ => text.histogram(name, responses),
        }
    }
    text.0
}

/// As the journal names it.
fn name_of(outcome: Outcome) -> String {
    let name = serde_json::to_value(outcome).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('-', "_")
}

/// Lines of the text format. Labels are ours, so that nothing in them has to be escaped.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a family.
    fn family(&mut self, (name, kind, help): (&'static str, &str, &str)) -> &'static str {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        name
    }

    fn line(&mut self, what: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{what} {value}");
    }

    fn labelled<L: std::fmt::Display, V: std::fmt::Display>(
        &mut self,
        name: &str,
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        for (of, value) in values {
            self.line(&format!("{name}{{{label}=\"{of}\"}}"), value);
        }
    }

    fn histogram(&mut self, name: &str, times: &Times) {
        let (bounds, count, sum) = times.read();
        self.labelled(&format!("{name}_bucket"), "le", bounds);
        self.labelled(&format!("{name}_bucket"), "le", [("+Inf", count)]);
        self.line(&format!("{name}_sum"), sum);
        self.line(&format!("{name}_count"), count);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::duty::path::{Heard, Known};
    use crate::duty::trials::{Target, Whose};
    use crate::journal::{Append, NewEntry};
    use crate::run::{Stamped, UnitAt};
    use crate::runbook::source::literal::Millis;
    use crate::runbook::source::name::PathName;
    use crate::serve::health::State;

    fn entry(event: Event) -> Entry {
        let stamped = Stamped { at: Timestamp::UNIX_EPOCH, by: None, event };
        let NewEntry { time, actor, kind, data } = NewEntry::of_event(&stamped, None);
        Entry {
            v: 1,
            seq: 1,
            prev: String::new(),
            time,
            bot: String::new(),
            actor,
            run: None,
            incident: None,
            nth: None,
            kind,
            data,
        }
    }

    #[tokio::test]
    async fn what_could_not_be_read_is_counted_once_it_can() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("bot.db");
        let journal = Journal::open(&path, false).unwrap();
        let appended = async |events: usize| {
            let stamped = Stamped { at: Timestamp::UNIX_EPOCH, by: None, event: Event::Paused };
            let entries = vec![NewEntry::of_event(&stamped, None); events];
            journal.append(Append { entries, ..Append::default() }).await.unwrap();
        };
        let raw = rusqlite::Connection::open(&path).unwrap();
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        appended(3).await;
        raw.execute_batch("update entries set line = '{\"' || line where seq = 2").unwrap();
        let happens = async {
            appended(1).await;
            tokio::task::yield_now().await;
            raw.execute_batch("update entries set line = substr(line, 3) where seq = 2").unwrap();
            appended(1).await;
            tokio::task::yield_now().await;
        };

        tokio::select! {
            biased;
            () = metrics.follow(&journal, 0) => {}
            () = happens => {}
        }

        assert_eq!(metrics.counted.lock().unwrap().events, 5);
    }

    #[test]
    fn what_the_journal_says_is_counted_and_every_family_has_its_help_and_its_lines() {
        let metrics = Metrics::new(Timestamp::from_second(7).unwrap());
        let unit = UnitAt { number: 1, lane: None };
        let took = Millis(1_500);
        for event in [
            Event::StepSucceeded { unit: unit.clone(), took, proof: Vec::new(), key: String::new() },
            Event::StepUnknown { unit: unit.clone(), why: "secret".to_owned() },
            Event::Skipped { unit: unit.clone(), why: "pg1 is gone".to_owned() },
            Event::UndoDone { unit, ended: None },
            Event::Paused,
            Event::Ended { outcome: Outcome::WithIssues, remarks: Vec::new() },
        ] {
            metrics.count(&entry(event));
        }
        let source = serde_json::json!({ "alert": { "name": "secret" } });
        let data = serde_json::json!({ "source": source, "words": "pg1" });
        metrics.count(&Entry { kind: KIND.to_owned(), data, ..entry(Event::Paused) });
        metrics.posted(Post::Refused);
        metrics.posted(Post::Refused);
        let standing = Standing { open: 3, waiting: 2, parked: 1, unknown: 4 };
        let health = Report::of(BTreeMap::from([("journal", Finding::new(State::Down, "it is full"))]));

        let text = metrics.text(standing, &Figures::default(), 5, &health);

        for line in [
            "process_start_time_seconds 7",
            "steadyhand_runs_open 3",
            "steadyhand_runs_waiting 2",
            "steadyhand_runs_parked 1",
            "steadyhand_steps_unknown 4",
            "steadyhand_runs_ended_total{outcome=\"with_issues\"} 1",
            "steadyhand_runs_ended_total{outcome=\"succeeded\"} 0",
            "steadyhand_steps_total{outcome=\"succeeded\"} 1",
            "steadyhand_steps_total{outcome=\"unknown\"} 1",
            "steadyhand_steps_total{outcome=\"skipped\"} 1",
            "steadyhand_steps_total{outcome=\"undone\"} 1",
            "steadyhand_steps_total{outcome=\"failed\"} 0",
            "steadyhand_step_duration_seconds_bucket{le=\"1\"} 0",
            "steadyhand_step_duration_seconds_bucket{le=\"5\"} 1",
            "steadyhand_step_duration_seconds_bucket{le=\"+Inf\"} 1",
            "steadyhand_step_duration_seconds_sum 1.5",
            "steadyhand_step_duration_seconds_count 1",
            "steadyhand_events_total 7",
            "steadyhand_notices_total{result=\"accepted\"} 0",
            "steadyhand_ssh_connections 5",
            "steadyhand_reports_total{source=\"person\"} 0",
            "steadyhand_reports_total{source=\"alert\"} 1",
            "steadyhand_alert_posts_total{result=\"refused\"} 2",
            "steadyhand_journal_appends_total{result=\"failed\"} 0",
            "steadyhand_health{part=\"journal\"} 2",
        ] {
            assert!(text.lines().any(|said| said == line), "no `{line}` in:\n{text}");
        }
        for said in ["secret", "pg1", "full"] {
            assert!(!text.contains(said), "{text}");
        }
        assert_has_families(&text, &FAMILIES);
    }

    #[test]
    fn the_chat_on_discord_is_counted_beside_it() {
        let responses = Times::new(&[0.5, 3.0]);
        responses.add(Duration::from_millis(700));
        let health = discord::Health {
            connected: true,
            since: None,
            ended: false,
            not_understood: 2,
            unanswered: 3,
            commands: 4,
            last_trouble: Some("secret".to_owned()),
        };

        let text = of_discord(&health, &responses);

        for line in [
            "steadyhand_discord_connected 1",
            "steadyhand_discord_events_not_understood_total 2",
            "steadyhand_discord_interactions_total{result=\"answered\"} 1",
            "steadyhand_discord_interactions_total{result=\"unanswered\"} 3",
            "steadyhand_discord_first_response_seconds_bucket{le=\"0.5\"} 0",
            "steadyhand_discord_first_response_seconds_bucket{le=\"3\"} 1",
            "steadyhand_discord_first_response_seconds_sum 0.7",
        ] {
            assert!(text.lines().any(|said| said == line), "no `{line}` in:\n{text}");
        }
        assert!(!text.contains("secret"));
        assert_has_families(&text, &OF_DISCORD);
    }

    #[test]
    fn without_an_incident_every_figure_of_them_is_nought() {
        let text = of_incidents(&[]);

        assert!(text.contains("steadyhand_incidents_open{severity=\"sev1\"} 0"), "{text}");
        assert!(text.contains("\nsteadyhand_obligations_late 0\n"), "{text}");
        assert_has_families(&text, &OF_INCIDENTS);
    }

    #[test]
    fn each_path_has_its_name_and_one_that_never_took_anything_no_age() {
        let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1);
        let mut took = Known::default();
        took.hear(Timestamp::UNIX_EPOCH, Heard::Took);
        let seen = |path: &str, state, known| Seen {
            path: PathName::new(path).unwrap(),
            state,
            known,
            target: Target::Nobody,
            whose: Whose::default(),
            waits: 0,
            next: None,
            is_to_report: false,
        };

        let text = of_paths(
            &[seen("chat", path::State::Green, took), seen("siren", path::State::Red, Known::default())],
            now,
        );

        for line in [
            "steadyhand_path_red{path=\"chat\"} 0",
            "steadyhand_path_red{path=\"siren\"} 1",
            "steadyhand_path_last_success_age_seconds{path=\"chat\"} 3600",
        ] {
            assert!(text.lines().any(|said| said == line), "no `{line}` in:\n{text}");
        }
        assert!(!text.contains("age_seconds{path=\"siren\"}"), "{text}");
        assert_has_families(&text, &OF_PATHS);
    }

    /// Each family once, with help, kind, and lines of its own right behind.
    fn assert_has_families(text: &str, families: &[(&str, &str, &str)]) {
        let names: BTreeSet<&str> = families.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names.len(), families.len());
        for part in text.split("# HELP ").skip(1) {
            let mut lines = part.lines();
            let name = lines.next().unwrap().split(' ').next().unwrap();
            assert!(names.contains(name) && lines.next().unwrap().starts_with(&format!("# TYPE {name} ")));
            assert!(lines.clone().count() > 0 && lines.all(|line| line.starts_with(name)), "{part}");
        }
        assert_eq!(text.matches("# HELP ").count(), families.len());
    }
}
