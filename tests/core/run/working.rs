//! While steps are done: what fails, what nobody knows, what people answer, and what never happens by itself.

use steadyhand::run::event::{Exit, OutputSummary};
use steadyhand::run::model::{AskedAfter, Failure, LogTail, Outcome, Phase, UnitState, Variant, WatchAt};
use steadyhand::run::{Act, Decided, Event, Refusal, Says, UnitAt, World, deadline, next};
use steadyhand::runbook::source::literal::Millis;

use super::driven::{Driven, names};
use super::plans::{a_plan, fails, holds, person, unit, unit_on};

const WHY: &str = "its disk is gone";

impl Driven {
    /// The door opens and the step is sent.
    pub(super) fn sends(&mut self, unit: &UnitAt) -> Decided {
        self.world(World::AtDoor { unit: unit.clone(), seen: vec![holds("fenced")] })
    }

    /// The command of the newest attempt ends so.
    pub(super) fn ends(&mut self, unit: &UnitAt, exit: Exit) -> Decided {
        let attempt = self.state(unit).attempts();
        let (took, output) = (Millis(1_200), OutputSummary::default());
        self.world(World::Ended { unit: unit.clone(), attempt, exit, took, output, escaped: Vec::new() })
    }

    /// The newest attempt is lost with its link.
    pub(super) fn loses(&mut self, unit: &UnitAt) -> Decided {
        let attempt = self.state(unit).attempts();
        self.world(World::Lost { unit: unit.clone(), attempt, why: "the link broke".to_owned() })
    }

    /// The host was never reached.
    pub(super) fn does_not_reach(&mut self, unit: &UnitAt) -> Decided {
        let attempt = self.state(unit).attempts();
        self.world(World::Unreached {
            unit: unit.clone(),
            attempt,
            silent: true,
            why: "no route to host".to_owned(),
        })
    }

    pub(super) fn proves(&mut self, unit: &UnitAt) -> Decided {
        self.world(World::Proof { unit: unit.clone(), seen: vec![holds("node.writable")], took: Millis(40) })
    }

    /// The step is sent, ends well and is proven.
    pub(crate) fn does(&mut self, unit: &UnitAt) {
        self.sends(unit);
        self.ends(unit, Exit::Code(0));
        self.proves(unit);
        assert!(matches!(self.state(unit), UnitState::Succeeded { .. }));
    }

    /// The step is sent, and what became of it cannot be found out.
    pub(super) fn is_unknown(&mut self, unit: &UnitAt) {
        self.sends(unit);
        self.loses(unit);
        self.world(World::Found { unit: unit.clone(), seen: vec![fails("node.writable")], lives: false });
        assert!(matches!(self.state(unit), UnitState::Unknown { found: Some(_), .. }));
    }
}

fn retry(unit: &UnitAt) -> Says {
    Says::Retry { unit: unit.clone() }
}

fn skip(unit: &UnitAt, why: &str) -> Says {
    Says::Skip { unit: unit.clone(), why: why.to_owned() }
}

fn settle(unit: &UnitAt, done: bool) -> Says {
    Says::Settle { unit: unit.clone(), done, how: "I looked at the host".to_owned() }
}

#[test]
fn the_order_of_the_plan_is_the_order_of_the_run() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Promote").made());

    assert_eq!(next(&run.run), [Act::Begin(unit(1))]);
    assert!(run.sends(&unit(2)).events.is_empty(), "the second step waits for the first");
    run.does(&unit(1));
    run.does(&unit(2));

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Succeeded));
    assert!(run.run.holds.is_empty());
}

#[test]
fn a_door_that_does_not_open_asks_a_person_and_sends_nothing() {
    let mut run = Driven::working(&a_plan().step("Fence").made());

    let decided = run.world(World::AtDoor { unit: unit(1), seen: vec![holds("a"), fails("b")] });

    assert_eq!(names(&decided), ["door-shut"]);
    assert!(run.run.sent.is_empty() && run.run.waits_for_person());
    run.says("ben", retry(&unit(1)));
    run.does(&unit(1));
}

