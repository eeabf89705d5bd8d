//! A small world, and what is answered in it.

use super::*;
use crate::runbook::expression::parse::parse;
use crate::runbook::source::place::{FileName, Place, Span};
use crate::runbook::source::problem::Problems;

/// A small world: pg1 is primary, pg2 follows it, pg3 is silent; `one` asks one host.
struct World {
    values: BTreeMap<String, Value>,
    lets: BTreeMap<String, Expr>,
    measurements: BTreeMap<String, Option<Vec<HostName>>>,
    records: Records,
    facts: Facts,
}

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn expr(source: &str) -> Expr {
    let place = Place { file: FileName::new("x"), span: Span::on_line(1, 1, 1) };
    let mut problems = Problems::default();
    let expr = parse(source, &place, &mut problems);
    assert_eq!(problems.count(), 0, "{source}");
    expr
}

fn world() -> World {
    let hosts = ["pg1", "pg2", "pg3"].map(host);
    let mut world = World {
        values: BTreeMap::from([
            ("a".into(), Value::Host(host("pg1"))),
            ("b".into(), Value::Host(host("pg2"))),
            ("hs".into(), Value::List(hosts.iter().cloned().map(Value::Host).collect())),
            ("mode".into(), Value::Text("dead".into())),
        ]),
        lets: BTreeMap::from([("lag".into(), expr("node[a].position - node[b].position"))]),
        measurements: BTreeMap::from([("node".into(), Some(hosts.to_vec())), ("one".into(), None)]),
        records: Records::default(),
        facts: Facts::default(),
    };
    world
        .records
        .hosts
        .insert(host("pg1"), BTreeMap::from([("address".into(), Value::Text("127.0.0.1".into()))]));
    world.says("pg1", 500, Value::None);
    world.says("pg2", 100, Value::Host(host("pg1")));
    let silent = Ask { measurement: "node".into(), host: Some(host("pg3")) };
    world.facts.0.insert(silent, Err(NoAnswer("pg3 did not answer in 5 s".into())));
    world
}

impl World {
    fn says(&mut self, name: &str, position: i64, upstream: Value) {
        let ask = Ask { measurement: "node".into(), host: Some(host(name)) };
        let results =
            BTreeMap::from([("position".into(), Value::Size(Size(position))), ("upstream".into(), upstream)]);
        self.facts.0.insert(ask, Ok(results));
    }

    fn meaning(&self) -> Meaning<'_> {
        let World { values, lets, measurements, records, facts } = self;
        Meaning { values, lets, measurements, records, facts }
    }

    fn answer(&self, source: &str) -> Result<String, String> {
        self.meaning().evaluate(&expr(source)).answer.map(|v| v.human()).map_err(|n| n.0)
    }
}

#[test]
fn what_is_known_is_answered() {
    let world = world();

    assert_eq!(world.answer("node[b].position <= 100 * 1KiB"), Ok("true".into()));
    assert_eq!(world.answer("lag"), Ok("400 bytes".into()));
    assert_eq!(world.answer("lag * 2 > 500 * 1KiB || mode in ['dead', 'planned']"), Ok("true".into()));
    assert_eq!(world.answer("a.address"), Ok("127.0.0.1".into()));
    assert_eq!(world.answer("count(without(hs, a))"), Ok("2".into()));
    assert_eq!(world.answer("hs.filter(h, h != a).map(h, h)"), Ok("pg2 pg3".into()));
    assert_eq!(world.answer("count(distinct(hs + [a]))"), Ok("3".into()));
    assert_eq!(world.answer("7 / 2"), Ok("3.5".into()));
    assert_eq!(world.answer("mode == 'dead' ? 1h : 2s"), Ok("1 h".into()));
}

