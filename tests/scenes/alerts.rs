//! The door for alerts, over HTTP: who may post, what is taken, and what is answered before and after it is durable.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use steadyhand::engine::Engine;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::incident::IncidentId;
use steadyhand::incident::report::KIND;
use steadyhand::secrets::Secrets;
use steadyhand::secrets::reference::Reference;
use steadyhand::serve::Service;
use steadyhand::serve::alerts::{Alerts, MAX_BYTES};
use steadyhand::target::Target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::journal::{FULL, ROOM};
use crate::stage::{Hosts, Served, folder, own_files, zone};

const TOKEN: &str = "Zx81-very-secret";

const NOTIFY: &str = "notify: orders
paths: {}
people: {}
";
const DOOR: &str = "reports: { alerts: alerts_key }\n";

/// Whatever is waited for comes within this time, also on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Door {
    engine: Engine,
    service: Service,
    at: std::net::SocketAddr,
    clock: Clock,
    place: tempfile::TempDir,
}

impl Door {
    async fn with(notify: &str) -> Self {
        let place = folder();
        let folders = own_files(place.path());
        std::fs::write(folders.runbooks.join("notify.yaml"), notify).unwrap();
        let policy = folders.runbooks.join("policy.yaml");
        let text = std::fs::read_to_string(&policy).unwrap();
        std::fs::write(&policy, format!("{text}\nsecrets: {{ alerts_key: [notify.yaml] }}\n")).unwrap();
        let clock = Clock::moved("2026-11-18T03:09:00+01:00".parse().unwrap());
        let Served { service, at, journal, library } = Served::from(place.path(), folders, &clock).await;
        let metrics = service.metrics.clone();
        let follows = journal.clone();
        tokio::spawn(async move { metrics.follow(&follows, 0).await });

        let key = token_is(place.path(), TOKEN);
        let reference = Reference::parse(&format!("file:{}", key.display()), place.path()).unwrap();
        let secrets = Secrets::new(BTreeMap::from([("alerts_key".to_owned(), reference)]), |_| None);
        service.takes_alerts(Alerts::new(Arc::new(secrets)));
        let target = Arc::new(Hosts::new(clock.clone())) as Arc<dyn Target>;
        let dice = Dice::seeded(1);
        let engine = Engine::start(journal, library, target, clock.clone(), dice, zone()).await.unwrap();
        Self { engine, service, at, clock, place }
    }

    async fn open() -> Self {
        let door = Self::with(&format!("{NOTIFY}{DOOR}")).await;
        door.service.is_ready(&door.engine);
        door
    }

