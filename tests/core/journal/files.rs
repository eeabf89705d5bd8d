//! Files that are no journal, or none any more: each is refused in words that say what to do next.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rusqlite::Connection;
use steadyhand::journal::entry::{Broken, leaf};
use steadyhand::journal::{Journal, JournalView, OpenError};
use steadyhand::run::RunId;

use super::processes::{Bot, as_nobody};
use super::{Folder, a_note, a_written_journal};

/// What is said by those who would write a file and by those who would read it.
fn said(path: &Path) -> (String, String) {
    let write = match Journal::open(path, false) {
        Err(error) => error.to_string(),
        Ok(journal) => journal.view().verify().expect_err("it cannot be used").to_string(),
    };
    let read = match JournalView::open(path) {
        Err(error) => error.to_string(),
        Ok(view) => view.verify().expect_err("it cannot be read").to_string(),
    };
    for words in [&write, &read] {
        assert!(words.contains("Next: "), "a person is told what to do: {words}");
    }
    (write, read)
}

#[test]
fn a_journal_that_is_not_there_is_made_by_the_writer_only() {
    let folder = Folder::new();

    let error = JournalView::open(&folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert!(!folder.path().exists(), "looking makes nothing");

    folder.open();
    assert!(folder.view().entries().unwrap().is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_no_place_for_a_journal() {
    let folder = Folder::new();

    let (write, read) = said(&folder.folder.path().join("nowhere/steadyhand.db"));

    assert!(write.contains("No such file or directory"), "{write}");
    assert!(read.contains("there is no journal at"), "{read}");
}

#[test]
fn a_journal_that_cannot_be_looked_for_is_not_taken_for_none() {
    let folder = Folder::new();
    // A folder that nobody may enter would do, but for root.
    std::os::unix::fs::symlink(folder.path(), folder.path()).unwrap();

    let error = JournalView::open(&folder.path()).unwrap_err();

    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
}

#[test]
fn a_text_file_is_no_journal() {
    let folder = Folder::new();
    fs::write(folder.path(), "Dear diary, today the primary froze again.\n".repeat(40)).unwrap();

    let (write, read) = said(&folder.path());

    assert!(
        write.contains("file is not a database") && read.contains("file is not a database"),
        "{write}\n{read}"
    );
    assert!(fs::read_to_string(folder.path()).unwrap().starts_with("Dear diary"), "it is left as it was");
}

#[test]
fn an_empty_file_becomes_a_journal_when_it_is_written() {
    let folder = Folder::new();
    fs::write(folder.path(), "").unwrap();
    let error = JournalView::open(&folder.path()).unwrap_err().to_string();
    assert!(error.contains("not one of ours"), "{error}");

    folder.open();

    assert!(folder.view().verify().unwrap().holds());
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = Folder::new();
    folder
        .raw()
        .execute_batch("create table bookmarks (url text); insert into bookmarks values ('x');")
        .unwrap();

    let (write, read) = said(&folder.path());

    assert!(
        write.contains("a database, and not one of ours") && read.contains("not one of ours"),
        "{write}\n{read}"
    );
    let tables: u32 =
        folder.raw().query_row("select count(*) from sqlite_master", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1, "nothing was made in it");
}

#[test]
fn a_folder_is_no_journal() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).unwrap();

    let (write, read) = said(&folder.path());

    assert!(write.contains("it is a folder") && read.contains("it is a folder"), "{write}\n{read}");
}

#[test]
fn a_journal_that_was_cut_short_is_not_used() {
    let folder = a_written_journal();
    let bytes = fs::read(folder.path()).unwrap();
    fs::write(folder.path(), &bytes[..bytes.len() / 2]).unwrap();
    for beside in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(folder.path().with_extension(beside));
    }

    let (write, read) = said(&folder.path());

    assert!(write.contains("malformed") && read.contains("malformed"), "{write}\n{read}");
}

#[test]
fn a_page_of_garbage_is_found_by_whoever_reads_it() {
    let folder = a_written_journal();
    let mut bytes = fs::read(folder.path()).unwrap();
    let page = 4096;
    for byte in &mut bytes[page..page * 6] {
        *byte = 0x5a;
    }
    fs::write(folder.path(), bytes).unwrap();
    for beside in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(folder.path().with_extension(beside));
    }

    said(&folder.path());
}

#[test]
fn a_file_that_cannot_be_written_is_not_opened_for_writing() {
    let folder = a_written_journal();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for file in fs::read_dir(folder.folder.path()).unwrap() {
        mode(&file.unwrap().path(), 0o444);
    }
    mode(folder.folder.path(), 0o555);
    let bot = Bot::over(&folder.path());

    let out = as_nobody(bot.command(&["run", "failover-database"])).output().unwrap();

    mode(folder.folder.path(), 0o755);
    let words = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{words}");
    assert!(words.contains("cannot be used as a journal") && words.contains("Next: "), "{words}");
    assert!(words.contains("Permission denied") || words.contains("readonly"), "{words}");
}

