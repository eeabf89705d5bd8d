//! Incidents, from their first moment to their last: who is called, who answers, what is owed, what customers read. The
//! paths are scripted; everything else is the bot.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadyhand::chat::desk::CameOut;
use steadyhand::duty::model::Carrier;
use steadyhand::incident::IncidentId;
use steadyhand::incident::input::Answer;
use steadyhand::incident::model::{Audience, Incident, Severity};
use steadyhand::notify::{Letter, Messenger};
use steadyhand::runbook::source::name::PathName;
use steadyhand::target::Later;

use crate::stage::{PLANNED, Scene};

const NOTIFY: &str = r#"notify: orders

paths:
  chat: { kind: discord, channel: "214600000000000100", depends_on: [discord] }
  post: { kind: mail, server: "mail:25", from: bot@example.com, depends_on: [relay] }
  siren: { kind: slack, url: siren_url, depends_on: [modem] }

people:
  ana: [chat, { path: post, to: ana@example.com }]
  ben: [chat, { path: post, to: ben@example.com }]
  cleo: [chat, { path: post, to: cleo@example.com }]
  sue: [chat, { path: post, to: sue@example.com }]

escalations:
  on-call:
    steps: [{ tell: [on-call], wait: 5m }, { tell: [commander], wait: 5m }]
    last_resort: [siren]
  support:
    steps: [{ tell: [support], wait: 10m }, { tell: [commander] }]
    last_resort: [siren]
"#;

/// A path of one person alone, and one to customers.
const MORE_PATHS: &str = "  pager: { kind: slack, url: siren_url, depends_on: [gsm] }
  page: { kind: slack, url: siren_url, depends_on: [page] }
";

/// What left the house, and which paths are broken.
#[derive(Default)]
pub(crate) struct Paths {
    left: Mutex<Vec<(PathName, Letter)>>,
    broken: Mutex<BTreeSet<String>>,
}

impl Paths {
    fn breaks(&self, path: &str) {
        self.broken.lock().unwrap().insert(path.to_owned());
    }

    fn heals(&self, path: &str) {
        self.broken.lock().unwrap().remove(path);
    }

    /// Path and person of every letter since the last time, and forgets them.
    pub(crate) fn took(&self) -> Vec<String> {
        let mut left = std::mem::take(&mut *self.left.lock().unwrap());
        left.sort_by_key(|(path, letter)| (letter.to.clone(), path.clone()));
        let whose = |letter: &Letter| letter.to.as_ref().map_or("all".to_owned(), ToString::to_string);
        left.iter()
            .map(|(path, letter)| format!("{path} {}: {}", whose(letter), letter.words.title))
            .collect()
    }

    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.left.lock().unwrap().iter().map(|(_, letter)| letter.clone()).collect()
    }
}

impl Messenger for Paths {
    fn send<'a>(&'a self, path: &'a PathName, _: &'a Carrier, letter: &'a Letter) -> Later<'a, Answer> {
        let broken = self.broken.lock().unwrap().contains(path.as_str());
        self.left.lock().unwrap().push((path.clone(), letter.clone()));
        let answer =
            if broken { Answer::Never("550 no such user".to_owned()) } else { Answer::Accepted(None) };
        Box::pin(async move { answer })
    }
}

/// People can be told, over paths that are scripted.
pub(crate) fn told() -> (Scene, Arc<Paths>) {
    let mut scene = Scene::with_own_files();
    scene.writes("notify.yaml", NOTIFY);
    scene.edits(
        "policy.yaml",
        "doors: { console: {} }",
        "doors: { console: {} }\n\nsecrets: { siren_url: [notify.yaml] }",
    );
    let paths = Arc::new(Paths::default());
    connects(&scene, &paths);
    (scene, paths)
}

pub(crate) fn connects(scene: &Scene, paths: &Arc<Paths>) {
    scene.engine().incidents().over(paths.clone(), None);
}

fn incident(scene: &Scene, id: u64) -> Arc<Incident> {
    scene.engine().incidents().get(IncidentId(id)).unwrap().unwrap()
}

/// The line, with what names the draft as it stands now.
fn with_digest(scene: &Scene, line: &str) -> String {
    let digest = || incident(scene, 1).draft_digest().expect("there is a draft").short().to_owned();
    if line.contains("DIGEST") { line.replace("DIGEST", &digest()) } else { line.to_owned() }
}

