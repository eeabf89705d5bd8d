//! Where a run is shown on Discord, and what is done when that place, its thread or a question in it is deleted, closed,
//! refused or missed.

use std::time::Duration;

use discord::{Discord, Fault, Seen};
use steadyhand::chat::discord::Messages;
use steadyhand::engine::ToRun;
use steadyhand::engine::clock::Clock;
use steadyhand::run::{Run, RunId};

use crate::discord::{ASKED, Ground, THREAD, private, reads, token};
use crate::given::going;
use crate::stage::Answer as Does;

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_somebody_deleted_stands_anew_at_once_and_can_be_pressed() {
    let ground = Ground::ready().await;
    let card = ground.confirmed().await;
    ground.discord.until_says(THREAD, "must approve").await;

    ground.discord.deletes_message(card.id);

    let anew = |it: &Discord| {
        it.messages("ops").into_iter().find(|seen| seen.id != card.id && seen.thread.is_some())
    };
    let anew = ground.discord.until("a new card with a thread", anew).await;
    let asked = ground.discord.until_says(THREAD, "must approve").await;
    assert_eq!((asked.channel, asked.pings), (anew.id, vec!["ben".to_owned(), "cleo".to_owned()]));
    ground.press("ben", &anew, "Approve").await;
    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, anew.id);
    assert_eq!(ground.discord.messages("ops").len(), 1, "{}", ground.discord.shows("ops"));
    let told = ground.discord.until_says(THREAD, "Promote pg2").await;
    assert_eq!(told.channel, anew.id);
    assert!(ground.discord.shows(THREAD).contains("was deleted, and stands here anew"));
    assert!(
        ground.bot().engine.view().newest_of_kind("place-lost", 1).unwrap().is_empty(),
        "it did not pause"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_thread_a_run_is_shown_by_the_card_and_asks_in_the_channel() {
    let ground = Ground::ready().await;
    let card = ground.confirmed().await;
    ground.discord.until_says(THREAD, "must approve").await;
    ground.hosts.will("pg3", "follow", Does::Fails(1, "ERROR:  no slot"));

    ground.discord.deletes_channel(THREAD);
    ground.press("ben", &card, "Approve").await;

    let asked = ground.discord.until_says("ops", "[Retry 5 pg3|primary]").await;
    assert_eq!(asked.pings, ["ana"]);
    ground.press("ana", &asked, "Retry 5 pg3").await;
    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, card.id);
    let closed = ground.discord.messages("ops").into_iter().find(|seen| seen.id == asked.id).unwrap();
    assert!(closed.rows.is_empty(), "{closed}");
}

