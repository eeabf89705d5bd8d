//! Notices that go over Discord: one message each, in the channel of its path or the thread of its incident. What asks
//! something of somebody pings the one person it is for; news ping nobody.
//!
//! Many read a channel, so no link that answers for somebody stands here: whoever presses is known by their account.

use std::sync::{Arc, Weak};

use super::Pulse;
use super::card::{Card, fit};
use super::incidents::Incidents;
use super::limits::cut;
use super::post::{Lost, Post};
use super::press::Button;
use super::safe;
use super::told::mentioning;
use crate::chat::discord::incident_cards::acknowledge;
use crate::incident::input::Answer;
use crate::incident::model::Audience;
use crate::notify::{DiscordRoom, Kind, Letter};
use crate::target::Later;
use crate::wording::page::Role;

/// What is read on a lock screen has at most so much.
const SENTENCE: usize = 400;

/// Stands before everything of a drill.
const DRILL: &str = "[DRILL] ";

/// The channels, as far as notices go there.
pub(super) struct Room {
    post: Post,
    /// The engine has the way to here, so that this must not keep the engine.
    incidents: Weak<Incidents>,
    pulse: Arc<Pulse>,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Room")
    }
}

impl Room {
    pub(super) fn new(post: Post, incidents: &Arc<Incidents>, pulse: Arc<Pulse>) -> Self {
        Self { post, incidents: Arc::downgrade(incidents), pulse }
    }

    async fn shown(&self, channel: u64, letter: &Letter) -> Result<u64, Lost> {
        let incidents = self.incidents.upgrade();
        let thread = incidents.and_then(|it| it.thread_of(letter.incident, letter.audience));
        // News and reminders stand where the incident is told; whoever is called is asked where all see it.
        let place = thread.filter(|_| letter.kind != Kind::Page).unwrap_or(channel);
        if letter.may_repeat {
            // Discord knows a key for some minutes only.
            let own = self.post.own_user().await?;
            if let Some(message) = self.post.find(place, own, &noted(letter)).await? {
                return Ok(message);
            }
        }
        let sent = self.post.send(place, &card_of(letter), Some(&letter.key), None).await;
        match sent {
            // The thread is gone; the channel may be there.
            Err(Lost::Gone(_) | Lost::Closed(_)) if place != channel => {
                self.post.send(channel, &card_of(letter), Some(&letter.key), None).await
            }
            sent => sent,
        }
    }
}

impl DiscordRoom for Room {
    fn show<'a>(&'a self, channel: &'a str, letter: &'a Letter) -> Later<'a, Answer> {
        Box::pin(async move {
            let Some(channel) = channel.parse().ok().filter(|id: &u64| *id != 0) else {
                return Answer::Never(format!("`{channel}` is no id of a channel"));
            };
            match self.shown(channel, letter).await {
                Ok(message) => Answer::Accepted(Some(message.to_string())),
                Err(lost) => {
                    self.pulse.trouble(&format!("a notice of {} did not get there: {lost}", letter.incident));
                    answer_of(lost)
                }
            }
        })
    }
}

/// What a failure means for the notice. A place that is gone and a token that is refused are cured by people.
fn answer_of(lost: Lost) -> Answer {
    match lost {
        Lost::Refused(why) => Answer::Never(why),
        Lost::Away(why) => Answer::Unknown(why),
        lost @ (Lost::Gone(_) | Lost::Closed(_) | Lost::NotLetIn(_) | Lost::NotSent(_)) => {
            Answer::NotNow(lost.to_string(), None)
        }
    }
}

/// How a notice is found again.
fn noted(letter: &Letter) -> String {
    format!("notice n-{}", letter.key)
}

