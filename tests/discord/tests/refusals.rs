//! Bodies that the real Discord refuses, and some that it only ignores.

use discord::Discord;
use serde_json::{Value, json};

use crate::rest::Caller;

/// The places of the mistakes that a body is refused for.
async fn mistakes(caller: &Caller, method: &str, path: &str, body: Value) -> Vec<String> {
    let (status, answer) = caller.call(method, path, body).await;
    if status < 400 {
        return vec!["accepted".to_owned()];
    }
    assert_eq!(answer["code"], 50035, "{answer}");
    let mut found = Vec::new();
    places(&answer["errors"], "", &mut found);
    found
}

fn places(errors: &Value, path: &str, found: &mut Vec<String>) {
    for (name, below) in errors.as_object().into_iter().flatten() {
        if name == "_errors" {
            let codes = below.as_array().into_iter().flatten();
            found
                .extend(codes.map(|it| format!("{path} {}", it["code"].as_str().unwrap()).trim().to_owned()));
        } else {
            places(below, format!("{path}.{name}").trim_start_matches('.'), found);
        }
    }
}

fn long(length: usize) -> String {
    "x".repeat(length)
}

#[tokio::test]
async fn messages_and_embeds_have_limits() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));
    let embed = |embed: Value| json!({"embeds": [embed]});
    let field = json!({"name": "x", "value": "x"});
    let four: Vec<Value> = (0..4).map(|_| json!({"description": long(1_600)})).collect();

    for (body, wanted) in [
        (json!({"content": long(2_000)}), "accepted"),
        (json!({"content": long(2_001)}), "content BASE_TYPE_MAX_LENGTH"),
        (json!({"content": "🙂".repeat(1_001)}), "content BASE_TYPE_MAX_LENGTH"),
        (json!({"content": 7}), "content STRING_TYPE_CONVERT"),
        (json!({"content": "x", "colour": 1}), "colour UNKNOWN_FIELD"),
        (json!({"content": "x", "tts": "no"}), "tts BOOLEAN_TYPE_CONVERT"),
        (json!({"content": "x", "flags": 64}), "flags BITFIELD_TYPE_INVALID"),
        (json!({"content": "x", "flags": 4096 | 4}), "accepted"),
        (json!({"content": "x", "nonce": long(26)}), "nonce BASE_TYPE_MAX_LENGTH"),
        (json!({"content": "x", "enforce_nonce": true}), "nonce BASE_TYPE_REQUIRED"),
        (
            json!({"content": "x", "message_reference": {"message_id": "1"}}),
            "message_reference MESSAGE_REFERENCE_UNKNOWN_MESSAGE",
        ),
        (
            json!({"content": "x", "message_reference": {"message_id": "1", "fail_if_not_exists": false}}),
            "accepted",
        ),
        (
            json!({"content": "x", "allowed_mentions": {"parse": ["user"]}}),
            "allowed_mentions.parse.0 BASE_TYPE_CHOICES",
        ),
        (
            json!({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}),
            "allowed_mentions MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
        (json!({"embeds": vec![json!({"title": "x"}); 11]}), "embeds BASE_TYPE_BAD_LENGTH"),
        (json!({"embeds": four}), "embeds MAX_EMBED_SIZE_EXCEEDED"),
        (embed(json!({"title": long(257)})), "embeds.0.title BASE_TYPE_MAX_LENGTH"),
        (embed(json!({"description": long(4_097)})), "embeds.0.description BASE_TYPE_MAX_LENGTH"),
        (embed(json!({"fields": vec![field.clone(); 26]})), "embeds.0.fields BASE_TYPE_BAD_LENGTH"),
        (
            embed(json!({"fields": [{"name": long(257), "value": "x"}]})),
            "embeds.0.fields.0.name BASE_TYPE_BAD_LENGTH",
        ),
        (
            embed(json!({"fields": [{"name": "x", "value": long(1_025)}]})),
            "embeds.0.fields.0.value BASE_TYPE_BAD_LENGTH",
        ),
        (
            embed(json!({"fields": [{"name": "x", "value": ""}]})),
            "embeds.0.fields.0.value BASE_TYPE_BAD_LENGTH",
        ),
        (
            embed(json!({"title": "x", "footer": {"text": long(2_049)}})),
            "embeds.0.footer.text BASE_TYPE_BAD_LENGTH",
        ),
        (embed(json!({"title": "x", "color": 0x0100_0000})), "embeds.0.color NUMBER_TYPE_RANGE"),
        (embed(json!({"title": "x", "url": "orders"})), "embeds.0.url URL_TYPE_INVALID_URL"),
        (embed(json!({"title": "x", "timestamp": "now"})), "embeds.0.timestamp DATE_TIME_TYPE_PARSE"),
        (
            embed(json!({"title": "x", "image": {"url": "attachment://a.png"}})),
            "embeds.0.image.url ATTACHMENT_NOT_FOUND",
        ),
        (embed(json!({"titel": "x"})), "embeds.0 BASE_TYPE_REQUIRED embeds.0.titel UNKNOWN_FIELD"),
    ] {
        let found = mistakes(&caller, "POST", &path, body.clone()).await;
        assert_eq!(found.join(" "), wanted, "{body}");
    }
    assert_eq!(caller.refused("POST", &path, json!({})).await, (400, 50006));
    assert_eq!(caller.refused("POST", &path, json!({"content": " \n"})).await, (400, 50006));
}