#[test]
fn a_step_that_failed_is_sent_again_when_a_person_says_so() {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.sends(&unit(1));
    run.ends(&unit(1), Exit::Code(3));
    assert!(next(&run.run).is_empty(), "nothing is repeated by itself");

    run.says("ben", retry(&unit(1)));
    let decided = run.sends(&unit(1));

    assert!(matches!(decided.events[..], [Event::StepSent { attempt: 2, .. }]));
}

#[test]
fn a_report_about_an_attempt_that_is_over_changes_nothing() {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.sends(&unit(1));
    run.ends(&unit(1), Exit::Code(3));
    run.says("ben", retry(&unit(1)));
    run.sends(&unit(1));

    let (took, output) = (Millis(9), OutputSummary::default());
    let late = run.world(World::Ended {
        unit: unit(1),
        attempt: 1,
        exit: Exit::Code(0),
        took,
        output,
        escaped: Vec::new(),
    });

    assert!(late.events.is_empty());
    assert!(matches!(run.state(&unit(1)), UnitState::Sent { attempt: 2, .. }));
}

#[test]
fn a_command_that_ended_well_is_done_only_when_it_is_proven() {
    let mut run = Driven::working(&a_plan().step("Promote").made());
    run.sends(&unit(1));
    run.ends(&unit(1), Exit::Code(0));
    assert_eq!(next(&run.run), [Act::Prove(unit(1), 1)]);

    let seen = vec![fails("node.writable")];
    run.world(World::Proof { unit: unit(1), seen: seen.clone(), took: Millis(40) });

    let UnitState::Failed { failure, .. } = run.state(&unit(1)) else { panic!("it is not proven") };
    assert_eq!(*failure, Failure::NotProven(seen));
    // Asking again sends nothing.
    run.says("ben", Says::Ask { unit: unit(1) });
    assert_eq!(next(&run.run), [Act::Prove(unit(1), 1)]);
    run.proves(&unit(1));
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn a_step_without_a_proof_is_done_when_its_command_ended_well() {
    let mut run = Driven::working(&a_plan().step("Note").unproven().made());
    run.sends(&unit(1));

    assert_eq!(names(&run.ends(&unit(1), Exit::Code(0))), ["step-ended", "step-succeeded", "ended"]);
}

#[test]
fn an_unknown_outcome_is_asked_about_and_never_sent_again_by_itself() {
    let mut run = Driven::working(&a_plan().step("Promote").irreversible().made());
    run.sends(&unit(1));

    run.loses(&unit(1));
    assert_eq!(next(&run.run), [Act::Settle(unit(1), 1)]);
    run.world(World::Found { unit: unit(1), seen: Vec::new(), lives: false });

    assert!(next(&run.run).is_empty() && run.run.waits_for_person());
    assert!(matches!(run.refuses("ben", retry(&unit(1))), Refusal::NotAsked { what: "retried", .. }));
    let short = Says::Settle { unit: unit(1), done: true, how: "sure".to_owned() };
    assert_eq!(run.refuses("ben", short), Refusal::TooShort { what: "how you know", needs: 10 });
}

#[test]
fn an_unknown_step_whose_verify_holds_is_done() {
    let mut run = Driven::working(&a_plan().step("Promote").irreversible().made());
    run.sends(&unit(1));
    run.loses(&unit(1));

    let decided = run.world(World::Found { unit: unit(1), seen: vec![holds("node.writable")], lives: false });

    assert_eq!(names(&decided), ["settled", "ended"]);
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn a_step_that_may_repeat_is_sent_again_but_not_for_ever() {
    let mut run = Driven::working(&a_plan().step("Move").with(|step| step.repeatable = true).made());
    for attempt in 1..=3 {
        assert_eq!(next(&run.run), [Act::Begin(unit(1))], "attempt {attempt} begins by itself");
        run.sends(&unit(1));
        run.loses(&unit(1));
        run.world(World::Found { unit: unit(1), seen: Vec::new(), lives: false });
    }

    assert!(next(&run.run).is_empty() && run.run.waits_for_person());
}

#[test]
fn a_step_that_is_known_to_run_still_is_not_sent_again_beside_itself() {
    let mut run = Driven::working(&a_plan().step("Move").with(|step| step.repeatable = true).made());
    run.sends(&unit(1));
    run.loses(&unit(1));

    run.world(World::Found { unit: unit(1), seen: Vec::new(), lives: true });

    assert!(next(&run.run).is_empty() && run.run.waits_for_person());
}

#[test]
fn a_person_says_that_an_unknown_step_was_done() {
    let mut run = Driven::working(&a_plan().step("Promote").step("Tell").made());
    run.is_unknown(&unit(1));

    run.says("ben", settle(&unit(1), true));

    assert!(matches!(run.state(&unit(1)), UnitState::Succeeded { .. }));
    assert_eq!(next(&run.run), [Act::Begin(unit(2))]);
}

#[test]
fn a_step_that_was_not_done_is_sent_again_only_after_a_new_approval() {
    let mut run = Driven::working(&a_plan().step("Promote").made());
    run.is_unknown(&unit(1));

    run.says("ben", settle(&unit(1), false));

    assert!(next(&run.run).is_empty(), "it waits for an approval");
    let approval = run.approval();
    assert_eq!(run.refuses("ana", approval.clone()), Refusal::OwnRun { asked_by: person("ana") });
    run.says("cara", approval);
    assert_eq!(next(&run.run), [Act::Begin(unit(1))]);
    assert!(matches!(run.sends(&unit(1)).events[..], [Event::StepSent { attempt: 2, .. }]));
}

#[test]
fn one_person_approves_each_of_two_steps_that_were_not_done_by_its_name() {
    let plan = a_plan().each(&[&["web1", "web2"]], 1).approved_by(2).made();
    let mut run = super::driven::a_run_of(&plan).planned().confirmed().approved_by("cara").started();
    let (first, second) = (unit_on(1, "web1"), unit_on(1, "web2"));
    for at in [&first, &second] {
        run.is_unknown(at);
        run.says("ben", settle(at, false));
    }

    let approval = |run: &Driven, at: Option<&UnitAt>| match run.approval() {
        Says::Approve { digest, roles, is_commander, .. } => {
            Says::Approve { digest, step: at.cloned(), roles, is_commander }
        }
        other => other,
    };
    let unnamed = run.refuses("cara", approval(&run, None));
    run.says("cara", approval(&run, Some(&second)));
    let twice = run.refuses("cara", approval(&run, Some(&second)));
    run.says("cara", approval(&run, None));
    let again = run.refuses("cara", approval(&run, None));

    let agreed = |run: &Driven, at| match run.state(at) {
        UnitState::Withheld { approvals, .. } => approvals.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((agreed(&run, &first), agreed(&run, &second)), (vec![person("cara")], vec![person("cara")]));
    for refusal in [unnamed, twice, again] {
        assert!(matches!(refusal, Refusal::NotNow { what: "approved", .. }), "{refusal:?}");
    }
}

#[test]
fn a_stop_lets_what_runs_end_and_begins_nothing() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Promote").made());
    run.sends(&unit(1));

    run.says("cara", Says::Stop { now: false });
    assert_eq!(next(&run.run), [Act::Await(unit(1), 1, Variant::Main)], "what runs is left to end");
    run.ends(&unit(1), Exit::Code(0));
    run.proves(&unit(1));

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
    assert!(matches!(run.state(&unit(2)), UnitState::Waiting { attempts: 0 }));
}

#[test]
fn a_door_that_was_being_measured_when_somebody_said_stop_opens_nothing() {
    let mut run = Driven::working(&a_plan().each(&[&["web1", "web2"]], 1).made());
    run.sends(&unit_on(1, "web1"));

    run.says("cara", Says::Stop { now: false });
    let late = run.sends(&unit_on(1, "web2"));

    assert!(late.events.is_empty());
    run.ends(&unit_on(1, "web1"), Exit::Code(0));
    run.proves(&unit_on(1, "web1"));
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
}

#[test]
fn a_stop_and_the_next_step_go_in_the_order_of_the_journal() {
    let plan = a_plan().step("Fence").step("Promote").made();
    let [mut stop_first, mut step_first] = [Driven::working(&plan), Driven::working(&plan)];

    stop_first.says("cara", Says::Stop { now: true });
    let late = stop_first.sends(&unit(1));
    assert!(late.events.is_empty(), "nothing is sent behind a stop");
    assert_eq!(stop_first.run.phase, Phase::Ended(Outcome::Stopped));
    assert!(stop_first.run.sent.is_empty());

    step_first.sends(&unit(1));
    step_first.says("cara", Says::Stop { now: true });
    let wanted = next(&step_first.run);
    assert!(
        wanted.contains(&Act::Await(unit(1), 1, Variant::Main)) && wanted.contains(&Act::End(unit(1), 1))
    );
    step_first.ends(&unit(1), Exit::Code(0));
    step_first.proves(&unit(1));
    assert_eq!(step_first.run.phase, Phase::Ended(Outcome::Stopped));
    assert_eq!(
        step_first.run.sent,
        [unit(1)],
        "it ended well before anybody could end it, and no other began"
    );
}

#[test]
fn stop_now_ends_what_runs_too_and_says_what_is_left() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Promote").made());
    run.sends(&unit(1));
    run.says("cara", Says::Stop { now: false });

    run.says("cara", Says::Stop { now: true });
    assert!(next(&run.run).contains(&Act::End(unit(1), 1)));
    run.ends(&unit(1), Exit::Stopped);

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
    assert_eq!(run.run.remarks, ["Step 1 on pg1 (Fence) failed and may have changed something."]);
}

#[test]
fn a_stop_that_comes_while_the_last_step_ends_well_stops_nothing() {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.sends(&unit(1));
    run.says("cara", Says::Stop { now: false });

    run.ends(&unit(1), Exit::Code(0));
    run.proves(&unit(1));

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn an_unknown_outcome_is_named_when_the_run_is_stopped() {
    let mut run = Driven::working(&a_plan().step("Promote").made());
    run.is_unknown(&unit(1));

    run.says("ben", Says::Stop { now: false });

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
    assert_eq!(run.run.remarks, ["Step 1 on pg1 (Promote) has an unknown outcome."]);
}

#[test]
fn a_pause_begins_nothing_and_a_resume_goes_on_where_it_stood() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Promote").made());
    run.sends(&unit(1));
    run.says("cara", Says::Pause);
    run.ends(&unit(1), Exit::Code(0));
    run.proves(&unit(1));
    assert!(next(&run.run).is_empty() && run.run.waits_for_person());
    assert!(run.sends(&unit(2)).events.is_empty(), "a door that was measured before the pause opens nothing");

    run.says("ben", Says::Resume);

    assert_eq!(next(&run.run), [Act::Begin(unit(2))]);
}

#[test]
fn a_run_that_nobody_can_stop_where_it_was_shown_pauses_once_and_says_why() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Promote").made());
    let lost = World::PlaceLost { why: "Its channel is gone.".to_owned() };
    run.sends(&unit(1));
    assert_eq!(names(&run.world(lost.clone())), ["place-lost"]);
    assert!(run.world(lost.clone()).events.is_empty(), "it is paused already");
    let pause = run.run.pause.clone().unwrap();
    assert_eq!((pause.by, pause.why.as_str()), (None, "Its channel is gone."));
    run.ends(&unit(1), Exit::Code(0));
    run.proves(&unit(1));
    assert!(next(&run.run).is_empty() && run.run.waits_for_person());

    run.says("ben", Says::Resume);

    assert_eq!(next(&run.run), [Act::Begin(unit(2))]);
    run.says("cara", Says::Stop { now: false });
    assert!(run.world(lost).events.is_empty(), "a run that stops is not paused");
}

