//! Which command of which pack a text is: the scripted hosts answer by its name.

use std::collections::BTreeMap;

use steadyhand::authoring::Set;
use steadyhand::plan::measure::ErrandBody;
use steadyhand::runbook::model::{Command, Undo};

/// The names of all commands of the packs, by what is executed.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    /// Two commands may be the same text: then it has both names.
    scripts: BTreeMap<String, Vec<String>>,
}

/// A command that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// `promote`, `undo fence`; a probe is `?node`.
    pub(crate) names: Vec<String>,
    /// Its variables.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Commands {
    /// Adds the commands of these packs to those that are known.
    pub(crate) fn learn(&mut self, set: &Set) {
        for pack in set.packs.values() {
            let prelude = pack.prelude.as_ref().map_or("", |prelude| prelude.value.as_str());
            let mut add = |name: String, command: &Command| {
                if let Command::Script(script) = command {
                    let names = self.scripts.entry(format!("{prelude}{}", script.value)).or_default();
                    if !names.contains(&name) {
                        names.push(name);
                        // What it does comes before what it takes back.
                        names.sort_by_key(|name| name.starts_with("undo "));
                    }
                }
            };
            for probe in &pack.probes {
                add(format!("?{}", probe.name.value), probe.body.as_ref().unwrap());
            }
            for action in &pack.actions {
                add(action.name.value.clone(), action.body.as_ref().unwrap());
                if let Some(Undo::Command(undo)) = action.undo.as_ref().map(|undo| &undo.value) {
                    add(format!("undo {}", action.name.value), undo);
                }
            }
        }
    }

    /// What this is, if it is anything that the packs have.
    pub(crate) fn recognise(&self, body: &ErrandBody) -> Option<Known> {
        match body {
            ErrandBody::Script { text, variables } if text.contains("command -v") => {
                Some(Known { names: vec!["?commands".to_owned()], variables: variables.clone() })
            }
            ErrandBody::Script { text, variables } if text.starts_with("tail -n") => {
                Some(Known { names: vec!["?log".to_owned()], variables: variables.clone() })
            }
            ErrandBody::Script { text, variables } => {
                let names = self.scripts.get(text)?.clone();
                Some(Known { names, variables: variables.clone() })
            }
            ErrandBody::Run(_) => None,
        }
    }
}
