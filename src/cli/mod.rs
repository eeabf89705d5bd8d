//! The composition root: reads the command line and the configuration, and puts the real parts together.

mod arguments;
mod author;
mod doctor;
mod health;
mod notices;
mod paths;
mod service;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;

use crate::chat::console::follow::{at_rest, follow};
use crate::chat::console::render::Style;
use crate::chat::console::session::{DemoWords, Session, not_understood};
use crate::chat::console::{pipe, terminal};
use crate::chat::desk::{CameOut, Desk, Reply};
use crate::chat::discord;
use crate::chat::grammar::{Command, command, words_of_shell};
use crate::config::{self, Config};
use crate::engine::clock::Clock;
use crate::engine::dice::Dice;
use crate::engine::{Engine, Planner, Refused, Speaker};
use crate::journal::{Journal, JournalView, OpenError};
use crate::library::Library;
use crate::policy::decide::Door;
use crate::runbook::source::name::Person;
use crate::secrets::Secrets;
use crate::target::Target;
use crate::target::ssh::Ssh;
use crate::wording::Page;
use arguments::{Arguments, CheckFormat, Verb, When, in_order};
use notices::Notices;

/// Runs the process. Everything that goes wrong before there is a person to talk to ends here.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse_from(in_order(std::env::args())) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { CameOut::NotUnderstood as u8 } else { 0 });
        }
    };
    match run(&arguments) {
        Ok(came_out) => ExitCode::from(came_out as u8),
        Err(error) => {
            eprintln!("steadyhand: {error}");
            ExitCode::from(CameOut::Broke as u8)
        }
    }
}

/// What the process says about itself goes to stderr; people at the console read pages.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("STEADYHAND_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("steadyhand=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}

type Failed = Box<dyn std::error::Error>;

fn run(arguments: &Arguments) -> Result<CameOut, Failed> {
    match &arguments.verb {
        Some(Verb::Schema { kind }) => return Ok(author::schema(kind, arguments.config.as_deref())),
        Some(Verb::Reference) => {
            say(&crate::runbook::grammar::reference::page());
            return Ok(CameOut::Done);
        }
        _ => {}
    }
    let config = Config::load(arguments.config.as_deref(), &environment)?;
    if let Some(Verb::Check { paths, format }) = &arguments.verb {
        let format = if arguments.json { CheckFormat::Json } else { *format };
        return author::check(&config, paths, format, style(arguments));
    }
    match &arguments.verb {
        Some(Verb::Health) => return health::ask(&config),
        Some(Verb::Serve) => service::log(config.serve.log_format)?,
        _ => log_to_stderr(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let came_out = match &arguments.verb {
        Some(Verb::Doctor { hosts }) => runtime.block_on(doctor::examine(arguments, config, hosts)),
        Some(Verb::Serve) => runtime.block_on(service::serve(arguments, config)),
        _ => runtime.block_on(chat(arguments, config)),
    };
    // A read of the terminal may still be waiting; it must not keep the process.
    runtime.shutdown_background();
    came_out
}

fn style(arguments: &Arguments) -> Style {
    let is_terminal = std::io::stdout().is_terminal();
    let dumb = environment("TERM").is_some_and(|term| term == "dumb");
    let flat = wanted_flat(arguments);
    let color = match arguments.color {
        When::Always => true,
        When::Never => false,
        When::Auto => is_terminal && !dumb && environment("NO_COLOR").is_none(),
    };
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment(name).filter(|v| !v.is_empty()));
    // Without any locale a pipe takes UTF-8; a terminal that says that it cannot gets ASCII.
    let unicode = locale.is_none_or(|locale| locale.to_uppercase().replace('-', "").contains("UTF8"));
    let width = if is_terminal {
        crossterm::terminal::size().map_or(80, |(width, _)| usize::from(width))
    } else {
        80
    };
    Style {
        width,
        flat: flat || (is_terminal && width < crate::chat::console::render::NORMAL),
        terminal: is_terminal,
        color,
        unicode,
    }
}

fn wanted_flat(arguments: &Arguments) -> bool {
    let set = environment("STEADYHAND_FLAT").is_some_and(|value| value == "1");
    arguments.flat || set || environment("TERM").is_some_and(|term| term == "dumb")
}

/// The person behind the login of this process, or whom a demo says.
fn speaker(arguments: &Arguments, config: &Config, library: &Library) -> Result<Speaker, Failed> {
    let snapshot = library.load().ok();
    let policy = snapshot.as_ref().and_then(|snapshot| snapshot.set.policy.as_ref().ok());
    let wanted = match (&arguments.person, &config.demo) {
        (Some(_), None) => {
            return Err(
                "--as works in a demo only: you are who you logged in as. Next: log in as that person".into(),
            );
        }
        (Some(person), Some(_)) => Some(person.clone()),
        (None, Some(demo)) => Some(demo.start_as.clone()),
        (None, None) => None,
    };
    if let Some(name) = wanted {
        let person = Person::new(&name)
            .filter(|person| policy.is_none_or(|policy| policy.people.contains_key(person)));
        let person = person.ok_or_else(|| format!("the policy knows no person `{name}`"))?;
        return Ok(Speaker { account: person.to_string(), person: Some(person), door: Door::Console });
    }
    let account = login();
    let person = policy.and_then(|policy| policy.person_of(Door::Console, &account)).cloned();
    Ok(Speaker { person, account, door: Door::Console })
}

/// What the environment of the process says.
#[expect(clippy::disallowed_methods, reason = "the one place that looks")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The login name of this process: of its real user number, by the passwd database. The environment can say anything,
/// and so can a program that is found by it.
fn login() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current());
    user.ok().flatten().map_or_else(|| "(unknown)".to_owned(), |user| user.name)
}

