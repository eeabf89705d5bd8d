//! Requests by hand: who may ask, what is unknown, and how interactions are answered.

use std::time::Duration;

use discord::{Asked, Discord, Permission};
use serde_json::{Value, json};

/// Sends any request.
pub(crate) struct Caller {
    client: reqwest::Client,
    url: String,
    authorization: String,
    application: u64,
}

impl Caller {
    pub(crate) fn new(discord: &Discord) -> Self {
        Self {
            client: reqwest::Client::new(),
            url: format!("{}/api/v10", discord.url()),
            authorization: format!("Bot {}", discord.token()),
            application: discord.application_id(),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        self.client
            .request(method, format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Status and code of a refusal.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, u64) {
        let (status, answer) = self.call(method, path, body).await;
        (status, answer["code"].as_u64().unwrap_or_default())
    }

    pub(crate) async fn registers_ping(&self, discord: &Discord) {
        let path = format!("/applications/{}/guilds/{}/commands", self.application, discord.guild_id());
        let body = json!([{"name": "ping", "description": "x", "options": [
            {"type": 3, "name": "at", "description": "x", "autocomplete": true},
        ]}]);
        assert_eq!(self.call("PUT", &path, body).await.0, 200);
    }

    pub(crate) fn callback(asked: &Asked) -> String {
        let token = asked.payload()["token"].as_str().unwrap().to_owned();
        format!("/interactions/{}/{token}/callback", asked.id())
    }

    fn webhook(&self, asked: &Asked) -> String {
        format!("/webhooks/{}/{}", self.application, asked.payload()["token"].as_str().unwrap())
    }
}

#[tokio::test]
async fn who_has_no_token_is_refused() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let wrong = Caller { authorization: "Bot wrong".to_owned(), ..Caller::new(&discord) };
    let bare = Caller { authorization: discord.token(), ..Caller::new(&discord) };

    assert_eq!(wrong.refused("GET", "/users/@me", json!(null)).await, (401, 0));
    assert_eq!(bare.refused("GET", "/users/@me", json!(null)).await, (401, 0));
    assert_eq!(caller.call("GET", "/users/@me", json!(null)).await.0, 200);
    discord.revokes_token();
    assert_eq!(caller.refused("GET", "/users/@me", json!(null)).await, (401, 0));
    assert_eq!(discord.refusals().len(), 3);
}

#[tokio::test]
async fn what_is_unknown_is_said_so() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let ops = discord.channel_id("ops");
    let none = || json!(null);

    assert_eq!(caller.refused("GET", "/channels/1", none()).await, (404, 10003));
    assert_eq!(caller.refused("GET", &format!("/channels/{ops}/messages/1"), none()).await, (404, 10008));
    assert_eq!(caller.refused("GET", "/users/1", none()).await, (404, 10013));
    assert_eq!(caller.refused("GET", "/guilds/1", none()).await, (404, 10004));
    let hook = discord.person("alerts").id();
    let path = format!("/guilds/{}/members/{hook}", discord.guild_id());
    assert_eq!(caller.refused("GET", &path, none()).await, (404, 10007));
    assert_eq!(caller.refused("GET", "/channels/ops", none()).await, (400, 50035));
    assert_eq!(caller.refused("POST", "/interactions/1/x/callback", json!({"type": 5})).await, (404, 10062));
    assert!(discord.strangers().is_empty());

    assert_eq!(caller.refused("GET", &format!("/channels/{ops}/webhooks"), none()).await, (404, 0));
    assert_eq!(caller.refused("PUT", "/gateway", none()).await, (404, 0));
    let url = format!("{}/users/@me", discord.url());
    let old = reqwest::Client::new().get(url).header("authorization", &caller.authorization).send().await;
    assert_eq!(old.unwrap().status(), 404, "no version");
    let strangers: Vec<String> = discord.strangers().iter().map(|it| it.path.clone()).collect();
    assert_eq!(strangers, [&format!("/channels/{ops}/webhooks"), "/gateway", "/users/@me"]);
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));

    let broken = caller.request("POST", &path).header("content-type", "application/json").body("{");
    let broken: Value = broken.send().await.unwrap().json().await.unwrap();
    assert_eq!(broken["code"], 50109);
    let plain = caller.request("POST", &path).body("content=x").send().await.unwrap();
    let plain: Value = plain.json().await.unwrap();
    assert_eq!(plain["errors"]["_errors"][0]["code"], "CONTENT_TYPE_INVALID");
    let query = format!("{path}?wait=true");
    assert_eq!(caller.refused("POST", &query, json!({"content": "x"})).await, (400, 50035));
}

