//! Secrets, and the files that keep them. They are never printed and never logged.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rand::RngCore as _;

use crate::error::Error;

/// Least bytes of a secret.
pub const SECRET_BYTES_MIN: usize = 32;
/// Longest secret file that is read.
const FILE_BYTES_MAX: u64 = 4_096;
/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// What the gate seals its challenges with. Gates that share it honour each other's offers: share
/// it among replicas of one gate, never among sites. Other keys are kept in such files, too.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A secret of at least [`SECRET_BYTES_MIN`] bytes.
    ///
    /// # Errors
    /// [`Error::SecretTooShort`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(Error::SecretTooShort(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// Reads the secret from a file of hex digits, and makes it (32 random bytes, mode 0600) where
    /// there is none. Of several processes that start at once, all end up with the same one.
    ///
    /// # Errors
    /// Where the file cannot be read or made, or does not hold a secret.
    pub fn read_or_create(path: &Path) -> Result<Self, Error> {
        let failed = |cause| Error::SecretFile { path: path.to_owned(), cause };
        match read(path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                create(path).map_err(failed)?;
                Self::from_hex(&read(path).map_err(failed)?, path)
            }
            Err(cause) => Err(failed(cause)),
            Ok(text) => Self::from_hex(&text, path),
        }
    }

    fn from_hex(text: &str, path: &Path) -> Result<Self, Error> {
        let bytes = hex::decode(text.trim()).map_err(|_| Error::SecretNotHex(path.to_owned()))?;
        Self::new(bytes)
    }

    /// Its bytes, for what is derived from it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let metadata = fs::metadata(path)?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is too long for a secret"));
    }
    if metadata.permissions().mode() & OTHERS != 0 {
        tracing::warn!(
            file = %path.display(),
            "other users of this machine can read this secret; chmod 600 it"
        );
    }
    fs::read_to_string(path)
}

/// Writes the file under another name and links it in place: it is there whole or not at all, and
/// the first of several writers wins.
fn create(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        fs::create_dir_all(parent)?;
    }
    let mut bytes = [0; SECRET_BYTES_MIN];
    rand::rngs::OsRng.fill_bytes(&mut bytes);
    let draft = PathBuf::from(format!("{}.{}", path.display(), uuid::Uuid::new_v4()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file
        .write_all(hex::encode(bytes).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    fs::remove_file(&draft)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_secret_is_made_once_and_read_ever_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/gate.secret");
        let made = Secret::read_or_create(&path).unwrap();
        let read = Secret::read_or_create(&path).unwrap();
        assert_eq!(made.bytes(), read.bytes());
        assert_eq!(made.bytes().len(), SECRET_BYTES_MIN);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn gates_that_start_at_once_share_one_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gate.secret");
        let secrets: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let path = &path;
            let read = move || Secret::read_or_create(path).unwrap().bytes().to_vec();
            let gates: Vec<_> = (0..8).map(|_| scope.spawn(read)).collect();
            gates.into_iter().map(|gate| gate.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
    }

    #[test]
    fn short_and_unreadable_secrets_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gate.secret");
        fs::write(&path, "abcd").unwrap();
        assert!(matches!(Secret::read_or_create(&path), Err(Error::SecretTooShort(2))));
        fs::write(&path, "not hex").unwrap();
        assert!(matches!(Secret::read_or_create(&path), Err(Error::SecretNotHex(_))));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new(vec![7; 32]).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
    }
}
