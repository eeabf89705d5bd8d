//! Two people, one journal: they take turns, as the handbook says.

use lab::{Lab, Spec};

use crate::chat::{self, BROKE, DONE};

const ASK: &str =
    r#"run failover-database cluster=orders candidate=pg2 mode=planned reason="two people in turn""#;
const NO_BOT: &str = "No bot runs";

#[test]
fn one_asks_and_leaves_and_the_other_approves_from_a_shell() {
    let lab = Lab::up(Spec::default().fast()).unwrap();
    let asked = chat::types(&lab, [ASK, "next"]);
    let approve = asked.next();
    let approve: Vec<&str> = ["--as", "ben"].into_iter().chain(approve.split(' ')).collect();

    for look in [&["status"][..], &["status", "1"]] {
        let (code, said) = chat::from_a_shell(&lab, look);
        assert!(code == DONE && said.contains(NO_BOT), "{look:?}: {code} {said}");
    }

    // While somebody has the console open, others look, and do nothing.
    let mut open = chat::open(&lab.bot_dir().join("steadyhand.toml"));
    while chat::from_a_shell(&lab, &["status"]).1.contains(NO_BOT) {
        assert!(open.child.try_wait().unwrap().is_none(), "{}", open.so_far());
    }
    assert_eq!(chat::from_a_shell(&lab, &approve).0, BROKE);
    drop(open.child.stdin.take());
    open.ended();

    let (code, said) = chat::from_a_shell(&lab, &approve);
    assert!(code == DONE && said.contains("+ succeeded  run 1"), "{code} {said}");
    let primaries: Vec<_> = lab.primaries().iter().map(lab::Host::name).collect();
    assert_eq!(primaries, ["pg2"]);
}
