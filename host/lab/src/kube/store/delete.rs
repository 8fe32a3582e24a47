//! Taking objects away: finalizers, what depends on them, and namespaces.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Store;
use super::state::{Address, State};
use crate::kube::kind::{Kind, ResourceKey};
use crate::kube::object;
use crate::kube::resource::Resource;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
const CRD_CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// What happens to the objects that an object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted first; it waits for those that block it.
    Foreground,
    /// They stay, without it as their owner.
    Orphan,
}

impl State {
    /// Deletes an object, or begins to: returns its last state, and whether it is gone.
    pub(crate) fn delete(
        &mut self,
        resource: &Resource,
        address: &Address,
        propagation: Option<Propagation>,
    ) -> Option<(Arc<Value>, bool)> {
        let current = Arc::clone(self.get(&resource.key, address)?);
        let mut next = (*current).clone();
        let finalizer = match propagation {
            Some(Propagation::Foreground) => Some(FOREGROUND),
            Some(Propagation::Orphan) => Some(ORPHAN),
            Some(Propagation::Background) => {
                object::remove_finalizer(&mut next, FOREGROUND);
                object::remove_finalizer(&mut next, ORPHAN);
                None
            }
            None => None,
        };
        if let Some(finalizer) = finalizer {
            object::add_finalizer(&mut next, finalizer);
        }
        if is_definition(resource) && self.has_instances(&current) {
            object::add_finalizer(&mut next, CRD_CLEANUP);
        }
        let namespace = is_namespace(resource);
        if object::finalizers(&next).is_empty() && !namespace {
            let last = self.remove(resource, address)?;
            return Some((last, true));
        }
        if !object::is_deleting(&current) {
            mark(&mut next, &self.now(), resource.generation || resource.custom);
        }
        if namespace {
            object::ensure_map(&mut next, &["status"]).insert("phase".to_owned(), json!("Terminating"));
        }
        if next != *current {
            self.put(resource, next);
        }
        if namespace {
            self.empty_namespace(&address.name);
        }
        if is_definition(resource) {
            self.delete_instances(&current);
        }
        self.settle_owner(resource, address);
        Some(match self.get(&resource.key, address) {
            Some(left) => (Arc::clone(left), false),
            None => (current, true),
        })
    }

    /// Takes an object away for good, and does what follows from it.
    pub(crate) fn remove(&mut self, resource: &Resource, address: &Address) -> Option<Arc<Value>> {
        let last = self.take(resource, address)?;
        let uid = object::uid(&last).to_owned();
        for (key, dependent) in self.dependents_of(&uid) {
            self.release(&key, &dependent, &uid);
        }
        for owner in object::owners(&last) {
            let uid = owner.get("uid").and_then(Value::as_str).unwrap_or_default();
            if let Some((key, address)) = self.find_uid(uid)
                && let Some(resource) = self.resource(&key).cloned()
            {
                self.settle_owner(&resource, &address);
            }
        }
        if is_definition(resource) {
            if let Some(key) = defined(&last) {
                self.unregister(&key);
            }
        } else if resource.custom {
            self.settle_definition(&resource.key);
        }
        if !address.namespace.is_empty() {
            self.settle_namespace(&address.namespace);
        }
        Some(last)
    }

    /// A change that leaves a deleted object without finalizers removes it. Returns whether it did.
    pub(crate) fn settle_finalizers(&mut self, resource: &Resource, address: &Address) -> bool {
        let gone = self.get(&resource.key, address).is_some_and(|object| {
            object::is_deleting(object) && object::finalizers(object).is_empty() && !is_namespace(resource)
        });
        if gone {
            self.remove(resource, address);
        }
        gone
    }

    /// One owner of an object is gone: the object goes too, unless another owner is there.
    fn release(&mut self, key: &ResourceKey, address: &Address, uid: &str) {
        let Some(resource) = self.resource(key).cloned() else {
            return;
        };
        let Some(current) = self.get(key, address).cloned() else {
            return;
        };
        let others = object::owners(&current)
            .iter()
            .filter_map(|owner| owner.get("uid").and_then(Value::as_str))
            .any(|other| other != uid && self.holds_uid(other));
        if others {
            self.disown(&resource, address, uid);
        } else {
            self.delete(&resource, address, Some(Propagation::Background));
        }
    }

