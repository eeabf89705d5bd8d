//! Whoever can write the file can change it. What `verify` finds then, where, and what it cannot find.

use rusqlite::Connection;
use sha2::Digest as _;
use steadyhand::journal::entry::{Broken, leaf};
use steadyhand::journal::verify::Verified;
use steadyhand::journal::{Append, Output, OutputKey};
use steadyhand::plan::measure::{HEAD_BYTES, TAIL_BYTES};
use steadyhand::run::event::OutputSummary;
use steadyhand::run::{Event, Run, RunId};

use super::{Folder, a_written_journal, an_ended_run, of_event, wait_until_closed};

/// Changes the file behind the back of the journal, and looks at it again.
fn after(edit: impl FnOnce(&Connection)) -> Verified {
    let folder = a_written_journal();
    assert!(folder.view().verify().unwrap().holds(), "it holds before the edit");
    let raw = folder.raw();
    edit(&raw);
    drop(raw);
    folder.view().verify().unwrap()
}

/// The first thing that does not hold.
fn found(edit: impl FnOnce(&Connection)) -> (u64, Broken) {
    let verified = after(edit);
    let (seq, why) = verified.broken.clone().expect("the edit is found");
    assert!(verified.entries < seq, "only what stands before it holds");
    assert!(!verified.holds());
    (seq, why)
}

fn sql(statement: &str) -> impl FnOnce(&Connection) + '_ {
    move |raw| {
        let changed = raw.execute(statement, []).unwrap();
        assert!(changed > 0, "the edit changed something");
    }
}

fn line(raw: &Connection, seq: u64) -> String {
    raw.query_row("select line from entries where seq = ?1", [seq], |row| row.get(0)).unwrap()
}

/// Puts a line in the place of another, with a hash that fits it.
fn forge(raw: &Connection, seq: u64, line: &str) {
    let changed = raw
        .execute("update entries set line = ?1, hash = ?2 where seq = ?3", (line, leaf(line), seq))
        .unwrap();
    assert_eq!(changed, 1);
}

/// Gives every entry from `seq` on the hash that it should have: what a careful forger does.
fn chain_anew(raw: &Connection, from: u64) {
    let last: u64 = raw.query_row("select max(seq) from entries", [], |row| row.get(0)).unwrap();
    for seq in from..=last {
        let before: String =
            raw.query_row("select hash from entries where seq = ?1", [seq - 1], |row| row.get(0)).unwrap();
        let mut entry: serde_json::Value = serde_json::from_str(&line(raw, seq)).unwrap();
        entry["prev"] = before.into();
        forge(raw, seq, &entry.to_string());
    }
}

#[test]
fn a_journal_that_was_only_written_holds() {
    let folder = a_written_journal();

    let verified = folder.view().verify().unwrap();

    let last = folder.view().entries().unwrap().last().unwrap().clone();
    assert_eq!(verified.entries, last.seq);
    assert_eq!(verified.head, leaf(&last.line()));
    assert!(verified.holds() && verified.entries > 15);
}

#[test]
fn a_changed_reason_is_found() {
    let edit = "update entries set line = replace(line, 'is frozen', 'is frosen') where seq = 1";

    assert_eq!(found(sql(edit)), (1, Broken::Edited));
}

#[test]
fn a_changed_time_is_found() {
    let edit = "update entries set line = replace(line, '2026-11-21T12:00:00Z', '2026-11-21T11:00:00Z') where seq = 3";

    assert_eq!(found(sql(edit)), (3, Broken::Edited));
}

#[test]
fn a_changed_actor_is_found() {
    let edit = r#"update entries set line = replace(line, '"person":"ben"', '"person":"eva"') where seq = 4"#;

    assert_eq!(found(sql(edit)), (4, Broken::Edited));
}

#[test]
fn a_changed_hash_is_found() {
    assert_eq!(found(sql("update entries set hash = printf('%064d', 7) where seq = 5")), (5, Broken::Edited));
}

#[test]
fn a_changed_entry_with_a_hash_that_fits_breaks_the_chain_behind_it() {
    let (seq, why) = found(|raw| {
        let forged = line(raw, 4).replace("\"person\":\"ben\"", "\"person\":\"eva\"");
        forge(raw, 4, &forged);
    });

    assert_eq!((seq, why), (5, Broken::Chain));
}

#[test]
fn a_deleted_entry_leaves_a_gap() {
    let gap = Broken::Gap { expected: 6, found: 7 };

    assert_eq!(found(sql("delete from entries where seq = 6")), (7, gap));
}

#[test]
fn the_first_entry_is_missed_too() {
    let gap = Broken::Gap { expected: 1, found: 2 };

    assert_eq!(found(sql("delete from entries where seq = 1")), (2, gap));
}

