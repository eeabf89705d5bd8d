//! Clearing what dead labs left behind: processes, directories, claims.
//!
//! A lab is dead when the process that answered for it is gone, which its lock says, or when nothing of it runs any
//! more. Labs that a person brought up with `lab up`, and labs of other users, are left alone.

use std::path::PathBuf;

use crate::account::Account;
use crate::block::Block;
use crate::claim::{self, Asked, Claim, Deed, Keeper};
use crate::error::Result;
use crate::ground::Ground;
use crate::lab;
use crate::process;
use crate::seed;
use crate::topology::SEATS;

/// What became of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleared {
    /// A dead lab was here; now nothing is.
    Removed(Block, PathBuf),
    /// A lab runs here and was left alone; the text says why.
    Left(Block, String),
    /// A dead lab is here and could not be cleared; the text says why.
    Failed(Block, String),
}

/// Clears all leftovers of this user.
pub fn clear_leftovers() -> Result<Vec<Cleared>> {
    let mut cleared = Vec::new();
    for block in Block::all().filter(|b| claim::exists(*b)) {
        match Claim::ask(block)? {
            Asked::Taken(by) => cleared.push(Cleared::Left(block, by)),
            Asked::Ours(claim) => cleared.extend(look(claim)),
        }
    }
    Ok(cleared)
}

fn look(mut claim: Claim) -> Option<Cleared> {
    let block = claim.block();
    let Some(deed) = claim.deed().filter(|deed| deed.dir.exists()) else {
        claim.release();
        return None;
    };
    if deed.keeper == Keeper::Person && is_alive(&deed) {
        return Some(Cleared::Left(block, format!("up in {}; `lab down` ends it", deed.dir.display())));
    }
    Some(match lab::clear(&deed) {
        Ok(()) => {
            claim.release();
            Cleared::Removed(block, deed.dir)
        }
        Err(e) => Cleared::Failed(block, e.to_string()),
    })
}

fn is_alive(deed: &Deed) -> bool {
    Ground::read(&deed.dir).is_ok_and(|ground| {
        SEATS.into_iter().any(|s| !process::of_host(&ground.host_dir(s), ground.account.uid).is_empty())
    })
}

/// Removes seeds of this user that a killed process left half built, with their servers. Says which there were.
pub fn remove_half_built_seeds() -> Result<Vec<PathBuf>> {
    seed::remove_half_built(&Account::ordinary()?)
}

/// Removes the seeds of this user, so that the next lab builds them anew. Says which there were.
pub fn remove_seeds() -> Result<Vec<PathBuf>> {
    seed::remove_all(&Account::ordinary()?)
}
