//! One typed configuration: a file and the environment. Unknown keys are refused, so that a slip is not a default.
//!
//! Every key has a default that works in a folder with `runbooks/`. Relative paths are meant from the folder of the
//! file. The environment goes before the file, by one rule for all keys: `journal` is `STEADYHAND_JOURNAL`, and
//! `listen` in `[serve]` is `STEADYHAND_SERVE_LISTEN`. A door of a chat gets a table of its own here, beside `[serve]`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::chat::discord::Messages;
use crate::library::Folders;
use crate::secrets::reference::Reference;
use crate::target::ssh::SshSettings;

/// The settings of the process. Runbooks, inventory and policy are files of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The journal; `steadyhand.db` if not said.
    pub journal: PathBuf,
    /// Where runbooks, inventory, policy and host keys lie.
    pub folders: Folders,
    /// The team's time zone, the same for all readers; UTC if not said.
    pub time_zone: jiff::tz::TimeZone,
    /// How hosts are reached.
    pub ssh: SshSettings,
    /// Where secrets are read from.
    pub secrets: BTreeMap<String, Reference>,
    /// What the service is told.
    pub serve: Serve,
    /// Discord as a chat.
    pub discord: Option<Discord>,
    /// A demo on a lab: `as` and `next` work, and its journal never mixes with a real one.
    pub demo: Option<Demo>,
}

/// What the service is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Where health and figures are shown; `127.0.0.1:9187` if not said.
    pub listen: SocketAddr,
    /// How the log is written.
    pub log_format: LogFormat,
    /// Whether the paths of `notify.yaml` are tried by themselves, and watched; yes if not said.
    pub trials: bool,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What a demo has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demo {
    /// Who sits at the console first.
    pub start_as: String,
    /// The command that hurts and heals the hosts, with its first arguments.
    #[serde(default)]
    pub lab: Vec<String>,
}

/// How Discord is reached. Who may say what there stands in the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discord {
    /// Where the token of the bot is.
    pub token: Reference,
    /// Which messages are read as lines.
    pub messages: Messages,
    /// Another address than Discord's own, on this machine; for tests.
    pub api: Option<String>,
}

/// Every key that the environment can say too. A demo is said by its file alone, and of secrets the environment may say
/// another reference for each that the file names.
pub const KEYS: [&str; 13] = [
    "journal",
    "runbooks",
    "inventory",
    "policy",
    "known_hosts",
    "time_zone",
    "ssh.identity_file",
    "discord.token",
    "discord.messages",
    "discord.api",
    "serve.listen",
    "serve.log_format",
    "serve.trials",
];

