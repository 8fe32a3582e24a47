//! The objects of one simulated cluster.
//!
//! One writer at a time; readers share. Every change has a resource version and is told to watches. A write reads, works
//! on a copy without a lock, and stores the copy if nothing has changed meanwhile, else it begins again: so admission and
//! the closures of controllers may use the store themselves.

mod delete;
mod effects;
mod lists;
mod request;
mod state;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;
use tokio::sync::watch as channel;

pub use delete::Propagation;
pub use watch::{Event, EventType, Gone, Watch};

pub(crate) use lists::{ListQuery, Listed, read_token};
pub(crate) use request::{FieldValidation, Outcome, Request};
pub(crate) use state::Address;
pub(crate) use write::in_version;

use super::admission::Admission;
use super::clock::Clock;
use super::error::ApiError;
use super::kind::{Kind, ResourceKey};
use super::object;
use super::resource::Resource;
use super::selector::LabelSelector;
use state::State;

/// A change of one object, in the forms that clients send.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' own, which knows the lists of the built-in kinds.
    Strategic(Value),
    /// Server-side apply: the object as the field manager wants it.
    Apply {
        /// The object, or the part of it that is wanted.
        object: Value,
        /// Take fields over from other managers.
        force: bool,
    },
}

/// The objects of a cluster. A clone is the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    state: RwLock<State>,
    latest: channel::Sender<u64>,
    admissions: RwLock<Vec<(Kind, Arc<dyn Admission>)>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("latest", &self.latest()).finish_non_exhaustive()
    }
}

/// The manager of fields that the lab's own controllers set.
const CONTROLLER: &str = "manager";

