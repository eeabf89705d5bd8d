//! The page behind the link of a notice: looking at it says nothing, a press says that the person knows.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan as _};
use steadyhand::engine::Engine;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::incidents::Begin;
use steadyhand::incident::model::Severity;
use steadyhand::incident::{IncidentId, Says};
use steadyhand::notify::link::Links;
use steadyhand::runbook::source::name::Person;
use steadyhand::serve::answers::Answers;
use steadyhand::target::Target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::{Hosts, Scene, Served, folder, own_files, zone};

const KEY: [u8; 32] = [7; 32];
const OPENED: &str = "2026-11-18T03:09:00+01:00";

/// A service with one incident, which ana opened.
struct Serving {
    engine: Engine,
    clock: Clock,
    at: std::net::SocketAddr,
    _place: tempfile::TempDir,
}

impl Serving {
    async fn ready() -> Self {
        let place = folder();
        let folders = own_files(place.path());
        let clock = Clock::moved(OPENED.parse().unwrap());
        let Served { service, at, journal, library } = Served::from(place.path(), folders, &clock).await;
        let early = asked(at, "GET", "/answer/whatever").await;
        assert!(early.starts_with("HTTP/1.1 503 "), "nobody can record an answer yet: {early}");

        let target = Arc::new(Hosts::new(clock.clone())) as Arc<dyn Target>;
        let engine = Engine::start(journal, library, target, clock.clone(), Dice::seeded(1), zone());
        let engine = engine.await.unwrap();
        service.takes_answers(Answers::new(Links::new("", KEY), zone()));
        service.is_ready(&engine);
        let begin = Begin {
            severity: Severity::Sev1,
            service: Some("orders".to_owned()),
            what: "placing an order hangs on pg1".to_owned(),
            drill: None,
        };
        engine.incidents().begin(&Scene::speaker("ana"), begin).await.unwrap();
        Self { engine, clock, at, _place: place }
    }

    async fn get(&self, path: &str) -> String {
        asked(self.at, "GET", path).await
    }

    async fn post(&self, path: &str) -> String {
        asked(self.at, "POST", path).await
    }

    fn known_by(&self) -> Vec<String> {
        let incident = self.engine.incidents().get(IncidentId(1)).unwrap().unwrap();
        incident.known_by.keys().map(ToString::to_string).collect()
    }
}

/// The link of a notice to a person, sent at this time.
fn link(person: &str, at: Timestamp) -> String {
    Links::new("", KEY).mint(IncidentId(1), &Person::new(person).unwrap(), 1, at)
}

async fn asked(at: std::net::SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let line = format!("{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(line.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_press_counts_and_it_may_be_repeated() {
    let serving = Serving::ready().await;
    let path = link("sue", serving.clock.now());

    // A program that looks for harm in mails opens the link, and so does sue.
    for _ in 0..2 {
        let page = serving.get(&path).await;
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        assert!(
            page.contains("inc-1 · sev1 · Order processing") && page.contains("<form method=\"post\">"),
            "{page}"
        );
        assert!(!page.contains("pg1"), "no operator's word stands there: {page}");
        assert!(page.contains("cache-control: no-store") && page.contains("default-src 'none'"), "{page}");
    }
    assert_eq!(serving.known_by(), Vec::<String>::new());

    let said = serving.post(&path).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("Recorded: sue knows of it"), "{said}");
    assert_eq!(serving.known_by(), ["sue"]);

    let again = serving.post(&path).await;
    assert!(again.starts_with("HTTP/1.1 200 ") && again.contains("sue said so already"), "{again}");
    let entries = serving.engine.view().newest_of_kind("incident-acknowledged", 10).unwrap();
    assert_eq!(entries.len(), 1, "it is recorded once");
    assert_eq!(entries[0].actor.as_ref().unwrap().account, "link");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_after_the_end_says_that_nothing_was_recorded() {
    let serving = Serving::ready().await;
    let path = link("sue", serving.clock.now());
    let ana = Scene::speaker("ana");
    for says in [Says::Resolve, Says::Close] {
        serving.engine.incidents().say(&ana, IncidentId(1), says).await.unwrap();
    }

    let late = serving.post(&path).await;

    assert!(late.contains("It is closed") && late.contains("nothing was recorded"), "{late}");
    assert!(!late.contains("Recorded:"), "{late}");
    assert_eq!(serving.known_by(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_no_good_says_what_to_do_and_records_nothing() {
    let serving = Serving::ready().await;
    let now = serving.clock.now();
    let good = link("sue", now);
    let old = link("sue", now.checked_sub((8 * 24).hours()).unwrap());
    let stranger = link("nobody", now);
    let other = Links::new("", [8; 32]).mint(IncidentId(1), &Person::new("sue").unwrap(), 1, now);
    let none = Links::new("", KEY).mint(IncidentId(99), &Person::new("sue").unwrap(), 1, now);

    for (path, status, says) in [
        (old, "410", "This link is too old"),
        (stranger, "403", "does not let nobody answer"),
        (other, "404", "This link does not work"),
        (none, "404", "This link does not work"),
        (good[..good.len() - 1].to_owned(), "404", "This link does not work"),
        (format!("/answer/{}", "A".repeat(5_000)), "404", "This link does not work"),
    ] {
        let answer = serving.post(&path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains(says) && answer.contains("incident ack inc-31"), "{path}: {answer}");
        assert!(!answer.contains("<form"), "{answer}");
    }
    assert_eq!(serving.known_by(), Vec::<String>::new());
    // No other way to ask changes anything.
    let put = asked(serving.at, "PUT", &good).await;
    assert!(put.starts_with("HTTP/1.1 405 "), "{put}");
}
