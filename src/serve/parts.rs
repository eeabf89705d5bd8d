//! The parts that every service has, and how each is asked: the journal, the runs, those who follow, the
//! runbooks, the chat.

use std::collections::BTreeMap;
use std::time::Duration;

use super::health::{Finding, Health, Report, State};
use super::watch::{Outside, Watch};
use super::{Service, Stage};
use crate::chat::discord::{self, Discord};
use crate::duty::path;
use crate::engine::incidents::NotifyFile;
use crate::engine::{self, Engine};
use crate::incident::paths::Seen;
use crate::journal::{AppendError, Journal};
use crate::library::NotLoaded;

/// A run that is carried answers within this time.
const RUN_ANSWERS_WITHIN: Duration = Duration::from_secs(4);

/// Whether the journal takes what happens: its writer is asked, and its disk.
pub(super) fn register_journal(health: &Health, journal: &Journal) {
    let journal = journal.clone();
    health.register("journal", move || {
        let journal = journal.clone();
        async move { of_journal(journal.probe().await) }
    });
}

/// A writer that is gone comes back with another start; a disk that takes nothing does not.
fn of_journal(probed: Result<(), AppendError>) -> Finding {
    match probed {
        Ok(()) => Finding::OK,
        Err(AppendError::Fatal { why }) => Finding::new(State::Stuck, why),
        Err(error) => {
            let next = "Nothing new begins. Next: make room, or look at the disk";
            Finding::new(State::Down, format!("{error}. {next}"))
        }
    }
}

/// Whether every open run is carried, and whether those who follow keep up.
pub(super) fn register_engine(health: &Health, engine: &Engine) {
    let runs = engine.clone();
    health.register("runs", move || {
        let engine = runs.clone();
        async move {
            if !engine.is_sound() {
                return Finding::new(State::Stuck, "the journal cannot be relied on any more");
            }
            let silent = engine.silent(RUN_ANSWERS_WITHIN).await;
            if silent > 0 {
                return Finding::new(State::Stuck, format!("{silent} of the open runs do not move"));
            }
            match engine.standing().parked {
                0 => Finding::OK,
                parked => {
                    let says = format!("{parked} of the open runs are parked. Next: status");
                    Finding::new(State::Attention, says)
                }
            }
        }
    });
    let engine = engine.clone();
    health.register("followers", move || {
        let behind = engine.behind();
        async move {
            if behind < engine::FOLLOW_CAPACITY / 2 {
                return Finding::OK;
            }
            let says = format!("somebody who follows is {behind} events behind; the journal has all of them");
            Finding::new(State::Attention, says)
        }
    });
}

/// Whether those are told who must be told, and whether somebody outside would hear our silence.
pub(super) fn register_watch(health: &Health, watch: &Watch) {
    let notices = watch.clone();
    health.register("notices", move || {
        let (late, file, paths) = (notices.late(), notices.notify_file(), notices.paths());
        async move { of_notices(&late, &file, &paths) }
    });
    let watcher = watch.clone();
    health.register("watcher", move || {
        let how = watcher.outside();
        async move { of_watcher(&how) }
    });
}

/// Late notices are tried again by themselves; another start would not help, and somebody must look. No person is named.
/// Over the paths that are red nobody is told; people are told over the others.
fn of_notices(late: &[String], file: &NotifyFile, paths: &[Seen]) -> Finding {
    let mut says = Vec::new();
    match file {
        // Whoever has no notify.yaml has chosen that; the log says what it means.
        NotifyFile::Usable | NotifyFile::Missing => {}
        NotifyFile::Old(_) => {
            says.push(
                "notify.yaml cannot be used; what was read before goes on. Next: steadyhand check".to_owned(),
            );
        }
        NotifyFile::Unusable(_) => says.push(
            "notify.yaml cannot be used, and none was read before: nobody is called. Next: steadyhand check"
                .to_owned(),
        ),
    }
    if !late.is_empty() {
        says.push(format!("{} things of notices are late. Next: incident, and notify log", late.len()));
    }
    let red = paths.iter().filter(|seen| seen.state == path::State::Red);
    let red: Vec<String> = red.map(|seen| format!("path {} is red", seen.path)).collect();
    if !red.is_empty() {
        says.push(format!("{}. Next: notify paths", red.join(", ")));
    }
    if says.is_empty() { Finding::OK } else { Finding::new(State::Attention, says.join(". ")) }
}

