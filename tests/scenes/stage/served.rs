//! The service on a port of this machine, before an engine stands behind it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use steadyhand::engine::clock::Clock;
use steadyhand::journal::Journal;
use steadyhand::library::{Folders, Library};
use steadyhand::serve::{Service, http};
use steadyhand::target::ssh::{Ssh, SshSettings};

use super::opened;

/// What is served, from where, and what an engine behind it begins with.
pub(crate) struct Served {
    pub(crate) service: Service,
    pub(crate) at: SocketAddr,
    pub(crate) journal: Journal,
    pub(crate) library: Arc<Library>,
}

impl Served {
    /// Listens, with a journal in this place and these files.
    pub(crate) async fn from(place: &Path, folders: Folders, clock: &Clock) -> Self {
        let (journal, library) = (opened(&place.join("bot.db")), Arc::new(Library::new(folders)));
        let known_hosts = place.join("known_hosts");
        let ssh = Arc::new(Ssh::new(SshSettings { identity_file: None, known_hosts }).unwrap());
        let service = Service::new(journal.clone(), library.clone(), ssh, clock);
        let listener = http::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(http::serve(listener, http::routes(service.clone()), Clock::System));
        Self { service, at, journal, library }
    }
}
