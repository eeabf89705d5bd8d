//! Events in: connecting, and what serenity hands over. Each event is taken by a task of its own, on the one thread that
//! listens: nothing here may read a file or the journal, or everybody's first response waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serenity::all::{
    ActionRowComponent, AutocompleteOption, ChannelId, ChannelType, CommandDataOption,
    CommandDataOptionValue, CommandInteraction, ConnectionStage, Context, Event, EventHandler,
    GatewayIntents, GuildId, Interaction, Member, Message, MessageId, PartialChannel, RawEventHandler, Ready,
    ResumedEvent, ShardStageUpdateEvent, User,
};
use serenity::async_trait;
use serenity::client::ClientBuilder;
use tokio_util::sync::CancellationToken;

use super::commands::Filled;
use super::desk::{Asked, Asker, Counter};
use super::post::{http, within};
use super::{Messages, Pulse, Settings};

/// After a failure it is tried again, later each time, up to this.
const LATEST: Duration = Duration::from_secs(30);

/// How often it is looked whether events come in.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Connects, and connects again, until it is to end.
pub(super) async fn connect(
    settings: Settings,
    counter: Arc<Counter>,
    pulse: Arc<Pulse>,
    ending: CancellationToken,
) {
    let mut wait = Duration::from_millis(500);
    loop {
        match listen(&settings, &counter, &pulse, &ending).await {
            Ok(()) => wait = Duration::from_millis(500),
            Err(why) => pulse.trouble(&why),
        }
        pulse.is_connected(false, counter.now());
        if ending.is_cancelled() {
            return;
        }
        tokio::select! {
            () = counter.after(wait) => {}
            () = ending.cancelled() => return,
        }
        wait = (wait * 2).min(LATEST);
    }
}

/// The smallest set of events: interactions come without any, channels and rights that are taken away do not.
fn intents(messages: Messages) -> GatewayIntents {
    let read = match messages {
        Messages::None => GatewayIntents::empty(),
        Messages::Mention => GatewayIntents::GUILD_MESSAGES,
        Messages::All => GatewayIntents::GUILD_MESSAGES | GatewayIntents::MESSAGE_CONTENT,
    };
    GatewayIntents::GUILDS | read
}

/// Listens until the connection is given up, or it is to end.
async fn listen(
    settings: &Settings,
    counter: &Arc<Counter>,
    pulse: &Arc<Pulse>,
    ending: &CancellationToken,
) -> Result<(), String> {
    let begun = async {
        counter.introduce().await?;
        let http = http(settings);
        // serenity would take Discord's own address if this failed a moment later.
        within(counter.clock(), http.get_gateway()).await?;
        let handler = Handler { counter: counter.clone(), pulse: pulse.clone() };
        let raw = Unread { counter: counter.clone(), pulse: pulse.clone() };
        let client = ClientBuilder::new_with_http(http, intents(settings.messages));
        within(counter.clock(), client.event_handler(handler).raw_event_handler(raw)).await
    };
    let mut client = tokio::select! {
        client = begun => client.map_err(|lost| lost.to_string())?,
        () = ending.cancelled() => return Ok(()),
    };
    let shards = client.shard_manager.clone();
    // While a connection is begun anew serenity says nothing about it.
    let look = async {
        loop {
            counter.after(LOOK_EVERY).await;
            let runners = shards.runners.lock().await;
            let connected = runners.values().any(|runner| runner.stage == ConnectionStage::Connected);
            drop(runners);
            pulse.is_connected(connected, counter.now());
        }
    };
    tokio::select! {
        () = look => Ok(()),
        ended = client.start() => ended.map_err(|error| error.to_string()),
        () = ending.cancelled() => {
            shards.shutdown_all().await;
            Ok(())
        }
    }
}

/// Notes what cannot be understood, which serenity drops without a word, and what was taken away.
struct Unread {
    counter: Arc<Counter>,
    pulse: Arc<Pulse>,
}

impl Unread {
    fn deleted(&self, place: ChannelId, messages: &[MessageId]) {
        let messages: Vec<u64> = messages.iter().map(|message| message.get()).collect();
        self.counter.are_deleted(place.get(), &messages);
    }

    /// An event that could not be read, or one of a kind that is newer than serenity.
    fn unknown(&self, kind: &str) {
        let of_places = ["GUILD_", "CHANNEL_", "THREAD_", "MESSAGE_DELETE"];
        if ["INTERACTION_CREATE", "MESSAGE_CREATE"].contains(&kind) {
            self.pulse.not_understood.fetch_add(1, Ordering::Relaxed);
            self.pulse.trouble(&format!("an event of kind {kind} could not be understood"));
        } else if of_places.iter().any(|begin| kind.starts_with(begin)) {
            tracing::debug!(
                "discord: an event of kind {kind} could not be understood, so all cards are looked at"
            );
            self.counter.doubts();
        } else {
            tracing::debug!("discord: an event of kind {kind} says nothing to the bot");
        }
    }
}

