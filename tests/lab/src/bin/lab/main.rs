//! The command `lab`: the library by hand.
//!
//! Each subcommand is one call of the library and the wording of its result. Nothing is decided here.

mod args;
mod words;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use lab::{Block, Cleared, Error, Lab, Report, Result, Spec, Verdict};

use args::{Cli, Command, Ports, State, Up, What, Writing};
use words::{STATUS_HEAD, report_lines, say, status_line};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("lab: {e}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let place = Place { block: cli.block, dir: cli.dir };
    match cli.command {
        Command::Install { run } => install(run)?,
        Command::Doctor(ports) => return doctor(&place, &ports),
        Command::Up(options) => up(&place, options)?,
        Command::Gc { seeds } => gc(seeds)?,
        Command::Down => {
            let lab = place.open()?;
            let dir = lab.dir().to_owned();
            lab.down()?;
            say(&format!("{} is gone", dir.display()));
        }
        command => return on_lab(&place.open()?, command),
    }
    Ok(ExitCode::SUCCESS)
}

/// The commands that need a running lab.
fn on_lab(lab: &Lab, command: Command) -> Result<ExitCode> {
    match command {
        Command::Status { json } => status(lab, json)?,
        Command::Ssh { host, command } => {
            return Err(Error::of_exec(lab.find_host(&host)?.ssh_command().args(command).exec()));
        }
        Command::Sql { host, statements, app } => {
            let host = lab.find_host(&host)?;
            say(&if app { host.sql_as_app(&statements)? } else { host.sql(&statements)? });
        }
        Command::Inventory => inventory(lab)?,
        Command::Write(what) => return write(lab, &what),
        Command::Reset => {
            let start = Instant::now();
            lab.reset()?;
            say(&format!("as new, after {:.1} s", start.elapsed().as_secs_f64()));
        }
        injection => inject(lab, injection)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The commands that do something to hosts and say nothing.
fn inject(lab: &Lab, command: Command) -> Result<()> {
    let host = |name: &str| lab.find_host(name);
    match command {
        Command::Freeze { host: name, postmaster_only: true } => host(&name)?.freeze_postmaster(),
        Command::Freeze { host: name, postmaster_only: false } => host(&name)?.freeze(),
        Command::FreezeHost { host: name } => host(&name)?.freeze_host(),
        Command::Thaw { host: name } => host(&name)?.thaw(),
        Command::Kill { host: name } => host(&name)?.kill(),
        Command::Start { host: name } => host(&name)?.start_database(),
        Command::Stop { host: name } => host(&name)?.stop_database(),
        Command::Poweroff { host: name } => host(&name)?.power_off(),
        Command::Poweron { host: name, no_database: true } => host(&name)?.power_on_without_database(),
        Command::Poweron { host: name, no_database: false } => host(&name)?.power_on(),
        Command::Cut { host: name, what: What::Ssh } => host(&name)?.cut_ssh(),
        Command::Cut { host: name, what: What::SshRefused } => host(&name)?.refuse_ssh(),
        Command::Cut { host: name, what: What::Replication } => host(&name)?.cut_replication(),
        Command::Heal { host: name } => host(&name)?.heal(),
        Command::Readonly { host: name, state: State::On } => host(&name)?.set_read_only(),
        Command::Readonly { host: name, state: State::Off } => host(&name)?.clear_read_only(),
        Command::Lag { host: name, state: State::On } => host(&name)?.lag(),
        Command::Lag { host: name, state: State::Off } => host(&name)?.stop_lagging(),
        Command::PauseReplay { host: name } => host(&name)?.pause_replay(),
        Command::ResumeReplay { host: name } => host(&name)?.resume_replay(),
        Command::Follow { replica, upstream } => host(&replica)?.follow(&upstream),
        Command::Loop { replica, other, state: State::On } => host(&replica)?.loop_with(&other),
        Command::Loop { replica, other, state: State::Off } => host(&replica)?.end_loop_with(&other),
        Command::Corrupt { host: name, state: State::On } => host(&name)?.corrupt(),
        Command::Corrupt { host: name, state: State::Off } => host(&name)?.mend(),
        Command::SlowSync { host: name, state: State::On } => host(&name)?.slow_copies(),
        Command::SlowSync { host: name, state: State::Off } => host(&name)?.stop_slow_copies(),
        Command::StalledSync { host: name, state: State::On } => host(&name)?.stall_copy(),
        Command::StalledSync { host: name, state: State::Off } => host(&name)?.let_copy_go_on(),
        Command::Backup { hours_ago } => lab.back_up(Duration::from_secs(u64::from(hours_ago) * 3600)),
        Command::ChangeHostKey { host: name } => host(&name)?.change_host_key(),
        Command::RestartSshd { host: name } => host(&name)?.restart_sshd(),
        Command::KillSessions { host: name } => host(&name)?.kill_ssh_sessions(),
        _ => unreachable!("`run` and `on_lab` take all other commands"),
    }
}

/// Which lab is meant.
struct Place {
    block: Option<String>,
    dir: Option<PathBuf>,
}

impl Place {
    fn spec(&self, ports: &Ports) -> Result<Spec> {
        let mut spec = Spec::default().ssh_port(ports.ssh_port).pg_port(ports.pg_port).dir(self.dir()?);
        if self.block.is_some() || self.dir.is_none() {
            spec = spec.block(&self.block()?.to_string())?;
        }
        Ok(spec)
    }

    fn open(&self) -> Result<Lab> {
        Lab::open(&self.dir()?)
    }

    fn dir(&self) -> Result<PathBuf> {
        self.dir.clone().map_or_else(|| Ok(Lab::usual_dir(self.block()?)), Ok)
    }

    fn block(&self) -> Result<Block> {
        self.block.as_deref().map_or(Ok(Block::FIRST), str::parse)
    }
}

fn install(run: bool) -> Result<()> {
    let installation = lab::installation();
    if installation.packages().is_empty() {
        say("all there, nothing to install");
        return Ok(());
    }
    say(&format!("missing: {}", installation.packages().join(", ")));
    if run {
        return installation.run();
    }
    say(&installation.commands());
    say(
        "`lab install --run` calls these, and sees to it that no service starts and no server appears on 5432",
    );
    Ok(())
}

fn doctor(place: &Place, ports: &Ports) -> Result<ExitCode> {
    let findings = lab::examine(&place.spec(ports)?);
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Doubtful => "hm  ",
            Verdict::Bad => "BAD ",
        };
        say(&format!("{mark}{}", finding.text));
    }
    let bad = findings.iter().any(|f| f.verdict == Verdict::Bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn up(place: &Place, options: Up) -> Result<()> {
    let mut spec = place.spec(&options.ports)?.max_sessions(options.max_sessions);
    if options.fast {
        spec = spec.fast();
    }
    if options.synchronous {
        spec = spec.synchronous();
    }
    if options.foreign {
        spec = spec.foreign_cluster_on_spare();
    }
    if options.keep {
        spec = spec.kept();
    }
    if let Some(dir) = options.runbooks {
        spec = spec.runbooks(dir);
    }
    let start = Instant::now();
    let lab = Lab::up(spec)?;
    say(&format!(
        "up after {:.1} s in {}, as {}",
        start.elapsed().as_secs_f64(),
        lab.dir().display(),
        lab.user()
    ));
    for host in lab.hosts() {
        say(&format!("  {:<7} {}", host.name(), host.address()));
    }
    say(&format!("the bot's files: {}", lab.bot_dir().display()));
    lab.leave()
}

fn status(lab: &Lab, json: bool) -> Result<()> {
    let all = lab.status();
    if json {
        say(&serde_json::to_string_pretty(&all).map_err(Error::of_json)?);
        return Ok(());
    }
    say(STATUS_HEAD);
    for host in &all {
        say(&status_line(host, &all));
    }
    Ok(())
}

fn inventory(lab: &Lab) -> Result<()> {
    let path = lab.bot_dir().join("inventory.yaml");
    say(&format!("# {}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|e| Error::of_file(&path, &e))?;
    say(text.trim_end());
    Ok(())
}

fn write(lab: &Lab, what: &Writing) -> Result<ExitCode> {
    match what {
        Writing::Start => {
            let program = std::env::current_exe().map_err(|e| Error::of_file(Path::new("lab"), &e))?;
            lab.start_background_writer(&program)?;
            say("writing");
            Ok(ExitCode::SUCCESS)
        }
        Writing::Run => lab.run_background_writer().map(|()| ExitCode::SUCCESS),
        Writing::Check(shown) => verdict(&lab.check_background_writer()?, shown.json),
        Writing::Stop(shown) => {
            lab.end_background_writer()?;
            verdict(&lab.check_background_writer()?, shown.json)
        }
    }
}

fn verdict(report: &Report, json: bool) -> Result<ExitCode> {
    if json {
        say(&serde_json::to_string_pretty(report).map_err(Error::of_json)?);
    } else {
        say(&report_lines(report).join("\n"));
    }
    Ok(if report.lost.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn gc(seeds: bool) -> Result<()> {
    for cleared in lab::clear_leftovers()? {
        say(&match cleared {
            Cleared::Removed(block, dir) => format!("{block}: removed {}", dir.display()),
            Cleared::Left(block, why) => format!("{block}: left alone, {why}"),
            Cleared::Failed(block, why) => format!("{block}: NOT removed, {why}"),
        });
    }
    let removed = if seeds { lab::remove_seeds()? } else { lab::remove_half_built_seeds()? };
    for seed in removed {
        say(&format!("removed {}", seed.display()));
    }
    Ok(())
}
