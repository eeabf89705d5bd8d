//! The table: every key of every file, how its value is read, and what it means.

use super::form::{Form, Key, Refers, Shape};
use crate::runbook::source::name::NameForm;

/// The kinds of files, each known by its first key.
pub static FILES: [&Shape; 5] = [&RUNBOOK, &PACK, &INVENTORY, &POLICY, &NOTIFY];

/// The file that says who is told and how, as a policy names it that grants it secrets.
pub const NOTIFY_FILE: &str = "notify.yaml";

/// The types that parameters have.
pub const PARAMETER_TYPES: [&str; 11] =
    ["bool", "int", "number", "text", "size", "duration", "percent", "host", "choice", "cluster", "service"];

/// The types that inputs, results and settings have, besides lists of words.
pub const VALUE_TYPES: [&str; 8] = ["bool", "int", "number", "text", "size", "duration", "percent", "host"];

/// The days of a window.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const ROLES: Form = Form::List(&Form::Word(Refers::Role));
const SECRETS: Form = Form::List(&Form::Word(Refers::Secret));
const CHECKS: Form = Form::List(&Form::Either(&Form::Word(Refers::Check), &Form::Map(&CHECK)));
const WATCHES: Form = Form::List(&Form::Map(&WATCH));
const WITH: Form = Form::Table(NameForm::Variable, &Form::Text);
const TYPES: Form = Form::Table(NameForm::Variable, &Form::Type);
const EFFECT: Form = Form::OneOf(&["read", "reversible", "irreversible"]);
const SETTINGS: Form = Form::Table(NameForm::Variable, &Form::Literal);
const ACCOUNTS: Form = Form::Either(&Form::Free, &Form::List(&Form::Free));

const fn must(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, required: true, form, about, later: false }
}

const fn may(name: &'static str, form: Form, about: &'static str) -> Key {
    Key { name, required: false, form, about, later: false }
}

/// A key that is checked and recorded, and that this version does not act on.
const fn later(mut key: Key) -> Key {
    key.later = true;
    key
}

/// A runbook.
pub static RUNBOOK: Shape = Shape {
    what: "a runbook",
    about: "One procedure, read from top to bottom: the order of the file is the order of the run.",
    keys: &[
        must("runbook", Form::Name(NameForm::Dashed), "Its name, which is also the name of its file."),
        must("title", Form::Text, "What a run of it does, in one line."),
        must("use_when", Form::Plain, "When to reach for it."),
        must("owner", Form::Word(Refers::Role), "The role that answers for it."),
        must(
            "rehearse",
            Form::Duration,
            "How often it is to be rehearsed. Only `stale_rehearsal` of the policy looks at it.",
        ),
        may("cool_down", Form::Duration, "How long it waits before it runs again on the same cluster."),
        may(
            "contingency",
            Form::Word(Refers::Runbook),
            "The runbook to turn to. Required if a step is irreversible.",
        ),
        may("secrets", SECRETS, "The secrets that its probes and actions may read."),
        may(
            "parameters",
            Form::Table(NameForm::Variable, &Form::Map(&PARAMETER)),
            "What is asked of the person who runs it. A later one may use earlier ones.",
        ),
        must("access", Form::Map(&ACCESS), "Who may start it, and who must agree besides."),
        may("window", Form::Map(&WINDOW_RULE), "When it may run without more approval."),
        may("incident", Form::Map(&INCIDENT), "The incident that a run opens."),
        may(
            "tell",
            Form::List(&Form::Map(&TELL)),
            "Who is told: obligations with a clock. Support must be among them if anything is changed.",
        ),
        may(
            "let",
            Form::Table(NameForm::Variable, &Form::Expr),
            "Names for expressions. A later one may use earlier ones.",
        ),
        may("measure", Form::Table(NameForm::Variable, &Form::Map(&MEASURE)), "What can be asked of hosts."),
        may(
            "checks",
            Form::Table(NameForm::Variable, &Form::Map(&CHECK)),
            "Checks that are used more than once.",
        ),
        may(
            "preflight",
            CHECKS,
            "What must hold for the plan, and again inside the hold before the first change.",
        ),
        may("watch", WATCHES, "What must hold from the first changing step to the end."),
        must(
            "steps",
            Form::List(&Form::Kinds(&[&STEP, &EACH, &WAIT, &DECIDE])),
            "What is done, in this order.",
        ),
        may(
            "follow_up",
            Form::List(&Form::Map(&FOLLOW_UP)),
            "What the owner owes afterwards: listed in the plan and at the end. Nobody is reminded yet.",
        ),
    ],
};

