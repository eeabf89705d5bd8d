//! Who may say what, where the policy gives words of incidents to some.

use steadyhand::incident::model::{Part, Severity, Status};
use steadyhand::incident::{Refusal, Says};
use steadyhand::policy::decide::Denial;
use steadyhand::policy::read::read_policy;
use steadyhand::runbook::source::place::FileName;
use steadyhand::runbook::source::problem::Problems;
use steadyhand::runbook::source::yaml::read_yaml;

use super::driven::{Driven, POLICY, TUESDAY, an_incident, opened, person, usual};

/// lena speaks, rob is an engineer, dora has a role that the policy gives no word to.
fn restricted(rights: &str) -> Driven {
    restrict(an_incident(Severity::Sev2), rights)
}

fn restrict(mut driven: Driven, rights: &str) -> Driven {
    let people = "people:\n  lena: {}\n  rob: {}\n  dora: {}\n";
    let roles = "roles:\n  comms: { people: [lena] }\n  sre: { people: [rob] }\n  dev: { people: [dora] }\n";
    let text = POLICY.replace("people:\n", people).replace("roles:\n", roles);
    let (file, mut problems) = (FileName::new("policy.yaml"), Problems::default());
    let root = read_yaml(&file, &format!("{text}{rights}"), &mut problems).unwrap();
    driven.policy = read_policy(&file, &root, &mut problems);
    assert_eq!(problems.count(), 0, "{problems:?}");
    driven
}

const RIGHTS: &str = "incidents: { publish: [comms, sre], resolve: [sre], waive: [sre] }\n";

fn draft() -> Says {
    Says::Draft { text: "Orders fail since 08:00.".to_owned() }
}

fn severity(severity: Severity) -> Says {
    Says::Severity { severity, why: "fewer customers call".to_owned() }
}

fn take(part: Part, who: &str) -> Says {
    Says::Take { part, person: person(who) }
}

/// Every word, and who of dora, lena, rob, anna (commander) and ben (who speaks to customers) may say it.
fn table(driven: &Driven) -> Vec<(&'static str, String)> {
    let publish = Says::Publish { digest: driven.digest() };
    let waive = Says::Waive { obligation: 1, why: "anna sits beside me".to_owned() };
    let words = [
        ("ack", Says::Acknowledge { how: "console".to_owned() }),
        ("update", Says::Update { text: "still looking".to_owned(), for_support: true }),
        ("draft", draft()),
        ("publish", publish),
        ("raise", severity(Severity::Sev1)),
        ("lower", severity(Severity::Sev3)),
        ("identified", Says::Status { status: Status::Identified }),
        ("escalate", Says::Escalate),
        ("waive", waive),
        ("resolve", Says::Resolve),
        ("liaison", take(Part::SupportLiaison, "sue")),
    ];
    let may = |who: &str, says: &Says| {
        let mut driven = driven.clone();
        let input = steadyhand::incident::Input::Person { by: person(who), says: says.clone() };
        !matches!(driven.hears(&input).refusal, Some(Refusal::Denied(_) | Refusal::NotFor(_)))
    };
    let who = ["dora", "lena", "rob", "anna", "ben"];
    words
        .iter()
        .map(|(word, says)| {
            let may: Vec<&str> = who.into_iter().filter(|who| may(who, says)).collect();
            (*word, may.join(" "))
        })
        .collect()
}

#[test]
fn words_that_end_or_publish_need_the_role_or_the_part_and_all_others_do_not() {
    let mut driven = an_incident(Severity::Sev2);
    driven.says("anna", take(Part::Commander, "anna"));
    driven.says("ben", take(Part::Communications, "ben"));
    let all = "dora lena rob anna ben";

    for (word, may) in table(&restrict(driven.clone(), "")) {
        assert_eq!(may, all, "without `incidents:` {word} is for everybody");
    }
    let expected = [
        ("ack", all),
        ("update", all),
        ("draft", "lena rob anna ben"),
        ("publish", "lena rob anna ben"),
        ("raise", all),
        ("lower", "rob anna"),
        ("identified", all),
        ("escalate", all),
        ("waive", "rob anna"),
        ("resolve", "rob anna"),
        ("liaison", all),
    ];
    let table_of = |driven: &Driven| {
        table(driven).into_iter().map(|(word, may)| format!("{word}: {may}")).collect::<Vec<_>>()
    };
    let expected: Vec<String> = expected.iter().map(|(word, may)| format!("{word}: {may}")).collect();
    assert_eq!(table_of(&restrict(driven.clone(), RIGHTS)), expected);

    // What is not named is for everybody.
    for (word, may) in table(&restrict(driven, "incidents: { waive: [sre] }\n")) {
        assert_eq!(may, if word == "waive" { "rob anna" } else { all }, "{word}");
    }
}