#[test]
fn a_pause_is_kept_over_a_restart() {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.says("cara", Says::Pause);

    run.restarts();

    assert!(next(&run.run).is_empty());
    assert!(matches!(run.refuses("ben", Says::Pause), Refusal::NotNow { what: "paused", .. }));
}

#[test]
fn a_pause_also_keeps_back_what_is_done_instead() {
    let mut run = Driven::working(&a_plan().step("Fence").or_instead().made());
    run.sends(&unit(1));
    run.says("cara", Says::Pause);

    assert_eq!(names(&run.does_not_reach(&unit(1))), ["step-unreached"]);
    assert!(next(&run.run).is_empty());

    run.says("cara", Says::Resume);
    run.sends(&unit(1));
    let decided = run.does_not_reach(&unit(1));
    assert_eq!(names(&decided), ["step-unreached", "step-sent"]);
    assert!(matches!(run.state(&unit(1)), UnitState::Sent { attempt: 3, variant: Variant::Instead, .. }));
}

#[test]
fn a_host_is_skipped_with_a_reason_while_the_batch_allows_it() {
    let plan = a_plan().each(&[&["web1"], &["web2", "web3"]], 2).made();
    let mut run = Driven::working(&plan);
    run.sends(&unit_on(1, "web1"));
    run.ends(&unit_on(1, "web1"), Exit::Code(1));

    let too_short = run.refuses("ben", skip(&unit_on(1, "web1"), "because"));
    run.says("ben", skip(&unit_on(1, "web1"), WHY));

    assert_eq!(too_short, Refusal::TooShort { what: "why", needs: 10 });
    assert!(
        matches!(run.state(&unit_on(2, "web1")), UnitState::Skipped { .. }),
        "and all that came after it"
    );
    assert_eq!(next(&run.run), [Act::Begin(unit_on(1, "web2")), Act::Begin(unit_on(1, "web3"))]);
    run.sends(&unit_on(1, "web2"));
    run.ends(&unit_on(1, "web2"), Exit::Code(1));
    assert_eq!(run.refuses("ben", skip(&unit_on(1, "web2"), WHY)), Refusal::TooManyFailures { allowed: 1 });
}