static PARAMETER: Shape = Shape {
    what: "a parameter",
    about: "A value that the person who runs the runbook gives.",
    keys: &[
        must("type", Form::OneOf(&PARAMETER_TYPES), "What it is."),
        may("kind", Form::List(&Form::Word(Refers::Pack)), "Of a cluster: the packs that know it."),
        may("in", Form::Expr, "Of a host: the list of possible hosts."),
        may(
            "one_of",
            Form::List(&Form::Free),
            "Of a choice: the possible words, in the order in which they are offered.",
        ),
        may("min", Form::Literal, "The smallest possible value."),
        may("max", Form::Literal, "The largest possible value."),
        may("pattern", Form::Free, "Of a text: the regular expression that all of it must match."),
        may("default", Form::Literal, "What it is when nobody says. Targets have none."),
        may("help", Form::Plain, "What to give here."),
    ],
};

static ACCESS: Shape = Shape {
    what: "access",
    about: "Who may start a run, and who must agree besides. The policy can only add to it.",
    keys: &[
        must("start", ROLES, "Roles that may start it."),
        may(
            "approve",
            Form::Map(&APPROVE),
            "Who must agree besides the requester. Required if a step is irreversible.",
        ),
    ],
};

static APPROVE: Shape = Shape {
    what: "approve",
    about: "The second person. Requester and approver are never the same person.",
    keys: &[
        must("by", ROLES, "Roles that may approve."),
        must("count", Form::Int(1, 5), "How many people must."),
    ],
};

static WINDOW_RULE: Shape = Shape {
    what: "window",
    about: "The time in which this runbook belongs.",
    keys: &[
        must("name", Form::Word(Refers::Window), "A window of the policy."),
        must(
            "outside",
            Form::OneOf(&["approve", "refuse"]),
            "Outside it: one more approval, or none may start it.",
        ),
    ],
};

static INCIDENT: Shape = Shape {
    what: "incident",
    about: "The incident of a run. It opens at the start of the run, or when there is trouble; its clocks run until people have answered.",
    keys: &[
        must("severity", Form::OneOf(&["sev1", "sev2", "sev3"]), "How bad it is for customers."),
        must(
            "open",
            Form::OneOf(&["at-start", "on-trouble"]),
            "When it is opened. Trouble is a failure, a stop, an overdue or stalled step.",
        ),
        must("service", Form::Expr, "The service that is affected."),
        may("updates", Form::Map(&UPDATES), "News for the public on a cadence."),
    ],
};

static UPDATES: Shape = Shape {
    what: "updates",
    about: "News for the public while the incident lasts: the words become the draft, and a person publishes it.",
    keys: &[
        must("every", Form::Duration, "How often."),
        must(
            "say",
            Form::Text,
            "What customers read: numbers, sizes, times, percentages and the title of the service only.",
        ),
    ],
};

static TELL: Shape = Shape {
    what: "an entry of tell",
    about: "Somebody who is to be told, and by when it must have arrived. Whoever answers for the role is called until somebody says that they know. `before-start` holds the first change back until then.",
    keys: &[
        must("who", Form::Word(Refers::Role), "support, status-page or a role."),
        must(
            "at",
            Form::OneOf(&["before-start", "start", "end"]),
            "When. before-start means before the first changing step, which waits for it.",
        ),
        must("until", Form::OneOf(&["acknowledged", "published", "delivered"]), "What fulfils it."),
        must("within", Form::Duration, "By when."),
    ],
};

static MEASURE: Shape = Shape {
    what: "a measurement",
    about: "A probe and whom it asks. Exactly one of `host` and `hosts`.",
    keys: &[
        must(
            "probe",
            Form::Word(Refers::Probe),
            "`pack/probe`, or `cluster/probe` for the pack of the cluster's kind.",
        ),
        may("host", Form::Expr, "The one host that is asked."),
        may("hosts", Form::Expr, "The hosts that are asked; one result for each."),
        may("with", WITH, "The inputs of the probe."),
    ],
};

/// A check.
pub static CHECK: Shape = Shape {
    what: "a check",
    about: "A condition with the sentence for when it does not hold. A condition that cannot be answered does not hold.",
    keys: &[
        must("that", Form::Expr, "The condition."),
        may("else", Form::Text, "Said when it does not hold; it must."),
        may("warn", Form::Text, "In preflight: said in the plan when it does not hold; the run may go on."),
        may("within", Form::Duration, "How long it may take to come true."),
        may("for", Form::Duration, "How long it must then stay true."),
    ],
};

