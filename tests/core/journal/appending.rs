//! What is written together stands or falls together, in one order, without a gap.

use std::collections::BTreeMap;

use steadyhand::journal::{AppendError, Journal};
use steadyhand::run::{Event, Run, RunId, Stamped};

use super::{Folder, a_note, a_request, an_ended_run, of_event, write};

#[tokio::test]
async fn an_append_that_expects_something_else_is_refused_and_leaves_nothing() {
    let folder = Folder::new();
    let journal = folder.open();
    journal.append(a_request(1)).await.unwrap();

    let again = journal.append(a_request(1)).await.unwrap_err();

    assert_eq!(again, AppendError::Conflict { run: RunId(1), expected: 0, stored: 1 });
    assert_eq!(journal.view().entries().unwrap().len(), 1);
    assert!(journal.view().verify().unwrap().holds());
}

#[tokio::test]
async fn a_run_comes_back_as_its_events_made_it() {
    let folder = Folder::new();
    let ended = an_ended_run();
    {
        let journal = folder.open();
        write(&journal, RunId(7), &ended.log).await;
    }
    super::wait_until_closed(&folder.path());

    let again = folder.view().run(RunId(7)).unwrap().expect("a run");

    assert_eq!(format!("{again:?}"), format!("{:?}", ended.run));
    assert!(folder.view().open_runs().unwrap().is_empty());
}

#[tokio::test]
async fn every_entry_says_its_form_and_its_place() {
    let folder = Folder::new();
    let journal = folder.open();
    write(&journal, RunId(1), &an_ended_run().log).await;
    journal.append(a_note("approve 9")).await.unwrap();

    let entries = journal.view().entries().unwrap();

    for (index, entry) in entries.iter().enumerate() {
        assert_eq!((entry.v, entry.seq), (1, index as u64 + 1));
        assert_eq!(entry.bot, env!("CARGO_PKG_VERSION"));
        assert_eq!(entry.run.is_some(), entry.kind != "command-denied");
    }
}

#[tokio::test]
async fn many_who_write_at_once_get_one_order_without_a_gap() {
    const RUNS: u64 = 8;
    const WRITERS: usize = 5;
    let folder = Folder::new();
    let journal = folder.open();
    let mut followed = journal.follow();
    let events = an_ended_run().log;

    // Several writers carry the same run: for each event one of them is first, and the others are told so.
    let mut tasks = tokio::task::JoinSet::new();
    for id in 1..=RUNS {
        for _ in 0..WRITERS {
            let (journal, events) = (journal.clone(), events.clone());
            tasks.spawn(async move { carry(&journal, RunId(id), &events).await });
        }
    }
    let won: usize = tasks.join_all().await.into_iter().sum();

    let entries = journal.view().entries().unwrap();
    assert_eq!(won, entries.len(), "every event was written by exactly one");
    assert_eq!(entries.len() as u64, RUNS * events.len() as u64);
    let mut versions: BTreeMap<RunId, u64> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, index as u64 + 1);
        let version = versions.entry(entry.run.unwrap()).or_default();
        *version += 1;
        assert_eq!(entry.nth, Some(*version));
        assert_eq!(followed.recv().await.unwrap().seq, entry.seq, "followers see the same order");
    }
    assert!(journal.view().verify().unwrap().holds());
}

#[test]
fn a_journal_that_is_being_written_holds_at_every_moment() {
    let folder = Folder::new();
    let journal = folder.open();
    let reader = folder.view();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let writer = runtime.spawn(async move {
        for id in 1..=60 {
            write(&journal, RunId(id), &an_event_of_each(id)).await;
        }
    });

    let mut seen = 0;
    while !writer.is_finished() {
        let verified = reader.verify().unwrap();
        assert_eq!((verified.broken, verified.beside), (None, Vec::new()), "after {}", verified.entries);
        seen += 1;
    }

    runtime.block_on(writer).unwrap();
    assert!(seen > 3, "it was verified {seen} times while it was written");
    assert_eq!(reader.verify().unwrap().entries, 60 * an_event_of_each(1).len() as u64);
}

/// A run with a token of its own, from its request to its end.
fn an_event_of_each(token: u64) -> Vec<Stamped> {
    let mut log = an_ended_run().log;
    for stamped in &mut log {
        if let Event::HoldsTaken { holds } = &mut stamped.event {
            holds[0].1 = token;
        }
    }
    log
}

/// Writes the events of a run, beside others who do the same; how many of them were taken.
async fn carry(journal: &Journal, id: RunId, events: &[Stamped]) -> usize {
    let Event::Requested(request) = &events[0].event else { panic!("a request") };
    let mut run = Run::new(id, request.clone(), events[0].at);
    let mut won = 0;
    for stamped in events {
        let mut append = of_event(&mut run, stamped);
        if let Some(append) = &mut append.run {
            // Who holds what is not what this is about.
            append.holds = None;
        }
        if let Event::HoldsTaken { .. } = &stamped.event {
            append.entries[0].data = serde_json::json!({ "holds": [] });
        }
        match journal.append(append).await {
            Ok(entries) => won += entries.len(),
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::task::yield_now().await;
    }
    won
}