#[tokio::test]
async fn a_first_response_is_the_first_and_the_only_one() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    caller.registers_ping(&discord).await;
    let asked = discord.person("ana").types("/ping").unwrap();
    let (first, original) =
        (Caller::callback(&asked), format!("{}/messages/@original", caller.webhook(&asked)));
    let text = |text: &str| json!({"content": text});

    // Nothing can be edited before it, and nothing can follow.
    assert_eq!(caller.refused("PATCH", &original, text("x")).await, (404, 10015));
    assert_eq!(caller.refused("POST", &caller.webhook(&asked), text("x")).await, (404, 10015));
    let deferral = json!({"type": 5, "data": {"flags": 64}});
    let (status, told) = caller.call("POST", &format!("{first}?with_response=true"), deferral.clone()).await;
    assert_eq!((status, &told["interaction"]["response_message_ephemeral"]), (200, &json!(true)));
    assert_eq!(caller.refused("POST", &first, deferral).await, (400, 40060));
    let modal = json!({"type": 9, "data": {}});
    assert_eq!(caller.refused("POST", &first, modal).await, (400, 40060), "a form cannot follow a deferral");

    // The first follow-up takes the place of the deferred answer.
    assert_eq!(caller.call("POST", &caller.webhook(&asked), text("now")).await.0, 200);
    assert_eq!(asked.reply().await.content, "now");
    assert_eq!(asked.reply().await.only_for.as_deref(), Some("ana"));
    assert_eq!(caller.call("PATCH", &original, text("then")).await.1["content"], "then");
    let more = caller.call("POST", &caller.webhook(&asked), text("more")).await.1;
    let more = format!("{}/messages/{}", caller.webhook(&asked), more["id"].as_str().unwrap());
    assert_eq!(caller.call("PATCH", &more, text("more still")).await.0, 200);
    assert_eq!(caller.call("DELETE", &more, json!(null)).await.0, 204);
    assert_eq!(caller.refused("GET", &more, json!(null)).await, (404, 10008));
    assert_eq!(caller.call("DELETE", &original, json!(null)).await.0, 204);
    assert_eq!(caller.refused("PATCH", &original, text("x")).await, (404, 10008));
}

#[tokio::test]
async fn what_comes_too_late_is_refused() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    caller.registers_ping(&discord).await;
    let ana = discord.person("ana");
    let message = || json!({"type": 4, "data": {"content": "x"}});
    let (late, old) = (ana.types("/ping").unwrap(), ana.types("/ping").unwrap());
    assert_eq!(caller.call("POST", &Caller::callback(&old), message()).await.0, 204);

    discord.passes(Duration::from_secs(4));
    assert_eq!(caller.refused("POST", &Caller::callback(&late), message()).await, (404, 10062));
    assert!(late.has_failed() && !old.has_failed());
    let follow = json!({"content": "x"});
    assert_eq!(caller.refused("POST", &caller.webhook(&late), follow.clone()).await, (404, 10015));
    assert_eq!(caller.call("POST", &caller.webhook(&old), follow.clone()).await.0, 200);

    discord.passes(Duration::from_mins(15));
    assert_eq!(caller.refused("POST", &caller.webhook(&old), follow).await, (401, 50027));
}

#[tokio::test]
#[should_panic(expected = "a command was not answered in time")]
async fn what_nobody_answered_is_not_clean() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    caller.registers_ping(&discord).await;
    discord.waits_for_responses(Duration::from_secs(30));
    discord.person("ana").types("/ping").unwrap();
    discord.passes(Duration::from_secs(29));
    discord.assert_clean();

    discord.passes(Duration::from_secs(2));
    discord.assert_clean();
}

#[tokio::test]
async fn completions_are_held_against_their_option() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    caller.registers_ping(&discord).await;
    let asked = discord.person("ana").completes("ping", "at", "x").unwrap();
    let path = Caller::callback(&asked);
    let choices = |choices: Value| json!({"type": 8, "data": {"choices": choices}});
    let many: Vec<Value> = (0..26).map(|n| json!({"name": n.to_string(), "value": "x"})).collect();

    for wrong in [
        choices(json!(many)),
        choices(json!([{"name": "", "value": "x"}])),
        choices(json!([{"name": "x", "value": 1}])),
        choices(json!([{"name": "x", "value": "x".repeat(101)}])),
        json!({"type": 4, "data": {"content": "x"}}),
        json!({"type": 5}),
    ] {
        assert_eq!(caller.refused("POST", &path, wrong.clone()).await, (400, 50035), "{wrong}");
    }
    assert_eq!(caller.call("POST", &path, choices(json!([]))).await.0, 204);
    assert!(asked.choices().await.is_empty());
}

