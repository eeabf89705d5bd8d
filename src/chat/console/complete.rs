//! Completion on a terminal: words, runbooks, parameters, and values out of the inventory. Nothing is measured.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use reedline::{
    ColumnarMenu, Completer, CompletionResult, Editor, Menu, MenuEvent, MenuSettings, Painter, Span,
    Suggestion,
};

use crate::chat::desk::Desk;
use crate::chat::grammar::incident_id;
use crate::engine::{Engine, Speaker};
use crate::library::Snapshot;
use crate::runbook::model::Runbook;
use crate::wording::incident::help::WORDS;
use crate::wording::look::VERBS;

/// Who sits at the console now; a demo changes it.
pub type SharedSpeaker = Arc<Mutex<Speaker>>;

/// Completes lines.
pub struct Words {
    desk: Desk,
    speaker: SharedSpeaker,
}

impl Words {
    /// Completes for this speaker from what this desk knows.
    pub fn new(desk: Desk, speaker: SharedSpeaker) -> Self {
        Self { desk, speaker }
    }

    fn runs(&self) -> Vec<String> {
        let runs = self.desk.engine.as_ref().map(Engine::open_runs).unwrap_or_default();
        runs.iter().map(|run| run.id.to_string()).collect()
    }

    fn incidents(&self) -> Vec<String> {
        let incidents = self.desk.open_incidents().unwrap_or_default();
        incidents.iter().map(|incident| incident.id.to_string()).collect()
    }

    /// What may follow on `incident`.
    fn of_incident(&self, snapshot: &Snapshot, given: &[&str]) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match given {
            [] => WORDS.iter().map(|known| known.word.to_owned()).chain(self.incidents()).collect(),
            ["open"] => words(&["sev1", "sev2", "sev3"]),
            ["open", _] => words(&["\""]),
            ["open", ..] => {
                let services = snapshot.set.inventory.services.keys();
                services.map(|service| format!("service={service}")).chain(["drill=".to_owned()]).collect()
            }
            ["take"] => words(&["commander", "communications", "support-liaison"]),
            ["take", _] => self.incidents(),
            ["take", _, _] => people(snapshot),
            ["list"] => Vec::new(),
            [_] => self.incidents(),
            ["severity", _] => words(&["sev1", "sev2", "sev3"]),
            ["waive", id] => self.owed(id),
            ["update", _, ..] => words(&["for=support"]),
            _ => Vec::new(),
        }
    }

    /// The numbers of what an incident owes.
    fn owed(&self, id: &str) -> Vec<String> {
        let Some(id) = incident_id(id) else { return Vec::new() };
        let Ok(incident) = self.desk.incident(id) else { return Vec::new() };
        incident.owed().iter().map(|owed| owed.number.to_string()).collect()
    }

    /// What the word at the end of a line may become.
    fn candidates(&self, line: &str) -> Vec<String> {
        let begun: Vec<&str> = line.split(' ').collect();
        let (last, before) = begun.split_last().map_or(("", &[][..]), |(last, before)| (*last, before));
        let before: Vec<&str> = before.iter().copied().filter(|word| !word.is_empty()).collect();
        let Some(verb) = before.first().map(|verb| verb.trim_start_matches('/')) else {
            let mut verbs: Vec<String> = VERBS.iter().map(|verb| verb.word.to_owned()).collect();
            if self.desk.demo {
                verbs.extend(["as", "next", "lab"].map(str::to_owned));
            }
            verbs.push("exit".to_owned());
            return verbs;
        };
        if let ("help" | "?", 1) = (verb, before.len()) {
            return VERBS.iter().map(|verb| verb.word.to_owned()).collect();
        }
        // Whom the policy does not know is told no names.
        let speaker = self.speaker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(snapshot) = self.desk.files_for(&speaker) else { return Vec::new() };
        let set = &snapshot.set;
        let names = || set.runbooks.keys().map(ToString::to_string).collect::<Vec<_>>();
        match (verb, before.len()) {
            ("show" | "runbooks" | "run", 1) => names(),
            ("plan", 1) => names().into_iter().chain(self.runs()).collect(),
            ("who", 1) => vec!["owns".to_owned()],
            ("who", 2) => set.inventory.hosts.keys().map(ToString::to_string).collect(),
            ("journal", 1) => vec!["show".to_owned(), "verify".to_owned()],
            ("as", 1) | ("handover", 2) => people(&snapshot),
            ("oncall", _) => on_call(&snapshot, &before[1..]),
            ("incident" | "inc", _) => self.of_incident(&snapshot, &before[1..]),
            ("report", 1) => {
                let services = set.inventory.services.keys().map(ToString::to_string);
                services.chain(self.incidents()).collect()
            }
            ("report", 2) => vec!["\"".to_owned()],
            ("notify", 1) => vec!["log".to_owned(), "test".to_owned()],
            ("notify", 2) if before[1] == "log" => self.incidents(),
            ("notify", 2) if before[1] == "test" => paths_of(&snapshot, &speaker),
            ("run" | "plan", _) => match before.get(1).and_then(|name| set.runbooks.get(*name)) {
                Some(runbook) => self.parameters(&snapshot, runbook, &before[2..], last),
                None => Vec::new(),
            },
            (verb, 1) if VERBS.iter().any(|known| known.word == verb && known.is_of_a_run()) => self.runs(),
            ("status", 1) | ("journal", 2) => self.runs().into_iter().chain(self.incidents()).collect(),
            ("output", 1) => self.runs(),
            ("answer", 3) => vec!["go-on".to_owned(), "stop".to_owned()],
            _ => Vec::new(),
        }
    }

    /// Parameters that are not given yet, and values of the one that is being typed.
    fn parameters(&self, snapshot: &Snapshot, runbook: &Runbook, given: &[&str], last: &str) -> Vec<String> {
        if let Some((name, _)) = last.split_once('=') {
            let given = given.iter().filter_map(|word| word.split_once('='));
            let given: Vec<(String, String)> =
                given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let values = self.desk.values_for(snapshot, runbook, name, &given);
            return values.into_iter().map(|value| format!("{name}={value}")).collect();
        }
        let names =
            runbook.parameters.iter().map(|parameter| parameter.name.value.as_str()).chain(["reason"]);
        let missing = names.filter(|name| !given.iter().any(|word| word.starts_with(&format!("{name}="))));
        missing
            .map(|name| if name == "reason" { "reason=\"".to_owned() } else { format!("{name}=") })
            .collect()
    }
}

