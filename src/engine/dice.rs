//! What cannot be guessed: tokens that people type and that name the target, and keys.

use std::sync::Mutex;

use rand::{Rng, SeedableRng};

/// The random part of a token has no 0 1 i l o, so that it can be read aloud.
const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// How many random letters.
const LENGTH: usize = 6;

/// Where tokens come from.
#[derive(Debug)]
pub struct Dice(Mutex<rand::rngs::StdRng>);

impl Dice {
    /// Random ones.
    #[expect(clippy::disallowed_methods, reason = "these are the dice")]
    pub fn random() -> Self {
        Self(Mutex::new(rand::rngs::StdRng::from_rng(&mut rand::rng())))
    }

    /// The same ones each time, for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(rand::rngs::StdRng::seed_from_u64(seed)))
    }

    /// A key that nobody can guess.
    pub fn key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(&mut key);
        key
    }

    /// A token that names a target: `orders-k7m2qx`.
    pub fn token(&self, target: &str) -> String {
        let mut rng = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let letters = 31;
        // Whole multiples only, so that every letter is equally likely.
        let limit = u32::MAX - u32::MAX % letters;
        let mut token = format!("{target}-");
        while token.len() < target.len() + 1 + LENGTH {
            let drawn = rng.next_u32();
            if drawn < limit {
                token.push(char::from(LETTERS[(drawn % letters) as usize]));
            }
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_target_and_has_no_letter_that_looks_like_another() {
        let dice = Dice::random();
        for _ in 0..200 {
            let token = dice.token("orders");
            let random = token.strip_prefix("orders-").unwrap();
            assert_eq!(random.len(), 6);
            assert!(!random.contains(['0', '1', 'i', 'l', 'o']), "{token}");
        }
        assert_ne!(dice.token("x"), dice.token("x"));
        assert_ne!(dice.key(), dice.key());
    }
}