fn of_watcher(how: &Outside) -> Finding {
    match how {
        Outside::Heard => Finding::OK,
        // That is for whoever sets the bot up: `doctor` says so, and nothing of it is unwell.
        Outside::NotNamed => Finding::OK,
        Outside::Withheld => {
            let says =
                "it is not called while notices are late, and will cry out. Next: incident, and notify log";
            Finding::new(State::Attention, says)
        }
        Outside::Deaf(why) => {
            Finding::new(State::Attention, format!("it did not hear us, and will cry out: {why}"))
        }
    }
}

/// Whether people are heard on Discord.
pub(super) fn register_discord(health: &Health, discord: &Discord) {
    let discord = discord.clone();
    health.register("discord", move || {
        let how = discord.health();
        async move { of_discord(&how) }
    });
}

/// While Discord is away runs go on, and it connects by itself: another start cures nothing, and would disturb. What was
/// not understood is gone: somebody may have stopped a run, and was not heard.
fn of_discord(how: &discord::Health) -> Finding {
    if how.ended {
        return Finding::new(State::Stuck, "a fault in the bot itself: the chat on Discord has ended");
    }
    let trouble =
        how.last_trouble.as_ref().map(|what| format!(" The last trouble: {what}.")).unwrap_or_default();
    let since = how.since.map(|at| format!(" since {at:.0}")).unwrap_or_default();
    let (state, says) = match how {
        discord::Health { not_understood: 1.., .. } => (
            State::Down,
            format!(
                "{} of the events of Discord could not be understood, so that somebody may not have been heard.{trouble} \
                 Next: look at the runs, have what was said repeated, and start again",
                how.not_understood
            ),
        ),
        discord::Health { connected: false, .. } => (
            State::Attention,
            format!(
                "not connected{since}, and connects by itself; runs go on.{trouble} Next: steadyhand doctor"
            ),
        ),
        discord::Health { commands: 0, .. } => (
            State::Attention,
            format!("connected{since}, and no command is registered.{trouble} Next: steadyhand doctor"),
        ),
        _ => return Finding::OK,
    };
    Finding::new(state, says)
}

