//! `metadata.managedFields`: the managers of an object's fields.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::compare::compare;
use super::fields::FieldSet;
use crate::kube::object;
use crate::kube::resource::{Resource, Version};
use crate::kube::schema::Schema;
use crate::kube::store::Request;

/// Somebody who sets fields, in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) manager: String,
    /// By server-side apply, not by create, update or another patch.
    pub(crate) applies: bool,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
}

impl Owner {
    pub(crate) fn update(manager: &str, resource: &Resource, request: &Request) -> Self {
        Self::new(manager, resource, request, false)
    }

    pub(crate) fn apply(manager: &str, resource: &Resource, request: &Request) -> Self {
        Self::new(manager, resource, request, true)
    }

    fn new(manager: &str, resource: &Resource, request: &Request, applies: bool) -> Self {
        let subresource = if request.status { "status" } else { "" };
        Self {
            manager: manager.to_owned(),
            applies,
            api_version: resource.api_version(&request.version),
            subresource: subresource.to_owned(),
        }
    }

    /// Whether two entries are the same manager: the version counts only for updates.
    fn is(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.applies == other.applies
            && self.subresource == other.subresource
            && (self.applies || self.api_version == other.api_version)
    }

    /// As conflicts name it.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            let _ = write!(text, " with subresource {:?}", self.subresource);
        }
        if !self.applies {
            let _ = write!(text, " using {}", self.api_version);
        }
        text
    }

    /// The part of a set that this owner's endpoint can write.
    pub(crate) fn half(&self, set: FieldSet) -> FieldSet {
        if self.subresource == "status" { set.only("f:status") } else { set }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    owner: Owner,
    fields: FieldSet,
    time: String,
}

/// The managers of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Managers {
    entries: Vec<Entry>,
}

/// Entries of updates beyond this are folded into one, as the real API does.
const UPDATES_KEPT: usize = 10;
const ANCIENT: &str = "ancient-changes";

impl Managers {
    pub(crate) fn of(value: &Value) -> Self {
        let entries = value
            .pointer("/metadata/managedFields")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(read)
            .collect();
        Self { entries }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// An object that nobody has been recorded for: what stands there belongs to a manager of its own.
    pub(crate) fn everything_before(&mut self, value: &Value, schema: &Schema, now: &str) {
        let owner = Owner {
            manager: "before-first-apply".to_owned(),
            applies: false,
            api_version: value.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned(),
            subresource: String::new(),
        };
        let set = FieldSet::of(value, schema).without_identity();
        self.set(&owner, set, now);
    }

    pub(crate) fn others(&self, owner: &Owner) -> Vec<(Owner, FieldSet)> {
        self.entries
            .iter()
            .filter(|entry| !entry.owner.is(owner))
            .map(|entry| (entry.owner.clone(), entry.fields.clone()))
            .collect()
    }

    pub(crate) fn all_fields(&self) -> impl Iterator<Item = FieldSet> + '_ {
        self.entries.iter().map(|entry| entry.fields.clone())
    }

    pub(crate) fn fields_of(&self, owner: &Owner) -> FieldSet {
        self.entries.iter().find(|entry| entry.owner.is(owner)).map(|entry| entry.fields.clone()).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, owner: &Owner, fields: FieldSet, now: &str) {
        match self.entries.iter_mut().find(|entry| entry.owner.is(owner)) {
            Some(entry) => {
                entry.owner = owner.clone();
                entry.fields = fields;
                now.clone_into(&mut entry.time);
            }
            None => self.entries.push(Entry { owner: owner.clone(), fields, time: now.to_owned() }),
        }
    }

    pub(crate) fn take_from(&mut self, owner: &Owner, fields: &FieldSet) {
        for entry in &mut self.entries {
            if entry.owner.is(owner) {
                entry.fields = entry.fields.difference(fields);
            }
        }
    }

    /// Fields that are gone belong to nobody.
    pub(crate) fn forget(&mut self, except: &Owner, removed: &FieldSet) {
        for entry in &mut self.entries {
            if !entry.owner.is(except) {
                entry.fields = entry.fields.difference(removed);
            }
        }
    }

    /// An apply that changes nothing leaves the time of the last one.
    pub(crate) fn settle_times(&mut self, before: &Self, owner: &Owner, changed: bool) {
        if changed {
            return;
        }
        for entry in &mut self.entries {
            if !entry.owner.is(owner) {
                continue;
            }
            let old = before.entries.iter().find(|old| old.owner.is(owner));
            if let Some(old) = old.filter(|old| old.fields == entry.fields) {
                entry.time.clone_from(&old.time);
            }
        }
    }

    /// Writes the managers into an object, without those that own nothing.
    pub(crate) fn write(&mut self, value: &mut Value) {
        self.entries.retain(|entry| !entry.fields.is_empty() || entry.owner.applies);
        self.fold();
        self.entries.sort_by(|a, b| {
            let order = |entry: &Entry| {
                (!entry.owner.applies, entry.time.clone(), entry.owner.manager.clone(), entry.owner.subresource.clone())
            };
            order(a).cmp(&order(b))
        });
        let metadata = object::metadata(value);
        if self.entries.is_empty() {
            metadata.shift_remove("managedFields");
            return;
        }
        let entries = self.entries.iter().map(write).collect();
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }

