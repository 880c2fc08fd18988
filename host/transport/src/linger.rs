//! Attachments that stay open for a moment after their action's end: its files are removed on the same channel, which spares
//! the node another session.
use crate::channel::Remote;
use quorate_ports::ActionId;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::sleep;

/// How long. The end is written down at once; who isn't told to forget by then is told on a channel of its own.
const STAYS: Duration = Duration::from_secs(5);

/// By action. Each attachment holds a place among those of its host meanwhile.
#[derive(Clone, Default)]
pub(crate) struct Lingering(Arc<Mutex<HashMap<ActionId, Remote>>>);

impl Lingering {
    /// Keeps the attachment of an action that has ended.
    pub(crate) fn keep(&self, id: &ActionId, remote: Remote) {
        self.open().insert(id.clone(), remote);
        let (open, id) = (Arc::downgrade(&self.0), id.clone());
        tokio::spawn(async move {
            sleep(STAYS).await;
            // An action ends once, so that this is the same attachment.
            if let Some(open) = open.upgrade() {
                drop(Self(open).take(&id));
            }
        });
    }

    /// The attachment of an action, if there still is one.
    pub(crate) fn take(&self, id: &ActionId) -> Option<Remote> {
        self.open().remove(id)
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<ActionId, Remote>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lingering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.open().keys()).finish()
    }
}
