//! One attempt to send one letter: whether it may have left already, the secrets that it needs, and how the other side is
//! quoted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Letter, Outside};
use crate::incident::input::Answer;
use crate::runbook::source::hidden::{shortened, visible};
use crate::secrets::mask::masked;
use crate::secrets::{Secret, Secrets};

/// So much of what others say is quoted.
const QUOTED: usize = 200;

/// One attempt.
pub(super) struct Attempt<'a> {
    pub(super) outside: &'a Outside,
    pub(super) letter: &'a Letter,
    left: AtomicBool,
}

impl<'a> Attempt<'a> {
    pub(super) const fn new(outside: &'a Outside, letter: &'a Letter) -> Self {
        Self { outside, letter, left: AtomicBool::new(false) }
    }

    /// From now on the other side may have the letter, whatever becomes of us.
    pub(super) fn leaves(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// What is known when it took too long.
    pub(super) fn given_up(&self, after: Duration) -> Answer {
        let seconds = after.as_secs_f32();
        if self.left.load(Ordering::Relaxed) {
            Answer::Unknown(format!("no answer within {seconds} s, and it may have been taken"))
        } else {
            Answer::NotNow(format!("no answer within {seconds} s, before it was sent"), None)
        }
    }

    /// A secret. That it cannot be read is cured by a person, so it is no answer for ever.
    pub(super) async fn secret(&self, name: &str) -> Result<Secret, Answer> {
        secret(&self.outside.secrets, name).await.map_err(|why| Answer::NotNow(why, None))
    }

    /// What the other side says, in one line, without secrets and not at length.
    pub(super) fn quoted(&self, text: &str) -> String {
        quoted(&self.outside.secrets, text)
    }
}

/// A secret, or why there is none.
pub(super) async fn secret(secrets: &Secrets, name: &str) -> Result<Secret, String> {
    let mut read = secrets.resolve(&[name.to_owned()]).await.map_err(|error| error.to_string())?;
    read.pop().ok_or_else(|| format!("the secret `{name}` was not read"))
}

/// What others say, in one line, without secrets and not at length. It is masked while it is whole.
pub(super) fn quoted(secrets: &Secrets, text: &str) -> String {
    shortened(&visible(&masked(secrets.masks().as_ref(), text.trim())), QUOTED)
}
