//! Who may do what. When in doubt the answer is no, and it says why.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use steadyhand::authoring::check;
use steadyhand::policy::Policy;
use steadyhand::policy::decide::{Denial, Door, Holds, Ruling, policy_of};
use steadyhand::policy::members::{KNOWN_FOR, Members};

use super::sample::{POLICY, set, sources};
use crate::run::plans::person;

fn policy(text: &str) -> Policy {
    set(&sources(3, Some(text))).policy.unwrap()
}

fn roles(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What a set says whose policy cannot be used.
fn denied(text: Option<&str>) -> String {
    let checked = check(&sources(3, text));
    let set = checked.set.unwrap_or_else(|| panic!("people may still look: {:#?}", checked.problems));
    match policy_of(&set.policy) {
        Err(Denial::NoPolicy(why)) => why,
        other => panic!("it denies all: {other:?}"),
    }
}

#[test]
fn without_a_policy_nobody_may_do_anything() {
    assert_eq!(denied(None), "there is no policy.yaml");
}

#[test]
fn a_policy_that_is_not_right_denies_all_and_says_how_much_is_wrong() {
    let broken = [
        ("", "an empty file"),
        ("- people\n", "a list"),
        ("policy: [\n", "no YAML"),
        (&POLICY.replace("people: [anna, dana]", "people: [anna, nobody]"), "a role of somebody unknown"),
        (&POLICY.replace("rules:", "rulez:"), "a key that does not exist"),
        (&POLICY.replace("{ people: [ben] }", "{}"), "a role of nobody"),
        (&POLICY.replace("{ schedule: primary }", "{ schedule: primary, people: [ben] }"), "a role of both"),
        (&POLICY.replace("console: ben }", "console: anna }"), "one account of two people"),
        (&POLICY.replace("most_hosts: 12", "most_hosts: many"), "a limit that is no number"),
        (&POLICY.replace("most_hosts: 12", "most_hosts: -1"), "a limit below nothing"),
        (&POLICY.replace("{ runbooks: all,", "{ runbooks: [restart-wep],"), "a rule for no runbook"),
        (&POLICY.replace("ben:", "anna:"), "a person twice"),
    ];

    for (text, what) in broken {
        let why = denied(Some(text));
        assert!(why.starts_with("policy.yaml has ") && why.contains("problem"), "{what}: {why}");
    }
}

#[test]
fn a_policy_that_others_refer_to_in_vain_lets_nobody_even_look() {
    for text in ["policy: sample\n", &POLICY.replace("ops:", "opps:")] {
        let checked = check(&sources(3, Some(text)));

        assert!(checked.set.is_none(), "there is nothing to run");
        assert!(checked.problems.iter().any(|problem| problem.message.contains("there is no role `ops`")));
    }
}

#[test]
fn a_person_may_have_several_accounts_and_an_account_has_one_person() {
    let policy = policy(POLICY);

    assert_eq!(policy.person_of(Door::Console, "anna"), Some(&person("anna")));
    assert_eq!(policy.person_of(Door::Console, "anna.admin"), Some(&person("anna")));
    assert_eq!(policy.person_of(Door::Console, "ANNA"), None);
    assert_eq!(policy.person_of(Door::Console, ""), None);
}

#[test]
fn a_role_that_is_missing_is_a_no_that_names_who_could() {
    let ruling = policy(POLICY).needs_role(&person("dana"), "Approving", &roles(&["dba", "commander"]));

    let no_role = Denial::NoRole {
        deed: "Approving",
        needs: roles(&["dba", "commander"]),
        has: roles(&["on-call", "support"]),
        next: vec![person("ben")],
    };
    assert_eq!(ruling, Ruling::Deny(no_role));
}

#[test]
fn a_role_that_cannot_be_checked_is_a_no_of_its_own() {
    let policy = policy(POLICY);

    let Ruling::Deny(denial) = policy.needs_role(&person("dana"), "Approving", &roles(&["night"])) else {
        panic!("it is a no")
    };

    assert_eq!(denial.code(), "role-unknown");
    assert_eq!(
        policy.holds(&person("anna"), &roles(&["night", "on-call"])),
        Holds::Yes,
        "one certain yes is enough"
    );
    assert!(matches!(policy.holds(&person("ben"), &roles(&["on-call", "night"])), Holds::Unknown(_)));
    assert!(matches!(policy.holds(&person("ben"), &roles(&["invented"])), Holds::Unknown(_)));
    assert_eq!(policy.holds(&person("ben"), &[]), Holds::No, "no role at all is nobody's");
}

#[test]
fn somebody_whom_the_policy_does_not_know_may_nothing() {
    let ruling = policy(POLICY).needs_role(&person("eve"), "Running", &roles(&["on-call"]));

    assert_eq!(ruling, Ruling::Deny(Denial::NoPerson("eve".to_owned())));
}

#[test]
fn a_role_that_was_taken_away_is_gone_at_once() {
    let before = policy(POLICY);
    let after = policy(&POLICY.replace("on-call: { people: [anna, dana] }", "on-call: { people: [dana] }"));
    let wants = |policy: &Policy| policy.needs_role(&person("anna"), "Running", &roles(&["on-call"]));

    assert_eq!(wants(&before), Ruling::Allow);
    assert!(matches!(wants(&after), Ruling::Deny(Denial::NoRole { .. })));
}

#[test]
fn a_policy_without_a_door_takes_no_commands() {
    let closed = POLICY.replace("doors: { console: {} }", "doors: {}");

    let checked = check(&sources(3, Some(&closed))).set.expect("a set");

    // Whether that is a mistake or meant: nothing is taken.
    assert!(checked.policy.map_or(true, |policy| !policy.is_open(Door::Console)));
}

/// The sample with a door on Discord.
fn on_discord() -> Policy {
    let door = r#"doors: { discord: { server: "214600000000000100", channels: ["214600000000000101", "214600000000000102"] } }"#;
    let text = POLICY.replace("doors: { console: {} }", door);
    policy(&text.replace("ben: { console: ben }", r#"ben: { console: ben, discord: "214600000000000002" }"#))
}

#[test]
fn on_discord_a_person_is_an_id_and_nothing_else() {
    let policy = on_discord();

    assert_eq!(policy.person_of(Door::Discord, "214600000000000002"), Some(&person("ben")));
    for account in ["ben", "Ben", "", "214600000000000003", "0214600000000000002", "214600000000000002 (ben)"]
    {
        assert_eq!(policy.person_of(Door::Discord, account), None, "{account}");
    }
    assert_eq!(policy.person_of(Door::Console, "214600000000000002"), None, "each door has its own accounts");
}

#[test]
fn on_discord_commands_are_taken_in_the_channels_of_one_server() {
    let policy = on_discord();
    let (server, channel) = ("214600000000000100", "214600000000000101");

    assert!(policy.is_open(Door::Discord) && !policy.is_open(Door::Console));
    assert!(policy.is_taken_in(Some(server), channel));
    assert!(policy.is_taken_in(Some(server), "214600000000000102"));
    for (server, channel) in [
        (None, channel),
        (Some("214600000000000999"), channel),
        (Some(channel), server),
        (Some(server), "214600000000000103"),
        (Some(server), ""),
        (Some(""), ""),
    ] {
        assert!(!policy.is_taken_in(server, channel), "{server:?} {channel}");
    }
    let closed = self::policy(POLICY);
    assert!(!closed.is_open(Door::Discord) && !closed.is_taken_in(Some(server), channel));
}

/// Discord gives the role dba to whoever has one of two roles there. anna has two accounts, ben one, dana none.
fn with_discord() -> Policy {
    let text = POLICY
        .replace("console: [anna, anna.admin]", "console: anna, discord: [\"214600000000000001\", \"214600000000000011\"]")
        .replace("console: ben", "console: ben, discord: \"214600000000000002\"")
        .replace("dba: { people: [ben] }", "dba: { discord: [\"214600000000000098\", \"214600000000000099\"] }")
        .replace(
            "doors: { console: {} }",
            "doors: { console: {}, discord: { server: \"214600000000000100\", channels: [\"214600000000000101\"] } }",
        );
    policy(&text)
}

#[test]
fn a_role_of_discord_is_held_while_it_is_known_and_unknown_before_and_after() {
    let read = with_discord();
    let dba = roles(&["dba"]);
    let now: Timestamp = "2026-11-18T03:07:10+01:00".parse().unwrap();
    let mut members = Members::default();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
    let at = |members: &Members, at: Timestamp| members.policy_at(&read, at).unwrap();
    let holds = |policy: &Policy, name: &str| policy.holds(&person(name), &dba);
    let unknown = |policy: &Policy, name: &str| matches!(holds(policy, name), Holds::Unknown(_));

    assert!(unknown(&read, "anna") && unknown(&read, "dana"), "as the file says it alone, nobody can know");
    let before = at(&members, now);
    assert!(unknown(&before, "anna") && unknown(&before, "ben"));
    assert_eq!(holds(&before, "dana"), Holds::No, "who has no account there has no role there");
    assert_eq!(holds(&before, "nobody"), Holds::No);

    members.hear("214600000000000001", ids(&[]), now);
    members.hear("214600000000000002", ids(&["214600000000000099", "214600000000000100"]), now);
    let known = at(&members, now);
    assert_eq!(holds(&known, "ben"), Holds::Yes);
    assert!(unknown(&known, "anna"), "of one of her accounts nobody knows");
    assert_eq!(known.holders(&dba), [person("ben")]);
    members.hear("214600000000000011", ids(&["214600000000000098"]), now);
    let known = at(&members, now);
    assert_eq!(holds(&known, "anna"), Holds::Yes, "one account is enough, and one of the roles");
    assert_eq!(known.needs_role(&person("anna"), "Approving", &dba), Ruling::Allow);
    assert!(members.policy_at(&known, now).is_none(), "that is known already");
    // A role that is certain is enough, whatever else nobody knows.
    assert_eq!(before.holds(&person("ben"), &roles(&["dba", "ops"])), Holds::Yes);

    members.hear("214600000000000002", ids(&[]), now - SignedDuration::from_secs(1));
    assert_eq!(holds(&at(&members, now), "ben"), Holds::Yes, "what was asked earlier says nothing");
    assert_eq!(holds(&at(&members, now + KNOWN_FOR), "ben"), Holds::Yes);
    let late = at(&members, now + KNOWN_FOR + SignedDuration::from_millis(1));
    assert!(unknown(&late, "ben") && unknown(&late, "anna"));
    assert!(unknown(&at(&members, now - SignedDuration::from_mins(4)), "ben"), "a clock was put back");
    let refused = late.needs_role(&person("ben"), "Approving", &dba);
    let Ruling::Deny(Denial::RoleUnknown { why, .. }) = refused else { panic!("{refused:?}") };
    assert!(why.contains("was last asked at 2026-11-18 02:07 UTC"), "{why}");
    assert_eq!(members.last_holders(&read, "214600000000000098"), [person("anna")].into());
}

#[test]
fn what_was_agreed_to_with_a_role_of_discord_counts_only_while_it_is_theirs() {
    let read = with_discord();
    let now: Timestamp = "2026-11-18T03:07:10+01:00".parse().unwrap();
    let mut members = Members::default();
    let counts = |members: &Members, had: &[&str], needs: &[&str]| {
        let policy = members.policy_at(&read, now).unwrap_or_else(|| read.clone());
        policy.still_counts(&person("ben"), &roles(had), &roles(needs))
    };

    assert!(matches!(counts(&members, &["dba"], &["dba"]), Holds::Unknown(_)));
    assert_eq!(
        counts(&members, &["dba"], &["dba", "commander"]),
        Holds::Yes,
        "he is a commander, by the policy"
    );
    assert_eq!(counts(&members, &["night"], &["night", "dba"]), Holds::Yes, "a hand-over voids nothing");
    members.hear("214600000000000002", ["214600000000000099".to_owned()].into(), now);
    assert_eq!(counts(&members, &["dba"], &["dba"]), Holds::Yes);
    members.hear("214600000000000002", BTreeSet::new(), now);
    assert_eq!(counts(&members, &["dba"], &["dba"]), Holds::No);
    assert_eq!(counts(&members, &[], &["dba"]), Holds::No);
}
