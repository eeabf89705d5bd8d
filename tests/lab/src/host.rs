//! A host of the lab: what it is, and how to ask it something.
//!
//! Asking is by SSH, as the bot does, or by psql, as the database's superuser or as the application. Every question has
//! a limit, because a frozen host answers nothing. What hurts a host is in `harm`.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::ground::Ground;
use crate::network::{self, Reach};
use crate::postgres;
use crate::process::{self, Part, Process};
use crate::run::{self, Answer};
use crate::topology::{SEATS, Seat};

/// How long a question may take when nothing else is said. Long enough for a busy machine.
pub const USUAL_LIMIT: Duration = Duration::from_secs(20);

/// One host. Cheap to clone; it does not keep the lab alive.
#[derive(Debug, Clone)]
pub struct Host {
    pub(crate) ground: Arc<Ground>,
    pub(crate) seat: Seat,
}

impl Host {
    pub(crate) fn named(ground: &Arc<Ground>, name: &str) -> Result<Self> {
        let seat = SEATS.into_iter().find(|s| s.name == name).ok_or_else(|| {
            let names: Vec<_> = SEATS.iter().map(|s| s.name).collect();
            Error::new(format!("`{name}` is not a host of the lab"))
                .next(format!("hosts are {}", names.join(", ")))
        })?;
        Ok(Self { ground: Arc::clone(ground), seat })
    }

    /// `pg1`, for example.
    pub fn name(&self) -> &'static str {
        self.seat.name
    }

    /// Its address, in the lab's own block.
    pub fn address(&self) -> Ipv4Addr {
        self.ground.block.address(self.seat.octet)
    }

    /// The port of its sshd.
    pub fn ssh_port(&self) -> u16 {
        self.ground.spec.ssh_port
    }

    /// The port of its PostgreSQL.
    pub fn pg_port(&self) -> u16 {
        self.ground.spec.pg_port
    }

    /// The folder in which all of the host lies.
    pub fn dir(&self) -> PathBuf {
        self.ground.host_dir(self.seat)
    }

    /// PostgreSQL's data directory; the host need not have one.
    pub fn data_dir(&self) -> PathBuf {
        self.dir().join("pg")
    }

    /// The folder of PostgreSQL's socket.
    pub fn socket_dir(&self) -> PathBuf {
        self.dir().join("run")
    }

    /// PostgreSQL's log.
    pub fn log_file(&self) -> PathBuf {
        self.dir().join("log/pg.log")
    }

    /// Runs a command line over SSH with the pinned host key. An exit status is an answer; 255 is ssh's own.
    pub fn ssh(&self, command: &str) -> Result<Answer> {
        self.ssh_within(USUAL_LIMIT, command)
    }

    /// The same with another limit.
    pub fn ssh_within(&self, limit: Duration, command: &str) -> Result<Answer> {
        let mut ssh = self.ssh_command();
        ssh.arg("--").arg(command);
        run::answer(ssh, limit)
    }

    /// ssh with all options and the address, to which a command may be added. Reads no configuration of the caller.
    pub fn ssh_command(&self) -> Command {
        let mut ssh = Command::new(&self.ground.programs.ssh);
        ssh.args(["-F", "none", "-i"]).arg(self.ground.client_key());
        let known_hosts =
            format!("UserKnownHostsFile={}", self.ground.bot_dir().join("known_hosts").display());
        for option in [
            known_hosts.as_str(),
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "ConnectTimeout=3",
            "LogLevel=ERROR",
        ] {
            ssh.args(["-o", option]);
        }
        let port = self.ssh_port().to_string();
        ssh.args(["-p", &port, "-l", &self.ground.account.name]).arg(self.address().to_string());
        ssh
    }

    /// Runs SQL as the superuser over the socket, in the application's database. Statements are sent one by one;
    /// what they return comes back unaligned, one row a line, columns divided by `|`.
    pub fn sql(&self, statements: &str) -> Result<String> {
        self.sql_within(USUAL_LIMIT, statements)
    }

    /// The same with another limit.
    pub fn sql_within(&self, limit: Duration, statements: &str) -> Result<String> {
        let mut psql = self.psql();
        psql.arg("-h").arg(self.socket_dir()).args(["-p", &self.pg_port().to_string(), "-d", postgres::APP]);
        self.ask_psql(psql, limit, statements)
    }

    /// Runs SQL as the application does: its role, its database, over TCP, with its password.
    pub fn sql_as_app(&self, statements: &str) -> Result<String> {
        let mut psql = self.psql();
        psql.env("PGPASSWORD", postgres::APP_PASSWORD).args([
            "-d",
            &format!(
                "host={} port={} user={app} dbname={app} connect_timeout=3",
                self.address(),
                self.pg_port(),
                app = postgres::APP
            ),
        ]);
        self.ask_psql(psql, USUAL_LIMIT, statements)
    }

    /// Does its PostgreSQL speak to new clients?
    pub fn database_reach(&self, limit: Duration) -> Reach {
        network::postgres(self.ground.pg_address(self.seat), limit)
    }

    /// Does its sshd speak to new clients?
    pub fn ssh_reach(&self, limit: Duration) -> Reach {
        network::ssh(self.ground.ssh_address(self.seat), limit)
    }

    /// How many living processes belong to the host: sshd and its sessions, PostgreSQL, commands over SSH.
    pub fn process_count(&self) -> usize {
        self.processes().len()
    }

    pub(crate) fn processes(&self) -> Vec<Process> {
        process::of_host(&self.dir(), self.ground.account.uid)
    }

    pub(crate) fn processes_of(&self, part: Part) -> Vec<Process> {
        self.processes().into_iter().filter(|p| p.part == part).collect()
    }

    /// The postmaster: the one PostgreSQL process that is not the child of another.
    pub(crate) fn postmaster(&self) -> Option<Process> {
        let all = self.processes_of(Part::Database);
        let pid = self.pid_in("pg/postmaster.pid")?;
        all.into_iter().find(|p| p.pid == pid)
    }

    /// The listening sshd.
    pub(crate) fn listener(&self) -> Option<Process> {
        let pid = self.pid_in("run/sshd.pid")?;
        self.processes_of(Part::Ssh).into_iter().find(|p| p.pid == pid)
    }

    fn pid_in(&self, file: &str) -> Option<i32> {
        let text = std::fs::read_to_string(self.dir().join(file)).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// A command with the host's own environment, as the ordinary user. It counts as a process of the host, and so ends
    /// with it even if we are killed meanwhile.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = self.ground.account.command(program);
        command.env("HOME", self.dir().join("home")).env("PATH", self.ground.path_of(self.seat));
        command
    }

    fn psql(&self) -> Command {
        let mut psql = self.ground.account.command(self.ground.programs.pg_bin.join("psql"));
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        psql
    }

    fn ask_psql(&self, psql: Command, limit: Duration, statements: &str) -> Result<String> {
        let answer = run::answer_with_input(psql, statements, limit)?;
        if answer.ok() {
            return Ok(answer.out.trim_end().to_owned());
        }
        Err(Error::new(format!("{} did not do as SQL asked: {statements}", self.seat.name))
            .because(answer.err))
    }
}