const OPENED: &str = "incident open sev1 \"checkout hangs since 03:05\" service=orders";

#[test]
fn an_incident_is_opened_answered_published_and_closed_at_the_console() {
    let (mut scene, paths) = told();

    scene.types("ana", OPENED);
    let called = paths.took();
    assert!(called.iter().any(|letter| letter.starts_with("chat sue")), "{called:?}");
    for (who, line) in [
        ("ana", "incident"),
        ("ana", "incident ack inc-1"),
        ("ana", "incident ack inc-1"),
        ("sue", "incident ack 1"),
        ("ana", "incident take commander inc-1"),
        ("cleo", "incident take communications inc-1"),
        ("cleo", "incident draft inc-1 \"Orders cannot be placed. We are working on it.\""),
        ("cleo", "incident publish inc-1"),
        ("cleo", "incident publish inc-1 DIGEST"),
        ("cleo", "incident publish inc-1"),
        ("ana", "incident update inc-1 \"pg1 was frozen, pg2 has taken over\""),
        ("ana", "incident update inc-1 \"orders can be placed again\" for=support"),
        ("ana", "incident identified inc-1"),
        ("ana", "incident waive inc-1 99 \"nobody owes this number\""),
        ("ana", "status"),
        ("ana", "status inc-1"),
        ("ana", "incident resolve inc-1"),
        ("ana", "incident monitoring inc-1"),
        ("ana", "incident resolve inc-1"),
        ("cleo", "incident publish inc-1 DIGEST"),
        ("ana", "incident resolve inc-1"),
        ("ana", "incident timeline inc-1"),
        ("ana", "notify log inc-1"),
        ("ana", "incident export inc-1"),
        ("ana", "incident close inc-1"),
        ("ana", "incident close inc-1"),
        ("ana", "incident"),
        ("ana", "incident status inc-1"),
        ("ana", "journal show inc-1"),
        ("ana", "journal verify"),
    ] {
        scene.types(who, &with_digest(&scene, line));
    }

    assert!(incident(&scene, 1).is_closed());
    scene.nothing_was_sent();
    scene.reads("incident");
}

#[test]
fn nobody_answers_and_the_next_ones_are_called_until_somebody_does() {
    let (mut scene, paths) = told();
    scene.types("ben", "incident open sev1 \"nothing can be ordered\" service=orders");
    let first = paths.took();
    scene.after(Duration::from_mins(6));
    let second = paths.took();
    scene.after(Duration::from_mins(6));
    let third = paths.took();
    scene.says("ben", "incident status inc-1");
    for who in ["ana", "sue"] {
        scene.types(who, "incident ack inc-1");
    }
    paths.took();
    scene.after(Duration::from_mins(3));
    let then: Vec<_> = paths.took().into_iter().filter(|it| it.contains("you are called")).collect();

    scene.note(&format!(
        "-- at once --\n{}\n-- then --\n{}\n-- then --\n{}\n",
        first.join("\n"),
        second.join("\n"),
        third.join("\n")
    ));
    assert_eq!(then, Vec::<String>::new(), "whoever answered is called no more");
    scene.reads("incident-nobody-answers");
}

#[test]
fn a_run_opens_an_incident_that_support_hears_of_in_its_own_words() {
    let (mut scene, paths) = told();
    scene.says("ana", PLANNED);
    scene.does_next("ana");
    let approve = format!("approve 1 {}", scene.run(1).digest().unwrap().short());
    scene.types("ben", &approve);
    scene.settle();

    let letters = paths.letters();
    let of_support: Vec<_> = letters.iter().filter(|it| it.audience == Audience::Support).collect();
    assert!(!of_support.is_empty(), "{letters:?}");
    for letter in of_support {
        let text = format!("{}\n{}\n{}", letter.words.subject, letter.words.title, letter.words.text);
        for host in ["pg1", "pg2", "pg3", "failover", "move to new rack", "Run 1"] {
            assert!(!text.contains(host), "{text}");
        }
    }
    scene.says("sue", "incident");
    assert!(scene.last().contains("inc-1"), "{}", scene.last());
}

