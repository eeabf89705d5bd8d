//! Discord as the chat: slash commands, cards with buttons, a thread for each run.
//!
//! The only place that knows serenity. What is asked comes in through `gateway` and is answered privately by `desk`; what
//! happens is shown to all by `runs`, which follows the journal. So nothing waits for Discord but whoever asked there.
//!
//! In reading order: `limits` and `safe` (what Discord takes, and how text is made harmless), `card`, `cards` and
//! `incident_cards` (pages, runs and incidents as messages), `press` (buttons and forms), `commands` and `complete` (what
//! is offered), all of them plain data; then `post` (messages out), `told` (what waits to be told), `places` (where cards
//! stand), `desk` (who asks, and what is answered), `follower` (what shows things one by one) with `runs`, `run_questions`,
//! `incidents` and `incident_channels`, `room` (notices), `gateway` (events in) and `examine` (whether all of it could work).

pub mod card;
pub mod cards;
pub mod commands;
mod complete;
mod desk;
mod examine;
mod follower;
mod gateway;
pub mod incident_cards;
mod incident_channels;
mod incident_commands;
mod incidents;
pub mod limits;
mod places;
mod post;
pub mod press;
mod room;
mod run_questions;
mod runs;
pub mod safe;
mod told;

pub use examine::{NEEDED, examine};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;
use tokio::runtime::{Handle, Runtime};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::desk::Desk;
use crate::journal::figures::Times;
use crate::notify::DiscordRoom;
use crate::secrets::Secret;

/// Which messages are read as lines of the grammar. Slash commands and buttons always work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Messages {
    /// None.
    None,
    /// Those that begin with the bot's mention. Discord shows a bot no others without asking.
    #[default]
    Mention,
    /// Also those that begin with `/`. The application needs the privileged intent for the content of messages.
    All,
}

/// What the chat is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The token of the bot.
    pub token: Secret,
    /// Which messages are read.
    pub messages: Messages,
    /// Another address than Discord's own, over plain http; for tests, on this machine only.
    pub api: Option<String>,
}

/// Why the chat does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// It would send the token somewhere in clear.
    #[error("discord.api is `{0}`, and only an address of this machine may stand there. Next: remove it")]
    Api(String),
    /// Without an engine nothing could be done.
    #[error("the chat needs an engine: another process writes the journal")]
    NoEngine,
    /// The machine gives no thread.
    #[error("the chat needs a thread of its own: {0}. Next: look at the limits of the bot's user")]
    NoThread(std::io::Error),
}

/// How the chat is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether events come in.
    pub connected: bool,
    /// Since when they do, or do not.
    pub since: Option<Timestamp>,
    /// Whether a part of it has ended, though the process goes on: nobody is heard, or nothing is shown any more.
    pub ended: bool,
    /// Events that could not be understood. More than none means that something may have been missed.
    pub not_understood: u64,
    /// Interactions whose first response Discord did not take.
    pub unanswered: u64,
    /// How many commands are registered.
    pub commands: u64,
    /// What went wrong last.
    pub last_trouble: Option<String>,
}

/// The upper bounds in seconds by which first responses are counted. Discord waits for three.
const RESPONSE_BOUNDS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0];

/// What all parts note about how the chat is.
#[derive(Debug)]
struct Pulse {
    connected: AtomicBool,
    not_understood: AtomicU64,
    unanswered: AtomicU64,
    /// From an interaction that came in until Discord had its first response.
    responses: Times,
    commands: AtomicU64,
    since: Mutex<Option<Timestamp>>,
    trouble: Mutex<Option<String>>,
}

impl Pulse {
    /// Not connected yet.
    fn new(now: Timestamp) -> Self {
        Self {
            connected: AtomicBool::default(),
            not_understood: AtomicU64::default(),
            unanswered: AtomicU64::default(),
            responses: Times::new(RESPONSE_BOUNDS),
            commands: AtomicU64::default(),
            since: Mutex::new(Some(now)),
            trouble: Mutex::default(),
        }
    }

