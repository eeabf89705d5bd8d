//! What the bot may do in a channel.

/// One right of the bot in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Put a reaction under a message.
    AddReactions,
    /// See the channel at all.
    ViewChannel,
    /// Write messages.
    SendMessages,
    /// Delete what others wrote, and pin.
    ManageMessages,
    /// Send embeds.
    EmbedLinks,
    /// Send files.
    AttachFiles,
    /// Read what was written before.
    ReadMessageHistory,
    /// Change the channel.
    ManageChannels,
    /// Change threads of others, and write in locked ones.
    ManageThreads,
    /// Begin threads.
    CreatePublicThreads,
    /// Begin private threads.
    CreatePrivateThreads,
    /// Write in threads.
    SendMessagesInThreads,
}

impl Permission {
    pub(crate) const fn bit(self) -> u64 {
        match self {
            Self::ManageChannels => 1 << 4,
            Self::AddReactions => 1 << 6,
            Self::ViewChannel => 1 << 10,
            Self::SendMessages => 1 << 11,
            Self::ManageMessages => 1 << 13,
            Self::EmbedLinks => 1 << 14,
            Self::AttachFiles => 1 << 15,
            Self::ReadMessageHistory => 1 << 16,
            Self::ManageThreads => 1 << 34,
            Self::CreatePublicThreads => 1 << 35,
            Self::CreatePrivateThreads => 1 << 36,
            Self::SendMessagesInThreads => 1 << 38,
        }
    }
}

/// May do all.
pub(crate) const ADMINISTRATOR: u64 = 1 << 3;
const USE_COMMANDS: u64 = 1 << 31;

/// What everybody may in a channel where nothing is taken away.
pub(crate) const COMMON: u64 = Permission::AddReactions.bit()
    | Permission::ViewChannel.bit()
    | Permission::SendMessages.bit()
    | Permission::EmbedLinks.bit()
    | Permission::AttachFiles.bit()
    | Permission::ReadMessageHistory.bit()
    | Permission::CreatePublicThreads.bit()
    | Permission::CreatePrivateThreads.bit()
    | Permission::SendMessagesInThreads.bit()
    | USE_COMMANDS;

/// What the bot was invited with.
pub(crate) const BOT: u64 = COMMON | Permission::ManageMessages.bit() | Permission::ManageThreads.bit();
