//! Everybody, everything, everywhere: who may do what, through each door, in each state of a run, against a table that
//! the bot does not know.
//!
//! At the console every case is tried. Of Discord's a sample that a seed chooses, over the real wire;
//! `STEADYHAND_MATRIX=all` tries all of them.
//!
//! What else is promised of agreeing in a chat, and where it is tried:
//!
//! | | |
//! |---|---|
//! | one press told twice, a hundred presses at once: one decision | `discord::a_press_that_is_told_twice_or_repeated_decides_once` |
//! | buttons of runs that have ended, or whose time is over | here: `Ended`, `Expired`, `Late` |
//! | another person's confirmation; the own run through a second account | here: `not-your-run`, `own-run` of `ana-2` |
//! | forged, cut and changed buttons | `rows::a_forged_press…`, `rows::a_thousand_forged_presses…` |
//! | a token that only looks right; three tries | `rows::a_token_is_its_letters…`, `agreeing::three_wrong_tokens_end_the_request` |
//! | a plan that is too long for its card | `rows::nobody_agrees_in_chat…`, `cards::what_cannot_be_taken_back_is_never_counted_away` |
//! | an approval withdrawn, or its role lost before the start | here: `Half`, gus; `changed::somebody_who_lost_their_role_…` |
//! | parameters or files changed after the approval | `changed::an_inventory_edited_after_the_confirmation_voids_the_agreement` and its neighbours |
//! | replies, quotes, reactions, edits | `rows::a_reply_a_quote_and_a_reaction_agree_to_nothing` |
//! | a run that one may not see | `rows::who_may_see_nothing_hears_the_same…`; the policy knows no runs that only some may see |
//! | names for nobody: completion, help, errors | here: whoever is nobody reads no name; `discord::only_those_who_may_are_offered_names` |
//! | markup, mentions, links, invitations, hidden letters in output, reasons and names | `texts` |

mod ground;
#[path = "../../authoring/nasty.rs"]
#[expect(dead_code, reason = "those who check files need more of it")]
mod nasty;
mod rows;
mod table;
mod texts;

use std::collections::BTreeMap;
use std::sync::Arc;

use discord::{Answer, Asked};
use regex_lite::Regex;
use steadyhand::chat::discord::press::Button;
use steadyhand::run::RunId;
use steadyhand::run::model::{Outcome, Phase};

use ground::{Ground, NAMES};
use table::{ACTIONS, ACTORS, Action, Is, Place, State, Way, Who, expected};

/// So many of Discord's cases are tried if nothing else is said.
const SAMPLE: usize = 1_500;
/// So many with one journal.
const IN_A_WORLD: usize = 2_500;
/// So many at the same moment.
const GROUP: usize = 32;

/// One case.
#[derive(Clone, Copy)]
struct Cell {
    actor: usize,
    action: usize,
    state: State,
    way: Way,
    place: Place,
}

impl Cell {
    fn who(self) -> Who {
        ACTORS[self.actor].2
    }

    fn act(self) -> &'static Action {
        &ACTIONS[self.action]
    }

    fn expected(self) -> Is {
        expected(self.who(), self.act(), self.state, self.way, self.place)
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, _, who) = ACTORS[self.actor];
        write!(
            f,
            "{name} ({who:?}): `{}`, {:?}, {:?}, {:?}",
            self.act().line,
            self.state,
            self.way,
            self.place
        )
    }
}

/// All cases that exist: nobody types slash commands where no client has them, and no program presses.
fn all_cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (actor, (name, account, who)) in ACTORS.iter().enumerate() {
        for (action, does) in ACTIONS.iter().enumerate() {
            for state in State::ALL {
                // What is about no run, or only looks at one, is asked once.
                let once = if does.line.contains('R') { State::Ended } else { State::Nothing };
                if (does.makes.is_empty() || does.line.starts_with("run ")) && state != once {
                    continue;
                }
                if !account.is_empty() {
                    cells.push(Cell { actor, action, state, way: Way::Console, place: Place::Channel });
                }
                for way in [Way::Slash, Way::Text, Way::Button, Way::Modal] {
                    let can = match way {
                        Way::Slash => *who != Who::Program,
                        Way::Button => {
                            *name != "alerts" && Button::of_line(does.line_for_button().as_str()).is_some()
                        }
                        Way::Modal => *name != "alerts" && !does.said.is_empty(),
                        _ => true,
                    };
                    for place in [
                        Place::Channel,
                        Place::Thread,
                        Place::OtherChannel,
                        Place::Direct,
                        Place::OtherServer,
                    ] {
                        if can && (way, place) != (Way::Slash, Place::Direct) {
                            cells.push(Cell { actor, action, state, way, place });
                        }
                    }
                }
            }
        }
    }
    // A form for a run whose time is over may open or not, by who looked first.
    cells.retain(|cell| !matches!(cell.state, State::Expired | State::Late) || cell.expected() != Is::Form);
    cells
}

