//! What somebody asked of the bot, and how it answered.

use std::time::Duration;

use serde_json::Value;

use crate::discord::Discord;
use crate::interaction::{Interaction, Kind, Response};
use crate::people::{CannotDo, Person, cannot, input};
use crate::seen::{self, Seen};
use crate::shape::length;

/// An interaction, in the hands of who began it.
#[derive(Clone)]
pub struct Asked {
    pub(crate) discord: Discord,
    pub(crate) id: u64,
}

/// The first response.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A message.
    Message(Seen),
    /// A message is promised.
    Deferred {
        /// Only for who asked.
        ephemeral: bool,
    },
    /// The message with the button was changed.
    Updated(Seen),
    /// The message with the button will be changed, or not.
    UpdateDeferred,
    /// A form.
    Modal(Modal),
    /// Completions.
    Choices(Vec<Choice>),
    /// "The application did not respond": nothing came within three seconds.
    Failed,
}

/// One completion.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What is shown.
    pub name: String,
    /// What is sent if it is chosen.
    pub value: Value,
}

/// A form that somebody sees.
#[derive(Clone)]
pub struct Modal {
    discord: Discord,
    asked: u64,
    /// What comes back with it.
    pub custom_id: String,
    /// Its title.
    pub title: String,
    /// Its inputs.
    pub inputs: Vec<Input>,
}

/// One input of a form.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name for the bot.
    pub custom_id: String,
    /// What stands above it.
    pub label: String,
    /// What stands in it already.
    pub value: String,
    /// What stands in it while it is empty.
    pub placeholder: String,
    /// It must not stay empty.
    pub is_required: bool,
    /// The fewest characters.
    pub min: usize,
    /// The most characters.
    pub max: usize,
}

impl Asked {
    fn look<T>(&self, look: impl FnOnce(&Interaction, &crate::world::World) -> T) -> T {
        self.discord.core.look(|world| look(&world.interactions[&self.id], world))
    }

    /// Id of the interaction.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The first response; waits for it, or for the three seconds to be over.
    pub async fn answer(&self) -> Answer {
        self.discord.until("the first response", |_| self.answer_now()).await
    }

    fn answer_now(&self) -> Option<Answer> {
        self.look(|interaction, world| {
            let message = interaction.original.and_then(|id| world.messages.get(&id));
            match &interaction.response {
                Response::None if interaction.has_failed(world.clock.now_ms()) => Some(Answer::Failed),
                Response::None => None,
                Response::Message { deferred: true } => Some(Answer::Deferred {
                    ephemeral: message.is_some_and(|message| message.private_to.is_some()),
                }),
                Response::Message { .. } => message.map(|it| Answer::Message(seen::seen(world, it))),
                Response::Update { deferred: true } => Some(Answer::UpdateDeferred),
                Response::Update { .. } => message.map(|it| Answer::Updated(seen::seen(world, it))),
                Response::Modal(modal) => {
                    Some(Answer::Modal(Modal::new(self.discord.clone(), self.id, modal)))
                }
                Response::Choices(choices) => Some(Answer::Choices(choices.iter().map(choice).collect())),
            }
        })
    }

    /// The message that answers, once it is there: after a deferral, too.
    pub async fn reply(&self) -> Seen {
        let look = |_: &Discord| {
            assert!(!self.has_failed(), "the application did not respond");
            self.look(|interaction, world| {
                let message = interaction.original.and_then(|id| world.messages.get(&id))?;
                let is_own = message.interaction == Some(interaction.id);
                let waits = matches!(interaction.response, Response::Update { deferred: true });
                (!message.is_loading() && (is_own || !waits)).then(|| seen::seen(world, message))
            })
        };
        self.discord.until("the message that answers", look).await
    }

    /// The form that answers.
    pub async fn modal(&self) -> Modal {
        match self.answer().await {
            Answer::Modal(modal) => modal,
            other => panic!("a form was expected, and this came: {other:?}"),
        }
    }

    /// The completions that answer.
    pub async fn choices(&self) -> Vec<Choice> {
        match self.answer().await {
            Answer::Choices(choices) => choices,
            other => panic!("completions were expected, and this came: {other:?}"),
        }
    }