    fn fold(&mut self) {
        let updates = |entries: &[Entry]| entries.iter().filter(|e| !e.owner.applies).count();
        while updates(&self.entries) > UPDATES_KEPT {
            let oldest = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, e)| !e.owner.applies && e.owner.manager != ANCIENT)
                .min_by(|(_, a), (_, b)| a.time.cmp(&b.time))
                .map(|(at, _)| at);
            let Some(at) = oldest else { return };
            let entry = self.entries.remove(at);
            let mut owner = entry.owner;
            ANCIENT.clone_into(&mut owner.manager);
            owner.subresource.clear();
            let fields = self.fields_of(&owner).union(&entry.fields);
            let had = self.entries.iter().any(|e| e.owner.is(&owner));
            self.set(&owner, fields, &entry.time);
            if had && updates(&self.entries) <= UPDATES_KEPT {
                return;
            }
        }
    }
}

fn read(value: &Value) -> Option<Entry> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    value.get("operation")?;
    Some(Entry {
        owner: Owner {
            manager: text("manager"),
            applies: text("operation") == "Apply",
            api_version: text("apiVersion"),
            subresource: text("subresource"),
        },
        fields: FieldSet::read(value.get("fieldsV1")?),
        time: text("time"),
    })
}

fn write(entry: &Entry) -> Value {
    let mut map = Map::new();
    map.insert("manager".to_owned(), json!(entry.owner.manager));
    let operation = if entry.owner.applies { "Apply" } else { "Update" };
    map.insert("operation".to_owned(), json!(operation));
    map.insert("apiVersion".to_owned(), json!(entry.owner.api_version));
    if !entry.time.is_empty() {
        map.insert("time".to_owned(), json!(entry.time));
    }
    map.insert("fieldsType".to_owned(), json!("FieldsV1"));
    map.insert("fieldsV1".to_owned(), entry.fields.write());
    if !entry.owner.subresource.is_empty() {
        map.insert("subresource".to_owned(), json!(entry.owner.subresource));
    }
    Value::Object(map)
}

/// Takes `managedFields` out of an object: they are no part of what is compared.
pub(crate) fn strip(value: &mut Value) {
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.shift_remove("managedFields");
    }
}

/// Puts back what identifies the live object, which an apply cannot change.
pub(crate) fn restore(live: &Value, merged: &mut Value) {
    let metadata = object::metadata(merged);
    for field in ["uid", "creationTimestamp", "generation", "deletionTimestamp"] {
        if let Some(value) = live.get("metadata").and_then(|m| m.get(field)) {
            metadata.entry(field).or_insert_with(|| value.clone());
        }
    }
}

/// Records in `new` that `owner` has made it out of `old` by a create, an update or a patch.
pub(crate) fn track(old: Option<&Value>, new: &mut Value, schema: &Schema, owner: &Owner, now: &str) {
    let mut managers = base(old, new, owner);
    let empty = Value::Object(Map::new());
    let set = |set: FieldSet| set;
    record(&mut managers, old.unwrap_or(&empty), new, schema, owner, now, set);
    managers.write(new);
}

/// The same for one half of an object whose `status` is a subresource: the one that `owner` writes.
pub(crate) fn track_half(old: &Value, new: &mut Value, version: &Version, owner: &Owner, now: &str) {
    let status = owner.subresource == "status";
    if status && !version.status {
        return;
    }
    let mut managers = Managers::of(new);
    let half = |set: FieldSet| match (version.status, status) {
        (true, true) => set.only("f:status"),
        (true, false) => set.except("f:status"),
        (false, _) => set,
    };
    record(&mut managers, old, new, &version.schema, owner, now, half);
    managers.write(new);
}

/// The managers to start from: a client may change the entries themselves, or drop them all by one empty entry.
fn base(old: Option<&Value>, new: &Value, owner: &Owner) -> Managers {
    let stored = old.map(Managers::of).unwrap_or_default();
    if !owner.subresource.is_empty() {
        return stored;
    }
    match new.pointer("/metadata/managedFields") {
        Some(Value::Array(list)) if !list.is_empty() => {
            let given = Managers::of(new);
            let reset = matches!(list.as_slice(), [Value::Object(only)] if only.is_empty());
            if given.is_empty() && !reset { stored } else { given }
        }
        _ => stored,
    }
}

fn record(
    managers: &mut Managers,
    old: &Value,
    new: &Value,
    schema: &Schema,
    owner: &Owner,
    now: &str,
    half: impl Fn(FieldSet) -> FieldSet,
) {
    let (mut old, mut new) = (old.clone(), new.clone());
    strip(&mut old);
    strip(&mut new);
    let changes = compare(&old, &new, schema);
    let set = half(changes.set_or_added());
    let removed = half(changes.removed);
    let touched = set.union(&removed);
    if touched.is_empty() {
        return;
    }
    for (other, _) in managers.others(owner) {
        managers.take_from(&other, &touched);
    }
    let mine = managers.fields_of(owner);
    let next = mine.union(&set).difference(&removed);
    // A field can go as one thing and come as another.
    let next = next.union(&set);
    if next != mine {
        managers.set(owner, next, now);
    } else if !set.is_empty() {
        managers.set(owner, mine, now);
    }
}
