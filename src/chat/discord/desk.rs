//! Who asks, and what is answered: to them alone, but to a message where it stands. What all shall see is shown by those who follow the runs.
//!
//! Discord wants a first response within three seconds, so an answer is promised before anything is looked at. A form
//! cannot follow a promise: whether it opens is decided from memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::card::{Card, of_page};
use super::cards::is_shown_whole;
use super::commands::{self, Filled};
use super::incidents::Incidents;
use super::post::{Lost, Post};
use super::press::{About, Form, Pressed, pressed, submitted};
use super::runs::Runs;
use super::{Messages, Pulse};
use crate::chat::console::session::not_understood;
use crate::chat::desk::{CameOut, Desk, Reply};
use crate::chat::grammar::{Command, NotUnderstood, OfIncidents, command, words};
use crate::engine::clock::Clock;
use crate::engine::{Engine, Speaker, ToRun};
use crate::library::Snapshot;
use crate::policy::Policy;
use crate::policy::decide::{Denial, Door};
use crate::run::RunId;
use crate::run::model::Phase;
use crate::runbook::source::hidden::visible;
use crate::wording::discord as words_of_discord;

/// So many of the newest interactions are known, so that one that is told twice is done once.
const REMEMBERED: usize = 4_096;
/// How often it is looked whether the runbooks changed.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often Discord is asked who has which role,
const ASK_EVERY: Duration = Duration::from_mins(1);
/// and how soon again after it did not answer.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// So many people are asked for side by side.
const AT_ONCE: usize = 8;
/// What was answered so soon counts then, also while others are still asked for: a start waits a little longer than this.
const HEAR_AFTER: Duration = Duration::from_secs(4);

/// Who asks, and where.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    /// The id of the user: names change, and two may be the same.
    pub user: u64,
    /// What the user is called, for the journal.
    pub name: String,
    /// A program asks.
    pub is_bot: bool,
    /// The server; none in a direct message.
    pub server: Option<u64>,
    /// The channel or thread.
    pub channel: u64,
    /// The channel that the thread hangs on.
    pub above: Option<u64>,
    /// The ids of the roles that they have on the server, where Discord tells them with what was asked.
    pub roles: Option<BTreeSet<String>>,
}

impl Asker {
    /// Of the journal: the id, and the name of that moment.
    fn account(&self) -> String {
        format!("{} ({})", self.user, visible(&self.name))
    }

    /// The channel that the policy is asked about.
    fn room(&self) -> u64 {
        self.above.unwrap_or(self.channel)
    }
}

/// An interaction that waits for an answer.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its id.
    pub id: u64,
    /// What its answer is sent with. It is a secret of some minutes.
    pub token: String,
    /// When it came in.
    pub came: Timestamp,
}

