//! A service on loopback: takes what it likes, refuses the rest, has the faults that it is told to have, and notes all.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault::Fault;
use crate::pagerduty::{Alert, Alerts};
use crate::request::Request;
use crate::{healthchecks, pagerduty, slack, webhook};

/// Nobody waits longer for something to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// A request that stops in the middle is given up.
const READ_WITHIN: Duration = Duration::from_secs(30);

/// Something that came.
#[derive(Debug, Clone)]
pub struct Came {
    /// As it came.
    pub request: Request,
    /// Its body, if it is JSON.
    pub json: Value,
    /// It was taken. If not, a fault or `refused` says why.
    pub taken: bool,
    /// What was wrong with it.
    pub refused: Option<String>,
    /// What went wrong on purpose.
    pub fault: Option<Fault>,
}

/// What a service answers to what is right.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// What a service is.
pub(crate) enum Service {
    Webhook { keys: Vec<Vec<u8>> },
    Slack,
    PagerDuty { routing_key: String },
    Healthchecks,
}

impl Service {
    const fn path(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "/siren",
            Self::Slack => slack::PATH,
            Self::PagerDuty { .. } => pagerduty::PATH,
            Self::Healthchecks => healthchecks::PATH,
        }
    }

    /// What it answers, or with what it refuses.
    fn judge(&self, request: &Request, json: &Value, alerts: &mut Alerts) -> Result<Reply, (u16, String)> {
        match self {
            Self::Webhook { keys } => webhook::judge(keys, request, json),
            Self::Slack => slack::judge(request, json),
            Self::PagerDuty { routing_key } => pagerduty::judge(routing_key, request, json, alerts),
            Self::Healthchecks => healthchecks::judge(request),
        }
    }
}

#[derive(Default)]
struct State {
    came: Vec<Came>,
    faults: VecDeque<Fault>,
    always: Option<Fault>,
    alerts: Alerts,
}

struct Shared {
    service: Service,
    state: Mutex<State>,
    changed: Condvar,
    open: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service on loopback.
pub struct Peer {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl Peer {
    /// An address that takes messages after Standard Webhooks, signed with each of these secrets, as
    /// `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
    pub fn webhook(secrets: &str) -> Self {
        Self::start(Service::Webhook { keys: webhook::keys(secrets) })
    }

    /// An incoming webhook of Slack.
    pub fn slack() -> Self {
        Self::start(Service::Slack)
    }

    /// The events of PagerDuty, for a service with this key.
    pub fn pagerduty(routing_key: &str) -> Self {
        Self::start(Service::PagerDuty { routing_key: routing_key.to_owned() })
    }

    /// A check of healthchecks.
    pub fn healthchecks() -> Self {
        Self::start(Service::Healthchecks)
    }

    fn start(service: Service) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            service,
            state: Mutex::default(),
            changed: Condvar::new(),
            open: AtomicBool::new(true),
        });
        let listening = Mutex::new(Some(listen(&shared, listener)));
        Self { shared, address, listening }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.service.path())
    }

    /// This happens to the next request for which nothing is to happen yet.
    pub fn next(&self, fault: Fault) {
        self.shared.state().faults.push_back(fault);
    }

    /// This happens to every request from now on for which nothing else is to happen; none: nothing does.
    pub fn always(&self, fault: Option<Fault>) {
        self.shared.state().always = fault;
    }

    /// Connections are refused from now on.
    pub fn goes_away(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listening) = listening {
            // Wakes it; it sees that it is over.
            drop(TcpStream::connect(self.address));
            listening.join().expect("the listener ended well");
        }
    }

    /// It is at its address again.
    pub fn comes_back(&self) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if listening.is_none() {
            let listener = TcpListener::bind(self.address).expect("the port is still ours");
            self.shared.open.store(true, Ordering::SeqCst);
            *listening = Some(listen(&self.shared, listener));
        }
    }

    /// Everything that came, in order.
    pub fn came(&self) -> Vec<Came> {
        self.shared.state().came.clone()
    }

    /// The JSON of everything that was taken, in order, as often as it was.
    pub fn taken(&self) -> Vec<Value> {
        let state = self.shared.state();
        state.came.iter().filter(|came| came.taken).map(|came| came.json.clone()).collect()
    }

    /// The alerts of a PagerDuty, in the order in which they were opened.
    pub fn alerts(&self) -> Vec<Alert> {
        self.shared.state().alerts.all()
    }

    /// Waits until so much was taken, and gives it.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn wait_for(&self, taken: usize) -> Vec<Value> {
        self.wait_until(&format!("{taken} taken"), |came| {
            came.iter().filter(|came| came.taken).count() >= taken
        });
        self.taken()
    }

    /// Waits until something holds of what came.
    ///
    /// # Panics
    /// If it never does.
    #[track_caller]
    pub fn wait_until(&self, what: &str, holds: impl Fn(&[Came]) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut state = self.shared.state();
        while !holds(&state.came) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; this came: {:#?}", state.came);
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nothing came that the real service would not take, or should not.
    ///
    /// # Panics
    /// If something did.
    #[track_caller]
    pub fn assert_clean(&self) {
        let state = self.shared.state();
        let refused: Vec<_> = state.came.iter().filter_map(|came| came.refused.as_deref()).collect();
        assert!(refused.is_empty(), "what came was wrong: {refused:#?}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.goes_away();
    }
}

fn listen(shared: &Arc<Shared>, listener: TcpListener) -> JoinHandle<()> {
    let shared = shared.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if !shared.open.load(Ordering::SeqCst) {
                // A program that somebody is starting at this moment may hold it for a while longer: whoever called then
                // would be heard by nobody instead of refused.
                let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
                return;
            }
            let Ok(stream) = stream else { continue };
            let shared = shared.clone();
            std::thread::spawn(move || serve(&shared, stream));
        }
    })
}

