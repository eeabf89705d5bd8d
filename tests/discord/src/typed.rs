//! A command as somebody fills it in. It is held against the registered commands, as their client would.

use serde_json::{Map, Value, json};

use crate::asked::Asked;
use crate::interaction::{Doing, Kind};
use crate::people::{CannotDo, Person, cannot};
use crate::permission::ADMINISTRATOR;
use crate::rules::commands::{SUB_COMMAND, SUB_COMMAND_GROUP};
use crate::shape::{length, snowflake};
use crate::world::{Kind as UserKind, World};

/// A command that is being typed.
#[derive(Clone)]
pub struct Typed {
    person: Person,
    path: Vec<String>,
    options: Vec<(String, String)>,
}

impl Typed {
    pub(crate) fn new(person: Person, path: &str) -> Self {
        let path = path.trim_start_matches('/').split_whitespace().map(str::to_owned).collect();
        Self { person, path, options: Vec::new() }
    }

    /// Reads `/run failover cluster=orders reason="two words"`.
    pub(crate) fn read(person: Person, line: &str) -> Result<Self, CannotDo> {
        let mut typed = Self::new(person, "");
        for word in words(line.trim().trim_start_matches('/'))? {
            match word.split_once('=') {
                Some((name, value)) => typed.options.push((name.to_owned(), value.to_owned())),
                None if typed.options.is_empty() => typed.path.push(word),
                None => return cannot(format!("`{word}` belongs to no option; put `\"` around a value")),
            }
        }
        Ok(typed)
    }

    /// Fills in an option; a person, role or channel by its name.
    #[must_use]
    pub fn with(mut self, option: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.options.push((option.to_owned(), value.to_string()));
        self
    }

    /// Sends it.
    pub fn sends(&self) -> Result<Asked, CannotDo> {
        self.asks(None)
    }

    /// Asks for completions of an option, with what is filled in so far.
    pub fn completes(&self, option: &str, partial: &str) -> Result<Asked, CannotDo> {
        self.asks(Some((option, partial)))
    }

    fn asks(&self, focused: Option<(&str, &str)>) -> Result<Asked, CannotDo> {
        let (data, option_type) = self.person.discord.core.look(|world| self.data(world, focused))?;
        let kind = if focused.is_some() { Kind::Completion } else { Kind::Command };
        let (user, channel) = (self.person.id, self.person.channel);
        Ok(self.person.asks(Doing { kind, user, channel, message: None, data, option_type }))
    }

    /// The data of the interaction, and the type of the option that is completed.
    fn data(&self, world: &World, focused: Option<(&str, &str)>) -> Result<(Value, u64), CannotDo> {
        let Some((name, below)) = self.path.split_first() else { return cannot("no command") };
        let command = self.command(world, name)?;
        let mut declared = &command["options"];
        let mut holders = Vec::new();
        for part in below {
            let found = list(declared).iter().find(|option| option["name"] == part.as_str());
            let Some(found) = found.filter(|option| is_nested(option)) else {
                return cannot(format!("/{name} has no sub-command `{part}`"));
            };
            holders.push(found);
            declared = &found["options"];
        }
        if list(declared).iter().any(is_nested) {
            let known: Vec<&str> =
                list(declared).iter().filter_map(|option| option["name"].as_str()).collect();
            return cannot(format!("/{} needs one of: {}", self.path.join(" "), known.join(", ")));
        }
        let mut resolved = Map::new();
        let mut given = Vec::new();
        for (option, value) in &self.options {
            let declared = self.declared(declared, option)?;
            given.push(filled(world, declared, value, &mut resolved)?);
        }
        let mut option_type = 0;
        if let Some((option, partial)) = focused {
            let declared = self.declared(declared, option)?;
            if declared["autocomplete"] != true {
                return cannot(format!("`{option}` has no completion"));
            }
            option_type = declared["type"].as_u64().unwrap_or_default();
            given.push(json!({"name": option, "type": declared["type"], "value": partial, "focused": true}));
        } else {
            let missing = |option: &&Value| {
                option["required"] == true && !self.options.iter().any(|(name, _)| option["name"] == *name)
            };
            if let Some(missing) = list(declared).iter().find(missing) {
                return cannot(format!("`{}` is required", missing["name"].as_str().unwrap_or_default()));
            }
        }
        // From the inside: each sub-command holds what was filled in.
        for holder in holders.iter().rev() {
            given = vec![json!({"name": holder["name"], "type": holder["type"], "options": given})];
        }
        let mut data = json!({"id": command["id"], "name": command["name"], "type": 1, "options": given});
        if !resolved.is_empty() {
            data["resolved"] = resolved.into();
        }
        if !command["guild_id"].is_null() {
            data["guild_id"] = command["guild_id"].clone();
        }
        Ok((data, option_type))
    }