#[test]
fn a_journal_with_newer_tables_is_left_to_the_newer_program() {
    let folder = a_written_journal();
    folder.raw().pragma_update(None, "user_version", 3).unwrap();

    let (write, read) = said(&folder.path());

    assert!(write.contains("has the form 3, which is newer than this program"), "{write}");
    assert_eq!(write, read);
}

#[test]
fn an_entry_of_a_newer_form_is_named_and_never_guessed_at() {
    let folder = a_written_journal();
    let raw = folder.raw();
    newer(&raw, 4);
    drop(raw);

    let verified = folder.view().verify().unwrap();
    let run = folder.view().run(RunId(1)).unwrap_err().to_string();

    assert_eq!(verified.broken, Some((4, Broken::Version(2))));
    assert!(
        run.contains("entry 4 of the journal cannot be used: it has the form 2, and this program knows 1"),
        "{run}"
    );
    assert!(folder.view().run(RunId(2)).is_ok(), "the other run can be read");
}

/// Makes an entry one of a later form, with fields that this program does not know.
fn newer(raw: &Connection, seq: u64) {
    let line = format!(r#"{{"body":{{}},"n":{seq},"v":2}}"#);
    raw.execute("update entries set line = ?1, hash = ?2 where seq = ?3", (&line, leaf(&line), seq)).unwrap();
}

#[test]
fn a_journal_whose_last_entry_was_changed_is_not_written_to() {
    let folder = a_written_journal();
    let edit =
        "update entries set line = replace(line, 'cara', 'eva') where seq = (select max(seq) from entries)";
    assert_eq!(folder.raw().execute(edit, []).unwrap(), 1);

    let error = Journal::open(&folder.path(), false).unwrap_err();

    assert!(matches!(error, OpenError::Tampered { .. }));
    assert!(
        error.to_string().contains("was changed from outside. Next: steadyhand journal verify"),
        "{error}"
    );
}

#[test]
fn a_demo_never_writes_a_real_journal() {
    let folder = a_written_journal();

    let error = Journal::open(&folder.path(), true).unwrap_err().to_string();

    assert!(error.contains("is a real journal, and the configuration is a demo"), "{error}");
}

#[test]
fn a_journal_keeps_the_name_that_no_other_has() {
    let folder = Folder::new();
    let id = folder.open().id().to_owned();
    super::wait_until_closed(&folder.path());
    assert!(id.len() == 16 && id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    assert_eq!(folder.open().id(), id);
    assert_ne!(Folder::new().open().id(), id);

    // One that was made before journals had names gets one.
    super::wait_until_closed(&folder.path());
    assert_eq!(folder.raw().execute("delete from meta where key = 'id'", []).unwrap(), 1);
    let later = folder.open().id().to_owned();
    assert!(later.len() == 16 && later != id, "{later}");
}

#[test]
fn a_link_to_a_journal_has_the_same_lock() {
    let folder = a_written_journal();
    let link = folder.folder.path().join("elsewhere.db");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let _open = folder.open();

    let error = Journal::open(&link, false).unwrap_err();

    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
}

#[test]
fn journals_in_one_folder_do_not_block_each_other() {
    let folder = Folder::new();
    let _open = folder.open();

    for name in ["steadyhand.sqlite", "steadyhand"] {
        Journal::open(&folder.folder.path().join(name), false)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn what_waits_is_written_before_anybody_else_opens_the_file() {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let journal = folder.open();
    runtime.block_on(async {
        // Asked for, and never waited for: the journal is dropped with all of it in its queue.
        for number in 0..500 {
            let append = journal.append(a_note(&format!("approve {number}")));
            let waker = std::task::Waker::noop();
            let mut append = std::pin::pin!(append);
            let _ = append.as_mut().poll(&mut std::task::Context::from_waker(waker));
        }
    });
    drop(journal);

    super::wait_until_closed(&folder.path());

    assert_eq!(folder.view().entries().unwrap().len(), 500);
}

#[test]
fn a_write_ahead_log_is_kept() {
    let folder = a_written_journal();

    let mode: String = folder.raw().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();

    assert_eq!(mode, "wal");
}

#[test]
fn whoever_looks_knows_whether_somebody_writes() {
    let folder = Folder::new();
    let journal = folder.open();
    assert!(folder.view().has_writer());

    drop(journal);

    // The thread that writes may still be ending.
    let ends = (0..1_000_000).any(|_| {
        std::thread::yield_now();
        !folder.view().has_writer()
    });
    assert!(ends, "somebody still writes");
    assert!(folder.view().entries().unwrap().is_empty(), "looking took nothing away");
}
