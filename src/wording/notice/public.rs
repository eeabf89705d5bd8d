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
            published: published.map(|it| it.text.as_str()).unwrap_or_default(),
        }
    }
}

pub(super) fn say(known: &ForPublic<'_>) -> Words {
    let title = visible(known.title);
    Words { subject: title.clone(), title, text: as_published(known.published) }
}

/// Word for word. What cannot be seen is written out, but for what belongs to the picture before it: how it is drawn, and
/// what joins it to the next one.
fn as_published(text: &str) -> String {
    let is_picture = |c: char| !c.is_ascii() && !c.is_alphanumeric();
    let mut said = String::with_capacity(text.len());
    let mut before = None;
    for c in text.chars() {
        let belongs = matches!(c, '\u{fe0f}' | '\u{200d}') && before.is_some_and(is_picture);
        if belongs {
            said.push(c);
        } else {
            said.push_str(&visible_lines(c.encode_utf8(&mut [0; 4])));
        }
        before = Some(c);
    }
    said
}