impl Action {
    fn line_for_button(&self) -> String {
        self.line
            .replace('R', "1")
            .replace('H', "zeta1")
            .replace('D', "00000000")
            .replace('T', "zeta1-000000")
    }
}

/// The same for the same seed.
fn sample(mut cells: Vec<Cell>, most: usize) -> Vec<Cell> {
    let mut seed = 2026_u64;
    for at in (1..cells.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        cells.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
    }
    cells.truncate(most);
    cells
}

/// What somebody heard.
#[derive(Debug)]
enum Heard {
    Reply(String),
    Form,
    /// Nothing yet, to the message of this id; whether there was anything is seen at the end.
    Nothing(u64),
}

/// A case while it is tried.
struct Tried {
    cell: Cell,
    run: RunId,
    version: u64,
    heard: Heard,
}

/// Tries cases, and notes every wrong answer.
struct Trial {
    ground: Arc<Ground>,
    wrong: Vec<String>,
    /// Messages that nobody may answer.
    unheard: Vec<u64>,
    tried: BTreeMap<Way, usize>,
    code: Regex,
}

impl Trial {
    /// All at once, and then it is looked what was recorded.
    async fn group(&mut self, cells: &[Cell]) {
        let mut shared: BTreeMap<State, RunId> = BTreeMap::new();
        let mut tried = Vec::new();
        for cell in cells {
            let own = matches!(cell.expected(), Is::Done | Is::Counts(_) | Is::Over);
            let run = match shared.get(&cell.state) {
                Some(run) if !own => *run,
                _ => self.ground.copy(cell.state).await,
            };
            if !own {
                shared.insert(cell.state, run);
            }
            let version = if cell.state == State::Nothing { 0 } else { self.ground.run(run).version };
            tried.push(Tried { cell: *cell, run, version, heard: Heard::Nothing(0) });
        }
        let before = self.ground.last();
        let tasks: Vec<_> = tried
            .iter()
            .map(|tried| tokio::spawn(tries(self.ground.clone(), tried.cell, tried.run)))
            .collect();
        for (tried, task) in tried.iter_mut().zip(tasks) {
            tried.heard = task.await.unwrap();
        }
        self.look(&tried, before);
    }

