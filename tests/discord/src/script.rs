//! Lines that drive the fake, for demonstrations: who does what, and what is seen.

use crate::discord::Discord;
use crate::people::{CannotDo, Person, cannot};
use crate::seen::written;
use crate::{Answer, Asked};

/// Plays lines on a fake Discord.
pub struct Script {
    discord: Discord,
    last: Option<Asked>,
}

impl Script {
    /// A script for this Discord.
    pub fn new(discord: Discord) -> Self {
        Self { discord, last: None }
    }

    /// What lines there are.
    pub const HELP: &str = "\
ana in ops: /run failover cluster=orders reason=\"why\"   types a command
ana in ops: any text                                    writes a message
ana in ops presses Approve                              presses it on the newest message that has it
ana fills in reason=\"why\"                               sends the form that was opened last
show ops                                                what everybody sees there
show ops to ana                                         with what only ana sees
threads ops                                             the threads of a channel
down | up | cut                                         Discord goes down, comes up, cuts the gateway";

    /// Plays one line, and says what came of it.
    pub async fn play(&mut self, line: &str) -> Result<String, CannotDo> {
        let line = line.trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => Ok(String::new()),
            [first, ..] if first.starts_with('#') => Ok(String::new()),
            ["help"] => Ok(Self::HELP.to_owned()),
            ["show", channel] => Ok(self.discord.shows(self.known(channel)?)),
            ["show", channel, "to", person] => Ok(written(&self.someone(person, channel)?.sees())),
            ["threads", channel] => Ok(self.discord.threads(self.known(channel)?).join("\n")),
            ["down"] => {
                self.discord.goes_down();
                Ok("Discord is down.".to_owned())
            }
            ["up"] => {
                self.discord.comes_up();
                Ok("Discord is up.".to_owned())
            }
            ["cut"] => {
                self.discord.cuts_gateway();
                Ok("The gateway is cut.".to_owned())
            }
            [_, "fills", "in", ..] => {
                let (_, fields) = line.split_once(" in ").unwrap_or_default();
                self.fill_in(fields).await
            }
            [person, "in", channel, "presses", ..] => {
                let label = line.split_once(" presses ").unwrap_or_default().1.trim();
                let person = self.someone(person, channel)?;
                let Some(message) = person.sees().into_iter().rev().find(|seen| seen.button(label).is_some())
                else {
                    return cannot(format!("nothing in {channel} has a button `{label}`"));
                };
                let asked = person.presses(&message, label)?;
                Ok(self.told(asked).await)
            }
            [person, "in", channel, ..] if channel.ends_with(':') => {
                let text = line.split_once(": ").unwrap_or_default().1.trim();
                let person = self.someone(person, channel.trim_end_matches(':'))?;
                if text.starts_with('/') {
                    let asked = person.types(text)?;
                    return Ok(self.told(asked).await);
                }
                person.writes(text).map(|_| String::new())
            }
            _ => cannot(format!("`{line}` is not understood. Next: help")),
        }
    }

    async fn fill_in(&mut self, fields: &str) -> Result<String, CannotDo> {
        let Some(asked) = self.last.clone() else { return cannot("no form was opened") };
        let modal = asked.modal().await;
        let pairs: Vec<(&str, &str)> = fields
            .split_once('=')
            .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
            .into_iter()
            .collect();
        let asked = modal.submit(&pairs)?;
        Ok(self.told(asked).await)
    }

    async fn told(&mut self, asked: Asked) -> String {
        let answer = asked.answer().await;
        self.last = Some(asked.clone());
        match answer {
            Answer::Failed => "The application did not respond.".to_owned(),
            Answer::Modal(modal) => format!("{modal:?}"),
            Answer::UpdateDeferred => String::new(),
            _ => asked.reply().await.to_string(),
        }
    }

    fn known<'a>(&self, channel: &'a str) -> Result<&'a str, CannotDo> {
        if self.discord.core.look(|world| world.channel_named(channel).is_some()) {
            Ok(channel)
        } else {
            cannot(format!("there is no channel {channel}"))
        }
    }

    fn someone(&self, person: &str, channel: &str) -> Result<Person, CannotDo> {
        if !self.discord.core.look(|world| world.user_named(person).is_some()) {
            return cannot(format!("there is no {person}"));
        }
        Ok(self.discord.person(person).in_channel(self.known(channel)?))
    }
}
