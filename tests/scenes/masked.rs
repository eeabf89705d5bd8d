//! Texts without what differs from one time to the next: clock, durations, ids, digests, tokens.

use regex_lite::Regex;

/// A text that is the same each time.
pub(crate) fn steady(text: &str) -> String {
    let mut text = text.to_owned();
    for (what, by) in [
        // Around midnight what is said of another day has its date.
        (r"\b\d{4}-\d\d-\d\d (\d\d:\d\d)", "$1"),
        (r"(\d\d:\d\d:\d\d) (?:CES?T|UTC|GMT) to (\d\d:\d\d:\d\d)", "$1-$2"),
        (r"\(in [^)]*\)", "(in N min)"),
        (r"\d\d:\d\d:\d\d-\d\d:\d\d:\d\d", "HH:MM:SS-HH:MM:SS"),
        (r"\d\d:\d\d:\d\d", "HH:MM:SS"),
        (r"\d\d:\d\d (CES?T|UTC|GMT)", "HH:MM CET"),
        (r"\b\d+(\.\d+)? (ms|s|min|h)\b( \d+ (s|min)\b)?", "N s"),
        (r"\b\d+(\.\d+)?s\b", "Ns"),
        (r"Less than N s old|Up to N s old|N s to N s old|N s old", "N s old"),
        // How long it took decides whether it stands in a line of its own.
        (r"(?m)\n(text {5}|  \| ) +N s$", "  N s"),
        // What a primary wrote last, and whether its replicas have it, is seldom the same twice.
        (r"(?m)^.*Warning: At risk: .*\n", ""),
        (r"\.txt, \d+ lines", ".txt, N lines"),
        // Only what took some time says so.
        (r"(?m)(succeeded  .*\S)  +N s$", "$1"),
        // Whether its thread stood already when it was looked at.
        (r"(?m)^  thread: .*\n", ""),
        (r"orders-[a-z0-9]{6}\b", "orders-k7m2qx"),
        (r"plan-1-[0-9a-f]{8}", "plan-1-7c1e94b2"),
        (r"(plan is |plan |approve 1 )[0-9a-f]{8}\b", "${1}7c1e94b2"),
        (r" @ [0-9a-f]{7,}", ""),
        (r"\b\d{17,20}\b", "ID"),
        (r"\d+ bytes", "N bytes"),
    ] {
        text = Regex::new(what).unwrap().replace_all(&text, by).into_owned();
    }
    text
}

/// Messages without their files, which are compared elsewhere.
pub(crate) fn without_files(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("    ")).collect::<Vec<_>>().join("\n")
}
