//! What the service is packed in: an image and a unit of systemd. Neither is built here; both are held to what they
//! promise, and systemd looks at its own where it is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use steadyhand::config::{KEYS, variable};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The instructions of the Dockerfile: each with its words, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let joined = document("Dockerfile").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).unwrap()
        })
        .collect()
}

fn is_known(name: &str) -> bool {
    name == "STEADYHAND_CONFIG" || KEYS.iter().any(|key| variable(key) == name)
}

#[test]
fn the_image_is_small_runs_as_nobody_special_and_asks_itself_how_it_is() {
    let all = instructions();
    let of = |word: &str| {
        all.iter().filter(|(known, _)| known == word).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>()
    };
    let last_stage = all.iter().rposition(|(word, _)| word == "FROM").unwrap();

    for image in of("FROM") {
        let image = image.split(' ').next().unwrap();
        let tag = image.split_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{image} may be another image tomorrow");
    }
    let manifest = document("Cargo.toml");
    let (_, rust) = manifest.split_once("rust-version = \"").unwrap();
    let rust = rust.split('"').next().unwrap();
    assert!(of("FROM")[0].starts_with(&format!("rust:{rust}-")), "the Rust that the manifest names");
    assert!(
        of("FROM").last().unwrap().starts_with("debian:") && of("FROM").last().unwrap().ends_with("-slim")
    );

    // The user is a fixed number, made in the image, and nothing runs as root behind it.
    let users: Vec<_> = all.iter().enumerate().filter(|(_, (word, _))| word == "USER").collect();
    let [(place, (_, user))] = users[..] else { panic!("one user") };
    let uid = user.split(':').next().unwrap();
    assert!(uid.parse::<u32>().is_ok_and(|uid| uid >= 1000), "{user}");
    assert!(place > last_stage && of("RUN").last().unwrap().contains(&format!("--uid {uid} ")));
    assert!(all[place..].iter().all(|(word, _)| !["RUN", "ADD"].contains(&word.as_str())));

    assert_eq!(of("ENTRYPOINT"), [r#"["tini", "--", "steadyhand"]"#], "signals reach it");
    assert_eq!(of("CMD"), [r#"["serve"]"#]);
    assert_eq!(of("STOPSIGNAL"), ["SIGTERM"]);
    let [health] = of("HEALTHCHECK")[..] else { panic!("one health check") };
    assert!(health.ends_with(r#"CMD ["steadyhand", "health"]"#), "{health}");
    for needed in ["openssh-client", "ca-certificates", "libssl3", "tini"] {
        assert!(of("RUN").last().unwrap().contains(needed), "{needed} is not in the image");
    }
    assert!(!of("RUN").concat().contains("curl"));
    assert!(of("RUN")[0].contains("libssl-dev pkg-config"), "what the client of Discord is built with");
    for setting in of("ENV").iter().flat_map(|settings| settings.split_whitespace()) {
        let name = setting.split('=').next().unwrap();
        assert!(is_known(name), "nothing reads {name}");
    }
}

/// The libraries that the program is linked with, by what Debian calls their packages.
#[test]
#[expect(clippy::disallowed_methods, reason = "the linker reads the program that was built")]
fn every_library_of_the_program_is_in_the_image() {
    let output = Command::new("ldd").arg(env!("CARGO_BIN_EXE_steadyhand")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"libc.so.6"), "{text}");
    for name in names {
        // Of the image itself, and of what the image installs.
        let base = ["linux-vdso", "libc.", "libm.", "libgcc_s.", "/lib64/ld-", "/lib/ld-"];
        let installed = ["libssl.so.3", "libcrypto.so.3"];
        let is_there = base.iter().any(|known| name.starts_with(known)) || installed.contains(&name);
        assert!(
            is_there,
            "{name} is not in the image: install its package in the Dockerfile, and name it here"
        );
    }
}

#[test]
fn what_the_image_copies_is_there_and_goes_to_the_builder() {
    let ignored = document(".dockerignore");
    let sent: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"), "nothing else goes there");
    let mut copied = 0;
    for (_, words) in instructions().iter().filter(|(word, _)| word == "COPY") {
        let words: Vec<_> = words.split_whitespace().collect();
        if words[0].starts_with("--from=") {
            continue;
        }
        for source in &words[..words.len() - 1] {
            assert!(root().join(source).exists(), "{source} is not there");
            assert!(sent.iter().any(|known| Path::new(source).starts_with(known)), "{source} is ignored");
            copied += 1;
        }
    }
    assert!(copied >= 5);
}

/// The unit, with a program that is there in the place of the one that is installed.
fn unit(folder: &Path) -> PathBuf {
    let text = document("docs/serve/steadyhand.service");
    let installed = "ExecStart=/usr/local/bin/steadyhand serve ";
    assert!(text.contains(installed), "{text}");
    let text = text.replace(installed, &format!("ExecStart={} serve ", env!("CARGO_BIN_EXE_steadyhand")));
    let path = folder.join("steadyhand.service");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_unit_says_what_the_service_keeps_to() {
    let text = document("docs/serve/steadyhand.service");
    let says = |line: &str| assert!(text.lines().any(|known| known == line), "no {line}");

    for line in
        ["Type=notify", "User=steadyhand", "WatchdogSec=60", "Restart=on-failure", "NoNewPrivileges=yes"]
    {
        says(line);
    }
    for setting in text.lines().filter_map(|line| line.strip_prefix("Environment=")) {
        let name = setting.split('=').next().unwrap();
        assert!(is_known(name), "nothing reads {name}");
    }
}

/// `make test` installs systemd's own tool.
#[test]
#[expect(clippy::disallowed_methods, reason = "systemd reads its own file")]
fn systemd_understands_the_unit_and_finds_it_well_shut() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path());
    // Exposure is counted from 0 to 100 here.
    for words in [&["verify"][..], &["security", "--offline=yes", "--threshold=20"]] {
        let output = Command::new("systemd-analyze").args(words).arg(&unit).output();
        let output =
            output.unwrap_or_else(|error| panic!("systemd-analyze: {error}. Next: make test installs it"));
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
        assert!(words[0] != "verify" || said.trim().is_empty(), "{said}");
    }
}
