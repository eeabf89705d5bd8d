//! A night on which nobody was to hear of it: a failover fails at a step on a Saturday at 02:40. The person of the weekend
//! is paged, Support is told in its own words and is silent, others are called, and answers come by the links of mails.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lab::{Lab, Spec};
use peers::{Mail, MailServer, Peer};
use steadyhand::chat::console::render::Style;
use steadyhand::chat::console::session::{Led, Session};
use steadyhand::chat::desk::Desk;
use steadyhand::config::Config;
use steadyhand::duty::Notify;
use steadyhand::engine::Engine;
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::incident::model::{Incident, Notice, Trouble};
use steadyhand::incident::{Event, IncidentId};
use steadyhand::journal::{Journal, incident_stamped};
use steadyhand::library::Library;
use steadyhand::notify::Outside;
use steadyhand::notify::link::Links;
use steadyhand::secrets::Secrets;
use steadyhand::serve::answers::Answers;
use steadyhand::serve::watch::{self, Watch};
use steadyhand::serve::{Service, http};
use steadyhand::target::ssh::Ssh;
use tokio::runtime::Runtime;

use crate::bot::{Parts, speaker};
use crate::crashing::until_true;
use crate::told::secret;

/// Saturday 21 November 2026, in the night.
const NIGHT: &str = "2026-11-21T02:40:00+01:00";
/// Whatever is waited for comes within this time, also on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);
const HOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The lab, whom it tells, and the bot, whose clock begins at night and is moved.
struct Night {
    lab: Lab,
    mail: MailServer,
    phone: Peer,
    siren: Peer,
    switch: Peer,
    watch: Watch,
    clock: Clock,
    engine: Engine,
    desk: Desk,
    answers: SocketAddr,
    runtime: Runtime,
}

/// What stands in notify.yaml: ana has the weekdays, cleo the weekends; sue is Support, and ben decides.
fn notify(mail: &MailServer, phone: &Peer, siren: &Peer, answers: SocketAddr) -> String {
    let ways = |name: &str| format!("  {name}: [phone, {{ path: mail, to: {name}@lab.test }}]\n");
    let people: String = ["ana", "ben", "cleo", "sue"].map(ways).concat();
    format!(
        r#"notify: lab
answers: {{ url: "http://{answers}" }}
paths:
  phone: {{ kind: webhook, url: "{phone}", secret: hook_key, depends_on: [modem] }}
  mail:  {{ kind: mail, server: "{mail}", from: steadyhand@lab.test, tls: none, depends_on: [relay] }}
  siren: {{ kind: webhook, url: "{siren}", secret: hook_key, depends_on: [mast] }}
people:
{people}schedules:
  primary:
    zone: Europe/Berlin
    layers:
      - {{ people: [ana], days: [mon, tue, wed, thu, fri] }}
      - {{ people: [cleo], days: [sat, sun] }}
escalations:
  on-call: {{ steps: [{{ tell: [on-call], wait: 5m }}, {{ tell: [commander], wait: 5m }}], last_resort: [siren] }}
  support: {{ steps: [{{ tell: [support], wait: 5m }}, {{ tell: [commander], wait: 5m }}], last_resort: [siren] }}
watcher: {{ url: watcher_url, every: 1m }}
"#,
        phone = phone.url(),
        mail = mail.address(),
        siren = siren.url(),
    )
}

