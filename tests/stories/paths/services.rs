//! Webhooks, Slack, `PagerDuty`, the watcher: each with every fault, and what is special about each.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peers::{Deaf, Fault, Peer};
use steadyhand::duty::model::Carrier;
use steadyhand::incident::input::Answer;
use steadyhand::incident::model::Severity;
use steadyhand::notify::{DiscordRoom, Kind, Letter};
use steadyhand::runbook::source::literal::Millis;
use steadyhand::target::Later;

use super::{Bot, is, now, page, path};

const SIREN_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEXT_SIREN_KEY: &str = "whsec_c3RlYWR5aGFuZHN0ZWFkeWhhbmRzdGVhZHlo";
const ROUTING_KEY: &str = "R0UTINGKEY0123456789abcdefghijkl";

fn webhook(url: &str) -> Carrier {
    path(&format!(r#"kind: webhook, url: "{url}", secret: siren_key"#))
}

fn slack() -> Carrier {
    path("kind: slack, url: slack_url")
}

fn pagerduty(url: &str) -> Carrier {
    path(&format!(r#"kind: pagerduty, routing_key: pager_key, url: "{url}""#))
}

/// A bot that knows all secrets, the address of Slack among them.
fn bot(slack_url: &str) -> Bot {
    Bot::with(&secrets(slack_url))
}

/// The same, which does not wait long.
fn hasty(slack_url: &str) -> Bot {
    Bot::hasty(&secrets(slack_url))
}

fn secrets(slack_url: &str) -> [(&str, &str); 4] {
    [
        ("siren_key", SIREN_KEY),
        ("pager_key", ROUTING_KEY),
        ("slack_url", slack_url),
        ("watcher_url", slack_url),
    ]
}

/// Each service, and the path to it.
fn all() -> Vec<(&'static str, Peer, Bot, Carrier)> {
    let (siren, chat, pager) = (Peer::webhook(SIREN_KEY), Peer::slack(), Peer::pagerduty(ROUTING_KEY));
    let paths = [webhook(&siren.url()), slack(), pagerduty(&pager.url())];
    let bots = [bot(&siren.url()), bot(&chat.url()), bot(&pager.url())];
    let named = ["webhook", "slack", "pagerduty"].into_iter().zip([siren, chat, pager]);
    named.zip(bots).zip(paths).map(|(((name, peer), bot), path)| (name, peer, bot, path)).collect()
}

#[tokio::test]
async fn every_fault_of_a_service_is_for_now_for_ever_or_unknown() {
    let elsewhere = Peer::webhook(SIREN_KEY);
    let faults = [
        (Fault::status(400), "never", "400"),
        (Fault::status(403), "never", "403"),
        (Fault::status(404), "never", "404"),
        (Fault::status(410), "never", "gone for good"),
        (Fault::status(429).after(7), "not now", "429"),
        (Fault::status(500), "not now", "fault 500"),
        (Fault::status(503).after(7), "not now", "503"),
        (Fault::Redirect(elsewhere.url()), "never", "leads elsewhere (307)"),
        (Fault::TakenThenCut, "unknown", "broke before there was an answer"),
        (Fault::Silence, "unknown", "no answer within 1.5 s"),
        (Fault::Slow(Duration::from_millis(50)), "accepted", ""),
    ];
    for (name, peer, bot, path) in all() {
        for (fault, kind, words) in &faults {
            peer.next(fault.clone());
            let hasty = hasty(&peer.url());
            let answer = if *fault == Fault::Silence { &hasty } else { &bot }.sends(&path, &page()).await;
            is(&answer, kind, words);
            if *fault == Fault::status(429).after(7) || *fault == Fault::status(503).after(7) {
                assert!(matches!(answer, Answer::NotNow(_, Some(Millis(7_000)))), "{name}: {answer:?}");
            }
        }
        assert_eq!(peer.came().iter().filter(|came| came.fault.is_some()).count(), faults.len(), "{name}");
        assert_eq!(peer.taken().len(), 2, "{name}: the one that was cut off, and the slow one");
        peer.assert_clean();

        peer.goes_away();
        is(&bot.sends(&path, &page()).await, "not now", "refused");
        peer.comes_back();
        is(&bot.sends(&path, &page()).await, "accepted", "");
        peer.assert_clean();
    }
    assert_eq!(elsewhere.came().len(), 0, "nothing is followed");
}

#[tokio::test]
async fn nobody_at_the_other_end_is_told_from_somebody_who_falls_silent() {
    let deaf = Deaf::start();
    let url = format!("http://{}/x/y", deaf.address());
    for path in [webhook(&url), slack(), pagerduty(&url)] {
        is(&hasty(&url).sends(&path, &page()).await, "not now", "no connection");
    }
}

#[tokio::test]
async fn half_an_answer_is_enough_where_the_status_says_it_all() {
    for ((name, peer, bot, path), kind) in all().into_iter().zip(["accepted", "unknown", "accepted"]) {
        peer.next(Fault::HalfAnAnswer);
        is(&bot.sends(&path, &page()).await, kind, "");
        assert_eq!(peer.wait_for(1).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn no_answer_shows_a_secret_or_what_cannot_be_seen_or_much() {
    let evil = format!("{ROUTING_KEY} \u{202e}evil\r\n[DRILL] all is well {}", "x".repeat(9_000));
    for (name, peer, bot, path) in all() {
        peer.next(Fault::status(500).saying(&evil));
        let loud = bot.sends(&path, &page()).await;
        peer.next(Fault::status(400).saying(SIREN_KEY));
        let leaks = bot.sends(&path, &page()).await;
        peer.goes_away();
        let away = bot.sends(&path, &page()).await;

        let shown =
            format!("{loud} {leaks} {away}", loud = why(&loud), leaks = why(&leaks), away = why(&away));
        assert!(shown.contains("\\u202eevil\\u000d\\n[DRILL]"), "{name}: {shown}");
        assert!(shown.chars().count() < 700 && !shown.contains(['\n', '\u{202e}']), "{name}: {shown}");
        for secret in ["verySecretToken", &peer.url()[7..], "services"] {
            assert!(!shown.contains(secret), "{name}: {shown}");
        }
        let known = [("webhook", "MfKQ9r8GKYqrTwjU"), ("pagerduty", "R0UTINGKEY")];
        for (_, secret) in known.iter().filter(|(of, _)| *of == name) {
            assert!(!shown.contains(secret), "{name}: {shown}");
        }
    }
}

fn why(answer: &Answer) -> &str {
    match answer {
        Answer::NotNow(why, _) | Answer::Never(why) | Answer::Unknown(why) => why,
        Answer::Accepted(_) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_webhook_is_signed_and_keeps_its_id_when_it_is_sent_again() {
    let siren = Peer::webhook(SIREN_KEY);
    let (bot, path) = (bot(&siren.url()), webhook(&siren.url()));
    siren.next(Fault::status(500));

    is(&bot.sends(&path, &page()).await, "not now", "");
    let again = Letter { may_repeat: true, drill: true, ..page() };
    is(&bot.sends(&path, &again).await, "accepted", "");

    let came = siren.came();
    let header = |name| came.iter().map(|one| one.request.header(name).unwrap()).collect::<Vec<_>>();
    assert_eq!(header("webhook-id"), ["Zm9vYmFyYmF6cXV4MTIzNA"; 2]);
    let attempted = now().as_second().to_string();
    assert_eq!(header("webhook-timestamp"), [&attempted; 2]);
    let expected = serde_json::json!({
        "type": "incident.page",
        "incident": "inc-31",
        "severity": "sev1",
        "title": "[DRILL] Order processing is down",
        "text": "Run 142 failed at step 4.\n\nNobody else was called.",
        "drill": true,
        "repeat": true,
        "to": "anna",
        "address": "",
        "answers": [{"label": "I know", "url": "https://bot.example/answer/abc.def"}],
    });
    assert_eq!(siren.taken(), [expected]);
    let handbook = include_str!("../../../docs/operating.md");
    let example = handbook.split("```json").find(|block| block.contains("incident.page")).unwrap();
    let example: serde_json::Value = serde_json::from_str(example.split("```").next().unwrap()).unwrap();
    let keys = |json: &serde_json::Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&example), keys(&siren.taken()[0]), "the handbook shows what comes");
    siren.assert_clean();
}

#[tokio::test]
async fn while_a_key_changes_both_sign_and_another_key_is_refused() {
    let both = format!("{SIREN_KEY} {NEXT_SIREN_KEY}");
    let siren = Peer::webhook(&both);
    let path = webhook(&siren.url());

    is(&Bot::with(&[("siren_key", &both)]).sends(&path, &page()).await, "accepted", "");
    siren.assert_clean();
    is(&Bot::with(&[("siren_key", SIREN_KEY)]).sends(&path, &page()).await, "never", "401");
    is(
        &Bot::with(&[("siren_key", "no key at all")]).sends(&path, &page()).await,
        "not now",
        "`siren_key` is no key",
    );
}

#[tokio::test]
async fn slack_reads_a_text_in_which_nothing_is_markup_but_whom_it_means() {
    let chat = Peer::slack();
    let mut letter = Letter { address: "U024BE7LH".to_owned(), ..page() };
    letter.words.text = "lag > 5 & <!channel> <https://evil.example|click>".to_owned();

    is(&bot(&chat.url()).sends(&slack(), &letter).await, "accepted", "");
    letter.address = "U1> <!channel".to_owned();
    letter.words.text = "<".repeat(50_000);
    is(&bot(&chat.url()).sends(&slack(), &letter).await, "accepted", "");

    let taken = chat.taken();
    // What tells it from all others stands at its end: it knows no key by which a second one would be left out.
    let key = format!("\n(notice {})", letter.key);
    assert_eq!(
        taken[0]["text"],
        format!(
            "<@U024BE7LH> Order processing is down\n\nlag &gt; 5 &amp; &lt;!channel&gt; &lt;https://evil.example|click&gt;\n\n\
             I know: https://bot.example/answer/abc.def\n{key}"
        )
    );
    let long = taken[1]["text"].as_str().unwrap();
    assert!(
        long.starts_with("Order processing") && long.contains("(cut here; the incident has the rest)"),
        "{long}"
    );
    assert!(
        long.ends_with(&format!("I know: https://bot.example/answer/abc.def\n{key}")),
        "where it is answered is never cut"
    );
    chat.assert_clean();
}

#[tokio::test]
async fn slack_takes_a_letter_only_if_it_says_ok() {
    let chat = Peer::slack();
    chat.next(Fault::status(200).saying("<html>Please log in to this network</html>"));

    is(&bot(&chat.url()).sends(&slack(), &page()).await, "not now", "not with `ok`: <html>Please log in");
}

#[tokio::test]
async fn pagerduty_has_one_alert_for_an_incident_however_often_it_is_paged() {
    let pager = Peer::pagerduty(ROUTING_KEY);
    let (bot, path) = (bot(&pager.url()), pagerduty(&pager.url()));
    let of_kind = |kind| Letter { kind, ..page() };
    let status = || pager.alerts().iter().map(|alert| (alert.status, alert.events)).collect::<Vec<_>>();

    is(&bot.sends(&path, &page()).await, "accepted", "steadyhand-j1-inc-31");
    is(&bot.sends(&path, &page()).await, "accepted", "");
    assert_eq!(status(), [("triggered", 2)]);
    is(&bot.sends(&path, &of_kind(Kind::Acknowledged)).await, "accepted", "");
    assert_eq!(status(), [("acknowledged", 3)]);
    is(&bot.sends(&path, &of_kind(Kind::News)).await, "never", "pages only");
    is(&bot.sends(&path, &of_kind(Kind::Resolved)).await, "accepted", "");
    assert_eq!(status(), [("resolved", 4)]);

    let alert = &pager.alerts()[0];
    assert_eq!(
        (alert.dedup_key.as_str(), alert.summary.as_str()),
        ("steadyhand-j1-inc-31", "Order processing is down")
    );
    assert_eq!(pager.came().len(), 4, "news does not ring");
    pager.assert_clean();
}

#[tokio::test]
async fn pagerduty_gets_a_summary_that_fits_and_the_severity_in_its_own_words() {
    let pager = Peer::pagerduty(ROUTING_KEY);
    let (bot, path) = (bot(&pager.url()), pagerduty(&pager.url()));
    let mut letter = Letter { drill: true, ..page() };
    letter.words.title = "ä".repeat(3_000);
    letter.words.text = "\u{1}".repeat(200_000);
    for severity in [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Planned] {
        letter.severity = severity;
        is(&bot.sends(&path, &letter).await, "accepted", "");
    }

    let taken = pager.taken();
    let severities: Vec<_> =
        taken.iter().map(|event| event["payload"]["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["critical", "error", "warning", "info"]);
    let summary = taken[0]["payload"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("[DRILL] ää") && summary.chars().count() == 1_024, "{summary}");
    pager.assert_clean();
}

#[tokio::test]
async fn the_watcher_hears_us_or_it_is_said_why_not() {
    let watcher = Peer::healthchecks();
    let bot = bot(&watcher.url());
    let url = watcher.url();
    let asked = url.splitn(4, '/').last().map(|path| format!("/{path}")).unwrap();
    assert!(asked.contains("5e2d8c1a"), "{asked}");

    assert_eq!(bot.outside.call("watcher_url").await, Ok(()));
    for (fault, words) in [
        (Fault::status(404).saying("not found"), "it answered 404: not found"),
        // Many servers say again what they were asked for.
        (Fault::status(404).saying(&format!("Cannot GET {asked}")), "it answered 404: Cannot GET …"),
        (Fault::status(500), "it answered 500"),
        (Fault::Redirect(watcher.url()), "it answered 307"),
        (Fault::Silence, "no answer within 1.5 s"),
        (Fault::TakenThenCut, "the connection broke"),
    ] {
        let hasty = hasty(&watcher.url());
        let asks = if fault == Fault::Silence { &hasty } else { &bot };
        watcher.next(fault);
        let why = asks.outside.call("watcher_url").await.unwrap_err();
        assert!(why.contains(words) && why.contains("Next: ") && !why.contains("5e2d8c1a"), "{why}");
    }
    assert_eq!(watcher.taken().len(), 2);
    watcher.assert_clean();
    watcher.goes_away();
    assert!(bot.outside.call("watcher_url").await.unwrap_err().contains("no connection"));
    assert!(bot.outside.call("another").await.unwrap_err().contains("says nothing of the secret `another`"));
}

#[tokio::test]
async fn letters_for_discord_wait_until_the_chat_is_there() {
    #[derive(Default)]
    struct Room(Mutex<Vec<(String, String)>>);
    impl DiscordRoom for Room {
        fn show<'a>(&'a self, channel: &'a str, letter: &'a Letter) -> Later<'a, Answer> {
            self.0.lock().unwrap().push((channel.to_owned(), letter.key.clone()));
            Box::pin(async { Answer::Accepted(Some("214600000000000999".to_owned())) })
        }
    }
    struct Stuck;
    impl DiscordRoom for Stuck {
        fn show<'a>(&'a self, _: &'a str, _: &'a Letter) -> Later<'a, Answer> {
            Box::pin(std::future::pending())
        }
    }
    let path = path(r#"kind: discord, channel: "214600000000000100""#);
    let (bot, hasty) = (Bot::with(&[]), Bot::hasty(&[]));
    let room = Arc::new(Room::default());

    is(&bot.sends(&path, &page()).await, "not now", "the chat is not connected");
    bot.outside.chat_is_up(room.clone());
    is(&bot.sends(&path, &page()).await, "accepted", "214600000000000999");
    assert_eq!(*room.0.lock().unwrap(), [("214600000000000100".to_owned(), page().key)]);
    hasty.outside.chat_is_up(Arc::new(Stuck));
    is(&hasty.sends(&path, &page()).await, "unknown", "no answer within 1.5 s");
}

#[test]
fn a_proxy_that_the_environment_names_is_not_asked() {
    let siren = Peer::webhook(SIREN_KEY);
    let proxy = Peer::webhook(SIREN_KEY);
    let proxy_url = proxy.url().replace("/siren", "");

    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "paths::services::with_a_proxy_in_the_environment", "--ignored", "--nocapture"])
        .env("http_proxy", &proxy_url)
        .env("ALL_PROXY", &proxy_url)
        .env("SIREN", siren.url())
        .output()
        .unwrap();

    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!((siren.taken().len(), proxy.came().len()), (1, 0));
}

#[tokio::test]
#[ignore = "a part of a_proxy_that_the_environment_names_is_not_asked, in a process of its own"]
async fn with_a_proxy_in_the_environment() {
    let siren = std::env::var("SIREN").unwrap();

    is(&bot(&siren).sends(&webhook(&siren), &page()).await, "accepted", "");
}
