//! What the guard costs: a command that changes something against one that only reads, turn by turn on one connection.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab::{Lab, Spec};
use steadyhand::plan::measure::ErrandBody;
use steadyhand::target::{Ending, Execution, Target as _};

use crate::Place;

const TURNS: usize = 300;
const PROMISED: Duration = Duration::from_millis(30);

pub(crate) fn compare() -> ExitCode {
    let lab = Lab::up(Spec::default().fast()).expect("a lab");
    let place = Place::places(&lab).remove(0);
    let client = place.client();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut reads, mut changes) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let body = ErrandBody::Run(vec!["true".to_owned()]);
        let read = Execution::probe(place.to.clone(), body.clone(), Duration::from_secs(20));
        let change = Execution { body, ..place.changes(&format!("cost-{turn}.1"), String::new()) };
        for (execution, times) in [(read, &mut reads), (change, &mut changes)] {
            let began = Instant::now();
            let report = runtime.block_on(client.execute(execution));
            assert_eq!(report.ending, Ending::Exited(0));
            times.push(began.elapsed());
        }
    }
    // The first makes the connection.
    reads.remove(0);
    let of = |times: &mut Vec<Duration>, percent: usize| {
        times.sort_unstable();
        times[times.len() * percent / 100]
    };
    let more = of(&mut changes, 50).saturating_sub(of(&mut reads, 50));
    for (what, times) in [("reads", &mut reads), ("changes", &mut changes)] {
        println!("{what:<8} p50 {:>6.1?}  p95 {:>6.1?}", of(times, 50), of(times, 95));
    }
    println!("the guard costs {more:.1?} at the median, and {PROMISED:?} are promised");
    if more <= PROMISED { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
