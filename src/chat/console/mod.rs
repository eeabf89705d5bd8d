//! The chat on a terminal, and on a pipe.

pub mod complete;
pub mod follow;
pub mod pipe;
pub mod render;
pub mod session;
pub mod terminal;
