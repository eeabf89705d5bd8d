//! What the application met while the bot worked.

use std::time::{Duration, Instant};

use lab::{Lab, Report, Writer};

/// A writer that goes where writes are taken, and one that stays with the old primary for as long as it takes them.
pub(crate) struct Application {
    writer: Writer,
    at_old: Writer,
    old: &'static str,
}

impl Application {
    /// Starts both while `old` is the primary.
    pub(crate) fn of(lab: &Lab, old: &'static str) -> Self {
        Self { writer: lab.writer().unwrap(), at_old: lab.writer_at(&lab.host(old)).unwrap(), old }
    }

    /// Waits until a row was acknowledged after this moment.
    pub(crate) fn writes_on_after(&self, moment: Instant) {
        self.writer.wait_for_ack_after(moment, Duration::from_secs(20)).unwrap();
    }

    /// Stops both. Fails if the old primary took a row when the new one had already taken one, or if there is now
    /// more than one primary.
    #[track_caller]
    pub(crate) fn ends_on(mut self, lab: &Lab, new: &str) -> Report {
        self.writer.wait_for_ack_after(Instant::now(), Duration::from_secs(20)).unwrap();
        let (first_new, _) = self.writer.acks_by(new).expect("the application writes to the new primary");
        let (_, last_old) = self.at_old.acks_by(self.old).expect("it wrote to the old primary");
        assert!(last_old < first_new, "{} took a row {:?} after {new} did", self.old, last_old - first_new);
        self.at_old.end();
        let primaries: Vec<_> = lab.primaries().iter().map(lab::Host::name).collect();
        assert_eq!(primaries, [new]);
        self.writer.end();
        self.writer.check().unwrap()
    }
}
