//! Channels and threads, rights, messages of others.

use discord::{Discord, Permission};
use serde_json::{Value, json};

use crate::rest::Caller;

async fn thread(caller: &Caller, discord: &Discord) -> (String, String) {
    let ops = discord.channel_id("ops");
    let message =
        caller.call("POST", &format!("/channels/{ops}/messages"), json!({"content": "card"})).await.1;
    let path = format!("/channels/{ops}/messages/{}/threads", message["id"].as_str().unwrap());
    let (status, thread) = caller.call("POST", &path, json!({"name": "run 1"})).await;
    assert_eq!((status, &thread["id"]), (201, &message["id"]));
    (path, format!("/channels/{}", thread["id"].as_str().unwrap()))
}

#[tokio::test]
async fn a_message_has_one_thread() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let (again, path) = thread(&caller, &discord).await;

    assert_eq!(caller.refused("POST", &again, json!({"name": "run 1"})).await, (400, 160_004));
    let nested = format!("{path}/threads");
    assert_eq!(caller.refused("POST", &nested, json!({"name": "x", "type": 11})).await, (400, 50024));
    let ops = format!("/channels/{}/threads", discord.channel_id("ops"));
    for wrong in [
        json!({"name": "x".repeat(101), "type": 11}),
        json!({"name": "x"}),
        json!({"name": "x", "type": 11, "auto_archive_duration": 61}),
        json!({"name": "x", "type": 11, "message": {"content": "x"}}),
    ] {
        assert_eq!(caller.refused("POST", &ops, wrong.clone()).await, (400, 50035), "{wrong}");
    }
    assert_eq!(discord.threads("ops"), ["run 1"]);
}

#[tokio::test]
async fn an_archived_thread_wakes_and_a_locked_one_does_not() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let (_, path) = thread(&caller, &discord).await;
    let (write, line) = (format!("{path}/messages"), json!({"content": "step 1"}));
    let first = caller.call("POST", &write, line.clone()).await.1;
    let first = format!("{write}/{}", first["id"].as_str().unwrap());

    assert_eq!(caller.call("PATCH", &path, json!({"archived": true})).await.0, 200);
    assert_eq!(caller.refused("PATCH", &first, line.clone()).await, (400, 50083));
    assert_eq!(caller.refused("DELETE", &first, json!(null)).await, (400, 50083));
    assert_eq!(caller.refused("PATCH", &path, json!({"name": "run 2"})).await, (400, 50083));
    let ana = format!("{path}/thread-members/{}", discord.person("ana").id());
    assert_eq!(caller.refused("PUT", &ana, json!(null)).await, (400, 50083));
    assert_eq!(caller.call("POST", &write, line.clone()).await.0, 200, "writing opens it again");
    assert_eq!(discord.threads("ops"), ["run 1"]);
    assert_eq!(caller.call("PUT", &ana, json!(null)).await.0, 204);
    assert_eq!(discord.thread_members("run 1"), ["steadyhand", "ana"]);

    discord.passes(std::time::Duration::from_hours(25));
    assert_eq!(discord.threads("ops"), ["run 1 (archived)"], "nobody wrote for a day");
    let ops = format!("/channels/{}", discord.channel_id("ops"));
    let archived = caller.call("GET", &format!("{ops}/threads/archived/public"), json!(null)).await.1;
    assert_eq!(archived["threads"][0]["name"], "run 1");

    discord.archives_thread("run 1", true);
    discord.takes_right("ops", Permission::ManageThreads);
    assert_eq!(caller.refused("POST", &write, line).await, (400, 160_005));
    assert_eq!(caller.refused("PATCH", &path, json!({"locked": false})).await, (403, 50013));
}