    /// Holds what was heard and recorded against the table.
    #[expect(clippy::too_many_lines, reason = "a table: one case an answer")]
    fn look(&mut self, tried: &[Tried], before: u64) {
        let entries = self.ground.since(before);
        let account = |cell: Cell| match cell.way {
            Way::Console => ACTORS[cell.actor].1.to_owned(),
            _ => self.ground.discord.person(ACTORS[cell.actor].0).id().to_string(),
        };
        // What was refused, by account and code: each as often as it should be.
        let mut denied: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut requested: BTreeMap<String, i64> = BTreeMap::new();
        for entry in &entries {
            let Some(actor) = &entry.actor else { continue };
            let who = actor.account.split(' ').next().unwrap().to_owned();
            match entry.kind.as_str() {
                "command-denied" => {
                    let code = entry.data["code"].as_str().unwrap().to_owned();
                    *denied.entry((who, code)).or_default() += 1;
                }
                "requested" if actor.account != "model" => *requested.entry(who).or_default() += 1,
                _ => {}
            }
        }
        let mut wrong = Vec::new();
        for Tried { cell, run, version, heard } in tried {
            *self.tried.entry(cell.way).or_default() += 1;
            let is = cell.expected();
            let mut bad =
                |what: String| wrong.push(format!("{cell}: wanted {is:?}, {what}; heard {heard:?}"));
            let said = match heard {
                Heard::Reply(text) => text.as_str(),
                Heard::Nothing(written) => {
                    self.unheard.push(*written);
                    ""
                }
                Heard::Form => "",
            };
            let code = self.code.captures(said).map(|found| found[1].to_owned());
            let shown = |code: &str| if code == "no-person" { "no-role" } else { code }.to_owned();
            match is {
                Is::No(wanted) | Is::Counts(wanted) => {
                    if code != Some(shown(wanted)) {
                        bad(format!("the code is {code:?}"));
                    }
                    *denied.entry((account(*cell), wanted.to_owned())).or_default() -= 1;
                }
                Is::Over => {
                    if code.as_deref() != Some("ended") {
                        bad(format!("the code is {code:?}"));
                    }
                    *denied.entry((account(*cell), "ended".to_owned())).or_default() -= 1;
                }
                Is::NoForm(wanted) if code.as_deref() != Some(wanted) => bad(format!("the code is {code:?}")),
                Is::Form if !matches!(heard, Heard::Form) => bad("no form".to_owned()),
                Is::Done if cell.act().makes == ["requested"] => {
                    *requested.entry(account(*cell)).or_default() -= 1;
                }
                Is::Done | Is::Shown if code.as_deref().is_some_and(|code| code != "no-such-step") => {
                    bad(format!("it was refused: {code:?}"));
                }
                _ => {}
            }
            if matches!(cell.who(), Who::Nobody | Who::Program)
                && let Some(name) = NAMES.iter().find(|name| said.contains(**name))
            {
                bad(format!("it names `{name}`"));
            }
            if cell.state == State::Nothing {
                continue;
            }
            let now = self.ground.run(*run);
            let by_actor = entries.iter().filter(|entry| {
                entry.run == Some(*run)
                    && entry.actor.as_ref().is_some_and(|actor| actor.account.starts_with(&account(*cell)))
            });
            let makes = cell.act().makes;
            let made = by_actor.filter(|entry| makes.contains(&entry.kind.as_str())).count();
            match is {
                Is::Done | Is::Counts(_) if made == 0 => bad("no event of it was recorded".to_owned()),
                Is::Done | Is::Counts(_) => {}
                Is::Over => {
                    let over = now.phase == Phase::Ended(Outcome::Expired) && now.stop.is_none();
                    if !over || !now.approvals.is_empty() {
                        bad(format!("the run is {:?}", now.phase));
                    }
                }
                _ if now.version != *version => bad("the run changed".to_owned()),
                _ => {}
            }
        }
        wrong.extend(denied.iter().filter(|(_, left)| **left != 0).map(|((who, code), left)| {
            format!("{left} more than should be were recorded as `{code}` of {who}")
        }));
        let runs = requested.iter().filter(|(_, left)| **left != 0);
        wrong.extend(
            runs.map(|(who, left)| format!("{left} more runs than should be were asked for by {who}")),
        );
        if !wrong.is_empty() {
            let cells: Vec<String> = tried.iter().map(|tried| tried.cell.to_string()).collect();
            let about = wrong.iter().any(|line| line.contains("more than should be")).then_some(cells);
            self.wrong.push(format!(
                "{}{}",
                wrong.join("\n"),
                about.map_or(String::new(), |all| format!("\n  in the group: {}", all.join("\n    ")))
            ));
        }
    }
}

/// Does it, and waits for what is said back.
async fn tries(ground: Arc<Ground>, cell: Cell, run: RunId) -> Heard {
    let (name, account, _) = ACTORS[cell.actor];
    let act = cell.act();
    let place = match cell.place {
        Place::Channel | Place::OtherServer => "ops",
        Place::Thread => "thread",
        Place::OtherChannel => "incidents",
        Place::Direct => "direct",
    };
    let line = text(&ground, cell, run, act.line);
    let asked: Asked = match cell.way {
        Way::Console => {
            let page = ground.types(account, &line).await.page;
            let words = steadyhand::chat::console::render::Style::PIPE.page(&page);
            return Heard::Reply(words);
        }
        Way::Slash => {
            let typed = text(&ground, cell, run, act.slash);
            ground.person_in(name, place).types(&typed).unwrap_or_else(|why| panic!("{typed}: {why}"))
        }
        Way::Text => {
            let person = ground.person_in(name, place);
            let written = person.writes(&format!("@steadyhand {line}")).unwrap();
            if cell.expected() == Is::Silence {
                return Heard::Nothing(written.id);
            }
            let look = |_: &discord::Discord| {
                person.sees().into_iter().rev().find(|seen| seen.replies_to == Some(written.id))
            };
            return Heard::Reply(ground.discord.until("an answer", look).await.text());
        }
        Way::Button => {
            let id = Button::of_line(&line).unwrap_or_else(|| panic!("{line}")).id;
            ground.person_in(name, place).forges_press(&ground.notes[place], &id)
        }
        Way::Modal => {
            let id = Button::of_line(&line).unwrap_or_else(|| panic!("{line}")).id;
            let said = text(&ground, cell, run, act.said);
            let person = ground.person_in(name, place);
            person.forges_modal(&id, &[("said", &said)], Some(&ground.notes[place]))
        }
    };
    match asked.answer().await {
        Answer::Modal(_) => Heard::Form,
        Answer::Failed => Heard::Reply("code: nobody-answered".to_owned()),
        _ => {
            let reply = asked.reply().await;
            assert_eq!(reply.only_for.as_deref(), Some(name), "{reply}");
            Heard::Reply(reply.text())
        }
    }
}

