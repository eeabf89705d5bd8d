//! How much one run may change, and who must agree: each right at its border.

use jiff::{SignedDuration, Timestamp};

use super::sample::{POLICY, RUNBOOK, plan, plan_under};
use crate::run::plans::noon;

fn with_rule(rule: &str) -> String {
    POLICY.replace("{ runbooks: all, most_hosts: 12 }", rule)
}

/// The code of the refusal, or nothing.
fn refused(rule: &str, hosts: usize) -> Option<(&'static str, String)> {
    plan_under(&with_rule(rule), hosts).err().map(|no| (no.code, no.what))
}

#[test]
fn as_many_hosts_as_the_policy_allows_and_not_one_more() {
    let rule = "{ runbooks: all, most_hosts: 4 }";

    assert_eq!(refused(rule, 4), None);
    let sentence = "The plan changes 5 hosts, and the policy allows 4 in a run.".to_owned();
    assert_eq!(refused(rule, 5), Some(("too-many-hosts", sentence)));
}

#[test]
fn a_limit_of_none_refuses_every_change() {
    assert_eq!(refused("{ runbooks: all, most_hosts: 1 }", 1), None);
    assert!(refused("{ runbooks: all, most_hosts: 1 }", 2).is_some());
}

#[test]
fn a_share_of_a_cluster_is_rounded_up_and_never_beyond() {
    // The whole cluster is restarted: it is allowed only where the share rounds up to all of it.
    for (percent, hosts, allowed) in [
        ("100%", 7, true),
        ("99%", 7, true),
        ("86%", 7, true),
        ("85%", 7, false),
        ("99%", 100, false),
        ("50%", 1, true),
        ("51%", 2, true),
        ("50%", 2, false),
        ("66%", 3, false),
        ("67%", 3, true),
    ] {
        let rule = format!("{{ runbooks: all, most_of_cluster: {percent} }}");
        assert_eq!(refused(&rule, hosts).is_none(), allowed, "{percent} of {hosts}");
    }
    let (code, what) = refused("{ runbooks: all, most_of_cluster: 50% }", 2).unwrap();
    assert_eq!(code, "too-much-of-cluster");
    assert_eq!(what, "The plan changes 2 of 2 hosts of webs, and the policy allows 50 %, that is 1.");
}

#[test]
fn a_share_that_is_whole_is_not_rounded_up_by_the_arithmetic() {
    // 7 % of 100 and 29 % of 100 are no whole numbers to a computer that divides first.
    for (percent, hosts) in [(7, 100), (14, 50), (28, 25), (29, 100), (57, 100), (58, 100)] {
        let most = hosts * percent / 100;
        let rule = format!("{{ runbooks: all, most_of_cluster: {percent}% }}");
        let (_, what) = refused(&rule, hosts).expect("all of it is too much");
        assert!(what.ends_with(&format!("that is {most}.")), "{what}");
    }
}

#[test]
fn a_rule_for_another_runbook_says_nothing() {
    let other =
        format!("{}\n  - {{ runbooks: [restart-web], most_hosts: 3 }}", "{ runbooks: all, most_hosts: 12 }");

    assert_eq!(refused(&other, 3), None);
    assert!(refused(&other, 4).is_some());
}

#[test]
fn the_strictest_of_several_rules_counts_whatever_their_order() {
    let rules = "{ runbooks: all, approve_at_least: 3 }\n  - { runbooks: all, approve_at_least: 1 }";

    let approvals = plan_under(&with_rule(rules), 3).unwrap().approvals;

    assert_eq!(approvals.count, 3);
    assert_eq!(approvals.by, ["ops"], "where the runbook names nobody, its owner agrees");
    assert_eq!(approvals.because, ["The policy asks for 3 approvals here."]);
}

#[test]
fn a_rule_for_an_effect_that_does_not_occur_says_nothing() {
    let irreversible = with_rule("{ runbooks: all, effect: irreversible, approve_at_least: 2 }");
    let reversible = with_rule("{ runbooks: all, effect: reversible, approve_at_least: 2 }");

    assert_eq!(plan_under(&irreversible, 3).unwrap().approvals.count, 0);
    assert_eq!(plan_under(&reversible, 3).unwrap().approvals.count, 2);
}

#[test]
fn a_rehearsal_that_is_missing_asks_for_one_more_or_refuses() {
    let approve = plan_under(&with_rule("{ runbooks: all, stale_rehearsal: approve }"), 3).unwrap();
    let refuse = plan_under(&with_rule("{ runbooks: all, stale_rehearsal: refuse }"), 3).unwrap_err();

    assert_eq!(approve.approvals.count, 1);
    assert_eq!(refuse.code, "not-rehearsed");
}

/// Under a window of Saturday from 12:00 to 13:00, in UTC.
fn in_window(outside: &str, now: &str) -> Result<u32, &'static str> {
    let windows = "windows:\n  lunch: { days: [sat], from: \"12:00\", to: \"13:00\", zone: UTC }\n\ndoors:";
    let policy = POLICY.replace("doors:", windows);
    let runbook = RUNBOOK.replace("tell:", &format!("window: {{ name: lunch, outside: {outside} }}\ntell:"));
    let now: Timestamp = now.parse().unwrap();
    plan(3, &policy, &runbook, now, None).map(|plan| plan.approvals.count).map_err(|no| no.code)
}

#[test]
fn a_window_begins_with_its_first_minute_and_ends_before_its_last() {
    for (now, inside) in [
        ("2026-11-21T11:59:59Z", false),
        ("2026-11-21T12:00:00Z", true),
        ("2026-11-21T12:59:59Z", true),
        ("2026-11-21T13:00:00Z", false),
        ("2026-11-22T12:30:00Z", false),
    ] {
        assert_eq!(in_window("approve", now), Ok(u32::from(!inside)), "{now}");
        assert_eq!(in_window("refuse", now).is_ok(), inside, "{now}");
    }
    assert_eq!(in_window("refuse", "2026-11-21T13:00:00Z"), Err("outside-window"));
}

#[test]
fn a_cool_down_asks_for_a_commander_until_its_last_second() {
    let runbook = RUNBOOK.replace("tell:", "cool_down: 1h\ntell:");
    let after = |seconds| {
        let last = noon().checked_sub(SignedDuration::from_secs(seconds)).unwrap();
        plan(3, POLICY, &runbook, noon(), Some(last)).unwrap().approvals
    };

    let cooling = after(3_599);
    assert_eq!(cooling.count, 1, "somebody must agree, though the runbook asks for nobody");
    assert!(cooling.commander.unwrap().contains("a commander must be among those who approve"));
    assert_eq!(after(3_600).commander, None);
    assert_eq!(plan(3, POLICY, &runbook, noon(), None).unwrap().approvals.commander, None);
}