#[test]
fn a_question_that_cannot_be_answered_does_not_hold() {
    let world = world();

    assert_eq!(world.answer("node[b].position < 1KiB && one.x == 1"), Err("one.x was not measured".into()));
    assert_eq!(world.answer("hs.all(h, node[h].position >= 0KiB)"), Err("pg3 did not answer in 5 s".into()));
    assert_eq!(world.answer("1 / 0 > 1"), Err("a division by zero, or a number that is too large".into()));
    assert_eq!(world.answer("9223372036854775807 + 1"), Err("a number is too large".into()));
    assert!(world.answer("node[b].upstream.address == 'x'").is_ok());
    assert!(world.answer("node[a].upstream.address == 'x'").is_err(), "the primary follows nobody");
}

#[test]
fn the_side_that_decides_wins_over_silence() {
    let world = world();

    assert_eq!(world.answer("one.x == 1 || mode == 'dead'"), Ok("true".into()));
    assert_eq!(world.answer("one.x == 1 && mode == 'planned'"), Ok("false".into()));
    assert_eq!(world.answer("hs.exists(h, node[h].position == 100 * 1KiB / 1024)"), Ok("true".into()));
    assert_eq!(world.answer("hs.all(h, node[h].position == 500 * 1KiB / 1024)"), Ok("false".into()));
    assert_eq!(world.answer("node[hs.filter(h, h == b).all(h, true) ? b : a].answered"), Ok("true".into()));
    assert_eq!(world.answer("node[b].answered == false"), Ok("false".into()));
    assert_eq!(world.answer("one.answered"), Ok("false".into()));
}

#[test]
fn a_walk_ends_at_the_root_and_never_in_a_circle() {
    let mut world = world();
    assert_eq!(world.answer("follows(node, b, a)"), Ok("true".into()));
    assert_eq!(world.answer("follows(node, a, b)"), Ok("false".into()));
    assert_eq!(world.answer("root_of(node, b)"), Ok("pg1".into()));

    world.says("pg1", 500, Value::Host(host("pg2")));

    let circle = "they follow each other in a circle: pg2 -> pg1 -> pg2";
    assert_eq!(world.answer("root_of(node, b)"), Err(circle.into()));
    assert_eq!(world.answer("follows(node, b, a)"), Ok("true".into()), "b does follow a, whatever a follows");
}

#[test]
fn only_what_is_needed_is_asked() {
    let world = world();
    let wanted = |source: &str| {
        let asks = world.meaning().wanted(&expr(source));
        let shown = asks.into_iter().map(|ask| match ask.host {
            Some(host) => format!("{}[{host}]", ask.measurement),
            None => ask.measurement,
        });
        shown.collect::<Vec<_>>().join(" ")
    };

    assert_eq!(wanted("node[b].position > 1KiB"), "node[pg2]");
    assert_eq!(wanted("lag < 1KiB"), "node[pg1] node[pg2]");
    assert_eq!(wanted("one.x || node[b].answered"), "node[pg2] one");
    assert_eq!(wanted("mode == 'dead' || one.x"), "", "what decides without measuring spares the question");
    assert_eq!(wanted("one.x && mode == 'planned'"), "");
    assert_eq!(wanted("mode == 'planned' ? one.x : node[b].answered"), "node[pg2]");
    assert_eq!(wanted("without(hs, a).all(h, node[h].answered)"), "node[pg2] node[pg3]");
    assert_eq!(wanted("follows(node, b, a)"), "node[pg1] node[pg2] node[pg3]");
    assert_eq!(wanted("node[root_of(node, b)].answered"), "node[pg1] node[pg2] node[pg3]");
}

#[test]
fn what_was_read_is_kept_as_evidence() {
    let world = world();

    let read = world.meaning().evaluate(&expr("node[a].position - node[b].position < 1KiB")).read;

    let shown: Vec<_> =
        read.iter().map(|(name, v)| format!("{name}={}", v.as_ref().unwrap().human())).collect();
    assert_eq!(shown, ["node[pg1].position=500 bytes", "node[pg2].position=100 bytes"]);
}
