//! Whom the notices reach: a mail server, signed webhooks, a Slack-like and a PagerDuty-like address, all on loopback.
//! Of every ten attempts three go wrong, in every way in which they can; and what was taken is written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What goes wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The connection is cut at once.
    Refused,
    /// It is taken, and nothing is ever answered.
    BlackHole,
    /// 429, or a 451 that asks to come again.
    Later,
    /// 500, or a 421.
    Broken,
    /// It is taken, and the connection is cut before the answer.
    TakenAndCut,
    /// It is taken, after two seconds.
    Slow,
}

/// How often each key was taken, by path.
pub(crate) type Taken = BTreeMap<(&'static str, String), u32>;

/// All receivers, and what they took.
#[derive(Clone)]
pub(crate) struct Receivers {
    taken: Arc<Mutex<Taken>>,
    dice: Arc<Mutex<u64>>,
    faults: Arc<Mutex<BTreeMap<&'static str, u32>>>,
    /// Where each listens.
    pub(crate) mail: u16,
    pub(crate) web: u16,
}

impl Receivers {
    pub(crate) async fn start(seed: u64) -> Self {
        let mail = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let receivers = Self {
            taken: Arc::default(),
            dice: Arc::new(Mutex::new(seed | 1)),
            faults: Arc::default(),
            mail: port(&mail),
            web: port(&web),
        };
        let all = receivers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = mail.accept().await {
                let all = all.clone();
                tokio::spawn(async move { all.smtp(stream).await });
            }
        });
        let all = receivers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = web.accept().await {
                let all = all.clone();
                tokio::spawn(async move { all.http(stream).await });
            }
        });
        receivers
    }

    pub(crate) fn taken(&self) -> Taken {
        self.taken.lock().unwrap().clone()
    }

    pub(crate) fn faults(&self) -> BTreeMap<&'static str, u32> {
        self.faults.lock().unwrap().clone()
    }

    /// Three of ten go wrong. xorshift64: the same seed makes the same row of faults.
    fn fault(&self) -> Option<Fault> {
        let mut dice = self.dice.lock().unwrap();
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        let (fault, name) = match *dice % 100 {
            0..8 => (Fault::Refused, "refused"),
            8 => (Fault::BlackHole, "black hole"),
            9..15 => (Fault::Later, "later"),
            15..21 => (Fault::Broken, "broken"),
            21..27 => (Fault::TakenAndCut, "taken and cut"),
            27..30 => (Fault::Slow, "slow"),
            _ => return None,
        };
        *self.faults.lock().unwrap().entry(name).or_default() += 1;
        Some(fault)
    }

    fn take(&self, path: &'static str, key: &str) {
        *self.taken.lock().unwrap().entry((path, key.to_owned())).or_default() += 1;
    }

    async fn http(&self, stream: TcpStream) -> Option<()> {
        let fault = self.fault();
        if fault == Some(Fault::Refused) {
            return None;
        }
        let mut stream = BufReader::new(stream);
        let (mut line, mut head, mut length) = (String::new(), Vec::new(), 0);
        stream.read_line(&mut line).await.ok()?;
        let target = line.split(' ').nth(1)?.to_owned();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.trim().split_once(": ") {
                let name = name.to_lowercase();
                if name == "content-length" {
                    length = value.parse().ok()?;
                }
                head.push((name, value.to_owned()));
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let header = |name: &str| head.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone());
        let (path, key, good) = match target.as_str() {
            "/hook" => ("webhook", header("webhook-id")?, ("200 OK", "{}")),
            // A Slack-like address knows no key: what tells one message from another stands in its text.
            "/slack" => ("slack", key_in(body["text"].as_str()?)?, ("200 OK", "ok")),
            "/v2/enqueue" => {
                let key = format!("{} {}", body["event_action"].as_str()?, body["dedup_key"].as_str()?);
                (
                    "pagerduty",
                    key,
                    ("202 Accepted", r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#),
                )
            }
            _ => ("elsewhere", target, ("404 Not Found", "")),
        };
        let (status, text) = match fault {
            None | Some(Fault::Refused) => good,
            Some(Fault::BlackHole) => return std::future::pending().await,
            Some(Fault::Later) => ("429 Too Many Requests\r\nRetry-After: 2", ""),
            Some(Fault::Broken) => ("500 Internal Server Error", ""),
            Some(Fault::TakenAndCut) => {
                self.take(path, &key);
                return None;
            }
            Some(Fault::Slow) => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                good
            }
        };
        if [None, Some(Fault::Slow)].contains(&fault) {
            self.take(path, &key);
        }
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
        stream.get_mut().write_all(answer.as_bytes()).await.ok()
    }

    /// Enough of RFC 5321 for a client that sends one message.
    async fn smtp(&self, stream: TcpStream) -> Option<()> {
        let fault = self.fault();
        if fault == Some(Fault::Refused) {
            return None;
        }
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 soak ESMTP\r\n").await.ok()?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let verb = line.get(..4).unwrap_or_default().to_uppercase();
            let answer = match (verb.as_str(), fault) {
                ("EHLO" | "HELO", _) => "250 soak",
                ("RCPT", Some(Fault::Later)) => "451 4.7.1 come again",
                ("RCPT", Some(Fault::Broken)) => "421 4.3.0 closing",
                ("DATA", _) => {
                    stream.get_mut().write_all(b"354 go on\r\n").await.ok()?;
                    let mut key = None;
                    loop {
                        let mut line = String::new();
                        if stream.read_line(&mut line).await.ok()? == 0 {
                            return None;
                        }
                        if let Some(id) = line.strip_prefix("Message-ID: ") {
                            key = Some(id.trim().to_owned());
                        }
                        if line == ".\r\n" {
                            break;
                        }
                    }
                    match fault {
                        Some(Fault::BlackHole) => return std::future::pending().await,
                        Some(Fault::Slow) => tokio::time::sleep(Duration::from_secs(2)).await,
                        _ => {}
                    }
                    self.take("mail", &key?);
                    if fault == Some(Fault::TakenAndCut) {
                        return None;
                    }
                    "250 2.0.0 queued"
                }
                ("QUIT", _) => "221 bye",
                _ => "250 OK",
            };
            stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            if verb == "QUIT" {
                return Some(());
            }
        }
    }
}

/// `[n-KEY]` at the end of a text, where the words put it for a path that knows no keys.
fn key_in(text: &str) -> Option<String> {
    let (_, behind) = text.rsplit_once("(notice ")?;
    Some(behind.split(')').next()?.to_owned())
}