impl Store {
    /// A store with the built-in kinds and the namespaces that every cluster has.
    ///
    /// `ca_pem` is what namespaces publish as `kube-root-ca.crt`.
    pub fn new(clock: Arc<dyn Clock>, ca_pem: &str) -> Self {
        let mut state = State::new(Arc::clone(&clock));
        state.begin(ca_pem);
        let (latest, _) = channel::channel(state.latest());
        Self {
            inner: Arc::new(Inner { state: RwLock::new(state), latest, admissions: RwLock::new(Vec::new()), clock }),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells watches and controllers what the write under `state` has done.
    fn publish(&self, state: RwLockWriteGuard<'_, State>) {
        let latest = state.latest();
        drop(state);
        self.inner.latest.send_if_modified(|seen| {
            let newer = latest > *seen;
            *seen = (*seen).max(latest);
            newer
        });
    }

    /// The clock of this cluster.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The newest resource version.
    pub fn latest(&self) -> u64 {
        self.read().latest()
    }

    /// Changes whenever an object does: for controllers to wake by.
    pub fn changed(&self) -> channel::Receiver<u64> {
        self.inner.latest.subscribe()
    }

    /// Follows all changes after resource version `from`; `None`: from now on.
    ///
    /// # Errors
    /// `Expired` when changes since then are no longer kept.
    pub fn watch(&self, from: Option<u64>) -> Result<Watch, ApiError> {
        let from = from.unwrap_or_else(|| self.latest());
        Watch::new(self.clone(), from)
    }

    /// Follows all changes from now on.
    pub fn watch_from_now(&self) -> Watch {
        Watch::start(self.clone())
    }

    fn since(&self, version: u64) -> Result<Vec<Arc<Event>>, ApiError> {
        self.read().since(version)
    }

    /// Has `admission` look at objects of `kind` before they are stored through the API or by [`Store::create`],
    /// [`Store::update`], [`Store::patch`] and [`Store::delete`]. [`Store::mutate`] is not looked at.
    pub fn register_admission(&self, kind: Kind, admission: Arc<dyn Admission>) {
        self.inner.admissions.write().unwrap_or_else(PoisonError::into_inner).push((kind, admission));
    }

    fn admissions_for(&self, kind: &Kind) -> Vec<Arc<dyn Admission>> {
        self.inner
            .admissions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(wanted, _)| wanted == kind)
            .map(|(_, admission)| Arc::clone(admission))
            .collect()
    }

    /// Whether this cluster knows the kind: built in, or declared by a CustomResourceDefinition.
    pub fn serves(&self, kind: &Kind) -> bool {
        self.read().resource_of(kind).is_some()
    }

    /// Every kind that this cluster stores objects of.
    pub fn kinds(&self) -> Vec<Kind> {
        self.read().resources().filter(|resource| resource.stored).map(|resource| resource.type_of()).collect()
    }

    pub(crate) fn resources(&self) -> Vec<Arc<Resource>> {
        self.read().resources().cloned().collect()
    }

    pub(crate) fn resource(&self, key: &ResourceKey) -> Option<Arc<Resource>> {
        self.read().resource(key).cloned()
    }

    pub(crate) fn resource_of(&self, kind: &Kind) -> Result<Arc<Resource>, ApiError> {
        self.read()
            .resource_of(kind)
            .cloned()
            .ok_or_else(|| ApiError::new(super::error::Reason::NotFound, format!("no matches for kind {kind}")))
    }

    pub(crate) fn find(&self, resource: &Resource, address: &Address) -> Option<Arc<Value>> {
        self.read().get(&resource.key, address).cloned()
    }

    /// An object in its stored version. `namespace` is `None` for objects of the whole cluster.
    pub fn get(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Option<Value> {
        let state = self.read();
        let resource = state.resource_of(kind)?;
        let address = address(resource, namespace, name);
        state.get(&resource.key, &address).map(|object| (**object).clone())
    }

    /// The objects of a kind, by namespace and name; `namespace` `None`: of all namespaces.
    pub fn list(&self, kind: &Kind, namespace: Option<&str>, selector: &LabelSelector) -> Vec<Value> {
        let state = self.read();
        let Some(resource) = state.resource_of(kind) else {
            return Vec::new();
        };
        state
            .list(&resource.key, namespace)
            .filter(|object| selector.matches(object))
            .map(|object| (**object).clone())
            .collect()
    }

    /// The objects that name the object with this uid as an owner.
    pub fn owned_by(&self, uid: &str) -> Vec<Value> {
        let state = self.read();
        state
            .dependents_of(uid)
            .iter()
            .filter_map(|(key, address)| state.get(key, address))
            .map(|object| (**object).clone())
            .collect()
    }

    fn resource_of_object(&self, value: &Value) -> Result<(Arc<Resource>, Request), ApiError> {
        let (group, version) = object::group_version(value);
        let kind = Kind::of(group, object::kind(value));
        let resource = self.resource_of(&kind)?;
        if resource.version(version).is_none() {
            return Err(ApiError::bad_request(format!("no matches for kind {kind} in version {version:?}")));
        }
        Ok((resource, Request::by(CONTROLLER, version)))
    }

    /// Creates an object; its namespace, where the kind has one, stands in it (else `default`).
    ///
    /// # Errors
    /// What the API would answer.
    pub fn create(&self, value: Value) -> Result<Value, ApiError> {
        let (resource, request) = self.resource_of_object(&value)?;
        let namespace = object::namespace(&value).to_owned();
        let outcome = self.create_with(&resource, &namespace, value, &request)?;
        Ok((*outcome.object).clone())
    }

    /// Replaces an object; with a `resourceVersion` in it, only if that is still the newest.
    ///
    /// # Errors
    /// What the API would answer.
    #[expect(clippy::needless_pass_by_value, reason = "as with `create`, the object is handed over")]
    pub fn update(&self, value: Value) -> Result<Value, ApiError> {
        self.replace(&value, false)
    }

    /// Replaces the `status` of an object.
    ///
    /// # Errors
    /// What the API would answer.
    #[expect(clippy::needless_pass_by_value, reason = "as with `create`, the object is handed over")]
    pub fn update_status(&self, value: Value) -> Result<Value, ApiError> {
        self.replace(&value, true)
    }

    fn replace(&self, value: &Value, status: bool) -> Result<Value, ApiError> {
        let (resource, mut request) = self.resource_of_object(value)?;
        request.status = status;
        let address = address(&resource, Some(object::namespace(value)), object::name(value));
        let outcome = self.change_with(&resource, &address, &request, &mut |_| Ok(value.clone()))?;
        Ok((*outcome.object).clone())
    }

    /// Patches an object in its stored version; a [`Patch::Apply`] creates it where it is not there.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn patch(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        patch: &Patch,
        manager: &str,
    ) -> Result<Value, ApiError> {
        let resource = self.resource_of(kind)?;
        let address = address(&resource, namespace, name);
        let request = Request::by(manager, &resource.storage);
        let outcome = self.patch_with(&resource, &address, patch, &request)?;
        Ok((*outcome.object).clone())
    }

    /// Applies an object as `manager` would by server-side apply, taking over fields of others.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn apply(&self, value: Value, manager: &str) -> Result<Value, ApiError> {
        let (resource, mut request) = self.resource_of_object(&value)?;
        manager.clone_into(&mut request.manager);
        let address = address(&resource, Some(object::namespace(&value)), object::name(&value));
        let patch = Patch::Apply { object: value, force: true };
        let outcome = self.patch_with(&resource, &address, &patch, &request)?;
        Ok((*outcome.object).clone())
    }

    /// Deletes an object, or begins to where it has finalizers.
    ///
    /// # Errors
    /// `NotFound`, or what admission says.
    pub fn delete(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        propagation: Propagation,
    ) -> Result<(), ApiError> {
        let resource = self.resource_of(kind)?;
        let address = address(&resource, namespace, name);
        self.delete_with(&resource, &address, Some(propagation), &mut |_| Ok(()), false)?;
        Ok(())
    }

    /// Changes an object for a controller: no conflict, no validation, no admission; spec, status and metadata alike.
    ///
    /// `change` works on a copy and is called again if the object has changed meanwhile. The resource version moves only
    /// if the object differs afterwards; taking the last finalizer off an object that is being deleted removes it.
    /// Returns the object afterwards, or `None` where there is none of that name.
    pub fn mutate(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        mut change: impl FnMut(&mut Value),
    ) -> Option<Value> {
        let resource = self.resource_of(kind).ok()?;
        let address = address(&resource, namespace, name);
        self.mutate_with(&resource, &address, CONTROLLER, &mut change).map(|object| (*object).clone())
    }
}

/// The place of an object; a namespaced object without a namespace is in `default`.
pub(crate) fn address(resource: &Resource, namespace: Option<&str>, name: &str) -> Address {
    let namespace = match (resource.namespaced, namespace.unwrap_or_default()) {
        (false, _) => "",
        (true, "") => "default",
        (true, namespace) => namespace,
    };
    Address { namespace: namespace.to_owned(), name: name.to_owned() }
}
