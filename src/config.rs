//! One typed configuration: a file and the environment. Unknown keys are refused, so that a slip is not a default.
//!
//! Every key has a default that works in a folder with `runbooks/`. Relative paths are meant from the folder of the
//! file. `STEADYHAND_JOURNAL`, `STEADYHAND_RUNBOOKS` and so on go before the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

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
    /// Discord as a chat.
    pub discord: Option<Discord>,
    /// A demo on a lab: `as` and `next` work, and its journal never mixes with a real one.
    pub demo: Option<Demo>,
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

/// The same as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscordFile {
    token: toml::Value,
    #[serde(default)]
    messages: Messages,
    api: Option<String>,
}

impl Discord {
    /// Reads the table. What is refused is not shown: it may be the token.
    fn read(given: toml::Value, base: &Path) -> Result<Self, ConfigError> {
        let wrong = |key: &str, why: &str| ConfigError::Discord { key: key.to_owned(), why: why.to_owned() };
        if !given.is_table() {
            return Err(wrong("", "it is no table"));
        }
        let file: DiscordFile =
            given.try_into().map_err(|error: toml::de::Error| wrong("", error.message()))?;
        let token = file.token.as_str().ok_or_else(|| wrong(".token", "it is no reference"))?;
        let token = Reference::parse(token, base).map_err(|why| wrong(".token", why))?;
        Ok(Self { token, messages: file.messages, api: file.api })
    }
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
    time_zone: Option<String>,
    #[serde(default)]
    ssh: SshFile,
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
    #[error("the configuration {} is not right:\n{why}", path.display())]
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
    #[error("{name} is `{value}`, which is no {wanted}. Next: correct it in the configuration")]
    Value {
        /// The key.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

/// The secrets that are named, and the references of them. What is refused is not shown.
fn references(given: Option<toml::Value>, base: &Path) -> Result<BTreeMap<String, Reference>, ConfigError> {
    let wrong = |name: &str, why: &str| ConfigError::Secret { name: name.to_owned(), why: why.to_owned() };
    let Some(given) = given else { return Ok(BTreeMap::new()) };
    let toml::Value::Table(table) = given else { return Err(wrong("", "it is no table")) };
    let one = |(name, value): (String, toml::Value)| {
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_name {
            return Err(wrong("", "a name in it has not the form of a variable, as in repl_password"));
        }
        let text = value.as_str().ok_or_else(|| wrong(&format!(".{name}"), "it is no reference"))?;
        let reference = Reference::parse(text, base).map_err(|why| wrong(&format!(".{name}"), why))?;
        Ok((name, reference))
    };
    table.into_iter().map(one).collect()
}

/// What is wrong with the file and in which line. The line itself is not shown: it may hold a secret.
fn place_of(error: &toml::de::Error, text: &str) -> String {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    match line {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "steadyhand.toml";

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
        Self::from_file(toml::from_str(&text).map_err(wrong)?, &base, env)
    }

    fn from_file(file: File, base: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let path = |name: &str, given: Option<PathBuf>| {
            env(name).map(PathBuf::from).or_else(|| given.map(|path| base.join(path)))
        };
        let runbooks = path("STEADYHAND_RUNBOOKS", file.runbooks).unwrap_or_else(|| base.join("runbooks"));
        let known_hosts = path("STEADYHAND_KNOWN_HOSTS", file.known_hosts);
        let zone = env("STEADYHAND_TIME_ZONE").or(file.time_zone).unwrap_or_else(|| "UTC".to_owned());
        let time_zone = jiff::tz::TimeZoneDatabase::bundled().get(&zone).map_err(|_| ConfigError::Value {
            name: "time_zone",
            value: zone.clone(),
            wanted: "time zone such as Europe/Berlin",
        })?;
        Ok(Self {
            journal: path("STEADYHAND_JOURNAL", file.journal).unwrap_or_else(|| base.join("steadyhand.db")),
            folders: Folders {
                known_hosts: known_hosts.unwrap_or_else(|| runbooks.join("known_hosts")),
                runbooks,
                inventory: path("STEADYHAND_INVENTORY", file.inventory),
                policy: path("STEADYHAND_POLICY", file.policy),
            },
            time_zone,
            ssh: SshSettings {
                identity_file: path("STEADYHAND_SSH_IDENTITY_FILE", file.ssh.identity_file),
                known_hosts: PathBuf::new(),
            },
            secrets: references(file.secrets, base)?,
            discord: file.discord.map(|given| Discord::read(given, base)).transpose()?,
            demo: file.demo,
        }
        .with_known_hosts())
    }

    /// ssh and the plans read the same pinned keys.
    fn with_known_hosts(mut self) -> Self {
        self.ssh.known_hosts.clone_from(&self.folders.known_hosts);
        self
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
        assert!(read("[discord]\nmessages = \"all\"").unwrap_err().contains("missing field `token`"));
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
}
