//! A fake Discord on loopback, driven by lines on stdin.

use discord::{Discord, Script};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let discord = Discord::start().await;
    println!("url    {}\ntoken  {}\nguild  {}", discord.url(), discord.token(), discord.guild_id());
    println!("{}", Script::HELP);
    let mut script = Script::new(discord);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match script.play(&line).await {
            Ok(said) => println!("{said}"),
            Err(why) => println!("cannot: {why}"),
        }
    }
    Ok(())
}
