//! Makes runbooks and packs out of trees that have been held against the grammar.
//!
//! Whatever does not fit has been noted already and is passed over here; expressions and texts are read, and their
//! mistakes noted. What needs other files is left to the rules for authors.

use super::expression::parse::parse;
use super::expression::{Expr, Type};
use super::model::{
    Access, Action, Approve, Batch, BatchSize, Check, CheckUse, Command, Decide, Each, Effect, FollowUp,
    IncidentRule, Instead, Item, Limits, Measure, MeasureAt, Outside, Pack, Parameter, ParameterKind, Probe,
    Progress, Runbook, Sentence, Step, StepBody, Tell, Topology, Undo, ValueType, Wait, Watch, WatchThen,
    WindowRule, Word,
};
use super::source::literal::{
    Literal, Millis, NUMBER_CURE, NotALiteral, read_literal, read_signed, units_cure,
};
use super::source::name::{PackName, RunbookName};
use super::source::place::{At, FileName, Place};
use super::source::problem::{Code, Problems};
use super::source::yaml::{Kind, Node};
use super::text::{Text, first_reference, read_text};

/// Reads values of a map, each with its place.
pub struct Reader<'a> {
    file: &'a FileName,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    /// A reader of one file.
    pub fn new(file: &'a FileName, problems: &'a mut Problems) -> Self {
        Self { file, problems }
    }

    /// The place of a node.
    pub fn place(&self, node: &Node) -> Place {
        Place { file: self.file.clone(), span: node.span }
    }

    /// Notes a problem.
    pub fn add(&mut self, code: Code, place: &Place, message: impl Into<String>, cure: impl Into<String>) {
        self.problems.add(code, place, message, cure);
    }

    /// A single value; empty if it is missing.
    pub fn word(&self, map: &Node, key: &str) -> Word {
        self.maybe_word(map, key).unwrap_or_else(|| At::new(String::new(), self.place(map)))
    }

    /// A single value, if it is there.
    pub fn maybe_word(&self, map: &Node, key: &str) -> Option<Word> {
        let node = map.get(key)?;
        node.scalar().map(|text| At::new(text.to_owned(), self.place(node)))
    }

    /// A list of single values, or a single value as a list of one.
    pub fn words(&self, map: &Node, key: &str) -> Vec<Word> {
        let one = |node: &Node| node.scalar().map(|text| At::new(text.to_owned(), self.place(node)));
        match map.get(key) {
            Some(Node { kind: Kind::List(items), .. }) => items.iter().filter_map(one).collect(),
            Some(node) => one(node).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// The entries of a map of names, each name with its place.
    pub fn table<'n>(&self, map: &'n Node, key: &str) -> Vec<(Word, &'n Node)> {
        match map.get(key).map(|node| &node.kind) {
            Some(Kind::Map(entries)) => entries
                .iter()
                .map(|entry| {
                    let place = Place { file: self.file.clone(), span: entry.key_span };
                    (At::new(entry.key.clone(), place), &entry.value)
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The maps of a list.
    pub fn list<'n>(&self, map: &'n Node, key: &str) -> &'n [Node] {
        match map.get(key).map(|node| &node.kind) {
            Some(Kind::List(items)) => items,
            _ => &[],
        }
    }

    /// A literal of any type, with its place.
    pub fn literal(&self, map: &Node, key: &str) -> Option<At<Literal>> {
        let word = self.maybe_word(map, key)?;
        read_literal(&word).ok().map(|literal| At::new(literal, word.place))
    }

    /// A duration.
    pub fn duration(&self, map: &Node, key: &str) -> Option<At<Millis>> {
        match self.literal(map, key) {
            Some(At { value: Literal::Duration(millis), place }) => Some(At::new(millis, place)),
            _ => None,
        }
    }

    fn millis(&self, map: &Node, key: &str) -> Option<Millis> {
        self.duration(map, key).map(|at| at.value)
    }

    /// A whole number.
    pub fn int(&self, map: &Node, key: &str) -> Option<i64> {
        match self.literal(map, key) {
            Some(At { value: Literal::Int(n), .. }) => Some(n),
            _ => None,
        }
    }

    fn bool(&self, map: &Node, key: &str) -> Option<At<bool>> {
        self.maybe_word(map, key).map(|word| At::new(word.value == "true", word.place))
    }

    /// An expression, if it is there.
    pub fn maybe_expr(&mut self, map: &Node, key: &str) -> Option<Expr> {
        let node = map.get(key)?;
        let place = self.place(node);
        Some(match node.scalar() {
            Some(source) => parse(source, &place, self.problems),
            None => Expr::broken("", &place),
        })
    }

    fn expr(&mut self, map: &Node, key: &str) -> Expr {
        self.maybe_expr(map, key).unwrap_or_else(|| Expr::broken("", &self.place(map)))
    }

    fn text_of(&mut self, node: &Node) -> Text {
        let place = self.place(node);
        read_text(node.scalar().unwrap_or_default(), &place, self.problems)
    }

    fn maybe_text(&mut self, map: &Node, key: &str) -> Option<Text> {
        map.get(key).map(|node| self.text_of(node))
    }

    fn text(&mut self, map: &Node, key: &str) -> Text {
        let node = map.get(key).unwrap_or(map);
        self.text_of(node)
    }

    fn texts(&mut self, map: &Node, key: &str) -> Vec<Text> {
        self.list(map, key).iter().map(|node| self.text_of(node)).collect()
    }

    /// A text without references.
    pub fn plain(&mut self, map: &Node, key: &str) -> Option<At<String>> {
        let word = self.maybe_word(map, key)?;
        if let Some(place) = first_reference(&word, &word.place) {
            let cure = "write the words out; only titles, sentences and arguments take references";
            self.add(Code::TextPlain, &place, format!("a reference in `{key}`"), cure);
        }
        Some(word)
    }

    fn script(&mut self, map: &Node, key: &str) -> Option<At<String>> {
        let word = self.maybe_word(map, key)?;
        if let Some(place) = first_reference(&word, &word.place) {
            let cure = "hand the value over under `with`, and write \"$name\"";
            self.add(Code::ScriptTemplate, &place, "`{{` in a script, whose text is fixed", cure);
        }
        Some(word)
    }

    fn with(&mut self, map: &Node) -> Vec<(Word, Text)> {
        let entries = self.table(map, "with");
        entries.into_iter().map(|(name, node)| (name, self.text_of(node))).collect()
    }

    /// The command of a step, probe or action.
    fn command(&mut self, map: &Node) -> Option<Command> {
        if map.get("run").is_some() {
            return Some(Command::Run(self.texts(map, "run")));
        }
        self.script(map, "script").map(Command::Script)
    }

    /// Exactly one of these keys must be there.
    fn one_of(&mut self, map: &Node, keys: &[&str], what: &str) -> bool {
        let there: Vec<_> = keys.iter().filter(|key| map.get(key).is_some()).collect();
        if there.len() == 1 {
            return true;
        }
        let place = match there.get(1).and_then(|key| map.entry(key)) {
            Some(entry) => Place { file: self.file.clone(), span: entry.key_span },
            None => self.start_of(map),
        };
        let message =
            if there.is_empty() { format!("{what} does nothing") } else { format!("{what} does two things") };
        self.add(Code::StepBody, &place, message, format!("write exactly one of {}", keys.join(", ")));
        false
    }

    /// The first key of a map, which is what an author looks for.
    fn start_of(&self, map: &Node) -> Place {
        let span = match &map.kind {
            Kind::Map(entries) => entries.first().map_or(map.span, |entry| entry.key_span),
            _ => map.span,
        };
        Place { file: self.file.clone(), span }
    }

    fn undo(&mut self, map: &Node) -> Option<At<Undo>> {
        let entry = map.entry("undo")?;
        let place = Place { file: self.file.clone(), span: entry.key_span };
        let node = &entry.value;
        if !self.one_of(node, &["run", "script", "nothing"], "this undo") {
            return Some(At::new(Undo::Broken, place));
        }
        let undo = match self.plain(node, "nothing") {
            Some(why) => Undo::Nothing(why.value),
            None => self.command(node).map_or(Undo::Broken, Undo::Command),
        };
        Some(At::new(undo, place))
    }

    fn effect(&self, map: &Node) -> Option<At<Effect>> {
        let word = self.maybe_word(map, "effect")?;
        let effect = match word.as_str() {
            "read" => Effect::Read,
            "reversible" => Effect::Reversible,
            "irreversible" => Effect::Irreversible,
            _ => return None,
        };
        Some(At::new(effect, word.place))
    }

    fn check(&mut self, node: &Node) -> Check {
        let that = self.expr(node, "that");
        let sentence = match (self.maybe_text(node, "else"), self.maybe_text(node, "warn")) {
            (Some(text), None) => Sentence::Else(text),
            (None, Some(text)) => Sentence::Warn(text),
            (none_or_both, _) => {
                let message = if none_or_both.is_some() { "both `else` and `warn`" } else { "no sentence" };
                let cure =
                    "say under `else` what is wrong when it does not hold (or under `warn`, in preflight)";
                let place = self.start_of(node);
                self.add(Code::CheckSentence, &place, format!("a check with {message}"), cure);
                Sentence::Broken
            }
        };
        Check { that, sentence, within: self.duration(node, "within"), hold_for: self.duration(node, "for") }
    }

    fn checks(&mut self, map: &Node, key: &str) -> Vec<CheckUse> {
        self.list(map, key)
            .iter()
            .map(|node| match node.scalar() {
                Some(name) => CheckUse::Named(At::new(name.to_owned(), self.place(node))),
                None => CheckUse::Inline(self.check(node)),
            })
            .collect()
    }

    fn watches(&mut self, map: &Node) -> Vec<Watch> {
        self.list(map, "watch")
            .iter()
            .map(|node| Watch {
                that: self.expr(node, "that"),
                sentence: self.text(node, "else"),
                every: self.millis(node, "every").unwrap_or(Millis::seconds(10)),
                broken_for: self.millis(node, "for").unwrap_or_default(),
                then: if self.word(node, "then").as_str() == "pause" {
                    WatchThen::Pause
                } else {
                    WatchThen::Stop
                },
            })
            .collect()
    }

    fn items(&mut self, map: &Node) -> Vec<Item> {
        self.list(map, "steps").iter().filter_map(|node| self.item(node)).collect()
    }

    fn item(&mut self, node: &Node) -> Option<Item> {
        let Kind::Map(entries) = &node.kind else { return None };
        match entries.first()?.key.as_str() {
            "step" => Some(Item::Step(self.step(node))),
            "each" => Some(Item::Each(self.each(node))),
            "wait" => Some(Item::Wait(Wait {
                title: self.text(node, "wait"),
                when: self.maybe_expr(node, "when"),
                until: self.checks(node, "until"),
                hold_for: self.millis(node, "for"),
                at_most: self.millis(node, "at_most").unwrap_or_default(),
                takes: self.millis(node, "takes"),
                watch: self.watches(node),
            })),
            "decide" => Some(Item::Decide(Decide {
                question: self.text(node, "decide"),
                when: self.maybe_expr(node, "when"),
                ask: self.words(node, "ask"),
                within: self.millis(node, "within").unwrap_or_default(),
                go_on: self.text(node, "go_on"),
                stop: self.text(node, "stop"),
            })),
            _ => None,
        }
    }

    fn step(&mut self, node: &Node) -> Step {
        let body = if self.one_of(node, &["use", "run", "script"], "this step") {
            match self.maybe_word(node, "use") {
                Some(action) => StepBody::Use(action),
                None => self.command(node).map_or(StepBody::Broken, StepBody::Own),
            }
        } else {
            StepBody::Broken
        };
        Step {
            title: self.text(node, "step"),
            when: self.maybe_expr(node, "when"),
            host: self.expr(node, "host"),
            effect: self.effect(node),
            why_no_undo: self.plain(node, "why_no_undo"),
            require: self.checks(node, "require"),
            body,
            with: self.with(node),
            repeatable: self.bool(node, "repeatable"),
            takes: self.millis(node, "takes"),
            // One that cannot be read has been noted; it is not missing besides.
            at_most: node.get("at_most").map(|_| self.millis(node, "at_most").unwrap_or_default()),
            progress: node.get("progress").map(|progress| Progress {
                done: self.expr(progress, "done"),
                total: self.maybe_expr(progress, "total"),
                stalled_after: self.millis(progress, "stalled_after").unwrap_or_default(),
            }),
            watch: self.watches(node),
            instead: node.get("if_unreachable").map(|instead| Instead {
                host: self.expr(instead, "host"),
                action: self.word(instead, "use"),
                with: self.with(instead),
            }),
            undo: self.undo(node),
            verify: self.checks(node, "verify"),
        }
    }

    fn each(&mut self, node: &Node) -> Each {
        let batch = node.get("batch");
        let size = batch.and_then(|batch| self.literal(batch, "size")).map(|size| size.value);
        Each {
            variable: self.word(node, "each"),
            of: self.expr(node, "of"),
            when: self.maybe_expr(node, "when"),
            batch: Batch {
                size: match size {
                    Some(Literal::Percent(percent)) => BatchSize::Percent(percent),
                    Some(Literal::Int(n)) => BatchSize::Hosts(usize::try_from(n).unwrap_or(1)),
                    _ => BatchSize::Hosts(1),
                },
                pause: batch.and_then(|batch| self.millis(batch, "pause")).unwrap_or_default(),
                failures: batch
                    .and_then(|batch| self.int(batch, "failures"))
                    .and_then(|n| usize::try_from(n).ok())
                    .unwrap_or(0),
            },
            items: self.items(node),
        }
    }

    fn value_types(&mut self, map: &Node, key: &str) -> Vec<(Word, ValueType)> {
        let entries = self.table(map, key);
        entries.into_iter().map(|(name, node)| (name, value_type(node))).collect()
    }

    fn parameter(&mut self, name: Word, node: &Node) -> Parameter {
        let limits = Limits { min: self.limit(node, "min"), max: self.limit(node, "max") };
        let kind = match self.word(node, "type").as_str() {
            "bool" => ParameterKind::Bool,
            "int" => ParameterKind::Quantity(Type::Int, limits),
            "number" => ParameterKind::Quantity(Type::Number, limits),
            "size" => ParameterKind::Quantity(Type::Size, limits),
            "duration" => ParameterKind::Quantity(Type::Duration, limits),
            "percent" => ParameterKind::Quantity(Type::Percent, limits),
            "text" => ParameterKind::Text(self.maybe_word(node, "pattern")),
            "host" => ParameterKind::Host(self.maybe_expr(node, "in")),
            "choice" => ParameterKind::Choice(self.words(node, "one_of")),
            "cluster" => ParameterKind::Cluster(self.words(node, "kind")),
            "service" => ParameterKind::Service,
            _ => ParameterKind::Broken,
        };
        let default = self.maybe_word(node, "default");
        let help = self.plain(node, "help").map(|help| help.value);
        self.note_odd_keys(node, &kind);
        Parameter { name, kind, default, help }
    }

    /// A limit of a quantity. One that cannot be read would limit nothing, so it is a problem.
    fn limit(&mut self, node: &Node, key: &str) -> Option<At<Literal>> {
        let word = self.maybe_word(node, key)?;
        let (code, message, cure) = match read_signed(&word) {
            Ok(literal) => return Some(At::new(literal, word.place)),
            Err(NotALiteral::Unit) => {
                (Code::LiteralUnit, format!("`{}` has no unit that we know", word.value), units_cure(&word))
            }
            Err(NotALiteral::Form) => (
                Code::NumberForm,
                format!("`{}` is not a number as we write it", word.value),
                NUMBER_CURE.to_owned(),
            ),
        };
        self.add(code, &word.place, message, cure);
        None
    }

    /// A key that the type of a parameter does not have would be there for information only.
    fn note_odd_keys(&mut self, node: &Node, kind: &ParameterKind) {
        let possible: &[&str] = match kind {
            ParameterKind::Quantity(..) => &["min", "max"],
            ParameterKind::Text(_) => &["pattern"],
            ParameterKind::Host(_) => &["in"],
            ParameterKind::Choice(_) => &["one_of"],
            ParameterKind::Cluster(_) => &["kind"],
            ParameterKind::Bool | ParameterKind::Service => &[],
            ParameterKind::Broken => return,
        };
        let type_word = self.word(node, "type").value;
        for key in ["min", "max", "pattern", "in", "one_of", "kind"] {
            if let Some(entry) = node.entry(key)
                && !possible.contains(&key)
            {
                let place = Place { file: self.file.clone(), span: entry.key_span };
                let message = format!("`{key}` means nothing for a {type_word}");
                self.add(Code::ParameterKind, &place, message, "remove it, or change the type");
            }
        }
    }
}

/// Reads a type as it is written for an input, a result or a setting.
fn value_type(node: &Node) -> ValueType {
    if let Kind::List(items) = &node.kind {
        let words = items.iter().filter_map(|item| item.scalar().map(str::to_owned)).collect();
        return ValueType { kind: Type::Words(words), optional: false };
    }
    let text = node.scalar().unwrap_or_default();
    let (word, optional) = match text.strip_suffix(" or none") {
        Some(word) => (word, true),
        None => (text, false),
    };
    let kind = match word {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "number" => Type::Number,
        "text" => Type::Text,
        "size" => Type::Size,
        "duration" => Type::Duration,
        "percent" => Type::Percent,
        "host" => Type::Host,
        _ => Type::Broken,
    };
    ValueType { kind, optional }
}

/// Makes a runbook of a tree. `None` if it has no name that is one.
pub fn read_runbook(file: &FileName, root: &Node, problems: &mut Problems) -> Option<Runbook> {
    let mut read = Reader::new(file, problems);
    let named = read.word(root, "runbook");
    let name = RunbookName::new(&named)?;
    let access = root.get("access").map(|node| Access {
        start: read.words(node, "start"),
        approve: node.get("approve").map(|approve| Approve {
            by: read.words(approve, "by"),
            count: read.int(approve, "count").and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        }),
    });
    let parameters = read.table(root, "parameters");
    let measures = read.table(root, "measure");
    let checks = read.table(root, "checks");
    Some(Runbook {
        name,
        place: named.place,
        title: read.text(root, "title"),
        use_when: read.plain(root, "use_when").map(|text| text.value).unwrap_or_default(),
        owner: read.word(root, "owner"),
        rehearse: read.millis(root, "rehearse").unwrap_or_default(),
        cool_down: read.millis(root, "cool_down"),
        contingency: read.maybe_word(root, "contingency"),
        secrets: read.words(root, "secrets"),
        parameters: parameters.into_iter().map(|(name, node)| read.parameter(name, node)).collect(),
        access: access.unwrap_or_default(),
        window: root.get("window").map(|node| WindowRule {
            name: read.word(node, "name"),
            outside: if read.word(node, "outside").as_str() == "refuse" {
                Outside::Refuse
            } else {
                Outside::Approve
            },
        }),
        incident: root.get("incident").map(|node| IncidentRule {
            severity: read.word(node, "severity").value,
            at_start: read.word(node, "open").as_str() == "at-start",
            service: read.expr(node, "service"),
            updates: node.get("updates").map(|updates| {
                (read.millis(updates, "every").unwrap_or_default(), read.text(updates, "say"))
            }),
        }),
        tell: read
            .list(root, "tell")
            .iter()
            .map(|node| Tell {
                who: read.word(node, "who"),
                at: read.word(node, "at").value,
                until: read.word(node, "until"),
                within: read.millis(node, "within").unwrap_or_default(),
            })
            .collect(),
        lets: {
            let lets = read.table(root, "let");
            lets.into_iter()
                .map(|(name, node)| {
                    let place = read.place(node);
                    let expr = match node.scalar() {
                        Some(source) => parse(source, &place, read.problems),
                        None => Expr::broken("", &place),
                    };
                    (name, expr)
                })
                .collect()
        },
        measures: measures.into_iter().map(|(name, node)| read_measure(&mut read, name, node)).collect(),
        checks: checks.into_iter().map(|(name, node)| (name, read.check(node))).collect(),
        preflight: read.checks(root, "preflight"),
        watch: read.watches(root),
        items: read.items(root),
        follow_up: read
            .list(root, "follow_up")
            .iter()
            .map(|node| FollowUp {
                what: read.text(node, "do"),
                when: read.maybe_expr(node, "when"),
                runbook: read.maybe_word(node, "runbook"),
                within: read.millis(node, "within").unwrap_or_default(),
            })
            .collect(),
    })
}

fn read_measure(read: &mut Reader<'_>, name: Word, node: &Node) -> Measure {
    let at = match (read.maybe_expr(node, "host"), read.maybe_expr(node, "hosts")) {
        (Some(host), None) => MeasureAt::Host(host),
        (None, Some(hosts)) => MeasureAt::Hosts(hosts),
        (host, _) => {
            let message =
                if host.is_some() { "both `host` and `hosts`" } else { "neither `host` nor `hosts`" };
            let cure = "`host` for one host, `hosts` for a result from each of several";
            read.add(Code::MeasureWhere, &name.place, format!("`{}` has {message}", name.value), cure);
            MeasureAt::Broken
        }
    };
    Measure { probe: read.word(node, "probe"), at, with: read.with(node), name }
}

/// Makes a pack of a tree. `None` if it has no name that is one.
pub fn read_pack(file: &FileName, root: &Node, problems: &mut Problems) -> Option<Pack> {
    let mut read = Reader::new(file, problems);
    let named = read.word(root, "pack");
    let name = PackName::new(&named)?;
    let probes = read.table(root, "probes");
    let actions = read.table(root, "actions");
    Some(Pack {
        name,
        place: named.place,
        title: read.plain(root, "title").map(|text| text.value).unwrap_or_default(),
        every_host: root.get("applies_to").is_some(),
        commands: read.words(root, "commands"),
        log: read.maybe_word(root, "log"),
        settings: read.value_types(root, "settings"),
        topology: root.get("topology").map(|node| Topology {
            probe: read.word(node, "probe"),
            primary: read.expr(node, "primary"),
            replica: read.expr(node, "replica"),
        }),
        prelude: read.script(root, "prelude"),
        probes: probes
            .into_iter()
            .map(|(name, node)| Probe {
                asks: read.plain(node, "asks").map(|text| text.value).unwrap_or_default(),
                inputs: read.value_types(node, "inputs"),
                secrets: read.words(node, "secrets"),
                at_most: read.millis(node, "at_most").unwrap_or_default(),
                results: read.value_types(node, "results"),
                body: read
                    .one_of(node, &["run", "script"], &format!("the probe `{}`", name.value))
                    .then(|| read.command(node))
                    .flatten(),
                writes: read.plain(node, "writes").map(|text| text.value),
                name,
            })
            .collect(),
        actions: actions
            .into_iter()
            .map(|(name, node)| Action {
                does: read.plain(node, "does").map(|text| text.value).unwrap_or_default(),
                inputs: read.value_types(node, "inputs"),
                secrets: read.words(node, "secrets"),
                effect: read.effect(node),
                takes: read.millis(node, "takes"),
                at_most: read.millis(node, "at_most").unwrap_or_default(),
                repeatable: read.bool(node, "repeatable").is_some_and(|at| at.value),
                body: read
                    .one_of(node, &["run", "script"], &format!("the action `{}`", name.value))
                    .then(|| read.command(node))
                    .flatten(),
                undo: read.undo(node),
                name,
            })
            .collect(),
    })
}
