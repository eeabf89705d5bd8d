//! Whether a path works: a letter to the one who asks, and to nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::Incidents;
use crate::duty::model::Carrier;
use crate::engine::{Refused, Speaker};
use crate::incident::IncidentId;
use crate::incident::input::Answer;
use crate::incident::model::{Audience, Severity};
use crate::notify::{Kind, Letter};
use crate::runbook::source::name::{PathName, Person};
use crate::wording::moment::Moment;
use crate::wording::notice::trial;

/// A trial belongs to no incident, and the journal counts from 1.
const NO_INCIDENT: IncidentId = IncidentId(0);

/// What a path answered to a letter that tried it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Which path.
    pub path: PathName,
    /// To whom it was.
    pub to: Person,
    /// What it answered.
    pub answer: Answer,
}

impl Incidents {
    /// Sends a letter over a path to the speaker, who must be told over it by notify.yaml. It is recorded.
    pub async fn tries(&self, speaker: &Speaker, path: &str) -> Result<Tried, Refused> {
        let inner = &self.engine.inner;
        let what = format!("notify test {path}");
        let snapshot = self.files()?;
        let person = self.engine.person(speaker, &snapshot, &what).await?;
        self.has_a_role(speaker, &snapshot, &person, &what).await?;
        let overrides = self.engine.overrides();
        let policy = snapshot
            .set
            .policy
            .as_ref()
            .map_err(|why| Refused::Denied(crate::policy::decide::Denial::NoPolicy(why.clone())))?;
        let duty = snapshot.set.duty(policy, &overrides);
        let ways = duty.ways(&person);
        let found = ways.iter().find(|way| way.path.as_str() == path);
        let carrier = duty.notify.ok().and_then(|notify| notify.paths.get(path)).map(|path| &path.carrier);
        let Some((way, carrier)) = found.zip(carrier) else {
            self.engine.note_denied(speaker, &what, "unknown-path", None).await?;
            let yours = ways.iter().map(|way| way.path.to_string()).collect();
            return Err(Refused::UnknownPath(path.to_owned(), yours));
        };
        let (now, zone) = (inner.clock.now(), inner.zone.clone());
        let words = trial(&way.path, &person, &Moment { now, zone });
        let hash = Sha256::digest(format!("{} trial {person} {path} {now}", inner.journal.id()));
        let letter = |kind: Kind| Letter {
            key: URL_SAFE_NO_PAD.encode(&hash[..16]),
            incident: NO_INCIDENT,
            severity: Severity::Planned,
            audience: Audience::Operator,
            kind,
            words: words.clone(),
            answers: Vec::new(),
            to: Some(person.clone()),
            address: way.address.clone(),
            drill: false,
            may_repeat: false,
        };
        let carriers = self.room().carriers.borrow().clone();
        let Some(carriers) = carriers else { return Err(Refused::NoMessenger) };
        // As a page goes: it rings where a page would ring.
        let answer = carriers.messenger.send(&way.path, carrier, &letter(Kind::Page)).await;
        if matches!((carrier, &answer), (Carrier::PagerDuty { .. }, Answer::Accepted(_))) {
            // Nobody needs to close the alert of a trial.
            carriers.messenger.send(&way.path, carrier, &letter(Kind::Resolved)).await;
        }
        let said = match &answer {
            Answer::Accepted(_) => "accepted",
            Answer::NotNow(..) => "not-now",
            Answer::Never(_) => "never",
            Answer::Unknown(_) => "unknown",
        };
        let data = serde_json::json!({ "path": path, "to": person, "answer": said });
        inner.note("path-tried", Some(speaker.actor()), data).await?;
        Ok(Tried { path: way.path.clone(), to: person, answer })
    }
}