static WATCH: Shape = Shape {
    what: "a watch",
    about: "A condition that is asked again and again while steps work.",
    keys: &[
        must("that", Form::Expr, "The condition."),
        must("else", Form::Text, "Said when it is broken."),
        may("every", Form::Duration, "How often it is asked; 10s if not said."),
        may("for", Form::Duration, "How long it must be broken before it acts."),
        must(
            "then",
            Form::OneOf(&["stop", "pause"]),
            "stop ends the processes of the step and asks; pause halts them until it holds again.",
        ),
    ],
};

static STEP: Shape = Shape {
    what: "a step",
    about: "One command on one host.",
    keys: &[
        must("step", Form::Text, "Its title, unique in the file."),
        may("when", Form::Expr, "Left out of the plan if false. Parameters, inventory and topology only."),
        must("host", Form::Expr, "The host that it runs on."),
        must("effect", EFFECT, "What a reader must know first."),
        may("why_no_undo", Form::Plain, "Why it cannot be taken back. Required if irreversible."),
        may(
            "require",
            CHECKS,
            "Measured again at its door. Required if irreversible, and then one of them measures.",
        ),
        may("use", Form::Word(Refers::Action), "An action of a pack. Exactly one of use, run and script."),
        may(
            "run",
            Form::List(&Form::Text),
            "A command; each entry is exactly one argument, and no shell sees it.",
        ),
        may("script", Form::Script, "A fixed script for `sh -eu`; values reach it as \"$name\"."),
        may("with", WITH, "The inputs of the action, or the variables of the script."),
        may("repeatable", Form::Bool, "It may be sent again when its outcome is unknown, at most 3 times."),
        may("takes", Form::Duration, "How long it usually takes; learnt if not said."),
        may(
            "at_most",
            Form::Duration,
            "At this limit the host ends the command, and a person is asked. Required unless the action has it.",
        ),
        may("progress", Form::Map(&PROGRESS), "How far it is. Required, with watch, if at_most is over 30m."),
        may("watch", WATCHES, "What must hold while it works."),
        may(
            "if_unreachable",
            Form::Map(&INSTEAD),
            "Done instead if the host cannot be reached and nothing was started there.",
        ),
        may(
            "undo",
            Form::Map(&UNDO),
            "What takes it back. Required if reversible, unless the action has it.",
        ),
        may("verify", CHECKS, "What proves it. Required unless its effect is read."),
    ],
};

static PROGRESS: Shape = Shape {
    what: "progress",
    about: "How far a long step is, asked every 10 s.",
    keys: &[
        must("done", Form::Expr, "What is done."),
        may("total", Form::Expr, "Of how much."),
        must("stalled_after", Form::Duration, "How long it may stand still."),
    ],
};

static INSTEAD: Shape = Shape {
    what: "if_unreachable",
    about: "What is done instead on another host. It is part of the plan and its approval.",
    keys: &[
        must("host", Form::Expr, "The other host."),
        must("use", Form::Word(Refers::Action), "The action."),
        may("with", WITH, "Its inputs."),
    ],
};

static UNDO: Shape = Shape {
    what: "an undo",
    about: "What takes a reversible step back, or why nothing is left to take back.",
    keys: &[
        may("run", Form::List(&Form::Text), "A command."),
        may("script", Form::Script, "A script."),
        may("nothing", Form::Plain, "Why nothing is left to take back."),
    ],
};

static EACH: Shape = Shape {
    what: "an each",
    about: "Steps that are done host by host. The first batch is always one host.",
    keys: &[
        must("each", Form::Name(NameForm::Variable), "The name of the host at hand."),
        must("of", Form::Expr, "The hosts."),
        may("when", Form::Expr, "Left out of the plan if false."),
        may("batch", Form::Map(&BATCH), "How many at once."),
        must("steps", Form::List(&Form::Kinds(&[&STEP, &WAIT, &DECIDE])), "What is done for each."),
    ],
};

static BATCH: Shape = Shape {
    what: "a batch",
    about: "How many hosts at once, and how many of them may fail.",
    keys: &[
        may(
            "size",
            Form::Either(&Form::Int(1, 1000), &Form::Percent),
            "Hosts at once: a number, or a percentage rounded up; 1 if not said.",
        ),
        may("pause", Form::Duration, "Between batches."),
        may(
            "failures",
            Form::Int(0, 1000),
            "How many hosts may fail before the run stands still; 0 if not said.",
        ),
    ],
};

static WAIT: Shape = Shape {
    what: "a wait",
    about: "A gate that opens when its checks hold. It may last days and survives restarts.",
    keys: &[
        must("wait", Form::Text, "Its title."),
        may("when", Form::Expr, "Left out of the plan if false."),
        must("until", CHECKS, "What must hold."),
        may("for", Form::Duration, "How long all must hold without a break."),
        must("at_most", Form::Duration, "When a person is asked."),
        may("takes", Form::Duration, "How long it usually takes."),
        may("watch", WATCHES, "What must hold meanwhile."),
    ],
};

