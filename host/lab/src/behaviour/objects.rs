//! How the lab's controllers read and write a cluster: a thin layer over the store that writes nothing where nothing changes.

use std::sync::Arc;

use serde_json::Value;

use crate::kube::{ApiError, Kind, Propagation, Reason, Store, object};

use super::kinds::names;

/// What the API refused, small enough to be handed on.
pub(crate) type Refused = Box<ApiError>;

/// A cluster's objects as controllers see them.
#[derive(Clone)]
pub(crate) struct Objects {
    store: Store,
}

impl Objects {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    pub(crate) fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Value> {
        self.store.get(kind, Some(namespace), name)
    }

    /// The objects of a kind in a namespace, or everywhere if that is empty; by namespace and name. Shared with the store, not copied.
    pub(crate) fn each(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Value>> {
        shared(&self.store, kind, namespace)
    }

    /// [`Objects::each`], copied.
    pub(crate) fn list(&self, kind: &Kind, namespace: &str) -> Vec<Value> {
        self.each(kind, namespace).iter().map(|one| (**one).clone()).collect()
    }

    /// The objects of a kind that belong to a cluster, by their label.
    pub(crate) fn of_cluster(&self, kind: &Kind, namespace: &str, cluster: &str) -> Vec<Value> {
        let all = self.each(kind, namespace);
        all.iter()
            .filter(|one| object::label(one, names::CLUSTER_NAME) == Some(cluster))
            .map(|one| (**one).clone())
            .collect()
    }

    /// The objects of a kind whose controller is `owner`.
    pub(crate) fn controlled_by(&self, kind: &Kind, owner: &Value) -> Vec<Value> {
        let uid = object::uid(owner);
        let all = self.each(kind, object::namespace(owner));
        all.iter().filter(|one| is_controlled_by(one, uid)).map(|one| (**one).clone()).collect()
    }

    /// Creates an object, unless one of that name is there.
    ///
    /// # Errors
    /// What the API refused.
    pub(crate) fn ensure(&self, object: Value) -> Result<Value, Refused> {
        let (group, _) = object::group_version(&object);
        let kind = Kind::of(group, object::kind(&object));
        let (namespace, name) = (object::namespace(&object).to_owned(), object::name(&object).to_owned());
        if let Some(there) = self.get(&kind, &namespace, &name) {
            return Ok(there);
        }
        match self.store.create(object) {
            Err(refused) if refused.reason == Reason::AlreadyExists => {
                self.get(&kind, &namespace, &name).ok_or_else(|| Box::new(refused))
            }
            other => Ok(other?),
        }
    }

    /// Reads, changes and writes an object, in one step; nothing happens if it is gone or the change changes nothing.
    /// `metadata`, `spec` and `status` may all change.
    pub(crate) fn change(&self, kind: &Kind, namespace: &str, name: &str, change: impl FnMut(&mut Value)) {
        self.store.mutate(kind, Some(namespace), name, change);
    }

    /// [`Objects::change`] for an object that was read before; does nothing if another one has taken its name since.
    pub(crate) fn change_this(&self, this: &Value, mut change: impl FnMut(&mut Value)) {
        let (kind, namespace, name) = address(this);
        self.change(&kind, &namespace, &name, |now| {
            if object::uid(now) == object::uid(this) {
                change(now);
            }
        });
    }

    /// Deletes an object, or begins to; nothing happens if it is gone or being deleted.
    ///
    /// # Errors
    /// What the API refused.
    pub(crate) fn delete(&self, this: &Value) -> Result<(), Refused> {
        let (kind, namespace, name) = address(this);
        if self.get(&kind, &namespace, &name).is_none_or(|now| object::is_deleting(&now)) {
            return Ok(());
        }
        match self.store.delete(&kind, Some(&namespace), &name, Propagation::Background) {
            Err(gone) if gone.reason == Reason::NotFound => Ok(()),
            other => Ok(other?),
        }
    }
}

/// The objects of a kind in a namespace, or everywhere if that is empty, shared with the store: definitions and pods are too large and too many to be copied
/// each time that somebody looks for one.
pub(crate) fn shared(store: &Store, kind: &Kind, namespace: &str) -> Vec<Arc<Value>> {
    let Ok(resource) = store.resource_of(kind) else { return Vec::new() };
    // The query has no name outside of the store; its default asks for everything.
    #[expect(clippy::default_trait_access, reason = "the type cannot be named here")]
    let query = Default::default();
    let mut items = store.list_with(&resource, &query).items;
    if !namespace.is_empty() {
        items.retain(|one| object::namespace(one) == namespace);
    }
    items
}

/// Whether the controller among an object's owners has this UID.
pub(crate) fn is_controlled_by(this: &Value, uid: &str) -> bool {
    object::owners(this).iter().any(|owner| {
        owner.get("uid").and_then(Value::as_str) == Some(uid)
            && owner.get("controller").and_then(Value::as_bool) == Some(true)
    })
}

/// Kind, namespace and name of an object.
pub(crate) fn address(this: &Value) -> (Kind, String, String) {
    let (group, _) = object::group_version(this);
    (Kind::of(group, object::kind(this)), object::namespace(this).to_owned(), object::name(this).to_owned())
}
