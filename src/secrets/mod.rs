//! Secrets: named in the configuration by a reference, read when a command that gets them is about to be sent, or a run
//! that has begun is carried on, and masked in everything that comes back.
//!
//! A value lives in memory only: it is never stored, shown or hashed. What knows it here is [`Secret`], which is wiped
//! when it is dropped, and the masks, which know its forms for as long as the process lives.

mod forms;
pub mod mask;
pub mod reference;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use mask::Masks;
use reference::Reference;

/// A value that is shorter cannot be told from ordinary words where it is printed.
pub const MIN_BYTES: usize = 8;
/// A value has at most so many bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// So many values are masked, the newest ones: a value that is replaced every hour must not fill the memory.
const MAX_KNOWN: usize = 64;

/// A secret that was read. Nothing prints it: where it is shown, its value is left out.
#[derive(Debug, Clone)]
pub struct Secret {
    name: String,
    value: SecretString,
}

impl Secret {
    /// A secret of this name, if the bytes are fit to be one. Of a single line the end of the line is cut off; what has
    /// several lines, as a key has, stays byte for byte as it is.
    pub fn new(name: &str, mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, Unfit> {
        if bytes.len() > MAX_BYTES {
            return Err(Unfit::TooLong);
        }
        if bytes.contains(&0) {
            return Err(Unfit::Nul);
        }
        let first_end = bytes.iter().position(|byte| *byte == b'\n');
        if first_end.is_some_and(|at| at + 1 == bytes.len()) {
            let end = if bytes.ends_with(b"\r\n") { 2 } else { 1 };
            let length = bytes.len() - end;
            bytes.truncate(length);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Unfit::NoText)?;
        if forms::squeezed(text.as_bytes()).len() < MIN_BYTES {
            return Err(Unfit::TooShort);
        }
        Ok(Self { name: name.to_owned(), value: SecretString::from(text) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value, for the one who sends it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

/// Why bytes are no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Masking it would hide ordinary words.
    #[error(
        "it has fewer than {MIN_BYTES} characters, and so short a value cannot be masked: use a longer one"
    )]
    TooShort,
    /// It is too long.
    #[error("it has more than {MAX_BYTES} bytes: name a part of it, or put it on the host by other means")]
    TooLong,
    /// It is not text.
    #[error("it is not text: keep it encoded, for example in base64, and decode it in the script")]
    NoText,
    /// It cannot be sent.
    #[error("it holds a NUL byte: keep it encoded, for example in base64, and decode it in the script")]
    Nul,
    /// The reference is the value.
    #[error("its value stands in its reference, where everybody reads it: change the value, and refer to it")]
    InReference,
}

/// Why a secret cannot be read. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Nothing is configured.
    #[error("the configuration says nothing of the secret `{0}`: add it to [secrets], start the bot anew")]
    Unknown(String),
    /// It is configured, and cannot be read.
    #[error("the secret `{name}` cannot be read from {reference}: {why}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Where it should be, without arguments.
        reference: String,
        /// Why not, and what to do.
        why: String,
    },
}

/// What the environment of the process says.
pub type Environment = fn(&str) -> Option<String>;

/// All secrets that the configuration names, and the masks of those that were read.
#[derive(Debug)]
pub struct Secrets {
    references: BTreeMap<String, Reference>,
    environment: Environment,
    known: Mutex<(Vec<Secret>, Option<Arc<Masks>>)>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::new(BTreeMap::new(), |_| None)
    }
}

impl Secrets {
    /// The secrets of a configuration.
    pub fn new(references: BTreeMap<String, Reference>, environment: Environment) -> Self {
        Self { references, environment, known: Mutex::default() }
    }

    /// The reference of a secret, as a plan shows and holds it.
    pub fn shown(&self, name: &str) -> Option<String> {
        self.references.get(name).map(Reference::shown)
    }

    /// Reads secrets, all or none. From now on they are masked.
    pub async fn resolve(&self, names: &[String]) -> Result<Vec<Secret>, Unresolved> {
        let mut secrets = Vec::with_capacity(names.len());
        for name in names {
            let reference = self.references.get(name).ok_or_else(|| Unresolved::Unknown(name.clone()))?;
            let why = |why: String| Unresolved::Unreadable {
                name: name.clone(),
                reference: reference.to_string(),
                why,
            };
            let bytes = reference.read(self.environment).await.map_err(why)?;
            let secret = Secret::new(name, bytes).map_err(|unfit| why(unfit.to_string()))?;
            if reference.holds(secret.expose()) {
                return Err(why(Unfit::InReference.to_string()));
            }
            secrets.push(secret);
        }
        self.note(&secrets);
        Ok(secrets)
    }

    /// What masks every secret that was read so far; none if none was.
    pub fn masks(&self) -> Option<Arc<Masks>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn note(&self, secrets: &[Secret]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (values, masks) = &mut *known;
        let new: Vec<&Secret> = secrets
            .iter()
            .filter(|secret| !values.iter().any(|value| value.expose() == secret.expose()))
            .collect();
        if new.is_empty() {
            return;
        }
        values.extend(new.into_iter().cloned());
        let too_many = values.len().saturating_sub(MAX_KNOWN);
        values.drain(..too_many);
        *masks = Some(Arc::new(Masks::of(values)));
    }
}
