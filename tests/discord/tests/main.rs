//! The fake is driven by a real client, serenity, and by bodies that no client would send.

mod bot;
mod conversation;
mod faults;
mod gateway;
mod looking;
mod payloads;
mod places;
mod refusals;
mod rest;