#[test]
fn a_broken_path_brings_the_next_way_in_and_the_log_says_so() {
    let (mut scene, paths) = told();
    paths.breaks("chat");

    scene.types("ben", OPENED);
    scene.says("ben", "notify log");

    assert!(scene.last().contains("NOT SENT") && scene.last().contains("accepted"), "{}", scene.last());
    assert!(paths.took().iter().any(|letter| letter.starts_with("post sue")), "the other way was used");
}

#[test]
fn words_that_end_or_publish_are_for_those_whom_the_policy_names() {
    let (mut scene, paths) = told();
    let rights =
        "incidents: { publish: [data-platform], resolve: [commander], waive: [commander] }\n\nbreak_glass:";
    scene.edits("policy.yaml", "break_glass:", rights);
    scene.types("ben", OPENED);
    paths.took();

    for (who, line, code) in [
        ("ben", "incident ack inc-1", ""),
        ("ana", "incident draft inc-1 \"Orders cannot be placed.\"", "no-role"),
        ("ana", "incident publish inc-1", "no-role"),
        ("ben", "incident draft inc-1 \"Orders cannot be placed.\"", ""),
        ("ben", "incident publish inc-1 DIGEST", ""),
        ("ana", "incident waive inc-1 1 \"they sit beside me\"", "no-role"),
        ("ana", "incident severity inc-1 sev3 \"it is not so bad\"", "no-role"),
        ("ana", "incident resolve inc-1", "no-role"),
        ("ana", "incident take commander inc-1", "no-role"),
        // The service of this incident is of shop.
        ("ben", "incident take commander inc-1 sue", ""),
        ("sue", "incident take communications inc-1 ana", ""),
        ("sue", "incident resolve inc-1", "customers-wait"),
        ("sue", "incident monitoring inc-1", ""),
        ("ana", "incident draft inc-1 \"Orders can be placed again.\"", ""),
        ("ana", "incident publish inc-1 DIGEST", ""),
        ("sue", "incident resolve inc-1", ""),
        ("ana", "incident close inc-1", "no-role"),
        ("sue", "incident close inc-1", ""),
    ] {
        let came_out = scene.types(who, &with_digest(&scene, line));
        let expected = if code.is_empty() { CameOut::Done } else { CameOut::Refused };
        assert_eq!(came_out, expected, "{who}: {line}\n{}", scene.last());
        assert!(
            scene.last().contains(&format!("code: {code}")) || code.is_empty(),
            "{line}\n{}",
            scene.last()
        );
    }

    let denied = scene.engine().view().newest_of_kind("command-denied", 20).unwrap();
    assert_eq!(denied.iter().filter(|entry| entry.data["code"] == "no-role").count(), 7);
    let made: Vec<_> = paths.took().into_iter().filter(|it| it.contains("has made you")).collect();
    assert_eq!(
        made,
        [
            "chat ana: inc-1 sev1 Order processing: sue has made you communications.",
            "chat sue: inc-1 sev1 Order processing: ben has made you commander."
        ]
    );
    scene.reads("incident-rights");
}

#[test]
fn a_draft_that_changed_meanwhile_is_not_published() {
    let (mut scene, _paths) = told();
    scene.types("ana", OPENED);
    scene.types("ana", "incident draft inc-1 \"Orders cannot be placed.\"");
    let seen = with_digest(&scene, "incident publish inc-1 DIGEST");
    assert_eq!(scene.says("ana", "incident publish inc-1"), CameOut::NeedsPerson);
    assert!(
        scene.last().contains(&seen) && scene.last().contains("Orders cannot be placed."),
        "{}",
        scene.last()
    );
    scene.types("cleo", "incident draft inc-1 \"All is well.\"");

    assert_eq!(scene.says("ana", &seen), CameOut::Refused);

    assert!(scene.last().contains("code: draft-changed"), "{}", scene.last());
    assert!(scene.last().contains("\"All is well.\""), "{}", scene.last());
    assert!(scene.last().contains(&with_digest(&scene, "incident publish inc-1 DIGEST")), "{}", scene.last());
    assert!(incident(&scene, 1).published.is_empty());
}

