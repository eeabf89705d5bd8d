//! Letters that leave: over real SMTP, and over HTTP to services that are stricter than the real ones.

mod mail;
mod services;

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use steadyhand::duty::model::Carrier;
use steadyhand::duty::read::read_notify;
use steadyhand::incident::IncidentId;
use steadyhand::incident::input::Answer;
use steadyhand::incident::model::{Audience, Severity};
use steadyhand::notify::{Kind, Letter, Messenger as _, Outside};
use steadyhand::runbook::source::name::{PathName, Person};
use steadyhand::runbook::source::place::FileName;
use steadyhand::runbook::source::problem::Problems;
use steadyhand::runbook::source::yaml::read_yaml;
use steadyhand::secrets::Secrets;
use steadyhand::secrets::reference::Reference;
use steadyhand::wording::notice::Words;

/// The moment at which all this happens.
const NOW: &str = "2026-11-20T21:36:22Z";

/// The way out of a bot, with these secrets.
struct Bot {
    outside: Outside,
    _secrets: tempfile::TempDir,
}

impl Bot {
    fn with(secrets: &[(&str, &str)]) -> Self {
        Self::waiting(Duration::from_secs(15), "j1", secrets)
    }

    /// One that does not wait long, for others that do not answer.
    fn hasty(secrets: &[(&str, &str)]) -> Self {
        Self::waiting(Duration::from_millis(1_500), "j1", secrets)
    }

    fn waiting(sent_within: Duration, origin: &str, secrets: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut references = BTreeMap::new();
        for (name, value) in secrets {
            let path = folder.path().join(name);
            let mut file =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
            std::io::Write::write_all(&mut file, value.as_bytes()).unwrap();
            references.insert(
                (*name).to_owned(),
                Reference::parse(&format!("file:{name}"), folder.path()).unwrap(),
            );
        }
        let secrets = Arc::new(Secrets::new(references, |_| None));
        let outside = Outside::waiting(sent_within, secrets, origin, || NOW.parse().unwrap()).unwrap();
        Self { outside, _secrets: folder }
    }

    async fn sends(&self, carrier: &Carrier, letter: &Letter) -> Answer {
        self.outside.send(&PathName::new("path").unwrap(), carrier, letter).await
    }
}

/// A path as `notify.yaml` has it.
fn path(yaml: &str) -> Carrier {
    let text = format!("notify: sample\npaths:\n  path: {{ {yaml}, depends_on: [x] }}\n");
    let (file, mut problems) = (FileName::new("notify.yaml"), Problems::default());
    let root = read_yaml(&file, &text, &mut problems).unwrap_or_else(|| panic!("{problems:?}\n{text}"));
    let notify = read_notify(&file, &root, &mut problems);
    assert_eq!(problems.count(), 0, "{problems:?}\n{text}");
    notify.paths.values().next().unwrap().carrier.clone()
}

/// A page to anna.
fn page() -> Letter {
    Letter {
        key: "Zm9vYmFyYmF6cXV4MTIzNA".to_owned(),
        incident: IncidentId(31),
        severity: Severity::Sev1,
        audience: Audience::Operator,
        kind: Kind::Page,
        words: Words {
            subject: "inc-31 Order processing".to_owned(),
            title: "Order processing is down".to_owned(),
            text: "Run 142 failed at step 4.\n\nNobody else was called.".to_owned(),
        },
        answers: vec![("I know".to_owned(), "https://bot.example/answer/abc.def".to_owned())],
        to: Person::new("anna"),
        address: String::new(),
        drill: false,
        may_repeat: false,
    }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// What kind of answer it is, and why.
#[track_caller]
fn is(answer: &Answer, kind: &str, words: &str) {
    let (was, why) = match answer {
        Answer::Accepted(id) => ("accepted", id.clone().unwrap_or_default()),
        Answer::NotNow(why, _) => ("not now", why.clone()),
        Answer::Never(why) => ("never", why.clone()),
        Answer::Unknown(why) => ("unknown", why.clone()),
    };
    assert!(was == kind && why.contains(words), "{kind} with `{words}` was expected, not {answer:?}");
}
