//! The conversations: what the bot says, scene by scene, on scripted hosts with a moved clock.

mod again;
mod agreeing;
mod alerts;
mod at_work;
#[path = "../bot.rs"]
mod bot;
mod cards;
mod changed;
mod completing;
mod discord;
mod duty;
mod given;
mod held;
mod incident_discord;
mod incident_links;
mod incidents;
mod journal;
mod masked;
mod matrix;
mod middle;
mod narrow;
mod one_shot;
mod opening;
mod preflight;
mod proof;
mod reports;
mod recovery;
mod shown;
mod stage;
mod steering;
mod told;
mod trouble;
mod waiting;
mod wrong_words;
