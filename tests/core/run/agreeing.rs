//! Before anything runs: who reads what back, who agrees to which plan, and how long they have.

use steadyhand::run::model::{Outcome, Phase};
use steadyhand::run::{Act, Event, Refusal, Says, World, deadline, next};

use super::driven::{a_run_of, names};
use super::plans::{a_plan, edited, fails, offer, person};

fn approve(digest: &str, roles: &[&str]) -> Says {
    let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    let is_commander = roles.iter().any(|role| role == "commander");
    Says::Approve { digest: digest.to_owned(), step: None, roles, is_commander }
}

#[test]
fn only_the_requester_reads_the_plan_back() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned();
    let token = run.run.token.clone().unwrap().text;

    let refusal = run.refuses("ben", Says::Confirm { token });

    assert_eq!(refusal, Refusal::NotYourRun { waits_for: person("ana") });
}

#[test]
fn the_third_wrong_token_ends_the_run() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned();
    let wrong = || Says::Confirm { token: "orders-k7m2qx".to_owned() };

    let first = run.says("ana", wrong());
    let second = run.says("ana", wrong());
    let third = run.says("ana", wrong());

    assert_eq!(first.refusal, Some(Refusal::BadToken { tries: 1, odd: None }));
    assert_eq!(second.refusal, Some(Refusal::BadToken { tries: 2, odd: None }));
    assert_eq!(third.refusal, Some(Refusal::TokensSpent));
    assert_eq!(names(&third), ["wrong-token", "ended"]);
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Stopped));
}

#[test]
fn a_token_with_a_letter_that_looks_like_another_is_told_where() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned();
    let right = run.run.token.clone().unwrap().text;
    // The o of another alphabet.
    let token = right.replacen('o', "\u{43e}", 1);

    let decided = run.says("ana", Says::Confirm { token });

    assert_eq!(decided.refusal, Some(Refusal::BadToken { tries: 1, odd: Some((1, '\u{43e}')) }));
}

#[test]
fn wrong_tokens_are_counted_anew_for_another_plan() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned();
    run.says("ana", Says::Confirm { token: "wrong".to_owned() });
    run.says("ana", Says::Confirm { token: "wrong".to_owned() });

    let (token, changed) = (run.token(), edited(&run.plan));
    run.world(World::Rechecked { offer: Box::new(offer(&changed)), token, changes: Vec::new() });

    assert_eq!((run.run.wrong_tokens, run.run.phase), (0, Phase::Confirming));
}

#[test]
fn a_confirmation_has_five_minutes() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned();

    assert!(run.later(299).events.is_empty());
    assert_eq!(names(&run.later(1)), ["expired", "ended"]);

    assert_eq!(run.run.phase, Phase::Ended(Outcome::Expired));
}

#[test]
fn an_answer_after_the_time_counts_nothing_though_no_clock_has_struck() {
    let mut confirming = a_run_of(&a_plan().step("Fence").made()).planned();
    let token = confirming.run.token.clone().unwrap();
    confirming.now = token.expires;
    let mut approving = a_run_of(&a_plan().step("Fence").made()).planned().confirmed();
    approving.now = deadline(&approving.run).unwrap();

    let confirmed = confirming.says("ana", Says::Confirm { token: token.text });
    let approval = approving.approval();
    let approved = approving.says("ben", approval);

    for (decided, run) in [(confirmed, &confirming.run), (approved, &approving.run)] {
        assert_eq!(names(&decided), ["expired", "ended"]);
        assert_eq!(decided.refusal, Some(Refusal::Ended { outcome: Outcome::Expired }));
        assert_eq!(run.phase, Phase::Ended(Outcome::Expired));
    }
}

#[test]
fn nobody_approves_their_own_run() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned().confirmed();

    let approval = run.approval();

    assert_eq!(run.refuses("ana", approval), Refusal::OwnRun { asked_by: person("ana") });
}

#[test]
fn an_approval_of_another_plan_is_refused() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned().confirmed();
    let now = run.run.digest().unwrap().clone();

    let refusal = run.refuses("ben", approve("00000000", &["dba"]));
    let too_short = run.refuses("ben", approve(&now.short()[..7], &["dba"]));

    assert_eq!(refusal, Refusal::OldPlan { typed: "00000000".to_owned(), now: now.clone() });
    assert!(matches!(too_short, Refusal::OldPlan { .. }));
    assert_eq!(run.approved_by("ben").run.phase, Phase::Ready);
}

#[test]
fn two_approvals_are_those_of_two_people() {
    let mut run = a_run_of(&a_plan().step("Fence").approved_by(2).made()).planned().confirmed();
    run = run.approved_by("ben");

    let again = run.approval();
    let refusal = run.refuses("ben", again);

    assert!(matches!(refusal, Refusal::Again { what: "approved", .. }));
    assert_eq!(run.run.phase, Phase::Approving);
    assert_eq!(run.approved_by("cara").run.phase, Phase::Ready);
}

#[test]
fn in_a_cool_down_the_last_approval_is_that_of_a_commander() {
    let plan = a_plan().step("Fence").approved_by(2).with_a_commander().made();
    let mut run = a_run_of(&plan).planned().confirmed().approved_by("ben");
    let digest = run.run.digest().unwrap().to_string();

    let refusal = run.refuses("cara", approve(&digest, &["dba"]));
    run.says("dan", approve(&digest, &["dba", "commander"]));

    assert_eq!(refusal, Refusal::NeedsCommander { why: "It cools down.".to_owned() });
    assert_eq!(run.run.phase, Phase::Ready);
}

