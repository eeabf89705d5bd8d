//! A folder of runbooks that a test fills, and the real program that checks it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Where the fixtures lie.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/authoring")
}

/// A folder that holds `runbooks/`, and is gone when the test ends.
pub(crate) struct Folder(TempDir);

/// What the program said, and how it ended.
pub(crate) struct Said {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it printed for its reader.
    pub(crate) out: String,
    /// What it printed about itself.
    pub(crate) err: String,
}

impl Folder {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// The small town that all bad fixtures share: a store of three servers, two people, one sound runbook.
    pub(crate) fn town() -> Self {
        Self::empty().with_all_of(&fixtures().join("base"))
    }

    /// The path of the folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Puts a file into it.
    pub(crate) fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    /// Copies a folder of files into `runbooks/`. A link stays a link to where it led.
    pub(crate) fn with_all_of(self, from: &Path) -> Self {
        copy(from, &self.at("runbooks"));
        self
    }

    /// Runs the program here.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.execute(env!("CARGO_BIN_EXE_steadyhand"), arguments)
    }

    /// Runs a line of a shell here, which finds the program by its name.
    pub(crate) fn shell(&self, line: &str) -> Said {
        self.execute("sh", &["-c", line])
    }

    /// Runs a program with nothing of our environment but what programs need.
    #[expect(clippy::disallowed_methods, reason = "the real program is what authors meet")]
    fn execute(&self, program: &str, arguments: &[&str]) -> Said {
        let ours = Path::new(env!("CARGO_BIN_EXE_steadyhand")).parent().unwrap();
        let output = std::process::Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", format!("{}:{}", ours.display(), env!("PATH")))
            .output()
            .unwrap();
        Said {
            code: output.status.code().expect("the program ends by itself"),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// `steadyhand check runbooks`, with the text that people read; how long it took is not told.
    pub(crate) fn check(&self) -> Said {
        let mut said = self.run(&["check", "runbooks"]);
        said.out = without_time(&said.out);
        said
    }

    /// The problems, as programs read them.
    pub(crate) fn problems(&self) -> Vec<serde_json::Value> {
        let said = self.run(&["check", "runbooks", "--format", "json"]);
        let value: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        value["problems"].as_array().expect("a list of problems").clone()
    }
}

/// The place and code of a problem: `runbooks/x.yaml:3:5 name-unknown`.
pub(crate) fn place_and_code(problem: &serde_json::Value) -> String {
    let text = |key: &str| problem[key].as_str().expect("a text").to_owned();
    format!("{}:{}:{} {}", text("file"), problem["line"], problem["column"], text("code"))
}

/// Replaces `12 ms` by `… ms`.
pub(crate) fn without_time(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for index in 1..words.len() {
        if words[index].starts_with("ms.") && words[index - 1].parse::<u32>().is_ok() {
            words[index - 1] = "…";
        }
    }
    words.join(" ")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_symlink() {
            std::os::unix::fs::symlink(path.canonicalize().unwrap(), target).unwrap();
        } else if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
