//! Nothing stays behind: not after a drop, not after the test process was killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lab::{Cleared, Lab, Spec, clear_leftovers};

use crate::a_lab;
use crate::coming_up::processes_naming;

#[test]
fn a_dropped_lab_leaves_no_process_and_no_directory() {
    let lab = a_lab();
    let (dir, block) = (lab.dir().to_owned(), lab.block());
    let shared_memory = shared_memory_of(&lab.host("pg3").data_dir());
    assert!(shared_memory_exists(&shared_memory));
    lab.host("pg1").freeze_host().unwrap();
    lab.host("pg2").cut_ssh().unwrap();
    lab.host("pg3").kill().unwrap();
    assert_ne!(processes_naming(&dir), Vec::<String>::new());

    drop(lab);

    assert!(!dir.exists());
    assert!(!std::env::temp_dir().join(format!("steadyhand-lab-{block}.lock")).exists());
    assert_eq!(processes_naming(&dir), Vec::<String>::new());
    assert!(!shared_memory_exists(&shared_memory), "not even that of the killed server");
}

#[test]
fn a_lab_whose_process_was_killed_is_cleared() {
    let (mut child, dir) = a_lab_in_another_process("127.211");
    let refused = Lab::up(Spec::default().block("127.211").unwrap()).unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", child.id())), "{refused}");
    assert!(!cleared_dirs().contains(&dir), "it lives");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(processes_naming(&dir), Vec::<String>::new(), "its hosts have survived it");

    let cleared = cleared_dirs();

    assert!(cleared.contains(&dir), "{cleared:?}");
    assert!(!dir.exists());
    assert_eq!(processes_naming(&dir), Vec::<String>::new());
}

#[test]
fn up_clears_a_dead_lab_that_stands_in_its_way() {
    let (mut child, dir) = a_lab_in_another_process("127.212");
    child.kill().unwrap();
    child.wait().unwrap();

    let lab = Lab::up(Spec::default().fast().block("127.212").unwrap()).unwrap();

    assert_eq!(lab.dir(), dir);
    assert_eq!(lab.primary().unwrap().name(), "pg1");
}

#[test]
fn a_kept_lab_outlives_its_handle_and_gc_leaves_it_alone() {
    let lab = Lab::up(Spec::default().fast().block("127.213").unwrap().kept()).unwrap();
    let dir = lab.dir().to_owned();

    drop(lab);

    assert!(!cleared_dirs().contains(&dir));
    let again = Lab::open(&dir).unwrap();
    assert_eq!(again.primary().unwrap().name(), "pg1");
    let taken = Lab::up(Spec::default().block("127.213").unwrap()).unwrap_err().to_string();
    assert!(taken.contains("`lab down` ends it"), "{taken}");
    again.down().unwrap();
    assert!(!dir.exists());
}

/// Not a test: what the other process does until it is killed.
#[test]
#[ignore = "a part of other tests"]
fn the_other_process() {
    let Ok(block) = std::env::var("LAB_OF_THE_OTHER_PROCESS") else { return };
    let lab = Lab::up(Spec::default().fast().block(&block).unwrap()).unwrap();
    println!("up in {}", lab.dir().display());
    loop {
        std::thread::park();
    }
}

fn a_lab_in_another_process(block: &str) -> (Child, PathBuf) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["leftovers::the_other_process", "--exact", "--ignored", "--nocapture"])
        .env("LAB_OF_THE_OTHER_PROCESS", block)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let dir =
        lines.find_map(|line| line.unwrap().split_once("up in ").map(|(_, dir)| PathBuf::from(dir))).unwrap();
    (child, dir)
}

fn cleared_dirs() -> Vec<PathBuf> {
    let cleared = clear_leftovers().unwrap();
    cleared
        .into_iter()
        .filter_map(|c| if let Cleared::Removed(_, dir) = c { Some(dir) } else { None })
        .collect()
}

/// Key and number of the System V segment, as postmaster.pid gives them.
fn shared_memory_of(data_dir: &Path) -> (String, String) {
    let text = fs::read_to_string(data_dir.join("postmaster.pid")).unwrap();
    let mut numbers = text.lines().nth(6).unwrap().split_ascii_whitespace().map(str::to_owned);
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn shared_memory_exists((key, id): &(String, String)) -> bool {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    table.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace();
        fields.next() == Some(key) && fields.next() == Some(id)
    })
}
