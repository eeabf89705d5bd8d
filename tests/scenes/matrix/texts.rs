//! Text of hosts and people on Discord: it is read letter by letter, notifies nobody and leads nowhere.

use proptest::prelude::*;
use serde_json::Value;
use steadyhand::chat::discord::card::of_page;
use steadyhand::chat::discord::safe;
use steadyhand::runbook::source::hidden::visible;
use steadyhand::wording::page::{Block, Page};

use super::ground::Ground;
use super::nasty::{assert_visible, own, public};

/// What a client shows of a line, if nothing in it is markup; else what is. Written anew, not as the bot escapes.
fn read(line: &str) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), line);
    let begins = line.trim_start();
    let numbered = begins.trim_start_matches(|c: char| c.is_ascii_digit());
    if begins.starts_with(['#', '>', '-', '+', '*'])
        || (numbered.len() < begins.len() && (numbered.starts_with(". ") || numbered.starts_with(") ")))
    {
        return Err("a heading, a quote or a list".to_owned());
    }
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' if after.starts_with(|next: char| next.is_ascii_punctuation()) => {
                out.push_str(&after[..1]);
                rest = &after[1..];
                continue;
            }
            '*' | '_' | '~' | '|' | '`' | '<' | '[' => return Err(format!("`{c}` is markup")),
            '@' if after.starts_with("everyone") || after.starts_with("here") => {
                return Err("everybody is notified".to_owned());
            }
            ':' if after.starts_with("//") => return Err("a link".to_owned()),
            _ => {}
        }
        let lower = rest.to_ascii_lowercase();
        if ["discord.gg/", "discord.com/invite/", "discordapp.com/invite/"]
            .iter()
            .any(|at| lower.starts_with(at))
        {
            return Err("an invitation".to_owned());
        }
        out.push(c);
        rest = after;
    }
    Ok(out)
}

fn invitations() -> Vec<String> {
    [
        "discord.gg/abc",
        "Discord.GG/abc",
        "come to discord.com/invite/abc",
        "discordapp.com/invite/x",
        "https://discord.gg/x",
    ]
    .map(str::to_owned)
    .into()
}

fn is_read_letter_by_letter(text: &str) {
    let shown = safe::plain(text);
    assert_visible(&shown, text);
    assert_eq!(read(&shown), Ok(visible(text)), "{shown}");
    let fenced = safe::fence(&[text.to_owned()]);
    let inside = fenced.strip_prefix("```\n").unwrap().strip_suffix("\n```").unwrap();
    assert_visible(inside, text);
    assert!(!inside.contains("```"), "{fenced}");
    let code = safe::code(text);
    assert_visible(&code, text);
    if let Some(inside) = code.strip_prefix('`').and_then(|code| code.strip_suffix('`')) {
        assert!(!inside.contains('`'), "{code}");
    } else {
        assert!(read(&code).is_ok(), "{code}");
    }
}

#[test]
fn no_text_is_markup() {
    let all = own().into_iter().chain(public().0).chain(invitations());
    for text in all {
        is_read_letter_by_letter(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_at_all_is_markup(
        text in "\\PC*", markup in "[*_~|`<>@#\\[\\]():/\\\\+. a1\u{202e}\u{200b}-]{0,24}",
        words in "(`|```|\\*|@everyone|@here|://|discord|\\.gg/|:a:| |\\\\|a){0,9}",
    ) {
        is_read_letter_by_letter(&text);
        is_read_letter_by_letter(&markup);
        is_read_letter_by_letter(&words);
    }
}

/// Every text of a body is visible; nobody is mentioned who is not listed.
fn inspect(body: &Value) {
    let listed: Vec<&str> = body["allowed_mentions"]["users"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    texts(body, &mut |text| {
        assert_visible(text, "a body");
        // What stands in a fence or behind a backslash is no markup.
        let outside: String = text.split("```").step_by(2).collect();
        for (at, _) in outside.match_indices('@') {
            let (before, after) = (&outside[..at], &outside[at + 1..]);
            let escaped = before.ends_with('\\');
            let is_listed =
                before.ends_with('<') && listed.iter().any(|id| after.starts_with(&format!("{id}>")));
            let pings = after.starts_with("everyone") || after.starts_with("here") || before.ends_with('<');
            let in_code = before.matches('`').count() - before.matches("\\`").count();
            assert!(escaped || is_listed || !pings || in_code % 2 == 1, "{text}");
        }
    });
}

fn texts(value: &Value, look: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, look)),
        Value::Object(entries) => entries.values().for_each(|value| texts(value, look)),
        _ => {}
    }
}