static DECIDE: Shape = Shape {
    what: "a decide",
    about: "A question to people. Silence is never an answer.",
    keys: &[
        must("decide", Form::Text, "The question."),
        may("when", Form::Expr, "Left out of the plan if false."),
        must("ask", ROLES, "Who is asked."),
        must(
            "within",
            Form::Duration,
            "By when. At half of it and at its end the question is said again; then it still waits.",
        ),
        must("go_on", Form::Text, "What yes means."),
        must("stop", Form::Text, "What no means: the run ends, and undo is offered."),
    ],
};

static FOLLOW_UP: Shape = Shape {
    what: "an entry of follow_up",
    about: "What the owner owes after a run.",
    keys: &[
        must("do", Form::Text, "What."),
        may("when", Form::Expr, "Nothing is owed if false. Parameters, inventory and topology only."),
        may("runbook", Form::Word(Refers::Runbook), "The runbook that does it."),
        must("within", Form::Duration, "By when."),
    ],
};

/// A pack.
pub static PACK: Shape = Shape {
    what: "a pack",
    about: "The knowledge of one system: settings, topology, probes, and actions with their undo.",
    keys: &[
        must(
            "pack",
            Form::Name(NameForm::Dashed),
            "Its name, which is also the name of its file, and the kind of clusters and hosts that it knows.",
        ),
        must("title", Form::Plain, "The system that it knows."),
        may(
            "applies_to",
            Form::OneOf(&["every host"]),
            "Its settings belong to every host, whatever its kind.",
        ),
        may("commands", Form::List(&Form::Free), "Commands that must be on the host; asked by preflight."),
        may(
            "log",
            Form::Word(Refers::Setting),
            "The setting that names a log; its tail is shown when a step of this pack fails there.",
        ),
        may("settings", TYPES, "What the inventory must say of each cluster or host of this kind."),
        may(
            "topology",
            Form::Map(&TOPOLOGY),
            "Who is primary and who is a replica. Without it, clusters of this kind have hosts and no roles.",
        ),
        may("prelude", Form::Script, "Stands before each script of this pack."),
        may("probes", Form::Table(NameForm::Dashed, &Form::Map(&PROBE)), "What can be measured."),
        may("actions", Form::Table(NameForm::Dashed, &Form::Map(&ACTION)), "What can be changed."),
    ],
};

static TOPOLOGY: Shape = Shape {
    what: "a topology",
    about: "How the hosts of a cluster tell their roles.",
    keys: &[
        must("probe", Form::Word(Refers::OwnProbe), "The probe that is asked of every host."),
        must("primary", Form::Expr, "Holds for the primary."),
        must("replica", Form::Expr, "Holds for a replica."),
    ],
};

static PROBE: Shape = Shape {
    what: "a probe",
    about: "A named measurement. It prints one JSON object with exactly its results.",
    keys: &[
        must("asks", Form::Plain, "The question that it answers."),
        may("inputs", TYPES, "What it must be given."),
        may("secrets", SECRETS, "Secrets that its script reads; each comes as a file named in `$NAME_file`."),
        must("at_most", Form::Duration, "How long it may take."),
        must(
            "results",
            TYPES,
            "What it prints: sizes in bytes, durations in seconds, hosts by name or address.",
        ),
        may("run", Form::List(&Form::Text), "A command. Exactly one of run and script."),
        may("script", Form::Script, "A script."),
        may("writes", Form::Plain, "What it changes. Such a probe is asked inside a run only."),
    ],
};

static ACTION: Shape = Shape {
    what: "an action",
    about: "A named change, with what takes it back.",
    keys: &[
        must("does", Form::Plain, "What it does, as a sentence."),
        may("inputs", TYPES, "What it must be given."),
        may(
            "secrets",
            SECRETS,
            "Secrets that its script and its undo read; each comes as a file named in `$NAME_file`.",
        ),
        must("effect", EFFECT, "What a reader must know first."),
        may("takes", Form::Duration, "How long it usually takes."),
        must("at_most", Form::Duration, "How long it may take; the host ends it then."),
        may("repeatable", Form::Bool, "It may be sent again when its outcome is unknown."),
        may("run", Form::List(&Form::Text), "A command. Exactly one of run and script."),
        may("script", Form::Script, "A script."),
        may("undo", Form::Map(&UNDO), "What takes it back. Required if reversible."),
    ],
};

