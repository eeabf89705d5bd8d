//! Names that cannot be wrong inside: each is parsed at the door and is a word of the right form from then on.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The forms that names have, and the cure for those that do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameForm {
    /// Names in expressions and variables of scripts: `old_primary`.
    Variable,
    /// Names of runbooks, packs, probes, actions, roles, people, services: `failover-database`.
    Dashed,
    /// Names of hosts and clusters, which reach ssh and `PostgreSQL`: `pg1`, `db-3.example`.
    Host,
}

impl NameForm {
    /// Whether `name` has this form. At most 63 characters, as in DNS and `PostgreSQL`.
    pub fn fits(self, name: &str) -> bool {
        let mut chars = name.chars();
        let Some(first) = chars.next() else { return false };
        let (upper_case, others): (bool, &[char]) = match self {
            Self::Variable => (false, &['_']),
            Self::Dashed => (false, &['-']),
            Self::Host => (true, &['.', '_', '-']),
        };
        let is_letter = |c: char| c.is_ascii_lowercase() || (upper_case && c.is_ascii_uppercase());
        let begins = |c: char| is_letter(c) || (upper_case && c.is_ascii_digit());
        let goes_on = |c: char| is_letter(c) || c.is_ascii_digit() || others.contains(&c);
        name.len() <= 63 && begins(first) && chars.all(goes_on)
    }

    /// The regular expression of this form, for the JSON Schema.
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Variable => "^[a-z][a-z0-9_]{0,62}$",
            Self::Dashed => "^[a-z][a-z0-9-]{0,62}$",
            Self::Host => "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        }
    }

    /// What a name of this form looks like.
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Variable => "lower-case letters, digits and `_`, beginning with a letter",
            Self::Dashed => "lower-case letters, digits and `-`, beginning with a letter",
            Self::Host => "letters, digits, `.`, `_` and `-`, beginning with a letter or digit",
        }
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $form:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The form that such a name has.
            pub const FORM: NameForm = NameForm::$form;

            /// Takes a name of the right form.
            pub fn new(name: &str) -> Option<Self> {
                Self::FORM.fits(name).then(|| Self(name.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(name: String) -> Result<Self, String> {
                Self::new(&name).ok_or_else(|| format!("`{name}` is not a name: {}", Self::FORM.cure()))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    )*};
}

names! {
    /// The name of a host of the inventory.
    HostName: Host;
    /// The name of a cluster of the inventory.
    ClusterName: Host;
    /// The name of a service of the inventory.
    ServiceName: Dashed;
    /// The name of a runbook.
    RunbookName: Dashed;
    /// The name of a pack; also the kind of the clusters and hosts that it knows.
    PackName: Dashed;
    /// A person of the policy. One person may have several accounts.
    Person: Dashed;
    /// A role of the policy.
    Role: Dashed;
    /// A way out of the house, by which people are told.
    PathName: Dashed;
    /// Who has a duty when.
    ScheduleName: Dashed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_cannot_be_an_option_or_a_path() {
        for wrong in ["", "-oProxyCommand=x", "a/b", "a b", "a\nb", "%h", "ä", "../x"] {
            assert!(HostName::new(wrong).is_none(), "{wrong:?}");
        }
        for right in ["pg1", "db-3.example", "A_1", "10.20.0.11"] {
            assert!(HostName::new(right).is_some(), "{right:?}");
        }
    }

    #[test]
    fn a_stored_name_is_parsed_again() {
        assert!(serde_json::from_str::<HostName>("\"pg1\"").is_ok());
        assert!(serde_json::from_str::<HostName>("\"-x\"").is_err());
    }
}