/// Hosts as they are reached, and a desk that only looks as yet.
fn desk(config: &Config, library: Arc<Library>) -> Result<(Arc<Ssh>, Desk), Failed> {
    let secrets = Secrets::new(config.secrets.clone(), environment);
    let ssh = Arc::new(Ssh::new(config.ssh.clone())?.with_secrets(secrets));
    let planner = Planner { library, target: ssh.clone() as Arc<dyn Target>, clock: Clock::System };
    let desk = Desk {
        engine: None,
        planner,
        journal: None,
        clock: Clock::System,
        zone: config.time_zone.clone(),
        demo: config.demo.is_some(),
    };
    Ok((ssh, desk))
}

/// What the chat on Discord is started with. The token is read now, and kept until the process ends.
async fn discord_settings(config: &config::Discord) -> Result<discord::Settings, Failed> {
    let name = "discord.token".to_owned();
    let secrets = Secrets::new([(name.clone(), config.token.clone())].into(), environment);
    let token = secrets.resolve(&[name]).await.map_err(|why| {
        format!("{why}. Next: put the token of the bot there, in a file of mode 0600 of the bot's user, and start again")
    })?;
    let Some(token) = token.into_iter().next() else { return Err("there is no token".into()) };
    Ok(discord::Settings { token, messages: config.messages, api: config.api.clone() })
}

/// Starts the engine behind a desk: it goes on with open runs.
async fn start(desk: &Desk, journal: Journal) -> Result<Engine, Refused> {
    let Planner { library, target, clock } = desk.planner.clone();
    Engine::start(journal, library, target, clock, Dice::random(), desk.zone.clone()).await
}