#[test]
fn a_run_that_skipped_a_host_ends_with_issues() {
    let mut run = Driven::working(&a_plan().each(&[&["web1"]], 1).made());
    run.sends(&unit_on(1, "web1"));
    run.ends(&unit_on(1, "web1"), Exit::Code(1));

    run.says("ben", skip(&unit_on(1, "web1"), WHY));

    assert_eq!(run.run.phase, Phase::Ended(Outcome::WithIssues));
    assert_eq!(
        run.run.remarks,
        ["Step 1 on web1 (Work 1 on web1) was skipped by ben: \"its disk is gone\"."]
    );
}

#[test]
fn a_step_by_itself_is_never_skipped() {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.sends(&unit(1));
    run.ends(&unit(1), Exit::Code(1));

    assert!(matches!(run.refuses("ben", skip(&unit(1), WHY)), Refusal::NotAsked { what: "skipped", .. }));
}

#[test]
fn a_batch_rests_before_the_next_one_begins() {
    let plan = a_plan().each(&[&["web1"], &["web2"]], 1).resting(Millis::minutes(1), 1).made();
    let mut run = Driven::working(&plan);
    run.does(&unit_on(1, "web1"));

    assert!(next(&run.run).is_empty());
    assert!(run.later(59).events.is_empty());
    assert_eq!(names(&run.later(1)), ["batch-rested"]);

    assert_eq!(next(&run.run), [Act::Begin(unit_on(1, "web2"))]);
}

