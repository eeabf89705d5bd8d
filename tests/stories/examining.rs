//! What `steadyhand doctor` finds of the bot itself: its files, its journal, its disk, and Discord.

use std::fs;
use std::path::Path;

use discord::{Discord, Permission};
use jiff::SignedDuration;
use steadyhand::chat::discord::{self as chat, Messages, NEEDED};
use steadyhand::config::Config;
use steadyhand::engine::clock::Clock;
use steadyhand::journal::{Append, Journal, NewEntry};
use steadyhand::library::Library;
use steadyhand::policy::members::Seats;
use steadyhand::policy::model::HeldBy;
use steadyhand::runbook::model::Word;
use steadyhand::wording::doctor::{Finding, examined};

use crate::bot::settings;
use crate::chat::REFUSED;
use crate::serving::{a_folder_with, keeps_the_token, program};

/// What is found with these messages read; with `open`, the policy has a door.
async fn finds(discord: &Discord, messages: Messages, open: bool) -> Vec<Finding> {
    let (_folder, config) = a_folder_with(discord);
    let config = Config::load(Some(&config), &|_| None).unwrap();
    let files = Library::new(config.folders).load().unwrap();
    let policy = Some(files.set.policy.as_ref().unwrap()).filter(|_| open);
    chat::examine(&settings(discord, messages), policy, &Clock::System).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_role_that_the_server_does_not_have_is_found() {
    let discord = Discord::start().await;
    let (_folder, config) = a_folder_with(&discord);
    let config = Config::load(Some(&config), &|_| None).unwrap();
    let files = Library::new(config.folders).load().unwrap();
    let mut policy = files.set.policy.clone().unwrap();
    let dba = discord.role_id("dba").to_string();
    let place = policy.roles.values().next().unwrap().place.clone();
    let word = |id: &str| Word::new(id.to_owned(), place.clone());
    let held_by = HeldBy::Discord { roles: vec![word(&dba), word("214600000000000099")], now: Seats::new() };
    policy.roles.values_mut().next().unwrap().held_by = held_by;
    let settings = settings(&discord, Messages::Mention);

    let found = chat::examine(&settings, Some(&policy), &Clock::System).await;

    let rows = told(&found);
    let roles: Vec<_> = found
        .iter()
        .zip(&rows)
        .filter(|(_, row)| row.contains("Copy Role ID") || row.contains("is @dba"))
        .collect();
    let [(there, there_says), (gone, gone_says)] = roles[..] else { panic!("two rows: {rows:#?}") };
    assert!(there.is_well() && there_says.contains(&format!("{dba} is @dba")), "{there_says}");
    assert!(
        !gone.is_well() && gone_says.contains("214600000000000099 is no role of this server"),
        "{gone_says}"
    );
    discord.assert_clean();
}

/// Each with what it says, and its cure behind an arrow.
fn told(found: &[Finding]) -> Vec<String> {
    let page = |finding: &Finding| {
        let page = examined(&[("", vec![finding.clone()])], &[]);
        let text = serde_json::to_string(&page).unwrap();
        assert_eq!(finding.is_well(), !text.contains("bot-unwell"), "{text}");
        text
    };
    found.iter().map(page).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_thing_that_discord_can_lack_is_found_and_says_what_cures_it() {
    let discord = Discord::start().await;
    let found = finds(&discord, Messages::All, true).await;
    let rows = told(&found);
    assert!(found.iter().all(Finding::is_well), "{rows:#?}");
    for (row, says) in rows.iter().zip(["steadyhand", "steadyhand", "message content", "", "0 are", "#ops"]) {
        assert!(row.contains(says), "{row}");
    }
    assert_eq!(rows.len(), 6);

    let says = |found: &[Finding], says: &str, cure: &str| {
        let rows = told(found);
        let wrong: Vec<_> = found.iter().zip(&rows).filter(|(finding, _)| !finding.is_well()).collect();
        let [(_, row)] = wrong[..] else { panic!("one is wrong: {rows:#?}") };
        assert!(row.contains(says) && row.contains(cure), "{row}");
    };
    for right in [
        Permission::SendMessages,
        Permission::SendMessagesInThreads,
        Permission::CreatePublicThreads,
        Permission::EmbedLinks,
        Permission::AttachFiles,
        Permission::ReadMessageHistory,
    ] {
        discord.takes_right("ops", right);
        let found = finds(&discord, Messages::Mention, true).await;
        // As Discord calls it: the words of our name for it.
        let name = format!("{right:?}").replace(char::is_uppercase, " ");
        let last = name.rsplit(' ').next().unwrap();
        says(&found, "#ops: the bot may not: ", "allow that for the role of the bot");
        assert!(told(&found).last().unwrap().contains(last), "{right:?}");
        discord.gives_right("ops", right);
    }
    discord.takes_right("ops", Permission::ManageMessages);
    assert!(finds(&discord, Messages::Mention, true).await.iter().all(Finding::is_well), "it needs no more");
    discord.takes_right("ops", Permission::ViewChannel);
    says(&finds(&discord, Messages::Mention, true).await, "hidden from the bot", "let the bot see it");
    discord.gives_right("ops", Permission::ViewChannel);

    says(&finds(&discord, Messages::Mention, false).await, "opens no door on Discord", "policy.yaml");
    discord.grants_privileged_intents(false);
    says(&finds(&discord, Messages::All, true).await, "not granted", "Message Content Intent");
    assert!(
        finds(&discord, Messages::Mention, true).await.iter().all(Finding::is_well),
        "then it needs none"
    );

    discord.removes_bot();
    says(&finds(&discord, Messages::Mention, true).await, "is not on", &format!("permissions={NEEDED}&"));
    discord.goes_down();
    says(&finds(&discord, Messages::Mention, true).await, "cannot be reached", "port 443");
    discord.comes_up();
    let old = a_folder_with(&discord);
    keeps_the_token(old.0.path(), &discord, 0o600);
    discord.revokes_token();
    let (code, said) = doctor(&old.1);
    assert!(
        code == REFUSED && said.contains("Discord refuses it") && said.contains("reset the token"),
        "{said}"
    );
    assert!(discord.strangers().is_empty(), "{:?}", discord.strangers());
}

/// With runbooks that do not load: no host is examined.
fn doctor(config: &Path) -> (i32, String) {
    let output =
        program().env("STEADYHAND_RUNBOOKS", "/nowhere").arg("--config").arg(config).arg("doctor").output();
    let output = output.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bot_without_files_token_or_a_whole_journal_is_told_each_of_them() {
    let discord = Discord::start().await;
    let (folder, config) = a_folder_with(&discord);
    let says = |what: &[&str]| {
        let (code, said) = doctor(&config);
        assert_eq!(code, REFUSED, "{said}");
        assert!(what.iter().all(|part| said.contains(part)), "{said}");
    };

    says(&[
        "! WRONG runbooks",
        "there is none yet",
        "MiB free for the journal",
        "discord-token: No such file",
    ]);
    says(&["Cure: put the token of the bot there", "The bot needs something: runbooks, token."]);

    let path = folder.path().join("steadyhand.db");
    drop(Journal::open(&path, false).unwrap());
    says(&["+ well journal all 0 entries hold"]);
    fs::write(&path, "no database at all, and long enough to be looked at as one: it says nothing").unwrap();
    says(&["! WRONG journal", "cannot be used as a journal", "Cure: look at the file and its folder."]);
}

/// What a doctor says of the paths, each row as one line.
fn of_paths(config: &Path) -> Vec<String> {
    rows(config).into_iter().filter(|row| row.contains(" path ")).collect()
}

/// All that a doctor says, each row as one line.
fn rows(config: &Path) -> Vec<String> {
    let output = program().arg("--config").arg(config).arg("doctor").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rows: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        match rows.last_mut().filter(|_| line.starts_with("    ")) {
            Some(last) => *last = format!("{last} {}", line.trim()),
            None => rows.push(line.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_path_is_found_as_the_journal_says_that_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let policy = fs::read_to_string(runbooks.join("policy.yaml")).unwrap();
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let mail = |name: &str| {
        format!(
            "  {name}: {{ kind: mail, server: \"127.0.0.1:9\", from: bot@shop.test, tls: none, depends_on: [{name}] }}\n"
        )
    };
    let paths = ["green", "old", "dead", "new", "page"].map(mail).concat();
    let way = |path: &str| format!("{{ path: {path}, to: a@shop.test }}");
    let ways = ["green", "old", "dead", "new"].map(way).join(", ");
    let notify = format!(
        "notify: shop\npaths:\n{paths}people:\n  anna: [{ways}]\nschedules:\n  \
         primary: {{ zone: UTC, layers: [{{ people: [anna] }}] }}\n  support: {{ zone: UTC, layers: [{{ people: [anna] }}] }}\n\
         public: [{{ path: page, to: all@shop.test }}]\n"
    );
    fs::write(folder.path().join("notify.yaml"), notify).unwrap();
    let config = folder.path().join("steadyhand.toml");
    fs::write(&config, format!("runbooks = \"{}\"\npolicy = \"policy.yaml\"\n", runbooks.display())).unwrap();
    let journal = Journal::open(&folder.path().join("steadyhand.db"), false).unwrap();
    let now = Clock::System.now();
    let tried = |path: &str, answer: &str, minutes: i64| NewEntry {
        time: now - SignedDuration::from_mins(minutes),
        actor: None,
        kind: "path-tried".to_owned(),
        data: serde_json::json!({ "path": path, "to": "anna", "answer": answer, "why": "550 no such user" }),
    };
    let day = 24 * 60;
    let entries = vec![
        tried("old", "accepted", 30 * day),
        tried("dead", "accepted", 3 * day),
        tried("green", "accepted", day),
        tried("dead", "never", 30),
        tried("dead", "never", 20),
        tried("dead", "never", 5),
    ];
    journal.append(Append { entries, ..Append::default() }).await.unwrap();
    drop(journal);

    let found = of_paths(&config);

    for (path, says) in [
        ("green", "+ well path green: took something last at"),
        ("old", "Cure: notify test old; it took nothing for 7 days"),
        ("dead", "3 tries in a row failed since"),
        ("dead", "the last one: 550 no such user"),
        ("new", "+ well path new: untested; whether it works is seen by notify test new"),
        ("page", "+ well path page: untested; what is published proves it, it is never tried"),
    ] {
        assert!(
            found.iter().any(|row| row.contains(&format!("{path}: ")) && row.contains(says)),
            "{path}: {found:#?}"
        );
    }
    for wrong in ["old", "dead"] {
        let row = found.iter().find(|row| row.contains(&format!(" {wrong}: ")));
        assert!(row.is_some_and(|row| row.starts_with("! WRONG")), "{found:#?}");
    }
}

#[test]
fn whether_the_token_of_alerts_can_be_read_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let policy = fs::read_to_string(runbooks.join("policy.yaml")).unwrap();
    let (before, behind) = policy.split_once("secrets:").unwrap();
    let (comment, behind) = behind.split_once('\n').unwrap();
    let granted = format!("{before}secrets:{comment}\n  alerts_key: [notify.yaml]\n{behind}");
    fs::write(folder.path().join("policy.yaml"), granted).unwrap();
    let notify = "notify: shop\npaths: {}\npeople: {}\nreports: { alerts: alerts_key }\n";
    fs::write(folder.path().join("notify.yaml"), notify).unwrap();
    let config = folder.path().join("steadyhand.toml");
    let of_alerts = |secrets: &str| {
        let text =
            format!("runbooks = \"{}\"\npolicy = \"policy.yaml\"\n[secrets]\n{secrets}", runbooks.display());
        fs::write(&config, text).unwrap();
        let rows = rows(&config);
        rows.iter().find(|row| row.contains(" alerts ")).cloned().unwrap_or_else(|| panic!("{rows:#?}"))
    };

    let unread = of_alerts("");
    assert!(unread.starts_with("! WRONG alerts none is taken: the configuration says nothing"), "{unread}");
    assert!(unread.contains("Cure: give the bot the token"), "{unread}");
    let read = of_alerts(&crate::told::secret(folder.path(), "alerts_key", "Zx81-very-secret"));
    assert_eq!(read, "+ well alerts are taken from whoever shows the token");
}

#[test]
fn a_notify_file_with_a_slip_is_found_and_a_missing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let policy = fs::read_to_string(runbooks.join("policy.yaml")).unwrap();
    let without_schedules =
        policy.replace("schedule: primary", "people: [anna]").replace("schedule: support", "people: [dana]");
    let without_secrets = without_schedules.lines().filter(|line| !line.contains("[notify.yaml]"));
    let policy = without_secrets.collect::<Vec<_>>().join("\n").replace("\nsecrets: ", "\n# ");
    fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let config = folder.path().join("steadyhand.toml");
    fs::write(&config, format!("runbooks = \"{}\"\npolicy = \"policy.yaml\"\n", runbooks.display())).unwrap();
    let says = || {
        let output = program().arg("--config").arg(&config).arg("doctor").output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };

    let said = says();
    assert!(said.contains("+ well notify there is no notify.yaml"), "{said}");

    fs::write(folder.path().join("notify.yaml"), "notify: shop\npaths: {}\npeople: {}\nwatchers: none\n")
        .unwrap();
    let said = says();
    assert!(said.contains("! WRONG notify notify.yaml has 1 problem"), "{said}");
    assert!(said.contains("The bot needs something: notify"), "{said}");
}
