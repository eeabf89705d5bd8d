//! Masks secrets in a stream, whatever it is cut into.
//!
//! All forms of all secrets are looked for at once, and white space in the stream is passed over. What could be the
//! beginning of a form is held back until that is known. Every byte that belongs to a form is masked, also where forms
//! overlap.

use std::collections::VecDeque;
use std::sync::Arc;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;

use super::forms::{forms, is_space};
use super::{MIN_BYTES, Secret};

/// What stands where a secret was.
pub const MASK: &str = "[secret]";
/// More white space than this in a row parts what stands before it from what stands behind it.
const MAX_GAP: usize = 64;

/// All forms of some secrets.
pub struct Masks {
    finder: NFA,
    start: StateID,
    /// By state, how many bytes could be the beginning of a form.
    begun: Vec<u32>,
    /// By state, the length of the longest form that ends here; 0 if none does.
    ended: Vec<u32>,
    /// The bytes with which a form begins.
    first: [bool; 256],
    /// The length of the longest form.
    longest: usize,
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masks")
    }
}

impl Masks {
    /// The masks of these secrets.
    ///
    /// # Panics
    /// Never: the forms of as many secrets as are kept are far from the limits of the finder.
    pub fn of(secrets: &[Secret]) -> Self {
        let all: std::collections::BTreeSet<Vec<u8>> =
            secrets.iter().flat_map(|secret| forms(secret.expose())).collect();
        let finder = NFA::builder().prefilter(false).build(&all).expect("few forms");
        let start = finder.start_state(Anchored::No).expect("it starts anywhere");
        let longest = all.iter().map(Vec::len).max().unwrap_or(0);
        let (begun, ended, first) = (Vec::new(), Vec::new(), [false; 256]);
        let mut masks = Self { finder, start, begun, ended, first, longest };
        for form in &all {
            masks.first[usize::from(form[0])] = true;
            let mut state = start;
            for (index, byte) in form.iter().enumerate() {
                state = masks.finder.next_state(Anchored::No, state, *byte);
                let ended = (0..masks.matches(state)).map(|n| masks.finder.match_pattern(state, n));
                let ended = ended.map(|form| masks.finder.pattern_len(form)).max().unwrap_or(0);
                let place = state.as_usize();
                if masks.begun.len() <= place {
                    masks.begun.resize(place + 1, 0);
                    masks.ended.resize(place + 1, 0);
                }
                masks.begun[place] = u32::try_from(index + 1).expect("forms are short");
                masks.ended[place] = u32::try_from(ended).expect("forms are short");
            }
        }
        masks
    }

    fn matches(&self, state: StateID) -> usize {
        if self.finder.is_match(state) { self.finder.match_len(state) } else { 0 }
    }

    fn begun(&self, state: StateID) -> usize {
        self.begun.get(state.as_usize()).map_or(0, |begun| *begun as usize)
    }

    fn ended(&self, state: StateID) -> usize {
        self.ended.get(state.as_usize()).map_or(0, |ended| *ended as usize)
    }
}

/// A text without secrets.
pub fn masked(masks: Option<&Arc<Masks>>, text: &str) -> String {
    let Some(masks) = masks else { return text.to_owned() };
    let mut masking = Masking::new(masks.clone());
    let mut out = masking.take(text.as_bytes());
    out.extend(masking.finish());
    String::from_utf8_lossy(&out).into_owned()
}

/// One stream that is masked.
#[derive(Debug)]
pub struct Masking {
    masks: Arc<Masks>,
    state: StateID,
    /// What may be the beginning of a form, and what could not be let go before it.
    held: VecDeque<u8>,
    /// Where in the stream the first of them stands.
    at: u64,
    /// Where the bytes of the form stand that may have begun.
    places: VecDeque<u64>,
    /// Parts of what is held that belong to a form, from and to.
    covered: VecDeque<(u64, u64)>,
    /// White space since the last byte of a form.
    gap: usize,
    /// Whether the last byte that was let go was masked.
    in_mask: bool,
    /// So many bytes are left out behind a gap.
    left_out: usize,
}

impl Masking {
    /// A stream that has not begun.
    pub fn new(masks: Arc<Masks>) -> Self {
        Self {
            state: masks.start,
            masks,
            held: VecDeque::new(),
            at: 0,
            places: VecDeque::new(),
            covered: VecDeque::new(),
            gap: 0,
            in_mask: false,
            left_out: 0,
        }
    }

