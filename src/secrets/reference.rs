//! Where a secret is: a variable of the bot's environment, a file, or a program that prints it.

#![expect(
    clippy::disallowed_methods,
    reason = "a reference to a program starts it, and real files take real time"
)]

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::{Environment, MAX_BYTES};

/// A reference that does not answer in this time is given up.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Where a secret is. It is no secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A variable of the environment in which the bot was started.
    Env(String),
    /// A file that only the bot may read.
    File(PathBuf),
    /// A program and its arguments; no shell sees them.
    Exec(Vec<String>),
}

impl Reference {
    /// Reads a reference; relative files are meant from `base`. What is refused is not repeated: it may be the value.
    pub fn parse(text: &str, base: &Path) -> Result<Self, &'static str> {
        let (kind, rest) = text.split_once(':').ok_or("it is no reference")?;
        match kind {
            "env" => {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let fits = !rest.is_empty() && rest.chars().all(plain);
                if fits { Ok(Self::Env(rest.to_owned())) } else { Err("env: wants the name of a variable") }
            }
            "file" if rest.is_empty() => Err("file: wants a path"),
            "file" => Ok(Self::File(base.join(rest))),
            "exec" => {
                let argv: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
                let is_absolute = argv.first().is_some_and(|program| program.starts_with('/'));
                if is_absolute { Ok(Self::Exec(argv)) } else { Err("exec: wants the full path of a program") }
            }
            _ => Err("it is no reference"),
        }
    }

    /// As a plan shows and holds it. The arguments of a program are not shown, and any change of them is seen.
    pub fn shown(&self) -> String {
        match self {
            Self::Exec(argv) if argv.len() > 1 => {
                let digest = hex::encode(Sha256::digest(argv.join("\0").as_bytes()));
                format!("{self} with arguments of digest {}", &digest[..16])
            }
            _ => self.to_string(),
        }
    }

    /// Whether a value stands in it.
    pub(super) fn holds(&self, value: &str) -> bool {
        match self {
            Self::Exec(argv) => argv.iter().any(|argument| argument.contains(value)),
            Self::Env(_) | Self::File(_) => false,
        }
    }

    /// Reads what it refers to. The error says why not, and what to do; what was read is never in it.
    pub(super) async fn read(&self, environment: Environment) -> Result<Zeroizing<Vec<u8>>, String> {
        self.read_within(environment, READ_WITHIN).await
    }

    async fn read_within(
        &self,
        environment: Environment,
        within: Duration,
    ) -> Result<Zeroizing<Vec<u8>>, String> {
        let read = async {
            match self {
                Self::Env(name) => {
                    let value = environment(name).ok_or("it is not set: set it where the bot is started")?;
                    Ok(Zeroizing::new(value.into_bytes()))
                }
                Self::File(path) => read_file(path).await,
                Self::Exec(argv) => read_program(argv).await,
            }
        };
        timeout(within, read)
            .await
            .unwrap_or_else(|_| Err(format!("no answer in {} s: try it by hand", within.as_secs())))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Exec(argv) => write!(f, "exec:{}", argv[0]),
        }
    }
}

async fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = |error: std::io::Error| format!("{error}");
    // Asked by name first: a pipe would wait for somebody who writes.
    let is_file = tokio::fs::metadata(path).await.map_err(text)?.is_file();
    if !is_file {
        return Err("it is no file".to_owned());
    }
    let file = tokio::fs::File::open(path).await.map_err(text)?;
    let seen = file.metadata().await.map_err(text)?;
    let mode = seen.mode() & 0o777;
    if mode & 0o027 != 0 {
        return Err(format!(
            "others may read or change it (mode {mode:04o}): chmod 600 it, and think of it as seen"
        ));
    }
    let us = nix::unistd::Uid::effective().as_raw();
    if seen.uid() != us && seen.uid() != 0 {
        return Err(format!("it belongs to the user number {}: it must be ours or root's", seen.uid()));
    }
    read_bounded(file).await.map_err(text)
}

async fn read_program(argv: &[String]) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut command = tokio::process::Command::new(&argv[0]);
    // What it complains about may hold what it knows: nobody reads that.
    command.args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child =
        command.kill_on_drop(true).spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    let Some(stdout) = child.stdout.take() else { return Err("it has no output".to_owned()) };
    let bytes = read_bounded(stdout).await.map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("it prints more than {MAX_BYTES} bytes"));
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() { Ok(bytes) } else { Err(format!("it ended with {status}: try it by hand")) }
}

