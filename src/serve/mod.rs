//! The bot as a service: what it shows of itself to those who look after it. It decides nothing about runs.
//!
//! Health is asked of parts, and whoever adds a part to the process registers it. Figures are counted from the journal,
//! so that none is lost. Everything is served on one address, without names of hosts or people.

pub mod alertmanager;
pub mod alerts;
pub mod answers;
pub mod health;
pub mod http;
pub mod log;
pub mod metrics;
pub mod parts;
pub mod systemd;
pub mod watch;

use std::sync::{Arc, OnceLock};

use tokio::sync::watch as state;

use self::watch::Watch;
use crate::chat::discord::Discord;
use crate::engine::Engine;
use crate::engine::clock::Clock;
use crate::journal::Journal;
use crate::library::Library;
use crate::target::ssh::Ssh;
use alerts::Alerts;
use answers::Answers;
use health::Health;
use metrics::Metrics;

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The journal is open, and open runs are being read.
    Starting,
    /// Every open run is carried on.
    Ready,
    /// Nothing new begins.
    Ending,
}

/// What is shown of the process. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    /// The parts that must move.
    pub health: Arc<Health>,
    /// What was counted.
    pub metrics: Arc<Metrics>,
    stage: state::Sender<Stage>,
    library: Arc<Library>,
    journal: Journal,
    ssh: Arc<Ssh>,
    engine: Arc<OnceLock<Engine>>,
    discord: Arc<OnceLock<Discord>>,
    answers: Arc<OnceLock<Answers>>,
    alerts: Arc<OnceLock<Alerts>>,
    watch: Arc<OnceLock<Watch>>,
}

impl Service {
    /// A service over an open journal, before the engine has started.
    pub fn new(journal: Journal, library: Arc<Library>, ssh: Arc<Ssh>, clock: &Clock) -> Self {
        let health = Arc::new(Health::new(clock.clone()));
        let metrics = Arc::new(Metrics::new(clock.now()));
        parts::register_journal(&health, &journal);
        let (stage, engine) = (state::Sender::new(Stage::Starting), Arc::default());
        let (discord, answers, alerts, watch) = Default::default();
        Self { health, metrics, stage, library, journal, ssh, engine, discord, answers, alerts, watch }
    }

    /// The engine has started: every open run is carried on.
    pub fn is_ready(&self, engine: &Engine) {
        parts::register_engine(&self.health, engine);
        let _ = self.engine.set(engine.clone());
        self.stage.send_replace(Stage::Ready);
    }

    /// People are heard on Discord.
    pub fn is_on_discord(&self, discord: &Discord) {
        parts::register_discord(&self.health, discord);
        let _ = self.discord.set(discord.clone());
    }

    /// Notices leave the house: their links are answered here.
    pub fn takes_answers(&self, answers: Answers) {
        let _ = self.answers.set(answers);
    }

    /// Alerts are taken.
    pub fn takes_alerts(&self, alerts: Alerts) {
        let _ = self.alerts.set(alerts);
    }

    /// Somebody outside listens whether we are silent.
    pub fn is_watched(&self, watch: Watch) {
        parts::register_watch(&self.health, &watch);
        let _ = self.watch.set(watch);
    }

    /// What checks answers, and what records them; none before both are there, or while the process ends.
    fn answers(&self) -> Option<(&Answers, &Engine)> {
        let is_ready = self.stage() == Stage::Ready;
        self.answers.get().zip(self.engine.get()).filter(|_| is_ready)
    }

    /// What checks posts of alerts, and what records them; none before both are there, or while the process ends.
    fn alerts(&self) -> Option<(&Alerts, &Engine)> {
        let is_ready = self.stage() == Stage::Ready;
        self.alerts.get().zip(self.engine.get()).filter(|_| is_ready)
    }

    /// Nothing new begins.
    pub fn ends(&self) {
        self.stage.send_replace(Stage::Ending);
    }

    /// Where the process is in its life.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Everything that is counted, in the text format of Prometheus.
    pub async fn figures(&self) -> String {
        let standing = self.engine.get().map(Engine::standing).unwrap_or_default();
        let health = self.health.report().await;
        let all = self.metrics.text(standing, self.journal.figures(), self.ssh.connections(), &health);
        let chat = self.discord.get();
        let of_chat = chat.map(|chat| metrics::of_discord(&chat.health(), chat.responses()));
        let of_notices = self.engine.get().map(|engine| metrics::of_incidents(&engine.incidents().open()));
        let of_paths = self.watch.get().map(|watch| metrics::of_paths(&watch.paths(), watch.now()));
        all + &of_notices.unwrap_or_default() + &of_paths.unwrap_or_default() + &of_chat.unwrap_or_default()
    }
}
