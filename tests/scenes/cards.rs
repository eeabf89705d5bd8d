//! What Discord shows of a run, state by state: the words of the other faces, within what a message takes.

use std::sync::Arc;
use std::time::Duration;

use steadyhand::chat::discord::card::{Card, of_page};
use steadyhand::chat::discord::cards::{asked, closed, is_shown_whole, question_card, run_card};
use steadyhand::chat::discord::commands::{Filled, all, together};
use steadyhand::chat::discord::limits::{self, length};
use steadyhand::chat::grammar::{Command, command, words};
use steadyhand::plan::model::{Block, FollowUpPlan, Offer, Verdict, Work};
use steadyhand::policy::Policy;
use steadyhand::policy::model::HeldBy;
use steadyhand::run::Run;
use steadyhand::run::model::Far;
use steadyhand::runbook::model::{Effect, Word};
use steadyhand::runbook::source::literal::Millis;
use steadyhand::runbook::source::name::Person;
use steadyhand::wording::Page;
use steadyhand::wording::look::VERBS;

use crate::stage::{Answer, DEAD, PLANNED, Scene};

impl Scene {
    /// The card of run 1 as it is now.
    fn card(&self) -> Card {
        let run = self.run(1);
        let snapshot = self.desk().library().load().unwrap();
        run_card(
            &run,
            &self.desk().far(run.id),
            Vec::new(),
            snapshot.set.policy.as_ref().ok(),
            &self.desk().moment(),
        )
    }

    /// Writes the card of run 1 down, and the question that is open.
    fn shows_card(&mut self) {
        let card = self.card();
        is_within_limits(&card);
        self.note(&card.shown());
        if let Some(question) = question_card(&self.run(1), None, &self.desk().moment()) {
            is_within_limits(&question);
            self.note(&question.shown());
        }
    }
}

/// What Discord would take.
#[track_caller]
fn is_within_limits(card: &Card) {
    assert!(
        length(&card.content) <= limits::CONTENT && card.together() <= limits::TOGETHER,
        "{}",
        card.shown()
    );
    assert!(length(&card.title) <= limits::TITLE && length(&card.text) <= limits::TEXT, "{}", card.shown());
    assert!(length(&card.footer) <= limits::FOOTER, "{}", card.shown());
    assert!(card.fields.len() <= limits::FIELDS, "{}", card.shown());
    assert!(
        card.fields.iter().all(|(name, text)| {
            (1..=limits::FIELD_NAME).contains(&length(name)) && (1..=limits::FIELD).contains(&length(text))
        }),
        "{}",
        card.shown()
    );
    assert!(card.buttons.len() <= limits::BUTTONS, "{}", card.shown());
    assert!(
        card.buttons.iter().all(|button| {
            (1..=limits::LABEL).contains(&length(&button.label)) && button.id.len() <= limits::CUSTOM_ID
        }),
        "{}",
        card.shown()
    );
    assert_eq!(card.text.matches("```").count() % 2, 0, "a fence is open: {}", card.shown());
    let fenced = card.text.split("```").skip(1).step_by(2).flat_map(str::lines);
    assert!(
        fenced
            .clone()
            .all(|line| line.chars().count() <= limits::COLUMNS || line.trim_start().starts_with('|')),
        "{:?}",
        fenced.max_by_key(|line| line.chars().count())
    );
    assert_eq!(card.body()["allowed_mentions"]["parse"], serde_json::json!([]));
}

#[test]
fn the_plan_is_read_back_and_then_waits_for_another() {
    let mut scene = Scene::offered(PLANNED);
    scene.shows_card();

    scene.does_next("ana");
    scene.shows_card();

    scene.reads("card-plan");
}

#[test]
fn a_dead_primary_asks_on_discord_too() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().running = false);
    scene.says("ana", DEAD);
    scene.does_next("ana");
    scene.does_next("ben");
    let mut scene = scene.begins_here();

    scene.shows_card();

    scene.reads("card-asked");
}

