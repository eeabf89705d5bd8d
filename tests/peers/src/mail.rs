//! A real mail server: aiosmtpd of Debian, on a free port, as whoever runs the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Nobody waits longer for something to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Debian's: another one before it in the path may not know its packages.
const PYTHON: &str = "/usr/bin/python3";

/// A letter that was taken.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The sender of the transaction.
    pub from: String,
    /// The recipients of the transaction.
    pub to: Vec<String>,
    /// Whom the client said that it is.
    pub helo: String,
    /// It came encrypted.
    pub tls: bool,
    /// Whom the client logged in as.
    pub user: Option<String>,
    /// The headers in order, decoded by Python.
    pub headers: Vec<(String, String)>,
    /// The text, decoded by Python.
    pub text: String,
    /// As it came.
    pub raw: String,
    /// What Python finds wrong with it.
    pub defects: Vec<String>,
}

impl Mail {
    /// A header that stands there once.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (Some((_, value)), None) = (values.next(), values.next()) else {
            panic!("`{name}` does not stand there once: {:#?}", self.headers);
        };
        value
    }
}

/// What goes wrong with the next letter for which nothing is to go wrong yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailFault {
    /// The login is answered with this, as `535 5.7.8 wrong`.
    Login(String),
    /// The sender is answered with this.
    Sender(String),
    /// The recipient is answered with this, as `451 4.7.1 greylisted`.
    Recipient(String),
    /// The letter is answered with this when it has come, and not taken.
    Letter(String),
    /// The connection breaks at the recipient.
    CutAtRecipient,
    /// The letter is taken, and the connection breaks before a word of the answer.
    TakenThenCut,
    /// The recipient is answered after this time.
    SlowAtRecipient(Duration),
    /// The letter is taken and answered after this time.
    SlowAtLetter(Duration),
}

/// How connections to it are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls<'a> {
    /// Not at all.
    None,
    /// From the first words on, and nothing is taken before. The certificate and its key, as files.
    StartTls(&'a Path, &'a Path),
    /// From the first byte.
    Tls(&'a Path, &'a Path),
}

/// Who may send.
pub type Login<'a> = Option<(&'a str, &'a str)>;

#[derive(Default)]
struct Heard {
    letters: Vec<Mail>,
    faults: usize,
    noted: usize,
}

/// A mail server.
pub struct MailServer {
    child: Child,
    stdin: Mutex<ChildStdin>,
    port: u16,
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

impl MailServer {
    /// Starts one that takes everything from everybody.
    pub fn start() -> Self {
        Self::start_with(MailTls::None, None)
    }

    /// Starts one.
    pub fn start_with(tls: MailTls<'_>, login: Login<'_>) -> Self {
        let (kind, certificate, key) = match tls {
            MailTls::None => ("none", Path::new(""), Path::new("")),
            MailTls::StartTls(certificate, key) => ("starttls", certificate, key),
            MailTls::Tls(certificate, key) => ("tls", certificate, key),
        };
        let login = login.map(|(user, password)| json!([user, password]));
        let options = json!({"tls": kind, "certificate": certificate, "key": key, "login": login});
        let mut child = Command::new(PYTHON)
            .args(["-W", "ignore", "-c", include_str!("mail.py"), &options.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let stdin = Mutex::new(child.stdin.take().expect("it was asked for"));
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let port = serde_json::from_str::<Value>(&first).unwrap_or_default()["port"].as_u64();
        let port = port.expect("the mail server starts; `apt-get install python3-aiosmtpd` if it is missing");
        let heard = Arc::new((Mutex::<Heard>::default(), Condvar::new()));
        let to = heard.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                hear(&to, &line);
            }
        });
        Self { child, stdin, port: u16::try_from(port).expect("a port has 16 bits"), heard }
    }

    /// Its host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same by the name that its certificate has.
    pub fn named_address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// This happens to the next letter for which nothing is to happen yet.
    pub fn next(&self, fault: &MailFault) {
        let line = match fault {
            MailFault::Login(reply) => json!({"at": "auth", "reply": reply}),
            MailFault::Sender(reply) => json!({"at": "mail", "reply": reply}),
            MailFault::Recipient(reply) => json!({"at": "rcpt", "reply": reply}),
            MailFault::Letter(reply) => json!({"at": "data", "reply": reply}),
            MailFault::CutAtRecipient => json!({"at": "rcpt"}),
            MailFault::TakenThenCut => json!({"at": "data"}),
            MailFault::SlowAtRecipient(wait) => json!({"at": "rcpt", "slow": wait.as_secs_f64()}),
            MailFault::SlowAtLetter(wait) => json!({"at": "data", "slow": wait.as_secs_f64()}),
        };
        let noted = self.heard().noted;
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("the mail server listens");
        drop(stdin);
        self.wait_until("the fault is noted", |heard| heard.noted > noted);
    }

    /// Every letter that was taken, in order, as often as it was.
    pub fn letters(&self) -> Vec<Mail> {
        self.heard().letters.clone()
    }

    /// Waits until so many letters were taken, and gives them.
    ///
    /// # Panics
    /// If they do not come.
    #[track_caller]
    pub fn wait_for(&self, letters: usize) -> Vec<Mail> {
        self.wait_until("letters", |heard| heard.letters.len() >= letters);
        self.letters()
    }

    /// Waits until so many faults have happened.
    ///
    /// # Panics
    /// If they do not, or if there were more.
    #[track_caller]
    pub fn wait_for_faults(&self, faults: usize) {
        self.wait_until("faults", |heard| heard.faults >= faults);
        assert_eq!(self.heard().faults, faults, "more went wrong than was meant to");
    }

    /// It is gone at once, in the middle of whatever it does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn wait_until(&self, what: &str, holds: impl Fn(&Heard) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut heard = self.heard();
        while !holds(&heard) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; these came: {:#?}", heard.letters);
            heard = self.heard.1.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn hear(to: &(Mutex<Heard>, Condvar), line: &str) {
    let said: Value = serde_json::from_str(line).unwrap_or_default();
    let mut heard = to.0.lock().unwrap_or_else(PoisonError::into_inner);
    if said.get("noted").is_some() {
        heard.noted += 1;
    } else if said.get("fault").is_some() {
        heard.faults += 1;
    } else if let Some(letter) = said.get("letter") {
        heard.letters.push(mail(letter));
    }
    drop(heard);
    to.1.notify_all();
}

fn mail(letter: &Value) -> Mail {
    let word = |key: &str| letter[key].as_str().unwrap_or_default().to_owned();
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let header = |pair: &Value| {
        let [name, value] = <[String; 2]>::try_from(words(pair)).expect("a header is a name and a value");
        (name, value)
    };
    Mail {
        from: word("from"),
        to: words(&letter["to"]),
        helo: word("helo"),
        tls: letter["tls"] == true,
        user: letter["user"].as_str().map(str::to_owned),
        headers: letter["headers"].as_array().into_iter().flatten().map(header).collect(),
        text: word("text").replace("\r\n", "\n"),
        raw: word("raw"),
        defects: words(&letter["defects"]),
    }
}
