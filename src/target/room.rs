//! How much may be done at once: file handles are what runs out first when hundreds of hosts are spoken to.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A command takes so many file handles at most: three streams, both ends of each while they are handed over, and the
/// way to the master.
const HANDLES_A_COMMAND: u64 = 8;
/// For journal, files, terminal and whatever else.
const OTHER_HANDLES: u64 = 128;
/// More commands at once than this are of no use.
const MOST: u64 = 4_096;

/// Raises the limit of file handles as far as this process may and needs it, and says how many commands fit.
pub(super) fn commands_at_once() -> usize {
    let wanted = OTHER_HANDLES + MOST * HANDLES_A_COMMAND;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 64 };
    let raised = wanted.min(hard).max(soft);
    let handles = if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft };
    let fit = (handles.saturating_sub(OTHER_HANDLES) / HANDLES_A_COMMAND).clamp(4, MOST);
    usize::try_from(fit).unwrap_or(64)
}
