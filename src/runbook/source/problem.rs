//! A mistake of an author, with its place, a stable code and the cure.
//!
//! Every problem is an error. A careful author sees all of them at once, sorted by place; nothing is loaded while
//! one is left.

use serde::Serialize;

use super::hidden::shortened;
use super::place::Place;

macro_rules! codes {
    ($($group:literal { $($variant:ident $code:literal $about:literal,)* })*) => {
        /// The stable code of a problem: what people search for, and what tests name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $about] $variant,)*)*
        }

        impl Code {
            /// Every code there is, with its group and its one-line meaning, in the order of the reference.
            pub const ALL: &'static [(Code, &'static str, &'static str)] = &[
                $($((Code::$variant, $group, $about),)*)*
            ];

            /// The code as it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $($(Code::$variant => $code,)*)* }
            }
        }
    };
}

codes! {
    "file" {
        Yaml "yaml" "The file is not YAML as we read it: it does not parse, or has a duplicate key, an anchor, an alias, a tag, a merge key or a tab.",
        FileKind "file-kind" "The first key of a file says what it is: runbook, pack, inventory, policy or notify.",
        FileNameDiffers "file-name" "A runbook or pack stands in the file of its name.",
        FileSize "file-size" "A file has at most 256 KiB and 24 levels.",
        HiddenCharacter "hidden-character" "A character that is invisible, changes the direction of reading, controls a terminal, or looks like another one.",
        PathOutside "path-outside" "A link or path leads out of the folder of runbooks.",
    }
    "shape" {
        KeyUnknown "key-unknown" "A key that does not exist in this place.",
        KeyMissing "key-missing" "A key that must be there.",
        ShapeType "shape-type" "A map where a list belongs, a text where a number belongs, and so on.",
        WordUnknown "word-unknown" "Not one of the words that are possible here, also when compared with in an expression.",
        NameForm "name-form" "A name in another form than names have.",
        NumberForm "number-form" "A number in another form than plain decimal.",
        StepKind "step-kind" "The first key of a step says its kind: step, each, wait or decide.",
    }
    "names" {
        NameUnknown "name-unknown" "A name that nothing declares.",
        NameTaken "name-taken" "A name declared twice, or one that hides another or a pack.",
        NameUnused "name-unused" "A parameter, let, measurement, check or secret that nothing uses.",
        FieldUnknown "field-unknown" "A field that this host, cluster, service or probe does not have.",
        RunbookUnknown "runbook-unknown" "No runbook has this name.",
        PackUnknown "pack-unknown" "No pack has this name.",
        ProbeUnknown "probe-unknown" "The pack has no such probe.",
        ActionUnknown "action-unknown" "The pack has no such action.",
        CheckUnknown "check-unknown" "No check has this name.",
        RoleUnknown "role-unknown" "The policy has no such role.",
        WindowUnknown "window-unknown" "The policy has no such window.",
        PersonUnknown "person-unknown" "The policy has no such person.",
        ServiceUnknown "service-unknown" "The inventory has no such service.",
        HostUnknown "host-unknown" "The inventory has no such host.",
    }
    "expressions" {
        ExprSyntax "expr-syntax" "A condition that cannot be read.",
        ExprTemplate "expr-template" "Double braces in an expression, where names stand bare.",
        ExprTooLong "expr-too-long" "An expression has at most 500 characters, one line and 8 levels of brackets.",
        ExprFunction "expr-function" "A function that does not exist, or has another number of arguments.",
        ExprLiteral "expr-literal" "A literal of a kind that conditions do not have: map, bytes, unsigned.",
        LiteralUnit "literal-unit" "A unit that does not exist: sizes are KiB MiB GiB TiB, durations ms s m h d.",
        TypeCompare "type-compare" "Two things are compared or calculated that have different types.",
        TypeWrong "type-wrong" "A value of another type than this place needs.",
        TypeMixed "type-mixed" "A list, or the two sides of a choice, with several types.",
        ByHost "by-host" "A measurement by host without its host, or one host too many.",
        Topology "topology" "A walk over a measurement whose probe has no `upstream: host or none`.",
        CheckConstant "check-constant" "A condition that depends on nothing.",
    }
    "text" {
        TextTemplate "text-template" "More than dotted names between double braces.",
        TextPlain "text-plain" "A reference where only plain text is possible.",
        TextValue "text-value" "A list or a record where a value is printed.",
        FrozenText "frozen-text" "A measured value in a text that the plan fixes.",
        PublicText "public-text" "A host, a name or free text where customers read.",
        SecretInText "secret-in-text" "A secret in a text, where it would be seen.",
        ScriptTemplate "script-template" "Double braces in a script, whose text is fixed.",
        ScriptVariable "script-variable" "A variable of a script that nothing sets.",
        ScriptSyntax "script-syntax" "A script that `sh -n` cannot read.",
    }
    "parameters" {
        ParameterAnyHost "parameter-any-host" "A host parameter that could be any host.",
        ParameterKind "parameter-kind" "A cluster parameter without the kinds it may be of; or a key that its type does not have.",
        ParameterChoice "parameter-choice" "A choice without words, or with one only.",
        ParameterDefault "parameter-default" "A default that does not fit, or a target that has one.",
        InputMissing "input-missing" "An input of a probe or action that is not given.",
        InputUnknown "input-unknown" "An input that the probe or action does not have.",
        InputType "input-type" "An input of another type than declared.",
        InputName "input-name" "A name that steers programs, or is one of ours.",
    }
    "targets and time" {
        TargetType "target-type" "A list or a cluster where one host belongs.",
        TargetMeasured "target-measured" "A target that depends on a measurement.",
        WhenMeasured "when-measured" "A `when` that depends on a measurement.",
        MeasureWhere "measure-where" "A measurement with both or neither of `host` and `hosts`.",
        EachUnused "each-unused" "An `each` in which no step uses the host at hand.",
        EachNested "each-nested" "An `each` inside an `each`.",
        PreflightWrites "preflight-writes" "A probe that writes, asked before anyone has confirmed.",
        PreflightWait "preflight-wait" "`within` or `for` in preflight, which asks once.",
        WaitEmpty "wait-empty" "A `wait` for nothing that is measured.",
        WaitWithin "wait-within" "`within` in a `wait`, which has `at_most`.",
    }
    "effects" {
        EffectVerify "effect-verify" "A change without `verify`.",
        EffectUndo "effect-undo" "A reversible step without `undo`.",
        EffectWhy "effect-why" "An irreversible step without `why_no_undo`.",
        EffectRequire "effect-require" "An irreversible step without `require`.",
        EffectApprove "effect-approve" "An irreversible step in a runbook that nobody else approves.",
        EffectContingency "effect-contingency" "An irreversible step in a runbook without a contingency.",
        RequireUnmeasured "require-unmeasured" "The `require` of an irreversible step measures nothing.",
        EffectDiffers "effect-differs" "The effect of a step differs from that of its action.",
        EffectWords "effect-words" "Both an undo and a reason why there is none.",
        EffectRead "effect-read" "An undo of something that only reads.",
        StepOverrides "step-overrides" "`undo` or `repeatable` beside `use`: they come from the action.",
        InsteadSame "instead-same" "The unreachable host stands in for itself.",
        InsteadUnproven "instead-unproven" "The verify of a step with `if_unreachable` measures only the unreachable host.",
    }
    "safety" {
        StepBody "step-body" "A step, probe, action or undo with none or several of `use`, `run` and `script`.",
        StepLimit "step-limit" "A step without `at_most`.",
        LongUnwatched "long-unwatched" "A step of more than 30 minutes without `progress` and `watch`.",
        WriteUnproven "write-unproven" "A data store is changed, and nothing that is asked afterwards writes to it.",
        TellSupport "tell-support" "Something is changed, and Support is not told.",
        TellUntil "tell-until" "An end that this reader cannot reach: a status page acknowledges nothing.",
        CheckSentence "check-sentence" "A check with neither or both of `else` and `warn`.",
        CheckWarn "check-warn" "A `warn` outside preflight.",
        TitleTwice "title-twice" "Two steps with one title.",
        SecretUngranted "secret-ungranted" "A secret that the runbook does not list, or the policy does not grant it.",
    }
    "notify" {
        PathUnknown "path-unknown" "notify.yaml has no such path.",
        ScheduleUnknown "schedule-unknown" "notify.yaml has no such schedule.",
        WayFew "way-few" "A person who can be told in fewer than two ways.",
        WayAddress "way-address" "A way without the address that its path needs, or with one for which it has no use.",
        SharedFate "shared-fate" "The first two ways of somebody whom an escalation reaches depend on the same thing, or the last resort depends on what one of them does.",
        ScheduleTurn "schedule-turn" "Turns that do not follow from the file: several people without `every`, `every` without `from`, or turns of less than an hour.",
        ScheduleGap "schedule-gap" "Hours of the week in which nobody is on duty, and no `gaps` say that this is meant.",
        EscalationEmpty "escalation-empty" "A step of an escalation that reaches nobody.",
        TrialTimes "trial-times" "Trials of paths more often than every hour, less often than every 7 days, or on no day.",
    }
    "inventory and policy" {
        SettingMissing "setting-missing" "A setting that the pack needs and nobody gives.",
        SettingUnknown "setting-unknown" "A setting that no pack has.",
        SettingType "setting-type" "A setting of another type than the pack says.",
        HostAddress "host-address" "An address or user name that is not one.",
        HostTwice "host-twice" "One address for two hosts.",
        ClusterEmpty "cluster-empty" "A cluster without hosts.",
        OwnerMissing "owner-missing" "A host without an owner.",
        PersonTwice "person-twice" "One account for two people.",
        RoleEmpty "role-empty" "A role that nobody has, or fewer people than must approve.",
        DiscordLimit "discord-limit" "More than a command of Discord can have, where the policy opens that door.",
        RuleLoosens "rule-loosens" "A rule that would make a runbook less strict, or does nothing.",
        PackTopology "pack-topology" "A topology that uses another probe than its own, or one that writes or has inputs.",
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A mistake in a file.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// What kind of mistake.
    pub code: Code,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong, as one sentence without a full stop.
    pub message: String,
    /// What to write instead, or the nearest right word. May be empty.
    pub cure: String,
}

/// A message or cure has at most so many characters; what it quotes may be of any length, and is cut.
const MAX_SENTENCE: usize = 400;

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, code: Code, place: &Place, message: impl Into<String>, cure: impl Into<String>) {
        let message = shortened(&message.into(), MAX_SENTENCE);
        let cure = shortened(&cure.into(), MAX_SENTENCE);
        self.found.push(Problem { code, place: place.clone(), message, cure });
    }

    /// Takes over the problems of another list.
    pub fn join(&mut self, other: Problems) {
        self.found.extend(other.found);
    }

    /// How many there are; to learn whether a part of the work found new ones.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether such a problem has been noted of this place.
    pub fn any_at(&self, code: Code, place: &Place) -> bool {
        self.found.iter().any(|problem| problem.code == code && problem.place == *place)
    }

    /// Whether a problem of this file has been noted.
    pub fn any_in(&self, file: &super::place::FileName) -> bool {
        self.found.iter().any(|problem| problem.place.file == *file)
    }

    /// Whether a problem on this line has been noted.
    pub fn any_on(&self, file: &super::place::FileName, line: u32) -> bool {
        self.found.iter().any(|problem| problem.place.file == *file && problem.place.span.line == line)
    }

    /// All problems by file and place. A mistake that was met on two ways is listed once.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.found.sort_by(|a, b| (&a.place, a.code, &a.message).cmp(&(&b.place, b.code, &b.message)));
        self.found.dedup_by(|a, b| a.place == b.place && (same(a, b) || one_slip(a, b)));
        self.found
    }
}

fn same(a: &Problem, b: &Problem) -> bool {
    a.code == b.code && a.message == b.message
}

/// A number in a wrong form fits no type either; the form is what the author must mend.
fn one_slip(a: &Problem, b: &Problem) -> bool {
    let follows = |code| matches!(code, Code::NumberForm | Code::ParameterDefault | Code::SettingType);
    b.code == Code::NumberForm && follows(a.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_lower_case() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, _, about) in Code::ALL {
            assert!(seen.insert(code.as_str()), "{} is there twice", code.as_str());
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            assert!(about.ends_with('.'), "{about}");
        }
    }
}