/// All of it, or a little more than a secret may have. The memory is never moved, so that no copy is left.
async fn read_bounded(from: impl AsyncRead + Unpin) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 64));
    let mut from = from.take(MAX_BYTES as u64 + 1);
    while from.read_buf(&mut *bytes).await? > 0 {}
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{Secrets, Unresolved};
    use super::*;

    const VALUE: &str = "correct horse battery";

    fn parse(text: &str) -> Result<Reference, &'static str> {
        Reference::parse(text, Path::new("/base"))
    }

    async fn resolve(reference: &str) -> Result<String, String> {
        let environment: Environment = |name| match name {
            "SET" => Some(VALUE.to_owned()),
            "SHORT" => Some("hunter2".to_owned()),
            _ => None,
        };
        let references = [("token".to_owned(), parse(reference).unwrap())].into();
        let resolved = Secrets::new(references, environment).resolve(&["token".to_owned()]).await;
        resolved.map(|all| all[0].expose().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_reference_is_refused_and_not_repeated() {
        for text in
            [VALUE, "hunter2", "env:", "env:A B", "file:", "exec:", "exec:op read x", "vault:x", "a:b"]
        {
            let why = parse(text).unwrap_err();
            assert!(!why.contains("hunter2") && !why.contains("horse"), "{why}");
        }
        assert_eq!(parse("file:x/y"), Ok(Reference::File("/base/x/y".into())));
        assert_eq!(parse("file:/x"), Ok(Reference::File("/x".into())));
    }

    #[test]
    fn a_plan_shows_where_a_secret_is_and_no_argument() {
        assert_eq!(parse("env:TOKEN").unwrap().shown(), "env:TOKEN");
        let shown = |text| parse(text).unwrap().shown();
        assert!(shown("exec:/bin/op read a").starts_with("exec:/bin/op with arguments of digest "));
        assert!(!shown("exec:/bin/op read a").contains("read"));
        assert_ne!(shown("exec:/bin/op read a"), shown("exec:/bin/op read b"));
    }

    #[tokio::test]
    async fn each_kind_is_read_and_one_end_of_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let path = folder.path().join("value");
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            format!("file:{}", path.display())
        };

        assert_eq!(resolve("env:SET").await.unwrap(), VALUE);
        assert_eq!(resolve(&file("correct horse\n")).await.unwrap(), "correct horse");
        assert_eq!(resolve(&file("correct horse\r\n")).await.unwrap(), "correct horse");
        assert_eq!(resolve(&file("correct\nhorse\n")).await.unwrap(), "correct\nhorse\n");
        assert_eq!(resolve("exec:/bin/sh -c id").await.map(|id| id.starts_with("uid=")), Ok(true));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told_with_what_to_do_and_without_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open");
        std::fs::write(&path, VALUE).unwrap();
        let with_mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            format!("file:{}", path.display())
        };
        let long = folder.path().join("long");
        std::fs::write(&long, "x".repeat(MAX_BYTES + 1)).unwrap();
        std::fs::set_permissions(&long, std::fs::Permissions::from_mode(0o600)).unwrap();
        let cases = [
            ("env:UNSET".to_owned(), "set it where the bot is started"),
            ("env:SHORT".to_owned(), "use a longer one"),
            (with_mode(0o604), "chmod 600"),
            (format!("file:{}", folder.path().display()), "no file"),
            (format!("file:{}/none", folder.path().display()), "No such file"),
            (format!("file:{}", long.display()), "more than 16384 bytes"),
            ("exec:/no/such/program".to_owned(), "cannot be started"),
            ("exec:/bin/false".to_owned(), "try it by hand"),
            ("exec:/usr/bin/yes".to_owned(), "more than 16384 bytes"),
            ("exec:/bin/cat /dev/zero".to_owned(), "more than 16384 bytes"),
            ("exec:/usr/bin/printf a\\000bcdefghij".to_owned(), "NUL byte"),
            ("exec:/usr/bin/printf \\377\\376bcdefghij".to_owned(), "not text"),
            ("exec:/bin/echo hunter2hunter2".to_owned(), "stands in its reference"),
        ];
        for (reference, words) in cases {
            let why = resolve(&reference).await.expect_err(&reference);
            assert!(why.contains(words), "{reference}: {why}");
            assert!(!why.contains("hunter2") && !why.contains("horse"), "{why}");
        }
        for mode in [0o600, 0o400, 0o640] {
            assert_eq!(resolve(&with_mode(mode)).await.as_deref(), Ok(VALUE), "{mode:o}");
        }
        assert_eq!(
            Secrets::default().resolve(&["other".to_owned()]).await.unwrap_err(),
            Unresolved::Unknown("other".to_owned())
        );
    }

    #[tokio::test]
    async fn a_program_that_does_not_answer_is_given_up() {
        let slow = parse("exec:/bin/sleep 3131").unwrap();

        let why = slow.read_within(|_| None, Duration::from_millis(100)).await.unwrap_err();

        assert!(why.contains("no answer"), "{why}");
    }
}