/// One connection, one request.
fn serve(shared: &Shared, mut stream: TcpStream) {
    // Whoever went away has no answer, and that is noted nowhere: only what came is.
    let _ = stream.set_read_timeout(Some(READ_WITHIN));
    let Some(read) = Request::read(&stream) else { return };
    let (wire, wait) = match read {
        Ok(request) => answer(shared, request),
        Err(why) => {
            let request = Request {
                method: String::new(),
                path: String::new(),
                headers: std::collections::BTreeMap::new(),
                body: Vec::new(),
            };
            note(shared, Came { request, json: Value::Null, taken: false, refused: Some(why), fault: None });
            (Some(head(400, 0, "")), None)
        }
    };
    if let Some(wait) = wait {
        std::thread::sleep(wait);
    }
    match wire {
        Some(wire) => {
            let _ = stream.write_all(wire.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
        }
        // Held open until the other side gives up.
        None => {
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    }
}

fn note(shared: &Shared, came: Came) {
    shared.state().came.push(came);
    shared.changed.notify_all();
}

/// What is written, nothing for silence; and how long that is waited with.
fn answer(shared: &Shared, request: Request) -> (Option<String>, Option<Duration>) {
    let json = serde_json::from_slice(&request.body).unwrap_or_default();
    let mut state = shared.state();
    let fault = state.faults.pop_front().or_else(|| state.always.clone());
    // What is wrong is noted, whatever else happens to it. What a fault does not take is judged and forgotten.
    let takes = !matches!(fault, Some(Fault::Silence | Fault::Status { .. } | Fault::Redirect(_)));
    let mut forgotten = state.alerts.clone();
    let alerts = if takes { &mut state.alerts } else { &mut forgotten };
    let judged = shared.service.judge(&request, &json, alerts);
    let refused = judged.as_ref().err().map(|(_, why)| why.clone());
    let taken = takes && judged.is_ok();
    let right = match &judged {
        Ok(reply) => head(reply.status, reply.body.len(), "") + &reply.body,
        Err((status, why)) => head(*status, why.len(), "") + why,
    };
    let wire = match &fault {
        Some(Fault::Silence) => (None, None),
        Some(Fault::Status { status, after, body }) => {
            let after = after.as_ref().map(|after| format!("Retry-After: {after}\r\n")).unwrap_or_default();
            (Some(head(*status, body.len(), &after) + body), None)
        }
        Some(Fault::TakenThenCut) => (Some(String::new()), None),
        Some(Fault::HalfAnAnswer) => {
            let status = judged.as_ref().map_or(400, |reply| reply.status);
            (Some(head(status, 100, "") + "o"), None)
        }
        Some(Fault::Slow(wait)) => (Some(right), Some(*wait)),
        Some(Fault::Redirect(to)) => (Some(head(307, 0, &format!("Location: {to}\r\n"))), None),
        None => (Some(right), None),
    };
    state.came.push(Came { request, json, taken, refused, fault });
    drop(state);
    shared.changed.notify_all();
    wire
}

fn head(status: u16, length: usize, more: &str) -> String {
    format!("HTTP/1.1 {status} .\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
}
