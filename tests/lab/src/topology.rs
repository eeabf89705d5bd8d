//! Who is who: the hosts of a lab, their place in the address block, and what lives on them.
//!
//! This is the one table to extend for another system; everything else asks it.

/// What a host is there for when the lab has just come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// PostgreSQL that takes writes.
    Primary,
    /// PostgreSQL that follows the primary, each through a slot of its own name.
    Replica,
    /// A place for a PostgreSQL, with nothing on it.
    Spare,
    /// `HAProxy`, which spreads reads over the replicas.
    Balancer,
    /// Where base backups lie.
    Backup,
    /// The host from which the others are switched off and on.
    Power,
}

/// A host: its name, the last number of its address, its duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) name: &'static str,
    pub(crate) octet: u8,
    pub(crate) duty: Duty,
}

impl Seat {
    /// Does a PostgreSQL of the cluster live here from the start?
    pub(crate) fn is_member(self) -> bool {
        matches!(self.duty, Duty::Primary | Duty::Replica)
    }

    /// Could a PostgreSQL live here?
    pub(crate) fn may_hold_database(self) -> bool {
        self.is_member() || self.duty == Duty::Spare
    }

    /// Is PostgreSQL's port kept free here? The balancer takes clients on it.
    pub(crate) fn takes_clients(self) -> bool {
        self.may_hold_database() || self.duty == Duty::Balancer
    }
}

/// The cluster's name in the inventory.
pub(crate) const CLUSTER: &str = "orders";

/// All hosts. .21 to .39 are left for other systems.
pub(crate) const SEATS: [Seat; 7] = [
    Seat { name: "pg1", octet: 11, duty: Duty::Primary },
    Seat { name: "pg2", octet: 12, duty: Duty::Replica },
    Seat { name: "pg3", octet: 13, duty: Duty::Replica },
    Seat { name: "pg4", octet: 14, duty: Duty::Spare },
    Seat { name: "lb1", octet: 41, duty: Duty::Balancer },
    Seat { name: "bk1", octet: 61, duty: Duty::Backup },
    Seat { name: "power1", octet: 51, duty: Duty::Power },
];

/// The host that is primary when the lab has just come up.
pub(crate) fn first_primary() -> Seat {
    SEATS[0]
}

/// The hosts whose PostgreSQL form the cluster at the start.
pub(crate) fn members() -> impl Iterator<Item = Seat> {
    SEATS.into_iter().filter(|s| s.is_member())
}

/// The replicas at the start; each has a slot of its name on the primary.
pub(crate) fn replicas() -> impl Iterator<Item = Seat> {
    SEATS.into_iter().filter(|s| s.duty == Duty::Replica)
}

/// The host that spreads reads over the replicas.
pub(crate) fn balancer() -> Seat {
    SEATS[4]
}

/// The host that keeps the backups.
pub(crate) fn backup_host() -> Seat {
    SEATS[5]
}

/// The host that can switch off the others.
pub(crate) fn power_host() -> Seat {
    SEATS[6]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortcuts_point_at_the_right_seats() {
        assert_eq!(first_primary().duty, Duty::Primary);
        assert_eq!(balancer().duty, Duty::Balancer);
        assert_eq!(backup_host().duty, Duty::Backup);
        assert_eq!(power_host().duty, Duty::Power);
        assert_eq!(members().map(|s| s.name).collect::<Vec<_>>(), ["pg1", "pg2", "pg3"]);
        assert_eq!(replicas().map(|s| s.name).collect::<Vec<_>>(), ["pg2", "pg3"]);
    }
}