/// The policy of the lab with a duty by the clock, and whom the inventory's service calls.
fn changes_the_files(lab: &Lab, switch: &str) {
    let changed = |name: &str, from: &str, to: &str| {
        let path = lab.bot_dir().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    changed(
        "policy.yaml",
        "on-call:       { people: [ana, cleo] }",
        "on-call:       { schedule: primary, escalates_to: commander }",
    );
    changed("policy.yaml", "commander:     { people: [cleo] }", "commander:     { people: [ben] }");
    changed(
        "policy.yaml",
        "dba:           { people: [ben, cleo] }",
        "dba:           { people: [ana, ben, cleo] }",
    );
    changed(
        "policy.yaml",
        "break_glass:",
        "secrets: { hook_key: [notify.yaml], watcher_url: [notify.yaml] }\nbreak_glass:",
    );
    changed("inventory.yaml", "owner: shop", "owner: on-call");
    let config = lab.bot_dir().join("steadyhand.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let secrets = [("hook_key", HOOK), ("watcher_url", switch)];
    let secrets = secrets.map(|(name, value)| secret(&lab.bot_dir(), name, value)).concat();
    std::fs::write(&config, format!("{text}\n[secrets]\n{secrets}")).unwrap();
}

impl Night {
    fn falls() -> Self {
        let lab = Lab::up(Spec::default().fast()).unwrap();
        let (mail, phone, siren) = (MailServer::start(), Peer::webhook(HOOK), Peer::webhook(HOOK));
        let switch = Peer::healthchecks();
        changes_the_files(&lab, &switch.url());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(http::bind("127.0.0.1:0".parse().unwrap())).unwrap();
        let answers = listener.local_addr().unwrap();
        std::fs::write(lab.bot_dir().join("notify.yaml"), notify(&mail, &phone, &siren, answers)).unwrap();
        let config = Config::load(Some(&lab.bot_dir().join("steadyhand.toml")), &|_| None).unwrap();
        let clock = Clock::moved(NIGHT.parse::<Timestamp>().unwrap());
        let (engine, desk, watch) = runtime.block_on(async {
            let journal = Journal::open(&config.journal, true).unwrap();
            let library = Arc::new(Library::new(config.folders.clone()));
            let files = library.load().unwrap();
            assert!(
                files.set.notify.is_ok() && files.set.policy.is_ok(),
                "{:?}",
                files.set.notify.as_ref().err()
            );
            let ssh = Arc::new(Ssh::new(config.ssh.clone()).unwrap());
            let service = Service::new(journal.clone(), library.clone(), ssh.clone(), &clock);
            let zone = config.time_zone.clone();
            let origin = journal.id().to_owned();
            let parts = Parts {
                journal,
                library,
                target: ssh,
                clock: clock.clone(),
                dice: Dice::random(),
                zone: zone.clone(),
                demo: true,
            };
            let (engine, desk) = parts.start().await;
            let key = [7; 32];
            service.takes_answers(Answers::new(Links::new("", key), zone.clone()));
            service.is_ready(&engine);
            tokio::spawn(http::serve(listener, http::routes(service), Clock::System));
            let secrets = Arc::new(Secrets::new(config.secrets.clone(), |_| None));
            let outside = Arc::new(Outside::new(secrets, &origin, Timestamp::now).unwrap());
            let now = clock.clone();
            let links = Links::new(&format!("http://{answers}"), key);
            let of = move |_: &Notify, incident: &Incident, notice: &Notice| {
                let person = notice.to.as_ref().filter(|_| !notice.way.address.is_empty());
                let link = person.map(|person| links.mint(incident.id, person, notice.number, now.now()));
                link.map(|link| ("Say that you know".to_owned(), link)).into_iter().collect()
            };
            engine.incidents().over(outside.clone(), Some(Arc::new(of)));
            let watch = Watch::new(engine.clone(), outside, clock.clone());
            tokio::spawn(watch.clone().watch());
            (engine, desk, watch)
        });
        // The night goes on by itself, as fast as any other.
        let goes_on = clock.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                goes_on.advance(Duration::from_millis(20));
            }
        });
        Self { lab, mail, phone, siren, switch, watch, clock, engine, desk, answers, runtime }
    }

    /// Somebody types a line at the console, and reads.
    fn says(&self, name: &str, line: &str) -> String {
        let mut session = Session::new(self.desk.clone(), speaker(name), None);
        let Led::Said(reply) = self.runtime.block_on(session.answer(line)) else { panic!("nobody leaves") };
        Style { width: 120, flat: false, terminal: false, color: false, unicode: true }.page(&reply.page)
    }

    fn incident(&self) -> Arc<Incident> {
        self.engine.incidents().get(IncidentId(1)).unwrap().expect("an incident is open")
    }

    /// Waits until something holds of the incident.
    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&Incident) -> bool) {
        let now = || self.engine.incidents().get(IncidentId(1)).unwrap();
        until_true(|| now().is_some_and(|it| holds(&it)), || format!("{what}: {:#?}", now()));
    }

    /// What came on the phone of somebody.
    fn rang(&self, name: &str) -> Vec<serde_json::Value> {
        self.phone.taken().into_iter().filter(|came| came["to"] == name).collect()
    }

    /// The mails of somebody.
    fn mails(&self, name: &str) -> Vec<Mail> {
        let to = format!("{name}@lab.test");
        self.mail.letters().into_iter().filter(|mail| mail.to == [to.as_str()]).collect()
    }

    /// A request as a browser makes it: what it answers, with its status.
    fn asks(&self, method: &str, link: &str) -> (u16, String) {
        let path = link.split_once(&self.answers.to_string()).expect("a link leads to the bot").1;
        let mut stream = TcpStream::connect(self.answers).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: bot\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), text.to_owned())
    }
}

