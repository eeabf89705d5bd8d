//! The page that lists every key and every problem is made by the program, and committed.

use std::fs;
use std::path::Path;

use crate::folder::Folder;

#[test]
fn the_committed_reference_is_what_the_program_prints() {
    let said = Folder::empty().run(&["reference"]);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbook-reference.md");
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(said.code, 0);
    assert!(
        committed == said.out,
        "docs/runbook-reference.md is not what the program prints; make it anew:\n  cargo run --quiet -- reference > docs/runbook-reference.md"
    );
}
