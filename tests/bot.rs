//! A bot inside a test: an engine on its journal, and the desk before it, put together as the program does it.

use std::sync::Arc;

use discord::Discord;
use jiff::tz::TimeZone;
use secrecy::zeroize::Zeroizing;
use steadyhand::chat::desk::Desk;
use steadyhand::chat::discord::{Messages, Settings};
use steadyhand::engine::clock::Clock;
use steadyhand::engine::dice::Dice;
use steadyhand::engine::{Engine, Planner, Speaker};
use steadyhand::journal::Journal;
use steadyhand::library::Library;
use steadyhand::policy::decide::Door;
use steadyhand::runbook::source::name::Person;
use steadyhand::secrets::Secret;
use steadyhand::target::Target;

/// What it is made of.
pub(crate) struct Parts {
    pub(crate) journal: Journal,
    pub(crate) library: Arc<Library>,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) clock: Clock,
    pub(crate) dice: Dice,
    pub(crate) zone: TimeZone,
    pub(crate) demo: bool,
}

impl Parts {
    /// The engine goes on with the runs that are open, and the desk answers before it.
    pub(crate) async fn start(self) -> (Engine, Desk) {
        let Self { journal, library, target, clock, dice, zone, demo } = self;
        let view = journal.view().clone();
        let planner = Planner { library: library.clone(), target: target.clone(), clock: clock.clone() };
        let engine = Engine::start(journal, library, target, clock.clone(), dice, zone.clone());
        let engine = engine.await.unwrap();
        let desk = Desk { engine: Some(engine.clone()), planner, journal: Some(view), clock, zone, demo };
        (engine, desk)
    }
}

/// Who sits at the console under this name: the person of that name, if it can be one.
pub(crate) fn speaker(name: &str) -> Speaker {
    Speaker { person: Person::new(name), account: name.to_owned(), door: Door::Console }
}

/// How the bot reaches this Discord.
pub(crate) fn settings(discord: &Discord, messages: Messages) -> Settings {
    let token = Secret::new("discord", Zeroizing::new(discord.token().into_bytes())).unwrap();
    Settings { token, messages, api: Some(discord.url()) }
}

/// The doors of a policy: the console, and these channels of this Discord.
pub(crate) fn doors(discord: &Discord, channels: &[&str]) -> String {
    let ids = channels.iter().map(|name| format!("\"{}\"", discord.channel_id(name)));
    let (server, ids) = (discord.guild_id(), ids.collect::<Vec<_>>().join(", "));
    format!("doors: {{ console: {{}}, discord: {{ server: \"{server}\", channels: [{ids}] }} }}")
}
