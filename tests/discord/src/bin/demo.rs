//! A failover by two people on Discord, played by itself: a Discord on loopback, the real bot, real hosts of a lab. What
//! each person sees is printed. `make demo-discord` starts the lab and ends it.

use std::fs;
use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use discord::{Discord, Seen};

/// Whatever is waited for takes no longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// A scene stands so long before the next one, where somebody watches.
const SCENE: Duration = Duration::from_secs(4);
/// Lines are no longer.
const WIDTH: usize = 92;
/// The folder of the lab, the program that hurts it, and the bot.
const USAGE: &str = "discord-demo LAB-FOLDER LAB BOT";

/// The bot; it ends with the story.
struct Bot {
    child: Child,
    config: PathBuf,
    program: String,
}

impl Drop for Bot {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // In an orderly way: it has last words on Discord.
        let asked = Command::new("kill").arg(&pid).status().is_ok_and(|status| status.success());
        if !asked {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, lab, program] = &arguments[..] else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    std::panic::set_hook(Box::new(|why| {
        let said = why.payload_as_str().unwrap_or("a fault in the demo itself");
        eprintln!("\nThe story failed: {said}");
    }));
    let folder = Path::new(folder);
    let log = folder.join("bot/serve.log");
    let story = tokio::spawn(story(folder.to_owned(), lab.clone(), program.clone()));
    if story.await.is_ok() {
        return ExitCode::SUCCESS;
    }
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    eprintln!("\nThe last lines of the bot's log:\n{}", lines[lines.len().saturating_sub(12)..].join("\n"));
    ExitCode::FAILURE
}

async fn story(folder: PathBuf, lab: String, program: String) {
    let discord = Discord::start().await;
    let bot = start(&folder, &program, &discord);
    discord.until_ready().await;
    let ana = discord.person("ana");
    let ben = discord.person("ben");

    scene("1", "The primary is gone. ana asks for a failover in #ops.").await;
    let killed = Command::new(lab).arg("--dir").arg(&folder).args(["kill", "pg1"]).output();
    assert!(killed.is_ok_and(|output| output.status.success()), "pg1 could not be killed");
    let line =
        "/run failover-database cluster=orders candidate=pg2 mode=dead reason=\"pg1 is gone since 03:05\"";
    types("ana", line);
    let asked = ana.types(line).expect("the command is offered");
    let offered = card(&discord, "Confirm…").await;
    shows(&asked.reply().await);
    shows(&offered);

    scene("2", "ana has read the plan, and types its token into the form.").await;
    presses("ana", "Confirm…");
    let form = ana.presses(&offered, "Confirm…").expect("the button is there").modal().await;
    println!("\n  only ana sees a form:\n  │ {}", form.title);
    for input in &form.inputs {
        println!("  │   {}: ______", input.label);
    }
    let token = token(&offered).expect("the card names the token");
    types("ana", &token);
    let confirmed = form.submit(&[("said", &token)]).expect("the form takes it");
    shows(&confirmed.reply().await);

    scene("3", "Somebody else must agree. ben is asked, in the thread of the run.").await;
    let thread = discord.threads("ops").pop().expect("the run has a thread");
    shows(&says(&discord, &thread, "approve").await);
    let approving = card(&discord, "Approve").await;
    presses("ben", "Approve");
    shows(&ben.presses(&approving, "Approve").expect("the button is there").reply().await);

    scene("4", "The run begins, and asks before it does what cannot be taken back.").await;
    let look = |discord: &Discord| {
        discord
            .messages(&thread)
            .into_iter()
            .rev()
            .find(|seen| seen.buttons().any(|button| !button.is_disabled))
    };
    let question = discord.until_within("a question in the thread", PATIENCE, look).await;
    shows(&question);
    let go_on = question.buttons().next().expect("it has answers").label.clone();
    presses("ana", &go_on);
    shows(&ana.in_channel(&thread).presses(&question, &go_on).expect("the button is there").reply().await);

    scene("5", "The same card, at the end; and what the thread has of it.").await;
    let done = card(&discord, "succeeded · run 1").await;
    assert_eq!(done.id, offered.id, "one card from start to end");
    shows(&done);
    says(&discord, &thread, "succeeded after").await;
    for seen in discord.messages(&thread).iter().filter(|seen| seen.cards.is_empty() && seen.pings.is_empty())
    {
        shows(seen);
    }

    scene("6", "The journal proves it.").await;
    println!("\n$ steadyhand journal verify");
    let verified =
        Command::new(&bot.program).arg("--config").arg(&bot.config).args(["journal", "verify"]).output();
    let verified = verified.expect("the bot can be started");
    print!("{}", String::from_utf8_lossy(&verified.stdout));
    assert!(verified.status.success(), "the journal does not hold");
    discord.assert_clean();
    let slowest =
        discord.first_responses().into_iter().filter_map(|(_, took)| took).max().unwrap_or_default();
    println!("\nThe slowest first response took {} ms; Discord waits for 3 s.", slowest.as_millis());
}

