//! Who may do what, written down a second time: nothing of this asks the bot. If the two ever differ, one of them is
//! wrong, and a person looks.

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// There is no such run.
    Nothing,
    Confirming,
    /// It waits to be confirmed, and the time for that is over.
    Expired,
    /// It waits for approvals, and the time for that is over.
    Late,
    Approving,
    /// One of the two has agreed: cleo.
    Half,
    Asking,
    Working,
    Paused,
    Failed,
    Unknown,
    Undoing,
    Ended,
}

impl State {
    pub(super) const ALL: [Self; 13] = [
        Self::Nothing,
        Self::Confirming,
        Self::Expired,
        Self::Late,
        Self::Approving,
        Self::Half,
        Self::Asking,
        Self::Working,
        Self::Paused,
        Self::Failed,
        Self::Unknown,
        Self::Undoing,
        Self::Ended,
    ];
}

/// Who does it: by name on Discord and at the console, and what the policy makes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Asked for the run; on call.
    Requester,
    /// May approve, and has not.
    Approver,
    /// May approve, and was the first to do so.
    Second,
    /// Has a role that gives no right here.
    Other,
    /// Is known, and has no role; or had one until now.
    Roleless,
    /// Is nobody, whatever Discord says they are.
    Nobody,
    /// A program.
    Program,
}

/// Name on Discord, account at the console (if there is one), and who that is.
pub(super) const ACTORS: [(&str, &str, Who); 12] = [
    ("ana", "ana", Who::Requester),
    // The second account of the same person.
    ("ana-2", "ana2", Who::Requester),
    ("ben", "ben", Who::Approver),
    ("cleo", "cleo", Who::Second),
    // Could approve until the policy was changed.
    ("gus", "gus", Who::Roleless),
    ("sue", "sue", Who::Other),
    ("rex", "rex", Who::Roleless),
    ("uma", "root", Who::Nobody),
    // An administrator of the server.
    ("adam", "", Who::Nobody),
    // Looks like ben, and is nicknamed so.
    ("b\u{435}n", "", Who::Nobody),
    ("ci", "", Who::Program),
    ("alerts", "", Who::Program),
];

/// A way to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Console,
    Slash,
    Text,
    Button,
    Modal,
}

/// Where on Discord.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Channel,
    Thread,
    OtherChannel,
    Direct,
    /// The policy names another server.
    OtherServer,
}

/// What somebody does: the line, the slash command, what a form is filled in with, and the events that it makes.
pub(super) struct Action {
    pub(super) line: &'static str,
    pub(super) slash: &'static str,
    pub(super) said: &'static str,
    pub(super) makes: &'static [&'static str],
}

const fn action(line: &'static str, slash: &'static str, makes: &'static [&'static str]) -> Action {
    Action { line, slash, said: "", makes }
}

const fn with_form(
    line: &'static str,
    slash: &'static str,
    said: &'static str,
    makes: &'static [&'static str],
) -> Action {
    Action { line, slash, said, makes }
}

