//! Taking back: the last step first, completed steps only, never from before the point of no return.

use steadyhand::plan::Resource;
use steadyhand::plan::model::{Body, Undo};
use steadyhand::run::event::{Exit, OutputSummary};
use steadyhand::run::model::{AskedAfter, Outcome, Phase, UnitState};
use steadyhand::run::{Act, Decided, Event, Refusal, Says, UnitAt, World, deadline, next};
use steadyhand::runbook::source::literal::Millis;

use super::driven::{Driven, names};
use super::plans::{a_plan, person, unit, unit_on};

impl Driven {
    /// Ben wants to take back; the list is shown.
    fn wants_back(&mut self, including: Option<u32>) -> Vec<UnitAt> {
        let says = self.undo(including);
        let decided = self.says("ben", says);
        assert_eq!(decided.refusal, None);
        self.run.undo.as_ref().expect("an undo").list.clone()
    }

    fn reads_back(&mut self) {
        let token = self.run.undo.clone().and_then(|undo| undo.token).expect("a token").text;
        self.says("ben", Says::Confirm { token });
    }

    /// The undo that is wanted next is sent, and ends so.
    fn takes_back(&mut self, ended: Result<Exit, bool>) -> Decided {
        let [Act::Undo(unit, attempt)] = &next(&self.run)[..] else { panic!("{:?}", next(&self.run)) };
        let (unit, attempt) = (unit.clone(), *attempt);
        self.world(World::UndoBegins { unit: unit.clone(), attempt });
        let ended = ended
            .map(|exit| (exit, Millis(20), OutputSummary::default()))
            .map_err(|unknown| ("the link broke".to_owned(), unknown));
        self.world(World::UndoEnded { unit, attempt, ended })
    }

    /// A run whose third step has failed.
    fn failed_at_three() -> Self {
        let mut run = Self::working(&a_plan().step("Fence").step("Move").step("Route").made());
        run.does(&unit(1));
        run.does(&unit(2));
        run.sends(&unit(3));
        run.ends(&unit(3), Exit::Code(1));
        run
    }
}

#[test]
fn the_last_step_is_taken_back_first() {
    let mut run = Driven::failed_at_three();

    assert_eq!(run.wants_back(None), [unit(2), unit(1)]);
    assert!(next(&run.run).is_empty(), "nothing is taken back before it was read back");
    run.reads_back();
    assert_eq!(next(&run.run), [Act::Undo(unit(2), 1)]);
    run.takes_back(Ok(Exit::Code(0)));
    assert_eq!(next(&run.run), [Act::Undo(unit(1), 1)]);
    run.takes_back(Ok(Exit::Code(0)));

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Undone));
    assert!(run.run.holds.is_empty());
}

#[test]
fn an_undo_that_is_begun_anew_has_a_number_of_its_own() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    run.reads_back();
    run.takes_back(Ok(Exit::Code(1)));
    run.says("ben", Says::Stop { now: false });
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stuck));

    run.wants_back(None);
    run.reads_back();

    assert_eq!(next(&run.run), [Act::Undo(unit(2), 2)], "a host carries out each attempt once");
    run.takes_back(Ok(Exit::Code(0)));
    assert_eq!(next(&run.run), [Act::Undo(unit(1), 1)]);
}

#[test]
fn stop_now_ends_an_undo_that_works() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    run.reads_back();
    run.world(World::UndoBegins { unit: unit(2), attempt: 1 });

    run.says("ben", Says::Stop { now: true });

    assert_eq!(next(&run.run), [Act::AwaitUndo(unit(2), 1), Act::End(unit(2), 1)]);
}

#[test]
fn a_step_that_was_sent_again_is_taken_back_by_its_last_sending() {
    let mut run = Driven::working(&a_plan().each(&[&["web1", "web2"]], 1).step("Tell").made());
    let (first, second) = (unit_on(1, "web1"), unit_on(1, "web2"));
    run.sends(&first);
    run.ends(&first, Exit::Code(1));
    run.does(&second);
    run.says("ben", Says::Retry { unit: first.clone() });
    run.does(&first);

    assert_eq!(run.wants_back(None), [first, second]);
}

#[test]
fn a_step_that_failed_is_taken_back_only_if_a_person_names_it() {
    let mut run = Driven::failed_at_three();

    assert_eq!(run.wants_back(Some(3)), [unit(3), unit(2), unit(1)]);
}

#[test]
fn nothing_before_an_irreversible_step_is_taken_back() {
    let plan = a_plan().step("Fence").step("Promote").irreversible().step("Route").step("Tell").made();
    let mut run = Driven::working(&plan);
    for number in 1..=3 {
        run.does(&unit(number));
    }
    run.sends(&unit(4));
    run.ends(&unit(4), Exit::Code(1));

    assert_eq!(run.wants_back(None), [unit(3)]);
}