/// The inventory.
pub static INVENTORY: Shape = Shape {
    what: "an inventory",
    about: "Services, clusters and hosts, with their owners. Host keys lie in `known_hosts` beside it.",
    keys: &[
        must("inventory", Form::Name(NameForm::Dashed), "Its name."),
        may("services", Form::Table(NameForm::Dashed, &Form::Map(&SERVICE)), "What customers use."),
        may("clusters", Form::Table(NameForm::Host, &Form::Map(&CLUSTER)), "Hosts that belong together."),
        must("hosts", Form::Table(NameForm::Host, &Form::Map(&HOST)), "Where steps run."),
    ],
};

static SERVICE: Shape = Shape {
    what: "a service",
    about: "What customers use.",
    keys: &[
        must("title", Form::Plain, "As customers know it."),
        must("owner", Form::Word(Refers::Role), "The role that answers for it."),
        may("shown_as", Form::List(&Form::Free), "Components of the status page."),
    ],
};

static CLUSTER: Shape = Shape {
    what: "a cluster",
    about: "Hosts that belong together, of one kind.",
    keys: &[
        must("kind", Form::Word(Refers::Pack), "The pack that knows it."),
        must("service", Form::Word(Refers::Service), "The service that stands on it."),
        must("owner", Form::Word(Refers::Role), "The role that answers for it."),
        must("hosts", Form::List(&Form::Word(Refers::Host)), "Its members."),
        may("primary", Form::Word(Refers::Host), "The primary that is believed until one has answered."),
        may("settings", SETTINGS, "Settings of its pack, for the cluster and all its hosts."),
    ],
};

static HOST: Shape = Shape {
    what: "a host",
    about: "A machine that ssh reaches.",
    keys: &[
        must("address", Form::Free, "An address or name, unique in the inventory."),
        may("port", Form::Int(1, 65535), "The port of its sshd; 22 if not said."),
        must("user", Form::Free, "Whom ssh logs in as."),
        may("owner", Form::Word(Refers::Role), "The role that answers for it; of its cluster if not said."),
        may("kind", Form::Word(Refers::Pack), "The pack that knows it, when it is in no cluster."),
        may("spare_for", Form::Word(Refers::Pack), "The kind of cluster that it may join."),
        may("depends_on", Form::List(&Form::Free), "What it shares fate with: racks, switches, proxies."),
        may("settings", SETTINGS, "Settings of packs, for this host; they go before those of its cluster."),
    ],
};

/// The policy.
pub static POLICY: Shape = Shape {
    what: "a policy",
    about: "People, roles, windows, doors, and rules that only tighten. Missing, empty or broken, it denies all.",
    keys: &[
        must("policy", Form::Name(NameForm::Dashed), "Its name."),
        must(
            "people",
            Form::Table(NameForm::Dashed, &Form::Map(&PERSON)),
            "Who there is, with their accounts.",
        ),
        must("roles", Form::Table(NameForm::Dashed, &Form::Map(&ROLE)), "What people are."),
        may("windows", Form::Table(NameForm::Dashed, &Form::Map(&WINDOW)), "Times of the week."),
        may("doors", Form::Map(&DOORS), "Where commands are taken from."),
        may("rules", Form::List(&Form::Map(&RULE)), "What makes runbooks stricter."),
        may(
            "secrets",
            Form::Table(NameForm::Variable, &Form::List(&Form::Word(Refers::SecretReader))),
            "Secrets, and the runbooks that may read each; `notify.yaml` among them lets the paths of that file read it.",
        ),
        may(
            "incidents",
            Form::Map(&INCIDENT_RIGHTS),
            "The roles that some words of incidents need. Without it everybody with a role may say all of them.",
        ),
        later(may("break_glass", Form::Map(&BREAK_GLASS), "The last way: who may take it, and who is told.")),
    ],
};

static INCIDENT_RIGHTS: Shape = Shape {
    what: "the rights of incidents",
    about: "A word that is not named is for everybody with a role. The commander of an incident may say all of them, its communications lead may draft and publish. Commander is who has a role of `resolve`, or may be called for the owner of the incident or for its command.",
    keys: &[
        may("publish", ROLES, "Who may draft what customers read, and publish it."),
        may("resolve", ROLES, "Who may say that it is over, close it, and lower its severity."),
        may("waive", ROLES, "Who may say that something owed is not needed."),
    ],
};

static PERSON: Shape = Shape {
    what: "a person",
    about: "A human being. One person may have several accounts; an account belongs to one person.",
    keys: &[
        may(
            "discord",
            ACCOUNTS,
            "Discord user ids: the numbers under Copy User ID, in quotes. Names change, ids do not.",
        ),
        may("console", ACCOUNTS, "Login names on the machine of the bot."),
    ],
};