/// Every word that begins a run, speaks to one, or looks. `R` is the run, `H` the host, `T` the token, `D` the digest.
pub(super) const ACTIONS: [Action; 31] = [
    with_form("confirm R T", "/confirm run=R token=T", "T", &["confirmed", "undo-confirmed"]),
    with_form("confirm R zeta-000000", "/confirm run=R token=zeta-000000", "zeta-000000", &["wrong-token"]),
    action("approve R D", "/approve run=R plan=D", &["approved"]),
    action("withdraw R", "/withdraw run=R", &["withdrawn"]),
    with_form(
        "refuse R \"it must not run\"",
        "/refuse run=R why=\"it must not run\"",
        "it must not run",
        &["refused"],
    ),
    action("stop R", "/stop run=R", &["stop-asked", "undo-expired"]),
    action("stop R now", "/stop run=R now=true", &["stop-asked", "undo-expired"]),
    action("pause R", "/pause run=R", &["paused"]),
    action("resume R", "/resume run=R", &["resumed"]),
    action("retry R 3 H", "/retry run=R step=3 host=H", &["retried"]),
    with_form(
        "skip R 3 H \"it is not needed\"",
        "/skip run=R step=3 host=H why=\"it is not needed\"",
        "it is not needed",
        &["skipped"],
    ),
    action("ask R 3 H", "/ask run=R step=3 host=H", &["asked-again"]),
    with_form(
        "settle R 3 H done \"I have seen it\"",
        "/settle run=R step=3 host=H outcome=done how=\"I have seen it\"",
        "I have seen it",
        &["settled"],
    ),
    with_form(
        "settle R 3 H not-done \"I have seen it\"",
        "/settle run=R step=3 host=H outcome=not-done how=\"I have seen it\"",
        "I have seen it",
        &["settled"],
    ),
    action("answer R 2 go-on", "/answer run=R step=2 answer=go-on", &["answered"]),
    action("answer R 2 stop", "/answer run=R step=2 answer=stop", &["answered"]),
    action("undo R", "/undo run=R", &["undo-offered"]),
    action("take R", "/take run=R", &["driven"]),
    action("handover R cleo", "/handover run=R person=cleo", &["handed-over"]),
    // These are the same whatever the state of a run.
    action(
        "run night-drill cluster=omega one=omega1 two=omega2 how=works reason=\"to be seen\"",
        "/run night-drill cluster=omega one=omega1 two=omega2 how=works reason=\"to be seen\"",
        &["requested"],
    ),
    action(
        "plan night-drill cluster=omega one=omega1 two=omega2 how=works",
        "/say line=\"plan night-drill cluster=omega one=omega1 two=omega2 how=works\"",
        &[],
    ),
    action("status", "/status", &[]),
    action("status R", "/status of=R", &[]),
    action("status zeta1", "/status of=zeta1", &[]),
    action("plan R", "/plan run=R", &[]),
    action("plan R --long", "/plan run=R long=true", &[]),
    action("output R 3 H", "/output run=R step=3 host=H", &[]),
    action("journal show R", "/journal run=R", &[]),
    action("show night-drill", "/show runbook=night-drill", &[]),
    action("runbooks all", "/runbooks word=all", &[]),
    action("who owns zeta1", "/who host=zeta1", &[]),
];