/// Whether requests can be taken.
pub(super) async fn readiness(service: &Service) -> Report {
    let stage = match service.stage() {
        Stage::Ready => Finding::OK,
        Stage::Starting => Finding::new(State::Down, "open runs are being read"),
        Stage::Ending => Finding::new(State::Down, "the process ends"),
    };
    let library = service.library.clone();
    let runbooks = tokio::task::spawn_blocking(move || match library.load() {
        Ok(snapshot) if snapshot.set.policy.is_ok() => Finding::OK,
        Ok(_) => {
            let says = "the policy has problems, so nobody may do anything. Next: steadyhand check";
            Finding::new(State::Attention, says)
        }
        Err(NotLoaded::Problems(report)) => {
            let says = format!("{} problems. Next: steadyhand check", report.problems.len());
            Finding::new(State::Down, says)
        }
        Err(NotLoaded::Unreadable(_)) => {
            Finding::new(State::Down, "the folder cannot be read. Next: steadyhand check")
        }
    });
    let gone = Finding::new(State::Stuck, "a fault in the bot itself");
    let runbooks = runbooks.await.unwrap_or(gone.clone());
    let mut parts = service.health.report().await.parts;
    let journal = parts.remove("journal").unwrap_or(gone);
    let mut all = BTreeMap::from([("process", stage), ("runbooks", runbooks), ("journal", journal)]);
    // Without Discord there is the console: it is shown, and no reason to turn anybody away.
    if let Some(discord) = parts.remove("discord") {
        let state = discord.state.min(State::Attention);
        all.insert("discord", Finding { state, ..discord });
    }
    Report::of(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duty::trials::{Target, Whose};
    use crate::runbook::source::name::PathName;

    #[test]
    fn a_writer_that_is_gone_asks_for_another_start_and_a_disk_that_takes_nothing_does_not() {
        let gone = of_journal(Err(AppendError::Fatal { why: "the writer has ended".to_owned() }));
        let full = of_journal(Err(AppendError::NotWritten { why: "its disk takes nothing more".to_owned() }));

        assert_eq!(gone, Finding::new(State::Stuck, "the writer has ended"));
        assert!(full.state == State::Down && full.says.contains("make room"), "{full:?}");
        for found in [gone, full] {
            assert!(!Report::of(BTreeMap::from([("journal", found)])).is_good());
        }
    }

    #[test]
    fn a_notify_file_that_cannot_be_used_is_said_whether_one_was_read_before_or_not() {
        let why = || "notify.yaml has 1 problem".to_owned();
        let late = ["inc-1 should have gone on".to_owned()];

        assert_eq!(of_notices(&[], &NotifyFile::Usable, &[]), Finding::OK);
        assert_eq!(of_notices(&[], &NotifyFile::Missing, &[]), Finding::OK);
        for (late, file, says) in [
            (&late[..0], NotifyFile::Old(why()), "what was read before goes on"),
            (&late[..0], NotifyFile::Unusable(why()), "nobody is called"),
            (&late[..], NotifyFile::Unusable(why()), "nobody is called"),
            (&late[..], NotifyFile::Unusable(why()), "1 things of notices are late"),
        ] {
            let found = of_notices(late, &file, &[]);
            assert!(found.state == State::Attention && found.says.contains(says), "{found:?}");
        }
    }

    #[test]
    fn a_path_that_is_red_is_named_and_no_reason_to_start_again() {
        let seen = |state| Seen {
            path: PathName::new("siren").unwrap(),
            state,
            known: path::Known::default(),
            target: Target::Nobody,
            whose: Whose::default(),
            waits: 0,
            next: None,
            is_to_report: false,
        };
        let late = ["Notice 1 is late.".to_owned()];

        assert_eq!(
            of_notices(&[], &NotifyFile::Usable, &[seen(path::State::Green), seen(path::State::Untested)]),
            Finding::OK
        );
        let red = of_notices(&[], &NotifyFile::Usable, &[seen(path::State::Red)]);
        assert_eq!(red, Finding::new(State::Attention, "path siren is red. Next: notify paths"));
        let both = of_notices(&late, &NotifyFile::Usable, &[seen(path::State::Red)]);
        assert!(
            both.says.contains("1 things of notices are late") && both.says.contains("path siren is red"),
            "{both:?}"
        );
        assert!(Report::of(BTreeMap::from([("notices", both)])).is_good());
    }

    #[test]
    fn discord_that_is_away_is_no_reason_to_start_again_and_what_was_not_understood_is_one_to_look() {
        let well = discord::Health {
            connected: true,
            since: Some(jiff::Timestamp::UNIX_EPOCH),
            ended: false,
            not_understood: 0,
            unanswered: 7,
            commands: 3,
            last_trouble: Some("429".to_owned()),
        };
        let (away, none) = (
            discord::Health { connected: false, ..well.clone() },
            discord::Health { commands: 0, ..well.clone() },
        );
        let missed = discord::Health { not_understood: 2, connected: false, ..well.clone() };
        let ended = discord::Health { ended: true, ..missed.clone() };

        assert_eq!(of_discord(&well), Finding::OK);
        for (how, state, says) in [
            (away, State::Attention, "not connected since 1970-01-01T00:00:00Z"),
            (none, State::Attention, "no command is registered. The last trouble: 429."),
            (missed, State::Down, "2 of the events"),
            (ended, State::Stuck, "a fault in the bot itself"),
        ] {
            let found = of_discord(&how);
            assert!(found.state == state && found.says.contains(says), "{found:?}");
        }
    }
}