impl Scene {
    /// Who is asked, and pinged, by the question that is open.
    fn asks(&self) -> Vec<String> {
        let snapshot = self.desk().library().load().unwrap();
        let people = asked(&self.run(1), snapshot.set.policy.as_ref().ok());
        people.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn those_who_may_answer_are_asked_and_when_they_are_silent_others_before_them() {
    let mut scene = Scene::of_orders();
    scene.hosts.cluster(|cluster| cluster.servers.get_mut("pg1").unwrap().running = false);
    scene.says("ana", DEAD);
    scene.does_next("ana");
    scene.does_next("ben");
    assert_eq!(scene.asks(), ["ana", "cleo"], "a question of the runbook asks its roles");

    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  slot"));
    scene.does_next("ben");
    assert_eq!(scene.asks(), ["ana"], "what failed asks who drives");
    scene.after(Duration::from_secs(130));
    assert_eq!(scene.asks(), ["ben", "cleo", "ana"], "and after two minutes of silence the owner too");
}

#[test]
fn a_failed_step_is_a_question_and_a_closed_one_has_no_button() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg3", "follow", Answer::Fails(1, "ERROR:  ``` `@everyone` **slot** \u{202e}\"pg3\""));
    scene.does_next("ben");
    let mut scene = scene.begins_here();
    scene.shows_card();

    let question = question_card(&scene.run(1), None, &scene.desk().moment()).unwrap();
    scene.note(&closed(&question, "This is not asked any more.").shown());

    scene.reads("card-failed");
}

#[test]
fn an_unknown_outcome_has_a_bar_of_its_own() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.hosts.will("pg2", "promote", Answer::LostBefore("the connection broke"));
    scene.does_next("ben");
    let mut scene = scene.begins_here();

    scene.shows_card();

    assert!(scene.card().bar.is_some());
    scene.reads("card-unknown");
}

#[test]
fn a_run_that_works_can_be_steered_and_one_that_is_over_can_be_proven() {
    let mut scene = Scene::confirmed(PLANNED);
    let approve = scene.next_command();
    scene.types("ben", &approve);
    scene.after(Duration::from_secs(3));
    let mut scene = scene.begins_here();
    scene.shows_card();
    scene.after(Duration::from_mins(1));
    scene.shows_card();

    scene.reads("card-working");
}

#[test]
fn one_that_was_refused_says_who_and_why() {
    let mut scene = Scene::confirmed(PLANNED);
    scene.says("cleo", "refuse 1 \"not in this week, we move the rack\"");
    let mut scene = scene.begins_here();

    scene.shows_card();

    scene.reads("card-refused");
}

/// A plan with so many steps more, of which so many cannot be taken back.
fn long_plan(run: &Run, read: u32, final_ones: u32) -> Offer {
    let mut offer = run.offer.as_deref().unwrap().clone();
    let a_step = |block: &Block| match block {
        Block::One(unit) if unit.step().is_some() => Some(unit.clone()),
        _ => None,
    };
    let one = offer.plan.blocks.iter().find_map(a_step).unwrap();
    for number in 0..read + final_ones {
        let mut unit = one.clone();
        unit.number = 100 + number;
        unit.title = format!("Step {number} of a long plan");
        if let Work::Step(step) = &mut unit.work {
            step.effect = if number < read { Effect::Read } else { Effect::Irreversible };
        }
        offer.plan.blocks.push(Block::One(unit));
    }
    offer
}

#[test]
fn what_cannot_be_taken_back_is_never_counted_away() {
    let scene = Scene::offered(PLANNED);
    let run = scene.run(1);
    let with = |offer: Offer| Run { offer: Some(Arc::new(offer)), ..(*run).clone() };
    let card = |run: &Run| run_card(run, &Far::new(), Vec::new(), None, &scene.desk().moment());

    // Five thousand steps that only read, and three that are final: all three stand there.
    let run_long = with(long_plan(&run, 5_000, 3));
    let shown = card(&run_long);
    is_within_limits(&shown);
    assert!(is_shown_whole(run_long.offer.as_ref().unwrap()));
    for number in 5_000..5_003 {
        assert!(shown.text.contains(&format!("Step {number} of a long plan")), "{}", shown.shown());
    }
    assert!(shown.text.contains("5003 steps, none is final"), "{}", shown.shown());
    assert!(shown.buttons.iter().any(|button| button.label == "Confirm…"));
    assert!(shown.file.as_ref().unwrap().1.contains("Step 4999 of a long plan"));

    // More final ones than fit: nobody can agree here.
    let run_longer = with(long_plan(&run, 0, 100));
    let shown = card(&run_longer);
    is_within_limits(&shown);
    assert!(!is_shown_whole(run_longer.offer.as_ref().unwrap()));
    assert!(shown.text.contains("Too long for chat to show whole"), "{}", shown.shown());
    assert!(!shown.buttons.iter().any(|button| ["Confirm…", "Approve"].contains(&button.label.as_str())));
    assert!(!shown.shown().contains("confirm 1"), "{}", shown.shown());
}

/// The policy with sixty people more who may approve.
fn with_sixty_approvers(mut policy: Policy, role: &str) -> Policy {
    let accounts = policy.people.values().next().unwrap().clone();
    let holders = policy.roles.iter_mut().find(|(name, _)| name.as_str() == role).unwrap().1;
    let HeldBy::People(people) = &mut holders.held_by else { panic!("{holders:?}") };
    for nth in 0..60 {
        let name = format!("{}-{nth}", "approver".repeat(6));
        policy.people.insert(Person::new(&name).unwrap(), accounts.clone());
        people.push(Word { value: name, ..people[0].clone() });
    }
    policy
}

#[test]
fn however_much_stands_beside_them_the_steps_stand_whole_where_they_are_agreed_to() {
    let scene = Scene::confirmed(PLANNED);
    let mut run = (*scene.run(1)).clone();
    let most = (1..200).rev().map(|n| long_plan(&run, 0, n)).find(is_shown_whole);
    let mut offer = most.expect("some fit");
    let last = offer.plan.units().map(|(_, unit)| unit.number).max().unwrap() - 100;
    let long = "there is *much* to say of it; ".repeat(40);
    offer.plan.left_out = vec![long.clone()];
    offer.plan.secrets.insert("password".to_owned(), long.clone());
    offer.plan.follow_up = vec![FollowUpPlan { what: long.clone(), runbook: None, within: Millis(1_000) }];
    offer.plan.approvals.because = vec![long.clone()];
    offer.preflight[0].verdict = Verdict::Fails;
    offer.preflight[0].says = long.clone();
    run.request.reason = "*".repeat(1_000);
    let snapshot = scene.desk().library().load().unwrap();
    let policy = snapshot.set.policy.as_ref().unwrap().clone();
    let policy = with_sixty_approvers(policy, &offer.plan.approvals.by[0]);
    run.offer = Some(Arc::new(offer));

    let card = run_card(&run, &Far::new(), Vec::new(), Some(&policy), &scene.desk().moment());

    is_within_limits(&card);
    assert_eq!(card.fields.len(), limits::FIELDS, "{}", card.shown());
    assert!(card.together() > limits::TOGETHER - limits::FOOTER - 100, "all of it is used: {}", card.shown());
    assert!(card.text.contains("must approve: "), "{}", card.shown());
    for number in 0..=last {
        assert!(card.text.contains(&format!("Step {number} of a long plan")), "{}", card.shown());
    }
    assert!(card.buttons.iter().any(|button| button.label == "Approve"));
    let (name, typed) = card.fields.last().unwrap();
    assert!(name == "Or type" && typed.contains("approve 1 "), "{typed}");
    // And if the sentence above it is too long for a message.
    let mut offer = run.offer.as_deref().unwrap().clone();
    offer.plan.approvals.by.extend((0..60).map(|nth| format!("{}-{nth}", "role".repeat(12))));
    run.offer = Some(Arc::new(offer));
    let card = run_card(&run, &Far::new(), Vec::new(), Some(&policy), &scene.desk().moment());
    is_within_limits(&card);
    assert!(card.text.contains(&format!("Step {last} of a long plan")), "{}", card.shown());
}

#[test]
fn what_does_not_fit_is_cut_and_comes_as_a_file() {
    let text = "x \u{1b}[2J ``` **bold** @everyone <@123> ".repeat(600);
    for page in [
        Page::sentence(text.clone()),
        Page::new().with(steadyhand::wording::page::Block::Foreign(vec![text.clone(); 50])),
        Page::new().fields((0..30).map(|_| ("Name", text.clone())).collect()),
        (0..40).fold(Page::new(), |page, n| {
            page.fields(vec![(if n % 2 == 0 { "a" } else { "b" }, text.clone())])
        }),
        Page::new().next("x".repeat(5_000), text.clone()),
        Page::sentence(text.clone())
            .fields(["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, text.clone())).to_vec()),
    ] {
        let card = of_page(&page, "all.txt");

        is_within_limits(&card);
        // A run is found again by what is set afterwards.
        is_within_limits(&Card { footer: "x".repeat(limits::FOOTER), ..card.clone() });
        let (name, whole) = card.file.as_ref().expect("all of it");
        assert!(name == "all.txt" && whole.len() > 5_000);
        let outside: String = card.text.split("```").step_by(2).collect();
        assert!(!outside.contains(" @everyone") && !outside.contains(" <@123>"), "{outside}");
    }
}

#[test]
fn the_shipped_runbooks_are_commands() {
    let scene = Scene::of_orders();
    let snapshot = scene.desk().library().load().unwrap();

    let all = all(&snapshot.set);

    let mut lines = Vec::new();
    for body in &all {
        let size = together(body);
        assert!(size <= limits::COMMAND, "{} has {size}", body["name"]);
        lines.push(format!("/{} ({size} of 8000): {}", body["name"].as_str().unwrap(), body["description"]));
        for option in body["options"].as_array().into_iter().flatten() {
            lines.push(format!("  {}", shown(option)));
            for below in option["options"].as_array().into_iter().flatten() {
                lines.push(format!("    {}", shown(below)));
            }
        }
    }
    let names: Vec<&str> = all.iter().map(|body| body["name"].as_str().unwrap()).collect();
    for verb in VERBS {
        assert!(names.contains(&verb.word), "{} is no command", verb.word);
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("commands", lines.join("\n")));
}

fn shown(option: &serde_json::Value) -> String {
    let kind = ["", "sub", "group", "text", "number", "flag"]
        [usize::try_from(option["type"].as_u64().unwrap()).unwrap()];
    let must = if option["required"] == true { "*" } else { "" };
    let offered = if option["autocomplete"] == true { " offered" } else { "" };
    let choices: Vec<&str> = option["choices"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|choice| choice["value"].as_str())
        .collect();
    let choices = if choices.is_empty() { String::new() } else { format!(" [{}]", choices.join(" ")) };
    format!(
        "{}{must} {kind}{offered}{choices}: {}",
        option["name"].as_str().unwrap(),
        option["description"].as_str().unwrap()
    )
}

/// What is filled in comes to the same as what is typed.
#[test]
fn a_form_that_is_filled_in_is_a_line_of_the_grammar() {
    for (path, options, line) in [
        ("help", "", "help"),
        ("help", "word=approve", "help approve"),
        ("status", "of=142", "status 142"),
        ("output", "run=142 step=3 host=pg2", "output 142 3 pg2"),
        ("plan", "run=142 long=true", "plan 142 --long"),
        ("plan", "run=142 long=false", "plan 142"),
        ("who", "host=pg1", "who owns pg1"),
        ("journal", "run=142", "journal show 142"),
        ("confirm", "run=142 token=orders-k7m2qx", "confirm 142 orders-k7m2qx"),
        ("approve", "run=142 plan=7c1e94b2", "approve 142 7c1e94b2"),
        ("approve", "run=142 plan=7c1e94b2 step=3 host=pg2", "approve 142 7c1e94b2 3 pg2"),
        ("refuse", "run=142 why=no", "refuse 142 \"no\""),
        ("stop", "run=142", "stop 142"),
        ("stop", "run=142 now=true", "stop 142 now"),
        ("retry", "run=142 step=4 host=pg4 attempt=2", "retry 142 4 pg4 attempt=2"),
        ("skip", "run=142 step=4 why=disk attempt=u1", "skip 142 4 attempt=u1 \"disk\""),
        ("settle", "run=142 step=4 outcome=not-done how=saw", "settle 142 4 not-done \"saw\""),
        ("answer", "run=142 step=4 host=pg4 answer=go-on", "answer 142 4 pg4 go-on"),
        ("undo", "run=142 including=4", "undo 142 including=4"),
        ("handover", "run=142 person=ben", "handover 142 ben"),
        ("say", "line=status", "status"),
        (
            "run failover-database",
            "cluster=orders reason=rack",
            "run failover-database cluster=orders reason=rack",
        ),
        ("run any", "runbook=a-b values=cluster=orders reason=rack", "run a-b cluster=orders reason=rack"),
    ] {
        let options = options.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let filled = Filled {
            path: path.split(' ').map(str::to_owned).collect(),
            options: options.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        };

        assert_eq!(filled.command(), words(line).and_then(|words| command(&words)), "{line}");
    }
    // A value is never read as anything but a value.
    let value = "x\" reason=\"other\" mode=dead";
    let filled = Filled {
        path: vec!["run".to_owned(), "failover-database".to_owned()],
        options: vec![
            ("cluster".to_owned(), value.to_owned()),
            ("reason".to_owned(), "a=b \"c\"".to_owned()),
        ],
    };
    let run = Command::Run {
        runbook: "failover-database".to_owned(),
        arguments: vec![("cluster".to_owned(), value.to_owned())],
        reason: Some("a=b \"c\"".to_owned()),
    };
    assert_eq!(filled.command(), Ok(run));
}
