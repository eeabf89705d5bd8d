//! What people are told who are not looking: one text for each audience, from the facts that it may know.

/// What a notice says, before a path gives it its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The same for all notices of an incident, so that mail readers put them together: `[sev1] inc-31 Order processing`.
    pub subject: String,
    /// What it is, in one line: who reads only this knows what to do.
    pub title: String,
    /// The whole text, in paragraphs; no markup.
    pub text: String,
}