/// A notice as a message. What is published stands there word for word, and nothing else.
fn card_of(letter: &Letter) -> Card {
    let words = &letter.words;
    if letter.audience == Audience::Public {
        let mut card = Card { content: safe::lines(&words.text), ..Card::default() };
        fit(&mut card, "published.txt", &words.text, "");
        return card;
    }
    let (is_meant, is_asked) = match letter.kind {
        Kind::Page => (true, true),
        Kind::Reminder { of_answer } => (true, of_answer),
        Kind::News | Kind::Acknowledged | Kind::Resolved => (false, false),
    };
    let pings: Vec<String> =
        (is_meant && is_user(&letter.address)).then(|| letter.address.clone()).into_iter().collect();
    let named = letter.to.as_ref().filter(|_| pings.is_empty()).map(|person| format!("{person}: "));
    let repeat = if letter.may_repeat { " (It may have come before.)" } else { "" };
    // Before everything, also before whoever is pinged.
    let (drill, title) =
        words.title.strip_prefix(DRILL).map_or(("", words.title.as_str()), |rest| (DRILL, rest));
    let sentence = safe::plain(&format!("{}{title}{repeat}", named.unwrap_or_default()));
    // A letter that only tries the path is of no incident.
    let is_of_one = letter.incident.0 > 0;
    let button = (is_asked && is_of_one).then(|| acknowledge(letter.incident, letter.audience)).flatten();
    let mut card = Card {
        content: format!("{}{}", safe::plain(drill), mentioning(&pings, &cut(&sentence, SENTENCE))),
        text: safe::lines(&words.text),
        bar: Some(match letter.kind {
            Kind::Page => Role::Danger,
            Kind::Reminder { .. } => Role::Attention,
            Kind::News | Kind::Acknowledged => Role::Active,
            Kind::Resolved => Role::Quiet,
        }),
        buttons: button.into_iter().collect::<Vec<Button>>(),
        pings,
        silent: !is_meant,
        ..Card::default()
    };
    fit(&mut card, "notice.txt", &words.text, "");
    let of = if is_of_one { format!("{} · ", letter.incident) } else { String::new() };
    card.footer = format!("{of}{}", noted(letter));
    card
}

/// The id of somebody on Discord, and nothing that is markup.
fn is_user(address: &str) -> bool {
    address.parse::<u64>().is_ok_and(|id| id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::IncidentId;
    use crate::incident::model::Severity;
    use crate::runbook::source::name::Person;
    use crate::wording::notice::Words;

    fn letter(audience: Audience, kind: Kind) -> Letter {
        Letter {
            key: "abcdefghijklmnopqrstuv".to_owned(),
            incident: IncidentId(31),
            severity: Severity::Sev1,
            audience,
            kind,
            words: Words {
                subject: "inc-31 Orders".to_owned(),
                title: "sev1: Orders @everyone".to_owned(),
                text: "Say: \"Orders\" **fail**.\nNext news: 03:40 CET".to_owned(),
            },
            answers: vec![("I know".to_owned(), "https://bot.example/answer/secret".to_owned())],
            to: Person::new("sue"),
            address: "214600000000000004".to_owned(),
            drill: false,
            may_repeat: false,
        }
    }

    #[test]
    fn a_page_pings_one_person_and_holds_no_link_that_answers_for_them() {
        let card = card_of(&letter(Audience::Support, Kind::Page));

        assert_eq!(card.content, "<@214600000000000004>: sev1: Orders \\@everyone");
        assert_eq!(card.pings, ["214600000000000004"]);
        assert_eq!(card.body()["allowed_mentions"], serde_json::json!({ "parse": [], "users": card.pings }));
        assert!(!card.shown().contains("bot.example"), "{}", card.shown());
        assert_eq!(card.buttons[0].label, "I am Support, I know");
        assert_eq!(card.footer, "inc-31 · notice n-abcdefghijklmnopqrstuv");
        assert!(!card.silent);
    }

    #[test]
    fn of_a_drill_that_stands_before_everything() {
        let mut of_a_drill = letter(Audience::Operator, Kind::Page);
        of_a_drill.words.title = "[DRILL] sev1: Orders".to_owned();

        let card = card_of(&of_a_drill);

        assert_eq!(card.content, "\\[DRILL\\] <@214600000000000004>: sev1: Orders");
    }

    #[test]
    fn a_reminder_pings_the_one_person_it_is_for_and_asks_for_an_answer_only_if_one_is_owed() {
        let of_answer = card_of(&letter(Audience::Support, Kind::Reminder { of_answer: true }));
        let of_news = card_of(&letter(Audience::Operator, Kind::Reminder { of_answer: false }));

        for card in [&of_answer, &of_news] {
            assert_eq!(card.pings, ["214600000000000004"]);
            assert!(card.content.starts_with("<@214600000000000004>: "), "{}", card.content);
            assert!(!card.silent);
        }
        assert_eq!(of_answer.buttons[0].label, "I am Support, I know");
        assert!(of_news.buttons.is_empty(), "{}", of_news.shown());
    }

    #[test]
    fn news_pings_nobody_and_asks_nothing() {
        let card = card_of(&letter(Audience::Operator, Kind::News));

        assert!(card.pings.is_empty() && card.buttons.is_empty() && card.silent, "{}", card.shown());
        assert!(card.content.starts_with("sue: sev1"), "{}", card.content);
    }

    #[test]
    fn what_is_published_stands_there_word_for_word() {
        let card = card_of(&letter(Audience::Public, Kind::News));

        assert_eq!(card.content, "Say: \"Orders\" \\*\\*fail\\*\\*.\nNext news: 03:40 CET");
        assert!(card.title.is_empty() && card.text.is_empty() && card.footer.is_empty());
    }
}