#[test]
fn a_subject_stays_when_it_becomes_worse() {
    let (mut scene, paths) = told();
    scene.types("ana", "incident open sev3 \"checkout is a little slow\" service=orders");
    scene.types("ana", "incident severity inc-1 sev1 \"nobody can order at all\"");

    let subjects: BTreeSet<String> = paths.letters().into_iter().map(|letter| letter.words.subject).collect();

    let severities: BTreeSet<Severity> = paths.letters().into_iter().map(|letter| letter.severity).collect();
    assert_eq!(severities, BTreeSet::from([Severity::Sev1, Severity::Sev3]));
    assert_eq!(subjects, BTreeSet::from(["inc-1 Order processing".to_owned()]));
}

#[test]
fn without_a_notify_file_the_answer_begins_as_a_sentence() {
    let mut scene = Scene::with_own_files();

    scene.says("ana", OPENED);

    assert!(scene.last().contains("There is no notify.yaml; nobody can be called."), "{}", scene.last());
    assert!(scene.last().contains("write notify.yaml beside policy.yaml"), "{}", scene.last());
    assert!(!scene.last().contains("steadyhand check"), "it finds nothing: {}", scene.last());
}

#[test]
fn a_drill_reaches_its_participants_only_and_says_so() {
    let (mut scene, paths) = told();

    scene.types("ana", "incident open sev1 \"we practise a dead primary\" service=orders drill=ana,cleo");
    scene.types("ana", "incident draft inc-1 \"Orders cannot be placed.\"");
    let came_out = scene.types("ana", "incident publish inc-1");
    assert_eq!(came_out, CameOut::Refused);
    assert!(scene.last().contains("code: drill"), "{}", scene.last());
    let came_out = scene.types("ben", "incident ack inc-1");
    assert_eq!(came_out, CameOut::Refused);
    assert!(scene.last().contains("code: not-of-drill"), "{}", scene.last());
    scene.after(Duration::from_mins(20));

    let letters = paths.letters();
    assert!(!letters.is_empty());
    for letter in letters {
        assert!(letter.drill && letter.words.title.starts_with("[DRILL] "), "{letter:?}");
        assert!(letter.to.as_ref().is_some_and(|to| ["ana", "cleo"].contains(&to.as_str())), "{letter:?}");
    }
}

#[test]
fn a_path_is_tried_with_a_letter_to_the_one_who_asks() {
    let (mut scene, paths) = told();
    scene.edits("notify.yaml", "people:\n", &format!("{MORE_PATHS}\npeople:\n"));
    scene.edits("notify.yaml", "  cleo: [chat,", "  cleo: [chat, pager,");
    scene.edits("notify.yaml", "escalations:\n", "public: [page]\n\nescalations:\n");

    assert_eq!(scene.types("sue", "notify test post"), CameOut::Done);
    let letters = paths.took();
    assert_eq!(letters, ["post sue: A test of the path post: nothing has happened, sue."]);
    paths.breaks("post");
    assert_eq!(scene.types("sue", "notify test post"), CameOut::Refused);
    paths.took();
    assert_eq!(scene.types("sue", "notify test siren"), CameOut::Done);
    assert_eq!(paths.took(), ["siren all: A test of the path siren: nothing has happened."]);
    for others in ["pager", "page"] {
        assert_eq!(scene.types("sue", &format!("notify test {others}")), CameOut::Refused);
    }
    assert_eq!(
        paths.took(),
        Vec::<String>::new(),
        "no path of somebody else is tried, and none of customers"
    );

    scene.reads("incident-path-tried");
}

/// The watch over the paths begins, as it does in a service.
fn watched(scene: &mut Scene) {
    let incidents = scene.engine().incidents();
    scene.waits_for(async { _ = tokio::spawn(incidents.watch_paths()) });
    scene.settle();
}