/// The question that waits for ana, as soon as it is another than this one.
async fn asked_anew(ground: &Ground, place: &str, not: u64) -> Seen {
    let anew = |it: &Discord| {
        it.messages(place).into_iter().find(|seen| seen.id != not && seen.says("[Retry 5 pg3|primary]"))
    };
    ground.discord.until("it is asked anew", anew).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_somebody_deleted_is_asked_anew_at_once() {
    let ground = Ground::ready().await;
    ground.failed().await;
    let first = ground.discord.until_says(THREAD, "[Retry 5 pg3|primary]").await;

    ground.discord.purges_messages(THREAD, &[first.id]);
    let second = asked_anew(&ground, THREAD, first.id).await;
    assert_eq!(second.pings, ["ana"]);
    ground.discord.deletes_message(second.id);
    let third = asked_anew(&ground, THREAD, second.id).await;

    ground.person("ana").in_channel(THREAD).presses(&third, "Retry 5 pg3").unwrap().reply().await;
    ground.card("succeeded · run 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_thread_is_gone_is_asked_in_the_channel() {
    let ground = Ground::ready().await;
    ground.failed().await;
    let first = ground.discord.until_says(THREAD, "[Retry 5 pg3|primary]").await;

    ground.discord.deletes_channel(THREAD);

    let second = asked_anew(&ground, "ops", first.id).await;
    ground.press("ana", &second, "Retry 5 pg3").await;
    ground.card("succeeded · run 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_thread_is_archived_wakes_it() {
    let ground = Ground::ready().await;
    ground.failed().await;
    let first = ground.discord.until_says(THREAD, "[Retry 5 pg3|primary]").await;

    ground.discord.archives_thread(THREAD, false);

    let second = asked_anew(&ground, THREAD, first.id).await;
    ground.person("ana").in_channel(THREAD).presses(&second, "Retry 5 pg3").unwrap().reply().await;
    ground.card("succeeded · run 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_of_the_server_has_the_cards_looked_at() {
    let ground = Ground::ready().await;
    let card = ground.confirmed().await;
    ground.discord.until_says(THREAD, "must approve").await;
    let edits = |it: &Discord| {
        let path = format!("/messages/{}", card.id);
        it.requests().iter().filter(|it| it.method == "PATCH" && it.path.ends_with(&path)).count()
    };
    let before = edits(&ground.discord);

    ground.discord.says("CHANNEL_UPDATE", serde_json::json!({ "id": "nonsense" }));

    ground.discord.until("the card is edited", |it| (edits(it) > before).then_some(())).await;
    assert_eq!(ground.bot().chat.health().not_understood, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_never_answered_is_given_up_and_the_newest_state_is_shown() {
    let clock = going();
    let ground = Ground::of(&["ops"], Messages::Mention, clock.clone(), |_, policy| policy).await;
    let card = ground.offered().await;
    ground.discord.until("all is told", |it| it.threads("ops").first().cloned()).await;
    let slow = Fault::Slow(Duration::from_hours(1));
    ground.discord.fails(1, "PATCH", &format!("/messages/{}", card.id), slow);

    let confirmed = ground.person("ana").presses(&card, "Confirm…").unwrap().modal().await;
    private(confirmed.submit(&[("said", &token(&card))]).unwrap(), "ana").await;
    // Nobody sees a request that hangs: the time goes on until it is given up.
    let trouble = || ground.bot().chat.health().last_trouble.unwrap_or_default();
    let given_up = async {
        while !trouble().contains("no answer in 15 s") {
            clock.advance(Duration::from_secs(1));
            Clock::System.after(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), given_up).await.expect("it is given up");

    ground.card("Approve").await;
    ground.discord.until_says(THREAD, "Chat was away").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_thread_is_given_up_and_the_run_goes_on() {
    let ground = Ground::ready().await;
    let card = ground.confirmed().await;
    ground.discord.until_says(THREAD, "must approve").await;

    ground.discord.archives_thread(THREAD, true);
    ground.press("ben", &card, "Approve").await;

    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, card.id);
    assert_eq!(ground.discord.messages("ops").len(), 1, "{}", ground.discord.shows("ops"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_taken_away_pauses_the_run_which_is_shown_in_another() {
    let ground = Ground::with(&["ops", "incidents"], Messages::Mention).await;
    ground.failed().await;
    let sent = ground.hosts.sent().len();
    // It pauses at once, though it cannot be shown elsewhere yet.
    ground.discord.fails(2, "POST", "/messages", Fault::Status(503));

    ground.discord.deletes_channel("ops");

    let run = ground.until("it pauses", |run| run.pause.is_some()).await;
    let pause = run.pause.as_ref().unwrap();
    assert!(pause.by.is_none() && pause.why.contains("gone, or closed to the bot"), "{pause:?}");
    let whole = |it: &Discord| {
        it.messages("incidents").into_iter().find(|seen| seen.says("Paused at") && seen.says("https://"))
    };
    let anew = ground.discord.until("the card, paused, and leading to its question", whole).await;
    ground.discord.until_says(THREAD, "was shown in another channel").await;
    let asked = ground.discord.until_says(THREAD, "[Retry 5 pg3|primary]").await;
    let ana = ground.person("ana").in_channel(THREAD);
    ana.presses(&asked, "Retry 5 pg3").unwrap().reply().await;
    let waits = ground.discord.until_says(THREAD, "[Resume|primary]").await;
    assert!(waits.says("Nobody could stop it where it was shown"), "{waits}");
    assert_eq!(ground.hosts.sent().len(), sent, "nothing is sent before somebody resumes it");
    reads("discord-place-lost", &format!("{anew}\n{waits}"));

    ana.presses(&waits, "Resume").unwrap().reply().await;
    let over =
        |it: &Discord| it.messages("incidents").into_iter().find(|seen| seen.says("succeeded · run 1"));
    ground.discord.until_within("it ends", Duration::from_mins(1), over).await;
    assert_eq!(ground.bot().engine.view().newest_of_kind("place-lost", 9).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_thrown_out_pauses_and_shows_the_run_anew_when_it_is_back() {
    let ground = Ground::ready().await;
    ground.failed().await;
    let sent = ground.hosts.sent().len();

    ground.discord.removes_bot();

    ground.until("it pauses", |run| run.pause.is_some()).await;
    ground.on_the_console("ana", Ground::retry()).await;
    ground.until("it waits", |run| run.questions().next().is_none()).await;
    assert_eq!(ground.hosts.sent().len(), sent);
    ground.on_the_console("ana", ToRun::Resume).await;
    let run = ground.until("it ends", Run::is_ended).await;
    assert!(run.pause.is_none(), "it paused once");
    ground.discord.invites_bot();
    ground.card("succeeded · run 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_shown_once_and_where_it_was_asked_for_whatever_discord_does_not_take_at_first() {
    let ground = Ground::with(&["ops", "incidents"], Messages::Mention).await;
    ground.discord.fails(1, "POST", "/messages", Fault::AnswerLost);
    ground.discord.fails(1_000, "POST", "/threads", Fault::Status(503));
    ground.person("ana").in_channel("incidents").types(ASKED).unwrap().reply().await;
    let tried =
        |it: &Discord| it.requests().iter().any(|asked| asked.path.ends_with("/threads")).then_some(());
    ground.discord.until("a thread is asked for", tried).await;

    // So long that Discord has forgotten what it took.
    ground.discord.passes(Duration::from_mins(10));
    ground.discord.heals();

    let whole = |it: &Discord| it.messages("incidents").into_iter().find(|seen| seen.thread.is_some());
    ground.discord.until("a card with a thread", whole).await;
    assert_eq!(ground.discord.messages("incidents").len(), 1, "{}", ground.discord.shows("incidents"));
    assert!(ground.discord.messages("ops").is_empty(), "{}", ground.discord.shows("ops"));
}

/// All that the bot says in channels and threads is answered so.
fn channels_fail(discord: &Discord, status: u16) {
    for method in ["POST", "PATCH"] {
        discord.fails(1_000_000, method, "/channels/", Fault::Status(status));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_below_a_card_is_asked_though_discord_does_not_take_the_card() {
    let ground = Ground::ready().await;
    let card = ground.offered().await;
    ground.hosts.will("pg3", "follow", Does::Fails(1, "ERROR:  no slot"));
    ground.discord.fails(1_000_000, "PATCH", "/channels/", Fault::Status(400));

    let form = ground.person("ana").presses(&card, "Confirm…").unwrap().modal().await;
    form.submit(&[("said", &token(&card))]).unwrap().reply().await;
    let wanted = ground.discord.until_says(THREAD, "must approve").await;
    assert_eq!(wanted.pings, ["ben", "cleo"]);
    let digest = ground.run(1).digest().unwrap().short().to_owned();
    ground.person("ben").types(&format!("/approve run=1 plan={digest}")).unwrap().reply().await;
    let asked = ground.discord.until_says(THREAD, "[Retry 5 pg3|primary]").await;
    let trouble = ground.bot().chat.health().last_trouble.unwrap();
    assert!(trouble.contains("the card of run 1 could not be edited"), "{trouble}");

    ground.discord.heals();
    let ana = ground.person("ana").in_channel(THREAD);
    ana.presses(&asked, "Retry 5 pg3").unwrap().reply().await;
    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, card.id);
}

impl Ground {
    /// A run that ended while Discord took nothing; and its card, which says that it waits.
    async fn ended_unseen(&self) -> Seen {
        let card = self.confirmed().await;
        self.discord.until_says(THREAD, "must approve").await;
        channels_fail(&self.discord, 503);
        self.person("ben").presses(&card, "Approve").unwrap().reply().await;
        self.until("it ends", Run::is_ended).await;
        card
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_unseen_is_shown_as_it_ended_after_a_start_and_nothing_is_posted_anew() {
    let mut ground = Ground::ready().await;
    let card = ground.ended_unseen().await;
    let said = ground.discord.messages(THREAD).len();
    ground.dies();
    ground.starts().await;
    ground.discord.heals();

    let done = ground.card("succeeded · run 1").await;

    assert_eq!(done.id, card.id);
    assert!(done.button("Stop").is_none(), "{done}");
    ground.ends().await;
    assert_eq!(ground.discord.messages(THREAD).len(), said, "{}", ground.discord.shows(THREAD));
    ground.discord.deletes_message(card.id);
    ground.starts().await;
    let is_gone = |it: &Discord| {
        let path = format!("/channels/{}/messages/{}", it.channel_id("ops"), card.id);
        it.requests().iter().any(|asked| asked.path == path && asked.status == 404).then_some(())
    };
    ground.discord.until("the card is looked for", is_gone).await;
    ground.ends().await;
    assert_eq!(ground.discord.shows("ops"), "", "what somebody deleted after it was over stays deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_read_for_a_while_is_shown_afterwards() {
    let ground = Ground::ready().await;
    let card = ground.ended_unseen().await;
    let journal = rusqlite::Connection::open(ground.place.path().join("bot.db")).unwrap();
    journal.execute_batch("alter table entries rename to hidden").unwrap();
    let engine = &ground.bot().engine;
    becomes("the run is read from the journal", || engine.run(RunId(1)).is_err()).await;
    ground.discord.heals();
    let trouble = || ground.bot().chat.health().last_trouble.unwrap_or_default();
    becomes("it is said", || trouble().contains("run 1 cannot be read now, and is not shown")).await;

    journal.execute_batch("alter table hidden rename to entries").unwrap();

    let done = ground.card("succeeded · run 1").await;
    assert_eq!(done.id, card.id);
    ground.discord.until_says(THREAD, "Promote pg2").await;
}

/// Ends as soon as this is so.
async fn becomes(what: &str, is_so: impl Fn() -> bool) {
    let end = Clock::System.now() + Duration::from_secs(40);
    while !is_so() {
        assert!(Clock::System.now() < end, "{what}");
        Clock::System.after(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_beside_a_card_is_as_new_as_the_card() {
    let ground = Ground::ready().await;
    let runbook = ground.folders.runbooks.join("failover-database.yaml");
    let text = std::fs::read_to_string(&runbook).unwrap();
    let long = format!("replay what it has{}", " and what it has not".repeat(250));
    std::fs::write(&runbook, text.replace("replay what it has", &long)).unwrap();
    let file = |card: &Seen| {
        let [file] = card.files.as_slice() else { panic!("{card}") };
        assert_eq!(file.name, "run.txt");
        file.text().unwrap().to_owned()
    };

    let failed = ground.failed().await;
    assert!(file(&failed).contains("FAILED") && !file(&failed).contains("journal verify"));
    ground.on_the_console("ana", Ground::retry()).await;

    let done = ground.card("succeeded · run 1").await;
    assert!(file(&done).contains("journal verify") && !file(&done).contains("FAILED"));
    ground.discord.assert_clean();
}
