//! The conversations: what the bot says, scene by scene, on scripted hosts with a moved clock.
