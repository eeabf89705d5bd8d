//! What a table has no columns for: forged buttons, tokens that only look right, plans that are too long, words beside a
//! run that are none, and runs that one may not know of.

use std::sync::Arc;

use discord::{Asked, Seen};
use regex_lite::Regex;
use steadyhand::chat::discord::press::{Button, Pressed, pressed, submitted};
use steadyhand::chat::grammar::{Command, command, words};
use steadyhand::engine::ToRun;
use steadyhand::run::model::Phase;
use steadyhand::run::{Event, Input, RunId, Says, decide};
use steadyhand::runbook::source::name::Person;

use super::ground::Ground;
use super::nasty::{own, public};
use super::table::State;

/// Seeded chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// One that is nearly right: a bit is turned, an end is cut off, letters are doubled, swapped or replaced.
fn spoilt(id: &str, chance: &mut Chance) -> String {
    let mut bytes = id.as_bytes().to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match chance.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << chance.below(8),
            1 => bytes.truncate(at),
            2 if !bytes.is_empty() => drop(bytes.drain(..at)),
            3 => bytes.insert(at, b" =\"?0s/\n"[chance.below(8)]),
            4 if !bytes.is_empty() => bytes[at] = b"0123456789abcdef"[chance.below(16)],
            _ => bytes.extend_from_within(at..),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What may stand on buttons, for a run and its parts.
fn ids(run: RunId, digest: &str) -> Vec<String> {
    let lines = [
        format!("confirm {run} zeta-k7m2qx"),
        format!("approve {run} {digest}"),
        format!("refuse {run} \"why\""),
        format!("withdraw {run}"),
        format!("stop {run} now"),
        format!("pause {run}"),
        format!("retry {run} 3 zeta1 attempt=2"),
        format!("skip {run} 3 zeta1 \"why\""),
        format!("settle {run} 3 zeta1 not-done attempt=u1 \"how\""),
        format!("answer {run} 2 go-on"),
        format!("undo {run} including=3"),
        format!("take {run}"),
        format!("journal show {run}"),
    ];
    lines.iter().map(|line| Button::of_line(line).unwrap().id).collect()
}

#[test]
fn a_forged_press_is_a_line_of_the_grammar_or_nothing() {
    let mut chance = Chance(5);
    let ids = ids(RunId(142), "7c1e94b2");
    let (mut lines, mut nothing) = (0, 0);
    for _ in 0..100_000 {
        let forged = spoilt(&ids[chance.below(ids.len())], &mut chance);
        let typed = forged.strip_prefix("s1 ").and_then(|line| command(&words(line).ok()?).ok());
        let said = "a reason of mine";
        match (pressed(&forged), submitted(&forged, said)) {
            (Pressed::Command(meant), _) => {
                lines += 1;
                assert_eq!(Some(&meant), typed.as_ref(), "{forged:?}");
                assert!(
                    !matches!(meant, Command::Run { .. } | Command::Look { .. } | Command::As(_)),
                    "{forged:?}"
                );
            }
            (Pressed::Ask(form), Pressed::Command(meant)) => {
                // What is said is one word or one text of the line, and nothing else.
                let quoted = forged.strip_prefix("s1 ").unwrap().trim_end().strip_suffix('?').unwrap();
                let whole = command(&words(&format!("{quoted}\"{said}\"")).unwrap());
                let is_token = matches!(&meant, Command::ToRun(_, ToRun::Confirm { token }) if token == said);
                assert!(is_token || whole == Ok(meant), "{forged:?}");
                assert_eq!(form.id, forged);
            }
            (Pressed::Unknown, Pressed::Command(_)) => panic!("{forged:?}"),
            _ => nothing += 1,
        }
    }
    assert!(lines > 1_000 && nothing > 1_000, "{lines} lines, {nothing} nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_forged_presses_of_those_who_may_nothing_decide_nothing() {
    let ground = Ground::ready().await;
    let mut runs = Vec::new();
    for state in [State::Approving, State::Working, State::Failed, State::Unknown] {
        runs.push((ground.copy(state).await, state));
    }
    let before: Vec<u64> = runs.iter().map(|(run, _)| ground.run(*run).version).collect();
    let mut chance = Chance(5);
    let (mut refused, mut forms) = (0, 0);
    for round in 0..40 {
        let name = ["sue", "uma", "adam", "rex"][round % 4];
        let person = ground.person_in(name, "ops");
        let presses: Vec<Asked> = (0..25)
            .map(|_| {
                let (run, state) = runs[chance.below(runs.len())];
                let ids = ids(run, &ground.models[&state].digest);
                let forged = spoilt(&ids[chance.below(ids.len())], &mut chance);
                person.forges_press(&ground.notes["ops"], &forged)
            })
            .collect();
        for press in presses {
            match press.answer().await {
                discord::Answer::Modal(_) => forms += 1,
                discord::Answer::Failed => panic!("nobody answered"),
                _ => {
                    assert_eq!(press.reply().await.only_for.as_deref(), Some(name));
                    refused += 1;
                }
            }
        }
    }
    let after: Vec<u64> = runs.iter().map(|(run, _)| ground.run(*run).version).collect();
    assert_eq!(before, after);
    assert_eq!(refused + forms, 1_000);
    ground.ends().await;
}

/// Everything that a token could be taken for.
fn alike(token: &str) -> Vec<String> {
    let mut all = vec![
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}\u{a0}"),
        format!("\u{feff}{token}"),
        format!("\u{202e}{token}\u{202c}"),
        format!("\u{2066}{token}\u{2069}"),
        format!("`{token}`"),
        format!("\"{token}\""),
        format!("{token}{token}"),
        token.to_uppercase(),
        token.chars().rev().collect(),
        token.replace('-', "\u{2010}"),
        token.replace('-', "\u{2212}"),
        token.replace('-', ""),
        token[..token.len() - 1].to_owned(),
        token.rsplit_once('-').unwrap().1.to_owned(),
    ];
    // Full-width, mathematical and other alphabets.
    all.push(token.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect());
    for (letter, other) in [
        ('a', '\u{430}'),
        ('e', '\u{435}'),
        ('o', '\u{43e}'),
        ('z', '\u{1d22}'),
        ('t', '\u{1d42d}'),
        ('1', 'l'),
        ('0', 'O'),
    ] {
        all.push(token.replacen(letter, &other.to_string(), 1));
    }
    for at in 0..=token.len() {
        for hidden in ['\u{200b}', '\u{200d}', '\u{301}', '\u{ad}'] {
            let mut text = token.to_owned();
            text.insert(at, hidden);
            all.push(text);
        }
    }
    all.retain(|text| text != token);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_its_letters_and_nothing_that_looks_like_them() {
    let ground = Ground::ready().await;
    let token = ground.models[&State::Confirming].token.clone();
    let run = ground.run(ground.copy(State::Confirming).await);
    let ana = Person::new("ana").unwrap();
    let says =
        |token: &str| Input::Person { by: ana.clone(), says: Says::Confirm { token: token.to_owned() } };
    let now = run.requested;
    assert!(matches!(decide(&run, &says(&token), now).events[0], Event::Confirmed { .. }));

    let looks = alike(&token);
    for typed in looks.iter().chain(&own()).chain(&public().0) {
        let decided = decide(&run, &says(typed), now);
        assert!(matches!(decided.events[..], [Event::WrongToken { tries: 1 }]), "{typed:?} is taken");
        assert_eq!(decided.refusal.unwrap().code(), "bad-token");
    }

    // The same through a form, which could have trimmed it; the third one ends the run, and then the right one is late.
    let said = [looks[0].as_str(), looks[1].as_str(), looks[5].as_str(), token.as_str()];
    let id = Button::of_line(&format!("confirm {} x", run.id)).unwrap().id;
    for (said, code) in said.iter().zip(["bad-token", "bad-token", "tokens-spent", "ended"]) {
        let person = ground.person_in("ana", "ops");
        let reply = person.forges_modal(&id, &[("said", said)], Some(&ground.notes["ops"])).reply().await;
        assert!(reply.says(&format!("code: {code}")), "{said:?}: {reply}");
    }
    assert!(matches!(ground.run(run.id).phase, Phase::Ended(_)));
    assert!(ground.run(run.id).confirmed.is_none());
    ground.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_agrees_in_chat_to_what_its_card_cannot_show() {
    let ground = Ground::empty(500).await;
    let asked =
        ground.person_in("ana", "ops").types("/run long-drill cluster=many reason=\"to be seen\"").unwrap();
    let reply = asked.reply().await;
    assert!(reply.says("run 1"), "{reply}");
    let run = ground.run(RunId(1));
    assert_eq!(run.plan().unwrap().units().filter(|(_, unit)| unit.step().is_some()).count(), 5_000);
    let card = ground.discord.until_says("ops", "Too long for chat to show whole").await;
    assert!(card.buttons().all(|button| !["Confirm…", "Approve"].contains(&button.label.as_str())), "{card}");
    assert!(card.files.iter().any(|file| file.text().is_some_and(|text| text.contains("many500"))), "{card}");
    let token = run.token.as_ref().unwrap().text.clone();
    let digest = run.digest().unwrap().short().to_owned();

    let too_long =
        |what: &str, reply: &Seen| assert!(reply.says("code: too-long-for-chat"), "{what}: {reply}");
    let ana = ground.person_in("ana", "ops");
    too_long("slash", &ana.types(&format!("/confirm run=1 token={token}")).unwrap().reply().await);
    let form = ana.forges_modal("s1 confirm 1 ?", &[("said", &token)], Some(&card));
    too_long("a form", &form.reply().await);
    ana.writes(&format!("@steadyhand confirm 1 {token}")).unwrap();
    too_long("a message", &ground.discord.until_says("ops", "too long for chat to show whole").await);
    // In the console it is confirmed; its approval is refused in chat as well.
    ground.types("ana", &format!("confirm 1 {token}")).await;
    assert_eq!(ground.run(RunId(1)).phase, Phase::Approving);
    let ben = ground.person_in("ben", "ops");
    too_long("a button", &ben.forges_press(&card, &format!("s1 approve 1 {digest}")).reply().await);
    too_long("slash", &ben.types(&format!("/approve run=1 plan={digest}")).unwrap().reply().await);
    assert!(ground.run(RunId(1)).approvals.is_empty());
    let denied = ground.since(0).into_iter().filter(|entry| entry.kind == "command-denied");
    let codes: Vec<String> = denied.map(|entry| entry.data["code"].as_str().unwrap().to_owned()).collect();
    assert_eq!(codes, vec!["too-long-for-chat"; 5]);
    // Anybody can still end it there.
    assert!(!ana.types("/stop run=1").unwrap().reply().await.says("code:"));
    assert!(ground.run(RunId(1)).is_ended());
    ground.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_a_quote_and_a_reaction_agree_to_nothing() {
    let ground = Ground::ready().await;
    let digest = &ground.models[&State::Approving].digest;
    let run = ground.copy(State::Approving).await;
    let (version, seq) = (ground.run(run).version, ground.last());
    for place in ["ops", "thread"] {
        let ben = ground.person_in("ben", place);
        let card = ground.notes[place].clone();
        for text in [
            format!("approve {run} {digest}"),
            format!("/approve {run} {digest}"),
            format!("> @steadyhand approve {run} {digest}"),
            format!("yes, @steadyhand approve {run} {digest}"),
            "approved".to_owned(),
            "\u{2705}".to_owned(),
        ] {
            ben.writes(&text).unwrap();
            ben.replies(&card, &text).unwrap();
        }
        for emoji in ["\u{2705}", "\u{1f44d}"] {
            ben.reacts(&card, emoji);
        }
        // What was edited into a command is none.
        let written = ben.writes("good morning").unwrap();
        ben.edits(&written, &format!("@steadyhand approve {run} {digest}")).unwrap();
    }
    // Whoever asks last is answered last.
    ground.person_in("ana", "ops").types("/status").unwrap().reply().await;
    ground.ends().await;

    assert_eq!(ground.run(run).version, version);
    let told = ground.since(seq).into_iter().filter(|entry| entry.actor.is_some()).count();
    assert_eq!(told, 0, "nobody said anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_nothing_hears_the_same_of_what_is_there_and_what_is_not() {
    let ground = Arc::new(Ground::ready().await);
    let run = ground.copy(State::Approving).await;
    let numbers = Regex::new(r"\d+").unwrap();
    for name in ["uma", "adam", "rex"] {
        let person = ground.person_in(name, "ops");
        for verb in ["status", "journal show", "plan", "output"] {
            let rest = if verb == "output" { " 3 zeta1" } else { "" };
            let hears = async |id: RunId| {
                let line = format!("{verb} {id}{rest}");
                let asked = person.types(&format!("/say line=\"{line}\"")).unwrap();
                let typed = asked.reply().await.text();
                let button = Button::of_line(&line).unwrap().id;
                let pressed = person.forges_press(&ground.notes["ops"], &button).reply().await.text();
                numbers.replace_all(&format!("{typed}{pressed}"), "N").into_owned()
            };
            assert_eq!(hears(run).await, hears(RunId(999_999)).await, "{name}: {verb}");
        }
        for word in ["approve", "stop", "pause"] {
            let hears = async |id: RunId| {
                let digest = if word == "approve" { " 00000000" } else { "" };
                let asked = person.types(&format!("/say line=\"{word} {id}{digest}\"")).unwrap();
                numbers.replace_all(&asked.reply().await.text(), "N").into_owned()
            };
            if name != "rex" {
                assert_eq!(hears(run).await, hears(RunId(999_999)).await, "{name}: {word}");
            }
        }
        // Nothing is completed for them either.
        if name != "rex" {
            for (path, option) in
                [("run night-drill", "cluster"), ("status", "of"), ("show", "runbook"), ("who", "host")]
            {
                let choices = person.completes(path, option, "").unwrap().choices().await;
                assert!(choices.is_empty(), "{name}: {choices:?}");
            }
        }
    }
    ground.ends().await;
}
