//! A small bot on bare serenity: it answers each command, press and form in one of the ways there are.

use std::sync::{Arc, Mutex};

use discord::Discord;
use serenity::all::*;
use serenity::async_trait;

/// A bot that runs, and what it heard.
pub(crate) struct Bot {
    pub(crate) http: Arc<Http>,
    heard: Arc<Mutex<Vec<Event>>>,
    shards: Arc<ShardManager>,
}

struct Handler {
    heard: Arc<Mutex<Vec<Event>>>,
}

pub(crate) fn http(discord: &Discord) -> Arc<Http> {
    let http = HttpBuilder::new(discord.token()).proxy(discord.url()).ratelimiter_disabled(true).build();
    http.set_application_id(discord.application_id().into());
    Arc::new(http)
}

pub(crate) fn all_intents() -> GatewayIntents {
    GatewayIntents::non_privileged() | GatewayIntents::GUILD_MEMBERS | GatewayIntents::MESSAGE_CONTENT
}

impl Bot {
    /// Starts it and waits until it listens and has its commands.
    pub(crate) async fn start(discord: &Discord) -> Self {
        Self::start_with(discord, all_intents()).await
    }

    pub(crate) async fn start_with(discord: &Discord, intents: GatewayIntents) -> Self {
        let http = http(discord);
        http.create_global_commands(&commands()).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut client = ClientBuilder::new_with_http(
            HttpBuilder::new(discord.token()).proxy(discord.url()).ratelimiter_disabled(true).build(),
            intents,
        )
        .event_handler(Handler { heard: heard.clone() })
        .raw_event_handler(Handler { heard: heard.clone() })
        .await
        .unwrap();
        let shards = client.shard_manager.clone();
        tokio::spawn(async move { client.start().await });
        discord.until_ready().await;
        Self { http, heard, shards }
    }

    /// Names of the events that it heard and understood; `UNKNOWN` for others.
    pub(crate) fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|event| event.name().unwrap_or_else(|| "UNKNOWN".to_owned())).collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) async fn stop(&self) {
        self.shards.shutdown_all().await;
    }
}

pub(crate) fn commands() -> Vec<CreateCommand> {
    let cluster = CreateCommandOption::new(CommandOptionType::String, "cluster", "Which cluster")
        .required(true)
        .set_autocomplete(true);
    let mode = CreateCommandOption::new(CommandOptionType::String, "mode", "How")
        .add_string_choice("planned", "planned")
        .add_string_choice("the primary is dead", "dead");
    let count = CreateCommandOption::new(CommandOptionType::Integer, "count", "How many")
        .min_int_value(1)
        .max_int_value(9);
    let who = CreateCommandOption::new(CommandOptionType::User, "who", "Whom to tell");
    let failover = CreateCommandOption::new(CommandOptionType::SubCommand, "failover", "Moves the primary")
        .add_sub_option(cluster)
        .add_sub_option(mode)
        .add_sub_option(count)
        .add_sub_option(who);
    vec![
        CreateCommand::new("run").description("Runs a runbook").add_option(failover),
        CreateCommand::new("ping").description("Answers at once"),
        CreateCommand::new("secret")
            .description("Answers one person")
            .contexts(vec![InteractionContext::Guild]),
        CreateCommand::new("silent").description("Does not answer"),
        CreateCommand::new("form").description("Opens a form"),
        CreateCommand::new("hidden")
            .description("For administrators")
            .default_member_permissions(Permissions::ADMINISTRATOR),
    ]
}

#[async_trait]
impl RawEventHandler for Handler {
    async fn raw_event(&self, _: Context, event: Event) {
        self.heard.lock().unwrap().push(event);
    }
}

fn silent() -> CreateAllowedMentions {
    CreateAllowedMentions::new()
}

fn modal(id: &str) -> CreateInteractionResponse {
    let reason = CreateInputText::new(InputTextStyle::Short, "Why?", "reason").min_length(10);
    CreateInteractionResponse::Modal(
        CreateModal::new(id, "Say why").components(vec![CreateActionRow::InputText(reason)]),
    )
}

fn reply() -> CreateInteractionResponseMessage {
    CreateInteractionResponseMessage::new().allowed_mentions(silent())
}