#[test]
fn a_deleted_entry_is_found_also_when_the_others_close_up() {
    let (seq, why) = found(|raw| {
        raw.execute_batch(
            "delete from entries where seq = 6;
             update entries set seq = -(seq - 1) where seq > 6;
             update entries set seq = -seq where seq < 0;",
        )
        .unwrap();
    });

    // Its line still says where it stood.
    assert_eq!((seq, why), (6, Broken::Gap { expected: 6, found: 7 }));
}

#[test]
fn swapped_entries_are_found() {
    let (seq, why) = found(|raw| {
        raw.execute_batch(
            "update entries set seq = -1 where seq = 4;
             update entries set seq = 4 where seq = 5;
             update entries set seq = 5 where seq = -1;",
        )
        .unwrap();
    });

    assert_eq!((seq, why), (4, Broken::Gap { expected: 4, found: 5 }));
}

#[test]
fn an_inserted_entry_is_found() {
    let (seq, why) = found(|raw| {
        let mut entry: serde_json::Value = serde_json::from_str(&line(raw, 4)).unwrap();
        let last: u64 = raw.query_row("select max(seq) from entries", [], |row| row.get(0)).unwrap();
        entry["seq"] = (last + 1).into();
        let text = entry.to_string();
        let insert =
            "insert into entries (seq, hash, run, nth, kind, line) values (?1, ?2, 1, 99, 'approved', ?3)";
        raw.execute(insert, (last + 1, leaf(&text), &text)).unwrap();
    });

    assert_eq!(why, Broken::Chain);
    assert!(seq > 15, "at the very end: {seq}");
}

#[test]
fn an_entry_that_is_no_entry_is_found() {
    let (seq, why) = found(sql("update entries set line = '{}' where seq = 2"));

    assert_eq!(seq, 2);
    assert!(matches!(why, Broken::Unreadable(_)), "{why}");
}

#[test]
fn an_event_that_nobody_knows_is_found_with_its_place() {
    let (seq, why) = found(|raw| {
        let last: u64 = raw.query_row("select max(seq) from entries", [], |row| row.get(0)).unwrap();
        let mut entry: serde_json::Value = serde_json::from_str(&line(raw, last)).unwrap();
        entry["type"] = "made-up".into();
        forge(raw, last, &entry.to_string());
        raw.execute("update entries set kind = 'made-up' where seq = ?1", [last]).unwrap();
    });

    assert!(seq > 15);
    assert!(matches!(why, Broken::Unreadable(_)), "{why}");
}

#[test]
fn the_columns_beside_an_entry_must_say_what_it_says() {
    let edits = [
        ("update entries set kind = 'refused' where seq = 4", "the type"),
        ("update entries set run = 2, nth = 99 where seq = 4", "the run"),
        ("update entries set nth = 99 where seq = 4", "the number within its run or incident"),
    ];

    for (edit, what) in edits {
        assert_eq!(found(sql(edit)), (4, Broken::Index(what.to_owned())));
    }
}

#[test]
fn the_tables_beside_the_entries_must_say_what_they_say() {
    let edits = [
        ("delete from holds", "The table of holds is not what the entries say."),
        ("update holds set run = 1", "The table of holds is not what the entries say."),
        ("update holds set token = 9", "The table of holds is not what the entries say."),
        ("update runs set version = 3 where id = 1", "The table of runs is not what the entries say."),
        ("update runs set open = 0 where id = 2", "The table of runs is not what the entries say."),
        (
            "insert into runs (id, version, open) values (9, 1, 0)",
            "The table of runs is not what the entries say.",
        ),
        ("update tokens set token = 1", "The table of tokens is not what the entries say."),
        ("delete from tokens", "The table of tokens is not what the entries say."),
    ];

    for (edit, sentence) in edits {
        let verified = after(sql(edit));
        assert_eq!((verified.broken, verified.beside), (None, vec![sentence.to_owned()]), "{edit}");
    }
}

#[test]
fn a_tail_of_a_run_that_is_cut_off_is_missed_by_the_table_of_runs() {
    let verified = after(sql("delete from entries where seq = (select max(seq) from entries)"));

    assert_eq!(verified.broken, None, "what is left is a whole chain");
    assert_eq!(verified.beside, ["The table of runs is not what the entries say."]);
}

/// This is what `verify` cannot find by itself: whoever can write the whole file can cut its end, or write it anew from
/// some entry on. Only a copy of the head that was kept elsewhere tells.
#[test]
fn a_forger_who_thinks_of_everything_is_found_only_by_a_copy_of_the_head() {
    let folder = a_written_journal();
    let kept = folder.view().verify().unwrap();
    let raw = folder.raw();
    raw.execute("delete from entries where seq = (select max(seq) from entries)", []).unwrap();
    raw.execute("update runs set version = version - 1 where id = 2", []).unwrap();
    drop(raw);
    let cut = folder.view().verify().unwrap();

    let raw = folder.raw();
    let forged = line(&raw, 4).replace("\"person\":\"ben\"", "\"person\":\"eva\"");
    forge(&raw, 4, &forged);
    chain_anew(&raw, 5);
    drop(raw);
    let rewritten = folder.view().verify().unwrap();

    assert!(cut.holds() && rewritten.holds(), "nothing inside the file tells");
    assert_eq!(cut.entries, kept.entries - 1);
    assert!(cut.head != kept.head && rewritten.head != cut.head, "the head that was kept does");
}