#[test]
fn silence_is_never_a_yes() {
    let mut run = Driven::working(&a_plan().decide("Go on?").step("Promote").made());
    run.world(World::Fresh { unit: unit(1), seen: vec![holds("follows")] });

    assert_eq!(names(&run.later(300)), ["reminded"]);
    // Whom they escalate to is asked too, and then there is nobody left.
    assert_eq!(names(&run.later(300)), ["reminded", "asked-next"]);
    assert_eq!(run.run.asked_next[&unit(1)], ["commander"]);
    assert_eq!(deadline(&run.run), None);

    assert!(run.later(86_400).events.is_empty() && run.run.waits_for_person());
    run.says("ben", Says::Answer { unit: unit(1), go_on: true });
    assert_eq!(next(&run.run), [Act::Begin(unit(2))]);
}

#[test]
fn a_no_to_a_question_stops_the_run() {
    let mut run = Driven::working(&a_plan().decide("Go on?").step("Promote").made());
    run.world(World::Fresh { unit: unit(1), seen: Vec::new() });

    let decided = run.says("ben", Says::Answer { unit: unit(1), go_on: false });

    assert_eq!(names(&decided), ["answered", "stop-asked", "ended"]);
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
}

#[test]
fn a_gate_past_its_limit_waits_as_long_again_when_a_person_says_so() {
    let mut run = Driven::working(&a_plan().wait("Wait for the replicas").made());
    run.world(World::Gate { unit: unit(1), seen: vec![fails("lag")], open: false });
    assert!(next(&run.run).is_empty());

    run.now = run.now.checked_add(jiff::SignedDuration::from_mins(3)).unwrap();
    run.says("ben", retry(&unit(1)));

    assert_eq!(next(&run.run), [Act::Gate(unit(1), run.now)]);
    run.world(World::Gate { unit: unit(1), seen: vec![holds("lag")], open: true });
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Succeeded));
}