#[tokio::test]
async fn buttons_have_limits() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/channels/{}/messages", discord.channel_id("ops"));
    let button = |id: &str| json!({"type": 2, "style": 1, "label": "x", "custom_id": id});
    let row = |buttons: Vec<Value>| json!({"type": 1, "components": buttons});
    let under = |button: Value| json!({"content": "x", "components": [row(vec![button])]});

    for (body, wanted) in [
        (
            json!({"content": "x", "components": (0..6).map(|n| row(vec![button(&n.to_string())])).collect::<Vec<_>>()}),
            "components BASE_TYPE_BAD_LENGTH",
        ),
        (
            json!({"content": "x", "components": [row((0..6).map(|n| button(&n.to_string())).collect())]}),
            "components.0.components BASE_TYPE_BAD_LENGTH",
        ),
        (
            json!({"content": "x", "components": [button("a")]}),
            "components.0.components BASE_TYPE_REQUIRED components.0.custom_id UNKNOWN_FIELD components.0.label UNKNOWN_FIELD components.0.style UNKNOWN_FIELD components.0.type BASE_TYPE_CHOICES",
        ),
        (
            json!({"content": "x", "components": [row(vec![button("a"), button("a")])]}),
            "components.0.components.1.custom_id COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        (under(button(&long(101))), "components.0.components.0.custom_id BASE_TYPE_BAD_LENGTH"),
        (
            under(json!({"type": 2, "style": 1, "label": long(81), "custom_id": "a"})),
            "components.0.components.0.label BASE_TYPE_BAD_LENGTH",
        ),
        (
            under(json!({"type": 2, "style": 1, "custom_id": "a"})),
            "components.0.components.0 BUTTON_COMPONENT_INVALID_CONTENT",
        ),
        (
            under(json!({"type": 2, "style": 1, "label": "x"})),
            "components.0.components.0.custom_id BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
        ),
        (
            under(json!({"type": 2, "style": 5, "label": "x", "custom_id": "a"})),
            "components.0.components.0 BUTTON_COMPONENT_URL_REQUIRED",
        ),
        (under(json!({"type": 2, "style": 5, "label": "x", "url": "https://example.com"})), "accepted"),
        (under(json!({"type": 8, "custom_id": "a"})), "components.0.components.0.type BASE_TYPE_CHOICES"),
    ] {
        let found = mistakes(&caller, "POST", &path, body.clone()).await;
        assert_eq!(found.join(" "), wanted, "{body}");
    }
}