fn an_output(bytes: &[u8]) -> Output {
    let (head, tail) = bytes.split_at(bytes.len().min(HEAD_BYTES));
    Output {
        head: head.to_vec(),
        tail: tail[tail.len().saturating_sub(TAIL_BYTES)..].to_vec(),
        bytes: bytes.len() as u64,
        sha256: hex::encode(sha2::Sha256::digest(bytes)),
    }
}

/// A journal with a run whose step printed this on both streams.
fn a_journal_with_output(bytes: &[u8]) -> Folder {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = folder.open();
        let log = an_ended_run().log;
        let Event::Requested(request) = &log[0].event else { panic!("a run begins with a request") };
        let mut run = Run::new(RunId(1), request.clone(), log[0].at);
        for mut stamped in log {
            let mut outputs = Vec::new();
            if let Event::StepEnded { unit, attempt, output, .. } = &mut stamped.event {
                let kept = an_output(bytes);
                *output = OutputSummary { out: kept.captured(), err: kept.captured() };
                for stream in ["out", "err"] {
                    let (unit, attempt) = (unit.clone(), *attempt);
                    let key = OutputKey { run: run.id, unit, attempt, undo: false, stream };
                    outputs.push((key, kept.clone()));
                }
            }
            let append = Append { outputs, ..of_event(&mut run, &stamped) };
            journal.append(append).await.unwrap();
        }
    });
    wait_until_closed(&folder.path());
    folder
}

#[test]
fn an_output_that_was_changed_is_named() {
    let short = b"replayed up to 0/3000148\n".to_vec();
    let kept_whole = b"x".repeat(HEAD_BYTES + TAIL_BYTES);
    let long: Vec<u8> = (0..20_000_u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let named = ["What step 1 of run 1 printed in attempt 1 (out) was changed."];
    let edits = [
        "head = cast(replace(cast(head as text), '0', '9') as blob)",
        "head = cast(cast(head as text) || ' ' as blob)",
        "head = x''",
        "tail = cast('forged' as blob)",
        "bytes = bytes + 1",
        "sha256 = printf('%064d', 7)",
        "attempt = 2",
        "number = 2",
        "undo = 1",
        "lane = 'pg9'",
    ];
    for edit in edits {
        let folder = a_journal_with_output(&short);
        assert!(folder.view().verify().unwrap().holds(), "it holds before the edit");
        let changed = format!("update outputs set {edit} where stream = 'out'");
        assert_eq!(folder.raw().execute(&changed, []).unwrap(), 1);

        let beside = folder.view().verify().unwrap().beside;

        let moved = ["attempt", "number", "undo", "lane"].iter().any(|column| edit.starts_with(column));
        assert!(beside.len() == 1 && (moved || beside == named), "{edit}: {beside:?}");
    }

    // Of long ones the beginning and the end are known, and each byte of those that are kept whole.
    let change =
        |at: usize| format!("head = cast(substr(head, 1, {at}) || x'ff' || substr(head, {at} + 2) as blob)");
    for (output, edit) in [
        (&kept_whole, change(30_000)),
        (&kept_whole, "tail = substr(tail, 2)".to_owned()),
        (&long, change(500)),
        (&long, "tail = cast(substr(tail, 1, 65500) || substr(head, 1, 36) as blob)".to_owned()),
        (&long, "head = substr(head, 1, 2000)".to_owned()),
    ] {
        let folder = a_journal_with_output(output);
        assert!(folder.view().verify().unwrap().holds(), "it holds before the edit");
        let changed = format!("update outputs set {edit} where stream = 'out'");
        assert_eq!(folder.raw().execute(&changed, []).unwrap(), 1);

        assert_eq!(folder.view().verify().unwrap().beside, named, "{edit}");
    }
}

#[test]
fn an_output_that_has_expired_is_not_missed() {
    let folder = a_journal_with_output(b"replayed");
    assert_eq!(folder.raw().execute("delete from outputs", []).unwrap(), 2);

    assert!(folder.view().verify().unwrap().holds());
}

#[test]
fn a_file_of_a_plan_that_was_changed_is_named() {
    let verified = after(|raw| {
        let right = hex::encode(sha2::Sha256::digest(b"steps: []"));
        raw.execute("insert into blobs (sha256, content) values (?1, 'steps: []')", [&right]).unwrap();
        raw.execute("insert into blobs (sha256, content) values (?1, 'steps: [x]')", ["ab".repeat(32)])
            .unwrap();
    });

    assert_eq!(verified.beside, ["The file abababababab was changed."]);
}