#[test]
fn an_irreversible_step_of_which_nobody_knows_closes_the_way_back() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Promote").irreversible().made());
    run.does(&unit(1));
    run.is_unknown(&unit(2));

    let says = run.undo(None);
    assert_eq!(run.refuses("ben", says), Refusal::NothingToUndo { past: Some(unit(2)) });

    let how = "I looked at the host".to_owned();
    run.says("ben", Says::Settle { unit: unit(2), done: false, how });
    let says = run.undo(None);
    assert_eq!(
        run.refuses("ben", says),
        Refusal::NothingToUndo { past: Some(unit(2)) },
        "whatever anybody says"
    );
}

#[test]
fn an_irreversible_step_that_never_reached_its_host_leaves_the_way_back_open() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Promote").irreversible().made());
    run.does(&unit(1));
    run.sends(&unit(2));
    run.does_not_reach(&unit(2));

    assert_eq!(run.wants_back(None), [unit(1)]);
}

#[test]
fn what_was_done_instead_is_what_is_taken_back() {
    let mut run = Driven::working(&a_plan().step("Fence").or_instead().step("Route").made());
    run.sends(&unit(1));
    run.does_not_reach(&unit(1));
    run.ends(&unit(1), Exit::Code(0));
    run.proves(&unit(1));
    run.sends(&unit(2));
    run.ends(&unit(2), Exit::Code(1));
    run.wants_back(None);
    run.reads_back();

    let decided = run.world(World::UndoBegins { unit: unit(1), attempt: 1 });

    let [Event::UndoSent { host, body: Body::Run { argv }, .. }] = &decided.events[..] else {
        panic!("{decided:?}")
    };
    assert_eq!((host.as_str(), argv[0].as_str()), ("ipmi", "power-on"));
}

#[test]
fn what_was_done_instead_on_a_skipped_host_is_what_is_taken_back() {
    let mut run = Driven::working(&a_plan().each(&[&["web1"]], 1).or_instead().made());
    let at = unit_on(1, "web1");
    run.sends(&at);
    run.does_not_reach(&at);
    run.ends(&at, Exit::Code(1));
    run.says("ben", Says::Skip { unit: at.clone(), why: "its disk is gone".to_owned() });
    assert_eq!(run.run.phase, Phase::Ended(Outcome::WithIssues));

    run.wants_back(Some(1));

    let Some(Undo::Command(command)) = run.run.undo_of(&at) else { panic!("it has an undo") };
    assert_eq!(command.host.as_str(), "ipmi");
}

#[test]
fn a_step_that_left_nothing_behind_is_taken_back_without_a_command() {
    let nothing = || Undo::Nothing("it is only told".to_owned());
    let plan = a_plan().step("Tell").with(|step| step.undo = Some(nothing())).step("Route").made();
    let mut run = Driven::working(&plan);
    run.does(&unit(1));
    run.sends(&unit(2));
    run.ends(&unit(2), Exit::Code(1));
    run.wants_back(None);

    run.reads_back();

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Undone));
    assert!(!run.log.iter().any(|stamped| matches!(stamped.event, Event::UndoSent { .. })));
}

#[test]
fn nothing_is_taken_back_while_a_step_is_at_work() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Move").made());
    run.does(&unit(1));
    run.sends(&unit(2));

    let says = run.undo(None);
    let Refusal::NotNow { because, .. } = run.refuses("ben", says) else { panic!("refused in words") };

    assert_eq!(because, "a step is at work; stop it or wait for its end");
}

#[test]
fn while_steps_are_taken_back_no_step_begins() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    run.reads_back();

    assert!(run.sends(&unit(3)).events.is_empty());
    assert!(matches!(run.refuses("ben", Says::Retry { unit: unit(3) }), Refusal::NotAsked { .. }));
    assert!(matches!(run.refuses("ben", Says::Pause), Refusal::NotNow { .. }));
}

#[test]
fn a_pause_is_kept_through_the_offer_of_an_undo() {
    let mut run = Driven::working(&a_plan().step("Fence").step("Move").made());
    run.does(&unit(1));
    run.says("cara", Says::Pause);
    run.wants_back(None);
    assert!(deadline(&run.run).is_some());

    assert_eq!(names(&run.later(300)), ["undo-expired"]);

    assert_eq!(run.run.phase, Phase::Working);
    assert!(run.run.pause.is_some() && next(&run.run).is_empty(), "it stands still as before");
    run.says("cara", Says::Resume);
    assert_eq!(next(&run.run), [Act::Begin(unit(2))]);
}

