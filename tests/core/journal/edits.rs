//! Whoever can write the file can change it. What `verify` finds then, where, and what it cannot find.

use rusqlite::Connection;
use steadyhand::journal::entry::{Broken, leaf};
use steadyhand::journal::verify::Verified;

use super::a_written_journal;

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
        ("update entries set nth = 99 where seq = 4", "the number within its run"),
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

#[test]
fn a_file_of_a_plan_that_was_changed_is_named() {
    use sha2::Digest as _;
    let verified = after(|raw| {
        let right = hex::encode(sha2::Sha256::digest(b"steps: []"));
        raw.execute("insert into blobs (sha256, content) values (?1, 'steps: []')", [&right]).unwrap();
        raw.execute("insert into blobs (sha256, content) values (?1, 'steps: [x]')", ["ab".repeat(32)])
            .unwrap();
    });

    assert_eq!(verified.beside, ["The file abababababab was changed."]);
}