#[tokio::test]
async fn files_are_listed_and_kept() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));
    let send = async |path: &str, method: &str, payload: Value, files: &[(&'static str, &'static str)]| {
        let mut form = reqwest::multipart::Form::new().text("payload_json", payload.to_string());
        for (part, name) in files {
            form = form.part(*part, reqwest::multipart::Part::text(format!("in {name}")).file_name(*name));
        }
        let answer = caller.request(method, path).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let listed = |id: u64, name: &str| json!({"attachments": [{"id": id, "filename": name}]});

    assert_eq!(send(&path, "POST", json!({}), &[("files[0]", "a.txt")]).await.0, 400, "not listed");
    assert_eq!(
        send(&path, "POST", listed(1, "a.txt"), &[("files[0]", "a.txt")]).await.0,
        400,
        "no such number"
    );
    assert_eq!(send(&path, "POST", listed(0, "a.txt"), &[("file", "a.txt")]).await.0, 400, "another part");
    let (status, sent) = send(&path, "POST", listed(0, "plan.txt"), &[("files[0]", "a.txt")]).await;
    assert_eq!((status, &sent["attachments"][0]["filename"]), (200, &json!("plan.txt")));
    let url = sent["attachments"][0]["url"].as_str().unwrap();
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "in a.txt");

    // An edit keeps what it lists.
    let kept = sent["attachments"][0]["id"].clone();
    let edit = format!("{path}/{}", sent["id"].as_str().unwrap());
    let both = json!({"attachments": [{"id": kept}, {"id": 0, "filename": "b.txt"}]});
    let edited = send(&edit, "PATCH", both, &[("files[0]", "b.txt")]).await.1;
    assert_eq!(edited["attachments"].as_array().unwrap().len(), 2);
    assert_eq!(discord.newest("ops").unwrap().files[1].text(), Some("in b.txt"));
    let untouched = caller.call("PATCH", &edit, json!({"content": "x"})).await.1;
    assert_eq!(untouched["attachments"].as_array().unwrap().len(), 2);
    let none = caller.call("PATCH", &edit, json!({"attachments": []})).await.1;
    assert_eq!(none["attachments"], json!([]));
    discord.takes_right("ops", Permission::AttachFiles);
    assert_eq!(send(&path, "POST", listed(0, "a.txt"), &[("files[0]", "a.txt")]).await.0, 403);
}

#[tokio::test]
async fn messages_are_listed_by_pages() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));
    for number in 0..5 {
        discord.person("ana").writes(&number.to_string()).unwrap();
    }
    let page = async |query: String| {
        let (status, page) = caller.call("GET", &format!("{path}?{query}"), json!(null)).await;
        let texts =
            page.as_array().into_iter().flatten().map(|it| it["content"].as_str().unwrap().to_owned());
        (status, texts.collect::<Vec<_>>().join(" "))
    };
    let id = |at: usize| discord.messages("ops")[at].id;

    assert_eq!(page("limit=2".to_owned()).await.1, "4 3");
    assert_eq!(page(format!("before={}&limit=2", id(3))).await.1, "2 1");
    assert_eq!(page(format!("after={}&limit=2", id(1))).await.1, "3 2");
    assert_eq!(page(format!("around={}&limit=3", id(2))).await.1.len(), 5);
    assert_eq!(page("limit=101".to_owned()).await.0, 400);
    assert_eq!(page(format!("before={0}&after={0}", id(1))).await.0, 400);
    assert_eq!(page("page=2".to_owned()).await.0, 400);
}

#[tokio::test]
async fn a_nonce_removes_repeats_for_some_minutes() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));
    let body = || json!({"content": "once", "nonce": "n-1", "enforce_nonce": true});

    let first = caller.call("POST", &path, body()).await.1;
    let again = caller.call("POST", &path, body()).await.1;
    assert_eq!(first["id"], again["id"]);
    assert_eq!(discord.messages("ops").len(), 1);

    discord.passes(Duration::from_mins(6));
    caller.call("POST", &path, body()).await;
    assert_eq!(discord.messages("ops").len(), 2);
}

#[tokio::test]
async fn who_is_pinged_follows_allowed_mentions() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));
    let (ana, ben, dba) = (discord.person("ana").id(), discord.person("ben").id(), discord.role_id("dba"));
    let content = format!("<@{ana}> <@{ben}> <@&{dba}> @everyone");
    let pings = async |mentions: Value| {
        let mut body = json!({"content": content});
        if !mentions.is_null() {
            body["allowed_mentions"] = mentions;
        }
        assert_eq!(caller.call("POST", &path, body).await.0, 200);
        discord.newest("ops").unwrap().pings.join(" ")
    };

    assert_eq!(pings(json!(null)).await, "ana ben @dba @everyone");
    assert_eq!(pings(json!({"parse": []})).await, "");
    assert_eq!(pings(json!({"parse": [], "users": [ana.to_string()]})).await, "ana");
    assert_eq!(pings(json!({"parse": ["roles"]})).await, "@dba");
    assert_eq!(discord.open_mentions().len(), 2, "the first and the last");
    assert_eq!(discord.newest("ops").unwrap().content, "@ana @ben @dba @everyone");
}
