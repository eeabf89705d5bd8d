//! Every word of the grammar, as the help tells it.

/// A verb of the grammar, as the help tells it.
#[derive(Debug)]
pub struct Verb {
    /// The word.
    pub word: &'static str,
    /// A shorter word, for those that only look.
    pub alias: Option<&'static str>,
    /// How it is typed.
    pub form: &'static str,
    /// What it does, as sentences.
    pub about: &'static str,
    /// How much it weighs.
    pub weight: Weight,
}

impl Verb {
    /// Whether it only looks.
    pub fn looks(&self) -> bool {
        self.weight == Weight::Looks
    }

    /// Whether it says something to a run that is there, whose number comes first.
    pub fn is_of_a_run(&self) -> bool {
        matches!(self.weight, Weight::Begins | Weight::Agrees | Weight::Steers)
    }
}

/// What a verb can do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Nothing is changed.
    Looks,
    /// A list is read back first, and nothing runs before it is confirmed.
    Begins,
    /// It counts as soon as it is said: the last agreement starts the run.
    Agrees,
    /// A run that is there is steered, as soon as it is said.
    Steers,
    /// People are told, or somebody says what they know. What only looks is among it.
    Tells,
}

/// The groups of the help, in its order.
pub(super) const GROUPS: [(Weight, &str); 5] = [
    (Weight::Looks, "LOOK, changes nothing"),
    (Weight::Begins, "BEGIN, read back first: nothing runs before you have confirmed it"),
    (Weight::Agrees, "AGREE OR NOT, counts at once: the last agreement starts the run"),
    (Weight::Steers, "STEER A RUN, acts at once"),
    (Weight::Tells, "TELL, counts at once: incidents, what is owed, and who is told"),
];

const fn look(
    word: &'static str,
    alias: Option<&'static str>,
    form: &'static str,
    about: &'static str,
) -> Verb {
    Verb { word, alias, form, about, weight: Weight::Looks }
}

const fn act(weight: Weight, word: &'static str, form: &'static str, about: &'static str) -> Verb {
    Verb { word, alias: None, form, about, weight }
}