#[test]
fn in_a_cool_down_a_commander_may_also_come_first() {
    let plan = a_plan().step("Fence").approved_by(2).with_a_commander().made();
    let mut run = a_run_of(&plan).planned().confirmed();
    let digest = run.run.digest().unwrap().to_string();

    run.says("dan", approve(&digest, &["dba", "commander"]));

    assert_eq!(run.approved_by("ben").run.phase, Phase::Ready);
}

#[test]
fn an_approval_that_is_withdrawn_is_missing_and_the_claims_are_given_back() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned().confirmed().approved_by("ben");
    let claims = run.claims().unwrap();
    run.world(World::Claimed(claims));
    assert_eq!(run.run.holds.len(), 1);

    run.says("ben", Says::Withdraw);

    assert_eq!(run.run.phase, Phase::Approving);
    assert!(run.run.holds.is_empty() && run.run.approvals.is_empty());
    assert!(next(&run.run).is_empty());
}

#[test]
fn what_was_measured_before_the_claim_does_not_start_the_run() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned().confirmed().approved_by("ben");
    let claims = run.claims().unwrap();
    run.world(World::Claimed(claims));
    run.says("ben", Says::Withdraw);
    run = run.approved_by("cara");

    let (token, measured) = (run.token(), Box::new(offer(&run.plan)));
    let decided = run.world(World::Rechecked { offer: measured, token, changes: Vec::new() });

    assert!(decided.events.is_empty());
    assert_eq!(next(&run.run), [Act::Claim]);
}

#[test]
fn a_plan_that_changed_inside_the_holds_is_read_back_and_approved_anew() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned().confirmed().approved_by("ben");
    let claims = run.claims().unwrap();
    run.world(World::Claimed(claims));
    let old = run.run.digest().unwrap().clone();

    let (token, changed) = (run.token(), edited(&run.plan));
    let changes = vec!["failover-database.yaml was edited".to_owned()];
    let decided = run.world(World::Rechecked { offer: Box::new(offer(&changed)), token, changes });

    assert_eq!(names(&decided), ["plan-changed"]);
    assert_eq!(run.run.phase, Phase::Confirming);
    assert!(run.run.approvals.is_empty() && run.run.holds.is_empty() && run.run.confirmed.is_none());
    let refusal = run.refuses("ben", approve(old.short(), &["dba"]));
    assert!(matches!(refusal, Refusal::OldPlan { .. }));
}

#[test]
fn an_agreement_that_does_not_count_any_more_voids_all_of_them_though_the_plan_is_the_same() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned().confirmed().approved_by("ben");
    let claims = run.claims().unwrap();
    run.world(World::Claimed(claims));
    assert_eq!(run.run.approvals[0].roles, ["dba"]);

    let (token, same) = (run.token(), Box::new(offer(&run.plan)));
    let changes = vec!["ben is no dba any more".to_owned()];
    let decided = run.world(World::Rechecked { offer: same, token, changes });

    assert_eq!(names(&decided), ["plan-changed"]);
    assert_eq!(run.run.phase, Phase::Confirming);
    assert!(run.run.approvals.is_empty() && run.run.holds.is_empty() && run.run.confirmed.is_none());
}

#[test]
fn a_check_that_fails_inside_the_holds_ends_the_run_before_anything_is_sent() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned().confirmed().approved_by("ben");
    let claims = run.claims().unwrap();
    run.world(World::Claimed(claims));

    let (token, mut measured) = (run.token(), offer(&run.plan));
    measured.preflight.push(fails("lag is small"));
    let decided = run.world(World::Rechecked { offer: Box::new(measured), token, changes: Vec::new() });

    assert_eq!(names(&decided), ["not-planned", "ended"]);
    assert_eq!(run.run.phase, Phase::Ended(Outcome::Refused));
    assert!(run.run.holds.is_empty());
}

#[test]
fn a_run_that_needs_no_approval_begins_when_it_was_read_back() {
    let mut run = a_run_of(&a_plan().step("Look").read().approved_by(0).claiming(&[]).made()).planned();

    run = run.confirmed();

    assert_eq!(next(&run.run), [Act::Recheck]);
    assert!(run.run.plan().unwrap().holds.is_empty());
}

#[test]
fn anybody_can_say_no_until_it_begins_and_then_it_is_stop() {
    let no = || Says::Refuse { why: "not during the sale".to_owned() };
    let mut waiting = a_run_of(&a_plan().step("Fence").made()).planned().confirmed();
    let mut begun = a_run_of(&a_plan().step("Fence").made()).planned().confirmed().started();

    assert_eq!(names(&waiting.says("cara", no())), ["refused", "ended"]);
    assert_eq!(waiting.run.phase, Phase::Ended(Outcome::Refused));

    let Refusal::NotNow { because, .. } = begun.refuses("cara", no()) else { panic!("refused in words") };
    assert_eq!(because, "it is working; to end it, say stop");
}

#[test]
fn what_comes_twice_is_done_once() {
    let mut run = a_run_of(&a_plan().step("Fence").made()).planned();
    let token = run.run.token.clone().unwrap().text;
    run = run.confirmed();

    let again = run.refuses("ana", Says::Confirm { token });
    let (token, offered) = (run.token(), Box::new(offer(&run.plan)));
    let late = run.world(World::Planned { offer: offered, token });

    assert!(matches!(again, Refusal::Again { what: "confirmed", .. }));
    assert!(late.events.is_empty());
    assert!(!run.log.iter().any(|stamped| matches!(stamped.event, Event::PlanChanged { .. })));
}
