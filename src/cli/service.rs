//! The bot as a service: `steadyhand serve`.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use tokio_util::sync::CancellationToken;

use super::arguments::Arguments;
use super::notices::Notices;
use super::{Failed, desk, discord_settings, environment, show, start, style};
use crate::chat::desk::CameOut;
use crate::chat::discord::{self, Discord};
use crate::config::{Config, LogFormat};
use crate::engine::Engine;
use crate::engine::clock::Clock;
use crate::journal::Journal;
use crate::library::Library;
use crate::serve::alerts::Alerts;
use crate::serve::answers::Answers;
use crate::serve::systemd::Systemd;
use crate::serve::watch::Watch;
use crate::serve::{Service, http, log};
use crate::target::ssh::Ssh;

/// An end takes no longer, whatever hangs. What works on hosts goes on there.
const END_WITHIN: Duration = Duration::from_secs(10);
/// So much of it has the chat for its last words.
const CHAT_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// The log goes to stderr. Only we speak if nothing is said: ssh and hyper have nothing to tell those who run us.
pub(super) fn log(format: LogFormat) -> Result<(), Failed> {
    let said = ["RUST_LOG", "STEADYHAND_LOG"]
        .into_iter()
        .find_map(|name| environment(name).filter(|filter| !filter.is_empty()).map(|filter| (name, filter)));
    let (name, filter) = said.unwrap_or(("", "steadyhand=info".to_owned()));
    let filter = tracing_subscriber::EnvFilter::try_new(&filter).map_err(|error| {
        format!(
            "{name} is `{filter}`, which is no filter ({error}). Next: write one such as steadyhand=debug"
        )
    })?;
    // At its lowest level it prints what goes over the wire, and the token of the chat goes over it.
    let filter = filter.add_directive("tungstenite=info".parse()?);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).init(),
    }
    Ok(())
}

/// Serves until it is asked to end, or must.
pub(super) async fn serve(arguments: &Arguments, config: Config) -> Result<CameOut, Failed> {
    let mut asked = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let chat = match &config.discord {
        Some(discord) => Some(discord_settings(discord).await?),
        None => None,
    };
    let library = Arc::new(Library::new(config.folders.clone()));
    let (ssh, mut desk) = desk(&config, library.clone())?;
    let journal = Journal::open(&config.journal, config.demo.is_some())?;
    let notices = Notices::new(&config, &journal)?;
    desk.journal = Some(journal.view().clone());
    let listener = http::bind(config.serve.listen).await?;
    let listen = listener.local_addr()?;
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "everybody who reaches this address can read health and figures");
    }
    let service = Service::new(journal.clone(), library.clone(), ssh.clone(), &Clock::System);
    let seen = journal.view().last()?;
    tokio::spawn({
        let (metrics, journal) = (service.metrics.clone(), journal.clone());
        async move { metrics.follow(&journal, seen).await }
    });
    tokio::spawn(http::serve(listener, http::routes(service.clone()), Clock::System));
    tracing::info!(%listen, version = env!("CARGO_PKG_VERSION"), "listening");
    let systemd = Systemd::new(&environment);
    let engine = match start(&desk, journal).await {
        Ok(engine) => engine,
        Err(refused) => {
            let reply = desk.refused(&refused);
            tracing::error!("the service cannot start: {}", reply.page.refusal_code().unwrap_or_default());
            show(arguments, style(arguments), &reply);
            ssh.close().await;
            return Ok(reply.came_out);
        }
    };
    tokio::spawn(log::follow(engine.follow()));
    tokio::spawn(log::follow_incidents(engine.incidents().follow()));
    if let Some(links) = notices.links() {
        service.takes_answers(Answers::new(links, config.time_zone.clone()));
    }
    service.takes_alerts(Alerts::new(notices.secrets.clone()));
    service.is_ready(&engine);
    let chat_ends = CancellationToken::new();
    desk.engine = Some(engine.clone());
    let chat = match chat.map(|settings| discord::start(settings, desk, chat_ends.clone())).transpose() {
        Ok(chat) => chat,
        Err(why) => {
            engine.end().await;
            ssh.close().await;
            return Err(why.into());
        }
    };
    if let Some(chat) = &chat {
        service.is_on_discord(chat);
        notices.outside.chat_is_up(chat.room());
    }
    // Only now, so that no notice to a channel finds it closed at every start.
    notices.leave(&engine);
    let watch = Watch::new(engine.clone(), notices.outside.clone(), Clock::System);
    service.is_watched(watch.clone());
    if config.serve.trials {
        tokio::spawn(engine.incidents().watch_paths());
    }
    tokio::spawn(watch.watch());
    tokio::spawn(systemd.clone().watch(service.health.clone(), Clock::System));
    systemd.say("READY=1");
    let standing = engine.standing();
    tracing::info!(%listen, open_runs = standing.open, waiting = standing.waiting, "ready");
    let came_out = tokio::select! {
        why = engine.fatal() => {
            tracing::error!("{why}. Nothing new begins; start again to look.");
            CameOut::Broke
        }
        () = any_of(&mut asked) => {
            tracing::info!("asked to end: no new step begins, and what works on hosts goes on there");
            CameOut::Done
        }
    };
    service.ends();
    systemd.say("STOPPING=1");
    chat_ends.cancel();
    put_away(chat, &engine, &ssh).await;
    tracing::info!("ended");
    Ok(came_out)
}

/// The chat says its last words, and nothing new begins.
async fn put_away(chat: Option<Discord>, engine: &Engine, ssh: &Ssh) {
    let end = async {
        if let Some(chat) = chat {
            tokio::select! {
                () = chat.ended() => {}
                () = Clock::System.after(CHAT_ENDS_WITHIN) => {
                    tracing::warn!("the chat did not end in {} s: not everything was said", CHAT_ENDS_WITHIN.as_secs());
                }
            }
        }
        engine.end().await;
        ssh.close().await;
    };
    tokio::select! {
        () = end => {}
        () = Clock::System.after(END_WITHIN) => {
            tracing::warn!("not everything could be put away in {} s", END_WITHIN.as_secs());
        }
    }
}

/// SIGTERM, SIGINT or SIGHUP.
async fn any_of(asked: &mut [std::io::Result<Signal>; 3]) {
    let [term, interrupt, hangup] = asked.each_mut().map(|signal| async move {
        match signal {
            Ok(signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    });
    tokio::select! {
        _ = term => {}
        _ = interrupt => {}
        _ = hangup => {}
    }
}