    /// Whether nothing came within three seconds.
    pub fn has_failed(&self) -> bool {
        self.look(|interaction, world| interaction.has_failed(world.clock.now_ms()))
    }

    /// How long the first response took.
    pub fn took(&self) -> Option<Duration> {
        self.look(|interaction, _| {
            Some(Duration::from_millis(interaction.answered_ms? - interaction.created_ms))
        })
    }

    /// The follow-ups that are still there.
    pub fn follow_ups(&self) -> Vec<Seen> {
        self.look(|interaction, world| {
            let messages = interaction.followups.iter().filter_map(|id| world.messages.get(id));
            messages.map(|message| seen::seen(world, message)).collect()
        })
    }

    /// Tells the bot of it once more, as a gateway does that resumed badly: the same id, the same token.
    pub fn is_told_again(&self) {
        self.discord.core.change(|world| {
            let payload = world.interaction_json(&world.interactions[&self.id]);
            world.dispatch("INTERACTION_CREATE", 0, payload);
        });
    }

    /// The payload of `INTERACTION_CREATE`, as the bot gets it.
    pub fn payload(&self) -> Value {
        self.look(|interaction, world| world.interaction_json(interaction))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn choice(choice: &Value) -> Choice {
    Choice { name: text(&choice["name"]), value: choice["value"].clone() }
}

impl Modal {
    fn new(discord: Discord, asked: u64, modal: &Value) -> Self {
        let rows = modal["components"].as_array().into_iter().flatten();
        let inputs = rows.map(|row| {
            let input = &row["components"][0];
            let bound = |name: &str, else_: usize| {
                input[name].as_u64().map_or(else_, |bound| usize::try_from(bound).unwrap_or(else_))
            };
            Input {
                custom_id: text(&input["custom_id"]),
                label: text(&input["label"]),
                value: text(&input["value"]),
                placeholder: text(&input["placeholder"]),
                is_required: input["required"] != false,
                min: bound("min_length", 0),
                max: bound("max_length", crate::limits::INPUT_VALUE),
            }
        });
        Self {
            discord,
            asked,
            custom_id: text(&modal["custom_id"]),
            title: text(&modal["title"]),
            inputs: inputs.collect(),
        }
    }

    /// Fills it in, by custom id or label, and sends it. What is not named keeps what stood in it.
    pub fn submit(&self, fields: &[(&str, &str)]) -> Result<Asked, CannotDo> {
        let fits = |input: &Input, name: &str| input.custom_id == name || input.label == name;
        if let Some((name, _)) =
            fields.iter().find(|(name, _)| !self.inputs.iter().any(|input| fits(input, name)))
        {
            return cannot(format!("there is no input `{name}` in: {self:?}"));
        }
        let mut rows = Vec::new();
        for input_ in &self.inputs {
            let given = fields.iter().find(|(name, _)| fits(input_, name)).map(|(_, value)| *value);
            let value = given.unwrap_or(&input_.value);
            let long = length(value);
            if value.is_empty() && input_.is_required {
                return cannot(format!("`{}` must be filled in", input_.label));
            }
            if long > input_.max || long < input_.min && !value.is_empty() {
                return cannot(format!("`{}` has {} to {} characters", input_.label, input_.min, input_.max));
            }
            rows.push(input(&input_.custom_id, value));
        }
        let data = serde_json::json!({"custom_id": self.custom_id, "components": rows});
        let (user, channel, message) = self.discord.core.look(|world| {
            let asked = &world.interactions[&self.asked];
            (asked.user, asked.channel, asked.message)
        });
        let person = Person { discord: self.discord.clone(), id: user, channel };
        Ok(person.happens(Kind::Modal, message, data, channel))
    }
}

impl std::fmt::Debug for Modal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "form `{}`:", self.title)?;
        for input in &self.inputs {
            let mark = if input.is_required { "*" } else { "" };
            write!(out, " [{}{mark}: {}]", input.label, input.value)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "interaction: {:?}", self.answer_now())
    }
}