/// What must come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// Done, and recorded as an event of the run.
    Done,
    /// Looked at: nothing is recorded.
    Shown,
    /// Refused with this code, and recorded as `command-denied`; nothing else changes.
    No(&'static str),
    /// Refused with this code, recorded, and it counts: a wrong token.
    Counts(&'static str),
    /// The time was over: it ends, whoever spoke.
    Over,
    /// A form opens: nothing is said yet.
    Form,
    /// A form would be filled in for nothing, which is said. Nothing was asked for, so nothing is recorded.
    NoForm(&'static str),
    /// Nobody listens there: no word, no trace.
    Silence,
}

/// The columns are the states from `Confirming` to `Ended`, without `Expired` and `Late`. What who may do it hears, before it is
/// asked who that is: `+` it is done, `?` it counts as a wrong token, else the code of the refusal.
const STATES: [(&str, [&str; 10]); 19] = [
    //                    confirming   approving    half         asking       working      paused       failed       unknown      undoing      ended
    ("confirm R T", ["+", "again", "again", "again", "again", "again", "again", "again", "+", "ended"]),
    (
        "confirm R zeta-000000",
        ["?", "again", "again", "again", "again", "again", "again", "again", "?", "ended"],
    ),
    ("approve R D", ["not-now", "+", "+", "again", "again", "again", "again", "again", "again", "ended"]),
    (
        "withdraw R",
        [
            "not-now", "not-now", "not-now", "not-now", "not-now", "not-now", "not-now", "not-now",
            "not-now", "ended",
        ],
    ),
    ("refuse R", ["+", "+", "+", "not-now", "not-now", "not-now", "not-now", "not-now", "not-now", "ended"]),
    ("stop R", ["+", "+", "+", "+", "+", "+", "+", "+", "+", "ended"]),
    ("stop R now", ["+", "+", "+", "+", "+", "+", "+", "+", "+", "ended"]),
    ("pause R", ["not-now", "not-now", "not-now", "+", "+", "not-now", "+", "+", "not-now", "ended"]),
    (
        "resume R",
        [
            "not-now", "not-now", "not-now", "not-now", "not-now", "+", "not-now", "not-now", "not-now",
            "ended",
        ],
    ),
    (
        "retry R 3 H",
        [
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "+",
            "not-asked",
            "not-asked",
            "ended",
        ],
    ),
    (
        "skip R 3 H",
        [
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "+",
            "+",
            "not-asked",
            "ended",
        ],
    ),
    (
        "ask R 3 H",
        [
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "+",
            "not-asked",
            "ended",
        ],
    ),
    (
        "settle R 3 H done",
        [
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "+",
            "not-asked",
            "ended",
        ],
    ),
    (
        "settle R 3 H not-done",
        [
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "+",
            "not-asked",
            "ended",
        ],
    ),
    (
        "answer R 2 go-on",
        [
            "not-asked",
            "not-asked",
            "not-asked",
            "+",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "ended",
        ],
    ),
    (
        "answer R 2 stop",
        [
            "not-asked",
            "not-asked",
            "not-asked",
            "+",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "not-asked",
            "ended",
        ],
    ),
    ("undo R", ["not-now", "not-now", "not-now", "+", "not-now", "not-now", "+", "+", "not-now", "+"]),
    ("take R", ["+", "+", "+", "+", "+", "+", "+", "+", "+", "ended"]),
    ("handover R", ["+", "+", "+", "+", "+", "+", "+", "+", "+", "ended"]),
];

fn in_state(line: &str, state: State) -> &'static str {
    let column = match state {
        State::Nothing | State::Expired | State::Late => panic!("these are asked before"),
        State::Confirming => 0,
        later => later as usize - State::Approving as usize + 1,
    };
    let row = STATES.iter().rfind(|(words, _)| line.starts_with(words));
    row.unwrap_or_else(|| panic!("{line} is in no row")).1[column]
}

/// What must come of it, before anybody has tried.
pub(super) fn expected(who: Who, action: &Action, state: State, way: Way, place: Place) -> Is {
    use Who::{Approver, Nobody, Other, Program, Requester, Roleless, Second};
    let line = action.line;
    if way == Way::Text && (who == Program || !matches!(place, Place::Channel | Place::Thread)) {
        return Is::Silence;
    }
    if way != Way::Console && !matches!(place, Place::Channel | Place::Thread) {
        return Is::No("wrong-place");
    }
    if matches!(who, Nobody | Program) {
        return Is::No("no-person");
    }
    if action.makes.is_empty() {
        return if who == Roleless { Is::No("no-person") } else { Is::Shown };
    }
    if line.starts_with("run ") {
        return if who == Requester { Is::Done } else { Is::No("no-role") };
    }
    if way == Way::Button && !action.said.is_empty() {
        return match state {
            // Instead of the form they would see how the run is, and they see nothing.
            State::Nothing | State::Ended if who == Roleless => Is::No("no-person"),
            State::Nothing => Is::NoForm("unknown-run"),
            State::Ended => Is::NoForm("ended"),
            _ => Is::Form,
        };
    }
    if state == State::Nothing {
        return Is::No("unknown-run");
    }
    // Roles come before what the run says. Who does not approve their own run is told that first; whose token it is,
    // the run says.
    let has_role = match line.split(' ').next().unwrap() {
        "approve" => matches!(who, Requester | Approver | Second),
        "withdraw" => matches!(who, Approver | Second),
        "answer" => who == Requester,
        "confirm" => true,
        _ => matches!(who, Requester | Approver | Second),
    };
    if !has_role {
        return Is::No("no-role");
    }
    if matches!(state, State::Expired | State::Late) {
        return Is::Over;
    }
    let of_run = in_state(line, state);
    if of_run == "ended" {
        return Is::No("ended");
    }
    let code = match line.split(' ').next().unwrap() {
        // The token is for who asked, and that of an undo for who asked for that: ana, both times.
        "confirm" if matches!(of_run, "+" | "?") && who != Requester => "not-your-run",
        "approve" if who == Requester => "own-run",
        // cleo was the first.
        "approve" if state == State::Half && who == Second => "again",
        "withdraw" if state == State::Half && who == Second => "+",
        // ana drives it.
        "take" if who == Requester => "not-now",
        "handover" if who != Requester => "not-your-run",
        _ => of_run,
    };
    debug_assert!(!matches!(who, Other | Roleless) || code == "again" || code == "not-your-run");
    match code {
        "+" => Is::Done,
        "?" => Is::Counts("bad-token"),
        code => Is::No(code),
    }
}
