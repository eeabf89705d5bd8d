//! What a run asks of people: who agrees, who is told, and what is owed afterwards.

use serde::{Deserialize, Serialize};

use crate::runbook::source::literal::Millis;
use crate::runbook::source::name::{Role, ServiceName};

/// Who must agree besides the requester.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Approvals {
    /// How many people.
    pub count: u32,
    /// Roles that may.
    pub by: Vec<String>,
    /// Why there are more than the runbook asks for, as whole sentences.
    pub because: Vec<String>,
    /// One of them must be a commander, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commander: Option<String>,
}

/// The incident that a run opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentPlan {
    /// `sev1`, `sev2`, `sev3`
    pub severity: String,
    /// Opened at the start; otherwise when there is trouble.
    pub at_start: bool,
    /// The title of the service.
    pub service: String,
    /// Its name. Plans of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<ServiceName>,
    /// The role that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Role>,
    /// Its components on the status page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// What the public is told meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<NewsPlan>,
}

/// News for the public on a cadence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsPlan {
    /// How often.
    pub every: Millis,
    /// What customers read.
    pub say: String,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellPlan {
    /// `support`, `status-page` or a role.
    pub who: String,
    /// `before-start`, `start`, `end`
    pub at: String,
    /// `acknowledged`, `published`, `delivered`
    pub until: String,
    /// By when.
    pub within: Millis,
}

/// What the owner owes after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUpPlan {
    /// What.
    pub what: String,
    /// The runbook that does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// By when.
    pub within: Millis,
}
