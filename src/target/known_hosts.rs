//! The pinned host keys: which hosts have one, and its fingerprint as OpenSSH shows it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// The keys of a `known_hosts` file.
#[derive(Debug, Clone, Default)]
pub struct KnownKeys {
    /// Host patterns as they are written, and the fingerprint.
    lines: Vec<(Vec<String>, String)>,
}

impl KnownKeys {
    /// Reads the file. Hashed names are not understood: who reviews the file must be able to read it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the pinned host keys in {} cannot be read: {error}", path.display()))?;
        Ok(Self::parse(&text))
    }

    /// Reads the text of the file.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '@']) {
                return None;
            }
            let mut words = line.split_whitespace();
            let hosts = words.next()?.split(',').map(str::to_owned).collect();
            let key = STANDARD.decode(words.nth(1)?).ok()?;
            Some((hosts, format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&key)))))
        });
        Self { lines: lines.collect() }
    }

    /// The fingerprints of the keys that a host may show.
    pub fn of(&self, address: &str, port: u16) -> Vec<String> {
        let wanted = if port == 22 { address.to_owned() } else { format!("[{address}]:{port}") };
        let known = self
            .lines
            .iter()
            .filter(|(hosts, _)| hosts.iter().any(|host| host.eq_ignore_ascii_case(&wanted)));
        known.map(|(_, fingerprint)| fingerprint.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_host_is_found_by_address_and_port_with_the_fingerprint_of_openssh() {
        let file =
            format!("# comment\n[127.77.0.11]:2422,pg1 ssh-ed25519 {KEY} note\n10.0.0.1 ssh-ed25519 {KEY}\n");
        let keys = KnownKeys::parse(&file);

        let fingerprint = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        assert_eq!(keys.of("127.77.0.11", 2422), [fingerprint]);
        assert_eq!(keys.of("10.0.0.1", 22), [fingerprint]);
        assert!(keys.of("127.77.0.11", 22).is_empty());
        assert!(keys.of("10.0.0.2", 22).is_empty());
    }
}
