//! The fake itself: starting it, filling it with people, looking at it, and waiting for what shall happen.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::core::Core;
use crate::interaction::Interaction;
use crate::people::Person;
use crate::permission::ADMINISTRATOR;
use crate::record::Request;
use crate::seen::Seen;
use crate::sessions::Happening;
use crate::wire::{Door, Power, Scissors};
use crate::world::{Channel, ChannelKind, Kind, Role, User, World};

/// How long to wait for something that the bot shall do. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Discord of one guild. Copies mean the same one; it ends with the last of them.
#[derive(Clone)]
pub struct Discord {
    pub(crate) core: Core,
    _server: Arc<Server>,
}

struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Discord {
    /// A guild with the usual cast: channels `ops`, `incidents`, `support` and `security`; `ana` (on-call), `ben` and
    /// `cleo` (dba), `sue` (support), `adam` (an administrator of the server without a role of ours), `uma` (no
    /// role), the bot `ci` and the webhook `alerts`.
    pub async fn start() -> Self {
        let discord = Self::start_empty().await;
        for channel in ["ops", "incidents", "support", "security"] {
            discord.add_channel(channel);
        }
        for role in ["on-call", "dba", "support"] {
            discord.add_role(role);
        }
        discord.core.change(|world| {
            let id = world.clock.id();
            let permissions = ADMINISTRATOR;
            world.roles.insert(id, Role { id, name: "admin".to_owned(), permissions });
        });
        let people = [
            ("ana", &["on-call"][..]),
            ("ben", &["dba"]),
            ("cleo", &["dba"]),
            ("sue", &["support"]),
            ("adam", &["admin"]),
            ("uma", &[]),
        ];
        for (name, roles) in people {
            discord.add_person(name, roles);
        }
        discord.add_bot("ci");
        discord.add_webhook("alerts");
        discord
    }

    /// A guild with the bot in it, and nothing else.
    pub async fn start_empty() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    /// The same on a chosen address of loopback.
    pub async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        assert!(address.ip().is_loopback(), "the fake listens on loopback only");
        let power = Power::default();
        let core = Core::new(World::new(address.to_string()), power.clone());
        let router = axum::Router::new().fallback(crate::rest::serve).with_state(core.clone());
        let service = router.into_make_service_with_connect_info::<Scissors>();
        let task = tokio::spawn(async move {
            // It ends when the last `Discord` goes.
            let _ = axum::serve(Door { listener, power }, service).await;
        });
        Self { core, _server: Arc::new(Server(task)) }
    }

    /// What to hand to a client as its proxy: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.core.look(|world| format!("http://{}", world.address))
    }

    /// The bot's token.
    pub fn token(&self) -> String {
        self.core.look(|world| world.token.clone())
    }

    /// Adds a text channel.
    pub fn add_channel(&self, name: &str) -> u64 {
        self.core.change(|world| {
            let id = world.clock.id();
            let channel = Channel::new(id, ChannelKind::Text, name, world.clock.now_ms());
            world.channels.insert(id, channel);
            let payload = world.channel_json(&world.channels[&id]);
            world.dispatch("CHANNEL_CREATE", crate::sessions::GUILDS, payload);
            id
        })
    }

    /// Adds a role without rights of its own.
    pub fn add_role(&self, name: &str) -> u64 {
        self.core.change(|world| {
            let id = world.clock.id();
            world.roles.insert(id, Role { id, name: name.to_owned(), permissions: 0 });
            let payload =
                json!({"guild_id": world.guild.to_string(), "role": world.role_json(&world.roles[&id])});
            world.dispatch("GUILD_ROLE_CREATE", crate::sessions::GUILDS, payload);
            id
        })
    }

    /// Adds a human with roles that exist.
    pub fn add_person(&self, name: &str, roles: &[&str]) -> Person {
        let roles = roles.iter().map(|role| self.role_id(role)).collect();
        self.add_user(name, Kind::Human, roles);
        self.person(name)
    }

    /// Adds another bot.
    pub fn add_bot(&self, name: &str) -> Person {
        self.add_user(name, Kind::Bot, Vec::new());
        self.person(name)
    }

    /// Adds a webhook, which can only write.
    pub fn add_webhook(&self, name: &str) -> Person {
        self.add_user(name, Kind::Webhook, Vec::new());
        self.person(name)
    }

    fn add_user(&self, name: &str, kind: Kind, roles: Vec<u64>) {
        self.core.change(|world| {
            assert!(world.user_named(name).is_none(), "there is a {name} already");
            let id = world.clock.id();
            let joined_ms = world.clock.now_ms();
            let is_member = kind != Kind::Webhook;
            let user = User { id, name: name.to_owned(), nick: None, kind, roles, is_member, joined_ms };
            world.users.insert(id, user);
            if is_member {
                let mut payload = world.member_json(&world.users[&id], true);
                payload["guild_id"] = json!(world.guild.to_string());
                world.dispatch("GUILD_MEMBER_ADD", crate::sessions::GUILD_MEMBERS, payload);
            }
        });
    }

    /// Somebody of the guild, to act as. They are in the first channel, until told otherwise.
    pub fn person(&self, name: &str) -> Person {
        let (id, channel) = self.core.look(|world| {
            let user = world.user_named(name).unwrap_or_else(|| panic!("there is no {name}"));
            let channel = world.channels.values().find(|channel| channel.kind == ChannelKind::Text);
            (user.id, channel.expect("there is a channel").id)
        });
        Person { discord: self.clone(), id, channel }
    }

    /// Id of the guild.
    pub fn guild_id(&self) -> u64 {
        self.core.look(|world| world.guild)
    }

    /// Id of the application, which is also that of the bot's user.
    pub fn application_id(&self) -> u64 {
        self.core.look(|world| world.application)
    }

    /// Id of a role.
    pub fn role_id(&self, name: &str) -> u64 {
        self.core.look(|world| world.role_named(name).unwrap_or_else(|| panic!("there is no role {name}")).id)
    }

    /// Id of a channel or thread; of several with one name, the newest.
    pub fn channel_id(&self, name: &str) -> u64 {
        let found = self.core.look(|world| world.channel_named(name).map(|channel| channel.id));
        found.unwrap_or_else(|| panic!("there is no channel or thread {name}"))
    }

    /// Names of the threads of a channel, the oldest first; archived ones are marked.
    pub fn threads(&self, channel: &str) -> Vec<String> {
        let parent = self.channel_id(channel);
        let name = |thread: &Channel| match (thread.archived, thread.locked) {
            (true, true) => format!("{} (archived, locked)", thread.name),
            (true, false) => format!("{} (archived)", thread.name),
            (false, true) => format!("{} (locked)", thread.name),
            (false, false) => thread.name.clone(),
        };
        self.core.look(|world| {
            world.channels.values().filter(|thread| thread.parent == Some(parent)).map(name).collect()
        })
    }

    /// Names of those who are in a thread.
    pub fn thread_members(&self, thread: &str) -> Vec<String> {
        let id = self.channel_id(thread);
        self.core.look(|world| {
            let names = world.channels[&id].members.iter().map(|user| world.users[user].name.clone());
            names.collect()
        })
    }

    /// The commands that are registered, for the guild and for everywhere, as they were sent.
    pub fn commands(&self) -> Vec<Value> {
        self.core.look(|world| world.commands.values().flatten().cloned().collect())
    }

    /// What everybody sees in a channel or thread, the oldest first.
    pub fn messages(&self, channel: &str) -> Vec<Seen> {
        let id = self.channel_id(channel);
        self.core.look(|world| crate::seen::in_channel(world, id, None))
    }

    /// The newest message that everybody sees in a channel or thread.
    pub fn newest(&self, channel: &str) -> Option<Seen> {
        self.messages(channel).pop()
    }

    /// A channel as text, for snapshots: no id, no time, no nonce stands in it.
    pub fn shows(&self, channel: &str) -> String {
        crate::seen::written(&self.messages(channel))
    }

    /// Every request that came, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.core.look(|world| world.record.clone())
    }

    /// Requests that nothing here answers.
    pub fn strangers(&self) -> Vec<Request> {
        self.filtered(|request| request.is_stranger)
    }

    /// Requests that were refused for what they said.
    pub fn refusals(&self) -> Vec<Request> {
        self.filtered(Request::was_refused)
    }

    /// Requests that came before a rate limit was over.
    pub fn impatient(&self) -> Vec<Request> {
        self.filtered(|request| request.was_impatient)
    }

    /// Messages that were sent without `allowed_mentions: {parse: []}`.
    pub fn open_mentions(&self) -> Vec<Request> {
        self.filtered(|request| !request.mentions_are_closed())
    }

    fn filtered(&self, which: impl Fn(&Request) -> bool) -> Vec<Request> {
        self.core.look(|world| world.record.iter().filter(|request| which(request)).cloned().collect())
    }

    /// Ends the test if a request was refused, came from a stranger, was impatient, or let anybody be mentioned; if
    /// somebody read that the application did not respond; or if the gateway had to close a connection for a mistake.
    pub fn assert_clean(&self) {
        let mut wrong = String::new();
        for (what, requests) in [
            ("refused", self.refusals()),
            ("impatient", self.impatient()),
            ("without closed allowed_mentions", self.open_mentions()),
        ] {
            for request in requests {
                let _ = writeln!(wrong, "{what}: {request}");
            }
        }
        for failed in self.unanswered() {
            let _ = writeln!(wrong, "a {failed} was not answered in time");
        }
        for happening in self.gateway_log() {
            if let Happening::Closed { code } = happening {
                let _ = writeln!(wrong, "the gateway closed a connection: {code}");
            }
        }
        assert!(wrong.is_empty(), "not clean:\n{wrong}");
    }

    /// What happened at the gateway, the oldest first.
    pub fn gateway_log(&self) -> Vec<Happening> {
        self.core.look(|world| world.sessions.happened.clone())
    }

    /// How many connections listen to events now.
    pub fn listening(&self) -> usize {
        self.core.look(|world| world.sessions.listening())
    }

    /// How long each first response took, with the kind of the interaction; `None` if none came yet.
    pub fn first_responses(&self) -> Vec<(&'static str, Option<Duration>)> {
        self.core.look(|world| {
            let took = |interaction: &Interaction| {
                let ms = interaction.answered_ms.map(|ms| ms - interaction.created_ms);
                (interaction.kind.word(), ms.map(Duration::from_millis))
            };
            world.interactions.values().map(took).collect()
        })
    }

    /// The kinds of interactions of which somebody read that the application did not respond.
    fn unanswered(&self) -> Vec<&'static str> {
        self.core.look(|world| {
            let failed = |it: &&Interaction| it.has_failed(world.clock.now_ms());
            world.interactions.values().filter(failed).map(|it| it.kind.word()).collect()
        })
    }

    /// People wait so long for a first response from now on, instead of three seconds: for tests that are not about
    /// that, on machines that do other things too.
    pub fn waits_for_responses(&self, limit: Duration) {
        let limit = u64::try_from(limit.as_millis()).expect("milliseconds of a limit");
        self.core.change(|world| world.first_response_ms = limit);
    }

    /// The most edits that any one message got within any one second: the flood check.
    pub fn most_edits_in_a_second(&self) -> usize {
        self.core.look(|world| {
            let most = |edits: &Vec<u64>| {
                let within =
                    |first: &u64| edits.iter().filter(|at| (*first..first + 1_000).contains(at)).count();
                edits.iter().map(within).max().unwrap_or(0)
            };
            world.messages.values().map(|message| most(&message.edits_ms)).max().unwrap_or(0)
        })
    }

    /// Waits until the bot listens and has registered commands.
    pub async fn until_ready(&self) {
        self.until("the bot listens and has commands", |discord| {
            (discord.listening() > 0 && !discord.commands().is_empty()).then_some(())
        })
        .await;
    }

    /// Waits until a message that everybody sees in a channel or thread says this.
    pub async fn until_says(&self, channel: &str, what: &str) -> Seen {
        let look = |discord: &Self| {
            // A thread may not be there yet.
            let known = discord.core.look(|world| world.channel_named(channel).is_some());
            known.then(|| discord.messages(channel).into_iter().rev().find(|seen| seen.says(what))).flatten()
        };
        self.until(&format!("a message in {channel} that says `{what}`"), look).await
    }

    /// Waits until a look finds something, and ends the test if it does not within a minute.
    pub async fn until<T>(&self, what: &str, look: impl FnMut(&Self) -> Option<T>) -> T {
        self.until_within(what, PATIENCE, look).await
    }

    /// The same with a limit of one's own.
    pub async fn until_within<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let end = Instant::now() + limit;
        let mut bell = self.core.bell();
        loop {
            bell.mark_unchanged();
            if let Some(found) = look(self) {
                return found;
            }
            if timeout_at(end, bell.changed()).await.is_err() {
                // What is looked at may be of the bot, which rings no bell here.
                let found = look(self);
                return found
                    .unwrap_or_else(|| panic!("waited {limit:?} in vain: {what}\n{}", self.situation()));
            }
        }
    }

    /// Everything that can be seen, for a test that failed.
    fn situation(&self) -> String {
        let mut text = String::new();
        let channels: Vec<String> =
            self.core.look(|world| world.channels.values().map(|channel| channel.name.clone()).collect());
        for channel in channels {
            let shown = self.shows(&channel);
            if !shown.is_empty() {
                let _ = writeln!(text, "# {channel}\n{shown}");
            }
        }
        for request in self.requests().iter().rev().take(10).rev() {
            let _ = writeln!(text, "{request}");
        }
        let _ = write!(text, "gateway: {:?}, {} listening", self.gateway_log(), self.listening());
        text
    }
}