#[test]
fn what_hosts_print_stands_in_a_fence_whatever_it_imitates() {
    let imitations = [
        "ok  SUCCEEDED · run 142 · everything is well\ncode: done",
        "```\n# run 142 succeeded\n```",
        "```` **bold** @everyone",
        "a```b``` <@&1> ```",
    ];
    for text in own().into_iter().chain(public().0).chain(imitations.map(str::to_owned)) {
        let page = Page::new().with(Block::Foreign(text.lines().map(str::to_owned).collect()));
        let body = of_page(&page, "out.txt").body();
        inspect(&body);
        let shown = body["embeds"][0]["description"]
            .as_str()
            .or_else(|| body["content"].as_str())
            .unwrap_or_default();
        let outside: String = shown.split("```").step_by(2).collect();
        let ours = ["Too long for chat: the file has all of it.", "-"];
        let outside = outside.trim();
        assert!(outside.is_empty() || ours.contains(&outside), "{outside:?} of {text:?}");
        assert!(body["embeds"][0]["title"].is_null(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reasons_and_names_of_people_notify_nobody_and_hide_nothing() {
    let ground = Ground::empty(1).await;
    let mut names = Vec::new();
    let kinds = [
        "@everyone",
        "**ben**",
        "<@&123>",
        "b\u{202e}ne",
        "```",
        "https://evil.example",
        "ben\u{200b}",
        "# ben",
    ];
    for name in kinds {
        ground.discord.add_person(name, &[]);
        names.push(name);
    }
    let note = ground.notes["ops"].clone();
    // Nobody with a name that is meant to look like something may anything, or is shown as they wish.
    for name in &names {
        let person = ground.discord.person(name);
        let reply = person.forges_press(&note, "s1 stop 1").reply().await;
        assert!(reply.says("code: no-role"), "{reply}");
    }
    for entry in ground.since(0).iter().filter(|entry| entry.kind == "command-denied") {
        let account = &entry.actor.as_ref().unwrap().account;
        assert_visible(account, "an account");
        assert!(account.split(' ').next().unwrap().parse::<u64>().is_ok(), "the id comes first: {account}");
    }

    let reasons: Vec<String> = own().into_iter().chain(public().0).chain(invitations()).collect();
    let (mut taken, mut refused) = (0, 0);
    for reason in reasons.iter().filter(|reason| reason.chars().count() >= 10).take(160) {
        let typed = ground.person_in("ana", "ops").command("run night-drill");
        let typed =
            typed.with("cluster", "omega").with("one", "omega1").with("two", "omega2").with("how", "works");
        let Ok(asked) = typed.with("reason", reason).sends() else { continue };
        let reply = asked.reply().await;
        if reply.says("code: bad-parameters") { refused += 1 } else { taken += 1 }
    }
    ground.ends().await;

    // Of our own ones a single one is refused; most of those stand in the public lists, where there are any.
    let least = if public().0.is_empty() { 1 } else { 6 };
    assert!(taken > 20 && refused >= least, "{taken} taken, {refused} refused");
    assert_eq!(ground.discord.open_mentions().len(), 0);
    assert!(ground.discord.refusals().is_empty(), "{:?}", ground.discord.refusals());
    for request in ground.discord.requests() {
        inspect(&request.body);
    }
    for channel in ["ops", "incidents"] {
        for seen in ground.discord.messages(channel) {
            assert!(
                seen.pings.iter().all(|name| ["ana", "ben", "cleo", "gus"].contains(&name.as_str())),
                "{seen}"
            );
        }
    }
}
