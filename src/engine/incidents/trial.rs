//! Whether a path works: a letter over it to the one who asks, or by itself to one person who has it. The intent is
//! recorded before it leaves, so that no start of the bot sends it again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::Incidents;
use super::paths::{TRIED, TRIES};
use crate::duty::Way;
use crate::duty::model::Carrier;
use crate::duty::path::Heard;
use crate::duty::trials::Target;
use crate::engine::{Refused, Speaker};
use crate::incident::IncidentId;
use crate::incident::input::Answer;
use crate::incident::model::{Audience, Severity};
use crate::journal::Actor;
use crate::notify::{Kind, Letter};
use crate::policy::decide::policy_of;
use crate::runbook::source::name::{PathName, Person};
use crate::wording::moment::Moment;
use crate::wording::notice::trial;

/// A trial belongs to no incident, and the journal counts from 1.
const NO_INCIDENT: IncidentId = IncidentId(0);
/// Whoever carries a letter ends within this time; what takes longer is unknown.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// What a path answered to a letter that tried it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Which path.
    pub path: PathName,
    /// To whom it was; none where the path cries out at last, and reaches nobody in particular.
    pub to: Option<Person>,
    /// What it answered.
    pub answer: Answer,
}

/// A letter that tries a path.
struct Trial<'a> {
    way: &'a Way,
    carrier: &'a Carrier,
    to: Option<&'a Person>,
    /// Who asked for it; the bot itself otherwise.
    by: Option<(&'a Person, Actor)>,
}

impl Incidents {
    /// Sends a letter over a path to the speaker, who must be told over it by notify.yaml, or to where is cried out at
    /// last. It is recorded. It goes as a page goes: it rings where a page would ring.
    pub async fn tries(&self, speaker: &Speaker, path: &str) -> Result<Tried, Refused> {
        let what = format!("notify test {path}");
        let snapshot = self.files()?;
        let person = self.engine.person(speaker, &snapshot, &what).await?;
        self.has_a_role(speaker, &snapshot, &person, &what).await?;
        let overrides = self.engine.overrides();
        let policy = policy_of(&snapshot.set.policy).map_err(Refused::Denied)?;
        let duty = snapshot.set.duty(policy, &overrides);
        let ways = duty.ways(&person);
        let own = ways.iter().find(|way| way.path.as_str() == path).cloned();
        let to = own.is_some().then_some(&person);
        let way = own.or_else(|| Some(duty.last_resort_over(path)?.1));
        let is_public =
            duty.notify.is_ok_and(|notify| notify.public.iter().any(|rule| rule.path.as_str() == path));
        let carrier = duty.notify.ok().and_then(|notify| notify.paths.get(path)).map(|path| &path.carrier);
        let Some((way, carrier)) = way.zip(carrier).filter(|_| !is_public) else {
            self.engine.note_denied(speaker, &what, "unknown-path", None).await?;
            let yours = ways.iter().map(|way| way.path.to_string()).collect();
            return Err(Refused::UnknownPath(path.to_owned(), yours));
        };
        let by = Some((&person, speaker.actor()));
        self.sends_trial(Trial { way: &way, carrier, to, by }).await
    }

    /// Sends a letter over a path to whom it is tried with. It rings nowhere.
    pub(super) async fn tries_by_itself(&self, path: &PathName, target: &Target) -> Result<(), Refused> {
        let snapshot = self.files()?;
        let notify = snapshot.set.notify.as_ref().ok();
        let carrier = notify.and_then(|notify| notify.paths.get(path)).map(|path| &path.carrier);
        if let Some(((way, to), carrier)) = target.letter().zip(carrier) {
            self.sends_trial(Trial { way, carrier, to, by: None }).await?;
        }
        Ok(())
    }

    async fn sends_trial(&self, trial: Trial<'_>) -> Result<Tried, Refused> {
        let inner = &self.engine.inner;
        let carriers = self.room().carriers.borrow().clone();
        let Some(carriers) = carriers else { return Err(Refused::NoMessenger) };
        let (path, actor) = (&trial.way.path, trial.by.as_ref().map(|(_, actor)| actor.clone()));
        let data = serde_json::json!({ "path": path, "to": trial.to });
        inner.note(TRIES, actor.clone(), data).await?;
        self.room().hears_of_path(path.clone(), inner.clock.now(), Heard::Tries);
        let is_alert = matches!(trial.carrier, Carrier::PagerDuty { .. });
        // A service that keeps alerts takes nothing but pages; one of the lowest severity that is closed at once.
        let kind = if trial.by.is_some() || is_alert { Kind::Page } else { Kind::News };
        let mut letter = self.letter_of_trial(&trial, kind);
        let sends = carriers.messenger.send(path, trial.carrier, &letter);
        let answer = tokio::select! {
            answer = sends => answer,
            () = inner.clock.after(ANSWERS_WITHIN) => {
                Answer::Unknown(format!("there was no answer within {} s", ANSWERS_WITHIN.as_secs()))
            }
        };
        if is_alert && matches!(answer, Answer::Accepted(_) | Answer::Unknown(_)) {
            // Nobody needs to close the alert of a trial, also where nobody knows whether it was opened.
            letter.kind = Kind::Resolved;
            carriers.messenger.send(path, trial.carrier, &letter).await;
        }
        let (said, why) = match &answer {
            Answer::Accepted(_) => ("accepted", None),
            Answer::NotNow(why, _) => ("not-now", Some(why)),
            Answer::Never(why) => ("never", Some(why)),
            Answer::Unknown(why) => ("unknown", Some(why)),
        };
        let mut data = serde_json::json!({ "path": path, "to": trial.to, "answer": said });
        if let Some(why) = why {
            data["why"] = why.as_str().into();
        }
        let heard = why.map_or(Heard::Took, |why| Heard::Failed(why.clone()));
        inner.note(TRIED, actor, data).await?;
        self.room().hears_of_path(path.clone(), inner.clock.now(), heard);
        Ok(Tried { path: path.clone(), to: trial.to.cloned(), answer })
    }

    fn letter_of_trial(&self, it: &Trial<'_>, kind: Kind) -> Letter {
        let inner = &self.engine.inner;
        let (now, zone) = (inner.clock.now(), inner.zone.clone());
        let whom = it.to.map_or("the last resort", Person::as_str);
        let text = format!("{} trial {whom} {} {now}", inner.journal.id(), it.way.path);
        Letter {
            key: URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16]),
            incident: NO_INCIDENT,
            severity: Severity::Planned,
            audience: Audience::Operator,
            kind,
            words: trial(&it.way.path, it.to, it.by.as_ref().map(|(by, _)| *by), &Moment { now, zone }),
            answers: Vec::new(),
            to: it.to.cloned(),
            address: it.way.address.clone(),
            drill: false,
            may_repeat: false,
        }
    }
}
