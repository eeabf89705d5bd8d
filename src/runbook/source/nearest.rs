//! The word that somebody most likely meant. Never used for hosts: a wrong host is answered with the possible ones.

/// The candidate nearest to `word`, when one is clearly near: at most a third of its letters differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= limit || (lower.len() >= 4 && candidate.starts_with(&lower))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The cure "nearest: `x`", or the list of what there is when nothing is near.
pub fn nearest_or_all<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(found) = nearest(word, candidates.clone()) {
        return format!("nearest: `{found}`");
    }
    let all: Vec<_> = candidates.into_iter().collect();
    match all.len() {
        0 => "there is none".to_owned(),
        1..=16 => format!("there are: {}", all.join(", ")),
        n => format!("there are {n}, among them: {}", all[..12].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let words = ["require", "verify", "watch", "failover-database"];

        assert_eq!(nearest("requires", words), Some("require"));
        assert_eq!(nearest("failover-databse", words), Some("failover-database"));
        assert_eq!(nearest("fail", words), Some("failover-database"));
    }

    #[test]
    fn a_word_far_from_all_others_has_no_nearest() {
        assert_eq!(nearest("colour", ["require", "verify"]), None);
        assert_eq!(nearest_or_all("colour", ["require", "verify"]), "there are: require, verify");
    }
}