#[test]
fn a_path_that_dies_is_said_over_the_others_and_heals() {
    let (mut scene, paths) = told();
    watched(&mut scene);
    assert_eq!(paths.took(), Vec::<String>::new(), "not at night");
    scene.after(Duration::from_hours(6));
    let mut told = vec!["-- Wednesday, 09:07 --".to_owned()];
    told.extend(paths.took());
    scene.after(Duration::from_hours(47));
    told.push("-- 47 h later, nothing --".to_owned());
    told.extend(paths.took());
    paths.breaks("post");
    scene.after(Duration::from_mins(75));
    told.push("-- 75 min later, post refuses --".to_owned());
    told.extend(paths.took());
    scene.says("sue", "notify paths");
    scene.says("sue", "incident status inc-1");
    scene.says("sue", "notify log inc-1");
    let red = incident(&scene, 1);
    assert_eq!(red.severity, Severity::Sev3);
    assert!(told.iter().any(|it| it.starts_with("chat ana: inc-1 sev3")), "{told:?}");
    assert!(red.notices.iter().all(|notice| notice.way.path.as_str() != "post"), "{:?}", red.notices);
    assert!(red.notices.iter().all(|notice| notice.to.as_ref().is_none_or(|to| to.as_str() != "sue")));

    // The same over a start of the bot: the journal knows.
    scene.restarts();
    connects(&scene, &paths);
    watched(&mut scene);
    scene.types("ana", "incident ack inc-1");
    assert_eq!(paths.took(), Vec::<String>::new(), "no start of the bot tries or says it again");
    paths.heals("post");
    scene.after(Duration::from_mins(70));
    told.push("-- 70 min later, post takes letters --".to_owned());
    told.extend(paths.took());
    scene.says("sue", "notify paths");
    scene.says("sue", "incident timeline inc-1");

    assert!(incident(&scene, 1).is_closed());
    assert!(scene.engine().incidents().get(IncidentId(2)).unwrap().is_none(), "one for each time it is red");
    scene.note(&told.join("\n"));
    scene.is_sound();
    scene.reads("incident-path-red");
}

#[test]
fn with_problems_in_notify_the_pages_say_so_and_what_was_read_goes_on() {
    let (mut scene, _paths) = told();
    scene.types("ana", OPENED);
    scene.edits("notify.yaml", "paths:", "pahts:");

    for line in ["incident status inc-1", "incident open sev2 \"billing is slow for all\" service=billing"] {
        scene.says("ana", line);
        assert!(scene.last().contains("notify.yaml has"), "{}", scene.last());
        assert!(scene.last().contains("steadyhand check"), "{}", scene.last());
    }

    // What was read is gone with the process that read it.
    scene.restarts();
    scene.says("ana", "notify paths");
    assert!(scene.last().contains("notify.yaml has"), "{}", scene.last());
}

#[test]
fn limits_and_what_is_not_there_are_said() {
    let (mut scene, _paths) = told();
    assert_eq!(scene.says("ana", "notify log"), CameOut::Done);
    assert!(scene.last().contains("No incident is open."), "{}", scene.last());

    let long = format!("incident open sev1 \"{}\"", "x".repeat(1_001));
    assert_eq!(scene.says("ana", &long), CameOut::Refused);
    assert!(scene.last().contains("longer than 1000 characters"), "{}", scene.last());

    scene.types("ana", "incident open sev3 \"checkout is a little slow\" service=orders drill=ana");
    scene.types("ana", "incident ack inc-1");
    assert_eq!(scene.says("ana", "incident escalate inc-1"), CameOut::Refused);
    assert!(scene.last().contains("nothing is being called"), "{}", scene.last());

    scene.types("ana", "incident resolve inc-1");
    scene.says("ana", "notify log");
    assert!(scene.last().contains("notify log inc-1"), "{}", scene.last());
}

#[test]
fn what_is_wrong_in_a_line_of_an_incident_is_said() {
    let (mut scene, _paths) = told();

    for line in [
        "incident ack inc-7",
        "incident open sev1 \"short\"",
        "incident open sev1 \"checkout hangs for all\" service=ordres",
        "incident open sev1 \"checkout hangs for all\" drill=anna",
        "incident resolv inc-1",
        "notify log inc-7",
        "status inc-7",
        "journal show inc-7",
        "help incident",
        "help notify",
    ] {
        scene.types("ana", line);
    }
    scene.types("nobody", "incident ack inc-1");
    scene.types("nobody", "incident");

    scene.reads("incident-wrong-lines");
}

#[test]
fn an_incident_is_looked_at_where_no_bot_runs() {
    let (mut scene, paths) = told();
    scene.types("ana", OPENED);
    scene.crashes();

    scene.starts();
    connects(&scene, &paths);
    scene.settle();
    let mut desk = scene.desk().clone();
    desk.engine = None;

    assert_eq!(desk.open_incidents().unwrap().len(), 1);
    assert_eq!(*desk.incident(IncidentId(1)).unwrap(), *incident(&scene, 1));
}