    /// Posts this, and what is answered: the status, and the text behind the head.
    async fn posted(&self, headers: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        let head =
            format!("POST /alerts HTTP/1.1\r\nHost: here\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever is turned away is not listened to any more.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), text.trim().to_owned())
    }

    async fn posts(&self, body: &Value) -> (u16, String) {
        self.posted(&token(TOKEN), body.to_string().as_bytes()).await
    }

    fn recorded(&self) -> usize {
        self.engine.view().newest_of_kind(KIND, 100).unwrap().len()
    }

    /// The keeper has heard all that was written.
    async fn heard(&self) {
        let heard = async {
            while self.engine.incidents().heard() < self.engine.view().last().unwrap() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("the keeper hears all that was written");
    }

    /// Whether the figures say so: whoever counts follows the journal, and is a moment behind it.
    async fn figure(&self, line: &str) -> bool {
        let said = async {
            while !self.service.figures().await.lines().any(|said| said == line) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, said).await.is_ok()
    }
}

/// The secret is this from now on. Gives where it stands.
fn token_is(place: &Path, token: &str) -> PathBuf {
    let key = place.join("key");
    std::fs::write(&key, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    key
}

fn token(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn alert(nth: usize, service: &str) -> Value {
    json!({
        "status": "firing", "fingerprint": format!("a{nth}"), "startsAt": "2026-11-18T02:00:00Z",
        "labels": { "alertname": "HighLatency", "service": service, "severity": "warning" },
        "annotations": { "summary": "p99 is 4 s" },
    })
}

fn post(alerts: &[Value]) -> Value {
    json!({ "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "alerts": alerts })
}

#[tokio::test]
async fn what_was_answered_with_200_is_in_the_journal_and_makes_an_incident() {
    let door = Door::open().await;
    let three = [alert(1, "orders"), alert(2, "orders"), alert(3, "orders")];

    let answer = door.posts(&post(&three)).await;

    assert_eq!(answer, (200, "{\"alerts\":3,\"new\":3}".to_owned()));
    assert_eq!(door.recorded(), 3);
    door.heard().await;
    let incident = door.engine.incidents().get(IncidentId(1)).unwrap().expect("it is opened");
    assert_eq!(incident.reports.len(), 3);
    assert_eq!(door.posts(&post(&three)).await, (200, "{\"alerts\":3,\"new\":0}".to_owned()));
    assert_eq!(door.recorded(), 3, "a repeat adds none");
    assert!(door.figure("steadyhand_reports_total{source=\"alert\"} 3").await);
    assert!(door.figure("steadyhand_alert_posts_total{result=\"taken\"} 2").await);
}

#[tokio::test]
async fn alerts_that_name_nothing_known_count_too() {
    let door = Door::open().await;
    let half =
        [alert(1, "orders"), alert(2, "nginx"), alert(3, "nginx"), alert(4, "cache"), alert(5, "orders")];

    assert_eq!(door.posts(&post(&half)).await.0, 200);

    door.heard().await;
    let open = door.engine.incidents().open();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].opened.service.as_ref(), open[0].reports.len()), (None, 3));
}

#[tokio::test]
async fn without_the_token_nothing_is_taken_and_that_is_counted() {
    let door = Door::open().await;
    let body = post(&[alert(1, "orders")]).to_string();

    for headers in [
        String::new(),
        token(""),
        token("wrong"),
        token(&format!("{TOKEN}x")),
        token(&TOKEN[..TOKEN.len() - 1]),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Authorization: {TOKEN}\r\n"),
    ] {
        let (status, says) = door.posted(&headers, body.as_bytes()).await;
        assert_eq!(status, 401, "{headers}");
        assert!(says.contains("does not show the token") && !says.contains(TOKEN), "{says}");
    }

    assert_eq!(door.recorded(), 0);
    assert!(door.figure("steadyhand_alert_posts_total{result=\"refused\"} 7").await);
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_tried_seldom_and_nobody_outside_is_told_where_it_lies() {
    let door = Door::open().await;
    let body = post(&[alert(1, "orders")]).to_string();
    let (key, away) = (door.place.path().join("key"), door.place.path().join("away"));
    std::fs::rename(&key, &away).unwrap();

    let (status, says) = door.posted(&token("whatever"), body.as_bytes()).await;

    assert_eq!(status, 503, "{says}");
    assert!(says.contains("cannot be read") && says.contains("doctor"), "{says}");
    for secret in ["alerts_key", "file:", door.place.path().to_str().unwrap()] {
        assert!(!says.contains(secret), "{says}");
    }
    std::fs::rename(&away, &key).unwrap();
    assert_eq!(door.posted(&token(TOKEN), body.as_bytes()).await.0, 503, "it was tried just now");
    door.engine.clock().advance(Duration::from_secs(11));
    assert_eq!(door.posted(&token(TOKEN), body.as_bytes()).await.0, 200);
}

#[tokio::test]
async fn a_new_token_counts_after_ten_seconds_and_the_old_one_for_a_minute_at_most() {
    const NEW: &str = "Qn07-another-secret";
    let door = Door::open().await;
    let body = post(&[alert(1, "orders")]).to_string();
    let shows = async |says: &str| door.posted(&token(says), body.as_bytes()).await.0;
    assert_eq!(shows(TOKEN).await, 200);

    token_is(door.place.path(), NEW);

    door.clock.advance(Duration::from_secs(9));
    assert_eq!((shows(NEW).await, shows(TOKEN).await), (401, 200));
    door.clock.advance(Duration::from_secs(1));
    assert_eq!((shows(NEW).await, shows(TOKEN).await), (200, 401), "the new one, and with it no other");

    // Nobody shows the next one yet.
    token_is(door.place.path(), TOKEN);
    door.clock.advance(Duration::from_secs(59));
    assert_eq!(shows(NEW).await, 200);
    door.clock.advance(Duration::from_secs(1));
    assert_eq!(shows(NEW).await, 401);
}

#[tokio::test]
async fn a_door_that_no_file_opens_is_closed() {
    let door = Door::with(NOTIFY).await;
    let body = post(&[alert(1, "orders")]);
    assert_eq!(door.posts(&body).await.0, 503, "it starts");
    door.service.is_ready(&door.engine);

    assert_eq!(door.posts(&body).await.0, 404);
    assert_eq!(door.recorded(), 0);

    let mut stream = TcpStream::connect(door.at).await.unwrap();
    stream.write_all(b"GET /alerts HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[tokio::test]
async fn what_is_too_large_too_deep_or_no_post_is_turned_away_and_nothing_of_it_stays() {
    let door = Door::open().await;
    let deep = format!("{{\"alerts\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let large = vec![b' '; 50 * 1024 * 1024];
    let little_too_large = vec![b' '; MAX_BYTES + 1];

    for (body, status) in [
        (deep.as_bytes(), 400),
        (large.as_slice(), 413),
        (little_too_large.as_slice(), 413),
        (b"{\"version\":\"3\",\"alerts\":[]}", 400),
        (b"alerts", 400),
    ] {
        let headers = token(TOKEN);
        assert_eq!(door.posted(&headers, body).await.0, status, "{} bytes", body.len());
    }
    // One that does not say how long it is.
    let mut stream = TcpStream::connect(door.at).await.unwrap();
    let head =
        format!("POST /alerts HTTP/1.1\r\nHost: here\r\n{}Transfer-Encoding: chunked\r\n\r\n", token(TOKEN));
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..17 {
        let _ = stream.write_all(chunk.as_bytes()).await;
    }
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");

    assert_eq!(door.recorded(), 0);
    assert!(door.figure("steadyhand_alert_posts_total{result=\"malformed\"} 6").await);
    assert_eq!(door.posts(&post(&[alert(1, "orders")])).await.0, 200, "the next one is taken");
}

#[tokio::test]
async fn while_the_journal_takes_nothing_it_is_to_be_tried_again() {
    let door = Door::open().await;
    let raw = rusqlite::Connection::open(door.place.path().join("bot.db")).unwrap();
    raw.execute_batch(FULL).unwrap();
    let body = post(&[alert(1, "orders")]);

    let (status, says) = door.posts(&body).await;

    assert_eq!(status, 503, "{says}");
    assert!(door.figure("steadyhand_alert_posts_total{result=\"unavailable\"} 1").await);
    raw.execute_batch(ROOM).unwrap();
    assert_eq!(
        door.posts(&body).await,
        (200, "{\"alerts\":1,\"new\":1}".to_owned()),
        "nothing was forgotten"
    );
}