    fn disown(&mut self, resource: &Resource, address: &Address, uid: &str) {
        let Some(current) = self.get(&resource.key, address) else {
            return;
        };
        let mut next = (**current).clone();
        let metadata = object::metadata(&mut next);
        if let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences") {
            owners.retain(|owner| owner.get("uid").and_then(Value::as_str) != Some(uid));
            if owners.is_empty() {
                metadata.shift_remove("ownerReferences");
            }
        }
        self.put(resource, next);
    }

    /// What deletion in the foreground, or with orphans, still has to do for an owner.
    pub(crate) fn settle_owner(&mut self, resource: &Resource, address: &Address) {
        let Some(owner) = self.get(&resource.key, address).cloned() else {
            return;
        };
        if !object::is_deleting(&owner) {
            return;
        }
        let uid = object::uid(&owner).to_owned();
        let finalizers = object::finalizers(&owner);
        let done = if finalizers.contains(&ORPHAN) {
            for (key, dependent) in self.dependents_of(&uid) {
                if let Some(resource) = self.resource(&key).cloned() {
                    self.disown(&resource, &dependent, &uid);
                }
            }
            ORPHAN
        } else if finalizers.contains(&FOREGROUND) {
            self.delete_dependents(&uid);
            if self.is_blocked(&uid) {
                return;
            }
            FOREGROUND
        } else {
            return;
        };
        let Some(current) = self.get(&resource.key, address) else {
            return;
        };
        let mut next = (**current).clone();
        if object::remove_finalizer(&mut next, done) {
            self.put(resource, next);
            self.settle_finalizers(resource, address);
        }
    }

    fn delete_dependents(&mut self, uid: &str) {
        for (key, dependent) in self.dependents_of(uid) {
            let Some(resource) = self.resource(&key).cloned() else {
                continue;
            };
            let Some(object) = self.get(&key, &dependent) else {
                continue;
            };
            if object::is_deleting(object) {
                continue;
            }
            let alone = object::owners(object).iter().all(|owner| {
                let other = owner.get("uid").and_then(Value::as_str).unwrap_or_default();
                other == uid || !self.holds_uid(other)
            });
            if alone {
                let how = if blocks(object, uid) { Propagation::Foreground } else { Propagation::Background };
                self.delete(&resource, &dependent, Some(how));
            } else {
                self.disown(&resource, &dependent, uid);
            }
        }
    }

    fn is_blocked(&self, uid: &str) -> bool {
        self.dependents_of(uid)
            .iter()
            .filter_map(|(key, address)| self.get(key, address))
            .any(|object| blocks(object, uid))
    }

    fn empty_namespace(&mut self, namespace: &str) {
        let mut content = Vec::new();
        for resource in self.resources().filter(|r| r.namespaced && r.stored) {
            for object in self.list(&resource.key, Some(namespace)) {
                content.push((Arc::clone(resource), Address::of(object)));
            }
        }
        for (resource, address) in content {
            self.delete(&resource, &address, Some(Propagation::Background));
        }
        self.settle_namespace(namespace);
    }

    pub(crate) fn settle_namespace(&mut self, namespace: &str) {
        let key = ResourceKey::new("", "namespaces");
        let address = Address { namespace: String::new(), name: namespace.to_owned() };
        let Some(object) = self.get(&key, &address) else {
            return;
        };
        let occupied = self.resources().any(|r| r.namespaced && self.list(&r.key, Some(namespace)).next().is_some());
        if !object::is_deleting(object) || occupied || !object::finalizers(object).is_empty() {
            return;
        }
        if let Some(resource) = self.resource(&key).cloned() {
            self.remove(&resource, &address);
        }
    }

    fn has_instances(&self, definition: &Value) -> bool {
        defined(definition).is_some_and(|key| self.count(&key) > 0)
    }

    fn delete_instances(&mut self, definition: &Value) {
        let Some(resource) = defined(definition).and_then(|key| self.resource(&key).cloned()) else {
            return;
        };
        let instances: Vec<Address> = self.list(&resource.key, None).map(|object| Address::of(object)).collect();
        for address in instances {
            self.delete(&resource, &address, Some(Propagation::Background));
        }
    }

    /// The last object of a definition that is being deleted takes the definition with it.
    fn settle_definition(&mut self, key: &ResourceKey) {
        if self.count(key) > 0 {
            return;
        }
        let definitions = ResourceKey::new("apiextensions.k8s.io", "customresourcedefinitions");
        let address = Address { namespace: String::new(), name: format!("{}.{}", key.plural, key.group) };
        let Some(resource) = self.resource(&definitions).cloned() else {
            return;
        };
        let Some(definition) = self.get(&definitions, &address) else {
            return;
        };
        if !object::is_deleting(definition) {
            return;
        }
        let mut next = (**definition).clone();
        if object::remove_finalizer(&mut next, CRD_CLEANUP) {
            self.put(&resource, next);
            self.settle_finalizers(&resource, &address);
        }
    }
}