/// The link in a mail.
#[track_caller]
fn link_in(mail: &Mail) -> String {
    let mut words = mail.text.split_whitespace();
    words
        .find(|word| word.starts_with("http://"))
        .unwrap_or_else(|| panic!("no link: {}", mail.text))
        .to_owned()
}

#[test]
fn a_failover_that_fails_on_a_saturday_night_calls_who_is_on_duty_and_support_until_they_answer() {
    let night = Night::falls();
    let mut events = night.engine.follow();
    let asked = night.says(
        "ana",
        "run failover-database cluster=orders candidate=pg2 mode=planned reason=\"move to the new rack\"",
    );
    let token = regex_lite::Regex::new(r"confirm 1 (orders-[a-z0-9]+)").unwrap();
    let token = token.captures(&asked).unwrap_or_else(|| panic!("{asked}"))[1].to_owned();
    let confirmed = night.says("ana", &format!("confirm 1 {token}"));
    let digest = regex_lite::Regex::new(r"approve 1 ([0-9a-f]{8})").unwrap();
    let digest = digest.captures(&confirmed).unwrap_or_else(|| panic!("{confirmed}"))[1].to_owned();

    night.says("ben", &format!("approve 1 {digest}"));
    // pg3 is lost while the first step works: the step that points it at the new primary cannot be done.
    night.runtime.block_on(async {
        while !matches!(events.recv().await.unwrap().stamped.event, steadyhand::run::Event::StepSent { .. }) {
        }
    });
    night.lab.host("pg3").refuse_ssh().unwrap();

    // The incident is open, and has the trouble.
    night.until("the trouble", |incident| {
        incident.notices.iter().any(|notice| notice.to.as_ref().is_some_and(|to| to.as_str() == "cleo"))
    });
    night.until("the failed step", |incident| {
        let mut troubles = incident.runs.values().flat_map(|run| &run.troubles);
        troubles.any(|trouble| matches!(trouble, Trouble::Failed(_) | Trouble::Unknown(_)))
    });
    // cleo is paged over two ways that share nothing; ana has the weekdays, and asked for the run at that.
    night.until("cleo and sue are rung", |_| !night.rang("cleo").is_empty() && !night.rang("sue").is_empty());
    night.until("both mails", |_| !night.mails("cleo").is_empty() && !night.mails("sue").is_empty());
    assert_eq!(night.rang("ana"), [] as [serde_json::Value; 0]);
    // Support is told what customers see, in its own words, over a path that rings.
    let told = [night.rang("sue")[0].to_string(), night.mails("sue")[0].raw.clone()];
    for text in told {
        for word in ["pg1", "pg2", "pg3", "failover-database", "ssh", "move to the new rack", "candidate"] {
            assert!(!text.contains(word), "Support reads `{word}`: {text}");
        }
        assert!(text.contains("Orders"), "{text}");
    }
    assert!(night.siren.taken().is_empty(), "nobody has been silent yet");

    // Nobody of Support answers in five minutes: ben, who decides, is told. Ten minutes, and it is late.
    night.clock.advance(Duration::from_mins(5));
    night.until("ben is called", |_| !night.rang("ben").is_empty());
    night.clock.advance(Duration::from_mins(5));
    night.until("it is late", |incident| {
        incident.obligations.iter().any(|it| it.who.as_str() == "support" && it.late.is_some())
    });

    // A scanner of mails looks at the link, and nothing changes. sue presses the button, and it does.
    let link = link_in(&night.mails("sue")[0]);
    let (status, page) = night.asks("GET", &link);
    assert!(status == 200 && page.contains("<button"), "{status} {page}");
    let is_owed = |incident: &Incident| {
        incident.owed().iter().any(|it| it.who.as_str() == "support" && it.call.is_some())
    };
    assert!(is_owed(&night.incident()), "to look is not to say");
    assert_eq!(night.asks("POST", &link).0, 200);
    night.until("Support knows", |incident| !is_owed(incident));
    // cleo answers by the link of her own mail; the same link again changes nothing.
    let link = link_in(&night.mails("cleo")[0]);
    assert_eq!(night.asks("POST", &link).0, 200);
    let version = |night: &Night| night.incident().notices.len();
    let before = version(&night);
    assert_eq!(night.asks("POST", &link).0, 200);
    assert_eq!(version(&night), before);

    // The journal has all of it, unbroken.
    let view = night.engine.view();
    let entries = view.incident_entries(IncidentId(1)).unwrap();
    let events: Vec<_> = entries.iter().map(|entry| incident_stamped(entry).unwrap()).collect();
    let said: Vec<_> = events
        .iter()
        .filter(|stamped| matches!(stamped.event, Event::IncidentAcknowledged { .. }))
        .map(|stamped| stamped.by.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(said, ["sue", "cleo"]);
    let has = |what: &str, is: &dyn Fn(&Event) -> bool| {
        assert!(events.iter().any(|stamped| is(&stamped.event)), "{what}: {events:?}");
    };
    has("opened", &|event| matches!(event, Event::IncidentOpened(_)));
    has("the failed step", &|event| matches!(event, Event::IncidentRun { .. }));
    has("the second step of a call", &|event| matches!(event, Event::CallStep { step: 1, .. }));
    has("late", &|event| matches!(event, Event::ObligationLate { .. }));
    has("accepted", &|event| matches!(event, Event::NoticeAccepted { .. }));
    assert!(view.verify().unwrap().holds());
    let timeline = night.says("cleo", "incident timeline inc-1");
    for word in ["sue", "cleo", "ben"] {
        assert!(timeline.contains(word), "{timeline}");
    }
    night.phone.assert_clean();
    night.lab.host("pg3").heal().unwrap();
}

#[test]
fn somebody_outside_is_called_only_as_long_as_people_are_told() {
    let mut night = Night::falls();
    let calls = |night: &Night| night.switch.came().len();
    let says = |night: &Night| format!("{:?}, {:?}", night.watch.outside(), night.watch.late());
    until_true(|| night.watch.outside() == watch::Outside::Heard, || says(&night));
    assert!(calls(&night) > 0);

    // Every path is gone. For five minutes that may pass by; afterwards nobody may say that all is well.
    night.phone.goes_away();
    night.siren.goes_away();
    night.mail.kill();
    night.says("ana", "incident open sev1 \"checkout hangs since 02:30\" service=orders");
    night.until("the first attempts", |incident| {
        let tried =
            |path: &str| incident.notices.iter().any(|it| it.attempts > 0 && it.way.path.as_str() == path);
        tried("phone") && tried("mail")
    });
    night.clock.advance(Duration::from_mins(8));
    // A look that began before that still calls, and the next one waits for its time.
    let withheld = || {
        night.clock.advance(Duration::from_secs(30));
        night.watch.outside() == watch::Outside::Withheld
    };
    until_true(withheld, || says(&night));
    let before = calls(&night);
    night.clock.advance(Duration::from_mins(5));
    until_true(|| night.watch.outside() == watch::Outside::Withheld, || says(&night));
    assert_eq!(calls(&night), before, "{}", says(&night));

    // The phone works again: what waited is sent, and it is called as before.
    night.phone.comes_back();
    let heard = || {
        night.clock.advance(Duration::from_secs(30));
        night.watch.outside() == watch::Outside::Heard
    };
    until_true(heard, || says(&night));
    assert!(calls(&night) > before && !night.rang("cleo").is_empty());
}