#[async_trait]
impl RawEventHandler for Unread {
    async fn raw_event(&self, _: Context, event: Event) {
        match event {
            Event::Unknown(unknown) => self.unknown(&unknown.kind),
            // Rights, channels and messages can be taken away from the bot while a run goes on.
            Event::ChannelDelete(_)
            | Event::ChannelUpdate(_)
            | Event::GuildCreate(_)
            | Event::GuildDelete(_)
            | Event::GuildRoleUpdate(_)
            | Event::GuildRoleDelete(_) => self.counter.doubts(),
            Event::ThreadDelete(gone) => self.counter.thread_changed(gone.thread.id.get()),
            Event::ThreadUpdate(changed) => self.counter.thread_changed(changed.thread.id.get()),
            Event::MessageDelete(gone) => self.deleted(gone.channel_id, &[gone.message_id]),
            Event::MessageDeleteBulk(gone) => self.deleted(gone.channel_id, &gone.ids),
            _ => {}
        }
    }
}

struct Handler {
    counter: Arc<Counter>,
    pulse: Arc<Pulse>,
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, _: Context, _: Ready) {
        self.pulse.is_connected(true, self.counter.now());
        self.counter.is_ready();
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        self.pulse.is_connected(true, self.counter.now());
    }

    async fn shard_stage_update(&self, _: Context, event: ShardStageUpdateEvent) {
        self.pulse.is_connected(event.new == ConnectionStage::Connected, self.counter.now());
    }

    async fn message(&self, _: Context, message: Message) {
        if message.author.bot || message.webhook_id.is_some() {
            return;
        }
        // A message may be told late: what it says of roles is not heard.
        let server = message.guild_id.map(GuildId::get);
        let asker = asker(&message.author, None, server, message.channel_id.get(), None);
        self.counter.message(asker, message.id.get(), &message.content);
    }

    async fn interaction_create(&self, _: Context, interaction: Interaction) {
        let came = self.counter.now();
        let asked = |id: u64, token: &str| Asked { id, token: token.to_owned(), came };
        match interaction {
            Interaction::Command(command) => {
                let asked = asked(command.id.get(), &command.token);
                self.counter.command(of_command(&command), asked, filled(&command).0).await;
            }
            Interaction::Autocomplete(command) => {
                let asked = asked(command.id.get(), &command.token);
                let (filled, focused) = filled(&command);
                if let Some(typed) = focused {
                    self.counter.complete(of_command(&command), asked, filled, typed).await;
                }
            }
            Interaction::Component(press) => {
                let asked = asked(press.id.get(), &press.token);
                let guild = press.guild_id.map(GuildId::get);
                let (member, shown) = (press.member.as_ref(), press.channel.as_ref());
                let asker = asker(&press.user, member, guild, press.channel_id.get(), shown);
                self.counter.press(asker, asked, &press.data.custom_id).await;
            }
            Interaction::Modal(form) => {
                let asked = asked(form.id.get(), &form.token);
                let guild = form.guild_id.map(GuildId::get);
                let (member, shown) = (form.member.as_ref(), form.channel.as_ref());
                let asker = asker(&form.user, member, guild, form.channel_id.get(), shown);
                let inputs = form.data.components.iter().flat_map(|row| &row.components);
                let said = inputs.filter_map(|part| match part {
                    ActionRowComponent::InputText(input) if input.custom_id == "said" => input.value.clone(),
                    _ => None,
                });
                let said: String = said.collect();
                self.counter.submit(asker, asked, &form.data.custom_id, &said).await;
            }
            _ => {}
        }
    }
}

fn of_command(command: &CommandInteraction) -> Asker {
    let guild = command.guild_id.map(GuildId::get);
    let (member, shown) = (command.member.as_deref(), command.channel.as_ref());
    asker(&command.user, member, guild, command.channel_id.get(), shown)
}

fn asker(
    user: &User,
    member: Option<&Member>,
    server: Option<u64>,
    channel: u64,
    shown: Option<&PartialChannel>,
) -> Asker {
    let is_thread = |channel: &&PartialChannel| {
        let kinds = [ChannelType::PublicThread, ChannelType::PrivateThread, ChannelType::NewsThread];
        kinds.contains(&channel.kind)
    };
    let above = shown.filter(is_thread).and_then(|thread| thread.parent_id).map(ChannelId::get);
    let roles = member.map(|member| member.roles.iter().map(ToString::to_string).collect());
    Asker { user: user.id.get(), name: user.name.clone(), is_bot: user.bot, server, channel, above, roles }
}

/// What was filled in, and the option that is being typed.
fn filled(command: &CommandInteraction) -> (Filled, Option<(String, String)>) {
    let focused = command.data.autocomplete();
    let focused = focused.map(|AutocompleteOption { name, value, .. }| (name.to_owned(), value.to_owned()));
    let mut filled = Filled { path: vec![command.data.name.clone()], options: Vec::new() };
    fill(&mut filled, &command.data.options);
    (filled, focused)
}

fn fill(filled: &mut Filled, options: &[CommandDataOption]) {
    for option in options {
        let value = match &option.value {
            CommandDataOptionValue::SubCommand(below) | CommandDataOptionValue::SubCommandGroup(below) => {
                filled.path.push(option.name.clone());
                fill(filled, below);
                continue;
            }
            CommandDataOptionValue::Boolean(flag) => flag.to_string(),
            CommandDataOptionValue::Integer(number) => number.to_string(),
            CommandDataOptionValue::Number(number) => number.to_string(),
            CommandDataOptionValue::String(text) => text.clone(),
            _ => continue,
        };
        filled.options.push((option.name.clone(), value));
    }
}
