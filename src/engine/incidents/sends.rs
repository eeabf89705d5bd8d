//! Notices leave the house: the intent first, then the letter, then what the path answered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::Carriers;
use super::keeper::Keeper;
use super::take::{From, NotTaken};
use crate::duty::model::Carrier;
use crate::engine::lock;
use crate::failpoint::{self, Point};
use crate::incident::input::{Answer, Input};
use crate::incident::model::{About, Delivery, Notice, Owed};
use crate::incident::{self, Incident, IncidentId, next};
use crate::notify::{Kind, Letter};
use crate::runbook::source::name::PathName;
use crate::wording::moment::Moment;
use crate::wording::notice::{Facts, words};
use crate::wording::run::headline;

/// So many are on their way at most,
const AT_ONCE: usize = 32;
/// and over each path so many.
const AT_ONCE_A_PATH: usize = 4;
/// Whoever carries a letter ends within this time; what takes longer is unknown.
const SEND_WITHIN: Duration = Duration::from_secs(15);

/// What a path answered.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) incident: IncidentId,
    pub(super) notice: u32,
    pub(super) attempt: u32,
    pub(super) answer: Answer,
}

impl Keeper {
    /// Sends what may leave now, as far as there is room on the paths: first whoever is called, in whatever incident.
    pub(super) async fn send_all(&mut self) {
        let Some(carriers) = self.inner.incidents.carriers.borrow().clone() else { return };
        let ids = || self.open.keys().copied();
        let turns = ids().map(|id| (true, id)).chain(ids().map(|id| (false, id)));
        for (rings, id) in turns.collect::<Vec<_>>() {
            if self.stands_still() || self.flying.len() >= AT_ONCE {
                return;
            }
            if self.is_parked(id) {
                continue;
            }
            let notices = self.chosen(id, rings).await;
            if notices.is_empty() {
                continue;
            }
            match self.take(id, &[Input::Sends { notices: notices.clone() }], From::default()).await {
                Ok(_) => {
                    failpoint::pass(Point::NoticeIntended);
                    for notice in notices {
                        self.fly(id, notice, &carriers).await;
                    }
                }
                Err(NotTaken::NotWritten(error)) => self.not_written(&error),
                Err(NotTaken::Parked(_)) => {}
            }
        }
    }

    /// The notices of an incident that leave now: those that call somebody, or the others.
    async fn chosen(&mut self, id: IncidentId, rings: bool) -> Vec<u32> {
        let Some(incident) = self.open.get(&id) else { return Vec::new() };
        let now = self.inner.clock.now();
        let Ok(due) = catch_unwind(AssertUnwindSafe(|| incident::next(incident, now))) else {
            self.park(id).await;
            return Vec::new();
        };
        let mut taken: Vec<&PathName> = self.flying.values().collect();
        let mut chosen = Vec::new();
        for number in due {
            let Some(notice) = incident.notice(number) else { continue };
            let on_path = taken.iter().filter(|path| ***path == notice.way.path).count();
            let is_free = taken.len() < AT_ONCE && on_path < AT_ONCE_A_PATH;
            if is_free && next::rings(notice) == rings && !self.flying.contains_key(&(id, number)) {
                taken.push(&notice.way.path);
                chosen.push(number);
            }
        }
        chosen
    }

    /// A letter leaves. What becomes of it comes back as what the path answered.
    async fn fly(&mut self, id: IncidentId, number: u32, carriers: &Carriers) {
        let Some((incident, notice)) =
            self.open.get(&id).and_then(|incident| Some((incident, incident.notice(number)?)))
        else {
            return;
        };
        if !matches!(notice.delivery, Delivery::Sending(_)) {
            return;
        }
        let (attempt, path) = (notice.attempts, notice.way.path.clone());
        let letter = catch_unwind(AssertUnwindSafe(|| self.letter(incident, notice, carriers)));
        let Ok(letter) = letter else {
            self.park(id).await;
            return;
        };
        let carrier = self.carrier(&path);
        self.flying.insert((id, number), path.clone());
        let (came, clock, messenger) =
            (self.came.clone(), self.inner.clock.clone(), carriers.messenger.clone());
        tokio::spawn(async move {
            let carried = tokio::spawn(async move {
                match carrier {
                    Ok(carrier) => messenger.send(&path, &carrier, &letter).await,
                    Err(answer) => answer,
                }
            });
            let aborts = carried.abort_handle();
            let answer = tokio::select! {
                carried = carried => carried.unwrap_or_else(|_| {
                    Answer::Unknown("there was a fault in the bot itself".to_owned())
                }),
                () = clock.after(SEND_WITHIN) => {
                    aborts.abort();
                    Answer::Unknown(format!("there was no answer within {} s", SEND_WITHIN.as_secs()))
                }
            };
            failpoint::pass(Point::NoticeSent);
            // The keeper has ended: the next one finds out that nobody knows.
            let _ = came.send(Sent { incident: id, notice: number, attempt, answer });
        });
    }