/// A line of the table, for this run.
fn text(ground: &Ground, cell: Cell, run: RunId, template: &str) -> String {
    let model = ground.models.get(&cell.state);
    let (host, token, digest) = model.map_or(("zeta1", "zeta1-000000", "00000000"), |model| {
        (model.host, model.token.as_str(), model.digest.as_str())
    });
    let words = template.split(' ').map(|word| match word.rsplit_once('=') {
        Some((name, value)) => format!("{name}={}", filled(value, run, host, token, digest)),
        None => filled(word, run, host, token, digest),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn filled(word: &str, run: RunId, host: &str, token: &str, digest: &str) -> String {
    match word {
        "R" => run.to_string(),
        "H" => host.to_owned(),
        "T" => token.to_owned(),
        "D" => digest.to_owned(),
        word => word.to_owned(),
    }
}

/// Tries all of these, each in the world that it is about.
async fn tried(cells: &[Cell]) -> Trial {
    let ground = Arc::new(Ground::ready().await);
    let code = Regex::new(r"code: ([a-z-]+)").unwrap();
    let mut trial = Trial {
        ground: ground.clone(),
        wrong: Vec::new(),
        unheard: Vec::new(),
        tried: BTreeMap::new(),
        code,
    };
    let is_gone = |cell: &&Cell| ACTORS[cell.actor].0 == "gus";
    let elsewhere = |cell: &&Cell| cell.place == Place::OtherServer;
    let all: Vec<Cell> = cells.iter().filter(|cell| !is_gone(cell) && !elsewhere(cell)).copied().collect();
    let gone: Vec<Cell> = cells.iter().filter(|cell| is_gone(cell) && !elsewhere(cell)).copied().collect();
    let away: Vec<Cell> = cells.iter().filter(elsewhere).copied().collect();
    trial.all(&all).await;
    // gus may approve until now, and so may see what is there.
    ground.under("[ben, cleo, gus]", "[ben, cleo]", trial.all(&gone)).await;
    let server = ground.discord.guild_id().to_string();
    let all_heard = async {
        trial.all(&away).await;
        // Whatever was to be said has been said.
        ground.ends().await;
    };
    ground.under(&server, "123456789012345678", all_heard).await;
    for (name, _, _) in ACTORS {
        for place in ["ops", "incidents", "thread", "direct"] {
            let answers = ground.person_in(name, place).sees();
            let heard =
                answers.iter().filter(|seen| seen.replies_to.is_some_and(|id| trial.unheard.contains(&id)));
            trial.wrong.extend(heard.map(|seen| format!("somebody listened in {place}: {seen}")));
        }
    }
    trial
}

impl Trial {
    async fn all(&mut self, cells: &[Cell]) {
        for group in cells.chunks(GROUP) {
            self.group(group).await;
        }
    }
}

/// Tries all of these, in worlds that do not grow too old; says how many there were, and ends the test if one was wrong.
async fn are_right(cells: &[Cell]) {
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::new());
    for some in cells.chunks(IN_A_WORLD) {
        let trial = tried(some).await;
        wrong.extend(trial.wrong);
        for (way, count) in trial.tried {
            *counts.entry(way).or_insert(0) += count;
        }
    }
    println!("{} cells, {} wrong ({counts:?})", counts.values().sum::<usize>(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_console_everybody_hears_what_the_table_says() {
    let cells: Vec<Cell> = all_cells().into_iter().filter(|cell| cell.way == Way::Console).collect();
    assert!(cells.len() > 1_000, "{}", cells.len());
    are_right(&cells).await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "how much is tried is said by who starts it")]
async fn on_discord_everybody_hears_what_the_table_says() {
    let cells: Vec<Cell> = all_cells().into_iter().filter(|cell| cell.way != Way::Console).collect();
    let all = std::env::var("STEADYHAND_MATRIX").is_ok_and(|wanted| wanted == "all");
    let most = if all { cells.len() } else { SAMPLE };
    println!("{most} of {} cells", cells.len());
    are_right(&sample(cells, most)).await;
}