/// Where people are answered.
pub(super) struct Counter {
    desk: Desk,
    engine: Engine,
    post: Post,
    /// For first responses alone: its connections belong to the thread that listens.
    first: Post,
    /// Where answers are worked out, so that nobody who asks meanwhile waits for them.
    beside: Handle,
    runs: Arc<Runs>,
    incidents: Arc<Incidents>,
    pulse: Arc<Pulse>,
    messages: Messages,
    /// The bot's own user.
    own: Mutex<Option<u64>>,
    /// Interactions that were taken, by age and by id.
    taken: Mutex<(VecDeque<u64>, BTreeSet<u64>)>,
    /// What is registered, by server.
    registered: Mutex<BTreeMap<u64, Vec<Value>>>,
    /// Rings when commands can be registered.
    ready: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counter {
    pub(super) fn new(
        desk: Desk,
        engine: Engine,
        (post, first): (Post, Post),
        (runs, incidents): (Arc<Runs>, Arc<Incidents>),
        pulse: Arc<Pulse>,
        messages: Messages,
    ) -> Self {
        let beside = Handle::current();
        let (own, taken, registered) = (Mutex::default(), Mutex::default(), Mutex::default());
        let ready = Notify::new();
        Self {
            desk,
            engine,
            post,
            first,
            beside,
            runs,
            incidents,
            pulse,
            messages,
            own,
            taken,
            registered,
            ready,
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.desk.clock
    }

    pub(super) fn now(&self) -> Timestamp {
        self.desk.clock.now()
    }

    pub(super) async fn after(&self, time: Duration) {
        self.desk.clock.after(time).await;
    }

    /// Asks Discord who the bot is.
    pub(super) async fn introduce(&self) -> Result<(), Lost> {
        let own = self.post.introduce().await?;
        *lock(&self.own) = Some(own);
        Ok(())
    }

    /// Registers the commands of the files as they are now, unless they are registered already. With broken files the
    /// commands of before stay.
    async fn register(&self) {
        let Ok(snapshot) = self.desk.files() else { return };
        let Some((_, server)) = policy_and_server(&snapshot) else { return };
        let all = commands::all(&snapshot.set);
        if lock(&self.registered).get(&server) == Some(&all) {
            return;
        }
        match self.post.register(server, &all).await {
            Ok(()) => {
                self.pulse.commands.store(all.len() as u64, Ordering::Relaxed);
                lock(&self.registered).insert(server, all);
            }
            Err(lost) => self.pulse.trouble(&format!("the commands could not be registered: {lost}")),
        }
    }

    /// Events come in, so that it is known who the bot is.
    pub(super) fn is_ready(&self) {
        self.ready.notify_one();
    }

    /// Registers commands once events come in, and again when the runbooks change.
    pub(super) async fn keep_commands(self: Arc<Self>, ending: CancellationToken) {
        let work = async {
            self.ready.notified().await;
            loop {
                self.register().await;
                tokio::select! {
                    () = self.after(LOOK_EVERY) => {}
                    () = self.ready.notified() => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = ending.cancelled() => {}
        }
    }

    /// Asks Discord again and again who has which role, and at once when a run is about to start.
    pub(super) async fn keep_members(self: Arc<Self>, ending: CancellationToken) {
        let mut wanted = self.engine.members_wanted();
        let work = async {
            loop {
                let wait = if self.ask_members().await { ASK_EVERY } else { ASK_AGAIN };
                tokio::select! {
                    () = self.after(wait) => {}
                    _ = wanted.changed() => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = ending.cancelled() => {}
        }
    }

    /// Asks Discord for every person, if the policy has roles from there. Whether it answered.
    async fn ask_members(&self) -> bool {
        let (asked, mut said, mut answered) = (self.now(), Vec::new(), true);
        let snapshot = self.present();
        let Some((policy, server)) = snapshot.as_deref().and_then(with_roles) else {
            self.engine.members_were_asked(asked);
            return true;
        };
        let users = policy.people.values().flat_map(|accounts| &accounts.discord);
        let mut users = users.filter_map(|user| user.parse().ok().filter(|id| *id != 0));
        let mut soon = self.clock().after(HEAR_AFTER);
        let (mut asking, mut is_soon) = (JoinSet::new(), true);
        loop {
            for user in users.by_ref().take(AT_ONCE - asking.len()) {
                let post = self.post.clone();
                asking.spawn(async move { (user, post.roles_of(server, user).await) });
            }
            tokio::select! {
                told = asking.join_next() => match told {
                    Some(Ok((user, Ok(roles)))) => said.push((user.to_string(), roles)),
                    Some(Ok((_, Err(lost)))) => {
                        answered = false;
                        self.pulse.trouble(&format!("who has which role could not be asked: {lost}"));
                    }
                    Some(Err(_)) => answered = false,
                    None => break,
                },
                () = &mut soon, if is_soon => {
                    is_soon = false;
                    self.hear(policy, std::mem::take(&mut said), asked).await;
                }
            }
        }
        self.hear(policy, said, asked).await;
        self.engine.members_were_asked(asked);
        answered
    }

    /// Discord tells the roles of who asks something. Only of the server that the policy names, and of whom it knows.
    async fn hears_roles(&self, asker: &Asker, roles: &BTreeSet<String>, asked: Timestamp) {
        let snapshot = self.present();
        let Some((policy, server)) = snapshot.as_deref().and_then(with_roles) else { return };
        let user = asker.user.to_string();
        if asker.server == Some(server) && !asker.is_bot && policy.person_of(Door::Discord, &user).is_some() {
            self.hear(policy, vec![(user, roles.clone())], asked).await;
        }
    }

    async fn hear(&self, policy: &Policy, said: Vec<(String, BTreeSet<String>)>, asked: Timestamp) {
        if let Err(refused) = self.engine.members_are(policy, said, asked).await {
            self.pulse
                .trouble(&format!("who has which role could not be written down: {}", refused.for_log()));
        }
    }

    /// Something on the server changed: channels, rights, the server itself.
    pub(super) fn doubts(&self) {
        self.runs.doubts();
        self.incidents.doubts();
    }

    /// Messages of a channel or thread were deleted.
    pub(super) fn are_deleted(&self, place: u64, messages: &[u64]) {
        self.runs.doubts_deleted(place, messages);
        self.incidents.doubts_place(place);
    }

    /// A thread is gone, locked, archived, or has another name.
    pub(super) fn thread_changed(&self, thread: u64) {
        self.runs.doubts_thread(thread);
        self.incidents.doubts_place(thread);
    }

    /// Whether an interaction is told for the first time.
    fn is_new(&self, id: u64) -> bool {
        let mut taken = lock(&self.taken);
        let (by_age, ids) = &mut *taken;
        let new = ids.insert(id);
        if new {
            by_age.push_back(id);
        }
        if by_age.len() > REMEMBERED
            && let Some(oldest) = by_age.pop_front()
        {
            ids.remove(&oldest);
        }
        new
    }

    /// The files, from memory if they were read before.
    fn remembered(&self) -> Option<Arc<Snapshot>> {
        self.desk.last_files().or_else(|| self.desk.files().ok())
    }

    /// The files as they are now. While they are broken those of before say who is who, so that a run can be stopped.
    fn present(&self) -> Option<Arc<Snapshot>> {
        self.desk.files().ok().or_else(|| self.desk.last_files())
    }

    /// Who speaks, or why nobody is listened to. Whoever is nobody for the policy gets nothing, administrator or not, and
    /// whatever roles they have: the policy knows the ids of people.
    fn speaker(asker: &Asker, snapshot: Option<&Snapshot>) -> (Speaker, Option<Denial>) {
        let mut speaker = Speaker { person: None, account: asker.account(), door: Door::Discord };
        let Some(policy) = snapshot.and_then(|snapshot| snapshot.set.policy.as_ref().ok()) else {
            return (speaker, Some(Denial::NoPolicy("there is no policy that can be used".to_owned())));
        };
        if !policy.is_open(Door::Discord) {
            return (speaker, Some(Denial::DoorClosed(Door::Discord)));
        }
        let server = asker.server.map(|id| id.to_string());
        if !policy.is_taken_in(server.as_deref(), &asker.room().to_string()) {
            return (speaker, Some(Denial::WrongPlace(Door::Discord)));
        }
        if !asker.is_bot {
            speaker.person = policy.person_of(Door::Discord, &asker.user.to_string()).cloned();
        }
        let nobody = speaker.person.is_none().then(|| Denial::NoPerson(speaker.account.clone()));
        (speaker, nobody)
    }

    /// Answers what was understood.
    async fn answered(&self, asker: &Asker, wanted: Result<Command, NotUnderstood>) -> Reply {
        let snapshot = self.present();
        let (speaker, denied) = Self::speaker(asker, snapshot.as_deref());
        if let Some(denial) = denied {
            let what = wanted.as_ref().map_or("something", |command| verb(command));
            let refused = self.engine.turn_away(&speaker, what, denial).await;
            return self.desk.refused(&refused);
        }
        let command = match wanted {
            Ok(command) => command,
            Err(error) => return Reply::not_understood(not_understood(&error)),
        };
        match &command {
            Command::Run { .. } => self.runs.asked_in(&speaker.account, asker.room()),
            Command::ToRun(id, to_run @ (ToRun::Confirm { .. } | ToRun::Approve { .. }))
                if !self.shows_whole(*id) =>
            {
                let what = format!("{} {id}", to_run.verb());
                let noted = self.engine.note_denied(&speaker, &what, "too-long-for-chat", Some(*id)).await;
                if let Err(refused) = noted {
                    return self.desk.refused(&refused);
                }
                let page = words_of_discord::too_long(*id);
                return Reply { page, came_out: CameOut::Refused, run: None };
            }
            _ => {}
        }
        let was_asked = matches!(command, Command::Run { .. });
        let reply = self.desk.answer(&speaker, command).await;
        match &reply.run {
            Some(run) if was_asked && run.phase == Phase::Confirming => {
                Reply { page: words_of_discord::shown_to_all(run), ..reply }
            }
            _ => reply,
        }
    }

    /// Whether the card of a run shows all that cannot be taken back. An undo is a list of its own, and short.
    fn shows_whole(&self, id: RunId) -> bool {
        let Ok(run) = self.engine.run(id) else { return true };
        run.phase == Phase::Undoing || run.offer.as_ref().is_none_or(|offer| is_shown_whole(offer))
    }

    /// A reply as a message for one. What was refused has nothing to press.
    fn private(reply: &Reply) -> Card {
        let mut card = of_page(&reply.page, "answer.txt");
        if matches!(reply.came_out, CameOut::Refused | CameOut::NotUnderstood | CameOut::Broke) {
            card.buttons.clear();
        }
        // Whoever reads it has just agreed: others approve, and the card has the button for them.
        card.buttons.retain(|button| !button.id.contains(" approve "));
        card
    }

    /// Whether an answer is promised. If not nobody would hear it, and who pressed sees that it failed: nothing is done.
    async fn promised(&self, asked: &Asked) -> bool {
        let sent = self.first.promise(asked.id, &asked.token).await;
        self.responded(asked, sent, "an interaction could not be answered")
    }

    /// Counts the first response to an interaction, and whether Discord took it.
    fn responded(&self, asked: &Asked, sent: Result<(), Lost>, trouble: &str) -> bool {
        match sent {
            Ok(()) => self.pulse.responses.add(self.now().duration_since(asked.came).unsigned_abs()),
            Err(lost) => {
                self.pulse.unanswered.fetch_add(1, Ordering::Relaxed);
                self.pulse.trouble(&format!("{trouble}: {lost}"));
                return false;
            }
        }
        true
    }

    async fn answer(self: &Arc<Self>, asker: &Asker, asked: &Asked, wanted: Result<Command, NotUnderstood>) {
        if !self.promised(asked).await {
            return;
        }
        let (counter, asker, asked) = (self.clone(), asker.clone(), asked.clone());
        self.beside.spawn(async move {
            // What Discord takes a promise for happened a moment ago, and so did what it says of who asked.
            if let Some(roles) = &asker.roles {
                counter.hears_roles(&asker, roles, asked.came).await;
            }
            let reply = counter.answered(&asker, wanted).await;
            counter.say(&asked, &reply).await;
        });
    }

    async fn say(&self, asked: &Asked, reply: &Reply) {
        if let Err(lost) = self.post.answer(&asked.token, &Self::private(reply)).await {
            self.pulse.trouble(&format!("an answer did not get there: {lost}"));
        }
    }

    /// A slash command.
    pub(super) async fn command(self: &Arc<Self>, asker: Asker, asked: Asked, filled: Filled) {
        if self.is_new(asked.id) {
            self.answer(&asker, &asked, filled.command()).await;
        }
    }

    /// A button.
    pub(super) async fn press(self: &Arc<Self>, asker: Asker, asked: Asked, id: &str) {
        if !self.is_new(asked.id) {
            return;
        }
        match pressed(id) {
            Pressed::Command(command) => self.answer(&asker, &asked, Ok(command)).await,
            Pressed::Unknown => self.unknown(&asked).await,
            Pressed::Ask(form) => self.open(&asker, &asked, &form).await,
        }
    }

    /// Opens a form, unless it is known already that it would be filled in for nothing. What is said instead is judged by
    /// the files as they are now, as every answer is.
    async fn open(self: &Arc<Self>, asker: &Asker, asked: &Asked, form: &Form) {
        let (counter, who, about) = (self.clone(), asker.clone(), form.about);
        // What is long over is read again from the journal.
        let opens = self.beside.spawn_blocking(move || {
            let (_, denied) = Self::speaker(&who, counter.remembered().as_deref());
            denied.is_none() && counter.goes_on(about)
        });
        if opens.await.unwrap_or_default() {
            let sent = self.first.ask(asked.id, &asked.token, form).await;
            self.responded(asked, sent, "a form could not be opened");
            return;
        }
        if !self.promised(asked).await {
            return;
        }
        let (counter, asker, asked) = (self.clone(), asker.clone(), asked.clone());
        self.beside.spawn(async move {
            let reply = counter.instead_of_form(&asker, about).await;
            counter.say(&asked, &reply).await;
        });
    }

    /// Whether something can still be said to it.
    fn goes_on(&self, about: About) -> bool {
        match about {
            About::Run(id) => self.engine.run(id).is_ok_and(|run| !run.is_ended()),
            About::Incident(id) => {
                let incident = self.engine.incidents().get(id).ok().flatten();
                incident.is_some_and(|incident| !incident.is_closed())
            }
        }
    }

    /// What is said when a form does not open: why nothing can be said by whoever pressed, or that it is over.
    async fn instead_of_form(&self, asker: &Asker, about: About) -> Reply {
        let status = match about {
            About::Run(id) => Command::Status(Some(id.to_string())),
            About::Incident(id) => Command::Incident(OfIncidents::Status(id)),
        };
        let reply = self.answered(asker, Ok(status)).await;
        if reply.came_out != CameOut::Done || self.goes_on(about) {
            return reply;
        }
        let page = match about {
            About::Run(id) => match self.engine.run(id) {
                Ok(run) => words_of_discord::run_is_over(&run, &crate::wording::run::headline(&run)),
                Err(_) => return reply,
            },
            About::Incident(id) => words_of_discord::incident_is_closed(id),
        };
        Reply { page, came_out: CameOut::Refused, run: None }
    }

    async fn unknown(&self, asked: &Asked) {
        if self.promised(asked).await {
            let page = words_of_discord::unknown_button();
            self.say(asked, &Reply { page, came_out: CameOut::Refused, run: None }).await;
        }
    }

    /// A form that was filled in.
    pub(super) async fn submit(self: &Arc<Self>, asker: Asker, asked: Asked, id: &str, said: &str) {
        if !self.is_new(asked.id) {
            return;
        }
        match submitted(id, said) {
            Pressed::Command(command) => self.answer(&asker, &asked, Ok(command)).await,
            Pressed::Ask(_) | Pressed::Unknown => self.unknown(&asked).await,
        }
    }

    /// What is offered while an option is typed. Nothing to whom nothing is told.
    pub(super) async fn complete(
        self: &Arc<Self>,
        asker: Asker,
        asked: Asked,
        filled: Filled,
        (option, begun): (String, String),
    ) {
        let counter = self.clone();
        let choices = self.beside.spawn_blocking(move || {
            let (speaker, denied) = Self::speaker(&asker, counter.remembered().as_deref());
            match denied {
                Some(_) => Vec::new(),
                None => super::complete::choices(&counter.desk, &speaker, &filled, &option, &begun),
            }
        });
        let sent = self.first.offer(asked.id, &asked.token, &choices.await.unwrap_or_default()).await;
        self.responded(&asked, sent, "values could not be offered");
    }

    /// A message of a human. Only a line that is meant for the bot, in a place where it listens, is answered at all; a
    /// reply, a quote or a reaction is no line.
    pub(super) fn message(self: &Arc<Self>, asker: Asker, message: u64, text: &str) {
        if let Some(line) = self.line_of(text) {
            let counter = self.clone();
            self.beside.spawn(async move { counter.answer_line(asker, message, &line).await });
        }
    }

    async fn answer_line(&self, mut asker: Asker, message: u64, line: &str) {
        asker.above = self
            .runs
            .channel_of_thread(asker.channel)
            .or_else(|| self.incidents.channel_of_thread(asker.channel));
        let snapshot = self.present();
        let (_, denied) = Self::speaker(&asker, snapshot.as_deref());
        if matches!(denied, Some(Denial::WrongPlace(_) | Denial::DoorClosed(_))) || !self.is_new(message) {
            return;
        }
        let wanted = words(line).and_then(|words| command(&words));
        let reply = self.answered(&asker, wanted).await;
        let card = Self::private(&reply);
        if let Err(lost) = self.post.send(asker.channel, &card, None, Some(message)).await {
            self.pulse.trouble(&format!("an answer did not get there: {lost}"));
        }
    }

    fn line_of(&self, text: &str) -> Option<String> {
        let own = (*lock(&self.own))?;
        let text = text.trim_start();
        let mentions = [format!("<@{own}>"), format!("<@!{own}>")];
        let mentioned = mentions.iter().find_map(|mention| text.strip_prefix(mention.as_str()));
        match self.messages {
            Messages::None => None,
            Messages::Mention => mentioned.map(str::to_owned),
            Messages::All => mentioned.or_else(|| text.starts_with('/').then_some(text)).map(str::to_owned),
        }
    }
}

/// The policy, and the server that it names.
fn policy_and_server(snapshot: &Snapshot) -> Option<(&Policy, u64)> {
    let policy = snapshot.set.policy.as_ref().ok()?;
    let server = policy.server()?.parse().ok().filter(|server| *server != 0)?;
    Some((policy, server))
}

/// The same of a policy that has roles from Discord.
fn with_roles(snapshot: &Snapshot) -> Option<(&Policy, u64)> {
    policy_and_server(snapshot).filter(|(policy, _)| !policy.roles_of_discord().is_empty())
}

/// What is recorded of a command that nobody may say there.
const fn verb(command: &Command) -> &'static str {
    match command {
        Command::Run { .. } => "run",
        Command::ToRun(_, to_run) => to_run.verb(),
        Command::Incident(it) if it.acts() => "incident",
        _ => "look",
    }
}
