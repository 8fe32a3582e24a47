//! Following the changes of a store.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::Store;
use crate::kube::error::ApiError;
use crate::kube::kind::{Kind, ResourceKey};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// It is new.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change.
#[derive(Clone, Debug)]
pub struct Event {
    /// The resource version that the change has made.
    pub resource_version: u64,
    /// What happened.
    pub event_type: EventType,
    /// The type of the object.
    pub kind: Kind,
    /// The object afterwards; for a removal, its last state.
    pub object: Arc<Value>,
    pub(crate) resource: ResourceKey,
    pub(crate) previous: Option<Arc<Value>>,
}

/// The follower has fallen so far behind that events are no longer kept: list again, and watch from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events between the last one seen and now are no longer kept")]
pub struct Gone;

/// A place in the stream of changes.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    changed: tokio::sync::watch::Receiver<u64>,
    seen: u64,
    waiting: VecDeque<Arc<Event>>,
}

impl Watch {
    pub(crate) fn new(store: Store, from: u64) -> Result<Self, ApiError> {
        let changed = store.changed();
        let waiting = store.since(from)?.into();
        Ok(Self { store, changed, seen: from, waiting })
    }

    pub(crate) fn start(store: Store) -> Self {
        let changed = store.changed();
        let seen = store.latest();
        Self { store, changed, seen, waiting: VecDeque::new() }
    }

    /// The newest resource version that this watch has seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The next change; waits for one.
    ///
    /// # Errors
    /// [`Gone`] when this watch has fallen behind.
    pub async fn next(&mut self) -> Result<Arc<Event>, Gone> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(event);
            }
            // The store outlives this handle's sender: it holds the sender itself.
            if self.changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The next change if there is one already.
    ///
    /// # Errors
    /// [`Gone`] when this watch has fallen behind.
    pub fn take(&mut self) -> Result<Option<Arc<Event>>, Gone> {
        if self.waiting.is_empty() {
            self.changed.borrow_and_update();
            self.waiting = self.store.since(self.seen).map_err(|_| Gone)?.into();
        }
        let next = self.waiting.pop_front();
        if let Some(event) = &next {
            self.seen = event.resource_version;
        }
        Ok(next)
    }
}
