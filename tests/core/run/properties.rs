//! Whatever a run hears, in whatever order: the rules of `held` hold, and there is a way on.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::moves::{a_history, play};
use super::reached::{self, EVERYTHING};

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_keeps_its_rules_whatever_it_hears((plan, moves) in a_history()) {
        play(&plan, &moves, |_| {});
    }

    #[test]
    fn a_run_has_a_way_to_its_end_from_wherever_it_stands((plan, moves) in a_history()) {
        let mut run = play(&plan, &moves, |_| {});

        let end = run.goes_well();

        prop_assert!(end.is_ok(), "{}", end.unwrap_err());
    }
}

#[test]
fn the_histories_reach_everything_that_there_is() {
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeSet::new();
    let histories = a_history();

    for _ in 0..700 {
        let (plan, moves) = histories.new_tree(&mut runner).expect("a history").current();
        let driven = play(&plan, &moves, |driven| reached::note(&driven.run, &mut found));
        found.extend(driven.log.iter().map(|stamped| reached::name(&stamped.event)));
    }

    let missing: Vec<_> = EVERYTHING.iter().filter(|name| !found.contains(*name)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
