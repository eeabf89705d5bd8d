//! Makes transcripts comparable: digests and hashes depend on every byte of the shipped files, and are shown as others
//! of the same length. The same digest is always shown as the same.

use std::collections::BTreeMap;

use regex_lite::Regex;

/// Stand-ins for the first digests of a conversation.
const STAND_INS: [&str; 8] =
    ["7c1e94b2", "b30f66a1", "51c0aa9e", "0be4d7f1", "9d41c07e", "e2b7d610", "c4a85f3d", "38f0b92c"];

/// The text with stable digests, commit and folder.
pub(crate) fn text(heard: &str, commit: Option<&str>, folder: &str) -> String {
    let digest =
        Regex::new(r"(plan |Its plan is |approve \d+ |PLAN |sha256 |Digest +|sha256\n +)([0-9a-f]{8,64})")
            .unwrap();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for found in digest.captures_iter(heard) {
        let short = found[2][..8].to_owned();
        if short == "00000000" {
            continue;
        }
        let next = known.len();
        let stand_in = STAND_INS.get(next).map_or_else(|| format!("{next:08x}"), |known| (*known).to_owned());
        known.entry(short).or_insert(stand_in);
    }
    let mut text = heard.to_owned();
    for (short, stand_in) in known {
        let whole = Regex::new(&format!("{short}[0-9a-f]*")).unwrap();
        text = whole
            .replace_all(&text, |found: &regex_lite::Captures<'_>| {
                stand_in.repeat(8)[..found[0].len()].to_owned()
            })
            .into_owned();
    }
    if let Some(commit) = commit {
        text = text.replace(commit, "5e07c33");
    }
    // Incidents are written beside runs: which entry comes first is nobody's promise.
    for (number, stand_in) in [
        (
            r"(?m)^((?:\x1b\[[0-9;]*m)*)\d+((?:\x1b\[[0-9;]*m)*) +((?:\x1b\[[0-9;]*m)*\d\d:\d\d:\d\d CET)",
            "${1}N$2      $3",
        ),
        (r"\d+( entries, unbroken)", "N$1"),
        (r"(Head +entry )\d+", "${1}N"),
    ] {
        text = Regex::new(number).unwrap().replace_all(&text, stand_in).into_owned();
    }
    text.replace(folder, "runbooks")
}
