//! Whole conversations of people with a bot on serenity.

use std::time::Duration;

use discord::{Answer, Discord};
use insta::assert_snapshot;

use crate::bot::Bot;

#[tokio::test]
async fn a_run_from_command_to_thread() {
    let discord = Discord::start().await;
    let bot = Bot::start(&discord).await;
    let ana = discord.person("ana");

    let asked =
        ana.types("/run failover cluster=orders mode=\"the primary is dead\" count=2 who=ben").unwrap();
    assert!(matches!(asked.answer().await, Answer::Deferred { ephemeral: false } | Answer::Message(_)));
    let card = asked.reply().await;
    assert_snapshot!(card, @r"
    steadyhand
      @ana: failover of orders.
      | : offered · run 1   bar #0072B2
      | 1 step, usually 3 s
      | - 1 Fence
      |   pg1
      | _ run 1
      [Confirm|primary] [Why…|secondary] [Undo|danger|off]
      file plan.txt, 8 bytes
        one
        two
    ");
    assert!(ana.presses(&card, "Undo").unwrap_err().0.contains("is disabled"));
    assert!(ana.presses(&card, "Approve").unwrap_err().0.contains("no button"));

    let answer = ana.presses(&card, "Confirm").unwrap().answer().await;
    assert!(matches!(answer, Answer::Updated(_)), "{answer:?}");
    discord
        .until("the thread is archived", |it| (it.threads("ops") == ["run 1 (archived)"]).then_some(()))
        .await;
    assert_snapshot!(discord.shows("run 1"), @r"
    steadyhand (silent)
      step 1
    ");
    assert!(discord.shows("ops").contains("thread: run 1"));
    assert!(ana.presses(&card, "Confirm").unwrap_err().0.contains("no button"));

    let late = ana.presses_as_seen(&card, "Undo");
    assert!(late.is_err());
    let late = ana.forges_press(&card, "another").reply().await;
    assert_eq!(late.only_for.as_deref(), Some("ana"));
    assert!(!bot.heard().contains(&"UNKNOWN".to_owned()), "{:?}", bot.heard());
    assert!(asked.took().unwrap() < Duration::from_secs(3));
    discord.assert_clean();
}

#[tokio::test]
async fn a_form_is_filled_in_as_its_inputs_ask() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let ben = discord.person("ben");

    let form = ben.types("/form").unwrap().modal().await;
    assert_eq!(format!("{form:?}"), "form `Say why`: [Why?*: ]");
    assert!(form.submit(&[("reason", "short")]).unwrap_err().0.contains("10 to"));
    assert!(form.submit(&[]).unwrap_err().0.contains("must be filled in"));
    assert!(form.submit(&[("other", "x")]).unwrap_err().0.contains("no input"));
    let reply = form.submit(&[("Why?", "a good reason")]).unwrap().reply().await;

    assert_eq!(reply.content, "Because: a good reason");
    assert!(!discord.shows("ops").contains("good reason"), "what is ephemeral is private");
    assert!(ben.shows().contains("steadyhand (only ben sees it)\n  Because: a good reason"));
    assert!(!discord.person("ana").shows().contains("good reason"));
    discord.assert_clean();
}

#[tokio::test]
async fn a_button_opens_a_form_too() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let ben = discord.person("ben");
    let card = ben.types("/run failover cluster=orders").unwrap().reply().await;

    let form = ben.presses(&card, "Why…").unwrap().modal().await;
    let reply = form.submit(&[("reason", "because I can")]).unwrap().reply().await;

    assert_eq!(reply.content, "Because: because I can");
    discord.assert_clean();
}

#[tokio::test]
async fn completion_is_asked_of_the_bot() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let ana = discord.person("ana");

    let choices = ana.completes("run failover", "cluster", "o").unwrap().choices().await;

    assert_eq!(choices.iter().map(|choice| choice.name.as_str()).collect::<Vec<_>>(), ["orders"]);
    assert!(ana.completes("run failover", "mode", "o").unwrap_err().0.contains("no completion"));
}

#[tokio::test]
async fn a_client_lets_nobody_type_what_is_not_registered() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let ana = discord.person("ana");

    for (line, why) in [
        ("/fly", "there is no command /fly"),
        ("/run", "needs one of: failover"),
        ("/run landing", "no sub-command `landing`"),
        ("/run failover", "`cluster` is required"),
        ("/run failover cluster=a mode=wild", "`wild` is no choice of `mode`"),
        ("/run failover cluster=a count=10", "not a whole number"),
        ("/run failover cluster=a count=two", "not a whole number"),
        ("/run failover cluster=a who=nobody", "not a person"),
        ("/run failover cluster=a colour=red", "no option `colour`"),
        ("/run failover cluster=a cluster=b", "given twice"),
        ("/hidden", "not shown to ana"),
    ] {
        let refused = ana.types(line).map(|asked| asked.id()).unwrap_err();
        assert!(refused.0.contains(why), "{line}: {refused}");
    }
    let alone = ana.in_direct();
    assert!(alone.types("/secret").unwrap_err().0.contains("not shown here"));
    assert!(alone.types("/ping").is_ok());
    assert!(discord.person("adam").types("/hidden").is_ok(), "an administrator sees all commands");
    assert!(discord.person("ci").types("/ping").is_err(), "a bot has no client");
    assert!(discord.person("alerts").types("/ping").is_err(), "a webhook has no client");
    let card = ana.types("/run failover cluster=orders").unwrap().reply().await;
    assert!(discord.person("ci").presses(&card, "Confirm").is_err(), "a bot presses nothing");
    ana.leaves();
    assert!(
        ana.types("/ping").is_err() && ana.presses(&card, "Confirm").is_err() && ana.writes("bye").is_err()
    );
}

#[tokio::test]
async fn without_an_answer_an_interaction_fails_after_three_seconds() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let asked = discord.person("ana").types("/silent").unwrap();

    assert!(!asked.has_failed());
    discord.passes(Duration::from_secs(4));

    assert!(matches!(asked.answer().await, Answer::Failed));
    assert_eq!(asked.took(), None);
}

#[tokio::test]
async fn a_follow_up_comes_after_the_answer() {
    let discord = Discord::start().await;
    let _bot = Bot::start(&discord).await;
    let asked = discord.person("ana").types("/ping").unwrap();

    assert_eq!(asked.reply().await.content, "pong");
    let more = discord.until("the follow-up", |_| asked.follow_ups().pop()).await;
    assert_eq!(more.content, "and more");
}