/// What is known of duties: roles, schedules, and who may stand in.
fn on_call(snapshot: &Snapshot, given: &[&str]) -> Vec<String> {
    let Ok(policy) = &snapshot.set.policy else { return Vec::new() };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match given {
        [] => words(&["gaps", "who", "override"]),
        ["who"] => policy.roles.keys().map(ToString::to_string).collect(),
        ["override"] => {
            let schedules = snapshot.set.notify.as_ref().map(|notify| notify.schedules.keys());
            schedules.into_iter().flatten().map(ToString::to_string).collect()
        }
        ["override", schedule] => {
            let people = snapshot.set.duty(policy, &[]).may_stand_in(schedule);
            people.into_iter().map(|person| person.to_string()).collect()
        }
        ["override", _, _] => words(&["from=", "to="]),
        ["override", _, _, time] if time.starts_with("from=") => words(&["to="]),
        _ => Vec::new(),
    }
}

/// The paths over which the one who types is told.
fn paths_of(snapshot: &Snapshot, speaker: &Speaker) -> Vec<String> {
    let (Ok(policy), Some(person)) = (&snapshot.set.policy, &speaker.person) else { return Vec::new() };
    let ways = snapshot.set.duty(policy, &[]).ways(person);
    ways.into_iter().map(|way| way.path.to_string()).collect()
}

fn people(snapshot: &Snapshot) -> Vec<String> {
    match &snapshot.set.policy {
        Ok(policy) => policy.people.keys().map(ToString::to_string).collect(),
        Err(_) => Vec::new(),
    }
}

impl Completer for Words {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        let line = line.get(..position).unwrap_or(line);
        let start = line.rfind(' ').map_or(0, |at| at + 1);
        let word = &line[start..];
        let fitting: BTreeSet<String> =
            self.candidates(line).into_iter().filter(|candidate| candidate.starts_with(word)).collect();
        let suggestion = |value: String| Suggestion {
            append_whitespace: !value.ends_with(['=', '"']),
            value,
            span: Span::new(start, position),
            ..Suggestion::default()
        };
        CompletionResult::fresh(fitting.into_iter().map(suggestion).collect::<Vec<_>>())
    }
}

/// The menu of possible words. Where there is none, nothing is shown.
pub struct Choices(pub ColumnarMenu);

impl Menu for Choices {
    fn settings(&self) -> &MenuSettings {
        self.0.settings()
    }

    fn is_active(&self) -> bool {
        self.0.is_active() && !self.0.get_values().is_empty()
    }

    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn clear_input(&mut self) {
        self.0.clear_input();
    }

    fn menu_event(&mut self, event: MenuEvent) {
        self.0.menu_event(event);
    }

    fn can_quick_complete(&self) -> bool {
        self.0.can_quick_complete()
    }

    fn can_partially_complete(
        &mut self,
        values_updated: bool,
        editor: &mut Editor,
        completer: &mut dyn Completer,
    ) -> bool {
        self.0.can_partially_complete(values_updated, editor, completer)
    }

    fn update_values(&mut self, editor: &mut Editor, completer: &mut dyn Completer) {
        self.0.update_values(editor, completer);
    }

    fn reset_position(&mut self) {
        self.0.reset_position();
    }

    fn update_working_details(
        &mut self,
        editor: &mut Editor,
        completer: &mut dyn Completer,
        painter: &Painter,
    ) {
        self.0.update_working_details(editor, completer, painter);
    }

    fn replace_in_buffer(&self, editor: &mut Editor) {
        self.0.replace_in_buffer(editor);
    }

    fn menu_required_lines(&self, terminal_columns: u16) -> u16 {
        self.0.menu_required_lines(terminal_columns)
    }

    fn menu_string(&self, available_lines: u16, use_ansi_coloring: bool) -> String {
        self.0.menu_string(available_lines, use_ansi_coloring)
    }

    fn min_rows(&self) -> u16 {
        self.0.min_rows()
    }

    fn get_values(&self) -> &[Suggestion] {
        self.0.get_values()
    }

    fn results_are_provisional(&self) -> bool {
        self.0.results_are_provisional()
    }

    fn is_awaiting_first_answer(&self) -> bool {
        self.0.is_awaiting_first_answer()
    }

    fn set_cursor_pos(&mut self, position: (u16, u16)) {
        self.0.set_cursor_pos(position);
    }
}