    /// Takes the next bytes, and gives what is certainly no part of a secret.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while self.left_out > 0
            && let Some((byte, behind)) = rest.split_first()
        {
            self.left_out -= usize::from(!is_space(*byte));
            rest = behind;
        }
        while let Some((byte, behind)) = rest.split_first() {
            if self.held.is_empty() {
                let is_first = |byte: &u8| self.masks.first[usize::from(*byte)];
                let plain = rest.iter().position(is_first).unwrap_or(rest.len());
                if plain > 0 {
                    out.extend_from_slice(&rest[..plain]);
                    self.at += plain as u64;
                    self.in_mask = false;
                    rest = &rest[plain..];
                    continue;
                }
            }
            self.step(*byte, &mut out);
            rest = behind;
        }
        out
    }

    /// What is still held back, at the end of the stream. A form that is broken off there is masked as well.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let (Some(first), Some(last)) = (self.places.front(), self.places.back())
            && self.places.len() >= MIN_BYTES
        {
            self.cover(*first, last + 1);
        }
        self.begin_anew(&mut out);
        out
    }

    /// What is still held back where a part of the stream is missing. What comes next may be the end of a form: as much
    /// as that could be is left out.
    pub fn skip(&mut self) -> Vec<u8> {
        self.left_out = self.masks.longest;
        self.finish()
    }

    fn begin_anew(&mut self, out: &mut Vec<u8>) {
        (self.state, self.gap) = (self.masks.start, 0);
        self.places.clear();
        self.let_go(self.at + self.held.len() as u64, out);
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        let here = self.at + self.held.len() as u64;
        self.held.push_back(byte);
        if is_space(byte) {
            self.gap += 1;
            if self.gap > MAX_GAP {
                self.begin_anew(out);
            }
            return;
        }
        self.gap = 0;
        self.state = self.masks.finder.next_state(Anchored::No, self.state, byte);
        self.places.push_back(here);
        let ended = self.masks.ended(self.state);
        if ended > 0 {
            self.cover(self.places[self.places.len() - ended], here + 1);
        }
        let over = self.places.len() - self.masks.begun(self.state);
        self.places.drain(..over);
        self.let_go(self.places.front().copied().unwrap_or(here + 1), out);
    }

    fn cover(&mut self, mut from: u64, to: u64) {
        while let Some((begin, end)) = self.covered.back().copied()
            && end >= from
        {
            from = from.min(begin);
            self.covered.pop_back();
        }
        self.covered.push_back((from, to));
    }

    /// Lets go what stands before this place.
    fn let_go(&mut self, until: u64, out: &mut Vec<u8>) {
        while self.at < until {
            let (begin, end) = self.covered.front().copied().unwrap_or((until, until));
            let is_covered = begin <= self.at;
            let stop = if is_covered { end } else { begin }.min(until);
            let length = usize::try_from(stop - self.at).unwrap_or(usize::MAX);
            let gone = self.held.drain(..length);
            if is_covered {
                drop(gone);
                if !self.in_mask {
                    out.extend_from_slice(MASK.as_bytes());
                }
            } else {
                out.extend(gone);
            }
            (self.in_mask, self.at) = (is_covered, stop);
            if is_covered && stop == end {
                self.covered.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::super::forms::squeezed;
    use super::*;

    fn masks(values: &[&str]) -> Arc<Masks> {
        let secret = |value: &&str| Secret::new("s", value.as_bytes().to_vec().into()).unwrap();
        Arc::new(Masks::of(&values.iter().map(secret).collect::<Vec<_>>()))
    }

    fn streamed(masks: &Arc<Masks>, stream: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut masking = Masking::new(masks.clone());
        let mut out: Vec<u8> = Vec::new();
        for cut in cuts.windows(2) {
            out.extend(masking.take(&stream[cut[0]..cut[1]]));
        }
        out.extend(masking.finish());
        out
    }

    fn shown(masks: &Arc<Masks>, text: &str) -> String {
        String::from_utf8(streamed(masks, text.as_bytes(), &[])).unwrap()
    }

    /// Every byte of a form is masked: found by looking at each place for each form.
    fn slowly(value: &str, stream: &[u8]) -> Vec<u8> {
        let places: Vec<usize> = (0..stream.len()).filter(|at| !is_space(stream[*at])).collect();
        let plain = squeezed(stream);
        let mut covered = vec![false; stream.len()];
        for form in forms(value) {
            for at in 0..plain.len() {
                if plain[at..].starts_with(&form) {
                    covered[places[at]..=places[at + form.len() - 1]].fill(true);
                }
            }
            // Broken off at the end.
            let begun = (MIN_BYTES..form.len()).rev().find(|begun| plain.ends_with(&form[..*begun]));
            if let Some(begun) = begun {
                covered[places[plain.len() - begun]..=places[plain.len() - 1]].fill(true);
            }
        }
        let mut out = Vec::new();
        for (at, byte) in stream.iter().enumerate() {
            match (covered[at], at > 0 && covered[at - 1]) {
                (false, _) => out.push(*byte),
                (true, false) => out.extend(MASK.bytes()),
                (true, true) => {}
            }
        }
        out
    }

    /// Anything that can be a secret: words that repeat themselves, what must be escaped, letters of any script.
    fn a_value() -> impl Strategy<Value = String> {
        let any = prop_oneof![
            "[ab]{8,12}",
            "[!-~]{8,24}",
            "[a-zé漢\"'\\\\$/&< ]{9,20}",
            "[A-Z/+]{5,9}\n[a-z]{8,12}\n"
        ];
        any.prop_filter("long enough", |value| squeezed(value.as_bytes()).len() >= MIN_BYTES)
    }

    proptest! {
        #[test]
        fn whatever_the_stream_is_cut_into_the_same_bytes_are_masked(
            value in a_value(),
            parts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..40, "[ab \n/+=A]{0,12}"), 0..8),
            cuts in prop::collection::vec(0usize..2000, 0..20),
        ) {
            // Forms, whole and broken off, with something between that may belong to the next one.
            let all: Vec<Vec<u8>> = forms(&value).into_iter().collect();
            let mut stream = Vec::new();
            for (which, cut, noise) in parts {
                let form = which.get(&all);
                stream.extend(noise.bytes());
                stream.extend_from_slice(if cut < 20 { form } else { &form[..form.len().min(cut - 20)] });
            }

            let out = streamed(&masks(&[&value]), &stream, &cuts);

            let expected = slowly(&value, &stream);
            prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
        }

        #[test]
        fn no_form_survives_wherever_it_stands_and_the_rest_is_unchanged(
            value in a_value(), before in "[0-9]{0,7}", behind in "[0-9]{0,7}", cuts in prop::collection::vec(0usize..400, 0..6),
        ) {
            let masks = masks(&[&value]);
            let whole = format!("{before}{value}{behind}");
            // What belongs to the value alone is masked, and nothing else.
            for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole)] {
                let own = (before.len() * 8).div_ceil(6)..(before.len() + value.len()) * 8 / 6;
                let out = String::from_utf8(streamed(&masks, encoded.as_bytes(), &cuts)).unwrap();
                prop_assert!(out.starts_with(&encoded[..own.start.saturating_sub(1)]), "{encoded} {out}");
                prop_assert!(out.contains(MASK) && !out.contains(&encoded[own]), "{encoded} {out}");
            }
            let json = serde_json::to_string(&whole).unwrap();
            let quoted = format!("'{}'", whole.replace('\'', "'\\''"));
            for printed in [whole.clone(), hex::encode(&whole), hex::encode_upper(&whole), json, quoted] {
                let out = String::from_utf8(streamed(&masks, printed.as_bytes(), &cuts)).unwrap();
                let middle = out.trim_matches(['\'', '"']);
                let (front, back) = (printed.trim_matches(['\'', '"']), printed.trim_matches(['\'', '"']));
                prop_assert!(middle.contains(MASK), "{printed} {out}");
                let kept: Vec<&str> = middle.split(MASK).collect();
                prop_assert!(front.starts_with(kept[0]) && back.ends_with(kept[kept.len() - 1]), "{printed} {out}");
                prop_assert!(!squeezed(out.as_bytes()).windows(8).any(|w| w == &squeezed(value.as_bytes())[..8]), "{out}");
            }
        }

        #[test]
        fn what_holds_no_secret_is_unchanged(stream in prop::collection::vec(any::<u8>(), 0..300), cuts in prop::collection::vec(0usize..300, 0..9)) {
            let value = "correct horse battery staple";

            prop_assert_eq!(streamed(&masks(&[value]), &stream, &cuts), stream);
        }
    }

    #[test]
    fn what_programs_print_of_a_secret_is_masked() {
        let masks = masks(&[
            "pa'ss wörd/1",
            "-----BEGIN KEY-----\nMIIBVQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n",
        ]);
        let cases = [
            ("login pa'ss wörd/1 ok", "login [secret] ok"),
            ("70 61 27 73 73 20 77 c3\n b6 72 64 2f 31", "[secret]"),
            ("x=pa%27ss%20w%C3%B6rd%2F1&y", "x=[secret]&y"),
            ("x=pa%27ss+w%c3%b6rd%2f1&y", "x=[secret]&y"),
            (r#"{"p":"pa'ss w\u00f6rd\/1"}"#, r#"{"p":"[secret]"}"#),
            ("$'pa\\'ss wörd/1'", "$'[secret]'"),
            ("pa\\'ss\\ wörd/1", "[secret]"),
            ("1/dröw ss'ap", "[secret]"),
            (
                "  key: |\n    MIIBVQIBADANBgkq\n    hkiG9w0BAQEFAASC\n",
                "  key: |\n    [secret]\n    [secret]\n",
            ),
            ("hkiG9w0BAQEFAASC", "[secret]"),
        ];
        for (printed, expected) in cases {
            assert_eq!(shown(&masks, printed), expected, "{printed}");
        }
    }

    #[test]
    fn base64_is_masked_also_where_it_is_wrapped() {
        let long: String = "one line of a key that goes on and on\n".repeat(9);
        let encoded = STANDARD.encode(&long);
        let wrapped: Vec<String> =
            encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()).collect();

        assert_eq!(shown(&masks(&[&long]), &format!("<{}>", wrapped.join("\n"))), "<[secret]>");
    }

    #[test]
    fn a_stream_of_any_length_is_masked_in_bounded_memory() {
        let masks = masks(&["aaaaaaaaaaaa", "a b c d e f g h i"]);
        let mut masking = Masking::new(masks);
        for block in [b"a b c d e f g h".to_vec(), vec![b' '; 65536], vec![b'a'; 65536]] {
            for _ in 0..16 {
                masking.take(&block);
                assert!(masking.held.len() < 2048 && masking.covered.len() < 8 && masking.places.len() < 16);
            }
        }
    }
}
