//! The key that signs links: 32 random bytes in a file beside the journal, which only we can read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The key in this file. If there is none, these bytes become it: whoever asks gives fresh ones.
pub fn load_or_create(path: &Path, fresh: &[u8; 32]) -> Result<[u8; 32], String> {
    match load(path) {
        Err(Missing::NotThere) => {
            create(path, fresh).map_err(|why| {
                format!(
                    "The key of the links cannot be written to {}: {why}. Next: make its folder ours to write",
                    path.display()
                )
            })?;
            // Of two who begin at the same time one wins; both go on with that key.
            load(path).map_err(|missing| missing.told(path))
        }
        loaded => loaded.map_err(|missing| missing.told(path)),
    }
}

enum Missing {
    NotThere,
    /// It is the key of another login, which goes on with it.
    NotOurs,
    Unusable(String),
}

impl Missing {
    fn told(self, path: &Path) -> String {
        let why = match self {
            Self::NotOurs => {
                return format!(
                    "The key of the links in {} is another login's. Next: leave it, and let that login run the bot; \
                     `incident ack` needs no link",
                    path.display()
                );
            }
            Self::NotThere => "it was there and is gone".to_owned(),
            Self::Unusable(why) => why,
        };
        format!(
            "The key of the links in {} cannot be used: {why}. Next: remove the file and start the bot again; links that \
             were sent before are void then",
            path.display()
        )
    }
}

fn load(path: &Path) -> Result<[u8; 32], Missing> {
    let mut file = std::fs::File::open(path).map_err(Missing::from)?;
    let mode = file.metadata().map_err(Missing::from)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Missing::Unusable(format!("others may read or change it (mode {mode:04o})")));
    }
    let mut key = [0; 32];
    let mut rest = [0; 1];
    let whole = file.read_exact(&mut key).is_ok() && matches!(file.read(&mut rest), Ok(0));
    whole.then_some(key).ok_or_else(|| Missing::Unusable("it does not hold 32 bytes".to_owned()))
}

impl From<std::io::Error> for Missing {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NotThere,
            ErrorKind::PermissionDenied => Self::NotOurs,
            _ => Self::Unusable(error.to_string()),
        }
    }
}

/// Under a name of its own first, so that nobody ever reads half a key. Files are made with mode 0600 there.
fn create(path: &Path, key: &[u8; 32]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
        _ => std::fs::File::open(folder)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_we_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links.key");

        let first = load_or_create(&path, &[1; 32]).unwrap();
        let second = load_or_create(&path, &[2; 32]).unwrap();

        assert_eq!((first, second), ([1; 32], [1; 32]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_no_key_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links.key");
        let with = |bytes: &[u8], mode| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            load_or_create(&path, &[2; 32])
        };

        for (bytes, mode, words) in [
            (&[1; 32][..], 0o640, "others may read or change it (mode 0640)"),
            (&[1; 31], 0o600, "does not hold 32 bytes"),
            (&[1; 33], 0o600, "does not hold 32 bytes"),
        ] {
            let why = with(bytes, mode).unwrap_err();
            assert!(why.contains(words) && why.contains("Next: remove the file"), "{why}");
        }
        assert_eq!(with(&[3; 32], 0o600), Ok([3; 32]));
    }

    #[test]
    fn the_key_of_another_login_is_not_to_be_removed() {
        // Root can read everything, so that no file shows this to every test.
        let why =
            Missing::from(std::io::Error::from(ErrorKind::PermissionDenied)).told(Path::new("links.key"));

        assert!(why.contains("another login's") && !why.contains("remove"), "{why}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let why = load_or_create(Path::new("/no/such/folder/links.key"), &[1; 32]).unwrap_err();

        assert!(why.contains("/no/such/folder/links.key") && why.contains("Next:"), "{why}");
    }
}