async fn chat(arguments: &Arguments, config: Config) -> Result<CameOut, Failed> {
    let library = Arc::new(Library::new(config.folders.clone()));
    let speaker = speaker(arguments, &config, &library)?;
    let style = style(arguments);
    let (ssh, mut desk) = desk(&config, library)?;
    let line = match &arguments.verb {
        Some(Verb::Line(words)) => match command(&words_of_shell(words)) {
            Ok(command) => Some(command),
            Err(error) => {
                show(arguments, style, &Reply::not_understood(not_understood(&error)));
                return Ok(CameOut::NotUnderstood);
            }
        },
        _ => None,
    };
    let acts = line.as_ref().is_none_or(Command::acts);
    if !acts {
        desk.journal = match JournalView::open(&config.journal) {
            Ok(view) => Some(view),
            Err(OpenError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let reply = match line.expect("a line that looks") {
            // Whoever can read the file can prove it.
            Command::JournalVerify => desk.verify().unwrap_or_else(|refused| desk.refused(&refused)),
            line => desk.answer(&speaker, line).await,
        };
        show(arguments, style, &reply);
        ssh.close().await;
        return Ok(reply.came_out);
    }
    let is_new = !config.journal.exists();
    let journal = Journal::open(&config.journal, config.demo.is_some())?;
    let notices = Notices::new(&config, &journal)?;
    desk.journal = Some(journal.view().clone());
    let engine = match start(&desk, journal).await {
        Ok(engine) => engine,
        Err(refused) => {
            let reply = desk.refused(&refused);
            show(arguments, style, &reply);
            ssh.close().await;
            return Ok(reply.came_out);
        }
    };
    desk.engine = Some(engine.clone());
    notices.leave(&engine);
    let work = async {
        let came_out = match line {
            Some(command) => one_shot(arguments, style, &desk, &engine, &speaker, command).await,
            None => console(arguments, style, &config, desk.clone(), speaker, is_new).await,
        };
        let left = notices::tried(&engine).await;
        if left > 0 {
            let notices = if left == 1 { "notice has" } else { "notices have" };
            eprintln!("steadyhand: {left} {notices} not left yet. Next: start the service, which sends them");
        }
        came_out
    };
    let came_out = tokio::select! {
        came_out = work => came_out,
        why = engine.fatal() => {
            eprintln!("steadyhand: {why}. Nothing new begins; start again to look.");
            CameOut::Broke
        }
        () = asked_to_end() => CameOut::Done,
    };
    engine.end().await;
    ssh.close().await;
    Ok(came_out)
}

/// SIGTERM and SIGHUP: no new step begins; what runs on hosts is left alone.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = hangup.recv() => {}
    }
}

async fn console(
    arguments: &Arguments,
    style: Style,
    config: &Config,
    desk: Desk,
    speaker: Speaker,
    is_new: bool,
) -> CameOut {
    let demo = config.demo.as_ref().map(|demo| DemoWords { lab: demo.lab.clone() });
    let session = Session::new(desk, speaker, demo);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        let history = std::path::PathBuf::from(format!("{}.history", config.journal.display()));
        terminal::run(session, style, wanted_flat(arguments), is_new, Some(history)).await
    } else {
        pipe::run(session, style, tokio::io::stdin(), &mut std::io::stdout(), arguments.no_input).await
    }
}

/// One line from a shell: answered, and followed to its rest. Progress goes to stderr, the result to stdout.
async fn one_shot(
    arguments: &Arguments,
    style: Style,
    desk: &Desk,
    engine: &Engine,
    speaker: &Speaker,
    command: Command,
) -> CameOut {
    let events = engine.follow();
    let reply = desk.answer(speaker, command).await;
    show(arguments, style, &reply);
    let Some(answered) = &reply.run else { return reply.came_out };
    if let Some(run) = reply.closed() {
        return Desk::came_out(run, run);
    }
    let progress = |line: &str| {
        if !arguments.json {
            eprintln!("{line}");
        }
    };
    let Some(run) = follow(engine, desk, answered.id, events, progress).await else { return CameOut::Broke };
    if reply.came_out == CameOut::NeedsPerson && run.started.is_none() && !run.is_ended() {
        return reply.came_out;
    }
    let came_out = Desk::came_out(&run, answered);
    show(arguments, style, &Reply { page: at_rest(&run, desk), came_out, run: Some(run) });
    came_out
}

fn show(arguments: &Arguments, style: Style, reply: &Reply) {
    if arguments.json {
        let value = serde_json::json!({
            "came_out": reply.came_out as u8,
            "code": reply.page.refusal_code(),
            "run": reply.run.as_ref().map(|run| run.id),
            "next": reply.page.commands(),
            "page": reply.page,
        });
        say(&format!("{value}\n"));
    } else {
        say(&style.page(&reply.page));
    }
}

/// A closed pipe is no error of ours.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn sentence(text: &str) -> Page {
    Page::sentence(text)
}