    /// What a path goes over, as the files say now.
    fn carrier(&self, path: &PathName) -> Result<Carrier, Answer> {
        let known = self.known();
        match known.duty().notify {
            Ok(notify) => match notify.paths.get(path) {
                Some(found) => Ok(found.carrier.clone()),
                None => Err(Answer::Never(format!("notify.yaml has no path `{path}` any more"))),
            },
            Err(why) => Err(Answer::NotNow(format!("notify.yaml cannot be used: {why}"), None)),
        }
    }

    fn letter(&self, incident: &Incident, notice: &Notice, carriers: &Carriers) -> Letter {
        let moment = Moment { now: self.inner.clock.now(), zone: self.inner.zone.clone() };
        let run_lines = incident.runs.keys().filter_map(|id| {
            let carried = lock(&self.inner.carried).get(id).map(|carried| carried.state.borrow().clone());
            let run = carried.or_else(|| self.inner.journal.view().run(*id).ok().flatten().map(Arc::new))?;
            Some(headline(&run))
        });
        let facts = Facts::of(incident, run_lines.collect());
        let alone = notice.to.is_some();
        let answers = carriers.answers.as_ref().filter(|_| alone);
        let known = self.known();
        let answers = answers.zip(known.duty().notify.ok());
        Letter {
            key: notice_key(self.inner.journal.id(), incident.id, notice.number),
            incident: incident.id,
            severity: incident.severity,
            audience: notice.audience,
            kind: kind(incident, &notice.about),
            words: words(incident, notice, &facts, &moment),
            answers: answers.map(|(answers, notify)| answers(notify, incident, notice)).unwrap_or_default(),
            to: notice.to.clone(),
            address: notice.way.address.clone(),
            drill: incident.is_drill(),
            may_repeat: notice.may_repeat,
        }
    }

    /// Hears what a path answered.
    pub(super) async fn hear_sent(&mut self, sent: &Sent) -> Result<(), NotTaken> {
        let Sent { incident, notice, attempt, answer } = sent.clone();
        let heard = self.take(incident, &[Input::Sent { notice, attempt, answer }], From::default()).await;
        if matches!(heard, Err(NotTaken::NotWritten(_))) {
            return heard.map(|_| ());
        }
        self.flying.remove(&(incident, notice));
        failpoint::pass(Point::NoticeRecorded);
        heard.map(|_| ())
    }
}

/// The same for every attempt of a notice, and another for every other notice of any journal.
pub fn notice_key(journal: &str, incident: IncidentId, notice: u32) -> String {
    let hash = Sha256::digest(format!("{journal} {incident} {notice}"));
    URL_SAFE_NO_PAD.encode(&hash[..16])
}

/// What it is for: only who must act is rung, and nobody for a postmortem.
fn kind(incident: &Incident, about: &About) -> Kind {
    let is = |number: u32, owed: Owed| incident.obligation(number).is_some_and(|it| it.owed == owed);
    match about {
        About::Late(number) if is(*number, Owed::Postmortem) => Kind::Reminder { of_answer: false },
        About::Call(_) | About::Late(_) | About::Alarm(_) => Kind::Page,
        About::Reminder(number) => Kind::Reminder { of_answer: is(*number, Owed::Acknowledged) },
        About::Update(_) | About::Published(_) | About::Made { .. } => Kind::News,
        About::Report(_) | About::AlertsOver => Kind::News,
        About::Acknowledged => Kind::Acknowledged,
        About::Resolved => Kind::Resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_fits_the_smallest_place_and_is_another_for_every_notice_and_journal() {
        let one = notice_key("0123456789abcdef", IncidentId(31), 1);

        assert_eq!(one, notice_key("0123456789abcdef", IncidentId(31), 1));
        assert_eq!(one.len(), 22);
        for other in [
            notice_key("0123456789abcdef", IncidentId(31), 11),
            notice_key("0123456789abcdef", IncidentId(3), 11),
            notice_key("0123456789abcdee", IncidentId(31), 1),
        ] {
            assert_ne!(one, other);
        }
    }
}