#[tokio::test]
async fn commands_have_limits() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    let path = format!("/applications/{}/commands", discord.application_id());
    let option = |name: &str| json!({"type": 3, "name": name, "description": "x"});
    let with = |options: Vec<Value>| json!([{"name": "run", "description": "x", "options": options}]);
    let many = |count: usize| -> Vec<Value> { (0..count).map(|n| option(&format!("o{n}"))).collect() };
    let one = |change: &dyn Fn(&mut Value)| {
        let mut one = option("a");
        change(&mut one);
        with(vec![one])
    };
    let choices = |choices: Value| one(&|it| it["choices"] = choices.clone());
    let sub = |options: Vec<Value>| json!({"type": 1, "name": "s", "description": "x", "options": options});
    let group = |options: Vec<Value>| json!({"type": 2, "name": "g", "description": "x", "options": options});

    for (body, wanted) in [
        (json!([{"name": "run", "description": "x"}]), "accepted"),
        (json!([{"name": "Run", "description": "x"}]), "0.name APPLICATION_COMMAND_INVALID_NAME"),
        (json!([{"name": "run it", "description": "x"}]), "0.name APPLICATION_COMMAND_INVALID_NAME"),
        (json!([{"name": long(33), "description": "x"}]), "0.name BASE_TYPE_BAD_LENGTH"),
        (json!([{"name": "run", "description": ""}]), "0.description BASE_TYPE_BAD_LENGTH"),
        (json!([{"name": "run", "description": long(101)}]), "0.description BASE_TYPE_BAD_LENGTH"),
        (json!([{"name": "run"}]), "0.description BASE_TYPE_REQUIRED"),
        (json!([{"name": "run", "description": "x", "hint": 1}]), "0.hint UNKNOWN_FIELD"),
        (json!([{"name": "run", "description": "x", "type": 2}]), "0.type BASE_TYPE_CHOICES"),
        (
            json!([{"name": "run", "description": "x"}, {"name": "run", "description": "y"}]),
            "1 APPLICATION_COMMANDS_DUPLICATE_NAME",
        ),
        (with(many(25)), "accepted"),
        (with(many(26)), "0.options BASE_TYPE_BAD_LENGTH"),
        (with(vec![option("Big")]), "0.options.0.name APPLICATION_COMMAND_INVALID_NAME"),
        (with(vec![option("a"), option("a")]), "0.options.1 APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"),
        (
            with(vec![option("a"), json!({"type": 3, "name": "b", "description": "x", "required": true})]),
            "0.options.1 APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
        ),
        (
            one(&|it| {
                it["autocomplete"] = json!(true);
                it["choices"] = json!([{"name": "x", "value": "x"}]);
            }),
            "0.options.0.autocomplete APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
        ),
        (
            choices((0..26).map(|n| json!({"name": n.to_string(), "value": "x"})).collect()),
            "0.options.0.choices BASE_TYPE_BAD_LENGTH",
        ),
        (
            choices(json!([{"name": long(101), "value": "x"}])),
            "0.options.0.choices.0.name BASE_TYPE_BAD_LENGTH",
        ),
        (
            choices(json!([{"name": "x", "value": 1}])),
            "0.options.0.choices.0.value APPLICATION_COMMAND_OPTIONS_CHOICE_VALUE",
        ),
        (
            one(&|it| it["min_value"] = json!(1)),
            "0.options.0.min_value APPLICATION_COMMAND_OPTIONS_FIELD_INVALID",
        ),
        (one(&|it| it["type"] = json!(12)), "0.options.0.type BASE_TYPE_CHOICES"),
        (with(vec![group(vec![sub(vec![option("a")])])]), "accepted"),
        (with(vec![sub(vec![]), option("a")]), "0.options APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"),
        (
            with(vec![sub(vec![sub(vec![])])]),
            "0.options.0.options.0.type APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
        ),
        (
            with(vec![group(vec![option("a")])]),
            "0.options.0.options.0.type APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
        ),
        (
            with(vec![group(vec![group(vec![])])]),
            "0.options.0.options.0.type APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
        ),
        (json!({"name": "run"}), "LIST_TYPE_CONVERT"),
    ] {
        let found = mistakes(&caller, "PUT", &path, body.clone()).await;
        assert_eq!(found.join(" "), wanted, "{body}");
    }
    let hundred_one: Vec<Value> =
        (0..101).map(|n| json!({"name": format!("c{n}"), "description": "x"})).collect();
    assert_eq!(caller.refused("PUT", &path, json!(hundred_one)).await, (400, 30032));
    let large: Vec<Value> = (0..25)
        .map(|n| {
            let choices: Vec<Value> = (0..4)
                .map(|c| json!({"name": format!("{}{c}", long(40)), "value": format!("{}{c}", long(50))}))
                .collect();
            json!({"type": 3, "name": format!("o{n}"), "description": "x", "choices": choices})
        })
        .collect();
    assert_eq!(mistakes(&caller, "PUT", &path, with(large)).await, ["0 APPLICATION_COMMAND_TOO_LARGE"]);
}