    fn declared<'a>(&self, declared: &'a Value, option: &str) -> Result<&'a Value, CannotDo> {
        if self.options.iter().filter(|(name, _)| name == option).count() > 1 {
            return cannot(format!("`{option}` is given twice"));
        }
        let found = list(declared).iter().find(|known| known["name"] == option);
        found.map_or_else(|| cannot(format!("/{} has no option `{option}`", self.path.join(" "))), Ok)
    }

    /// The command that this person's client shows them under this name.
    fn command<'a>(&self, world: &'a World, name: &str) -> Result<&'a Value, CannotDo> {
        let user = &world.users[&self.person.id];
        let direct = world.channels[&self.person.channel].is_direct();
        if user.kind != UserKind::Human || !user.is_member {
            return cannot(format!("{} has no client that shows commands", user.name));
        }
        if !world.bot_is_member && !direct {
            return cannot("the bot is not in this guild");
        }
        // A command of the guild hides one for everywhere.
        let places = if direct { vec![None] } else { vec![Some(world.guild), None] };
        let all = places.iter().filter_map(|place| world.commands.get(place)).flatten();
        let Some(command) = all.clone().find(|command| command["name"] == name) else {
            let known: Vec<String> =
                all.filter_map(|command| Some(format!("/{}", command["name"].as_str()?))).collect();
            return cannot(format!("there is no command /{name}, only: {}", known.join(", ")));
        };
        let rights = world.rights_of(user);
        let needed = snowflake(&command["default_member_permissions"]);
        // `0` means: administrators only.
        let may = needed
            .is_none_or(|needed| rights & ADMINISTRATOR != 0 || needed != 0 && rights & needed == needed);
        if !direct && !may {
            return cannot(format!("/{name} is not shown to {}", user.name));
        }
        let context = u64::from(direct);
        let elsewhere = command["contexts"].as_array().is_some_and(|it| !it.iter().any(|it| *it == context));
        if elsewhere || direct && command["dm_permission"] == false {
            return cannot(format!("/{name} is not shown here"));
        }
        Ok(command)
    }
}

fn is_nested(option: &Value) -> bool {
    matches!(option["type"].as_u64(), Some(SUB_COMMAND | SUB_COMMAND_GROUP))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// An option with its value, in the type that it was declared with.
fn filled(
    world: &World,
    declared: &Value,
    value: &str,
    resolved: &mut Map<String, Value>,
) -> Result<Value, CannotDo> {
    let name = declared["name"].as_str().unwrap_or_default();
    let kind = declared["type"].as_u64().unwrap_or_default();
    let wrong = |what: &str| cannot(format!("`{value}` is not {what} for `{name}`"));
    let bound = |name: &str| declared[name].as_f64();
    let in_range = |number: f64| {
        bound("min_value").is_none_or(|min| number >= min)
            && bound("max_value").is_none_or(|max| number <= max)
    };
    let choices = list(&declared["choices"]);
    let mut put = |place: &str, id: u64, what: Value| {
        let place = resolved.entry(place).or_insert_with(|| json!({}));
        place[id.to_string()] = what;
        json!(id.to_string())
    };
    let given = match kind {
        3 => json!(value),
        4 => match value.parse::<i64>() {
            #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
            Ok(number) if in_range(number as f64) => json!(number),
            _ => return wrong("a whole number"),
        },
        5 => match value.to_lowercase().parse::<bool>() {
            Ok(flag) => json!(flag),
            Err(_) => return wrong("True or False"),
        },
        6 => match world.user_named(value.trim_start_matches('@')) {
            Some(user) => {
                let mut member = world.member_json(user, false);
                member["permissions"] = json!(world.rights_of(user).to_string());
                put("members", user.id, member);
                put("users", user.id, world.user_json(user))
            }
            None => return wrong("a person"),
        },
        7 => match world.channel_named(value) {
            Some(channel) => put("channels", channel.id, world.channel_json(channel)),
            None => return wrong("a channel"),
        },
        8 => match world.role_named(value.trim_start_matches('@')) {
            Some(role) => put("roles", role.id, world.role_json(role)),
            None => return wrong("a role"),
        },
        10 => match value.parse::<f64>() {
            Ok(number) if in_range(number) => json!(number),
            _ => return wrong("a number"),
        },
        _ => return cannot(format!("options of type {kind} are not spoken here")),
    };
    if kind == 3 {
        let long = length(value) as u64;
        let bound = |name: &str| declared[name].as_u64();
        if long < bound("min_length").unwrap_or(1) || long > bound("max_length").unwrap_or(6_000) {
            return wrong("of an allowed length");
        }
    }
    // A client shows names of choices and sends their values.
    let chosen = choices.iter().find(|choice| choice["name"] == value || choice["value"] == given);
    let given = match chosen {
        Some(choice) => choice["value"].clone(),
        None if choices.is_empty() => given,
        None => {
            let known: Vec<&str> = choices.iter().filter_map(|choice| choice["name"].as_str()).collect();
            return cannot(format!("`{value}` is no choice of `{name}`; there are: {}", known.join(", ")));
        }
    };
    Ok(json!({"name": name, "type": kind, "value": given}))
}

/// Words, with quotes around those that have spaces.
fn words(line: &str) -> Result<Vec<String>, CannotDo> {
    let mut words = vec![String::new()];
    let (mut quoted, mut letters) = (false, line.chars());
    while let Some(letter) = letters.next() {
        let word = words.last_mut().expect("there is always one");
        match letter {
            '"' => quoted = !quoted,
            '\\' if quoted => word.extend(letters.next()),
            ' ' if !quoted => words.push(String::new()),
            _ => word.push(letter),
        }
    }
    if quoted {
        return cannot("a `\"` is not closed");
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}
