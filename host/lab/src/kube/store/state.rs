//! What a cluster holds: the objects, the types of objects, and the recent past.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::Event;
use super::EventType;
use crate::kube::clock::Clock;
use crate::kube::error::ApiError;
use crate::kube::kind::{Kind, ResourceKey};
use crate::kube::object;
use crate::kube::resource::Resource;

/// Where an object is in its collection; the namespace of an object of the whole cluster is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Address {
    pub(crate) fn of(value: &Value) -> Self {
        Self { namespace: object::namespace(value).to_owned(), name: object::name(value).to_owned() }
    }
}

/// Events that are kept for watches that start in the past.
const HISTORY: usize = 4096;
/// Objects of kind Event that a cluster keeps; the oldest go first.
const EVENTS_KEPT: usize = 1000;

pub(crate) struct State {
    pub(crate) clock: Arc<dyn Clock>,
    latest: u64,
    resources: BTreeMap<ResourceKey, Arc<Resource>>,
    kinds: HashMap<Kind, ResourceKey>,
    objects: HashMap<ResourceKey, BTreeMap<Address, Arc<Value>>>,
    by_uid: HashMap<String, (ResourceKey, Address)>,
    dependents: HashMap<String, BTreeSet<(ResourceKey, Address)>>,
    history: VecDeque<Arc<Event>>,
    /// The newest resource version that is no longer in the history.
    forgotten: u64,
}

impl State {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            latest: 1,
            resources: BTreeMap::new(),
            kinds: HashMap::new(),
            objects: HashMap::new(),
            by_uid: HashMap::new(),
            dependents: HashMap::new(),
            history: VecDeque::new(),
            forgotten: 0,
        }
    }

    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    pub(crate) fn now(&self) -> String {
        time_text(self.clock.now())
    }

    pub(crate) fn register(&mut self, resource: Arc<Resource>) {
        self.kinds.insert(resource.type_of(), resource.key.clone());
        self.resources.insert(resource.key.clone(), resource);
    }

    pub(crate) fn unregister(&mut self, key: &ResourceKey) {
        if let Some(resource) = self.resources.remove(key) {
            self.kinds.remove(&resource.type_of());
        }
        self.objects.remove(key);
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    pub(crate) fn resource(&self, key: &ResourceKey) -> Option<&Arc<Resource>> {
        self.resources.get(key)
    }

    pub(crate) fn resource_of(&self, kind: &Kind) -> Option<&Arc<Resource>> {
        self.kinds.get(kind).and_then(|key| self.resources.get(key))
    }

    pub(crate) fn get(&self, key: &ResourceKey, address: &Address) -> Option<&Arc<Value>> {
        self.objects.get(key)?.get(address)
    }

    /// The objects of a collection, by namespace and name.
    pub(crate) fn list(&self, key: &ResourceKey, namespace: Option<&str>) -> impl Iterator<Item = &Arc<Value>> {
        self.objects
            .get(key)
            .into_iter()
            .flatten()
            .filter(move |(address, _)| namespace.is_none_or(|ns| address.namespace == ns))
            .map(|(_, value)| value)
    }

    pub(crate) fn count(&self, key: &ResourceKey) -> usize {
        self.objects.get(key).map_or(0, BTreeMap::len)
    }

    pub(crate) fn holds_uid(&self, uid: &str) -> bool {
        self.by_uid.contains_key(uid)
    }

    pub(crate) fn find_uid(&self, uid: &str) -> Option<(ResourceKey, Address)> {
        self.by_uid.get(uid).cloned()
    }

    /// The objects that name this one as an owner.
    pub(crate) fn dependents_of(&self, uid: &str) -> Vec<(ResourceKey, Address)> {
        self.dependents.get(uid).map(|set| set.iter().cloned().collect()).unwrap_or_default()
    }

    fn index(&mut self, key: &ResourceKey, value: &Value) {
        let entry = (key.clone(), Address::of(value));
        for owner in object::owners(value) {
            if let Some(uid) = owner.get("uid").and_then(Value::as_str) {
                self.dependents.entry(uid.to_owned()).or_default().insert(entry.clone());
            }
        }
        self.by_uid.insert(object::uid(value).to_owned(), entry);
    }

    fn forget(&mut self, key: &ResourceKey, value: &Value) {
        let entry = (key.clone(), Address::of(value));
        for owner in object::owners(value) {
            if let Some(uid) = owner.get("uid").and_then(Value::as_str)
                && let Some(set) = self.dependents.get_mut(uid)
            {
                set.remove(&entry);
                if set.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
        self.by_uid.remove(object::uid(value));
    }

    /// Stores an object under the next resource version and tells watchers.
    pub(crate) fn put(&mut self, resource: &Resource, mut value: Value) -> Arc<Value> {
        self.latest += 1;
        object::metadata(&mut value).insert("resourceVersion".to_owned(), json!(self.latest.to_string()));
        let value = Arc::new(value);
        let address = Address::of(&value);
        let previous = self.objects.entry(resource.key.clone()).or_default().insert(address, Arc::clone(&value));
        if let Some(previous) = &previous {
            self.forget(&resource.key, previous);
        }
        self.index(&resource.key, &value);
        let event_type = if previous.is_some() { EventType::Modified } else { EventType::Added };
        self.record(resource, event_type, Arc::clone(&value), previous);
        if event_type == EventType::Added && resource.kind == "Event" {
            self.drop_old_events(resource);
        }
        value
    }

    /// Takes an object away and tells watchers; the last state carries the resource version of the removal.
    pub(crate) fn take(&mut self, resource: &Resource, address: &Address) -> Option<Arc<Value>> {
        let previous = self.objects.get_mut(&resource.key)?.remove(address)?;
        self.forget(&resource.key, &previous);
        self.latest += 1;
        let mut last = (*previous).clone();
        object::metadata(&mut last).insert("resourceVersion".to_owned(), json!(self.latest.to_string()));
        let last = Arc::new(last);
        self.record(resource, EventType::Deleted, Arc::clone(&last), Some(previous));
        Some(last)
    }

    fn drop_old_events(&mut self, resource: &Resource) {
        while self.count(&resource.key) > EVENTS_KEPT {
            let oldest = self
                .list(&resource.key, None)
                .min_by_key(|event| object::resource_version(event).parse::<u64>().unwrap_or_default())
                .map(|event| Address::of(event));
            let Some(oldest) = oldest else { break };
            self.take(resource, &oldest);
        }
    }

    fn record(&mut self, resource: &Resource, event_type: EventType, value: Arc<Value>, previous: Option<Arc<Value>>) {
        self.history.push_back(Arc::new(Event {
            resource_version: self.latest,
            event_type,
            kind: resource.type_of(),
            object: value,
            resource: resource.key.clone(),
            previous,
        }));
        while self.history.len() > HISTORY {
            if let Some(event) = self.history.pop_front() {
                self.forgotten = event.resource_version;
            }
        }
    }

    /// The events after a resource version, oldest first.
    ///
    /// # Errors
    /// `Expired` when some of them are no longer kept.
    pub(crate) fn since(&self, version: u64) -> Result<Vec<Arc<Event>>, ApiError> {
        if version < self.forgotten {
            return Err(ApiError::expired());
        }
        let start = self.history.partition_point(|event| event.resource_version <= version);
        Ok(self.history.iter().skip(start).cloned().collect())
    }
}

/// A time as `metadata` has it: whole seconds, UTC.
pub(crate) fn time_text(time: jiff::Timestamp) -> String {
    let seconds = jiff::Timestamp::from_second(time.as_second()).unwrap_or(time);
    seconds.to_string()
}
