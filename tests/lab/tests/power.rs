//! Killed databases, and hosts that are switched off and on from another host.

use std::thread;
use std::time::Duration;

use lab::{Lab, Reach};

use crate::{a_lab, eventually, followers, has, insert};

const A_MOMENT: Duration = Duration::from_millis(500);

#[test]
fn hosts_are_killed_and_switched_and_come_back() {
    let lab = a_lab();

    a_killed_database_refuses_and_starts_again(&lab);
    a_host_can_come_back_without_its_database(&lab);
    machine_power_refuses_what_makes_no_sense(&lab);
    script_and_library_agree_whose_a_process_is(&lab);
    the_power_host_switches_off_a_frozen_host(&lab);
    a_machine_without_listeners_is_still_on(&lab);
}

fn a_killed_database_refuses_and_starts_again(lab: &Lab) {
    let pg1 = lab.host("pg1");
    let row = insert(&pg1).unwrap();

    pg1.kill().unwrap();

    assert_eq!(pg1.database_reach(A_MOMENT), Reach::Down);
    assert!(pg1.ssh("true").unwrap().ok(), "the host itself is alive");
    assert_eq!(
        pg1.ssh("machine-power status pg1").unwrap().status,
        Some(127),
        "only the power host has that"
    );

    pg1.start_database().unwrap();

    assert!(has(&pg1, row));
    eventually("pg2 pg3".to_owned(), || followers(&pg1));
}

fn the_power_host_switches_off_a_frozen_host(lab: &Lab) {
    let (pg1, power) = (lab.host("pg1"), lab.host("power1"));
    let row = insert(&pg1).unwrap();
    let session = thread::spawn({
        let pg1 = pg1.clone();
        // A command that leaves its session and its environment is switched off with the rest.
        move || pg1.ssh("setsid env -i sleep 1000 & sleep 1000")
    });
    eventually(true, || {
        pg1.ssh("pgrep -xc sleep").is_ok_and(|a| a.out.trim().parse::<u32>().is_ok_and(|n| n >= 2))
    });
    pg1.freeze_host().unwrap();
    assert_eq!(power.ssh("machine-power status pg1").unwrap().out, "on\n");

    let off = power.ssh("machine-power off --wait pg1").unwrap();

    assert_eq!((off.status, off.out.as_str(), off.err.as_str()), (Some(0), "", ""));
    assert_eq!(pg1.process_count(), 0);
    assert_eq!(power.ssh("machine-power status pg1").unwrap().out, "off\n");
    assert_eq!(power.ssh("machine-power status pg2").unwrap().out, "on\n");
    assert_eq!((pg1.ssh_reach(A_MOMENT), pg1.database_reach(A_MOMENT)), (Reach::Down, Reach::Down));
    assert_eq!(session.join().unwrap().unwrap().status, Some(255));
    assert!(lab.host("pg2").process_count() >= 5, "the others are untouched");
    assert!(pg1.start_database().unwrap_err().to_string().contains("switched off"));

    let on = power.ssh("machine-power on pg1").unwrap();

    assert_eq!((on.status, on.err.as_str()), (Some(0), ""));
    assert!(pg1.ssh("true").unwrap().ok());
    assert!(has(&pg1, row));
    eventually("pg2 pg3".to_owned(), || followers(&pg1));
}

fn a_host_can_come_back_without_its_database(lab: &Lab) {
    let pg2 = lab.host("pg2");

    pg2.power_off().unwrap();
    assert!(!pg2.is_on());
    pg2.power_on_without_database().unwrap();

    assert!(pg2.is_on());
    assert!(pg2.ssh("true").unwrap().ok());
    assert_eq!(pg2.database_reach(A_MOMENT), Reach::Down);
    pg2.start_database().unwrap();
    eventually("pg2 pg3".to_owned(), || followers(&lab.host("pg1")));
}

fn a_machine_without_listeners_is_still_on(lab: &Lab) {
    let pg4 = lab.host("pg4");

    pg4.refuse_ssh().unwrap();

    assert_eq!(pg4.process_count(), 0);
    assert!(pg4.is_on(), "a crashed sshd is no power cut");
}

fn machine_power_refuses_what_makes_no_sense(lab: &Lab) {
    let power = lab.host("power1");

    let itself = power.ssh("machine-power off --wait power1").unwrap();
    let nobody = power.ssh("machine-power off pg9").unwrap();
    let outside = power.ssh("machine-power off ../h/pg1").unwrap();
    let nothing = power.ssh("machine-power").unwrap();

    assert_eq!((itself.status, itself.err.as_str()), (Some(3), "power1 cannot switch itself off\n"));
    assert_eq!((nobody.status, nobody.err.as_str()), (Some(3), "there is no machine pg9 here\n"));
    assert_eq!(outside.status, Some(2));
    assert_eq!(nothing.status, Some(2));
    assert!(nothing.err.contains("machine-power off [--wait] NAME"), "{}", nothing.err);
    assert_eq!(lab.primary().unwrap().name(), "pg1");
}

fn script_and_library_agree_whose_a_process_is(lab: &Lab) {
    let pg1 = lab.host("pg1");
    let session = thread::spawn({
        let pg1 = pg1.clone();
        move || pg1.ssh("env -i sleep 1001; true")
    });
    eventually(true, || pg1.ssh("pgrep -f 'sleep 1001'").unwrap().ok());

    // PostgreSQL starts and ends workers as it likes, so look until both saw the same moment.
    eventually(true, || {
        let (script, library) = (pg1.processes_by_script().unwrap(), pg1.processes_by_library());
        // sshd (3 for the session), PostgreSQL, sh, sleep
        script.len() > 8 && script == library
    });

    pg1.kill_ssh_sessions().unwrap();
    assert_eq!(session.join().unwrap().unwrap().status, Some(255));
}