#[test]
fn a_watch_that_breaks_is_asked_until_it_holds_also_when_nothing_was_sent_in_the_end() {
    let mut run = Driven::working(&a_plan().step("Fence").watched(1).made());
    let watch = WatchAt { unit: None, index: 0 };
    run.sends(&unit(1));
    run.world(World::Watched { watch: watch.clone(), seen: fails("quorum"), ends: true });
    run.does_not_reach(&unit(1));

    assert_eq!(next(&run.run), [Act::Watch(watch.clone(), true)]);

    run.world(World::Watched { watch, seen: holds("quorum"), ends: true });
    run.says("ben", retry(&unit(1)));
    assert_eq!(next(&run.run), [Act::Begin(unit(1))]);
}

#[test]
fn a_watch_that_ends_its_step_is_the_reason_that_is_told() {
    let plan = a_plan().step("Copy").with(|step| step.watches = 1).made();
    let mut run = Driven::working(&plan);
    run.sends(&unit(1));
    let watch = WatchAt { unit: Some(unit(1)), index: 0 };

    run.world(World::Watched { watch, seen: fails("disk is free"), ends: true });
    assert!(next(&run.run).contains(&Act::End(unit(1), 1)));
    run.ends(&unit(1), Exit::Stopped);

    let UnitState::Failed { failure, .. } = run.state(&unit(1)) else { panic!("it was ended") };
    assert_eq!(*failure, Failure::WatchBroke(Box::new(fails("disk is free"))));
}

#[test]
fn a_late_report_of_a_watch_holds_nothing_up() {
    let plan = a_plan().step("Copy").with(|step| step.watches = 1).step("Tell").made();
    let mut run = Driven::working(&plan);
    run.does(&unit(1));

    let watch = WatchAt { unit: Some(unit(1)), index: 0 };
    let decided = run.world(World::Watched { watch, seen: fails("disk is free"), ends: false });

    assert!(decided.events.is_empty());
    assert_eq!(next(&run.run), [Act::Begin(unit(2))]);
}

#[test]
fn what_is_said_to_another_step_changes_nothing() {
    let mut run = Driven::working(&a_plan().step("Fence").decide("Go on?").made());

    for at in [unit(1), unit(9), unit_on(1, "pg1")] {
        let asked = Refusal::NotAsked { unit: at.clone(), what: "", because: String::new() }.code();
        assert_eq!(run.refuses("ben", retry(&at)).code(), asked);
        assert_eq!(run.refuses("ben", settle(&at, true)).code(), asked);
        assert_eq!(run.refuses("ben", Says::Answer { unit: at.clone(), go_on: true }).code(), asked);
        assert!(run.world(World::Fresh { unit: at, seen: Vec::new() }).events.is_empty());
    }
}

