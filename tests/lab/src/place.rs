//! Where a lab lies when nobody says: in the temporary folder, or in memory.
//!
//! A fast lab does without the disk anyway, so it goes to /dev/shm if that is roomy: the thousands of small files of three
//! clusters are made there in a tenth of the time. A lab that a person keeps stays on the disk, because some systems
//! empty /dev/shm when that person logs out. Claims always lie in the temporary folder.

use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;

use crate::block::Block;
use crate::spec::{Afterwards, Disk, Spec};

const MEMORY: &str = "/dev/shm";
/// Three clusters with all the WAL that they may keep, and another lab beside them.
const ROOM: u64 = 4 << 30;

/// The directory of a lab of this block.
pub(crate) fn dir(spec: &Spec, block: Block) -> PathBuf {
    spec.dir.clone().unwrap_or_else(|| folder(spec).join(format!("steadyhand-lab-{block}")))
}

/// The folder of the seed from which a lab in `dir` copies: on the same file system.
pub(crate) fn seed_folder(dir: &Path) -> PathBuf {
    if dir.starts_with(MEMORY) { PathBuf::from(MEMORY) } else { std::env::temp_dir() }
}

/// Everywhere where seeds may lie.
pub(crate) fn seed_folders() -> [PathBuf; 2] {
    [std::env::temp_dir(), PathBuf::from(MEMORY)]
}

fn folder(spec: &Spec) -> PathBuf {
    let passing = spec.disk == Disk::Fast && spec.afterwards == Afterwards::CleanUp;
    if passing && is_roomy(MEMORY) { PathBuf::from(MEMORY) } else { std::env::temp_dir() }
}

/// Large enough, and programs may run from there: containers often have it small and without.
fn is_roomy(folder: &str) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|fs| {
        fs.f_bavail * fs.f_frsize >= ROOM
            && !fs.f_flag.intersects(StatVfsMountFlags::NOEXEC | StatVfsMountFlags::RDONLY)
    })
}