/// Every verb that works, in the order of the help.
pub const VERBS: &[Verb] = &[
    look("help", Some("?"), "help [word]", "All words, or one in full."),
    look(
        "runbooks",
        Some("rb"),
        "runbooks [word|all]",
        "The runbooks that you may run or approve, or all, or those whose name or use has a word.",
    ),
    look("show", None, "show <runbook>", "One runbook as a document, made from the file that runs."),
    look(
        "status",
        Some("s"),
        "status [run|incident|cluster|host]",
        "What is going on: all of it, or one run, incident, cluster or host.",
    ),
    look(
        "output",
        Some("o"),
        "output <run> <step> [host]",
        "What a step printed, whole as far as it was kept.",
    ),
    look(
        "plan",
        Some("p"),
        "plan <run> [--long]",
        "The plan of a run; --long has every argument on every host. `plan <runbook> name=value …` makes one to look at: it measures, asks for nothing, and nothing will run.",
    ),
    look("who", None, "who owns <host>", "Who answers for a host, and whom they escalate to."),
    look(
        "oncall",
        None,
        "oncall [who [role] | gaps | override <schedule> <person> to=… \"why\"]",
        "Who is on duty now and next; the hours of the next 14 days in which nobody is; how a role is told. `override` lets somebody stand in, and counts at once: to=8h, to=18:00 or to=\"2026-01-05 09:00\", before it from=… if not from now on. The newest goes before all others.",
    ),
    look(
        "journal",
        None,
        "journal show <run|incident> · journal verify",
        "The entries of a run or an incident: who, when, what, where, how it ended. Or whether anything in the journal was changed.",
    ),
    look(
        "reports",
        None,
        "reports",
        "What people and alerts reported in the last hour, in groups, and the incident that each belongs to.",
    ),
    act(
        Weight::Begins,
        "run",
        "run <runbook> name=value … reason=\"…\"",
        "Measures, shows every step as a plan, and waits for you. Nothing is changed before you confirm, and before a second person approves where the runbook says so.",
    ),
    act(
        Weight::Agrees,
        "confirm",
        "confirm <run> <token>",
        "You have read the plan back. The token names the target; it is shown with the plan, good once and for 5 minutes. Only the requester can.",
    ),
    act(
        Weight::Agrees,
        "approve",
        "approve <run> <plan> [step] [host]",
        "You agree to exactly this plan, by its first 8 digits. Never the one who asked for it. It is waited for 30 minutes.",
    ),
    act(Weight::Agrees, "refuse", "refuse <run> \"why\"", "The run is closed before it starts."),
    act(
        Weight::Agrees,
        "withdraw",
        "withdraw <run>",
        "Takes your approval back before the start. `stop <run>` takes the request itself back.",
    ),
    act(
        Weight::Steers,
        "answer",
        "answer <run> <step> [host] go-on|stop",
        "Answers a question that the runbook asks. Silence is never a yes.",
    ),
    act(
        Weight::Steers,
        "stop",
        "stop <run> [now]",
        "No step begins any more, from this moment. Before the start it closes the request. `now` also ends what runs.",
    ),
    act(Weight::Steers, "pause", "pause <run>", "What runs goes on; nothing new begins. The hold stays."),
    act(Weight::Steers, "resume", "resume <run>", "Goes on after a pause."),
    act(
        Weight::Steers,
        "retry",
        "retry <run> <step> [host] [attempt=<n>]",
        "Tries a failed step again, on one host; measures a shut door again; waits for a gate as long again.",
    ),
    act(
        Weight::Steers,
        "skip",
        "skip <run> <step> <host> [attempt=<n>] \"why\"",
        "Goes on without a host, where the runbook allows hosts to fail.",
    ),
    act(
        Weight::Steers,
        "ask",
        "ask <run> <step> [host]",
        "Asks again what is known of a step whose outcome is unknown or not proven. Sends nothing.",
    ),
    act(
        Weight::Steers,
        "settle",
        "settle <run> <step> [host] [attempt=<n>] done|not-done \"how you know\"",
        "Says how an unknown outcome ended. It is recorded with your name.",
    ),
    act(
        Weight::Begins,
        "undo",
        "undo <run> [including=<step>]",
        "Takes back what was done, newest first, never past an irreversible step. Shows the list and asks for a token. `including` names a step that did not succeed and may have done something.",
    ),
    act(Weight::Steers, "take", "take <run>", "You answer the questions of this run from now on."),
    act(Weight::Steers, "handover", "handover <run> <person>", "Offers the run to somebody, who says take."),
    Verb {
        word: "incident",
        alias: Some("inc"),
        form: "incident [list] · incident <word> inc-31 … · incident open <severity> …",
        about: "What hurts customers, who owes what by when, and who knows. Without a word: the incidents that are open. inc-31 may be typed as 31.",
        weight: Weight::Tells,
    },
    act(
        Weight::Tells,
        "report",
        "report <service|incident> \"what customers say\"",
        "Says that something is wrong, also if you are not sure. It joins the incident of that service, or waits for others: several reports make an incident, and call who is on duty. Say each customer's words in a report of their own.",
    ),
    act(
        Weight::Tells,
        "notify",
        "notify log [inc-31] · notify paths · notify test <path>",
        "Who was told what, over which path, and what became of it. `paths` says how each path is. `test` sends a letter over a path to you alone, and says what the path answered.",
    ),
];
/// Words that belong to the grammar and come later: they answer that they are not there yet.
pub const LATER: &[(&str, &str)] = &[
    ("drill", "drills of runs come"),
    ("readiness", "readiness comes"),
    ("audit", "the search in the journal comes"),
    ("proof", "signed proofs come"),
    ("watching", "watching a late step comes"),
    ("maint", "calendars of planned work come"),
    ("breakglass", "break-glass comes"),
];
/// Words that are no verbs of the grammar: of the console, of its demo, and of a shell.
pub(super) const BESIDE: &[(&str, &str, &str)] = &[
    ("exit", "exit", "Leaves the console. Ctrl-D does the same."),
    ("quit", "quit", "Leaves the console. Ctrl-D does the same."),
    ("as", "as <person>", "Be somebody else. In the chat of a demo only."),
    ("next", "next", "Types what the last `Next:` said. In the chat of a demo only."),
    ("lab", "lab <words>", "Hurts or heals the hosts; `lab help` lists how. In the chat of a demo only."),
    ("doctor", "steadyhand doctor [host …]", "In a shell only: `steadyhand doctor --help`."),
    ("check", "steadyhand check [path …]", "In a shell only: `steadyhand check --help`."),
    ("schema", "steadyhand schema [kind]", "In a shell only: `steadyhand schema --help`."),
    ("reference", "steadyhand reference", "In a shell only: `steadyhand reference --help`."),
    ("console", "steadyhand console", "In a shell only: `steadyhand console --help`."),
];