#[test]
fn somebody_else_takes_the_run_and_answers_from_then_on() {
    let mut run = Driven::working(&a_plan().step("Fence").made());

    assert_eq!(
        run.refuses("ben", Says::Handover { to: person("cara") }),
        Refusal::NotYourRun { waits_for: person("ana") }
    );
    run.says("ana", Says::Handover { to: person("ben") });
    assert_eq!(run.run.offered_to, Some(person("ben")));
    run.says("ben", Says::Take);

    assert_eq!((&run.run.driver, &run.run.offered_to), (&person("ben"), &None));
    assert!(matches!(run.refuses("ben", Says::Take), Refusal::NotNow { what: "taken", .. }));
}

#[test]
fn a_step_that_works_for_too_long_is_late_once_and_works_on() {
    let mut run = Driven::working(&a_plan().step("Copy").made());
    run.sends(&unit(1));

    // Two minutes are usual, three are late.
    assert!(run.later(179).events.is_empty());
    assert_eq!(names(&run.later(1)), ["step-late"]);
    run.restarts();

    assert!(run.later(86_400).events.is_empty());
    assert_eq!(next(&run.run), [Act::Await(unit(1), 1, Variant::Main)]);
}

#[test]
fn a_step_of_which_nothing_is_known_is_never_late() {
    let mut run = Driven::working(&a_plan().step("Copy").made());
    let mut offer = (**run.run.offer.as_ref().unwrap()).clone();
    offer.beside.learnt.clear();
    run.run.offer = Some(std::sync::Arc::new(offer));
    run.run.units.insert_mut(unit(1), UnitState::Sent { attempt: 1, variant: Variant::Main, at: run.now });

    assert_eq!(deadline(&run.run), None);
}

#[test]
fn what_is_halted_is_not_asked_how_far_it_is() {
    let plan = a_plan().step("Copy").with(|step| (step.watches, step.has_progress) = (1, true)).made();
    let mut run = Driven::working(&plan);
    run.sends(&unit(1));
    assert!(next(&run.run).contains(&Act::Progress(unit(1), 1, false)));

    let watch = WatchAt { unit: Some(unit(1)), index: 0 };
    run.world(World::Watched { watch: watch.clone(), seen: fails("load"), ends: false });
    assert!(!next(&run.run).iter().any(|act| matches!(act, Act::Progress(..))));
    run.world(World::Watched { watch, seen: holds("load"), ends: false });

    assert!(next(&run.run).contains(&Act::Progress(unit(1), 1, false)));
}

#[test]
fn a_broken_link_is_told_once_and_once_that_it_is_back() {
    let mut run = Driven::working(&a_plan().step("Copy").made());
    run.sends(&unit(1));
    let link = |lost: Option<&str>| World::Link { unit: unit(1), attempt: 1, lost: lost.map(str::to_owned) };

    assert!(run.world(link(None)).events.is_empty(), "nothing was lost");
    assert_eq!(names(&run.world(link(Some("the link broke")))), ["link-lost"]);
    assert!(run.world(link(Some("it does not answer"))).events.is_empty());
    assert_eq!(names(&run.world(link(None))), ["link-found"]);

    assert!(run.run.unlinked.is_empty());
    assert!(matches!(run.state(&unit(1)), UnitState::Sent { .. }));
}

/// `ask` asks the host too: it may know by now.
#[test]
fn an_unknown_step_whose_host_answers_again_is_followed_or_settled() {
    let unknown = || {
        let mut run = Driven::working(&a_plan().step("Copy").unproven().made());
        run.is_unknown(&unit(1));
        run.says("ben", Says::Ask { unit: unit(1) });
        assert_eq!(next(&run.run), [Act::Settle(unit(1), 1)]);
        run
    };

    let mut run = unknown();
    run.world(World::Link { unit: unit(1), attempt: 1, lost: None });
    assert_eq!(next(&run.run), [Act::Await(unit(1), 1, Variant::Main)], "it runs still");

    let mut run = unknown();
    run.ends(&unit(1), Exit::Code(0));
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Succeeded));

    let mut run = unknown();
    run.ends(&unit(1), Exit::Code(3));
    assert!(matches!(run.state(&unit(1)), UnitState::Failed { .. }));

    let mut run = unknown();
    run.does_not_reach(&unit(1));
    assert!(matches!(run.state(&unit(1)), UnitState::Failed { failure: Failure::Unreachable(_), .. }));
    assert!(run.run.sent.is_empty(), "it never began");
}

