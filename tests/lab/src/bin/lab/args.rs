//! The words that the command `lab` understands. What they do is in `main`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Real hosts on loopback: bring them up, look at them, hurt them.
#[derive(Parser)]
#[command(name = "lab", version, infer_subcommands = false)]
pub(crate) struct Cli {
    /// The block of addresses of the lab [default: 127.77; with `--dir`, the first that is free].
    #[arg(long, global = true)]
    pub(crate) block: Option<String>,
    /// The directory of the lab [default: steadyhand-lab-BLOCK in the temporary folder].
    #[arg(long, global = true)]
    pub(crate) dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print what must be installed on Debian or Ubuntu.
    Install {
        /// Install it, with sudo if needed.
        #[arg(long)]
        run: bool,
    },
    /// Can a lab run here?
    Doctor(Ports),
    /// Bring a lab up. It runs on until `down`.
    Up(Up),
    /// What every host does now.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// A shell on a host, or one command.
    Ssh {
        host: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// SQL on a host, as the database's superuser.
    Sql {
        host: String,
        statements: String,
        /// As the application: its role, over TCP.
        #[arg(long)]
        app: bool,
    },
    /// Print the bot's inventory: where it lies, and what it says.
    Inventory,
    /// Freeze PostgreSQL of a host: it accepts connections and answers nothing.
    Freeze {
        host: String,
        /// Old sessions and replication go on.
        #[arg(long)]
        postmaster_only: bool,
    },
    /// Freeze a host: PostgreSQL, sshd, commands.
    FreezeHost { host: String },
    /// Let a frozen host go on.
    Thaw { host: String },
    /// kill -9 of PostgreSQL.
    Kill { host: String },
    /// Start PostgreSQL, after `kill` or `stop`.
    Start { host: String },
    /// Stop PostgreSQL in an orderly way.
    Stop { host: String },
    /// Switch a host off: nothing of it is left.
    Poweroff { host: String },
    /// Switch a host on.
    Poweron {
        host: String,
        /// Start sshd only.
        #[arg(long)]
        no_database: bool,
    },
    /// Cut a host off.
    Cut { host: String, what: What },
    /// Undo every freeze, cut, trap and delay of a host. Starts no database and switches nothing on.
    Heal { host: String },
    /// Refuse writes while everything looks healthy.
    Readonly {
        host: String,
        #[arg(default_value = "on")]
        state: State,
    },
    /// The replica receives and does not replay.
    Lag {
        host: String,
        #[arg(default_value = "on")]
        state: State,
    },
    /// Pause the replay of a replica.
    PauseReplay { host: String },
    /// Go on replaying.
    ResumeReplay { host: String },
    /// Point a replica at another server. A circle is allowed.
    Follow { replica: String, upstream: String },
    /// Two replicas feed each other, and nobody feeds them.
    Loop {
        replica: String,
        other: String,
        #[arg(default_value = "on")]
        state: State,
    },
    /// Overwrite a page of a replica's data.
    Corrupt {
        host: String,
        #[arg(default_value = "on")]
        state: State,
    },
    /// Copies onto this host are slow, whatever rate is asked for.
    SlowSync {
        host: String,
        #[arg(default_value = "on")]
        state: State,
    },
    /// The copy that this host gives stands still.
    StalledSync {
        host: String,
        #[arg(default_value = "on")]
        state: State,
    },
    /// Take a base backup of the primary to bk1.
    Backup {
        /// It counts as taken so many hours ago.
        #[arg(long, default_value_t = 0)]
        hours_ago: u32,
    },
    /// Give a host another host key, as a replaced machine has.
    ChangeHostKey { host: String },
    /// Start sshd of a host anew. Open sessions go on.
    RestartSshd { host: String },
    /// End all SSH sessions of a host.
    KillSessions { host: String },
    /// The background writer, which measures what clients lose.
    #[command(subcommand)]
    Write(Writing),
    /// Back to the first state, with new data.
    Reset,
    /// End the lab and remove its directory.
    Down,
    /// Clear what dead labs left behind.
    Gc {
        /// Also forget the prepared data directories, which are built again when needed.
        #[arg(long)]
        seeds: bool,
    },
}

#[derive(Args)]
pub(crate) struct Ports {
    /// The port of every sshd.
    #[arg(long, default_value_t = 2422)]
    pub(crate) ssh_port: u16,
    /// The port of every PostgreSQL.
    #[arg(long, default_value_t = 5532)]
    pub(crate) pg_port: u16,
}

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch on the command line")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) ports: Ports,
    /// fsync off.
    #[arg(long)]
    pub(crate) fast: bool,
    /// A commit waits for one of the two replicas.
    #[arg(long)]
    pub(crate) synchronous: bool,
    /// pg4 runs another cluster, with another system identifier.
    #[arg(long)]
    pub(crate) foreign: bool,
    /// If it fails, leave processes and files for a look.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Sessions that sshd takes in one connection.
    #[arg(long, default_value_t = 10)]
    pub(crate) max_sessions: u16,
    /// The folder that the bot's configuration names as its runbooks.
    #[arg(long)]
    pub(crate) runbooks: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// A black hole: it connects and does not answer.
    Ssh,
    /// No listener, no sessions.
    SshRefused,
    /// All replication to and from the host.
    Replication,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum State {
    On,
    Off,
}

#[derive(Args)]
pub(crate) struct Shown {
    /// For programs: every figure.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Writing {
    /// Start it, and return after the first acknowledged row.
    Start,
    /// What it met so far, and what is lost. Exits with 1 if rows are lost.
    Check(Shown),
    /// Stop it, and check.
    Stop(Shown),
    /// Write until killed. What `start` calls.
    #[command(hide = true)]
    Run,
}