#[async_trait]
impl EventHandler for Handler {
    async fn interaction_create(&self, ctx: Context, interaction: Interaction) {
        let http = &ctx.http;
        match interaction {
            Interaction::Command(command) => on_command(http, &command).await,
            Interaction::Autocomplete(command) => {
                let partial = command.data.autocomplete().unwrap().value.to_owned();
                let names = ["orders", "billing", "search"];
                let names = names.into_iter().filter(|name| name.starts_with(&partial));
                let choices = names
                    .fold(CreateAutocompleteResponse::new(), |all, name| all.add_string_choice(name, name));
                command
                    .create_response(http, CreateInteractionResponse::Autocomplete(choices))
                    .await
                    .unwrap();
            }
            Interaction::Component(press) => on_press(http, &press).await,
            Interaction::Modal(form) => {
                let ActionRowComponent::InputText(input) = &form.data.components[0].components[0] else {
                    panic!("an input was expected");
                };
                let text = format!("Because: {}", input.value.clone().unwrap_or_default());
                let message = reply().content(text).ephemeral(true);
                form.create_response(http, CreateInteractionResponse::Message(message)).await.unwrap();
            }
            _ => {}
        }
    }
}

async fn on_command(http: &Http, command: &CommandInteraction) {
    match command.data.name.as_str() {
        "ping" => {
            let message = CreateInteractionResponse::Message(reply().content("pong"));
            command.create_response(http, message).await.unwrap();
            let more =
                CreateInteractionResponseFollowup::new().content("and more").allowed_mentions(silent());
            command.create_followup(http, more).await.unwrap();
        }
        "secret" => {
            let message = CreateInteractionResponse::Message(reply().content("psst").ephemeral(true));
            command.create_response(http, message).await.unwrap();
        }
        "form" => command.create_response(http, modal("form-1")).await.unwrap(),
        "run" => {
            command.defer(http).await.unwrap();
            let ResolvedValue::SubCommand(options) = &command.data.options()[0].value.clone() else {
                panic!("a sub-command was expected");
            };
            let ResolvedValue::String(cluster) = options[0].value else { panic!("a text was expected") };
            let embed = CreateEmbed::new()
                .title(": offered · run 1")
                .description("1 step, usually 3 s")
                .field("1 Fence", "pg1", false)
                .color(0x0000_72B2)
                .footer(CreateEmbedFooter::new("run 1"));
            let buttons = vec![
                CreateButton::new("confirm-1").label("Confirm").style(ButtonStyle::Primary),
                CreateButton::new("why-1").label("Why…").style(ButtonStyle::Secondary),
                CreateButton::new("off-1").label("Undo").style(ButtonStyle::Danger).disabled(true),
            ];
            let edit = EditInteractionResponse::new()
                .content(format!("{}: failover of {cluster}.", command.user.mention()))
                .embed(embed)
                .components(vec![CreateActionRow::Buttons(buttons)])
                .new_attachment(CreateAttachment::bytes("one\ntwo\n", "plan.txt"))
                .allowed_mentions(silent());
            command.edit_response(http, edit).await.unwrap();
        }
        _ => {}
    }
}

async fn on_press(http: &Http, press: &ComponentInteraction) {
    match press.data.custom_id.as_str() {
        "confirm-1" => {
            let message = reply().content("Confirmed.").components(vec![]);
            press.create_response(http, CreateInteractionResponse::UpdateMessage(message)).await.unwrap();
            let thread = CreateThread::new("run 1").auto_archive_duration(AutoArchiveDuration::OneDay);
            let thread =
                press.channel_id.create_thread_from_message(http, press.message.id, thread).await.unwrap();
            let line = CreateMessage::new()
                .content("step 1")
                .allowed_mentions(silent())
                .flags(MessageFlags::SUPPRESS_NOTIFICATIONS);
            thread.id.send_message(http, line).await.unwrap();
            thread.id.edit_thread(http, EditThread::new().archived(true)).await.unwrap();
        }
        "why-1" => press.create_response(http, modal("why-form-1")).await.unwrap(),
        _ => {
            let message = reply().content("This button has ended.").ephemeral(true);
            press.create_response(http, CreateInteractionResponse::Message(message)).await.unwrap();
        }
    }
}

/// Waits for something that the bot notes, which rings no bell of the fake.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("in vain: {what}");
}
