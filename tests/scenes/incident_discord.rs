//! Incidents on Discord: the card of operators, Support's own message, pages that ping one person, and what is pressed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use discord::{Discord, Fault, Seen};
use steadyhand::chat::discord::Messages;
use steadyhand::engine::Speaker;
use steadyhand::engine::clock::Clock;
use steadyhand::incident::model::{About, Owed, Part, Status};
use steadyhand::incident::{Incident, IncidentId, Says};
use steadyhand::notify::Outside;
use steadyhand::policy::decide::Door;
use steadyhand::runbook::source::name::Person;
use steadyhand::secrets::Secrets;

use crate::discord::{Ground, private, reads};

const THREAD: &str = "inc-1 · sev1 · Order processing";
const SUPPORT: &str = "inc-1 · for Support · Order processing";
const NIGHT: &str = "2026-11-18T03:09:00+01:00";

/// Operators are told in one channel, Support in another.
fn notify(discord: &Discord) -> String {
    let channel = |name: &str| discord.channel_id(name).to_string();
    format!(
        "notify: orders\n\
         paths:\n  \
           chat:  {{ kind: discord, channel: \"{}\", depends_on: [discord] }}\n  \
           desk:  {{ kind: discord, channel: \"{}\", depends_on: [desk] }}\n  \
           siren: {{ kind: discord, channel: \"{}\", depends_on: [siren] }}\n\
         people:\n  ana: [chat, siren]\n  ben: [chat, siren]\n  cleo: [chat, siren]\n  sue: [desk, siren]\n",
        channel("incidents"),
        channel("support"),
        channel("ops"),
    )
}

/// All is well, and notices leave over Discord.
async fn ready() -> Ground {
    ready_by(Clock::System, "").await
}

/// The same by this clock.
async fn by(clock: Clock) -> Ground {
    ready_by(clock, "").await
}

/// The same, with more in the policy.
async fn ready_with(more: &'static str) -> Ground {
    ready_by(Clock::System, more).await
}

async fn ready_by(clock: Clock, more: &'static str) -> Ground {
    let mut ground = Ground::of(&["ops", "incidents", "support"], Messages::Mention, clock, |_, policy| {
        let policy = policy.replace("shop:          { people: [sue]", "shop:          { people: [ana]");
        format!("{policy}{more}")
    })
    .await;
    ground.ends().await;
    let file = ground.folders.runbooks.join("notify.yaml");
    std::fs::write(file, notify(&ground.discord)).unwrap();
    again(&mut ground).await;
    ground
}

/// The bot starts, with all ways out of the house.
async fn again(ground: &mut Ground) {
    ground.starts().await;
    ground.discord.until_ready().await;
    let bot = ground.bot();
    let secrets = Arc::new(Secrets::default());
    let outside = Arc::new(Outside::new(secrets, "scene", || Clock::System.now()).unwrap());
    outside.chat_is_up(bot.chat.room());
    bot.engine.incidents().over(outside, None);
}

fn incident(ground: &Ground) -> Arc<Incident> {
    ground.bot().engine.incidents().get(IncidentId(1)).unwrap().unwrap()
}

/// ana opens one.
async fn opened(ground: &Ground) -> (Seen, Seen) {
    let line = "/incident open severity=sev1 service=orders text=\"placing an order hangs on pg1\"";
    let reply = private(ground.person("ana").types(line).unwrap(), "ana").await;
    assert!(reply.says("inc-1"), "{reply}");
    let card = ground.discord.until_says("incidents", "[Take command|primary]").await;
    let support = of_support(ground, "Customers report").await;
    (card, support)
}

