//! A block of loopback addresses, 127.x.0.0/16, which one lab has for itself.
//!
//! A whole block, because on a shared 127.0.0.x somebody else may hold the port already. Two labs, two blocks.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// `127.77` means all addresses from 127.77.0.0 to 127.77.255.255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Block(u8);

impl Block {
    /// The block of `lab up` when none is named.
    pub const FIRST: Self = Self(77);

    /// The blocks that a lab may choose by itself, in this order.
    pub(crate) fn choices() -> impl Iterator<Item = Self> {
        (Self::FIRST.0..Self::FIRST.0 + 40).map(Self)
    }

    /// Every block there is, for looking after leftovers.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (1..=u8::MAX).map(Self)
    }

    pub(crate) fn address(self, octet: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, 0, octet)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "127.{}", self.0)
    }
}

impl FromStr for Block {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = text.strip_prefix("127.").and_then(|n| n.parse().ok()).filter(|n| *n > 0);
        number.map(Self).ok_or_else(|| {
            Error::new(format!("`{text}` is not a block of loopback addresses"))
                .because("a block is 127.1 to 127.255; 127.0 is shared with everything else on this machine")
                .next("for example `--block 127.78`")
        })
    }
}

impl TryFrom<String> for Block {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Block> for String {
    fn from(block: Block) -> Self {
        block.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_and_written_alike() {
        assert_eq!("127.78".parse::<Block>().unwrap().to_string(), "127.78");
        assert_eq!(Block::FIRST.address(11).to_string(), "127.77.0.11");
    }

    #[test]
    fn the_shared_block_and_nonsense_are_refused() {
        for wrong in ["127.0", "127.256", "10.0", "127.", "127.77.0"] {
            assert!(wrong.parse::<Block>().is_err(), "{wrong}");
        }
    }
}