static ROLE: Shape = Shape {
    what: "a role",
    about: "Exactly one of `people`, `schedule` and `discord`.",
    keys: &[
        may("people", Form::List(&Form::Word(Refers::Person)), "Who has it, always."),
        may(
            "schedule",
            Form::Word(Refers::Schedule),
            "The schedule of notify.yaml that says who has it now.",
        ),
        may(
            "discord",
            ACCOUNTS,
            "The ids of roles on the server of the door discord, in quotes: whoever of `people` has one of them there has it.",
        ),
        may("escalates_to", Form::Word(Refers::Role), "Who is asked when nobody answers."),
    ],
};

static WINDOW: Shape = Shape {
    what: "a window",
    about: "A time of the week. It may go past midnight.",
    keys: &[
        must("days", Form::List(&Form::OneOf(&DAYS)), "The days on which it begins."),
        must("from", Form::Clock, "When it begins."),
        must("to", Form::Clock, "When it ends; on the next day if not later than it begins."),
        must("zone", Form::Free, "The time zone, as Europe/Berlin."),
    ],
};

static DOORS: Shape = Shape {
    what: "doors",
    about: "Where commands are taken from.",
    keys: &[
        may("discord", Form::Map(&DISCORD_DOOR), "Which server and channels on Discord."),
        may("console", Form::Map(&CONSOLE_DOOR), "The terminal chat."),
    ],
};

static DISCORD_DOOR: Shape = Shape {
    what: "the door discord",
    about: "A Discord server and the channels in which commands are taken.",
    keys: &[
        must("server", Form::Free, "The id of the server."),
        must(
            "channels",
            Form::List(&Form::Free),
            "The ids of the channels; their threads are taken with them. The first one shows runs that were asked for elsewhere.",
        ),
    ],
};

static CONSOLE_DOOR: Shape =
    Shape { what: "the door console", about: "The terminal chat; nothing is set.", keys: &[] };

static RULE: Shape = Shape {
    what: "a rule",
    about: "Makes runbooks stricter. A rule that would loosen one is an error.",
    keys: &[
        must(
            "runbooks",
            Form::Either(&Form::OneOf(&["all"]), &Form::List(&Form::Word(Refers::Runbook))),
            "all, or a list.",
        ),
        may("effect", EFFECT, "Only those with a step of this effect."),
        may("approve_at_least", Form::Int(1, 5), "So many people must approve."),
        may(
            "stale_rehearsal",
            Form::OneOf(&["approve", "refuse"]),
            "When the last rehearsal is too old: one more approval, or none may start it. Rehearsals are not recorded yet, so every runbook counts as never rehearsed.",
        ),
        may("most_hosts", Form::Int(1, 100_000), "A run changes at most so many hosts."),
        may(
            "most_of_cluster",
            Form::Percent,
            "A run changes at most this part of a cluster's hosts, rounded up.",
        ),
    ],
};

static BREAK_GLASS: Shape = Shape {
    what: "break_glass",
    about: "A loud way past the approvals, with a later version.",
    keys: &[must("by", ROLES, "Who may take it."), must("tell", ROLES, "Who is told at once.")],
};

const WAYS: Form = Form::List(&Form::Either(&Form::Word(Refers::Path), &Form::Map(&WAY)));
const DAYS_OF_WEEK: Form = Form::List(&Form::OneOf(&DAYS));
const BETWEEN: Form = Form::List(&Form::Clock);
const DEPENDS_ON: Key = must(
    "depends_on",
    Form::List(&Form::Free),
    "What it needs to work: its provider, proxies, resolvers, racks, in words of your own; `host/NAME`, `cluster/NAME` and `service/NAME` are those of the inventory.",
);

/// Who is told, and how.
pub static NOTIFY: Shape = Shape {
    what: "a notify file",
    about: "Paths out of the house, the ways in which each person is told, who is on duty when, and who is told next.",
    keys: &[
        must("notify", Form::Name(NameForm::Dashed), "Its name."),
        may("answers", Form::Map(&ANSWERS), "Where people answer who have no chat."),
        must(
            "paths",
            Form::Table(NameForm::Dashed, &Form::Tagged("a path", &PATHS)),
            "Ways out of the house.",
        ),
        must(
            "people",
            Form::Table(NameForm::Dashed, &WAYS),
            "How each person is told: at least two ways, best first. A page goes over the first two at once.",
        ),
        may("schedules", Form::Table(NameForm::Dashed, &Form::Map(&SCHEDULE)), "Who is on duty when."),
        may(
            "escalations",
            Form::Table(NameForm::Dashed, &Form::Map(&ESCALATION)),
            "By role: who is told, and who next. A role without one is told itself, then each role that it escalates to, 5 minutes apart.",
        ),
        may(
            "public",
            WAYS,
            "Where published news go: a status page. Nothing goes there but what a person published.",
        ),
        may("watcher", Form::Map(&WATCHER), "Who outside notices that this bot is silent."),
        may("trials", Form::Map(&TRIALS), "When paths are tried that took nothing for some time."),
        may("reports", Form::Map(&REPORTS), "When reports of people and alerts make an incident."),
    ],
};