/// The policy with a door on this Discord, the token in a file, and the bot as a service.
fn start(folder: &Path, program: &str, discord: &Discord) -> Bot {
    let bot = folder.join("bot");
    let (policy, token) = (bot.join("policy.yaml"), bot.join("discord_token"));
    let mut text = fs::read_to_string(&policy).expect("the lab has a policy");
    for name in ["ana", "ben", "cleo", "sue"] {
        let with_id = format!("console: {name}, discord: \"{}\" }}", discord.person(name).id());
        text = text.replace(&format!("console: {name} }}"), &with_id);
    }
    let (server, channel) = (discord.guild_id(), discord.channel_id("ops"));
    let door = format!("console: {{}}, discord: {{ server: \"{server}\", channels: [\"{channel}\"] }}");
    fs::write(&policy, text.replace("doors: { console: {} }", &format!("doors: {{ {door} }}")))
        .expect("the policy can be written");
    fs::write(&token, discord.token()).expect("the token can be written");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("the token can be shut");
    let log = fs::File::create(bot.join("serve.log")).expect("the log can be written");
    let config = bot.join("steadyhand.toml");
    let mut command = Command::new(program);
    command.arg("--config").arg(&config).arg("serve");
    command.env("STEADYHAND_DISCORD_TOKEN", format!("file:{}", token.display()));
    command.env("STEADYHAND_DISCORD_API", discord.url()).env("STEADYHAND_SERVE_LISTEN", "127.0.0.1:0");
    // It is shown what people do, at any hour of the day.
    command.env("STEADYHAND_SERVE_TRIALS", "off");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let child = command.spawn().expect("the bot can be started");
    // For who ends this process before it can end its own.
    fs::write(bot.join("serve.pid"), child.id().to_string()).expect("its number can be written");
    Bot { child, config, program: program.to_owned() }
}

/// The newest message in #ops that says this.
async fn card(discord: &Discord, what: &str) -> Seen {
    says(discord, "ops", what).await
}

async fn says(discord: &Discord, channel: &str, what: &str) -> Seen {
    let look = |discord: &Discord| discord.messages(channel).into_iter().rev().find(|seen| seen.says(what));
    discord.until_within(&format!("a message in {channel} that says `{what}`"), PATIENCE, look).await
}

/// What stands behind `confirm 1`.
fn token(card: &Seen) -> Option<String> {
    let text = card.text();
    let (_, rest) = text.split_once("confirm 1 ")?;
    Some(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect())
}

async fn scene(number: &str, what: &str) {
    if number != "1" && std::io::stdout().is_terminal() {
        tokio::time::sleep(SCENE).await;
    }
    println!("\n\n── {number} ── {what}");
}

fn types(person: &str, what: &str) {
    println!("\n{person} types    {what}");
}

fn presses(person: &str, label: &str) {
    println!("\n{person} presses  [{label}]");
}

/// A message as its reader has it before them.
fn shows(seen: &Seen) {
    let whom =
        seen.only_for.as_ref().map_or("everybody sees".to_owned(), |person| format!("only {person} sees"));
    let pings = if seen.pings.is_empty() {
        String::new()
    } else {
        format!(", and it rings {}", seen.pings.join(", "))
    };
    println!("\n  {whom}{pings}:");
    let mut lines = drawn(&seen.content);
    for card in &seen.cards {
        lines.extend(drawn(&card.title));
        lines.extend(drawn(&card.text));
        for (name, value) in &card.fields {
            lines.extend(drawn(name));
            lines.extend(drawn(value).into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(drawn(&card.footer));
    }
    lines.extend(seen.files.iter().map(|file| format!("(file {}, {} bytes)", file.name, file.bytes.len())));
    for row in &seen.rows {
        let row: Vec<String> = row.iter().map(|button| format!("[{}]", button.label)).collect();
        lines.push(row.join(" "));
    }
    for line in lines.iter().flat_map(|line| wrapped(line)) {
        println!("  │ {line}");
    }
}

/// A line that is longer than a screen goes on below itself.
fn wrapped(line: &str) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    let mut lines = vec![" ".repeat(indent)];
    for (at, word) in line.trim_start().split(' ').enumerate() {
        let last = lines.last_mut().expect("there is one");
        if at > 0 && last.chars().count() + word.chars().count() + 1 > WIDTH {
            lines.push(format!("{}  {word}", " ".repeat(indent)));
        } else {
            last.push_str(if at > 0 { " " } else { "" });
            last.push_str(word);
        }
    }
    lines
}

/// Text as Discord draws it: without the marks of a fence, and without the backslashes that keep everything else plain.
fn drawn(text: &str) -> Vec<String> {
    let mut is_fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line == "```" {
            is_fenced = !is_fenced;
            continue;
        }
        let mut shown = String::new();
        let mut rest = line.chars().peekable();
        while let Some(c) = rest.next() {
            let escapes = !is_fenced && c == '\\' && rest.peek().is_some_and(char::is_ascii_punctuation);
            let marks = !is_fenced && matches!(c, '*' | '`');
            match c {
                _ if escapes => shown.extend(rest.next()),
                _ if marks => {}
                c => shown.push(c),
            }
        }
        lines.push(shown);
    }
    lines
}
