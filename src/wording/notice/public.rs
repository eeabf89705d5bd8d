//! The public: exactly what a person published, and nothing else.

use super::Words;
use crate::incident::Incident;
use crate::incident::model::{About, Notice};
use crate::runbook::source::hidden::{visible, visible_lines};

/// What the public may know.
pub(super) struct ForPublic<'a> {
    /// The service, as customers know it.
    title: &'a str,
    /// What was published; empty if nothing was.
    published: &'a str,
}

impl<'a> ForPublic<'a> {
    pub(super) fn new(incident: &'a Incident, notice: &Notice) -> Self {
        let by_number = match notice.about {
            About::Published(number) => (number as usize).checked_sub(1),
            _ => None,
        };
        let published = by_number.and_then(|at| incident.published.get(at)).or(incident.published.last());
        Self {
            title: &incident.opened.title,
            published: published.map(|(_, _, text)| text.as_str()).unwrap_or_default(),
        }
    }
}

pub(super) fn say(known: &ForPublic<'_>) -> Words {
    let title = visible(known.title);
    Words { subject: title.clone(), title, text: visible_lines(known.published) }
}