/// Support's standing message, as soon as it says this.
async fn of_support(ground: &Ground, says: &str) -> Seen {
    let look = |it: &Discord| {
        let all = it.messages("support");
        all.into_iter().find(|seen| seen.says("Customers report") && seen.says(says))
    };
    ground.discord.until(&format!("Support's message that says `{says}`"), look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_support_carry_an_incident_from_start_to_end() {
    let mut ground = ready().await;
    let (card, support) = opened(&ground).await;
    let page = ground.discord.until_says("incidents", "notice n-").await;
    assert_eq!(page.pings, ["ana"], "who answers for the service is on duty");
    let called = ground
        .discord
        .until("Support's page", |it| it.messages("support").into_iter().find(|seen| seen.pings == ["sue"]));
    let called = called.await;
    assert!(called.says("[I am Support, I know|success]"), "{called}");
    let told = |it: &Discord| {
        let card = it.messages("incidents").into_iter().find(|seen| seen.id == card.id)?;
        (card.text().matches("accepted").count() == 4).then_some(card)
    };
    let card = ground.discord.until("everybody is told over both ways", told).await;
    for seen in [&support, &called] {
        assert!(!seen.says("pg1") && !seen.says("hangs"), "no operator's word reaches Support: {seen}");
    }
    // Whether it was told before the card was posted.
    let shown = format!("{card}\n{support}").replace("(edited) ", "");
    reads("incident-discord-opened", &shown);

    // Support says that they know, in their own channel.
    let know = ground.press("sue", &support, "I am Support, I know").await;
    assert!(know.says("inc-1"), "{know}");
    ground.discord.until_says(THREAD, "sue acknowledged").await;
    let quiet = |it: &Discord| {
        let all = it.messages("support");
        all.into_iter().find(|seen| seen.id == support.id && !seen.says("I am Support, I know|"))
    };
    ground.discord.until("nothing more is asked of Support", quiet).await;

    ground.press("ana", &card, "Acknowledge").await;
    ground.press("ana", &card, "Take command").await;
    assert!(incident(&ground).acknowledged.is_some());
    let card = ground.discord.until_says("incidents", "ana commands").await;

    // News for Support is asked for by a form, and stands in its message.
    let form = ground.person("ana").presses(&card, "Post update…").unwrap().modal().await;
    assert_eq!(form.title, "inc-1: news, also for Support");
    let said = "Orders can be placed again, some are late";
    let reply = form.submit(&[("said", said)]).unwrap().reply().await;
    assert!(reply.only_for.is_some(), "{reply}");
    of_support(&ground, said).await;

    let resolved = ground.person("ana").types("/incident resolve incident=inc-1").unwrap();
    private(resolved, "ana").await;
    let over = ground.discord.until_says("incidents", "[Export|secondary]").await;
    assert_eq!(over.id, card.id, "one card, edited in place");
    assert_eq!(incident(&ground).status, Status::Resolved);
    assert!(ground.discord.most_edits_in_a_second() <= 1);
    ground.ends().await;
    ground.discord.assert_clean();
}

const REBUILD: &str =
    "/run rebuild-data-server cluster=orders target=pg3 source=pg2 reason=\"pg3 has diverged\"";
const REBUILT: &str = "run 1 · rebuild-data-server · orders";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_support_says_for_whom_until_when_and_what_can_be_done() {
    let ground = ready().await;
    private(ground.person("ben").types(REBUILD).unwrap(), "ben").await;
    let offered = ground.card("[Confirm…|primary]").await;
    let approving = ground.confirmed_by("ben", &offered).await;
    ground.press("cleo", &approving, "Approve").await;

    let told = |it: &Discord| {
        let all = it.messages("ops").into_iter();
        let mut cards =
            all.filter(|seen| seen.id == offered.id && seen.text().matches("accepted").count() == 2);
        cards.next()
    };
    let waits = ground.discord.until_within("Support is told", Duration::from_mins(1), told).await;
    let question = ground.discord.until_says(REBUILT, "[Waive 1…|danger]").await;
    assert_eq!(question.pings, ["ben"], "who drives it");
    reads("incident-discord-planned", &format!("{waits}\n{question}").replace("(edited) ", ""));
    assert!(ground.discord.messages("incidents").is_empty(), "planned work has no card of its own");

    let support = of_support(&ground, "Planned work waits").await;
    ground.press("sue", &support, "I am Support, I know").await;
    let known = ground.discord.until_says(REBUILT, "sue acknowledged for support").await;
    assert!(known.is_silent && known.pings.is_empty(), "{known}");
    let told = |it: &Discord| {
        it.messages("ops").into_iter().find(|seen| seen.id == offered.id && seen.says("done by sue"))
    };
    ground.discord.until_within("the card says so", Duration::from_mins(1), told).await;
    ground.discord.assert_clean();
}

/// Time goes on, a second after the other, until this is seen.
async fn in_time<T>(ground: &Ground, clock: &Clock, what: &str, look: impl Fn(&Discord) -> Option<T>) -> T {
    for _ in 0..1_200 {
        if let Some(seen) = look(&ground.discord) {
            return seen;
        }
        clock.advance(Duration::from_secs(1));
        Clock::System.after(Duration::from_millis(10)).await;
    }
    panic!("{what}:\n{}\n{}", ground.discord.shows("incidents"), ground.discord.shows("support"));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_time_is_over_and_who_owes_it_is_pinged_in_the_thread() {
    let clock = Clock::moved(NIGHT.parse().unwrap());
    let ground = by(clock.clone()).await;
    opened(&ground).await;
    let said = |thread: &str, says: &str| {
        let (thread, says) = (thread.to_owned(), says.to_owned());
        move |it: &Discord| it.messages(&thread).into_iter().find(|seen| seen.says(&says))
    };
    ground.discord.until("Support's thread", |it| it.threads("support").first().cloned()).await;
    // News ping nobody.
    let news = "/incident update incident=inc-1 for=support text=\"we have found what it is\"";
    private(ground.person("ana").types(news).unwrap(), "ana").await;
    let news = in_time(&ground, &clock, "news", said(SUPPORT, "we have found")).await;
    assert!(news.pings.is_empty(), "{news}");

    let reminded = in_time(&ground, &clock, "a reminder", said(SUPPORT, "Half of the time")).await;

    assert_eq!(reminded.pings, ["sue"]);
    assert!(reminded.says("[I am Support, I know|success]"), "{reminded}");
    // Who is to take command is pointed at that, and has nothing to acknowledge.
    let owed = in_time(&ground, &clock, "a reminder of cleo", said(THREAD, "Half of the time")).await;
    assert_eq!(owed.pings, ["cleo"]);
    assert!(owed.button("Acknowledge").is_none(), "{owed}");
}

/// Somebody says something of the incident at the console.
async fn on_the_console(ground: &Ground, name: &str, says: Says) {
    let speaker = Speaker { person: Person::new(name), account: name.to_owned(), door: Door::Console };
    ground.bot().engine.incidents().say(&speaker, IncidentId(1), says).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_discord_is_away_notices_wait_and_afterwards_it_is_summed_up_once() {
    let clock = Clock::moved(NIGHT.parse().unwrap());
    let ground = by(clock.clone()).await;
    let (card, support) = opened(&ground).await;
    in_time(&ground, &clock, "all is told", |it| {
        let told = it.messages(THREAD).iter().any(|seen| seen.says("opened sev1"));
        (told && !it.threads("support").is_empty()).then_some(())
    })
    .await;
    let places = ["incidents", "support", "ops", THREAD, SUPPORT];
    let all = || places.iter().flat_map(|place| ground.discord.messages(place)).collect::<Vec<Seen>>();
    let before: Vec<u64> = all().iter().map(|seen| seen.id).collect();
    for method in ["POST", "PATCH"] {
        ground.discord.fails(1_000_000, method, "/messages", Fault::Status(503));
    }

    let take = Says::Take { part: Part::Commander, person: Person::new("cleo").unwrap() };
    on_the_console(&ground, "cleo", take).await;
    let (text, for_support) = ("pg1 hangs, pg2 takes over".to_owned(), false);
    on_the_console(&ground, "cleo", Says::Update { text, for_support }).await;
    // Half of what Support has is over: they are reminded, which cannot leave.
    let waits = |_: &Discord| {
        let incident = incident(&ground);
        let mut notices = incident.notices.iter();
        let waits = notices.any(|it| matches!(it.about, About::Reminder(1)) && it.attempts > 0);
        waits.then(|| ground.bot().engine.view().incident_entries(IncidentId(1)).unwrap())
    };
    let entries = in_time(&ground, &clock, "a reminder waits", waits).await;
    let why = entries.iter().filter_map(|entry| entry.data["why"].as_str());
    assert!(why.clone().any(|why| why.contains("503")), "{:?}", why.collect::<Vec<_>>());
    on_the_console(&ground, "sue", Says::Acknowledge { how: "console".to_owned() }).await;
    // An attempt that is under way just then would be taken by a Discord that is well again.
    let is_dropped = |_: &Discord| {
        let incident = incident(&ground);
        let mut of_support = incident.notices.iter().filter(|it| it.about.obligation() == Some(1));
        of_support.all(|it| !it.delivery.is_open()).then_some(())
    };
    in_time(&ground, &clock, "nothing more is sent to sue", is_dropped).await;
    assert_eq!(all().len(), before.len(), "nothing gets there");
    ground.discord.heals();

    let away = |it: &Discord| it.messages(THREAD).into_iter().find(|seen| seen.says("Chat was away"));
    let summary = in_time(&ground, &clock, "it is summed up", away).await;
    let edited = |it: &Discord| {
        let card = it.messages("incidents").into_iter().find(|seen| seen.id == card.id)?;
        let support = it.messages("support").into_iter().find(|seen| seen.id == support.id)?;
        (card.says("cleo commands") && !support.says("I am Support, I know|")).then_some(card)
    };
    in_time(&ground, &clock, "both cards are as they should be", edited).await;
    // What waited to be sent has had its time.
    let rests = |_: &Discord| {
        let incident = incident(&ground);
        (!incident.notices.iter().any(|it| it.delivery.is_open())).then_some(())
    };
    in_time(&ground, &clock, "all notices have left or need not", rests).await;
    for said in ["cleo is commander", "pg2 takes over", "sue acknowledged"] {
        assert!(summary.says(said), "{summary}");
    }
    assert!(summary.is_silent && summary.pings.is_empty(), "{summary}");
    let new: Vec<Seen> = all().into_iter().filter(|seen| !before.contains(&seen.id)).collect();
    let summaries = new.iter().filter(|seen| seen.says("Chat was away")).count();
    assert_eq!(summaries, 1, "{}", ground.discord.shows(THREAD));
    assert!(!summary.says("503"), "that something is tried again is no news: {summary}");
    // Nobody of the owner has answered, so that cleo was called; sue has, and is asked nothing.
    let open = incident(&ground).obligations.iter().any(|it| it.is_open() && it.owed == Owed::Acknowledged);
    let pinged: BTreeSet<String> = new.iter().flat_map(|seen| seen.pings.clone()).collect();
    assert!(open && pinged == BTreeSet::from(["cleo".to_owned()]), "what is still open pings: {new:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_customers_say_joins_the_incident_by_a_button_or_makes_one_by_a_command() {
    let ground = ready().await;
    let (_, support) = opened(&ground).await;

    let form = ground.person("sue").presses(&support, "Customers report…").unwrap().modal().await;
    assert_eq!(form.title, "inc-1: customers report");
    let reply = form.submit(&[("said", "Three shops get an error after paying")]).unwrap().reply().await;
    assert!(reply.only_for.is_some() && reply.says("the 1st report of inc-1"), "{reply}");
    ground.discord.until_says(THREAD, "sue reports").await;
    let line = "/report of=orders text=\"@everyone the market hall too\"";
    let reply = private(ground.person("sue").types(line).unwrap(), "sue").await;
    assert!(reply.says("the 2nd report of inc-1"), "{reply}");
    assert_eq!(incident(&ground).reports.len(), 2);

    let line = "/report of=billing text=\"no invoice came\"";
    let reply = private(ground.person("sue").types(line).unwrap(), "sue").await;
    assert!(reply.says("1 of 3"), "{reply}");
    let listed = private(ground.person("ana").types("/reports").unwrap(), "ana").await;
    assert!(listed.says("no invoice came") && listed.says("waits for others"), "{listed}");
    ground.discord.until_says(THREAD, "the market hall too").await;
    let all = ground.discord.messages("incidents").into_iter().chain(ground.discord.messages(THREAD));
    for seen in all {
        assert!(!seen.pings.contains(&"everyone".to_owned()), "{seen}");
    }
    for seen in ground.discord.messages("support") {
        assert!(!seen.says("market hall") && !seen.says("Three shops"), "{seen}");
    }
    ground.discord.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_customers_read_is_what_was_drafted_and_who_may_not_say_it_does_not() {
    let ground = ready().await;
    let (card, _) = opened(&ground).await;

    let refused = ground.press("uma", &card, "Acknowledge").await;
    assert!(refused.says("code:"), "{refused}");
    assert!(incident(&ground).acknowledged.is_none());

    let draft = "/incident draft incident=inc-1 text=\"Orders cannot be placed now. News by 04:00.\"";
    private(ground.person("ana").types(draft).unwrap(), "ana").await;
    let read = ground.discord.until_says("incidents", "News by 04:00").await;
    let draft = "/incident draft incident=inc-1 text=\"Orders cannot be placed now. News by 05:00.\"";
    private(ground.person("ana").types(draft).unwrap(), "ana").await;
    let card = ground.discord.until_says("incidents", "News by 05:00").await;

    let late = private(ground.person("ana").presses_as_seen(&read, "Publish draft").unwrap(), "ana").await;
    assert!(late.says("draft-changed") && late.says("News by 05:00"), "{late}");
    let asked = ground.person("ana").types("/incident publish incident=inc-1").unwrap();
    let asked = private(asked, "ana").await;
    assert!(asked.says("Nothing is published yet") && asked.says("[Publish draft|"), "{asked}");
    assert!(incident(&ground).published.is_empty());
    ground.press("ana", &card, "Publish draft").await;

    let published = incident(&ground).published.clone();
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].text, "Orders cannot be placed now. News by 05:00.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_gives_nobody_a_word_that_the_policy_gives_to_others() {
    let ground =
        ready_with("\nincidents: { publish: [support], resolve: [commander], waive: [commander] }\n").await;
    let (card, _) = opened(&ground).await;

    for (who, label) in [("ana", "Publish draft"), ("ben", "Take command")] {
        let refused = ground.press(who, &card, label).await;
        assert!(refused.says("code: no-role"), "{who} {label}: {refused}");
    }
    let resolve = || ground.person("ben").types("/incident resolve incident=inc-1").unwrap();
    let refused = private(resolve(), "ben").await;
    assert!(refused.says("code: no-role"), "{refused}");
    assert!(incident(&ground).published.is_empty() && incident(&ground).parts.is_empty());

    let done = ground.press("cleo", &card, "Take command").await;
    assert!(!done.says("code:"), "{done}");
    let hands_on = "/incident take part=commander incident=inc-1 person=ana";
    private(ground.person("cleo").types(hands_on).unwrap(), "cleo").await;
    ground.discord.until_says(THREAD, "cleo has made you commander").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_says_so_everywhere_and_pings_its_participants_alone() {
    let ground = ready().await;
    let line = "/incident open severity=sev1 text=\"what if orders hang\" service=orders drill=ben";
    private(ground.person("ana").types(line).unwrap(), "ana").await;

    let card = ground.discord.until_says("incidents", "[Take command|primary]").await;
    assert!(card.text().contains("DRILL"), "{card}");
    assert!(card.button("Publish draft").is_none(), "nothing of it goes to customers");
    let refused = ground.press("cleo", &card, "Acknowledge").await;
    assert!(refused.says("code:"), "{refused}");
    ground.press("ben", &card, "Acknowledge").await;

    let all: Vec<Seen> =
        ["incidents", "ops", "support"].iter().flat_map(|name| ground.discord.messages(name)).collect();
    let pinged: Vec<&String> = all.iter().flat_map(|seen| &seen.pings).collect();
    assert!(pinged.iter().all(|name| ["ana", "ben"].contains(&name.as_str())), "{pinged:?}");
    let begins = |seen: &Seen| seen.content.starts_with(r"\[DRILL\] ");
    assert!(all.iter().all(begins), "{}", ground.discord.shows("incidents"));
    assert!(all.iter().all(|seen| seen.text().contains("DRILL")), "{}", ground.discord.shows("incidents"));
    assert!(ground.discord.messages("support").is_empty(), "{}", ground.discord.shows("support"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_the_same_card_goes_on() {
    let mut ground = ready().await;
    let (card, support) = opened(&ground).await;
    ground.discord.until_says(THREAD, "opened sev1").await;

    ground.dies();
    // Discord forgets which messages it had.
    ground.discord.passes(Duration::from_mins(20));
    again(&mut ground).await;
    private(ground.person("ana").types("/incident take incident=inc-1 part=commander").unwrap(), "ana").await;

    let edited = ground.discord.until_says("incidents", "ana commands").await;
    assert_eq!(edited.id, card.id);
    let titles = |channel: &str, says: &str| {
        let all = ground.discord.messages(channel);
        all.into_iter().filter(|seen| seen.says(says)).count()
    };
    assert_eq!(titles("incidents", "Post update"), 1, "{}", ground.discord.shows("incidents"));
    assert_eq!(titles("support", "Customers report"), 1, "{}", ground.discord.shows("support"));
    assert_eq!(of_support(&ground, "inc-1").await.id, support.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_may_have_come_is_not_shown_twice() {
    use steadyhand::incident::input::Answer;
    use steadyhand::incident::model::{Audience, Severity};
    use steadyhand::notify::{Kind, Letter};
    use steadyhand::wording::notice::Words;

    let ground = ready().await;
    let letter = |may_repeat: bool| Letter {
        key: "abcdefghijklmnopqrstuv".to_owned(),
        incident: IncidentId(7),
        severity: Severity::Sev1,
        audience: Audience::Operator,
        kind: Kind::Page,
        words: Words {
            subject: "inc-7 Orders".to_owned(),
            title: "sev1: Orders".to_owned(),
            text: "Look.".to_owned(),
        },
        answers: vec![("I know".to_owned(), "https://bot.example/answer/x".to_owned())],
        to: Person::new("ana"),
        address: ground.person("ana").id().to_string(),
        drill: false,
        may_repeat,
    };
    let (room, channel) = (ground.bot().chat.room(), ground.discord.channel_id("incidents").to_string());

    let first = room.show(&channel, &letter(false)).await;
    // Discord forgets a nonce within some minutes.
    ground.discord.passes(Duration::from_mins(20));
    let second = room.show(&channel, &letter(true)).await;

    assert!(matches!(first, Answer::Accepted(Some(_))), "{first:?}");
    assert_eq!(first, second);
    let shown = ground.discord.messages("incidents");
    assert_eq!(shown.len(), 1, "{}", ground.discord.shows("incidents"));
    assert_eq!(shown[0].pings, ["ana"]);
    assert!(!shown[0].says("bot.example"), "a channel is read by many");
}