#[test]
fn to_close_it_the_role_is_needed_too_and_the_refusal_says_who_has_it() {
    let mut driven = an_incident(Severity::Sev2);
    driven.says("anna", Says::Resolve);
    let mut driven = restrict(driven, RIGHTS);

    let Refusal::Denied(Denial::NoRole { deed, needs, has, next }) = driven.refuses("dora", Says::Close)
    else {
        panic!("it is refused")
    };

    assert_eq!((deed, needs, has), ("Closing an incident", vec!["sre".to_owned()], vec!["dev".to_owned()]));
    assert_eq!(next, [person("rob")]);
    driven.says("rob", Says::Close);
}

#[test]
fn command_is_no_way_round_it() {
    // resolve is for sre; anna takes turns on call, chidi is whom on-call escalates to.
    for (who, may) in [
        ("dora", false),
        ("lena", false),
        ("sue", false),
        ("tom", false),
        ("rob", true),
        ("anna", true),
        ("ben", true),
        ("chidi", true),
    ] {
        for by in [who, "rob"] {
            let mut driven = restricted(RIGHTS);
            if may {
                driven.says(by, take(Part::Commander, who));
                continue;
            }
            let refusal = driven.refuses(by, take(Part::Commander, who));
            let Refusal::NotFor(not) = &refusal else { panic!("{refusal:?}") };
            assert_eq!(refusal.code(), "no-role");
            assert_eq!(not.person, person(who));
            assert_eq!(not.next, ["anna", "ben", "chidi", "rob"].map(person));
            assert!(driven.incident.parts.is_empty());
        }
    }
}

#[test]
fn command_is_for_those_who_are_called_for_it_where_resolving_is_for_all() {
    let mut driven = restricted("incidents: { publish: [comms] }\n");

    assert_eq!(driven.refuses("dora", take(Part::Commander, "dora")).code(), "no-role");
    driven.says("anna", take(Part::Commander, "anna"));
    driven.says("dora", Says::Resolve);
}

#[test]
fn who_speaks_to_customers_may_do_so_or_was_chosen_by_the_commander() {
    let mut driven = restricted(RIGHTS);
    let speaks = |who: &str| take(Part::Communications, who);

    assert_eq!(driven.refuses("dora", speaks("dora")).code(), "no-role");
    assert_eq!(driven.refuses("lena", speaks("dora")).code(), "no-role");
    driven.says("lena", speaks("lena"));
    driven.says("anna", take(Part::Commander, "anna"));
    driven.says("lena", speaks("rob"));
    driven.says("rob", speaks("anna"));
    driven.says("anna", speaks("dora"));

    driven.publishes("dora");
    assert_eq!(driven.refuses("dora", Says::Resolve).code(), "no-role");
    // Whoever lost the part has lost its words.
    driven.says("dora", speaks("rob"));
    assert_eq!(driven.refuses("dora", draft()).code(), "no-role");
}

#[test]
fn in_a_drill_everybody_who_takes_part_practises_every_word() {
    let opened =
        steadyhand::incident::model::Opened { drill: Some(vec![person("dora")]), ..opened(Severity::Sev2) };
    let mut driven = restrict(Driven::open(&opened, &[], TUESDAY, Some(usual())), RIGHTS);

    driven.says("dora", take(Part::Commander, "dora"));
    driven.says("dora", draft());
    driven.says("dora", Says::Resolve);
}

#[test]
fn a_role_that_nobody_can_look_up_is_no_yes() {
    let mut driven = restricted("incidents: { publish: [of-chat], resolve: [of-chat], waive: [of-chat] }\n");
    let file = FileName::new("policy.yaml");
    let text = POLICY.replace("roles:\n", "roles:\n  of-chat: { discord: [\"214600000000000777\"] }\n");
    let text = format!("{text}incidents: {{ publish: [of-chat], resolve: [of-chat] }}\n");
    let mut problems = Problems::default();
    let root = read_yaml(&file, &text, &mut problems).unwrap();
    driven.policy = read_policy(&file, &root, &mut problems);

    assert_eq!(driven.refuses("tom", draft()).code(), "role-unknown");
    assert_eq!(driven.refuses("tom", Says::Resolve).code(), "role-unknown");
    assert_eq!(driven.refuses("tom", take(Part::Commander, "tom")).code(), "role-unknown");
    driven.says("anna", take(Part::Commander, "anna"));
}