/// The variable of a key.
pub fn variable(key: &str) -> String {
    format!("STEADYHAND_{}", key.replace('.', "_").to_uppercase())
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    journal: Option<PathBuf>,
    runbooks: Option<PathBuf>,
    inventory: Option<PathBuf>,
    policy: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    time_zone: Option<Spanned<String>>,
    #[serde(default)]
    ssh: SshFile,
    #[serde(default)]
    serve: ServeFile,
    /// Read by us: no error may repeat what somebody wrote here in clear.
    secrets: Option<toml::Value>,
    /// Read by us, as the secrets are.
    discord: Option<toml::Value>,
    demo: Option<Demo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SshFile {
    identity_file: Option<PathBuf>,
}

/// Its token is read by us.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscordFile {
    token: Option<toml::Value>,
    #[serde(default)]
    messages: Messages,
    api: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServeFile {
    listen: Option<Spanned<String>>,
    log_format: Option<Spanned<String>>,
    trials: Option<Spanned<String>>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {why}. Next: look at --config and STEADYHAND_CONFIG", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file is not right.
    #[error("the configuration {} is not right:\n{why}. Next: correct it there; docs/serve/steadyhand.toml shows every key", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where and why.
        why: String,
    },
    /// A secret is not right.
    #[error(
        "secrets{name}: {why}. What stands there is not shown. Next: write env:NAME, file:/path or exec:/program \
         arguments; a value never stands in the configuration"
    )]
    Secret {
        /// Which one, with a dot before it.
        name: String,
        /// Why.
        why: String,
    },
    /// What is said about Discord is not right.
    #[error(
        "discord{key}: {why}. Next: for its token write env:NAME, file:/path or exec:/program arguments; the token \
         itself never stands in the configuration, and is not shown"
    )]
    Discord {
        /// Which key, with a dot before it.
        key: String,
        /// Why.
        why: String,
    },
    /// A value is not right.
    #[error("{place}: {key} is `{value}`, which is no {wanted}. Next: correct it there")]
    Value {
        /// The file with the line, or the variable.
        place: String,
        /// The key.
        key: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

/// What the environment says of a key; an empty variable says nothing.
fn said(env: &dyn Fn(&str) -> Option<String>, key: &str) -> Option<String> {
    env(&variable(key)).filter(|value| !value.is_empty())
}

/// The secrets that are named, and the references of them. What is refused is not shown.
fn references(
    given: Option<toml::Value>,
    base: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, Reference>, ConfigError> {
    let wrong = |name: &str, why: &str| ConfigError::Secret { name: name.to_owned(), why: why.to_owned() };
    let Some(given) = given else { return Ok(BTreeMap::new()) };
    let toml::Value::Table(table) = given else { return Err(wrong("", "it is no table")) };
    let one = |(name, value): (String, toml::Value)| {
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_name {
            return Err(wrong("", "a name in it has not the form of a variable, as in repl_password"));
        }
        let in_file = value.as_str().map(str::to_owned);
        let text = said(env, &format!("secrets.{name}")).or(in_file);
        let text = text.ok_or_else(|| wrong(&format!(".{name}"), "it is no reference"))?;
        let reference = Reference::parse(&text, base).map_err(|why| wrong(&format!(".{name}"), why))?;
        Ok((name, reference))
    };
    table.into_iter().map(one).collect()
}

/// What is wrong with the file, in which line, and at which key. The line itself is not shown: it may hold a secret.
fn place_of(error: &toml::de::Error, text: &str) -> String {
    let Some(start) = error.span().map(|span| span.start) else { return error.message().to_owned() };
    let line = text.lines().nth(line_of(text, start) - 1).unwrap_or_default();
    let named = line.split('=').next().unwrap_or_default().trim();
    let known = KEYS.iter().find_map(|key| key.rsplit('.').next().filter(|last| *last == named));
    let key = known.map(|key| format!("{key}: ")).unwrap_or_default();
    format!("line {}: {key}{}", line_of(text, start), error.message())
}

/// The line, counted from 1, in which this byte is.
fn line_of(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(1, |before| before.matches('\n').count() + 1)
}

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "steadyhand.toml";
/// Where the service listens if nothing is said: for this machine alone.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9187);

impl Config {
    /// Reads the named file, or `STEADYHAND_CONFIG`, or `steadyhand.toml` here if it is there.
    pub fn load(named: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let named = named.map(Path::to_owned).or_else(|| env("STEADYHAND_CONFIG").map(PathBuf::from));
        let path = named.or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()));
        let (text, base) = match &path {
            None => (String::new(), PathBuf::new()),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
                    path: path.clone(),
                    why: error.to_string(),
                })?;
                (text, path.parent().map(Path::to_owned).unwrap_or_default())
            }
        };
        let wrong = |error: toml::de::Error| ConfigError::Wrong {
            path: path.clone().unwrap_or_default(),
            why: place_of(&error, &text),
        };
        let file = toml::from_str(&text).map_err(wrong)?;
        Reader { path: path.as_deref().unwrap_or(Path::new(DEFAULT_FILE)), text: &text, base: &base, env }
            .read(file)
    }

    /// ssh and the plans read the same pinned keys.
    fn with_known_hosts(mut self) -> Self {
        self.ssh.known_hosts.clone_from(&self.folders.known_hosts);
        self
    }
}