static ANSWERS: Shape = Shape {
    what: "answers",
    about: "Where people answer who have no chat.",
    keys: &[must(
        "url",
        Form::Free,
        "Where the links in notices lead: the address of this bot, as readers reach it.",
    )],
};

static PATHS: [&Shape; 5] = [&DISCORD_PATH, &MAIL_PATH, &WEBHOOK_PATH, &SLACK_PATH, &PAGERDUTY_PATH];

static DISCORD_PATH: Shape = Shape {
    what: "a path of kind discord",
    about: "A channel on Discord. A person is mentioned there by the id that the policy knows.",
    keys: &[
        must("kind", Form::OneOf(&["discord"]), "Discord."),
        must("channel", Form::Free, "The id of the channel."),
        DEPENDS_ON,
    ],
};

static MAIL_PATH: Shape = Shape {
    what: "a path of kind mail",
    about: "A mail server. Each way over it says `to` whom.",
    keys: &[
        must("kind", Form::OneOf(&["mail"]), "Mail."),
        must("server", Form::Free, "Name and port, as smtp.example.com:587."),
        must("from", Form::Free, "The address of the sender."),
        may(
            "tls",
            Form::OneOf(&["starttls", "tls", "none"]),
            "How the connection is encrypted; starttls if not said.",
        ),
        may("user", Form::Free, "Whom the server knows us as."),
        may("password", Form::Word(Refers::Secret), "The secret that holds the password."),
        DEPENDS_ON,
    ],
};

static WEBHOOK_PATH: Shape = Shape {
    what: "a path of kind webhook",
    about: "An address that takes signed messages (Standard Webhooks).",
    keys: &[
        must("kind", Form::OneOf(&["webhook"]), "A webhook."),
        must("url", Form::Free, "The address."),
        must("secret", Form::Word(Refers::Secret), "The secret that messages are signed with."),
        DEPENDS_ON,
    ],
};

static SLACK_PATH: Shape = Shape {
    what: "a path of kind slack",
    about: "A channel of Slack, or of what takes the same messages. A way may say `to` which member id.",
    keys: &[
        must("kind", Form::OneOf(&["slack"]), "Slack."),
        must("url", Form::Word(Refers::Secret), "The secret that holds the address of the incoming webhook."),
        DEPENDS_ON,
    ],
};

static PAGERDUTY_PATH: Shape = Shape {
    what: "a path of kind pagerduty",
    about: "A service of PagerDuty, which knows itself whom to wake.",
    keys: &[
        must("kind", Form::OneOf(&["pagerduty"]), "PagerDuty."),
        must("routing_key", Form::Word(Refers::Secret), "The secret that holds the integration key."),
        may(
            "url",
            Form::Free,
            "The address of its events; that of its service in the United States if not said.",
        ),
        DEPENDS_ON,
    ],
};

static WAY: Shape = Shape {
    what: "a way",
    about: "A path, and where on it.",
    keys: &[
        must("path", Form::Word(Refers::Path), "The path."),
        must(
            "to",
            Form::Free,
            "Where on it: a mail address, a Discord user id, a member id of Slack; over a webhook, any word for whom one person alone reads it.",
        ),
    ],
};

static SCHEDULE: Shape = Shape {
    what: "a schedule",
    about: "Who is on duty when, in the time of one zone. A role of the policy has it by `schedule: NAME`.",
    keys: &[
        must(
            "zone",
            Form::Free,
            "The time zone, as Europe/Berlin: a hand-over at 09:00 stays at 09:00 there.",
        ),
        must(
            "layers",
            Form::List(&Form::Map(&LAYER)),
            "Who is on duty. A later layer goes before an earlier one, so that the first can hold every hour.",
        ),
        may(
            "gaps",
            Form::List(&Form::Map(&GAP)),
            "When nobody is on duty and that is meant; it goes before all layers. Any other hour without anybody is a problem.",
        ),
    ],
};