    fn is_connected(&self, connected: bool, now: Timestamp) {
        if self.connected.swap(connected, Ordering::Relaxed) != connected {
            tracing::info!("discord: {}", if connected { "connected" } else { "not connected any more" });
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
    }

    fn trouble(&self, what: &str) {
        tracing::warn!("discord: {what}");
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(what.to_owned());
    }

    fn health(&self) -> Health {
        Health {
            connected: self.connected.load(Ordering::Relaxed),
            since: *self.since.lock().unwrap_or_else(PoisonError::into_inner),
            ended: false,
            not_understood: self.not_understood.load(Ordering::Relaxed),
            unanswered: self.unanswered.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
            last_trouble: self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// The chat, while it runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Discord {
    pulse: Arc<Pulse>,
    tasks: TaskTracker,
    /// What shows runs and incidents, what registers commands, what asks who has which role, and what listens: all work
    /// until the end.
    work: [AbortHandle; 5],
    room: Arc<room::Room>,
    _ear: Arc<Ear>,
}

/// A thread that only listens and promises, so that people have their first response in time whatever the bot works on
/// beside.
#[derive(Debug)]
struct Ear(Option<Runtime>);

impl Ear {
    fn new() -> std::io::Result<Self> {
        // What is logged there goes where the log of the caller goes.
        let log = tracing::dispatcher::get_default(Clone::clone);
        let mut thread = tokio::runtime::Builder::new_multi_thread();
        thread.on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&log)));
        thread
            .worker_threads(1)
            .thread_name("discord")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }
}

impl Drop for Ear {
    /// Nothing is waited for here: whoever wants to, waits before.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Discord {
    /// How it is.
    pub fn health(&self) -> Health {
        Health { ended: self.work.iter().any(AbortHandle::is_finished), ..self.pulse.health() }
    }

    /// From each interaction that came in until Discord had its first response.
    pub fn responses(&self) -> &Times {
        &self.pulse.responses
    }

    /// Where notices are shown that go over Discord.
    pub fn room(&self) -> Arc<dyn DiscordRoom> {
        self.room.clone()
    }

    /// Ends once it was asked to: what was to be said is said, for some seconds at most.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }
}

/// Starts the chat. It runs until `ending`, and connects by itself for as long as Discord cannot be reached; nothing of
/// the engine waits for it. What is asked is answered on the runtime of the caller.
///
/// # Panics
/// Outside of a runtime.
pub fn start(settings: Settings, desk: Desk, ending: CancellationToken) -> Result<Discord, NotStarted> {
    if let Some(api) = &settings.api
        && !is_on_this_machine(api)
    {
        return Err(NotStarted::Api(api.clone()));
    }
    let Some(engine) = desk.engine.clone() else { return Err(NotStarted::NoEngine) };
    let pulse = Arc::new(Pulse::new(desk.clock.now()));
    let post = post::Post::new(&settings, desk.clock.clone());
    let runs =
        Arc::new(runs::Runs::new(desk.clone(), engine.clone(), post.clone(), pulse.clone(), ending.clone()));
    let incidents = Arc::new(incidents::Incidents::new(
        desk.clone(),
        engine.clone(),
        post.clone(),
        pulse.clone(),
        ending.clone(),
    ));
    let room = Arc::new(room::Room::new(post.clone(), &incidents, pulse.clone()));
    let posts = (post, post::Post::new(&settings, desk.clock.clone()));
    let shown = (runs.clone(), incidents.clone());
    let counter = Arc::new(desk::Counter::new(desk, engine, posts, shown, pulse.clone(), settings.messages));
    let tasks = TaskTracker::new();
    let shows = tasks.spawn(runs.follow(tasks.clone())).abort_handle();
    let tells = tasks.spawn(incidents.follow(tasks.clone())).abort_handle();
    let ear = Ear::new().map_err(NotStarted::NoThread)?;
    let offers = tasks.spawn(counter.clone().keep_commands(ending.clone())).abort_handle();
    let asks = tasks.spawn(counter.clone().keep_members(ending.clone())).abort_handle();
    let listening = gateway::connect(settings, counter, pulse.clone(), ending);
    let thread = ear.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone());
    let listens = tasks.spawn_on(listening, &thread).abort_handle();
    tasks.close();
    Ok(Discord { pulse, tasks, work: [shows, tells, offers, asks, listens], room, _ear: Arc::new(ear) })
}

/// `http://127.0.0.1:PORT`
fn is_on_this_machine(api: &str) -> bool {
    let host = api.strip_prefix("http://127.").map(|rest| rest.trim_end_matches('/'));
    host.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ':'))
}