/// Where keys are read from.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    base: &'a Path,
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    fn path(&self, key: &'static str, given: Option<PathBuf>) -> Option<PathBuf> {
        said(self.env, key).map(PathBuf::from).or_else(|| given.map(|path| self.base.join(path)))
    }

    /// A value that has a form; where it is not said, another one.
    fn value<T>(
        &self,
        key: &'static str,
        given: Option<Spanned<String>>,
        or: T,
        wanted: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let in_file = |given: Spanned<String>| {
            let line = line_of(self.text, given.span().start);
            (format!("{}, line {line}", self.path.display()), given.into_inner())
        };
        let in_environment = said(self.env, key).map(|value| (variable(key), value));
        let Some((place, value)) = in_environment.or_else(|| given.map(in_file)) else { return Ok(or) };
        parse(&value).ok_or(ConfigError::Value { place, key, value, wanted })
    }

    fn read(&self, file: File) -> Result<Config, ConfigError> {
        let base = self.base;
        let runbooks = self.path("runbooks", file.runbooks).unwrap_or_else(|| base.join("runbooks"));
        let known_hosts = self.path("known_hosts", file.known_hosts);
        let zone = |name: &str| jiff::tz::TimeZoneDatabase::bundled().get(name).ok();
        let format = |name: &str| match name {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        };
        let ServeFile { listen, log_format, trials } = file.serve;
        Ok(Config {
            journal: self.path("journal", file.journal).unwrap_or_else(|| base.join("steadyhand.db")),
            folders: Folders {
                known_hosts: known_hosts.unwrap_or_else(|| runbooks.join("known_hosts")),
                runbooks,
                inventory: self.path("inventory", file.inventory),
                policy: self.path("policy", file.policy),
            },
            time_zone: self.value(
                "time_zone",
                file.time_zone,
                jiff::tz::TimeZone::UTC,
                "time zone such as Europe/Berlin",
                zone,
            )?,
            ssh: SshSettings {
                identity_file: self.path("ssh.identity_file", file.ssh.identity_file),
                known_hosts: PathBuf::new(),
            },
            serve: Serve {
                listen: self.value(
                    "serve.listen",
                    listen,
                    DEFAULT_LISTEN,
                    "address with a port such as 127.0.0.1:9187",
                    |text| text.parse().ok(),
                )?,
                log_format: self.value(
                    "serve.log_format",
                    log_format,
                    LogFormat::Text,
                    "form of a log: text or json",
                    format,
                )?,
                trials: self.value(
                    "serve.trials",
                    trials,
                    true,
                    "word for it: on or off",
                    |text| match text {
                        "on" => Some(true),
                        "off" => Some(false),
                        _ => None,
                    },
                )?,
            },
            secrets: references(file.secrets, base, self.env)?,
            discord: self.discord(file.discord)?,
            demo: file.demo,
        }
        .with_known_hosts())
    }

    /// Discord is a chat as soon as its token is said anywhere. What is refused is not shown: it may be the token.
    fn discord(&self, given: Option<toml::Value>) -> Result<Option<Discord>, ConfigError> {
        let wrong = |key: &str, why: &str| ConfigError::Discord { key: key.to_owned(), why: why.to_owned() };
        let is_table = given.is_some();
        let file = match given {
            Some(table @ toml::Value::Table(_)) => {
                table.try_into().map_err(|error: toml::de::Error| wrong("", error.message()))?
            }
            Some(_) => return Err(wrong("", "it is no table")),
            None => DiscordFile::default(),
        };
        let in_file = match file.token {
            Some(toml::Value::String(text)) => Some(text),
            Some(_) => return Err(wrong(".token", "it is no reference")),
            None => None,
        };
        let token = match said(self.env, "discord.token").or(in_file) {
            Some(text) => Reference::parse(&text, self.base).map_err(|why| wrong(".token", why))?,
            None if is_table => return Err(wrong(".token", "it is not there")),
            None => return Ok(None),
        };
        let messages = match said(self.env, "discord.messages") {
            Some(text) => toml::Value::String(text)
                .try_into()
                .map_err(|error: toml::de::Error| wrong(".messages", error.message()))?,
            None => file.messages,
        };
        Ok(Some(Discord { token, messages, api: said(self.env, "discord.api").or(file.api) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steadyhand.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), &|_| None).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let config = read("").unwrap();

        assert!(config.journal.ends_with("steadyhand.db"));
        assert_eq!(config.ssh.known_hosts, config.folders.runbooks.join("known_hosts"));
        assert!(config.demo.is_none());
    }

    #[test]
    fn a_key_that_does_not_exist_is_refused_with_its_place() {
        let error = read("journl = \"x\"\n").unwrap_err();

        assert!(error.contains("unknown field `journl`") && error.contains("line 1"), "{error}");
        assert!(read("time_zone = \"Mars/Base\"").unwrap_err().contains("no time zone"));
    }

    #[test]
    fn a_secret_in_clear_is_refused_and_shown_nowhere() {
        let config = read("[secrets]\ntoken = \"env:TOKEN\"\nkey = \"file:key\"\n").unwrap();
        assert_eq!(config.secrets["token"].to_string(), "env:TOKEN");
        assert!(config.secrets["key"].to_string().ends_with("/key"));

        for text in [
            "[secrets]\ntoken = \"hunter2hunter2\"",
            "[secrets]\ntoken = \"hunter2:hunter2\"",
            "[secrets]\ntoken = \"hunter2hunter2",
            "[secrets]\ntoken = hunter2hunter2",
            "[secrets]\ntoken = 22222222",
            "[secrets]\ntoken = [\"hunter2hunter2\"]",
            "[secrets]\ntoken = \"env:A\"\ntoken = \"hunter2hunter2\"",
            "[secrets]\n\"hunter2-X\" = \"env:A\"",
            "secrets = \"hunter2hunter2\"",
            "secrets = 22222222",
            "[secret]\ntoken = \"hunter2hunter2\"",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.contains("hunter2") && !error.contains("2222"), "{error}");
        }
        assert!(
            read("[secrets]\ntoken = \"hunter2hunter2\"")
                .unwrap_err()
                .contains("secrets.token: it is no reference")
        );
    }

    #[test]
    fn the_token_of_discord_is_a_reference_and_never_shown() {
        let config = read("[discord]\ntoken = \"file:discord-token\"\n").unwrap().discord.unwrap();
        assert!(config.token.to_string().ends_with("/discord-token"));
        assert_eq!(config.messages, Messages::Mention);
        let all = read("[discord]\ntoken = \"env:T\"\nmessages = \"all\"\n").unwrap().discord.unwrap();
        assert_eq!(all.messages, Messages::All);

        for text in [
            "[discord]\ntoken = \"hunter2hunter2\"",
            "[discord]\ntoken = \"hunter2:hunter2\"",
            "[discord]\ntoken = 22222222",
            "[discord]\ntoken = [\"hunter2\"]",
            "[discord]\ntokn = \"hunter2hunter2\"",
            "discord = \"hunter2hunter2\"",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.contains("hunter2") && !error.contains("2222"), "{error}");
        }
        let unread = read("[discord]\ntoken = \"env:T\"\nmessages = \"some\"").unwrap_err();
        assert!(unread.contains("expected one of") && unread.contains("mention"), "{unread}");
        assert!(
            read("[discord]\nmessages = \"all\"").unwrap_err().contains("discord.token: it is not there")
        );
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steadyhand.toml");
        std::fs::write(&path, "journal = \"a.db\"\n").unwrap();
        let env = |name: &str| (name == "STEADYHAND_JOURNAL").then(|| "/tmp/b.db".to_owned());

        let config = Config::load(Some(&path), &env).unwrap();

        assert_eq!(config.journal, Path::new("/tmp/b.db"));
    }

    const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/serve/steadyhand.toml");

    /// What stands in the tables of the file, by what serde says to a key that nobody has.
    fn keys_of_the_file() -> Vec<String> {
        let of = |table: &str| {
            let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
            let error = read(&format!("{header}nobody_has_this = 1\n")).unwrap_err();
            let (_, expected) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
            expected.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        };
        let tables = ["ssh", "discord", "serve", "demo", "secrets"];
        let mut keys: Vec<String> =
            of("").into_iter().filter(|key| !tables.contains(&key.as_str())).collect();
        for table in ["ssh", "discord", "serve"] {
            keys.extend(of(table).into_iter().map(|key| format!("{table}.{key}")));
        }
        assert_eq!(of("").len(), keys.iter().filter(|key| !key.contains('.')).count() + tables.len());
        keys
    }

    #[test]
    fn the_list_of_keys_has_every_key_of_the_file() {
        assert_eq!(keys_of_the_file(), KEYS);
    }

    #[test]
    fn the_example_is_right_and_shows_every_key_with_its_default_and_its_variable() {
        let text = std::fs::read_to_string(EXAMPLE).unwrap();
        let config = Config::load(Some(Path::new(EXAMPLE)), &|_| None).unwrap();
        let mut table = "";
        let mut shown = Vec::new();
        for line in text.lines() {
            let line = opened(line);
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                table = name;
            } else if let Some((key, _)) = line.split_once(" = ") {
                let key = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
                shown.push(key);
            }
        }

        assert_eq!(
            shown.iter().filter(|key| !key.starts_with("secrets.")).collect::<Vec<_>>(),
            KEYS.iter().collect::<Vec<_>>()
        );
        assert!(KEYS.iter().all(|key| text.contains(&variable(key))), "each with its variable");
        assert_eq!(config.serve, Serve { listen: DEFAULT_LISTEN, log_format: LogFormat::Text, trials: true });
        // And what stands behind a comment is right, too.
        let open = read(&all_opened()).unwrap();
        assert_eq!(open.secrets.len(), 3);
        assert_eq!(open.discord.unwrap().messages, Messages::Mention);
    }

    /// What stands behind a comment, if that is a key or a table.
    fn opened(line: &str) -> &str {
        let is_setting = |rest: &&str| rest.contains(" = ") || rest.starts_with('[');
        line.strip_prefix("# ").filter(is_setting).unwrap_or(line)
    }

    fn all_opened() -> String {
        let text = std::fs::read_to_string(EXAMPLE).unwrap();
        text.lines().map(opened).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_key_can_be_said_by_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steadyhand.toml");
        std::fs::write(&path, all_opened()).unwrap();
        let default = Config::load(Some(&path), &|_| None).unwrap();
        for key in KEYS {
            let value = match key {
                "discord.token" => "env:ELSEWHERE",
                "discord.messages" => "all",
                "time_zone" => "Asia/Tokyo",
                "serve.listen" => "[::1]:1",
                "serve.log_format" => "json",
                "serve.trials" => "off",
                _ => "/elsewhere",
            };
            let env = |name: &str| (name == variable(key)).then(|| value.to_owned());
            let nothing = |name: &str| (name == variable(key)).then(String::new);

            assert_ne!(Config::load(Some(&path), &env).unwrap(), default, "{key}");
            assert_eq!(Config::load(Some(&path), &nothing).unwrap(), default, "{key}");
        }
        // Discord is a chat as soon as the environment says where its token is.
        let token = |name: &str| (name == "STEADYHAND_DISCORD_TOKEN").then(|| "env:T".to_owned());
        assert!(Config::load(Some(Path::new(EXAMPLE)), &token).unwrap().discord.is_some());
    }

    #[test]
    fn of_a_secret_the_environment_may_say_another_reference_and_no_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steadyhand.toml");
        std::fs::write(&path, "[secrets]\ntoken = \"env:A\"\n").unwrap();
        let said = |value: &'static str| {
            let env = move |name: &str| (name == "STEADYHAND_SECRETS_TOKEN").then(|| value.to_owned());
            Config::load(Some(&path), &env)
        };

        assert_eq!(said("env:B").unwrap().secrets["token"].to_string(), "env:B");
        assert!(!said("hunter2hunter2").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_said_with_file_line_key_and_cure() {
        for (text, said) in [
            (
                "\n[serve]\nlisten = \"9187\"\n",
                "line 3: serve.listen is `9187`, which is no address with a port",
            ),
            ("[serve]\nlog_format = \"xml\"", "line 2: serve.log_format is `xml`, which is no form of a log"),
            ("\ntime_zone = \"Mars/Base\"", "line 2: time_zone is `Mars/Base`"),
            ("[serve]\nlisten = 9187", "line 2: listen: invalid type"),
            (
                "[serve]\nlisen = \"x\"",
                "line 2: unknown field `lisen`, expected one of `listen`, `log_format`, `trials`",
            ),
            ("[chat]\ntoken = \"x\"", "line 1: unknown field `chat`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.contains(said)
                    && error.contains("steadyhand.toml")
                    && error.contains("Next: correct it there"),
                "{error}"
            );
        }
        let env = |name: &str| (name == "STEADYHAND_SERVE_LISTEN").then(|| "here".to_owned());
        let error = Config::load(Some(Path::new(EXAMPLE)), &env).unwrap_err().to_string();
        assert!(error.starts_with("STEADYHAND_SERVE_LISTEN: serve.listen is `here`"), "{error}");
    }
}