static LAYER: Shape = Shape {
    what: "a layer",
    about: "One person, or several who take turns.",
    keys: &[
        must("people", Form::List(&Form::Word(Refers::Person)), "Who, in the order of their turns."),
        may("every", Form::Duration, "How long a turn is, as 7d. Required for several people."),
        may(
            "from",
            Form::DateTime,
            "When the first turn of the first person begins: the layer does not count before. Required with `every`.",
        ),
        may("days", DAYS_OF_WEEK, "Only on these days; on all if not said."),
        may(
            "between",
            BETWEEN,
            "Only at these hours of each of its days, as [\"18:00\", \"08:00\"]: past midnight if the second is not later than the first.",
        ),
    ],
};

static GAP: Shape = Shape {
    what: "a declared gap",
    about: "Hours in which nobody is on duty, and that is meant.",
    keys: &[
        may("days", DAYS_OF_WEEK, "On these days; on all if not said."),
        may("between", BETWEEN, "At these hours of each of its days."),
        must("why", Form::Plain, "Why nobody is needed then."),
    ],
};

static ESCALATION: Shape = Shape {
    what: "an escalation",
    about: "Who is told, and who next when nobody says that they know. Its steps are repeated until somebody does.",
    keys: &[
        must("steps", Form::List(&Form::Map(&ESCALATION_STEP)), "Who is told, in this order."),
        must(
            "last_resort",
            WAYS,
            "Where is cried out when a step reaches nobody, every path of it fails, or nobody answers at all.",
        ),
    ],
};

static ESCALATION_STEP: Shape = Shape {
    what: "a step of an escalation",
    about: "People who are told at the same time.",
    keys: &[
        must("tell", ROLES, "The roles whose people are told."),
        may("wait", Form::Duration, "How long until the next step; 5m if not said."),
    ],
};

static REPORTS: Shape = Shape {
    what: "reports",
    about: "When what people and alerts report of one service makes an incident, and who may post alerts. The same alert, and the same person in the same words, count once.",
    keys: &[
        may("burst", Form::Int(1, 100), "So many reports of one service make an incident; 3 if not said."),
        may("within", Form::Duration, "They come within this time; 15m if not said."),
        may(
            "alerts",
            Form::Word(Refers::Secret),
            "The secret that a post of alerts shows as its bearer token. Without one no alert is taken.",
        ),
        may(
            "opens_at_once",
            Form::List(&Form::Free),
            "An alert whose label `severity` is one of these opens an incident at once; critical and page if not said.",
        ),
    ],
};

static WATCHER: Shape = Shape {
    what: "a watcher",
    about: "A dead man's switch outside: it cries out when this bot does not call it any more.",
    keys: &[
        must("url", Form::Word(Refers::Secret), "The secret that holds the address to call."),
        must("every", Form::Duration, "How often it is called while all is well."),
    ],
};

static TRIALS: Shape = Shape {
    what: "trials of paths",
    about: "When paths are tried that took nothing for some time: with a letter that rings nowhere, to one person who has the path, first of all one on duty. What is `public` is never tried.",
    keys: &[
        may(
            "every",
            Form::Duration,
            "A path that took nothing for so long is tried, from 1h to 7d; 2d if not said.",
        ),
        may("days", DAYS_OF_WEEK, "On these days; Monday to Friday if not said."),
        may("between", BETWEEN, "At these hours of each of its days; [\"09:00\", \"17:00\"] if not said."),
        may("zone", Form::Free, "The time zone of these hours; that of the bot if not said."),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Every shape that can be reached from the files.
    fn shapes() -> Vec<&'static Shape> {
        fn add(form: &'static Form, found: &mut Vec<&'static Shape>) {
            match form {
                Form::Map(shape) => visit(shape, found),
                Form::Kinds(kinds) | Form::Tagged(_, kinds) => {
                    kinds.iter().for_each(|shape| visit(shape, found));
                }
                Form::List(inner) | Form::Table(_, inner) => add(inner, found),
                Form::Either(first, second) => {
                    add(first, found);
                    add(second, found);
                }
                _ => {}
            }
        }
        fn visit(shape: &'static Shape, found: &mut Vec<&'static Shape>) {
            if !found.iter().any(|known| std::ptr::eq(*known, shape)) {
                found.push(shape);
                for key in shape.keys {
                    add(&key.form, found);
                }
            }
        }
        let mut found = Vec::new();
        for shape in FILES {
            visit(shape, &mut found);
        }
        found
    }

    #[test]
    fn every_key_is_there_once_and_says_what_it_means() {
        for shape in shapes() {
            let mut seen = std::collections::BTreeSet::new();
            for key in shape.keys {
                assert!(seen.insert(key.name), "{} has {} twice", shape.what, key.name);
                assert!(key.about.ends_with('.'), "{}: {}", key.name, key.about);
                // A YAML 1.1 tool would read these as true and false.
                assert!(!["on", "off", "yes", "no"].contains(&key.name));
            }
        }
    }
}