#[test]
fn only_who_asked_for_the_undo_reads_it_back_and_in_time() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    let token = run.run.undo.clone().and_then(|undo| undo.token).unwrap();

    let other = run.refuses("ana", Says::Confirm { token: token.text.clone() });
    run.now = token.expires;
    let late = run.says("ben", Says::Confirm { token: token.text });

    assert_eq!(other, Refusal::NotYourRun { waits_for: person("ben") });
    let over = "the time for it is over".to_owned();
    assert_eq!(late.refusal, Some(Refusal::NotNow { what: "confirmed", because: over }));
    assert_eq!(names(&late), ["undo-expired"]);
}

#[test]
fn three_wrong_tokens_leave_the_run_where_it_stood() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    let wrong = || Says::Confirm { token: "orders-wrong".to_owned() };

    run.says("ben", wrong());
    run.says("ben", wrong());
    let third = run.says("ben", wrong());

    assert_eq!(names(&third), ["wrong-token", "undo-expired"]);
    assert_eq!(third.refusal, Some(Refusal::TokensSpent));
    assert_eq!((run.run.phase, run.run.wrong_tokens), (Phase::Working, 0));
    assert!(matches!(run.state(&unit(3)), UnitState::Failed { .. }));
}

#[test]
fn an_undo_that_failed_is_tried_again_when_a_person_says_so() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    run.reads_back();
    run.takes_back(Ok(Exit::Code(1)));
    assert!(next(&run.run).is_empty() && run.run.waits_for_person());
    assert!(matches!(run.refuses("ben", Says::Retry { unit: unit(1) }), Refusal::NotAsked { .. }));

    // The first attempt of the step is not the first attempt to take it back.
    let retry =
        |attempt| Says::After { unit: unit(2), attempt, says: Box::new(Says::Retry { unit: unit(2) }) };
    let (of_the_step, of_the_undo) = (AskedAfter::Step(1), AskedAfter::Undo(1));
    assert_eq!(
        run.refuses("ben", retry(of_the_step)),
        Refusal::Stale { unit: unit(2), attempt: of_the_step, now: of_the_undo }
    );

    run.says("ben", retry(of_the_undo));

    assert_eq!(next(&run.run), [Act::Undo(unit(2), 2)]);
}

#[test]
fn an_undo_of_which_nobody_knows_is_settled_by_a_person() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    run.reads_back();
    run.takes_back(Err(true));
    assert!(matches!(run.refuses("ben", Says::Retry { unit: unit(2) }), Refusal::NotAsked { .. }));

    let how = "I looked at the host".to_owned();
    run.says("ben", Says::Settle { unit: unit(2), done: true, how });

    assert!(matches!(run.state(&unit(2)), UnitState::Undone));
    assert_eq!(next(&run.run), [Act::Undo(unit(1), 1)]);
}

#[test]
fn giving_up_on_an_undo_says_what_was_not_taken_back() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);
    run.reads_back();
    run.takes_back(Ok(Exit::Code(1)));

    run.says("ben", Says::Stop { now: false });

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stuck));
    assert!(
        run.run.remarks.iter().any(|remark| remark == "Not taken back: step 2, step 1."),
        "{:?}",
        run.run.remarks
    );
}

#[test]
fn a_stop_of_an_undo_that_nobody_read_back_stops_the_run() {
    let mut run = Driven::failed_at_three();
    run.wants_back(None);

    let decided = run.says("ana", Says::Stop { now: false });

    assert_eq!(names(&decided), ["undo-expired", "stop-asked", "ended"]);
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
}

#[test]
fn what_a_stopped_run_did_can_be_taken_back_while_its_resources_are_free() {
    let mut run = Driven::failed_at_three();
    run.says("ana", Says::Stop { now: false });
    let token = run.token();

    let held = Says::Undo { including: None, token: token.clone(), holds: Vec::new() };
    assert!(matches!(run.refuses("ben", held), Refusal::NotNow { what: "taken back", .. }));
    let holds = vec![(Resource("cluster/orders".to_owned()), 2)];
    run.says("ben", Says::Undo { including: None, token, holds: holds.clone() });

    assert_eq!(run.run.holds, holds);
    run.reads_back();
    run.takes_back(Ok(Exit::Code(0)));
    run.takes_back(Ok(Exit::Code(0)));
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Undone));
    let again = Says::Undo { including: None, token: run.token(), holds };
    assert!(matches!(run.refuses("ben", again), Refusal::NotNow { .. }), "once");
}

#[test]
fn an_ended_run_whose_undo_is_not_wanted_any_more_is_as_it_was() {
    let mut run = Driven::failed_at_three();
    run.says("ana", Says::Stop { now: false });
    let remarks = run.run.remarks.clone();
    let says = run.undo(None);
    run.says("ben", says);

    let decided = run.says("ben", Says::Stop { now: false });

    assert_eq!(names(&decided), ["undo-expired"]);
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
    assert_eq!(run.run.remarks, remarks);
    assert!(run.run.holds.is_empty());
}