#[test]
fn people_are_asked_when_the_log_was_read() {
    let plan = a_plan().step("One").step("Two").step("Three").step("Promote").made();
    let mut run = Driven::working(&plan);
    for number in 1..=3 {
        run.does(&unit(number));
    }
    run.sends(&unit(4));
    run.ends(&unit(4), Exit::Code(1));
    assert_eq!(next(&run.run), [Act::ReadLog(unit(4), 1)]);
    assert!(!run.run.waits_for_person());

    let path = "/srv/pg/log/pg.log".to_owned();
    let log = LogTail { path, lines: vec!["FATAL:  no".to_owned()], why_not: None };
    assert_eq!(names(&run.world(World::Log { unit: unit(4), log: log.clone() })), ["log-seen"]);

    assert!(next(&run.run).is_empty() && run.run.waits_for_person());
    assert!(run.world(World::Log { unit: unit(4), log }).events.is_empty());
}

#[test]
fn silence_asks_the_owner_and_then_whom_they_escalate_to() {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    run.sends(&unit(1));
    run.ends(&unit(1), Exit::Code(1));

    for (after, role) in [(120, "data-platform"), (300, "dba"), (300, "commander")] {
        let decided = run.later(after);
        assert!(matches!(&decided.events[..], [Event::AskedNext { role: asked, .. }] if asked == role));
    }
    assert_eq!(deadline(&run.run), None);
    assert!(run.later(86_400).events.is_empty() && run.run.waits_for_person());

    // The next question begins with the driver again.
    run.says("ben", retry(&unit(1)));
    assert!(run.run.asked_next.is_empty());
}

#[test]
fn an_answer_after_another_attempt_is_stale() {
    let mut run = Driven::working(&a_plan().step("Fence").made());
    for _ in 0..2 {
        run.sends(&unit(1));
        run.ends(&unit(1), Exit::Code(1));
        if run.state(&unit(1)).attempts() == 1 {
            run.says("ben", retry(&unit(1)));
        }
    }
    let after = |attempt| Says::After {
        unit: unit(1),
        attempt: AskedAfter::Step(attempt),
        says: Box::new(retry(&unit(1))),
    };

    assert_eq!(
        run.refuses("ben", after(1)),
        Refusal::Stale { unit: unit(1), attempt: AskedAfter::Step(1), now: AskedAfter::Step(2) }
    );
    assert_eq!(names(&run.says("ben", after(2))), ["retried"]);
}

#[test]
fn nothing_is_changed_before_those_know_who_must_know_first() {
    let plan = a_plan().step("Look").read().step("Fence").step("Promote").known_before().made();
    let mut run = Driven::working(&plan);
    assert_eq!(next(&run.run), [Act::Begin(unit(1))], "what only reads waits for nobody");
    assert!(!run.run.waits_for_person());
    run.does(&unit(1));

    assert_eq!(next(&run.run), [Act::LetKnow]);
    assert!(run.run.waits_to_be_known() && run.run.waits_for_person());
    assert_eq!(run.run.must_know(), ["support"]);
    assert!(run.sends(&unit(2)).events.is_empty(), "a door that opens does not help");
    run.restarts();
    assert_eq!(next(&run.run), [Act::LetKnow]);

    assert_eq!(names(&run.world(World::Known)), ["known"]);
    assert_eq!(next(&run.run), [Act::Begin(unit(2))]);
    assert!(run.world(World::Known).events.is_empty(), "it is known already");
    run.does(&unit(2));
    assert_eq!(next(&run.run), [Act::Begin(unit(3))], "the second change waits for nobody");
}

#[test]
fn a_run_that_waits_to_be_known_can_be_stopped() {
    let mut run = Driven::working(&a_plan().step("Fence").known_before().made());
    assert!(run.run.waits_to_be_known());

    run.says("ben", Says::Stop { now: false });

    assert!(run.run.is_ended() && run.run.sent.is_empty());
    assert!(run.world(World::Known).events.is_empty(), "that it is known comes too late");
}