#[tokio::test]
async fn rights_that_are_taken_are_missing() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let (begin, path) = thread(&caller, &discord).await;
    let ops = format!("/channels/{}", discord.channel_id("ops"));
    let own = begin.trim_end_matches("/threads").to_owned();
    let other = discord.person("ana").writes("mine").unwrap();
    let other = format!("{ops}/messages/{}", other.id);
    let card = || json!({"embeds": [{"title": "x"}]});
    let line = || json!({"content": "x"});

    for (right, method, path, body) in [
        (Permission::SendMessages, "POST", format!("{ops}/messages"), line()),
        (Permission::EmbedLinks, "POST", format!("{ops}/messages"), card()),
        (Permission::SendMessagesInThreads, "POST", format!("{path}/messages"), line()),
        (Permission::CreatePublicThreads, "POST", format!("{ops}/threads"), json!({"name": "y", "type": 11})),
        (Permission::ReadMessageHistory, "GET", format!("{ops}/messages"), json!(null)),
        (Permission::ManageMessages, "PUT", own.replace("/messages/", "/pins/"), json!(null)),
        (Permission::ManageMessages, "DELETE", other.clone(), json!(null)),
        (Permission::AddReactions, "PUT", format!("{own}/reactions/%F0%9F%91%8D/@me"), json!(null)),
    ] {
        discord.takes_right("ops", right);
        assert_eq!(caller.refused(method, &path, body.clone()).await, (403, 50013), "{right:?}");
        discord.gives_right("ops", right);
        let (status, answer) = caller.call(method, &path, body).await;
        assert!(status < 300, "{right:?}: {answer}");
    }
    discord.takes_right("ops", Permission::ViewChannel);
    assert_eq!(caller.refused("GET", &ops, json!(null)).await, (403, 50001));
    assert_eq!(caller.refused("POST", &format!("{path}/messages"), line()).await, (403, 50001));
    discord.gives_right("ops", Permission::ViewChannel);
    discord.removes_bot();
    assert_eq!(caller.refused("GET", &ops, json!(null)).await, (403, 50001));
    assert!(discord.person("ana").types("/ping").is_err());
}

#[tokio::test]
async fn what_others_wrote_is_theirs() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let mine = discord.person("ana").writes("mine").unwrap();
    let path = format!("/channels/{}/messages/{}", mine.channel, mine.id);

    assert_eq!(caller.refused("PATCH", &path, json!({"content": "yours"})).await, (403, 50005));
    assert!(discord.person("ben").edits(&mine, "ours").is_err());
    assert_eq!(discord.person("ana").edits(&mine, "still mine").unwrap().edits, 1);
    discord.deletes_channel("ops");
    assert_eq!(caller.refused("GET", &path, json!(null)).await, (404, 10003));
}

#[tokio::test]
async fn a_person_is_written_to_alone() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let to = |name: &str| json!({"recipient_id": discord.person(name).id().to_string()});

    let direct = caller.call("POST", "/users/@me/channels", to("ana")).await.1;
    let again = caller.call("POST", "/users/@me/channels", to("ana")).await.1;
    assert_eq!((&direct["id"], direct["type"].as_u64()), (&again["id"], Some(1)));
    assert_eq!(caller.refused("POST", "/users/@me/channels", to("ci")).await, (400, 50007));
    assert_eq!(
        caller.refused("POST", "/users/@me/channels", json!({"recipient_id": "1"})).await,
        (404, 10013)
    );
    let path = format!("/channels/{}/messages", direct["id"].as_str().unwrap());
    assert_eq!(caller.call("POST", &path, json!({"content": "you are on call"})).await.0, 200);
    assert_eq!(discord.person("ana").in_direct().sees()[0].content, "you are on call");
}

#[tokio::test]
async fn edits_of_a_message_are_counted() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let (begin, _) = thread(&caller, &discord).await;
    let path = begin.trim_end_matches("/threads");
    let edit = async |text: &str| {
        let (status, _): (u16, Value) = caller.call("PATCH", path, json!({"content": text})).await;
        assert_eq!(status, 200);
    };

    edit("1").await;
    discord.passes(std::time::Duration::from_secs(2));
    edit("2").await;
    assert_eq!(discord.most_edits_in_a_second(), 1);
    for text in ["3", "4", "5", "6"] {
        edit(text).await;
    }
    assert!(
        (2..=5).contains(&discord.most_edits_in_a_second()),
        "those of two seconds later are no more of it"
    );
}
