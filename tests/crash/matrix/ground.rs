//! Where it happens: one sshd, and for each worker hosts, files and a journal of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use lab::{Awake, Homes};

/// Hosts of a worker; the last one is asleep.
const HOSTS: usize = 4;
const RUNBOOKS: [&str; 5] =
    ["every-kind.yaml", "take-back.yaml", "take-long.yaml", "go-elsewhere.yaml", "packs/marks.yaml"];
const POLICY: &str = "policy: crash
people:
  ana: { console: ana }
  ben: { console: ben }
roles:
  on-call: { people: [ana] }
  dba: { people: [ben] }
  data-platform: { people: [ben] }
  support: { people: [ana] }
  commander: { people: [ben] }
doors: { console: {} }
";

/// All of it. In memory where that is possible: a killed process loses nothing that it wrote.
pub(crate) struct Ground {
    // Dropped first.
    homes: Homes,
    dir: tempfile::TempDir,
}

/// The hosts and files of one worker.
pub(crate) struct Worker<'a> {
    pub(crate) dir: PathBuf,
    pub(crate) homes: Vec<PathBuf>,
    number: usize,
    ground: &'a Ground,
}

impl Ground {
    pub(crate) fn new(workers: usize) -> Self {
        let above = Path::new("/dev/shm");
        let above = if above.is_dir() { above.to_owned() } else { std::env::temp_dir() };
        let readable = fs::Permissions::from_mode(0o755);
        let dir = tempfile::Builder::new()
            .prefix("steadyhand-crash-")
            .permissions(readable)
            .tempdir_in(above)
            .unwrap();
        let homes = Homes::open(dir.path(), workers * HOSTS, |host| host % HOSTS == HOSTS - 1).unwrap();
        let ground = Self { homes, dir };
        for number in 0..workers {
            ground.furnish(number);
        }
        ground
    }

    pub(crate) fn worker(&self, number: usize) -> Worker<'_> {
        let homes = (0..HOSTS).map(|host| self.homes.home(number * HOSTS + host)).collect();
        Worker { dir: self.dir.path().join(format!("w{number}")), homes, number, ground: self }
    }

    fn furnish(&self, number: usize) {
        let worker = self.worker(number);
        let runbooks = worker.dir.join("runbooks");
        fs::create_dir_all(runbooks.join("packs")).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/runbooks");
        for file in RUNBOOKS {
            fs::copy(shipped.join(file), runbooks.join(file)).unwrap();
        }
        let address = |host: usize| self.homes.address(number * HOSTS + host);
        let host = |name: &str, port: u16| {
            format!("  {name}: {{ address: 127.0.0.1, port: {port}, user: {} }}\n", self.homes.user())
        };
        let inventory = format!(
            "inventory: crash
services:
  marks: {{ title: Marks, owner: data-platform }}
clusters:
  marks: {{ kind: marks, service: marks, owner: data-platform, hosts: [h1, h2], primary: h1 }}
  half: {{ kind: marks, service: marks, owner: data-platform, hosts: [h3, gone], primary: h3 }}
hosts:
{}{}{}{}",
            host("h1", address(0).port()),
            host("h2", address(1).port()),
            host("h3", address(2).port()),
            host("gone", address(3).port())
        );
        let pins: String = (0..HOSTS).map(address).map(|at| self.homes.pin(at).unwrap()).collect();
        let configuration = format!(
            "journal = \"steadyhand.db\"\nrunbooks = \"runbooks\"\nknown_hosts = \"known_hosts\"\n[ssh]\nidentity_file = \"{}\"\n[demo]\nstart_as = \"ana\"\n",
            self.homes.client_key().display()
        );
        for (name, text) in [
            ("runbooks/inventory.yaml", inventory.as_str()),
            ("runbooks/policy.yaml", POLICY),
            ("known_hosts", &pins),
            ("steadyhand.toml", &configuration),
        ] {
            fs::write(worker.dir.join(name), text).unwrap();
        }
    }

    /// Ends, and leaves the files for somebody to look at. Else they go with it.
    pub(crate) fn leave(self) {
        let _ = self.dir.keep();
    }
}

impl Worker<'_> {
    /// The host that was asleep answers from now on.
    pub(crate) fn wake(&self) -> Awake {
        self.ground.homes.wake(self.number * HOSTS + HOSTS - 1).unwrap()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("steadyhand.toml")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.dir.join("steadyhand.db")
    }

    /// What the bot prints, and what it says of itself.
    pub(crate) fn said(&self) -> [PathBuf; 2] {
        ["said", "log"].map(|name| self.dir.join(name))
    }

    /// Hosts on which nothing ever ran, and no journal.
    pub(crate) fn begin_anew(&self) {
        for name in
            ["steadyhand.db", "steadyhand.db-wal", "steadyhand.db-shm", "steadyhand.db.lock", "said", "log"]
        {
            let _ = fs::remove_file(self.dir.join(name));
        }
        for home in &self.homes {
            let _ = fs::remove_dir_all(home.join(".steadyhand"));
            let _ = fs::remove_file(home.join("ran"));
        }
        // The primaries.
        for home in [&self.homes[0], &self.homes[2]] {
            fs::write(home.join("first"), "").unwrap();
        }
        let temporary = self.dir.join("t");
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir(&temporary).unwrap();
    }

    /// Copies the journal and what the hosts saw to where the next case does not remove it.
    pub(crate) fn keep(&self, number: usize) -> PathBuf {
        let kept = self.dir.join(format!("kept-{number}"));
        let _ = fs::create_dir(&kept);
        for entry in fs::read_dir(&self.dir).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            let _ = fs::copy(entry.path(), kept.join(entry.file_name()));
        }
        for (host, home) in self.homes.iter().enumerate() {
            let _ = fs::copy(home.join("ran"), kept.join(format!("ran-on-h{}", host + 1)));
            let _ = copy(&home.join(".steadyhand"), &kept.join(format!("guard-of-h{}", host + 1)));
        }
        kept
    }
}

/// A folder with its files; pipes are left out.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