impl Store {
    /// Deletes the objects none of whose owners is there, if they are among `suspects`: those that were so the last time.
    ///
    /// An owner of a kind that this cluster does not serve cannot be looked for: its dependents stay.
    pub(crate) fn collect_strays(&self, suspects: &mut HashSet<String>) {
        let strays: Vec<(Arc<Resource>, Address, String)> = {
            let state = self.read();
            let is_stray = |object: &Value| {
                let owners = object::owners(object);
                !owners.is_empty()
                    && !object::is_deleting(object)
                    && owners.iter().all(|owner| {
                        let (group, _) = object::group_version(owner);
                        let kind = Kind::of(group, object::kind(owner));
                        let uid = owner.get("uid").and_then(Value::as_str).unwrap_or_default();
                        state.resource_of(&kind).is_some() && !state.holds_uid(uid)
                    })
            };
            state
                .resources()
                .flat_map(|resource| state.list(&resource.key, None).map(move |object| (resource, object)))
                .filter(|(_, object)| is_stray(object))
                .map(|(resource, object)| (Arc::clone(resource), Address::of(object), object::uid(object).to_owned()))
                .collect()
        };
        let found: HashSet<String> = strays.iter().map(|(_, _, uid)| uid.clone()).collect();
        for (resource, address, uid) in strays {
            if !suspects.contains(&uid) {
                continue;
            }
            let mut state = self.write();
            // It may have been adopted, or replaced, since.
            let still = state.get(&resource.key, &address).is_some_and(|object| {
                object::uid(object) == uid
                    && !object::owners(object)
                        .iter()
                        .filter_map(|owner| owner.get("uid").and_then(Value::as_str))
                        .any(|owner| state.holds_uid(owner))
            });
            if still {
                state.delete(&resource, &address, Some(Propagation::Background));
            }
            self.publish(state);
        }
        *suspects = found;
    }
}

fn is_namespace(resource: &Resource) -> bool {
    resource.is("", "namespaces")
}

fn is_definition(resource: &Resource) -> bool {
    resource.is("apiextensions.k8s.io", "customresourcedefinitions")
}

/// The collection that a CustomResourceDefinition declares.
pub(crate) fn defined(definition: &Value) -> Option<ResourceKey> {
    let group = definition.pointer("/spec/group")?.as_str()?;
    let plural = definition.pointer("/spec/names/plural")?.as_str()?;
    Some(ResourceKey::new(group, plural))
}

fn blocks(object: &Value, uid: &str) -> bool {
    object::owners(object).iter().any(|owner| {
        owner.get("uid").and_then(Value::as_str) == Some(uid)
            && owner.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
    })
}

fn mark(object: &mut Value, now: &str, counts: bool) {
    let generation = object::generation(object);
    let metadata = object::metadata(object);
    metadata.insert("deletionTimestamp".to_owned(), json!(now));
    metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    if counts && generation > 0 {
        metadata.insert("generation".to_owned(), json!(generation + 1));
    }
}
