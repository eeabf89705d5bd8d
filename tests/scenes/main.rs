//! The conversations: what the bot says, scene by scene, on scripted hosts with a moved clock.

mod agreeing;
mod opening;
mod stage;
mod wrong_words;