#[tokio::test]
async fn forms_have_limits() {
    let discord = Discord::start().await;
    let caller = Caller::new(&discord);
    caller.registers_ping(&discord).await;
    let asked = discord.person("ana").types("/ping").unwrap();
    let path = Caller::callback(&asked);
    let input = |change: &dyn Fn(&mut Value)| {
        let mut input = json!({"type": 4, "custom_id": "a", "style": 1, "label": "Why?"});
        change(&mut input);
        json!({"type": 1, "components": [input]})
    };
    let form =
        |rows: Vec<Value>| json!({"type": 9, "data": {"custom_id": "f", "title": "x", "components": rows}});
    let plain = || input(&|_| {});
    let named = |name: &str| input(&|it| it["custom_id"] = json!(name));

    for (body, wanted) in [
        (form(vec![]), "data.components BASE_TYPE_BAD_LENGTH"),
        (form((0..6).map(|n| named(&n.to_string())).collect()), "data.components BASE_TYPE_BAD_LENGTH"),
        (
            form(vec![plain(), plain()]),
            "data.components.1.components.0.custom_id COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        (
            form(vec![input(&|it| it["label"] = json!(long(46)))]),
            "data.components.0.components.0.label BASE_TYPE_BAD_LENGTH",
        ),
        (
            form(vec![input(&|it| it["placeholder"] = json!(long(101)))]),
            "data.components.0.components.0.placeholder BASE_TYPE_MAX_LENGTH",
        ),
        (
            form(vec![input(&|it| it["value"] = json!(long(4_001)))]),
            "data.components.0.components.0.value BASE_TYPE_MAX_LENGTH",
        ),
        (
            form(vec![input(&|it| it["type"] = json!(2))]),
            "data.components.0.components.0.type BASE_TYPE_CHOICES",
        ),
        (
            json!({"type": 9, "data": {"custom_id": "f", "title": long(46), "components": [plain()]}}),
            "data.title BASE_TYPE_BAD_LENGTH",
        ),
        (
            json!({"type": 9, "data": {"custom_id": "f", "title": "x", "components": [plain()], "content": "x"}}),
            "data.content UNKNOWN_FIELD",
        ),
        (json!({"type": 8, "data": {"choices": []}}), "type INTERACTION_RESPONSE_TYPE_INVALID"),
        (json!({"type": 7, "data": {"content": "x"}}), "type INTERACTION_RESPONSE_TYPE_INVALID"),
        (json!({"type": 4, "data": {"content": long(2_001)}}), "data.content BASE_TYPE_MAX_LENGTH"),
        (json!({"type": 5, "data": {"content": "soon"}}), "data.content UNKNOWN_FIELD"),
    ] {
        let found = mistakes(&caller, "POST", &path, body.clone()).await;
        assert_eq!(found, [wanted], "{body}");
    }
    assert!(asked.took().is_none(), "a refused response is none");
    assert_eq!(caller.call("POST", &path, form(vec![plain()])).await.0, 204);
}
